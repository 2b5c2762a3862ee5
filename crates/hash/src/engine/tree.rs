//! BLAKE3: every segment is spread over the workers.

use std::cmp::Reverse;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use blake3::hazmat::ChainingValue;

use super::buffer::Buffer;
use super::{Failure, Options, jobs, read_exactly};
use crate::sha256::BLOCK_BYTES;
use crate::subtree::{self, SUBTREE_BYTES};
use crate::{Digest, ReadError, Segment, Source};

/// Bytes that each worker reads at a time: fits in a core's own cache beside the hash state.
const BUFFER_BYTES: usize = 256 << 10;
/// What a segment is divided into at most, about.
const MOST_SUBTREES: u64 = 1 << 16;

pub(super) fn hash(segments: &[Segment], source: &dyn Source, options: &Options<'_>) -> Result<Vec<Digest>, Failure> {
    let units = plan(segments);
    let (next, failed) = (AtomicUsize::new(0), AtomicBool::new(false));
    let queue = Queue { segments, source, options, units: &units, next, failed };
    let workers = jobs(units.iter().map(|unit| unit.length), options).min(units.len()).max(1);
    let outcomes = super::on_workers(workers, || queue.work());
    collect(segments, &units, outcomes)
}

/// A piece of work for one worker.
#[derive(Clone, Copy)]
struct Unit {
    segment: usize,
    /// Offset within the segment.
    start: u64,
    length: u64,
    /// Whether the unit is a subtree rather than the whole segment.
    subtree: bool,
}

enum Output {
    Whole(Digest),
    Subtree(ChainingValue),
}

/// Splits segments into units and orders them, longest first, so that no long one is left to the end.
fn plan(segments: &[Segment]) -> Vec<Unit> {
    let mut units = Vec::with_capacity(segments.len());
    for (index, segment) in segments.iter().enumerate() {
        let length = segment.length_bytes();
        // However long a sparse file is, its units are few.
        let subtree_bytes = SUBTREE_BYTES.max((length / MOST_SUBTREES).next_power_of_two());
        if length > subtree_bytes {
            let mut start = 0;
            while start < length {
                let piece = subtree_bytes.min(length - start);
                units.push(Unit { segment: index, start, length: piece, subtree: true });
                start += piece;
            }
        } else {
            units.push(Unit { segment: index, start: 0, length, subtree: false });
        }
    }
    units.sort_by_key(|unit| Reverse(unit.length));
    units
}

struct Queue<'a> {
    segments: &'a [Segment],
    source: &'a dyn Source,
    options: &'a Options<'a>,
    units: &'a [Unit],
    next: AtomicUsize,
    failed: AtomicBool,
}

/// What one worker did: the outputs by unit, and the error that stopped it.
#[derive(Default)]
struct Outcome {
    outputs: Vec<(usize, Output)>,
    failure: Option<Failure>,
}

impl Queue<'_> {
    fn work(&self) -> Outcome {
        let mut outcome = Outcome::default();
        let mut buffer = Buffer::default();
        while !self.failed.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(unit) = self.units.get(index) else {
                break;
            };
            match self.hash_unit(unit, &mut buffer) {
                Ok(output) => outcome.outputs.push((index, output)),
                Err(error) => {
                    self.failed.store(true, Ordering::Relaxed);
                    outcome.failure = Some(Failure { segment: unit.segment, error });
                }
            }
        }
        outcome
    }

    fn hash_unit(&self, unit: &Unit, buffer: &mut Buffer) -> Result<Output, ReadError> {
        let segment = &self.segments[unit.segment];
        self.options.check_cancelled()?;
        let reader = self.source.open(segment.file)?;
        let start = segment.start + unit.start;
        let end = start + unit.length;
        let mut hasher = if unit.subtree { subtree::start(unit.start) } else { blake3::Hasher::new() };
        let wanted = usize::try_from(unit.length).map_or(BUFFER_BYTES, |length| length.min(BUFFER_BYTES));
        buffer.require(wanted.div_ceil(BLOCK_BYTES));
        let buffer = &mut buffer.blocks().as_flattened_mut()[..wanted];
        let mut offset = start;
        while offset < end {
            self.options.check_cancelled()?;
            let length = usize::try_from(end - offset).map_or(buffer.len(), |left| left.min(buffer.len()));
            read_exactly(&*reader, &mut buffer[..length], offset, segment.end)?;
            hasher.update(&buffer[..length]);
            offset += length as u64;
            self.options.count(length as u64);
        }
        reader.finish((segment.reaches_end && end == segment.end).then_some(end))?;
        Ok(if unit.subtree {
            Output::Subtree(subtree::finish(&hasher))
        } else {
            Output::Whole(Digest::Blake3(*hasher.finalize().as_bytes()))
        })
    }
}

/// Puts the workers' outputs in the order of the segments.
fn collect(segments: &[Segment], units: &[Unit], outcomes: Vec<Outcome>) -> Result<Vec<Digest>, Failure> {
    let mut digests: Vec<Option<Digest>> = vec![None; segments.len()];
    let mut subtrees: Vec<(usize, u64, ChainingValue)> = Vec::new();
    let mut first: Option<Failure> = None;
    for outcome in outcomes {
        for (index, output) in outcome.outputs {
            let unit = &units[index];
            match output {
                Output::Whole(digest) => digests[unit.segment] = Some(digest),
                Output::Subtree(value) => subtrees.push((unit.segment, unit.start, value)),
            }
        }
        if let Some(failure) = outcome.failure
            && first.as_ref().is_none_or(|first| failure.is_told_before(first))
        {
            first = Some(failure);
        }
    }
    if let Some(failure) = first {
        return Err(failure);
    }
    subtrees.sort_unstable_by_key(|(segment, start, _)| (*segment, *start));
    for group in subtrees.chunk_by(|a, b| a.0 == b.0) {
        let values: Vec<ChainingValue> = group.iter().map(|(_, _, value)| *value).collect();
        digests[group[0].0] = Some(Digest::Blake3(subtree::merge(&values)));
    }
    Ok(digests.into_iter().map(|digest| digest.expect("no worker failed, so every unit has its output")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_of_any_length_has_few_units() {
        for length in [1u64 << 40, (1 << 50) + 1, u64::MAX >> 1] {
            let units = plan(&[Segment { file: 0, start: 0, end: length, reaches_end: true }]);
            assert!(units.len() <= 2 << 16, "{length}: {}", units.len());
            assert_eq!(units.iter().map(|unit| unit.length).sum::<u64>(), length);
        }
    }
}
