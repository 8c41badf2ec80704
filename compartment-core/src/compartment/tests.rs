//! Tests: does the running system work? The last test run of what is *deployed*. (CORE-006 T1 to T8)

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::words::{cannot_see, deployed_facts, desired_facts, field_fact, standing_fact};
use super::{DesiredView, Evidence, Fact, reasons, view_part};
use crate::host::SystemField;
use crate::operation::{Class, Outcome, Standing, reported_by};

view_part! {
    /// Whether the host's tests are switched on.
    Switch {
        /// They are.
        Enabled,
        /// They are not.
        Disabled,
    }

    /// The last test run.
    Run {
        /// There was none.
        Never,
        /// It runs.
        Running,
        /// Every test passed.
        Passed,
        /// It passed, and there are no tests.
        NoTests,
        /// Not every test passed.
        Failed,
        /// It was stopped.
        Stopped,
        /// Its time ran out.
        Expired,
        /// The host came back without its result.
        Unknown,
    }

    /// Whether the last run speaks of what runs now.
    Fit {
        /// Nothing is known to be deployed.
        NothingDeployed,
        /// What is deployed can no longer be read.
        Unreadable,
        /// It belongs to an earlier deployment, or to one that is not known.
        EarlierDeployment,
        /// An attempt since may have changed what runs.
        Doubtful,
        /// Nothing tells when it began, so it may be of an earlier deployment.
        Unordered,
        /// It does.
        Current,
    }
}

/// All that the rule sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct View {
    /// Whether tests are switched on.
    pub switch: Switch,
    /// The last run.
    pub run: Run,
    /// Of what.
    pub fit: Fit,
    /// The desired state.
    pub desired: DesiredView,
}

reasons! {
    /// Tests are switched off.
    Disabled = "T1" Unknown "disabled",
    /// Tests run.
    Running = "T2" Working "running",
    /// Tests never ran, and nothing is known to be deployed.
    NothingToTest = "T3" Unknown "nothing-to-test",
    /// Tests never ran.
    NeverRan = "T3" Outdated "never-ran",
    /// There was a run, but nothing is known to be deployed.
    NothingDeployed = "T4" Outdated "nothing-deployed",
    /// What is deployed can no longer be read.
    SystemUnreadable = "T4" Outdated "system-unreadable",
    /// The last run belongs to an earlier deployment.
    EarlierDeployment = "T4" Outdated "earlier-deployment",
    /// An attempt since may have changed what runs.
    Doubtful = "T4" Outdated "doubtful",
    /// Nothing tells when the last run began (CORE-006 K1, K8).
    Unordered = "T4" Outdated "unordered",
    /// The outcome of the last run is not known.
    OutcomeUnknown = "T4" Outdated "outcome-unknown",
    /// There are no tests.
    NoTests = "T5" Unknown "no-tests",
    /// Tests failed.
    Failed = "T6" Error "failed",
    /// Tests were stopped.
    Stopped = "T6" Error "stopped",
    /// Tests ran out of time.
    Expired = "T6" Error "expired",
    /// The desired state cannot be seen, so nothing can be verified.
    CannotVerify = "T7" Outdated "cannot-verify",
    /// All tests of what runs passed.
    Passed = "T8" Ok "passed",
}

/// The rule: the first that applies decides.
#[must_use]
pub const fn judge(view: View) -> Reason {
    match (view.switch, view.run, view.fit) {
        (Switch::Disabled, _, _) => return Reason::Disabled,
        (_, Run::Running, _) => return Reason::Running,
        (_, Run::Never, Fit::NothingDeployed) => return Reason::NothingToTest,
        (_, Run::Never, _) => return Reason::NeverRan,
        (_, _, Fit::NothingDeployed) => return Reason::NothingDeployed,
        (_, _, Fit::Unreadable) => return Reason::SystemUnreadable,
        (_, _, Fit::EarlierDeployment) => return Reason::EarlierDeployment,
        (_, _, Fit::Doubtful) => return Reason::Doubtful,
        (_, _, Fit::Unordered) => return Reason::Unordered,
        (_, _, Fit::Current) => {}
    }
    match (view.run, view.desired) {
        (Run::Unknown | Run::Never | Run::Running, _) => Reason::OutcomeUnknown,
        (Run::NoTests, _) => Reason::NoTests,
        (Run::Failed, _) => Reason::Failed,
        (Run::Stopped, _) => Reason::Stopped,
        (Run::Expired, _) => Reason::Expired,
        (Run::Passed, DesiredView::NeverObserved | DesiredView::Unavailable) => Reason::CannotVerify,
        (Run::Passed, DesiredView::Available) => Reason::Passed,
    }
}

impl View {
    pub(crate) fn of(evidence: &Evidence<'_>) -> Self {
        let standing = evidence.host.operations().last(Class::Test, evidence.now);
        let run = match standing {
            Standing::None => Run::Never,
            Standing::Running(_) => Run::Running,
            Standing::Expired(_) => Run::Expired,
            Standing::Ended(run) => match run.outcome {
                Outcome::Passed { total: 0 } => Run::NoTests,
                Outcome::Passed { .. } => Run::Passed,
                Outcome::TestsFailed { .. } | Outcome::Failed { .. } => Run::Failed,
                Outcome::Stopped { .. } => Run::Stopped,
                Outcome::Expired { .. } => Run::Expired,
                Outcome::Ok | Outcome::Lost | Outcome::Overtaken | Outcome::Lapsed => Run::Unknown,
            },
        };
        let switch = if evidence.host.tests.enabled { Switch::Enabled } else { Switch::Disabled };
        Self { switch, run, fit: fit(evidence, standing), desired: DesiredView::of(evidence.channel) }
    }
}

