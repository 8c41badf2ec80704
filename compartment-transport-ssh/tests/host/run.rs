//! How steps run, and how they end.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use compartment_core::event::{Kind, Said};
use compartment_core::{OpId, Text};
use compartment_local::operation::{
    Dir, Ending, Exit, LONGEST_RUN, OnFailure, StepEnd, result, tests_run_limit,
};
use compartment_transport_ssh::host::{Asked, Begun, Order, Tail, Tests};

use crate::common::{Host, host_path, lives, on_each_shell, op, program, until};

fn exits(ending: &Ending) -> Vec<Exit> {
    ending.steps.iter().map(|step| step.exit.clone()).collect()
}

/// All that an operation has printed.
fn printed(host: &Host, id: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut tail = Tail { op: op(id), from: 0, limit: 1 << 20 };
    loop {
        let printed = host.look_for(Some(&tail)).printed.unwrap();
        lines.extend(printed.lines.iter().map(ToString::to_string));
        if printed.rest == 0 {
            return lines;
        }
        assert!(printed.next > tail.from);
        tail.from = printed.next;
    }
}

#[test]
fn how_programs_end() {
    on_each_shell(|host| {
        let mut plan = host.plan(
            Kind::Test,
            &[
                "exit 0",
                "echo no >&2; exit 4",
                "kill -KILL $$",
                "exit 255",
                "exit 1",
                "exit 1",
                "pwd; exit 9",
            ],
        );
        plan.steps[4].argv = vec!["no-such-program".to_owned(), "x".to_owned()];
        plan.steps[5].dir = Dir::Folder("/no/such/folder".into());
        plan.steps[6].dir = Dir::Folder(host.path("home"));
        let ending = host.carry_out("op-1", &plan).ending;
        let missing =
            "cannot start `no-such-program`: it is not there, or cannot be run; install it, or check PATH";
        assert_eq!(
            exits(&ending),
            [
                Exit::Code(0),
                Exit::Code(4),
                Exit::Signal(9),
                Exit::Code(255),
                Exit::NotStarted(Text::new(missing)),
                Exit::NotStarted(Text::new("there is no folder /no/such/folder")),
                Exit::Code(9),
            ]
        );
        assert_eq!(ending.steps[1].last_words.as_str(), "no");
        assert_eq!(ending.steps[6].last_words.as_str(), host.path("home").to_str().unwrap());
        let Said::TestFail { passed: 1, total: 7, .. } = result(Kind::Test, None, &ending) else { panic!() };
    });
}

#[test]
fn arguments_variables_and_surroundings_are_as_the_plan_says() {
    on_each_shell(|host| {
        let hostile =
            ["", " ", "'", "''\\", "$(exit 3)", "`x`", "a\nb", "-n", "*", "~", "ä€", "\u{7f}\t", "--", "!x"];
        let mut plan = host.plan(Kind::Pull, &["exit 0"]);
        let script = host.install(
            "bin/tell",
            "#!/bin/sh\nprintf '%s\\0' \"$@\" \"$X\" >args\numask >umask\nenv >env\ncat >in\n",
        );
        plan.steps[0].argv =
            [&[script.to_str().unwrap()], &hostile[..]].concat().iter().map(|&a| a.into()).collect();
        plan.steps[0].env = vec![("X".into(), "it's $HOME\n;".into()), ("LC_ALL".into(), "C".into())];
        fs::create_dir(host.path("it's a $folder")).unwrap();
        plan.steps[0].dir = Dir::Folder(host.path("it's a $folder"));
        let ending = host.carry_out("op-1", &plan).ending;
        assert_eq!(exits(&ending), [Exit::Code(0)]);
        let read = |name: &str| fs::read_to_string(host.path("it's a $folder").join(name)).unwrap();
        let expected: String =
            hostile.iter().chain(&["it's $HOME\n;"]).map(|arg| format!("{arg}\0")).collect();
        assert_eq!(read("args"), expected);
        assert_eq!((read("umask").trim(), read("in").as_str()), ("0022", ""));
        for hidden in ["KIND=", "OP=", "STATE=", "LIMIT=", "ROOT="] {
            assert!(!read("env").lines().any(|line| line.starts_with(hidden)), "{hidden}");
        }
    });
}

