//! Whole looks at real repositories.

mod owners;
mod submodules;
mod system;

use std::fs;
use std::os::unix::fs::symlink;

use compartment_core::event::Reading;
use compartment_core::{LockFile, ndjson};
use tempfile::TempDir;

use super::*;
use crate::run::Stop;

/// A repository with a remote, both in one folder.
struct Repo {
    folder: TempDir,
    git: Git,
}

impl Repo {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let git = Git::isolated(folder.path(), Stop::default());
        let repo = Self { folder, git };
        repo.run(".", &["init", "--quiet", "--bare", "origin"]);
        repo.run("origin", &["symbolic-ref", "HEAD", "refs/heads/main"]);
        for clone in ["desk", "host"] {
            repo.run(".", &["clone", "--quiet", "origin", clone]);
        }
        repo.commit("one\r\n");
        repo.run("host", &["pull", "--quiet"]);
        repo
    }

    fn dir(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, dir: &str, args: &[&str]) -> String {
        self.git.line(&self.dir(dir), args).unwrap()
    }

    fn commit(&self, lock: &str) {
        fs::write(self.dir("desk/flake.lock"), lock).unwrap();
        self.run("desk", &["add", "flake.lock"]);
        self.run("desk", &["commit", "--quiet", "-m", "lock"]);
        self.run("desk", &["push", "--quiet", "origin", "HEAD:main"]);
    }

    fn checkout(&self) -> Checkout {
        Checkout::open(&self.git, &self.dir("host")).unwrap()
    }

    fn heartbeat(&self) -> Heartbeat {
        let host = HostId::new("gpc0").unwrap();
        let places = Places::under(self.folder.path(), None, None);
        let (event, _) = machine(&self.git, &host, &self.checkout(), &places).unwrap();
        let line = ndjson::encode(None, &event);
        assert_eq!(ndjson::decode(line.as_bytes()).unwrap().event, event, "{line}");
        let Event::Report(Report { said: Said::Heartbeat(heartbeat), .. }) = event else { panic!("{line}") };
        heartbeat
    }

    fn desired(&self, source: &Source) -> Observation {
        desired(&self.git, &self.checkout(), source, Timestamp::MIN).unwrap()
    }
}

