//! Which programs an operation runs.

mod pull;
mod tests_folder;
mod values;

use std::path::{Path, PathBuf, absolute};
use std::time::Duration;

use compartment_core::event::{Kind, LONGEST_TIMEOUT_S, RequestKind, Said};
use compartment_core::{Ask, HostId, Text};
use serde::Deserialize;

use self::values::{Values, no_checkout};
use super::template::Template;
use super::{Dir, LONGEST_RUN, Machine, OnFailure, Plan, Step, tests_run_limit};
use crate::credentials::misplaced_password;
use crate::git::NO_QUESTIONS;

/// Which programs an operation runs, as a host's configuration says.
///
/// ```
/// use compartment_core::{Ask, HostId};
/// use compartment_local::observe::Places;
/// use compartment_local::operation::{Commands, Machine};
///
/// // As it stands in a file of TOML, say.
/// let commands: Commands = serde_json::from_str(r#"{
///     "preset": "nixos",
///     "switch": [["nixos-rebuild", "boot", "--flake", "{checkout}#{host}"], ["systemctl", "reboot"]],
///     "tests": "/etc/compartment/tests"
/// }"#)?;
/// let host = HostId::new("web1")?;
/// let machine = Machine { checkout: Some("/var/lib/config".into()), places: Places::of_this_machine() };
/// let plan = commands.plan(&Ask::Switch { host: host.clone(), force: false }, &host, &machine)?;
/// assert_eq!(plan.steps[0].argv, ["nixos-rebuild", "boot", "--flake", "/var/lib/config#web1"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// | field | means |
/// |---|---|
/// | `preset` | `nixos`, `nix-darwin` or `home-manager`: what is not said otherwise is as users of those do it |
/// | `remote`, `branch` | where the default pull pulls from: `origin` and `main` |
/// | `pull`, `switch`, `rollback` | programs to run one after another, up to the first that fails |
/// | `tests` | a folder: every executable file in it is a test; a relative one is in the checkout |
/// | `limits` | `pull_s` 120, `switch_s` and `rollback_s` 1800, for each test `test_s` 60; in seconds |
///
/// A program is a list of its name and its arguments; no shell reads it. In them, `{checkout}` is the checkout's
/// folder, `{host}` the host's name, and for a rollback `{number}` and `{path}` the generation that it goes to.
/// Braces that stand for themselves are doubled.
///
/// The default pull is for a clone of the agent's own: it makes the clone exactly what the remote has, and with it
/// goes whatever was changed or committed there by hand (commits stay in git's reflog).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Commands {
    remote: String,
    branch: String,
    pull: Option<Vec<Program>>,
    switch: Option<Vec<Program>>,
    rollback: Option<Vec<Program>>,
    tests: Option<PathBuf>,
    limits: Limits,
}

/// One program and its arguments.
type Program = Vec<Template>;

/// How long operations may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// A pull, in seconds.
    pub pull_s: u32,
    /// A switch, in seconds.
    pub switch_s: u32,
    /// A rollback, in seconds.
    pub rollback_s: u32,
    /// Each test, in seconds; where the hub says how the host is configured, that stands. How long a run of all of
    /// them may take follows from it: [`tests_run_limit`].
    pub test_s: u32,
}

impl Default for Limits {
    /// What CORE-006 assumes of hosts that say nothing (section 3).
    fn default() -> Self {
        Self { pull_s: 120, switch_s: 30 * 60, rollback_s: 30 * 60, test_s: 60 }
    }
}

/// How a machine is managed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// `nixos-rebuild`.
    Nixos,
    /// `darwin-rebuild`.
    NixDarwin,
    /// `home-manager`, on its own.
    HomeManager,
}

impl Preset {
    /// The programs of a switch and of a rollback.
    const fn programs(self) -> (&'static [&'static [&'static str]], &'static [&'static [&'static str]]) {
        match self {
            Self::Nixos => (
                &[&["nixos-rebuild", "switch", "--flake", "{checkout}#{host}"]],
                &[
                    &[
                        "nix-env",
                        "--profile",
                        "/nix/var/nix/profiles/system",
                        "--switch-generation",
                        "{number}",
                    ],
                    &["/nix/var/nix/profiles/system/bin/switch-to-configuration", "switch"],
                ],
            ),
            Self::NixDarwin => (
                &[&["darwin-rebuild", "switch", "--flake", "{checkout}#{host}"]],
                &[&["darwin-rebuild", "--switch-generation", "{number}"]],
            ),
            Self::HomeManager => {
                (&[&["home-manager", "switch", "--flake", "{checkout}#{host}"]], &[&["{path}/activate"]])
            }
        }
    }
}

/// Why a configuration of commands is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct BadCommands {
    /// The field.
    pub field: &'static str,
    /// What is wrong with it, and what to write.
    pub problem: String,
}

