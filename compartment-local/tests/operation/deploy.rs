//! Switches and rollbacks of a folder that is laid out like a machine.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use compartment_core::event::{Deployer, GenerationNumber, Kind, Said, Target};
use compartment_core::{Ask, HostId, StorePath};
use compartment_local::observe::{Managed, Places};
use compartment_local::operation::{Commands, Machine, result};

use crate::common::Place;

/// A machine with two generations, of which the second runs.
struct Machinery(Place);

impl Machinery {
    fn new() -> Self {
        let machine = Self(Place::new());
        for folder in ["root/run", "root/nix/var/nix/profiles", "checkout"] {
            fs::create_dir_all(machine.0.path(folder)).unwrap();
        }
        for (number, name) in [(1, "aaa-nixos"), (2, "bbb-nixos")] {
            let store = machine.0.path("root/nix/store").join(name);
            fs::create_dir_all(&store).unwrap();
            symlink(store, machine.profiles().join(format!("system-{number}-link"))).unwrap();
        }
        symlink("system-2-link", machine.profiles().join("system")).unwrap();
        symlink(machine.profiles().join("system"), machine.0.path("root/run/current-system")).unwrap();
        machine
    }

    fn profiles(&self) -> PathBuf {
        self.0.path("root/nix/var/nix/profiles")
    }

    fn places(&self) -> Places {
        Places::under(&self.0.path("root"), Some(self.0.path("root/home")), None)
    }

    fn run(&self, commands: &str, ask: &Ask, places: Places) -> Said {
        let commands: Commands = toml::from_str(commands).unwrap();
        let host = HostId::new("host").unwrap();
        let machine = Machine { checkout: None, places };
        let plan = commands.plan(ask, &host, &machine).unwrap();
        result(plan.kind, plan.to.as_ref(), &self.0.run(&plan))
    }

    fn back(&self, command: &str) -> Said {
        let path = Some(StorePath::new("/nix/store/aaa-nixos").unwrap());
        let to = Some(Target { number: GenerationNumber::new(1), path });
        let ask = Ask::Rollback { host: HostId::new("host").unwrap(), to };
        self.run(&format!("rollback = [['sh', '-c', '{command}']]"), &ask, self.places())
    }

    fn switch(&self, command: &str, places: Places) -> Said {
        let ask = Ask::Switch { host: HostId::new("host").unwrap(), force: false };
        self.run(&format!("switch = [['sh', '-c', '{command}']]"), &ask, places)
    }

    /// The command that makes a generation run.
    fn go(&self, link: &str) -> String {
        format!("ln -sfn {link} {}", self.profiles().join("system").display())
    }
}

#[test]
fn a_rollback_that_did_it() {
    let machine = Machinery::new();
    let said = machine.back(&machine.go("system-1-link"));
    let Said::DeployOk { kind: Deployer::Rollback, commit: None, system: Some(system), .. } = said else {
        panic!("{said:?}")
    };
    assert_eq!(system.path.unwrap().as_str(), "/nix/store/aaa-nixos");
    assert_eq!(system.number, GenerationNumber::new(1));
}

#[test]
fn a_rollback_that_exits_0_and_does_nothing() {
    let machine = Machinery::new();
    let said = machine.back("exit 0");
    let Said::DeployFail { exit_code: Some(0), error, activated, system, .. } = said else {
        panic!("{said:?}")
    };
    assert_eq!(
        error.unwrap().as_str(),
        "the rollback exited 0 and did nothing: what runs is generation 2 (/nix/store/bbb-nixos), \
         not generation 1 (/nix/store/aaa-nixos)"
    );
    assert_eq!((activated, system.unwrap().number), (Some(false), GenerationNumber::new(2)));
}

#[test]
fn a_switch_that_failed_may_have_changed_what_runs() {
    let machine = Machinery::new();
    for (command, changed) in [
        (machine.go("system-1-link") + "; exit 4", true),
        ("echo no such attribute; exit 4".to_owned(), false),
    ] {
        let said = machine.switch(&command, machine.places());
        let Said::DeployFail { exit_code: Some(4), activated, .. } = said else { panic!("{said:?}") };
        assert_eq!(activated, Some(changed));
    }
}

