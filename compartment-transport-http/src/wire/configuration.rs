//! How hosts are configured: what an operator may see and change.

use compartment_core::event::{CheckoutPlace, LONGEST_TIMEOUT_S, TestsConfig};
use compartment_core::{ChannelName, HostId, Invalid, Tag, Tags};
use serde::{Deserialize, Serialize};

use super::object;

/// How a host is configured.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Configuration {
    /// The host.
    pub host: HostId,
    /// What it follows.
    pub channel: ChannelName,
    /// Whether it has a checkout of its own: `host`, or `none` where somebody pushes what was built elsewhere.
    pub checkout: CheckoutPlace,
    /// How its tests run.
    pub tests: Tests,
    /// What operators call it. Empty also where the writer is older than this field.
    #[serde(default)]
    pub tags: Tags,
}

/// How a host's tests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
pub struct Tests {
    /// Whether there are any.
    pub enabled: bool,
    /// Whether they run by themselves after a switch or rollback.
    pub auto_run: bool,
    /// Seconds that each of them may take.
    pub timeout_s: u32,
}

/// What is to be configured otherwise. What it does not say stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// What the host follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<ChannelName>,
    /// Whether it has a checkout of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkout: Option<CheckoutPlace>,
    /// How its tests run.
    #[serde(default, deserialize_with = "object")]
    pub tests: TestsChange,
    /// What operators call it.
    #[serde(default, deserialize_with = "object")]
    pub tags: TagsChange,
}

/// Which of a host's tags are to be others. The rest stays.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TagsChange {
    /// Those that it does not have any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remove: Vec<Tag>,
    /// Those that it has from now on, also where they are removed, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub add: Vec<Tag>,
}

impl TagsChange {
    /// The tags with this change.
    ///
    /// # Errors
    /// [`Invalid`]: there would be too many.
    pub fn of(self, before: &Tags) -> Result<Tags, Invalid> {
        let stay = before.iter().filter(|tag| !self.remove.contains(tag)).cloned();
        Tags::new(stay.chain(self.add))
    }
}

/// What of a host's tests is to be configured otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "server", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TestsChange {
    /// Whether there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Whether they run by themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_run: Option<bool>,
    /// Seconds that each of them may take, from 1 to a week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<u32>,
}

/// A limit of time that cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`timeout_s` is from 1 to {LONGEST_TIMEOUT_S} seconds, not {0}")]
pub struct BadLimit(u32);

impl TestsChange {
    /// The configuration with this change.
    ///
    /// # Errors
    /// [`BadLimit`].
    pub fn of(self, before: TestsConfig) -> Result<TestsConfig, BadLimit> {
        let each_timeout_s = self.timeout_s.unwrap_or(before.each_timeout_s);
        if !(1..=LONGEST_TIMEOUT_S).contains(&each_timeout_s) {
            return Err(BadLimit(each_timeout_s));
        }
        let enabled = self.enabled.unwrap_or(before.enabled);
        Ok(TestsConfig { enabled, auto_run: self.auto_run.unwrap_or(before.auto_run), each_timeout_s })
    }
}

impl From<TestsConfig> for Tests {
    fn from(TestsConfig { enabled, auto_run, each_timeout_s }: TestsConfig) -> Self {
        Self { enabled, auto_run, timeout_s: each_timeout_s }
    }
}
