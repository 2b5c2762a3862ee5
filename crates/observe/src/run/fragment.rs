//! A trace in JSON: what a process leaves for another, and what is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{FileUse, MOST_ADDRESSES, MOST_FILES, MOST_GAPS, Trace};

/// Raised when a reader of the earlier form would misread it.
const VERSION: u32 = 1;

/// Why a text is no trace.
#[derive(Debug, thiserror::Error)]
pub enum InvalidFragment {
    /// It is no JSON, or of another shape.
    #[error("expected a trace in JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// It is of another version.
    #[error("expected version {VERSION}, found {0}")]
    Version(u32),
    /// A path is no absolute one.
    #[error("expected absolute paths, found `{0}`")]
    Path(String),
    /// There is more in it than a trace holds.
    #[error("expected at most {most} {what}, found {found}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        most: usize,
        /// How many there are.
        found: usize,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u32,
    processes: usize,
    files: Vec<File>,
    network: BTreeSet<String>,
    gaps: BTreeSet<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    path: PathText,
    #[serde(default, skip_serializing_if = "is_false")]
    read: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    written: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    executed: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    removed: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// A path, of which JSON may not have the bytes.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum PathText {
    Text(String),
    Bytes { bytes: Vec<u8> },
}

impl Trace {
    /// The trace as JSON.
    ///
    /// # Panics
    /// Never: what is in it always serialises.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        let file = |(path, used): (&PathBuf, &FileUse)| {
            let FileUse { read, written, executed, removed } = *used;
            File { path: PathText::of(path), read, written, executed, removed }
        };
        let document = Document {
            version: VERSION,
            processes: self.processes,
            files: self.files.iter().map(file).collect(),
            network: self.network.clone(),
            gaps: self.gaps.clone(),
        };
        let mut text = serde_json::to_vec_pretty(&document).expect("texts and numbers always serialise");
        text.push(b'\n');
        text
    }

    /// Reads what [`Self::to_json`] wrote.
    ///
    /// # Errors
    /// [`InvalidFragment`].
    pub fn from_json(text: &[u8]) -> Result<Self, InvalidFragment> {
        let document: Document = serde_json::from_slice(text)?;
        if document.version != VERSION {
            return Err(InvalidFragment::Version(document.version));
        }
        for (what, most, found) in [
            ("files", MOST_FILES, document.files.len()),
            ("addresses", MOST_ADDRESSES, document.network.len()),
            ("gaps", MOST_GAPS, document.gaps.len()),
        ] {
            if found > most {
                return Err(InvalidFragment::TooMany { what, most, found });
            }
        }
        let mut files: BTreeMap<PathBuf, FileUse> = BTreeMap::new();
        for File { path, read, written, executed, removed } in document.files {
            let path = path.into_path();
            if !path.is_absolute() {
                return Err(InvalidFragment::Path(path.display().to_string()));
            }
            files.entry(path).or_default().add(FileUse { read, written, executed, removed });
        }
        Ok(Self { files, network: document.network, processes: document.processes, gaps: document.gaps })
    }
}

impl PathText {
    fn of(path: &Path) -> Self {
        match path.to_str() {
            Some(text) => Self::Text(text.to_owned()),
            None => Self::Bytes { bytes: path.as_os_str().as_encoded_bytes().to_vec() },
        }
    }

    fn into_path(self) -> PathBuf {
        match self {
            Self::Text(text) => text.into(),
            Self::Bytes { bytes } => os_string(bytes).into(),
        }
    }
}

#[cfg(unix)]
fn os_string(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

#[cfg(not(unix))]
fn os_string(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace() -> Trace {
        let mut files = BTreeMap::from([
            (PathBuf::from("/data/a"), FileUse { read: true, ..FileUse::default() }),
            (PathBuf::from("/out/模型"), FileUse { written: true, removed: true, ..FileUse::default() }),
        ]);
        #[cfg(unix)]
        files.insert(os_string(b"/data/\xff".to_vec()).into(), FileUse { executed: true, ..FileUse::default() });
        Trace {
            files: std::mem::take(&mut files),
            network: BTreeSet::from(["connect 192.0.2.1:443".to_owned()]),
            processes: 3,
            gaps: BTreeSet::from(["io_uring".to_owned()]),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(Trace::from_json(&trace().to_json()).expect("a trace"), trace());
    }

    #[test]
    fn what_is_no_trace_is_refused() {
        for (text, says) in [
            ("", "expected a trace in JSON"),
            (r#"{"version": 1}"#, "missing field `processes`"),
            (
                r#"{"version": 2, "processes": 1, "files": [], "network": [], "gaps": []}"#,
                "expected version 1, found 2",
            ),
            (
                r#"{"version": 1, "processes": 1, "files": [], "network": [], "gaps": [], "more": 1}"#,
                "unknown field `more`",
            ),
            (
                r#"{"version": 1, "processes": 1, "files": [{"path": "a"}], "network": [], "gaps": []}"#,
                "expected absolute paths, found `a`",
            ),
        ] {
            let error = Trace::from_json(text.as_bytes()).expect_err(text).to_string();
            assert!(error.contains(says), "{error}");
        }
        let gaps: BTreeSet<String> = (0..=MOST_GAPS).map(|index| index.to_string()).collect();
        let error = Trace::from_json(&Trace { gaps, ..Trace::default() }.to_json()).expect_err("too many");
        assert_eq!(error.to_string(), "expected at most 1000 gaps, found 1001");
    }

    #[test]
    fn traces_add_up() {
        let mut one = trace();
        let file = FileUse { written: true, ..FileUse::default() };
        one.merge(Trace {
            files: BTreeMap::from([(PathBuf::from("/data/a"), file)]),
            processes: 2,
            ..Trace::default()
        });
        assert_eq!(one.files[Path::new("/data/a")], FileUse { read: true, written: true, ..FileUse::default() });
        assert_eq!(one.processes, 5);
    }
}
