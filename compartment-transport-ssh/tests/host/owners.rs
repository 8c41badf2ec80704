//! Checkouts of which a part belongs to another user, and programs on the way to git that say something besides.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use compartment_core::event::{Reading, Said};

use crate::checkouts::{failed, ids, pull, with_etc, with_program};
use crate::common::{Host, NOBODY, git, give, host_path, is_root, on_each_shell, program};

/// A checkout with a submodule that is another user's, whose configuration has git run a program on every look.
fn with_another_s_submodule(host: &Host) -> PathBuf {
    let (remote, lib) = (host.path("remote"), with_program(host));
    let file = ["-c", "protocol.file.allow=always"];
    let run = |folder: &Path, args: &[&str]| git(folder, &[&file[..], args].concat());
    run(&remote, &["submodule", "--quiet", "add", lib.to_str().unwrap(), "lib"]);
    git(&remote, &["commit", "--quiet", "-m", "with a submodule"]);
    let checkout = host.path("config");
    run(&host.path(""), &["clone", "--quiet", "--recurse-submodules", remote.to_str().unwrap(), "config"]);
    let module = checkout.join(".git/modules/lib");
    for (name, from) in
        [("config", lib.join(".git/config")), ("info/attributes", lib.join(".git/info/attributes"))]
    {
        let there = fs::read_to_string(module.join(name)).unwrap_or_default();
        let filter = fs::read_to_string(from).unwrap();
        let filter = filter.find("[filter").map_or(&*filter, |at| &filter[at..]);
        fs::write(module.join(name), there + filter).unwrap();
    }
    assert!(Command::new("touch").arg(checkout.join("lib/flake.lock")).status().unwrap().success());
    give(&checkout.join("lib"), NOBODY);
    give(&module, NOBODY);
    checkout
}

#[test]
fn a_submodule_of_another_user_is_looked_at_as_that_user_and_never_moved() {
    if !is_root() {
        return;
    }
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let checkout = with_another_s_submodule(&host);
        let before = ids(&host).len();
        host.site.checkout = Some(host_path(&checkout));
        let look = host.look();
        assert_eq!(look.heartbeat.dirty, Reading::Told(false), "{:?}", look.doubts);
        let ids = || ids(&host).split_off(before);
        assert!(!ids().is_empty() && ids().iter().all(|id| id == NOBODY), "{:?}", ids());
        let error = failed(&mut host, "config", "");
        assert!(error.contains("config/lib is not pulled: "), "{error}");
        assert!(error.contains("config/lib belongs to another user than the checkout"), "{error}");
        // Neither is anything put into a folder of theirs.
        fs::remove_dir_all(checkout.join("lib")).unwrap();
        fs::create_dir(checkout.join("lib")).unwrap();
        give(&checkout.join("lib"), NOBODY);
        let error = failed(&mut host, "config", "");
        assert!(error.contains("config/lib belongs to another user than the checkout"), "{error}");
        assert_eq!(fs::read_dir(checkout.join("lib")).unwrap().count(), 0);
        let ids = crate::checkouts::ids(&host).split_off(before);
        assert!(ids.iter().all(|id| id == NOBODY), "{ids:?}");
    });
}

#[test]
fn a_worktree_of_another_user_s_repository_is_not_looked_into() {
    if !is_root() {
        return;
    }
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let checkout = with_program(&host);
        let linked = host.path("linked");
        git(&checkout, &["worktree", "add", "--quiet", "--detach", linked.to_str().unwrap()]);
        give(&checkout, NOBODY);
        assert!(
            Command::new("chown")
                .args(["-R", "0"])
                .arg(checkout.join(".git/worktrees/linked"))
                .status()
                .unwrap()
                .success()
        );
        let before = ids(&host).len();
        host.site.checkout = Some(host_path(&linked));
        let look = host.look();
        assert_eq!(look.heartbeat.dirty, Reading::Unreadable);
        assert!(look.doubts[0].as_str().contains("nixos/.git belongs to another user"), "{:?}", look.doubts);
        let error = failed(&mut host, "linked", "");
        assert!(error.contains("nixos/.git belongs to another user"), "{error}");
        assert_eq!(ids(&host).len(), before, "nothing of its configuration ran");
    });
}

