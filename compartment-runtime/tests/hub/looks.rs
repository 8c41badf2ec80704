//! The hub watches the repository: when it looks, what it believes, and what it never does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use compartment_core::event::{Comparison, Decision, Event, Observation, PullRequest, Report, Said, Via};
use compartment_core::matrix::{DesiredAvailability, DesiredState};
use compartment_core::testing::{commit, lock};
use compartment_core::{Ask, ChannelName, Commit, Compartment, PrId, Span, Text, outstanding};
use compartment_runtime::hub::{Config, Configuration, Hub, Ports, ProposalError};
use compartment_runtime::testing::clock::ManualClock;
use compartment_runtime::testing::forge::MemoryForge;
use compartment_runtime::testing::hosts::MemoryHosts;
use compartment_runtime::{Ended, Forge, ForgeError, Look, MergeOrder, Moved, Proposal, RevertOrder};
use proptest::collection::vec;
use proptest::prelude::*;

use super::world::{World, beat, cases, names, request, soon};

/// A hub that watches a repository, and hosts at its first commit.
struct Watched {
    world: World,
    forge: Arc<MemoryForge>,
}

impl Watched {
    async fn new(hosts: usize) -> Self {
        let forge = Arc::new(MemoryForge::new(commit('a'), lock('a')));
        let watched: Arc<dyn Forge> = Arc::<MemoryForge>::clone(&forge);
        Self { world: watch(World::green(hosts).await, watched).await, forge }
    }

    fn desired(&self) -> DesiredState {
        self.world.matrix().fleet.channels.into_values().next().unwrap().desired
    }

    /// Waits until so many looks were made, and taken in.
    async fn looked(&self, looks: u64) {
        let enough = async {
            while self.forge.looks() < looks {
                tokio::task::yield_now().await;
            }
        };
        soon(enough).await;
        self.world.pass(Span::from_millis(1)).await;
    }
}

/// The same world with a hub that has this forge.
async fn watch(world: World, forge: Arc<dyn Forge>) -> World {
    world.hub.shutdown().await;
    let ports = Ports {
        clock: Arc::<ManualClock>::clone(&world.clock),
        transports: vec![Arc::<MemoryHosts>::clone(&world.hosts)],
        forge: Some(forge),
        ..Ports::new(Arc::new(world.storage.reopen()))
    };
    World { hub: Hub::start(ports, Config::default()).await.unwrap(), ..world }
}

fn unreachable() -> Option<ForgeError> {
    Some(ForgeError::Unreachable(Text::from("no route")))
}

fn open(pr: u64, head: char) -> PullRequest {
    PullRequest {
        pr: PrId::from(pr),
        title: Text::from("Weekly update"),
        url: None,
        head: Some(commit(head)),
        lock_update: true,
        mergeable: Some(true),
    }
}

#[tokio::test]
async fn it_looks_at_once_then_every_minute_and_whenever_it_is_told_to() {
    let watched = Watched::new(1).await;
    watched.looked(1).await;
    watched.world.pass(Span::from_secs(59)).await;
    assert_eq!(watched.forge.looks(), 1);
    watched.forge.push(commit('b'), lock('b'));
    watched.world.pass(Span::from_secs(1)).await;
    watched.looked(2).await;
    assert_eq!(watched.desired().commit, Some(commit('b')));
    watched.forge.push(commit('c'), lock('c'));
    watched.world.hub.look_soon();
    watched.looked(3).await;
    assert_eq!(watched.desired().commit, Some(commit('c')));
    watched.world.hub.request(request("look", Ask::Refresh { host: None })).await.unwrap();
    watched.looked(4).await;
    let done = async {
        while watched.world.hub.read(|fleet, now| !outstanding(fleet, now).is_empty()).unwrap() {
            tokio::task::yield_now().await;
        }
    };
    soon(done).await;
}

