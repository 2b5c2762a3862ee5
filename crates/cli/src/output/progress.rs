//! A bar for work that takes longer than a second.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use model_transparency::hash::Options;

use super::{Console, size};

/// How long work may take without a word.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the bar is drawn.
const TICK: Duration = Duration::from_millis(100);

impl Console {
    /// Runs `work`, which hashes about `total_bytes`, with a bar if it takes long and somebody is looking.
    pub(crate) fn hashing<T>(
        &self,
        jobs: Option<NonZeroUsize>,
        total_bytes: impl Fn() -> u64 + Sync,
        work: impl FnOnce(&Options<'_>) -> T,
    ) -> T {
        let mut options = Options::default();
        if let Some(jobs) = jobs {
            options.jobs = jobs;
        }
        let started = Instant::now();
        let done_bytes = AtomicU64::new(0);
        options.progress_bytes = Some(&done_bytes);
        let result = if self.shows_progress() {
            let finished = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let bar = scope.spawn(|| draw(&finished, &done_bytes, &total_bytes));
                let _stop = Stop { finished: &finished, bar: bar.thread() };
                work(&options)
            })
        } else {
            work(&options)
        };
        let elapsed = started.elapsed();
        let hashed = done_bytes.load(Ordering::Relaxed);
        self.debug(&format!(
            "hashed {} in {:.3} s with up to {} threads",
            size(hashed),
            elapsed.as_secs_f64(),
            options.jobs
        ));
        result
    }
}

/// Ends the bar when the work ends, however it ends: the scope waits for the thread that draws.
struct Stop<'a> {
    finished: &'a AtomicBool,
    bar: &'a std::thread::Thread,
}

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.finished.store(true, Ordering::Relaxed);
        self.bar.unpark();
    }
}

fn draw(finished: &AtomicBool, done_bytes: &AtomicU64, total_bytes: &dyn Fn() -> u64) {
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        std::thread::park_timeout(PATIENCE - started.elapsed().min(PATIENCE));
        if finished.load(Ordering::Relaxed) {
            return;
        }
    }
    let style =
        ProgressStyle::with_template("hashing {bar:32} {bytes} of {total_bytes}, {binary_bytes_per_sec}, {eta} left");
    let bar = ProgressBar::new(total_bytes()).with_style(style.expect("the template is constant and valid"));
    while !finished.load(Ordering::Relaxed) {
        bar.set_length(total_bytes());
        bar.set_position(done_bytes.load(Ordering::Relaxed));
        std::thread::park_timeout(TICK);
    }
    bar.finish_and_clear();
}
