//! What is reported of an operation: pure functions of its plan and its evidence.

use compartment_core::Text;
use compartment_core::event::{Deployer, Kind, Reading, RunningSystem, Said, Target};

use super::limit::run_timeout_s;
use super::{Ending, Exit, Facts, Plan, StepEnd};

/// The report of an operation that begins: `pull-started` and so on.
///
/// Its `timeout_s` limits the whole run (CORE-006, section 11): it is the plan's limit and half a minute for what comes
/// before and after it, at most seven days.
#[must_use]
pub fn started(plan: &Plan) -> Said {
    let timeout_s = Some(run_timeout_s(plan.limit));
    let to = plan.to.clone().filter(|_| plan.kind == Kind::Rollback);
    Said::Started { kind: plan.kind, timeout_s, to }
}

/// The report of an operation that has ended, from what the machine says of itself; an exit code is not believed
/// alone.
///
/// - A pull says what is in the checkout now. Where that cannot be read, it failed.
/// - A switch says what runs now, and what the checkout was when it began. Where the newest generation is another system
///   than the one that runs, it failed.
/// - A rollback after which it is not read that `to` runs failed, whatever its programs say.
/// - Tests pass when all do. Without any, none failed.
/// - What was cut short was stopped.
#[must_use]
pub fn result(kind: Kind, to: Option<&Target>, ending: &Ending) -> Said {
    if ending.stopped {
        let activated = match kind {
            Kind::Switch | Kind::Rollback => activated(&ending.before, &ending.after),
            Kind::Pull | Kind::Test => None,
        };
        return Said::OpStopped { kind, by: None, activated };
    }
    match kind {
        Kind::Pull => pull(ending),
        Kind::Switch => switch(ending),
        Kind::Rollback => rollback(to, ending),
        Kind::Test => test(ending),
    }
}

fn pull(ending: &Ending) -> Said {
    let Facts { commit, dirty, lock_hash, .. } = &ending.after;
    match (failure(ending), commit) {
        (Some(step), _) => Said::PullFail { exit_code: step.exit.code(), error: Some(words(step)) },
        (None, Reading::Told(commit)) => {
            Said::PullOk { commit: *commit, lock_hash: lock_hash.told(), dirty: dirty.told() }
        }
        (None, Reading::Absent | Reading::Unreadable) => {
            let why = ending.after.why();
            let error =
                Text::new(&format!("the pull exited 0, and the checkout's commit cannot be read: {why}"));
            Said::PullFail { exit_code: Some(0), error: Some(error) }
        }
    }
}

fn switch(ending: &Ending) -> Said {
    let kind = Deployer::Switch;
    if let Some(step) = failure(ending) {
        return failed(kind, step.exit.code(), words(step), ending);
    }
    if let Some(apart) = &ending.after.apart {
        // Whether it was cut short while it activated, nobody can tell.
        let error =
            Text::new(&format!("the switch exited 0, and {apart}: nobody can tell what it activated"));
        let system = system(&ending.after).cloned().map(Box::new);
        return Said::DeployFail { kind, exit_code: Some(0), error: Some(error), activated: None, system };
    }
    // What was built is what stood there when it began: someone may have pulled since.
    let Facts { commit, dirty, lock_hash, .. } = &ending.before;
    Said::DeployOk {
        kind,
        commit: commit.told(),
        lock_hash: lock_hash.told(),
        dirty: dirty.told(),
        system: system(&ending.after).cloned().map(Box::new),
    }
}

fn rollback(to: Option<&Target>, ending: &Ending) -> Said {
    let kind = Deployer::Rollback;
    if let Some(step) = failure(ending) {
        return failed(kind, step.exit.code(), words(step), ending);
    }
    let target = to.cloned().unwrap_or_default();
    let Some(now) = system(&ending.after) else {
        let why = ending.after.why();
        let error =
            Text::new(&format!("the rollback exited 0, and what runs afterwards cannot be read: {why}"));
        return failed(kind, Some(0), error, ending);
    };
    let (runs, wanted) = (named(now.number, now.path.as_ref()), named(target.number, target.path.as_ref()));
    let why = match (is_target(&target, now), activated(&ending.before, &ending.after)) {
        // The checkout says nothing of what an earlier generation was built from.
        (Some(true), _) => {
            let system = Some(Box::new(now.clone()));
            return Said::DeployOk { kind, commit: None, lock_hash: None, dirty: None, system };
        }
        (Some(false), Some(true)) => format!(" and did something else: what runs is {runs}, not {wanted}"),
        (Some(false), Some(false)) => format!(" and did nothing: what runs is {runs}, not {wanted}"),
        (Some(false), None) => format!(" and did not do it: what runs is {runs}, not {wanted}"),
        (None, _) => format!(", and nobody can tell whether what runs, {runs}, is {wanted}"),
    };
    failed(kind, Some(0), Text::new(&format!("the rollback exited 0{why}")), ending)
}

