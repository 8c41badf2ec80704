//! What a merge does, and what it leaves alone.

use compartment_core::{Actor, ChannelName, Commit, OpId, PrId};

use super::super::{Ability, World, hash, lock, looks, open, refusal, sees};
use crate::{Forge, ForgeError, MergeOrder, Moved};

/// An order to merge what is there now.
pub(super) fn order(op: &str, pr: &PrId, head: Commit) -> MergeOrder {
    MergeOrder {
        within: compartment_core::Span::from_mins(5),
        op: OpId::new(op).expect("an operation's id"),
        by: Actor::new("suite").expect("an actor"),
        pr: pr.clone(),
        expected_head: head,
    }
}

/// Opens an update of the lock, waits until it is seen, and merges it.
pub(super) async fn merged(world: &impl World, forge: &dyn Forge, revision: &str) -> (PrId, Moved) {
    let pr = world.open("Update", &[("flake.lock", Some(&lock(revision)))]).await;
    let head = world.head(&pr).await;
    sees(forge, &pr, &head).await;
    let moved = forge.merge(&order(&format!("merge-{revision}"), &pr, head)).await.expect("it can be merged");
    (pr, moved)
}

/// Two parents, the tip and the head; then the channel is there, and the pull request is not.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_merge_is_a_merge_commit_of_the_shown_head(world: &impl World) {
    let forge = world.forge().await;
    let pr = world.open("Update nixpkgs", &[("flake.lock", Some(&lock("2222")))]).await;
    let (before, head) = (world.tip().await, world.head(&pr).await);
    sees(&*forge, &pr, &head).await;
    let moved = forge.merge(&order("o1", &pr, head)).await.expect("it can be merged");
    let tip = world.tip().await;
    assert!(moved.commit.same(&tip));
    assert_eq!((moved.channel, moved.lock_hash), (ChannelName::main(), Some(hash(&lock("2222")).into())));
    assert_eq!(world.parents(&tip).await, [before, head]);
    assert_eq!(world.file(&tip, "flake.lock").await, Some(lock("2222")));
    let message = world.message(&tip).await;
    assert!(message.contains("o1") && message.contains("suite"), "who asked for what: {message}");
    let look = looks(&*forge, |look| look.commit.same(&tip)).await;
    assert_eq!((look.lock_hash, open(&look)), (Some(hash(&lock("2222")).into()), &[][..]));
}

/// The operation's id is the idempotency key, also for a forge made anew.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_merge_ordered_twice_happens_once(world: &impl World) {
    let forge = world.forge().await;
    let pr = world.open("Update", &[("flake.lock", Some(&lock("2222")))]).await;
    let head = world.head(&pr).await;
    sees(&*forge, &pr, &head).await;
    let order = order("o1", &pr, head);
    let first = forge.merge(&order).await.expect("it can be merged");
    assert_eq!(forge.merge(&order).await.as_ref(), Ok(&first));
    drop(forge);
    let forge = world.forge().await;
    assert_eq!(forge.merge(&order).await.as_ref(), Ok(&first));
    assert!(world.tip().await.same(&first.commit));
    // Also when others have gone on since.
    let pushed = world.push(&[("README.md", Some("words\n"))]).await;
    assert_eq!(forge.merge(&order).await, Ok(first));
    assert_eq!(world.tip().await, pushed);
    // Another operation is another merge, of which there is nothing left to do.
    refusal(forge.merge(&self::order("o2", &pr, head)).await);
    assert_eq!(world.tip().await, pushed);
}

/// What was shown is what is merged, or nothing.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn another_head_is_refused(world: &impl World) {
    let forge = world.forge().await;
    let pr = world.open("Update", &[("flake.lock", Some(&lock("2222")))]).await;
    let (before, shown) = (world.tip().await, world.head(&pr).await);
    sees(&*forge, &pr, &shown).await;
    let moved = world.move_head(&pr, &[("flake.lock", Some(&lock("3333")))]).await;
    refusal(forge.merge(&order("o1", &pr, shown)).await);
    assert_eq!(world.tip().await, before);
    sees(&*forge, &pr, &moved).await;
    let short = Commit::new(&moved.to_string()[..12]).expect("twelve digits");
    forge.merge(&order("o2", &pr, short)).await.expect("that is its head");
    assert_eq!(world.parents(&world.tip().await).await, [before, moved]);
}

