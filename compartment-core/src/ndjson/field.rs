//! One field of a line: taken if it parses, remembered as bad if it does not.

use core::fmt;
use core::marker::PhantomData;

use alloc::boxed::Box;
use alloc::vec::Vec;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::commit::{Commit, LockFile, LockHash};
use crate::event::{
    CheckoutPlace, GenerationNumber, Kind, LONGEST_TIMEOUT_S, Origin, Reading, RequestKind, RunningSystem,
    Said, Target, TestsConfig, Via,
};
use crate::id::{Actor, ChannelName, HostId, Invalid, OpId, PrId, SessionId, StorePath, Tag, Version};
use crate::tags::Tags;
use crate::text::Text;
use crate::time::Timestamp;

/// A field as found in a line.
#[derive(Clone, Debug, Default)]
pub(super) enum Field<T> {
    #[default]
    Absent,
    Null,
    Good(T),
    /// Apart, because it is rare: a line has many fields, and they are moved about.
    Bad(Box<Invalid>),
}

impl<T> Field<T> {
    /// An optional field of a report: what does not parse counts as absent.
    pub(super) fn lenient(self) -> Option<T> {
        match self {
            Self::Good(value) => Some(value),
            Self::Absent | Self::Null | Self::Bad(_) => None,
        }
    }

    /// What it should hold, where it does not parse.
    pub(super) fn bad(&self) -> Option<&Invalid> {
        match self {
            Self::Bad(invalid) => Some(invalid),
            Self::Absent | Self::Null | Self::Good(_) => None,
        }
    }

    /// A field of a heartbeat.
    pub(super) fn reading(self) -> Reading<T> {
        match self {
            Self::Good(value) => Reading::Told(value),
            Self::Absent | Self::Null => Reading::Absent,
            Self::Bad(_) => Reading::Unreadable,
        }
    }
}

/// How a JSON value becomes a `Self`. Whatever is not overridden does not parse.
pub(super) trait Parse: Sized {
    const EXPECTED: Invalid;
    /// The names of its parts, where it is written as an object.
    const PARTS: &'static [&'static str] = &[];

    fn text(_: &str) -> Result<Self, Invalid> {
        Err(Self::EXPECTED)
    }
    fn flag(_: bool) -> Result<Self, Invalid> {
        Err(Self::EXPECTED)
    }
    fn number(_: i128) -> Result<Self, Invalid> {
        Err(Self::EXPECTED)
    }
    /// What `null` says. `None` where it says no more than a field that is not there.
    fn null() -> Option<Self> {
        None
    }
    fn object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Result<Self, Invalid>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Err(Self::EXPECTED))
    }
    fn list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Result<Self, Invalid>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Err(Self::EXPECTED))
    }
}

impl<'de, T: Parse> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(FieldVisitor(PhantomData))
    }
}

struct FieldVisitor<T>(PhantomData<T>);

