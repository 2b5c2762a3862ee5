//! A timestamp of any content is refused or read, and never believed: it is over no signature that was made.
#![no_main]

use libfuzzer_sys::fuzz_target;
use model_transparency::timestamp::{Timestamp, TimestampRequest};
use model_transparency::trust::TimestampAuthority;

fuzz_target!(|data: &[u8]| {
    let _ = TimestampAuthority::from_trusted_root(data);
    // What may come back from an authority.
    let request = TimestampRequest::new(b"signature", [7; 8]).expect("a request");
    let _ = request.accept(data);
    let Ok(timestamp) = Timestamp::parse(data) else { return };
    let _ = (timestamp.stated_time().to_string(), timestamp.signer().map(|signer| signer.subject()));
    // Whoever it brings along is trusted: all that is left is what it says.
    let authorities = [TimestampAuthority::new(timestamp.certificates().to_vec())];
    if timestamp.verify(b"signature", &authorities).is_ok() {
        timestamp.check_consistent(b"signature").expect("what is verified is consistent");
    }
    let _ = timestamp.check_consistent(b"signature");
    assert!(timestamp.verify(b"signature", &[]).is_err());
});
