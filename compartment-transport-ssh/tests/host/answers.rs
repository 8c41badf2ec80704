//! Answers as they came from dash, bash and busybox, byte for byte the same, and what becomes of them on the way.
//!
//! `tests/host/golden` holds them; `UPDATE_GOLDEN=1` writes them anew.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;

use compartment_core::event::{Kind, Report, Said, Target};
use compartment_core::{HostId, StorePath, Text, ndjson};
use compartment_local::operation::Exit;
use compartment_transport_ssh::host::{
    self, ANSWER_LIMIT, Asked, BadAnswer, Begun, Tail, read_acknowledge, read_begin, read_check,
    read_generations, read_look, read_stop,
};
use proptest::prelude::*;

use crate::common::{Host, git, host_path, nonce, on_each_shell, op};

fn golden(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/host/golden").join(name)).expect(name)
}

/// A host that has something of everything to say.
fn eventful(mut host: Host) -> Host {
    let checkout = host.path("checkout");
    fs::create_dir(&checkout).unwrap();
    git(&checkout, &["init", "--quiet"]);
    fs::write(checkout.join("flake.lock"), "{}\n").unwrap();
    git(&checkout, &["add", "."]);
    git(&checkout, &["commit", "--quiet", "-m", "one"]);
    host.site.checkout = Some(host_path(&checkout));
    let root = host.path("root");
    fs::create_dir_all(root.join("nix/var/nix/profiles")).unwrap();
    fs::create_dir_all(root.join("run")).unwrap();
    for number in [9, 10] {
        let store = root.join(format!("nix/store/s{number}"));
        fs::create_dir_all(&store).unwrap();
        symlink(&store, root.join(format!("nix/var/nix/profiles/system-{number}-link"))).unwrap();
    }
    symlink("system-10-link", root.join("nix/var/nix/profiles/system")).unwrap();
    symlink(root.join("nix/store/s10"), root.join("run/current-system")).unwrap();
    let mut plan =
        host.plan(Kind::Rollback, &["printf 'ä\\033[31m\\n'; echo 'error: no' >&2; exit 4", "exit 0"]);
    let path = StorePath::new("/nix/store/s9").unwrap();
    plan.to = Some(Target { number: Some(9.try_into().unwrap()), path: Some(path) });
    host.carry_out("op-1", &plan);
    host.begin("op-2", &host.plan(Kind::Test, &[r#"until [ -e "$1/go" ]; do sleep 0.02; done"#]));
    host
}

/// A line without what differs from machine to machine: who asks, and how long a folder's name is.
fn anywhere(line: &str) -> String {
    if let Some((before, _)) = line.split_once(" : user ") {
        return format!("{before} : user root");
    }
    match line.split(' ').collect::<Vec<_>>()[..] {
        [nonce, "output", op, from, _, limit] => format!("{nonce} output {op} {from} 98 {limit}"),
        _ => line.to_owned(),
    }
}

#[test]
fn answers_are_as_they_were() {
    on_each_shell(|host| {
        let host = eventful(host);
        let tail = Tail { op: op("op-1"), from: 0, limit: 4096 };
        let here = host.path("").to_str().unwrap().trim_end_matches('/').to_owned();
        for (kind, script) in [
            ("look", host::look(&nonce(), &host.site, Some(&tail), None, None)),
            ("generations", host::generations(&nonce(), &host.site)),
            ("stop", host::stop(&nonce(), &host.site, &op("op-1"))),
            ("acknowledge", host::acknowledge(&nonce(), &host.site, &[op("op-1"), op("op-2")])),
        ] {
            let answer = host.run(&script);
            let answer = String::from_utf8(answer).unwrap().replace(&here, "/host");
            let answer: String = answer.lines().map(|line| anywhere(line) + "\n").collect();
            let name = format!("{kind}.txt");
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/host/golden");
                fs::write(folder.join(&name), &answer).unwrap();
            }
            assert_eq!(answer, String::from_utf8(golden(&name)).unwrap(), "{name}");
        }
        fs::write(host.path("go"), "").unwrap();
        host.ended("op-2");
    });
}

#[test]
fn what_they_mean() {
    let look = read_look(&golden("look.txt"), &nonce()).unwrap();
    let generations = read_generations(&golden("generations.txt"), &nonce()).unwrap();
    insta::assert_debug_snapshot!("look", look);
    insta::assert_debug_snapshot!("generations", generations);
    let stopped = read_stop(&golden("stop.txt"), &nonce());
    assert_eq!(stopped, Ok(Asked::NotRunning));
    let acknowledged = read_acknowledge(&golden("acknowledge.txt"), &nonce()).unwrap();
    assert_eq!((acknowledged.gone, acknowledged.kept), (vec![op("op-1")], vec![op("op-2")]));
}

#[test]
fn an_answer_that_is_cut_off_is_none() {
    let whole = golden("look.txt");
    for end in 0..whole.len() {
        let error = read_look(&whole[..end], &nonce()).unwrap_err();
        assert!(matches!(error, BadAnswer::None(_) | BadAnswer::CutOff(_)), "{end}: {error}");
    }
    let part = "n0123456789abcdef commit = ";
    let at = String::from_utf8(whole.clone()).unwrap().rfind(part).unwrap() + part.len() + 50;
    let error = read_look(&whole[..at], &nonce()).unwrap_err().to_string();
    assert_eq!(error, "the host's answer is cut off after its part `commit`");
}

#[test]
fn noise_is_no_answer_and_spoils_none() {
    let whole = golden("look.txt");
    let expected = read_look(&whole, &nonce()).unwrap();
    let noise = "Welcome to \u{1b}[31mhost\r\nbash: warning: setlocale: LC_ALL: cannot change locale\ncommit = 1234567\n";
    let mut noisy = noise.as_bytes().to_vec();
    for line in whole.split_inclusive(|byte| *byte == b'\n') {
        noisy.extend_from_slice(line);
        noisy.extend_from_slice(b"\xff\0 n0123456789abcdef end\n");
    }
    noisy.extend_from_slice(b"logout");
    assert_eq!(read_look(&noisy, &nonce()), Ok(expected));
    for (said, error) in [
        ("", "the host did not answer and said nothing"),
        (
            "\n\u{1b}This account is not available.\n",
            "the host did not answer; it said: ␛This account is not available.",
        ),
        (
            "n0123456789abcdef compartment 2 look\n",
            "the host answers `compartment 2 look`, which is not what was asked",
        ),
        (
            "n0123456789abcdef compartment 1 stop\n",
            "the host answers `compartment 1 stop`, which is not what was asked",
        ),
        (
            "n0123456789abcdef compartment 1 look\nn0123456789abcdef hello\nn0123456789abcdef end\n",
            "the part `look` of the host's answer is wrong: `hello`",
        ),
    ] {
        assert_eq!(read_look(said.as_bytes(), &nonce()).unwrap_err().to_string(), error);
    }
    assert_eq!(read_look(&vec![b'x'; ANSWER_LIMIT + 1], &nonce()), Err(BadAnswer::TooLong));
}

fn framed(kind: &str, lines: &[&str]) -> Vec<u8> {
    let first = format!("compartment 1 {kind}");
    let lines = [&[&*first], lines, &["end"]].concat();
    lines.iter().map(|line| format!("n0123456789abcdef {line}\n")).collect::<String>().into_bytes()
}

#[test]
fn what_came_of_an_order() {
    let read = |line: &str| read_begin(&framed("begin", &[line]), &nonce());
    assert_eq!(read("had"), Ok(Begun::HadIt));
    assert_eq!(read("busy a pull"), Ok(Begun::Busy { op: op("a"), kind: Kind::Pull }));
    let refused = read("refused no \u{1b} at https://me:secret@x/y");
    assert_eq!(refused, Ok(Begun::Refused(Text::new("no ␛ at https://…@x/y"))));
    for bad in ["begun", "begun -1", "busy", "busy / pull", "busy a stop", "x"] {
        assert!(matches!(read(bad), Err(BadAnswer::Part { .. })), "{bad}");
    }
    assert_eq!(read_begin(&framed("begin", &[]), &nonce()), Err(BadAnswer::Missing("begun")));
}

#[test]
fn what_a_runner_did_not_write_to_its_end_has_not_ended() {
    let lines = ["running -", "ended a", ": kind pull", ": step code 0 x", "ended b", ": kind pull", ": end"];
    let look = read_look(&framed("look", &lines), &nonce()).unwrap();
    assert_eq!(look.ended.iter().map(|ended| ended.op.as_str()).collect::<Vec<_>>(), ["b"]);
    let words = [
        "ended a",
        ": kind test",
        ": step none - a b",
        ": why not there",
        ": step late 3 ",
        ": said x",
        ": said fatal: y",
        ": said z",
        ": step signal 9 c",
        ": end",
    ];
    let look = read_look(&framed("look", &words), &nonce()).unwrap();
    let steps = &look.ended[0].ending.steps;
    assert_eq!((steps[0].name.as_str(), &steps[0].exit), ("a b", &Exit::NotStarted(Text::new("not there"))));
    assert_eq!(steps[1].last_words.as_str(), "fatal: y");
    assert_eq!(look.heartbeat.running, None, "nothing is said of it");
}

#[test]
fn a_host_that_says_too_much_is_not_believed_all_of_it() {
    let ended = |n: usize| ["ended a", ": kind pull", ": end"].repeat(n);
    assert_eq!(read_look(&framed("look", &ended(4)), &nonce()).unwrap().ended.len(), 4);
    assert!(matches!(read_look(&framed("look", &ended(5)), &nonce()), Err(BadAnswer::Part { .. })));
    // Others come when these are acknowledged.
    let gone: Vec<_> = (0..1000).map(|n| format!("gone a{n} pull")).collect();
    let gone: Vec<_> = gone.iter().map(String::as_str).collect();
    let look = read_look(&framed("look", &gone), &nonce()).unwrap();
    assert_eq!((look.gone.len(), look.gone[15].op.as_str()), (16, "a15"));
    let doubts: Vec<_> = (0..1000).map(|n| format!("state ? {n}")).collect();
    let doubts: Vec<_> = doubts.iter().map(String::as_str).collect();
    assert_eq!(read_look(&framed("look", &doubts), &nonce()).unwrap().doubts.len(), 16);
    let week = Duration::from_secs(7 * 24 * 3600);
    for (said, limit) in [("60", Duration::from_secs(60)), ("4000000000", week)] {
        let look = read_look(&framed("look", &[&format!("running a switch {said}")]), &nonce()).unwrap();
        assert_eq!(look.running.unwrap().limit, limit);
        let begun = read_begin(&framed("begin", &[&format!("begun {said}")]), &nonce());
        assert_eq!(begun, Ok(Begun::Begun { limit }));
    }
}

#[test]
fn a_lock_that_is_not_there_is_told_as_such() {
    let said = |lines: &[&str]| {
        let heartbeat = read_look(&framed("look", lines), &nonce()).unwrap().heartbeat;
        let report = Report::new(HostId::new("gpc0").unwrap(), Said::Heartbeat(heartbeat));
        ndjson::encode(None, &report.into())
    };
    assert!(said(&["lock = -"]).contains(r#""lock_hash":null"#));
    assert!(!said(&["commit = 1234567"]).contains("lock_hash"));
}

#[test]
fn what_a_fact_cannot_be_is_a_doubt() {
    use compartment_core::event::Reading;
    let lines = ["commit = xyz", "dirty = 2", "lock = 12", "system = relative", "number = 7"];
    let look = read_look(&framed("look", &lines), &nonce()).unwrap();
    assert_eq!((look.heartbeat.commit, look.heartbeat.dirty), (Reading::Unreadable, Reading::Unreadable));
    assert_eq!((look.heartbeat.lock_hash, look.heartbeat.system), (Reading::Unreadable, Reading::Unreadable));
    assert_eq!(look.doubts.len(), 4);
    for twice in ["commit = 1234567", "system ? x"] {
        assert!(read_look(&framed("look", &[twice, twice]), &nonce()).is_err());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_comes_back_panics(bytes in prop::collection::vec(any::<u8>(), 0..400), at in 0..2000_usize) {
        let mut answer = golden("look.txt");
        let at = at.min(answer.len());
        answer.splice(at..(at + bytes.len() / 4).min(answer.len()), bytes);
        if let Err(error) = read_look(&answer, &nonce()) {
            prop_assert!(!error.to_string().contains(char::is_control), "{error:?}");
        }
        let _never = (read_check(&answer, &nonce()), read_begin(&answer, &nonce()));
    }
}
