//! Checkpoints: what a log says it is, signed (C2SP signed-note and tlog-checkpoint).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::{LogKey, TreeHash};
use crate::certificate::UnixTime;

/// The largest checkpoint that is read, in bytes. One signature takes about 150.
pub const MAX_CHECKPOINT_BYTES: usize = 64 << 10;

/// The most signatures on a checkpoint: the log's and those of witnesses.
const MAX_SIGNATURES: usize = 100;

/// A checkpoint as it was read. Nothing of it is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// What is signed, with its final newline.
    text: String,
    origin: String,
    size: u64,
    root: TreeHash,
    signatures: Vec<NoteSignature>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct NoteSignature {
    name: String,
    hint: [u8; 4],
    signature: Vec<u8>,
}

/// A checkpoint that a trusted log signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifiedCheckpoint {
    origin: String,
    size: u64,
    root: TreeHash,
}

impl VerifiedCheckpoint {
    /// What the log calls itself; for Rekor v1 with the number of the tree.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The hash of all of them.
    #[must_use]
    pub fn root(&self) -> TreeHash {
        self.root
    }
}

impl Checkpoint {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError`]: what is wrong with the text.
    pub fn parse(note: &str) -> Result<Self, CheckpointError> {
        if note.len() > MAX_CHECKPOINT_BYTES {
            return Err(CheckpointError::TooLarge { found: note.len() });
        }
        // The last empty line: nothing that is signed can be passed off as a signature.
        let (text, signatures) = note.rfind("\n\n").map(|at| (&note[..=at], &note[at + 2..])).ok_or(NOT_SIGNED)?;
        // C2SP signed-note; and what is printed or compared is then what was signed.
        if text.chars().any(|character| character.is_control() && character != '\n') {
            return Err(CheckpointError::Malformed("a text without control characters"));
        }
        let mut lines = text.lines();
        let mut line = || lines.next().filter(|line| !line.is_empty());
        let origin = line().ok_or(CheckpointError::Malformed("a line with its origin"))?;
        let size = line().and_then(decimal).ok_or(CheckpointError::Malformed("a line with its size"))?;
        let root = line().and_then(hash).ok_or(CheckpointError::Malformed("a line with its root hash"))?;
        let signatures: Vec<&str> = signatures.lines().take(MAX_SIGNATURES + 1).collect();
        if signatures.len() > MAX_SIGNATURES {
            return Err(CheckpointError::Malformed("at most 100 signatures"));
        }
        let signatures: Option<Vec<NoteSignature>> = signatures.into_iter().map(NoteSignature::parse).collect();
        let signatures = signatures.filter(|signatures| !signatures.is_empty()).ok_or(NOT_SIGNED)?;
        Ok(Self { text: text.to_owned(), origin: origin.to_owned(), size, root, signatures })
    }

    /// What the checkpoint says it is of, **unverified**.
    #[must_use]
    pub fn stated_origin(&self) -> &str {
        &self.origin
    }

    /// Checks that one of `logs`, whose period has begun by `now`, signed it.
    ///
    /// # Errors
    /// [`CheckpointError::NoSignature`] if there is no signature of one of them, [`CheckpointError::Signature`] if none
    /// of those holds.
    pub fn verify<'k>(
        &self,
        logs: impl IntoIterator<Item = &'k LogKey>,
        now: UnixTime,
    ) -> Result<VerifiedCheckpoint, CheckpointError> {
        let logs: Vec<&LogKey> = logs.into_iter().filter(|log| log.has_started_by(now)).collect();
        // Four bytes may be those of several keys: each is tried.
        let mut found = false;
        for line in self.signatures.iter().filter(|line| self.is_named(&line.name)) {
            for log in logs.iter().filter(|log| log.has_hint(&line.name, line.hint)) {
                found = true;
                if log.has_signed(self.text.as_bytes(), &line.signature) {
                    let Self { origin, size, root, .. } = self.clone();
                    return Ok(VerifiedCheckpoint { origin, size, root });
                }
            }
        }
        let origin = self.origin.clone();
        Err(if found { CheckpointError::Signature { origin } } else { CheckpointError::NoSignature { origin } })
    }

    /// Whether a signature of this name is the log's own: the origin, or for Rekor v1 what stands before the tree's number.
    fn is_named(&self, name: &str) -> bool {
        self.origin.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(" - "))
    }
}

impl NoteSignature {
    fn parse(line: &str) -> Option<Self> {
        let (name, bytes) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
        let bytes = STANDARD.decode(bytes).ok()?;
        let (hint, signature) = bytes.split_first_chunk().filter(|(_, signature)| !signature.is_empty())?;
        (!name.is_empty()).then(|| Self { name: name.to_owned(), hint: *hint, signature: signature.to_vec() })
    }
}

/// A number as a checkpoint has it, which is one that an index can be.
fn decimal(text: &str) -> Option<u64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|size| is_plain && i64::try_from(*size).is_ok())
}

fn hash(text: &str) -> Option<TreeHash> {
    STANDARD.decode(text).ok()?.try_into().ok().map(TreeHash::from_bytes)
}

const NOT_SIGNED: CheckpointError = CheckpointError::Malformed("an empty line and signatures");

/// Why a checkpoint is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// It is larger than any that is read.
    #[error("expected a checkpoint of at most {MAX_CHECKPOINT_BYTES} bytes, found {found}")]
    TooLarge {
        /// Its length in bytes.
        found: usize,
    },
    /// The text is not a checkpoint.
    #[error("it is not a checkpoint: expected {0}")]
    Malformed(&'static str),
    /// No log that is trusted has signed it.
    #[error("the checkpoint of `{origin}` has no signature of a log that is trusted")]
    NoSignature {
        /// What it says it is of.
        origin: String,
    },
    /// The log's signature on it does not hold.
    #[error("the signature on the checkpoint of `{origin}` does not hold")]
    Signature {
        /// What it says it is of.
        origin: String,
    },
}

#[cfg(test)]
mod tests {
    use super::super::testing::{TestLog, note};
    use super::*;
    use crate::key::KeyAlgorithm;

    const NOW: UnixTime = UnixTime(1_000);

    #[test]
    fn logs_of_both_kinds_are_believed() {
        for (algorithm, origin, name) in [
            (KeyAlgorithm::EcdsaP256, "rekor.example - 17", "rekor.example"),
            (KeyAlgorithm::Ed25519, "log.example", "log.example"),
            (KeyAlgorithm::EcdsaP384, "log.example/path", "log.example/path"),
        ] {
            let log = TestLog::new(algorithm, name);
            let text = log.checkpoint(origin, 5, TreeHash::from_bytes([7; 32]));
            let verified = Checkpoint::parse(&text).expect("well formed").verify([&log.public], NOW).expect(origin);
            assert_eq!((verified.origin(), verified.size()), (origin, 5));
            assert_eq!(verified.root(), TreeHash::from_bytes([7; 32]));
        }
    }

    #[test]
    fn every_byte_that_is_signed_counts() {
        let log = TestLog::new(KeyAlgorithm::Ed25519, "log.example");
        let text = log.checkpoint("log.example", 5, TreeHash::from_bytes([7; 32]));
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1;
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            let refused = Checkpoint::parse(&changed).and_then(|note| note.verify([&log.public], NOW));
            // Of the final newline nothing depends.
            assert!(refused.is_err() || at == text.len() - 1, "{changed}");
        }
    }

    #[test]
    fn others_do_not_sign_for_a_log() {
        let log = TestLog::new(KeyAlgorithm::Ed25519, "log.example");
        let other = TestLog::new(KeyAlgorithm::Ed25519, "log.example");
        let witness = TestLog::new(KeyAlgorithm::Ed25519, "witness.example");
        let root = TreeHash::from_bytes([7; 32]);
        let text = log.checkpoint("log.example", 5, root);
        let parsed = Checkpoint::parse(&text).expect("well formed");
        let no_signature = CheckpointError::NoSignature { origin: "log.example".to_owned() };
        assert_eq!(parsed.verify([&other.public], NOW), Err(no_signature.clone()));
        assert_eq!(parsed.verify([], NOW), Err(no_signature.clone()));
        let later = log.public.clone().with_period(Some(UnixTime(1_001)), None);
        assert_eq!(parsed.verify([&later], NOW), Err(no_signature.clone()));
        let ended = log.public.clone().with_period(None, Some(UnixTime(999)));
        parsed.verify([&ended], NOW).expect("what was signed in the period counts later");

        // A trusted log that signs under its own name signs for itself alone.
        let body = note("log.example", 5, root);
        let foreign = format!("{body}\n{}", witness.signature_line("witness.example", &body));
        let parsed = Checkpoint::parse(&foreign).expect("well formed");
        assert_eq!(parsed.verify([&witness.public], NOW), Err(no_signature));
        let both = format!("{foreign}{}", log.signature_line("log.example", &body));
        Checkpoint::parse(&both).expect("well formed").verify([&log.public], NOW).expect("the log's own is there");
        // A line that claims the log's key identifier does not hide the one that holds.
        let claimed = format!("\u{2014} log.example {}\n", STANDARD.encode([&log.hint()[..], &[1; 64]].concat()));
        let body = note("log.example", 5, root);
        let broken = Checkpoint::parse(&format!("{body}\n{claimed}")).expect("well formed");
        let error = CheckpointError::Signature { origin: "log.example".to_owned() };
        assert_eq!(broken.verify([&log.public], NOW), Err(error));
        let both = format!("{body}\n{claimed}{}", log.signature_line("log.example", &body));
        Checkpoint::parse(&both).expect("well formed").verify([&log.public], NOW).expect("the second holds");
    }

    #[test]
    fn other_texts_are_not_checkpoints() {
        let root = STANDARD.encode([7; 32]);
        let signature = format!("\u{2014} a {}\n", STANDARD.encode([1; 9]));
        let good = format!("a\n5\n{root}\n\n{signature}");
        Checkpoint::parse(&good).expect("well formed");
        for bad in [
            String::new(),
            "\n\n".to_owned(),
            format!("a\n5\n{root}\n"),
            format!("a\n5\n{root}\n\n"),
            format!("\n5\n{root}\n\n{signature}"),
            format!("a\n\n{root}\n\n{signature}"),
            format!("a\r\n5\n{root}\n\n{signature}"),
            format!("a\n5\n{root}\n\u{1b}[2J\n\n{signature}"),
            format!("a\n+5\n{root}\n\n{signature}"),
            format!("a\n05\n{root}\n\n{signature}"),
            format!("a\n-1\n{root}\n\n{signature}"),
            format!("a\n{}\n{root}\n\n{signature}", u64::MAX),
            format!("a\n5\n{}\n\n{signature}", STANDARD.encode([7; 31])),
            format!("a\n5\n{root}\n\n- a {}\n", STANDARD.encode([1; 9])),
            format!("a\n5\n{root}\n\n\u{2014} a {}\n", STANDARD.encode([1; 4])),
            format!("a\n5\n{root}\n\n{}", signature.repeat(MAX_SIGNATURES + 1)),
        ] {
            assert!(matches!(Checkpoint::parse(&bad), Err(CheckpointError::Malformed(_))), "{bad}");
        }
        let large = format!("a\n5\n{root}\n{}\n\n{signature}", "x".repeat(MAX_CHECKPOINT_BYTES));
        assert!(matches!(Checkpoint::parse(&large), Err(CheckpointError::TooLarge { .. })));
    }
}
