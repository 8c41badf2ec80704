//! Where things are on a host.

use std::fmt;
use std::path::{Path, PathBuf};

use compartment_core::{HostId, Invalid};
use compartment_local::observe::{Managed, Places};
use compartment_local::operation::Machine;
use compartment_runtime::LogId;

/// An absolute path on a host, without control characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPath(String);

impl HostPath {
    /// Parses the path.
    ///
    /// # Errors
    /// [`Invalid`] unless it is an absolute path of at most 1024 bytes without control characters.
    pub fn new(raw: &str) -> Result<Self, Invalid> {
        if raw.starts_with('/') && raw.len() <= 1024 && !raw.contains(char::is_control) {
            Ok(Self(raw.to_owned()))
        } else {
            Err(Invalid {
                what: "path on a host",
                expected: "an absolute path of at most 1024 bytes without control characters",
            })
        }
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// For whom operations are carried out: a host, as it is called there where a log is kept of it. Nobody else is told of
/// their results, nor removes them: what is done for another log, or for another host that shares the home of this
/// one, proves nothing here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner(String);

impl Owner {
    /// The owner of the operations of a host that a log is about.
    #[must_use]
    pub fn new(host: &HostId, log: &LogId) -> Self {
        Self(format!("{host}@{}", log.as_str()))
    }

    /// The owner as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Where things are on a host, and how it is operated. The default is a NixOS or nix-darwin host without a checkout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// The top folder of the config repository's checkout, where it has one.
    pub checkout: Option<HostPath>,
    /// Whose generations count: the system's, or the user's home.
    pub managed: Managed,
    /// The link to the running system; `/run/current-system` unless said.
    pub system_link: HostPath,
    /// The profile of the system's generations; `/nix/var/nix/profiles/system` unless said.
    pub system_profile: HostPath,
    /// The folder in which operations and their results are kept, in one of its own for each machine;
    /// `${XDG_STATE_HOME:-$HOME/.local/state}/compartment` unless said.
    pub state: Option<HostPath>,
    /// The POSIX shell that runs operations; `/bin/sh` unless said.
    pub shell: HostPath,
    /// Whether the steps of a switch and a rollback run by way of `sudo -n`.
    pub sudo: bool,
    /// Where programs are looked for besides the `PATH` that a command over ssh gets.
    pub programs: Vec<HostPath>,
    /// The folder that stands for `/` when the system's link, profile and store are looked at.
    pub root: Option<HostPath>,
    /// For whom operations are carried out. A transport says so itself, for each of its hosts.
    pub owner: Owner,
}

/// Where NixOS, nix-darwin, Nix elsewhere, and everybody else keep programs. The wrappers come first: `sudo` in the
/// system's own folder is not privileged.
const PROGRAMS: [&str; 10] = [
    "/run/wrappers/bin",
    "/run/current-system/sw/bin",
    "/nix/var/nix/profiles/default/bin",
    "/usr/local/bin",
    "/usr/bin",
    "/bin",
    "/usr/local/sbin",
    "/usr/sbin",
    "/sbin",
    "/opt/homebrew/bin",
];

impl Default for Site {
    fn default() -> Self {
        Self {
            checkout: None,
            managed: Managed::default(),
            system_link: HostPath("/run/current-system".to_owned()),
            system_profile: HostPath("/nix/var/nix/profiles/system".to_owned()),
            state: None,
            shell: HostPath("/bin/sh".to_owned()),
            sudo: false,
            programs: PROGRAMS.iter().map(|path| HostPath((*path).to_owned())).collect(),
            root: None,
            owner: Owner(String::new()),
        }
    }
}

impl Site {
    /// The machine, as [`Commands::plan`](compartment_local::operation::Commands::plan) wants it. It is not to be
    /// looked at from here.
    #[must_use]
    pub fn machine(&self) -> Machine {
        let root = self.root.as_ref().map_or("/", HostPath::as_str);
        let places = Places::under(Path::new(root), None, None)
            .managing(self.managed)
            .with_system(Path::new(self.system_link.as_str()), Path::new(self.system_profile.as_str()));
        Machine { checkout: self.checkout.as_ref().map(|path| PathBuf::from(path.as_str())), places }
    }
}
