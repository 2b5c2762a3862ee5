//! Exit codes: "bad" and "could not tell" never share one.

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Done, or verified.
    Done = 0,
    /// Something that was read is not acceptable: the model, the bundle, a key.
    Rejected = 1,
    /// The command line is wrong.
    Usage = 2,
    /// Something could not be read, written or reached.
    CouldNotCheck = 3,
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
