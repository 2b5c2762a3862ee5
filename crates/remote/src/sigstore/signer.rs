//! The `sigstore` method: a key that lives for one signature, and a certificate that says who used it.

use std::fmt;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use model_transparency::certificate::{Certificate, UnixTime};
use model_transparency::envelope::Material;
use model_transparency::key::{KeyAlgorithm, PrivateKey, PrivateKeyPem, SigningFailed, SigningKey as _, generate};
use model_transparency::sign::{SignError, Signed, Signer};
use model_transparency::sigstore::{SignerRule, SigstoreTrust, TrustedRoot};
use model_transparency::trust::Trust;

use super::Fulcio;
use crate::oidc::IdentityToken;

/// How long a certificate has to be valid yet to be signed with: witnesses have to answer before it ends.
const MARGIN_SECONDS: u64 = 120;

/// Where identity tokens come from.
pub trait TokenSource: Send + Sync {
    /// A token that is valid now. It is asked for when it is needed, and again if what came of it has expired.
    ///
    /// # Errors
    /// [`NoToken`]: why there is none.
    fn token(&self) -> Result<IdentityToken, NoToken>;
}

/// Why there is no identity token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoToken(pub String);

/// Signs as whom an identity token names, by a certificate of an instance (OMS §4.1, method `sigstore`).
pub struct SigstoreSigner<T> {
    fulcio: Fulcio,
    tokens: T,
    root: TrustedRoot,
    clock: fn() -> UnixTime,
    prepared: Mutex<Option<JoinHandle<Result<Certified, SignError>>>>,
    has_failed: AtomicBool,
}

/// A key and its certificate.
struct Certified {
    key: PrivateKey,
    certificate: Certificate,
}

impl<T: TokenSource> SigstoreSigner<T> {
    /// A signer whom `fulcio` certifies; what it signs has to hold under `root`.
    #[must_use]
    pub fn new(fulcio: Fulcio, tokens: T, root: TrustedRoot, clock: fn() -> UnixTime) -> Self {
        Self { fulcio, tokens, root, clock, prepared: Mutex::new(None), has_failed: AtomicBool::new(false) }
    }

    /// Begins to have a key certified, in a thread of its own. Signing waits for that, and fails if that does.
    ///
    /// A certificate outlasts its token: this is for tokens that a person gets, while something else takes its time.
    pub fn prepare(self: &Arc<Self>)
    where
        T: 'static,
    {
        let signer = Arc::clone(self);
        let thread = thread::spawn(move || {
            let certified = signer.certify();
            signer.has_failed.store(certified.is_err(), Ordering::Relaxed);
            certified
        });
        *self.prepared.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
    }

    /// Becomes true when what was prepared has failed: nobody need wait for it.
    pub fn has_failed(&self) -> &AtomicBool {
        &self.has_failed
    }

    /// Why what was prepared has failed, if it has. Said once: the next signature is another attempt.
    pub fn failure(&self) -> Option<SignError> {
        self.has_failed.swap(false, Ordering::Relaxed).then(|| self.take_prepared()?.err()).flatten()
    }

    /// A key that is certified, and will be for a while.
    fn certified(&self) -> Result<Certified, SignError> {
        if let Some(certified) = self.take_prepared() {
            let certified = certified?;
            let until = (self.clock)().0.saturating_add(MARGIN_SECONDS);
            if certified.certificate.not_after().0 >= until {
                return Ok(certified);
            }
        }
        self.certify()
    }

    /// What was prepared, waiting for it; nothing if nothing was, or it was taken.
    fn take_prepared(&self) -> Option<Result<Certified, SignError>> {
        let thread = self.prepared.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(thread.join().unwrap_or_else(|panic| resume_unwind(panic)))
    }

    fn certify(&self) -> Result<Certified, SignError> {
        let token = self.tokens.token().map_err(|error| SignError::Identity(error.to_string()))?;
        let key = ephemeral_key()?;
        let certificate = self.fulcio.certify(&key, &token)?;
        Ok(Certified { key, certificate })
    }
}

impl<T: TokenSource> Signer for SigstoreSigner<T> {
    fn sign(&self, message: &[u8], _payload: &[u8]) -> Result<Signed, SignError> {
        let Certified { key, certificate } = self.certified()?;
        let signature = key.sign(message)?;
        let material = Material::Certificate(certificate.der().to_vec());
        Ok(Signed { signature, key: key.public_key().clone(), material })
    }

    fn trust(&self) -> Trust<'_> {
        Trust::sigstore(SigstoreTrust { root: &self.root, signer: SignerRule::Anybody, now: (self.clock)() })
    }
}

impl<T> fmt::Debug for SigstoreSigner<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigstoreSigner").field("fulcio", &self.fulcio).finish_non_exhaustive()
    }
}

/// A key that nobody keeps.
fn ephemeral_key() -> Result<PrivateKey, SigningFailed> {
    let failed = |_| SigningFailed::new("the cryptographic library failed to make a key");
    let (pem, _) = generate(KeyAlgorithm::EcdsaP256, None).map_err(failed)?;
    let key = PrivateKeyPem::parse(pem.as_bytes()).and_then(|key| key.into_key(None));
    key.map_err(|error| SigningFailed::new(error.to_string()))
}
