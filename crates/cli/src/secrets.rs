//! Passwords and PINs: from a file, the environment, or a prompt.

use std::io::IsTerminal;

#[cfg(feature = "pkcs11")]
use model_transparency_remote::pkcs11::Pin;
use zeroize::Zeroizing;

use crate::args::PasswordArgs;
#[cfg(feature = "pkcs11")]
use crate::args::TokenArgs;
use crate::failure::Failure;
use crate::inputs;
use crate::output::Console;

/// The environment variable that a password is taken from.
const PASSWORD_VARIABLE: &str = "MODEL_SIGNING_PASSWORD";
/// The environment variable that a PIN is taken from.
#[cfg(feature = "pkcs11")]
const PIN_VARIABLE: &str = "MODEL_SIGNING_PIN";
/// The longest password file that is read, in bytes.
const MAX_PASSWORD_BYTES: u64 = 64 << 10;

/// A password that was given, without asking for one.
pub(crate) fn given(args: &PasswordArgs, console: &Console) -> Result<Option<Zeroizing<Vec<u8>>>, Failure> {
    if let Some(path) = &args.password_file {
        let mut content = inputs::read_limited("the password file", path, MAX_PASSWORD_BYTES)?;
        let end = content.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(content.len());
        content.truncate(end);
        return Ok(Some(content));
    }
    if let Some(password) = &args.password {
        console.warn("--password shows the password to other users of this machine; use --password-file");
        return Ok(Some(Zeroizing::new(password.clone().into_bytes())));
    }
    Ok(variable(PASSWORD_VARIABLE))
}

/// A PIN that was given beside the URI, without asking for one.
#[cfg(feature = "pkcs11")]
pub(crate) fn given_pin(args: &TokenArgs) -> Result<Option<Pin>, Failure> {
    match &args.pin_file {
        Some(path) => Ok(Some(Pin::read(path)?)),
        None => Ok(variable(PIN_VARIABLE).map(Pin::new)),
    }
}

/// Asks for a PIN, if there is somebody to ask. No answer is no PIN: an empty one would cost an attempt.
#[cfg(feature = "pkcs11")]
pub(crate) fn prompt_pin(question: &str) -> Option<Pin> {
    prompt(question).filter(|pin| !pin.is_empty()).map(Pin::new)
}

fn variable(name: &str) -> Option<Zeroizing<Vec<u8>>> {
    let value = std::env::var_os(name).filter(|value| !value.is_empty())?;
    Some(Zeroizing::new(value.into_encoded_bytes()))
}

/// Asks for a password, if there is somebody to ask.
pub(crate) fn prompt(question: &str) -> Option<Zeroizing<Vec<u8>>> {
    if !std::io::stderr().is_terminal() || !std::io::stdin().is_terminal() {
        return None;
    }
    rpassword::prompt_password(question).ok().map(|password| Zeroizing::new(password.into_bytes()))
}
