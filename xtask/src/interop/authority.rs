//! Certificates for tests, made with `openssl`: a third hand beside the two tools that are compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::process;

/// A curve, and the hash that belongs to it.
#[derive(Clone, Copy)]
pub(crate) struct Curve {
    /// As `openssl` and the tables call it.
    pub(crate) name: &'static str,
    hash: &'static str,
}

/// The curves that models are signed with.
pub(crate) const CURVES: [Curve; 3] = [
    Curve { name: "P-256", hash: "-sha256" },
    Curve { name: "P-384", hash: "-sha384" },
    Curve { name: "P-521", hash: "-sha512" },
];

/// The extensions of each kind of certificate.
const CONFIGURATION: &str = "\
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[signer]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
";

/// What a certificate may be used for: a section of the configuration.
#[derive(Clone, Copy)]
pub(crate) enum Usage {
    /// To issue certificates.
    Authority,
    /// To sign models.
    Signer,
}

/// A certificate and its private key (PKCS#8), as PEM files.
#[derive(Clone)]
pub(crate) struct Certificate {
    pub(crate) certificate: PathBuf,
    pub(crate) private_key: PathBuf,
}

/// Makes certificates of one curve in a folder of its own.
pub(crate) struct Authority<'a> {
    curve: Curve,
    folder: &'a Path,
}

impl<'a> Authority<'a> {
    /// Prepares the folder, which exists.
    pub(crate) fn new(curve: Curve, folder: &'a Path) -> Result<Self> {
        fs::write(folder.join("openssl.cnf"), CONFIGURATION)?;
        Ok(Self { curve, folder })
    }

    /// Makes a certificate that signs itself. `file` names its files, `name` its subject.
    pub(crate) fn self_signed(&self, file: &str, name: &str, usage: Usage) -> Result<Certificate> {
        let made = self.with_new_key(file)?;
        let mut request = self.request(&made, name);
        request.args(["-x509", "-days", "30", self.curve.hash, "-extensions", usage.section()]);
        self.run(request.arg("-out").arg(&made.certificate))?;
        Ok(made)
    }

    /// Makes a certificate that `issuer` signs.
    pub(crate) fn issued(&self, file: &str, name: &str, usage: Usage, issuer: &Certificate) -> Result<Certificate> {
        let made = self.with_new_key(file)?;
        let request = self.folder.join(format!("{file}.csr"));
        self.run(self.request(&made, name).arg("-out").arg(&request))?;
        let mut issue = Command::new("openssl");
        issue.args(["x509", "-req", "-days", "30", self.curve.hash, "-extfile", "openssl.cnf"]);
        issue.args(["-extensions", usage.section(), "-CAcreateserial", "-CA"]).arg(&issuer.certificate);
        issue.arg("-CAkey").arg(&issuer.private_key);
        self.run(issue.arg("-in").arg(request).arg("-out").arg(&made.certificate))?;
        Ok(made)
    }

    /// Writes the certificates into one file, in this order.
    pub(crate) fn chain(&self, file: &str, certificates: &[&Certificate]) -> Result<PathBuf> {
        let mut pem = Vec::new();
        for certificate in certificates {
            pem.extend(fs::read(&certificate.certificate)?);
        }
        let path = self.folder.join(format!("{file}.pem"));
        fs::write(&path, pem)?;
        Ok(path)
    }

    fn with_new_key(&self, file: &str) -> Result<Certificate> {
        let made = Certificate {
            certificate: self.folder.join(format!("{file}.pem")),
            private_key: self.folder.join(format!("{file}.key")),
        };
        let mut command = Command::new("openssl");
        command.args(["genpkey", "-algorithm", "EC", "-pkeyopt"]).arg(format!("ec_paramgen_curve:{}", self.curve.name));
        self.run(command.arg("-out").arg(&made.private_key))?;
        Ok(made)
    }

    fn request(&self, of: &Certificate, name: &str) -> Command {
        let mut command = Command::new("openssl");
        command.args(["req", "-new", "-config", "openssl.cnf", "-subj", &format!("/CN={name}"), "-key"]);
        command.arg(&of.private_key);
        command
    }

    fn run(&self, command: &mut Command) -> Result<()> {
        process::stdout(command.current_dir(self.folder)).context("certificates are made with `openssl`")?;
        Ok(())
    }
}

/// Writes the public key of a private key, as PEM.
pub(crate) fn write_public_key(private_key: &Path, public_key: &Path) -> Result<()> {
    let mut command = Command::new("openssl");
    command.args(["pkey", "-pubout", "-in"]).arg(private_key).arg("-out").arg(public_key);
    process::stdout(&mut command).context("public keys are derived with `openssl`")?;
    Ok(())
}

impl Usage {
    fn section(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::Signer => "signer",
        }
    }
}
