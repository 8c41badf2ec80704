//! How far a batch is, on standard error.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar where somebody looks. How long it takes nobody knows: no host is like another.
pub(super) struct Bar(Option<ProgressBar>);

impl Bar {
    pub(super) fn new(watched: bool, total: usize) -> Self {
        let bar = watched.then(|| {
            let bar = ProgressBar::with_draw_target(Some(total as u64), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{wide_bar} {pos} of {len}, {elapsed}");
            // A template that does not parse costs the looks, not the program.
            bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self(bar)
    }

    /// So many have ended.
    pub(super) fn at(&self, ended: usize) {
        if let Some(bar) = &self.0 {
            bar.set_position(ended as u64);
            bar.tick();
        }
    }

    /// Makes room for a line.
    pub(super) fn aside<R>(&self, say: impl FnOnce() -> R) -> R {
        match &self.0 {
            Some(bar) => bar.suspend(say),
            None => say(),
        }
    }

    pub(super) fn end(&self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