/// It has failed before, and that is told; it fails again, and whoever asked is not to wait for what is no news.
#[tokio::test]
async fn a_look_that_fails_once_more_answers_whoever_asked_for_one() {
    let watched = Watched::new(1).await;
    watched.looked(1).await;
    watched.forge.trouble(unreachable());
    watched.world.pass(Span::from_mins(10)).await;
    assert_eq!(watched.desired().state, DesiredAvailability::Unavailable);
    let before = watched.world.records().await.len();
    watched.world.hub.request(request("look", Ask::Refresh { host: None })).await.unwrap();
    watched.world.pass(Span::from_secs(2)).await;
    let asked = |fleet: &compartment_core::Fleet, now| outstanding(fleet, now).len();
    assert_eq!(watched.world.hub.read(asked).unwrap(), 0);
    // It is asked for, answered, and that is all there is to write down.
    assert_eq!(watched.world.records().await.len(), before + 2);
}

/// It does not exist, and nobody follows it any more: it is neither shown nor looked at.
#[tokio::test]
async fn a_mistyped_channel_is_forgotten_once_it_is_corrected() {
    let watched = Watched::new(1).await;
    watched.looked(1).await;
    let [host] = &names(1)[..] else { unreachable!() };
    let follow = async |channel: &str| {
        let (hub, channel) = (&watched.world.hub, ChannelName::new(channel).unwrap());
        hub.configure(host.clone(), Configuration { channel, ..Configuration::default() }).await.unwrap();
    };
    let shown = || watched.world.matrix().fleet.channels;
    follow("mian").await;
    watched.world.pass(Span::from_mins(5)).await;
    let wrong = shown().remove(&ChannelName::new("mian").unwrap()).unwrap().desired;
    assert_eq!(wrong.state, DesiredAvailability::Unavailable);
    assert!(wrong.error.unwrap().contains("it has no branch `mian`"));
    follow("main").await;
    assert_eq!(shown().into_keys().collect::<Vec<_>>(), [ChannelName::main()]);
    watched.world.pass(Span::from_mins(1)).await;
    let before = watched.forge.looks();
    watched.world.pass(Span::from_mins(10)).await;
    assert_eq!(watched.forge.looks(), before + 10, "one a minute");
}

#[tokio::test]
async fn what_is_seen_again_is_not_appended() {
    let watched = Watched::new(1).await;
    watched.looked(1).await;
    let before = watched.world.records().await.len();
    watched.world.pass(Span::from_mins(10)).await;
    assert!(watched.forge.looks() >= 10);
    assert_eq!(watched.world.records().await.len(), before);
}

#[tokio::test]
async fn a_few_looks_that_fail_over_a_minute_are_enough_and_one_that_succeeds_is() {
    let watched = Watched::new(1).await;
    watched.looked(1).await;
    watched.forge.trouble(Some(ForgeError::Limited {
        reason: Text::from("asked too often"),
        wait: Span::from_secs(61),
    }));
    watched.world.hub.look_soon();
    watched.looked(2).await;
    watched.world.pass(Span::from_secs(55)).await;
    assert_eq!(watched.forge.looks(), 2, "it is not asked before it may be");
    assert_eq!(watched.desired().state, DesiredAvailability::Available, "one look turns no fleet red");
    watched.world.pass(Span::from_secs(10)).await;
    watched.looked(3).await;
    assert_eq!(watched.desired().state, DesiredAvailability::Unavailable);
    assert_eq!(watched.desired().error.as_deref(), Some("asked too often"));
    watched.forge.trouble(None);
    watched.world.pass(Span::from_secs(65)).await;
    assert_eq!(watched.desired().state, DesiredAvailability::Available);
}

#[tokio::test]
async fn a_minute_without_a_look_counts_also_where_none_may_be_made() {
    let watched = Watched::new(1).await;
    watched.looked(1).await;
    let wait = Span::from_mins(60);
    watched.forge.trouble(Some(ForgeError::Limited { reason: Text::from("asked too often"), wait }));
    watched.world.hub.look_soon();
    watched.looked(2).await;
    watched.world.pass(Span::from_secs(55)).await;
    assert_eq!(watched.desired().state, DesiredAvailability::Available);
    watched.world.pass(Span::from_secs(10)).await;
    assert_eq!(watched.desired().state, DesiredAvailability::Unavailable);
    assert_eq!(watched.desired().error.as_deref(), Some("asked too often"));
    assert_eq!(watched.forge.looks(), 2, "it is not asked before it may be");
    watched.world.hub.look_soon();
    watched.world.pass(Span::from_secs(10)).await;
    assert_eq!(watched.forge.looks(), 2, "also not where somebody wants a look");
}

