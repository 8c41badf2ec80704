//! Facts of real checkouts, and of folders that are laid out like NixOS: the same that an agent there would report.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use compartment_core::event::{Event, Heartbeat, Kind, Reading, Report, Said};
use compartment_core::{HostId, LockFile};
use compartment_local::git::Git;
use compartment_local::observe::{Checkout, Managed, Places, machine};
use compartment_local::operation::result;
use compartment_local::run::Stop;
use compartment_transport_ssh::host::{self, HostLook};

use crate::common::{Host, git, host_path, nonce, on_each_shell, program, until};

/// A host with a checkout in a folder with an unpleasant name.
fn with_checkout(mut host: Host) -> Host {
    let checkout = host.path("it's a $checkout");
    fs::create_dir(&checkout).unwrap();
    git(&checkout, &["init", "--quiet"]);
    fs::write(checkout.join("flake.lock"), "one\r\n").unwrap();
    git(&checkout, &["add", "."]);
    git(&checkout, &["commit", "--quiet", "-m", "one"]);
    host.site.checkout = Some(host_path(&checkout));
    host
}

fn checkout(host: &Host) -> &Path {
    Path::new(host.site.checkout.as_ref().unwrap().as_str())
}

/// What an agent on the host says.
fn agent(host: &Host) -> Heartbeat {
    let git = Git::isolated(&host.path("home"), Stop::default());
    agent_with(host, &Checkout::open(&git, checkout(host)).unwrap())
}

/// The same, with a checkout that it keeps open.
fn agent_with(host: &Host, checkout: &Checkout) -> Heartbeat {
    let git = Git::isolated(&host.path("home"), Stop::default());
    let places = Places::under(&host.path("root"), Some(host.path("home")), None).managing(host.site.managed);
    let (event, _) = machine(&git, &HostId::new("gpc0").unwrap(), checkout, &places).unwrap();
    let Event::Report(Report { said: Said::Heartbeat(heartbeat), .. }) = event else { panic!() };
    Heartbeat { agent_version: Reading::Absent, running: Some(None), ..heartbeat }
}

fn same(host: &Host) -> HostLook {
    let look = host.look();
    assert_eq!(look.heartbeat, agent(host), "{:?}", look.doubts);
    look
}

/// The same host, without some programs.
fn without(mut host: Host, missing: &[&str]) -> Host {
    let bin = host.path("few");
    fs::create_dir(&bin).unwrap();
    for name in
        ["cat", "grep", "sed", "tr", "tail", "head", "readlink", "dd", "id", "sha256sum", "git", "wc", "ps"]
    {
        if !missing.contains(&name) {
            symlink(program(name), bin.join(name)).unwrap();
        }
    }
    host.site.programs = vec![];
    host.path = bin.to_str().unwrap().to_owned();
    host
}

#[test]
fn a_checkout_is_what_an_agent_says_it_is() {
    on_each_shell(|host| {
        let host = with_checkout(host);
        let top = checkout(&host);
        let told = same(&host).heartbeat;
        assert_eq!(told.commit.told().unwrap().to_string(), git(top, &["rev-parse", "HEAD"]));
        assert!(matches!((told.dirty, told.lock_hash), (Reading::Told(false), Reading::Told(_))));
        fs::write(top.join("untracked"), "x").unwrap();
        assert_eq!(same(&host).heartbeat.dirty, Reading::Told(false));
        fs::write(top.join("flake.lock"), "two").unwrap();
        assert_eq!(same(&host).heartbeat.dirty, Reading::Told(true));
        fs::remove_file(top.join("flake.lock")).unwrap();
        assert_eq!(same(&host).heartbeat.lock_hash, Reading::Unreadable, "deleted, not unsaid");
        fs::create_dir(top.join("flake.lock")).unwrap();
        assert_eq!(same(&host).heartbeat.lock_hash, Reading::Unreadable);
        fs::remove_dir(top.join("flake.lock")).unwrap();
        git(top, &["rm", "--quiet", "--cached", "flake.lock"]);
        git(top, &["commit", "--quiet", "-m", "no lock"]);
        assert_eq!(same(&host).heartbeat.lock_hash, Reading::Told(LockFile::NoFile));
        git(top, &["checkout", "--quiet", "--orphan", "empty"]);
        assert_eq!(same(&host).heartbeat.commit, Reading::Unreadable, "no commit yet");
    });
}

