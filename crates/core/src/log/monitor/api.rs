//! Following a log by the interface of Rekor v1, in which a log is a sequence of trees (shards).

use super::follow::{Reading, check_growth, forked, log_name};
use super::state::MAX_TREES;
use super::{Finding, FollowError, FollowedLog, Inconsistency, LogState, Round, SeenTree, Since, Watch};
use crate::certificate::UnixTime;
use crate::log::entry::has_promised;
use crate::log::{LogId, TreeHash, VerifiedCheckpoint, verify_consistency, verify_inclusion};

/// The most entries that are asked for at once, which is the most that Rekor v1 gives.
pub const MAX_ENTRIES_ASKED: usize = 10;

/// What a log of version 1 is asked. Nothing of the answers is believed.
pub trait ApiLog {
    /// Why there is no answer.
    type Error;

    /// The newest checkpoint of every tree, in the order of the trees.
    ///
    /// # Errors
    /// Whatever kept them from being read.
    fn checkpoints(&mut self) -> Result<Vec<String>, Self::Error>;

    /// The proof that a tree with this number, of `new` entries, begins with that of `old`.
    ///
    /// # Errors
    /// Whatever kept it from being read.
    fn consistency(&mut self, tree: u64, old: u64, new: u64) -> Result<Vec<TreeHash>, Self::Error>;

    /// At most [`MAX_ENTRIES_ASKED`] entries, whose indices count across trees.
    ///
    /// # Errors
    /// Whatever kept them from being read.
    fn entries(&mut self, first: u64, count: usize) -> Result<Vec<ApiEntry>, Self::Error>;
}

/// An entry as the interface gives it.
#[derive(Clone, Debug)]
pub struct ApiEntry {
    /// Its body.
    pub body: Vec<u8>,
    /// Its index, which counts across trees.
    pub log_index: u64,
    /// What the log says of itself.
    pub log_id: LogId,
    /// When the log took it.
    pub integrated_time: u64,
    /// The log's signature over the above.
    pub promise: Option<Vec<u8>>,
    /// Its index in its tree.
    pub tree_index: u64,
    /// The proof that it is there.
    pub hashes: Vec<TreeHash>,
    /// The tree of the proof, as the log signed it.
    pub checkpoint: String,
}

/// Reads what is new in a log since `state`, or from `since` on; without either nothing yet.
pub fn follow_api<S: ApiLog>(
    source: S,
    log: &FollowedLog<'_>,
    state: Option<&LogState>,
    since: Option<&Since>,
    watch: &Watch,
) -> Round<S::Error> {
    let mut reading = Reading::new(log, watch);
    let mut follower = Follower { source, log };
    let outcome = follower.follow(state, since, &mut reading);
    let round = reading.end(state, outcome);
    Round { has_begun: state.is_none() && since.is_none() && round.error.is_none(), ..round }
}

struct Follower<'a, S> {
    source: S,
    log: &'a FollowedLog<'a>,
}

/// A tree as the log shows it, and where its entries are among all.
struct Tree {
    number: u64,
    first_index: u64,
    /// The newest of its checkpoints that proofs were for, and that is what the tree became.
    newest: VerifiedCheckpoint,
}

