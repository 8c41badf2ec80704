//! The agent's file of settings, in TOML.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use compartment_core::event::Kind;
use compartment_core::{Ask, HostId};
use compartment_local::observe::{Managed, Places, is_vacant};
use compartment_local::operation::{Commands, Dir, Machine, Plan, Refused, Step};
use compartment_local::owner;
use serde::Deserialize;

use crate::client::{Endpoint, EndpointError, TokenSource};

/// How an agent is set up.
///
/// ```toml
/// host = "gpc0"                          # the host's name, as its token says
/// state = "/var/lib/compartment-agent"   # what waits, and what runs; for this agent alone
/// commands = "nixos"                     # or a table, see below
///
/// [hub]
/// url = "https://hub.example.org"
/// token_file = "/etc/compartment/token"
/// # ca_file = "/etc/compartment/ca.pem"  # trusted besides the platform's
/// # allow_plain = true                   # plain HTTP beyond loopback: everybody on the way can read the token
///
/// [checkout]
/// path = "/var/lib/compartment-agent/config"
/// remote = "https://git.example.org/config.git"   # cloned by the first pull
/// # branch = "main"
/// ```
///
/// | key | unless said | |
/// |---|---|---|
/// | `tests` | none | the folder of tests; a relative one is in the checkout |
/// | `heartbeat_s` | 5 | seconds between heartbeats |
/// | `keep_operations` | true | whether operations outlive the agent; else they are stopped when it is asked to end |
/// | `supervise_through` | none | a program and its arguments that start the supervisor of an operation, such as `["systemd-run", "--scope", "--quiet"]` |
/// | `places` | this machine | where the running system is found; see [`Places`] |
///
/// `commands` is the name of a preset (`nixos`, `nix-darwin`, `home-manager`), or a table with any of
/// [`Commands`]' fields. Relative paths are relative to the file's folder.
#[derive(Clone, Debug)]
pub struct Config {
    /// The host that it speaks for.
    pub host: HostId,
    /// The hub.
    pub hub: Endpoint,
    /// The folder of its state.
    pub state: PathBuf,
    /// The config repository's checkout.
    pub checkout: Option<Checkout>,
    /// What its operations run.
    pub commands: Commands,
    /// Where its running system is found.
    pub places: Places,
    /// How long it is from one heartbeat to the next.
    pub heartbeat: Duration,
    /// Whether operations outlive the agent.
    pub keep_operations: bool,
    /// What starts supervisors; nothing starts them directly.
    pub supervise_through: Vec<String>,
}

/// The checkout of the config repository.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkout {
    /// Its top folder.
    pub path: PathBuf,
    /// Where the first pull clones it from: then the clone is the agent's own. Where there is none, somebody else makes
    /// it, and the agent writes nothing there but what it is ordered to.
    pub remote: Option<String>,
    /// The branch that it follows: `main` unless said.
    #[serde(default = "main")]
    pub branch: String,
}

