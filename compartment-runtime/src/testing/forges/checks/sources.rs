//! What a forge sees that only looks, and what it refuses.

use compartment_core::event::PullRequest;
use compartment_core::fleet::Merge;
use compartment_core::testing::commit;
use compartment_core::{Actor, ChannelName, LockFile, OpId, PrId, Span, Text};

use super::super::{Source, hash, lock, looks, refusal};
use crate::{ForgeError, MergeOrder, RevertOrder};

/// Of what was published last, and never one of this and one of that.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn commit_and_lock_are_of_one_publication(source: &impl Source) {
    let forge = source.forge().await;
    let locks = [hash(&lock("1111")).into(), LockFile::NoFile, hash(&lock("2222")).into()];
    for (digit, lock) in ['a', 'b', 'c'].into_iter().zip(locks) {
        source.publish(&commit(digit), lock).await;
        let look = looks(&*forge, |look| look.commit.same(&commit(digit))).await;
        assert_eq!(look.lock_hash, Some(lock));
        assert_eq!(look.pull_requests.unwrap_or_default(), [], "it has no pull requests");
    }
}

/// What is desired on one channel is not desired on another.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn only_main_is_seen(source: &impl Source) {
    source.publish(&commit('a'), LockFile::NoFile).await;
    let other = ChannelName::new("nobody-has-this-channel").expect("a channel");
    let seen = source.forge().await.look(&other).await;
    assert!(seen.is_err(), "{seen:?}");
}

/// An error with words, and not what was seen before.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_source_that_is_gone_is_an_error_until_it_is_back(source: &impl Source) {
    let forge = source.forge().await;
    source.publish(&commit('a'), LockFile::NoFile).await;
    looks(&*forge, |look| look.commit.same(&commit('a'))).await;
    source.present(false).await;
    let error = forge.look(&ChannelName::main()).await.expect_err("it is not there");
    assert!(!error.to_string().is_empty(), "an error says why");
    source.present(true).await;
    looks(&*forge, |look| look.commit.same(&commit('a'))).await;
}

/// In words; what is desired stays what it was. That two commits cannot be compared is no error.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn what_it_cannot_do_is_refused(source: &impl Source) {
    let forge = source.forge().await;
    source.publish(&commit('a'), LockFile::NoFile).await;
    let (pr, by) = (PrId::from(1), Actor::new("suite").expect("an actor"));
    let (op, within) = (|id| OpId::new(id).expect("an operation's id"), Span::from_mins(5));
    let open = PullRequest {
        pr: pr.clone(),
        title: Text::from("Update"),
        url: None,
        head: Some(commit('b')),
        lock_update: true,
        mergeable: Some(true),
    };
    refusal(forge.proposal(&open).await);
    let (expected_head, merger) = (commit('b'), by.clone());
    let merge = MergeOrder { op: op("o1"), by: merger, pr: pr.clone(), expected_head, within };
    refusal(forge.merge(&merge).await);
    let merge = Merge { pr, channel: ChannelName::main(), commit: commit('a'), reverted: false };
    refusal(forge.revert(&RevertOrder { op: op("o2"), by, merge, within }).await);
    let compared = forge.compare(&commit('a'), &commit('b')).await;
    assert!(matches!(compared, Ok(None) | Err(ForgeError::Refused(_))), "{compared:?}");
    looks(&*forge, |look| look.commit.same(&commit('a'))).await;
}
