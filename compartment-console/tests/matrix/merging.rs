//! Pull requests.

use std::sync::Arc;

use async_trait::async_trait;
use compartment_console::Completion;
use compartment_core::event::{Comparison, Observation, PullRequest, Via};
use compartment_core::{ChannelName, Commit, PrId, Text};
use compartment_runtime::{
    Ended, Forge, ForgeError, InputChange, Look, MergeOrder, Moved, Pin, Proposal, RevertOrder,
};

use super::world::{Call, World, commit, heartbeat, lock, one_line};

/// A repository that moves to the head of whatever is merged, and back.
struct Repository;

fn moved(digit: char) -> Result<Moved, ForgeError> {
    Ok(Moved { channel: ChannelName::main(), commit: commit(digit), lock_hash: Some(lock(digit).into()) })
}

fn pin(revision: &str, modified: &str) -> Pin {
    Pin {
        source: Text::from("github:NixOS/nixpkgs/nixos-unstable"),
        revision: Some(Text::new(revision)),
        modified: Some(modified.parse().unwrap()),
    }
}

#[async_trait]
impl Forge for Repository {
    async fn look(&self, _: &ChannelName) -> Result<Look, ForgeError> {
        Ok(Look {
            commit: commit('a'),
            lock_hash: Some(lock('a').into()),
            via: Via::Git,
            pull_requests: None,
            left_out: vec![Text::from("update/a+b: no id")],
        })
    }

    async fn proposal(&self, pr: &PullRequest) -> Result<Proposal, ForgeError> {
        let head = pr.head.ok_or_else(|| ForgeError::Refused(Text::from("no head")))?;
        let inputs = vec![InputChange {
            input: Text::from("nixpkgs"),
            from: Some(pin("2f3a4b5c6d7e", "2026-11-10T08:00:00Z")),
            to: Some(pin("9a8b7c6d5e4f", "2026-11-24T08:00:00Z")),
        }];
        let lock_hash = Some(lock('b'));
        let conflict = || Text::from("conflicts with `main` in flake.nix");
        let obstacle = (pr.mergeable == Some(false)).then(conflict);
        Ok(Proposal { channel: ChannelName::main(), head, lock_hash, inputs, obstacle })
    }

    async fn ended(&self, _: &PullRequest) -> Result<Ended, ForgeError> {
        Ok(Ended::Closed)
    }

    async fn compare(&self, _: &Commit, _: &Commit) -> Result<Option<Comparison>, ForgeError> {
        Ok(None)
    }

    async fn merge(&self, order: &MergeOrder) -> Result<Moved, ForgeError> {
        if order.pr.to_string() == "8" {
            Err(ForgeError::Refused(Text::from("a check is red")))
        } else {
            moved('b')
        }
    }

    async fn revert(&self, _: &RevertOrder) -> Result<Moved, ForgeError> {
        moved('c')
    }
}

fn open(pr: &str, head: char) -> Observation {
    Observation::PrOpened(PullRequest {
        pr: PrId::new(pr).unwrap(),
        title: Text::from("weekly update"),
        url: Some(Text::from("https://git.example.org/pulls/7")),
        head: Some(commit(head)),
        lock_update: true,
        mergeable: Some(true),
    })
}

fn world() -> Arc<World> {
    let world = World::with(Some(Arc::new(Repository)), |router| router);
    world.see(open("7", 'b'));
    world.see(open("8", 'd'));
    Arc::new(world)
}

#[test]
fn a_merge_is_shown_and_touches_no_host() {
    let world = world();
    let told = Call::of(&world, &["merge", "9"]).run().refused();
    assert_eq!(
        told,
        "no open pull request 9 is an update that the hub looks for; open: 7, 8. Nothing was asked for."
    );
    let told = Call::of(&world, &["merge", "7"]).answered(|| "y").run();
    assert_eq!(told.verdict(), Completion::Done, "{}{}", told.output, told.aside);
    for words in
        ["weekly update", "https://git.example.org/pulls/7", &commit('b').to_string(), "can be merged"]
    {
        assert!(told.output.contains(words), "{words}: {}", told.output);
    }
    assert!(told.aside.contains("Merge 7 at bbbbbbb? [y/N] "), "{}", told.aside);
    assert!(
        told.output.contains("Done: merged: main is at bbbbbbb. No host was touched."),
        "{}",
        told.output
    );
    assert!(told.output.contains("matrix pull --all"), "{}", told.output);
    let told = Call::of(&world, &["revert", "7", "--yes"]).run();
    assert_eq!(told.verdict(), Completion::Done, "{}{}", told.output, told.aside);
    assert!(told.output.contains("reverted: main is at ccccccc"), "{}", told.output);
    let told = Call::of(&world, &["revert", "8", "--yes"]).run();
    assert_eq!(
        told.refused(),
        "no merge of a pull request 8 was seen: there is nothing to take back. Nothing was asked for."
    );
    let told = Call::of(&world, &["revert", "7"]).run().refused();
    assert_eq!(told, "the merge of 7 was taken back already. Nothing was asked for.");
    world.see(Observation::PrClosed { pr: PrId::from(7) });
    let told = Call::of(&world, &["merge", "7"]).run().refused();
    assert!(told.contains("revert the revert"), "{told}");
    // Somebody puts new commits on it: those are all that comes.
    world.see(open("7", 'e'));
    let told = Call::of(&world, &["merge", "7"]).answered(|| "n").run();
    assert!(
        one_line(&told.output).contains("Note: an earlier merge of it was taken back"),
        "{}",
        told.output
    );
}