impl<S: ApiLog> Follower<'_, S> {
    fn follow(
        &mut self,
        state: Option<&LogState>,
        since: Option<&Since>,
        reading: &mut Reading<'_>,
    ) -> Result<(), FollowError<S::Error>> {
        let (mut seen, mut trees) = (Vec::new(), Vec::new());
        let mut first_index = 0_u64;
        for note in self.checkpoints()? {
            let checkpoint = self.log.check(&note)?;
            let number = tree_number(checkpoint.origin()).ok_or_else(|| {
                FollowError::Malformed(format!("`{}` does not say which tree it is of", checkpoint.origin()))
            })?;
            let size = checkpoint.size();
            trees.push(Tree { number, first_index, newest: checkpoint.clone() });
            seen.push(SeenTree { note, checkpoint, next: size });
            first_index = first_index.saturating_add(size);
        }
        self.check_past(state, since, &seen, &trees)?;
        for (tree, seen) in trees.iter().zip(&mut seen) {
            seen.next = start(state, since, tree, seen.next, &trees)?;
        }
        if let Some(Since::Index(index)) = since
            && *index > first_index
        {
            return Err(FollowError::Since { since: *index, size: first_index });
        }
        reading.trees = seen;
        for (at, mut tree) in trees.into_iter().enumerate() {
            while reading.trees[at].next < reading.trees[at].checkpoint.size() && !reading.is_over() {
                reading.trees[at].next = self.read_some(&mut tree, at, reading)?;
            }
        }
        Ok(())
    }

    fn checkpoints(&mut self) -> Result<Vec<String>, FollowError<S::Error>> {
        let notes = self.source.checkpoints().map_err(FollowError::Source)?;
        if notes.is_empty() || notes.len() > MAX_TREES {
            return Err(FollowError::Malformed(format!("expected 1 to {MAX_TREES} trees, found {}", notes.len())));
        }
        Ok(notes)
    }

    /// Checks that every tree that was there is there, at its place, and is what it became.
    fn check_past(
        &mut self,
        state: Option<&LogState>,
        since: Option<&Since>,
        seen: &[SeenTree],
        trees: &[Tree],
    ) -> Result<(), FollowError<S::Error>> {
        let newest = seen.last().map_or("", |tree| tree.note.as_str());
        let gone = |old: &SeenTree| {
            let found: Vec<String> = seen.iter().map(|tree| format!("`{}`", tree.checkpoint.origin())).collect();
            let gone = Inconsistency::Gone { origin: old.checkpoint.origin().to_owned(), found: found.join(", ") };
            FollowError::inconsistent(gone, newest)
        };
        let twice = |(at, tree): (usize, &SeenTree)| {
            seen[..at].iter().any(|other| other.checkpoint.origin() == tree.checkpoint.origin())
        };
        if seen.iter().enumerate().any(twice) {
            return Err(FollowError::Malformed("a tree is there twice".to_owned()));
        }
        let mut olds: Vec<(&SeenTree, &SeenTree, &Tree)> = Vec::new();
        for (at, old) in state.iter().flat_map(|state| &state.trees).enumerate() {
            // Another order would give entries other indices.
            let new = seen.get(at).filter(|new| new.checkpoint.origin() == old.checkpoint.origin());
            olds.push((old, new.ok_or_else(|| gone(old))?, &trees[at]));
        }
        if let Some(Since::Checkpoint(old)) = since {
            let at = seen.iter().position(|new| new.checkpoint.origin() == old.checkpoint.origin());
            let at = at.ok_or_else(|| gone(old))?;
            olds.push((old, &seen[at], &trees[at]));
        }
        for (old, new, tree) in olds {
            check_growth(&old.checkpoint, &new.checkpoint, &new.note)?;
            self.check_became(tree.number, &old.checkpoint, &new.checkpoint, &new.note)?;
        }
        Ok(())
    }

    /// Checks that the one became the other, which is not smaller.
    fn check_became(
        &mut self,
        tree: u64,
        old: &VerifiedCheckpoint,
        new: &VerifiedCheckpoint,
        note: &str,
    ) -> Result<(), FollowError<S::Error>> {
        // Of a tree without entries every tree may come, and of one that has not grown the roots were compared.
        if old.size() == 0 || old.size() == new.size() {
            return if old.size() == 0 || old.root() == new.root() { Ok(()) } else { Err(forked(old, new, note)) };
        }
        let proof = self.source.consistency(tree, old.size(), new.size()).map_err(FollowError::Source)?;
        verify_consistency((old.size(), old.root()), (new.size(), new.root()), &proof)
            .map_err(|_| forked(old, new, note))
    }

    /// Reads the next entries of a tree, and gives the index in it to go on at.
    fn read_some(
        &mut self,
        tree: &mut Tree,
        at: usize,
        reading: &mut Reading<'_>,
    ) -> Result<u64, FollowError<S::Error>> {
        let SeenTree { next, checkpoint, .. } = &reading.trees[at];
        let (next, origin) = (*next, checkpoint.origin().to_owned());
        let count = (checkpoint.size() - next).min(reading.budget_left()).min(MAX_ENTRIES_ASKED as u64);
        let first = tree.first_index + next;
        let mut entries =
            self.source.entries(first, usize::try_from(count).unwrap_or_default()).map_err(FollowError::Source)?;
        entries.sort_by_key(|entry| entry.tree_index);
        if !entries.iter().map(|entry| entry.tree_index).eq(next..next + count) {
            let found = entries.len();
            return Err(FollowError::Malformed(format!(
                "expected the {count} entries from index {first} on, found {found} that are not all of these"
            )));
        }
        for entry in &entries {
            self.check_entry(entry, tree)?;
            let entry_hash = TreeHash::of_leaf(&entry.body);
            let found = reading.read(&entry.body, |sighting| Finding {
                origin: origin.clone(),
                index: tree.first_index + entry.tree_index,
                entry_hash,
                uuid: Some(format!("{:016x}{entry_hash}", tree.number)),
                integrated_time: None,
                sighting,
            });
            if !found.is_empty()
                && let Some(promise) = &entry.promise
            {
                let time = self.check_promise(entry, tree, promise)?;
                found.iter_mut().for_each(|finding| finding.integrated_time = Some(time));
            }
        }
        Ok(next + count)
    }

    /// Checks that an entry is in the tree that is read.
    fn check_entry(&mut self, entry: &ApiEntry, tree: &mut Tree) -> Result<(), FollowError<S::Error>> {
        let note = &entry.checkpoint;
        let proven = self.log.check(note)?;
        if proven.origin() != tree.newest.origin() {
            let reason = format!("entry {} is in `{}`", entry.log_index, proven.origin());
            return Err(FollowError::contradiction(reason, note));
        }
        // The log may have grown since, and where several serve it one may be behind.
        if proven.size() >= tree.newest.size() {
            check_growth(&tree.newest, &proven, note)?;
            self.check_became(tree.number, &tree.newest, &proven, note)?;
            tree.newest = proven.clone();
        } else {
            self.check_became(tree.number, &proven, &tree.newest, note)?;
        }
        let leaf = TreeHash::of_leaf(&entry.body);
        verify_inclusion(leaf, entry.tree_index, proven.size(), proven.root(), &entry.hashes).map_err(|error| {
            FollowError::contradiction(format!("entry {} of `{}`: {error}", entry.tree_index, proven.origin()), note)
        })
    }

    /// The time at which the log took an entry, if it did sign that.
    fn check_promise(&self, entry: &ApiEntry, tree: &Tree, promise: &[u8]) -> Result<UnixTime, FollowError<S::Error>> {
        let index = tree.first_index + entry.tree_index;
        let contradiction = |reason: String| FollowError::contradiction(reason, &entry.checkpoint);
        if entry.log_index != index {
            return Err(contradiction(format!("entry {index} says that its index is {}", entry.log_index)));
        }
        let holds = self
            .log
            .keys
            .iter()
            .any(|key| has_promised(key, &entry.body, entry.integrated_time, entry.log_id, index, promise));
        if holds {
            Ok(UnixTime(entry.integrated_time))
        } else {
            Err(contradiction(format!("the promise (signed entry timestamp) of entry {index} does not hold")))
        }
    }
}

