//! The weekly update with nothing but the program as it is installed: a hub, three agents, and a person who types commands.

#![expect(clippy::unwrap_used, reason = "a test that finds something else has failed")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use compartment_local::git::Git;
use compartment_local::run::Stop;
use compartment_runtime::write_private;
use example_quickstart::NAMES;
use example_quickstart::repository::{Repository, UPDATE};
use rustix::process::{Pid, test_kill_process};
use tempfile::TempDir;

#[path = "common/process.rs"]
mod process;

use process::{Running, colors, hub, matrix, program, start, token, until};

/// A folder with a config repository, a hub, and three hosts.
struct World {
    agents: Vec<Running>,
    hub: Running,
    url: String,
    top: PathBuf,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        let git = Git::isolated(&top, Stop::default());
        let repository = Repository::create(&git, &top).unwrap();
        token(&top, "--operator", "mba");
        let (hub, url) = hub(&top, &["--forge", &repository.address(), "--look-every", "1"]);
        let agents = NAMES.map(|name| {
            token(&top, "--host", name);
            let place = top.join(name);
            fs::create_dir_all(place.join("root")).unwrap();
            repository.clone_to(&git, &place.join("config")).unwrap();
            write_private(&place.join("agent.toml"), settings(name, &url, &place)).unwrap();
            let config = place.join("agent.toml").display().to_string();
            let mut agent = program(&top, &["agent", "--config", &config]);
            agent
                .env("NIXPKGS", repository.packages())
                .env("TESTED_HOST", name)
                .env("TESTED_ROOT", place.join("root"));
            start(&top, name, agent).0
        });
        Self { agents: agents.into(), hub, url, top, _folder: folder }
    }

    /// Somebody types `compartment matrix …`, and all of it is done. Gives what it says.
    fn done(&self, args: &[&str]) -> String {
        let Output { status, stdout, stderr } = matrix(&self.top, &self.url, args);
        let [stdout, stderr] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        let agents: String = self.agents.iter().map(Running::complaints).collect();
        assert!(status.success(), "{args:?}\n{stdout}\n{stderr}\n{agents}");
        stdout + &stderr
    }

    fn colors(&self) -> Vec<String> {
        colors(&self.done(&["--format", "ndjson"]))
    }

    fn until(&self, colors: &[&str]) {
        until(&format!("{colors:?}"), || self.colors() == colors);
    }
}

fn settings(host: &str, hub: &str, place: &Path) -> String {
    let (root, checkout) = (place.join("root"), place.join("config"));
    let (root, checkout) = (root.display(), checkout.display());
    format!(
        "host = '{host}'\nstate = 'state'\ntests = 'tests'\nheartbeat_s = 1\nkeep_operations = false\n\n\
         [hub]\nurl = '{hub}'\ntoken_file = '../{host}.token'\n\n\
         [checkout]\npath = 'config'\n\n\
         [places]\nroot = '{root}'\n\n\
         [commands]\n\
         switch = [['sh', '{checkout}/switch', '{{host}}', '{root}']]\n\
         rollback = [['sh', '{checkout}/rollback', '{{host}}', '{root}', '{{number}}']]\n",
    )
}

#[test]
fn a_person_lives_through_the_weekly_update_with_the_program_alone() {
    let mut world = World::new();
    // Nothing was switched yet: nobody knows what runs.
    let heard = || world.done(&["--format", "ndjson"]).matches("\"presence\":\"online\"").count() == 3;
    until("agents are heard", heard);
    world.done(&["refresh"]);
    world.done(&["switch", "--all", "--yes"]);
    world.until(&["ggggg"; 3]);

    let git = Git::isolated(&world.top, Stop::default());
    Repository::of(&world.top).propose_update(&git).unwrap();
    world.done(&["refresh"]);
    let open = world.done(&["prs"]);
    assert!(open.contains(UPDATE) && open.contains("nixpkgs"), "{open}");
    assert_eq!(world.colors(), ["ggggg"; 3], "a pull request changes nothing");

    let merged = world.done(&["merge", UPDATE, "--yes"]);
    assert!(merged.contains("gpc1"), "who turns yellow is said: {merged}");
    world.until(&["gyyyg"; 3]);

    world.done(&["pull", "--all"]);
    world.until(&["gggyg"; 3]);
    let switched = matrix(&world.top, &world.url, &["switch", "--all", "--yes", "--go-on"]);
    assert_eq!(switched.status.code(), Some(1), "one of them fails its tests");
    world.until(&["ggggg", "ggggr", "ggggg"]);
    let explained = world.done(&["explain", "gpc1", "tests"]);
    assert!(explained.contains("graphics"), "{explained}");

    let back = world.done(&["rollback", "gpc1", "--yes"]);
    assert!(back.contains("#1"), "the target is shown: {back}");
    world.until(&["ggggg", "gggyg", "ggggg"]);
    let reverted = world.done(&["revert", UPDATE, "--yes"]);
    assert!(reverted.contains("gpc1"), "who failed is named: {reverted}");
    world.until(&["gyyyg"; 3]);
    world.done(&["pull", "--all"]);
    world.done(&["switch", "--all", "--yes"]);
    world.until(&["ggggg"; 3]);
    let trail = world.done(&["log", "--limit", "1000"]);
    for word in ["merge", "revert", "rollback", "mba"] {
        assert!(trail.contains(word), "{word} is not in {trail}");
    }

    // The log is whole, and folds into what was shown.
    world.agents.iter_mut().chain([&mut world.hub]).for_each(Running::stop);
    let after = |args: &[&str]| {
        let told = program(&world.top, args).output().unwrap();
        assert!(told.status.success(), "{told:?}");
        String::from_utf8(told.stdout).unwrap()
    };
    after(&["log", "verify", "--data", "data"]);
    let rows = after(&["fold", "data", "--format", "ndjson"]);
    assert_eq!(rows.matches("\"color\":\"green\"").count(), 15, "{rows}");
}

#[test]
fn a_hub_and_an_agent_end_when_they_are_asked_to() {
    let mut world = World::new();
    let pids: Vec<Pid> = world.agents.iter().chain([&world.hub]).map(Running::pid).collect();
    world.agents.iter_mut().chain([&mut world.hub]).for_each(Running::stop);
    for pid in pids {
        assert!(test_kill_process(pid).is_err(), "{pid:?} runs on");
    }
}
