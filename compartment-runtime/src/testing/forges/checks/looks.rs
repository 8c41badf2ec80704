//! What a forge sees.

use compartment_core::event::Via;
use compartment_core::{ChannelName, Commit, LockFile};

use super::super::{Ability, World, hash, lock, looks, open, sees};
use crate::{Ended, ForgeError};

/// Of whatever commit is the tip, its own lock.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn tip_and_lock_are_of_one_commit(world: &impl World) {
    let forge = world.forge().await;
    let first = world.tip().await;
    let look = looks(&*forge, |look| look.commit.same(&first)).await;
    assert_eq!((look.lock_hash, look.via), (Some(hash(&lock("1111")).into()), Via::Git));
    assert!(open(&look).is_empty() && look.pull_requests.is_some(), "{look:?}");
    for revision in ["2222", "3333"] {
        let pushed = world.push(&[("flake.lock", Some(&lock(revision)))]).await;
        let look = looks(&*forge, |look| look.commit.same(&pushed)).await;
        assert_eq!(look.lock_hash, Some(hash(&lock(revision)).into()));
    }
    let other = world.push(&[("README.md", Some("words\n"))]).await;
    let look = looks(&*forge, |look| look.commit.same(&other)).await;
    assert_eq!(look.lock_hash, Some(hash(&lock("3333")).into()));
}

/// No lock, and not that of the commit before.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_commit_without_a_lock_has_none(world: &impl World) {
    let forge = world.forge().await;
    let pushed = world.push(&[("flake.lock", None), ("README.md", Some("no lock\n"))]).await;
    let look = looks(&*forge, |look| look.commit.same(&pushed)).await;
    assert_eq!(look.lock_hash, Some(LockFile::NoFile));
}

/// With title, head, and whether they can be merged; until they are closed.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn open_pull_requests_are_seen(world: &impl World) {
    let forge = world.forge().await;
    let one = world.open("Update nixpkgs", &[("flake.lock", Some(&lock("2222")))]).await;
    let two = world.open("Update it further", &[("flake.lock", Some(&lock("3333")))]).await;
    assert_ne!(one, two);
    for (pr, title) in [(&one, "Update nixpkgs"), (&two, "Update it further")] {
        let seen = sees(&*forge, pr, &world.head(pr).await).await;
        assert_eq!((seen.title.as_str(), seen.lock_update), (title, true));
        assert_eq!(seen.mergeable, Some(true));
    }
    let moved = world.move_head(&one, &[("flake.lock", Some(&lock("4444")))]).await;
    let seen = sees(&*forge, &one, &moved).await;
    if world.can(Ability::OwnTitles) {
        assert_eq!(seen.title.as_str(), "Update nixpkgs");
    }
    world.close(&one).await;
    let look = looks(&*forge, |look| !open(look).iter().any(|pr| pr.pr == one)).await;
    assert!(open(&look).iter().any(|pr| pr.pr == two), "{look:?}");
}

/// Where the forge is told that updates are what changes the lock.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn what_changes_no_lock_is_no_update(world: &impl World) {
    let forge = world.forge().await;
    let words = world.open("Words", &[("README.md", Some("words\n"))]).await;
    let update = world.open("Update", &[("flake.lock", Some(&lock("2222")))]).await;
    // That of another update, on the branch meanwhile, is no change of this one.
    world.push(&[("flake.lock", Some(&lock("3333")))]).await;
    let look = looks(&*forge, |look| open(look).iter().any(|pr| pr.pr == update)).await;
    assert!(!open(&look).iter().any(|pr| pr.pr == words && pr.lock_update), "{look:?}");
}

/// Conflicts are seen before anybody asks for the merge.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_pull_request_that_cannot_be_merged_is_seen_as_such(world: &impl World) {
    let forge = world.forge().await;
    let pr = world.open("Update", &[("flake.lock", Some(&lock("2222")))]).await;
    let head = world.head(&pr).await;
    assert_eq!(sees(&*forge, &pr, &head).await.mergeable, Some(true));
    world.push(&[("flake.lock", Some(&lock("3333")))]).await;
    looks(&*forge, |look| open(look).iter().any(|seen| seen.pr == pr && seen.mergeable == Some(false))).await;
}

