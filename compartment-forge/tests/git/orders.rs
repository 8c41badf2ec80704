//! Merges and reverts, beyond what every forge must do.

use std::path::PathBuf;

use std::time::Duration;

use compartment_core::fleet::Merge;
use compartment_core::{ChannelName, Commit, PrId};
use compartment_forge::git::{GitForge, Identity};
use compartment_runtime::testing::forges::{World, hash, lock};
use compartment_runtime::{Forge, ForgeError, MergeOrder, Moved, RevertOrder};

use super::web::Web;
use super::world::{Repository, write_script};

async fn order(repository: &Repository, op: &str) -> MergeOrder {
    let pr = repository.open("Update", &[("flake.lock", Some(&lock("2222")))]).await;
    let expected_head = repository.head(&pr).await;
    MergeOrder {
        within: compartment_core::Span::from_mins(5),
        op: op.parse().unwrap(),
        by: "alice".parse().unwrap(),
        pr,
        expected_head,
    }
}

fn revert(op: &str, pr: &PrId, commit: Commit) -> RevertOrder {
    let merge = Merge { pr: pr.clone(), channel: ChannelName::main(), commit, reverted: false };
    RevertOrder {
        within: compartment_core::Span::from_mins(5),
        op: op.parse().unwrap(),
        by: "bob".parse().unwrap(),
        merge,
    }
}

