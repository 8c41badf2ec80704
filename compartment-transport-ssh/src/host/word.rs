//! Words of ASCII letters and digits: they need no quotes anywhere.

use std::ops::RangeInclusive;

/// Whether it is such a word, of such a length.
pub(super) fn is_word(raw: &str, length: RangeInclusive<usize>) -> bool {
    length.contains(&raw.len()) && raw.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// One that nobody has had before.
pub(super) fn random() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(24).collect()
}
