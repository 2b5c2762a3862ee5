//! The models that are measured: their sizes, and their bytes.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process;

/// A model to measure, and what the project promises for it.
pub(crate) struct Model {
    pub(crate) name: &'static str,
    pub(crate) folder: &'static str,
    pub(crate) scale: Scale,
    /// How often each command runs by default.
    pub(crate) runs: u32,
    /// What is promised, without and with shards.
    pub(crate) cases: &'static [Case],
    /// Whether it is a point of the picture, in which size is all that differs.
    pub(crate) is_pictured: bool,
    /// Whether it is measured from the disk too.
    pub(crate) is_read_cold: bool,
    file_sizes: fn() -> Vec<u64>,
}

/// A way to sign a model.
pub(crate) struct Case {
    /// What a shard has, where files are signed in shards.
    pub(crate) shard_bytes: Option<u64>,
    /// How many times faster than the reference tool it has to be.
    pub(crate) ratio: f64,
    /// How long it may take at most.
    pub(crate) limit: Option<Duration>,
    /// How near to what the machine allows it has to be.
    pub(crate) of_bound: Option<f64>,
    /// How many times faster two cores have to be than one.
    pub(crate) of_one_core: Option<f64>,
}

impl Case {
    const fn files(ratio: f64) -> Self {
        Self { shard_bytes: None, ratio, limit: None, of_bound: None, of_one_core: Some(1.5) }
    }

    const fn shards(shard_bytes: u64, ratio: f64) -> Self {
        Self { shard_bytes: Some(shard_bytes), of_bound: Some(0.95), ..Self::files(ratio) }
    }
}

/// Verifying a model again whose receipt says that nothing of it was changed.
pub(crate) const BY_RECEIPT: Case = Case { of_one_core: None, ..Case::files(500.0) };

/// Whether a model is measured without being asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scale {
    Default,
    Large,
}

/// Every model.
pub(crate) const MODELS: &[Model] = &[
    Model {
        name: "8 KB in 1 file",
        folder: "8KB",
        scale: Scale::Default,
        runs: 15,
        cases: &[Case { limit: Some(Duration::from_millis(10)), of_one_core: None, ..Case::files(100.0) }],
        is_pictured: true,
        is_read_cold: false,
        file_sizes: || vec![8_000],
    },
    Model {
        name: "215 MB in 180 files",
        folder: "215MB",
        scale: Scale::Default,
        runs: 9,
        cases: &[Case { of_bound: Some(0.9), ..Case::files(10.0) }],
        is_pictured: true,
        is_read_cold: true,
        file_sizes: many_files,
    },
    Model {
        name: "2.8 GB in 7 files",
        folder: "2.8GB",
        scale: Scale::Default,
        runs: 5,
        cases: &[Case { of_bound: Some(0.95), ..Case::files(2.2) }],
        is_pictured: true,
        is_read_cold: true,
        file_sizes: || vec![400_000_000; 7],
    },
    Model {
        name: "410 MB in 100,000 files",
        folder: "410MB",
        scale: Scale::Default,
        runs: 3,
        cases: &[Case::files(25.0)],
        is_pictured: false,
        is_read_cold: false,
        file_sizes: || vec![4_096; 100_000],
    },
    Model {
        name: "14.4 GB in 2 files",
        folder: "14.4GB-uneven",
        scale: Scale::Large,
        runs: 5,
        cases: &[
            Case { of_bound: Some(0.95), of_one_core: None, ..Case::files(1.1) },
            Case::shards(1_000_000_000, 1.6),
            Case::shards(128 << 20, 2.0),
        ],
        is_pictured: true,
        is_read_cold: false,
        file_sizes: || vec![9_900_000_000, 4_500_000_000],
    },
];

/// Files in a folder.
const FOLDER_FILES: usize = 1_000;

/// A few shards of weights, more tensors of a megabyte, and many small files: 215 MB in 180 files.
fn many_files() -> Vec<u64> {
    let around = |mean: u64, step: u64, count: u64| (0..count).map(move |i| mean + step * i - step * (count - 1) / 2);
    around(15_000_000, 1_000_000, 12).chain(around(1_000_000, 20_000, 28)).chain(around(50_000, 500, 140)).collect()
}

impl Model {
    /// The size of all files together.
    pub(crate) fn total_bytes(&self) -> u64 {
        (self.file_sizes)().iter().sum()
    }

    /// Where the files are.
    pub(crate) fn paths(&self, folder: &Path) -> Vec<PathBuf> {
        (0..(self.file_sizes)().len()).map(|index| Self::path(folder, index)).collect()
    }

