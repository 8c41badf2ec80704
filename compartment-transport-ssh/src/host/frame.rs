//! What of a connection's output is the answer: the lines that begin with the nonce, from the first to the last.

use std::borrow::Cow;

use compartment_core::{Invalid, Text};

use super::word;

/// The version of scripts and answers.
pub(super) const VERSION: &str = "1";

/// The most that an answer may have, in bytes: whoever reads one stops there.
pub const ANSWER_LIMIT: usize = 4 << 20;

/// How much is shown of what was not understood, in bytes.
const SHOWN: usize = 200;

/// A random word, new for each script, with which each line of its answer begins: what else a host prints is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nonce(String);

impl Nonce {
    /// Takes a random word.
    ///
    /// # Errors
    /// [`Invalid`] unless it is 16 to 32 ASCII letters and digits.
    pub fn new(raw: &str) -> Result<Self, Invalid> {
        if word::is_word(raw, 16..=32) {
            Ok(Self(raw.to_owned()))
        } else {
            Err(Invalid { what: "nonce", expected: "16 to 32 ASCII letters and digits" })
        }
    }

    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(word::random())
    }

    /// The word.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why what came back is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadAnswer {
    /// Nothing of it is: the shell did not run the script, or something is in the way.
    #[error("the host did not answer{}", said(.0))]
    None(Text),
    /// It stops in the middle.
    #[error("the host's answer is cut off after its part `{0}`")]
    CutOff(Text),
    /// It has more than [`ANSWER_LIMIT`].
    #[error("the host's answer has more than {ANSWER_LIMIT} bytes")]
    TooLong,
    /// It answers another question, or in another version.
    #[error("the host answers `{0}`, which is not what was asked")]
    Other(Text),
    /// One part of it is wrong.
    #[error("the part `{part}` of the host's answer is wrong: `{said}`")]
    Part {
        /// The part.
        part: &'static str,
        /// The text of the part, as the host sent it.
        said: Text,
    },
    /// One part of it is missing.
    #[error("the part `{0}` of the host's answer is missing")]
    Missing(&'static str),
}

fn said(words: &Text) -> String {
    if words.is_empty() { " and said nothing".to_owned() } else { format!("; it said: {words}") }
}

impl BadAnswer {
    pub(super) fn part(part: &'static str, said: &str) -> Self {
        Self::Part { part, said: Text::cut(said, SHOWN) }
    }
}

/// What a line of an answer means to whoever reads along.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The script of [`begin`](super::begin) waits for [`GO`](super::GO).
    Ready,
    /// The last line: nothing that comes later belongs to the answer.
    End,
}

/// Reads a line, without its end, of an answer that is still coming.
#[must_use]
pub fn part(line: &[u8], nonce: &Nonce) -> Option<Part> {
    match line.strip_prefix(nonce.as_str().as_bytes())? {
        b" ready" => Some(Part::Ready),
        b" end" => Some(Part::End),
        _ => None,
    }
}

/// The lines of an answer, without the nonce, the first and the last.
pub(super) fn lines<'a>(raw: &'a [u8], nonce: &Nonce, kind: &str) -> Result<Vec<&'a [u8]>, BadAnswer> {
    if raw.len() > ANSWER_LIMIT {
        return Err(BadAnswer::TooLong);
    }
    let framed = |line: &'a [u8]| line.strip_prefix(nonce.as_str().as_bytes())?.strip_prefix(b" ");
    // A line without its end may have been cut off.
    let whole = raw.split_inclusive(|byte| *byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"));
    let mut framed = whole.filter_map(framed);
    let Some(first) = framed.next() else {
        let text = String::from_utf8_lossy(raw);
        let noise = text.lines().map(str::trim).rfind(|line| !line.is_empty());
        return Err(BadAnswer::None(Text::cut(noise.unwrap_or_default(), SHOWN)));
    };
    if first != format!("compartment {VERSION} {kind}").as_bytes() {
        return Err(BadAnswer::Other(Text::cut(&text(first), SHOWN)));
    }
    let mut lines = Vec::new();
    for line in framed {
        if line == b"end" {
            return Ok(lines);
        }
        lines.push(line);
    }
    let last = text(lines.last().unwrap_or(&first));
    Err(BadAnswer::CutOff(Text::cut(last.split(' ').next().unwrap_or_default(), SHOWN)))
}

/// The same, as text.
pub(super) fn texts<'a>(raw: &'a [u8], nonce: &Nonce, kind: &str) -> Result<Vec<Cow<'a, str>>, BadAnswer> {
    Ok(lines(raw, nonce, kind)?.into_iter().map(text).collect())
}

pub(super) fn text(line: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(line)
}
