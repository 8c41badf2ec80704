//! What somebody sees who sits before a program.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use anstream::adapter::strip_str;

/// Nothing here takes long: what takes longer hangs.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// What somebody sees, and can wait for.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<(Mutex<Vec<u8>>, Condvar)>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.0.lock().unwrap().extend_from_slice(bytes);
        self.0.1.notify_all();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Shared {
    pub(crate) fn raw(&self) -> String {
        String::from_utf8(self.0.0.lock().unwrap().clone()).unwrap()
    }

    pub(crate) fn text(&self) -> String {
        strip_str(&self.raw()).to_string()
    }

    /// Waits until something stands there.
    pub(crate) fn until(&self, words: &str) {
        self.until_after(0, words);
    }

    /// Waits until something stands behind these bytes.
    pub(crate) fn until_after(&self, bytes: usize, words: &str) {
        let held = self.0.0.lock().unwrap();
        let missing = |all: &mut Vec<u8>| {
            !strip_str(&String::from_utf8_lossy(&all[bytes..])).to_string().contains(words)
        };
        let waited = self.0.1.wait_timeout_while(held, LIMIT, missing).unwrap().1;
        assert!(!waited.timed_out(), "{words:?} never came: {}", self.text());
    }

    /// The lines that stand on a screen, once they are so.
    pub(crate) fn frame_until(&self, is_so: impl Fn(&[String]) -> bool) -> Vec<String> {
        let held = self.0.0.lock().unwrap();
        let differs = |all: &mut Vec<u8>| !is_so(&frame(&String::from_utf8_lossy(all)));
        let (all, waited) = self.0.1.wait_timeout_while(held, LIMIT, differs).unwrap();
        let lines = frame(&String::from_utf8_lossy(&all));
        // Whoever draws goes on with it.
        drop(all);
        assert!(!waited.timed_out(), "it never came to that: {lines:#?}");
        lines
    }
}

/// What was drawn last: each line is cleared before it is written.
fn frame(drawn: &str) -> Vec<String> {
    let last = drawn.rsplit_once("\u{1b}[?2026h").map_or("", |(_, last)| last);
    last.split("\u{1b}[2K").skip(1).map(|line| strip_str(line).to_string()).collect()
}
