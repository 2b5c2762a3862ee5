//! Keys in PKCS#11 tokens: hardware security modules, smart cards, SoftHSM.
//!
//! A [`Pkcs11Uri`] names the module, the token and the key. [`Token::open`] loads the module and finds the token,
//! [`Token::into_key`] logs in, once, and finds the key: a [`Pkcs11Key`] signs as a key in a file does.

mod key;
mod module;
mod pin;
mod public;
mod scheme;
mod token;
mod uri;

use std::fmt::Display;

use cryptoki::error::{Error, RvError};

pub use key::{KeyError, ObjectName, Pkcs11Key};
pub use module::ModuleError;
pub use pin::{Pin, PinFileError};
pub use token::{Token, TokenError, TokenName};
pub use uri::{Component, InvalidUri, PinSource, Pkcs11Uri};

/// Names in a message; a device may hold thousands.
const MAX_LISTED: usize = 10;

/// `a, b` or `none`.
fn listed<T: Display>(items: &[T]) -> String {
    if items.is_empty() {
        return "none".to_owned();
    }
    let mut names: Vec<String> = items.iter().take(MAX_LISTED).map(T::to_string).collect();
    if let Some(more) = items.len().checked_sub(MAX_LISTED).filter(|more| *more > 0) {
        names.push(format!("and {more} more"));
    }
    names.join(", ")
}

/// An error of the module as its manual has it: `C_Login: CKR_PIN_LOCKED`.
fn describe(error: &Error) -> String {
    match error {
        Error::Pkcs11(RvError::VendorDefined(code) | RvError::UnknownErrorCode(code), function) => {
            format!("C_{function:?}: error {code:#x}")
        }
        Error::Pkcs11(code, function) => format!("C_{function:?}: {}", constant(&format!("{code:?}"))),
        Error::LibraryLoading(error) => error.to_string(),
        other => other.to_string(),
    }
}

/// `CKR_PIN_LOCKED` of `PinLocked`.
fn constant(name: &str) -> String {
    let mut constant = "CKR".to_owned();
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            constant.push('_');
        }
        constant.push(character.to_ascii_uppercase());
    }
    constant
}

#[cfg(test)]
mod tests {
    use cryptoki::context::Function;

    use super::*;

    #[test]
    fn errors_of_a_module_are_named_as_its_manual_names_them() {
        let error = Error::Pkcs11(RvError::KeyFunctionNotPermitted, Function::SignInit);
        assert_eq!(describe(&error), "C_SignInit: CKR_KEY_FUNCTION_NOT_PERMITTED");
        let error = Error::Pkcs11(RvError::VendorDefined(0x8000_0001), Function::Login);
        assert_eq!(describe(&error), "C_Login: error 0x80000001");
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(listed::<u8>(&[]), "none");
        assert_eq!(listed(&[1, 2]), "1, 2");
        assert!(listed(&[0; 12]).ends_with("0, and 2 more"));
    }
}
