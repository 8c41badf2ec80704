//! A repository with a long history.

use std::fmt::Write;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use compartment_core::{ChannelName, Commit};
use compartment_runtime::testing::forges::{World, hash, lock};
use compartment_runtime::{Forge, MergeOrder};

use super::world::Repository;

const COMMITS: u32 = 10_000;

/// `main` of so many commits, each with another lock.
fn with_history() -> Repository {
    let repository = Repository::empty("sha1");
    let mut stream = String::new();
    for n in 0..COMMITS {
        let lock = lock(&n.to_string());
        let title = format!("Commit {n}");
        writeln!(stream, "commit refs/heads/main\ncommitter A <a@example.org> {} +0000", 1_600_000_000 + n)
            .unwrap();
        writeln!(stream, "data {}\n{title}\nM 100644 inline flake.lock", title.len()).unwrap();
        writeln!(stream, "data {}\n{lock}", lock.len()).unwrap();
    }
    import(&repository, &stream);
    repository
}

/// So many branches on top of `main`, each with another lock.
fn with_pull_requests(repository: &Repository, count: u32) {
    let mut stream = String::new();
    for n in 0..count {
        let lock = lock(&format!("update {n}"));
        writeln!(stream, "commit refs/heads/update/{n}\ncommitter A <a@example.org> 1700000000 +0000")
            .unwrap();
        writeln!(stream, "data 6\nUpdate\nfrom refs/heads/main^0\nM 100644 inline flake.lock").unwrap();
        writeln!(stream, "data {}\n{lock}", lock.len()).unwrap();
    }
    import(repository, &stream);
}

fn import(repository: &Repository, stream: &str) {
    let mut import = Command::new("git")
        .args(["fast-import", "--quiet"])
        .env("GIT_DIR", repository.bare())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    import.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
    assert!(import.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn three_hundred_pull_requests_are_looked_at_once() {
    let mut repository = Repository::new();
    with_pull_requests(&repository, 300);
    // What git takes lists of paths apart at.
    let folder = repository.folder.path().join("a \"b\": \\c");
    repository.config.folder.clone_from(&folder);
    let forge = repository.open_forge();
    let begun = Instant::now();
    let look = forge.look(&ChannelName::main()).await.unwrap();
    let pull_requests = look.pull_requests.unwrap();
    assert_eq!(pull_requests.len(), 300);
    assert!(pull_requests.iter().all(|pr| pr.mergeable == Some(true)));
    let (mirror, scratch) = (folder.join("mirror.git"), folder.join("scratch"));
    let names = mirror.join("objects").read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    assert!(names.into_iter().all(|name| name == "info" || name == "pack"), "what was tried is left behind");
    assert!(!scratch.exists());
    let (first, again) = (begun.elapsed(), Instant::now());
    forge.look(&ChannelName::main()).await.unwrap();
    let again = again.elapsed();
    assert!(again < first / 4 && again < Duration::from_secs(5), "{first:?} at first, then {again:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_commits_are_no_burden() {
    let repository = with_history();
    let first = Commit::new(&repository.git(&["rev-list", "--max-parents=0", "main"])).unwrap();
    let forge = repository.open_forge();
    let main = ChannelName::main();
    let look = forge.look(&main).await.unwrap();
    assert_eq!(look.lock_hash, Some(hash(&lock(&(COMMITS - 1).to_string())).into()));
    let pr = repository.open("Update", &[("flake.lock", Some(&lock("next")))]).await;
    forge.look(&main).await.unwrap();
    let begun = Instant::now();
    let look = forge.look(&main).await.unwrap();
    assert_eq!(look.pull_requests.unwrap().len(), 1);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    let compared = forge.compare(&first, &look.commit).await.unwrap().unwrap();
    assert_eq!((compared.behind, compared.ahead), (COMMITS - 1, 0));
    let order = MergeOrder {
        within: compartment_core::Span::from_mins(5),
        op: "o1".parse().unwrap(),
        by: "alice".parse().unwrap(),
        expected_head: repository.head(&pr).await,
        pr,
    };
    let moved = forge.merge(&order).await.unwrap();
    assert_eq!(moved.lock_hash, Some(hash(&lock("next")).into()));
    assert_eq!(forge.merge(&order).await.unwrap(), moved);
}