#[test]
fn what_git_does_not_look_at_is_no_clean_file() {
    on_each_shell(|host| {
        let host = with_checkout(host);
        let top = checkout(&host);
        fs::write(top.join("flake.nix"), "{}").unwrap();
        git(top, &["add", "flake.nix"]);
        git(top, &["commit", "--quiet", "-m", "flake"]);
        assert_eq!(same(&host).heartbeat.dirty, Reading::Told(false));
        for mark in ["assume-unchanged", "skip-worktree"] {
            git(top, &["update-index", &format!("--{mark}"), "flake.nix"]);
            for edit in ["{}", "{ changed = true; }"] {
                fs::write(top.join("flake.nix"), edit).unwrap();
                let look = same(&host);
                assert_eq!(look.heartbeat.dirty, Reading::Unreadable, "{mark} {edit}");
                let told = look.doubts[0].as_str();
                assert!(told.contains("not to look at flake.nix") && told.contains("update-index"), "{told}");
            }
            // What git sees is dirt all the same.
            fs::write(top.join("flake.lock"), "other").unwrap();
            assert_eq!(same(&host).heartbeat.dirty, Reading::Told(true));
            fs::write(top.join("flake.lock"), "one\r\n").unwrap();
            fs::write(top.join("flake.nix"), "{}").unwrap();
            git(top, &["update-index", &format!("--no-{mark}"), "flake.nix"]);
            assert_eq!(same(&host).heartbeat.dirty, Reading::Told(false));
        }
    });
}

