//! Chains for signing code, valid when a test says.

use std::fs;
use std::path::PathBuf;

use super::openssl::{Issuer, KeyKind, Pki, Usage, Validity};

/// When each certificate of a chain is valid.
#[derive(Clone, Copy)]
pub(crate) struct Validities {
    pub(crate) root: Validity,
    pub(crate) intermediate: Validity,
    pub(crate) signer: Validity,
}

impl Validities {
    /// A chain whose signer is valid as said, and all above it for years.
    pub(crate) const fn of_signer(signer: Validity) -> Self {
        let years = Validity::days(-3650, 3650);
        Self { root: years, intermediate: years, signer }
    }
}

/// A root, an intermediate and a signer, as files that are there as long as this is.
pub(crate) struct CodeSigningChain {
    folder: tempfile::TempDir,
}

/// Issues a chain with keys of one kind.
pub(crate) fn issue(key: KeyKind, validities: Validities) -> CodeSigningChain {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let pki = Pki::new(folder.path());
    pki.issue("root", key, Usage::Authority, validities.root, Issuer::Itself);
    pki.issue("intermediate", key, Usage::Authority, validities.intermediate, Issuer::Named("root"));
    pki.issue("signer", key, Usage::CodeSigning, validities.signer, Issuer::Named("intermediate"));
    let pem = |name: &str| fs::read(folder.path().join(name)).expect("a certificate");
    fs::write(folder.path().join("chain.pem"), [pem("intermediate.pem"), pem("root.pem")].concat()).expect("written");
    CodeSigningChain { folder }
}

impl CodeSigningChain {
    /// The root's certificate.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// The certificates above the signer's, in one file.
    pub(crate) fn chain(&self) -> PathBuf {
        self.folder.path().join("chain.pem")
    }

    /// The signer's certificate.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.folder.path().join("signer.pem")
    }

    /// The signer's private key, PKCS#8.
    pub(crate) fn private_key(&self) -> PathBuf {
        self.folder.path().join("signer.key")
    }
}