    /// How long the pieces are that get a digest each.
    pub(crate) fn segments(&self, shard_bytes: Option<u64>) -> Vec<u64> {
        let mut segments = Vec::new();
        for size in (self.file_sizes)() {
            let shard = shard_bytes.unwrap_or(u64::MAX);
            let mut left = size;
            while left > shard {
                segments.push(shard);
                left -= shard;
            }
            segments.push(left);
        }
        segments
    }

    /// The first thousand files are in the folder itself, each thousand after them in one of its own.
    fn path(folder: &Path, index: usize) -> PathBuf {
        match index / FOLDER_FILES {
            0 => folder.join(format!("part-{index:03}.bin")),
            number => folder.join(number.to_string()).join(format!("part-{index:06}.bin")),
        }
    }

    /// Writes the files into `folder`; those of an earlier run stay.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let sizes = (self.file_sizes)();
        let path = |index: usize| Self::path(folder, index);
        let is_written = |index: usize| fs::metadata(path(index)).is_ok_and(|file| file.len() == sizes[index]);
        let missing: Vec<usize> = (0..sizes.len()).filter(|index| !is_written(*index)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        for index in (0..sizes.len()).step_by(FOLDER_FILES) {
            let folder = path(index).parent().map_or_else(|| folder.to_owned(), Path::to_owned);
            fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
        }
        let needed_bytes = missing.iter().map(|index| sizes[*index]).sum();
        check_disk(folder, needed_bytes)?;
        println!("==> writing {}", self.name);
        for index in missing {
            let path = path(index);
            write_file(&path, sizes[index], index as u64)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }
}

fn check_disk(folder: &Path, needed_bytes: u64) -> Result<()> {
    // POSIX asks `df` for one line for the folder, with the free blocks of 1024 bytes in the fourth column.
    let free_bytes = process::stdout(Command::new("df").arg("-Pk").arg(folder)).ok().and_then(|text| {
        let blocks: u64 = text.lines().nth(1)?.split_whitespace().nth(3)?.parse().ok()?;
        Some(blocks * 1024)
    });
    match free_bytes {
        Some(free) if free < needed_bytes => {
            bail!("{} needs {needed_bytes} bytes, but {free} are free", folder.display())
        }
        Some(_) => {}
        None => println!("cannot tell how much of the disk is free; {needed_bytes} bytes are needed"),
    }
    Ok(())
}

/// Pseudo-random bytes that depend on the seed only. No two blocks are equal, so that no file system can share them.
fn write_file(path: &Path, size_bytes: u64, seed: u64) -> std::io::Result<()> {
    let mut block = vec![0; usize::try_from(size_bytes).map_or(1 << 20, |size| size.clamp(8, 1 << 20))];
    let mut state = seed;
    for word in block.chunks_exact_mut(8) {
        word.copy_from_slice(&split_mix(&mut state).to_le_bytes());
    }
    let mut file = File::create(path)?;
    let mut left = size_bytes;
    while left > 0 {
        block[..8].copy_from_slice(&split_mix(&mut state).to_le_bytes());
        let length = block.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        file.write_all(&block[..length])?;
        left -= length as u64;
    }
    Ok(())
}

/// The next number of Steele, Lea and Flood's SplitMix64.
fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut word = *state;
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_have_the_promised_sizes() {
        let sizes: Vec<_> = MODELS.iter().map(|model| (model.total_bytes(), (model.file_sizes)().len())).collect();
        assert_eq!(
            sizes,
            [(8_000, 1), (215_000_000, 180), (2_800_000_000, 7), (409_600_000, 100_000), (14_400_000_000, 2)]
        );
    }

    #[test]
    fn shards_have_their_length_but_the_last_of_each_file() {
        let large = MODELS.last().expect("models");
        let shards = large.segments(Some(1_000_000_000));
        assert_eq!((shards.len(), shards.iter().sum::<u64>()), (15, 14_400_000_000));
        assert_eq!((shards[8], shards[9], shards[14]), (1_000_000_000, 900_000_000, 500_000_000));
        assert_eq!(large.segments(None), [9_900_000_000, 4_500_000_000]);
    }

    #[test]
    fn files_are_deterministic_and_differ() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let bytes = |name: &str, seed| {
            let path = folder.path().join(name);
            write_file(&path, (1 << 20) + 3, seed).expect("the file can be written");
            fs::read(path).expect("the file can be read")
        };
        assert_eq!(bytes("a", 1), bytes("b", 1));
        assert_ne!(bytes("a", 1), bytes("c", 2));
        assert_eq!(bytes("a", 1).len(), (1 << 20) + 3);
    }
}
