//! What is said of hosts, for all, a group, or one: the closest counts.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use compartment_core::{ChannelName, HostId, Tag, Tags};
use compartment_local::observe::Managed;
use compartment_local::operation::{Commands, Preset};
use serde::Deserialize;
use toml::de::{DeTable, Deserializer};
use toml::{Spanned, Value};

use super::error::InventoryError;
use super::place::value;
use super::{Host, Pace};
use crate::connection::Destination;
use crate::host::{HostPath, Site};

/// A table of settings, as it is written. The first three are for hosts alone.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    pub(super) name: Option<Spanned<String>>,
    destination: Option<Spanned<String>>,
    pub(super) group: Option<Spanned<String>>,
    checkout: Option<Spanned<String>>,
    platform: Option<Preset>,
    commands: Option<BTreeMap<String, Spanned<Value>>>,
    tests: Option<Spanned<String>>,
    channel: Option<Spanned<String>>,
    sudo: Option<bool>,
    profile: Option<Spanned<String>>,
    system_link: Option<Spanned<String>>,
    state: Option<Spanned<String>>,
    programs: Option<Vec<Spanned<String>>>,
    tags: Option<Spanned<Vec<Spanned<String>>>>,
    interval_s: Option<Spanned<u32>>,
    busy_interval_s: Option<Spanned<u32>>,
}

/// What a value is to be, with where it stands.
fn parsed<T, E: ToString>(
    text: &str,
    value: &Spanned<String>,
    parse: impl FnOnce(&str) -> Result<T, E>,
) -> Result<T, InventoryError> {
    let wrong = |error: E| InventoryError::new(&error.to_string()).at(text, value.span());
    parse(value.get_ref()).map_err(wrong)
}

fn path(text: &str, value: &Spanned<String>) -> Result<HostPath, InventoryError> {
    parsed(text, value, HostPath::new)
}

impl Settings {
    /// Refuses, in a group or the defaults, what only a host can have.
    pub(super) fn is_no_host(&self, text: &str) -> Result<(), InventoryError> {
        match [&self.name, &self.destination, &self.group].into_iter().flatten().next() {
            Some(value) => {
                let error = InventoryError::new("only a host has one; write it in its [[hosts]]");
                Err(error.at(text, value.span()))
            }
            None => Ok(()),
        }
    }

    /// Refuses what can never be, where it stands: also where something closer is said.
    pub(super) fn check(&self, text: &str) -> Result<(), InventoryError> {
        let paths = [&self.checkout, &self.profile, &self.system_link, &self.state];
        for value in paths.into_iter().flatten().chain(self.programs.iter().flatten()) {
            path(text, value)?;
        }
        if let Some(value) = &self.channel {
            parsed(text, value, ChannelName::new)?;
        }
        self.tags(text)?;
        for value in [&self.interval_s, &self.busy_interval_s].into_iter().flatten() {
            if !(1..=120).contains(value.get_ref()) {
                let error = InventoryError::new(
                    "give 1 to 120 seconds; a host that is not heard for five minutes counts as offline",
                );
                return Err(error.at(text, value.span()));
            }
        }
        for (key, value) in self.commands.iter().flatten() {
            let wrong = |problem: &str| InventoryError::read(problem).at(text, value.span());
            match key.as_str() {
                "preset" => return Err(wrong("say `platform` instead")),
                "tests" => return Err(wrong("say `tests` outside of `commands` instead")),
                _ => {}
            }
            let alone = toml::Table::from_iter([(key.clone(), value.get_ref().clone())]);
            let read: Result<Commands, _> = alone.try_into();
            read.map_err(|error| {
                let part = wrong_part(text, key, &value.span()).unwrap_or(value.span());
                InventoryError::read(error.message()).at(text, part)
            })?;
        }
        Ok(())
    }

    /// The same, where it is said, else as it is said further away.
    pub(super) fn or(self, other: &Self) -> Self {
        let other = other.clone();
        let commands = match (self.commands, other.commands) {
            (Some(near), Some(mut far)) => {
                far.extend(near);
                Some(far)
            }
            (near, far) => near.or(far),
        };
        Self {
            name: self.name,
            destination: self.destination,
            group: self.group,
            checkout: self.checkout.or(other.checkout),
            platform: self.platform.or(other.platform),
            commands,
            tests: self.tests.or(other.tests),
            channel: self.channel.or(other.channel),
            sudo: self.sudo.or(other.sudo),
            profile: self.profile.or(other.profile),
            system_link: self.system_link.or(other.system_link),
            state: self.state.or(other.state),
            programs: self.programs.or(other.programs),
            tags: self.tags.or(other.tags),
            interval_s: self.interval_s.or(other.interval_s),
            busy_interval_s: self.busy_interval_s.or(other.busy_interval_s),
        }
    }

