//! Whom to look for, and looking.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::certificate::{Certificate, IdentityRule};
use crate::sigstore::{SignerCertificate, TrustedRoot};

const PEM: &str = "-----BEGIN ";
/// How often a certificate may be in Base64 within Base64.
const MAX_ENCODINGS: usize = 3;

/// An identity that is looked for in the certificates of entries.
#[derive(Clone, Debug)]
pub struct Watch {
    identity: IdentityRule,
    provider: Option<IdentityRule>,
    root: TrustedRoot,
}

/// A certificate with the identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The name that fits.
    pub identity: String,
    /// The identity provider that vouched for it, as the certificate says.
    pub provider: Option<String>,
    /// The certificate.
    pub certificate: Certificate,
    /// Whether the instance issued it. Others prove nothing: everybody can make them, and have them logged.
    pub is_issued_by_instance: bool,
}

impl Watch {
    /// Looks for a name, of a provider if one is given. `root` says whose certificates are real ones.
    #[must_use]
    pub fn new(identity: IdentityRule, provider: Option<IdentityRule>, root: TrustedRoot) -> Self {
        Self { identity, provider, root }
    }

    /// The certificates in an entry's body that name the identity, each once.
    ///
    /// They are looked for in every text of the body: whatever the kind of entry, it can't hide one.
    #[must_use]
    pub fn look(&self, body: &[u8]) -> Vec<Sighting> {
        let mut found = Vec::new();
        // What comes after an error is no part of the entry for anybody.
        let _ = Collect(&mut found).deserialize(&mut serde_json::Deserializer::from_slice(body));
        let mut sightings: Vec<Sighting> = Vec::new();
        for certificate in found {
            if sightings.iter().all(|sighting| sighting.certificate != certificate) {
                sightings.extend(self.recognise(certificate));
            }
        }
        sightings
    }

    fn recognise(&self, certificate: Certificate) -> Option<Sighting> {
        let identity = certificate.signer_names().into_iter().find(|name| self.identity.fits(name))?;
        // A certificate of an unusual kind is not passed over because its provider can't be read.
        let provider = SignerCertificate::from_der(certificate.der()).map(|certificate| certificate.issuer);
        let fits = match (&self.provider, &provider) {
            (Some(rule), Ok(found)) => found.as_ref().is_some_and(|found| rule.fits(found)),
            (Some(_), Err(_)) | (None, _) => true,
        };
        let is_issued_by_instance = self.root.has_issued(&certificate);
        fits.then(|| Sighting { identity, provider: provider.ok().flatten(), certificate, is_issued_by_instance })
    }
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.identity)?;
        match &self.provider {
            Some(provider) => write!(f, " of the provider {provider}"),
            None => Ok(()),
        }
    }
}

/// Adds the certificates in every text of a document: also in a member that is there twice, and before what is no JSON.
struct Collect<'a>(&'a mut Vec<Certificate>);

impl<'de> DeserializeSeed<'de> for Collect<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Collect<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        add(text, self.0);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Collect(self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_key::<IgnoredAny>()?.is_some() {
            map.next_value_seed(Collect(self.0))?;
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Adds the certificates that a text is: PEM, or Base64 of it or of DER.
fn add(text: &str, found: &mut Vec<Certificate>) {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..MAX_ENCODINGS {
        if std::str::from_utf8(&bytes).is_ok_and(|text| text.contains(PEM)) || bytes.starts_with(&[0x30]) {
            found.extend(certificates(&bytes));
        }
        let Ok(decoded) = STANDARD.decode(&bytes) else { return };
        bytes = decoded;
    }
}

/// Those of a file that can be read, whatever stands beside them.
fn certificates(bytes: &[u8]) -> Vec<Certificate> {
    if let Ok(all) = Certificate::from_file(bytes) {
        return all;
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return Vec::new() };
    text.split_inclusive("-----END CERTIFICATE-----")
        .filter_map(|block| Certificate::from_file(block.as_bytes()).ok())
        .flatten()
        .collect()
}