#[test]
fn a_step_that_takes_too_long_is_ended_with_all_its_group() {
    on_each_shell(|host| {
        let script = r#"trap '' TERM; (trap '' TERM; setsid sh -c 'echo $$ >"$0/escaped"; sleep 80' "$1") &
            echo $$ >"$1/it"; while :; do sleep 1; done"#;
        let mut plan = host.plan(Kind::Switch, &[script, "echo never"]);
        plan.steps[0].limit = Duration::from_secs(1);
        let started = Instant::now();
        let ending = host.carry_out("op-1", &plan).ending;
        assert!(started.elapsed() < Duration::from_secs(30));
        assert_eq!(exits(&ending), [Exit::TimedOut(Duration::from_secs(1)), Exit::Skipped]);
        for name in ["it", "escaped"] {
            let process = host.told(name).parse().unwrap();
            until(|| (!lives(process)).then_some(()));
        }
        // The whole of it, too.
        let mut plan = host.plan(Kind::Test, &["sleep 60", "exit 0"]);
        plan.limit = Duration::from_secs(1);
        let ending = host.carry_out("op-2", &plan).ending;
        assert_eq!(exits(&ending), [Exit::TimedOut(Duration::from_secs(1)), Exit::Skipped]);
    });
}

#[test]
fn a_test_that_does_not_listen_takes_no_time_from_the_others() {
    on_each_shell(|host| {
        host.install("tests/1", "#!/bin/sh\ntrap '' TERM; while :; do sleep 1; done\n");
        host.install("tests/2", "#!/bin/sh\nexit 0\n");
        let each = Duration::from_secs(2);
        let tests = Tests::new(Some(&host.path("tests")), each, &host.site).unwrap();
        let begun = host.order("op-1", &Order::Tests(&tests));
        assert_eq!(begun, Begun::Begun { limit: tests_run_limit(each, 2) });
        assert_eq!(exits(&host.ended("op-1").ending), [Exit::TimedOut(each), Exit::Code(0)]);
        // However many there are and however long each may take, a run ends.
        let week = Duration::from_secs(7 * 24 * 60 * 60);
        let tests = Tests::new(Some(&host.path("tests")), week, &host.site).unwrap();
        let begun = host.order("op-2", &Order::Tests(&tests));
        assert_eq!(begun, Begun::Begun { limit: LONGEST_RUN });
        assert_eq!(host.stop("op-2"), Asked::Asked);
        assert_eq!(exits(&host.ended("op-2").ending), [Exit::Stopped, Exit::Skipped]);
    });
}

#[test]
fn stop_ends_what_does_not_listen() {
    on_each_shell(|host| {
        let script = r#"trap '' TERM; (trap '' TERM; sleep 80; sleep 80) & echo $! >"$1/child"
            echo $$ >"$1/it"; while :; do sleep 1; done"#;
        host.begin("op-1", &host.plan(Kind::Switch, &[script, "echo never"]));
        let processes = ["it", "child"].map(|name| host.told(name).parse::<u32>().unwrap());
        assert_eq!(host.stop("op-2"), Asked::NeverBegun);
        assert_eq!((host.stop("op-1"), host.stop("op-1")), (Asked::Asked, Asked::Asked));
        let ended = host.ended("op-1");
        assert_eq!((exits(&ended.ending), ended.ending.stopped), (vec![Exit::Stopped, Exit::Skipped], true));
        let Said::OpStopped { kind: Kind::Switch, .. } = result(ended.kind, None, &ended.ending) else {
            panic!()
        };
        for process in processes {
            until(|| (!lives(process)).then_some(()));
        }
        assert_eq!(host.stop("op-1"), Asked::NotRunning);
    });
}

