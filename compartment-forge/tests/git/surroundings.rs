//! What comes with the user: their ssh, and a configuration of git that changes everything that can be changed.
//!
//! Surroundings are a process's own, so each test here runs this binary again.

use std::path::Path;
use std::process::Command;

use compartment_runtime::testing::forges;

use super::world::{Repository, write_script};

const INNER: &str = "run by another test, in surroundings of its own";

/// Runs some tests of this binary with these variables.
fn run_again(tests: &[&str], variables: &[(&str, &Path)]) {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(tests)
        .args(["--exact", "--include-ignored"])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(told.contains(&format!("{} passed", tests.len())), "{told}");
}

#[test]
fn ssh_is_the_users() {
    let folder = tempfile::tempdir().unwrap();
    let ssh = folder.path().join("ssh");
    let script = format!(
        "#!/bin/sh\necho \"$@\" >> '{}'\nfor command; do :; done\nexec sh -c \"$command\"\n",
        folder.path().join("called").display()
    );
    write_script(&ssh, &script);
    run_again(
        &["surroundings::over_ssh"],
        &[("GIT_SSH_COMMAND", &ssh), ("GIT_SSH_VARIANT", Path::new("ssh"))],
    );
    let called = std::fs::read_to_string(folder.path().join("called")).unwrap();
    assert!(called.contains("git@host.example git-upload-pack '/"), "{called}");
    assert!(called.contains("git@host.example git-receive-pack '/"), "{called}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by another test, in surroundings of its own"]
async fn over_ssh() {
    assert!(std::env::var_os("GIT_SSH_COMMAND").is_some(), "{INNER}");
    let world = || {
        let repository = Repository::new();
        let remote = format!("ssh://git@host.example{}", repository.bare().display());
        repository.at(&remote)
    };
    forges::a_merge_is_a_merge_commit_of_the_shown_head(&world()).await;
    forges::a_merge_whose_answer_is_lost_happens_once(&world()).await;
    forges::a_revert_brings_the_old_lock_back(&world()).await;
    forges::a_repository_that_is_gone_is_an_error_until_it_is_back(&world()).await;
}

#[test]
fn no_configuration_of_the_user_is_in_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config");
    std::fs::write(&config, CONFIG).unwrap();
    run_again(&["surroundings::as_a_user"], &[("GIT_CONFIG_GLOBAL", &config)]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by another test, in surroundings of its own"]
async fn as_a_user() {
    assert!(std::env::var_os("GIT_CONFIG_GLOBAL").is_some(), "{INNER}");
    let world = Repository::new();
    forges::a_merge_is_a_merge_commit_of_the_shown_head(&world).await;
    assert_eq!(world.git(&["log", "-n1", "--format=%cn <%ce>", "main"]), "Alice <alice@example.org>");
    forges::a_merge_ordered_twice_happens_once(&Repository::new()).await;
    forges::a_conflict_is_refused(&Repository::new()).await;
    forges::a_revert_brings_the_old_lock_back(&Repository::new()).await;
    forges::a_revert_ordered_twice_happens_once(&Repository::new()).await;
    forges::a_proposal_lists_the_inputs_that_move(&Repository::new()).await;
}

const CONFIG: &str = r#"
[user]
    name = Alice
    email = alice@example.org
[color]
    ui = always
[column]
    ui = always
[commit]
    gpgSign = true
[core]
    abbrev = 9
    autocrlf = true
    commentChar = C
    pager = false
[diff]
    external = false
    noprefix = true
[fetch]
    parallel = 4
    prune = false
[format]
    pretty = oneline
[gc]
    auto = 1
[i18n]
    commitEncoding = ISO-8859-1
[log]
    decorate = full
    follow = true
    showSignature = true
[merge]
    renames = false
[push]
    default = nothing
    followTags = true
    recurseSubmodules = check
[safe]
    bareRepository = explicit
[submodule]
    recurse = true
[trailer]
    separators = "="
[transfer]
    fsckObjects = true
"#;
