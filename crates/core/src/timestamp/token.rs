//! The token: CMS signed data (RFC 5652) around `TSTInfo`.

use aws_lc_rs::digest;
use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::{SignedData, SignerIdentifier, SignerInfo};
use der::asn1::{Any, ObjectIdentifier, OctetString};
use der::{Choice, Decode, DecodeValue, Encode, Tag, Tagged};
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::wire::{self, SigningCertificate, SigningCertificateV2, TstInfo};
use super::{SHA256, TimestampError, VerifiedTimestamp, hash, malformed};
use crate::certificate::{Certificate, Purpose, Revocation, UnixTime, validate};
use crate::trust::TimestampAuthority;

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.12");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");

/// A token, read and not verified.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) info: TstInfo,
    pub(super) time: UnixTime,
    pub(super) certificates: Vec<Certificate>,
    /// `TSTInfo` as it was signed.
    content: Vec<u8>,
    signer: SignerInfo,
}

impl Token {
    pub(super) fn from_der(bytes: &[u8]) -> Result<Self, TimestampError> {
        let content = ContentInfo::from_der(bytes).map_err(malformed)?;
        if content.content_type != SIGNED_DATA {
            return Err(malformed("it is not CMS signed data"));
        }
        let signed: SignedData = content.content.decode_as().map_err(malformed)?;
        let encapsulated = &signed.encap_content_info;
        if encapsulated.econtent_type != TST_INFO {
            return Err(malformed("the signed data is not a TSTInfo"));
        }
        let content = match &encapsulated.econtent {
            Some(content) if content.tag() == Tag::OctetString => content.value().to_vec(),
            _ => return Err(malformed("the signed data has no content")),
        };
        let info = TstInfo::from_der(&content).map_err(malformed)?;
        if info.version != 1 {
            return Err(malformed(format!("expected version 1, found {}", info.version)));
        }
        if let Some(extension) = info.extensions.iter().flatten().find(|extension| extension.critical) {
            return Err(malformed(format!("it has the critical extension {}", extension.extn_id)));
        }
        let time = wire::time(&info.gen_time).ok_or_else(|| malformed("its time can't be read"))?;
        let [signer] = signed.signer_infos.0.as_slice() else {
            return Err(malformed(format!("expected one signer, found {}", signed.signer_infos.0.len())));
        };
        let mut certificates = Vec::new();
        for choice in signed.certificates.iter().flat_map(|set| set.0.iter()) {
            // Others, attribute certificates for example, are of no use here.
            if let CertificateChoices::Certificate(certificate) = choice {
                let der = certificate.to_der().map_err(malformed)?;
                certificates.push(Certificate::from_der(&der).map_err(malformed)?);
            }
        }
        Ok(Self { info, time, certificates, content, signer: signer.clone() })
    }

    /// Checks the token's signature, and its signer at its time against `authority`.
    pub(super) fn verify(&self, authority: &TimestampAuthority) -> Result<VerifiedTimestamp, TimestampError> {
        let signer = self.check_signature(authority.certificates())?;
        let path = validate(signer, &self.certificates, authority.certificates(), Purpose::StampTime, self.time)?;
        if !authority.is_trusted_at(self.time) {
            return Err(TimestampError::OutsidePeriod { time: self.time });
        }
        let revocation = Revocation::unknown(&path);
        Ok(VerifiedTimestamp { time: self.time, path, revocation })
    }