#[test]
fn what_is_stopped_before_its_order_comes_is_never_begun() {
    on_each_shell(|host| {
        let plan = host.plan(Kind::Switch, &["echo ran >\"$1/ran\""]);
        // There is no state folder yet. An answer may be lost: it is the same each time.
        assert_eq!((host.stop("op-1"), host.stop("op-1")), (Asked::NeverBegun, Asked::NeverBegun));
        assert_eq!(host.begin("op-1", &plan), Begun::HadIt);
        let look = host.look();
        assert!(look.running.is_none() && look.ended.is_empty() && look.gone.is_empty(), "{look:?}");
        assert!(!host.path("ran").exists());
        // In nobody's way, and what was carried out was begun.
        host.carry_out("op-2", &plan);
        host.acknowledge("op-2");
        assert_eq!(host.stop("op-2"), Asked::NotRunning);
        assert_eq!(host.stop("op-1"), Asked::NeverBegun);
    });
}

#[test]
fn a_stop_that_cannot_be_written_down_has_failed() {
    on_each_shell(|mut host| {
        fs::write(host.path("no-folder"), "").unwrap();
        host.site.state = Some(host_path(&host.path("no-folder/state")));
        assert_eq!(host.stop("op-1"), Asked::Failed);
    });
}

/// Whoever begins it has the lock, and nothing more: it looks once more before it does.
#[test]
fn a_stop_of_what_is_about_to_begin_waits_for_what_becomes_of_it() {
    on_each_shell(|host| {
        host.carry_out("op-0", &host.plan(Kind::Switch, &["true"]));
        let (process, ops) = (std::process::id(), host.state("ops"));
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        let started = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().to_owned();
        let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
        let lock = host.state("lock");
        fs::write(&lock, format!("op-1 switch {process} {started} {boot}")).unwrap();
        let said = std::thread::scope(|threads| {
            let stopping = threads.spawn(|| host.stop("op-1"));
            until(|| {
                let known = fs::read_to_string(host.state("known")).unwrap_or_default();
                known.contains("op-1 never-begun\n").then_some(())
            });
            assert!(!stopping.is_finished(), "it waits");
            fs::remove_file(&lock).unwrap();
            stopping.join().unwrap()
        });
        assert_eq!(said, Asked::NeverBegun);
        assert_eq!(host.begin("op-1", &host.plan(Kind::Switch, &["true"])), Begun::HadIt);
        assert!(!ops.join("op-1").exists());
    });
}

#[test]
fn a_flood_is_drained_cut_and_said_so() {
    on_each_shell(|host| {
        let script = "head -c 70000 /dev/zero | tr '\\0' x; echo; printf 'a\\0b\\rc\\n'; \
            yes 'a line of output' | head -c 100000000; printf '\\nerror: the end' >&2; exit 3";
        let started = Instant::now();
        let ending = host.carry_out("op-1", &host.plan(Kind::Switch, &[script])).ending;
        eprintln!("100 MB in {:?}", started.elapsed());
        let StepEnd { exit: Exit::Code(3), last_words, .. } = &ending.steps[0] else { panic!("{ending:?}") };
        assert_eq!(last_words.as_str(), "error: the end");
        let size = fs::metadata(host.state("ops/op-1/output")).unwrap().len();
        assert!((8 << 20..11 << 20).contains(&size), "{size}");
        let mut tail = Tail { op: op("op-1"), from: 0, limit: 8192 };
        let lines = host.look_for(Some(&tail)).printed.unwrap();
        assert!(lines.lines[0].as_str().starts_with("$ sh -c head -c 70000"), "{lines:?}");
        assert!(lines.rest > 0 && lines.lines.len() == 1);
        tail.from = lines.next;
        let piece = host.look_for(Some(&tail)).printed.unwrap();
        assert_eq!(
            (piece.lines.len(), piece.next),
            (1, tail.from + 8192),
            "a line longer than a look comes in pieces"
        );
        let all = printed(&host, "op-1");
        assert!(all.iter().any(|line| line == "a b") && all.iter().any(|line| line == "c"));
        let last = all.last().unwrap();
        assert!(last.starts_with('[') && last.ends_with("bytes more were printed and not kept]"), "{last}");
    });
}

