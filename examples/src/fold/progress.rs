//! Something to watch while a long input goes by.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Nobody wants to see a bar for less.
const PATIENCE: Duration = Duration::from_secs(1);

/// A progress bar on standard error, which appears where somebody looks and the input takes its time.
#[derive(Debug)]
pub struct Progress {
    begun: Instant,
    shown: bool,
    size: Option<u64>,
    read: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Never anything.
    #[must_use]
    pub fn none() -> Self {
        Self { begun: Instant::now(), shown: false, size: None, read: 0, bar: None }
    }

    /// For an input of `size` bytes, where that is known.
    #[must_use]
    pub fn on_stderr(size: Option<u64>) -> Self {
        Self { shown: io::stderr().is_terminal(), size, ..Self::none() }
    }

    /// So many bytes more were read.
    pub(super) fn read(&mut self, bytes: usize) {
        self.read += bytes as u64;
        if self.shown && self.bar.is_none() && self.begun.elapsed() >= PATIENCE {
            self.bar = Some(bar(self.size));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.read);
        }
    }

    /// Makes room for a line on standard error.
    pub(super) fn aside<R>(&self, say: impl FnOnce() -> R) -> R {
        match &self.bar {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    /// The input has ended.
    pub(super) fn end(&mut self) {
        self.shown = false;
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(size: Option<u64>) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(size, ProgressDrawTarget::stderr());
    let template = match size {
        Some(_) => "{wide_bar} {bytes} of {total_bytes}, {eta} left",
        None => "{spinner} {bytes} read, {bytes_per_sec}",
    };
    // A template that does not parse costs the looks, not the program.
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