fn refusal(answer: Result<Moved, ForgeError>) -> String {
    match answer {
        Err(ForgeError::Refused(words)) => words.as_str().to_owned(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_says_what_it_is() {
    let mut repository = Repository::new();
    repository.config.identity = Some(Identity { name: "Hub".into(), email: "hub@example.org".into() });
    let order = order(&repository, "o1").await;
    let moved = repository.open_forge().merge(&order).await.unwrap();
    let tip = moved.commit.to_string();
    assert_eq!(
        repository.git(&["log", "-n1", "--format=%an <%ae> %cn <%ce>%n%B", &tip]),
        format!(
            "Hub <hub@example.org> Hub <hub@example.org>\nMerge {}: Update\n\nCompartment-Operation: o1\n\
             Requested-by: alice\n",
            order.pr
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revert_is_what_git_makes() {
    let repository = Repository::new();
    let forge = repository.open_forge();
    let order = order(&repository, "o1").await;
    let merge = forge.merge(&order).await.unwrap().commit;
    // What came after is in the way of a mere reset.
    repository.push(&[("README.md", Some("words\n"))]).await;
    let moved = forge.revert(&revert("o2", &order.pr, merge)).await.unwrap();
    let (before, tip) = (format!("{}^", moved.commit), moved.commit.to_string());
    repository.in_work(&["fetch", "--quiet", "origin"]);
    repository.in_work(&["checkout", "--quiet", "--force", "--detach", &before]);
    repository.in_work(&["revert", "--no-edit", "-m", "1", &merge.to_string()]);
    let tree = |at: &str| repository.in_work(&["rev-parse", &format!("{at}^{{tree}}")]);
    assert_eq!(tree("HEAD"), tree(&tip));
    let message = |at: &str| repository.in_work(&["log", "-n1", "--format=%B", at]);
    let expected = format!("{}\nCompartment-Operation: o2\nRequested-by: bob\n", message("HEAD"));
    assert_eq!(message(&tip), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_merge_commit_is_not_reverted() {
    let repository = Repository::new();
    let forge = repository.open_forge();
    let pr = PrId::from(7);
    let squashed = repository.push(&[("flake.lock", Some(&lock("2222")))]).await;
    let words = refusal(forge.revert(&revert("o1", &pr, squashed)).await);
    assert!(words.contains("without a merge commit") && words.contains("git revert"), "{words}");
    let unknown = Commit::new("0123456789abcdef").unwrap();
    let words = refusal(forge.revert(&revert("o2", &pr, unknown)).await);
    assert!(words.contains("has no commit 0123456"), "{words}");
    assert_eq!(repository.tip().await, squashed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_that_was_pushed_away_is_not_reverted() {
    let repository = Repository::new();
    let forge = repository.open_forge();
    let first = repository.tip().await;
    let order = order(&repository, "o1").await;
    let merge = forge.merge(&order).await.unwrap().commit;
    repository.git(&["update-ref", "refs/heads/main", &first.to_string()]);
    let words = refusal(forge.revert(&revert("o2", &order.pr, merge)).await);
    assert!(words.contains("does not hold the merge"), "{words}");
    assert_eq!(repository.tip().await, first);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_in_other_commits_are_no_merge() {
    let repository = Repository::new();
    let forge = repository.open_forge();
    let order = order(&repository, "o1").await;
    // In a trailer of a commit that merges nothing, in the middle of a message, and of another head.
    let head = repository.head(&order.pr).await.to_string();
    repository.stand_at("refs/heads/main");
    repository.commit("Work\n\nCompartment-Operation: o1", &[]);
    repository.in_work(&["merge", "--quiet", "-s", "ours", "--no-ff", "-m", "Empty", &head]);
    let (tree, parents) = (repository.in_work(&["rev-parse", "HEAD^{tree}"]), "HEAD^1");
    let text = "Merge\n\nCompartment-Operation: o1\n\nand more words.";
    let forged = repository.in_work(&["commit-tree", &tree, "-p", parents, "-p", parents, "-m", text]);
    repository.in_work(&["checkout", "--quiet", "--force", "--detach", &forged]);
    repository.push_head("refs/heads/main");
    let moved = forge.merge(&order).await.unwrap();
    assert_eq!(moved.lock_hash, Some(hash(&lock("2222")).into()));
    assert_eq!(repository.parents(&repository.tip().await).await[0].to_string(), forged);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_remote_says_to_a_push_is_told() {
    let repository = Repository::new();
    let (before, order) = (repository.tip().await, order(&repository, "o1").await);
    repository.hook_once("pre-receive", "echo 'main is protected' >&2\nexit 1");
    let words = refusal(repository.open_forge().merge(&order).await);
    assert!(words.contains("pre-receive hook declined") && words.contains("main is protected"), "{words}");
    assert_eq!(repository.tip().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_names_its_files_and_another_head_both() {
    let repository = Repository::new();
    let forge = repository.open_forge();
    let order = order(&repository, "o1").await;
    let open = async |forge: &GitForge| {
        let look = forge.look(&ChannelName::main()).await.unwrap();
        look.pull_requests.unwrap().into_iter().find(|open| open.pr == order.pr).unwrap()
    };
    assert_eq!(forge.proposal(&open(&forge).await).await.unwrap().obstacle, None);
    repository.push(&[("flake.lock", Some(&lock("3333")))]).await;
    // Whoever looks at it sees what is in the way, before anybody asks for the merge.
    let obstacle = forge.proposal(&open(&forge).await).await.unwrap().obstacle.unwrap();
    assert_eq!(obstacle.as_str(), "conflicts with `main` in flake.lock");
    let words = refusal(forge.merge(&order).await);
    assert!(words.contains("conflicts with `main` in flake.lock"), "{words}");
    let moved = repository.move_head(&order.pr, &[("flake.lock", Some(&lock("3333")))]).await;
    let words = refusal(forge.merge(&order).await);
    let (moved, shown) = (moved.short().to_string(), order.expected_head.short().to_string());
    assert!(words.contains(&moved) && words.contains(&shown), "{words}");
}

/// A file of some lines, of which some say something else.
fn text(changed: &[usize]) -> String {
    (1..=20).map(|n| format!("{n}{}\n", if changed.contains(&n) { " changed" } else { "" })).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn files_are_merged_by_the_attributes_of_the_branch() {
    for (folder, attributes, clean) in
        [("", None, true), ("", Some("data -merge\n"), false), ("sub/", Some("data merge=binary\n"), false)]
    {
        let mut repository = Repository::new();
        if !folder.is_empty() {
            // As somebody may write it who starts the hub.
            let deep = std::env::current_dir().unwrap().components().count() - 1;
            let whole = repository.config.folder.strip_prefix("/").unwrap().to_owned();
            repository.config.folder = PathBuf::from("../".repeat(deep)).join(whole);
        }
        let forge = repository.open_forge();
        let (data, name) = (format!("{folder}data"), format!("{folder}.gitattributes"));
        repository.push(&[(&data, Some(&text(&[]))), (&name, attributes)]).await;
        // What the pull request says of attributes does not count.
        let files = [(&*data, Some(&*text(&[1]))), ("flake.lock", Some(&*lock("2222"))), (&*name, None)];
        let files = files.map(|(name, to)| (name, to.map(str::to_owned)));
        let files: Vec<_> = files.iter().map(|(name, to)| (*name, to.as_deref())).collect();
        let pr = repository.open("Update", &files).await;
        repository.push(&[(&data, Some(&text(&[20])))]).await;
        let look = forge.look(&ChannelName::main()).await.unwrap();
        let shown = look.pull_requests.unwrap().into_iter().find(|shown| shown.pr == pr).unwrap();
        assert_eq!(shown.mergeable, Some(clean), "{attributes:?}");
        let expected_head = repository.head(&pr).await;
        let order = MergeOrder {
            within: compartment_core::Span::from_mins(5),
            op: "o1".parse().unwrap(),
            by: "alice".parse().unwrap(),
            pr,
            expected_head,
        };
        let merged = forge.merge(&order).await;
        if !clean {
            let words = refusal(merged);
            assert!(words.contains(&format!("conflicts with `main` in {data}")), "{words}");
            continue;
        }
        let merge = merged.unwrap().commit;
        // From here on the file is not to be merged: a revert that would need that is refused, too.
        repository.push(&[(&data, Some(&text(&[1, 10, 20]))), (&name, Some("data -merge\n"))]).await;
        let words = refusal(forge.revert(&revert("o2", &order.pr, merge)).await);
        assert!(words.contains("builds upon it in data"), "{words}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_hook_runs_on_this_side() {
    let repository = Repository::new();
    let forge = repository.open_forge();
    forge.look(&ChannelName::main()).await.unwrap();
    let ran = repository.folder.path().join("ran");
    for hook in ["pre-push", "reference-transaction", "post-index-change", "pre-auto-gc"] {
        let script = format!("#!/bin/sh\necho $0 >> '{}'\nexit 1\n", ran.display());
        write_script(&repository.mirror().join("hooks").join(hook), &script);
    }
    let order = order(&repository, "o1").await;
    let merge = forge.merge(&order).await.unwrap().commit;
    forge.revert(&revert("o2", &order.pr, merge)).await.unwrap();
    assert!(!ran.exists(), "{:?}", std::fs::read_to_string(&ran));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_were_given_up_do_not_overlap() {
    let repository = Repository::new();
    let before = repository.tip().await;
    let order = order(&repository, "o1").await;
    let (one, other) = (repository.open_forge(), repository.open_forge());
    let given_up = tokio::time::timeout(Duration::from_millis(1), one.merge(&order)).await;
    assert!(given_up.is_err());
    // The same object, and another one with the same folder.
    let merge = async |forge: &GitForge| forge.merge(&order).await.unwrap();
    let (a, b, c) = tokio::join!(merge(&one), merge(&other), merge(&one));
    assert_eq!((&a, &b), (&b, &c));
    let tip = repository.tip().await;
    assert_eq!((tip, repository.parents(&tip).await), (a.commit, vec![before, order.expected_head]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_the_network_loses_is_asked_for_again() {
    let repository = Repository::new();
    let web = Web::serve(repository.folder.path(), false).await;
    let repository = repository.at(&web.address(""));
    let order = order(&repository, "o1").await;
    let forge = repository.open_forge();
    web.lose_answers(true);
    let lost = forge.merge(&order).await;
    assert!(matches!(lost, Err(ForgeError::Unreachable(_))), "{lost:?}");
    web.lose_answers(false);
    let moved = forge.merge(&order).await.unwrap();
    assert_eq!(moved.commit, repository.tip().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_pushes_meanwhile_is_told_of() {
    let repository = Repository::new();
    let forge = repository.open_forge();
    let order = order(&repository, "o1").await;
    let pushed = repository.push_during_next_order(&[("README.md", Some("words\n"))]).await;
    let words = refusal(forge.merge(&order).await);
    assert!(words.contains("somebody pushed to `main` meanwhile"), "{words}");
    assert_eq!(repository.tip().await, pushed);
    // Nothing stands in the way of the next order.
    let again = MergeOrder { op: "o2".parse().unwrap(), ..order };
    forge.merge(&again).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_after_the_fetch_is_kept() {
    let repository = Repository::new();
    let web = Web::serve(repository.folder.path(), false).await;
    let repository = repository.at(&web.address(""));
    let forge = repository.open_forge();
    let merge = order(&repository, "o1").await;
    let pushed = repository.prepare(&[("README.md", Some("words\n"))]);
    web.push_before_next_push(pushed);
    let words = refusal(forge.merge(&merge).await);
    assert!(words.contains("somebody pushed to `main` meanwhile"), "{words}");
    assert_eq!(repository.tip().await, pushed);
    let merge = MergeOrder { op: "o2".parse().unwrap(), ..merge };
    let merged = forge.merge(&merge).await.unwrap().commit;
    let pushed = repository.prepare(&[("README.md", Some("other words\n"))]);
    web.push_before_next_push(pushed);
    let words = refusal(forge.revert(&revert("o3", &merge.pr, merged)).await);
    assert!(words.contains("somebody pushed to `main` meanwhile"), "{words}");
    assert_eq!(repository.tip().await, pushed);
}
