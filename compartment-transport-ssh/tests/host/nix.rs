//! A real Nix with a profile of its own: what the look says follows the generations, there and back.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use compartment_core::event::{Deployer, GenerationNumber, Kind, Said, Target};
use compartment_local::operation::result;
use compartment_transport_ssh::host::{self, read_generations};

use crate::common::{Host, nonce, on_each_shell};

/// A host with a store of its own.
struct Nix {
    host: Host,
    env: Vec<(String, String)>,
}

impl Nix {
    fn new(host: Host) -> Self {
        let root = host.path("root");
        let path = |name: &str| root.join(name).to_str().unwrap().to_owned();
        let config =
            "experimental-features = nix-command\nsandbox = false\nbuild-users-group =\nsubstituters =\n";
        let env = [
            ("NIX_STORE_DIR", path("nix/store")),
            ("NIX_STATE_DIR", path("nix/var/nix")),
            ("NIX_LOG_DIR", path("nix/var/log/nix")),
            ("NIX_CONF_DIR", path("etc/nix")),
            ("NIX_CONFIG", config.to_owned()),
        ];
        fs::create_dir_all(root.join("nix/var/nix/profiles")).unwrap();
        fs::create_dir_all(root.join("run")).unwrap();
        symlink(root.join("nix/var/nix/profiles/system"), root.join("run/current-system")).unwrap();
        Self { env: env.map(|(key, value)| (key.to_owned(), value)).into(), host }
    }

    fn profile(&self) -> PathBuf {
        self.host.path("root/nix/var/nix/profiles/system")
    }

    fn system(&self, name: &str) -> String {
        let expression = format!(
            "derivation {{ name = \"{name}\"; system = builtins.currentSystem; builder = \"/bin/sh\";
               args = [ \"-c\" \"/bin/mkdir $out\" ]; }}"
        );
        let output = Command::new("nix-build")
            .args(["--no-out-link", "-E", &expression])
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .env("HOME", self.host.path("home"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn deploy(&self, id: &str, kind: Kind, to: Option<Target>, arguments: &[&str]) -> Said {
        let mut plan = self.host.plan(kind, &[""]);
        let profile = self.profile();
        let command = ["nix-env", "--profile", profile.to_str().unwrap()];
        plan.steps[0].argv = command.iter().chain(arguments).map(|&argument| argument.to_owned()).collect();
        plan.steps[0].env.clone_from(&self.env);
        plan.to = to;
        let ended = self.host.carry_out(id, &plan);
        self.host.acknowledge(id);
        result(ended.kind, ended.to.as_ref(), &ended.ending)
    }

    fn number(&self) -> u32 {
        self.host.look().heartbeat.system.told().unwrap().number.unwrap().get()
    }
}

#[test]
fn a_rollback_by_number_changes_what_the_look_says() {
    if Command::new("nix-env").arg("--version").output().is_err() {
        eprintln!("skipped: there is no Nix");
        return;
    }
    on_each_shell(|host| {
        let nix = Nix::new(host);
        for n in 1..=10 {
            let system = nix.system(&format!("system-{n}"));
            let said = nix.deploy(&format!("switch-{n}"), Kind::Switch, None, &["--set", &system]);
            let Said::DeployOk { kind: Deployer::Switch, system: Some(running), .. } = said else {
                panic!("{said:?}")
            };
            assert_eq!((running.number, nix.number()), (GenerationNumber::new(n), n));
        }
        let answer = nix.host.run(&host::generations(&nonce(), &nix.host.site));
        let list = read_generations(&answer, &nonce()).unwrap();
        assert_eq!(list.len(), 10);
        let target = &list[8];
        let to = || Some(Target { number: Some(target.number), path: target.path.clone() });
        let said = nix.deploy("back", Kind::Rollback, to(), &["--switch-generation", "9"]);
        assert!(matches!(said, Said::DeployOk { kind: Deployer::Rollback, .. }), "{said:?}");
        assert_eq!(nix.number(), 9);
        assert_eq!(nix.host.look().heartbeat.system.told().unwrap().path, target.path);
        // One that says it went well, and went elsewhere.
        let said = nix.deploy("lie", Kind::Rollback, to(), &["--switch-generation", "8"]);
        let Said::DeployFail { exit_code: Some(0), activated: Some(true), error: Some(error), .. } = said
        else {
            panic!("{said:?}")
        };
        assert!(error.as_str().contains("did something else"), "{error}");
        let said = nix.deploy("none", Kind::Rollback, None, &["--switch-generation", "77"]);
        let Said::DeployFail { exit_code: Some(1), activated: Some(false), error: Some(error), .. } = said
        else {
            panic!("{said:?}")
        };
        assert!(error.as_str().contains("error:"), "{error}");
    });
}
