//! A fleet of honest hosts, its channel, and the hub that folds all of it.

use compartment_core::event::{Deployer, GenerationNumber};
use compartment_core::event::{
    Event, Heartbeat, Kind, Observation, Reading, Report, RunningSystem, Said, Via,
};
use compartment_core::{
    ChannelName, Compartment, Fleet, HostId, OpId, PrId, Record, Span, Status, StorePath, Text, Timestamp,
    ndjson,
};

use super::host::Member;
use super::{Fault, Walked, Wrong};
use crate::choice::{Chance, Choice};
use crate::fold::{CELLS, LATE, is_true};
use crate::word::{commit, lock_file, path};

/// The lock files of the commits of a history: some commits leave it as it is.
const LOCKS: &[u8] = &[0, 1, 1, 2, 0, 3, 3, 4];

/// How many steps a history has; not all of them are heard.
const STEPS: usize = 800;

/// One history.
#[derive(Debug)]
pub struct Stretch {
    choice: Chance,
    members: Vec<Member>,
    fleet: Fleet,
    now: Timestamp,
    kept: Vec<Record>,
    /// What happens and what is heard, in words. `None` where nobody asks.
    told: Option<Vec<String>>,
    /// Where the channel is, as the hub was last told.
    desired: Option<u8>,
    /// The first commit that the channel has not had.
    unused: u8,
    reachable: bool,
}

impl Stretch {
    /// The history of a seed.
    #[must_use]
    fn new(seed: u64, told: Option<Vec<String>>) -> Self {
        let mut choice = Chance::new(seed, false);
        let members = ["g1", "g2", "g3"].iter().map(|name| Member::new(name, LOCKS, &mut choice)).collect();
        let now = "2026-01-05T10:00:00Z".parse().unwrap_or(Timestamp::MIN);
        let (fleet, kept) = (Fleet::new(), Vec::new());
        let mut stretch =
            Self { choice, members, fleet, now, kept, told, desired: None, unused: 0, reachable: true };
        let configured: Vec<_> = stretch.members.iter().filter_map(Member::configured).collect();
        configured.into_iter().for_each(|event| stretch.hear(event));
        stretch
    }

    /// Walks it to its end, or to the first thing that is wrong.
    pub fn walk(seed: u64, walked: &mut Walked) {
        let mut seeds = fastrand::Rng::with_seed(seed);
        let mut steps: Vec<u64> = (0..STEPS).map(|_| seeds.u64(..)).collect();
        let Some((what, taken)) = Self::new(seed, None).takes(&steps, walked) else { return };
        steps.truncate(taken);
        let history = shortest(seed, &mut steps, &what);
        walked.wrong.push(Wrong { what, seed, steps: steps.len(), history });
    }

    /// Takes steps until something is wrong: what, and after how many steps.
    fn takes(&mut self, steps: &[u64], walked: &mut Walked) -> Option<(Fault, usize)> {
        for (place, step) in steps.iter().enumerate() {
            // Every step has its own seed, so that it does the same when others are left out.
            self.choice = Chance::new(*step, self.told.is_some());
            if let Some(fault) = self.take(walked) {
                return Some((fault, place + 1));
            }
            if !self.members.iter().all(Member::has_room) {
                return None;
            }
        }
        None
    }

    fn take(&mut self, walked: &mut Walked) -> Option<Fault> {
        let which = self.choice.pick(self.members.len());
        let event = match self.choice.pick(40) {
            0 | 1 => self.channel(),
            2 => {
                self.now = self.now + Span::from_secs(self.choice.pick(4000) as u64);
                None
            }
            3 => self.members[which].asks(&mut self.choice),
            _ => self.members[which].says(&mut self.choice),
        };
        if let Some(told) = &mut self.told {
            let name = &self.members[which].name;
            told.extend(self.choice.told().iter().map(|what| format!("  - {name}: {what}")));
        }
        match event {
            Some(event) => {
                walked.steps += 1;
                self.hear(event);
                self.judge(which, walked)
            }
            None if self.choice.pick(256) == 0 => {
                walked.restarts += 1;
                self.restart().err()
            }
            None if self.choice.pick(64) == 0 => {
                walked.updates += 1;
                self.update(which).err()
            }
            None => None,
        }
    }