#[tokio::test]
async fn looks_that_fail_are_made_again_soon_and_then_seldom() {
    let watched = Watched::new(1).await;
    watched.looked(1).await;
    watched.forge.trouble(unreachable());
    watched.world.hub.look_soon();
    watched.looked(2).await;
    watched.world.pass(Span::from_secs(10)).await;
    assert_eq!(watched.desired().state, DesiredAvailability::Unavailable);
    let soon_after = watched.forge.looks();
    assert!((4..=6).contains(&soon_after), "{soon_after}");
    watched.world.pass(Span::from_mins(10)).await;
    let later = watched.forge.looks() - soon_after;
    assert!((9..=14).contains(&later), "{later}");
}

#[tokio::test]
async fn a_long_look_says_how_far_it_is_and_is_waited_for_while_it_does() {
    let this = Watched::new(1).await;
    this.looked(1).await;
    this.forge.push(commit('b'), lock('b'));
    this.forge.hold_looks(Some("Receiving objects:  1 %"));
    this.world.hub.look_soon();
    this.looked(2).await;
    assert_eq!(
        this.world.hub.notices().iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["the forge takes long: Receiving objects:  1 %"]
    );
    // Three minutes, of which a merge may not take one: it is the forge that says that it goes on.
    for percent in 2..20 {
        this.forge.hold_looks(Some(&format!("Receiving objects: {percent} %")));
        this.world.pass(Span::from_secs(10)).await;
    }
    let told = this.desired();
    assert_eq!((told.state, told.commit), (DesiredAvailability::Unavailable, Some(commit('a'))));
    let events = this.world.records().await;
    let error = events.iter().find_map(|record| match &record.event {
        Event::Observation(Observation::DesiredUnavailable { error, .. }) => Some(error.to_string()),
        Event::Report(_) | Event::Observation(_) | Event::Decision(_) => None,
    });
    assert_eq!(error.unwrap(), "a look takes longer than 60 s: Receiving objects: 7 %");
    this.forge.hold_looks(None);
    this.looked(2).await;
    let told = this.desired();
    assert_eq!((told.state, told.commit), (DesiredAvailability::Available, Some(commit('b'))));
    assert_eq!(this.world.hub.notices(), []);
    // One that does not get any further is given up.
    this.forge.hold_looks(Some("Receiving objects: 99 %"));
    this.world.hub.look_soon();
    this.looked(3).await;
    this.world.pass(Span::from_secs(100)).await;
    this.forge.hold_looks(None);
    this.looked(4).await;
}

#[tokio::test]
async fn what_cannot_be_a_pull_request_is_told_for_as_long_as_it_is_there() {
    let this = Watched::new(1).await;
    let told = || this.world.hub.left_out().iter().map(ToString::to_string).collect::<Vec<_>>();
    this.looked(1).await;
    assert_eq!(told(), [""; 0]);
    this.forge.leave_out(&["update/a+b: no id"]);
    this.world.hub.look_soon();
    this.looked(2).await;
    assert_eq!(told(), ["update/a+b: no id"]);
    this.forge.leave_out(&[]);
    this.world.hub.look_soon();
    this.looked(3).await;
    assert_eq!(told(), [""; 0]);
}

