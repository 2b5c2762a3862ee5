//! Whose signature an attestation has: the first thing that is checked, and all that is known of a statement before it.

use std::sync::Arc;

use super::collection::Document;
use super::dsse::{Envelope, certificates_der};
use super::statement::Statement;
use super::{ProvenanceError, Roots};
use crate::certificate::{Certificate, InvalidCertificate};
use crate::envelope::Bundle;
use crate::key::{PublicKey, SignatureScheme};
use crate::sigstore::{
    Attestation, SignerRule, SigstoreEvidence, SigstoreTrust, verify_attestation, verify_attestation_by,
};
use crate::trust::{CertificateTrust, SignerTrust, Trust};
use crate::verify::{Evidence, SignatureError, check_certificates, check_signature};

/// Whose signature counts.
#[derive(Clone, Copy, Debug)]
pub enum ProvenanceTrust<'a> {
    /// A workflow's on GitHub; which one, the expectations say.
    GitHub(&'a Roots),
    /// Somebody's whom the user named: a key, certificates, an identity of a Sigstore instance.
    Named(Named<'a>),
}

/// Somebody whom the user named.
#[derive(Clone, Copy, Debug)]
pub struct Named<'a> {
    /// Who, and whose timestamps and logs count.
    pub trust: Trust<'a>,
    /// The signer's certificate and those above it, DER, the leaf first: for envelopes that bring none, and of a bundle the
    /// leaf has to be this one.
    pub certificates: &'a [Vec<u8>],
}

/// Who signed, as far as that was established.
#[derive(Clone, Debug)]
pub enum SignedBy {
    /// A workflow on GitHub, whose certificate says what ran.
    Workflow(SigstoreSigner),
    /// An identity that the user named, for whom a provider vouched.
    Identity(SigstoreSigner),
    /// A key, or certificates.
    Key(Box<Evidence>),
}

/// A signer of a Sigstore instance.
#[derive(Clone, Debug)]
pub struct SigstoreSigner {
    /// Who, and when.
    pub evidence: SigstoreEvidence,
    /// Whether a transparency log has the signature. GitHub's own instance has none.
    pub has_log: bool,
    /// The places in the log that the log promised.
    pub log_indices: Vec<u64>,
}

/// A statement whose signature holds. Only [`check_document`] makes it.
#[derive(Clone, Debug)]
pub struct SignedStatement {
    pub(super) payload: Arc<Vec<u8>>,
    pub(super) statement: Statement,
    pub(super) signed_by: SignedBy,
}

/// Checks who signed a document.
///
/// # Errors
/// [`ProvenanceError`]: why nothing in it may be believed, or that it is no statement.
pub fn check_document(document: &Document, trust: ProvenanceTrust<'_>) -> Result<SignedStatement, ProvenanceError> {
    let (payload, signed_by) = match (trust, document) {
        (ProvenanceTrust::GitHub(roots), Document::Bundle(bundle)) => {
            let (payload, signer) = take_apart(verify_attestation(bundle, &roots.sigstore, roots.github.as_ref())?);
            (payload, SignedBy::Workflow(signer))
        }
        (ProvenanceTrust::GitHub(roots), Document::Logged(logged)) => {
            let (payload, signer) = take_apart(logged.verify(&roots.sigstore, SignerRule::Anybody)?);
            (payload, SignedBy::Workflow(signer))
        }
        (ProvenanceTrust::Named(named), Document::Bundle(bundle)) => check_bundle(bundle, named)?,
        (ProvenanceTrust::Named(Named { trust, .. }), Document::Logged(logged)) => match trust.signer {
            SignerTrust::Sigstore(SigstoreTrust { root, signer, .. }) => {
                let (payload, signer) = take_apart(logged.verify(root, signer)?);
                (payload, SignedBy::Identity(signer))
            }
            // These have no use for an entry.
            SignerTrust::Key(_) | SignerTrust::Certificates(_) => return Err(ProvenanceError::Undated),
        },
        (ProvenanceTrust::Named(named), Document::Envelope { envelope, certificate_chain_pem }) => {
            check_envelope(envelope, certificate_chain_pem.as_deref(), named)?
        }
        (ProvenanceTrust::GitHub(_), Document::Envelope { .. }) => return Err(ProvenanceError::Undated),
    };
    let statement = Statement::parse(&payload)?;
    Ok(SignedStatement { payload, statement, signed_by })
}

fn take_apart(attestation: Attestation) -> (Arc<Vec<u8>>, SigstoreSigner) {
    let Attestation { payload, evidence, has_log, log_indices } = attestation;
    (Arc::new(payload), SigstoreSigner { evidence, has_log, log_indices })
}

