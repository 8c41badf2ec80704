//! The fixture by itself: what the story stands on, without a hub and without a connection.

use std::process::Command;

use super::fleet::{Fleet, HOSTS};
use super::nix::{Nix, text};
use super::repository::{LAST_WEEK, Repository, THIS_WEEK, UPDATE, git};

/// As the host's commands do it.
fn switch(name: &str, nix: &Nix) {
    let (profile, built) = (text(&nix.profile()), text(&nix.path("built")));
    let system =
        format!("{}#nixosConfigurations.{name}.config.system.build.toplevel", text(&nix.path("config")));
    let json = nix.run("nix", &["build", "--json", "--out-link", &built, &system]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    nix.run("nix-env", &["-p", &profile, "--set", &built]);
    nix.run(nix.profile().join("bin/switch-to-configuration"), &["switch"]);
    assert_eq!(Some(text(&nix.runs().unwrap()).as_str()), json[0]["outputs"]["out"].as_str());
}

fn test(nix: &Nix, name: &str) -> bool {
    let mut test = Command::new(nix.path("config/tests").join(name));
    test.env_clear().envs(nix.variables()).output().unwrap().status.success()
}

#[test]
fn systems_are_built_locked_set_and_rolled_back() {
    let fleet = Fleet::create();
    let (repository, first) = (&fleet.repository, fleet.repository.tip("main"));
    assert_eq!(Repository::locked(&repository.lock_at(&first)), repository.packages());
    for name in HOSTS {
        let nix = fleet.machine(name);
        switch(name, nix);
        assert_eq!((nix.of_running("kernel").trim(), nix.current()), (LAST_WEEK.0, 1));
        let states = if name == "imac0" { "darwin-version.json" } else { "sw/bin/nixos-version" };
        assert!(nix.of_running(states).contains(&first.to_string()), "{name}");
        assert!(["boot", "graphics", "profile"].iter().all(|name| test(nix, name)), "{name}");
    }

    repository.release(THIS_WEEK);
    let update = repository.propose_update();
    assert_ne!(repository.lock_at(&update), repository.lock_at(&first));
    assert_eq!(Repository::locked(&repository.lock_at(&update)), repository.packages());
    assert_eq!(repository.tip("main"), first);
    for name in HOSTS {
        let nix = fleet.machine(name);
        let last_week = nix.runs();
        git(&nix.path("config"), &["pull", "--quiet", "origin", UPDATE]);
        switch(name, nix);
        assert_eq!((nix.of_running("kernel").trim(), nix.current()), (THIS_WEEK.0, 2));
        assert_eq!(test(nix, "graphics"), name != "gpc1", "{name}");
        let profile = text(&nix.profile());
        nix.run("nix-env", &["-p", &profile, "--switch-generation", "1"]);
        assert!(!test(nix, "profile"), "{name}: nothing is activated yet");
        nix.run(nix.profile().join("bin/switch-to-configuration"), &["switch"]);
        assert_eq!((nix.runs(), nix.current()), (last_week.clone(), 1));
        assert_eq!(nix.generations().into_iter().next(), last_week.map(|path| (1, path)));
        assert!(test(nix, "graphics") && test(nix, "profile"), "{name}");
    }
}

/// What the order of numbers is tried on (`Nix::older`).
#[test]
fn generations_of_former_times_have_numbers() {
    let fleet = Fleet::create();
    let nix = fleet.machine("gpc1");
    nix.older(7);
    assert_eq!(
        nix.generations().into_iter().map(|(number, _)| number).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6, 7]
    );
    assert_eq!((nix.current(), nix.runs()), (7, Some(nix.generations()[6].1.clone())));
    for number in [8, 9, 10] {
        fleet.repository.change(&format!("generation {number}"));
        git(&nix.path("config"), &["pull", "--quiet", "origin", "main"]);
        switch("gpc1", nix);
        assert_eq!(nix.current(), number);
    }
}

#[test]
fn nothing_is_left_behind() {
    let fleet = Fleet::create();
    switch("gpc0", fleet.machine("gpc0"));
    let folder = fleet.folder().to_owned();
    let mut running =
        Command::new("sleep").arg("600").envs(fleet.machine("gpc0").variables()).spawn().unwrap();
    drop(fleet);
    assert!(!folder.exists());
    assert!(!running.wait().unwrap().success());
}
