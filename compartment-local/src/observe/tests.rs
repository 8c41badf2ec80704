//! Whole looks, at folders laid out like machines and at real repositories.

mod owners;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use compartment_core::event::{GenerationNumber, Reading};
use compartment_core::{LockFile, ndjson};
use tempfile::TempDir;

use super::*;
use crate::run::Stop;

struct Fake {
    folder: TempDir,
}

impl Fake {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for sub in ["run", "nix/var/nix/profiles", "nix/store"] {
            fs::create_dir_all(folder.path().join(sub)).unwrap();
        }
        Self { folder }
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn system(&self, name: &str, number: u64) {
        let store = self.root().join("nix/store").join(name);
        fs::create_dir_all(&store).unwrap();
        let profiles = self.root().join("nix/var/nix/profiles");
        symlink(&store, profiles.join(format!("system-{number}-link"))).unwrap();
        self.point("nix/var/nix/profiles/system", &format!("system-{number}-link"));
        self.point("run/current-system", store.to_str().unwrap());
    }

    fn point(&self, link: &str, to: &str) {
        let link = self.root().join(link);
        drop(fs::remove_file(&link));
        symlink(to, link).unwrap();
    }

    fn places(&self) -> Places {
        Places::under(self.root(), Some(self.root().join("home")), Some("ann".into()))
    }

    fn seen(&self) -> Option<(String, Option<u32>, Option<String>)> {
        let system = self.places().running_system().unwrap()?;
        let commit = system.commit.map(|commit| commit.to_string());
        Some((system.path.unwrap().to_string(), system.number.map(GenerationNumber::get), commit))
    }

    fn doubt(&self) -> String {
        self.places().running_system().unwrap_err().to_string()
    }
}

#[test]
fn a_system_and_its_number() {
    let fake = Fake::new();
    assert_eq!(fake.seen(), None, "a machine without Nix");
    fake.system("aaa-nixos", 47);
    fake.system("bbb-nixos", 48);
    assert_eq!(fake.seen(), Some(("/nix/store/bbb-nixos".into(), Some(48), None)));
    fake.point("nix/var/nix/profiles/system", "system-47-link");
    assert_eq!(fake.seen(), Some(("/nix/store/bbb-nixos".into(), Some(48), None)), "a boot is due");
    let twice = fake.root().join("nix/var/nix/profiles/system-50-link");
    symlink(fake.root().join("nix/store/bbb-nixos"), twice).unwrap();
    assert_eq!(fake.seen(), Some(("/nix/store/bbb-nixos".into(), None, None)), "two numbers, so none");
}