#[test]
fn a_checkout_is_read_part_by_part() {
    let repo = Repo::new();
    let told = repo.heartbeat();
    assert_eq!(told.commit.told().unwrap().to_string(), repo.run("desk", &["rev-parse", "HEAD"]));
    assert_eq!(told.dirty, Reading::Told(false));
    assert_eq!(told.lock_hash, Reading::Told(lock::hash_of(b"one\r\n").into()));
    assert_eq!((told.system, told.running), (Reading::Absent, None));

    fs::write(repo.dir("host/untracked"), "x").unwrap();
    assert_eq!(repo.heartbeat().dirty, Reading::Told(false), "Nix does not see untracked files");
    fs::write(repo.dir("host/flake.lock"), "two").unwrap();
    let told = repo.heartbeat();
    assert_eq!(told.dirty, Reading::Told(true));
    assert_eq!(told.lock_hash, Reading::Told(lock::hash_of(b"two").into()));

    fs::remove_file(repo.dir("host/flake.lock")).unwrap();
    assert_eq!(repo.heartbeat().lock_hash, Reading::Unreadable, "deleted, not unsaid");
    fs::create_dir(repo.dir("host/flake.lock")).unwrap();
    assert_eq!(repo.heartbeat().lock_hash, Reading::Unreadable);
    fs::remove_dir(repo.dir("host/flake.lock")).unwrap();
    repo.run("host", &["rm", "--quiet", "--cached", "flake.lock"]);
    repo.run("host", &["commit", "--quiet", "-m", "no lock"]);
    assert_eq!(repo.heartbeat().lock_hash, Reading::Told(LockFile::NoFile), "a repository without a lock");
    repo.run("host", &["checkout", "--quiet", "--orphan", "empty"]);
    let told = repo.heartbeat();
    assert_eq!(told.commit, Reading::Unreadable, "no commit yet");
    assert_eq!(told.lock_hash, Reading::Unreadable, "so nobody can tell whether it belongs there");
    repo.run("desk", &["rm", "--quiet", "flake.lock"]);
    repo.run("desk", &["commit", "--quiet", "-m", "no lock"]);
    repo.run("desk", &["push", "--quiet", "origin", "HEAD:main"]);
    let line = ndjson::encode(None, &repo.desired(&Source::origin_main()).into());
    assert!(line.contains(r#""lock_hash":null"#), "{line}");
    symlink("elsewhere", repo.dir("desk/flake.lock")).unwrap();
    repo.run("desk", &["add", "flake.lock"]);
    repo.run("desk", &["commit", "--quiet", "-m", "a link"]);
    repo.run("desk", &["push", "--quiet", "origin", "HEAD:main"]);
    let line = ndjson::encode(None, &repo.desired(&Source::origin_main()).into());
    assert!(!line.contains("lock_hash"), "nobody can say which lock that is: {line}");
}

#[test]
fn the_remote_is_read_from_one_commit_and_nothing_of_the_user_moves() {
    let repo = Repo::new();
    let users = || {
        let file = |name: &str| fs::read(repo.dir("host/.git").join(name)).ok();
        let mut refs = repo.run("host", &["show-ref"]);
        refs = refs.lines().filter(|line| !line.contains("refs/compartment/")).collect();
        (refs, file("index"), file("FETCH_HEAD"), repo.run("host", &["status", "--porcelain"]))
    };
    // An index that git would like to refresh.
    fs::write(repo.dir("host/flake.lock"), "one\r\n").unwrap();
    let before = users();
    repo.commit("two");
    let wanted = repo.run("desk", &["rev-parse", "HEAD"]);
    for look in ["with a fetch", "without one"] {
        let Observation::DesiredObserved { commit, lock_hash, look_started, .. } =
            repo.desired(&Source::origin_main())
        else {
            panic!("{look}")
        };
        assert_eq!((commit.to_string(), look_started.is_some()), (wanted.clone(), true), "{look}");
        assert_eq!(lock_hash, Some(lock::hash_of(b"two").into()), "{look}");
    }
    let host = Report::new(HostId::new("gpc0").unwrap(), Said::Heartbeat(repo.heartbeat())).into();
    let seen = repo.desired(&Source::origin_main());
    let compared = compared(&repo.git, &repo.checkout(), &host, &seen).unwrap();
    let Some(Event::Observation(Observation::CommitsCompared(counts))) = compared else { panic!() };
    assert_eq!((counts.behind, counts.ahead), (1, 0));
    assert_eq!(before, users());
}

#[test]
fn a_remote_that_cannot_be_read_is_said_so() {
    let repo = Repo::new();
    let unavailable = |remote: &str, branch: &str| {
        let source = Source { remote: remote.into(), branch: branch.into(), ..Source::origin_main() };
        let Observation::DesiredUnavailable { error, .. } = repo.desired(&source) else { panic!() };
        error.to_string()
    };
    let gone = unavailable("nowhere", "main");
    assert!(gone.contains("'nowhere' does not appear to be a git repository"), "{gone}");
    let branch = unavailable("origin", "other");
    assert!(branch.contains("no branch other"), "{branch}");
}

#[test]
fn what_is_no_checkout_is_named() {
    let repo = Repo::new();
    let refused = |name: &str| Checkout::open(&repo.git, &repo.dir(name)).unwrap_err();
    assert!(matches!(refused("missing"), NoCheckout::Folder { .. }));
    assert!(matches!(refused("origin"), NoCheckout::Git { .. }), "{}", refused("origin"));
    fs::create_dir(repo.dir("host/sub")).unwrap();
    let inside = refused("host/sub");
    assert!(matches!(inside, NoCheckout::Inside { .. }), "{inside}");
    fs::create_dir_all(repo.dir("a:b/plain")).unwrap();
    let colon = refused("a:b/plain").to_string();
    assert!(colon.contains("git cannot be kept to") && colon.contains("colon"), "{colon}");
    let plain = repo.dir("");
    assert!(matches!(Checkout::open(&repo.git, &plain), Err(NoCheckout::Git { .. })));
    // The repository of another folder: a pull here would move the branch there.
    for (name, link) in [("etc", true), ("other", false)] {
        fs::create_dir_all(repo.dir(&format!("host/{name}"))).unwrap();
        let (git_dir, at) = (repo.dir("host/.git"), repo.dir(&format!("host/{name}/.git")));
        match link {
            true => symlink("../.git", at).unwrap(),
            false => fs::write(at, format!("gitdir: {}\n", git_dir.display())).unwrap(),
        }
        let anothers = refused(&format!("host/{name}"));
        assert!(matches!(anothers, NoCheckout::NotItsOwn { .. }), "{anothers}");
    }
    // One of its own that is elsewhere, and a worktree; but not a copy of what leads to that.
    let apart = repo.dir("apart.git").display().to_string();
    repo.run(".", &["clone", "--quiet", "--separate-git-dir", &apart, "origin", "separate"]);
    Checkout::open(&repo.git, &repo.dir("separate")).unwrap();
    repo.run("host", &["worktree", "add", "--quiet", "--detach", &repo.dir("linked").display().to_string()]);
    Checkout::open(&repo.git, &repo.dir("linked")).unwrap();
    fs::create_dir(repo.dir("copy")).unwrap();
    fs::copy(repo.dir("linked/.git"), repo.dir("copy/.git")).unwrap();
    assert!(matches!(refused("copy"), NoCheckout::NotItsOwn { .. }), "{}", refused("copy"));
}

/// git forgets of a file that is there, and only while it is there, that it was told not to look at it.
#[test]
fn a_sparse_checkout_hides_what_is_not_there_also_after_it_was_there() {
    let repo = Repo::new();
    fs::create_dir(repo.dir("desk/left-out")).unwrap();
    fs::write(repo.dir("desk/left-out/file"), "").unwrap();
    repo.run("desk", &["add", "left-out"]);
    repo.commit("two");
    repo.run("host", &["pull", "--quiet"]);
    repo.run("host", &["sparse-checkout", "set", "--no-cone", "/*", "!/left-out/"]);
    assert!(!repo.dir("host/left-out").exists());
    fs::create_dir(repo.dir("host/left-out")).unwrap();
    fs::write(repo.dir("host/left-out/file"), "").unwrap();
    // What is remembered of an index that has just changed is not believed.
    let index = fs::File::options().write(true).open(repo.dir("host/.git/index")).unwrap();
    index.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let checkout = repo.checkout();
    for there in [true, false] {
        if !there {
            fs::remove_dir_all(repo.dir("host/left-out")).unwrap();
        }
        let doubt = checkout.sample(&repo.git).unwrap().dirty.unwrap_err().to_string();
        assert!(doubt.contains("told not to look at 1 of them, such as left-out/file"), "{doubt}");
    }
}

#[test]
fn the_lock_is_the_file_of_that_name_and_where_git_looks_at_it() {
    let repo = Repo::new();
    fs::write(repo.dir("host/a flake.lock"), "another").unwrap();
    repo.run("host", &["add", "."]);
    repo.run("host", &["commit", "--quiet", "-m", "another file"]);
    let of_commit = repo.heartbeat().lock_hash;
    fs::write(repo.dir("host/a flake.lock"), "changed").unwrap();
    let told = repo.heartbeat();
    assert_eq!((told.dirty, told.lock_hash), (Reading::Told(true), of_commit));
    repo.run("host", &["checkout", "--quiet", "."]);
    for (file, seen) in [("a flake.lock", true), ("flake.lock", false)] {
        repo.run("host", &["update-index", "--assume-unchanged", file]);
        let told = repo.heartbeat();
        assert_eq!(told.dirty, Reading::Unreadable, "{file}");
        assert_eq!(matches!(told.lock_hash, Reading::Told(_)), seen, "{file}");
    }
}

/// Which repository a folder has, and where its files are, may change between two looks.
#[test]
fn every_look_follows_the_folder_to_its_repository() {
    let repo = Repo::new();
    let looked = |checkout: &Checkout| {
        let sample = checkout.sample(&repo.git).unwrap();
        (sample.commit.is_ok(), sample.dirty.map_err(|doubt| doubt.to_string()))
    };
    let checkout = repo.checkout();
    assert_eq!(looked(&checkout), (true, Ok(false)));
    // Its files are said to be in a copy that nobody has touched.
    repo.run(".", &["clone", "--quiet", "origin", "pristine"]);
    fs::write(repo.dir("host/flake.lock"), "by hand").unwrap();
    assert_eq!(looked(&checkout), (true, Ok(true)));
    repo.run("host", &["config", "core.worktree", &repo.dir("pristine").display().to_string()]);
    let (_, dirty) = looked(&checkout);
    assert!(dirty.as_ref().is_err_and(|why| why.contains("has its files in")), "{dirty:?}");
    // Another repository, which is told not to look.
    for name in ["a", "b"] {
        let apart = repo.dir(&format!("{name}.git")).display().to_string();
        repo.run(".", &["clone", "--quiet", "--separate-git-dir", &apart, "origin", name]);
    }
    let checkout = Checkout::open(&repo.git, &repo.dir("a")).unwrap();
    assert_eq!(looked(&checkout), (true, Ok(false)));
    repo.run("b", &["update-index", "--assume-unchanged", "flake.lock"]);
    fs::write(repo.dir("a/flake.lock"), "by hand").unwrap();
    fs::copy(repo.dir("b/.git"), repo.dir("a/.git")).unwrap();
    let (_, dirty) = looked(&checkout);
    assert!(dirty.as_ref().is_err_and(|why| why.contains("told not to look")), "{dirty:?}");
}
