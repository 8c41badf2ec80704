//! Words that came from outside, made harmless.

use core::fmt;

use smol_str::{SmolStr, SmolStrBuilder};

/// Human text from a host, a forge or an operator: at most [`Text::LIMIT`] bytes, without a character
/// that could move a cursor, ring a bell or turn the reading direction.
///
/// Such characters stay visible instead of being lost: `ESC` becomes `␛`, a newline `␊`, anything else
/// unprintable `�`. Longer text is cut and ends with `…`. Cleaning clean text changes nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(SmolStr);

impl Text {
    /// The longest text kept, in bytes.
    pub const LIMIT: usize = 4096;

    /// Cleans and cuts `raw`.
    #[must_use]
    pub fn new(raw: &str) -> Self {
        Self::cut(raw, Self::LIMIT)
    }

    /// The cleaned text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// True for the empty text.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Cleans `raw` and keeps at most `limit` bytes of it, for names in lists.
    #[must_use]
    pub fn cut(raw: &str, limit: usize) -> Self {
        if raw.len() <= limit && raw.chars().all(|c| printable(c) == c) {
            return Self(SmolStr::new(raw));
        }
        let mut out = SmolStrBuilder::new();
        let mut bytes = 0;
        for c in raw.chars().map(printable) {
            if bytes + c.len_utf8() + '…'.len_utf8() > limit {
                out.push('…');
                break;
            }
            bytes += c.len_utf8();
            out.push(c);
        }
        Self(out.finish())
    }
}

/// The character itself where it is safe to show, else one that stands for it. Whatever takes no room is told to be there,
/// but for the two that choose how the sign before them is drawn.
fn printable(c: char) -> char {
    match c {
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('\u{fffd}'),
        '\u{7f}' => '\u{2421}',
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'..='\u{1160}'
        | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{fe00}'..='\u{fe0d}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffb}'
        | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}' => '\u{fffd}',
        _ => c,
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for Text {
    fn from(raw: &str) -> Self {
        Self::new(raw)
    }
}

impl serde::Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        alloc::borrow::Cow::<'_, str>::deserialize(from).map(|raw| Self::new(&raw))
    }
}

#[cfg(test)]
mod tests {
    use std::prelude::rust_2024::*;

    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_as_a_command() {
        let text = Text::new("a\u{1b}[31mred\r\n\u{0}\u{9b}2J\u{202e}x");
        assert_eq!(text.as_str(), "a␛[31mred␍␊␀\u{fffd}2J\u{fffd}x");
        assert_eq!(Text::new(text.as_str()), text, "cleaning is idempotent");
    }

    #[test]
    fn what_takes_no_room_is_shown() {
        for c in
            ['\u{180e}', '\u{34f}', '\u{115f}', '\u{17b4}', '\u{3164}', '\u{ffa0}', '\u{1d173}', '\u{e0100}']
        {
            assert_eq!(Text::new(&format!("a{c}b")).as_str(), "a\u{fffd}b", "{c:?}");
        }
        for drawn in ["⚠\u{fe0f}", "a\u{301}", "ก", "🏳"] {
            assert_eq!(Text::new(drawn).as_str(), drawn);
        }
    }

    #[test]
    fn long_text_is_cut_at_a_character() {
        let text = Text::new(&"ü".repeat(Text::LIMIT));
        assert!(text.as_str().len() <= Text::LIMIT);
        assert!(text.as_str().ends_with('…'));
        assert_eq!(Text::new(text.as_str()), text, "cutting is idempotent");
    }
}
