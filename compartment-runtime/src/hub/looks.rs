//! Watches the repository: looks at each channel again and again, and says how far hosts are from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError};

use compartment_core::channel::Availability;
use compartment_core::event::{Event, Observation, PullRequest, Report, Said};
use compartment_core::{Ask, ChannelName, Commit, Fleet, Span, Text, Timestamp, Work, outstanding};
use tracing::{debug, info, warn};

use super::gone::{Seen, Told};
use super::repository::{while_heard, within};
use super::{Hub, HubError, Inner};
use crate::backoff::doubled;
use crate::{Forge, ForgeError, Look};

/// How many looks in a row fail until the desired state counts as unavailable: one turns no fleet red.
const LOOKS: u32 = 3;

/// For how long looks fail until it does, however few they were.
const DOUBT: Span = Span::from_mins(1);

/// How soon a look that failed is made again, at first; then twice as long each time.
const RETRY: Span = Span::from_secs(1);

/// How soon after a look a host's word for another commit brings the next one: hosts are not to wear out a forge.
const HINTED: Span = Span::from_secs(5);

/// How long a look may take, however much the forge has to say of it.
const LOOK_WITHIN: Span = Span::from_mins(6 * 60);

/// How often new channels, and commits to compare, are looked for.
const GLANCE: Span = Span::from_secs(5);

/// How many commits are compared at one glance.
const COMPARED_AT_ONCE: usize = 64;

/// How many pairs are known to have been asked for.
const ASKED: usize = 16_384;

/// How soon a pair is asked for again of which the forge knew one side only: it may have been pushed since.
const ASK_AGAIN: Span = Span::from_mins(10);

/// Watches until the hub stops.
pub(super) async fn watch(hub: Hub) {
    let Some(forge) = hub.inner.forge.clone() else { return };
    let inner = Arc::clone(&hub.inner);
    let watch =
        Watch { inner: &inner, forge, channels: BTreeMap::new(), asked: BTreeMap::new(), glanced: None };
    tokio::select! {
        () = watch.run() => {}
        () = inner.stopping() => {}
    }
}

impl Hub {
    /// Says of each channel whose desired state is known that nobody looks at it any more, and why. A hub that was started
    /// without a [`Forge`] would otherwise take for desired for ever what was so when somebody looked last.
    ///
    /// # Errors
    /// [`HubError::Stopped`]: it may or may not have been taken.
    pub async fn nobody_looks(&self, why: &Text) -> Result<(), HubError> {
        let known = self.read(|fleet, _| {
            let available = fleet.channels().iter().filter(|of| of.availability == Availability::Available);
            available.map(|of| of.name.clone()).collect::<Vec<_>>()
        })?;
        let unseen = |channel| Observation::DesiredUnavailable { channel, error: why.clone() };
        match known.is_empty() {
            true => Ok(()),
            false => self.observe(known.into_iter().map(unseen).collect()).await.map(drop),
        }
    }
}

struct Watch<'a> {
    inner: &'a Inner,
    forge: Arc<dyn Forge>,
    channels: BTreeMap<ChannelName, Channel>,
    /// Pairs of a host's commit and a desired one, and when to ask again where that is of use.
    asked: BTreeMap<(Commit, Commit), Option<Timestamp>>,
    /// How far the log was when hosts were last looked through.
    glanced: Option<u64>,
}

/// How a channel is watched.
struct Channel {
    /// The last look, where there was one.
    looked: Option<Timestamp>,
    /// The next look.
    due: Timestamp,
    /// No look is made before, whoever wants one.
    not_before: Timestamp,
    failing: Option<Failing>,
}

/// Looks that failed in a row.
struct Failing {
    looks: u32,
    since: Timestamp,
    /// Why the last one failed.
    error: Text,
    /// Whether the log says so.
    told: bool,
}

