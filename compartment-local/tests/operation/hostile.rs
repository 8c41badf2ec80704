//! Programs that do everything wrong: they end all the same, and so does the operation.

use std::time::{Duration, Instant};

use compartment_core::event::{Kind, Said};
use compartment_local::operation::{Exit, result};
use rustix::process::{Signal, kill_process};

use crate::common::{Place, ended, gone, lives, printed};

#[test]
fn a_flood_without_a_line_is_cut_and_a_helper_is_not_waited_for() {
    let place = Place::new();
    let script = r#"
        trap '' TERM HUP INT
        sleep 80 & echo $! >"$1/helper"
        head -c 100000000 /dev/zero | tr '\0' x
        echo; echo the end
        exec >&- 2>&-
        exit 7
    "#;
    let started = Instant::now();
    let mut work = place.begin(&place.plan(Kind::Switch, &[script]));
    let ending = ended(&mut work);
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    let Said::DeployFail { exit_code, error, .. } = result(Kind::Switch, None, &ending) else { panic!() };
    assert_eq!((exit_code, error.unwrap().as_str()), (Some(7), "s0: the end"));
    let lines = printed(&mut work);
    let cut = lines.iter().find(|line| line.starts_with("xxx")).unwrap();
    assert!(cut.len() <= 4096 && cut.ends_with(" [cut]"));
    assert_eq!(lines.last().unwrap(), "the end");
    let helper = place.process("helper");
    assert!(lives(helper), "what a program leaves behind when it ends by itself goes on");
    kill_process(helper, Signal::KILL).unwrap();
}

#[test]
fn a_flood_of_lines_fills_a_bounded_file() {
    let place = Place::new();
    let script = "head -c 1500000 /dev/zero | tr '\\0' '\\n' | sed 's/^/0123456789/'; exit 0";
    let mut work = place.begin(&place.plan(Kind::Switch, &[script]));
    let ending = ended(&mut work);
    assert_eq!(ending.steps[0].exit, Exit::Code(0));
    let size = place.op().join("output").metadata().unwrap().len();
    assert!(size < 9 << 20, "{size}");
    let lines = printed(&mut work);
    assert!(lines.last().unwrap().ends_with("bytes more were printed and not kept]"), "{:?}", lines.last());
}

#[test]
fn whoever_does_not_listen_is_ended_with_all_its_helpers() {
    let place = Place::new();
    // One helper in the group that ignores the polite signal, and on Linux one that left group and session.
    let escape = if cfg!(target_os = "linux") {
        r#"setsid sh -c 'trap "" TERM; echo $$ >"$1/escaped"; sleep 99; sleep 99' sh "$1" &"#
    } else {
        r#"echo 999999 >"$1/escaped""#
    };
    let script = format!(
        r#"
        trap '' TERM
        sh -c 'trap "" TERM; echo $$ >"$1/helper"; exec >&- 2>&-; sleep 99; sleep 99' sh "$1" &
        {escape}
        while :; do echo flood; done
        "#
    );
    let mut plan = place.plan(Kind::Switch, &[&script]);
    plan.steps[0].limit = Duration::from_secs(2);
    let started = Instant::now();
    let mut work = place.begin(&plan);
    let (helper, escaped) = (place.process("helper"), place.process("escaped"));
    let ending = ended(&mut work);
    assert!(matches!(ending.steps[0].exit, Exit::TimedOut(_)), "{ending:?}");
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    gone(helper);
    gone(escaped);
}

#[test]
fn a_helper_that_floods_does_not_keep_a_step_from_ending() {
    let place = Place::new();
    let script = r#"(echo x >"$1/at"; while :; do echo flood || exit; done) & until [ -e "$1/at" ]; do :; done; exit 4"#;
    let ending = place.run(&place.plan(Kind::Switch, &[script]));
    assert_eq!(ending.steps[0].exit, Exit::Code(4));
}

#[test]
fn what_an_earlier_step_left_survives_the_end_of_a_later_one() {
    let place = Place::new();
    let leave = r#"sleep 80 >/dev/null 2>&1 & echo $! >"$1/service""#;
    let mut plan = place.plan(Kind::Switch, &[leave, "exec sleep 99"]);
    plan.steps[1].limit = Duration::from_millis(200);
    let ending = place.run(&plan);
    assert!(matches!(ending.steps[1].exit, Exit::TimedOut(_)));
    let service = place.process("service");
    assert!(lives(service));
    kill_process(service, Signal::KILL).unwrap();
}
