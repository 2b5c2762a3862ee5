//! Systems other than Linux: what they keep of changes is not known here.

use super::{FileState, ReceiptError, UnknownFileSystems};
use crate::model::LocalModel;

/// A system of whose files nothing is known.
pub(super) struct System<'a>(&'a LocalModel);

impl<'a> System<'a> {
    pub(super) fn new(model: &'a LocalModel, _: UnknownFileSystems) -> Self {
        Self(model)
    }

    pub(super) fn state(&mut self, _: usize) -> Result<Option<FileState>, ReceiptError> {
        Err(self.refusal())
    }

    pub(super) fn settle(&mut self, _: &[(usize, FileState)]) -> Result<Vec<usize>, ReceiptError> {
        Err(self.refusal())
    }

    pub(super) fn write_out(&mut self, _: &[(usize, FileState)]) -> Result<Vec<usize>, ReceiptError> {
        Err(self.refusal())
    }

    fn refusal(&self) -> ReceiptError {
        ReceiptError::NotTold { path: self.0.location().to_owned(), missing: "receipts are for Linux alone" }
    }
}
