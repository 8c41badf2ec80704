//! Requests in, events or a typed refusal out (CORE-006, section 6). Both belong in the log: it is the audit
//! trail.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::checkout::Dirt;
use crate::commit::Commit;
use crate::compartment::{Evidence, checkout_commit_proven, checkout_lock_proven};
use crate::event::Ask;
use crate::event::{CheckoutPlace, Decision, Kind, RequestKind, Target};
use crate::fleet::Fleet;
use crate::generation::{Generation, default_target, find};
use crate::host::Host;
use crate::id::{Actor, HostId, OpId, PrId};
use crate::operation::{Operations, Pending};
use crate::request::Request;
use crate::text::Text;
use crate::time::{Span, Timestamp};

/// How long a request may wait for its host unless it says otherwise.
pub const DELIVER_WITHIN: Span = Span::from_mins(5);

/// From which age on a rollback's target is warned of.
pub const OLD_TARGET: Span = Span::from_secs(30 * 24 * 60 * 60);

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The host is not known.
    #[error("the host {0} is not known")]
    UnknownHost(HostId),
    /// The request lapses before it could be delivered.
    #[error("the request lapsed at {0}, before it was made")]
    Lapsed(Timestamp),
    /// The id belongs to another operation.
    #[error("the operation id {0} is taken by another operation")]
    IdTaken(OpId),
    /// The host runs an operation, or waits for one.
    #[error("the host is busy: a {kind} {state}{}", named(op.as_ref(), by.as_ref()))]
    Busy {
        /// The kind.
        kind: Kind,
        /// Whether it runs.
        state: BusyState,
        /// Its id. `None` where it was begun by hand.
        op: Option<OpId>,
        /// Who asked for it. `None` where it runs: the log knows.
        by: Option<Actor>,
    },
    /// A switch would deploy something else than the desired state.
    #[error("{0} is not proven current: pull first, or force")]
    NotCurrent(NotCurrent),
    /// Nothing is checked out on the host: what it runs is pushed to it, and nothing is pulled or switched there,
    /// not even by force (CORE-006, section 11).
    #[error("the host has no checkout to {0}: deploy to it instead")]
    NoCheckout(Kind),
    /// The host's tests are switched off.
    #[error("tests are switched off for this host")]
    TestsDisabled,
    /// There is no generation to go back to unasked.
    #[error(
        "no earlier generation in the host's history is fit to go back to unasked (none ran before, or the tests of all failed): name one"
    )]
    NoTarget,
    /// The generation is not in the history.
    #[error("the host's history holds no such generation")]
    UnknownGeneration,
    /// The generation already runs.
    #[error("that generation is the running one")]
    AlreadyRunning,
    /// The operation to be stopped neither runs nor waits.
    #[error("the operation {0} neither runs nor waits on this host")]
    NothingToStop(OpId),
    /// The pull request is not open.
    #[error("the pull request {0} is not open")]
    NotOpen(PrId),
    /// The pull request's head is not known.
    #[error("the head of the pull request {0} is not known yet")]
    HeadUnknown(PrId),
    /// The pull request's head is not the one that the asker was shown.
    #[error("the pull request's head is {actual}, not the expected {expected}: look again")]
    HeadMoved {
        /// What the asker was shown.
        expected: Commit,
        /// What it is.
        actual: Commit,
    },
    /// The forge would not merge the pull request, or does not say.
    #[error("the pull request {pr} {state}")]
    NotMergeable {
        /// The pull request.
        pr: PrId,
        /// What the forge says.
        state: MergeState,
    },
    /// Another merge or revert is under way.
    #[error("the {} of the pull request {pr} is under way ({op}, asked for by {by})", kind.as_str().trim_end_matches("-pr"))]
    ForgeBusy {
        /// `merge-pr` or `revert-pr`.
        kind: RequestKind,
        /// The pull request.
        pr: PrId,
        /// Its id.
        op: OpId,
        /// Who asked for it.
        by: Actor,
    },
    /// The pull request was not merged, as far as this fleet has seen.
    #[error("no merge of the pull request {0} was seen")]
    NotMerged(PrId),
    /// The pull request's merge is reverted already.
    #[error("the merge of the pull request {0} is reverted already")]
    AlreadyReverted(PrId),
}

