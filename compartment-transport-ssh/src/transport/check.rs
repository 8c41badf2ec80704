//! What works on a host, and what is missing.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use compartment_core::event::{GenerationNumber, Target};
use compartment_core::{Ask, HostId, StorePath, Text};

use super::SshTransport;
use super::watch::Watched;
use crate::connection::{Reason, Unreachable};
use crate::host::{self, Check, Finding, Look, Nonce, Tests};

impl SshTransport {
    /// Checks what works on a host, and what is missing. It changes nothing there, and need not be started.
    ///
    /// # Errors
    /// [`Unreachable`], also where it is not in the inventory.
    pub async fn check(&self, host: &HostId) -> Result<Vec<Finding>, Unreachable> {
        match self.hosts.get(host) {
            Some(watched) => watched.check().await,
            None => Err(Unreachable::new(Reason::Other, "it is not in the inventory")),
        }
    }

    /// Looks at a host now: one round trip. It changes nothing there, need not be started, and tells the hub nothing:
    /// what has ended on the host stays for whoever watches it.
    ///
    /// # Errors
    /// [`Unreachable`], also where it is not in the inventory.
    pub async fn look(&self, host: &HostId) -> Result<Look, Unreachable> {
        match self.hosts.get(host) {
            Some(watched) => watched.look_now().await,
            None => Err(Unreachable::new(Reason::Other, "it is not in the inventory")),
        }
    }

    /// Ends the connections to all hosts. They are made again when they are needed.
    pub async fn hang_up(&self) {
        for watched in self.hosts.values() {
            watched.talk.lock().await.connection.close().await;
        }
    }
}

impl Watched {
    async fn check(&self) -> Result<Vec<Finding>, Unreachable> {
        let mut talk = self.talk.lock().await;
        let wanted = self.wanted();
        let write = |nonce: &Nonce| host::check(nonce, &self.host.site, &wanted);
        self.ask(&mut talk, write, host::read_check).await
    }

    async fn look_now(&self) -> Result<Look, Unreachable> {
        let mut talk = self.talk.lock().await;
        let git_within = talk.git_within();
        let write = |nonce: &Nonce| host::look(nonce, &self.host.site, None, git_within);
        self.ask(&mut talk, write, host::read_look).await
    }

    fn wanted(&self) -> Check {
        let crate::Host { id, site, commands, .. } = &self.host;
        let to =
            Target { number: GenerationNumber::new(1), path: StorePath::new("/nix/store/generation").ok() };
        let asks = [
            Ask::Pull { host: id.clone() },
            Ask::Switch { host: id.clone(), force: true },
            Ask::Rollback { host: id.clone(), to: Some(to) },
        ];
        let plans = asks.iter().filter_map(|ask| commands.plan(ask, id, &site.machine()).ok());
        let steps = plans.flat_map(|plan| plan.steps);
        let programs: BTreeSet<_> = steps.filter_map(|step| step.argv.into_iter().next()).collect();
        // What is in a generation is there when the generation is.
        let programs = programs.iter().filter(|program| !Path::new(program).starts_with("/nix"));
        let tests = Tests::new(commands.tests(), Duration::from_secs(1), site).ok();
        Check {
            programs: programs.map(|program| Text::new(program)).collect(),
            tests: tests.and_then(|tests| tests.folder),
        }
    }
}