fn main() -> String {
    "main".to_owned()
}

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}; give the agent's file of settings", path.display())]
    File {
        /// The path.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// It does not say what an agent needs.
    #[error("{}: {problem}", path.display())]
    Content {
        /// Which file.
        path: PathBuf,
        /// Where in it, and what is wrong.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    host: HostId,
    state: PathBuf,
    hub: RawHub,
    checkout: Option<Checkout>,
    commands: Option<toml::Value>,
    tests: Option<PathBuf>,
    places: Option<Places>,
    #[serde(default = "five")]
    heartbeat_s: u32,
    #[serde(default = "yes")]
    keep_operations: bool,
    #[serde(default)]
    supervise_through: Vec<String>,
}

const fn five() -> u32 {
    5
}

const fn yes() -> bool {
    true
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHub {
    url: String,
    token_file: PathBuf,
    ca_file: Option<PathBuf>,
    #[serde(default)]
    allow_plain: bool,
}

impl Config {
    /// Reads a file of settings.
    ///
    /// # Errors
    /// [`ConfigError`], which names the file, the place in it, and what to do.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let file = |source| ConfigError::File { path: path.to_owned(), source };
        let path = std::path::absolute(path).map_err(file)?;
        let text = fs::read_to_string(&path).map_err(file)?;
        let folder = path.parent().unwrap_or(Path::new("/"));
        Self::parse(&text, folder).map_err(|problem| ConfigError::Content { path: path.clone(), problem })
    }

    /// Settings as they are written; relative paths are relative to `folder`.
    pub(super) fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let raw: Raw = toml::from_str(text).map_err(|error| error.to_string().trim_end().to_owned())?;
        let RawHub { url, token_file, ca_file, allow_plain } = raw.hub;
        let token = TokenSource::File(folder.join(token_file));
        let hub = Endpoint::new(&url, token).map_err(|error: EndpointError| format!("hub.url: {error}"))?;
        let hub = Endpoint {
            ca_file: ca_file.map(|file| folder.join(file)),
            plain_beyond_loopback: allow_plain,
            ..hub
        };
        if !(1..=60).contains(&raw.heartbeat_s) {
            return Err(
                "heartbeat_s: give 1 to 60 seconds; hubs take a host for gone after a few minutes".to_owned()
            );
        }
        let checkout =
            raw.checkout.map(|checkout| Checkout { path: folder.join(&checkout.path), ..checkout });
        let limits = raw.commands.as_ref().and_then(|commands| commands.get("limits"));
        if limits.is_some_and(|limits| limits.get("test_s").is_some()) {
            return Err(format!(
                "commands.limits.test_s: how long each test may take is the hub's to say (`matrix host set {} --test-limit \
                 SECONDS`); leave it out here",
                raw.host
            ));
        }
        let commands = commands(raw.commands, checkout.as_ref(), raw.tests)?;
        let managed = if commands.1 { Managed::Home } else { Managed::default() };
        Ok(Self {
            host: raw.host,
            hub,
            state: folder.join(raw.state),
            checkout,
            commands: commands.0,
            places: raw.places.unwrap_or_else(|| Places::of_this_machine().managing(managed)),
            heartbeat: Duration::from_secs(raw.heartbeat_s.into()),
            keep_operations: raw.keep_operations,
            supervise_through: raw.supervise_through,
        })
    }

    /// Where its facts are read.
    #[must_use]
    pub fn machine(&self) -> Machine {
        let checkout = self.checkout.as_ref().map(|checkout| checkout.path.clone());
        Machine { checkout, places: self.places.clone() }
    }

    /// What it does when it is asked this. `test_limit_s` is how long each test may take, where the hub says.
    ///
    /// # Errors
    /// [`Refused`]: it cannot do that.
    pub fn plan(&self, ask: &Ask, test_limit_s: Option<u32>) -> Result<Plan, Refused> {
        let commands = test_limit_s.map(|limit| self.commands.clone().with_test_limit(limit));
        let mut plan = commands.as_ref().unwrap_or(&self.commands).plan(ask, &self.host, &self.machine())?;
        let missing = self.checkout.as_ref().filter(|checkout| is_vacant(&checkout.path));
        if let (Kind::Pull, Some(Checkout { path, remote: Some(remote), branch })) = (plan.kind, missing) {
            plan.steps.insert(0, clone(remote, branch, path, plan.limit));
        }
        Ok(plan)
    }
}

/// The first pull: git takes away again what it made where it fails. A folder that is there is its owner's, and so is
/// what comes into it.
fn clone(remote: &str, branch: &str, path: &Path, limit: Duration) -> Step {
    let as_owner = owner::before(path).into_iter().map(|word| word.to_string_lossy().into_owned());
    let path = path.display().to_string();
    let clone = ["git", "clone", "--quiet", "--no-tags", "--branch", branch, "--", remote, &path];
    let argv = as_owner.chain(clone.map(str::to_owned)).collect();
    // It asks nobody, and its complaints are understood.
    let env = [
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_ASKPASS", ""),
        ("SSH_ASKPASS", "false"),
        ("SSH_ASKPASS_REQUIRE", "force"),
        ("LC_ALL", "C"),
    ];
    Step {
        name: "git clone".to_owned(),
        argv,
        limit,
        dir: Dir::Root,
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
    }
}

