//! Pulls of real repositories.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use compartment_core::event::{Kind, Said};
use compartment_core::{Ask, HostId};
use compartment_local::git::Git;
use compartment_local::observe::Places;
use compartment_local::operation::{Commands, Machine, Plan, result};
use compartment_local::run::Stop;

use crate::common::{Place, ended};

/// A bare repository, a desk that pushes to it, and a host that pulls from it.
struct Repo {
    place: Place,
    git: Git,
}

impl Repo {
    fn new() -> Self {
        let place = Place::new();
        let git = Git::isolated(&place.path(""), Stop::default());
        let repo = Self { place, git };
        repo.run(".", &["init", "--quiet", "--bare", "origin"]);
        repo.run("origin", &["symbolic-ref", "HEAD", "refs/heads/main"]);
        repo.run(".", &["clone", "--quiet", "origin", "desk"]);
        repo.run("desk", &["checkout", "--quiet", "-b", "main"]);
        repo.push("one");
        repo.run(".", &["clone", "--quiet", "origin", "host"]);
        repo
    }

    fn dir(&self, name: &str) -> PathBuf {
        self.place.path(name)
    }

    fn run(&self, dir: &str, args: &[&str]) -> String {
        self.git.line(&self.dir(dir), args).unwrap()
    }

    fn push(&self, lock: &str) -> String {
        fs::write(self.dir("desk/flake.lock"), lock).unwrap();
        self.run("desk", &["add", "flake.lock"]);
        self.run("desk", &["commit", "--quiet", "-m", lock]);
        self.run("desk", &["push", "--quiet", "--force", "origin", "HEAD:main"]);
        self.run("desk", &["rev-parse", "HEAD"])
    }

    /// A submodule `lib`, which the host has fetched. Gives the commit.
    fn with_submodule(&self) -> String {
        self.run(".", &["init", "--quiet", "--initial-branch=main", "lib"]);
        self.run("lib", &["commit", "--quiet", "--allow-empty", "-m", "first"]);
        let address = self.dir("lib").display().to_string();
        let file = ["-c", "protocol.file.allow=always", "submodule", "--quiet"];
        self.run("desk", &[&file[..], &["add", &address, "lib"]].concat());
        let with = self.push("with a submodule");
        assert_eq!(self.pulled(""), with);
        self.run("host", &[&file[..], &["update", "--init", "lib"]].concat());
        with
    }

    fn pull(&self, commands: &str) -> Said {
        self.pull_in("host", commands)
    }

    fn pull_in(&self, folder: &str, commands: &str) -> Said {
        result(Kind::Pull, None, &self.place.run(&self.plan(folder, commands)))
    }

    fn plan(&self, folder: &str, commands: &str) -> Plan {
        let commands: Commands = toml::from_str(commands).unwrap();
        let host = HostId::new("host").unwrap();
        let places = Places::under(&self.dir("root"), None, None);
        let machine = Machine { checkout: Some(self.dir(folder)), places };
        commands.plan(&Ask::Pull { host: host.clone() }, &host, &machine).unwrap()
    }

    /// A pull that succeeds, cleanly: where it ends.
    fn pulled(&self, commands: &str) -> String {
        let said = self.pull(commands);
        let Said::PullOk { commit, lock_hash: Some(_), dirty: Some(false) } = said else {
            panic!("{said:?}")
        };
        commit.to_string()
    }

    /// A folder with a repository around it, in which everything counts: `etc` with `etc/passwd`, and `etc/host` in it.
    fn with_one_around(&self) {
        fs::create_dir_all(self.dir("etc/host")).unwrap();
        self.run(".", &["init", "--quiet", "etc"]);
        fs::write(self.dir("etc/passwd"), "root").unwrap();
        self.run("etc", &["add", "passwd"]);
        self.run("etc", &["commit", "--quiet", "-m", "kept by etckeeper"]);
        let address = self.dir("origin").display().to_string();
        self.run("etc", &["remote", "add", "origin", &address]);
        fs::write(self.dir("etc/passwd"), "root, changed").unwrap();
    }

    /// That nothing of it has changed.
    fn nothing_around_was_touched(&self) {
        assert_eq!(fs::read_to_string(self.dir("etc/passwd")).unwrap(), "root, changed");
        let refs = self.run("etc", &["for-each-ref", "--format=%(refname)"]);
        assert!(refs.lines().count() == 1 && refs.starts_with("refs/heads/"), "{refs}");
    }

