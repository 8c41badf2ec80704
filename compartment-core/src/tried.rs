//! What was tried on a host and failed there: for advice and for how a merge fares. It proves nothing, and no cell
//! reads it.

use crate::channel::Channel;
use crate::checkout::Checkout;
use crate::commit::Commit;
use crate::event::{CheckoutPlace, Kind};
use crate::generation::{Generation, How, TestVerdict};
use crate::host::Host;
use crate::operation::{Ended, Operation, Outcome};
use crate::time::Timestamp;

/// An attempt, whether it has ended or not.
#[derive(Clone, Copy)]
pub(crate) struct Attempt<'a> {
    kind: Kind,
    started_at: Timestamp,
    /// The checkout that stood when it was seen to start.
    copy: Option<&'a Checkout>,
}

impl<'a> From<&'a Operation> for Attempt<'a> {
    fn from(operation: &'a Operation) -> Self {
        let Operation { kind, started_at, .. } = *operation;
        Self { kind, started_at, copy: operation.copy() }
    }
}

impl<'a> From<&'a Ended> for Attempt<'a> {
    fn from(ended: &'a Ended) -> Self {
        Self { kind: ended.kind, started_at: ended.started_at, copy: ended.copy() }
    }
}

impl Attempt<'_> {
    /// The commit that a switch was to deploy: the checkout that stood when it was seen to start. Where nothing is
    /// checked out on the host nobody says it at the start: then what was desired, if that is desired still. `None`
    /// where it is not known, or where the operation is no switch.
    pub(crate) fn tried(self, host: &Host, channel: &Channel) -> Option<Commit> {
        match (self.kind, host.checkout_place()) {
            (Kind::Pull | Kind::Test | Kind::Rollback, _) => None,
            (Kind::Switch, CheckoutPlace::Host) => self.copy?.known_commit().copied(),
            (Kind::Switch, CheckoutPlace::None) => {
                let desired = channel.desired().filter(|desired| desired.since <= self.started_at);
                desired.map(|desired| desired.commit)
            }
        }
    }
}

/// Whether a commit failed on a host, as far as that is remembered (CORE-006, section 11): the last switch to it
/// failed, tests of a generation built from it failed, or the host was rolled back from it.
pub(crate) fn failed_here(host: &Host, channel: &Channel, commit: &Commit) -> bool {
    switch_failed(host, channel, commit) || tests_failed(host, commit) || was_rolled_back_from(host, commit)
}

fn switch_failed(host: &Host, channel: &Channel, commit: &Commit) -> bool {
    let to_it = |ended: &&Ended| {
        let tried = Attempt::from(*ended).tried(host, channel);
        tried.is_some_and(|tried| tried.same(commit)) && !deployed_another(host, ended, commit)
    };
    let last = host.operations().ended().iter().rev().find(to_it);
    last.is_some_and(|last| matches!(last.outcome, Outcome::Failed { .. }))
}

/// A push that succeeded says what it deployed, also where that is not what was desired when it began.
fn deployed_another(host: &Host, ended: &Ended, commit: &Commit) -> bool {
    let of_it = |built: Option<&Commit>| built.is_some_and(|built| built.same(commit));
    let pushed = host.checkout_place() == CheckoutPlace::None && matches!(ended.outcome, Outcome::Ok);
    pushed && !host.history().any(|now| now.at >= ended.started_at && of_it(now.commit()))
}

fn tests_failed(host: &Host, commit: &Commit) -> bool {
    let of_it = |built: Option<&Commit>| built.is_some_and(|built| built.same(commit));
    host.history().any(|generation| generation.tests == TestVerdict::Failed && of_it(generation.commit()))
}

/// A generation of this commit ran, and the host was rolled back from it.
fn was_rolled_back_from(host: &Host, commit: &Commit) -> bool {
    let of_it = |left: &&Generation| left.commit().is_some_and(|built| built.same(commit));
    host.history().filter(of_it).any(|left| was_left_by_rollback(host, left))
}

/// The very next thing to run after a generation was reached by a rollback.
pub(crate) fn was_left_by_rollback(host: &Host, left: &Generation) -> bool {
    let next = left.deployment.saturating_add(1);
    host.history().any(|then| then.deployment == next && then.how == How::Rollback)
}
