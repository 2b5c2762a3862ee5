//! How a command fails: the exit code, a machine-readable kind, a sentence, and what to do.

use std::path::Path;

use model_transparency::certificate::{PathError, RevocationError};
use model_transparency::envelope::{InvalidStatement, ReadBundleError};
use model_transparency::format::RecogniseError;
use model_transparency::hash::ReadError;
use model_transparency::key::{GenerateError, InvalidKey};
use model_transparency::log::LogEntryError;
use model_transparency::manifest::{Difference, HashModelError, InvalidManifest, UnhashedFile};
use model_transparency::model::{ModelError, Problem};
use model_transparency::output::WriteError;
use model_transparency::provenance::vsa::{InvalidExpectation, VsaError};
use model_transparency::receipt::ReceiptError;
use model_transparency::sign::{SignError, UnsuitableCertificate};
use model_transparency::sigstore::SigstoreError;
use model_transparency::verify::{CompareError, SignatureError};
#[cfg(feature = "pkcs11")]
use model_transparency_remote::pkcs11::{InvalidUri, KeyError, PinFileError, TokenError};
use model_transparency_remote::tuf::FetchError;

use crate::exit::Exit;
use crate::output::Answer;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// For programs: stable, in the JSON document.
    pub(crate) kind: &'static str,
    pub(crate) message: String,
    /// What the reader can do, where it is not obvious.
    pub(crate) hint: Option<String>,
    pub(crate) difference: Option<Box<Difference>>,
    /// What there is to say all the same.
    pub(crate) answer: Option<Box<Answer>>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, kind: &'static str, message: impl Into<String>) -> Self {
        Self { exit, kind, message: message.into(), hint: None, difference: None, answer: None }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message)
    }

    pub(crate) fn rejected(kind: &'static str, message: impl Into<String>) -> Self {
        Self::new(Exit::Rejected, kind, message)
    }

    pub(crate) fn could_not_check(kind: &'static str, message: impl Into<String>) -> Self {
        Self::new(Exit::CouldNotCheck, kind, message)
    }

    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same without what there is to say beside it.
    pub(crate) fn copy(&self) -> Self {
        Self { hint: self.hint.clone(), ..Self::new(self.exit, self.kind, self.message.clone()) }
    }

    pub(crate) fn with_answer(mut self, answer: Answer) -> Self {
        self.answer = Some(Box::new(answer));
        self
    }

    /// A file that can't be read.
    pub(crate) fn unreadable(what: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::could_not_check("unreadable", format!("{what} `{}` cannot be read: {error}", path.display()))
    }

    /// A key file that was read and has no key that can be used.
    pub(crate) fn key(what: &str, path: &Path, error: &InvalidKey) -> Self {
        let message = format!("{what} `{}`: {error}", path.display());
        match error {
            InvalidKey::PasswordNeeded => Self::could_not_check("password_needed", message)
                .with_hint("give its password with --password-file FILE or in MODEL_SIGNING_PASSWORD"),
            InvalidKey::WrongPassword => Self::rejected("wrong_password", message),
            _ => Self::rejected("invalid_key", message),
        }
    }

    /// Entries of a model that can't be signed.
    pub(crate) fn unacceptable(problems: Vec<(String, Problem)>) -> Self {
        let count = problems.len();
        let noun = if count == 1 { "entry" } else { "entries" };
        let hint = problems.iter().any(|(_, problem)| *problem == Problem::Symlink);
        let mut failure =
            Self::rejected("unacceptable_model", format!("the model has {count} {noun} that can't be part of it"));
        failure.difference = Some(Box::new(Difference { unacceptable: problems, ..Difference::default() }));
        if hint { failure.with_hint(SYMLINK_HINT) } else { failure }
    }
}

const SYMLINK_HINT: &str = "--allow-symlinks follows links to files; --ignore-paths leaves an entry out";

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        let message = error.to_string();
        match error {
            ModelError::NotFound { .. } => Self::could_not_check("model_not_found", message),
            ModelError::Unreadable { .. } => Self::could_not_check("unreadable", message),
            ModelError::Unacceptable { problem: Problem::Symlink, .. } => {
                Self::rejected("unacceptable_model", message).with_hint("name its target, or give --allow-symlinks")
            }
            ModelError::Unacceptable { .. } | ModelError::NotUtf8 { .. } => {
                Self::rejected("unacceptable_model", message)
            }
        }
    }
}