impl<'de, T: Parse> Visitor<'de> for FieldVisitor<T> {
    type Value = Field<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(T::EXPECTED.expected)
    }
    fn visit_unit<E: Error>(self) -> Result<Field<T>, E> {
        Ok(T::null().map_or(Field::Null, Field::Good))
    }
    fn visit_str<E: Error>(self, value: &str) -> Result<Field<T>, E> {
        Ok(T::text(value).into())
    }
    fn visit_bool<E: Error>(self, value: bool) -> Result<Field<T>, E> {
        Ok(T::flag(value).into())
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Field<T>, E> {
        Ok(T::number(value.into()).into())
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Field<T>, E> {
        Ok(T::number(value.into()).into())
    }
    fn visit_f64<E: Error>(self, _: f64) -> Result<Field<T>, E> {
        Ok(Err(T::EXPECTED).into())
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field<T>, A::Error> {
        T::object(map).map(Field::from)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Field<T>, A::Error> {
        T::list(list).map(Field::from)
    }
}

impl<T> From<Result<T, Invalid>> for Field<T> {
    fn from(parsed: Result<T, Invalid>) -> Self {
        match parsed {
            Ok(value) => Self::Good(value),
            Err(invalid) => Self::Bad(Box::new(invalid)),
        }
    }
}

/// Values written as JSON strings.
macro_rules! strings {
    ($($type:ty, $what:literal, $expected:literal, $parse:expr;)+) => {$(
        impl Parse for $type {
            const EXPECTED: Invalid = Invalid { what: $what, expected: $expected };
            fn text(value: &str) -> Result<Self, Invalid> {
                let parse: fn(&str) -> Result<Self, Invalid> = $parse;
                parse(value)
            }
        }
    )+};
}

strings! {
    HostId, "host id", "a string of 1 to 253 of A-Z a-z 0-9 . _ -, starting with a letter or digit", HostId::new;
    ChannelName, "channel", "a string", ChannelName::new;
    OpId, "operation id", "a string", OpId::new;
    SessionId, "session", "a string", SessionId::new;
    Tag, "tag", "a string", Tag::new;
    Version, "version", "a string of 1 to 100 printable ASCII characters", Version::new;
    Actor, "actor", "a string of 1 to 200 bytes of printable text", Actor::new;
    StorePath, "path", "a string: an absolute path", StorePath::new;
    Commit, "commit", "a string of 7 to 64 hex digits", Commit::new;
    Text, "text", "a string", |s| Ok(Text::new(s));
    Timestamp, "time", "a string: RFC 3339 in UTC, such as 2026-01-05T10:00:00Z", |s| s.parse();
    Kind, "operation", "pull, switch, test or rollback", |s| Kind::from_name(s).ok_or(Kind::EXPECTED);
    RequestKind, "operation", "pull, switch, test, rollback, stop, refresh, merge-pr or revert-pr",
        |s| RequestKind::from_name(s).ok_or(RequestKind::EXPECTED);
    CheckoutPlace, "checkout", "host or none", |s| CheckoutPlace::from_name(s).ok_or(CheckoutPlace::EXPECTED);
    Via, "via", "git or published", |s| Via::from_name(s).ok_or(Via::EXPECTED);
}

impl Parse for LockFile {
    const EXPECTED: Invalid =
        Invalid { what: "lock hash", expected: "a string of 64 hex digits (SHA-256), or null: no lock file" };
    fn text(value: &str) -> Result<Self, Invalid> {
        LockHash::new(value).map(Self::Hash)
    }
    fn null() -> Option<Self> {
        Some(Self::NoFile)
    }
}

impl Parse for PrId {
    const EXPECTED: Invalid = Invalid { what: "pull request", expected: "a number or a string" };
    fn text(value: &str) -> Result<Self, Invalid> {
        Self::new(value)
    }
    fn number(value: i128) -> Result<Self, Invalid> {
        u64::try_from(value).map(Self::from).map_err(|_| Self::EXPECTED)
    }
}

impl Parse for bool {
    const EXPECTED: Invalid = Invalid { what: "flag", expected: "true or false" };
    fn flag(value: bool) -> Result<Self, Invalid> {
        Ok(value)
    }
}

/// Values written as JSON integers.
macro_rules! integers {
    ($($type:ty, $expected:literal;)+) => {$(
        impl Parse for $type {
            const EXPECTED: Invalid = Invalid { what: "number", expected: $expected };
            fn number(value: i128) -> Result<Self, Invalid> {
                value.try_into().map_err(|_| Self::EXPECTED)
            }
        }
    )+};
}

integers! {
    u64, "a whole number from 0";
    u32, "a whole number from 0 to 4294967295";
    i32, "a whole number";
}

impl Parse for GenerationNumber {
    const EXPECTED: Invalid =
        Invalid { what: "generation number", expected: "a whole number from 1 to 4294967295" };
    fn number(value: i128) -> Result<Self, Invalid> {
        u32::try_from(value).ok().and_then(Self::new).ok_or(Self::EXPECTED)
    }
}

/// Seconds until an operation expires: every operation ends, and none at once.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeoutSeconds(pub(super) u32);

impl Parse for TimeoutSeconds {
    const EXPECTED: Invalid = Invalid { what: "time limit", expected: "1 to 604800 seconds" };
    fn number(value: i128) -> Result<Self, Invalid> {
        match u32::try_from(value) {
            Ok(seconds @ 1..=LONGEST_TIMEOUT_S) => Ok(Self(seconds)),
            Ok(_) | Err(_) => Err(Self::EXPECTED),
        }
    }
}

/// Names of failed tests.
#[derive(Clone, Debug)]
pub(super) struct Names(pub(super) Vec<Text>);

impl Parse for Names {
    const EXPECTED: Invalid = Invalid { what: "names", expected: "a list of strings" };
    fn list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Result<Self, Invalid>, A::Error> {
        let mut names = Vec::new();
        let mut good = true;
        while let Some(name) = list.next_element::<Field<Text>>()? {
            match name {
                Field::Good(name) if names.len() < Said::FAILED_NAMES => {
                    names.push(Text::cut(name.as_str(), Said::FAILED_NAME_BYTES))
                }
                Field::Good(_) => {}
                Field::Absent | Field::Null | Field::Bad(_) => good = false,
            }
        }
        Ok(if good { Ok(Self(names)) } else { Err(Self::EXPECTED) })
    }
}

impl Parse for Tags {
    const EXPECTED: Invalid = Invalid {
        what: "list of tags",
        expected: "a list of at most 32, each 1 to 63 of A-Z a-z 0-9 . _ : = / -, starting with a letter or digit",
    };
    fn list<'de, A: SeqAccess<'de>>(mut list: A) -> Result<Result<Self, Invalid>, A::Error> {
        let mut tags = Vec::new();
        let mut good = true;
        while let Some(tag) = list.next_element::<Field<Tag>>()? {
            match tag {
                Field::Good(tag) => tags.push(tag),
                Field::Absent | Field::Null | Field::Bad(_) => good = false,
            }
        }
        Ok(if good { Self::new(tags) } else { Err(Self::EXPECTED) })
    }
}

/// An object whose parts are fields: one bad part makes the whole bad, and so does one that is told twice; unknown parts
/// are ignored.
macro_rules! objects {
    ($($type:ty, $what:literal, { $($key:literal => $part:ident: $part_type:ty),+ } => $build:expr;)+) => {$(
        impl Parse for $type {
            const EXPECTED: Invalid = Invalid { what: $what, expected: concat!("an object with any of:", $(" ", $key),+) };
            const PARTS: &'static [&'static str] = &[$($key),+];
            fn object<'de, A: MapAccess<'de>>(mut map: A) -> Result<Result<Self, Invalid>, A::Error> {
                $(let mut $part = Field::<$part_type>::Absent;)+
                while let Some(key) = map.next_key::<Key>()? {
                    match key.0.as_str() {
                        // A part that is told twice is not told.
                        $($key => {
                            let again = !matches!($part, Field::Absent);
                            $part = map.next_value()?;
                            if again {
                                $part = Field::Bad(Box::new(Self::EXPECTED));
                            }
                        })+
                        _ => { map.next_value::<IgnoredAny>()?; }
                    }
                }
                $(let $part = match $part {
                    Field::Good(value) => Some(value),
                    Field::Absent | Field::Null => None,
                    Field::Bad(invalid) => return Ok(Err(*invalid)),
                };)+
                let whole: Option<Self> = $build;
                Ok(whole.ok_or(Self::EXPECTED))
            }
        }
    )+};
}

/// A key of an object: compared and dropped.
struct Key(smol_str::SmolStr);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_str<E: Error>(self, key: &str) -> Result<Key, E> {
                Ok(Key(smol_str::SmolStr::new(key)))
            }
        }
        from.deserialize_str(KeyVisitor)
    }
}

