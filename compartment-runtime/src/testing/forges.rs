//! What every forge must do.
//!
//! A forge's tests make a [`World`] of it, a repository that other people work in as well, and run [`check_all`].

#![expect(clippy::panic, reason = "a check that fails fails the test that runs it")]

mod checks;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::event::PullRequest;
use compartment_core::{Commit, LockFile, LockHash, PrId};
use sha2::{Digest, Sha256};

use crate::{Forge, ForgeError, Look};

pub use checks::*;

/// How long a forge may take until it knows of something.
const LIMIT: Duration = Duration::from_secs(60);

/// Files by path, and what they hold; nothing where one is deleted.
pub type Files<'a> = &'a [(&'a str, Option<&'a str>)];

/// What not every forge's tests can bring about; checks that need it are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ability {
    /// [`World::lose_next_answer`].
    LoseAnswer,
    /// [`World::push_during_next_order`].
    PushDuring,
    /// Pull requests name their titles, and not their newest commit's subject.
    OwnTitles,
}

/// A repository with the one channel `main`, a forge that serves it, and people who work in it.
///
/// It begins with one commit, whose `flake.lock` is [`lock`]`("1111")`.
#[async_trait]
pub trait World: Send + Sync {
    /// Whether this can be brought about here.
    fn can(&self, what: Ability) -> bool;

    /// The forge as a hub has it, made anew each time: nothing is remembered but what is on disk.
    async fn forge(&self) -> Arc<dyn Forge>;