    /// Why a pull failed.
    fn failed(&self, commands: &str) -> (Option<i32>, String) {
        self.failed_in("host", commands)
    }

    fn failed_in(&self, folder: &str, commands: &str) -> (Option<i32>, String) {
        let said = self.pull_in(folder, commands);
        let Said::PullFail { exit_code, error } = said else { panic!("{said:?}") };
        (exit_code, error.unwrap().to_string())
    }
}

#[test]
fn a_pull_brings_the_branch_also_when_it_was_moved_by_force() {
    let repo = Repo::new();
    let two = repo.push("two");
    assert_eq!(repo.pulled(""), two);
    assert_eq!(repo.pulled(""), two, "nothing new");
    assert_eq!(repo.run("host", &["rev-parse", "origin/main"]), two, "people see where it is, too");
    repo.run("desk", &["reset", "--quiet", "--hard", "HEAD~1"]);
    let other = repo.push("other");
    assert_eq!(repo.pulled(""), other);
    assert_eq!(fs::read_to_string(repo.dir("host/flake.lock")).unwrap(), "other");
}

#[test]
fn submodules_that_are_there_are_brought_along_and_others_are_left_alone() {
    let repo = Repo::new();
    for name in ["lib", "other"] {
        repo.run(".", &["init", "--quiet", "--initial-branch=main", name]);
        repo.run(name, &["commit", "--quiet", "--allow-empty", "-m", "first"]);
        let address = repo.dir(name).display().to_string();
        repo.run(
            "desk",
            &["-c", "protocol.file.allow=always", "submodule", "--quiet", "add", &address, name],
        );
    }
    let with = repo.push("with submodules");
    assert_eq!(repo.pulled(""), with);
    assert!(!repo.dir("host/lib/.git").exists(), "nobody asked for it");
    repo.run(
        "host",
        &["-c", "protocol.file.allow=always", "submodule", "--quiet", "update", "--init", "lib"],
    );
    repo.run("host/lib", &["config", "protocol.file.allow", "always"]);
    assert_eq!(repo.pulled(""), with);
    // The configured folder may be a link.
    std::os::unix::fs::symlink("host", repo.dir("current")).unwrap();
    let said = repo.pull_in("current", "");
    assert!(matches!(said, Said::PullOk { dirty: Some(false), .. }), "{said:?}");
    // The submodule moves on, and somebody has changed its files.
    fs::write(repo.dir("lib/file"), "new").unwrap();
    repo.run("lib", &["add", "file"]);
    repo.run("lib", &["commit", "--quiet", "-m", "second"]);
    let second = repo.run("lib", &["rev-parse", "HEAD"]);
    repo.run("desk/lib", &["-c", "protocol.file.allow=always", "pull", "--quiet", "origin", "main"]);
    repo.run("desk", &["add", "lib"]);
    let moved = repo.push("moved");
    fs::write(repo.dir("host/lib/file"), "in the way").unwrap();
    assert_eq!(repo.pulled(""), moved);
    assert_eq!(repo.run("host/lib", &["rev-parse", "HEAD"]), second);
    fs::write(repo.dir("host/lib/file"), "by hand").unwrap();
    assert_eq!(repo.pulled(""), moved);
    assert_eq!(fs::read_to_string(repo.dir("host/lib/file")).unwrap(), "new");
    assert!(!repo.dir("host/other/.git").exists());
    // One that cannot be had is no success, and says which.
    repo.run("lib", &["commit", "--quiet", "--allow-empty", "-m", "third"]);
    repo.run("desk/lib", &["-c", "protocol.file.allow=always", "pull", "--quiet", "origin", "main"]);
    repo.run("desk", &["add", "lib"]);
    repo.push("out of reach");
    fs::rename(repo.dir("lib"), repo.dir("gone")).unwrap();
    let (code, error) = repo.failed("");
    assert!(code.is_some_and(|code| code > 0) && error.starts_with("git submodule: "), "{code:?} {error}");
}

