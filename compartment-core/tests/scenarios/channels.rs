//! CORE-006 section 3: what is desired, and which looks are believed.

use compartment_core::channel::DesiredLock;
use compartment_core::event::TestsConfig;
use compartment_core::testing::{
    Scenario, commit, compared, configured_on, desired, heartbeat, lock, log, merged, published, removed,
    reverted, seen, unavailable, wait,
};
use compartment_core::{ChannelName, Timestamp};

use crate::{mins, secs};

/// The digit of the desired commit, and the lock's first.
fn tip(scenario: &Scenario) -> (char, Option<char>) {
    let channel = scenario.fleet.channel(&ChannelName::main()).unwrap();
    let desired = channel.desired().unwrap();
    let digit = |text: String| text.chars().next().unwrap();
    (digit(desired.commit.to_string()), desired.lock.hash().map(|hash| digit(hash.to_string())))
}

fn state(scenario: &Scenario) -> (&'static str, Option<Timestamp>) {
    let views = scenario.fleet.channel_views();
    let desired = &views[&ChannelName::main()].desired;
    (desired.state.as_str(), desired.since)
}

#[test]
fn a_channel_is_never_observed_then_available_then_unavailable_since() {
    let scenario = Scenario::given(log![heartbeat("gpc0")]);
    assert_eq!(state(&scenario), ("never-observed", None));
    let seen = scenario.when(log![desired('a')]);
    let moved = seen.now();
    assert_eq!(state(&seen), ("available", Some(moved)));
    let gone = seen.when(log![unavailable("gone")]);
    let since = gone.now();
    let still = gone.when(log![wait(mins(5)), unavailable("still gone")]);
    assert_eq!(state(&still), ("unavailable", Some(since)));
    let back = still.when(log![desired('a')]);
    assert_eq!(state(&back), ("available", Some(moved)));
}

#[test]
fn the_first_observation_is_a_move() {
    let start = Scenario::start();
    // Recorded at the start; a look that began before that and names another commit is stale.
    let scenario = Scenario::given(log![desired('a'), seen(commit('b')).started(start - secs(1))]);
    assert_eq!(tip(&scenario).0, 'a');
    let scenario = Scenario::given(log![desired('a'), seen(commit('b')).started(start)]);
    assert_eq!(tip(&scenario).0, 'b');
}

#[test]
fn a_look_that_began_before_the_last_move_is_ignored_unless_it_names_the_same_commit() {
    let merge = Scenario::given(log![desired('a'), wait(mins(1)), merged(7, 'b', None)]);
    let moved = merge.now();
    let stale = merge.clone().when(log![seen(commit('a')).lock('a').started(moved - secs(1))]);
    assert_eq!(tip(&stale), ('b', None));
    let third = merge.clone().when(log![seen(commit('c')).lock('c').started(moved - secs(1))]);
    assert_eq!(tip(&third), ('b', None));
    let same = merge.clone().when(log![seen(commit('b')).lock('b').started(moved - secs(1))]);
    assert_eq!(tip(&same), ('b', Some('b')));
    let fresh = merge.when(log![seen(commit('a')).lock('a').started(moved)]);
    assert_eq!(tip(&fresh), ('a', Some('a')));
}

#[test]
fn a_stale_look_does_not_end_unavailability() {
    let merge = Scenario::given(log![desired('a'), wait(mins(1)), merged(7, 'b', None)]);
    let moved = merge.now();
    let scenario = merge.when(log![unavailable("gone"), seen(commit('a')).started(moved - secs(1))]);
    assert_eq!(state(&scenario).0, "unavailable");
}

#[test]
fn a_look_without_a_beginning_that_names_what_a_merge_replaced_moves_nothing() {
    let merge = Scenario::given(log![desired('a'), merged(7, 'b', None)]);
    let again = merge.clone().when(log![desired('a'), desired('a')]);
    assert_eq!(tip(&again), ('b', None));
    // Until any other commit has been observed.
    let other = merge.clone().when(log![desired('b'), desired('a')]);
    assert_eq!(tip(&other), ('a', Some('a')));
    let third = merge.when(log![desired('c')]);
    assert_eq!(tip(&third), ('c', Some('c')));
}

