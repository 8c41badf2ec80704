//! What forges read, any bytes: locks, what GitHub answers, what is published. Nothing panics, what is shown is safe,
//! and what means something means it whatever stands around it.

#![no_main]

use compartment_core::{Commit, OpId, Span, Text, Timestamp};
use compartment_forge::lock;
use libfuzzer_sys::fuzz_target;

// The codecs alone: with what asks, a build takes minutes.
#[expect(dead_code, reason = "what is sent is not read here")]
#[path = "../../compartment-forge/src/github/ask.rs"]
mod ask;

#[expect(dead_code, reason = "what the forge takes from it is not all judged here")]
#[path = "../../compartment-forge/src/github/answer.rs"]
mod answer;

#[path = "../../compartment-forge/src/github/limit.rs"]
mod limit;

#[path = "../../compartment-forge/src/published/document.rs"]
mod document;

use answer::{Apart, File, Made, Merged, Pull, Tip};
use document::Document;
use limit::Counted;

fuzz_target!(|data: &[u8]| {
    locks(data);
    published(data);
    github(data);
    counted(data);
});

fn safe(text: &Text) {
    assert!(text.as_str().len() <= Text::LIMIT && !text.as_str().contains(char::is_control), "{text:?}");
}

fn locks(data: &[u8]) {
    match lock::changes(None, Some(data)) {
        Ok(new) => {
            assert!(new.iter().all(|input| input.from.is_none()), "there was nothing before");
            assert_eq!(lock::changes(Some(data), Some(data)).expect("it was read before"), []);
            let gone = lock::changes(Some(data), None).expect("it was read before");
            assert_eq!(gone.len(), new.len());
            for (new, gone) in new.iter().zip(&gone) {
                assert_eq!((&new.input, &new.to), (&gone.input, &gone.from));
                safe(&new.input);
            }
        }
        Err(error) => drop(error.to_string()),
    }
    // Two of them, one after the other.
    if let Some(at) = data.iter().position(|byte| *byte == 0) {
        let (before, after) = (&data[..at], &data[at + 1..]);
        let there = lock::changes(Some(before), Some(after));
        let back = lock::changes(Some(after), Some(before));
        match (there, back) {
            (Ok(there), Ok(back)) => {
                let swapped = there.iter().map(|input| (&input.input, &input.to, &input.from));
                assert!(swapped.eq(back.iter().map(|input| (&input.input, &input.from, &input.to))));
            }
            (there, back) => assert_eq!(there.is_err(), back.is_err()),
        }
    }
}

fn published(data: &[u8]) {
    match Document::read(data) {
        Ok(document) => {
            let branch = document.branch.clone().unwrap_or_else(|| "main".to_owned());
            let look = document.clone().look(&branch).expect("it is its own branch");
            assert_eq!((look.commit, look.lock_hash), (document.commit, document.lock_hash));
            let other = document.clone().look(&format!("{branch}x"));
            assert_eq!(other.is_err(), document.branch.is_some());
        }
        Err(error) => safe(&error),
    }
}

fn github(data: &[u8]) {
    safe(&answer::complaint(405, data));
    if let Ok(tip) = answer::read::<Tip>(data) {
        drop(tip.commit());
    }
    if let Ok(pull) = answer::read::<Pull>(data) {
        of_one(&pull);
    }
    answer::read::<Vec<Pull>>(data).iter().flatten().for_each(of_one);
    let _lock = answer::read::<Vec<File>>(data).is_ok_and(|files| files.iter().any(File::is_lock));
    if let Ok(apart) = answer::read::<Apart>(data) {
        let _known: Commit = apart.merge_base();
    }
    drop(answer::read::<Merged>(data));
    if let Ok(made) = answer::read::<Made>(data) {
        let op = OpId::new("op-1").expect("valid");
        if ask::made_by(&made.message, &op) {
            assert!(made.message.contains("op-1"));
            assert!(!ask::made_by(&made.message, &OpId::new("op-2").expect("valid")), "one made it");
        }
    }
}

fn of_one(pull: &Pull) {
    // What is known to stand in its way is shown before anybody asks.
    if pull.obstacle().is_some() {
        assert_eq!(pull.mergeable(), Some(false));
    }
    assert_eq!(pull.settled().is_some(), pull.mergeable().is_some());
}

/// Headers, a line each: `name: value`.
fn counted(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let headers = || text.lines().filter_map(|line| line.split_once(": "));
    let counted = Counted::read(|name| headers().find(|(key, _)| *key == name).map(|(_, value)| value));
    let now = Timestamp::from_millis(1_700_000_000_000).expect("valid");
    for status in [200, 403, 429, 500] {
        if let Some(wait) = counted.wait(status, data, now) {
            assert!(matches!(status, 403 | 429));
            assert!(wait >= Span::from_secs(1) && wait <= Span::from_mins(60), "{wait}");
            drop(limit::limited(wait, now));
        }
    }
    if let Some(rate) = counted.rate() {
        assert_eq!((Some(rate.limit), Some(rate.remaining)), (counted.limit, counted.remaining));
    }
}