/// The commands, and whether they manage a home alone. What is said of checkout and tests elsewhere is said here, too.
fn commands(
    raw: Option<toml::Value>,
    checkout: Option<&Checkout>,
    tests: Option<PathBuf>,
) -> Result<(Commands, bool), String> {
    let mut table = match raw {
        None => toml::Table::new(),
        Some(toml::Value::Table(table)) => table,
        Some(preset @ toml::Value::String(_)) => toml::Table::from_iter([("preset".to_owned(), preset)]),
        Some(_) => {
            return Err("commands: give the name of a preset, such as \"nixos\", or a table".to_owned());
        }
    };
    let home = table.get("preset").and_then(toml::Value::as_str) == Some("home-manager");
    let mut say = |key: &str, value: Option<String>| match value {
        Some(_) if table.contains_key(key) => {
            Err(format!("commands.{key}: it is said elsewhere in the file, too"))
        }
        Some(value) => {
            table.insert(key.to_owned(), value.into());
            Ok(())
        }
        None => Ok(()),
    };
    say("remote", checkout.and_then(|checkout| checkout.remote.clone()))?;
    say("branch", checkout.map(|checkout| checkout.branch.clone()).filter(|branch| branch != "main"))?;
    let unreadable = "tests: the folder's name is not UTF-8";
    let tests =
        tests.map(|tests| tests.into_os_string().into_string().map_err(|_| unreadable)).transpose()?;
    say("tests", tests)?;
    let commands =
        table.try_into().map_err(|error: toml::de::Error| format!("commands: {}", error.message()))?;
    Ok((commands, home))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEAST: &str =
        "host = 'gpc0'\nstate = 'state'\n[hub]\nurl = 'http://127.0.0.1:1'\ntoken_file = 'token'\n";

    fn parse(more: &str, hub: &str) -> Result<Config, String> {
        Config::parse(&format!("{more}\n{LEAST}{hub}"), Path::new("/etc/agent"))
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let config = parse("", "ca_file = 'ca.pem'\n[checkout]\npath = 'config'").unwrap();
        assert_eq!(config.state, Path::new("/etc/agent/state"));
        assert_eq!(config.hub.ca_file.as_deref(), Some(Path::new("/etc/agent/ca.pem")));
        assert_eq!(config.machine().checkout.as_deref(), Some(Path::new("/etc/agent/config")));
        assert_eq!((config.heartbeat, config.keep_operations), (Duration::from_secs(5), true));
    }

    #[test]
    fn the_first_pull_clones() {
        let config = parse(
            "commands = 'nixos'",
            "[checkout]\npath = '/no/such/place'\nremote = 'https://x/y'\nbranch = 'live'",
        );
        let config = config.unwrap();
        let pull = config.plan(&Ask::Pull { host: config.host.clone() }, None).unwrap();
        let argv = [
            "git",
            "clone",
            "--quiet",
            "--no-tags",
            "--branch",
            "live",
            "--",
            "https://x/y",
            "/no/such/place",
        ];
        assert_eq!(pull.steps[0].argv, argv);
        assert!(
            pull.steps[1].argv.contains(&"+refs/heads/live:refs/compartment/pulled".to_owned()),
            "{pull:?}"
        );
        let switch = config.plan(&Ask::Switch { host: config.host.clone(), force: false }, None).unwrap();
        assert_eq!(switch.steps[0].argv[0], "nixos-rebuild");
    }

    #[test]
    fn a_mistake_is_named() {
        for (more, hub, said) in [
            ("hots = 1", "", "unknown field `hots`"),
            ("heartbeat_s = 0", "", "heartbeat_s: give 1 to 60"),
            ("commands = 'debian'", "", "commands: unknown variant `debian`"),
            ("commands = 3", "", "commands: give the name of a preset"),
            ("commands = { switch = [['']] }", "", "commands: switch: a program has no name"),
            ("commands = { tests = 'a' }\ntests = 'b'", "", "commands.tests: it is said elsewhere"),
            ("", "[checkout]\npaht = 'x'", "unknown field `paht`"),
            ("", "tokn = 1", "unknown field `tokn`"),
        ] {
            let refused = parse(more, hub).unwrap_err();
            assert!(refused.contains(said), "{more} {hub}: {refused}");
        }
        assert!(Config::parse("host = 'a b'", Path::new("/")).unwrap_err().contains("not a valid host id"));
        let refused = Config::read(Path::new("/no/such/file.toml")).unwrap_err().to_string();
        assert!(refused.contains("cannot read /no/such/file.toml"), "{refused}");
    }
}
