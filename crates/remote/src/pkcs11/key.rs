//! Finding a private key in a token, and signing with it.

use std::fmt;

use cryptoki::error::Error;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::UserType;
use model_transparency::key::{InvalidKey, PublicKey, SigningFailed, SigningKey};

use super::public::{NoPublicKey, Private};
use super::scheme::Scheme;
use super::token::log_in;
use super::uri::Object;
use super::{Pin, Token, TokenName, describe, listed};

/// A private key that stays in its token. The session is closed and the module given back when it is dropped.
pub struct Pkcs11Key {
    token: Token,
    handle: ObjectHandle,
    public: PublicKey,
    scheme: Scheme,
    each_time: EachTime,
}

/// What a key wants for every signature.
enum EachTime {
    Nothing,
    /// The PIN again, or another turn at the token's keypad.
    Login(Option<Pin>),
}

impl Token {
    /// Logs in, with the PIN that the URI led to or else with `pin`, and finds the key that the URI names.
    ///
    /// There is exactly one attempt to log in: a token locks after a few wrong ones.
    ///
    /// # Errors
    /// [`KeyError`]: what was expected and what was found.
    pub fn into_key(mut self, pin: Option<Pin>) -> Result<Pkcs11Key, KeyError> {
        let pin = self.log_in(pin)?;
        let found = self.find()?;
        let private = Private {
            session: &self.session,
            handle: found.handle,
            key_type: found.key_type,
            id: &found.id,
            label: &found.label,
        };
        let public = private.public_key().map_err(|error| match error {
            NoPublicKey::NotFound => KeyError::NoPublicKey { key: found.name() },
            NoPublicKey::Invalid(InvalidKey::UnsupportedAlgorithm { found: kind }) => {
                KeyError::Unsupported { key: found.name(), found: kind }
            }
            NoPublicKey::Invalid(source) => KeyError::InvalidPublicKey { key: found.name(), source },
            NoPublicKey::Module(error) => self.failed(&error),
        })?;
        let scheme = Scheme::of(public.algorithm()).ok_or_else(|| KeyError::Unsupported {
            key: found.name(),
            found: format!("an {} key", public.algorithm()),
        })?;
        let each_time = if self.always_authenticates(found.handle) { EachTime::Login(pin) } else { EachTime::Nothing };
        Ok(Pkcs11Key { handle: found.handle, token: self, public, scheme, each_time })
    }

    /// Finds the one private key that the URI names.
    fn find(&self) -> Result<Found, KeyError> {
        let Object { label, id } = &self.object;
        let label_attribute = label.iter().map(|label| Attribute::Label(label.clone().into_bytes()));
        let named: Vec<Attribute> = label_attribute.chain(id.iter().cloned().map(Attribute::Id)).collect();
        let mut found = self.private_keys(&named)?;
        match found.len() {
            1 => Ok(found.remove(0)),
            0 => {
                let present = self.private_keys(&[])?.iter().map(Found::name).collect();
                Err(KeyError::NotFound { wanted: wanted(&self.object), token: Box::new(self.name().clone()), present })
            }
            _ => {
                Err(KeyError::Several { wanted: wanted(&self.object), found: found.iter().map(Found::name).collect() })
            }
        }
    }

    /// The private keys with these attributes.
    fn private_keys(&self, attributes: &[Attribute]) -> Result<Vec<Found>, KeyError> {
        let template = [&[Attribute::Class(ObjectClass::PRIVATE_KEY)], attributes].concat();
        let handles = self.session.find_objects(&template).map_err(|error| self.failed(&error))?;
        handles.into_iter().map(|handle| self.describe_key(handle).map_err(|error| self.failed(&error))).collect()
    }

    fn describe_key(&self, handle: ObjectHandle) -> Result<Found, Error> {
        let mut found = Found { handle, label: Vec::new(), id: Vec::new(), key_type: KeyType::EC };
        let wanted = [AttributeType::Label, AttributeType::Id, AttributeType::KeyType];
        for attribute in self.session.get_attributes(handle, &wanted)? {
            match attribute {
                Attribute::Label(label) => found.label = label,
                Attribute::Id(id) => found.id = id,
                Attribute::KeyType(key_type) => found.key_type = key_type,
                _ => {}
            }
        }
        Ok(found)
    }

    fn always_authenticates(&self, handle: ObjectHandle) -> bool {
        let attributes = self.session.get_attributes(handle, &[AttributeType::AlwaysAuthenticate]);
        matches!(attributes.as_deref(), Ok([Attribute::AlwaysAuthenticate(true)]))
    }
}

