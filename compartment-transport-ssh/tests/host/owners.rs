//! Checkouts of which a part belongs to another user, and programs on the way to git that say something besides.

use std::fs;
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
        assert!(error.contains("config/lib is not pulled: it belongs to another user"), "{error}");
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
