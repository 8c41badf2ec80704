//! Checkouts of which a part belongs to another user: git must not run for one user what another one names. Only root can
//! give files away, and only root is worth being misled.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use super::*;

/// A user that every machine has.
const NOBODY: &str = "65534";

/// A repository that others can reach, and where whoever runs its filters writes who it is. `None` where this user is not
/// root.
fn reachable() -> Option<Repo> {
    let repo = Repo::new();
    fs::set_permissions(repo.dir(""), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(repo.dir("ran-as"), "").unwrap();
    fs::set_permissions(repo.dir("ran-as"), fs::Permissions::from_mode(0o666)).unwrap();
    rustix::process::geteuid().is_root().then_some(repo)
}

impl Repo {
    fn give(&self, names: &[&str]) {
        let folders = names.iter().map(|name| self.dir(name));
        assert!(Command::new("chown").args(["-R", NOBODY]).args(folders).status().unwrap().success());
    }

    /// Has a repository name a filter for all of its files. They are as the index has them, and git has to read them.
    fn trap(&self, git_dir: &str, file: &str) {
        let filter = format!("[filter \"x\"]\n\tclean = \"id -u >>{}; cat\"\n", self.dir("ran-as").display());
        let config = self.dir(git_dir).join("config");
        let before = fs::read_to_string(&config).unwrap();
        fs::write(config, before + &filter).unwrap();
        fs::create_dir_all(self.dir(git_dir).join("info")).unwrap();
        fs::write(self.dir(git_dir).join("info/attributes"), "* filter=x\n").unwrap();
        assert!(Command::new("touch").arg(self.dir(file)).status().unwrap().success());
    }

    fn ran_as(&self) -> String {
        fs::read_to_string(self.dir("ran-as")).unwrap()
    }

    fn dirt_in(&self, name: &str) -> Result<bool, String> {
        let checkout = Checkout::open(&self.git, &self.dir(name)).map_err(|none| none.to_string())?;
        checkout.sample(&self.git).unwrap().dirty.map_err(|doubt| doubt.to_string())
    }
}

#[test]
fn what_another_user_s_submodule_names_runs_as_that_user() {
    let Some(repo) = reachable() else { return };
    let file = ["-c", "protocol.file.allow=always", "submodule", "--quiet"];
    repo.run(".", &["clone", "--quiet", "origin", "lib"]);
    let address = repo.dir("lib").display().to_string();
    repo.run("host", &[&file[..], &["add", &address, "lib"]].concat());
    repo.run("host", &["commit", "--quiet", "-m", "with a submodule"]);
    assert_eq!(repo.dirt_in("host"), Ok(false));
    repo.trap("host/.git/modules/lib", "host/lib/flake.lock");
    repo.give(&["host/lib", "host/.git/modules/lib"]);
    assert_eq!(repo.dirt_in("host"), Ok(false));
    assert_eq!(repo.ran_as().trim(), NOBODY, "its owner looks at it");
}

#[test]
fn an_owner_is_not_told_what_root_s_variables_say() {
    let Some(repo) = reachable() else { return };
    let told = repo.dir("ran-as").display().to_string();
    repo.trap("host/.git", "host/flake.lock");
    repo.run("host", &["config", "filter.x.clean", &format!("env >>{told}; cat")]);
    repo.give(&["host"]);
    let git = Git::of_the_user(Stop::default());
    let checkout = Checkout::open(&git, &repo.dir("host")).unwrap();
    assert_eq!(checkout.sample(&git).unwrap().dirty.map_err(|doubt| doubt.to_string()), Ok(false));
    let env = repo.ran_as();
    // What cargo sets for tests stands for any other.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    assert!(env.contains("PATH=") && env.contains("GIT_OPTIONAL_LOCKS=0"), "{env}");
    assert!(!env.contains("CARGO_MANIFEST_DIR") && !env.contains("HOME=/root"), "{env}");
}

#[test]
fn what_git_would_run_is_the_owner_s_and_nobody_else_may_write_it() {
    let Some(repo) = reachable() else { return };
    repo.run("host", &["config", "extensions.worktreeConfig", "true"]);
    fs::write(repo.dir("host/.git/config.worktree"), "").unwrap();
    fs::write(repo.dir("host/.git/info/attributes"), "").unwrap();
    fs::create_dir_all(repo.dir("host/.git/hooks")).unwrap();
    assert_eq!(repo.dirt_in("host"), Ok(false));
    for name in ["config", "config.worktree", "hooks", "info", "info/attributes"] {
        let part = repo.dir("host/.git").join(name);
        std::os::unix::fs::chown(&part, Some(65534), None).unwrap();
        let refused = repo.dirt_in("host").unwrap_err();
        assert!(refused.contains(&format!("host/.git/{name} belongs to another user")), "{refused}");
        std::os::unix::fs::chown(&part, Some(0), None).unwrap();
        let mode = fs::metadata(&part).unwrap().permissions().mode();
        fs::set_permissions(&part, fs::Permissions::from_mode(mode | 0o002)).unwrap();
        let refused = repo.dirt_in("host").unwrap_err();
        assert!(refused.contains("others may write to"), "{name}: {refused}");
        fs::set_permissions(&part, fs::Permissions::from_mode(mode)).unwrap();
    }
    assert_eq!(repo.dirt_in("host"), Ok(false));
}

#[test]
fn a_worktree_of_another_user_s_repository_is_not_looked_into() {
    let Some(repo) = reachable() else { return };
    repo.run("host", &["worktree", "add", "--quiet", "--detach", &repo.dir("linked").display().to_string()]);
    assert_eq!(repo.dirt_in("linked"), Ok(false));
    repo.trap("host/.git", "linked/flake.lock");
    repo.give(&["host/.git/config", "host/.git/info"]);
    let refused = repo.dirt_in("linked").unwrap_err();
    assert!(refused.contains("host/.git/config belongs to another user"), "{refused}");
    repo.give(&["host"]);
    // `git worktree add` by root in a user's repository leaves such a one.
    let chown = Command::new("chown").args(["-R", "0"]).arg(repo.dir("host/.git/worktrees/linked")).status();
    assert!(chown.unwrap().success());
    let refused = repo.dirt_in("linked").unwrap_err();
    assert!(refused.contains("host/.git belongs to another user"), "{refused}");
    assert_eq!(repo.ran_as(), "");
}

/// git leaves out what is behind it, and says so only beside its answer.
#[test]
fn a_folder_that_the_owner_may_not_enter_is_no_clean_one() {
    let Some(repo) = reachable() else { return };
    fs::create_dir(repo.dir("host/closed")).unwrap();
    fs::write(repo.dir("host/closed/file"), "").unwrap();
    repo.run("host", &["add", "closed"]);
    repo.run("host", &["commit", "--quiet", "-m", "a folder"]);
    fs::write(repo.dir("host/closed/file"), "an edit").unwrap();
    repo.give(&["host"]);
    std::os::unix::fs::chown(repo.dir("host/closed"), Some(0), None).unwrap();
    fs::set_permissions(repo.dir("host/closed"), fs::Permissions::from_mode(0o700)).unwrap();
    let doubt = repo.dirt_in("host").unwrap_err();
    assert!(doubt.contains("closed/file: Permission denied"), "{doubt}");
}

#[test]
fn a_remote_that_is_another_user_s_is_named_and_not_the_checkout() {
    let Some(repo) = reachable() else { return };
    repo.give(&["origin"]);
    let seen = repo.desired(&Source::origin_main());
    let Observation::DesiredUnavailable { error, .. } = seen else { panic!("{seen:?}") };
    assert!(error.as_str().contains("/origin belongs to another user"), "{error}");
}
