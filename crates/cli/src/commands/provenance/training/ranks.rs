//! Processes that train together: each leaves what it saw, and that of rank 0 puts it together.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use model_transparency::output::{Access, Existing, write};
use model_transparency_observe::host::Ranks;
use model_transparency_observe::run::Trace;
use model_transparency_observe::snapshot::Snapshot;

use crate::failure::Failure;
use crate::inputs::read_limited;
use crate::output::Console;

/// How long the others may take to end when that of rank 0 has.
const PATIENCE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(200);
/// The longest fragment that is read.
const MAX_FRAGMENT_BYTES: u64 = 256 << 20;

/// Whose provenance a process writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Its own: it is alone, or starts the others.
    Alone,
    /// That of all.
    First,
    /// None.
    Other {
        /// Which of them it is.
        rank: u64,
    },
}

/// The place of this process.
pub(super) fn place(ranks: Option<&Ranks>) -> Place {
    match ranks.filter(|ranks| ranks.world_size > 1).and_then(|ranks| ranks.rank) {
        None => Place::Alone,
        Some(0) => Place::First,
        Some(rank) => Place::Other { rank },
    }
}

/// Fragments of other ranks, and what of them is from an earlier run.
pub(super) struct Fragments<'a> {
    folder: &'a Path,
    world_size: u64,
    before: Snapshot,
}

impl<'a> Fragments<'a> {
    pub(super) fn new(folder: &'a Path, world_size: u64) -> Result<Self, Failure> {
        if !folder.is_dir() {
            let message = format!("--rank-fragments `{}`: expected a folder that is there", folder.display());
            return Err(Failure::could_not_check("unreadable", message));
        }
        Ok(Self { folder, world_size, before: Snapshot::of((1..world_size).map(|rank| fragment(folder, rank))) })
    }

    /// Adds what the others saw to `trace`, waiting for them for a while. Returns those of which there is nothing.
    pub(super) fn gather(&self, trace: &mut Trace, console: &Console) -> Result<Vec<u64>, Failure> {
        let mut missing: Vec<u64> = (1..self.world_size).collect();
        let started = Instant::now();
        loop {
            let mut later = Vec::new();
            for rank in missing {
                let path = fragment(self.folder, rank);
                let now = Snapshot::of([path.clone()]);
                if now.unchanged_since(&self.before) == (1, 0) { trace.merge(read(&path)?) } else { later.push(rank) }
            }
            missing = later;
            if missing.is_empty() || started.elapsed() > PATIENCE {
                return Ok(missing);
            }
            if started.elapsed() < TICK {
                console.note(&format!("waiting for {} of {} ranks, a minute at most", missing.len(), self.world_size));
            }
            std::thread::sleep(TICK);
        }
    }
}

/// Leaves what the process of `rank` saw.
pub(super) fn leave(folder: &Path, rank: u64, trace: &Trace) -> Result<PathBuf, Failure> {
    let path = fragment(folder, rank);
    write(&path, &trace.to_json(), Access::Everyone, Existing::Replace)?;
    Ok(path)
}

fn fragment(folder: &Path, rank: u64) -> PathBuf {
    folder.join(format!("model-signing-rank-{rank}.json"))
}

fn read(path: &Path) -> Result<Trace, Failure> {
    let bytes = read_limited("the fragment", path, MAX_FRAGMENT_BYTES + 1)?;
    Trace::from_json(&bytes)
        .map_err(|error| Failure::rejected("invalid_fragment", format!("the fragment `{}`: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Format, LogLevel};

    fn ranks(world_size: u64, rank: Option<u64>) -> Ranks {
        Ranks { world_size, rank, variable: "WORLD_SIZE" }
    }

    #[test]
    fn one_of_many_writes() {
        assert_eq!(place(None), Place::Alone);
        assert_eq!(place(Some(&ranks(1, Some(0)))), Place::Alone);
        assert_eq!(place(Some(&ranks(4, None))), Place::Alone);
        assert_eq!(place(Some(&ranks(4, Some(0)))), Place::First);
        assert_eq!(place(Some(&ranks(4, Some(3)))), Place::Other { rank: 3 });
    }

    #[test]
    fn what_all_ranks_saw_is_put_together() {
        let folder = tempfile::tempdir().expect("a folder");
        let console = Console::new(Format::Json, LogLevel::Error);
        let seen = |place: &str| Trace { network: [place.to_owned()].into(), processes: 1, ..Trace::default() };
        leave(folder.path(), 1, &seen("tcp 192.0.2.9:1")).expect("left by an earlier run");
        let fragments = Fragments::new(folder.path(), 3).expect("a folder");
        leave(folder.path(), 1, &seen("tcp 192.0.2.1:1")).expect("left");
        leave(folder.path(), 2, &seen("tcp 192.0.2.2:1")).expect("left");
        let mut trace = seen("tcp 192.0.2.0:1");
        assert_eq!(fragments.gather(&mut trace, &console).expect("read"), Vec::<u64>::new());
        assert_eq!(trace.network, ["tcp 192.0.2.0:1", "tcp 192.0.2.1:1", "tcp 192.0.2.2:1"].map(str::to_owned).into());
        assert_eq!(trace.processes, 3);
    }

    #[test]
    fn a_fragment_that_is_none_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let console = Console::new(Format::Json, LogLevel::Error);
        let fragments = Fragments::new(folder.path(), 2).expect("a folder");
        std::fs::write(folder.path().join("model-signing-rank-1.json"), "{}").expect("written");
        let failure = fragments.gather(&mut Trace::default(), &console).expect_err("no fragment");
        assert_eq!(failure.kind, "invalid_fragment");
        assert!(Fragments::new(&folder.path().join("none"), 2).is_err());
    }
}