/// Why a host does not do what is asked, before anything was tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub Text);

impl Refused {
    pub(super) fn because(words: &str) -> Self {
        Self(Text::new(words))
    }

    /// The report of it.
    #[must_use]
    pub fn said(self, kind: RequestKind) -> Said {
        Said::OpRejected { kind, reason: self.0 }
    }
}

/// As it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    preset: Option<Preset>,
    remote: Option<String>,
    branch: Option<String>,
    pull: Option<Vec<Vec<String>>>,
    switch: Option<Vec<Vec<String>>>,
    rollback: Option<Vec<Vec<String>>>,
    tests: Option<PathBuf>,
    #[serde(default)]
    limits: Limits,
}

impl TryFrom<Raw> for Commands {
    type Error = BadCommands;

    fn try_from(raw: Raw) -> Result<Self, BadCommands> {
        let bad = |field, problem: &str| BadCommands { field, problem: problem.to_owned() };
        let (remote, branch) =
            (raw.remote.unwrap_or_else(|| "origin".into()), raw.branch.unwrap_or_else(|| "main".into()));
        if remote.is_empty() || remote.starts_with('-') {
            return Err(bad(
                "remote",
                "give the name or the address of a remote of the checkout, such as `origin`",
            ));
        }
        if let Some(why) = misplaced_password(&remote) {
            return Err(bad("remote", why));
        }
        if !pull::is_branch(&branch) {
            return Err(bad("branch", "give the name of a branch of the remote, such as `main`"));
        }
        let Limits { pull_s, switch_s, rollback_s, test_s } = raw.limits;
        let limits = [pull_s, switch_s, rollback_s, test_s];
        if limits.contains(&0) {
            return Err(bad(
                "limits",
                "nothing can be done in 0 seconds; leave the limit out for the default",
            ));
        }
        if limits.iter().any(|limit| *limit > LONGEST_TIMEOUT_S) {
            return Err(bad("limits", "an operation may take a week, 604800 seconds, and no longer"));
        }
        let (switch, rollback) = match raw.preset.map(Preset::programs) {
            Some((switch, rollback)) => (Some(owned(switch)), Some(owned(rollback))),
            None => (None, None),
        };
        Ok(Self {
            remote,
            branch,
            pull: programs("pull", raw.pull)?,
            switch: programs("switch", raw.switch.or(switch))?,
            rollback: programs("rollback", raw.rollback.or(rollback))?,
            tests: raw.tests,
            limits: raw.limits,
        })
    }
}

fn owned(programs: &[&[&str]]) -> Vec<Vec<String>> {
    programs.iter().map(|argv| argv.iter().map(|&argument| argument.to_owned()).collect()).collect()
}

fn programs(field: &'static str, raw: Option<Vec<Vec<String>>>) -> Result<Option<Vec<Program>>, BadCommands> {
    let Some(raw) = raw else { return Ok(None) };
    let bad = |problem: String| BadCommands { field, problem };
    let mut programs = Vec::new();
    for argv in raw {
        let program: Result<Program, _> = argv.iter().map(|argument| Template::new(argument)).collect();
        let program = program.map_err(bad)?;
        if program.first().is_none_or(Template::is_empty) {
            return Err(bad("a program has no name; each is a list of its name and its arguments".into()));
        }
        programs.push(program);
    }
    if programs.is_empty() {
        return Err(bad("it names no program; leave it out for the default".into()));
    }
    Ok(Some(programs))
}

impl Commands {
    /// A host of NixOS.
    #[must_use]
    pub fn nixos() -> Self {
        Self::preset(Preset::Nixos)
    }

    /// A host of nix-darwin.
    #[must_use]
    pub fn nix_darwin() -> Self {
        Self::preset(Preset::NixDarwin)
    }

    /// A user's home, managed on its own. Its [`Places`](crate::observe::Places) have to manage
    /// [`Managed::Home`](crate::observe::Managed::Home) where the machine runs NixOS or nix-darwin.
    #[must_use]
    pub fn home_manager() -> Self {
        Self::preset(Preset::HomeManager)
    }

    fn preset(preset: Preset) -> Self {
        let templates = |programs: &[&[&str]]| {
            programs
                .iter()
                .map(|argv| argv.iter().filter_map(|raw| Template::new(raw).ok()).collect())
                .collect()
        };
        let (switch, rollback) = preset.programs();
        Self {
            remote: "origin".into(),
            branch: "main".into(),
            pull: None,
            switch: Some(templates(switch)),
            rollback: Some(templates(rollback)),
            tests: None,
            limits: Limits::default(),
        }
    }

    /// The same, with the tests in this folder.
    #[must_use]
    pub fn with_tests(self, folder: &Path) -> Self {
        Self { tests: Some(folder.to_owned()), ..self }
    }