    fn hear(&mut self, event: Event) {
        self.now = self.now + Span::from_secs(1);
        let record = Record { position: self.fleet.position() + 1, at: self.now, event };
        let kept = self.fleet.offer(&record).kept;
        if let Some(told) = &mut self.told {
            told.push(ndjson::encode(Some(record.at), &record.event));
        }
        if kept {
            self.kept.push(record);
        }
    }

    /// What is shown of a host is held against what is true of it.
    fn judge(&self, which: usize, walked: &mut Walked) -> Option<Fault> {
        let member = &self.members[which];
        let index = self.fleet.index_of(&member.name)?;
        let late = self.fleet.cells(index, self.now + LATE);
        let blue = Compartment::ALL.iter().find(|cell| late.status(**cell) == Status::Working);
        if let Some(cell) = blue {
            return Some(Fault::Blue(*cell));
        }
        let desired = self.desired?;
        if !member.run.counts() {
            return None;
        }
        let truth = member.run.truth(&member.law, desired);
        let cells = self.fleet.cells(index, self.now);
        walked.judged += 1;
        for (place, cell) in CELLS.into_iter().enumerate() {
            let (verdict, so) = (cells.verdict(cell), is_true(&truth, cell));
            let green = verdict.status == Status::Ok;
            walked.green[place] += u64::from(green);
            walked.truths[place] += u64::from(so);
            if (green || late.status(cell) == Status::Ok) && !so {
                return Some(Fault::FalseGreen(cell, verdict.rule));
            }
            if so && matches!(verdict.status, Status::Outdated | Status::Unknown) {
                *walked.unproven.entry(verdict.rule).or_default() += 1;
            }
        }
        None
    }

    /// Something happens to the channel, or is seen of it.
    fn channel(&mut self) -> Option<Event> {
        let channel = ChannelName::main();
        let moves = usize::from(self.unused) < LOCKS.len() && self.choice.pick(4) == 0;
        match self.choice.pick(6) {
            0 => {
                self.reachable = false;
                Some(
                    Observation::DesiredUnavailable { channel, error: Text::from("no route to host") }.into(),
                )
            }
            1 if moves && self.desired.is_some() => {
                let to = self.new_commit();
                let lock_hash = (self.choice.pick(3) > 0).then(|| lock_file(LOCKS[usize::from(to)]));
                let (pr, commit) = (PrId::from(u64::from(to)), commit(to));
                Some(if self.choice.pick(3) == 0 {
                    Observation::PrReverted { pr, channel, commit, lock_hash, by: None }.into()
                } else {
                    Observation::PrMerged { pr, channel, commit, lock_hash, by: None }.into()
                })
            }
            _ => {
                let to = match self.desired {
                    Some(desired) if !moves => desired,
                    Some(_) | None => self.new_commit(),
                };
                self.reachable = true;
                let lock_hash = (self.choice.pick(4) > 0).then(|| lock_file(LOCKS[usize::from(to)]));
                let look_started = Some(self.now);
                let commit = commit(to);
                Some(
                    Observation::DesiredObserved { channel, commit, lock_hash, via: Via::Git, look_started }
                        .into(),
                )
            }
        }
    }

    fn new_commit(&mut self) -> u8 {
        self.reachable = true;
        self.desired = Some(self.unused);
        self.unused += 1;
        self.unused - 1
    }

    /// The hub ends and starts again: from a snapshot, and from all that its log has kept.
    fn restart(&mut self) -> Result<(), Fault> {
        let restored = Fleet::from_snapshot_json(&self.fleet.snapshot_json()).map_err(|_| Fault::Restart)?;
        let mut replayed = Fleet::new();
        for record in &self.kept {
            replayed.apply(record);
        }
        for member in &self.members {
            let cells =
                |fleet: &Fleet| fleet.index_of(&member.name).map(|index| fleet.cells(index, self.now));
            if cells(&restored) != cells(&self.fleet) || cells(&replayed) != cells(&self.fleet) {
                return Err(Fault::Restart);
            }
        }
        if self.choice.pick(2) == 0 {
            self.fleet = restored;
        } else {
            // Its position is that of the last record kept, as it is in a log.
            self.fleet = replayed;
        }
        Ok(())
    }

    /// A full agent does one honest update of a host: is all green then? In a copy of the hub. The switch leads to a
    /// new path, or to the one that runs already.
    fn update(&self, which: usize) -> Result<(), Fault> {
        let Some(desired) = self.desired else { return Ok(()) };
        let new = StorePath::new("/nix/store/full-nixos-system").expect("a path");
        let again = self.members[which].run.rebuilt(desired).map(path);
        again.into_iter().chain([new]).try_for_each(|path| self.update_to(which, desired, &path))
    }