#[test]
fn a_service_that_a_step_starts_goes_on() {
    on_each_shell(|host| {
        let script = r#"(trap '' TERM HUP; echo up; until [ -e "$1/print" ]; do sleep 0.02; done
            n=0; while [ $n -lt 400 ]; do n=$((n + 1)); echo "line $n" || exit; done
            echo all >"$1/printed"; sleep 60) & echo $! >"$1/service"; exit 0"#;
        let started = Instant::now();
        let ending = host.carry_out("op-1", &host.plan(Kind::Switch, &[script])).ending;
        assert!(started.elapsed() < Duration::from_secs(20));
        assert_eq!(exits(&ending), [Exit::Code(0)]);
        let service: u32 = host.told("service").parse().unwrap();
        assert!(lives(service));
        assert_eq!(printed(&host, "op-1")[1..], ["up"]);
        // It prints as long as it lives, also when nothing of the operation is left.
        host.acknowledge("op-1");
        fs::write(host.path("print"), "").unwrap();
        host.told("printed");
        crate::common::kill(service, "-KILL");
    });
}

#[test]
fn output_is_followed_while_it_comes() {
    on_each_shell(|host| {
        let script =
            r#"echo one; printf tw; echo x >"$1/at"; until [ -e "$1/go" ]; do sleep 0.02; done; echo o"#;
        host.begin("op-1", &host.plan(Kind::Pull, &[script]));
        host.told("at");
        let mut tail = Tail { op: op("op-1"), from: 0, limit: 0 };
        let first = until(|| host.look_for(Some(&tail)).printed.filter(|printed| printed.lines.len() == 2));
        assert_eq!((first.lines[1].as_str(), first.rest), ("one", 0));
        tail.from = first.next;
        fs::write(host.path("go"), "").unwrap();
        host.ended("op-1");
        let rest = host.look_for(Some(&tail)).printed.unwrap();
        assert_eq!(rest.lines, [Text::new("two")]);
        tail.from = rest.next;
        assert_eq!(host.look_for(Some(&tail)).printed.unwrap().lines, []);
        host.acknowledge("op-1");
        assert_eq!(host.look_for(Some(&tail)).printed, None);
    });
}

#[test]
fn the_tests_of_a_folder() {
    on_each_shell(|host| {
        let each = Duration::from_secs(20);
        let order = |folder: &Path| Tests::new(Some(folder), each, &host.site).unwrap();
        let none = order(&host.path("tests"));
        assert_eq!(
            host.order("op-0", &Order::Tests(&none)),
            Begun::Begun { limit: tests_run_limit(each, 1) }
        );
        let Said::TestPass { total: 0 } = result(Kind::Test, None, &host.ended("op-0").ending) else {
            panic!()
        };
        for (name, script) in [
            ("tests/30 it's", "#!/bin/sh\nexit 0\n"),
            ("tests/10-fails", "#!/bin/sh\npwd >&2; exit 3\n"),
            ("tests/20-sudo", "#!/bin/sh\n[ \"$GIT_TERMINAL_PROMPT\" = 0 ]\n"),
            ("tests/old~", "#!/bin/sh\nexit 1\n"),
            ("tests/.hidden", "#!/bin/sh\nexit 1\n"),
            ("tests/x.orig", "#!/bin/sh\nexit 1\n"),
        ] {
            host.install(name, script);
        }
        fs::write(host.path("tests/README"), "").unwrap();
        fs::create_dir(host.path("tests/folder")).unwrap();
        std::os::unix::fs::symlink("nowhere", host.path("tests/gone")).unwrap();
        let tests = order(&host.path("tests"));
        assert_eq!(
            host.order("op-1", &Order::Tests(&tests)),
            Begun::Begun { limit: tests_run_limit(each, 4) }
        );
        let ended = host.ended("op-1");
        let names: Vec<_> = ended.ending.steps.iter().map(|step| step.name.as_str()).collect();
        assert_eq!(names, ["10-fails", "20-sudo", "30 it's", "gone"]);
        assert_eq!(exits(&ended.ending)[..3], [Exit::Code(3), Exit::Code(0), Exit::Code(0)]);
        assert!(matches!(ended.ending.steps[3].exit, Exit::NotStarted(_) | Exit::Code(127)));
        assert_eq!(ended.ending.steps[0].last_words.as_str(), host.path("tests").to_str().unwrap());
        fs::write(host.path("file"), "").unwrap();
        let broken = order(&host.path("file"));
        let refused = host.order("op-2", &Order::Tests(&broken));
        assert!(
            matches!(&refused, Begun::Refused(why) if why.as_str().starts_with("cannot read the tests")),
            "{refused:?}"
        );
    });
}