fn fit(evidence: &Evidence<'_>, standing: Standing<'_>) -> Fit {
    let Some(_) = evidence.host.deployment() else { return Fit::NothingDeployed };
    let (trace, passed) = match standing {
        Standing::None | Standing::Running(_) => return Fit::Current,
        Standing::Expired(run) => (Some(&run.trace), false),
        Standing::Ended(run) => (run.trace(), matches!(run.outcome, Outcome::Passed { .. })),
    };
    // A pass proves only what ran when it surely began; a failure speaks of what ran when it was heard of (K8).
    let since = trace.map_or(0, |trace| if passed { trace.after } else { trace.after.max(trace.heard) });
    let past = evidence.host.past();
    let attempt = past.operations.open().is_some_and(|open| open.kind.deploys());
    if evidence.host.system == SystemField::Unreadable {
        Fit::Unreadable
    } else if since == 0 {
        Fit::Unordered
    } else if past.changed >= since {
        Fit::EarlierDeployment
    } else if past.doubt >= since || attempt {
        Fit::Doubtful
    } else {
        Fit::Current
    }
}

pub(super) fn sentence(reason: Reason, evidence: &Evidence<'_>) -> String {
    match reason {
        Reason::Disabled => "tests are switched off for this host".to_string(),
        Reason::Running => match evidence.host.running(evidence.now) {
            Some(run) => format!(
                "testing since {}, until {} at the latest",
                run.started_at.whole_second(),
                run.deadline.whole_second()
            ),
            None => "testing".to_string(),
        },
        Reason::NothingToTest => "tests never ran, and nothing is known to be deployed".to_string(),
        Reason::NeverRan => "tests never ran on what is deployed".to_string(),
        Reason::NothingDeployed => "tests ran, but what is deployed is not known".to_string(),
        Reason::SystemUnreadable => {
            "what is deployed can no longer be read, so the last run proves nothing".to_string()
        }
        Reason::EarlierDeployment => {
            format!("{}, and what runs has changed since, or come into doubt", last_run(evidence))
        }
        Reason::Doubtful => {
            format!("{}, and what runs may have been changed since", last_run(evidence))
        }
        Reason::Unordered => format!(
            "{}, but nothing tells when that run began: report starts, and everything in one session",
            last_run(evidence)
        ),
        Reason::NoTests => "the host has no tests".to_string(),
        Reason::OutcomeUnknown | Reason::Failed | Reason::Stopped | Reason::Expired | Reason::Passed => {
            last_run(evidence)
        }
        Reason::CannotVerify => {
            format!("{}; cannot verify: {}", last_run(evidence), cannot_see(evidence.channel))
        }
    }
}

/// The last run, in words.
fn last_run(evidence: &Evidence<'_>) -> String {
    match evidence.host.operations().last(Class::Test, evidence.now) {
        Standing::None => "tests never ran".to_string(),
        Standing::Running(run) => format!("testing since {}", run.started_at.whole_second()),
        Standing::Expired(run) => format!("the tests ran out of time at {}", run.deadline.whole_second()),
        Standing::Ended(run) => {
            let at = run.at.whole_second();
            match &run.outcome {
                Outcome::Passed { total } => format!("{total} of {total} tests passed at {at}"),
                Outcome::TestsFailed { passed, total, failed, error } => {
                    let names: Vec<_> = failed.iter().map(crate::Text::as_str).collect();
                    let names = if names.is_empty() {
                        String::new()
                    } else {
                        format!("; failed: {}", names.join(", "))
                    };
                    let error = error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
                    format!("{passed} of {total} tests passed at {at}{names}{error}")
                }
                Outcome::Expired { .. } => format!("the tests ran out of time at {at}"),
                Outcome::Stopped { by, .. } => {
                    let by = by.as_ref().map(|by| format!(" ({})", reported_by(by))).unwrap_or_default();
                    format!("the tests were stopped at {at}{by}")
                }
                Outcome::Failed { .. } | Outcome::Ok => format!("the tests ended at {at}"),
                Outcome::Lost => format!("the host came back at {at} without the tests' result"),
                Outcome::Lapsed => format!("the tests were not heard to begin until {at}"),
                Outcome::Overtaken => format!("something else started at {at} before the tests' result"),
            }
        }
    }
}

pub(super) fn facts(evidence: &Evidence<'_>) -> Vec<Fact> {
    let config = evidence.host.tests;
    let on = if config.enabled { "on" } else { "off" };
    let mut facts = Vec::from([
        Fact::new("tests are", on),
        standing_fact("last test run", Class::Test, evidence),
        standing_fact("last deployment attempt", Class::Attempt, evidence),
    ]);
    facts.extend(deployed_facts(evidence));
    facts.push(field_fact(evidence));
    facts.extend(desired_facts(evidence.channel));
    facts
}