/// A submodule of the host whose repository is somebody's own: git would bring it to another commit, and change its address.
#[test]
fn a_submodule_in_another_s_repository_is_not_moved() {
    let repo = Repo::new();
    repo.with_submodule();
    repo.run(".", &["clone", "--quiet", "lib", "dev"]);
    repo.run("dev", &["checkout", "--quiet", "-b", "work"]);
    repo.run("dev", &["config", "remote.origin.url", "ssh://git@internal/lib.git"]);
    let elsewhere = format!("gitdir: {}\n", repo.dir("dev/.git").display());
    fs::write(repo.dir("host/lib/.git"), elsewhere).unwrap();
    repo.push("more");
    let (_, error) = repo.failed("");
    assert!(error.contains("host/lib is not pulled: its repository is that of another folder"), "{error}");
    fs::remove_dir_all(repo.dir("host/lib")).unwrap();
    std::os::unix::fs::symlink(repo.dir("dev"), repo.dir("host/lib")).unwrap();
    let (_, error) = repo.failed("");
    assert!(error.contains("host/lib is not pulled: it is a link to"), "{error}");
    assert_eq!(repo.run("dev", &["symbolic-ref", "HEAD"]), "refs/heads/work");
    assert_eq!(repo.run("dev", &["config", "remote.origin.url"]), "ssh://git@internal/lib.git");
}

/// What git runs there, such as its hooks, would run as the owner of the checkout.
#[test]
fn a_submodule_of_another_user_is_not_moved() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let repo = Repo::new();
    let with = repo.with_submodule();
    for part in ["host/lib", "host/.git/modules/lib/config"] {
        std::os::unix::fs::chown(repo.dir(part), Some(65534), None).unwrap();
        repo.push(part);
        let (_, error) = repo.failed("");
        assert!(error.contains("belongs to another user"), "{part}: {error}");
        assert_eq!(repo.run("host", &["rev-parse", "HEAD"]), with);
        std::os::unix::fs::chown(repo.dir(part), Some(0), None).unwrap();
    }
    assert_ne!(repo.pulled(""), with);
    // Neither is anything put into a folder of theirs.
    fs::remove_dir_all(repo.dir("host/lib")).unwrap();
    fs::create_dir(repo.dir("host/lib")).unwrap();
    std::os::unix::fs::chown(repo.dir("host/lib"), Some(65534), None).unwrap();
    let (_, error) = repo.failed("");
    assert!(error.contains("belongs to another user"), "{error}");
    assert_eq!(fs::read_dir(repo.dir("host/lib")).unwrap().count(), 0);
}

/// What a look does not overlook, a pull takes back: else it would be asked for again and again.
#[test]
fn what_a_repository_s_settings_hide_is_taken_back() {
    let repo = Repo::new();
    repo.push("two");
    for setting in ["core.fileMode", "core.symlinks"] {
        repo.run("host", &["config", setting, "false"]);
    }
    fs::set_permissions(repo.dir("host/flake.lock"), fs::Permissions::from_mode(0o755)).unwrap();
    let two = repo.pulled("");
    let mode = fs::metadata(repo.dir("host/flake.lock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o111, 0);
    repo.run("host", &["replace", "HEAD", "HEAD~1"]);
    assert_eq!(repo.pulled(""), two);
    assert_eq!(fs::read_to_string(repo.dir("host/flake.lock")).unwrap(), "two");
}

/// git remembers that it has put them there, and not by which rule.
#[test]
fn files_are_as_the_attributes_are_that_are_there_now() {
    let repo = Repo::new();
    fs::write(repo.dir("desk/.gitattributes"), "* text eol=crlf\n").unwrap();
    repo.run("desk", &["add", ".gitattributes"]);
    repo.push("one\n");
    repo.pulled("");
    assert_eq!(fs::read_to_string(repo.dir("host/flake.lock")).unwrap(), "one\r\n");
    // git has no reason to read it anew: it has not changed since long before the index was written.
    let lock = fs::File::options().write(true).open(repo.dir("host/flake.lock")).unwrap();
    lock.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000)).unwrap();
    repo.run("host", &["update-index", "--refresh"]);
    repo.run("desk", &["rm", "--quiet", ".gitattributes"]);
    repo.run("desk", &["commit", "--quiet", "-m", "no attributes"]);
    repo.run("desk", &["push", "--quiet", "origin", "HEAD:main"]);
    repo.pulled("");
    assert_eq!(fs::read_to_string(repo.dir("host/flake.lock")).unwrap(), "one\n");
}