#[test]
fn what_a_repository_would_have_git_overlook_is_seen() {
    on_each_shell(|host| {
        let host = with_checkout(host);
        let top = checkout(&host);
        git(top, &["config", "core.fileMode", "false"]);
        fs::set_permissions(top.join("flake.lock"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(same(&host).heartbeat.dirty, Reading::Told(true));
        fs::set_permissions(top.join("flake.lock"), fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(same(&host).heartbeat.dirty, Reading::Told(false));
        // A commit in the place of another one: Nix takes the one that it is told.
        let first = git(top, &["rev-parse", "HEAD"]);
        fs::write(top.join("flake.lock"), "two").unwrap();
        git(top, &["commit", "--quiet", "--all", "-m", "two"]);
        let second = git(top, &["rev-parse", "HEAD"]);
        git(top, &["reset", "--quiet", "--hard", &first]);
        git(top, &["replace", &first, &second]);
        git(top, &["reset", "--quiet", "--hard"]);
        assert_eq!(fs::read_to_string(top.join("flake.lock")).unwrap(), "two", "git shows the other");
        let look = same(&host).heartbeat;
        assert_eq!((look.commit.told().unwrap().to_string(), look.dirty), (first, Reading::Told(true)));
    });
}

#[test]
fn the_lock_that_counts_is_that_of_the_commit() {
    on_each_shell(|host| {
        let host = with_checkout(host);
        let top = checkout(&host);
        let lock = |host: &Host| same(host).heartbeat.lock_hash;
        let first = lock(&host);
        // Other bytes than the commit has, and git calls it unmodified.
        fs::write(top.join(".gitattributes"), "flake.lock text eol=crlf\n").unwrap();
        fs::write(top.join("flake.lock"), "two\n").unwrap();
        git(top, &["add", "--all"]);
        git(top, &["commit", "--quiet", "-m", "two"]);
        fs::remove_file(top.join("flake.lock")).unwrap();
        git(top, &["checkout", "--quiet", "--", "flake.lock"]);
        assert_eq!(fs::read_to_string(top.join("flake.lock")).unwrap(), "two\r\n");
        let look = same(&host).heartbeat;
        assert_eq!(look.dirty, Reading::Told(false));
        assert!(look.lock_hash != first && matches!(look.lock_hash, Reading::Told(_)));
        let line = git(top, &["cat-file", "blob", "HEAD:flake.lock"]);
        assert_eq!(line, "two");
        // Changed, it is what lies there.
        fs::write(top.join("flake.lock"), "one\r\n").unwrap();
        assert_eq!(lock(&host), first);
        // One that is in no commit proves nothing.
        git(top, &["rm", "--quiet", "--force", "flake.lock"]);
        git(top, &["commit", "--quiet", "-m", "none"]);
        assert_eq!(lock(&host), Reading::Told(LockFile::NoFile));
        fs::write(top.join(".git/info/exclude"), "flake.lock").unwrap();
        for _ in 0..2 {
            fs::write(top.join("flake.lock"), "untracked").unwrap();
            let look = same(&host);
            assert_eq!(look.heartbeat.lock_hash, Reading::Unreadable);
            assert!(look.doubts[0].as_str().contains("the commit has none: add it"), "{:?}", look.doubts);
            fs::write(top.join(".git/info/exclude"), "").unwrap();
        }
        // Nobody follows a link.
        fs::remove_file(top.join("flake.lock")).unwrap();
        symlink(".gitattributes", top.join("flake.lock")).unwrap();
        git(top, &["add", "flake.lock"]);
        git(top, &["commit", "--quiet", "-m", "a link"]);
        assert_eq!(lock(&host), Reading::Unreadable);
    });
}

#[test]
fn a_lock_that_is_known_is_not_asked_for_again() {
    on_each_shell(|host| {
        let host = with_git_that_is_followed(with_checkout(host));
        let Heartbeat { commit: Reading::Told(commit), lock_hash: Reading::Told(lock), .. } =
            same(&host).heartbeat
        else {
            panic!()
        };
        let look = |known| host::look(&nonce(), &host.site, None, None, Some(known));
        let told = |known| host::read_look(&host.run(&look(known)), &nonce()).unwrap().heartbeat.lock_hash;
        assert_eq!(
            told((commit, LockFile::NoFile)),
            Reading::Unreadable,
            "what is known is believed: a file is there"
        );
        let other = compartment_core::Commit::new(&"b".repeat(40)).unwrap();
        assert_eq!(told((other, LockFile::NoFile)), Reading::Told(lock), "of that commit alone");
    });
}

#[test]
fn a_checkout_that_a_link_leads_to_is_the_one_that_it_leads_to_now() {
    on_each_shell(|host| {
        let mut host = with_checkout(host);
        let rev_b = checkout(&host).to_owned();
        git(&host.path(""), &["clone", "--quiet", rev_b.to_str().unwrap(), "rev-a"]);
        git(&host.path("rev-a"), &["commit", "--quiet", "--allow-empty", "-m", "another"]);
        let current = host.path("current");
        symlink(&rev_b, &current).unwrap();
        host.site.checkout = Some(host_path(&current));
        let at_b = same(&host).heartbeat;
        let kept = Checkout::open(&Git::isolated(&host.path("home"), Stop::default()), &current).unwrap();
        assert_eq!(agent_with(&host, &kept), at_b);
        fs::remove_file(&current).unwrap();
        symlink(host.path("rev-a"), &current).unwrap();
        let at_a = same(&host).heartbeat;
        assert_ne!(at_a.commit, at_b.commit);
        assert_eq!(agent_with(&host, &kept), at_a, "also for whoever keeps it open");
        fs::remove_file(&current).unwrap();
        assert_eq!(agent_with(&host, &kept).commit, Reading::Unreadable);
    });
}

/// Puts something of its own before the host's git: run as `$0.before` and `$0.after` around every `git status`, with
/// the checkout as its argument.
fn with_git_that_is_followed(mut host: Host) -> Host {
    let (real, top) = (program("git"), checkout(&host).display().to_string());
    let script = format!(
        "#!/bin/sh\ncase \" $* \" in *' status '*) ;; *) exec {real} \"$@\" ;; esac\n\
         [ ! -f \"$0.before\" ] || sh \"$0.before\" \"{top}\"\n{real} \"$@\"\ncode=$?\n\
         [ ! -f \"$0.after\" ] || sh \"$0.after\" \"{top}\"\nexit $code\n",
        real = real.display(),
        top = top.replace('$', "\\$"),
    );
    host.install("bin/git", &script);
    host.path = format!("{}:{}", host.path("bin").display(), host.path);
    host
}

#[test]
fn a_checkout_that_moves_while_it_is_read_is_never_half_of_each() {
    on_each_shell(|host| {
        let host = with_git_that_is_followed(with_checkout(host));
        let top = checkout(&host);
        let before = same(&host).heartbeat;
        let first = git(top, &["rev-parse", "HEAD"]);
        fs::write(top.join("flake.lock"), "two").unwrap();
        git(top, &["commit", "--quiet", "--all", "-m", "two"]);
        let after = same(&host).heartbeat;
        assert_ne!(before.lock_hash, after.lock_hash);
        let reset = |to: &str| format!("git -C \"$1\" reset --quiet --hard {to}\n");
        let both = format!(
            "if [ \"$(git -C \"$1\" rev-parse HEAD)\" = {first} ]; then {}else {}fi\n",
            reset("ORIG_HEAD"),
            reset(&first)
        );

        // A pull comes between the commit and the lock: all of it is what came before.
        git(top, &["reset", "--quiet", "--hard", &first]);
        fs::write(host.path("bin/git.after"), format!("rm \"$0\"\n{}", reset("ORIG_HEAD"))).unwrap();
        assert_eq!(host.look().heartbeat, before);
        // One that comes before the commit: what came after.
        git(top, &["reset", "--quiet", "--hard", &first]);
        fs::write(host.path("bin/git.before"), format!("rm \"$0\"\n{}", reset("ORIG_HEAD"))).unwrap();
        assert_eq!(host.look().heartbeat, after);
        // Somebody writes into the file in between: then it is dirty, whichever of the two was read.
        fs::write(host.path("bin/git.before"), "printf three > \"$1/flake.lock\"\n").unwrap();
        let look = host.look().heartbeat;
        assert_eq!((look.commit, look.dirty), (after.commit, Reading::Told(true)));
        fs::remove_file(host.path("bin/git.before")).unwrap();
        git(top, &["reset", "--quiet", "--hard", &first]);
        // It moves all the time: one or the other.
        fs::write(host.path("bin/git.after"), both).unwrap();
        for _ in 0..3 {
            let look = host.look().heartbeat;
            assert!(look == before || look == after, "{look:?}");
        }
    });
}

#[test]
fn what_ends_while_the_facts_are_read_is_still_to_be_told() {
    on_each_shell(|host| {
        let host = with_git_that_is_followed(with_checkout(host));
        let hangs = r#"until [ -e "$1/go" ]; do sleep 0.02; done"#;
        host.begin("op-1", &host.plan(Kind::Switch, &[hangs]));
        let look = until(|| Some(host.look()).filter(|look| look.running.is_some()));
        assert!(!look.untold, "it runs on");
        let (go, ended) = (host.path("go"), host.state("ops/op-1/ended"));
        let script = format!(
            "rm \"$0\"\ntouch '{}'\nuntil [ -e '{}' ]; do sleep 0.02; done\n",
            go.display(),
            ended.display()
        );
        fs::write(host.path("bin/git.before"), script).unwrap();
        let look = host.look();
        assert_eq!(look.heartbeat.running, Some(Some(Kind::Switch)));
        assert!((look.ended.is_empty(), look.untold) == (true, true), "{look:?}");
        let look = host.look();
        assert_eq!((look.heartbeat.running, look.ended.len(), look.untold), (Some(None), 1, false));
    });
}

#[test]
fn of_a_git_that_does_not_answer_all_else_is_told() {
    on_each_shell(|host| {
        let host = with_git_that_is_followed(with_checkout(host));
        let expected = host.look().heartbeat;
        fs::write(host.path("bin/git.before"), "exec sleep 1000\n").unwrap();
        let wary = host::look(&nonce(), &host.site, None, Some(Duration::from_millis(500)), None);
        let look = host::read_look(&host.run(&wary), &nonce()).unwrap();
        let (dirty, lock_hash) = (Reading::Unreadable, Reading::Unreadable);
        assert_eq!(look.heartbeat, Heartbeat { dirty, lock_hash, ..expected });
        let words = "git was killed after 1 s without an answer";
        assert!(look.doubts[0].as_str().contains(words), "{:?}", look.doubts);
        // An operation always minds it; here with a limit that a test can wait for.
        let real = program("timeout").display().to_string();
        host.install("bin/timeout", &format!("#!/bin/sh\nshift 3\nexec {real} -s KILL 0.3 \"$@\"\n"));
        host.begin("o1", &host.plan(Kind::Switch, &["true"]));
        until(|| host.state("ops/o1/ended").exists().then_some(()));
        fs::remove_file(host.path("bin/git.before")).unwrap();
        let ended = host.ended("o1");
        assert_eq!(ended.ending.before.dirty, Reading::Unreadable);
        assert_eq!(ended.ending.after.dirty, Reading::Unreadable);
    });
}

#[test]
fn what_is_no_checkout_is_unreadable_and_said_once() {
    on_each_shell(|mut host| {
        host.site.checkout = Some(host_path(&host.path("nowhere")));
        for words in ["cannot open", "is not the top of a git checkout"] {
            let look = host.look();
            let Heartbeat { commit, dirty, lock_hash, .. } = look.heartbeat;
            assert_eq!((commit, dirty), (Reading::Unreadable, Reading::Unreadable));
            assert_eq!(lock_hash, Reading::Unreadable);
            assert!(look.doubts.len() == 1 && look.doubts[0].as_str().contains(words), "{:?}", look.doubts);
            fs::create_dir_all(host.path("nowhere")).unwrap();
        }
        fs::create_dir(host.path("nowhere/.git")).unwrap();
        let look = host.look();
        assert_eq!(look.heartbeat.commit, Reading::Unreadable);
        assert!(
            look.doubts.iter().any(|doubt| doubt.as_str().contains("not a git repository")),
            "{:?}",
            look.doubts
        );
    });
}

#[test]
fn without_git_the_commit_is_read_by_hand() {
    on_each_shell(|host| {
        let mut host = without(with_checkout(host), &["git"]);
        let top = checkout(&host).to_owned();
        let told = |host: &Host, at: &Path| {
            let look = host.look();
            let Heartbeat { commit, dirty, lock_hash, .. } = look.heartbeat;
            assert_eq!(dirty, Reading::Unreadable, "nobody can tell");
            assert_eq!(lock_hash, Reading::Unreadable, "nor what git knows of the file");
            assert!(look.doubts[0].as_str().contains("without git nobody can tell"), "{:?}", look.doubts);
            assert_eq!(commit.told().map(|commit| commit.to_string()), Some(git(at, &["rev-parse", "HEAD"])));
        };
        told(&host, &top);
        git(&top, &["branch", "other/main"]);
        git(&top, &["branch", "xmain"]);
        git(&top, &["pack-refs", "--all"]);
        told(&host, &top);
        fs::write(top.join("more"), "x").unwrap();
        git(&top, &["add", "."]);
        git(&top, &["commit", "--quiet", "-m", "a loose ref before a packed one"]);
        told(&host, &top);
        let worktree = host.path("worktree");
        git(&top, &["worktree", "add", "--quiet", "-b", "side", worktree.to_str().unwrap()]);
        git(&top, &["pack-refs", "--all"]);
        host.site.checkout = Some(host_path(&worktree));
        told(&host, &worktree);
        git(&worktree, &["commit", "--quiet", "--allow-empty", "-m", "loose, in a worktree"]);
        told(&host, &worktree);
        git(&worktree, &["checkout", "--quiet", "--detach"]);
        told(&host, &worktree);
        fs::write(top.join(".git/HEAD"), "ref: refs/heads/main").unwrap();
        host.site.checkout = Some(host_path(&top));
        told(&host, &top);
        for broken in ["ref: ../../../../etc/passwd", "ref: refs/heads/none", "", "nonsense", "ref: HEAD"] {
            fs::write(top.join(".git/HEAD"), broken).unwrap();
            assert_eq!(host.look().heartbeat.commit, Reading::Unreadable, "{broken}");
        }
    });
}

#[test]
fn a_lock_is_hashed_by_whatever_there_is() {
    on_each_shell(|host| {
        let host = with_checkout(host);
        let expected = host.look().heartbeat.lock_hash;
        assert!(matches!(expected, Reading::Told(_)));
        let host = without(host, &["sha256sum"]);
        let look = host.look();
        assert_eq!(
            look.heartbeat.lock_hash,
            Reading::Absent,
            "a missing tool is a missing fact: {:?}",
            look.doubts
        );
        let real = program("sha256sum");
        let real = real.to_str().unwrap();
        for (tool, script) in [
            ("shasum", format!("#!/bin/sh\n[ \"$*\" = '-a 256' ] && exec {real}\n")),
            ("openssl", format!("#!/bin/sh\nset -- $({real})\necho \"SHA2-256(stdin)= $1\"\n")),
            ("sha256", format!("#!/bin/sh\nset -- $({real})\necho \"$1\"\n")),
            ("sha256sum", "#!/bin/sh\necho nonsense; exit 1\n".to_owned()),
        ] {
            let file = host.install(&format!("few/{tool}"), &script);
            let expected = if tool == "sha256sum" { Reading::Unreadable } else { expected };
            assert_eq!(host.look().heartbeat.lock_hash, expected, "{tool}");
            fs::remove_file(file).unwrap();
        }
    });
}

/// Makes a system and lets it run.
fn system(host: &Host, name: &str, number: u64) {
    let root = host.path("root");
    let (store, profiles) = (root.join("nix/store").join(name), root.join("nix/var/nix/profiles"));
    for folder in [&store, &profiles, &root.join("run")] {
        fs::create_dir_all(folder).unwrap();
    }
    symlink(&store, profiles.join(format!("system-{number}-link"))).unwrap();
    point(host, "nix/var/nix/profiles/system", &format!("system-{number}-link"));
    point(host, "run/current-system", store.to_str().unwrap());
}

fn point(host: &Host, link: &str, to: &str) {
    let link = host.path("root").join(link);
    let _first = fs::remove_file(&link);
    symlink(to, link).unwrap();
}

fn seen(host: &Host) -> Option<(String, Option<u32>, Option<String>)> {
    let system = same(host).heartbeat.system.told()?;
    let commit = system.commit.map(|commit| commit.to_string());
    Some((system.path?.to_string(), system.number.map(std::num::NonZeroU32::get), commit))
}

#[test]
fn a_system_is_what_an_agent_says_it_is() {
    on_each_shell(|host| {
        let host = with_checkout(host);
        assert_eq!(seen(&host), None);
        system(&host, "aaa-nixos", 47);
        system(&host, "bbb-nixos", 48);
        assert_eq!(seen(&host), Some(("/nix/store/bbb-nixos".into(), Some(48), None)));
        point(&host, "nix/var/nix/profiles/system", "system-47-link");
        assert_eq!(seen(&host), Some(("/nix/store/bbb-nixos".into(), Some(48), None)), "a boot is due");
        point(
            &host,
            "nix/var/nix/profiles/system-50-link",
            host.path("root/nix/store/bbb-nixos").to_str().unwrap(),
        );
        assert_eq!(seen(&host), Some(("/nix/store/bbb-nixos".into(), None, None)), "two numbers, so none");
        let script = "case x in --json)\n    cat <<EOF\n{ nonsense\n{\"configurationRevision\":\"abcdef0\"}\nEOF\nesac\n";
        host.install("root/nix/store/bbb-nixos/sw/bin/nixos-version", script);
        assert_eq!(seen(&host).unwrap().2.as_deref(), Some("abcdef0"));
        let darwin = host.path("root/nix/store/bbb-nixos/darwin-version.json");
        fs::write(&darwin, "{\n  \"configurationRevision\":\n \"1234567\"}\n").unwrap();
        assert_eq!(seen(&host).unwrap().2.as_deref(), Some("1234567"));
        for broken in ["{", "{\"configurationRevision\":\"1234567-dirty\"}"] {
            fs::write(&darwin, broken).unwrap();
            same(&host);
        }
        fs::remove_file(&darwin).unwrap();
        symlink("nowhere", &darwin).unwrap();
        assert_eq!(same(&host).heartbeat.system, Reading::Unreadable);
        fs::remove_file(&darwin).unwrap();
        for (link, to) in [
            ("nix/var/nix/profiles/system", "system-x-link"),
            ("nix/var/nix/profiles/system", host.path("root/nix/store/aaa-nixos").to_str().unwrap()),
            ("run/current-system", "/nowhere/at-all"),
        ] {
            point(&host, "nix/var/nix/profiles/system", "system-47-link");
            point(&host, link, to);
            let look = same(&host);
            assert_eq!((look.heartbeat.system, look.doubts.len()), (Reading::Unreadable, 1), "{to}");
        }
        point(&host, "nix/var/nix/profiles/system", "system-47-link");
        fs::remove_file(host.path("root/run/current-system")).unwrap();
        assert_eq!(same(&host).heartbeat.system, Reading::Unreadable);
        let odd = host.path("root/nix/store/b\u{1b}[31m\n");
        fs::create_dir(&odd).unwrap();
        point(&host, "run/current-system", odd.to_str().unwrap());
        let look = same(&host);
        assert!(look.doubts[0].as_str().contains("no usable path"), "{:?}", look.doubts);
    });
}

#[test]
fn a_number_is_that_of_what_runs_also_while_the_profile_moves() {
    on_each_shell(|host| {
        let mut host = with_checkout(host);
        system(&host, "bbb-nixos", 48);
        system(&host, "aaa-nixos", 47);
        let profile = host.path("root/nix/var/nix/profiles/system").display().to_string();
        let real = program("readlink").display().to_string();
        // The profile moves on just before its link is read.
        let script =
            format!("#!/bin/sh\nrm '{profile}'; ln -s system-48-link '{profile}'\nexec {real} \"$@\"\n");
        host.install("bin/readlink", &script);
        host.path = format!("{}:{}", host.path("bin").display(), host.path);
        let told = host.look().heartbeat.system.told().unwrap();
        assert_eq!(told.path.unwrap().as_str(), "/nix/store/aaa-nixos");
        assert_eq!(told.number.map(std::num::NonZeroU32::get), Some(47));
    });
}

#[test]
fn a_home_where_there_is_no_system_or_where_it_is_managed() {
    on_each_shell(|host| {
        let mut host = with_checkout(host);
        let profiles = host.path("home/.local/state/nix/profiles");
        fs::create_dir_all(&profiles).unwrap();
        fs::create_dir_all(host.path("root/nix/store/hm")).unwrap();
        symlink(host.path("root/nix/store/hm"), profiles.join("home-manager-12-link")).unwrap();
        symlink("home-manager-12-link", profiles.join("home-manager")).unwrap();
        let home = Some(("/nix/store/hm".into(), Some(12), None));
        assert_eq!(seen(&host), home);
        host.site.managed = Managed::System;
        assert_eq!(seen(&host), None);
        system(&host, "aaa-nixos", 1);
        assert_eq!(seen(&host), Some(("/nix/store/aaa-nixos".into(), Some(1), None)));
        host.site.managed = Managed::Home;
        assert_eq!(seen(&host), home);
    });
}

#[test]
fn a_switch_after_which_profile_and_system_are_two_is_no_success() {
    on_each_shell(|host| {
        let host = with_checkout(host);
        system(&host, "aaa-nixos", 1);
        system(&host, "bbb-nixos", 2);
        let store = host.path("root/nix/store");
        fs::create_dir_all(store.join("bbb-nixos/specialisation")).unwrap();
        fs::create_dir(store.join("special")).unwrap();
        symlink(store.join("special"), store.join("bbb-nixos/specialisation/quiet")).unwrap();
        for (number, (runs, words, ok)) in [
            ("aaa-nixos", "", false),
            ("bbb-nixos", "", true),
            ("special", "", true),
            ("aaa-nixos", "boot", true),
        ]
        .into_iter()
        .enumerate()
        {
            let (link, to) = (host.path("root/run/current-system"), store.join(runs));
            let script = format!("ln -sfn {} {}", to.display(), link.display());
            let mut plan = host.plan(Kind::Switch, &[script.as_str()]);
            plan.steps[0].argv.push(words.to_owned());
            let said = result(Kind::Switch, None, &host.carry_out(&format!("op-{number}"), &plan).ending);
            assert_eq!(matches!(said, Said::DeployOk { .. }), ok, "{runs} {words}: {said:?}");
            if !ok {
                let Said::DeployFail { error: Some(error), activated: None, .. } = said else {
                    panic!("{said:?}")
                };
                let which =
                    "the profile is at generation 2 (/nix/store/bbb-nixos), but /nix/store/aaa-nixos runs";
                assert!(error.as_str().contains(which), "{runs} {words}: {error}");
            }
        }
    });
}

/// A profile of home-manager with one generation.
fn home(host: &Host, profiles: &str, number: u32) {
    let (profiles, store) = (host.path(profiles), host.path(&format!("root/nix/store/hm-{number}")));
    fs::create_dir_all(&profiles).unwrap();
    fs::create_dir_all(&store).unwrap();
    symlink(store, profiles.join(format!("home-manager-{number}-link"))).unwrap();
    symlink(format!("home-manager-{number}-link"), profiles.join("home-manager")).unwrap();
}

#[test]
fn home_manager_s_profile_is_the_one_that_it_uses_itself() {
    on_each_shell(|host| {
        let mut host = with_checkout(host);
        host.site.managed = Managed::Home;
        let look = |variables: &[(&str, &str)]| {
            let script = host::look(&nonce(), &host.site, None, None, None);
            let mut connection = host.connection();
            connection.env("USER", "ann");
            for (name, folder) in variables {
                connection.env(name, host.path(folder));
            }
            host::read_look(&host.talk(connection, &script), &nonce()).unwrap()
        };
        let number = |variables: &[(&str, &str)]| {
            let told = look(variables).heartbeat.system.told();
            told.map(|system| system.number.unwrap().get())
        };
        let (state, nix) = (("XDG_STATE_HOME", "other"), ("NIX_STATE_DIR", "varnix"));
        home(&host, "home/.local/state/nix/profiles", 12);
        home(&host, "state/nix/profiles", 30);
        assert_eq!(number(&[]), Some(12));
        assert_eq!(number(&[("XDG_STATE_HOME", "state")]), Some(30));
        assert_eq!(number(&[state]), None);
        home(&host, "root/nix/var/nix/profiles/per-user/ann", 3);
        home(&host, "varnix/profiles/per-user/ann", 4);
        assert_eq!((number(&[state]), number(&[state, nix])), (Some(3), Some(4)));
        fs::create_dir_all(host.path("other/nix/profiles")).unwrap();
        let doubtful = look(&[state]);
        assert_eq!(doubtful.heartbeat.system, Reading::Unreadable);
        assert!(doubtful.doubts[0].as_str().contains("other/nix/profiles"), "{:?}", doubtful.doubts);
        // So it is where generations are listed.
        let script = host::generations(&nonce(), &host.site);
        let mut connection = host.connection();
        connection.env("XDG_STATE_HOME", host.path("state"));
        let listed = host::read_generations(&host.talk(connection, &script), &nonce()).unwrap();
        assert_eq!(listed.len(), 1);
    });
}

#[test]
fn a_hostile_surrounding_misleads_nobody() {
    on_each_shell(|host| {
        let host = with_checkout(host);
        system(&host, "aaa-nixos", 1);
        let expected = host.look();
        let script = host::look(&nonce(), &host.site, None, None, None);
        let mut connection = host.connection();
        for (key, value) in [
            ("GIT_DIR", "/nowhere"),
            ("GIT_WORK_TREE", "/"),
            ("CDPATH", "/tmp"),
            ("LC_ALL", "C.UTF-8"),
            ("LANG", "C.UTF-8"),
            ("ENV", "/nowhere"),
            ("R", "x"),
            ("COMMIT", "= 1234567"),
            ("GIT_CONFIG_COUNT", "1"),
            ("GIT_CONFIG_KEY_0", "status.short"),
            ("GIT_CONFIG_VALUE_0", "true"),
        ] {
            connection.env(key, value);
        }
        let answer = host.talk(connection, &script);
        assert_eq!(host::read_look(&answer, &nonce()).unwrap(), expected);
        // A folder of state that cannot be read is no news of what runs; nobody is root in every test.
        fs::create_dir_all(host.state("")).unwrap();
        fs::set_permissions(host.state(""), fs::Permissions::from_mode(0o000)).unwrap();
        let look = host.look();
        assert!(look.heartbeat.running == Some(None) || look.doubts.len() == 1, "{look:?}");
    });
}

/// What git does not look at in submodules by itself, or not from above: each is looked at.
#[test]
fn submodules_are_looked_at_each_by_itself() {
    on_each_shell(|host| {
        let host = with_checkout(host);
        let (top, local) = (checkout(&host), ["-c", "protocol.file.allow=always"]);
        for name in ["inner", "outer"] {
            let folder = host.path(name);
            fs::create_dir(&folder).unwrap();
            git(&folder, &["init", "--quiet"]);
            fs::write(folder.join("a file"), "as it was").unwrap();
            git(&folder, &["add", "."]);
            git(&folder, &["commit", "--quiet", "-m", "first"]);
        }
        let add = |into: &Path, from: &str, name: &str| {
            let from = host.path(from).display().to_string();
            git(into, &[&local[..], &["submodule", "--quiet", "add", &from, name]].concat());
        };
        add(&host.path("outer"), "inner", "nested");
        git(&host.path("outer"), &["config", "--file", ".gitmodules", "submodule.nested.ignore", "all"]);
        git(&host.path("outer"), &["commit", "--quiet", "-a", "-m", "ignored"]);
        add(top, "outer", "a sub");
        git(top, &["commit", "--quiet", "-m", "a submodule"]);
        let dirty = || same(&host).heartbeat.dirty;
        assert_eq!(dirty(), Reading::Told(false), "the inner one is not there, as after a clone");
        git(top, &[&local[..], &["submodule", "--quiet", "update", "--init", "--recursive"]].concat());
        assert_eq!(dirty(), Reading::Told(false));
        for file in ["a sub/a file", "a sub/nested/a file"] {
            fs::write(top.join(file), "other").unwrap();
            assert_eq!(dirty(), Reading::Told(true), "{file}");
            fs::write(top.join(file), "as it was").unwrap();
        }
        for (folder, mark) in [("a sub", "assume-unchanged"), ("a sub/nested", "skip-worktree")] {
            git(&top.join(folder), &["update-index", &format!("--{mark}"), "a file"]);
            assert_eq!(dirty(), Reading::Unreadable, "{folder}");
            git(&top.join(folder), &["update-index", &format!("--no-{mark}"), "a file"]);
        }
        git(top, &["config", "submodule.a sub.active", "false"]);
        fs::write(top.join("a sub/a file"), "other").unwrap();
        assert_eq!(dirty(), Reading::Told(true), "git passes over what is not active");
        fs::write(top.join("a sub/a file"), "as it was").unwrap();
        assert_eq!(dirty(), Reading::Told(false));
        // A commit more than the checkout names.
        git(&top.join("a sub"), &["commit", "--quiet", "--allow-empty", "-m", "more"]);
        assert_eq!(dirty(), Reading::Told(true));
        git(&top.join("a sub"), &["reset", "--quiet", "--hard", "HEAD^"]);
        git(&top.join("a sub"), &["config", "core.worktree", host.path("outer").to_str().unwrap()]);
        assert_eq!(dirty(), Reading::Unreadable);
        fs::remove_dir_all(top.join("a sub")).unwrap();
        fs::create_dir(top.join("a sub")).unwrap();
        fs::write(top.join("a sub/a file"), "other").unwrap();
        assert_eq!(dirty(), Reading::Unreadable, "files, and no repository");
    });
}