#[test]
fn a_full_disk_loses_output_and_no_result() {
    let mut host = Host::new("dash");
    let mount = host.path("small");
    fs::create_dir(&mount).unwrap();
    let small = Command::new("mount").args(["-t", "tmpfs", "-o", "size=256k", "none"]).arg(&mount).output();
    if !small.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: no small file system can be made here");
        return;
    }
    let unmount = Unmount(mount.clone());
    host.site.state = Some(host_path(&mount.join("state")));
    let script = "head -c 2000000 /dev/zero | tr '\\0' x; echo; echo error: full; exit 3";
    let ending = host.carry_out("op-1", &host.plan(Kind::Switch, &[script])).ending;
    assert_eq!(exits(&ending), [Exit::Code(3)]);
    host.acknowledge("op-1");
    // Nothing begins that could not be written down.
    fs::write(mount.join("filler"), vec![0; 1 << 18]).unwrap_err();
    let refused = host.begin("op-2", &host.plan(Kind::Switch, &["exit 0"]));
    assert!(
        matches!(&refused, Begun::Refused(why) if why.as_str().ends_with("is the disk full?")),
        "{refused:?}"
    );
    fs::remove_file(mount.join("filler")).unwrap();
    assert!(matches!(host.begin("op-2", &host.plan(Kind::Switch, &["exit 0"])), Begun::Begun { .. }));
    host.ended("op-2");
    drop(unmount);
}

struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _lazily = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_host_with_few_programs_does_with_those() {
    on_each_shell(|mut host| {
        let bin = host.path("few");
        fs::create_dir(&bin).unwrap();
        // No setsid, no perl, no systemd, no sync, no mkfifo.
        for name in [
            "cat", "cut", "dd", "grep", "head", "id", "ln", "ls", "mkdir", "mv", "nohup", "rm", "sed", "sh",
            "sleep", "tail", "tr", "wc",
        ] {
            std::os::unix::fs::symlink(program(name), bin.join(name)).unwrap();
        }
        host.site.programs = vec![];
        host.path = bin.to_str().unwrap().to_owned();
        let mut plan =
            host.plan(Kind::Test, &["exit 3", r#"sleep 80 & echo $! >"$1/child"; sleep 80"#, "exit 0"]);
        plan.steps[1].limit = Duration::from_secs(1);
        let ending = host.carry_out("op-1", &plan).ending;
        assert_eq!(exits(&ending), [Exit::Code(3), Exit::TimedOut(Duration::from_secs(1)), Exit::Code(0)]);
        let child = host.told("child").parse().unwrap();
        until(|| (!lives(child)).then_some(()));
        host.acknowledge("op-1");
    });
}

#[test]
fn on_failure_the_plan_says_what_happens() {
    on_each_shell(|host| {
        for (on_failure, last) in [(OnFailure::Stop, Exit::Skipped), (OnFailure::GoOn, Exit::Code(0))] {
            let mut plan = host.plan(Kind::Pull, &["exit 1", "exit 0"]);
            plan.on_failure = on_failure;
            let id = format!("op-{on_failure:?}");
            assert_eq!(exits(&host.carry_out(&id, &plan).ending), [Exit::Code(1), last]);
        }
        // A plan that a host cannot be given.
        let mut plan = host.plan(Kind::Pull, &["exit 0"]);
        plan.steps[0].argv = vec!["a\0b".to_owned()];
        let nonce = crate::common::nonce();
        let id = OpId::new("x").unwrap();
        let refused = compartment_transport_ssh::host::begin(&nonce, &host.site, &id, &Order::Plan(&plan));
        assert!(refused.unwrap_err().to_string().contains("NUL"));
    });
}
