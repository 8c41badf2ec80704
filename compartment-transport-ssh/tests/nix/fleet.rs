//! Three machines, each with a Nix of its own and a checkout of the config repository.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::nix::{Nix, text};
use super::repository::Repository;

pub(crate) const HOSTS: [&str; 3] = ["gpc0", "gpc1", "imac0"];

pub(crate) struct Fleet {
    pub(crate) repository: Repository,
    machines: Vec<(&'static str, Nix)>,
    folder: TempDir,
}

impl Fleet {
    pub(crate) fn create() -> Self {
        let folder = tempfile::Builder::new().prefix("compartment-nix-").tempdir().unwrap();
        // A store is at its whole name, without links on the way.
        let top = folder.path().canonicalize().unwrap();
        let repository = Repository::create(&top);
        let machine = |name: &'static str| {
            let nix = Nix::create(top.join(name));
            repository.clone_to(&nix.path("config"));
            (name, nix)
        };
        Self { machines: HOSTS.into_iter().map(machine).collect(), repository, folder }
    }

    pub(crate) fn machine(&self, name: &str) -> &Nix {
        &self.machines.iter().find(|(host, _)| *host == name).unwrap().1
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        end_all_of(self.folder.path());
        // What is in a store cannot be removed by whoever owns it but is not root.
        make_writable(self.folder.path());
    }
}

/// Operations outlive connections, but not the machine: whatever has the folder in its environment.
fn end_all_of(folder: &Path) {
    let folder = format!("={}/", text(folder));
    let of = |process: &PathBuf| {
        let environment = fs::read(process.join("environ")).unwrap_or_default();
        environment.windows(folder.len()).any(|part| part == folder.as_bytes())
    };
    let processes = || fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    for process in processes().filter(of) {
        let id = process.file_name().unwrap().to_owned();
        let _it_may_be_gone = Command::new("kill").arg("-KILL").arg(id).status();
    }
}

fn make_writable(folder: &Path) {
    let _as_far_as_it_goes = fs::set_permissions(folder, fs::Permissions::from_mode(0o755));
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}
