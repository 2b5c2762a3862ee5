//! Encrypted PKCS#8 (RFC 5958) with PBES2 (RFC 8018), within what decrypting may cost.

use pkcs8::der::asn1::{AnyRef, OctetStringRef};
use pkcs8::der::{self, Decode, ErrorKind, Reader, SliceReader};
use pkcs8::pkcs5::EncryptionScheme;
use pkcs8::pkcs5::pbes2::Kdf;
use pkcs8::spki::AlgorithmIdentifierRef;
use pkcs8::{EncryptedPrivateKeyInfoRef, ObjectIdentifier};
use zeroize::Zeroizing;

use super::InvalidKey;

const PBES2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.5.13");
const DES_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.7");
const DES_EDE3_CBC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.3.7");
const DES_BLOCK_BYTES: usize = 8;

/// The most PBKDF2 iterations that are worked through: some five seconds.
const MAX_PBKDF2_ITERATIONS: u32 = 10_000_000;
/// The most memory that scrypt may ask for, in bytes.
const MAX_SCRYPT_BYTES: u64 = 1 << 30;
/// The most work that scrypt may ask for, in bytes mixed.
const MAX_SCRYPT_WORK_BYTES: u64 = 8 << 30;

/// Decrypts an `ENCRYPTED PRIVATE KEY` to PKCS#8.
pub(super) fn decrypt(der: &[u8], password: &[u8]) -> Result<Zeroizing<Vec<u8>>, InvalidKey> {
    require_pbes2(der)?;
    let info = EncryptedPrivateKeyInfoRef::from_der(der).map_err(|error| not_read(&error))?;
    if let EncryptionScheme::Pbes2(parameters) = &info.encryption_algorithm {
        require_bounded(&parameters.kdf)?;
    }
    match info.decrypt(password) {
        Ok(document) => Ok(Zeroizing::new(document.as_bytes().to_vec())),
        Err(pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::UnsupportedAlgorithm { oid })) => {
            Err(unsupported(oid))
        }
        Err(_) => Err(InvalidKey::WrongPassword),
    }
}

/// Checks what `pkcs5` takes for granted: that the scheme is PBES2, and that a DES vector has the length of a block.
fn require_pbes2(der: &[u8]) -> Result<(), InvalidKey> {
    let mut reader = SliceReader::new(der).map_err(|error| not_read(&error))?;
    let scheme = reader.sequence(|reader| {
        let scheme = AlgorithmIdentifierRef::decode(reader)?;
        AnyRef::decode(reader)?;
        Ok::<_, der::Error>(scheme)
    });
    let scheme = scheme.map_err(|error| not_read(&error))?;
    if scheme.oid != PBES2 {
        return Err(unsupported(scheme.oid));
    }
    let cipher = parameters(&scheme)?.sequence(|reader| {
        AlgorithmIdentifierRef::decode(reader)?;
        AlgorithmIdentifierRef::decode(reader)
    });
    let cipher = cipher.map_err(|error| not_read(&error))?;
    if matches!(cipher.oid, DES_CBC | DES_EDE3_CBC) {
        let vector = parameters(&cipher)?.decode_as::<&OctetStringRef>();
        let found = vector.map_err(|error| not_read(&error))?.as_bytes().len();
        if found != DES_BLOCK_BYTES {
            let what = format!("expected an initialisation vector of {DES_BLOCK_BYTES} bytes, found {found}");
            return Err(InvalidKey::Malformed(what));
        }
    }
    Ok(())
}

fn parameters<'a>(algorithm: &AlgorithmIdentifierRef<'a>) -> Result<AnyRef<'a>, InvalidKey> {
    algorithm.parameters.ok_or_else(|| InvalidKey::Malformed(format!("algorithm {} has no parameters", algorithm.oid)))
}

fn require_bounded(kdf: &Kdf) -> Result<(), InvalidKey> {
    let too_costly = |what: &str| Err(InvalidKey::UnsupportedEncryption(format!("{what} asks for too much work")));
    match kdf {
        Kdf::Pbkdf2(kdf) if kdf.iteration_count > MAX_PBKDF2_ITERATIONS => too_costly("PBKDF2"),
        Kdf::Scrypt(kdf) => {
            let (cost, lanes) = (kdf.cost_parameter, u64::from(kdf.parallelization));
            if cost == 0 {
                return Err(InvalidKey::Malformed("scrypt has a cost of 0".to_owned()));
            }
            let block_bytes = 128 * u64::from(kdf.block_size);
            let bytes = block_bytes.saturating_mul(cost.saturating_add(lanes));
            let work_bytes = block_bytes.saturating_mul(cost).saturating_mul(lanes);
            if bytes > MAX_SCRYPT_BYTES || work_bytes > MAX_SCRYPT_WORK_BYTES { too_costly("scrypt") } else { Ok(()) }
        }
        _ => Ok(()),
    }
}

fn unsupported(oid: ObjectIdentifier) -> InvalidKey {
    InvalidKey::UnsupportedEncryption(format!("algorithm {oid}"))
}

fn not_read(error: &der::Error) -> InvalidKey {
    match error.kind() {
        // An algorithm that the library does not know; nothing is wrong with the file.
        ErrorKind::OidUnknown { oid } => unsupported(oid),
        _ => InvalidKey::Malformed(error.to_string()),
    }
}
