//! The certificate authority of Fulcio: a root, and the issuer below it that signs.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P384_SHA384, date_time_ymd,
};

/// What Fulcio needs, as files, and what its clients trust.
pub(super) struct Authority {
    /// The issuer's certificate and the root's (PEM).
    pub(super) chain: PathBuf,
    /// The root's certificate (PEM).
    pub(super) root: PathBuf,
    /// The issuer's private key (PEM).
    pub(super) private_key: PathBuf,
    /// The certificates of the chain (DER), the issuer's first.
    pub(super) certificates: Vec<Vec<u8>>,
}

/// The organization in the names of the authority.
pub(super) const ORGANIZATION: &str = "model-signing xtask";
/// The name of the root.
pub(super) const ROOT_NAME: &str = "Fulcio root";

impl Authority {
    /// Makes the keys and certificates in `folder`, which exists.
    pub(super) fn generate(folder: &Path) -> Result<Self> {
        let root_key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?;
        let root_parameters = parameters(ROOT_NAME, BasicConstraints::Constrained(1));
        let root = root_parameters.self_signed(&root_key)?;

        let issuer_key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384)?;
        let mut issuer_parameters = parameters("Fulcio issuer", BasicConstraints::Constrained(0));
        // Fulcio wants it of an issuer that is not the root.
        issuer_parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        issuer_parameters.use_authority_key_identifier_extension = true;
        let issuer = issuer_parameters.signed_by(&issuer_key, &Issuer::from_params(&root_parameters, &root_key))?;

        let made = Self {
            chain: folder.join("fulcio-chain.pem"),
            root: folder.join("fulcio-root.pem"),
            private_key: folder.join("fulcio-issuer.key"),
            certificates: vec![issuer.der().to_vec(), root.der().to_vec()],
        };
        write(&made.chain, &(issuer.pem() + &root.pem()))?;
        write(&made.root, &root.pem())?;
        write(&made.private_key, &issuer_key.serialize_pem())?;
        Ok(made)
    }
}

fn parameters(name: &str, constraints: BasicConstraints) -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name.push(DnType::OrganizationName, ORGANIZATION);
    parameters.distinguished_name.push(DnType::CommonName, name);
    parameters.is_ca = IsCa::Ca(constraints);
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters.not_before = date_time_ymd(2025, 1, 1);
    parameters.not_after = date_time_ymd(2045, 1, 1);
    parameters
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
