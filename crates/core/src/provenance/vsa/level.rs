//! What a verifier found an artifact to be (`SlsaResult`).

/// A level, or a property under a name of the verifier's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifiedLevel {
    /// `SLSA_<TRACK>_LEVEL_<LEVEL>`.
    Slsa {
        /// `BUILD`, `SOURCE`, and those to come.
        track: String,
        /// How high.
        level: Level,
    },
    /// Any other; never one that begins with `SLSA_`.
    Custom(String),
}

/// A level of a track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Each implies those below it.
    Number(u32),
    /// The verifier does not say.
    Unevaluated,
}

impl VerifiedLevel {
    /// Parses a level.
    ///
    /// # Errors
    /// [`InvalidLevel`] if it begins like one of SLSA's and is none.
    pub fn parse(text: &str) -> Result<Self, InvalidLevel> {
        let Some(rest) = text.strip_prefix("SLSA_") else { return Ok(Self::Custom(text.to_owned())) };
        let invalid = || InvalidLevel { found: text.to_owned() };
        let (track, level) = rest.rsplit_once("_LEVEL_").ok_or_else(invalid)?;
        if track.is_empty() {
            return Err(invalid());
        }
        let level = if level == "UNEVALUATED" {
            Level::Unevaluated
        } else {
            // One spelling for each number: no sign, no leading zero.
            let number = level.parse().ok().filter(|number: &u32| number.to_string() == level);
            Level::Number(number.ok_or_else(invalid)?)
        };
        Ok(Self::Slsa { track: track.to_owned(), level })
    }

    /// Whether what was found is what is wanted, or more of it.
    #[must_use]
    pub fn satisfies(&self, wanted: &Self) -> bool {
        match (self, wanted) {
            (
                Self::Slsa { track: found_track, level: Level::Number(found) },
                Self::Slsa { track, level: Level::Number(number) },
            ) => found_track == track && found >= number,
            // What was not evaluated is at no level, and a level is not what was not evaluated.
            _ => self == wanted,
        }
    }
}

impl std::fmt::Display for VerifiedLevel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Slsa { track, level: Level::Number(number) } => write!(f, "SLSA_{track}_LEVEL_{number}"),
            Self::Slsa { track, level: Level::Unevaluated } => write!(f, "SLSA_{track}_LEVEL_UNEVALUATED"),
            Self::Custom(name) => f.write_str(name),
        }
    }
}

/// A text that begins like a level of SLSA's and is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected `SLSA_<TRACK>_LEVEL_<NUMBER or UNEVALUATED>`, found `{found}`")]
pub struct InvalidLevel {
    /// What was found.
    pub found: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn satisfies(found: &str, wanted: &str) -> bool {
        let parse = |text| VerifiedLevel::parse(text).expect(text);
        parse(found).satisfies(&parse(wanted))
    }

    #[test]
    fn a_level_implies_those_below_it_in_its_track_alone() {
        for (found, wanted) in [
            ("SLSA_BUILD_LEVEL_3", "SLSA_BUILD_LEVEL_3"),
            ("SLSA_BUILD_LEVEL_3", "SLSA_BUILD_LEVEL_2"),
            ("SLSA_BUILD_LEVEL_10", "SLSA_BUILD_LEVEL_9"),
            ("SLSA_BUILD_LEVEL_0", "SLSA_BUILD_LEVEL_0"),
            ("SLSA_BUILD_LEVEL_UNEVALUATED", "SLSA_BUILD_LEVEL_UNEVALUATED"),
            ("FEDRAMP_LOW", "FEDRAMP_LOW"),
        ] {
            assert!(satisfies(found, wanted), "{found} {wanted}");
        }
        for (found, wanted) in [
            ("SLSA_BUILD_LEVEL_2", "SLSA_BUILD_LEVEL_3"),
            ("SLSA_SOURCE_LEVEL_3", "SLSA_BUILD_LEVEL_2"),
            ("SLSA_BUILD_LEVEL_UNEVALUATED", "SLSA_BUILD_LEVEL_0"),
            ("SLSA_BUILD_LEVEL_UNEVALUATED", "SLSA_BUILD_LEVEL_1"),
            ("SLSA_BUILD_LEVEL_1", "SLSA_BUILD_LEVEL_UNEVALUATED"),
            ("SLSA_SOURCE_LEVEL_UNEVALUATED", "SLSA_BUILD_LEVEL_UNEVALUATED"),
            ("FEDRAMP_HIGH", "FEDRAMP_LOW"),
            ("BUILD_LEVEL_3", "SLSA_BUILD_LEVEL_2"),
        ] {
            assert!(!satisfies(found, wanted), "{found} {wanted}");
        }
    }

    #[test]
    fn what_begins_like_a_level_has_to_be_one() {
        for text in [
            "SLSA_",
            "SLSA_BUILD",
            "SLSA_LEVEL_3",
            "SLSA__LEVEL_3",
            "SLSA_BUILD_LEVEL_",
            "SLSA_BUILD_LEVEL_+3",
            "SLSA_BUILD_LEVEL_03",
            "SLSA_BUILD_LEVEL_-1",
            "SLSA_BUILD_LEVEL_4294967296",
            "SLSA_BUILD_LEVEL_unevaluated",
            "SLSA_BUILD_LEVEL_3 ",
        ] {
            assert_eq!(VerifiedLevel::parse(text), Err(InvalidLevel { found: text.to_owned() }));
        }
        for text in ["SLSA_BUILD_LEVEL_3", "SLSA_A_B_LEVEL_UNEVALUATED", "slsa_build_level_3", "FAILED", ""] {
            assert_eq!(VerifiedLevel::parse(text).expect(text).to_string(), text);
        }
    }
}
