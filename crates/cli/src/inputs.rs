//! Reading what a command needs besides the model: keys, certificates, passwords, paths to ignore.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use model_transparency::certificate::{
    Certificate, MAX_CERTIFICATE_FILE_BYTES, MAX_CRL_BYTES, RevocationList, UnixTime,
};
use model_transparency::key::{InvalidKey, PrivateKey, PrivateKeyPem, PublicKey};
use model_transparency::model::{IgnoreRules, InvalidIgnorePath, ModelPath};
use model_transparency::trust::TimestampAuthority;
#[cfg(feature = "pkcs11")]
use model_transparency_remote::pkcs11::{PinSource, Pkcs11Key, Pkcs11Uri, Token};
use zeroize::Zeroizing;

#[cfg(feature = "pkcs11")]
use crate::args::TokenArgs;
use crate::args::{InstanceArgs, PasswordArgs, TimestampArgs};
use crate::failure::Failure;
use crate::instance;
use crate::output::Console;
#[cfg(feature = "pkcs11")]
use crate::output::escape;
use crate::secrets;

/// The longest key file that is read, in bytes; the reader of keys refuses one that reaches it.
const MAX_KEY_FILE_BYTES: u64 = (1 << 20) + 1;

const TSA_CERTIFICATE: &str = "the timestamp authority's certificate";

/// Reads at most `limit` bytes of the file at `path`.
pub(crate) fn read_limited(what: &str, path: &Path, limit: u64) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let mut content = Zeroizing::new(Vec::new());
    let read = File::open(path).and_then(|file| file.take(limit).read_to_end(&mut content));
    read.map_err(|error| Failure::unreadable(what, path, &error))?;
    Ok(content)
}

/// Reads a private key, asking for its password if need be.
pub(crate) fn private_key(path: &Path, password: &PasswordArgs, console: &Console) -> Result<PrivateKey, Failure> {
    const WHAT: &str = "the private key";
    let failed = |error: InvalidKey| Failure::key(WHAT, path, &error);
    let text = read_limited(WHAT, path, MAX_KEY_FILE_BYTES)?;
    let pem = PrivateKeyPem::parse(&text).map_err(failed)?;
    let mut password = secrets::given(password, console)?;
    if !pem.is_encrypted() {
        if password.is_some() {
            console
                .warn(&format!("the private key `{}` is not encrypted, so the password is not used", path.display()));
        }
    } else if password.is_none() {
        password = secrets::prompt(&format!("Password of {}: ", path.display()));
    }
    pem.into_key(password.as_ref().map(|password| password.as_slice())).map_err(failed)
}

/// Opens a private key in a PKCS#11 token, asking for the PIN if need be.
#[cfg(feature = "pkcs11")]
pub(crate) fn pkcs11_key(args: &TokenArgs, console: &Console) -> Result<Pkcs11Key, Failure> {
    let uri = Pkcs11Uri::parse(&args.pkcs11_uri.0)?;
    if matches!(uri.pin(), PinSource::Value(_)) {
        console.warn("`pin-value` shows the PIN to other users of this machine; use `pin-source`, or --pin-file");
    }
    if args.pin_file.is_some() && *uri.pin() != PinSource::NotGiven {
        return Err(Failure::usage("the PIN is given twice: expected --pin-file or a PIN in --pkcs11-uri, found both"));
    }
    let mut pin = secrets::given_pin(args)?;
    let token = Token::open(&uri)?;
    if token.is_last_attempt() {
        console.warn(&format!("the token {} locks after one more wrong PIN", token.name()));
    }
    if pin.is_none() && token.needs_pin() {
        pin = secrets::prompt_pin(&format!("PIN of the token {}: ", escape(&token.name().to_string())));
    }
    Ok(token.into_key(pin)?)
}

/// Reads a public key.
pub(crate) fn public_key(path: &Path) -> Result<PublicKey, Failure> {
    const WHAT: &str = "the public key";
    let text = read_limited(WHAT, path, MAX_KEY_FILE_BYTES)?;
    PublicKey::from_pem(&text).map_err(|error| Failure::key(WHAT, path, &error))
}

/// Reads every certificate of the files at `paths`, in their order.
pub(crate) fn certificates(what: &str, paths: &[PathBuf]) -> Result<Vec<Certificate>, Failure> {
    let mut certificates = Vec::new();
    for path in paths {
        let text = read_limited(what, path, MAX_CERTIFICATE_FILE_BYTES as u64 + 1)?;
        let read = Certificate::from_file(&text)
            .map_err(|error| Failure::rejected("invalid_certificate", format!("{what} `{}`: {error}", path.display())));
        certificates.extend(read?);
    }
    Ok(certificates)
}

