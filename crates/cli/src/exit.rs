//! Exit codes: "bad" and "could not tell" never share one.

/// How the process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or verified.
    Done,
    /// Something that was read is not acceptable: the model, the bundle, a key.
    Rejected,
    /// The command line is wrong.
    Usage,
    /// Something could not be read, written or reached.
    CouldNotCheck,
    /// As a command that was run for the user ended.
    Command(u8),
}

impl Exit {
    /// What the process ends with.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Rejected => 1,
            Self::Usage => 2,
            Self::CouldNotCheck => 3,
            Self::Command(code) => code,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
