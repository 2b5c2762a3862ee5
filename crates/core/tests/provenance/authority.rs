//! Whoever certifies workflows, and the way that every verdict takes.

use std::sync::LazyLock;

use fake_sigstore::{Attester, Identity, Instance, Service};
use model_transparency::provenance::{
    Artifact, Coverage, Document, Expectations, Level, ProvenanceError, ProvenanceTrust, Roots, SignedStatement,
    check_document, judge,
};
use model_transparency::sigstore::TrustedRoot;
use serde_json::Value;

/// The instance, and whom a verifier believes who believes it alone.
static AUTHORITY: LazyLock<(Instance, Roots)> = LazyLock::new(|| {
    let instance = Instance::start();
    let sigstore = TrustedRoot::from_json(instance.trusted_root_json().as_bytes()).expect("a trusted root");
    (instance, Roots { sigstore, github: None })
});

/// What a workflow says of an artifact, and what is expected.
#[derive(Clone)]
pub(crate) struct Provenance {
    pub(crate) signer: Identity,
    pub(crate) statement: Value,
    pub(crate) artifact: Artifact,
    pub(crate) expected: Expectations,
}

impl Provenance {
    /// Signs and verifies it.
    pub(crate) fn judged(&self) -> Result<Level, ProvenanceError> {
        self.judged_as(&self.certified(), &self.statement.to_string())
    }

    /// Somebody with a certificate of the signer.
    pub(crate) fn certified(&self) -> Attester {
        AUTHORITY.0.certify(&self.signer)
    }

    /// Has them sign another statement, and verifies that.
    pub(crate) fn judged_as(&self, attester: &Attester, statement: &str) -> Result<Level, ProvenanceError> {
        let judged = judge(trusting_github(&signed(attester, statement))?, &self.expected)?;
        let verified = judged.find(&self.artifact, Coverage::Whole)?;
        assert_eq!(verified.payload(), statement.as_bytes());
        Ok(verified.level())
    }

    #[must_use]
    pub(crate) fn change(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// What a document says to whoever believes workflows of the authority alone.
pub(crate) fn trusting_github(document: &Document) -> Result<SignedStatement, ProvenanceError> {
    check_document(document, ProvenanceTrust::GitHub(&AUTHORITY.1))
}

/// A statement that somebody signed.
pub(crate) fn signed(attester: &Attester, statement: &str) -> Document {
    let (instance, _) = &*AUTHORITY;
    let bundle = instance.attest(attester, statement.as_bytes());
    // A long log makes slow proofs.
    instance.forget_newest(Service::RekorV1, 1);
    Document::Bundle(bundle.to_string().into_bytes())
}
