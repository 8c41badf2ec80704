//! Which lines of the trail `compartment matrix log` shows.

use std::num::NonZeroUsize;
use std::str::FromStr;

use clap::Args;
use compartment_core::event::RequestKind;
use compartment_core::{Actor, Span, Timestamp};

/// Which lines of the trail.
#[derive(Clone, Debug, Args)]
pub struct Lines {
    /// At most so many lines: the newest.
    #[arg(long, value_name = "N", default_value = "50")]
    pub limit: NonZeroUsize,

    /// Recorded since then: a time, or how long ago (`90m`, `36h`, `7d`).
    #[arg(long, value_name = "WHEN")]
    pub since: Option<Since>,

    /// What somebody decided.
    #[arg(long, value_name = "NAME")]
    pub actor: Option<Actor>,

    /// What belongs to operations of one kind: pull, switch, test, rollback, stop, refresh, merge-pr, revert-pr.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    pub kind: Option<RequestKind>,
}

/// From when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Since {
    /// A moment.
    At(Timestamp),
    /// So long before now.
    Ago(Span),
}

impl FromStr for Since {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WHAT: &str = "a time such as 2026-01-05T10:00:00Z, or how long ago: 90m, 36h, 7d";
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        let unit = text.chars().next_back().ok_or(WHAT)?;
        let number: u64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or(WHAT)?;
        let minutes = match unit {
            'm' => number,
            'h' => number.saturating_mul(60),
            'd' => number.saturating_mul(24 * 60),
            _ => return Err(WHAT),
        };
        Ok(Self::Ago(Span::from_millis(minutes.saturating_mul(60_000))))
    }
}

fn kind(text: &str) -> Result<RequestKind, &'static str> {
    RequestKind::from_name(text)
        .ok_or("it is one of pull, switch, test, rollback, stop, refresh, merge-pr and revert-pr")
}
