//! What a hub tells of what happened between two of its looks.

use std::sync::Arc;
use std::time::Duration;

use compartment_core::event::{Event, Observation};
use compartment_core::{Actor, ChannelName, Fleet, OpId, Span};
use futures::TryStreamExt;

use super::super::{LIMIT, World, hash, lock};
use crate::hub::{Config, Hub, MemoryLog, Ports};
use crate::{EventLog, RevertOrder};

/// Two merges, and a push on top of them: each merge is told, the earlier first, the channel ends at the tip, and each
/// merge can be taken back.
///
/// # Panics
/// Where a merge is not told, is told in another order, or cannot be taken back; where the channel ends elsewhere.
pub async fn merges_between_two_looks_are_told_in_their_order(world: &impl World) {
    let (log, forge) = (MemoryLog::default(), world.forge().await);
    let ports = Ports { forge: Some(Arc::clone(&forge)), ..Ports::new(Arc::new(log.reopen())) };
    let config = Config { look_every: Span::from_mins(60), ..Config::default() };
    let hub = Hub::start(ports, config).await.expect("a hub on an empty log");
    // Far enough apart in the file for both to be merged.
    let (other, both) = (version_8(&lock("1111")), version_8(&lock("2222")));
    let later = world.open("Update", &[("flake.lock", Some(&other))]).await;
    let earlier = world.open("Update", &[("flake.lock", Some(&lock("2222")))]).await;
    shows(&hub, |fleet| fleet.pull_requests().count() == 2).await;
    let merges = [
        (earlier.clone(), world.merge_elsewhere(&earlier).await, lock("2222")),
        (later.clone(), world.merge_elsewhere(&later).await, both.clone()),
    ];
    let tip = world.push(&[("README.md", Some("words\n"))]).await;
    let at_tip = |fleet: &Fleet| {
        let desired = fleet.channel(&ChannelName::main()).and_then(|channel| channel.desired());
        desired.is_some_and(|desired| desired.commit.same(&tip) && desired.lock.hash() == Some(&hash(&both)))
    };
    shows(&hub, |fleet| at_tip(fleet) && fleet.pull_requests().count() == 0).await;
    let remembered = hub.read(|fleet, _| fleet.merges().to_vec()).expect("it runs");
    hub.shutdown().await;

    let records: Vec<_> = log.reopen().read(1, u64::MAX).try_concat().await.expect("it can be read");
    let told: Vec<_> = records
        .into_iter()
        .filter_map(|record| match record.event {
            Event::Observation(Observation::PrMerged { pr, commit, lock_hash, .. }) => {
                Some((pr, commit, lock_hash))
            }
            Event::Observation(_) | Event::Report(_) | Event::Decision(_) => None,
        })
        .collect();
    let expected = merges.map(|(pr, commit, lock)| (pr, commit, Some(hash(&lock).into())));
    assert_eq!(told, expected);
    assert_eq!(remembered.iter().map(|merge| merge.pr.clone()).collect::<Vec<_>>(), [earlier, later]);
    for merge in remembered {
        let op = OpId::new(&format!("revert-{}", merge.commit.short())).expect("an operation's id");
        let by = Actor::new("suite").expect("an actor");
        let moved = forge
            .revert(&RevertOrder { within: Span::from_mins(5), op, by, merge })
            .await
            .expect("it can be taken back");
        assert!(moved.commit.same(&world.tip().await));
    }
    assert_eq!(world.file(&world.tip().await, "flake.lock").await, Some(lock("1111")));
}

/// A change in another place than that of the revision.
fn version_8(lock: &str) -> String {
    lock.replace("\"version\": 7", "\"version\": 8")
}

/// Lets a hub look until it knows.
async fn shows(hub: &Hub, such: impl Fn(&Fleet) -> bool) {
    let known = async {
        while !hub.read(|fleet, _| such(fleet)).expect("it runs") {
            hub.look_soon();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LIMIT, known).await.expect("the hub sees it in time");
}
