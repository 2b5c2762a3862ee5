//! What a reader of model files makes of bytes, and what holds whatever they are.

use model_transparency::format::{Recognition, recognise};

/// Looks at `bytes`, put behind `beginning` if they do not begin with it.
pub fn checked(beginning: &[u8], bytes: &[u8]) -> Recognition {
    let file = if bytes.starts_with(beginning) { bytes.to_vec() } else { [beginning, bytes].concat() };
    let found = recognise(&&file[..], file.len() as u64).expect("bytes in memory can be read");
    assert!(found.code.is_sorted(), "{found:?}");
    assert!(found.details.len() + found.problems.len() < 10_000, "{found:?}");
    assert!(found.format.is_some() || found.code.is_empty(), "{found:?}");
    found
}