#[tokio::test]
async fn a_pull_that_brings_what_no_look_has_seen_makes_the_hub_look() {
    let this = Watched::new(1).await;
    this.looked(1).await;
    let pulled = |digit| {
        let said =
            Said::PullOk { commit: commit(digit), lock_hash: Some(lock(digit).into()), dirty: Some(false) };
        vec![Report::new(names(1)[0].clone(), said)]
    };
    this.world.pass(Span::from_secs(10)).await;
    this.world.hub.report(pulled('a')).await.unwrap();
    this.world.pass(Span::from_secs(1)).await;
    assert_eq!(this.forge.looks(), 1, "it is what was seen");
    this.forge.push(commit('b'), lock('b'));
    this.world.hub.report(pulled('b')).await.unwrap();
    this.looked(2).await;
    assert_eq!(this.desired().commit, Some(commit('b')));
    // However often hosts say so, the forge is not asked more than every few seconds.
    for digit in ['c', 'd', 'c', 'd', 'e'] {
        this.world.hub.report(pulled(digit)).await.unwrap();
        this.world.pass(Span::from_millis(500)).await;
    }
    assert_eq!(this.forge.looks(), 2);
    this.world.pass(Span::from_secs(5)).await;
    assert_eq!(this.forge.looks(), 3);
}

#[tokio::test]
async fn how_far_a_host_is_behind_is_asked_once_and_said() {
    let watched = Watched::new(3).await;
    watched.looked(1).await;
    watched.forge.push(commit('b'), lock('b'));
    let distance = Comparison { host_commit: commit('a'), desired_commit: commit('b'), behind: 3, ahead: 0 };
    watched.forge.knows(distance);
    watched.world.hub.look_soon();
    watched
        .world
        .recorded(|event| *event == Event::Observation(Observation::CommitsCompared(distance)))
        .await;
    let row = &watched.world.matrix().hosts[0];
    let message = row.cells.get(Compartment::Lock).message.clone().unwrap();
    assert!(message.contains("Host: aaaaaa, Latest: bbbbbb (3 commits behind)"), "{message}");
    watched.world.pass(Span::from_mins(30)).await;
    assert_eq!(watched.forge.compared(), [(commit('a'), commit('b'))]);
}

#[tokio::test]
async fn a_commit_that_the_forge_does_not_know_is_asked_for_again_later() {
    let watched = Watched::new(1).await;
    watched.looked(1).await;
    watched.world.hub.report(vec![beat(&names(1)[0], 'f')]).await.unwrap();
    watched.world.pass(Span::from_mins(9)).await;
    assert_eq!(watched.forge.compared().len(), 1);
    let distance = Comparison { host_commit: commit('f'), desired_commit: commit('a'), behind: 0, ahead: 1 };
    watched.forge.knows(distance);
    watched.world.pass(Span::from_mins(2)).await;
    watched
        .world
        .recorded(|event| *event == Event::Observation(Observation::CommitsCompared(distance)))
        .await;
}

