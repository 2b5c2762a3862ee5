//! Checkpoints of any content are refused, or are of a log whose key signed them.
//!
//! One that is signed with a part of it replaced: nothing that differs from it verifies.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use model_transparency::certificate::UnixTime;
use model_transparency::log::Checkpoint;

#[path = "support/log.rs"]
mod log;

static LOG: LazyLock<log::Log> = LazyLock::new(log::Log::new);
static NOTE: LazyLock<String> = LazyLock::new(|| LOG.checkpoint(b"entry"));

fuzz_target!(|input: (u16, u8, &[u8])| {
    let (at, length, bytes) = input;
    let start = usize::from(at) % NOTE.len();
    let end = (start + usize::from(length)).min(NOTE.len());
    let mut changed = NOTE.clone().into_bytes();
    changed.splice(start..end, bytes.iter().copied());
    for text in [bytes, changed.as_slice()].into_iter().filter_map(|bytes| std::str::from_utf8(bytes).ok()) {
        let Ok(checkpoint) = Checkpoint::parse(text) else { continue };
        if let Ok(verified) = checkpoint.verify(LOG.keys.iter(), UnixTime(1_000)) {
            assert_eq!((verified.origin(), verified.size()), (log::ORIGIN, 1));
        }
    }
});
