//! One next action per host, from its cells (CORE-006, section 7).

use serde::{Deserialize, Serialize};

use crate::channel::Availability;
use crate::compartment::{Cells, Evidence, Status, system};
use crate::event::words;
use crate::generation::default_target;
use crate::host::Host;
use crate::matrix::GenerationEntry;

words! {
    /// What an operator would do next.
    Action {
        /// Nothing.
        None = "none",
        /// Pull.
        Pull = "pull",
        /// Switch.
        Switch = "switch",
        /// Run the tests.
        Test = "test",
        /// Roll back, to the generation that the advice names.
        Rollback = "rollback",
        /// Wait for what runs, or was asked for.
        Wait = "wait",
        /// Look into a failure.
        Fix = "fix",
    }
}

/// What to do next on a host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Advice {
    /// The action.
    pub action: Action,
    /// Where a rollback would go.
    pub to: Option<GenerationEntry>,
}

pub(crate) fn advise(cells: &Cells, evidence: &Evidence<'_>) -> Advice {
    let failed = cells.tests.verdict().status == Status::Error;
    let to = if failed { rollback_target(evidence.host) } else { None };
    let action = action(cells, evidence, to.is_some());
    Advice { action, to: to.filter(|_| action == Action::Rollback) }
}

/// Where a rollback of the host goes unless it is told.
fn rollback_target(host: &Host) -> Option<GenerationEntry> {
    let running = &host.deployment()?.generation;
    default_target(running, host.earlier()).map(GenerationEntry::from)
}

fn action(cells: &Cells, evidence: &Evidence<'_>, can_roll_back: bool) -> Action {
    let works = cells.verdicts().any(|(_, verdict)| verdict.status == Status::Working);
    let asked = evidence.host.operations().pending(evidence.now).is_some();
    let unavailable = matches!(evidence.channel.availability, Availability::Unavailable { .. });
    let git = cells.git.verdict().status;
    let lock = cells.lock.verdict().status;
    let system = cells.system.verdict().status;
    let tests = cells.tests.verdict().status;
    if works || asked {
        Action::Wait
    } else if git == Status::Error || system == Status::Error || unavailable {
        Action::Fix
    } else if tests == Status::Error {
        if can_roll_back { Action::Rollback } else { Action::Fix }
    } else if git == Status::Outdated || matches!(lock, Status::Outdated | Status::Error) {
        Action::Pull
    } else if matches!(cells.system, system::Reason::CheckoutDiffers | system::Reason::CheckoutUnproven) {
        // Only a checkout that is proven to be the desired one is switched to.
        Action::Pull
    } else if cells.system == system::Reason::CannotVerify {
        // Until somebody has looked at the repository, nothing can be said to be due.
        Action::None
    } else if system == Status::Outdated {
        Action::Switch
    } else if tests == Status::Outdated {
        Action::Test
    } else {
        Action::None
    }
}
