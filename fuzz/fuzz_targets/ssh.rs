//! What a host's shell prints, any bytes: as they are, and as the lines of an answer.

#![no_main]

use std::fmt::Display;

use compartment_transport_ssh::host::{
    BadAnswer, Look, Nonce, read_acknowledge, read_begin, read_check, read_generations, read_look, read_stop,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let nonce = Nonce::new("n0123456789abcdef").expect("valid");
    read(data, &nonce);
    // Few inputs find the frame by themselves.
    for kind in ["look", "begin", "stop", "acknowledge", "generations", "check"] {
        read(&framed(kind, data, &nonce), &nonce);
    }
    let whole = framed("look", data, &nonce);
    let noisy = [b"Welcome\n", &whole[..], b"logout"].concat();
    assert_eq!(read_look(&noisy, &nonce), read_look(&whole, &nonce), "noise changes nothing");
    // All of it, or nothing of it.
    if !data.split(|byte| *byte == b'\n').any(|line| line == b"end") {
        assert!(read_look(&whole[..whole.len() - 1], &nonce).is_err());
    }
});

fn framed(kind: &str, data: &[u8], nonce: &Nonce) -> Vec<u8> {
    let mut answer = format!("{} compartment 1 {kind}\n", nonce.as_str()).into_bytes();
    for line in data.split(|byte| *byte == b'\n').chain([&b"end"[..]]) {
        answer.extend_from_slice(nonce.as_str().as_bytes());
        answer.push(b' ');
        answer.extend_from_slice(line);
        answer.push(b'\n');
    }
    answer
}

fn read(answer: &[u8], nonce: &Nonce) {
    if let Some(look) = said(read_look(answer, nonce)) {
        check(&look, answer);
    }
    said(read_begin(answer, nonce));
    said(read_stop(answer, nonce));
    said(read_acknowledge(answer, nonce));
    if let Some(generations) = said(read_generations(answer, nonce)) {
        assert!(generations.is_sorted_by_key(|generation| generation.number));
    }
    for finding in said(read_check(answer, nonce)).into_iter().flatten() {
        shown(&finding.what);
        shown(&finding.words);
    }
}

fn check(look: &Look, answer: &[u8]) {
    look.doubts.iter().for_each(shown);
    let kind = look.running.as_ref().map(|running| running.kind);
    assert!(look.heartbeat.running.is_none_or(|running| running == kind));
    for step in look.ended.iter().flat_map(|ended| &ended.ending.steps) {
        shown(&step.name);
        shown(&step.last_words);
    }
    if let Some(printed) = &look.printed {
        printed.lines.iter().for_each(shown);
        assert!(printed.lines.len() <= answer.len());
    }
}

fn said<T>(answer: Result<T, BadAnswer>) -> Option<T> {
    answer.inspect_err(shown).ok()
}

/// Safe to show, and not too much of it.
fn shown(words: &impl Display) {
    let words = words.to_string();
    assert!(!words.contains(char::is_control), "{words:?}");
    assert!(words.len() < 8000, "{}", words.len());
}