    /// Checks that the signature over the token holds. The signer's certificate is in the token or among `known`.
    pub(super) fn check_signature<'a>(&'a self, known: &'a [Certificate]) -> Result<&'a Certificate, TimestampError> {
        let mut candidates = self.certificates.iter().chain(known);
        let signer = candidates.find(|certificate| self.is_signer(certificate)).ok_or(TimestampError::NoSigner)?;

        // RFC 5652 §5.4: what is signed is the DER of the attributes, which name the content by its digest.
        let attributes = self.signer.signed_attrs.as_ref().ok_or(TimestampError::Signature("it has no attributes"))?;
        if self.attribute::<ObjectIdentifier>(CONTENT_TYPE)? != TST_INFO {
            return Err(TimestampError::Signature("its attributes are about another kind of content"));
        }
        let algorithm = self.signer.digest_alg.oid;
        let content =
            hash(algorithm, &self.content).ok_or_else(|| TimestampError::Hash { found: algorithm.to_string() })?;
        if self.attribute::<OctetString>(MESSAGE_DIGEST)?.as_bytes() != content {
            return Err(TimestampError::Signature("its content was changed"));
        }
        self.require_named(signer)?;
        let message = attributes.to_der().map_err(malformed)?;
        let signature = self.signer.signature.as_bytes();
        match signer.has_signed(&self.signer.signature_algorithm, &self.signer.digest_alg, &message, signature) {
            Ok(true) => Ok(signer),
            Ok(false) => Err(TimestampError::Signature("another key made it, or it was changed")),
            Err(found) => Err(TimestampError::Algorithm { found }),
        }
    }

    pub(super) fn is_signer(&self, certificate: &Certificate) -> bool {
        match &self.signer.sid {
            SignerIdentifier::IssuerAndSerialNumber(id) => certificate.is(&id.issuer, &id.serial_number),
            SignerIdentifier::SubjectKeyIdentifier(id) => certificate.has_key_identifier(id.0.as_bytes()),
        }
    }

    /// The attributes name the signer's certificate (RFC 3161 §2.4.2, RFC 5816): another one for the same key is not it.
    fn require_named(&self, signer: &Certificate) -> Result<(), TimestampError> {
        const OTHER: TimestampError = TimestampError::Signature("its attributes name another certificate");
        if let Some(value) = self.attribute_value(SIGNING_CERTIFICATE_V2)? {
            let named: SigningCertificateV2 = value.decode_as().map_err(malformed)?;
            let first = named.certs.first().ok_or(OTHER)?;
            let algorithm =
                first.hash_algorithm.as_ref().map_or(SHA256, |algorithm: &AlgorithmIdentifierOwned| algorithm.oid);
            let found =
                hash(algorithm, signer.der()).ok_or_else(|| TimestampError::Hash { found: algorithm.to_string() })?;
            return if first.cert_hash.as_bytes() == found { Ok(()) } else { Err(OTHER) };
        }
        let Some(value) = self.attribute_value(SIGNING_CERTIFICATE)? else {
            return Err(TimestampError::Signature("its attributes do not name the signer's certificate"));
        };
        let named: SigningCertificate = value.decode_as().map_err(malformed)?;
        // SHA-1 tells the authority's own certificates apart; nothing else rests on it.
        let found = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, signer.der());
        let first = named.certs.first().ok_or(OTHER)?;
        if first.cert_hash.as_bytes() == found.as_ref() { Ok(()) } else { Err(OTHER) }
    }

    fn attribute<T: for<'a> Choice<'a> + for<'a> DecodeValue<'a>>(
        &self,
        oid: ObjectIdentifier,
    ) -> Result<T, TimestampError> {
        let value = self.attribute_value(oid)?.ok_or(TimestampError::Signature("it lacks an attribute"))?;
        value.decode_as().map_err(malformed)
    }

    /// The one value of an attribute, which may stand only once (RFC 5652 §5.3).
    fn attribute_value(&self, oid: ObjectIdentifier) -> Result<Option<&Any>, TimestampError> {
        let mut found =
            self.signer.signed_attrs.iter().flat_map(|set| set.iter()).filter(|attribute| attribute.oid == oid);
        let Some(attribute) = found.next() else { return Ok(None) };
        match (found.next(), attribute.values.as_slice()) {
            (None, [value]) => Ok(Some(value)),
            _ => Err(malformed(format!("the attribute {oid} has several values"))),
        }
    }
}