    fn update_to(&self, which: usize, desired: u8, path: &StorePath) -> Result<(), Fault> {
        let name = &self.members[which].name;
        let mut fleet = self.fleet.clone();
        let mut now = self.now;
        let mut hear = |event: Event| {
            now = now + Span::from_secs(1);
            fleet.apply(&Record { position: fleet.position() + 1, at: now, event });
        };
        let lock = Some(lock_file(LOCKS[usize::from(desired)]));
        let channel = ChannelName::main();
        let (is, via) = (commit(desired), Via::Git);
        hear(
            Observation::DesiredObserved {
                channel,
                commit: is,
                lock_hash: lock,
                via,
                look_started: Some(self.now),
            }
            .into(),
        );
        for event in full_update(name, self.members[which].law.pushed, desired, path) {
            hear(event);
        }
        let Some(index) = fleet.index_of(name) else { return Ok(()) };
        let cells = fleet.cells(index, now);
        let rules: Vec<_> = CELLS.iter().map(|cell| cells.verdict(*cell)).collect();
        if rules.iter().all(|verdict| verdict.status == Status::Ok) {
            return Ok(());
        }
        Err(Fault::Stuck(rules.iter().map(|verdict| verdict.rule).collect::<Vec<_>>().join(" ")))
    }
}

/// Leaves steps out for as long as the same is wrong, and tells what is left.
fn shortest(seed: u64, steps: &mut Vec<u64>, what: &Fault) -> String {
    let wrong = |steps: &[u64], told: Option<Vec<String>>| {
        let mut stretch = Stretch::new(seed, told);
        let found = stretch.takes(steps, &mut Walked::default());
        let (_, taken) = found.filter(|(fault, _)| fault.is_like(what))?;
        Some((taken, stretch.told.unwrap_or_default().join("\n")))
    };
    let mut size = steps.len() / 2;
    while size > 0 {
        let mut from = steps.len().saturating_sub(size);
        loop {
            let mut fewer = steps.clone();
            fewer.drain(from..(from + size).min(steps.len()));
            if let Some((taken, _)) = wrong(&fewer, None) {
                fewer.truncate(taken);
                *steps = fewer;
            }
            if from == 0 {
                break;
            }
            from = from.saturating_sub(size).min(steps.len());
        }
        size /= 2;
    }
    wrong(steps, Some(Vec::new())).map(|(_, told)| told).unwrap_or_default()
}

/// What a full agent says of one update: it names all that it knows.
fn full_update(name: &HostId, pushed: bool, desired: u8, path: &StorePath) -> Vec<Event> {
    let (is, lock) = (commit(desired), Some(lock_file(LOCKS[usize::from(desired)])));
    let system = || {
        Box::new(RunningSystem {
            path: Some(path.clone()),
            number: GenerationNumber::new(1000),
            commit: Some(is),
        })
    };
    let checkout = if pushed {
        Heartbeat::default()
    } else {
        Heartbeat {
            commit: Reading::Told(is),
            dirty: Reading::Told(false),
            lock_hash: lock.into(),
            ..Heartbeat::default()
        }
    };
    let heartbeat = Heartbeat { system: Reading::Told(system()), running: Some(None), ..checkout };
    let started = |kind| Said::Started { kind, timeout_s: None, to: None };
    let ok = Said::DeployOk {
        kind: Deployer::Switch,
        commit: Some(is),
        lock_hash: lock,
        dirty: Some(false),
        system: Some(system()),
    };
    let say = |op: Option<&str>, said| {
        let op = op.map(|op| OpId::new(op).expect("an id"));
        Event::from(Report { op, ..Report::new(name.clone(), said) })
    };
    let pull = [
        say(Some("full-p"), started(Kind::Pull)),
        say(Some("full-p"), Said::PullOk { commit: is, lock_hash: lock, dirty: Some(false) }),
    ];
    let rest = [
        say(Some("full-s"), started(Kind::Switch)),
        say(Some("full-s"), ok),
        say(None, Said::Heartbeat(heartbeat)),
        say(Some("full-t"), started(Kind::Test)),
        say(Some("full-t"), Said::TestPass { total: 3 }),
    ];
    pull.into_iter().filter(|_| !pushed).chain(rest).collect()
}
