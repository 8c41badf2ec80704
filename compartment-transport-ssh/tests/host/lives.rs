//! Who outlives whom.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use compartment_core::HostId;
use compartment_core::event::Kind;
use compartment_local::operation::Exit;
use compartment_runtime::LogId;
use compartment_transport_ssh::host::{self, Begun, GO, Owner, Running, read_begin};

use crate::common::{Host, LONG, NOBODY, give, is_root, kill, lives, nonce, on_each_shell, op, until};

const AWAITED: &str =
    r#"echo begun; echo $$ >"$1/at"; until [ -e "$1/go" ]; do sleep 0.02; done; echo done; exit 5"#;

#[test]
fn an_operation_outlives_the_connection_and_is_collected_once() {
    on_each_shell(|host| {
        let plan = host.plan(Kind::Switch, &[AWAITED, "echo never"]);
        assert_eq!(host.begin("op-1", &plan), Begun::Begun { limit: LONG });
        host.told("at");
        let look = host.look();
        let running = Running { op: op("op-1"), kind: Kind::Switch, limit: LONG };
        assert_eq!((look.running, &look.ended), (Some(running), &vec![]));
        assert_eq!(look.heartbeat.running, Some(Some(Kind::Switch)));
        // What a session's end sends is no reason to leave a switch half done.
        for signal in ["-TERM", "-INT", "-HUP"] {
            kill(host.runner("op-1"), signal);
        }
        // The order again, and another one.
        assert_eq!(host.begin("op-1", &plan), Begun::HadIt);
        assert_eq!(host.begin("op-2", &plan), Begun::Busy { op: op("op-1"), kind: Kind::Switch });
        fs::write(host.path("go"), "").unwrap();
        let ended = host.ended("op-1");
        assert_eq!((ended.kind, ended.to, ended.ending.stopped), (Kind::Switch, None, false));
        let exits: Vec<_> = ended.ending.steps.iter().map(|step| &step.exit).collect();
        assert_eq!(exits, [&Exit::Code(5), &Exit::Skipped]);
        assert_eq!(ended.ending.steps[0].last_words.as_str(), "done");
        assert_eq!(host.begin("op-1", &plan), Begun::HadIt);
        host.acknowledge("op-1");
        host.acknowledge("op-1");
        let look = host.look();
        assert_eq!((look.ended, look.gone, look.heartbeat.running), (vec![], vec![], Some(None)));
        assert_eq!(host.begin("op-1", &plan), Begun::HadIt, "acknowledged, and still known");
        assert!(matches!(host.begin("op-2", &host.plan(Kind::Pull, &["exit 0"])), Begun::Begun { .. }));
        assert!(host.ended("op-2").ending.steps[0].exit.success());
    });
}

#[test]
fn who_was_killed_claims_nothing() {
    on_each_shell(|host| {
        let plan = host.plan(Kind::Switch, &[AWAITED]);
        host.begin("op-1", &plan);
        let step = host.told("at").parse().unwrap();
        kill(host.runner("op-1"), "-KILL");
        let look = until(|| Some(host.look()).filter(|look| look.running.is_none()));
        assert_eq!((&look.ended, look.gone[0].kind), (&vec![], Kind::Switch));
        assert_eq!(look.heartbeat.running, Some(None));
        // Its lock is void, and nobody is busy.
        let quick = host.plan(Kind::Pull, &["exit 0"]);
        assert!(matches!(host.begin("op-2", &quick), Begun::Begun { .. }));
        host.ended("op-2");
        assert_eq!(host.begin("op-1", &quick), Begun::HadIt);
        host.acknowledge("op-1");
        assert_eq!(host.look().gone, vec![]);
        if lives(step) {
            kill(step, "-KILL");
        }
    });
}

