//! Requests (`TimeStampReq`, RFC 3161 §2.4.1) with one byte changed, so that the reply is honest to another request.

/// The request for another digest of the same length.
pub(super) fn with_another_digest(mut query: Vec<u8>) -> Vec<u8> {
    let (imprint_end, _) = ends(&query);
    query[imprint_end - 1] ^= 1;
    query
}

/// The request with another nonce, if it has one.
pub(super) fn with_another_nonce(mut query: Vec<u8>) -> Vec<u8> {
    if let (_, Some(nonce_end)) = ends(&query) {
        query[nonce_end - 1] ^= 1;
    }
    query
}

/// Where the message imprint ends, whose last member is the digest, and where the nonce does.
fn ends(query: &[u8]) -> (usize, Option<usize>) {
    const INTEGER: u8 = 0x02;
    const OBJECT_IDENTIFIER: u8 = 0x06;
    let version_end = element_end(query, content_start(query, 0));
    let imprint_end = element_end(query, version_end);
    let mut next = imprint_end;
    // The policy is optional.
    if query.get(next) == Some(&OBJECT_IDENTIFIER) {
        next = element_end(query, next);
    }
    (imprint_end, (query.get(next) == Some(&INTEGER)).then(|| element_end(query, next)))
}

/// Where the content of the DER element begins that begins at `start`.
fn content_start(der: &[u8], start: usize) -> usize {
    start + 2 + long_length_bytes(der, start)
}

/// Where the DER element ends that begins at `start`.
fn element_end(der: &[u8], start: usize) -> usize {
    let content = content_start(der, start);
    let length = match long_length_bytes(der, start) {
        0 => usize::from(der[start + 1]),
        _ => der[start + 2..content].iter().fold(0, |length, byte| length << 8 | usize::from(*byte)),
    };
    content + length
}

/// How many bytes a length has after its first.
fn long_length_bytes(der: &[u8], start: usize) -> usize {
    let first = der[start + 1];
    if first < 0x80 { 0 } else { usize::from(first & 0x7f) }
}
