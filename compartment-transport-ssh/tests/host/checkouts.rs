//! Pulls and looks keep to the checkout that is configured, whatever is around it.

use std::fs;

use compartment_core::event::{Kind, Said};
use compartment_core::{Ask, HostId};
use compartment_local::operation::{Commands, result};

use crate::common::{Host, git, host_path, on_each_shell};

/// A host whose `etc` is a repository of its own with a file that somebody changed, and a remote that is a config.
fn with_etc(host: Host) -> Host {
    let (etc, remote) = (host.path("etc"), host.path("remote"));
    fs::create_dir(&remote).unwrap();
    git(&remote, &["init", "--quiet"]);
    fs::write(remote.join("flake.lock"), "one").unwrap();
    git(&remote, &["add", "."]);
    git(&remote, &["commit", "--quiet", "-m", "one"]);
    fs::create_dir(&etc).unwrap();
    git(&etc, &["init", "--quiet"]);
    fs::write(etc.join("passwd"), "root").unwrap();
    git(&etc, &["add", "."]);
    git(&etc, &["commit", "--quiet", "-m", "kept by etckeeper"]);
    git(&etc, &["remote", "add", "origin", remote.to_str().unwrap()]);
    fs::write(etc.join("passwd"), "root, changed").unwrap();
    host
}

fn pull(host: &mut Host, folder: &str, commands: &str) -> Said {
    host.site.checkout = Some(host_path(&host.path(folder)));
    let (commands, id): (Commands, _) = (toml::from_str(commands).unwrap(), HostId::new("gpc0").unwrap());
    let plan = commands.plan(&Ask::Pull { host: id.clone() }, &id, &host.site.machine()).unwrap();
    // Each has an id of its own.
    let op = format!("op-{}", fs::read_dir(host.state("ops")).map_or(0, Iterator::count));
    let ending = host.carry_out(&op, &plan).ending;
    result(Kind::Pull, None, &ending)
}

fn failed(host: &mut Host, folder: &str, commands: &str) -> String {
    let said = pull(host, folder, commands);
    let Said::PullFail { error: Some(error), .. } = said else { panic!("{said:?}") };
    assert_eq!(fs::read_to_string(host.path("etc/passwd")).unwrap(), "root, changed");
    let refs = git(&host.path("etc"), &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, "refs/heads/main");
    error.to_string()
}

#[test]
fn a_repository_around_the_folder_is_not_touched() {
    on_each_shell(|host| {
        let mut host = with_etc(host);
        fs::create_dir(host.path("etc/nixos")).unwrap();
        let error = failed(&mut host, "etc/nixos", "");
        assert!(error.contains("etc/nixos is not the top of a git checkout; clone"), "{error}");
        let error = failed(&mut host, "etc/nixos", "pull = [['git', 'reset', '--hard']]");
        assert!(error.contains("not a git repository"), "{error}");
        // What git does not take for a repository has one around it all the same.
        fs::create_dir(host.path("etc/nixos/.git")).unwrap();
        let error = failed(&mut host, "etc/nixos", "");
        assert!(error.contains("etc/nixos is no git checkout: fatal: not a git repository"), "{error}");
        assert!(host.look().doubts.iter().any(|doubt| doubt.as_str().contains("not a git repository")));
    });
}

#[test]
fn a_checkout_whose_files_are_elsewhere_is_not_reset() {
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let (remote, etc) = (host.path("remote"), host.path("etc"));
        git(&host.path(""), &["clone", "--quiet", remote.to_str().unwrap(), "host"]);
        git(&host.path("host"), &["config", "core.worktree", etc.to_str().unwrap()]);
        let error = failed(&mut host, "host", "");
        assert!(error.contains("has its files in") && error.contains("core.worktree"), "{error}");
        assert!(!etc.join("flake.lock").exists());
    });
}

#[test]
fn a_checkout_behind_a_link_is_pulled() {
    on_each_shell(|host| {
        let mut host = with_etc(host);
        let remote = host.path("remote");
        git(&host.path("etc"), &["clone", "--quiet", remote.to_str().unwrap(), "rev-a"]);
        std::os::unix::fs::symlink("rev-a", host.path("etc/current")).unwrap();
        let said = pull(&mut host, "etc/current", "");
        assert!(matches!(said, Said::PullOk { dirty: Some(false), .. }), "{said:?}");
    });
}
