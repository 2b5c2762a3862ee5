//! The public key of a private one in a token.
//!
//! A private key object has the public half itself (RSA), or its token keeps it in a public key or a certificate with the
//! same `CKA_ID`. A public key that belongs to another private key can do no harm: the signature does not verify with
//! it, and every new signature is verified.

use cryptoki::error::Error;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use model_transparency::certificate::Certificate;
use model_transparency::key::{InvalidKey, PublicKey};
use pkcs8::der::asn1::{AnyRef, BitStringRef, Null, OctetStringRef, UintRef};
use pkcs8::der::{Decode, Encode};
use pkcs8::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};
use pkcs8::{ObjectIdentifier, der};

const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// A private key object, and what its public key is found by.
pub(super) struct Private<'a> {
    pub(super) session: &'a Session,
    pub(super) handle: ObjectHandle,
    pub(super) key_type: KeyType,
    pub(super) id: &'a [u8],
    pub(super) label: &'a [u8],
}

/// Why a public key was not read.
pub(super) enum NoPublicKey {
    /// The token has none that is known to belong to the private key.
    NotFound,
    /// It is not one that can be used.
    Invalid(InvalidKey),
    /// The module failed.
    Module(Error),
}

impl From<Error> for NoPublicKey {
    fn from(error: Error) -> Self {
        Self::Module(error)
    }
}

impl Private<'_> {
    /// Reads the public key, from the surest place that has it.
    pub(super) fn public_key(&self) -> Result<PublicKey, NoPublicKey> {
        if let Some(key) = self.read(self.handle)? {
            return Ok(key);
        }
        for handle in self.siblings(ObjectClass::PUBLIC_KEY, &[Attribute::KeyType(self.key_type)])? {
            if let Some(key) = self.read(handle)? {
                return Ok(key);
            }
        }
        for handle in self.siblings(ObjectClass::CERTIFICATE, &[])? {
            if let Some(der) = self.value(handle, AttributeType::Value)
                && let Ok(certificate) = Certificate::from_der(&der)
            {
                return certificate.public_key().map_err(NoPublicKey::Invalid);
            }
        }
        // Of PKCS#11 3.0, and often empty even where it exists.
        let spki = self.value(self.handle, AttributeType::PublicKeyInfo).filter(|spki| !spki.is_empty());
        spki.map_or(Err(NoPublicKey::NotFound), |spki| PublicKey::from_spki(&spki).map_err(NoPublicKey::Invalid))
    }

    /// The objects of a class that belong to this key: by its `CKA_ID`, or its label if it has no ID. With a label
    /// alone, several may be there, and nothing says which is the right one.
    fn siblings(&self, class: ObjectClass, more: &[Attribute]) -> Result<Vec<ObjectHandle>, Error> {
        let own =
            if self.id.is_empty() { Attribute::Label(self.label.to_vec()) } else { Attribute::Id(self.id.to_vec()) };
        let template = [&[Attribute::Class(class), own], more].concat();
        let found = self.session.find_objects(&template)?;
        Ok(if self.id.is_empty() && found.len() > 1 { Vec::new() } else { found })
    }

    /// The public key in the attributes of a key object, if they have all of it.
    fn read(&self, handle: ObjectHandle) -> Result<Option<PublicKey>, NoPublicKey> {
        let key = match self.key_type {
            KeyType::EC => {
                let Some(curve) = self.value(handle, AttributeType::EcParams) else { return Ok(None) };
                match self.value(handle, AttributeType::EcPoint).filter(|point| !point.is_empty()) {
                    Some(point) => ec(&curve, &point),
                    None => return Ok(None),
                }
            }
            KeyType::RSA => {
                let modulus = self.value(handle, AttributeType::Modulus).filter(|modulus| !modulus.is_empty());
                match (modulus, self.value(handle, AttributeType::PublicExponent)) {
                    (Some(modulus), Some(exponent)) if !exponent.is_empty() => rsa(&modulus, &exponent),
                    _ => return Ok(None),
                }
            }
            other => Err(InvalidKey::UnsupportedAlgorithm { found: format!("a key of type {other}") }),
        };
        key.map(Some).map_err(NoPublicKey::Invalid)
    }

    /// An attribute of bytes, if the object has it. Tokens differ in how they say that it has not.
    fn value(&self, handle: ObjectHandle, wanted: AttributeType) -> Option<Vec<u8>> {
        match self.session.get_attributes(handle, &[wanted]).ok()?.pop()? {
            Attribute::EcParams(bytes)
            | Attribute::EcPoint(bytes)
            | Attribute::Modulus(bytes)
            | Attribute::PublicExponent(bytes)
            | Attribute::PublicKeyInfo(bytes)
            | Attribute::Value(bytes) => Some(bytes),
            _ => None,
        }
    }
}

