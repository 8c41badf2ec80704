//! A user who may run some programs as root, and sees nobody else's processes (`hidepid=2`): with the real sudo, and with a
//! `/proc` and sudoers of their own. Both take root to set up, and are skipped without.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::Duration;

use compartment_core::event::Kind;
use compartment_local::operation::{Exit, Plan};
use compartment_transport_ssh::host::{self, Asked, Check, Finding, Verdict, read_check};

use super::common::{Host, NOBODY, SHELLS, give, is_root, lives, nonce, until};

/// In a world of mounts of its own, and then as nobody.
const HIDING: &str = "mount -t proc -o hidepid=2 proc /proc && mount --bind \"$0/sudoers\" /etc/sudoers && \
                      exec setpriv --reuid=65534 --regid=65534 --clear-groups \"$@\"";

/// For each shell a host whose user may do this as root.
fn on_each(rules: &str, test: impl Fn(Host)) {
    if !is_root() || !can_hide() {
        eprintln!("skipped: it takes root, sudo, and mounts of its own");
        return;
    }
    for shell in SHELLS {
        eprintln!("-- {shell}");
        let mut host = Host::new(shell);
        give(&host.path(""), NOBODY);
        let sudoers = host.path("sudoers");
        fs::write(&sudoers, format!("nobody ALL=(root) {rules}\n")).unwrap();
        fs::set_permissions(&sudoers, fs::Permissions::from_mode(0o440)).unwrap();
        let folder = host.path("").display().to_string();
        let through = ["unshare", "--mount", "--propagation", "private", "sh", "-c", HIDING, &folder];
        host.through = through.map(str::to_owned).to_vec();
        host.site.sudo = true;
        test(host);
    }
}

fn can_hide() -> bool {
    let hides = "command -v sudo && mount -t proc -o hidepid=2 proc /proc";
    let tried =
        Command::new("unshare").args(["--mount", "--propagation", "private", "sh", "-c", hides]).output();
    tried.is_ok_and(|tried| tried.status.success())
}

fn plan(host: &Host) -> Plan {
    host.plan(Kind::Switch, &[r#"[ "$(id -u)" = 0 ] && echo $$ >"$1/it" && exec sleep 80"#])
}

fn found(host: &Host) -> Vec<Finding> {
    let by_sudo = vec![vec!["sh".to_owned()]];
    let wanted = Check { by_sudo, ..Check::default() };
    let found = read_check(&host.run(&host::check(&nonce(), &host.site, &wanted)), &nonce()).unwrap();
    found.into_iter().filter(|one| ["sudo", "processes"].contains(&one.what.as_str())).collect()
}

#[test]
fn what_runs_as_root_is_ended_at_its_limit_and_when_somebody_asks() {
    on_each("NOPASSWD: ALL", |host| {
        let mut short = plan(&host);
        short.steps[0].limit = Duration::from_secs(1);
        let ended = host.carry_out("op-1", &short);
        assert_eq!(ended.ending.steps[0].exit, Exit::TimedOut(Duration::from_secs(1)));
        let it = host.told("it").parse().unwrap();
        until(|| (!lives(it)).then_some(()));
        fs::remove_file(host.path("it")).unwrap();
        host.begin("op-2", &plan(&host));
        let it = host.told("it").parse().unwrap();
        assert_eq!(host.stop("op-2"), Asked::Asked);
        assert_eq!(host.ended("op-2").ending.steps[0].exit, Exit::Stopped);
        until(|| (!lives(it)).then_some(()));
        let found = found(&host);
        assert_eq!(
            found.iter().map(|one| one.verdict).collect::<Vec<_>>(),
            [Verdict::Works, Verdict::Limited]
        );
        assert!(found[1].words.as_str().contains("hidepid"), "{found:?}");
    });
}

#[test]
fn a_user_who_may_end_nothing_as_root_is_told_by_the_check() {
    on_each("NOPASSWD: /usr/bin/sh", |host| {
        let found = found(&host);
        let verdicts: Vec<_> = found.iter().map(|one| one.verdict).collect();
        assert_eq!(verdicts, [Verdict::Works, Verdict::Limited, Verdict::Limited], "{found:?}");
        let rule = "put `nobody ALL=(root) NOPASSWD: /usr/bin/kill` into sudoers (with visudo)";
        assert!(found[1].words.as_str().ends_with(rule), "{found:?}");
        // It goes on, and nobody is told otherwise.
        let mut short = plan(&host);
        short.steps[0].argv[2] = short.steps[0].argv[2].replace("80", "4");
        short.steps[0].limit = Duration::from_secs(1);
        let ended = host.carry_out("op-1", &short);
        assert_eq!(ended.ending.steps[0].exit, Exit::TimedOut(Duration::from_secs(1)));
        assert!(!lives(host.told("it").parse().unwrap()), "its end was waited for");
    });
}
