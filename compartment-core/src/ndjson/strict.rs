//! For whoever writes a producer: what [`decode`] passes over is an error here.

use serde_json::value::RawValue;

use super::Envelope;
use super::decode::{Cause, LineError, decode, object, raw_fields, syntax};
use super::encode;
use super::line::{Line, Wrong};
use crate::text::Text;

/// Decodes one line as [`decode`] does, and refuses it also where a field counts as absent because it does not parse,
/// or is ignored because this event has none of that name: a misspelt one, or one of another event.
///
/// A log holds such lines for good reason (a newer producer knows more fields), so this is for checks, not for intake.
///
/// # Errors
/// [`LineError`] with the column and the cause.
pub fn decode_strictly(line: &[u8]) -> Result<Envelope, LineError> {
    let envelope = decode(line)?;
    let fields = object(line).map_err(|error| syntax(line, &error))?;
    if let Some((field, invalid)) = fields.unparsed().next() {
        return Err(Wrong::Bad(field, *invalid).located(line));
    }
    let taken = encode(envelope.at, &envelope.event);
    let taken = raw_fields(taken.as_bytes()).unwrap_or_default();
    for (field, raw) in raw_fields(line).unwrap_or_default() {
        let ignored = || {
            let is_taken = taken.iter().any(|(taken, _)| *taken == field) || says_nothing(&field, raw);
            let event = envelope.event.event_type();
            (!is_taken).then(|| (Cause::OtherField { field: Text::cut(&field, 60), event }, raw.get()))
        };
        unknown_in(&field, raw).or_else(ignored).map_or(Ok(()), |(cause, at)| {
            let column = at.as_ptr().addr().checked_sub(line.as_ptr().addr()).map(|offset| offset + 1);
            Err(LineError { column, cause })
        })?;
    }
    Ok(envelope)
}

/// Whether a field says what is so without it, and so is not written.
fn says_nothing(field: &str, raw: &RawValue) -> bool {
    matches!(
        (field, raw.get()),
        ("v", _)
            | (_, "null")
            | ("checkout", r#""host""#)
            | ("force", "false")
            | ("passed", _)
            | ("tags", "[]")
            | ("via", r#""git""#)
    )
}

/// What is unknown of a field, and where its value is.
fn unknown_in<'a>(field: &str, raw: &'a RawValue) -> Option<(Cause, &'a str)> {
    let Some(parts) = Line::parts(field) else {
        return Some((Cause::UnknownField(Text::cut(field, 60)), raw.get()));
    };
    let told = raw_fields(raw.get().as_bytes()).unwrap_or_default();
    let (part, at) = told.into_iter().find(|(part, _)| !parts.contains(&part.as_ref()))?;
    let cause = Cause::UnknownPart { field: Text::cut(field, 60), part: Text::cut(&part, 60) };
    Some((cause, at.get()))
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    fn refused(line: &str) -> alloc::string::String {
        assert!(decode(line.as_bytes()).is_ok(), "{line}");
        decode_strictly(line.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_passed_over_is_named() {
        for (line, said) in [
            (
                r#"{"type":"switch-started","host":"a","timeout_s":"600"}"#,
                r#"column 49: the field `timeout_s` is "600": not a valid time limit: expected 1 to 604800 seconds"#,
            ),
            (
                r#"{"type":"switch-fail","host":"a","activate":false}"#,
                "column 45: no event has a field `activate`",
            ),
            (
                r#"{"type":"switch-fail","host":"a","commit":"abcdef0"}"#,
                "column 43: `switch-fail` has no field `commit`: what it says is ignored",
            ),
            (
                r#"{"type":"op-stopped","host":"a","kind":"switch","system":{"path":"/nix/store/a"}}"#,
                "column 58: `op-stopped` has no field `system`: what it says is ignored",
            ),
            (
                r#"{"type":"host-configured","host":"a","tests":{"autorun":false}}"#,
                "column 57: the field `tests` has no part `autorun`",
            ),
            (
                r#"{"type":"rollback-started","host":"a","to":"/nix/store/a"}"#,
                r#"column 44: the field `to` is "/nix/store/a": not a valid target: expected an object with any of: number path"#,
            ),
            (
                r#"{"type":"heartbeat","host":"a","commit":1e999}"#,
                "column 45: not a JSON object: number out of range",
            ),
        ] {
            let refused = refused(line);
            assert_eq!(refused, said);
        }
    }

    #[test]
    fn what_says_something_is_taken() {
        for line in [
            r#"{"v":1,"at":"2026-01-05T09:00:00Z","type":"host-configured","host":"a","checkout":"host","tests":{"enabled":true,"auto_run":true,"timeout_s":300}}"#,
            r#"{"type":"switch-fail","host":"a","commit":null}"#,
            r#"{"type":"desired-observed","commit":"abcdef0","via":"git"}"#,
            r#"{"type":"host-configured","host":"a","tags":[]}"#,
            r#"{"type":"test-pass","host":"a","passed":3,"total":3,"op":"t","origin":{"session":"s","n":1}}"#,
            r#"{"type":"op-requested","host":"a","op":"s","kind":"switch","by":"mba","force":false}"#,
            r#"{"type":"heartbeat","host":"a","running":null,"commit":null,"lock_hash":null,"system":{"path":"/nix/store/a","number":1,"commit":"abcdef0"}}"#,
        ] {
            assert_eq!(decode_strictly(line.as_bytes()), decode(line.as_bytes()), "{line}");
        }
    }
}
