//! The model itself: what an honest host can say, and what is known when it has said it.

use compartment_core::Compartment::{self, Git, Lock, System, Tests};
use compartment_core::event::Kind::{self, Pull, Switch, Test};
use compartment_proof::fold::is_true;
use compartment_proof::host::{Law, Run};
use compartment_proof::shrink::fitting;
use compartment_proof::word::{End, Part, Told, Word};

const A: u8 = 0;
const B: u8 = 1;

fn told() -> Told {
    Told::default()
}

fn at(commit: u8) -> Told {
    Told { commit: Part::Told(commit), ..told() }
}

fn dirt(dirty: bool) -> Told {
    Told { dirty: Part::Told(dirty), ..told() }
}

fn on(path: u8) -> Told {
    Told { path: Part::Told(path), ..told() }
}

fn of(path: u8, label: u8) -> Told {
    Told { label: Some(label), ..on(path) }
}

fn beat(told: Told) -> Word {
    Word::Beat { told, running: None }
}

fn idle(told: Told) -> Word {
    Word::Beat { told, running: Some(None) }
}

fn busy(kind: Kind) -> Word {
    Word::Beat { told: told(), running: Some(Some(kind)) }
}

fn started(kind: Kind, id: Option<u8>) -> Word {
    Word::Started { kind, id, to: None }
}

fn ok(kind: Kind, id: Option<u8>, told: Told) -> Word {
    Word::Result { kind, id, end: End::Ok, told }
}

fn fail(kind: Kind, changed: Option<bool>) -> Word {
    Word::Result { kind, id: None, end: End::Fail(changed), told: told() }
}

/// All runs that fit these words, in order or late.
fn runs(words: &[Word], late: usize) -> (Law, Vec<Run>) {
    let law = Law::of(words, &[0, 1], late, false);
    let runs = fitting(&law, words);
    (law, runs)
}

/// Whether a cell is true in every run that fits, where `A` is desired; `None` where none fits.
fn known(words: &[Word], late: usize, cell: Compartment) -> Option<bool> {
    let (law, runs) = runs(words, late);
    let mut truths =
        runs.iter().filter(|run| run.counts()).map(|run| is_true(&run.truth(&law, A), cell)).peekable();
    truths.peek()?;
    Some(truths.all(|so| so))
}

#[track_caller]
fn always(cell: Compartment, words: &[Word]) {
    assert_eq!(known(words, 0, cell), Some(true));
}

#[track_caller]
fn open(cell: Compartment, words: &[Word]) {
    assert_eq!(known(words, 0, cell), Some(false));
}

#[track_caller]
fn impossible(words: &[Word]) {
    assert_eq!(runs(words, 0).1, []);
}

#[test]
fn after_a_start_exactly_its_own_words_and_what_people_tell_can_follow() {
    let words = [
        started(Pull, None),
        started(Switch, None),
        busy(Pull),
        busy(Switch),
        idle(told()),
        beat(at(B)),
        ok(Pull, None, at(A)),
        ok(Switch, None, told()),
        fail(Pull, None),
    ];
    let law = Law::of(&words, &[0, 1], 0, false);
    let can_follow = |word: &&Word| !fitting(&law, &[started(Pull, None), **word]).is_empty();
    let follow: Vec<_> = words.iter().filter(can_follow).copied().collect();
    // Another start or a switch's result: the pull has ended, and nothing tells how.
    assert_eq!(follow, words);
    // Without a switch that begins unseen, no switch can have a result.
    let seen = Law { hidden: Vec::new(), ..law };
    let can_follow = |word: &&Word| !fitting(&seen, &[started(Pull, None), **word]).is_empty();
    let follow: Vec<_> = words.iter().filter(can_follow).copied().collect();
    let expected = [words[0], words[1], words[2], words[4], words[5], words[6], words[8]];
    assert_eq!(follow, expected);
}

#[test]
fn a_heartbeat_tells_what_is_so_when_it_is_made() {
    always(Git, &[beat(at(A))]);
    always(Lock, &[beat(at(A))]);
    open(Git, &[beat(at(B))]);
    always(Git, &[beat(at(B)), beat(at(A))]);
    open(System, &[beat(at(A))]);
}

#[test]
fn a_pull_that_fails_or_is_lost_leaves_the_checkout_anywhere() {
    open(Git, &[beat(at(A)), started(Pull, None), fail(Pull, None)]);
    open(Git, &[beat(at(A)), started(Pull, None), idle(told())]);
    open(Git, &[beat(at(A)), busy(Pull)]);
    always(Git, &[beat(at(A)), busy(Pull), idle(at(A))]);
}

