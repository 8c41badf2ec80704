//! A machine's own Nix: store, state, profile and home in a folder, no daemon and no network.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::world::within;

const CONFIG: &str = "\
experimental-features = nix-command flakes
sandbox = false
build-users-group =
substituters =
flake-registry =
fsync-metadata = false
";

#[derive(Clone, Debug)]
pub(crate) struct Nix {
    root: PathBuf,
}

impl Nix {
    pub(crate) fn create(root: PathBuf) -> Self {
        for folder in ["nix/store", "nix/var/nix/profiles", "etc/nix", "home", "run", "bin"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("etc/nix/nix.conf"), CONFIG).unwrap();
        Self { root }
    }

    /// A folder of the machine, by its name under `/`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn profile(&self) -> PathBuf {
        self.path("nix/var/nix/profiles/system")
    }

    /// What a login on the machine has in its environment.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let path = |name: &str| text(&self.path(name));
        vec![
            ("HOME", path("home")),
            ("NIX_STORE_DIR", path("nix/store")),
            ("NIX_STATE_DIR", path("nix/var/nix")),
            ("NIX_LOG_DIR", path("nix/var/log/nix")),
            ("NIX_CONF_DIR", path("etc/nix")),
            ("PATH", format!("{}:{}", path("bin"), std::env::var("PATH").unwrap())),
        ]
    }

    /// The same, as a line for sshd.
    pub(crate) fn login(&self) -> String {
        let variables = self.variables().into_iter().map(|(name, value)| format!("\"{name}={value}\""));
        format!("SetEnv {}", variables.collect::<Vec<_>>().join(" "))
    }

    /// Runs a program as a login on the machine would, and gives what it prints.
    pub(crate) fn run(&self, program: impl AsRef<Path>, args: &[&str]) -> String {
        let mut command = Command::new(program.as_ref());
        command.args(args).current_dir(&self.root).env_clear().envs(self.variables());
        output(&mut command)
    }

    /// Makes generations of former times, the last of which runs.
    pub(crate) fn older(&self, count: u32) {
        let (file, built, profile) = (self.path("former.nix"), self.path("built"), text(&self.profile()));
        fs::write(&file, include_str!("config/former.nix")).unwrap();
        let (file, built, system) = (text(&file), text(&built), format!("{}-linux", std::env::consts::ARCH));
        for number in 1..=count {
            let with = ["--argstr", "system", &system, "--argstr", "number", &number.to_string()];
            self.run("nix-build", &[&[&file, "--out-link", &built], with.as_slice()].concat());
            self.run("nix-env", &["-p", &profile, "--set", &built]);
        }
        self.run(self.profile().join("bin/switch-to-configuration"), &["switch"]);
    }

    /// The link to what runs, followed.
    pub(crate) fn runs(&self) -> Option<PathBuf> {
        self.path("run/current-system").canonicalize().ok()
    }

    /// A file of what runs.
    pub(crate) fn of_running(&self, name: &str) -> String {
        fs::read_to_string(self.runs().unwrap().join(name)).unwrap()
    }

    /// The profile's generations as Nix lists them: number, and where it leads.
    pub(crate) fn generations(&self) -> Vec<(u32, PathBuf)> {
        let profile = text(&self.profile());
        let listed = self.run("nix-env", &["-p", &profile, "--list-generations"]);
        let number = |line: &str| line.split_whitespace().next().unwrap().parse().unwrap();
        let link = |number: u32| PathBuf::from(format!("{profile}-{number}-link"));
        listed.lines().map(number).map(|number| (number, link(number).canonicalize().unwrap())).collect()
    }

    /// The next activation waits.
    pub(crate) fn hold(&self) {
        fs::write(self.path("run/held"), "").unwrap();
    }

    async fn comes(&self, name: &str) {
        until(|| self.path(name).exists()).await;
    }

    /// Until an activation has come to where it waits.
    pub(crate) async fn wait_at_the_door(&self) {
        self.comes("run/waits").await;
    }

    /// Where operations are kept: the only machine's.
    pub(crate) fn operations(&self) -> PathBuf {
        let machines = fs::read_dir(self.path("home/.local/state/compartment")).unwrap();
        machines.map(|machine| machine.unwrap().path().join("ops")).next().unwrap()
    }

    pub(crate) fn keeps_nothing(&self) -> bool {
        self.operations().read_dir().unwrap().next().is_none()
    }

    /// Until a switch has ended here, whoever knows of it.
    pub(crate) async fn has_ended(&self) {
        let ended = || {
            let operations = fs::read_dir(self.operations()).unwrap();
            operations.filter_map(Result::ok).any(|operation| {
                let ending = fs::read_to_string(operation.path().join("ended")).unwrap_or_default();
                ending.starts_with("kind switch")
            })
        };
        until(ended).await;
    }

    /// How often a system was activated.
    pub(crate) fn activations(&self) -> usize {
        fs::read_to_string(self.path("run/activations")).unwrap_or_default().lines().count()
    }

    /// A program that operations need takes as long as this holds it.
    pub(crate) fn hold_program(&self, program: &str, hold: bool) {
        let (file, held) = (self.path("bin").join(program), self.path(&format!("run/held.{program}")));
        if !hold {
            return fs::remove_file(held).unwrap();
        }
        fs::write(held, "").unwrap();
        let script =
            include_str!("config/held.sh").replace("ROOT", &text(&self.root)).replace("PROGRAM", program);
        fs::write(&file, script).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) async fn waits_for(&self, program: &str) {
        self.comes(&format!("run/held.{program}.waits")).await;
    }

    /// What is in memory is gone.
    pub(crate) fn loses_power(&self) {
        for name in ["run/held", "run/waits"] {
            let _may_not_be_there = fs::remove_file(self.path(name));
        }
    }

    pub(crate) fn boots_its_profile(&self) {
        let link = self.path("run/current-system");
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(self.profile().canonicalize().unwrap(), link).unwrap();
    }

    pub(crate) fn release(&self) {
        fs::remove_file(self.path("run/held")).unwrap();
    }

    /// The generation that Nix marks as current.
    pub(crate) fn current(&self) -> u32 {
        let listed = self.run("nix-env", &["-p", &text(&self.profile()), "--list-generations"]);
        let current = listed.lines().find(|line| line.contains("(current)")).unwrap();
        current.split_whitespace().next().unwrap().parse().unwrap()
    }
}

/// Waits until something is so on a machine.
pub(crate) async fn until(is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    within(wait).await;
}

/// What a program prints; it has to succeed.
pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}{err}", output.status);
    out.into_owned()
}

pub(crate) fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}
