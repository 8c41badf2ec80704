//! Bytes in, whole lines out: framing with a limit, and without I/O.

use alloc::vec::Vec;

use super::{Cause, LineError};

/// The longest line taken, in bytes: far above any event, far below what would hurt.
pub const LINE_LIMIT: usize = 1 << 20;

/// Cuts a stream of bytes into lines. A line over the limit is passed over as it streams by, never held.
///
/// ```
/// use compartment_core::ndjson::Lines;
/// let mut lines = Lines::default();
/// let mut seen = Vec::new();
/// lines.feed(b"one\ntw", |number, line| seen.push((number, line.map(<[u8]>::to_vec))));
/// lines.feed(b"o\n", |number, line| seen.push((number, line.map(<[u8]>::to_vec))));
/// assert_eq!(seen, [(1, Ok(b"one".to_vec())), (2, Ok(b"two".to_vec()))]);
/// ```
#[derive(Debug)]
pub struct Lines {
    number: u64,
    rest: Vec<u8>,
    too_long: bool,
    limit: usize,
}

impl Default for Lines {
    fn default() -> Self {
        Self::with_limit(LINE_LIMIT)
    }
}

impl Lines {
    /// Lines of at most `limit` bytes.
    #[must_use]
    pub const fn with_limit(limit: usize) -> Self {
        Self { number: 1, rest: Vec::new(), too_long: false, limit }
    }

    /// Takes the next bytes and hands out every line that ends in them, with its number from 1.
    /// Blank lines are counted and not handed out.
    pub fn feed(&mut self, mut bytes: &[u8], mut line: impl FnMut(u64, Result<&[u8], LineError>)) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (head, tail) = (&bytes[..end], &bytes[end + 1..]);
            if self.rest.is_empty() && !self.too_long && head.len() <= self.limit {
                hand_out(self.number, head, &mut line);
            } else {
                self.keep(head);
                self.flush(&mut line);
            }
            self.number += 1;
            bytes = tail;
        }
        self.keep(bytes);
    }

    /// Hands out what stands after the last newline: a line that its writer may not have finished.
    pub fn finish(&mut self, mut line: impl FnMut(u64, Result<&[u8], LineError>)) {
        self.flush(&mut line);
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.too_long || self.rest.len() + bytes.len() > self.limit {
            self.too_long = true;
            self.rest.clear();
        } else {
            self.rest.extend_from_slice(bytes);
        }
    }

    fn flush(&mut self, line: &mut impl FnMut(u64, Result<&[u8], LineError>)) {
        if self.too_long {
            let cause = Cause::TooLong { limit: self.limit };
            line(self.number, Err(LineError { column: Some(self.limit + 1), cause }));
        } else {
            hand_out(self.number, &self.rest, line);
        }
        self.too_long = false;
        self.rest.clear();
    }
}

fn hand_out(number: u64, bytes: &[u8], line: &mut impl FnMut(u64, Result<&[u8], LineError>)) {
    if !bytes.iter().all(u8::is_ascii_whitespace) {
        line(number, Ok(bytes));
    }
}
