//! Finding a token, and logging in.

use std::fmt;

use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::{Slot, SlotInfo, TokenInfo};
use cryptoki::types::RawAuthPin;

use super::module::Module;
use super::uri::Object;
use super::{KeyError, ModuleError, Pin, PinFileError, PinSource, Pkcs11Uri, describe, listed};

/// A token that was found, and is open: nobody is logged in yet.
pub struct Token {
    // The session ends before its module does.
    pub(super) session: Session,
    pub(super) module: Module,
    pub(super) slot: Slot,
    pub(super) object: Object,
    info: TokenInfo,
    name: TokenName,
    pin: Option<Pin>,
}

/// What tells a token from others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenName {
    /// The label that its owner gave it.
    pub label: String,
    /// The maker's name for this kind of token.
    pub model: String,
    /// The serial number.
    pub serial: String,
    /// Where it is.
    pub slot_id: u64,
}

impl fmt::Display for TokenName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ({}, serial {}, slot {})", self.label, self.model, self.serial, self.slot_id)
    }
}

impl Token {
    /// Loads the module that `uri` names, finds the one token that it describes, and reads the PIN that it leads to.
    ///
    /// # Errors
    /// [`TokenError`]: what was expected and what was found.
    pub fn open(uri: &Pkcs11Uri) -> Result<Self, TokenError> {
        let pin = match uri.pin() {
            PinSource::NotGiven => None,
            PinSource::Value(pin) => Some(pin.clone()),
            PinSource::File(path) => Some(Pin::read(path)?),
        };
        let module = Module::load(&uri.module, &uri.library)?;
        let failed = |error: Error| TokenError::Device {
            reason: format!("the module `{}`: {}", module.path().display(), describe(&error)),
        };
        let mut tokens = present(&module).map_err(failed)?;
        let mut matching: Vec<usize> = (0..tokens.len()).filter(|index| tokens[*index].matches(uri)).collect();
        let found = match (matching.pop(), matching.is_empty()) {
            (Some(index), true) => tokens.swap_remove(index),
            (Some(last), false) => {
                matching.push(last);
                return Err(TokenError::Several {
                    found: matching.iter().map(|index| tokens[*index].name()).collect(),
                });
            }
            (None, _) => {
                return Err(TokenError::NotFound { present: tokens.iter().map(Present::name).collect() });
            }
        };
        let session = module.context().open_ro_session(found.slot).map_err(failed)?;
        let (name, object) = (found.name(), uri.object.clone());
        Ok(Self { session, module, slot: found.slot, object, info: found.token, name, pin })
    }

    /// What the token is called.
    #[must_use]
    pub fn name(&self) -> &TokenName {
        &self.name
    }

    /// Whether a PIN is still to be given: the token wants one, has no keypad of its own, and the URI led to none.
    #[must_use]
    pub fn needs_pin(&self) -> bool {
        self.pin.is_none() && self.info.login_required() && !self.has_keypad()
    }

    /// Whether the next wrong PIN locks the token, as far as it says so.
    #[must_use]
    pub fn is_last_attempt(&self) -> bool {
        self.info.user_pin_final_try()
    }

    fn has_keypad(&self) -> bool {
        self.info.protected_authentication_path()
    }

    /// Logs in with the URI's PIN, else with `pin`, and gives the PIN that was used. There is one attempt: tokens lock
    /// after a few.
    pub(super) fn log_in(&mut self, pin: Option<Pin>) -> Result<Option<Pin>, KeyError> {
        let pin = self.pin.take().or(pin);
        if pin.is_none() && !self.info.login_required() {
            return Ok(None);
        }
        if pin.is_none() && !self.has_keypad() {
            return Err(KeyError::PinNeeded { token: self.name.clone() });
        }
        if self.info.user_pin_locked() {
            return Err(KeyError::PinLocked { token: self.name.clone() });
        }
        match log_in(&self.session, UserType::User, pin.as_ref()) {
            Ok(()) | Err(Error::Pkcs11(RvError::UserAlreadyLoggedIn, _)) => Ok(pin),
            Err(Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _)) => {
                Err(KeyError::WrongPin { token: self.name.clone() })
            }
            Err(Error::Pkcs11(RvError::PinLocked, _)) => Err(KeyError::PinLocked { token: self.name.clone() }),
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// An error of the module while something was done with this token.
    pub(super) fn failed(&self, error: &Error) -> KeyError {
        KeyError::Device { token: self.name.clone(), reason: describe(error) }
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Logs in with a PIN, or without one at the token's own keypad.
pub(super) fn log_in(session: &Session, user: UserType, pin: Option<&Pin>) -> Result<(), Error> {
    match pin {
        Some(pin) => session.login_with_raw(user, &RawAuthPin::new(Box::new(pin.bytes().to_vec()))),
        None => session.login(user, None),
    }
}

/// A token and the slot that it is in.
struct Present {
    slot: Slot,
    info: SlotInfo,
    token: TokenInfo,
}

/// The tokens that are there and were set up.
fn present(module: &Module) -> Result<Vec<Present>, Error> {
    let context = module.context();
    let slots = context.get_slots_with_token()?.into_iter();
    let found = slots.filter_map(|slot| {
        // A token may be pulled out at any time, and is gone then.
        let (info, token) = (context.get_slot_info(slot).ok()?, context.get_token_info(slot).ok()?);
        token.token_initialized().then_some(Present { slot, info, token })
    });
    Ok(found.collect())
}

impl Present {
    fn name(&self) -> TokenName {
        TokenName {
            label: self.token.label().to_owned(),
            model: self.token.model().to_owned(),
            serial: self.token.serial_number().to_owned(),
            slot_id: self.slot.id(),
        }
    }

    fn matches(&self, uri: &Pkcs11Uri) -> bool {
        let is = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found);
        uri.slot.id.is_none_or(|id| id == self.slot.id())
            && is(&uri.slot.description, self.info.slot_description())
            && is(&uri.slot.manufacturer, self.info.manufacturer_id())
            && is(&uri.token.label, self.token.label())
            && is(&uri.token.manufacturer, self.token.manufacturer_id())
            && is(&uri.token.serial, self.token.serial_number())
            && is(&uri.token.model, self.token.model())
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// There is no module.
    #[error(transparent)]
    Module(#[from] ModuleError),
    /// The file that the URI names has no PIN.
    #[error(transparent)]
    Pin(#[from] PinFileError),
    /// No token is what the URI describes.
    #[error("no token is what the URI describes; found {}", listed(present))]
    NotFound {
        /// The tokens that are there.
        present: Vec<TokenName>,
    },
    /// Several tokens are what the URI describes.
    #[error("expected one token that is what the URI describes, found {}: {}", found.len(), listed(found))]
    Several {
        /// These.
        found: Vec<TokenName>,
    },
    /// The module or the device failed.
    #[error("{reason}")]
    Device {
        /// What the module says.
        reason: String,
    },
}
