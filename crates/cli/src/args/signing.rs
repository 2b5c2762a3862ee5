//! How a statement is signed: the methods of `sign`, in a command that does more than that.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

#[cfg(feature = "pkcs11")]
use super::token::UriText;
use super::{IdentityArgs, PasswordArgs, ServiceArgs, first_given};
use crate::failure::Failure;

const HEADING: &str = "Signing";

/// How a statement is signed. The instance is that of the command.
#[derive(Debug, Args)]
pub(crate) struct SigningArgs {
    /// How to sign, as the subcommands of `sign` do
    #[arg(long = "sign", help_heading = HEADING, value_enum, value_name = "METHOD")]
    pub(crate) method: SigningMethod,

    #[command(flatten)]
    pub(crate) with: SignWithArgs,
}

/// How a statement is signed, where it need not be.
#[derive(Clone, Debug, Args)]
pub(crate) struct OptionalSigningArgs {
    /// How to sign, as the subcommands of `sign` do; without it nothing is signed, and nothing is published
    #[arg(long = "sign", help_heading = HEADING, value_enum, value_name = "METHOD")]
    pub(crate) method: Option<SigningMethod>,

    #[command(flatten)]
    pub(crate) with: SignWithArgs,
}

/// With what a statement is signed.
#[derive(Clone, Debug, Args)]
pub(crate) struct SignWithArgs {
    /// The private key, in PEM
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    pub(crate) private_key: Option<PathBuf>,

    #[command(flatten, next_help_heading = HEADING)]
    pub(crate) password: PasswordArgs,

    /// The certificate of the private key, in PEM
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    pub(crate) signing_certificate: Option<PathBuf>,

    /// Certificates that lead from it to one that verifiers trust, in PEM (repeatable)
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    pub(crate) certificate_chain: Vec<PathBuf>,

    /// The private key in a PKCS#11 token (RFC 7512), as for `sign pkcs11-key`
    #[cfg(feature = "pkcs11")]
    #[arg(long, help_heading = HEADING, value_name = "PKCS11_URI")]
    pub(crate) pkcs11_uri: Option<UriText>,

    /// A file with the token's PIN in its first line [else: pin-source in the URI, MODEL_SIGNING_PIN, or a prompt]
    #[cfg(feature = "pkcs11")]
    #[arg(long, help_heading = HEADING, value_name = "FILE")]
    pub(crate) pin_file: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) identity: IdentityArgs,

    #[command(flatten)]
    pub(crate) services: ServiceArgs,

    /// Certificates of the timestamp authority, in PEM: the new timestamp has to lead to one of them (repeatable)
    #[arg(long, help_heading = "Services", value_name = "FILE", requires = "tsa_url")]
    pub(crate) tsa_certificate_chain: Vec<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SigningMethod {
    /// As who you are; published in the instance's log
    Sigstore,
    /// With a private key
    Key,
    /// With a private key and its certificate
    Certificate,
    /// With a private key in a PKCS#11 token
    #[cfg(feature = "pkcs11")]
    Pkcs11Key,
    /// With a private key in a PKCS#11 token and its certificate
    #[cfg(feature = "pkcs11")]
    Pkcs11Certificate,
}

impl SigningMethod {
    /// Its name on the command line.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sigstore => "sigstore",
            Self::Key => "key",
            Self::Certificate => "certificate",
            #[cfg(feature = "pkcs11")]
            Self::Pkcs11Key => "pkcs11-key",
            #[cfg(feature = "pkcs11")]
            Self::Pkcs11Certificate => "pkcs11-certificate",
        }
    }

    /// Whether its bundles have the signer's certificate.
    pub(crate) fn has_certificate(self) -> bool {
        self == Self::Sigstore || self.takes_certificate()
    }

    fn takes_key_file(self) -> bool {
        matches!(self, Self::Key | Self::Certificate)
    }

    fn takes_certificate(self) -> bool {
        match self {
            Self::Certificate => true,
            #[cfg(feature = "pkcs11")]
            Self::Pkcs11Certificate => true,
            _ => false,
        }
    }

    #[cfg(feature = "pkcs11")]
    fn takes_token(self) -> bool {
        matches!(self, Self::Pkcs11Key | Self::Pkcs11Certificate)
    }
}

/// How a flag and a method get on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Required,
    Optional,
    Forbidden,
}

impl Need {
    fn optional_if(condition: bool) -> Self {
        if condition { Self::Optional } else { Self::Forbidden }
    }

    fn required_if(condition: bool) -> Self {
        if condition { Self::Required } else { Self::Forbidden }
    }
}

