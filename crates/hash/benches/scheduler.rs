//! Models of several shapes, on all cores: files of a folder in the page cache, where they are read again and again.
//!
//! `cargo bench --package model-hash --bench scheduler`. The larger shapes are scaled down, so that they fit in memory of
//! 8 GB: what is compared is how the lanes are filled.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use divan::Bencher;
use divan::counter::BytesCount;
use model_hash::{HashAlgorithm, Options, ReadAt, ReadError, Segment, Source, hash_segments};

/// Name, and lengths of files with how many there are of each.
const SHAPES: [(&str, &[(u64, u64)]); 6] = [
    ("1 huge", &[(2_000_000_000, 1)]),
    ("2 huge", &[(1_370_000_000, 1), (630_000_000, 1)]),
    ("7 of 400 MB", &[(400_000_000, 7)]),
    ("180 of 1 MB", &[(1_200_000, 180)]),
    ("100000 of 4 KB", &[(4_096, 100_000)]),
    ("checkpoint", &[(500_000_000, 3), (90_000_000, 1), (11_000_000, 2), (700_000, 40), (2_000, 200), (0, 5)]),
];

/// Files that are opened by their paths, as a model's are.
struct Files(Vec<PathBuf>);

impl Source for Files {
    fn open(&self, file: usize) -> Result<Box<dyn ReadAt + Send + '_>, ReadError> {
        Ok(Box::new(Open(File::open(&self.0[file]).map_err(ReadError::Io)?)))
    }
}

struct Open(File);

impl ReadAt for Open {
    #[cfg(unix)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(&self.0, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> std::io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(&self.0, buffer, offset)
    }
}

/// Makes the files of a shape in `folder`.
fn files(folder: &Path, shape: &[(u64, u64)]) -> (Files, Vec<Segment>) {
    let content: Vec<u8> = (0..1u32 << 20).map(|byte| (byte ^ byte >> 11) as u8).collect();
    let (mut paths, mut segments) = (Vec::new(), Vec::new());
    for (length, count) in shape {
        for _ in 0..*count {
            let within = folder.join((paths.len() / 1_000).to_string());
            std::fs::create_dir_all(&within).expect("a folder");
            let path = within.join(paths.len().to_string());
            let mut file = File::create(&path).expect("a file");
            let mut left = *length;
            while left > 0 {
                let piece = left.min(content.len() as u64);
                file.write_all(&content[..piece as usize]).expect("written");
                left -= piece;
            }
            segments.push(Segment { file: paths.len(), start: 0, end: *length, reaches_end: true });
            paths.push(path);
        }
    }
    (Files(paths), segments)
}

#[divan::bench(args = SHAPES.map(|(name, _)| name), sample_count = 5, sample_size = 1)]
fn sha256(bencher: Bencher<'_, '_>, name: &str) {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let (_, shape) = SHAPES.iter().find(|(shape, _)| *shape == name).expect("a shape");
    let (files, segments) = files(folder.path(), shape);
    let bytes = segments.iter().map(Segment::length_bytes).sum::<u64>();
    let options = Options::default();
    bencher
        .counter(BytesCount::new(bytes))
        .bench(|| hash_segments(HashAlgorithm::Sha256, &segments, &files, &options).expect("files that are there"));
}

fn main() {
    divan::main();
}
