//! PINs: what holds one, and the files that they are in.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

/// The longest PIN file that is read, in bytes.
const MAX_PIN_FILE_BYTES: u64 = 64 << 10;

/// The PIN of a token: shown to nobody, wiped when it is no longer needed.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(Zeroizing<Vec<u8>>);

impl Pin {
    /// A PIN of these bytes.
    #[must_use]
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }

    /// Reads the PIN in the first line of the file at `path`.
    ///
    /// # Errors
    /// [`PinFileError`]: the file can't be read, or its first line is empty.
    pub fn read(path: &Path) -> Result<Self, PinFileError> {
        let mut content = Zeroizing::new(Vec::new());
        let read = File::open(path).and_then(|file| file.take(MAX_PIN_FILE_BYTES).read_to_end(&mut content));
        read.map_err(|source| PinFileError::Unreadable { path: path.to_owned(), source })?;
        let end = content.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(content.len());
        if end == 0 {
            // To try an empty PIN would cost one of the few attempts that a token allows.
            return Err(PinFileError::Empty { path: path.to_owned() });
        }
        content.truncate(end);
        Ok(Self(content))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin(…)")
    }
}

/// Why a file gave no PIN.
#[derive(Debug, thiserror::Error)]
pub enum PinFileError {
    /// The file can't be read.
    #[error("the PIN file `{}` cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// There is nothing in the first line.
    #[error("the PIN file `{}`: expected a PIN in the first line, found nothing", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pin_file_gives_its_first_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pin");
        for (content, pin) in [("1234", "1234"), ("1234\n", "1234"), (" 12 34 \r\nrest\n", " 12 34 ")] {
            std::fs::write(&path, content).expect("written");
            assert_eq!(Pin::read(&path).expect("a PIN").bytes(), pin.as_bytes());
        }
        for content in ["", "\n1234\n"] {
            std::fs::write(&path, content).expect("written");
            assert!(matches!(Pin::read(&path), Err(PinFileError::Empty { .. })), "{content:?}");
        }
        assert!(matches!(Pin::read(&folder.path().join("none")), Err(PinFileError::Unreadable { .. })));
    }

    #[test]
    fn a_pin_is_not_printed() {
        assert_eq!(format!("{:?}", Pin::new(Zeroizing::new(b"1234".to_vec()))), "Pin(…)");
    }
}