#[test]
fn a_reboot_voids_the_lock() {
    on_each_shell(|host| {
        host.begin("op-1", &host.plan(Kind::Switch, &[AWAITED]));
        host.told("at");
        let taken = host.state("ops/op-1/taken");
        let words = fs::read_to_string(&taken).unwrap();
        let [pid, start, boot] = words.trim().split(' ').collect::<Vec<_>>()[..] else { panic!("{words}") };
        for other in [format!("{pid} 1 {boot}"), format!("{pid} {start} another-boot"), String::new()] {
            fs::write(&taken, other + "\n").unwrap();
            let look = host.look();
            assert_eq!((look.running, look.gone.len()), (None, 1));
        }
        fs::write(&taken, words).unwrap();
        assert!(host.look().running.is_some());
        fs::write(host.path("go"), "").unwrap();
        host.ended("op-1");
    });
}

#[test]
fn one_that_nobody_took_is_given_up_for_good() {
    on_each_shell(|mut host| {
        // A shell that does not come.
        let nobody = host.install("nobody", "#!/bin/sh\nexit 3\n");
        let sh = host.site.shell.clone();
        host.site.shell = crate::common::host_path(&nobody);
        let plan = host.plan(Kind::Pull, &["echo x >>\"$1/ran\""]);
        let answer = host.begin("op-1", &plan);
        let Begun::Refused(why) = answer else { panic!("{answer:?}") };
        assert!(why.as_str().starts_with("the operation did not start"), "{why}");
        assert_eq!(host.look().gone, vec![]);
        host.site.shell = sh;
        assert!(matches!(host.begin("op-1", &plan), Begun::Begun { .. }), "it never ran");
        host.ended("op-1");
        assert_eq!(host.told("ran"), "x");
    });
}

#[test]
fn an_answer_comes_while_the_operation_runs_and_not_twice_at_a_time() {
    on_each_shell(|host| {
        // Many at once: one begins, the others hear that.
        let script = |id: &str| {
            let plan = host.plan(Kind::Switch, &[AWAITED]);
            host::begin(&nonce(), &host.site, &op(id), &host::Order::Plan(&plan)).unwrap()
        };
        let answers: Vec<Begun> = std::thread::scope(|scope| {
            let ids = ["a", "b", "c", "c", "d", "e"];
            let tasks: Vec<_> =
                ids.map(|id| scope.spawn(|| host.run_when_ready(&script(id), GO))).into_iter().collect();
            tasks.into_iter().map(|task| read_begin(&task.join().unwrap(), &nonce()).unwrap()).collect()
        });
        let begun = answers.iter().filter(|answer| matches!(answer, Begun::Begun { .. })).count();
        assert_eq!(begun, 1, "{answers:?}");
        assert!(answers.iter().all(|answer| !matches!(answer, Begun::Refused(_))), "{answers:?}");
        let running = host.look().running.unwrap();
        fs::write(host.path("go"), "").unwrap();
        host.ended(running.op.as_str());
        assert_eq!(fs::read_dir(host.state("ops")).unwrap().count(), 1);
    });
}

#[test]
fn what_nobody_wants_any_more_when_it_is_ready_is_not_begun() {
    on_each_shell(|host| {
        let plan = host.plan(Kind::Switch, &["echo x >>\"$1/ran\""]);
        let script = host::begin(&nonce(), &host.site, &op("op-1"), &host::Order::Plan(&plan)).unwrap();
        for late in ["", "no\n", "go"] {
            let answer = host.run_when_ready(&script, late);
            let Begun::Refused(why) = read_begin(&answer, &nonce()).unwrap() else { panic!("{late}") };
            assert_eq!(why.as_str(), "nobody said that it is still wanted");
            let look = host.look();
            assert_eq!((look.running, look.ended, look.gone), (None, vec![], vec![]));
            assert_eq!(look.heartbeat.running, Some(None));
        }
        host.carry_out("op-1", &plan);
        assert_eq!(fs::read_to_string(host.path("ran")).unwrap(), "x\n", "once");
    });
}

