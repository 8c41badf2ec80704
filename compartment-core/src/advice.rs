//! One next action per host, from its cells (CORE-006, sections 7 and 11).
//!
//! As in the cells, the rule sees nothing but enums: [`Cells`] and [`Circumstances`], so that all cases can be looked
//! at.

use serde::{Deserialize, Serialize};

use crate::compartment::{Cells, DesiredView, Evidence, Status, system, view_part};
use crate::event::{CheckoutPlace, words};
use crate::generation::{GenerationEntry, default_target};
use crate::host::Host;
use crate::id::Version;
use crate::tried::failed_here;

words! {
    /// What an operator would do next.
    Action {
        /// Nothing.
        None = "none",
        /// Pull.
        Pull = "pull",
        /// Switch.
        Switch = "switch",
        /// Deploy to the host, on which nothing is checked out: push what is desired to it.
        Deploy = "deploy",
        /// Run the tests.
        Test = "test",
        /// Roll back, to the generation that the advice names.
        Rollback = "rollback",
        /// Wait for what runs, or was asked for.
        Wait = "wait",
        /// Look into a failure.
        Fix = "fix",
        /// Bring the agent to the version that the advice names.
        UpdateAgent = "update-agent",
    }
}

/// What to do next on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Advice {
    /// The action.
    pub action: Action,
    /// Where a rollback would go; nothing with any other action.
    pub to: Option<GenerationEntry>,
    /// The released version, to which the agent is to be brought; nothing with any other action than
    /// [`Action::UpdateAgent`].
    pub version: Option<Version>,
}

view_part! {
    /// Whether the host has its hands full.
    Busy {
        /// It has not.
        Idle,
        /// Something runs there, or a requested operation waits for delivery.
        Occupied,
    }

    /// Whether the history holds a generation to go back to unless another one is named.
    WayBack {
        /// It does not.
        None,
        /// It does.
        Known,
    }

    /// What is known of the desired commit on this host.
    Tried {
        /// Nothing that speaks against it.
        NotFailed,
        /// Its last switch failed, its tests did, or the host was rolled back from it.
        FailedHere,
    }
}

/// What the advice follows from besides the cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// Whether something runs, or was asked for.
    pub busy: Busy,
    /// Whether the desired state can be seen.
    pub desired: DesiredView,
    /// Where a rollback would go.
    pub way_back: WayBack,
    /// How the desired commit fared here.
    pub tried: Tried,
    /// Whether the host has a checkout of its own.
    pub place: CheckoutPlace,
}

pub(crate) fn advise(cells: &Cells, evidence: &Evidence<'_>) -> Advice {
    let failed = cells.tests.verdict().status == Status::Error;
    let to = if failed { rollback_target(evidence.host) } else { None };
    let action = action(cells, Circumstances::of(cells, evidence, to.as_ref()));
    let version = evidence.fleet.released().filter(|_| action == Action::UpdateAgent).cloned();
    Advice { action, to: to.filter(|_| action == Action::Rollback), version }
}

/// Whether the desired commit has failed on a host, as far as that is remembered (CORE-006, section 11).
pub(crate) fn desired_failed(cells: &Cells, evidence: &Evidence<'_>) -> bool {
    // Where what is desired runs and works, nobody has to walk through the history.
    let works = |status: Status| status == Status::Ok;
    if works(cells.system.verdict().status) && works(cells.tests.verdict().status) {
        return false;
    }
    let desired = evidence.channel.desired();
    desired.is_some_and(|desired| failed_here(evidence.host, evidence.channel, &desired.commit))
}

/// Where a rollback of the host goes unless it is told.
fn rollback_target(host: &Host) -> Option<GenerationEntry> {
    let running = &host.deployment()?.generation;
    default_target(running, host.earlier()).map(GenerationEntry::from)
}

impl Circumstances {
    fn of(cells: &Cells, evidence: &Evidence<'_>, to: Option<&GenerationEntry>) -> Self {
        let (host, channel) = (evidence.host, evidence.channel);
        let asked = host.operations().pending(evidence.now).is_some();
        let occupied = asked || host.running(evidence.now).is_some();
        // Nobody asks it of the many hosts that are where they should be, and it is a walk through the history.
        let next = channel.desired().filter(|_| due(cells, host.checkout_place()).is_some());
        let failed = next.is_some_and(|desired| failed_here(host, channel, &desired.commit));
        Self {
            busy: if occupied { Busy::Occupied } else { Busy::Idle },
            desired: DesiredView::of(channel),
            way_back: if to.is_some() { WayBack::Known } else { WayBack::None },
            tried: if failed { Tried::FailedHere } else { Tried::NotFailed },
            place: host.checkout_place(),
        }
    }
}

/// The rule: the first that applies decides.
#[must_use]
pub fn action(cells: &Cells, circumstances: Circumstances) -> Action {
    let works = cells.verdicts().any(|(_, verdict)| verdict.status == Status::Working);
    let red = |status: Status| status == Status::Error;
    if works || circumstances.busy == Busy::Occupied {
        return Action::Wait;
    }
    if red(cells.git.verdict().status)
        || red(cells.system.verdict().status)
        || circumstances.desired == DesiredView::Unavailable
    {
        return Action::Fix;
    }
    if red(cells.tests.verdict().status) {
        return match circumstances.way_back {
            WayBack::Known => Action::Rollback,
            WayBack::None => Action::Fix,
        };
    }
    if let Some(due) = due(cells, circumstances.place) {
        // What failed here once is not tried again before something else is desired.
        return match circumstances.tried {
            Tried::FailedHere => Action::Fix,
            Tried::NotFailed => due,
        };
    }
    // Until somebody has looked at the repository, nothing can be said to be due.
    if cells.tests.verdict().status == Status::Outdated && cells.system != system::Reason::CannotVerify {
        Action::Test
    } else if red(cells.agent.verdict().status) {
        Action::UpdateAgent
    } else {
        Action::None
    }
}

/// What brings a host to the desired state, where it is not there yet as far as anybody knows.
fn due(cells: &Cells, place: CheckoutPlace) -> Option<Action> {
    let configuration = cells.git.verdict().status == Status::Outdated
        || matches!(cells.lock.verdict().status, Status::Outdated | Status::Error)
        || matches!(cells.system, system::Reason::CheckoutDiffers | system::Reason::CheckoutUnproven);
    let system =
        cells.system.verdict().status == Status::Outdated && cells.system != system::Reason::CannotVerify;
    match place {
        // Only a checkout that is proven to be the desired one is switched to.
        CheckoutPlace::Host if configuration => Some(Action::Pull),
        CheckoutPlace::Host => system.then_some(Action::Switch),
        CheckoutPlace::None => (configuration || system).then_some(Action::Deploy),
    }
}
