//! What answers mean.

mod began;
mod ended;
mod facts;
mod looked;
mod small;

pub use began::{Begun, read_begin};
pub use ended::Ended;
pub use looked::{Gone, HostLook, Printed, Running, read_look};
pub use small::{
    Acknowledged, Asked, Finding, Generation, Verdict, read_acknowledge, read_check, read_generations,
    read_stop,
};

use std::time::Duration;

use compartment_core::event::Kind;
use compartment_core::{OpId, Text};

use super::frame::BadAnswer;

/// The first word of a line, and the rest.
fn split(line: &str) -> (&str, &str) {
    line.split_once(' ').unwrap_or((line, ""))
}

fn op(part: &'static str, raw: &str) -> Result<OpId, BadAnswer> {
    OpId::new(raw).map_err(|_| BadAnswer::part(part, raw))
}

fn kind(part: &'static str, raw: &str) -> Result<Kind, BadAnswer> {
    Kind::from_name(raw).ok_or_else(|| BadAnswer::part(part, raw))
}

fn seconds(part: &'static str, raw: &str) -> Result<Duration, BadAnswer> {
    raw.parse::<u32>().map(|s| Duration::from_secs(s.into())).map_err(|_| BadAnswer::part(part, raw))
}

/// The longest that an operation may seem to run, whatever its host says.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long all of an operation may take.
fn limit_of(part: &'static str, raw: &str) -> Result<Duration, BadAnswer> {
    Ok(seconds(part, raw)?.min(LONGEST))
}

/// Words for people, without credentials.
fn words(raw: &str) -> Text {
    Text::new(&compartment_local::credentials::without_credentials(raw.trim_end()))
}
