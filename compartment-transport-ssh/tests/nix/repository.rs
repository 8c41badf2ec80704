//! The config repository, a bare one, the packages that it takes as an input, and the desk where people work on both.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use compartment_core::Commit;

use super::nix::{Nix, output, text};

/// The branch that the weekly update comes on.
pub(crate) const UPDATE: &str = "update/packages";

/// What the packages bring: the kernel, and which drivers it comes with.
pub(crate) type Packages = (&'static str, &'static [&'static str]);
pub(crate) const LAST_WEEK: Packages = ("6.17.9", &["580", "470"]);
/// It drops the drivers of the 470 branch.
pub(crate) const THIS_WEEK: Packages = ("6.18.2", &["590", "580"]);

/// Path, text, and whether it is a program.
const CONFIG: [(&str, &str, bool); 5] = [
    ("flake.nix", include_str!("config/flake.nix"), false),
    ("system.sh", include_str!("config/system.sh"), false),
    ("tests/boot", include_str!("config/tests/boot"), true),
    ("tests/graphics", include_str!("config/tests/graphics"), true),
    ("tests/profile", include_str!("config/tests/profile"), true),
];

pub(crate) struct Repository {
    pub(crate) bare: PathBuf,
    packages: PathBuf,
    desk: PathBuf,
    nix: Nix,
}

impl Repository {
    /// With one commit on `main`, whose lock names last week's packages.
    pub(crate) fn create(top: &Path) -> Self {
        let [bare, packages, desk] = ["config.git", "packages", "desk"].map(|name| top.join(name));
        let nix = Nix::create(top.join("people"));
        let this = Self { bare, packages, desk, nix };
        git(top, &["init", "--quiet", "--bare", "config.git"]);
        git(&this.bare, &["symbolic-ref", "HEAD", "refs/heads/main"]);
        for name in ["packages", "desk"] {
            git(top, &["init", "--quiet", name]);
            git(&top.join(name), &["symbolic-ref", "HEAD", "refs/heads/main"]);
        }
        this.release(LAST_WEEK);
        for (path, contents, program) in CONFIG {
            let contents = contents
                .replace("PACKAGES", &text(&this.packages))
                .replace("MACHINE", std::env::consts::ARCH);
            write(&this.desk.join(path), &contents, program);
        }
        git(&this.desk, &["remote", "add", "origin", "../config.git"]);
        git(&this.desk, &["add", "--all"]);
        this.lock(&[]);
        git(&this.desk, &["add", "--all"]);
        this.push("Three machines", "main");
        this
    }

    /// A new revision of the packages.
    pub(crate) fn release(&self, (kernel, drivers): Packages) {
        let drivers = drivers.iter().map(|driver| format!("\"{driver}\"")).collect::<Vec<_>>().join(" ");
        let flake = format!("{{ outputs = _: {{ kernel = \"{kernel}\"; drivers = [ {drivers} ]; }}; }}\n");
        write(&self.packages.join("flake.nix"), &flake, false);
        git(&self.packages, &["add", "--all"]);
        git(&self.packages, &["commit", "--quiet", "--message", kernel]);
    }

    /// Pushes a branch whose lock names the packages as they are now.
    pub(crate) fn propose_update(&self) -> Commit {
        git(&self.desk, &["checkout", "--quiet", "-B", UPDATE, "origin/main"]);
        self.lock(&["--update-input", "packages"]);
        self.push("flake.lock: update packages", UPDATE)
    }

    /// Pushes a commit to `main` that changes what every system is.
    pub(crate) fn change(&self, words: &str) -> Commit {
        git(&self.desk, &["fetch", "--quiet", "origin", "main"]);
        git(&self.desk, &["checkout", "--quiet", "-B", "main", "FETCH_HEAD"]);
        write(&self.desk.join("notes"), words, false);
        git(&self.desk, &["add", "--all"]);
        self.push(words, "main")
    }

    /// The tip of a branch.
    pub(crate) fn tip(&self, branch: &str) -> Commit {
        Commit::new(git(&self.bare, &["rev-parse", "--verify", &format!("refs/heads/{branch}")]).trim())
            .unwrap()
    }

    /// `flake.lock` as a commit has it.
    pub(crate) fn lock_at(&self, commit: &Commit) -> String {
        git(&self.bare, &["show", &format!("{commit}:flake.lock")])
    }

    /// Which revision of the packages a lock names.
    pub(crate) fn locked(lock: &str) -> String {
        let lock: serde_json::Value = serde_json::from_str(lock).unwrap();
        lock["nodes"]["packages"]["locked"]["rev"].as_str().unwrap().to_owned()
    }

    /// The revision of the packages now.
    pub(crate) fn packages(&self) -> String {
        git(&self.packages, &["rev-parse", "HEAD"]).trim().to_owned()
    }

    pub(crate) fn clone_to(&self, folder: &Path) {
        git(&self.desk, &["clone", "--quiet", &text(&self.bare), &text(folder)]);
    }

    fn lock(&self, how: &[&str]) {
        self.nix.run("nix", &[&["flake", "lock"], how, &[&text(&self.desk)]].concat());
    }

    fn push(&self, message: &str, branch: &str) -> Commit {
        git(&self.desk, &["commit", "--quiet", "--all", "--message", message]);
        git(&self.desk, &["push", "--quiet", "origin", branch]);
        self.tip(branch)
    }
}

/// Without what the machine's users have configured.
pub(crate) fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "user.name=gpc", "-c", "user.email=gpc@localhost"]).args(args);
    output(command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null"))
}

fn write(path: &Path, contents: &str, program: bool) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, contents).unwrap();
    let mode = if program { 0o755 } else { 0o644 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}