/// git looks at none of these, and runs what they name.
#[test]
fn what_git_would_run_is_the_owner_s_and_nobody_else_may_write_it() {
    if !is_root() {
        return;
    }
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let remote = host.path("remote");
        git(&host.path(""), &["clone", "--quiet", remote.to_str().unwrap(), "nixos"]);
        let part = |name: &str| host.path("nixos/.git").join(name);
        git(&host.path("nixos"), &["config", "extensions.worktreeConfig", "true"]);
        fs::write(part("config.worktree"), "").unwrap();
        fs::write(part("info/attributes"), "").unwrap();
        fs::create_dir_all(part("hooks")).unwrap();
        host.site.checkout = Some(host_path(&host.path("nixos")));
        assert_eq!(host.look().heartbeat.dirty, Reading::Told(false), "{:?}", host.look().doubts);
        let refused = |host: &Host, words: &str| {
            let look = host.look();
            assert_eq!(look.heartbeat.dirty, Reading::Unreadable, "{words}");
            assert!(look.doubts[0].as_str().contains(words), "{words}: {:?}", look.doubts);
        };
        let part = |host: &Host, name: &str| host.path("nixos/.git").join(name);
        for name in ["config", "config.worktree", "hooks", "info", "info/attributes"] {
            let path = part(&host, name);
            chown(&path, Some(65534), None).unwrap();
            refused(&host, &format!("nixos/.git/{name} belongs to another user"));
            chown(&path, Some(0), None).unwrap();
            let mode = fs::metadata(&path).unwrap().permissions().mode();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode | 0o002)).unwrap();
            refused(&host, &format!("others may write to {}", path.display()));
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        }
        // Of a link it is what it leads to that counts.
        fs::rename(part(&host, "config"), host.path("theirs")).unwrap();
        std::os::unix::fs::symlink(host.path("theirs"), part(&host, "config")).unwrap();
        chown(host.path("theirs"), Some(65534), None).unwrap();
        refused(&host, "nixos/.git/config belongs to another user");
        let error = failed(&mut host, "nixos", "");
        assert!(error.contains("nixos/.git/config belongs to another user"), "{error}");
    });
}

#[test]
fn a_submodule_that_cannot_be_read_or_has_an_odd_name_is_no_clean_one() {
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let (remote, lib) = (host.path("remote"), host.path("lib"));
        fs::create_dir(&lib).unwrap();
        git(&lib, &["init", "--quiet"]);
        fs::write(lib.join("file"), "").unwrap();
        git(&lib, &["add", "."]);
        git(&lib, &["commit", "--quiet", "-m", "first"]);
        let file = ["-c", "protocol.file.allow=always"];
        let run = |folder: &Path, args: &[&str]| git(folder, &[&file[..], args].concat());
        for name in [" before", "behind ", "\u{e9}"] {
            run(&remote, &["submodule", "--quiet", "add", lib.to_str().unwrap(), name]);
        }
        git(&remote, &["commit", "--quiet", "-m", "with submodules"]);
        run(&host.path(""), &["clone", "--quiet", "--recurse-submodules", remote.to_str().unwrap(), "nixos"]);
        host.site.checkout = Some(host_path(&host.path("nixos")));
        assert_eq!(host.look().heartbeat.dirty, Reading::Told(false));
        for name in [" before", "behind ", "\u{e9}"] {
            let file = host.path("nixos").join(name).join("file");
            fs::write(&file, "dirt").unwrap();
            assert_eq!(host.look().heartbeat.dirty, Reading::Told(true), "{name}");
            fs::write(&file, "").unwrap();
        }
        // Its name is there, and nothing can be seen behind it.
        fs::remove_dir_all(host.path("nixos/ before")).unwrap();
        std::os::unix::fs::symlink("/nowhere", host.path("nixos/ before")).unwrap();
        let look = host.look();
        assert_ne!(look.heartbeat.dirty, Reading::Told(false), "{:?}", look.doubts);
    });
}