/// By name, with both sides; and the lock that the channel would have.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_proposal_lists_the_inputs_that_move(world: &impl World) {
    let forge = world.forge().await;
    let pr = world.open("Update nixpkgs", &[("flake.lock", Some(&lock("2222")))]).await;
    let seen = sees(&*forge, &pr, &world.head(&pr).await).await;
    for _ in 0..2 {
        let proposal = forge.proposal(&seen).await.expect("it can be read");
        assert_eq!(proposal.channel, ChannelName::main());
        assert!(proposal.head.same(&world.head(&pr).await));
        assert_eq!(proposal.lock_hash, Some(hash(&lock("2222"))));
        let [input] = &proposal.inputs[..] else { panic!("{proposal:?}") };
        let revision = |pin: &Option<crate::Pin>| pin.as_ref().and_then(|pin| pin.revision.clone());
        assert_eq!(input.input.as_str(), "nixpkgs");
        assert_eq!(revision(&input.from).expect("a revision").as_str(), "1111");
        assert_eq!(revision(&input.to).expect("a revision").as_str(), "2222");
    }
    let moved = world.move_head(&pr, &[("flake.lock", Some(&lock("3333")))]).await;
    let seen = sees(&*forge, &pr, &moved).await;
    let proposal = forge.proposal(&seen).await.expect("it can be read");
    assert!(proposal.head.same(&moved));
    assert_eq!(proposal.lock_hash, Some(hash(&lock("3333"))));
}

/// Merged by somebody, or closed.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn what_became_of_a_pull_request_is_told(world: &impl World) {
    let forge = world.forge().await;
    let merged = world.open("Update", &[("flake.lock", Some(&lock("2222")))]).await;
    let closed = world.open("Another", &[("flake.lock", Some(&lock("3333")))]).await;
    let seen_merged = sees(&*forge, &merged, &world.head(&merged).await).await;
    let seen_closed = sees(&*forge, &closed, &world.head(&closed).await).await;
    let tip = world.merge_elsewhere(&merged).await;
    world.close(&closed).await;
    looks(&*forge, |look| look.commit.same(&tip) && open(look).is_empty()).await;
    match forge.ended(&seen_merged).await.expect("it can be told") {
        Ended::Merged { moved, .. } => {
            assert!(moved.commit.same(&tip));
            assert_eq!(
                (moved.channel, moved.lock_hash),
                (ChannelName::main(), Some(hash(&lock("2222")).into()))
            );
        }
        Ended::Closed => panic!("it was merged"),
    }
    assert_eq!(forge.ended(&seen_closed).await.expect("it can be told"), Ended::Closed);
}

/// Behind, ahead, both, shortened, and unknown.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn commits_are_compared(world: &impl World) {
    let forge = world.forge().await;
    let first = world.tip().await;
    let pr = world.open("Update", &[("flake.lock", Some(&lock("2222")))]).await;
    let head = world.head(&pr).await;
    world.push(&[("a", Some("a\n"))]).await;
    let tip = world.push(&[("b", Some("b\n"))]).await;
    looks(&*forge, |look| look.commit.same(&tip)).await;
    sees(&*forge, &pr, &head).await;
    let compared = async |host: Commit, desired: Commit| {
        let told = forge.compare(&host, &desired).await.expect("they can be compared");
        told.map(|told| {
            assert_eq!((told.host_commit, told.desired_commit), (host, desired), "as they were asked for");
            (told.behind, told.ahead)
        })
    };
    assert_eq!(compared(first, tip).await, Some((2, 0)));
    assert_eq!(compared(tip, first).await, Some((0, 2)));
    assert_eq!(compared(head, tip).await, Some((2, 1)));
    assert_eq!(compared(tip, tip).await, Some((0, 0)));
    let short = Commit::new(&first.to_string()[..12]).expect("twelve digits");
    assert_eq!(compared(short, tip).await, Some((2, 0)));
    let unknown = Commit::new("0123456789abcdef0123456789abcdef01234567").expect("a commit");
    assert_eq!(compared(unknown, tip).await, None);
    assert_eq!(compared(tip, unknown).await, None);
}

/// Neither an empty answer nor an old one.
///
/// # Panics
/// Where the forge does otherwise.
pub async fn a_repository_that_is_gone_is_an_error_until_it_is_back(world: &impl World) {
    let forge = world.forge().await;
    let tip = world.tip().await;
    looks(&*forge, |look| look.commit.same(&tip)).await;
    world.present(false).await;
    let error = forge.look(&ChannelName::main()).await.expect_err("nobody can see it");
    assert!(!error.to_string().is_empty());
    match error {
        ForgeError::Unreachable(_) | ForgeError::Refused(_) => {}
        ForgeError::Limited { .. } => panic!("{error}"),
    }
    world.present(true).await;
    looks(&*forge, |look| look.commit.same(&tip)).await;
}
