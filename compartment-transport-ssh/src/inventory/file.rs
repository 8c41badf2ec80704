//! An inventory as a file of TOML.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use compartment_core::HostId;
use serde::Deserialize;
use toml::Spanned;

use super::error::InventoryError;
use super::place::line;
use super::settings::{RawSsh, Settings};
use super::{Host, Inventory};
use crate::connection::Ssh;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    ssh: RawSsh,
    #[serde(default)]
    defaults: Settings,
    #[serde(default)]
    groups: BTreeMap<String, Settings>,
    #[serde(default)]
    hosts: Vec<Spanned<Settings>>,
}

pub(super) fn parse(text: &str, folder: &Path) -> Result<Inventory, InventoryError> {
    let raw: Raw = toml::from_str(text).map_err(|error| {
        let problem = InventoryError::read(error.message());
        match error.span() {
            Some(span) => problem.at(text, span),
            None => problem,
        }
    })?;
    for settings in raw.groups.values().chain([&raw.defaults]) {
        settings.is_no_host(text)?;
        settings.check(text)?;
    }
    let mut hosts = Vec::new();
    let mut seen = BTreeMap::new();
    for settings in raw.hosts {
        let (span, settings) = (settings.span(), settings.into_inner());
        settings.check(text)?;
        let Some(name) = &settings.name else {
            return Err(InventoryError::new("the host has no name; write `name = …`").at(text, span));
        };
        let wrong = |problem: &str| InventoryError::new(problem).at(text, name.span());
        let id = HostId::new(name.get_ref()).map_err(|error| wrong(&error.to_string()))?;
        if let Some(before) = seen.insert(id.clone(), name.span().start) {
            let before = line(text, before);
            return Err(wrong(&format!("a host of this name stands in line {before}, too; write it once")));
        }
        hosts.push(host(settings, id, &raw.groups, &raw.defaults, text)?);
    }
    Ok(Inventory { ssh: ssh(raw.ssh, text, folder)?, hosts })
}

fn host(
    settings: Settings,
    id: HostId,
    groups: &BTreeMap<String, Settings>,
    defaults: &Settings,
    text: &str,
) -> Result<Host, InventoryError> {
    let settings = match &settings.group {
        None => settings,
        Some(name) => match groups.get(name.get_ref()) {
            Some(group) => settings.clone().or(group),
            None => {
                let known: Vec<_> = groups.keys().map(String::as_str).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let error = InventoryError::new(&format!("there is no such group; there is {known}"));
                return Err(error.at(text, name.span()));
            }
        },
    };
    settings.or(defaults).host(id, text)
}

fn ssh(raw: RawSsh, text: &str, folder: &Path) -> Result<Ssh, InventoryError> {
    let Ssh { config_file: _, share, connect_within, answer_within, keep_alive, parallel } = Ssh::default();
    let within = |value: Option<Spanned<u32>>, most| match value {
        Some(value) if !(1..=most).contains(value.get_ref()) => {
            Err(InventoryError::new(&format!("give 1 to {most}")).at(text, value.span()))
        }
        value => Ok(value.map(Spanned::into_inner)),
    };
    let seconds = |value, unless| {
        within(value, 600).map(|value| value.map_or(unless, |value| Duration::from_secs(value.into())))
    };
    let parallel =
        within(raw.parallel, 1000)?.map_or(parallel, |value| usize::try_from(value).unwrap_or(parallel));
    Ok(Ssh {
        config_file: raw.config_file.map(|file| folder.join(file)),
        share: raw.share.unwrap_or(share),
        connect_within: seconds(raw.connect_s, connect_within)?,
        answer_within: seconds(raw.answer_s, answer_within)?,
        keep_alive: seconds(raw.keep_alive_s, keep_alive)?,
        parallel,
    })
}
