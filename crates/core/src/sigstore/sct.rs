//! Signed certificate timestamps (RFC 6962 §3.2 and §3.3): that a log of certificates has seen the one of a signer.
//!
//! The library checks them in bundles; this is for what can't be a bundle.

use aws_lc_rs::digest::{SHA256, digest};
use jiff::Timestamp;
use sigstore_verify::crypto::SigningScheme;
use sigstore_verify::trust_root::TrustedRoot as Document;
use sigstore_verify::types::{Sha256Hash, SignatureBytes};
use x509_cert::Certificate as Parsed;
use x509_cert::der::asn1::{ObjectIdentifier, OctetString};
use x509_cert::der::{Decode, Encode};

use super::SigstoreError;
use crate::certificate::Certificate;

const EMBEDDED_SCTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.2");
/// SHA-256 and ECDSA (RFC 5246 §7.4.1.4.1): what Sigstore's logs of certificates sign with.
const ECDSA_SHA256: [u8; 2] = [4, 3];

/// One timestamp (`SignedCertificateTimestamp`).
struct CertificateTimestamp<'a> {
    log_id: [u8; 32],
    /// Milliseconds since 1970.
    time: u64,
    extensions: &'a [u8],
    signature: &'a [u8],
}

/// Checks that a log of the trusted root signed the one timestamp in `certificate`, which `issuer` issued.
pub(super) fn check_sct(certificate: &Certificate, issuer: &Certificate, root: &Document) -> Result<(), SigstoreError> {
    let failed = |reason: &str| SigstoreError::CertificateTimestamp { reason: reason.to_owned() };
    let parsed =
        |certificate: &Certificate| Parsed::from_der(certificate.der()).map_err(|error| failed(&error.to_string()));
    let mut precertificate = parsed(certificate)?.tbs_certificate;
    let mut extensions = precertificate.extensions.take().unwrap_or_default();
    let is_list = |extension: &x509_cert::ext::Extension| extension.extn_id == EMBEDDED_SCTS;
    let place = extensions.iter().position(is_list).ok_or_else(|| failed("there is none"))?;
    let list = extensions.remove(place);
    let list = OctetString::from_der(list.extn_value.as_bytes()).map_err(|error| failed(&error.to_string()))?;
    let timestamp = only(list.as_bytes()).ok_or_else(|| failed("expected one of version 1 with ECDSA and SHA-256"))?;
    // The log signed the certificate as it was before the timestamp was put into it.
    precertificate.extensions = Some(extensions);
    let precertificate = precertificate.to_der().map_err(|error| failed(&error.to_string()))?;
    let issuer_key = parsed(issuer)?.tbs_certificate.subject_public_key_info.to_der();
    let issuer_key = issuer_key.map_err(|error| failed(&error.to_string()))?;
    let signed = timestamp.signed_data(&precertificate, &issuer_key).ok_or_else(|| failed("it is too long"))?;
    let keys = root.ctfe_keys(SigningScheme::EcdsaP256Sha256).map_err(|error| failed(&error.to_string()))?;
    let time = i64::try_from(timestamp.time).ok().and_then(|time| Timestamp::from_millisecond(time).ok());
    let time = time.ok_or_else(|| failed("its time can't be"))?;
    let (log, signature) = (Sha256Hash::new(timestamp.log_id), SignatureBytes::new(timestamp.signature.to_vec()));
    keys.verify_with_key_id_at(&log, time, &signed, &signature).map_err(|error| failed(&error.to_string()))
}

/// The one timestamp of a list.
fn only(list: &[u8]) -> Option<CertificateTimestamp<'_>> {
    let (list, []) = vector(list)? else { return None };
    let (timestamp, []) = vector(list)? else { return None };
    let ([0], rest) = timestamp.split_first_chunk()? else { return None };
    let (log_id, rest) = rest.split_first_chunk()?;
    let (time, rest) = rest.split_first_chunk()?;
    let (extensions, rest) = vector(rest)?;
    let (&algorithm, rest) = rest.split_first_chunk()?;
    let (signature, rest) = vector(rest)?;
    let is_known = algorithm == ECDSA_SHA256 && rest.is_empty();
    is_known.then_some(CertificateTimestamp { log_id: *log_id, time: u64::from_be_bytes(*time), extensions, signature })
}

/// What a length of two bytes stands before, and the rest.
fn vector(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

impl CertificateTimestamp<'_> {
    /// What the log signed (`digitally-signed struct` with a `precert_entry`); none if the certificate is too long.
    fn signed_data(&self, precertificate: &[u8], issuer_key: &[u8]) -> Option<Vec<u8>> {
        let [0, length @ ..] = u32::try_from(precertificate.len()).ok()?.to_be_bytes() else { return None };
        let issuer_key_hash = digest(&SHA256, issuer_key);
        let extensions_length = u16::try_from(self.extensions.len()).ok()?.to_be_bytes();
        Some(
            [
                &[0, 0][..],
                &self.time.to_be_bytes(),
                &[0, 1],
                issuer_key_hash.as_ref(),
                &length,
                precertificate,
                &extensions_length,
                self.extensions,
            ]
            .concat(),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefixed(bytes: &[u8]) -> Vec<u8> {
        [&u16::try_from(bytes.len()).expect("short").to_be_bytes()[..], bytes].concat()
    }

    fn timestamp(version: u8, algorithm: [u8; 2], more: &[u8]) -> Vec<u8> {
        let head = [&[version][..], &[7; 32], &9u64.to_be_bytes()];
        let tail = [&prefixed(b"ext")[..], &algorithm, &prefixed(b"signature"), more];
        prefixed(&[head.concat(), tail.concat()].concat())
    }

    #[test]
    fn one_timestamp_of_a_known_kind_is_read() {
        let one = timestamp(0, ECDSA_SHA256, b"");
        let list = prefixed(&one);
        let read = only(&list).expect("it is one");
        assert_eq!((read.log_id, read.time), ([7; 32], 9));
        assert_eq!((read.extensions, read.signature), (&b"ext"[..], &b"signature"[..]));
        let signed = read.signed_data(b"certificate", b"key").expect("it is short");
        assert_eq!(signed[..12], [0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1]);
        assert_eq!(signed[44..], *b"\0\0\x0bcertificate\0\x03ext");
        assert!(read.signed_data(&vec![0; 1 << 24], b"key").is_none());
        for other in [
            prefixed(&one.repeat(2)),
            prefixed(&[]),
            prefixed(&timestamp(1, ECDSA_SHA256, b"")),
            prefixed(&timestamp(0, [5, 3], b"")),
            prefixed(&timestamp(0, ECDSA_SHA256, b"x")),
            [&list[..], b"x"].concat(),
        ] {
            assert!(only(&other).is_none(), "{other:?}");
        }
        for length in 0..list.len() {
            assert!(only(&list[..length]).is_none(), "{length}");
        }
    }
}