#[tokio::test]
async fn comparisons_that_fail_keep_nobody_from_looking() {
    let watched = Watched::new(3).await;
    watched.looked(1).await;
    watched.forge.trouble(unreachable());
    for (host, commit) in names(3).iter().zip(['d', 'e', 'f']) {
        watched.world.hub.report(vec![beat(host, commit)]).await.unwrap();
    }
    watched.world.pass(Span::from_secs(5)).await;
    let asked = async {
        while watched.forge.compared().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    soon(asked).await;
    watched.world.pass(Span::from_millis(1)).await;
    assert_eq!(watched.forge.compared().len(), 1, "each of the others might take its time, too");
}

#[tokio::test]
async fn a_merge_elsewhere_is_a_merge_and_a_close_is_a_close() {
    let watched = Watched::new(1).await;
    watched.forge.open(open(7, 'b'), (commit('c'), lock('c')));
    watched.forge.open(open(8, 'd'), (commit('e'), lock('e')));
    watched.forge.open(open(9, 'f'), (commit('f'), lock('f')));
    watched.world.hub.look_soon();
    watched.world.pass(Span::from_secs(5)).await;
    assert_eq!(watched.world.matrix().fleet.pull_requests.len(), 3);
    watched.forge.end(PrId::from(9), Ended::Merged { moved: moved('f'), by: None });
    watched.forge.end(PrId::from(7), Ended::Merged { moved: moved('c'), by: Some(Text::from("alice")) });
    watched.forge.end(PrId::from(8), Ended::Closed);
    watched.world.hub.look_soon();
    let merged = |event: &Event| {
        matches!(event, Event::Observation(Observation::PrMerged { pr, by, .. })
            if *pr == PrId::from(7) && by.as_ref().is_some_and(|by| by.as_str() == "alice"))
    };
    watched.world.recorded(merged).await;
    // The branch does not hold the merge of 9 any more.
    for pr in [8, 9] {
        watched
            .world
            .recorded(|event| *event == Event::Observation(Observation::PrClosed { pr: PrId::from(pr) }))
            .await;
    }
    assert_eq!(watched.desired().commit, Some(commit('c')));
    let merges = watched.world.hub.read(|fleet, _| fleet.merges().len()).unwrap();
    assert_eq!(merges, 1);
}

fn moved(to: char) -> Moved {
    Moved { channel: ChannelName::main(), commit: commit(to), lock_hash: Some(lock(to).into()) }
}

/// How far two commits are apart.
fn apart(host: char, desired: char, behind: u32, ahead: u32) -> Comparison {
    Comparison { host_commit: commit(host), desired_commit: commit(desired), behind, ahead }
}

impl Watched {
    /// What the log tells of the channel and its merges, in its order.
    async fn moves(&self) -> Vec<(Option<PrId>, Commit)> {
        let records = self.world.records().await;
        let moves = records.into_iter().filter_map(|record| match record.event {
            Event::Observation(Observation::PrMerged { pr, commit, .. }) => Some((Some(pr), commit)),
            Event::Observation(Observation::DesiredObserved { commit, .. }) => Some((None, commit)),
            Event::Observation(_) | Event::Report(_) | Event::Decision(_) => None,
        });
        moves.collect()
    }
}

#[tokio::test]
async fn merges_between_two_looks_are_told_in_their_order_and_the_channel_ends_at_the_tip() {
    let watched = Watched::new(1).await;
    for pr in [7, 8, 9] {
        watched.forge.open(open(pr, 'b'), (commit('b'), lock('b')));
    }
    watched.world.hub.look_soon();
    watched.looked(2).await;
    for (pr, to) in [(9, 'c'), (7, 'd'), (8, 'e')] {
        watched.forge.end(PrId::from(pr), Ended::Merged { moved: moved(to), by: None });
    }
    watched.forge.push(commit('f'), lock('f'));
    for (of, behind) in [('c', 6), ('d', 4), ('e', 1)] {
        watched.forge.knows(apart(of, 'f', behind, 0));
        watched.forge.knows(apart(of, 'a', 0, 7 - behind));
    }
    watched.world.hub.look_soon();
    watched.looked(3).await;
    let merged = |pr: u64, to: char| (Some(PrId::from(pr)), commit(to));
    let told = [merged(9, 'c'), merged(7, 'd'), merged(8, 'e'), (None, commit('f'))];
    assert_eq!(watched.moves().await[1..], told);
    assert_eq!(watched.desired().commit, Some(commit('f')));
    let merges = watched.world.hub.read(|fleet, _| fleet.merges().to_vec()).unwrap();
    let each = |pr: u64| merges.iter().any(|merge| merge.pr == PrId::from(pr) && !merge.reverted);
    assert!([7, 8, 9].into_iter().all(each));
    watched.world.shows_what_the_log_says().await;
    // A copy that names one of them lags, and is no news.
    let copy = Observation::DesiredObserved {
        channel: ChannelName::main(),
        commit: commit('d'),
        lock_hash: None,
        via: Via::Published,
        look_started: None,
    };
    watched.world.hub.observe(vec![copy]).await.unwrap();
    assert_eq!(watched.desired().commit, Some(commit('f')));
}

#[tokio::test]
async fn a_merge_that_is_learned_of_late_moves_nothing_and_can_be_reverted() {
    let watched = Watched::new(1).await;
    watched.forge.open(open(7, 'b'), (commit('c'), lock('c')));
    // The list of pull requests is older than the branch.
    watched.forge.push(commit('d'), lock('d'));
    watched.world.hub.look_soon();
    watched.looked(2).await;
    assert_eq!(watched.desired().commit, Some(commit('d')));
    watched.forge.end(PrId::from(7), Ended::Merged { moved: moved('c'), by: None });
    watched.forge.push(commit('e'), lock('e'));
    watched.forge.knows(apart('c', 'e', 2, 0));
    watched.forge.knows(apart('c', 'd', 1, 0));
    watched.world.hub.look_soon();
    watched.looked(3).await;
    let told = [(None, commit('d')), (Some(PrId::from(7)), commit('c')), (None, commit('e'))];
    assert_eq!(watched.moves().await[1..], told);
    assert_eq!(watched.desired().commit, Some(commit('e')));
    let merges = watched.world.hub.read(|fleet, _| fleet.merges().len()).unwrap();
    assert_eq!(merges, 1);
    watched.world.shows_what_the_log_says().await;
}

#[tokio::test]
async fn a_merge_that_is_newer_than_the_look_is_told_by_the_next_one() {
    let watched = Watched::new(1).await;
    watched.forge.open(open(7, 'b'), (commit('c'), lock('c')));
    watched.world.hub.look_soon();
    watched.looked(2).await;
    watched.forge.end(PrId::from(7), Ended::Merged { moved: moved('c'), by: None });
    watched.forge.push(commit('a'), lock('a'));
    watched.forge.knows(apart('c', 'a', 0, 2));
    watched.world.hub.look_soon();
    watched.looked(3).await;
    assert_eq!(watched.world.matrix().fleet.pull_requests.len(), 1);
    watched.forge.push(commit('c'), lock('c'));
    watched.world.hub.look_soon();
    watched.looked(4).await;
    // The look itself is told, too: what looks showed before the merge they show no more.
    assert_eq!(watched.moves().await[1..], [(Some(PrId::from(7)), commit('c')), (None, commit('c'))]);
    assert_eq!(watched.desired().commit, Some(commit('c')));
    assert_eq!(watched.world.matrix().fleet.pull_requests.len(), 0);
}

#[tokio::test]
async fn what_a_merge_would_change_is_read_from_the_forge() {
    let watched = Watched::new(1).await;
    watched.forge.open(open(7, 'b'), (commit('c'), lock('c')));
    watched.world.hub.look_soon();
    watched.world.pass(Span::from_secs(5)).await;
    let proposal = watched.world.hub.proposal(&PrId::from(7)).await.unwrap();
    assert_eq!(proposal.lock_hash, Some(lock('c')));
    let unknown = PrId::from(8);
    assert_eq!(watched.world.hub.proposal(&unknown).await, Err(ProposalError::NotOpen(unknown)));
}

/// A forge that notices when it is asked for two things at a time.
struct OneAtATime {
    inner: Arc<MemoryForge>,
    inside: AtomicU32,
    most: AtomicU32,
}

impl OneAtATime {
    async fn alone<T>(&self, work: impl Future<Output = T>) -> T {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        let done = work.await;
        self.inside.fetch_sub(1, Ordering::SeqCst);
        done
    }
}

#[async_trait]
impl Forge for OneAtATime {
    async fn look(&self, channel: &ChannelName) -> Result<Look, ForgeError> {
        self.alone(self.inner.look(channel)).await
    }

    async fn proposal(&self, pr: &PullRequest) -> Result<Proposal, ForgeError> {
        self.inner.proposal(pr).await
    }

    async fn ended(&self, pr: &PullRequest) -> Result<Ended, ForgeError> {
        self.inner.ended(pr).await
    }

    async fn compare(&self, host: &Commit, desired: &Commit) -> Result<Option<Comparison>, ForgeError> {
        self.inner.compare(host, desired).await
    }

    async fn merge(&self, order: &MergeOrder) -> Result<Moved, ForgeError> {
        self.alone(self.inner.merge(order)).await
    }

    async fn revert(&self, order: &RevertOrder) -> Result<Moved, ForgeError> {
        self.alone(self.inner.revert(order)).await
    }
}

#[tokio::test]
async fn looks_and_merges_never_overlap() {
    let inner = Arc::new(MemoryForge::new(commit('a'), lock('a')));
    inner.open(open(7, 'b'), (commit('c'), lock('c')));
    let forge = Arc::new(OneAtATime {
        inner: Arc::clone(&inner),
        inside: AtomicU32::new(0),
        most: AtomicU32::new(0),
    });
    let watched: Arc<dyn Forge> = Arc::<OneAtATime>::clone(&forge);
    let world = watch(World::green(1).await, watched).await;
    let seen = async {
        while world.matrix().fleet.pull_requests.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    soon(seen).await;
    let looks = inner.looks();
    let merge = Ask::MergePr { pr: PrId::from(7), expected_head: commit('b') };
    world.hub.look_soon();
    world.hub.request(request("m", merge)).await.unwrap();
    let busy = async {
        while inner.carried_out().is_empty() || inner.looks() < looks + 2 {
            world.hub.look_soon();
            tokio::task::yield_now().await;
        }
    };
    soon(busy).await;
    assert_eq!(forge.most.load(Ordering::SeqCst), 1);
}

/// What can happen at a forge.
#[derive(Clone, Debug)]
enum Happens {
    Push(char),
    Open(u64, char),
    Merged(u64, char),
    Closed(u64),
    Trouble(bool),
    AnswerLost,
    Merge(u64, char),
    Revert(u64),
    Look,
    Wait(u64),
}

fn happens() -> impl Strategy<Value = Happens> {
    let commit = || prop::sample::select(vec!['b', 'c', 'd', 'e']);
    prop_oneof![
        commit().prop_map(Happens::Push),
        (1..4_u64, commit()).prop_map(|(pr, head)| Happens::Open(pr, head)),
        (1..4_u64, commit()).prop_map(|(pr, to)| Happens::Merged(pr, to)),
        (1..4_u64).prop_map(Happens::Closed),
        any::<bool>().prop_map(Happens::Trouble),
        Just(Happens::AnswerLost),
        (1..4_u64, commit()).prop_map(|(pr, head)| Happens::Merge(pr, head)),
        (1..4_u64).prop_map(Happens::Revert),
        Just(Happens::Look),
        prop::sample::select(vec![1, 60, 400]).prop_map(Happens::Wait),
    ]
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn no_history_of_a_forge_makes_a_host_do_anything(history in vec(happens(), 1..24)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let watched = Watched::new(2).await;
            let forge = &watched.forge;
            for (n, happens) in history.into_iter().enumerate() {
                let op = format!("op{n}");
                match happens {
                    Happens::Push(to) => forge.push(commit(to), lock(to)),
                    Happens::Open(pr, head) => forge.open(open(pr, head), (commit(head), lock(head))),
                    Happens::Merged(pr, to) => {
                        let moved =
                            Moved { channel: ChannelName::main(), commit: commit(to), lock_hash: Some(lock(to).into()) };
                        forge.end(PrId::from(pr), Ended::Merged { moved, by: None });
                    }
                    Happens::Closed(pr) => forge.end(PrId::from(pr), Ended::Closed),
                    Happens::Trouble(there_is) => forge.trouble(unreachable().filter(|_| there_is)),
                    Happens::AnswerLost => forge.lose_next_answer(),
                    Happens::Merge(pr, head) => {
                        let ask = Ask::MergePr { pr: PrId::from(pr), expected_head: commit(head) };
                        drop(watched.world.hub.request(request(&op, ask)).await);
                    }
                    Happens::Revert(pr) => {
                        drop(watched.world.hub.request(request(&op, Ask::RevertPr { pr: PrId::from(pr) })).await);
                    }
                    Happens::Look => watched.world.hub.look_soon(),
                    Happens::Wait(seconds) => watched.world.pass(Span::from_secs(seconds)).await,
                }
                watched.world.pass(Span::from_millis(1)).await;
            }
            watched.world.pass(Span::from_mins(6)).await;
            for host in names(2) {
                assert_eq!(watched.world.hosts.operations(&host).len(), 0);
            }
            let of_hosts = |event: &Event| {
                matches!(event, Event::Decision(Decision::OpRequested { ask, .. }) if ask.host().is_some())
            };
            assert!(!watched.world.records().await.iter().any(|record| of_hosts(&record.event)));
            watched.world.shows_what_the_log_says().await;
            watched.world.hub.shutdown().await;
        });
    }
}