#[test]
fn what_was_never_begun_is_never_lost_and_can_be_begun_again() {
    on_each_shell(|host| {
        let plan = host.plan(Kind::Test, &["echo x >>\"$1/ran\""]);
        let script = host::begin(&nonce(), &host.site, &op("op-1"), &host::Order::Plan(&plan)).unwrap();
        let nothing = || {
            let look = host.look();
            (look.running, look.ended, look.gone, look.untold) == (None, vec![], vec![], false)
        };
        // Whoever ordered it is gone before a word can be said to it, or the host's side of the connection dies.
        for killed in [false, true] {
            let mut shell = host.connection().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            let (mut to, mut from) =
                (shell.stdin.take().unwrap(), BufReader::new(shell.stdout.take().unwrap()));
            to.write_all(script.as_bytes()).unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b" ready\n") {
                assert!(from.read_until(b'\n', &mut answer).unwrap() > 0);
            }
            let look = host.look();
            assert_eq!((look.running, look.gone, look.untold), (None, vec![], true), "it is about to begin");
            if killed {
                kill(shell.id(), "-KILL");
            }
            drop((to, from));
            shell.wait().unwrap();
            assert!(nothing());
        }
        assert!(host.state("ops/op-1").exists(), "it is left there, and is nothing");
        host.carry_out("op-1", &plan);
        assert_eq!(fs::read_to_string(host.path("ran")).unwrap(), "x\n", "once");
        host.acknowledge("op-1");
        assert!(nothing());
    });
}

#[test]
fn a_lock_that_another_has_in_its_hand_for_a_moment_keeps_nobody_from_beginning() {
    on_each_shell(|mut host| {
        // As one does that takes a void lock away, and sees that it was not that one.
        let (lock, sh) = (host.state("lock"), host.site.shell.clone());
        let (lock, away) = (lock.display(), host.path("away"));
        let script = format!(
            "#!/bin/sh\nmv {lock} {away}\n(sleep 0.3; ln {away} {lock}) >/dev/null 2>&1 &\nexec {sh} \"$@\"\n",
            away = away.display()
        );
        host.site.shell = crate::common::host_path(&host.install("slow", &script));
        assert_eq!(
            host.carry_out("op-1", &host.plan(Kind::Pull, &["exit 0"])).ending.steps[0].exit,
            Exit::Code(0)
        );
    });
}

#[test]
fn nobody_is_told_of_what_was_done_for_others() {
    on_each_shell(|host| {
        let (gpc0, log) = (HostId::new("gpc0").unwrap(), LogId::new("thislog1").unwrap());
        let mut host = host;
        host.site.owner = Owner::new(&gpc0, &log);
        fs::create_dir(host.path("root/etc")).unwrap();
        fs::write(host.path("root/etc/machine-id"), "0123abcd\n").unwrap();
        let mine = host.site.clone();
        host.begin("op-1", &host.plan(Kind::Test, &[AWAITED]));
        host.told("at");

        // Another log, or another host for which the same user's home is the place: one at a time, and no more.
        for (host_id, log_id) in [("gpc0", "otherlog"), ("gpc1", "thislog1")] {
            host.site.owner = Owner::new(&HostId::new(host_id).unwrap(), &LogId::new(log_id).unwrap());
            let look = host.look();
            assert_eq!(look.heartbeat.running, Some(Some(Kind::Test)));
            assert_eq!((look.running, look.ended, look.gone), (None, vec![], vec![]));
            let answer = host.begin("op-2", &host.plan(Kind::Pull, &["exit 0"]));
            assert_eq!(answer, Begun::Busy { op: op("op-1"), kind: Kind::Test });
        }
        // Another machine that shares the home: it is free.
        fs::write(host.path("root/etc/machine-id"), "4567cdef\n").unwrap();
        let look = host.look();
        assert_eq!((look.heartbeat.running, look.ended, look.gone), (Some(None), vec![], vec![]));
        assert!(matches!(host.begin("op-2", &host.plan(Kind::Pull, &["exit 3"])), Begun::Begun { .. }));
        host.ended("op-2");

        fs::write(host.path("go"), "").unwrap();
        fs::write(host.path("root/etc/machine-id"), "0123abcd\n").unwrap();
        until(|| host.look().heartbeat.running.filter(Option::is_none));
        assert_eq!(host.look().ended, vec![], "nor of its end");
        host.site = mine;
        let look = host.look();
        assert_eq!(look.ended.iter().map(|ended| ended.op.as_str()).collect::<Vec<_>>(), ["op-1"]);
    });
}

