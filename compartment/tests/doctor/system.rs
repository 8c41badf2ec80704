//! Programs, limits and services.

use std::fs;
use std::process::Command;

use crate::support::{Desk, Found, PROGRAM};

#[test]
fn programs_that_are_missing_too_old_or_hang_are_found() {
    let desk = Desk::new();
    let repository = desk.repository();
    fs::create_dir(desk.at("bin")).unwrap();
    let with = |args: &[&str]| {
        let mut doctor = desk.doctor(args);
        doctor.env("PATH", format!("{}:/bin", desk.at("bin").display()));
        Found::of(doctor)
    };
    let nowhere = |args: &[&str]| {
        let mut doctor = desk.doctor(args);
        doctor.env("PATH", desk.at("nothing"));
        Found::of(doctor)
    };
    let found = nowhere(&[]);
    found.has("git", "warning", "there is no program `git`");
    found.has("ssh", "warning", "there is no program `ssh`");
    nowhere(&["--forge", &repository]).has("git", "error", "there is no program `git`");
    nowhere(&["--forge", "git@git.example:config.git"]).has("ssh", "error", "there is no program `ssh`");
    nowhere(&["--forge", "./with:colon"]).has("ssh", "warning", "there is no program `ssh`");
    desk.script("git", "echo git version 2.30.2");
    with(&[]).has("git", "error", "git version 2.30.2 is too old: 2.38 is needed");
    desk.script("git", "echo what?");
    with(&[]).has("git", "warning", "it says no version");
    desk.script("git", "exit 1");
    with(&[]).has("git", "warning", "`git --version` fails");
    desk.script("git", "exec sleep 100");
    let found = with(&["--forge", &repository]);
    found.has("git", "error", "did not end within 10 s");
    found.has("forge", "error", "did not end within 15 s");
}

#[test]
fn a_limit_of_open_files_that_is_low_is_found() {
    let desk = Desk::new();
    let plain = desk.doctor(&[]);
    let mut limited = Command::new("sh");
    limited
        .args(["-c", "ulimit -n 200 && exec \"$@\"", "sh", PROGRAM])
        .args(plain.get_args())
        .current_dir(desk.at(""));
    Found::of(limited).has("open files", "warning", "200 files may be open here, which is enough for 150");
}

const HUB: &str =
    "[Service]\nExecStart=/bin/true hub --data DATA $HUB_OPTIONS\nUser=compartment-hub\nProtectHome=true\n";

#[test]
fn services_that_would_not_do_their_work_are_found() {
    let desk = Desk::new();
    let folder = desk.at("root/etc/systemd/system");
    fs::create_dir_all(&folder).unwrap();
    fs::write(
        desk.at("root/etc/passwd"),
        "root:x:0:0::/root:/bin/sh\ncompartment-hub:x:998:998::/:/bin/false\n",
    )
    .unwrap();
    let data = desk.at("data").display().to_string();
    let service =
        |text: &str| fs::write(folder.join("compartment-hub.service"), text.replace("DATA", &data)).unwrap();
    service(HUB);
    desk.hub(&[]).is_well("service");
    desk.hub(&["--forge", "/home/me/config"]).has(
        "service",
        "error",
        "is below /home, which the service does not see",
    );
    service(&HUB.replace("/bin/true", "/no/such/program"));
    desk.hub(&[]).has("service", "error", "there is no program /no/such/program");
    service(&HUB.replace("DATA", "/var/lib/other"));
    desk.hub(&[]).has("service", "warning", "runs a hub with its data in /var/lib/other");
    service(&HUB.replace("compartment-hub\n", "nobody-at-all\n"));
    desk.hub(&[]).has("service", "warning", "there is no user nobody-at-all");
    service("[Service]\nUser=root\n");
    desk.hub(&[]).has("service", "error", "starts nothing");

    let agent = |text: &str| {
        fs::write(folder.join("compartment-agent.service"), text).unwrap();
        let args = ["doctor", "agent", "--config", "none.toml", "--root", "root"];
        let found = Found::of(desk.program(&args));
        found.has("settings", "error", "cannot read");
        found
    };
    agent("[Service]\nExecStart=/bin/true agent\nKillMode=process\n").is_well("service");
    agent("[Service]\nExecStart=/bin/true agent\n").has(
        "service",
        "error",
        "ends the operations with the agent",
    );
    let sandbox =
        "[Service]\nExecStart=/bin/true agent\nKillMode=process\nProtectSystem=strict\nPrivateTmp=no\n";
    agent(sandbox).has("service", "warning", "ProtectSystem in");
    agent("[Service]\nExecStart=/no/agent\nKillMode=process\n").has(
        "service",
        "error",
        "there is no program /no/agent",
    );
}