#[test]
fn looks_without_a_beginning_that_name_what_was_replaced_are_believed_after_ten_minutes() {
    let merge = Scenario::given(log![desired('a'), merged(7, 'b', None), unavailable("gone")]);
    let first = merge.when(log![desired('a')]);
    assert_eq!((state(&first).0, tip(&first)), ("available", ('b', None)), "as a copy that lags");
    let nearly = first.clone().when(log![wait(secs(10 * 60 - 2)), desired('a')]);
    assert_eq!(tip(&nearly), ('b', None));
    let exactly = first.clone().when(log![wait(secs(10 * 60 - 1)), desired('a')]);
    assert_eq!(tip(&exactly), ('a', Some('a')));
    // What is believed is the present: looks may go on from it.
    assert_eq!(tip(&exactly.when(log![desired('b'), desired('a')])), ('a', Some('a')));
    // The merge again between them: they were old.
    let newer = first.when(log![wait(mins(6)), seen(commit('b')).started(Scenario::start())]);
    assert_eq!(tip(&newer), ('b', None));
}

#[test]
fn a_newer_merge_between_starts_the_ten_minutes_of_looks_without_a_beginning_anew() {
    let scenario = Scenario::given(log![desired('a'), merged(7, 'b', None), desired('a'), wait(mins(6))]);
    let scenario = scenario.when(log![merged(8, 'c', None), desired('a'), wait(mins(6)), desired('a')]);
    assert_eq!(tip(&scenario).0, 'c');
    assert_eq!(tip(&scenario.when(log![wait(mins(4)), desired('a')])).0, 'a');
}

#[test]
fn a_look_that_says_it_begins_in_the_future_says_nothing_of_its_beginning() {
    let merge = Scenario::given(log![desired('a'), merged(7, 'b', None)]);
    let future = merge.now() + mins(60);
    let ahead = |digit| seen(commit(digit)).lock(digit).started(future);
    assert_eq!(tip(&merge.clone().when(log![ahead('a')])).0, 'b', "by the hub's clock it may be older");
    let third = merge.when(log![ahead('c')]);
    assert_eq!(tip(&third).0, 'c');
    // Nobody has to wait for that clock.
    let now = third.now();
    assert_eq!(tip(&third.when(log![seen(commit('d')).lock('d').started(now)])).0, 'd');
}

#[test]
fn of_looks_that_come_out_of_order_the_older_does_not_move_the_channel_back_for_long() {
    let scenario = Scenario::given(log![desired('a'), wait(mins(1))]);
    let (older, newer) = (scenario.now() + secs(1), scenario.now() + secs(2));
    let scenario = scenario.when(log![wait(secs(10))]);
    let look = |digit, began| seen(commit(digit)).lock(digit).started(began);
    // The newer one moved the channel: the older began before that.
    let moved = scenario.clone().when(log![look('c', newer), look('b', older)]);
    assert_eq!(tip(&moved).0, 'c');
    // The older one moved it first: the next look tells.
    for also in ['a', 'c'] {
        let back = scenario.clone().when(log![look('b', older), look(also, newer)]);
        let began = back.now();
        assert_eq!(tip(&back.when(log![look(also, began)])).0, also);
    }
}

#[test]
fn a_merge_without_a_lock_is_not_seen_yet_until_a_look_names_none_either() {
    let lock_of =
        |scenario: &Scenario| scenario.fleet.channel(&ChannelName::main()).unwrap().desired().unwrap().lock;
    let merge = Scenario::given(log![desired('a'), merged(7, 'b', None)]);
    assert_eq!(lock_of(&merge), DesiredLock::NotSeenYet);
    // One that shows what was before is no look at that commit.
    assert_eq!(lock_of(&merge.clone().when(log![desired('a')])), DesiredLock::NotSeenYet);
    let looked = merge.when(log![seen(commit('b'))]);
    assert_eq!(lock_of(&looked), DesiredLock::Missing);
    let again = looked.clone().when(log![merged(7, 'b', None), seen(commit('b'))]);
    assert_eq!(lock_of(&again), DesiredLock::Missing);
    let told = looked.when(log![seen(commit('b')).lock('b')]);
    assert_eq!(lock_of(&told), DesiredLock::Known(lock('b')));
}

