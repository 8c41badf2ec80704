//! A line in, an event or a clear error out.

use core::fmt;

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::field::Parse;
use super::line::{Line, Wrong};
use super::{Envelope, FORMAT_VERSION};
use crate::event::EventType;
use crate::id::Invalid;
use crate::text::Text;

/// Why a line was not taken.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct LineError {
    /// The column where the trouble is, in bytes from 1, where it is known.
    pub column: Option<usize>,
    /// What is wrong.
    pub cause: Cause,
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(column) = self.column {
            write!(f, "column {column}: ")?;
        }
        self.cause.fmt(f)
    }
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Cause {
    /// It is not a JSON object.
    #[error("not a JSON object: {0}")]
    Syntax(Text),
    /// It ends before the object does.
    #[error("the line ends in the middle of an event: the input was cut off here")]
    Truncated,
    /// It is longer than [`LINE_LIMIT`](super::LINE_LIMIT).
    #[error("the line is longer than {limit} bytes: no event is that long")]
    TooLong {
        /// The limit, in bytes.
        limit: usize,
    },
    /// It is written in a format newer than this library.
    #[error("format version {0} is newer than this program ({FORMAT_VERSION}): update it to read this event")]
    NewerVersion(u64),
    /// The event's `type` is not known.
    #[error("unknown event type {0}: CORE-006, section 2, lists them")]
    UnknownType(Text),
    /// A required field is not there.
    #[error("the field `{0}` is missing")]
    Missing(&'static str),
    /// A field's value does not parse.
    #[error("the field `{field}` is {found}: {invalid}")]
    Bad {
        /// The field.
        field: &'static str,
        /// What it holds, shortened.
        found: Text,
        /// What it should hold.
        invalid: Invalid,
    },
    /// No event has such a field: said by [`decode_strictly`](super::decode_strictly) alone.
    #[error("no event has a field `{0}`")]
    UnknownField(Text),
    /// Only other events have such a field: said by [`decode_strictly`](super::decode_strictly) alone.
    #[error("`{event}` has no field `{field}`: what it says is ignored")]
    OtherField {
        /// The field.
        field: Text,
        /// The event.
        event: EventType,
    },
    /// The object in a field has no such part: said by [`decode_strictly`](super::decode_strictly) alone.
    #[error("the field `{field}` has no part `{part}`")]
    UnknownPart {
        /// The field.
        field: Text,
        /// The part.
        part: Text,
    },
    /// The fields contradict each other.
    #[error("{0}")]
    Contradiction(&'static str),
}

/// Decodes one line, without its newline.
///
/// # Errors
/// [`LineError`] with the column and the cause. Nothing else is affected.
pub fn decode(line: &[u8]) -> Result<Envelope, LineError> {
    let parsed = match object(line) {
        Ok(parsed) => parsed,
        Err(error) => match repaired(line) {
            Some(repaired) => object(repaired.as_bytes()).map_err(|_| syntax(line, &error))?,
            None => return Err(syntax(line, &error)),
        },
    };
    parsed.envelope().map_err(|wrong| wrong.located(line))
}

/// Parses a JSON object, and nothing else: serde would take a list of the fields in their order, too.
pub(super) fn object(line: &[u8]) -> serde_json::Result<Line> {
    struct Object;
    impl<'de> Visitor<'de> for Object {
        type Value = Line;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Line, A::Error> {
            Line::deserialize(MapAccessDeserializer::new(map))
        }
    }
    fn read<'de, R: serde_json::de::Read<'de>>(
        mut from: serde_json::Deserializer<R>,
    ) -> serde_json::Result<Line> {
        let parsed = (&mut from).deserialize_map(Object)?;
        from.end()?;
        Ok(parsed)
    }
    // Checked as a whole, a line's text need not be checked string by string.
    match core::str::from_utf8(line) {
        Ok(text) => read(serde_json::Deserializer::from_str(text)),
        Err(_) => read(serde_json::Deserializer::from_slice(line)),
    }
}

/// An object in which some values are well-formed and yet no values, such as `1e999` or half a surrogate pair:
/// those become a list, which no field parses, so that they cost their field and not the line.
fn repaired(line: &[u8]) -> Option<String> {
    let mut object = serde_json::Map::new();
    let mut mended = false;
    for (key, raw) in raw_fields(line)? {
        let value = serde_json::from_str(raw.get()).unwrap_or_else(|_| {
            mended = true;
            serde_json::Value::Array(Vec::new())
        });
        if object.insert(key.into_owned(), value).is_some() {
            return None;
        }
    }
    if mended { serde_json::to_string(&object).ok() } else { None }
}

pub(super) fn syntax(line: &[u8], error: &serde_json::Error) -> LineError {
    let first = line.iter().position(|byte| !byte.is_ascii_whitespace());
    match first {
        None => return LineError { column: Some(1), cause: Cause::Truncated },
        Some(start) if line[start] != b'{' => {
            let marked = line[start..].starts_with("\u{feff}".as_bytes());
            let what = if marked { "it begins with a byte order mark" } else { "it does not begin with {" };
            let cause = Cause::Syntax(Text::from(what));
            return LineError { column: Some(start + 1), cause };
        }
        Some(_) if error.is_eof() => {
            return LineError { column: Some(error.column().max(1)), cause: Cause::Truncated };
        }
        Some(_) => {}
    }
    let text = error.to_string();
    // serde_json appends " at line 1 column N"; the column is told apart.
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(cause, _)| cause);
    LineError { column: Some(error.column().max(1)), cause: Cause::Syntax(Text::new(text)) }
}

impl Wrong {
    /// Reads the line once more to name the column and quote the value: the slow path, taken by bad lines only.
    pub(super) fn located(self, line: &[u8]) -> LineError {
        let (field, cause): (_, fn(&'static str, Text, Invalid) -> Cause) = match self {
            Self::NewerVersion(v) => {
                return LineError { column: find(line, "v").map(|f| f.0), cause: Cause::NewerVersion(v) };
            }
            Self::Missing(field) => {
                return LineError { column: None, cause: Cause::Missing(field) };
            }
            Self::Contradiction(why) => {
                return LineError { column: None, cause: Cause::Contradiction(why) };
            }
            Self::UnknownType => ("type", |_, found, _| Cause::UnknownType(found)),
            Self::Bad(field, _) => (field, |field, found, invalid| Cause::Bad { field, found, invalid }),
        };
        let invalid = if let Self::Bad(_, invalid) = self { invalid } else { EventType::EXPECTED };
        let (column, found) = find(line, field).map_or((None, Text::default()), |(c, t)| (Some(c), t));
        LineError { column, cause: cause(field, found, invalid) }
    }
}

/// The column and the shortened text of a top-level field.
fn find(line: &[u8], field: &str) -> Option<(usize, Text)> {
    let raw = raw_fields(line)?.into_iter().rev().find(|(key, _)| key == field)?.1.get();
    let column = raw.as_ptr().addr() - line.as_ptr().addr() + 1;
    Some((column, Text::cut(raw, 60)))
}

/// The top-level fields of a well-formed object, unparsed.
pub(super) fn raw_fields(line: &[u8]) -> Option<Vec<(Cow<'_, str>, &RawValue)>> {
    struct Fields;
    impl<'de> Visitor<'de> for Fields {
        type Value = Vec<(Cow<'de, str>, &'de RawValue)>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut fields = Vec::new();
            while let Some(field) = map.next_entry()? {
                fields.push(field);
            }
            Ok(fields)
        }
    }
    let mut from = serde_json::Deserializer::from_slice(line);
    let fields = (&mut from).deserialize_map(Fields).ok()?;
    from.end().ok()?;
    Some(fields)
}