/// Whether what runs is the target: by its path, else by its number. `None`: they have nothing in common by which that
/// could be told.
fn is_target(target: &Target, now: &RunningSystem) -> Option<bool> {
    match (&target.path, &now.path, target.number, now.number) {
        (Some(target), Some(now), ..) => Some(target == now),
        (.., Some(target), Some(now)) => Some(target == now),
        // Nothing certain was asked for.
        (None, _, None, _) => Some(true),
        _ => None,
    }
}

fn named(number: Option<impl std::fmt::Display>, path: Option<impl std::fmt::Display>) -> String {
    match (number, path) {
        (Some(number), Some(path)) => format!("generation {number} ({path})"),
        (Some(number), None) => format!("generation {number}"),
        (None, Some(path)) => path.to_string(),
        (None, None) => "something without a name".to_owned(),
    }
}

fn failed(kind: Deployer, exit_code: Option<i32>, error: Text, ending: &Ending) -> Said {
    Said::DeployFail {
        kind,
        exit_code,
        error: Some(error),
        activated: activated(&ending.before, &ending.after),
        system: system(&ending.after).cloned().map(Box::new),
    }
}

fn test(ending: &Ending) -> Said {
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let total = count(ending.steps.len());
    let failed: Vec<_> = ending.steps.iter().filter(|step| !step.exit.success()).collect();
    let Some(first) = failed.first() else { return Said::TestPass { total } };
    Said::TestFail {
        passed: total - count(failed.len()),
        total,
        failed: failed
            .iter()
            .take(Said::FAILED_NAMES)
            .map(|step| Text::cut(step.name.as_str(), Said::FAILED_NAME_BYTES))
            .collect(),
        error: Some(words(first)),
    }
}

/// The first step that did not end well.
fn failure(ending: &Ending) -> Option<&StepEnd> {
    ending.steps.iter().find(|step| !step.exit.success())
}

fn system(facts: &Facts) -> Option<&RunningSystem> {
    match &facts.system {
        Reading::Told(system) => Some(system),
        Reading::Absent | Reading::Unreadable => None,
    }
}

/// Whether something else runs than before. `None`: that cannot be told.
fn activated(before: &Facts, after: &Facts) -> Option<bool> {
    match (&before.system, &after.system) {
        (Reading::Told(before), Reading::Told(after)) => Some(before.path.as_ref()? != after.path.as_ref()?),
        // The first one, or the last.
        (Reading::Absent, Reading::Told(_)) | (Reading::Told(_), Reading::Absent) => Some(true),
        (Reading::Absent, Reading::Absent) | (Reading::Unreadable, _) | (_, Reading::Unreadable) => None,
    }
}

/// What went wrong with a step, for people.
fn words(step: &StepEnd) -> Text {
    let StepEnd { name, exit, last_words } = step;
    let said = advised(last_words.as_str());
    Text::new(&match exit {
        Exit::Code(_) => format!("{name}: {said}"),
        Exit::Signal(signal) => format!("{name}: killed by signal {signal}; its last words: {said}"),
        Exit::TimedOut(limit) => {
            format!("{name} (timed out): it was ended after {} s; its last words: {said}", limit.as_secs())
        }
        Exit::NotStarted(why) => format!("{name}: {why}"),
        Exit::Stopped => format!("{name}: it was stopped"),
        Exit::Skipped => format!("{name}: it was not run, no time was left"),
    })
}

/// git's complaint about a lock file, with what to do about it: nothing but a look can tell whether it is in use.
fn advised(said: &str) -> String {
    if said.contains(".lock': File exists") {
        format!("{said} Either a git is at work there, or one was killed and left the file: then delete it")
    } else {
        said.to_owned()
    }
}

#[cfg(test)]
mod tests;