    /// The same, with this limit for each test: an order for tests says how the host is configured.
    #[must_use]
    pub fn with_test_limit(mut self, seconds: u32) -> Self {
        self.limits.test_s = seconds.max(1);
        self
    }

    /// The folder of tests, where one is configured; a relative one is in the checkout.
    #[must_use]
    pub fn tests(&self) -> Option<&Path> {
        self.tests.as_deref()
    }

    /// The files in the folder of tests that are none because nobody may execute them, by name. None where there is no
    /// such folder.
    #[must_use]
    pub fn tests_left_out(&self, checkout: Option<&Path>) -> Vec<String> {
        self.tests.as_deref().map(|tests| tests_folder::left_out(tests, checkout)).unwrap_or_default()
    }

    /// The remote and the branch that the default pull pulls from. `None` where programs of the host's own pull.
    #[must_use]
    pub fn pulls_from(&self) -> Option<(&str, &str)> {
        self.pull.is_none().then_some((&*self.remote, &*self.branch))
    }

    /// How long operations may take.
    #[must_use]
    pub fn limits(&self) -> Limits {
        self.limits
    }

    /// What is done when `ask` is asked of `host`.
    ///
    /// A host without tests has a plan without steps: there is nothing wrong with it, and nothing to be shown green
    /// (CORE-006 T5).
    ///
    /// # Errors
    /// [`Refused`]: it is no operation, or for another host; a command or the checkout is not configured; a
    /// placeholder's value is not known; the folder of tests cannot be read.
    pub fn plan(&self, ask: &Ask, host: &HostId, machine: &Machine) -> Result<Plan, Refused> {
        let Some(kind) = ask.operation().filter(|_| ask.host() == Some(host)) else {
            return Err(Refused::because(&format!("`{}` is nothing that {host} can do here", ask.kind())));
        };
        let checkout = machine.checkout.as_deref().map(whole).transpose()?;
        let values = Values { host, checkout: checkout.as_deref(), to: ask.target() };
        let dir = checkout.as_ref().map(PathBuf::from);
        let seconds = |limit: u32| Duration::from_secs(limit.into());
        let (steps, on_failure, limit) = match kind {
            Kind::Pull => {
                let limit = seconds(self.limits.pull_s);
                let dir = dir.ok_or_else(no_checkout)?;
                let steps = match &self.pull {
                    Some(programs) => pull::with_care(steps(programs, &values, limit, &Dir::Closed(dir))?),
                    None => pull::default(&self.remote, &self.branch, &dir, limit),
                };
                (steps, OnFailure::Stop, limit)
            }
            Kind::Switch => {
                let limit = seconds(self.limits.switch_s);
                let programs = configured(self.switch.as_ref(), kind)?;
                let dir = dir.map_or(Dir::Root, Dir::Folder);
                (steps(programs, &values, limit, &dir)?, OnFailure::Stop, limit)
            }
            Kind::Rollback => {
                let limit = seconds(self.limits.rollback_s);
                let programs = configured(self.rollback.as_ref(), kind)?;
                // A rollback does not need the checkout, which may be what is broken.
                (steps(programs, &values, limit, &Dir::Root)?, OnFailure::Stop, limit)
            }
            Kind::Test => {
                let each = seconds(self.limits.test_s);
                let steps = tests_folder::steps(self.tests.as_deref(), dir.as_deref(), each)?;
                let run = tests_run_limit(each, u32::try_from(steps.len()).unwrap_or(u32::MAX));
                (steps, OnFailure::GoOn, run)
            }
        };
        let limit = limit.min(LONGEST_RUN);
        Ok(Plan { kind, to: ask.target().cloned(), steps, on_failure, limit, machine: machine.clone() })
    }
}

fn configured(programs: Option<&Vec<Program>>, kind: Kind) -> Result<&Vec<Program>, Refused> {
    programs.ok_or_else(|| Refused::because(&format!("this host has no command for a {kind}; configure one")))
}

/// A folder's whole name, as an argument.
fn whole(path: &Path) -> Result<String, Refused> {
    let refused = || Refused::because(&format!("{} cannot be an argument of a command", path.display()));
    absolute(path).ok().and_then(|path| path.into_os_string().into_string().ok()).ok_or_else(refused)
}

fn steps(
    programs: &[Program],
    values: &Values<'_>,
    limit: Duration,
    dir: &Dir,
) -> Result<Vec<Step>, Refused> {
    let step = |program| {
        let argv = values.argv(program)?;
        Ok(Step {
            name: argv[..argv.len().min(2)].join(" "),
            argv,
            limit,
            dir: dir.clone(),
            env: no_questions(),
        })
    };
    programs.iter().map(step).collect()
}

/// Whatever calls git or ssh, deep down, asks nobody.
fn no_questions() -> Vec<(String, String)> {
    NO_QUESTIONS.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests;