/// Which operation keeps a host busy, in words behind a sentence.
fn named(op: Option<&OpId>, by: Option<&Actor>) -> String {
    match (op, by) {
        (Some(op), Some(by)) => format!(" ({op}, asked for by {by})"),
        (Some(op), None) => format!(" ({op})"),
        (None, _) => String::new(),
    }
}

impl Refusal {
    /// The stable name of the reason, for programs.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownHost(_) => "unknown-host",
            Self::Lapsed(_) => "lapsed",
            Self::IdTaken(_) => "id-taken",
            Self::Busy { .. } => "busy",
            Self::NotCurrent(_) => "not-current",
            Self::NoCheckout(_) => "no-checkout",
            Self::TestsDisabled => "tests-disabled",
            Self::NoTarget => "no-target",
            Self::UnknownGeneration => "unknown-generation",
            Self::AlreadyRunning => "already-running",
            Self::NothingToStop(_) => "nothing-to-stop",
            Self::NotOpen(_) => "not-open",
            Self::HeadUnknown(_) => "head-unknown",
            Self::HeadMoved { .. } => "head-moved",
            Self::NotMergeable { .. } => "not-mergeable",
            Self::ForgeBusy { .. } => "forge-busy",
            Self::NotMerged(_) => "not-merged",
            Self::AlreadyReverted(_) => "already-reverted",
        }
    }
}

crate::event::words! {
    /// Whether what keeps a host busy has started.
    BusyState {
        /// It has.
        Running = "runs",
        /// It waits to be delivered.
        Pending = "waits to be delivered",
    }

    /// What is not proven to be the desired state.
    NotCurrent {
        /// The checkout's commit.
        Git = "the checkout's commit",
        /// The checkout's commit, for it has changes of its own; a pull discards them.
        Dirty = "the checkout, which is dirty,",
        /// The checkout's lock.
        Lock = "the checkout's lock",
    }

    /// What a forge says of merging a pull request.
    MergeState {
        /// It cannot be merged.
        Conflict = "cannot be merged",
        /// The forge has not said.
        Unknown = "is not known to be mergeable yet",
    }
}

/// Decides a request at `now`: the events to append, none where the same request was already taken.
///
/// # Errors
/// [`Refusal`], whose reason belongs in the log as [`refused`] writes it.
pub fn decide(fleet: &Fleet, request: &Request, now: Timestamp) -> Result<Vec<Decision>, Refusal> {
    if let Some(lapsed) = request.deliver_by.filter(|deliver_by| *deliver_by <= now) {
        return Err(Refusal::Lapsed(lapsed));
    }
    let host = match request.ask.host() {
        Some(id) => Some(fleet.host(id).ok_or_else(|| Refusal::UnknownHost(id.clone()))?),
        None => None,
    };
    match known(fleet, host, request) {
        Known::New => {}
        Known::Same => return Ok(Vec::new()),
        Known::Taken => return Err(Refusal::IdTaken(request.op.clone())),
    }
    match (host, &request.ask) {
        (Some(host), ask) => on_host(fleet, host, request, ask, now),
        (None, Ask::MergePr { pr, expected_head }) => merge(fleet, pr, expected_head, now)
            .map(|()| [requested(request, request.ask.clone(), now)].into()),
        (None, Ask::RevertPr { pr }) => {
            revert(fleet, pr, now).map(|()| [requested(request, request.ask.clone(), now)].into())
        }
        (None, ask) => Ok([requested(request, ask.clone(), now)].into()),
    }
}

/// The event that puts a refusal into the log.
#[must_use]
pub fn refused(request: &Request, refusal: &Refusal) -> Decision {
    Decision::OpRefused {
        op: request.op.clone(),
        by: request.by.clone(),
        ask: request.ask.clone(),
        reason: Text::new(&alloc::format!("{refusal}")),
    }
}