#[test]
fn a_home_on_a_machine_with_a_system() {
    let machine = Machinery::new();
    let profiles = machine.0.path("root/home/.local/state/nix/profiles");
    fs::create_dir_all(&profiles).unwrap();
    fs::create_dir_all(machine.0.path("root/nix/store/hm")).unwrap();
    let make = format!(
        "cd {} && ln -s ../../../../../nix/store/hm home-manager-7-link && ln -s home-manager-7-link home-manager",
        profiles.display()
    );
    let said = machine.switch(&make, machine.places().managing(Managed::Home));
    let Said::DeployOk { kind: Deployer::Switch, system: Some(system), .. } = said else {
        panic!("{said:?}")
    };
    assert_eq!(system.path.unwrap().as_str(), "/nix/store/hm");
    assert_eq!(system.number, GenerationNumber::new(7));
    let system = machine.places().managing(Managed::System).running_system().unwrap().unwrap();
    assert_eq!(system.number, GenerationNumber::new(2));
}

#[test]
fn a_system_with_another_link_and_profile() {
    let machine = Machinery::new();
    fs::rename(machine.profiles().join("system-1-link"), machine.profiles().join("mine-1-link")).unwrap();
    symlink("mine-1-link", machine.profiles().join("mine")).unwrap();
    symlink(machine.profiles().join("mine"), machine.0.path("root/run/mine")).unwrap();
    let places = machine.places().with_system("/run/mine".as_ref(), "/nix/var/nix/profiles/mine".as_ref());
    let json = serde_json::to_string(&places).unwrap();
    assert_eq!(serde_json::from_str::<Places>(&json).unwrap(), places);
    let system = places.running_system().unwrap().unwrap();
    assert_eq!((system.path.unwrap().as_str(), system.number.unwrap().get()), ("/nix/store/aaa-nixos", 1));
    assert_eq!(Kind::Switch, Kind::from(Deployer::Switch));
}

/// What a switch leaves that points the profile and the running system to these.
fn leaves(profile: &str, runs: &str, words: &str) -> Said {
    let machine = Machinery::new();
    let (folder, root) = (machine.profiles(), machine.0.path("root"));
    let special = root.join("nix/store/bbb-nixos/specialisation");
    fs::create_dir(&special).unwrap();
    for name in ["ccc-nixos", "bbb-special"] {
        fs::create_dir(root.join("nix/store").join(name)).unwrap();
    }
    symlink(root.join("nix/store/ccc-nixos"), folder.join("system-3-link")).unwrap();
    symlink(root.join("nix/store/bbb-special"), special.join("quiet")).unwrap();
    let command = format!(
        "ln -sfn {profile} {}; ln -sfn {} {}",
        folder.join("system").display(),
        root.join("nix/store").join(runs).display(),
        root.join("run/current-system").display()
    );
    let ask = Ask::Switch { host: HostId::new("host").unwrap(), force: false };
    machine.run(&format!("switch = [['sh', '-c', '{command}'{words}]]"), &ask, machine.places())
}

#[test]
fn a_switch_that_sets_the_profile_and_leaves_what_runs_is_no_success() {
    let said = leaves("system-3-link", "bbb-nixos", "");
    let Said::DeployFail {
        exit_code: Some(0),
        error: Some(error),
        activated: None,
        system: Some(system),
        ..
    } = said
    else {
        panic!("{said:?}")
    };
    assert_eq!(system.path.unwrap().as_str(), "/nix/store/bbb-nixos");
    let which = "the profile is at generation 3 (/nix/store/ccc-nixos), but /nix/store/bbb-nixos runs";
    assert!(error.as_str().contains(which), "{error}");
    // The other way round likewise.
    assert!(matches!(leaves("system-2-link", "ccc-nixos", ""), Said::DeployFail { activated: None, .. }));
}

#[test]
fn a_switch_for_the_next_boot_and_one_to_a_specialisation_are_successes() {
    assert!(matches!(leaves("system-3-link", "ccc-nixos", ""), Said::DeployOk { .. }));
    assert!(matches!(leaves("system-3-link", "bbb-nixos", ", 'boot'"), Said::DeployOk { .. }));
    assert!(matches!(leaves("system-2-link", "bbb-special", ""), Said::DeployOk { .. }));
}