#[test]
fn a_revert_replaces_too() {
    let scenario = Scenario::given(log![
        desired('a'),
        merged(7, 'b', Some(lock('b'))),
        reverted(7, 'c', Some(lock('a'))),
        desired('b'),
    ]);
    assert_eq!(tip(&scenario), ('c', Some('a')));
}

#[test]
fn a_merge_or_revert_makes_the_channel_available() {
    let gone = || Scenario::given(log![desired('a'), unavailable("gone")]);
    assert_eq!(state(&gone().when(log![merged(7, 'b', None)])).0, "available");
    assert_eq!(state(&gone().when(log![reverted(7, 'b', None)])).0, "available");
    let first = Scenario::given(log![merged(7, 'b', None)]);
    assert_eq!((state(&first).0, tip(&first)), ("available", ('b', None)));
}

#[test]
fn a_late_merge_that_names_an_earlier_commit_changes_nothing() {
    let scenario = Scenario::given(log![desired('a'), desired('b'), desired('c'), unavailable("gone")]);
    let late = scenario.when(log![merged(7, 'b', Some(lock('b')))]);
    assert_eq!((state(&late).0, tip(&late)), ("unavailable", ('c', Some('c'))));
}

#[test]
fn a_merge_that_the_desired_commit_is_known_to_hold_is_late_too() {
    let scenario =
        Scenario::given(log![desired('a'), desired('d'), compared('b', 'd', 2, 0), unavailable("gone")]);
    let late = scenario.when(log![merged(7, 'b', Some(lock('b')))]);
    assert_eq!((state(&late).0, tip(&late)), ("unavailable", ('d', Some('d'))));
    // It can be taken back all the same.
    assert_eq!(late.fleet.merges().len(), 1);
    for elsewhere in [compared('c', 'd', 2, 1), compared('c', 'd', 0, 1), compared('c', 'e', 1, 0)] {
        assert_eq!(tip(&late.clone().when(log![elsewhere, merged(8, 'c', None)])).0, 'c');
    }
}

#[test]
fn a_lagging_copy_ends_unavailability_but_moves_nothing() {
    let scenario = Scenario::given(log![desired('a'), desired('b'), unavailable("gone")]);
    let lagging = scenario.when(log![published('a', Some(lock('a')))]);
    assert_eq!((state(&lagging).0, tip(&lagging)), ("available", ('b', Some('b'))));
}

#[test]
fn a_copy_that_names_the_same_earlier_commit_for_ten_minutes_is_believed() {
    let copy = |scenario: Scenario| scenario.when(log![published('a', Some(lock('a')))]);
    let first = copy(Scenario::given(log![desired('a'), desired('b')]));
    let nearly = copy(first.clone().when(log![wait(secs(10 * 60 - 2))]));
    assert_eq!(tip(&nearly).0, 'b');
    let exactly = copy(first.when(log![wait(secs(10 * 60 - 1))]));
    assert_eq!(tip(&exactly), ('a', Some('a')));
}

#[test]
fn a_newer_look_between_starts_the_ten_minutes_anew() {
    let copy = || published('a', Some(lock('a')));
    for newer in [desired('c'), published('b', None)] {
        let scenario = Scenario::given(log![desired('a'), desired('b'), desired('c'), copy()]);
        let scenario = scenario.when(log![wait(mins(6)), newer, wait(mins(6)), copy()]);
        assert_eq!(tip(&scenario).0, 'c');
        let scenario = scenario.when(log![wait(mins(9)), copy(), wait(mins(1)), copy()]);
        assert_eq!(tip(&scenario).0, 'a');
    }
}