impl From<RecogniseError> for Failure {
    fn from(error: RecogniseError) -> Self {
        match error {
            RecogniseError::Model(error) => error.into(),
            RecogniseError::Read { path, source } => UnhashedFile { path, error: source }.into(),
        }
    }
}

impl From<ReadBundleError> for Failure {
    fn from(error: ReadBundleError) -> Self {
        let message = error.to_string();
        match error {
            ReadBundleError::Io { .. } => Self::could_not_check("unreadable", format!("the signature {message}")),
            ReadBundleError::Invalid { .. } => Self::rejected("invalid_bundle", message),
        }
    }
}

impl Failure {
    /// A signature that does not hold; `could_be_dated` if it has a timestamp, and nobody is trusted for the time.
    pub(crate) fn signature(error: SignatureError, could_be_dated: bool) -> Self {
        let message = error.to_string();
        let failure = |kind| Self::rejected(kind, &message);
        match error {
            SignatureError::Method { found: "sigstore", .. } => failure("wrong_method").with_hint(
                "it names a signer: `model-signing verify MODEL --identity NAME --identity-provider URL` is for these",
            ),
            SignatureError::Method { found, .. } => {
                failure("wrong_method").with_hint(format!("`model-signing verify {found}` is for these"))
            }
            SignatureError::OtherKey { .. } => failure("wrong_key"),
            SignatureError::DoesNotVerify { .. } => failure("invalid_signature"),
            SignatureError::Path(PathError::OutOfValidity { .. }) if could_be_dated => failure("untrusted_certificate")
                .with_hint(
                    "the signature has a timestamp: with --tsa-certificate-chain FILE, the certificates of an authority \
                     that you trust, it counts as of then",
                ),
            SignatureError::Path(PathError::NoPath { .. } | PathError::NotTrusted { .. }) => failure("untrusted_certificate")
                .with_hint("give the certificate of an issuer that you trust with --certificate-chain FILE"),
            SignatureError::Path(_) | SignatureError::IdentityNeeded => failure("untrusted_certificate"),
            SignatureError::Certificate { .. } => failure("invalid_certificate"),
            SignatureError::Revocation(RevocationError::Revoked { .. }) => failure("revoked_certificate"),
            SignatureError::Revocation(_) => failure("invalid_crl"),
            SignatureError::Identity { .. } => failure("wrong_identity"),
            SignatureError::Sigstore(error) => failure(sigstore_kind(&error)),
            SignatureError::LogEntry { error: LogEntryError::UnknownLog { .. }, .. } => failure("unknown_log")
                .with_hint("--trusted-root FILE or --trust-config FILE names the instance whose log it is"),
            SignatureError::LogEntry { error: LogEntryError::Checkpoint(_) | LogEntryError::OtherCheckpoint, .. } => {
                failure("invalid_checkpoint")
            }
            SignatureError::LogEntry { error: LogEntryError::Inclusion(_), .. } => failure("invalid_inclusion_proof"),
            SignatureError::LogEntry { error: LogEntryError::Promise, .. } => failure("invalid_inclusion_promise"),
            SignatureError::LogEntry { .. } => failure("invalid_log_entry"),
            SignatureError::NoLogEntry => failure("no_log_entry"),
            SignatureError::Timestamp { .. } => failure("invalid_timestamp"),
            SignatureError::NoTimestamp => failure("no_timestamp"),
        }
    }
}

/// What kind of failure an instance's evidence has.
pub(crate) fn sigstore_kind(error: &SigstoreError) -> &'static str {
    match error {
        SigstoreError::Malformed { .. } => "invalid_bundle",
        SigstoreError::NoLogEntry => "no_log_entry",
        SigstoreError::OtherInstance { .. } => "other_instance",
        SigstoreError::Certificate { .. } | SigstoreError::OutOfValidity { .. } => "untrusted_certificate",
        SigstoreError::CertificateTimestamp { .. } => "invalid_sct",
        SigstoreError::UnknownLog { .. } => "unknown_log",
        SigstoreError::InclusionProof { .. } => "invalid_inclusion_proof",
        SigstoreError::Checkpoint { .. } => "invalid_checkpoint",
        SigstoreError::InclusionPromise { .. } => "invalid_inclusion_promise",
        SigstoreError::OtherEntry { .. } | SigstoreError::IntegratedTime { .. } => "invalid_log_entry",
        SigstoreError::Timestamp { .. } => "invalid_timestamp",
        SigstoreError::NoTime => "no_timestamp",
        SigstoreError::Signature { .. } => "invalid_signature",
        SigstoreError::Identity { .. } => "wrong_identity",
        SigstoreError::Issuer { .. } => "wrong_identity_provider",
    }
}