    /// Somebody pushes a commit with these changes to `main`.
    async fn push(&self, files: Files<'_>) -> Commit;

    /// `main`'s tip, as the repository itself has it.
    async fn tip(&self) -> Commit;

    /// A commit's parents, in order.
    async fn parents(&self, commit: &Commit) -> Vec<Commit>;

    /// A commit's message.
    async fn message(&self, commit: &Commit) -> String;

    /// A file of a commit.
    async fn file(&self, commit: &Commit, path: &str) -> Option<String>;

    /// Somebody opens a pull request into `main`: one commit of this title, with these changes, on top of the tip.
    async fn open(&self, title: &str, files: Files<'_>) -> PrId;

    /// Somebody pushes a further commit to a pull request.
    async fn move_head(&self, pr: &PrId, files: Files<'_>) -> Commit;

    /// A pull request's newest commit, as the repository itself has it.
    async fn head(&self, pr: &PrId) -> Commit;

    /// Somebody closes a pull request.
    async fn close(&self, pr: &PrId);

    /// Somebody merges a pull request without the hub, as a merge commit, and deletes its branch.
    async fn merge_elsewhere(&self, pr: &PrId) -> Commit;

    /// The next merge or revert is carried out, and its answer is lost.
    async fn lose_next_answer(&self);

    /// Somebody pushes such a commit after the next merge or revert has begun and before it moves `main`. Gives the
    /// commit.
    async fn push_during_next_order(&self, files: Files<'_>) -> Commit;

    /// Whether the repository is there at all.
    async fn present(&self, present: bool);
}

/// Runs every check, each in a world of its own.
///
/// # Panics
/// Where the forge does not do what the port asks.
pub async fn check_all<W: World, M: AsyncFnMut() -> W>(mut world: M) {
    tip_and_lock_are_of_one_commit(&world().await).await;
    a_commit_without_a_lock_has_none(&world().await).await;
    open_pull_requests_are_seen(&world().await).await;
    what_changes_no_lock_is_no_update(&world().await).await;
    a_pull_request_that_cannot_be_merged_is_seen_as_such(&world().await).await;
    a_proposal_lists_the_inputs_that_move(&world().await).await;
    a_merge_is_a_merge_commit_of_the_shown_head(&world().await).await;
    a_merge_ordered_twice_happens_once(&world().await).await;
    another_head_is_refused(&world().await).await;
    a_conflict_is_refused(&world().await).await;
    an_unknown_pull_request_is_refused(&world().await).await;
    a_closed_pull_request_is_refused(&world().await).await;
    a_push_before_a_merge_is_kept(&world().await).await;
    a_push_during_a_merge_is_kept(&world().await).await;
    a_merge_whose_answer_is_lost_happens_once(&world().await).await;
    a_revert_brings_the_old_lock_back(&world().await).await;
    a_revert_ordered_twice_happens_once(&world().await).await;
    a_revert_that_conflicts_is_refused(&world().await).await;
    a_revert_of_a_revert_is_refused(&world().await).await;
    a_push_during_a_revert_is_kept(&world().await).await;
    a_revert_whose_answer_is_lost_happens_once(&world().await).await;
    what_became_of_a_pull_request_is_told(&world().await).await;
    merges_between_two_looks_are_told_in_their_order(&world().await).await;
    commits_are_compared(&world().await).await;
    a_repository_that_is_gone_is_an_error_until_it_is_back(&world().await).await;
}

/// A place that says what is desired on the channel `main`, and a forge that only looks there: it has no pull requests,
/// merges nothing and reverts nothing.
#[async_trait]
pub trait Source: Send + Sync {
    /// The forge as a hub has it, made anew each time.
    async fn forge(&self) -> Arc<dyn Forge>;

    /// Somebody says what is desired from now on.
    async fn publish(&self, commit: &Commit, lock: LockFile);

    /// Whether the place is there at all.
    async fn present(&self, present: bool);
}

/// Runs the checks for a forge that only looks, each at a source of its own.
///
/// # Panics
/// Where the forge does not do what the port asks.
pub async fn check_looks<S: Source, M: AsyncFnMut() -> S>(mut source: M) {
    commit_and_lock_are_of_one_publication(&source().await).await;
    only_main_is_seen(&source().await).await;
    a_source_that_is_gone_is_an_error_until_it_is_back(&source().await).await;
    what_it_cannot_do_is_refused(&source().await).await;
}

/// A `flake.lock` whose one input, `nixpkgs`, is at this revision.
#[must_use]
pub fn lock(revision: &str) -> String {
    format!(
        r#"{{
  "nodes": {{
    "nixpkgs": {{
      "locked": {{
        "lastModified": 1700000000,
        "owner": "NixOS",
        "repo": "nixpkgs",
        "rev": "{revision}",
        "type": "github"
      }},
      "original": {{ "owner": "NixOS", "ref": "nixos-unstable", "repo": "nixpkgs", "type": "github" }}
    }},
    "root": {{ "inputs": {{ "nixpkgs": "nixpkgs" }} }}
  }},
  "root": "root",
  "version": 7
}}
"#
    )
}

/// The hash of such a lock.
#[must_use]
pub fn hash(lock: &str) -> LockHash {
    LockHash::from_bytes(Sha256::digest(lock.as_bytes()).into())
}

/// Looks until it is as it should be: some forges take a moment to know.
async fn looks(forge: &dyn Forge, such: impl Fn(&Look) -> bool) -> Look {
    let mut last = None;
    let found = tokio::time::timeout(LIMIT, async {
        loop {
            match forge.look(&compartment_core::ChannelName::main()).await {
                Ok(look) if such(&look) => return look,
                other => last = Some(other),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    found.unwrap_or_else(|_| panic!("no such look: {last:#?}"))
}

/// Looks until a pull request is seen whose head is this one and of which the forge knows whether it can be merged.
async fn sees(forge: &dyn Forge, pr: &PrId, head: &Commit) -> PullRequest {
    let such = |open: &&PullRequest| {
        open.pr == *pr && open.head.is_some_and(|seen| seen.same(head)) && open.mergeable.is_some()
    };
    let look = looks(forge, |look| open(look).iter().any(|pr| such(&pr))).await;
    open(&look).iter().find(such).cloned().expect("it was just seen")
}

/// The pull requests of a look that asked for them.
fn open(look: &Look) -> &[PullRequest] {
    look.pull_requests.as_deref().unwrap_or_default()
}

/// The words of a refusal.
///
/// # Panics
/// Where it is something else.
#[track_caller]
fn refusal<T: std::fmt::Debug>(answer: Result<T, ForgeError>) -> String {
    match answer {
        Err(ForgeError::Refused(words)) => {
            assert!(!words.is_empty(), "a refusal says why");
            words.as_str().to_owned()
        }
        other => panic!("this should have been refused: {other:?}"),
    }
}