/// Where to begin to read a tree of `size` entries.
fn start<E>(
    state: Option<&LogState>,
    since: Option<&Since>,
    tree: &Tree,
    size: u64,
    trees: &[Tree],
) -> Result<u64, FollowError<E>> {
    let origin = tree.newest.origin();
    Ok(match (since, state) {
        (Some(Since::Index(index)), _) => index.saturating_sub(tree.first_index).min(size),
        (Some(Since::Checkpoint(seen)), _) => {
            let seen_at = trees.iter().find(|other| other.newest.origin() == seen.checkpoint.origin());
            let seen_at = seen_at.map_or(u64::MAX, |other| other.first_index);
            match tree.first_index.cmp(&seen_at) {
                _ if origin == seen.checkpoint.origin() => seen.next,
                std::cmp::Ordering::Less | std::cmp::Ordering::Equal => size,
                std::cmp::Ordering::Greater => 0,
            }
        }
        // A tree that was not there has not been read.
        (None, Some(state)) => state.tree(origin).map_or(0, |seen| seen.next),
        (None, None) => size,
    })
}

/// The number of the tree that a checkpoint of Rekor v1 is of.
fn tree_number(origin: &str) -> Option<u64> {
    let number = origin.strip_prefix(log_name(origin))?.strip_prefix(" - ")?;
    number.parse().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()))
}
