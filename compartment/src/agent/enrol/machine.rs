//! The machine that an agent is set up on: what it is, and where things go on it.

use std::env;
use std::path::{Path, PathBuf};

use super::args::{EnrolArgs, Platform};
use super::error::EnrolError;
use crate::agent::is_there;

/// What is known of the machine.
pub(super) struct Machine {
    /// The folder below which the system's files lie.
    pub(super) root: PathBuf,
    /// Whether this is root.
    pub(super) is_root: bool,
}

/// Where the agent's files go.
pub(super) struct Places {
    /// Its settings.
    pub(super) config: PathBuf,
    /// Its token.
    pub(super) token: PathBuf,
    /// The token of an enrolment that has not come to its end.
    pub(super) pending: PathBuf,
    /// Its folder.
    pub(super) state: PathBuf,
}

impl Machine {
    pub(super) fn here(root: &Path) -> Self {
        Self { root: root.to_owned(), is_root: rustix::process::geteuid().is_root() }
    }

    /// What the machine is, as far as its files and programs tell.
    pub(super) fn platform(&self) -> Option<Platform> {
        let has = |path: &str| self.root.join(path).exists();
        let runs = |program: &str| is_there(program, Path::new("/"));
        match self.is_root {
            true if has("etc/NIXOS") => Some(Platform::Nixos),
            true if has("run/current-system/darwin-version") => Some(Platform::NixDarwin),
            true if cfg!(target_os = "macos") && runs("darwin-rebuild") => Some(Platform::NixDarwin),
            false if runs("home-manager") => Some(Platform::HomeManager),
            true | false => None,
        }
    }

    /// Whether systemd runs this machine, and root may add a unit.
    pub(super) fn has_systemd(&self) -> bool {
        self.is_root
            && self.root.join("run/systemd/system").is_dir()
            && is_there("systemctl", Path::new("/"))
            && rustix::fs::access(self.root.join("etc/systemd/system"), rustix::fs::Access::WRITE_OK).is_ok()
    }

    /// Where the unit goes.
    pub(super) fn unit(&self) -> PathBuf {
        self.root.join("etc/systemd/system").join(super::systemd::NAME)
    }

    fn state(&self) -> Result<PathBuf, EnrolError> {
        if !self.is_root {
            return Ok(home("XDG_STATE_HOME", ".local/state")?.join("compartment-agent"));
        }
        let folder = if cfg!(target_os = "macos") { "var/db" } else { "var/lib" };
        Ok(self.root.join(folder).join("compartment-agent"))
    }

    fn config(&self) -> Result<PathBuf, EnrolError> {
        let folder = match self.is_root {
            true => self.root.join("etc/compartment"),
            false => home("XDG_CONFIG_HOME", ".config")?.join("compartment"),
        };
        Ok(folder.join("agent.toml"))
    }
}

/// A folder of the user: what a variable says, or a folder in the home.
fn home(variable: &str, inside: &str) -> Result<PathBuf, EnrolError> {
    let said = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    said(variable).or_else(|| Some(said("HOME")?.join(inside))).ok_or(EnrolError::NoHome)
}

impl Places {
    pub(super) fn of(args: &EnrolArgs, machine: &Machine) -> Result<Self, EnrolError> {
        let config = args.config.clone().map_or_else(|| machine.config(), Ok)?;
        let state = args.state.clone().map_or_else(|| machine.state(), Ok)?;
        let config = absolute(&config)?;
        let token = config.with_file_name("agent.token");
        if token == config {
            return Err(EnrolError::Config(config));
        }
        let pending = config.with_file_name("agent.token.enrolling");
        Ok(Self { token, pending, state: absolute(&state)?, config })
    }
}

/// A path, as it is meant from here.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, EnrolError> {
    std::path::absolute(path).map_err(|source| EnrolError::file("find", path, source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_platform_is_told_by_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let machine = |is_root| Machine { root: folder.path().to_owned(), is_root };
        assert_eq!(machine(true).platform(), None);
        std::fs::create_dir_all(folder.path().join("run/current-system")).unwrap();
        std::fs::write(folder.path().join("run/current-system/darwin-version"), "").unwrap();
        assert_eq!(machine(true).platform(), Some(Platform::NixDarwin));
        std::fs::create_dir(folder.path().join("etc")).unwrap();
        std::fs::write(folder.path().join("etc/NIXOS"), "").unwrap();
        assert_eq!(machine(true).platform(), Some(Platform::Nixos));
        // A user looks after a home, if anything.
        assert_ne!(machine(false).platform(), Some(Platform::Nixos));
    }
}
