//! Systems other than Linux: what they keep of changes is not known here.

use super::{FileState, ReceiptError, UnknownFileSystems};
use crate::model::LocalModel;

/// There are none.
pub(super) fn states(model: &LocalModel, _: UnknownFileSystems) -> Result<Vec<Option<FileState>>, ReceiptError> {
    Err(ReceiptError::NotTold { path: model.location().to_owned(), missing: "receipts are for Linux alone" })
}

/// There are none.
pub(super) fn settled_states(
    model: &LocalModel,
    _: &[usize],
    unknown: UnknownFileSystems,
) -> Result<Vec<(usize, Option<FileState>)>, ReceiptError> {
    states(model, unknown).map(|_| Vec::new())
}
