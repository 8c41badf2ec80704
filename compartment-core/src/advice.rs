//! One next action per host, from its cells (CORE-006, section 7).

use serde::Serialize;

use crate::compartment::{Cells, Status, git, lock, system};
use crate::event::words;
use crate::generation::default_target;
use crate::host::Host;
use crate::matrix::GenerationEntry;
use crate::time::Timestamp;

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
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Advice {
    /// The action.
    pub action: Action,
    /// Where a rollback would go.
    pub to: Option<GenerationEntry>,
}

pub(crate) fn advise(cells: &Cells, host: &Host, now: Timestamp) -> Advice {
    let to = if cells.tests.verdict().status == Status::Error { rollback_target(host) } else { None };
    let action = action(cells, to.is_some(), host.operations().pending(now).is_some());
    Advice { action, to: to.filter(|_| action == Action::Rollback) }
}

/// Where a rollback of the host goes unless it is told.
fn rollback_target(host: &Host) -> Option<GenerationEntry> {
    let running = &host.deployment()?.generation;
    default_target(running, host.earlier()).map(GenerationEntry::from)
}

fn action(cells: &Cells, can_roll_back: bool, asked: bool) -> Action {
    let status = |is: Status| cells.verdicts().any(|(_, verdict)| verdict.status == is);
    let git = cells.git.verdict().status;
    let lock = cells.lock.verdict().status;
    let system = cells.system.verdict().status;
    let tests = cells.tests.verdict().status;
    let unavailable =
        cells.git == git::Reason::DesiredUnavailable || cells.lock == lock::Reason::DesiredUnavailable;
    if status(Status::Working) || asked {
        Action::Wait
    } else if git == Status::Error || system == Status::Error || unavailable {
        Action::Fix
    } else if tests == Status::Error {
        if can_roll_back { Action::Rollback } else { Action::Fix }
    } else if git == Status::Outdated || matches!(lock, Status::Outdated | Status::Error) {
        Action::Pull
    } else if system == Status::Outdated {
        // Until somebody has looked at the repository, there is nothing to switch to; and what is not proven to
        // be the desired checkout is pulled.
        if cells.system == system::Reason::CannotVerify {
            Action::None
        } else if matches!(cells.system, system::Reason::CheckoutDiffers | system::Reason::CheckoutUnproven) {
            Action::Pull
        } else {
            Action::Switch
        }
    } else if tests == Status::Outdated {
        Action::Test
    } else {
        Action::None
    }
}