/// Reads every revocation list of the files at `paths`.
pub(crate) fn revocation_lists(paths: &[PathBuf]) -> Result<Vec<RevocationList>, Failure> {
    const WHAT: &str = "the revocation list";
    let mut lists = Vec::new();
    for path in paths {
        let bytes = read_limited(WHAT, path, MAX_CRL_BYTES as u64 + 1)?;
        let read = RevocationList::from_file(&bytes)
            .map_err(|error| Failure::rejected("invalid_crl", format!("{WHAT} `{}`: {error}", path.display())));
        lists.extend(read?);
    }
    Ok(lists)
}

/// Reads the timestamp authorities that are trusted.
pub(crate) fn timestamp_authorities(
    args: &TimestampArgs,
    instance: &InstanceArgs,
    console: &Console,
) -> Result<Vec<TimestampAuthority>, Failure> {
    let mut authorities = Vec::new();
    if !args.tsa_certificate_chain.is_empty() {
        let certificates = certificates(TSA_CERTIFICATE, &args.tsa_certificate_chain)?;
        authorities.push(TimestampAuthority::new(certificates));
    }
    authorities.extend(instance::timestamp_authorities(instance, console)?);
    if args.require_timestamp && authorities.is_empty() {
        return Err(Failure::usage("--require-timestamp needs somebody to trust for the time")
            .with_hint("give the authority's certificates with --tsa-certificate-chain FILE"));
    }
    Ok(authorities)
}

/// The time of this machine.
pub(crate) fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    UnixTime(since.map_or(0, |since| since.as_secs()))
}

/// Paths to leave out of a model: those that a bundle can record, and one that it can't.
#[derive(Debug, Default)]
pub(crate) struct Exclusions {
    /// Everything that is left out.
    pub(crate) all: IgnoreRules,
    /// What of it is recorded in the bundle.
    pub(crate) recorded: IgnoreRules,
}

/// Resolves what is left out of the model at `location`: the defaults, the paths given, and the signature file.
///
/// Paths are relative to the current directory, as in the reference. Those outside the model are warned about.
pub(crate) fn exclusions(
    location: &Path,
    ignore_git_paths: bool,
    paths: &[PathBuf],
    signature: Option<&Path>,
    console: &Console,
) -> Result<Exclusions, Failure> {
    let mut recorded = if ignore_git_paths { IgnoreRules::defaults() } else { IgnoreRules::none() };
    for path in paths {
        if path.symlink_metadata().is_err() {
            console.warn(&format!("--ignore-paths `{}` does not exist", path.display()));
        }
        match inside(location, path) {
            Inside::No => console
                .warn(&format!("--ignore-paths `{}` is not inside the model, so it ignores nothing", path.display())),
            Inside::NotUtf8 => {
                return Err(Failure::usage(format!("--ignore-paths `{}`: expected a path in UTF-8", path.display())));
            }
            Inside::Yes(inner) => recorded.insert(&inner).map_err(|error| invalid_ignore_path(path, error))?,
        }
    }
    let mut all = recorded.clone();
    if let Some(Inside::Yes(inner)) = signature.map(|signature| inside(location, signature))
        && let Ok(inner) = ModelPath::parse(&inner)
    {
        all.insert_unrecorded(&inner);
        // A name with glob characters can't be recorded (§6.2.1); the file is left out all the same.
        let _ = recorded.insert(inner.as_str());
    }
    Ok(Exclusions { all, recorded })
}

fn invalid_ignore_path(path: &Path, error: InvalidIgnorePath) -> Failure {
    Failure::usage(format!("--ignore-paths `{}`: {error}", path.display()))
}

/// Where a path is, seen from a model.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Inside {
    /// Here, from the model root; empty for the root itself.
    Yes(String),
    /// Somewhere else.
    No,
    /// Inside, under a name that is not UTF-8.
    NotUtf8,
}

/// Where `path` (relative to the current directory) is, seen from the model at the canonical `location`.
pub(crate) fn inside(location: &Path, path: &Path) -> Inside {
    // The path itself may be a link in the model, or a link to something in it; the former is tried first.
    let candidates = [resolve_parent(path), std::fs::canonicalize(path).ok()];
    for candidate in candidates.into_iter().flatten() {
        if let Ok(inner) = candidate.strip_prefix(location) {
            let components: Option<Vec<&str>> = inner.components().map(|part| part.as_os_str().to_str()).collect();
            return components.map_or(Inside::NotUtf8, |components| Inside::Yes(components.join("/")));
        }
    }
    Inside::No
}

/// The canonical form of `path` with its last component left as it is; what does not exist is taken literally.
fn resolve_parent(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    let name = absolute.file_name()?;
    let mut missing = vec![name.to_owned()];
    let mut existing = absolute.parent()?;
    loop {
        match std::fs::canonicalize(existing) {
            Ok(mut resolved) => {
                resolved.extend(missing.iter().rev());
                return Some(resolved);
            }
            Err(_) => {
                missing.push(existing.file_name()?.to_owned());
                existing = existing.parent()?;
            }
        }
    }
}