/// What a rollback would do, to be shown before it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct RollbackPreview<'a> {
    /// Where it goes: number, commit, when, tests.
    pub target: &'a Generation,
    /// How long ago the target last began to run, where that is longer than [`OLD_TARGET`].
    pub old: Option<Span>,
}

/// Where a rollback of a host would go, told or by default.
///
/// # Errors
/// [`Refusal`] as [`decide`] would give.
pub fn preview_rollback<'a>(
    host: &'a Host,
    to: Option<&Target>,
    now: Timestamp,
) -> Result<RollbackPreview<'a>, Refusal> {
    let running = &host.deployment().ok_or(Refusal::NoTarget)?.generation;
    let target = match to {
        Some(to) if running.matches(to) => return Err(Refusal::AlreadyRunning),
        Some(to) => find(host.earlier(), to).ok_or(Refusal::UnknownGeneration)?,
        None => default_target(running, host.earlier()).ok_or(Refusal::NoTarget)?,
    };
    let age = now.since(target.at);
    Ok(RollbackPreview { target, old: (age > OLD_TARGET).then_some(age) })
}

enum Known {
    New,
    Same,
    Taken,
}

/// Whether an operation with the request's id is already known. Asking again for the same is no new request.
fn known(fleet: &Fleet, host: Option<&Host>, request: &Request) -> Known {
    let waiting = host.map(|host| host.operations().waiting()).into_iter().flatten();
    let waiting = waiting.chain([&fleet.facts.forge, &fleet.facts.look].into_iter().flatten());
    if let Some(pending) = waiting.filter(|pending| pending.op == request.op).last() {
        return if pending.ask.answers(&request.ask) { Known::Same } else { Known::Taken };
    }
    let over = |host: &Host| {
        let operations = host.operations();
        operations.begun(&request.op).or_else(|| operations.taken_back(&request.op))
    };
    match host.and_then(over) {
        None => Known::New,
        Some(begun) if Some(begun) == request.ask.operation() => Known::Same,
        Some(_) => Known::Taken,
    }
}

fn on_host(
    fleet: &Fleet,
    host: &Host,
    request: &Request,
    ask: &Ask,
    now: Timestamp,
) -> Result<Vec<Decision>, Refusal> {
    let operations = host.operations();
    let pushed = host.checkout_place() == CheckoutPlace::None;
    let ask = match ask {
        Ask::Stop { target_op, .. } => {
            let waits = operations.pending(now).is_some_and(|pending| pending.op == *target_op);
            let runs = operations.running(now).is_some_and(|running| running.op.as_ref() == Some(target_op));
            if !waits && !runs {
                return Err(Refusal::NothingToStop(target_op.clone()));
            }
            return Ok([requested(request, ask.clone(), now)].into());
        }
        Ask::Pull { .. } if pushed => return Err(Refusal::NoCheckout(Kind::Pull)),
        Ask::Switch { .. } if pushed => return Err(Refusal::NoCheckout(Kind::Switch)),
        Ask::Switch { force, .. } if !force => {
            current(fleet, host, now)?;
            ask.clone()
        }
        Ask::Test { .. } if !host.tests().enabled => return Err(Refusal::TestsDisabled),
        // The target is fixed when it is asked for: what is shown is what is done.
        Ask::Rollback { host: id, to } => {
            let target = preview_rollback(host, to.as_ref(), now)?.target;
            Ask::Rollback { host: id.clone(), to: target.target() }
        }
        Ask::Pull { .. } | Ask::Switch { .. } | Ask::Test { .. } => ask.clone(),
        Ask::Refresh { .. } | Ask::MergePr { .. } | Ask::RevertPr { .. } => {
            return Ok([requested(request, ask.clone(), now)].into());
        }
    };
    let mut events = make_room(operations, request, now)?;
    events.push(requested(request, ask, now));
    Ok(events)
}

