//! A bar for work that takes longer than a second.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use model_transparency::hash::Options;

use super::{Console, print_error_text, size};
use crate::args::Global;

/// How long work may take without a word.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often the bar is drawn.
const TICK: Duration = Duration::from_millis(100);

impl Console {
    /// Runs `work`, which hashes about `total_bytes`, with a bar if it takes long and somebody is looking.
    pub(crate) fn hashing<T>(
        &self,
        global: &Global,
        total_bytes: impl Fn() -> u64 + Sync,
        work: impl FnOnce(&Options<'_>) -> T,
    ) -> T {
        let mut options = global.hashing();
        let started = Instant::now();
        let done_bytes = AtomicU64::new(0);
        options.progress_bytes = Some(&done_bytes);
        let result = if self.shows_progress() {
            let finished = AtomicBool::new(false);
            std::thread::scope(|scope| {
                let bar = scope.spawn(|| self.draw(&finished, &done_bytes, &total_bytes));
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

/// What is on the terminal besides lines that stay.
#[derive(Debug, Default)]
pub(super) struct Screen {
    bar: Option<ProgressBar>,
    /// Somebody types an answer: nothing is drawn over it.
    is_asking: bool,
}

impl Screen {
    /// Prints lines, with the bar below them.
    pub(super) fn print(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| print_error_text(text)),
            None => print_error_text(text),
        }
    }

    /// Prints a question. There is no bar until [`Self::answered`].
    pub(super) fn ask(&mut self, text: &str) {
        self.clear();
        self.is_asking = true;
        print_error_text(text);
    }

    pub(super) fn answered(&mut self) {
        self.is_asking = false;
    }

    fn draw(&mut self, done_bytes: u64, total_bytes: u64) {
        if self.is_asking {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| {
            let style = ProgressStyle::with_template(
                "hashing {bar:32} {bytes} of {total_bytes}, {binary_bytes_per_sec}, {eta} left",
            );
            ProgressBar::new(total_bytes).with_style(style.expect("the template is constant and valid"))
        });
        bar.set_length(total_bytes);
        bar.set_position(done_bytes);
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Console {
    fn draw(&self, finished: &AtomicBool, done_bytes: &AtomicU64, total_bytes: &dyn Fn() -> u64) {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            std::thread::park_timeout(PATIENCE - started.elapsed().min(PATIENCE));
            if finished.load(Ordering::Relaxed) {
                return;
            }
        }
        while !finished.load(Ordering::Relaxed) {
            self.screen().draw(done_bytes.load(Ordering::Relaxed), total_bytes());
            std::thread::park_timeout(TICK);
        }
        self.screen().clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_drawn_over_an_answer() {
        let mut screen = Screen::default();
        screen.draw(1, 2);
        assert!(screen.bar.is_some());
        screen.ask("");
        screen.draw(1, 2);
        assert!(screen.bar.is_none());
        screen.answered();
        screen.draw(1, 2);
        assert!(screen.bar.is_some());
        screen.clear();
        assert!(screen.bar.is_none());
    }
}
