//! Exact command lines, and what is refused.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};

use compartment_core::event::{GenerationNumber, Target};
use compartment_core::{OpId, StorePath};

use super::*;
use crate::observe::Places;

fn host() -> HostId {
    HostId::new("web1.example").unwrap()
}

fn machine() -> Machine {
    let places = Places::under(Path::new("/"), None, None);
    Machine { checkout: Some("/var/lib/compartment/config".into()), places }
}

fn rollback(number: u32, path: &str) -> Ask {
    let path = (!path.is_empty()).then(|| StorePath::new(path).unwrap());
    Ask::Rollback { host: host(), to: Some(Target { number: GenerationNumber::new(number), path }) }
}

fn lines(commands: &Commands, ask: &Ask) -> String {
    let plan = commands.plan(ask, &host(), &machine()).unwrap();
    assert_eq!((Some(plan.kind), plan.on_failure), (ask.operation(), OnFailure::Stop));
    plan.steps.iter().map(|step| step.argv.join(" ")).collect::<Vec<_>>().join("\n")
}

fn refused(commands: &Commands, ask: &Ask) -> String {
    commands.plan(ask, &host(), &machine()).unwrap_err().to_string()
}

fn read(toml: &str) -> Result<Commands, String> {
    toml::from_str(toml).map_err(|error| error.message().to_owned())
}