/// An EC key of `CKA_EC_PARAMS` and `CKA_EC_POINT`.
fn ec(curve: &[u8], point: &[u8]) -> Result<PublicKey, InvalidKey> {
    let parameters = AnyRef::try_from(curve).map_err(malformed)?;
    let algorithm = AlgorithmIdentifierRef { oid: EC_PUBLIC_KEY, parameters: Some(parameters) };
    // The point is wrapped in an OCTET STRING, which some tokens leave out; both begin with 0x04.
    let wrapped = <&OctetStringRef>::from_der(point).map(OctetStringRef::as_bytes).unwrap_or(point);
    match of_spki(algorithm, wrapped) {
        Err(InvalidKey::Malformed(_)) if wrapped != point => of_spki(algorithm, point),
        key => key,
    }
}

/// An RSA key of `CKA_MODULUS` and `CKA_PUBLIC_EXPONENT`.
fn rsa(modulus: &[u8], exponent: &[u8]) -> Result<PublicKey, InvalidKey> {
    let numbers = [UintRef::new(modulus).map_err(malformed)?, UintRef::new(exponent).map_err(malformed)?];
    let algorithm = AlgorithmIdentifierRef { oid: RSA_ENCRYPTION, parameters: Some(Null.into()) };
    of_spki(algorithm, &numbers.to_der().map_err(malformed)?)
}

fn of_spki(algorithm: AlgorithmIdentifierRef<'_>, key: &[u8]) -> Result<PublicKey, InvalidKey> {
    let subject_public_key = BitStringRef::from_bytes(key).map_err(malformed)?;
    let spki = SubjectPublicKeyInfoRef { algorithm, subject_public_key }.to_der().map_err(malformed)?;
    PublicKey::from_spki(&spki)
}

fn malformed(error: der::Error) -> InvalidKey {
    InvalidKey::Malformed(error.to_string())
}

#[cfg(test)]
mod tests {
    use model_transparency::key::{KeyAlgorithm, generate};

    use super::*;

    fn spki(algorithm: KeyAlgorithm) -> (Vec<u8>, PublicKey) {
        let (_, key) = generate(algorithm, None).expect("keys can be made");
        let (_, der) = pkcs8::Document::from_pem(&key.to_pem()).expect("PEM");
        (der.as_bytes().to_vec(), key)
    }

    #[test]
    fn points_are_read_with_and_without_their_wrapping() {
        for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP384, KeyAlgorithm::EcdsaP521] {
            let (der, key) = spki(algorithm);
            let info = SubjectPublicKeyInfoRef::try_from(der.as_slice()).expect("SPKI");
            let curve = info.algorithm.parameters.expect("a curve").to_der().expect("DER");
            let raw = info.subject_public_key.raw_bytes();
            let wrapped = OctetStringRef::new(raw).expect("short").to_der().expect("DER");
            assert_eq!(ec(&curve, raw).expect("a key"), key);
            assert_eq!(ec(&curve, &wrapped).expect("a key"), key);
            assert!(ec(&curve, &raw[1..]).is_err());
            assert!(ec(&[], raw).is_err());
        }
    }

    #[test]
    fn numbers_are_read_with_and_without_leading_zeros() {
        let (der, key) = spki(KeyAlgorithm::Rsa { bits: 2048 });
        let info = SubjectPublicKeyInfoRef::try_from(der.as_slice()).expect("SPKI");
        let numbers = Vec::<UintRef<'_>>::from_der(info.subject_public_key.raw_bytes()).expect("PKCS#1");
        let [modulus, exponent] = numbers.as_slice() else { panic!("two numbers") };
        let padded = [&[0, 0], modulus.as_bytes()].concat();
        for modulus in [modulus.as_bytes(), &padded] {
            assert_eq!(rsa(modulus, exponent.as_bytes()).expect("a key"), key);
        }
        assert!(rsa(&[1; 128], exponent.as_bytes()).is_err(), "1024 bits");
    }
}
