//! The words that several vocabularies share: operations, requests, and how a host is configured.

use serde::{Deserialize, Serialize};

/// A fieldless enum with its wire names; `ALL` lists every value, for parsing and for enumeration.
macro_rules! words {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable name used in events and output.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The value with this name.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.as_str())
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> alloc::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let names: alloc::vec::Vec<_> = Self::ALL.iter().map(|value| value.as_str()).collect();
                schemars::json_schema!({ "type": "string", "enum": names })
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let name = alloc::borrow::Cow::<'_, str>::deserialize(from)?;
                Self::from_name(&name).ok_or_else(|| serde::de::Error::custom(concat!("unknown ", stringify!($name))))
            }
        }
    )+};
}
pub(crate) use words;

words! {
    /// An operation that runs on a host.
    Kind {
        /// Bring the checkout to the desired commit.
        Pull = "pull",
        /// Build and activate what the checkout says.
        Switch = "switch",
        /// Run the host's tests.
        Test = "test",
        /// Activate an earlier generation.
        Rollback = "rollback",
    }

    /// Anything that can be asked for.
    RequestKind {
        /// See [`Kind::Pull`].
        Pull = "pull",
        /// See [`Kind::Switch`].
        Switch = "switch",
        /// See [`Kind::Test`].
        Test = "test",
        /// See [`Kind::Rollback`].
        Rollback = "rollback",
        /// Stop an operation of a host.
        Stop = "stop",
        /// A heartbeat now, or a look at the repository now.
        Refresh = "refresh",
        /// Merge a pull request; touches no host.
        MergePr = "merge-pr",
        /// Revert a merged pull request; touches no host.
        RevertPr = "revert-pr",
    }
}

words! {
    /// Where the configuration is checked out that a host is deployed from: part of its configuration.
    #[derive(Default)]
    CheckoutPlace {
        /// On the host itself: it pulls and switches.
        #[default]
        Host = "host",
        /// Nowhere on the host: somebody pushes what was built elsewhere.
        None = "none",
    }
}

impl Kind {
    /// A switch or a rollback: an attempt to change what runs.
    #[must_use]
    pub const fn deploys(self) -> bool {
        matches!(self, Self::Switch | Self::Rollback)
    }
}

impl RequestKind {
    /// The operation on a host that it asks for. `None` where it asks for a stop, a look, a merge or a revert.
    #[must_use]
    pub const fn operation(self) -> Option<Kind> {
        match self {
            Self::Pull => Some(Kind::Pull),
            Self::Switch => Some(Kind::Switch),
            Self::Test => Some(Kind::Test),
            Self::Rollback => Some(Kind::Rollback),
            Self::Stop | Self::Refresh | Self::MergePr | Self::RevertPr => None,
        }
    }
}

impl From<Kind> for RequestKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Pull => Self::Pull,
            Kind::Switch => Self::Switch,
            Kind::Test => Self::Test,
            Kind::Rollback => Self::Rollback,
        }
    }
}

/// How a host's tests are run: part of its configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestsConfig {
    /// Off shows gray (CORE-006 T1).
    pub enabled: bool,
    /// Run by themselves after a switch or rollback.
    pub auto_run: bool,
    /// Seconds that each test may take, on the host (CORE-006, section 11). It ends no run in the fold: what a run
    /// may take altogether is said where it starts.
    #[serde(rename = "timeout_s")]
    pub each_timeout_s: u32,
}

impl Default for TestsConfig {
    fn default() -> Self {
        Self { enabled: true, auto_run: true, each_timeout_s: 60 }
    }
}

/// The longest time an operation may ask for, in seconds (seven days): every operation ends.
pub const LONGEST_TIMEOUT_S: u32 = 7 * 24 * 60 * 60;
