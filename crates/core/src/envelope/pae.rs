//! DSSE pre-authentication encoding (protocol v1).

/// The payload type of an in-toto statement, the only one that OMS allows.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";

/// The bytes that a DSSE signature covers.
pub(crate) fn pae(payload: &[u8]) -> Vec<u8> {
    let mut encoded = pae_prefix(payload.len()).into_bytes();
    encoded.extend_from_slice(payload);
    encoded
}

/// What stands before a payload of this length in these bytes.
pub(crate) fn pae_prefix(length_bytes: usize) -> String {
    format!("DSSEv1 {} {PAYLOAD_TYPE} {length_bytes} ", PAYLOAD_TYPE.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_payload_is_covered_byte_for_byte() {
        assert_eq!(pae(b"{\n}"), b"DSSEv1 28 application/vnd.in-toto+json 3 {\n}");
        assert_eq!(pae(b""), b"DSSEv1 28 application/vnd.in-toto+json 0 ");
    }
}