fn check_bundle(bundle: &[u8], named: Named<'_>) -> Result<(Arc<Vec<u8>>, SignedBy), ProvenanceError> {
    let Named { trust, certificates } = named;
    if let SignerTrust::Sigstore(SigstoreTrust { root, signer, .. }) = trust.signer {
        let (payload, signer) = take_apart(verify_attestation_by(bundle, root, signer)?);
        return Ok((payload, SignedBy::Identity(signer)));
    }
    let bundle = Bundle::parse(bundle).map_err(ProvenanceError::Bundle)?;
    let verified = check_signature(&bundle, trust)?;
    let evidence = verified.evidence().clone();
    if let (Some(given), Some(certificate)) = (certificates.first(), &evidence.certificate) {
        require_same(given, certificate.path.leaf())?;
    }
    // OMS once had an encoding of its own for what is signed; attestations never did.
    let payload = verified.get().dsse_payload().ok_or_else(|| SignatureError::DoesNotVerify {
        algorithm: evidence.key_algorithm,
        key: evidence.key_hint.clone(),
    })?;
    Ok((Arc::clone(payload), SignedBy::Key(Box::new(evidence))))
}

/// A certificate that was given is the signer's, in a bundle that brings one too.
fn require_same(given: &[u8], found: &Certificate) -> Result<(), ProvenanceError> {
    if given == found.der() {
        return Ok(());
    }
    let describe = |certificate: &Certificate| {
        format!("`{}` with the SHA-256 {}", certificate.subject(), certificate.fingerprint())
    };
    let expected = Certificate::from_der(given).map_or_else(|_| "another".to_owned(), |given| describe(&given));
    Err(SignatureError::Identity { expected, found: vec![describe(found)] }.into())
}

/// Checks an envelope without a bundle: a key, or certificates that are valid now, since nothing dates the signature.
fn check_envelope(
    envelope: &[u8],
    chain_pem: Option<&[u8]>,
    named: Named<'_>,
) -> Result<(Arc<Vec<u8>>, SignedBy), ProvenanceError> {
    let envelope = Envelope::parse(envelope)?;
    let trust = named.trust;
    if trust.timestamps.required {
        return Err(SignatureError::NoTimestamp.into());
    }
    if trust.logs.is_some_and(|logs| logs.required) {
        return Err(SignatureError::NoLogEntry.into());
    }
    let evidence = match trust.signer {
        SignerTrust::Key(key) => check_with_key(&envelope, key)?,
        SignerTrust::Certificates(trust) => {
            let unreadable =
                |error: InvalidCertificate| SignatureError::Certificate { index: 0, reason: error.to_string() };
            let beside = chain_pem.filter(|_| named.certificates.is_empty());
            let beside = beside.map(certificates_der).transpose().map_err(unreadable)?;
            check_with_certificates(&envelope, trust, beside.as_deref().unwrap_or(named.certificates))?
        }
        SignerTrust::Sigstore(_) => return Err(ProvenanceError::Undated),
    };
    Ok((Arc::new(envelope.payload), SignedBy::Key(Box::new(evidence))))
}

fn check_with_key(envelope: &Envelope, key: &PublicKey) -> Result<Evidence, ProvenanceError> {
    let message = envelope.signed_bytes();
    // cosign and Tekton Chains sign SHA-256 whatever the curve.
    let verify =
        |signature: &[u8]| key.verify(&message, signature).or_else(|| key.verify_ecdsa_sha256(&message, signature));
    match envelope.signatures.iter().find_map(|signature| verify(&signature.signature)) {
        Some(scheme) => Ok(evidence(key, scheme)),
        None => Err(SignatureError::DoesNotVerify { algorithm: key.algorithm(), key: key.hint() }.into()),
    }
}

fn check_with_certificates(
    envelope: &Envelope,
    trust: CertificateTrust<'_>,
    given: &[Vec<u8>],
) -> Result<Evidence, ProvenanceError> {
    let brought = envelope.signatures.iter().map(|signature| signature.certificates.as_slice());
    let chains: Vec<&[Vec<u8>]> =
        if given.is_empty() { brought.filter(|chain| !chain.is_empty()).collect() } else { vec![given] };
    // One signature that counts is enough (DSSE), whatever others have been added.
    let mut refusal = None;
    for chain in chains {
        let checked = check_certificates(chain, trust, None).map_err(ProvenanceError::from);
        match checked.and_then(|(key, certificate)| Ok((check_with_key(envelope, &key)?, certificate))) {
            Ok((evidence, certificate)) => return Ok(Evidence { certificate: Some(certificate), ..evidence }),
            Err(error) => drop(refusal.get_or_insert(error)),
        }
    }
    Err(refusal.unwrap_or(ProvenanceError::NoCertificate))
}

/// What is known of a signature that came without a bundle.
fn evidence(key: &PublicKey, scheme: SignatureScheme) -> Evidence {
    Evidence {
        key_algorithm: key.algorithm(),
        key_hint: key.hint(),
        scheme,
        misleading_hint: None,
        certificate: None,
        sigstore: None,
        timestamps: Vec::new(),
        log_entries: Vec::new(),
        unchecked_log_entries: 0,
        unchecked_timestamps: 0,
    }
}