    /// The host of which this is said.
    pub(super) fn host(self, id: HostId, text: &str) -> Result<Host, InventoryError> {
        let destination = match &self.destination {
            Some(value) => parsed(text, value, Destination::new)?,
            None => Destination::new(id.as_str()).map_err(|error| InventoryError::new(&error.to_string()))?,
        };
        let channel = match &self.channel {
            Some(value) => parsed(text, value, ChannelName::new)?,
            None => ChannelName::main(),
        };
        let commands = self.commands(&channel, text)?;
        let tags = self.tags(text)?;
        let whole = |value: Option<&Spanned<String>>| value.map(|value| path(text, value)).transpose();
        let base = Site::default();
        let mut programs =
            self.programs.iter().flatten().map(|value| path(text, value)).collect::<Result<Vec<_>, _>>()?;
        programs.extend(base.programs.clone());
        let site = Site {
            checkout: whole(self.checkout.as_ref())?,
            managed: match self.platform {
                Some(Preset::HomeManager) => Managed::Home,
                Some(Preset::Nixos | Preset::NixDarwin) | None => Managed::default(),
            },
            system_link: whole(self.system_link.as_ref())?.unwrap_or_else(|| base.system_link.clone()),
            system_profile: whole(self.profile.as_ref())?.unwrap_or_else(|| base.system_profile.clone()),
            state: whole(self.state.as_ref())?,
            sudo: self.sudo.unwrap_or_default(),
            programs,
            ..base
        };
        let seconds = |value: Option<Spanned<u32>>, unless: Duration| {
            value.map_or(unless, |value| Duration::from_secs(value.into_inner().into()))
        };
        let Pace { idle, busy } = Pace::default();
        let pace = Pace { idle: seconds(self.interval_s, idle), busy: seconds(self.busy_interval_s, busy) };
        Ok(Host { id, destination, channel, tags, site, commands, pace })
    }

    fn tags(&self, text: &str) -> Result<Tags, InventoryError> {
        let Some(said) = &self.tags else { return Ok(Tags::NONE) };
        let tags = said.get_ref().iter().map(|value| parsed(text, value, Tag::new));
        let tags = tags.collect::<Result<Vec<_>, _>>()?;
        Tags::new(tags).map_err(|error| InventoryError::new(&error.to_string()).at(text, said.span()))
    }

    fn commands(&self, channel: &ChannelName, text: &str) -> Result<Commands, InventoryError> {
        let said = self.commands.iter().flatten();
        let mut table: toml::Table =
            said.map(|(key, value)| (key.clone(), value.get_ref().clone())).collect();
        // A host pulls what it follows.
        table.entry("branch").or_insert_with(|| channel.as_str().into());
        if let Some(platform) = self.platform {
            let preset = match platform {
                Preset::Nixos => "nixos",
                Preset::NixDarwin => "nix-darwin",
                Preset::HomeManager => "home-manager",
            };
            table.insert("preset".to_owned(), preset.into());
        }
        if let Some(tests) = &self.tests {
            table.insert("tests".to_owned(), tests.get_ref().as_str().into());
        }
        let wrong = |error: toml::de::Error| {
            let error = InventoryError::new(error.message()).of("commands");
            // Each alone was right: it is what the channel's name makes of it.
            match &self.channel {
                Some(channel) => error.at(text, channel.span()),
                None => error,
            }
        };
        table.try_into().map_err(wrong)
    }
}

/// Where in one of the commands something is wrong, as far as that is told.
fn wrong_part(text: &str, key: &str, at: &Range<usize>) -> Option<Range<usize>> {
    let tree = DeTable::parse(text).ok()?;
    let value = value(tree.get_ref(), at)?.clone();
    let alone = DeTable::from_iter([(Spanned::new(at.clone(), key.into()), value)]);
    Commands::deserialize(Deserializer::from(Spanned::new(at.clone(), alone))).err()?.span()
}

/// How ssh is called, as it is written.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSsh {
    pub(super) config_file: Option<PathBuf>,
    pub(super) share: Option<bool>,
    pub(super) connect_s: Option<Spanned<u32>>,
    pub(super) answer_s: Option<Spanned<u32>>,
    pub(super) keep_alive_s: Option<Spanned<u32>>,
    pub(super) parallel: Option<Spanned<u32>>,
}
