//! What works on a host, what is missing, and what is there.

use std::collections::BTreeSet;
use std::time::Duration;

use compartment_core::event::{GenerationNumber, Kind, Target};
use compartment_core::{Ask, HostId, StorePath, Text};
use compartment_local::operation::{Refused, Step};

use super::SshTransport;
use super::watch::Watched;
use crate::connection::{Reason, Unreachable};
use crate::host::{self, Check, Finding, Generation, HostLook, Nonce, Tests, Verdict};

/// Stands for a generation that a rollback may go to.
const GENERATION: &str = "/nix/store/generation";

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
    pub async fn look(&self, host: &HostId) -> Result<HostLook, Unreachable> {
        match self.hosts.get(host) {
            Some(watched) => watched.look_now().await,
            None => Err(Unreachable::new(Reason::Other, "it is not in the inventory")),
        }
    }

    /// Lists the generations of a host's profile, the latest last: where a rollback can go. It changes nothing there,
    /// and need not be started.
    ///
    /// # Errors
    /// [`Unreachable`], also where it is not in the inventory.
    pub async fn generations(&self, host: &HostId) -> Result<Vec<Generation>, Unreachable> {
        match self.hosts.get(host) {
            Some(watched) => watched.generations().await,
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
        let (wanted, refused) = wanted(&self.host);
        let mut talk = self.talk.lock().await;
        let write = |nonce: &Nonce| host::check(nonce, &self.host.site, &wanted);
        let mut findings = self.ask(&mut talk, write, host::read_check).await?;
        findings.extend(refused);
        Ok(findings)
    }

    async fn generations(&self) -> Result<Vec<Generation>, Unreachable> {
        let mut talk = self.talk.lock().await;
        let write = |nonce: &Nonce| host::generations(nonce, &self.host.site);
        self.ask(&mut talk, write, host::read_generations).await
    }

    async fn look_now(&self) -> Result<HostLook, Unreachable> {
        let mut talk = self.talk.lock().await;
        let git_within = talk.git_within();
        let write = |nonce: &Nonce| host::look(nonce, &self.host.site, None, git_within, None);
        self.ask(&mut talk, write, host::read_look).await
    }
}

/// What is to be looked for on the host, and what it would refuse as it is configured.
fn wanted(host: &crate::Host) -> (Check, Vec<Finding>) {
    let crate::Host { id, site, commands, .. } = host;
    let to = Target { number: GenerationNumber::new(1), path: StorePath::new(GENERATION).ok() };
    let asks = [
        (Kind::Pull, Ask::Pull { host: id.clone() }),
        (Kind::Switch, Ask::Switch { host: id.clone(), force: true }),
        (Kind::Rollback, Ask::Rollback { host: id.clone(), to: Some(to) }),
    ];
    let mut refused = Vec::new();
    let mut refuse = |kind: Kind, Refused(why): Refused| {
        let words = Text::new(&format!("it would be refused: {why}"));
        refused.push(Finding { what: Text::new(kind.as_str()), verdict: Verdict::Missing, words });
    };
    let mut wanted = Check::default();
    let (mut programs, mut by_sudo) = (BTreeSet::new(), BTreeSet::new());
    for (kind, ask) in asks {
        match commands.plan(&ask, id, &site.machine()) {
            Ok(plan) => {
                for Step { argv, .. } in plan.steps {
                    let Some(program) = argv.first() else { continue };
                    // What is in a generation is there when the generation is.
                    if !program.starts_with("/nix/") {
                        programs.insert(program.clone());
                    }
                    if site.sudo && kind != Kind::Pull && !program.starts_with(GENERATION) {
                        by_sudo.insert(argv);
                    }
                }
            }
            Err(why) => refuse(kind, why),
        }
    }
    match Tests::new(commands.tests(), Duration::from_secs(1), site) {
        Ok(tests) => wanted.tests = tests.folder,
        Err(why) => refuse(Kind::Test, why),
    }
    wanted.programs = programs.iter().map(|program| Text::new(program)).collect();
    wanted.by_sudo = by_sudo.into_iter().collect();
    (wanted, refused)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::Inventory;

    #[test]
    fn what_would_be_refused_is_said() {
        let of = |settings: &str| {
            let text = format!("[[hosts]]\nname = 'gpc0'\n{settings}");
            let (wanted, refused) = wanted(&Inventory::parse(&text, Path::new("/")).unwrap().hosts()[0]);
            let words = refused.into_iter().map(|one| format!("{}: {}", one.what, one.words));
            (wanted, words.collect::<Vec<_>>())
        };
        let (_, refused) = of("checkout = '/etc/nixos'");
        insta::assert_snapshot!(refused.join("\n"), @r"
        switch: it would be refused: this host has no command for a switch; configure one
        rollback: it would be refused: this host has no command for a rollback; configure one
        ");
        let (_, refused) = of("platform = 'nixos'\ntests = 'tests'");
        insta::assert_snapshot!(refused.join("\n"), @r"
        pull: it would be refused: this host has no checkout; configure the folder of its clone of the config repository
        switch: it would be refused: this host has no checkout; configure the folder of its clone of the config repository
        test: it would be refused: the tests' folder tests is no absolute path on the host
        ");
        let (wanted, refused) =
            of("platform = 'nixos'\ncheckout = '/etc/nixos'\nsudo = true\ntests = 'tests'");
        assert_eq!(refused, Vec::<String>::new());
        assert_eq!(wanted.tests.unwrap().as_str(), "/etc/nixos/tests");
        let by_sudo: Vec<_> = wanted.by_sudo.iter().map(|argv| argv.join(" ")).collect();
        insta::assert_snapshot!(by_sudo.join("\n"), @r"
        /nix/var/nix/profiles/system/bin/switch-to-configuration switch
        nix-env --profile /nix/var/nix/profiles/system --switch-generation 1
        nixos-rebuild switch --flake /etc/nixos#gpc0
        ");
    }
}
