//! A host, and the hub that is played to its agent.

use std::fs;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::Command;

use crate::hub::Hub;
use crate::machine::{Agent, Machine, Repository};

pub(crate) use crate::machine::{signal, until};

pub(crate) struct World {
    pub(crate) hub: Hub,
    pub(crate) repository: Repository,
    machine: Machine,
}

impl Deref for World {
    type Target = Machine;

    fn deref(&self) -> &Machine {
        &self.machine
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Machine {
        &mut self.machine
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::of(Hub::start().await)
    }

    /// A host of this hub.
    pub(crate) fn of(hub: Hub) -> Self {
        let repository = Repository::new();
        let mut machine = Machine::new("gpc0", &repository);
        machine.hub = hub.url();
        Self { hub, repository, machine }
    }

    /// The agent looks for its hub somewhere else.
    pub(crate) fn hub_is_at(&mut self, url: &str) {
        url.clone_into(&mut self.machine.hub);
    }

    /// Settings besides the usual ones.
    pub(crate) fn with(&mut self, settings: &str) {
        settings.clone_into(&mut self.settings);
    }

    /// The first pull clones from here.
    pub(crate) fn clone_from(&mut self, remote: &Path) {
        self.checkout = format!("remote = '{}'\n", remote.display());
    }

    /// A new commit in the config repository.
    pub(crate) fn commit(&self, lock: &str) -> String {
        self.repository.commit(lock)
    }

    /// Starts an agent, and waits until it listens.
    pub(crate) async fn agent(&self) -> Agent {
        let calls = self.hub.told().calls;
        let agent = self.start();
        self.hub.connected(calls + 1).await;
        agent
    }

    /// Starts an agent by way of another program.
    pub(crate) fn spawn(&self, command: Command) -> Agent {
        self.start_through(command)
    }

    /// Waits until an agent has said this; all that was said.
    pub(crate) async fn said(&self, words: &str) -> String {
        let log = || fs::read_to_string(self.at("agent.log")).unwrap_or_default();
        until(&format!("the words {words:?}"), || log().contains(words)).await;
        log()
    }

    /// Waits until so many operations have a folder.
    pub(crate) async fn operations_are(&self, count: usize) {
        let folders = || fs::read_dir(self.at("state/operations")).map_or(0, Iterator::count);
        until(&format!("{count} operations"), || folders() == count).await;
    }
}

impl Agent {
    /// Asks it to end, and waits until it has.
    pub(crate) async fn end(&mut self) {
        signal(self.pid(), "TERM");
        self.ended().await;
    }

    pub(crate) fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }
}