#[test]
fn a_system_names_its_commit() {
    let fake = Fake::new();
    fake.system("aaa-nixos", 1);
    let store = fake.root().join("nix/store/aaa-nixos");
    fs::create_dir_all(store.join("sw/bin")).unwrap();
    let script =
        "#!/bin/sh\ncase x in --json)\n    cat <<EOF\n{\"configurationRevision\":\"abcdef0\"}\nEOF\nesac\n";
    fs::write(store.join("sw/bin/nixos-version"), script).unwrap();
    assert_eq!(fake.seen().unwrap().2.as_deref(), Some("abcdef0"));
    fs::write(store.join("darwin-version.json"), r#"{"configurationRevision":"1234567"}"#).unwrap();
    assert_eq!(fake.seen().unwrap().2.as_deref(), Some("1234567"));
    fs::write(store.join("darwin-version.json"), "{").unwrap();
    assert!(fake.doubt().contains("darwin-version.json"), "{}", fake.doubt());
}

#[test]
fn what_is_there_and_broken_is_a_doubt() {
    let fake = Fake::new();
    fake.system("aaa-nixos", 1);
    fake.point("nix/var/nix/profiles/system", "system-x-link");
    assert!(fake.doubt().contains("profiles/system"), "{}", fake.doubt());
    fake.point("nix/var/nix/profiles/system", fake.root().join("nix/store/aaa-nixos").to_str().unwrap());
    assert!(fake.doubt().contains("no generation"), "{}", fake.doubt());
    fake.point("nix/var/nix/profiles/system", "system-1-link");
    fake.point("run/current-system", "/nowhere/at-all");
    assert!(fake.doubt().contains("current-system"), "{}", fake.doubt());
    fs::remove_file(fake.root().join("run/current-system")).unwrap();
    assert!(fake.doubt().contains("but no"), "{}", fake.doubt());
    fake.point("run/current-system", fake.root().join("nix/store/b\u{1b}[31m").to_str().unwrap());
    fs::create_dir(fake.root().join("nix/store/b\u{1b}[31m")).unwrap();
    assert!(fake.doubt().contains("no usable path") && !fake.doubt().contains('\u{1b}'), "{}", fake.doubt());
}

#[test]
fn home_manager_where_there_is_no_system() {
    let fake = Fake::new();
    let store = fake.root().join("nix/store/hm");
    fs::create_dir_all(&store).unwrap();
    for (profiles, number) in
        [("nix/var/nix/profiles/per-user/ann", 3), ("home/.local/state/nix/profiles", 12)]
    {
        fs::create_dir_all(fake.root().join(profiles)).unwrap();
        fake.point(&format!("{profiles}/home-manager-{number}-link"), store.to_str().unwrap());
        fake.point(&format!("{profiles}/home-manager"), &format!("home-manager-{number}-link"));
        assert_eq!(fake.seen(), Some(("/nix/store/hm".into(), Some(number), None)));
    }
}

/// A profile of home-manager with one generation, which lies at `/nix/store/` and its number.
fn home(fake: &Fake, profiles: &str, number: u32) {
    let store = fake.root().join(format!("nix/store/hm-{number}"));
    fs::create_dir_all(&store).unwrap();
    fs::create_dir_all(fake.root().join(profiles)).unwrap();
    fake.point(&format!("{profiles}/home-manager-{number}-link"), store.to_str().unwrap());
    fake.point(&format!("{profiles}/home-manager"), &format!("home-manager-{number}-link"));
}

#[test]
fn home_manager_s_profile_is_the_one_that_it_uses_itself() {
    let fake = Fake::new();
    let places = || Places::under(fake.root(), Some(fake.root().join("home")), Some("ann".into()));
    let number = |places: Places| places.running_system().unwrap().map(|runs| runs.number.unwrap().get());
    home(&fake, "home/.local/state/nix/profiles", 12);
    home(&fake, "state/nix/profiles", 30);
    assert_eq!(number(places()), Some(12));
    assert_eq!(number(places().with_state(Some(fake.root().join("state")), None)), Some(30));
    // Where its state is elsewhere and empty, none runs.
    assert_eq!(number(places().with_state(Some(fake.root().join("other")), None)), None);
    home(&fake, "nix/var/nix/profiles/per-user/ann", 3);
    assert_eq!(number(places().with_state(Some(fake.root().join("other")), None)), Some(3));
    home(&fake, "varnix/profiles/per-user/ann", 4);
    let moved = || places().with_state(Some(fake.root().join("other")), Some(fake.root().join("varnix")));
    assert_eq!(number(moved()), Some(4));
    // Once the user has profiles of their own, an old one counts no more, and what runs is not known before the next
    // activation.
    fs::create_dir_all(fake.root().join("other/nix/profiles")).unwrap();
    let doubt = moved().running_system().unwrap_err().to_string();
    assert!(doubt.contains("varnix") && doubt.contains("other/nix/profiles"), "{doubt}");
}

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

/// What git does not look at in submodules by itself, or not from above: each is looked at.
#[test]
fn submodules_are_looked_at_each_by_itself() {
    let repo = Repo::new();
    let local = ["-c", "protocol.file.allow=always"];
    let add = |into: &str, from: &str, name: &str| {
        let from = repo.dir(from).display().to_string();
        repo.run(into, &[&local[..], &["submodule", "--quiet", "add", &from, name]].concat());
        repo.run(into, &["commit", "--quiet", "-m", "a submodule"]);
    };
    for name in ["inner", "outer"] {
        repo.run(".", &["init", "--quiet", "--initial-branch=main", name]);
        fs::write(repo.dir(name).join("file"), "as it was").unwrap();
        repo.run(name, &["add", "file"]);
        repo.run(name, &["commit", "--quiet", "-m", "first"]);
    }
    add("outer", "inner", "nested");
    // What the outer one's own settings say of the inner one counts for nobody.
    repo.run("outer", &["config", "--file", ".gitmodules", "submodule.nested.ignore", "all"]);
    repo.run("outer", &["commit", "--quiet", "-a", "-m", "ignored"]);
    add("desk", "outer", "sub");
    repo.run("desk", &["push", "--quiet", "origin", "HEAD:main"]);
    repo.run("host", &["pull", "--quiet"]);
    let checkout = repo.checkout();
    let dirty = || checkout.sample(&repo.git).unwrap().dirty.map_err(|doubt| doubt.to_string());
    assert_eq!(dirty(), Ok(false), "none is there, as after a clone");
    repo.run("host", &[&local[..], &["submodule", "--quiet", "update", "--init", "--recursive"]].concat());
    assert_eq!(dirty(), Ok(false));
    for file in ["host/sub/file", "host/sub/nested/file"] {
        fs::write(repo.dir(file), "other").unwrap();
        assert_eq!(dirty(), Ok(true), "{file}");
        fs::write(repo.dir(file), "as it was").unwrap();
        assert_eq!(dirty(), Ok(false), "{file}");
    }
    // Hidden there, which changes nothing above.
    for (folder, mark) in [("host/sub", "assume-unchanged"), ("host/sub/nested", "skip-worktree")] {
        repo.run(folder, &["update-index", &format!("--{mark}"), "file"]);
        let why = dirty().unwrap_err();
        assert!(why.contains("git is told not to look at 1 of them, such as file"), "{why}");
        repo.run(folder, &["update-index", &format!("--no-{mark}"), "file"]);
        assert_eq!(dirty(), Ok(false));
    }
    // Not active, so that git passes it over.
    repo.run("host", &["config", "submodule.sub.active", "false"]);
    fs::write(repo.dir("host/sub/file"), "other").unwrap();
    assert_eq!(dirty(), Ok(true));
    fs::write(repo.dir("host/sub/file"), "as it was").unwrap();
    repo.run("host", &["config", "--unset", "submodule.sub.active"]);
    // Its files are elsewhere.
    repo.run(".", &["clone", "--quiet", "outer", "copy"]);
    let copy = repo.dir("copy").canonicalize().unwrap().display().to_string();
    repo.run("host/sub", &["config", "core.worktree", &copy]);
    let why = dirty().unwrap_err();
    assert!(why.contains("its repository has its files in"), "{why}");
    repo.run(
        "copy",
        &[
            "config",
            "--file",
            &repo.dir("host/.git/modules/sub/config").display().to_string(),
            "core.worktree",
            "../../../sub",
        ],
    );
    assert_eq!(dirty(), Ok(false));
    // Another commit in the place of its own.
    let file = repo.run("host/sub", &["hash-object", "-w", "file"]);
    fs::write(repo.dir("host/sub/file"), "other").unwrap();
    let other = repo.run("host/sub", &["hash-object", "-w", "file"]);
    repo.run("host/sub", &["replace", &file, &other]);
    assert_eq!(dirty(), Ok(true));
    repo.run("host/sub", &["replace", "--delete", &file]);
    // Files, and no repository.
    fs::remove_dir_all(repo.dir("host/sub")).unwrap();
    fs::create_dir(repo.dir("host/sub")).unwrap();
    fs::write(repo.dir("host/sub/file"), "other").unwrap();
    assert!(dirty().is_err(), "{:?}", dirty());
}