#[test]
fn an_older_look_between_does_not() {
    let copy = || published('b', None);
    let scenario = Scenario::given(log![desired('a'), desired('b'), desired('c'), copy()]);
    let scenario = scenario.when(log![wait(mins(5)), published('a', None), wait(mins(5)), copy()]);
    assert_eq!(tip(&scenario).0, 'b');
}

#[test]
fn a_copy_that_names_a_new_commit_is_believed_at_once() {
    let scenario = Scenario::given(log![desired('a'), published('b', Some(lock('b')))]);
    assert_eq!(tip(&scenario), ('b', Some('b')));
}

#[test]
fn the_repository_itself_may_go_back_at_once() {
    let scenario = Scenario::given(log![desired('a'), desired('b'), desired('a')]);
    assert_eq!(tip(&scenario), ('a', Some('a')));
}

#[test]
fn the_known_lock_is_kept_when_the_commit_is_the_same() {
    let scenario = Scenario::given(log![desired('a'), seen(commit('a')), published('a', None)]);
    assert_eq!(tip(&scenario), ('a', Some('a')));
    let after_merge = Scenario::given(log![desired('a'), merged(7, 'b', Some(lock('b'))), seen(commit('b'))]);
    assert_eq!(tip(&after_merge), ('b', Some('b')));
    let late = Scenario::given(log![desired('a'), seen(commit('b')), merged(7, 'b', Some(lock('b')))]);
    assert_eq!(tip(&late), ('b', Some('b')));
}

#[test]
fn sixty_four_commits_of_a_channel_are_remembered() {
    let nth = |n: u32| compartment_core::Commit::new(&format!("{n:040x}")).unwrap();
    // The last 64 are `first` to the present one: a copy that names `first` lags.
    let scenario = (1..=64).fold(Scenario::default(), |s, n| s.when(log![seen(nth(n))]));
    let lagging = scenario.clone().when(log![seen(nth(1)).published()]);
    let desired = |s: &Scenario| s.fleet.channel(&ChannelName::main()).unwrap().desired().unwrap().commit;
    assert_eq!(desired(&lagging), nth(64));
    // With the 65th, `first` is forgotten, and a copy that names it names something new.
    let forgotten = scenario.when(log![seen(nth(65)), seen(nth(1)).published()]);
    assert_eq!(desired(&forgotten), nth(1));
}

/// Somebody mistypes a channel, and corrects it.
#[test]
fn a_channel_that_nobody_follows_is_not_shown() {
    let shown = |scenario: &Scenario| {
        scenario.fleet.channel_views().keys().map(ToString::to_string).collect::<Vec<_>>()
    };
    let on = |channel| configured_on("gpc0", channel, TestsConfig::default());
    let scenario = Scenario::given(log![desired('a'), heartbeat("gpc0"), heartbeat("gpc1"), on("mian")]);
    assert_eq!(shown(&scenario), ["main", "mian"]);
    let scenario = scenario.when(log![seen(commit('e')).on("edge"), on("main")]);
    assert_eq!(shown(&scenario), ["main"], "edge is known, and no host follows it");
    // It is as many hosts as follow it, whether they are removed or come again.
    let scenario = scenario.when(log![on("edge"), removed("gpc1")]);
    assert_eq!(shown(&scenario), ["edge"]);
    let scenario = scenario.when(log![on("edge"), removed("gpc0"), removed("gpc0"), heartbeat("gpc2")]);
    assert_eq!(shown(&scenario), ["main"]);
    // Without hosts, all that is known is shown.
    assert_eq!(shown(&scenario.when(log![removed("gpc2")])), ["edge", "main", "mian"]);
}

#[test]
fn channels_are_apart() {
    let scenario = Scenario::given(log![desired('a'), seen(commit('e')).on("edge")]);
    assert_eq!(tip(&scenario).0, 'a');
    assert_eq!(scenario.fleet.channels().len(), 2);
}
