//! SoftHSM: PKCS#11 tokens that are files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use crate::{debian, process};

/// Where systems have the library.
const LIBRARIES: [&str; 9] = [
    // Debian, Ubuntu
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    // Fedora, RHEL, openSUSE
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    // Arch, Alpine
    "/usr/lib/libsofthsm2.so",
    "/usr/lib/pkcs11/libsofthsm2.so",
    // Homebrew
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
];

const TOKEN: &str = "model-signing";
const PIN: &str = "1234";

/// An installed SoftHSM.
pub(crate) struct SoftHsm {
    library: PathBuf,
}

/// A token.
pub(crate) struct Token {
    library: PathBuf,
    /// The files of the token.
    tokens: PathBuf,
    /// What `SOFTHSM2_CONF` has to name for whoever uses it.
    pub(crate) configuration: PathBuf,
}

impl SoftHsm {
    /// Finds it, or installs Debian's package where that needs no questions: as root.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn find_or_install() -> Result<Self, String> {
        debian::require("softhsm2-util", "softhsm2")?;
        let library = LIBRARIES.iter().map(PathBuf::from).find(|library| library.is_file());
        library
            .map(|library| Self { library })
            .ok_or_else(|| "libsofthsm2.so is in none of the usual places".to_owned())
    }

    /// Makes a token in a folder, which exists.
    pub(crate) fn make_token(&self, folder: &Path) -> Result<Token> {
        let token = Token::empty(self.library.clone(), folder)?;
        let mut init = token.utility();
        process::stdout(init.args(["--init-token", "--free", "--label", TOKEN, "--so-pin", PIN, "--pin", PIN]))?;
        Ok(token)
    }
}

impl Token {
    fn empty(library: PathBuf, folder: &Path) -> Result<Self> {
        let tokens = folder.join("tokens");
        fs::create_dir(&tokens)?;
        let configuration = folder.join("softhsm2.conf");
        fs::write(
            &configuration,
            format!("directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n", tokens.display()),
        )?;
        Ok(Self { library, tokens, configuration })
    }

    /// A copy of the token in a folder, which exists. `SoftHSM` truncates and writes a token's file at every login: a
    /// process that starts at that moment finds no token, so those that run side by side each need their own.
    pub(crate) fn copy_to(&self, folder: &Path) -> Result<Self> {
        let copy = Self::empty(self.library.clone(), folder)?;
        for token in fs::read_dir(&self.tokens)? {
            let token = token?;
            let into = copy.tokens.join(token.file_name());
            fs::create_dir(&into)?;
            for file in fs::read_dir(token.path())? {
                let file = file?;
                fs::copy(file.path(), into.join(file.file_name()))?;
            }
        }
        Ok(copy)
    }

    /// Puts a private key (PKCS#8, PEM) and its public key on the token, under a label and an id of one byte.
    pub(crate) fn import(&self, private_key: &Path, label: &str, id: u8) -> Result<()> {
        let mut import = self.utility();
        import.arg("--import").arg(private_key).args(["--token", TOKEN, "--pin", PIN, "--label", label]);
        process::stdout(import.arg("--id").arg(format!("{id:02x}")))?;
        Ok(())
    }

    /// The URI (RFC 7512) of the key that `attribute` names: `object=label`, or `id=%01`.
    pub(crate) fn uri(&self, attribute: &str) -> String {
        format!("pkcs11:token={TOKEN};{attribute}?module-path={}&pin-value={PIN}", self.library.display())
    }

    fn utility(&self) -> Command {
        let mut command = Command::new("softhsm2-util");
        command.env("SOFTHSM2_CONF", &self.configuration);
        command
    }
}
