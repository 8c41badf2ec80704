//! Who outlives whom.

use std::fs;

use compartment_core::event::Kind;
use compartment_local::operation::Exit;
use compartment_transport_ssh::host::{self, Begun, Running, read_begin};

use crate::common::{LONG, kill, lives, nonce, on_each_shell, op, until};

const AWAITED: &str =
    r#"echo begun; echo $$ >"$1/at"; until [ -e "$1/go" ]; do sleep 0.02; done; echo done; exit 5"#;

#[test]
fn an_operation_outlives_the_connection_and_is_collected_once() {
    on_each_shell(|host| {
        let plan = host.plan(Kind::Switch, &[AWAITED, "echo never"]);
        assert_eq!(host.begin("op-1", &plan), Begun::Begun { limit: LONG });
        host.told("at");
        let look = host.look();
        let running = Running { op: op("op-1"), kind: Kind::Switch, limit: Some(LONG) };
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
            let tasks: Vec<_> = ids.map(|id| scope.spawn(|| host.run(&script(id)))).into_iter().collect();
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
