//! Following a log by its tiles (C2SP tlog-tiles, Rekor v2).

use std::fmt::Display;

use super::follow::{Reading, check_growth, forked};
use super::{Finding, FollowError, FollowedLog, Inconsistency, LogState, Round, SeenTree, Since, Watch};
use crate::log::{EntryBundle, TileSource, TiledTree, TreeError, TreeHash};

/// A log that serves its checkpoint beside its tiles.
pub trait TiledLog: TileSource {
    /// The newest checkpoint.
    ///
    /// # Errors
    /// Whatever kept it from being read.
    fn checkpoint(&mut self) -> Result<String, Self::Error>;
}

/// Reads what is new in a log since `state`, or from `since` on; without either nothing yet.
pub fn follow_tiles<S: TiledLog>(
    source: S,
    log: &FollowedLog<'_>,
    state: Option<&LogState>,
    since: Option<&Since>,
    watch: &Watch,
) -> Round<S::Error>
where
    S::Error: Display,
{
    let mut reading = Reading::new(log, watch);
    let outcome = follow(source, log, state, since, &mut reading);
    let round = reading.end(state, outcome);
    Round { has_begun: state.is_none() && since.is_none() && round.error.is_none(), ..round }
}

fn follow<S: TiledLog>(
    mut source: S,
    log: &FollowedLog<'_>,
    state: Option<&LogState>,
    since: Option<&Since>,
    reading: &mut Reading<'_>,
) -> Result<(), FollowError<S::Error>>
where
    S::Error: Display,
{
    let note = source.checkpoint().map_err(FollowError::Source)?;
    let checkpoint = log.check(&note)?;
    let seen = state.and_then(|state| state.trees.first());
    let given = match since {
        Some(Since::Checkpoint(tree)) => Some(&**tree),
        Some(Since::Index(_)) | None => None,
    };
    let olds: Vec<&SeenTree> = seen.into_iter().chain(given).collect();
    for old in &olds {
        if old.checkpoint.origin() != checkpoint.origin() {
            let gone = Inconsistency::Gone {
                origin: old.checkpoint.origin().to_owned(),
                found: format!("`{}`", checkpoint.origin()),
            };
            return Err(FollowError::inconsistent(gone, &note));
        }
        check_growth(&old.checkpoint, &checkpoint, &note)?;
    }
    let told = |error| from_tree(error, &note);
    let mut tree = TiledTree::open(source, &checkpoint).map_err(told)?;
    for old in &olds {
        if tree.root_at(old.checkpoint.size()).map_err(told)? != old.checkpoint.root() {
            return Err(forked(&old.checkpoint, &checkpoint, &note));
        }
    }

    let size = checkpoint.size();
    let next = match (since, seen) {
        (Some(Since::Index(index)), _) if *index > size => {
            return Err(FollowError::Since { since: *index, size });
        }
        (Some(Since::Index(index)), _) => *index,
        (Some(Since::Checkpoint(tree)), _) => tree.next,
        (None, Some(seen)) => seen.next,
        (None, None) => size,
    };
    let origin = checkpoint.origin().to_owned();
    reading.trees = vec![SeenTree { note: note.clone(), checkpoint, next }];
    let mut next = next;
    while next < size && !reading.is_over() {
        let bundle = tree.entries(next / EntryBundle::FULL).map_err(told)?;
        let first = next;
        let take = usize::try_from(reading.budget_left()).unwrap_or(usize::MAX);
        for (index, entry) in bundle.into_iter().skip_while(|(index, _)| *index < first).take(take) {
            reading.read(&entry, |sighting| Finding {
                origin: origin.clone(),
                index,
                entry_hash: TreeHash::of_leaf(&entry),
                uuid: None,
                integrated_time: None,
                sighting,
            });
            next = index + 1;
        }
        reading.trees[0].next = next;
    }
    Ok(())
}

fn from_tree<E: Display>(error: TreeError<E>, note: &str) -> FollowError<E> {
    match error {
        TreeError::Source(error) => FollowError::Source(error),
        TreeError::Malformed(error) => FollowError::Malformed(error.to_string()),
        error @ (TreeError::Root | TreeError::Tile { .. } | TreeError::Entry { .. } | TreeError::Shorter { .. }) => {
            FollowError::contradiction(error.to_string(), note)
        }
    }
}