impl Watch<'_> {
    async fn run(mut self) {
        loop {
            self.follow();
            let now = self.inner.now();
            let due: Vec<_> =
                self.channels.iter().filter(|(_, c)| c.due <= now).map(|(name, _)| name.clone()).collect();
            for channel in due {
                self.look(channel).await;
            }
            self.tell().await;
            self.compare().await;
            let next = self.channels.values().map(Channel::next).min();
            let glance = self.inner.now() + GLANCE;
            tokio::select! {
                () = self.inner.sleep_until(next.map_or(glance, |next| next.min(glance))) => {}
                () = self.inner.look_now.notified() => {
                    let now = self.inner.now();
                    self.hasten(|_| now);
                }
                () = self.inner.look_hinted.notified() => {
                    let now = self.inner.now();
                    self.hasten(|channel| channel.looked.map_or(now, |looked| looked + HINTED).max(now));
                }
            }
        }
    }

    /// Brings the next looks forward.
    fn hasten(&mut self, due: impl Fn(&Channel) -> Timestamp) {
        for channel in self.channels.values_mut() {
            channel.due = channel.due.min(due(channel)).max(channel.not_before);
        }
    }

    /// Channels that hosts have begun to follow are due at once. One that no host follows is looked at for as long as it
    /// can be seen: who follows it again finds it as it is.
    fn follow(&mut self) {
        let now = self.inner.now();
        let fleet = self.inner.shown.fleet();
        let is_looked_at = |channel: &&compartment_core::channel::Channel| {
            channel.availability == Availability::Available || fleet.is_followed(&channel.name)
        };
        let mut names: BTreeSet<ChannelName> =
            fleet.channels().iter().filter(is_looked_at).map(|channel| channel.name.clone()).collect();
        if names.is_empty() {
            names.insert(ChannelName::main());
        }
        self.channels.retain(|name, _| names.contains(name));
        self.inner
            .left_out
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|name, _| names.contains(name));
        for name in names {
            self.channels.entry(name).or_insert(Channel {
                looked: None,
                due: now,
                not_before: now,
                failing: None,
            });
        }
    }

    /// Looks at a channel once, and records what was seen.
    async fn look(&mut self, name: ChannelName) {
        let looking = async {
            // Neither overlaps with a merge, and what is recorded is in the order in which it was seen.
            let alone = self.inner.forge_in_use.lock().await;
            let look_started = self.inner.now();
            let seen = while_heard(self.inner, &*self.forge, LOOK_WITHIN, self.forge.look(&name)).await;
            (alone, look_started, seen)
        };
        let (_alone, look_started, seen) = self.told_while(looking).await;
        let before = self.channels.get_mut(&name).and_then(|channel| channel.failing.take());
        let every = self.inner.config.look_every;
        let channel = match seen {
            Ok(look) => {
                if before.is_some() {
                    info!(channel = %name, "the repository can be seen again");
                }
                self.leave_out(&name, &look.left_out);
                let events = self.seen(name.clone(), look, look_started).await;
                if self.inner.submit(events).await.is_err() {
                    // The hub stops, and this with it.
                    return;
                }
                let now = self.inner.now();
                Channel { looked: Some(now), due: now + every, not_before: now, failing: None }
            }
            Err(error) => {
                let (now, wait) = (self.inner.now(), error.wait());
                let failing = Failing::after(before, look_started, &error);
                // Said when it begins and when it counts, and not each time.
                match failing.looks {
                    looks @ (1 | LOOKS) => {
                        warn!(channel = %name, looks, %error, "the repository could not be seen");
                    }
                    looks => debug!(channel = %name, looks, %error, "the repository could not be seen"),
                }
                if failing.told && self.is_asked_for() {
                    let (channel, error) = (name.clone(), failing.error.clone());
                    // Refused only by a hub that stops, and this with it.
                    drop(
                        self.inner.submit([Observation::DesiredUnavailable { channel, error }.into()]).await,
                    );
                }
                let due = now + doubled(RETRY, failing.looks, DOUBT).min(every).max(wait);
                Channel { looked: Some(now), due, not_before: now + wait, failing: Some(failing) }
            }
        };
        self.channels.insert(name, channel);
    }

    /// Whether somebody waits for a look.
    fn is_asked_for(&self) -> bool {
        let fleet = self.inner.shown.fleet();
        outstanding(&fleet, self.inner.now())
            .iter()
            .any(|work| matches!(work, Work::Request { ask: Ask::Refresh { host: None }, .. }))
    }

    /// Notes what looks like a pull request and is none, and says so once.
    fn leave_out(&self, channel: &ChannelName, left_out: &[Text]) {
        let mut all = self.inner.left_out.lock().unwrap_or_else(PoisonError::into_inner);
        let known = all.entry(channel.clone()).or_default();
        if known != left_out {
            for why in left_out.iter().filter(|why| !known.contains(why)) {
                warn!(%channel, %why, "this cannot be a pull request");
            }
            left_out.clone_into(known);
        }
    }

    /// Waits for a look. Where it takes long nobody knows what is desired, on any channel: none is looked at meanwhile.
    async fn told_while<T>(&self, looking: impl Future<Output = T>) -> T {
        let mut looking = std::pin::pin!(looking);
        tokio::select! {
            seen = &mut looking => return seen,
            () = self.inner.clock.sleep(DOUBT) => {}
        }
        let far = self.forge.progress().unwrap_or_else(|| Text::from("the forge says nothing"));
        let error = Text::new(&format!("a look takes longer than {DOUBT}: {far}"));
        let unavailable = |channel: &ChannelName| {
            Observation::DesiredUnavailable { channel: channel.clone(), error: error.clone() }.into()
        };
        let events: Vec<Event> = self.channels.keys().map(unavailable).collect();
        // Refused only by a hub that stops, and this with it.
        drop(self.inner.submit(events).await);
        looking.await
    }

    /// Says which desired states cannot be seen, once that is certain.
    async fn tell(&mut self) {
        let now = self.inner.now();
        for (name, channel) in &mut self.channels {
            let Some(failing) = &mut channel.failing else { continue };
            if !failing.told && failing.certain_at(now) <= now {
                failing.told = true;
                let (channel, error) = (name.clone(), failing.error.clone());
                // Refused only by a hub that stops, and this with it.
                drop(self.inner.submit([Observation::DesiredUnavailable { channel, error }.into()]).await);
            }
        }
    }

    /// What a look found, as events.
    async fn seen(&self, channel: ChannelName, look: Look, look_started: Timestamp) -> Vec<Event> {
        let Look { commit, lock_hash, via, pull_requests, left_out: _ } = look;
        let Told { mut events, passed } = match &pull_requests {
            Some(open) => self.ended(&channel, commit, open).await,
            None => Told::default(),
        };
        events.extend(pull_requests.into_iter().flatten().map(|pr| Observation::PrOpened(pr).into()));
        // Against moves that are recorded with it a look cannot be dated: it began before them, and has seen them.
        let look_started = Some(look_started).filter(|_| !passed);
        events.push(Observation::DesiredObserved { channel, commit, lock_hash, via, look_started }.into());
        events
    }

    /// What became of the pull requests that are not among the open ones any more.
    async fn ended(&self, channel: &ChannelName, tip: Commit, open: &[PullRequest]) -> Told {
        let (gone, desired) = {
            let fleet = self.inner.shown.fleet();
            let desired = fleet.channel(channel).and_then(|channel| channel.desired());
            (gone(&fleet, open), desired.map(|desired| desired.commit))
        };
        let seen = Seen { inner: self.inner, forge: &*self.forge, channel, tip, desired };
        seen.ended(&gone, |name| self.channels.contains_key(name)).await
    }

    /// Compares commits of hosts with the desired ones: each pair once.
    async fn compare(&mut self) {
        let now = self.inner.now();
        let pairs = {
            let fleet = self.inner.shown.fleet();
            if self.glanced.replace(fleet.position()) == Some(fleet.position()) {
                return;
            }
            fleet.uncompared()
        };
        if self.asked.len() > ASKED {
            self.asked.clear();
        }
        let settled = |pair: &(Commit, Commit)| self.asked.get(pair).is_some_and(Option::is_none);
        let waits = |pair: &(Commit, Commit)| {
            self.asked.get(pair).is_some_and(|again| again.is_some_and(|at| at > now))
        };
        // Whether one is to be asked for again does not show in the log.
        if !pairs.iter().all(settled) {
            self.glanced = None;
        }
        let open: Vec<_> =
            pairs.into_iter().filter(|pair| !settled(pair) && !waits(pair)).take(COMPARED_AT_ONCE).collect();
        let (mut events, mut failed) = (Vec::new(), false);
        for pair in open {
            // A slow forge is looked at all the same: what is left is for the next glance.
            if failed || self.channels.values().any(|channel| channel.next() <= self.inner.now()) {
                break;
            }
            let again = match within(self.inner, self.forge.compare(&pair.0, &pair.1)).await {
                Ok(Some(comparison)) => {
                    events.push(Observation::CommitsCompared(comparison).into());
                    None
                }
                Ok(None) => Some(now + ASK_AGAIN),
                Err(error) => {
                    warn!(host = %pair.0, desired = %pair.1, %error, "the commits could not be compared");
                    failed = true;
                    Some(now + error.wait().max(Span::from_mins(1)))
                }
            };
            self.asked.insert(pair, again);
        }
        if !events.is_empty() {
            // Refused only by a hub that stops, and this with it.
            drop(self.inner.submit(events).await);
        }
    }
}