#[test]
fn a_head_that_moved_meanwhile_is_not_merged() {
    let world = world();
    let meanwhile = Arc::clone(&world);
    let told = Call::of(&world, &["merge", "7"]).answered(move || {
        meanwhile.see(open("7", 'e'));
        "y"
    });
    let told = told.run();
    assert_eq!(told.verdict(), Completion::NotAll);
    let refused = "Refused: head-moved: the pull request's head is eeeeeee";
    assert!(told.output.replace('\n', " ").contains(refused), "{}", told.output);
    let told = Call::of(&world, &["merge", "8", "--yes"]).run();
    assert_eq!(told.verdict(), Completion::NotAll);
    assert!(told.output.contains("Not done: merge failed: a check is red"), "{}", told.output);
}

#[test]
fn what_is_in_the_way_of_a_merge_is_said_before_anybody_is_asked() {
    let world = World::with(Some(Arc::new(Repository)), |router| router);
    let Observation::PrOpened(pr) = open("9", 'b') else { unreachable!() };
    world.see(Observation::PrOpened(PullRequest { mergeable: Some(false), ..pr }));
    let told = Call::of(&Arc::new(world), &["merge", "9", "--yes"]).run();
    let why = told.result.as_ref().unwrap_err().to_string();
    assert!(why.starts_with("9 cannot be merged as it is: mend its branch"), "{why}");
    let words = "State: cannot be merged: it conflicts with `main` in flake.nix";
    assert!(one_line(&told.output).contains(words), "{}", told.output);
}

#[test]
fn what_is_open_and_what_was_merged_is_shown() {
    let world = world();
    world.says("gpc0", &heartbeat("gpc0", 'a', 1));
    let changes = "Changes: nixpkgs: 2f3a4b5 of 2026-11-10 to 9a8b7c6 of 2026-11-24 \
                   (github:NixOS/nixpkgs/nixos-unstable)";
    world.wait(async {
        while world.hub.left_out().is_empty() {
            tokio::task::yield_now().await;
        }
    });
    let told = Call::of(&world, &["prs"]).run();
    assert_eq!(told.verdict(), Completion::Done, "{}{}", told.output, told.aside);
    let left_out = "Left out: update/a+b: no id";
    for words in
        ["PR 7: weekly update", "PR 8: weekly update", changes, "Turns yellow: the Lock of gpc0", left_out]
    {
        assert!(one_line(&told.output).contains(words), "{words}: {}", told.output);
    }
    let told = Call::of(&world, &["merge", "7", "--yes"]).run();
    assert!(one_line(&told.output).contains(changes), "{}", told.output);
    let told = Call::of(&world, &["prs"]).run();
    assert!(told.output.contains("PR 7: merged, main at bbbbbbb"), "{}", told.output);
    assert!(told.output.contains("Not attempted: gpc0"), "{}", told.output);
    assert!(!told.output.contains("Offer:"), "nothing has failed: {}", told.output);
    let told = Call::of(&world, &["revert", "7", "--yes"]).run();
    assert!(told.output.starts_with("PR 7: merged"), "{}", told.output);
}

#[test]
fn what_cannot_be_seen_is_not_none() {
    let world = world();
    world.see(Observation::PrClosed { pr: PrId::from(7) });
    world.see(Observation::PrClosed { pr: PrId::from(8) });
    let error = "the repository is gone".into();
    world.see(Observation::DesiredUnavailable { channel: ChannelName::main(), error });
    let told = Call::of(&world, &["prs"]).run();
    assert_eq!(told.verdict(), Completion::NotAll);
    assert!(told.output.starts_with("main: cannot be seen: the repository is gone\n"), "{}", told.output);
    assert!(!told.output.contains("None:"), "{}", told.output);
}

#[test]
fn the_repository_is_looked_at_when_somebody_asks() {
    let told = Call::of(&world(), &["refresh"]).run();
    assert_eq!((told.verdict(), told.output.as_str()), (Completion::Done, "main: aaaaaaa is desired\n"));
    let told = Call::of(&World::new(), &["refresh"]).run();
    assert_eq!(told.verdict(), Completion::NotAll);
    assert!(told.output.starts_with("Refused: ") && told.output.contains("no forge"), "{}", told.output);
}
