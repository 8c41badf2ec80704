//! Which hosts there are, how they are reached, and what their operations run.

mod error;
mod file;
mod place;
mod settings;

pub use error::InventoryError;

use std::fs;
use std::path::Path;
use std::time::Duration;

use compartment_core::{ChannelName, HostId, Tags};
use compartment_local::operation::Commands;

use crate::connection::{Destination, Ssh};
use crate::host::Site;

/// One host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its name in the fleet.
    pub id: HostId,
    /// Where it is, as ssh is told.
    pub destination: Destination,
    /// The channel that it follows. For whoever configures hosts: a transport decides nothing.
    pub channel: ChannelName,
    /// What operators call it. For whoever configures hosts, too.
    pub tags: Tags,
    /// Where things are on it.
    pub site: Site,
    /// What its operations run.
    pub commands: Commands,
    /// How often it is looked at.
    pub pace: Pace,
}

impl Host {
    /// A host of which nothing is known but where it is: NixOS, without a checkout.
    #[must_use]
    pub fn new(id: HostId, destination: Destination) -> Self {
        Self {
            id,
            destination,
            channel: ChannelName::main(),
            tags: Tags::NONE,
            site: Site::default(),
            commands: Commands::nixos(),
            pace: Pace::default(),
        }
    }
}

/// How often a host is looked at. Up to a fifth is taken off or added by chance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// While nothing runs; 10 s unless said.
    pub idle: Duration,
    /// While an operation runs; 2 s unless said, and less when it has just begun.
    pub busy: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { idle: Duration::from_secs(10), busy: Duration::from_secs(2) }
    }
}

/// All hosts, each once, and how ssh is called.
///
/// # As a file
/// ```
/// use std::path::Path;
/// use compartment_transport_ssh::Inventory;
///
/// let inventory = Inventory::parse(r#"
///     [defaults]                      # for all hosts
///     platform = "nixos"              # or nix-darwin, home-manager
///     checkout = "/etc/nixos"         # the config repository's clone on the host
///     sudo = true                     # switch and rollback by way of `sudo -n`
///
///     [groups.web]                    # for the hosts of a group; before the defaults
///     channel = "stable"
///     tests = "tests/web"             # in the checkout where it is relative
///     commands = { limits = { switch_s = 3600 } }
///
///     [[hosts]]                       # before both
///     name = "gpc0"
///
///     [[hosts]]
///     name = "web1.example"
///     destination = "deploy@10.0.0.7" # as ssh is told; the name unless said
///     group = "web"
/// "#, Path::new("/etc/compartment"))?;
/// assert_eq!(inventory.hosts()[1].channel.as_str(), "stable");
/// # Ok::<(), compartment_transport_ssh::InventoryError>(())
/// ```
///
/// | key of a host, a group, the defaults | unless said | |
/// |---|---|---|
/// | `checkout` | none | the top folder of the config repository's clone |
/// | `platform` | none | whose programs operations run, and what is said to run |
/// | `commands` | the platform's | a table with any field of [`Commands`] but `preset` and `tests`; key by key, the closest counts |
/// | `tests` | none | the folder of tests |
/// | `channel` | `main` | what it follows, and the branch that it pulls unless `commands.branch` says another |
/// | `tags` | none | a list of words to name many hosts by; the closest list counts, whole |
/// | `sudo` | false | whether the steps of switch and rollback run by way of `sudo -n` |
/// | `profile`, `system_link` | NixOS' | where the system's generations, and the link to the running one, are |
/// | `state` | `~/.local/state/compartment` | where operations are kept on the host |
/// | `programs` | none | folders on the host where programs are looked for that are nowhere in its `PATH` |
/// | `interval_s`, `busy_interval_s` | 10, 2 | how often it is looked at: idle, and while something runs |
///
/// | key of `[ssh]` | unless said | |
/// |---|---|---|
/// | `config_file` | the user's | ssh's file of configuration; relative to the inventory |
/// | `share` | true | whether questions to a host share one connection |
/// | `connect_s`, `answer_s`, `keep_alive_s` | 10, 30, 5 | limits, as in [`Ssh`] |
/// | `parallel` | 8 | how many connect at once |
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    ssh: Ssh,
    hosts: Vec<Host>,
}

impl Inventory {
    /// These hosts.
    ///
    /// # Errors
    /// [`InventoryError`] where two have one name.
    pub fn new(ssh: Ssh, hosts: Vec<Host>) -> Result<Self, InventoryError> {
        let mut names: Vec<_> = hosts.iter().map(|host| &host.id).collect();
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(InventoryError::twice(pair[0])),
            None => Ok(Self { ssh, hosts }),
        }
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`InventoryError`], which names the file, the line, the key, and what to write.
    pub fn read(path: &Path) -> Result<Self, InventoryError> {
        let unreadable = |error: std::io::Error| {
            InventoryError::new(&format!("cannot be read: {error}; give the file of hosts")).in_file(path)
        };
        let text = fs::read_to_string(path).map_err(unreadable)?;
        let folder = std::path::absolute(path).map_err(unreadable)?;
        Self::parse(&text, folder.parent().unwrap_or(Path::new("/"))).map_err(|error| error.in_file(path))
    }

    /// Reads what stands in a file. Relative paths of this machine are relative to `folder`.
    ///
    /// # Errors
    /// [`InventoryError`], which names the line, the key, and what to write.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, InventoryError> {
        file::parse(text, folder)
    }

    /// How ssh is called.
    #[must_use]
    pub fn ssh(&self) -> &Ssh {
        &self.ssh
    }

    /// The hosts, in their order.
    #[must_use]
    pub fn hosts(&self) -> &[Host] {
        &self.hosts
    }
}

#[cfg(test)]
mod tests;