#[test]
fn a_pull_of_one_s_own_does_not_begin_in_another_s_repository() {
    let repo = Repo::new();
    repo.run(".", &["clone", "--quiet", "origin", "dev"]);
    repo.run("dev", &["checkout", "--quiet", "-b", "work"]);
    repo.run("dev", &["commit", "--quiet", "--allow-empty", "-m", "mine"]);
    let mine = repo.run("dev", &["rev-parse", "HEAD"]);
    fs::create_dir(repo.dir("linked")).unwrap();
    std::os::unix::fs::symlink(repo.dir("dev/.git"), repo.dir("linked/.git")).unwrap();
    repo.push("two");
    let pull = "pull = [['git', 'fetch', 'origin', 'main'], ['git', 'reset', '--hard', 'FETCH_HEAD']]";
    let (_, error) = repo.failed_in("linked", pull);
    assert!(error.contains("is that of another folder"), "{error}");
    assert_eq!(repo.run("dev", &["rev-parse", "work"]), mine);
}

#[test]
fn what_was_done_by_hand_in_the_agents_clone_is_undone() {
    let repo = Repo::new();
    fs::write(repo.dir("host/flake.lock"), "by hand").unwrap();
    repo.run("host", &["commit", "--quiet", "-a", "-m", "by hand"]);
    fs::write(repo.dir("host/flake.lock"), "dirty").unwrap();
    fs::write(repo.dir("host/new"), "in the way").unwrap();
    fs::write(repo.dir("desk/new"), "of the remote").unwrap();
    repo.run("desk", &["add", "new"]);
    let two = repo.push("two");
    assert_eq!(repo.pulled(""), two);
    repo.run("host", &["checkout", "--quiet", "--detach"]);
    let three = repo.push("three");
    assert_eq!(repo.pulled(""), three, "whatever is checked out");
    assert_eq!(fs::read_to_string(repo.dir("host/new")).unwrap(), "of the remote");
}

#[test]
fn a_pull_that_leaves_what_git_does_not_look_at_says_so() {
    let repo = Repo::new();
    let pull = || {
        let mut work = repo.place.begin(&repo.plan("host", ""));
        let said = result(Kind::Pull, None, &ended(&mut work));
        let printed = fs::read_to_string(repo.place.path("op/output")).unwrap();
        work.remove().unwrap();
        (said, printed)
    };
    let (_, printed) = pull();
    assert!(!printed.contains("cannot be told"), "{printed}");
    fs::write(repo.dir("host/flake.lock"), "an edit that stays").unwrap();
    repo.run("host", &["update-index", "--skip-worktree", "flake.lock"]);
    let (said, printed) = pull();
    assert!(matches!(said, Said::PullOk { dirty: None, .. }), "{said:?}");
    assert!(printed.contains("clean now cannot be told") && printed.contains("flake.lock"), "{printed}");
}

#[test]
fn a_shallow_clone_is_pulled_too() {
    let repo = Repo::new();
    repo.push("two");
    fs::remove_dir_all(repo.dir("host")).unwrap();
    let origin = format!("file://{}", repo.dir("origin").display());
    repo.run(".", &["clone", "--quiet", "--depth", "1", &origin, "host"]);
    let three = repo.push("three");
    assert_eq!(repo.pulled(""), three);
    repo.run("desk", &["reset", "--quiet", "--hard", "HEAD~2"]);
    let other = repo.push("other");
    assert_eq!(repo.pulled(""), other);
}

#[test]
fn another_branch_and_another_remote() {
    let repo = Repo::new();
    repo.run("desk", &["push", "--quiet", "origin", "HEAD:fleet/eu"]);
    let eu = repo.run("desk", &["rev-parse", "HEAD"]);
    repo.push("two");
    assert_eq!(repo.pulled("branch = 'fleet/eu'"), eu);
    let address = repo.dir("origin").display().to_string();
    let main = repo.pulled(&format!("remote = '{address}'"));
    assert_ne!(main, eu);
}