impl From<InvalidExpectation> for Failure {
    fn from(error: InvalidExpectation) -> Self {
        let flag = match error {
            InvalidExpectation::NoSubjectDigest | InvalidExpectation::DigestForm { .. } => "--subject-digest",
            InvalidExpectation::NoVerifier => "--verifier-id",
            InvalidExpectation::NoResource => "--resource-uri",
            InvalidExpectation::EmptyLevel | InvalidExpectation::Level(_) => "--verified-level",
            InvalidExpectation::EmptyKeyId => "--public-key-id",
            InvalidExpectation::Hash { .. } => "--public-key-signing-hash-algo",
        };
        Self::usage(format!("{flag}: {error}"))
    }
}

impl Failure {
    /// A verification summary, read from `path`, that does not hold; as for [`Self::signature`], `could_be_dated`.
    pub(crate) fn summary(path: &Path, error: VsaError, could_be_dated: bool) -> Self {
        let message = format!("`{}`: {error}", path.display());
        let failure = |kind| Self::rejected(kind, &message);
        match error {
            VsaError::Envelope(_) => failure("invalid_envelope"),
            VsaError::Bundle(_) => failure("invalid_bundle"),
            VsaError::NoCertificate => failure("wrong_method").with_hint("--public-key-path FILE is for these"),
            VsaError::Signer(SignatureError::Method { .. }) => failure("wrong_method").with_hint(
                "--public-key-path is for a key, --certificate-chain for a certificate, --identity for a signature with \
                 Sigstore",
            ),
            VsaError::Signer(error) => Self { message, ..Self::signature(error, could_be_dated) },
            VsaError::KeyId { .. } => failure("wrong_key").with_hint("without --public-key-id each signature is tried"),
            VsaError::Signature { .. } => failure("invalid_signature"),
            VsaError::Json(_)
            | VsaError::StatementType { .. }
            | VsaError::MissingMember { .. }
            | VsaError::Time { .. }
            | VsaError::MalformedLevel(_)
            | VsaError::NoSubject => failure("invalid_statement"),
            VsaError::PredicateType { .. } => failure("wrong_predicate_type"),
            VsaError::Subject { .. } => failure("wrong_subject"),
            VsaError::Verifier { .. } => failure("wrong_verifier"),
            VsaError::Resource { .. } => failure("wrong_resource"),
            VsaError::NotPassed { .. } => failure("not_passed"),
            VsaError::Level { .. } => failure("wrong_level"),
        }
    }
}

impl From<InvalidStatement> for Failure {
    fn from(error: InvalidStatement) -> Self {
        Self::rejected("invalid_statement", error.to_string())
    }
}

impl From<UnhashedFile> for Failure {
    fn from(error: UnhashedFile) -> Self {
        let kind = match error.error {
            ReadError::Io(_) => "unreadable",
            ReadError::Truncated { .. } | ReadError::Grown { .. } | ReadError::Changed => "changed_while_read",
            ReadError::Cancelled => "cancelled",
        };
        Self::could_not_check(kind, error.to_string())
    }
}

impl From<HashModelError> for Failure {
    fn from(error: HashModelError) -> Self {
        match error {
            HashModelError::File(error) => error.into(),
            HashModelError::TooMany { .. } => {
                Self::rejected("too_many_resources", error.to_string()).with_hint("give a larger --shard-size, or none")
            }
            HashModelError::Manifest(InvalidManifest::Empty) => Self::empty_model(),
            HashModelError::Manifest(error) => Self::rejected("unacceptable_model", error.to_string()),
        }
    }
}

impl Failure {
    /// A model in which nothing is left to sign (OMS §6.1).
    fn empty_model() -> Self {
        Self::rejected(
            "empty_model",
            "the model has no file to list: expected at least one that is not ignored (and, with shards, not empty)",
        )
    }
}

impl From<CompareError> for Failure {
    fn from(error: CompareError) -> Self {
        match error {
            CompareError::Mismatch { difference, signed_as } => {
                let message = format!("the model is not what was signed (as `{signed_as}`)");
                let symlink = difference.unacceptable.iter().any(|(_, problem)| *problem == Problem::Symlink);
                let failure = Self { difference: Some(difference), ..Self::rejected("mismatch", message) };
                if symlink { failure.with_hint("--allow-symlinks follows links to files") } else { failure }
            }
            CompareError::SignedAsSingleFile => Self::rejected("mismatch", error.to_string()),
            CompareError::Model(error) => error.into(),
            CompareError::Receipt(error) => error.into(),
            CompareError::File(error) => error.into(),
        }
    }
}