#[test]
fn what_others_left_is_removed_after_a_week() {
    on_each_shell(|mut host| {
        let owner = |log: &str| Owner::new(&HostId::new("gpc0").unwrap(), &LogId::new(log).unwrap());
        host.site.owner = owner("otherlog");
        for id in ["old", "new"] {
            host.carry_out(id, &host.plan(Kind::Pull, &["exit 0"]));
        }
        let meta = fs::File::options().write(true).open(host.state("ops/old/meta")).unwrap();
        meta.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(9 * 86400)).unwrap();
        host.site.owner = owner("thislog1");
        host.carry_out("mine", &host.plan(Kind::Pull, &["exit 0"]));
        host.acknowledge("mine");
        let left: Vec<_> =
            fs::read_dir(host.state("ops")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["new"]);
    });
}

#[test]
fn what_ended_is_told_in_that_order() {
    on_each_shell(|host| {
        let ids = ["b", "c", "a", "e", "d"];
        for id in ids {
            host.begin(id, &host.plan(Kind::Pull, &["exit 0"]));
            until(|| host.state(&format!("ops/{id}/ended")).exists().then_some(()));
        }
        let look = host.look();
        let told: Vec<_> = look.ended.into_iter().map(|ended| ended.op.to_string()).collect();
        assert_eq!((&*told, look.untold), (&ids.map(str::to_owned)[..4], true), "the last one comes later");
        ids[..4].iter().for_each(|id| host.acknowledge(id));
        let look = host.look();
        let told: Vec<_> = look.ended.into_iter().map(|ended| ended.op.to_string()).collect();
        assert_eq!((&*told, look.untold), (&["d".to_owned()][..], false));
    });
}

#[test]
fn a_state_folder_that_others_can_change_is_not_used() {
    on_each_shell(|host| {
        let refused = |host: &Host, words: &str| {
            let Begun::Refused(why) = host.begin("op-1", &host.plan(Kind::Switch, &["touch \"$1/ran\""]))
            else {
                panic!("it began")
            };
            assert!(why.as_str().contains(words) && why.as_str().contains("is run"), "{why}");
            assert!(!host.path("ran").exists());
        };
        let open = host.path("home/.local");
        fs::create_dir_all(&open).unwrap();
        for mode in [0o775, 0o757, 0o777] {
            fs::set_permissions(&open, fs::Permissions::from_mode(mode)).unwrap();
            refused(&host, "home/.local: chmod go-w");
        }
        // Like /tmp: others can put something beside it, and not in its place.
        fs::set_permissions(&open, fs::Permissions::from_mode(0o1777)).unwrap();
        assert!(matches!(host.begin("op-1", &host.plan(Kind::Switch, &["true"])), Begun::Begun { .. }));
        host.ended("op-1");
        let ops = host.state("ops");
        fs::set_permissions(&ops, fs::Permissions::from_mode(0o1777)).unwrap();
        refused_again(&host);
        fs::set_permissions(&ops, fs::Permissions::from_mode(0o700)).unwrap();
        if is_root() {
            give(&host.state(""), NOBODY);
            refused_again(&host);
            let look = host.look();
            assert!(look.ended.is_empty() && look.doubts[0].as_str().contains("belongs to another user"));
            assert_eq!(look.heartbeat.running, None, "what they say runs is not believed");
            assert_eq!(host.stop("op-1"), host::Asked::NotRunning);
        }
    });
}

fn refused_again(host: &Host) {
    let begun = host.begin("op-2", &host.plan(Kind::Switch, &["true"]));
    assert!(matches!(begun, Begun::Refused(_)), "{begun:?}");
}
