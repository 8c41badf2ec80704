//! What a host's shell prints, any bytes: as they are, and as the lines of an answer. And a file of hosts: what is read
//! can be asked and operated, and what is not names the line.

#![no_main]

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use compartment_core::{Ask, OpId};
use compartment_transport_ssh::host::{
    self, BadAnswer, HostLook, Nonce, Order, Tests, quote, read_acknowledge, read_begin, read_check,
    read_generations, read_look, read_stop,
};
use compartment_transport_ssh::{Host, Inventory};
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
    if let Ok(text) = str::from_utf8(data) {
        inventory(text, &nonce);
    }
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

fn check(look: &HostLook, answer: &[u8]) {
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

fn inventory(text: &str, nonce: &Nonce) {
    match Inventory::parse(text, Path::new("/etc/fleet")) {
        Ok(inventory) => {
            let ssh = inventory.ssh();
            for limit in [ssh.connect_within, ssh.answer_within, ssh.keep_alive] {
                assert!((1..=600).contains(&limit.as_secs()));
            }
            assert!(ssh.parallel > 0 && ssh.config_file.as_ref().is_none_or(|file| file.is_absolute()));
            inventory.hosts().iter().for_each(|host| operated(host, nonce));
            Inventory::new(ssh.clone(), inventory.hosts().to_vec()).expect("each stands there once");
        }
        Err(error) => {
            shown(&error);
            let error = error.to_string();
            let line = error.strip_prefix("inventory:").and_then(|rest| rest.split_once(": "));
            let line = line.and_then(|(number, _)| number.parse::<usize>().ok());
            assert!(line.is_some_and(|line| (1..=text.split('\n').count()).contains(&line)), "{error}");
        }
    }
}

/// Whatever stands there, each word arrives on the host as one word, and nothing of it is obeyed.
fn operated(host: &Host, nonce: &Nonce) {
    let Host { id, site, commands, pace, .. } = host;
    assert!((1..=120).contains(&pace.idle.as_secs()) && (1..=120).contains(&pace.busy.as_secs()));
    let look = host::look(nonce, site, None, None, None);
    for path in site.checkout.iter().chain(&site.state).chain([&site.system_link, &site.system_profile]) {
        assert!(look.contains(&quote(path.as_str()).expect("a path holds no NUL")), "{path}");
    }
    let op = OpId::new("op-1").expect("valid");
    for ask in [
        Ask::Pull { host: id.clone() },
        Ask::Switch { host: id.clone(), force: false },
        Ask::Rollback { host: id.clone(), to: None },
    ] {
        let Ok(plan) = commands.plan(&ask, id, &site.machine()) else { continue };
        assert!(plan.limit > Duration::ZERO && !plan.steps.is_empty());
        let Ok(script) = host::begin(nonce, site, &op, &Order::Plan(&plan)) else { continue };
        for word in plan.steps.iter().flat_map(|step| &step.argv) {
            // In a script within the script.
            let word = quote(word).and_then(|word| quote(&word)).expect("else it is refused");
            assert!(script.contains(&word[1..word.len() - 1]), "{word}");
        }
    }
    let limit = Duration::from_secs(commands.limits().test_s.into());
    assert!(limit > Duration::ZERO);
    if let Ok(tests) = Tests::new(commands.tests(), limit, site) {
        drop(host::begin(nonce, site, &op, &Order::Tests(&tests)));
    }
}
