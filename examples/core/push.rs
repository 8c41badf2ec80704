//! A push tool in the small (colmena, deploy-rs, `nixos-rebuild --target-host`): it builds here, activates on hosts on
//! which nothing is checked out, and reports what it did. `docs/PUSH.md` says what each word is good for.

use std::io::{self, Write};

use compartment_core::event::{
    CheckoutPlace, Decision, Deployer, Event, Kind, Observation, Report, RunningSystem, Said, Target,
    TestsConfig, Via,
};
use compartment_core::{ChannelName, Commit, Compartment, Fleet, HostId, LockHash, ReadOptions, Record};
use compartment_core::{Span, StorePath, Tags, Text, Timestamp};

/// A commit and the hash of its lock. The tool builds a clean tree or nothing, so `dirty` is always false.
struct Config(Commit, LockHash);

/// What happens on the way to a host: there are no real ones here.
#[derive(PartialEq)]
enum Trouble {
    None,
    BuildFails(&'static str),
    Killed(&'static str),
}

struct Push {
    fleet: Fleet,
    now: Timestamp,
    trouble: Trouble,
}

impl Push {
    /// Something happened. A real tool appends it to its log first: `ndjson::encode` writes the line.
    fn tell(&mut self, event: impl Into<Event>) {
        self.now = self.now + Span::from_secs(1);
        let record = Record { position: self.fleet.position() + 1, at: self.now, event: event.into() };
        self.fleet.apply(&record);
    }

    fn say(&mut self, host: &HostId, said: Said) {
        self.tell(Report::new(host.clone(), said));
    }

    /// Deploys to one host after another; where one fails, those before it are taken back to what they ran.
    fn deploy(&mut self, hosts: &[&'static str], config: &Config) {
        let mut done = Vec::new();
        for &name in hosts {
            let host = HostId::new(name).expect("a host id");
            let ran = self.fleet.host(&host).and_then(|host| host.deployment()?.generation.path.clone());
            self.say(&host, Said::Started { kind: Kind::Switch, timeout_s: Some(600), to: None });
            if self.trouble == Trouble::BuildFails(name) {
                // Nothing was activated: what ran on the host runs still, and its tests still count.
                let (exit_code, error) = (Some(1), Some(Text::from("builder failed")));
                let (kind, activated) = (Deployer::Switch, Some(false));
                self.say(&host, Said::DeployFail { kind, exit_code, error, activated, system: None });
                return done.into_iter().for_each(|(host, ran)| self.roll_back(&host, ran));
            } else if self.trouble == Trouble::Killed(name) {
                return; // And nobody says how it ended.
            }
            // A real tool reads this from the host, when it is done: `readlink /run/current-system`.
            let path = format!("/nix/store/{}-nixos-system-{name}", config.0);
            self.activated(&host, Deployer::Switch, StorePath::new(&path).ok(), Some(config));
            // The host's units are up.
            self.say(&host, Said::Started { kind: Kind::Test, timeout_s: None, to: None });
            self.say(&host, Said::TestPass { total: 1 });
            done.push((host, ran));
        }
    }

    fn roll_back(&mut self, host: &HostId, path: Option<StorePath>) {
        let to = Some(Target { number: None, path: path.clone() });
        self.say(host, Said::Started { kind: Kind::Rollback, timeout_s: Some(600), to });
        // What was built from which commit, the library remembers by the path.
        self.activated(host, Deployer::Rollback, path, None);
    }

    fn activated(&mut self, host: &HostId, kind: Deployer, path: Option<StorePath>, config: Option<&Config>) {
        let system = Some(Box::new(RunningSystem { path, ..RunningSystem::default() }));
        let (commit, lock_hash) = (config.map(|config| config.0), config.map(|config| config.1.into()));
        let dirty = config.map(|_| false);
        self.say(host, Said::DeployOk { kind, commit, lock_hash, dirty, system });
    }

    fn show(&self, what: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        writeln!(out, "\n{what}")?;
        for row in self.fleet.matrix(self.now, &ReadOptions::default()).hosts {
            let cells: String = row.cells.iter().map(|(_, cell)| format!("{:<9}", cell.status)).collect();
            let why = row.cells.message(Compartment::System).unwrap_or_default();
            writeln!(out, "  {:<5} {cells} next: {:<7} {why}", row.host, row.advice.action)?;
        }
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let hosts = ["web1", "web2", "db1"];
    let mut push = Push { fleet: Fleet::new(), now: "2026-01-05T09:00:00Z".parse()?, trouble: Trouble::None };
    for name in hosts {
        // Nothing is checked out there, and nobody but the tool runs tests there.
        let (host, channel, checkout) = (HostId::new(name)?, ChannelName::main(), CheckoutPlace::None);
        let tests = TestsConfig { auto_run: false, ..TestsConfig::default() };
        push.tell(Decision::HostConfigured { host, channel, checkout, tests, tags: Tags::NONE, by: None });
    }
    let desired = |push: &mut Push, digit: &str| -> Result<Config, Box<dyn std::error::Error>> {
        let (commit, lock) = (Commit::new(&digit.repeat(40))?, LockHash::new(&digit.repeat(64))?);
        let (channel, lock_hash) = (ChannelName::main(), Some(lock.into()));
        let (via, look_started) = (Via::Git, None);
        push.tell(Observation::DesiredObserved { channel, commit, lock_hash, via, look_started });
        Ok(Config(commit, lock))
    };

    let config = desired(&mut push, "a")?;
    push.deploy(&hosts, &config);
    push.show("Everything is deployed, and proven to be what is desired:")?;

    let config = desired(&mut push, "b")?;
    push.trouble = Trouble::BuildFails("web2");
    push.deploy(&hosts, &config);
    push.show("The next commit cannot be built for web2, and web1 is taken back:")?;

    let config = desired(&mut push, "c")?;
    push.trouble = Trouble::Killed("db1");
    push.deploy(&hosts, &config);
    push.show("A fix is deployed, and the tool is killed on its way to db1:")?;
    push.now = push.now + Span::from_mins(11);
    push.show("Eleven minutes later, nobody having said how that ended:")?;

    push.trouble = Trouble::None;
    push.deploy(&hosts[2..], &config);
    push.show("Deployed to db1 once more:")?;
    Ok(())
}
