//! Signing what is no model: a file, or a statement about something.

use super::{LogSubmission, SignError, Signed, Signer, Subject, Witnesses, envelop, witness::Testimony};
use crate::envelope::{Bundle, artifact_bundle};
use crate::sigstore::{Artifact, SignerRule, TrustedRoot, subject_digest, verify_artifact};
use crate::trust::Trust;
use crate::verify::{self, Evidence};

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
    check(&bundle, artifact, root)?;
    Ok(bundle)
}

/// A new signature over a statement, which holds.
#[derive(Debug)]
pub struct SignedStatement {
    /// What is written.
    pub bundle: Bundle,
    /// Who signed it, as a verifier finds who trusts the signer.
    pub evidence: Evidence,
}

/// Signs an in-toto statement as it is: a Sigstore bundle with an envelope. It is verified before it is returned.
///
/// # Errors
/// [`SignError`]: what kept the signer or a witness from its part, or why the signature, a timestamp or a log entry does
/// not hold. The statement needs a subject with a SHA-256 or a SHA-512.
pub fn sign_statement(
    statement: Vec<u8>,
    signer: &dyn Signer,
    witnesses: Witnesses<'_>,
) -> Result<SignedStatement, SignError> {
    subject_digest(&statement).map_err(|error| SignError::Unusable(error.to_string()))?;
    let (bundle, _) = envelop(statement, signer, witnesses)?;
    let trust = Trust { logs: witnesses.trusted_logs, ..signer.trust() };
    let evidence = verify::check_statement(&bundle, trust)?.evidence().clone();
    Ok(SignedStatement { bundle, evidence })
}

fn check(bundle: &[u8], artifact: &[u8], root: &TrustedRoot) -> Result<(), SignError> {
    let verified = verify_artifact(bundle, Artifact::Bytes(artifact), root, SignerRule::Anybody);
    verified.map(drop).map_err(|error| SignError::DoesNotVerify(error.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::key::{KeyAlgorithm, PrivateKeyPem, SigningKey as _, generate};
    use crate::sign::KeySigner;

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
        for statement in ["", "{}", r#"{"subject":[{"digest":{"sha256":"00"}}]}"#] {
            let error = sign_statement(statement.as_bytes().to_vec(), &Never, Witnesses::default());
            assert!(matches!(error, Err(SignError::Unusable(_))), "{statement}: {error:?}");
        }
    }
    /// Signs with a key, over an encoding of the payload.
    struct Encoding(crate::key::PrivateKey, fn(&[u8]) -> Vec<u8>);

    impl Signer for Encoding {
        fn sign(&self, _: &[u8], payload: &[u8]) -> Result<Signed, SignError> {
            KeySigner::new(&self.0).sign(&self.1(payload), payload)
        }

        fn trust(&self) -> Trust<'_> {
            Trust::key(self.0.public_key())
        }
    }

    #[test]
    fn a_statement_that_does_not_verify_is_not_handed_out() {
        let (pem, _) = generate(KeyAlgorithm::EcdsaP256, None).expect("a key");
        let key = PrivateKeyPem::parse(pem.as_bytes()).and_then(|key| key.into_key(None)).expect("a key");
        let statement = format!(r#"{{"subject":[{{"digest":{{"sha256":"{}"}}}}]}}"#, "00".repeat(32)).into_bytes();
        let mut signer = Encoding(key, crate::envelope::pae);
        let signed = sign_statement(statement.clone(), &signer, Witnesses::default()).expect("it holds");
        assert_eq!(signed.evidence.key_hint, signer.0.public_key().hint());
        assert_eq!(Bundle::parse(&signed.bundle.to_json()).expect("a bundle"), signed.bundle);
        // The second is what models before v1.0 were signed over.
        for encoding in [<[u8]>::to_vec, crate::compat::pae_v0_2] {
            signer.1 = encoding;
            let error = sign_statement(statement.clone(), &signer, Witnesses::default());
            assert!(matches!(error, Err(SignError::DoesNotVerify(_))), "{error:?}");
        }
    }
}
