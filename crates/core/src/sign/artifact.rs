//! Signing what is no model: a file, or a statement about something.

use super::{LogSubmission, SignError, Signed, Signer, Subject, Witnesses, witness::Testimony};
use crate::envelope::{Bundle, artifact_bundle, pae};
use crate::sigstore::{Artifact, SignerRule, SigstoreError, TrustedRoot, verify_artifact};

/// Signs a file: a Sigstore bundle with a bare signature. It is verified before it is returned.
///
/// # Errors
/// [`SignError`]: what kept the signer or a witness from its part, or why the signature does not hold under `root`.
pub fn sign_artifact(
    artifact: &[u8],
    signer: &dyn Signer,
    witnesses: Witnesses<'_>,
    root: &TrustedRoot,
) -> Result<Vec<u8>, SignError> {
    let Signed { signature, key, material } = signer.sign(artifact, artifact)?;
    let subject = Subject::Artifact(artifact);
    let submission = LogSubmission { subject, signature: &signature, material: &material, key: &key };
    let Testimony { timestamps, log_entries } = witnesses.testify(&submission)?;
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, artifact);
    let bundle = artifact_bundle(digest.as_ref(), &signature, &material, &log_entries, &timestamps);
    check(&bundle, Artifact::Bytes(artifact), root)?;
    Ok(bundle)
}

/// Signs an in-toto statement as it is: a Sigstore bundle with an envelope. It is verified before it is returned.
///
/// # Errors
/// [`SignError`]: what kept the signer or a witness from its part, or why the signature does not hold under `root`. The
/// statement needs a subject with a SHA-256.
pub fn sign_statement(
    statement: Vec<u8>,
    signer: &dyn Signer,
    witnesses: Witnesses<'_>,
    root: &TrustedRoot,
) -> Result<Vec<u8>, SignError> {
    let unusable = |error: SigstoreError| SignError::Unusable(error.to_string());
    let subject = crate::sigstore::subject_digest(&statement).map_err(unusable)?;
    let Signed { signature, key, material } = signer.sign(&pae(&statement), &statement)?;
    let submission =
        LogSubmission { subject: Subject::Envelope(&statement), signature: &signature, material: &material, key: &key };
    let Testimony { timestamps, log_entries } = witnesses.testify(&submission)?;
    let bundle = Bundle::new(statement, signature, material, log_entries, timestamps).to_json();
    check(&bundle, Artifact::Sha256(subject), root)?;
    Ok(bundle)
}

fn check(bundle: &[u8], artifact: Artifact<'_>, root: &TrustedRoot) -> Result<(), SignError> {
    let verified = verify_artifact(bundle, artifact, root, SignerRule::Anybody);
    verified.map(drop).map_err(|error| SignError::DoesNotVerify(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_without_a_subject_is_not_signed() {
        struct Never;
        impl Signer for Never {
            fn sign(&self, _: &[u8], _: &[u8]) -> Result<Signed, SignError> {
                panic!("there is nothing to sign")
            }

            fn trust(&self) -> crate::trust::Trust<'_> {
                panic!("there is nothing to verify")
            }
        }
        let root = TrustedRoot::embedded(crate::sigstore::Instance::Staging);
        for statement in ["", "{}", r#"{"subject":[{"digest":{"sha256":"00"}}]}"#] {
            let error = sign_statement(statement.as_bytes().to_vec(), &Never, Witnesses::default(), &root);
            assert!(matches!(error, Err(SignError::Unusable(_))), "{statement}: {error:?}");
        }
    }
}
