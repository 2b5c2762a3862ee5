//! Passwords: from a file, the environment, or a prompt.

use std::io::IsTerminal;

use zeroize::Zeroizing;

use crate::args::PasswordArgs;
use crate::failure::Failure;
use crate::inputs;
use crate::output::Console;

/// The environment variable that a password is taken from.
const PASSWORD_VARIABLE: &str = "MODEL_SIGNING_PASSWORD";
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
    match std::env::var_os(PASSWORD_VARIABLE) {
        Some(password) if !password.is_empty() => Ok(Some(Zeroizing::new(password.into_encoded_bytes()))),
        _ => Ok(None),
    }
}

/// Asks for a password, if there is somebody to ask.
pub(crate) fn prompt(question: &str) -> Option<Zeroizing<Vec<u8>>> {
    if !std::io::stderr().is_terminal() || !std::io::stdin().is_terminal() {
        return None;
    }
    rpassword::prompt_password(question).ok().map(|password| Zeroizing::new(password.into_bytes()))
}