impl SigningKey for Pkcs11Key {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let refused =
            |reason: String| SigningFailed::new(format!("the token {} did not sign: {reason}", self.token.name()));
        let signature = match &self.each_time {
            EachTime::Nothing => {
                let session = &self.token.session;
                session.sign(&self.scheme.of_digest(), self.handle, &self.scheme.digest(message))
            }
            EachTime::Login(pin) => self.sign_logging_in(message, pin.as_ref()),
        };
        let signature = signature.map_err(|error| refused(describe(&error)))?;
        self.scheme.encode(signature).ok_or_else(|| refused("what it gave is not a signature".to_owned()))
    }
}

impl Pkcs11Key {
    /// Signs with a login in between, which is valid for this signature alone.
    fn sign_logging_in(&self, message: &[u8], pin: Option<&Pin>) -> Result<Vec<u8>, Error> {
        let Token { session, module, slot, .. } = &self.token;
        // The binding has room for a login only where a message comes in parts, and for messages in parts PKCS#11 has
        // only the mechanisms that hash. Modules that lack those may take a digest in parts all the same.
        let hashing = self.scheme.of_message();
        let hashes = module.context().get_mechanism_info(*slot, hashing.mechanism_type()).is_ok_and(|info| info.sign());
        let (mechanism, data) =
            if hashes { (hashing, message) } else { (self.scheme.of_digest(), &*self.scheme.digest(message)) };
        session.sign_init(&mechanism, self.handle)?;
        log_in(session, UserType::ContextSpecific, pin)?;
        session.sign_update(data)?;
        session.sign_final()
    }
}

impl fmt::Debug for Pkcs11Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pkcs11Key").field("token", &self.token).field("public", &self.public).finish_non_exhaustive()
    }
}

/// A private key object.
struct Found {
    handle: ObjectHandle,
    label: Vec<u8>,
    id: Vec<u8>,
    key_type: KeyType,
}

impl Found {
    fn name(&self) -> ObjectName {
        ObjectName {
            label: String::from_utf8_lossy(&self.label).into_owned(),
            id: base16ct::lower::encode_string(&self.id),
            kind: self.key_type.to_string().trim_start_matches("CKK_").to_owned(),
        }
    }
}

/// What tells an object of a token from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectName {
    /// Its label.
    pub label: String,
    /// Its ID, in hex.
    pub id: String,
    /// The kind of key: `EC`, `RSA`.
    pub kind: String,
}

impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}, id {})", self.label, self.kind, if self.id.is_empty() { "none" } else { &self.id })
    }
}

/// What a URI calls a key.
fn wanted(object: &Object) -> String {
    let label = object.label.iter().map(|label| format!("label `{label}`"));
    let id = object.id.iter().map(|id| format!("id {}", base16ct::lower::encode_string(id)));
    label.chain(id).collect::<Vec<_>>().join(" and ")
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The token wants a PIN, and none was given.
    #[error("the token {token} needs a PIN, and none was given")]
    PinNeeded {
        /// The token.
        token: TokenName,
    },
    /// The PIN is not the token's. There was no second attempt.
    #[error("the token {token} refused the PIN")]
    WrongPin {
        /// The token.
        token: TokenName,
    },
    /// The token takes no PIN any more, after too many wrong ones.
    #[error("the token {token} is locked after too many wrong PINs")]
    PinLocked {
        /// The token.
        token: TokenName,
    },
    /// The module or the device failed.
    #[error("the token {token} failed: {reason}")]
    Device {
        /// The token.
        token: TokenName,
        /// What the module says.
        reason: String,
    },
    /// The token has no such private key.
    #[error("the token {token}: expected a private key with {wanted}, found {}", listed(present))]
    NotFound {
        /// What the URI says of the key.
        wanted: String,
        /// The token.
        token: Box<TokenName>,
        /// The private keys that are there.
        present: Vec<ObjectName>,
    },
    /// The token has several such private keys.
    #[error("expected one private key with {wanted}, found {}: {}", found.len(), listed(found))]
    Several {
        /// What the URI says of the key.
        wanted: String,
        /// These.
        found: Vec<ObjectName>,
    },
    /// The key is not of a kind that is signed with.
    #[error(
        "the private key {key}: expected an EC key (P-256, P-384, P-521) or an RSA key of 2048 to 4096 bits, found {found}"
    )]
    Unsupported {
        /// The key.
        key: ObjectName,
        /// What it is.
        found: String,
    },
    /// The token does not have the public key.
    #[error(
        "the private key {key}: expected its public key or its certificate beside it in the token, with the same id"
    )]
    NoPublicKey {
        /// The private key.
        key: ObjectName,
    },
    /// The token's public key is broken.
    #[error("the public key of the private key {key}: {source}")]
    InvalidPublicKey {
        /// The private key.
        key: ObjectName,
        /// What is wrong.
        source: InvalidKey,
    },
}
