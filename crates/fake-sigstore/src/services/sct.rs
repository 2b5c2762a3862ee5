//! Signed certificate timestamps (RFC 6962 §3).

use der::Encode;
use x509_cert::TbsCertificate;

use crate::certificate::extension;
use crate::key::{Key, sha256};

const SCT_LIST: &str = "1.3.6.1.4.1.11129.2.4.2";

/// `sha256` and `ecdsa` (RFC 5246 §7.4.1.4.1).
const ECDSA_WITH_SHA256: [u8; 2] = [4, 3];

/// Adds the timestamp that the log `id`, or somebody with `signer`, gives to a certificate which is not signed yet.
pub(crate) fn embed(tbs: &mut TbsCertificate, issuer_spki: &[u8], id: [u8; 32], signer: &Key, milliseconds: u64) {
    let signed = signed_data(&tbs.to_der().expect("DER"), issuer_spki, milliseconds);
    let signature = signer.sign(&signed);
    let timestamp =
        [&[0], &id[..], &milliseconds.to_be_bytes(), &[0, 0], &ECDSA_WITH_SHA256, &vector(&signature)].concat();
    let list = der::asn1::OctetString::new(vector(&vector(&timestamp))).expect("short");
    tbs.extensions.get_or_insert_default().push(extension(SCT_LIST, false, &list));
}

/// What the log signs (§3.2): a `certificate_timestamp` of a `precert_entry`.
fn signed_data(tbs: &[u8], issuer_spki: &[u8], milliseconds: u64) -> Vec<u8> {
    let length = u32::try_from(tbs.len()).expect("short").to_be_bytes();
    [&[0, 0], &milliseconds.to_be_bytes()[..], &[0, 1], &sha256(issuer_spki), &length[1..], tbs, &[0, 0]].concat()
}

/// Bytes after their length in two bytes.
fn vector(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).expect("short").to_be_bytes(), bytes].concat()
}