/// git leaves out what is behind it, and says so only beside its answer.
#[test]
fn a_folder_that_the_owner_may_not_enter_is_no_clean_one() {
    if !is_root() {
        return;
    }
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let remote = host.path("remote");
        fs::create_dir(remote.join("closed")).unwrap();
        fs::write(remote.join("closed/file"), "").unwrap();
        git(&remote, &["add", "closed"]);
        git(&remote, &["commit", "--quiet", "-m", "a folder"]);
        git(&host.path(""), &["clone", "--quiet", remote.to_str().unwrap(), "nixos"]);
        fs::set_permissions(host.path(""), fs::Permissions::from_mode(0o755)).unwrap();
        let closed = host.path("nixos/closed");
        fs::write(closed.join("file"), "an edit").unwrap();
        give(&host.path("nixos"), NOBODY);
        chown(&closed, Some(0), None).unwrap();
        fs::set_permissions(&closed, fs::Permissions::from_mode(0o700)).unwrap();
        host.site.checkout = Some(host_path(&host.path("nixos")));
        let look = host.look();
        assert_eq!(look.heartbeat.dirty, Reading::Unreadable);
        assert!(look.doubts[0].as_str().contains("closed/file: Permission denied"), "{:?}", look.doubts);
    });
}

#[test]
fn the_lock_is_the_file_of_that_name_and_where_git_looks_at_it() {
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let remote = host.path("remote");
        fs::write(remote.join("a flake.lock"), "another").unwrap();
        git(&remote, &["add", "."]);
        git(&remote, &["commit", "--quiet", "-m", "another file"]);
        git(&host.path(""), &["clone", "--quiet", remote.to_str().unwrap(), "nixos"]);
        host.site.checkout = Some(host_path(&host.path("nixos")));
        let of_commit = host.look().heartbeat.lock_hash;
        assert!(matches!(of_commit, Reading::Told(_)));
        fs::write(host.path("nixos/a flake.lock"), "changed").unwrap();
        let look = host.look();
        assert_eq!((look.heartbeat.dirty, look.heartbeat.lock_hash), (Reading::Told(true), of_commit));
        git(&host.path("nixos"), &["checkout", "--quiet", "."]);
        // A file that git does not look at may hold anything.
        for (file, seen) in [("a flake.lock", true), ("flake.lock", false)] {
            git(&host.path("nixos"), &["update-index", "--assume-unchanged", file]);
            let look = host.look();
            assert_eq!(look.heartbeat.dirty, Reading::Unreadable, "{file}");
            assert_eq!(
                matches!(look.heartbeat.lock_hash, Reading::Told(_)),
                seen,
                "{file}: {:?}",
                look.doubts
            );
        }
    });
}

#[test]
fn what_is_said_besides_is_no_answer() {
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let remote = host.path("remote");
        git(&host.path(""), &["clone", "--quiet", remote.to_str().unwrap(), "nixos"]);
        host.site.checkout = Some(host_path(&host.path("nixos")));
        // As sudo does on a host whose name does not resolve, and git where it traces.
        let git = program("git").display().to_string();
        let talks = format!("#!/bin/sh\necho 'sudo: unable to resolve host web1' >&2\nexec {git} \"$@\"\n");
        host.install("bin/git", &talks);
        host.path = format!("{}:{}", host.path("bin").display(), host.path);
        let look = host.look();
        assert_eq!((look.heartbeat.dirty, look.doubts.len()), (Reading::Told(false), 0), "{:?}", look.doubts);
        assert!(matches!(look.heartbeat.lock_hash, Reading::Told(_)));
        let said = pull(&mut host, "nixos", "");
        assert!(matches!(said, Said::PullOk { dirty: Some(false), .. }), "{said:?}");
        // Where it fails, that is what is said.
        fs::write(host.path("nixos/.git/HEAD"), "nonsense").unwrap();
        let doubts = host.look().doubts;
        assert!(doubts[0].as_str().contains("sudo: unable to resolve host web1"), "{doubts:?}");
    });
}
