//! Asks the forge: looks, merges and reverts. None of it touches a host.

use std::collections::BTreeSet;

use compartment_core::decide::DELIVER_WITHIN;
use compartment_core::event::{Decision, Event, Observation};
use compartment_core::fleet::Merge;
use compartment_core::{Actor, Ask, ChannelName, Fleet, OpId, PrId, Span, Text, Timestamp, Work};

use super::execute::Tried;
use super::{Hub, Inner};
use crate::{Forge, ForgeError, Look, MergeOrder, Moved, RevertOrder};

/// How often a channel is looked at before it counts as unavailable: one failed look turns no fleet red.
const LOOKS: u32 = 3;

/// How long between two of them.
const BETWEEN_LOOKS: Span = Span::from_secs(2);

/// Does what the repository is asked for, and records what came of it.
pub(super) async fn ask(hub: &Hub, work: Work) -> Tried {
    let (Work::Request { op, by, ask, .. }, Some(forge)) = (work, &hub.inner.forge) else {
        return Tried::Failed;
    };
    let events = match ask {
        Ask::MergePr { pr, expected_head } => merge(&hub.inner, &**forge, op, by, pr, expected_head).await,
        Ask::RevertPr { pr } => revert(&hub.inner, &**forge, op, by, pr).await,
        Ask::Refresh { host: None } => Some(look_at_all(&hub.inner, &**forge).await),
        Ask::Pull { .. }
        | Ask::Switch { .. }
        | Ask::Test { .. }
        | Ask::Rollback { .. }
        | Ask::Stop { .. }
        | Ask::Refresh { host: Some(_) } => None,
    };
    match events {
        None => Tried::Failed,
        Some(events) => Tried::done(hub.inner.submit(events).await.is_ok()),
    }
}

async fn merge(
    inner: &Inner,
    forge: &dyn Forge,
    op: OpId,
    by: Actor,
    pr: PrId,
    expected_head: compartment_core::Commit,
) -> Option<Vec<Event>> {
    let order = MergeOrder { op: op.clone(), by: by.clone(), pr: pr.clone(), expected_head };
    let event = match within(inner, forge.merge(&order)).await {
        Ok(Moved { channel, commit, lock_hash }) => {
            Observation::PrMerged { pr, channel, commit, lock_hash, by: Some(Text::new(by.as_str())) }.into()
        }
        Err(ForgeError::Refused(error)) => Decision::MergeFailed { op, pr, error }.into(),
        Err(ForgeError::Unreachable(_)) => return None,
    };
    Some(vec![event])
}

async fn revert(inner: &Inner, forge: &dyn Forge, op: OpId, by: Actor, pr: PrId) -> Option<Vec<Event>> {
    let merge = last_merge(&inner.shown.fleet(), &pr);
    let event = match merge {
        None => {
            let error = Text::from("its merge is no longer remembered");
            Decision::RevertFailed { op, pr, error }.into()
        }
        Some(merge) => {
            let order = RevertOrder { op: op.clone(), by: by.clone(), merge };
            match within(inner, forge.revert(&order)).await {
                Ok(Moved { channel, commit, lock_hash }) => {
                    let by = Some(Text::new(by.as_str()));
                    Observation::PrReverted { pr, channel, commit, lock_hash, by }.into()
                }
                Err(ForgeError::Refused(error)) => Decision::RevertFailed { op, pr, error }.into(),
                Err(ForgeError::Unreachable(_)) => return None,
            }
        }
    };
    Some(vec![event])
}

fn last_merge(fleet: &Fleet, pr: &PrId) -> Option<Merge> {
    fleet.merges().iter().rev().find(|merge| merge.pr == *pr).cloned()
}

/// Looks at every channel, one after the other.
async fn look_at_all(inner: &Inner, forge: &dyn Forge) -> Vec<Event> {
    let mut channels: Vec<ChannelName> =
        inner.shown.fleet().channels().iter().map(|channel| channel.name.clone()).collect();
    if channels.is_empty() {
        channels.push(ChannelName::main());
    }
    let mut events = Vec::new();
    for channel in channels {
        events.extend(look_at(inner, forge, channel).await);
    }
    events
}

async fn look_at(inner: &Inner, forge: &dyn Forge, channel: ChannelName) -> Vec<Event> {
    let mut last = Text::default();
    for again in 0..LOOKS {
        if again > 0 {
            inner.clock.sleep(BETWEEN_LOOKS).await;
        }
        let look_started = inner.now();
        match within(inner, forge.look(&channel)).await {
            Ok(look) => return seen(&inner.shown.fleet(), channel, look, look_started),
            Err(ForgeError::Refused(error) | ForgeError::Unreachable(error)) => last = error,
        }
    }
    vec![Observation::DesiredUnavailable { channel, error: last }.into()]
}

/// What a look found, as events. Pull requests that are open no more were closed: a merge by this hub is told
/// before.
fn seen(fleet: &Fleet, channel: ChannelName, look: Look, look_started: Timestamp) -> Vec<Event> {
    let Look { commit, lock_hash, via, pull_requests } = look;
    let look_started = Some(look_started);
    let mut events =
        vec![Observation::DesiredObserved { channel, commit, lock_hash, via, look_started }.into()];
    if let Some(open) = pull_requests {
        let ids: BTreeSet<&PrId> = open.iter().map(|pr| &pr.pr).collect();
        let gone = fleet.pull_requests().map(|pr| pr.pr.clone()).filter(|pr| !ids.contains(pr));
        events.extend(gone.map(|pr| Observation::PrClosed { pr }.into()));
        events.extend(open.into_iter().map(|pr| Observation::PrOpened(pr).into()));
    }
    events
}

/// Every wait has a limit; no merge outlives the request for it by much.
async fn within<T>(
    inner: &Inner,
    asked: impl Future<Output = Result<T, ForgeError>>,
) -> Result<T, ForgeError> {
    let patience = inner.config.patience.min(DELIVER_WITHIN);
    tokio::select! {
        answer = asked => answer,
        () = inner.clock.sleep(patience) => {
            Err(ForgeError::Unreachable(Text::new(&format!("the forge did not answer within {patience}"))))
        }
    }
}