/// One operation a host; a switch or rollback stops a running test first.
fn make_room(operations: &Operations, request: &Request, now: Timestamp) -> Result<Vec<Decision>, Refusal> {
    if let Some(pending) = operations.pending(now)
        && let Some(kind) = pending.ask.operation()
    {
        let (op, by) = (Some(pending.op.clone()), Some(pending.by.clone()));
        return Err(Refusal::Busy { kind, state: BusyState::Pending, op, by });
    }
    let Some(running) = operations.running(now) else { return Ok(Vec::new()) };
    let supersedes = request.ask.operation().is_some_and(Kind::deploys) && running.kind == Kind::Test;
    match (&running.op, request.ask.host()) {
        (Some(test), Some(host)) if supersedes => {
            if operations.is_being_stopped(test) {
                return Ok(Vec::new());
            }
            let stop = Request { op: request.op.stop_before(), ..request.clone() };
            let ask = Ask::Stop { host: host.clone(), target_op: test.clone() };
            Ok([requested(&stop, ask, now)].into())
        }
        // A test without an id cannot be stopped by anybody: what supersedes it waits for its end.
        (None, _) if supersedes => Ok(Vec::new()),
        _ => {
            let (kind, op) = (running.kind, running.op.clone());
            Err(Refusal::Busy { kind, state: BusyState::Running, op, by: None })
        }
    }
}

/// A switch wants the checkout proven to be the desired state.
fn current(fleet: &Fleet, host: &Host, now: Timestamp) -> Result<(), Refusal> {
    let evidence = Evidence::new(fleet, host, now);
    if !checkout_commit_proven(&evidence) {
        let is_dirty = host.checkout().is_some_and(|checkout| checkout.dirt == Dirt::Dirty);
        Err(Refusal::NotCurrent(if is_dirty { NotCurrent::Dirty } else { NotCurrent::Git }))
    } else if !checkout_lock_proven(&evidence) {
        Err(Refusal::NotCurrent(NotCurrent::Lock))
    } else {
        Ok(())
    }
}

fn merge(fleet: &Fleet, pr: &PrId, expected: &Commit, now: Timestamp) -> Result<(), Refusal> {
    forge_is_free(fleet, now)?;
    let open =
        fleet.pull_requests().find(|open| open.pr == *pr).ok_or_else(|| Refusal::NotOpen(pr.clone()))?;
    let actual = open.head.ok_or_else(|| Refusal::HeadUnknown(pr.clone()))?;
    if !actual.same(expected) {
        return Err(Refusal::HeadMoved { expected: *expected, actual });
    }
    let state = match open.mergeable {
        Some(true) => return Ok(()),
        Some(false) => MergeState::Conflict,
        None => MergeState::Unknown,
    };
    Err(Refusal::NotMergeable { pr: pr.clone(), state })
}

fn revert(fleet: &Fleet, pr: &PrId, now: Timestamp) -> Result<(), Refusal> {
    forge_is_free(fleet, now)?;
    let merge = fleet.merges().iter().rev().find(|merge| merge.pr == *pr);
    match merge {
        None => Err(Refusal::NotMerged(pr.clone())),
        Some(merge) if merge.reverted => Err(Refusal::AlreadyReverted(pr.clone())),
        Some(_) => Ok(()),
    }
}

fn forge_is_free(fleet: &Fleet, now: Timestamp) -> Result<(), Refusal> {
    match fleet.forge_operation(now).and_then(|pending| pending.ask.pull_request().zip(Some(pending))) {
        None => Ok(()),
        Some((pr, Pending { op, by, ask, .. })) => {
            Err(Refusal::ForgeBusy { kind: ask.kind(), pr: pr.clone(), op: op.clone(), by: by.clone() })
        }
    }
}

fn requested(request: &Request, ask: Ask, now: Timestamp) -> Decision {
    let deliver_by = Some(request.deliver_by.unwrap_or(now + DELIVER_WITHIN));
    Decision::OpRequested { op: request.op.clone(), by: request.by.clone(), ask, deliver_by }
}
