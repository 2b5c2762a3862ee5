//! The ASN.1 of RFC 3161 and RFC 5035. What is not looked at is read as far as needed to get past it.

use der::asn1::{Any, BitString, Int, ObjectIdentifier, OctetString};
use der::{Sequence, Tag, Tagged};
use x509_cert::ext::Extensions;
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::certificate::UnixTime;

#[derive(Clone, Debug, PartialEq, Eq, Sequence)]
pub(super) struct MessageImprint {
    pub(super) hash_algorithm: AlgorithmIdentifierOwned,
    pub(super) hashed_message: OctetString,
}

#[derive(Clone, Debug, Sequence)]
pub(super) struct TimeStampReq {
    pub(super) version: u8,
    pub(super) message_imprint: MessageImprint,
    pub(super) nonce: Int,
    pub(super) cert_req: bool,
}

#[derive(Clone, Debug, Sequence)]
pub(super) struct PkiStatusInfo {
    pub(super) status: u8,
    #[asn1(optional = "true")]
    pub(super) status_string: Option<Vec<String>>,
    #[asn1(optional = "true")]
    pub(super) fail_info: Option<BitString>,
}

#[derive(Clone, Debug, Sequence)]
pub(super) struct TimeStampResp {
    pub(super) status: PkiStatusInfo,
    #[asn1(optional = "true")]
    pub(super) time_stamp_token: Option<Any>,
}

#[derive(Clone, Debug, Sequence)]
pub(super) struct Accuracy {
    #[asn1(optional = "true")]
    seconds: Option<u64>,
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    millis: Option<u16>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    micros: Option<u16>,
}

#[derive(Clone, Debug, Sequence)]
pub(super) struct TstInfo {
    pub(super) version: u8,
    pub(super) policy: ObjectIdentifier,
    pub(super) message_imprint: MessageImprint,
    pub(super) serial_number: Int,
    /// GeneralizedTime with fractions of a second, which RFC 5280 excludes and RFC 3161 allows.
    pub(super) gen_time: Any,
    #[asn1(optional = "true")]
    pub(super) accuracy: Option<Accuracy>,
    #[asn1(default = "bool::default")]
    pub(super) ordering: bool,
    #[asn1(optional = "true")]
    pub(super) nonce: Option<Int>,
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    pub(super) tsa: Option<Any>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    pub(super) extensions: Option<Extensions>,
}

/// RFC 2634: the hash is SHA-1.
#[derive(Clone, Debug, Sequence)]
pub(super) struct EssCertId {
    pub(super) cert_hash: OctetString,
    #[asn1(optional = "true")]
    issuer_serial: Option<Any>,
}

#[derive(Clone, Debug, Sequence)]
pub(super) struct SigningCertificate {
    pub(super) certs: Vec<EssCertId>,
    #[asn1(optional = "true")]
    policies: Option<Any>,
}

#[derive(Clone, Debug, Sequence)]
pub(super) struct EssCertIdV2 {
    #[asn1(optional = "true")]
    pub(super) hash_algorithm: Option<AlgorithmIdentifierOwned>,
    pub(super) cert_hash: OctetString,
    #[asn1(optional = "true")]
    issuer_serial: Option<Any>,
}

#[derive(Clone, Debug, Sequence)]
pub(super) struct SigningCertificateV2 {
    pub(super) certs: Vec<EssCertIdV2>,
    #[asn1(optional = "true")]
    policies: Option<Any>,
}

/// `YYYYMMDDhhmmss[.f…]Z` (RFC 3161 §2.4.2), to the second.
pub(super) fn time(value: &Any) -> Option<UnixTime> {
    if value.tag() != Tag::GeneralizedTime {
        return None;
    }
    let text = std::str::from_utf8(value.value()).ok()?.strip_suffix('Z')?;
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if seconds.len() != 14 || !digits(seconds) || !digits(fraction) {
        return None;
    }
    let number = |at: usize| seconds[at..at + 2].parse::<u8>().ok();
    let year = seconds[..4].parse().ok()?;
    let time = der::DateTime::new(year, number(4)?, number(6)?, number(8)?, number(10)?, number(12)?).ok()?;
    Some(UnixTime(time.unix_duration().as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_may_have_fractions_and_are_in_utc() {
        let time = |text: &str| time(&Any::new(Tag::GeneralizedTime, text.as_bytes()).expect("short"));
        let second = UnixTime(1_764_080_064);
        for text in ["20251125141424Z", "20251125141424.5Z", "20251125141424.123456789Z", "20251125141424.10Z"] {
            assert_eq!(time(text), Some(second), "{text}");
        }
        for text in [
            "20251125141424",
            "20251125141424.Z",
            "20251125141424,5Z",
            "20251125141424+0100",
            "202511251414Z",
            "20251325141424Z",
            "20251125141460Z",
            "20251125141424.5.5Z",
            "2025112514142éZ",
            "19691231235959Z",
        ] {
            assert_eq!(time(text), None, "{text}");
        }
        assert_eq!(super::time(&Any::new(Tag::UtcTime, *b"251125141424Z").expect("short")), None);
    }
}