impl Inner {
    /// Whether a pull has brought what the repository was not seen to have: it has moved since the last look.
    pub(super) fn brings_unseen(&self, reports: &[Report]) -> bool {
        self.forge.is_some()
            && reports.iter().any(|report| {
                let Said::PullOk { commit, .. } = &report.said else { return false };
                let fleet = self.shown.fleet();
                let desired = fleet.host(&report.host).and_then(|host| fleet.channel_of(host).desired());
                desired.is_some_and(|desired| {
                    !desired.commit.same(commit) && fleet.comparison(commit, &desired.commit).is_none()
                })
            })
    }
}

impl Channel {
    /// When there is something to do next.
    fn next(&self) -> Timestamp {
        let untold = self.failing.as_ref().filter(|failing| !failing.told);
        untold.map_or(self.due, |failing| self.due.min(failing.since + DOUBT))
    }
}

impl Failing {
    fn after(before: Option<Self>, look_started: Timestamp, error: &ForgeError) -> Self {
        let error = Text::new(&error.to_string());
        match before {
            None => Self { looks: 1, since: look_started, error, told: false },
            Some(before) => Self {
                looks: before.looks.saturating_add(1),
                since: before.since,
                // Another cause is said, too.
                told: before.told && before.error == error,
                error,
            },
        }
    }

    /// From when on it is certain that the desired state cannot be seen.
    fn certain_at(&self, now: Timestamp) -> Timestamp {
        if self.looks >= LOOKS { now } else { self.since + DOUBT }
    }
}

/// Pull requests that were open and are not among these.
fn gone(fleet: &Fleet, open: &[PullRequest]) -> Vec<PullRequest> {
    fleet.pull_requests().filter(|pr| !open.iter().any(|open| open.pr == pr.pr)).cloned().collect()
}

impl ForgeError {
    /// How long at least it is not to be asked again.
    const fn wait(&self) -> Span {
        match self {
            Self::Limited { wait, .. } => *wait,
            Self::Refused(_) | Self::Unreachable(_) => Span::from_millis(0),
        }
    }
}
