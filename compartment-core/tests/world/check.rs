//! What the hub shows, held against the truth.

use compartment_core::event::{Decision, Event, Kind};
use compartment_core::ndjson::encode;
use compartment_core::testing::host as host_id;
use compartment_core::{Color, Compartment};

use crate::actions::{Action, Deed, End, Fate, Tells};
use crate::agent::Agent;
use crate::world::{NAMES, World};

impl World {
    /// What is a lie, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (n, host) in self.hosts.iter().enumerate() {
            self.check_host(n).map_err(|lie| format!("{}: {lie}", host.name))?;
        }
        Ok(())
    }

    fn check_host(&self, n: usize) -> Result<(), String> {
        let known = &self.hosts[n];
        let Some(index) = self.fleet.index_of(&host_id(known.name)) else { return Ok(()) };
        let cells = self.fleet.cells(index, self.now);
        let color = |cell: Compartment| cells.status(cell).color();
        let blue = Compartment::ALL.iter().any(|cell| color(*cell) == Color::Blue);
        if blue && self.now >= known.blue_until {
            return Err("blue without end".to_string());
        }
        if !known.settled {
            return Ok(());
        }
        if blue {
            return Err("blue, and nothing runs".to_string());
        }
        let (machine, tip) = (&known.machine, self.repository.tip());
        let wanted = self.repository.builds(tip);
        if self.seen {
            if color(Compartment::Git) == Color::Green
                && (machine.checkout.dirty || machine.checkout.commit != tip)
            {
                return Err(format!("Git is green at {:?}", machine.checkout));
            }
            if color(Compartment::Lock) == Color::Green && machine.checkout.builds.lock != wanted.lock {
                return Err(format!("Lock is green at {:?}", machine.checkout));
            }
            if color(Compartment::System) == Color::Green && machine.current.system != wanted {
                return Err(format!("System is green while {:?} runs, not {wanted:?}", machine.current));
            }
        }
        if color(Compartment::Tests) == Color::Green {
            let runs = machine.current.system;
            let run = machine.tested.get(&runs);
            let changed = known.last_named(|named| named.system != runs);
            let proven = run.is_some_and(|run| run.passed && run.step >= changed);
            if !proven && !known.there_and_back() {
                return Err(format!("Tests are green, the last run of {runs:?} was {run:?}"));
            }
        }
        Ok(())
    }

    /// What a host does when all goes well, all of it reported.
    pub(crate) fn end_well(&mut self) -> Result<(), String> {
        self.step += 1;
        self.repository.push(None, None, self.now);
        self.looks(0, true, false, true);
        for (n, name) in NAMES.iter().enumerate() {
            self.dies(n, 0);
            self.happens(&Action::Settle(n));
            self.check()?;
            self.person(n, Deed::Clean);
            let host = &mut self.hosts[n];
            host.machine.mend();
            // An old agent that reports no start could not prove of what its tests speak: it is updated first.
            if host.agent == Agent::Old {
                host.agent = Agent::Ids;
            }
            for kind in [Kind::Pull, Kind::Switch, Kind::Test] {
                self.step += 1;
                self.starts(n, kind, 0, Tells::ALL, Fate::Now);
                self.ends(n, End::Works, Tells::ALL, Fate::Now);
            }
            let index = self.fleet.index_of(&host_id(name)).ok_or("not known")?;
            let cells = self.fleet.cells(index, self.now);
            if cells.verdicts().any(|(_, verdict)| verdict.status.color() != Color::Green) {
                let rules: Vec<_> = cells.verdicts().map(|(_, verdict)| verdict.rule).collect();
                return Err(format!("{} did all it should, and shows {rules:?}", name));
            }
        }
        Ok(())
    }

    /// The history, and what is wrong about its end.
    pub(crate) fn tell(&self, lie: &str) -> String {
        let about = |event: &Event| match event {
            Event::Report(report) => lie.starts_with(report.host.as_str()),
            Event::Observation(_) => true,
            Event::Decision(decision) => !matches!(decision, Decision::HostConfigured { .. }),
        };
        let records = self.records.iter().filter(|record| about(&record.event));
        let lines: Vec<_> = records.map(|record| encode(Some(record.at), &record.event)).collect();
        format!("{lie}\n{}", lines.join("\n"))
    }
}