/// Nothing is half merged.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_conflict_is_refused(world: &impl World) {
    let forge = world.forge().await;
    let pr = world.open("Update", &[("flake.lock", Some(&lock("2222")))]).await;
    let head = world.head(&pr).await;
    let before = world.push(&[("flake.lock", Some(&lock("3333")))]).await;
    sees(&*forge, &pr, &head).await;
    refusal(forge.merge(&order("o1", &pr, head)).await);
    assert_eq!(world.tip().await, before);
    let look = looks(&*forge, |look| look.commit.same(&before)).await;
    assert!(open(&look).iter().any(|open| open.pr == pr), "it is still open: {look:?}");
}

/// In words.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn an_unknown_pull_request_is_refused(world: &impl World) {
    let forge = world.forge().await;
    let before = world.tip().await;
    let words = refusal(forge.merge(&order("o1", &PrId::from(999_999), before)).await);
    assert!(words.contains("999999"), "{words}");
    assert_eq!(world.tip().await, before);
}

/// Closed is closed.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_closed_pull_request_is_refused(world: &impl World) {
    let forge = world.forge().await;
    let pr = world.open("Update", &[("flake.lock", Some(&lock("2222")))]).await;
    let (before, head) = (world.tip().await, world.head(&pr).await);
    sees(&*forge, &pr, &head).await;
    world.close(&pr).await;
    refusal(forge.merge(&order("o1", &pr, head)).await);
    assert_eq!(world.tip().await, before);
}

/// A push that the last look has not seen.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_push_before_a_merge_is_kept(world: &impl World) {
    let forge = world.forge().await;
    let pr = world.open("Update", &[("flake.lock", Some(&lock("2222")))]).await;
    let head = world.head(&pr).await;
    sees(&*forge, &pr, &head).await;
    let pushed = world.push(&[("README.md", Some("words\n"))]).await;
    let moved = forge.merge(&order("o1", &pr, head)).await;
    kept(world, pushed, moved).await;
}

/// A push at the worst of times.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_push_during_a_merge_is_kept(world: &impl World) {
    if !world.can(Ability::PushDuring) {
        return;
    }
    let forge = world.forge().await;
    let pr = world.open("Update", &[("flake.lock", Some(&lock("2222")))]).await;
    let head = world.head(&pr).await;
    sees(&*forge, &pr, &head).await;
    let pushed = world.push_during_next_order(&[("README.md", Some("words\n"))]).await;
    let moved = forge.merge(&order("o1", &pr, head)).await;
    kept(world, pushed, moved).await;
    looks(&*forge, |look| open(look).iter().any(|open| open.pr == pr) || !look.commit.same(&pushed)).await;
}

/// What was pushed is the tip still, or what it was made of.
pub(super) async fn kept(world: &impl World, pushed: Commit, moved: Result<Moved, ForgeError>) {
    let tip = world.tip().await;
    match moved {
        Ok(moved) => {
            assert!(moved.commit.same(&tip));
            assert_eq!(world.parents(&tip).await.first(), Some(&pushed));
            assert_eq!(world.file(&tip, "README.md").await.as_deref(), Some("words\n"));
        }
        refused @ Err(_) => {
            refusal(refused);
            assert_eq!(tip, pushed);
        }
    }
}

/// Nobody knows at first; asked again, the answer is that of the first time.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_merge_whose_answer_is_lost_happens_once(world: &impl World) {
    if !world.can(Ability::LoseAnswer) {
        return;
    }
    let forge = world.forge().await;
    let pr = world.open("Update", &[("flake.lock", Some(&lock("2222")))]).await;
    let (before, head) = (world.tip().await, world.head(&pr).await);
    sees(&*forge, &pr, &head).await;
    let order = order("o1", &pr, head);
    world.lose_next_answer().await;
    match forge.merge(&order).await {
        // A forge that asks what became of it may know by itself.
        Ok(_) | Err(ForgeError::Unreachable(_)) => {}
        other @ Err(ForgeError::Refused(_) | ForgeError::Limited { .. }) => {
            panic!("nobody said no: {other:?}")
        }
    }
    drop(forge);
    let moved = world.forge().await.merge(&order).await.expect("it was merged");
    let tip = world.tip().await;
    assert!(moved.commit.same(&tip));
    assert_eq!(moved.lock_hash, Some(hash(&lock("2222")).into()));
    assert_eq!(world.parents(&tip).await, [before, head]);
}
