//! What a trusted root has, for people who want to know whom they trust.

use base16ct::lower::encode_string;
use sigstore_verify::trust_root::TimeRange;
use sigstore_verify::trust_root::trusted_root::PublicKey;
use sigstore_verify::types::{DerCertificate, LogId};

use super::TrustedRoot;
use crate::certificate::{Certificate, UnixTime};

/// Everything in a trusted root, in its order.
#[derive(Clone, Debug)]
pub struct Contents {
    /// Who certifies identities (Fulcio).
    pub certificate_authorities: Vec<Authority>,
    /// Where signatures are logged (Rekor).
    pub transparency_logs: Vec<Log>,
    /// Where certificates are logged (Certificate Transparency).
    pub certificate_logs: Vec<Log>,
    /// Who dates signatures (RFC 3161).
    pub timestamp_authorities: Vec<Authority>,
}

/// An authority with certificates.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Where it is; empty if that is not said.
    pub url: String,
    /// Its chain, its own certificate first, as far as it can be read.
    pub certificates: Vec<Certificate>,
    /// When it counts.
    pub period: Period,
}

/// A log.
#[derive(Clone, Debug)]
pub struct Log {
    /// Where it is.
    pub url: String,
    /// What its key is called in entries and certificates, in hexadecimal digits.
    pub key_id: String,
    /// The kind of its key, as Sigstore names it (`PKIX_ECDSA_P256_SHA_256`).
    pub key_kind: String,
    /// When it counts.
    pub period: Period,
}

/// A period, both ends in it. Without an end it goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Period {
    /// Its first second.
    pub from: Option<UnixTime>,
    /// Its last second.
    pub until: Option<UnixTime>,
}

impl TrustedRoot {
    /// Everything that it has.
    #[must_use]
    pub fn contents(&self) -> Contents {
        let document = self.document();
        let log = |url: &str, id: &LogId, key: &PublicKey| Log {
            url: url.to_owned(),
            key_id: encode_string(id.key_id.as_bytes()),
            key_kind: key.key_details.to_string(),
            period: period(key.valid_for.as_ref()),
        };
        Contents {
            certificate_authorities: document
                .certificate_authorities
                .iter()
                .map(|authority| Authority {
                    url: authority.uri.clone(),
                    certificates: readable(authority.cert_chain.certificates.iter().map(|entry| &entry.raw_bytes)),
                    period: period(authority.valid_for.as_ref()),
                })
                .collect(),
            transparency_logs: document
                .tlogs
                .iter()
                .map(|entry| log(&entry.base_url, &entry.log_id, &entry.public_key))
                .collect(),
            certificate_logs: document
                .ctlogs
                .iter()
                .map(|entry| log(&entry.base_url, &entry.log_id, &entry.public_key))
                .collect(),
            timestamp_authorities: document
                .timestamp_authorities
                .iter()
                .map(|authority| Authority {
                    url: authority.uri.clone().unwrap_or_default(),
                    certificates: readable(authority.cert_chain.certificates.iter().map(|entry| &entry.raw_bytes)),
                    period: period(authority.valid_for.as_ref()),
                })
                .collect(),
        }
    }
}

fn readable<'a>(certificates: impl Iterator<Item = &'a DerCertificate>) -> Vec<Certificate> {
    certificates.filter_map(|der| Certificate::from_der(der.as_bytes()).ok()).collect()
}

fn period(range: Option<&TimeRange>) -> Period {
    // Nothing that a trusted root is about was before 1970.
    let time = |time: i64| UnixTime(u64::try_from(time).unwrap_or(0));
    Period {
        from: range.map(|range| time(range.start.as_second())),
        until: range.and_then(|range| range.end).map(|end| time(end.as_second())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sigstore::Instance;

    #[test]
    fn the_embedded_roots_have_everything() {
        for instance in [Instance::Production, Instance::Staging] {
            let contents = TrustedRoot::embedded(instance).contents();
            for authority in contents.certificate_authorities.iter().chain(&contents.timestamp_authorities) {
                assert!(!authority.certificates.is_empty() && authority.period.from.is_some(), "{authority:?}");
            }
            for log in contents.transparency_logs.iter().chain(&contents.certificate_logs) {
                assert!(log.url.starts_with("https://") && log.key_kind.starts_with("PK"), "{log:?}");
                assert!(log.key_id.len() >= 8, "{log:?}");
            }
            assert!(contents.certificate_authorities.len() >= 2 && !contents.certificate_logs.is_empty(), "{instance}");
        }
    }
}