objects! {
    RunningSystem, "system", { "path" => path: StorePath, "number" => number: GenerationNumber, "commit" => commit: Commit }
        => Some(RunningSystem { path, number, commit });
    Target, "target", { "number" => number: GenerationNumber, "path" => path: StorePath }
        => (number.is_some() || path.is_some()).then_some(Target { number, path });
    Origin, "origin", { "session" => session: SessionId, "n" => n: u64 }
        => session.zip(n).map(|(session, n)| Origin { session, n });
    TestsConfig, "tests", { "enabled" => enabled: bool, "auto_run" => auto_run: bool, "timeout_s" => timeout: TimeoutSeconds }
        => {
            let default = TestsConfig::default();
            Some(TestsConfig {
                enabled: enabled.unwrap_or(default.enabled),
                auto_run: auto_run.unwrap_or(default.auto_run),
                each_timeout_s: timeout.map_or(default.each_timeout_s, |t| t.0),
            })
        };
}

impl<T: Parse> Parse for Box<T> {
    const EXPECTED: Invalid = T::EXPECTED;
    const PARTS: &'static [&'static str] = T::PARTS;
    fn object<'de, A: MapAccess<'de>>(map: A) -> Result<Result<Self, Invalid>, A::Error> {
        T::object(map).map(|parsed| parsed.map(Self::new))
    }
}