impl From<ReceiptError> for Failure {
    fn from(error: ReceiptError) -> Self {
        let failure = Self::could_not_check("no_receipt", error.to_string());
        failure.with_hint(match error {
            ReceiptError::UnknownFileSystem { .. } => {
                "--receipt-allow-network-fs believes it; without receipts every file is hashed"
            }
            ReceiptError::NoTimes { .. } | ReceiptError::NotTold { .. } => "without receipts every file is hashed",
        })
    }
}

impl From<SignError> for Failure {
    fn from(error: SignError) -> Self {
        let message = error.to_string();
        match error {
            SignError::TooLarge { .. } => Self::rejected("too_many_resources", message),
            SignError::Identity(_) => Self::could_not_check("no_identity", message),
            SignError::Key(_)
            | SignError::Service(_)
            | SignError::AlreadyPublic { .. }
            | SignError::Timestamp(_)
            | SignError::DoesNotVerify(_)
            | SignError::Unusable(_) => Self::could_not_check("not_signed", message),
        }
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        let kind = match error {
            WriteError::Io { .. } => "unwritable",
            WriteError::Exists { .. } => "exists",
        };
        Self::could_not_check(kind, error.to_string())
    }
}

impl From<FetchError> for Failure {
    fn from(error: FetchError) -> Self {
        let message = error.to_string();
        match error {
            FetchError::NoRoot => Self::usage(message),
            FetchError::Client(_) | FetchError::NotFetched { .. } => Self::could_not_check("not_fetched", message)
                .with_hint("what is known stays as it was; `trust import FILE` takes it from another machine"),
            FetchError::Refused { .. } => Self::rejected("untrusted_metadata", message),
            FetchError::Unusable(_) => Self::rejected("invalid_trust_config", message),
        }
    }
}

impl From<GenerateError> for Failure {
    fn from(error: GenerateError) -> Self {
        Self::could_not_check("no_key", error.to_string())
    }
}

impl From<UnsuitableCertificate> for Failure {
    fn from(error: UnsuitableCertificate) -> Self {
        let kind = match error {
            UnsuitableCertificate::Key(_) => "invalid_key",
            UnsuitableCertificate::OtherKey { .. } => "wrong_key",
            UnsuitableCertificate::Path(_) => "unsuitable_certificate",
        };
        Self::rejected(kind, error.to_string())
    }
}

#[cfg(feature = "pkcs11")]
impl From<InvalidUri> for Failure {
    fn from(error: InvalidUri) -> Self {
        Self::usage(format!("--pkcs11-uri: {error}"))
    }
}

#[cfg(feature = "pkcs11")]
impl From<PinFileError> for Failure {
    fn from(error: PinFileError) -> Self {
        Self::could_not_check("unreadable", error.to_string())
    }
}

#[cfg(feature = "pkcs11")]
impl From<TokenError> for Failure {
    fn from(error: TokenError) -> Self {
        let message = error.to_string();
        match error {
            TokenError::Module(_) => Self::could_not_check("no_module", message),
            TokenError::Pin(error) => error.into(),
            TokenError::NotFound { .. } => Self::could_not_check("token_not_found", message),
            TokenError::Several { .. } => {
                Self::usage(message).with_hint("name one with `token`, `serial` or `slot-id` in the URI")
            }
            TokenError::Device { .. } => Self::could_not_check("token_failed", message),
        }
    }
}

#[cfg(feature = "pkcs11")]
impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let message = error.to_string();
        match error {
            KeyError::PinNeeded { .. } => Self::could_not_check("pin_needed", message)
                .with_hint("give it with --pin-file FILE, with `pin-source` in the URI, or in MODEL_SIGNING_PIN"),
            KeyError::WrongPin { .. } => Self::rejected("wrong_pin", message)
                .with_hint("it was tried once; after a few wrong ones a token locks"),
            KeyError::PinLocked { .. } => Self::could_not_check("pin_locked", message)
                .with_hint("whoever administers the token can set a new PIN"),
            KeyError::Device { .. } => Self::could_not_check("token_failed", message),
            KeyError::NotFound { .. } => Self::could_not_check("key_not_found", message),
            KeyError::Several { .. } => Self::usage(message).with_hint("name one with `id` in the URI"),
            KeyError::Unsupported { .. } | KeyError::NoPublicKey { .. } | KeyError::InvalidPublicKey { .. } => {
                Self::rejected("invalid_key", message)
            }
        }
    }
}
