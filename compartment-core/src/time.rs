//! Time as an argument: the core reads no clock.

use core::fmt;
use core::num::NonZeroU64;
use core::ops::{Add, Sub};
use core::str::FromStr;

use alloc::borrow::Cow;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::Invalid;

/// A moment in UTC, in whole milliseconds since 1970. Between 1970 and 9999; written as RFC 3339.
///
/// Held as milliseconds plus one, so that `Option<Timestamp>` is no larger.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(NonZeroU64);

/// A span of time in whole milliseconds, never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Span(u64);

impl Span {
    /// A span of milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// A span of seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// A span of minutes.
    #[must_use]
    pub const fn from_mins(minutes: u64) -> Self {
        Self::from_secs(minutes.saturating_mul(60))
    }

    /// The span in milliseconds.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Span {
    /// The largest whole unit: `45 s`, `30 min`, `17 h`, `3 days`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 / 1000 {
            s @ 0..120 => write!(f, "{s} s"),
            s @ 120..7_200 => write!(f, "{} min", s / 60),
            s @ 7_200..172_800 => write!(f, "{} h", s / 3_600),
            s => write!(f, "{} days", s / 86_400),
        }
    }
}

impl Timestamp {
    /// The earliest moment: 1970-01-01T00:00:00Z.
    pub const MIN: Self = Self::of(0);
    /// The latest moment: 9999-12-30T22:00:00Z, the end of what RFC 3339 tools agree on.
    pub const MAX: Self = Self::of(253_402_207_200_000);

    const INVALID: Invalid = Invalid {
        what: "time",
        expected: "RFC 3339 in UTC, from 1970 to 9999, such as 2026-01-05T10:00:00Z",
    };

    /// A moment from milliseconds since 1970.
    ///
    /// # Errors
    /// [`Invalid`] before 1970 or after 9999.
    pub fn from_millis(millis: i64) -> Result<Self, Invalid> {
        match u64::try_from(millis) {
            Ok(millis) if millis <= Self::MAX.millis() => Ok(Self::of(millis)),
            Ok(_) | Err(_) => Err(Self::INVALID),
        }
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub const fn as_millis(self) -> i64 {
        self.millis().cast_signed()
    }

    /// How long after `earlier` this is; zero where it is not after it.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Span {
        Span(self.millis().saturating_sub(earlier.millis()))
    }

    /// The moment without its milliseconds, as sentences name it.
    #[must_use]
    pub const fn whole_second(self) -> Self {
        Self::of(self.millis() / 1000 * 1000)
    }

    const fn millis(self) -> u64 {
        self.0.get() - 1
    }

    const fn of(millis: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(millis))
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::MIN
    }
}

impl Add<Span> for Timestamp {
    type Output = Self;
    /// Stops at [`Timestamp::MAX`].
    fn add(self, span: Span) -> Self {
        Self::of(self.millis().saturating_add(span.0).min(Self::MAX.millis()))
    }
}

impl Sub<Span> for Timestamp {
    type Output = Self;
    /// Stops at [`Timestamp::MIN`].
    fn sub(self, span: Span) -> Self {
        Self::of(self.millis().saturating_sub(span.0))
    }
}

impl FromStr for Timestamp {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parsed: jiff::Timestamp = text.parse().map_err(|_| Self::INVALID)?;
        let whole = parsed >= jiff::Timestamp::UNIX_EPOCH && is_rfc_3339(text.as_bytes());
        if whole { Self::from_millis(parsed.as_millisecond()) } else { Err(Self::INVALID) }
    }
}

/// The shape of RFC 3339; jiff also takes what other standards allow.
fn is_rfc_3339(text: &[u8]) -> bool {
    let like = |text: &[u8], shape: &[u8]| {
        text.len() == shape.len()
            && text.iter().zip(shape).all(|(c, shape)| match shape {
                b'0' => c.is_ascii_digit(),
                shape => c.eq_ignore_ascii_case(shape),
            })
    };
    let Some((seconds, rest)) = text.split_at_checked(19) else { return false };
    let fraction = match rest.split_first() {
        Some((b'.', digits)) => digits.iter().take_while(|c| c.is_ascii_digit()).count() + 1,
        Some(_) | None => 0,
    };
    let offset = &rest[fraction..];
    like(seconds, b"0000-00-00T00:00:00")
        && fraction != 1
        && (like(offset, b"Z") || like(offset, b"+00:00") || like(offset, b"-00:00"))
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time =
            jiff::Timestamp::from_millisecond(self.as_millis()).expect("Timestamp is within jiff's range");
        fmt::Display::fmt(&time, f)
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Cow::<'_, str>::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::prelude::rust_2024::*;

    use super::*;

    #[test]
    fn reads_and_writes_rfc_3339() {
        for (text, written) in [
            ("2026-01-05T10:00:00Z", "2026-01-05T10:00:00Z"),
            ("2026-01-05T10:00:00.25Z", "2026-01-05T10:00:00.25Z"),
            ("2026-01-05T12:00:00+02:00", "2026-01-05T10:00:00Z"),
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), written);
        }
        assert_eq!(Timestamp::MAX.to_string().parse::<Timestamp>().unwrap(), Timestamp::MAX);
    }

    #[test]
    fn refuses_what_is_no_moment() {
        for bad in [
            "",
            "2026-01-05",
            "1969-12-31T23:59:59Z",
            "10000-01-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "now",
            "1969-12-31T23:59:59.9999Z",
            "2026-01-05T10:00+00:00",
            "2026-01-05T10:00:00+25",
            "2026-01-05T10:00:00.Z",
            "2026-01-05T10:00:00Z[Europe/Berlin]",
            "+02026-01-05T10:00:00Z",
            "1767607200",
        ] {
            assert!(bad.parse::<Timestamp>().is_err(), "{bad}");
        }
    }

    #[test]
    fn arithmetic_stops_at_the_ends() {
        assert_eq!(Timestamp::MAX + Span::from_secs(u64::MAX), Timestamp::MAX);
        assert_eq!(Timestamp::MIN - Span::from_secs(1), Timestamp::MIN);
        assert_eq!(Timestamp::MIN.since(Timestamp::MAX), Span::default());
    }
}