impl OptionalSigningArgs {
    /// Refuses flags of a method where there is none, and as [`SignWithArgs::check`].
    pub(crate) fn check(&self) -> Result<(), Failure> {
        let Some(method) = self.method else {
            return match self.with.first_flag() {
                Some(flag) => Err(Failure::usage(format!("{flag} needs --sign METHOD: without it nothing is signed"))),
                None => Ok(()),
            };
        };
        self.with.check(method)
    }
}

impl SignWithArgs {
    /// The first flag that was given.
    fn first_flag(&self) -> Option<&'static str> {
        let services = [
            ("--rekor-url", !self.services.rekor_url.is_empty()),
            ("--tsa-url", !self.services.tsa_url.is_empty()),
            ("--rekor-version", self.services.rekor_version.is_some()),
        ];
        let flags = self.flags(None).into_iter().map(|(flag, is_given, _)| (flag, is_given));
        first_given(flags.chain(services))
    }

    /// Refuses a flag that is not for the method, and the lack of one that it needs.
    pub(crate) fn check(&self, method: SigningMethod) -> Result<(), Failure> {
        let name = method.name();
        for (flag, is_given, need) in self.flags(Some(method)) {
            match need {
                Need::Required if !is_given => {
                    return Err(Failure::usage(format!("--sign {name} needs {flag}")));
                }
                Need::Forbidden if is_given => {
                    return Err(Failure::usage(format!("{flag} is not for --sign {name}")));
                }
                _ => {}
            }
        }
        let has_version = self.services.rekor_version.is_some();
        if has_version && self.services.rekor_url.is_empty() && method != SigningMethod::Sigstore {
            return Err(Failure::usage(format!("--rekor-version needs --rekor-url with --sign {name}")));
        }
        Ok(())
    }

    /// Every flag that is not for each method: whether it was given, and how the method and it get on.
    fn flags(&self, method: Option<SigningMethod>) -> Vec<(&'static str, bool, Need)> {
        let is = |holds: fn(SigningMethod) -> bool| method.is_some_and(holds);
        let by_sigstore = Need::optional_if(method == Some(SigningMethod::Sigstore));
        let (key_file, certificate) = (is(SigningMethod::takes_key_file), is(SigningMethod::takes_certificate));
        let by_another = Need::optional_if(method.is_some_and(|method| method != SigningMethod::Sigstore));
        let IdentityArgs { identity_token_file, identity_token, client_id, client_secret, .. } = &self.identity;
        vec![
            ("--private-key", self.private_key.is_some(), Need::required_if(key_file)),
            ("--password-file", self.password.password_file.is_some(), Need::optional_if(key_file)),
            ("--password", self.password.password.is_some(), Need::optional_if(key_file)),
            ("--signing-certificate", self.signing_certificate.is_some(), Need::required_if(certificate)),
            ("--certificate-chain", !self.certificate_chain.is_empty(), Need::optional_if(certificate)),
            #[cfg(feature = "pkcs11")]
            ("--pkcs11-uri", self.pkcs11_uri.is_some(), Need::required_if(is(SigningMethod::takes_token))),
            #[cfg(feature = "pkcs11")]
            ("--pin-file", self.pin_file.is_some(), Need::optional_if(is(SigningMethod::takes_token))),
            ("--use-ambient-credentials", self.identity.use_ambient_credentials, by_sigstore),
            ("--identity-token-file", identity_token_file.is_some(), by_sigstore),
            ("--identity-token", identity_token.is_some(), by_sigstore),
            ("--oauth-force-oob", self.identity.oauth_force_oob, by_sigstore),
            ("--client-id", client_id.is_some(), by_sigstore),
            ("--client-secret", client_secret.is_some(), by_sigstore),
            ("--fulcio-url", self.services.fulcio_url.is_some(), by_sigstore),
            ("--oidc-issuer", self.services.oidc_issuer.is_some(), by_sigstore),
            ("--tsa-certificate-chain", !self.tsa_certificate_chain.is_empty(), by_another),
        ]
    }

    /// What an output must not overwrite.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (&str, &Path)> {
        let certificate = self.signing_certificate.iter().map(|path| ("the signing certificate", path.as_path()));
        let chain = self.certificate_chain.iter().map(|path| ("a certificate of the chain", path.as_path()));
        let authorities =
            self.tsa_certificate_chain.iter().map(|path| ("the timestamp authority's certificate", path.as_path()));
        let key = self.private_key.iter().map(|path| ("the private key", path.as_path()));
        let inputs = key.chain(certificate).chain(chain).chain(authorities);
        #[cfg(feature = "pkcs11")]
        let inputs = inputs.chain(self.pin_file.iter().map(|path| ("the PIN file", path.as_path())));
        inputs.chain(self.password.inputs()).chain(self.identity.inputs())
    }
}