#[test]
fn what_the_presets_run() {
    let switch = Ask::Switch { host: host(), force: false };
    let to = rollback(47, "/nix/store/abc-nixos");
    insta::assert_snapshot!(lines(&Commands::nixos(), &switch), @"nixos-rebuild switch --flake /var/lib/compartment/config#web1.example");
    insta::assert_snapshot!(lines(&Commands::nixos(), &to), @r"
    nix-env --profile /nix/var/nix/profiles/system --switch-generation 47
    /nix/var/nix/profiles/system/bin/switch-to-configuration switch
    ");
    insta::assert_snapshot!(lines(&Commands::nix_darwin(), &switch), @"darwin-rebuild switch --flake /var/lib/compartment/config#web1.example");
    insta::assert_snapshot!(lines(&Commands::nix_darwin(), &to), @"darwin-rebuild --switch-generation 47");
    insta::assert_snapshot!(lines(&Commands::home_manager(), &switch), @"home-manager switch --flake /var/lib/compartment/config#web1.example");
    insta::assert_snapshot!(lines(&Commands::home_manager(), &to), @"/nix/store/abc-nixos/activate");
    insta::assert_snapshot!(lines(&Commands::nixos(), &Ask::Pull { host: host() }), @r#"
    git -c gc.auto=0 -c maintenance.auto=false -c core.fsmonitor=false fetch --no-tags --no-recurse-submodules -- origin +refs/heads/main:refs/compartment/pulled
    git -c gc.auto=0 -c maintenance.auto=false -c core.fsmonitor=false reset --hard refs/compartment/pulled --
    /bin/sh -c touch -t 197001020000 "$(git rev-parse --git-path index)" && exec "$@" sh git -c gc.auto=0 -c maintenance.auto=false -c core.fsmonitor=false reset --hard refs/compartment/pulled --
    git -c gc.auto=0 -c maintenance.auto=false -c core.fsmonitor=false submodule --quiet sync --recursive
    git -c gc.auto=0 -c maintenance.auto=false -c core.fsmonitor=false submodule --quiet update --recursive --force --checkout
    "#);
}

#[test]
fn limits_folders_and_surroundings() {
    let commands = read("preset = 'nixos'\n[limits]\npull_s = 7").unwrap();
    let plan = |ask: &Ask| commands.plan(ask, &host(), &machine()).unwrap();
    let checkout = PathBuf::from("/var/lib/compartment/config");
    let pull = plan(&Ask::Pull { host: host() });
    assert_eq!((pull.limit, pull.steps[1].limit), (Duration::from_secs(7), Duration::from_secs(7)));
    assert_eq!(
        (&pull.steps[0].dir, &pull.steps[0].name[..]),
        (&Dir::Checkout(checkout.clone()), "git fetch")
    );
    assert!(pull.steps[0].env.contains(&("GIT_TERMINAL_PROMPT".into(), "0".into())));
    assert!(pull.steps[0].env.contains(&("LC_ALL".into(), "C".into())));
    let switch = plan(&Ask::Switch { host: host(), force: true });
    assert_eq!((switch.limit, &switch.steps[0].dir), (Duration::from_secs(1800), &Dir::Folder(checkout)));
    assert_eq!(switch.steps[0].name, "nixos-rebuild switch");
    let back = plan(&rollback(3, ""));
    assert_eq!((back.limit, &back.steps[0].dir), (Duration::from_secs(1800), &Dir::Root));
    assert_eq!(back.to.unwrap().number, GenerationNumber::new(3));
}

#[test]
fn what_is_configured_goes_before_the_preset() {
    let commands = read(
        "preset = 'nixos'\nremote = 'backup'\nbranch = 'fleet/eu'\nswitch = [['make', 'HOST={host}'], ['true']]",
    )
    .unwrap();
    assert_eq!(lines(&commands, &Ask::Switch { host: host(), force: false }), "make HOST=web1.example\ntrue");
    assert!(lines(&commands, &rollback(1, "")).starts_with("nix-env"));
    let pull = lines(&commands, &Ask::Pull { host: host() });
    assert!(pull.contains("-- backup +refs/heads/fleet/eu:refs/compartment/pulled"), "{pull}");
    let own = read("pull = [['sync', '{checkout}']]").unwrap();
    assert_eq!(lines(&own, &Ask::Pull { host: host() }), "sync /var/lib/compartment/config");
    let shell = read("switch = [['sh', '-c', 'echo {{}} \"$1\"', '{host}; rm -rf /']]").unwrap();
    let plan = shell.plan(&Ask::Switch { host: host(), force: false }, &host(), &machine()).unwrap();
    assert_eq!(plan.steps[0].argv, ["sh", "-c", "echo {} \"$1\"", "web1.example; rm -rf /"]);
}

#[test]
fn a_configuration_that_is_none_is_refused_with_what_to_write() {
    for (toml, words) in [
        (
            "switch = [['x', '{hots}']]",
            "switch: `{hots}` has the unknown placeholder {hots}; there are {checkout}",
        ),
        ("rollback = [['x', '}']]", "rollback: `}` has a lone `}`"),
        ("switch = []", "switch: it names no program"),
        ("pull = [[]]", "pull: a program has no name"),
        ("pull = [['', 'x']]", "pull: a program has no name"),
        ("remote = '--upload-pack=x'", "remote: give the name"),
        ("branch = '-x'", "branch: give"),
        ("branch = 'a..b'", "branch: give"),
        ("branch = 'a:b'", "branch: give"),
        ("branch = 'a*'", "branch: give"),
        ("branch = ''", "branch: give"),
        ("branch = 'a//b'", "branch: give"),
        ("[limits]\ntest_s = 604801", "limits: an operation may take a week"),
        ("[limits]\ntest_s = 0", "limits: nothing can be done in 0 seconds"),
        ("[limits]\ntests = 1", "unknown field `tests`"),
        ("swich = [['x']]", "unknown field `swich`"),
        ("preset = 'nix'", "unknown variant `nix`"),
    ] {
        let said = read(toml).unwrap_err();
        assert!(said.contains(words), "{toml}: {said}");
    }
}

#[test]
fn an_order_that_cannot_be_carried_out_is_refused() {
    let none = read("").unwrap();
    assert!(refused(&none, &Ask::Switch { host: host(), force: true }).contains("no command for a switch"));
    assert!(refused(&none, &rollback(1, "")).contains("no command for a rollback"));
    let nixos = Commands::nixos();
    let by_path = refused(&nixos, &rollback(0, "/nix/store/abc"));
    assert_eq!(by_path, "the command needs {number}, and the generation to go to has none");
    let unnamed = refused(&nixos, &Ask::Rollback { host: host(), to: None });
    assert_eq!(unnamed, "the command needs {number}, and no generation to go to is named");
    let outside = refused(&Commands::home_manager(), &rollback(1, "/tmp/evil"));
    assert_eq!(outside, "/tmp/evil/activate is not in the Nix store, and is not run");
    let other = HostId::new("other").unwrap();
    assert!(nixos.plan(&Ask::Pull { host: host() }, &other, &machine()).is_err());
    let stop = Ask::Stop { host: host(), target_op: OpId::new("op").unwrap() };
    assert_eq!(refused(&nixos, &stop), "`stop` is nothing that web1.example can do here");
    let bare = Machine { checkout: None, ..machine() };
    for ask in [Ask::Pull { host: host() }, Ask::Switch { host: host(), force: true }] {
        let said = nixos.plan(&ask, &host(), &bare).unwrap_err().to_string();
        assert!(said.contains("has no checkout"), "{said}");
    }
    assert!(nixos.plan(&rollback(1, ""), &host(), &bare).is_ok(), "it may be the checkout that is broken");
}

#[test]
fn tests_are_the_executable_files_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let place = |name: &str, mode: u32| {
        let path = folder.path().join(name);
        fs::write(&path, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    };
    for (name, mode) in [("b", 0o755), ("a", 0o700), ("B", 0o755), ("10", 0o755), ("data.json", 0o644)] {
        place(name, mode);
    }
    for name in [".hidden", "a~", "#a#", "a.bak", "a.orig", "a.swp"] {
        place(name, 0o755);
    }
    fs::create_dir(folder.path().join("sub")).unwrap();
    symlink("a", folder.path().join("link")).unwrap();
    symlink("nowhere", folder.path().join("lost")).unwrap();
    let commands = Commands::nixos().with_tests(folder.path()).with_test_limit(5);
    let plan = commands.plan(&Ask::Test { host: host() }, &host(), &machine()).unwrap();
    let names: Vec<_> = plan.steps.iter().map(|step| &step.name[..]).collect();
    assert_eq!(names, ["10", "B", "a", "b", "link", "lost"]);
    assert_eq!((plan.on_failure, plan.limit), (OnFailure::GoOn, tests_run_limit(Duration::from_secs(5), 6)));
    assert_eq!(plan.steps[0].argv, [folder.path().join("10").to_str().unwrap()]);
    assert_eq!(plan.steps[0].limit, Duration::from_secs(5));
}

#[test]
fn files_that_nobody_may_execute_are_no_tests_and_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::create_dir(at("helpers")).unwrap();
    for (name, mode) in [("web", 0o644), ("disk", 0o755), ("dns", 0o600), ("old~", 0o644)] {
        fs::write(at(name), "#!/bin/sh\n").unwrap();
        fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
    }
    assert_eq!(Commands::nixos().with_tests(folder.path()).tests_left_out(None), ["dns", "web"]);
    let relative = Commands::nixos().with_tests(Path::new(folder.path().file_name().unwrap()));
    assert_eq!(relative.tests_left_out(folder.path().parent()), ["dns", "web"]);
    assert!(Commands::nixos().tests_left_out(None).is_empty());
}

#[test]
fn a_host_without_tests_has_a_plan_without_steps() {
    let folder = tempfile::tempdir().unwrap();
    let plan = |commands: Commands| commands.plan(&Ask::Test { host: host() }, &host(), &machine());
    assert_eq!(plan(Commands::nixos()).unwrap().steps, []);
    assert_eq!(plan(Commands::nixos().with_tests(folder.path())).unwrap().steps, []);
    assert_eq!(plan(Commands::nixos().with_tests(&folder.path().join("missing"))).unwrap().steps, []);
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let said = plan(Commands::nixos().with_tests(&file)).unwrap_err().to_string();
    assert!(said.starts_with("cannot read the tests in "), "{said}");
}
