//! What a revert does, and what it leaves alone.

use compartment_core::fleet::Merge;
use compartment_core::{Actor, ChannelName, OpId, PrId};

use super::super::{Ability, World, hash, lock, looks, refusal};
use super::merges::{kept, merged};
use crate::{ForgeError, Moved, RevertOrder};

fn order(op: &str, (pr, moved): &(PrId, Moved)) -> RevertOrder {
    RevertOrder {
        within: compartment_core::Span::from_mins(5),
        op: OpId::new(op).expect("an operation's id"),
        by: Actor::new("suite").expect("an actor"),
        merge: Merge {
            pr: pr.clone(),
            channel: moved.channel.clone(),
            commit: moved.commit,
            reverted: false,
        },
    }
}

/// A commit of its own on the branch, and what came after the merge stays.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_revert_brings_the_old_lock_back(world: &impl World) {
    let forge = world.forge().await;
    let before = world.tip().await;
    let merge = merged(world, &*forge, "2222").await;
    let pushed = world.push(&[("README.md", Some("words\n"))]).await;
    let moved = forge.revert(&order("o1", &merge)).await.expect("it can be reverted");
    let tip = world.tip().await;
    assert!(moved.commit.same(&tip));
    assert_eq!((moved.channel, moved.lock_hash), (ChannelName::main(), Some(hash(&lock("1111")).into())));
    assert_eq!(world.parents(&tip).await, [pushed]);
    assert_eq!(world.file(&tip, "flake.lock").await, Some(lock("1111")));
    assert_eq!(world.file(&tip, "README.md").await.as_deref(), Some("words\n"));
    let message = world.message(&tip).await;
    assert!(message.starts_with("Revert \""), "{message}");
    let names = format!(
        "This reverts commit {}, reversing\nchanges made to {before}.\n",
        world.parents(&pushed).await[0]
    );
    assert!(message.contains(&names), "{message}");
    assert!(message.contains("o1") && message.contains("suite"), "who asked for what: {message}");
    looks(&*forge, |look| look.commit.same(&tip) && look.lock_hash == moved.lock_hash).await;
}

/// The operation's id is the idempotency key, also for a forge made anew.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_revert_ordered_twice_happens_once(world: &impl World) {
    let forge = world.forge().await;
    let order = order("o1", &merged(world, &*forge, "2222").await);
    let first = forge.revert(&order).await.expect("it can be reverted");
    assert_eq!(forge.revert(&order).await.as_ref(), Ok(&first));
    drop(forge);
    let forge = world.forge().await;
    assert_eq!(forge.revert(&order).await.as_ref(), Ok(&first));
    let pushed = world.push(&[("README.md", Some("words\n"))]).await;
    assert_eq!(forge.revert(&order).await, Ok(first));
    assert_eq!(world.tip().await, pushed);
}

/// What was built upon the merge is not taken away.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_revert_that_conflicts_is_refused(world: &impl World) {
    let forge = world.forge().await;
    let merge = merged(world, &*forge, "2222").await;
    let pushed = world.push(&[("flake.lock", Some(&lock("3333")))]).await;
    let words = refusal(forge.revert(&order("o1", &merge)).await);
    assert!(words.contains("flake.lock"), "{words}");
    assert_eq!(world.tip().await, pushed);
}

/// By another operation: there is nothing left to do.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_revert_of_a_revert_is_refused(world: &impl World) {
    let forge = world.forge().await;
    let merge = merged(world, &*forge, "2222").await;
    let moved = forge.revert(&order("o1", &merge)).await.expect("it can be reverted");
    refusal(forge.revert(&order("o2", &merge)).await);
    assert!(world.tip().await.same(&moved.commit));
}

/// A push at the worst of times.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_push_during_a_revert_is_kept(world: &impl World) {
    if !world.can(Ability::PushDuring) {
        return;
    }
    let forge = world.forge().await;
    let merge = merged(world, &*forge, "2222").await;
    let pushed = world.push_during_next_order(&[("README.md", Some("words\n"))]).await;
    let moved = forge.revert(&order("o1", &merge)).await;
    kept(world, pushed, moved).await;
}

/// Nobody knows at first; asked again, the answer is that of the first time.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_revert_whose_answer_is_lost_happens_once(world: &impl World) {
    if !world.can(Ability::LoseAnswer) {
        return;
    }
    let forge = world.forge().await;
    let merge = merged(world, &*forge, "2222").await;
    let before = world.tip().await;
    let order = order("o1", &merge);
    world.lose_next_answer().await;
    match forge.revert(&order).await {
        // A forge that asks what became of it may know by itself.
        Ok(_) | Err(ForgeError::Unreachable(_)) => {}
        other @ Err(ForgeError::Refused(_) | ForgeError::Limited { .. }) => {
            panic!("nobody said no: {other:?}")
        }
    }
    drop(forge);
    let moved = world.forge().await.revert(&order).await.expect("it was reverted");
    assert!(moved.commit.same(&world.tip().await));
    assert_eq!(world.parents(&world.tip().await).await, [before]);
}