#[test]
fn dirt_counts_from_the_word_that_tells_it() {
    always(Git, &[beat(at(A)), ok(Pull, None, at(A))]);
    open(Git, &[beat(at(A)), beat(dirt(true))]);
    always(Git, &[beat(at(A)), beat(dirt(true)), beat(dirt(false))]);
    // On a host that speaks of dirt, a pull that moves it and says nothing of dirt leaves that open.
    open(Git, &[beat(dirt(false)), ok(Pull, None, at(A))]);
}

#[test]
fn a_switch_builds_the_checkout_as_it_was_at_its_start() {
    let build = ok(Switch, None, told());
    always(System, &[beat(at(A)), started(Switch, None), build]);
    always(System, &[beat(at(A)), started(Switch, None), beat(at(B)), build]);
    open(System, &[beat(at(B)), started(Switch, None), beat(at(A)), build]);
    open(System, &[beat(dirt(true)), beat(at(A)), started(Switch, None), beat(dirt(false)), build]);
    // Its commit can tell that people had moved the checkout: then that is where the checkout is.
    open(Git, &[beat(at(A)), started(Switch, None), ok(Switch, None, at(B))]);
}

#[test]
fn a_success_that_ends_where_it_began_with_another_path_between_fits_no_run() {
    impossible(&[beat(on(0)), started(Switch, None), beat(on(1)), ok(Switch, None, on(0))]);
    assert_ne!(runs(&[beat(on(0)), started(Switch, None), beat(on(1)), ok(Switch, None, on(1))], 0).1, []);
}

#[test]
fn a_path_has_one_content() {
    always(System, &[beat(at(A)), beat(of(0, A))]);
    impossible(&[beat(of(0, A)), beat(of(0, B))]);
    open(System, &[beat(at(A)), beat(of(0, A)), beat(on(1))]);
    always(System, &[beat(at(A)), beat(of(0, A)), beat(on(1)), beat(on(0))]);
}

#[test]
fn what_a_failure_left_stays_failed_until_another_path_is_told() {
    let failed = [beat(of(0, A)), started(Switch, None), fail(Switch, Some(false))];
    open(System, &failed);
    open(System, &[&failed[..], &[beat(on(0))]].concat());
    always(System, &[&failed[..], &[beat(of(1, A))]].concat());
}

#[test]
fn a_test_run_speaks_of_what_ran_without_a_change_from_its_start_to_its_end() {
    let pass = ok(Test, None, told());
    always(Tests, &[beat(on(0)), started(Test, None), pass]);
    open(Tests, &[beat(on(0)), started(Test, None), beat(on(1)), pass]);
    open(Tests, &[beat(on(0)), started(Test, None), pass, beat(on(1))]);
    // Its start was not seen: it may have been before the change.
    open(Tests, &[beat(on(0)), beat(on(1)), pass]);
    always(Tests, &[beat(on(0)), idle(on(1)), pass]);
}

#[test]
fn a_success_that_names_no_path_is_the_next_path_that_is_named() {
    let known = [beat(at(A)), beat(on(0)), started(Switch, None), ok(Switch, None, told())];
    always(System, &known);
    always(System, &[&known[..], &[beat(on(1))]].concat());
    open(System, &[&known[..], &[beat(on(1)), beat(on(2))]].concat());
    // Back where it began: the switch built what ran, and nothing tells of a change.
    let tested = [&known[..], &[started(Test, None), ok(Test, None, told())]].concat();
    always(Tests, &[&tested[..], &[beat(on(0))]].concat());
}

#[test]
fn a_result_with_an_id_is_heard_at_any_time_and_a_start_or_a_request_places_it() {
    let late = |words: &[Word], cell| known(words, 1, cell);
    assert_eq!(late(&[beat(at(B)), ok(Pull, Some(0), at(A))], Git), Some(false));
    assert_eq!(late(&[beat(at(B)), started(Pull, Some(0)), ok(Pull, Some(0), at(A))], Git), Some(true));
    let request = Word::Requested { kind: Pull, id: 0, to: None };
    assert_eq!(late(&[beat(at(B)), request, ok(Pull, Some(0), at(A))], Git), Some(true));
    assert_eq!(late(&[request, beat(at(B)), ok(Pull, Some(0), at(A))], Git), Some(false));
    // An ordered operation reports under its id and no other, and is what was ordered.
    let (_, none) = runs(&[Word::Requested { kind: Switch, id: 0, to: None }, ok(Pull, Some(0), at(A))], 1);
    assert_eq!(none, []);
}

#[test]
fn what_nothing_tells_counts_for_nobody() {
    let words = [beat(at(A)), ok(Pull, None, at(B))];
    let law = Law::of(&words, &[0, 1], 0, false);
    // A pull may have begun before the heartbeat, and counts once its result is heard.
    let before = fitting(&law, &words[..1]);
    assert!(before.iter().any(|run| !run.counts()));
    always(Git, &words[..1]);
    open(Git, &words);
}