#[test]
fn why_a_pull_failed_is_said() {
    let repo = Repo::new();
    let (code, error) = repo.failed("remote = 'nowhere'");
    assert_eq!(code, Some(128));
    assert!(
        error.starts_with("git fetch: fatal: 'nowhere' does not appear to be a git repository"),
        "{error}"
    );
    let (_, error) = repo.failed("branch = 'missing'");
    assert_eq!(error, "git fetch: fatal: couldn't find remote ref refs/heads/missing");
    repo.push("two");
    fs::write(repo.dir("host/.git/index.lock"), "").unwrap();
    let (_, error) = repo.failed("");
    assert!(error.starts_with("git reset: fatal: Unable to create"), "{error}");
    assert!(error.contains("index.lock': File exists") && error.ends_with("then delete it"), "{error}");
    fs::remove_file(repo.dir("host/.git/index.lock")).unwrap();
    fs::remove_dir_all(repo.dir("host")).unwrap();
    let (code, error) = repo.failed("");
    assert_eq!(code, None);
    assert!(error.starts_with("git fetch: there is no folder"), "{error}");
}

#[test]
fn a_pull_that_exits_0_is_not_believed() {
    let repo = Repo::new();
    let one = repo.run("host", &["rev-parse", "HEAD"]);
    repo.push("two");
    assert_eq!(repo.pulled("pull = [['true']]"), one, "it says what is there");
    let (code, error) = repo.failed("pull = [['rm', '-rf', '{checkout}/.git']]");
    assert_eq!(code, Some(0));
    assert!(error.contains("the checkout's commit cannot be read: "), "{error}");
    assert!(error.contains("is no git checkout"), "{error}");
}

#[test]
fn a_repository_around_the_folder_is_not_touched() {
    for commands in [
        "",
        "pull = [['git', 'pull']]",
        "pull = [['git', 'fetch'], ['git', 'reset', '--hard', 'FETCH_HEAD']]",
    ] {
        let repo = Repo::new();
        repo.with_one_around();
        let (_, error) = repo.failed_in("etc/host", commands);
        repo.nothing_around_was_touched();
        if commands.is_empty() {
            let (inside, top) = (repo.dir("etc/host"), repo.dir("etc"));
            let told = "no git checkout, but a folder in that of";
            let told = format!("git fetch: {} is {told} {}", inside.display(), top.display());
            assert!(error.starts_with(&told), "{error}");
        } else {
            assert!(error.contains("not a git repository"), "{error}");
        }
    }
}

#[test]
fn a_checkout_whose_files_are_elsewhere_is_not_reset() {
    let repo = Repo::new();
    repo.with_one_around();
    let etc = repo.dir("etc").display().to_string();
    repo.run("host", &["config", "core.worktree", &etc]);
    let (_, error) = repo.failed("");
    assert!(error.contains("has its files in") && error.contains("core.worktree"), "{error}");
    assert!(!repo.dir("etc/flake.lock").exists());
    repo.nothing_around_was_touched();
}

#[test]
fn a_folder_of_another_kind_is_not_reset() {
    let repo = Repo::new();
    // Whatever git takes for a bare repository.
    let (_, error) = repo.failed_in("origin", "");
    assert!(error.contains("is no git checkout"), "{error}");
    fs::create_dir(repo.dir("plain")).unwrap();
    fs::write(repo.dir("plain/flake.nix"), "{}").unwrap();
    let (_, error) = repo.failed_in("plain", "");
    assert!(error.starts_with("git fetch: ") && error.contains("plain is no git checkout"), "{error}");
}

#[test]
fn a_linked_worktree_and_a_folder_behind_a_link_are_pulled() {
    let repo = Repo::new();
    let linked = repo.dir("linked").display().to_string();
    repo.run("host", &["worktree", "add", "--quiet", "--detach", &linked]);
    std::os::unix::fs::symlink("linked", repo.dir("current")).unwrap();
    repo.push("two");
    // As newer gits write it.
    let told = repo.dir("host/.git/worktrees/linked/gitdir");
    fs::write(told, "../../../../linked/.git\n").unwrap();
    for folder in ["linked", "current"] {
        let said = repo.pull_in(folder, "");
        assert!(matches!(said, Said::PullOk { dirty: Some(false), .. }), "{said:?}");
    }
    assert_eq!(fs::read_to_string(repo.dir("linked/flake.lock")).unwrap(), "two");
    assert_eq!(fs::read_to_string(repo.dir("host/flake.lock")).unwrap(), "one");
}
