//! What is ordered, as a script.

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use compartment_core::event::{Kind, Target};
use compartment_core::{OpId, Text};
use compartment_local::operation::{Dir, LONGEST_RUN, OnFailure, Plan, Refused, Step, tests_run_limit};

use super::{FACTS, GIT_WITHIN, LOCK, PRELUDE, Script, TESTS, seconds};
use crate::host::{HostPath, Nonce, Site, quote};

/// What is to be done on a host.
#[derive(Clone, Debug)]
pub enum Order<'a> {
    /// The steps of a plan for [`Site::machine`].
    Plan(&'a Plan),
    /// The tests in a folder on the host.
    Tests(&'a Tests),
}

/// A folder of tests, which the host itself lists when it begins: every executable file in it is one, sorted by name,
/// by the rules of an agent's host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tests {
    /// The folder; without one, or where it is not there, there are no tests.
    pub folder: Option<HostPath>,
    /// How long each of them may take.
    pub each: Duration,
}

impl Tests {
    /// The folder as it is configured, in the checkout of the site where it is relative.
    ///
    /// # Errors
    /// [`Refused`]: it is no path that can be used, or relative on a host without a checkout.
    pub fn new(folder: Option<&Path>, each: Duration, site: &Site) -> Result<Self, Refused> {
        let whole = |folder: &Path| {
            let folder = match &site.checkout {
                Some(checkout) => Path::new(checkout.as_str()).join(folder),
                None => folder.to_owned(),
            };
            folder.to_str().and_then(|path| HostPath::new(path).ok()).ok_or_else(|| {
                refused(&format!("the tests' folder {} is no absolute path on the host", folder.display()))
            })
        };
        Ok(Self { folder: folder.map(whole).transpose()?, each })
    }
}

fn refused(words: &str) -> Refused {
    Refused(Text::new(words))
}

/// The script that begins an operation, detached from whoever sends it. To send it again with the same id begins
/// nothing. When all is prepared it says so ([`Part::Ready`](crate::host::Part::Ready)), and
/// begins only if it then reads [`GO`](crate::host::GO): an order may have become too old on its way.
///
/// # Errors
/// [`Refused`]: a step cannot be run on a host: it names no program, one that begins with a dash, a variable that is
/// none, or holds a NUL.
pub fn begin(nonce: &Nonce, site: &Site, op: &OpId, order: &Order<'_>) -> Result<String, Refused> {
    let run = runner(site, op, order)?;
    let mut script = Script::new("begin", nonce, site);
    script.set("OP", op.as_str());
    let (kind, limit) = match order {
        Order::Plan(plan) => (plan.kind, plan.limit),
        Order::Tests(tests) => (Kind::Test, tests_run_limit(tests.each, 1)),
    };
    script.set("KIND", kind.as_str());
    script.set("LIMIT", &seconds(limit).to_string());
    script.set("LONGEST", &seconds(LONGEST_RUN).to_string());
    script.set("TESTS", tests_folder(order));
    script.set("EACH", &each(order));
    script.set("RUN", &run);
    Ok(script.with(&[
        PRELUDE,
        LOCK,
        TESTS,
        include_str!("../scripts/start.sh"),
        include_str!("../scripts/begin.sh"),
    ]))
}

fn tests_folder<'a>(order: &'a Order<'_>) -> &'a str {
    match order {
        Order::Plan(_) => "",
        Order::Tests(tests) => tests.folder.as_ref().map_or("", HostPath::as_str),
    }
}

/// The limit of one test.
fn each(order: &Order<'_>) -> String {
    match order {
        Order::Plan(_) => String::new(),
        Order::Tests(tests) => seconds(tests.each).to_string(),
    }
}

/// The script that carries the order out, in the operation's folder.
fn runner(site: &Site, op: &OpId, order: &Order<'_>) -> Result<String, Refused> {
    // The surroundings of whoever ordered it come first: nothing in them has the name of what is said here.
    let surroundings =
        "ATTEMPT=${1-}\n[ ! -f \"${0%/*}/env\" ] || { . \"${0%/*}/env\"; rm -f \"${0%/*}/env\"; }\n";
    let mut script = Script { head: surroundings.to_owned() };
    script.site(site);
    script.set("GIT_WITHIN", &seconds(GIT_WITHIN).to_string());
    script.set("OP", op.as_str());
    let (kind, to, limit) = match order {
        Order::Plan(plan) => (plan.kind, plan.to.clone(), seconds(plan.limit)),
        // The run may take what a run of one may, times their number, which the runner counts.
        Order::Tests(tests) => (Kind::Test, None, seconds(tests_run_limit(tests.each, 1))),
    };
    script.set("KIND", kind.as_str());
    script.set("LIMIT", &limit.to_string());
    script.set("LONGEST", &seconds(LONGEST_RUN).to_string());
    let Target { number, path } = to.unwrap_or_default();
    script.set("TO_NUMBER", &number.map_or(String::new(), |number| number.to_string()));
    script.set("TO_PATH", path.as_ref().map_or("", |path| path.as_str()));
    script.set("TESTS", tests_folder(order));
    script.set("EACH", &each(order));
    let for_next_boot = matches!(order, Order::Plan(plan) if plan.is_for_next_boot());
    script.set("BOOTS", if for_next_boot { "1" } else { "" });
    let steps = match order {
        Order::Plan(plan) => {
            script.set("GO_ON", if plan.on_failure == OnFailure::GoOn { "1" } else { "" });
            steps(plan, site)?
        }
        Order::Tests(_) => {
            script.set("GO_ON", "1");
            "all_tests".to_owned()
        }
    };
    let _infallible = write!(script.head, "steps() {{\n{steps}\n}}\n");
    Ok(script.with(&[
        PRELUDE,
        FACTS,
        LOCK,
        TESTS,
        include_str!("../scripts/step.sh"),
        include_str!("../scripts/run.sh"),
    ]))
}

/// A call for each step: `step NAME LIMIT FOLDER REACH SUDO VARIABLES… -- PROGRAM…`.
fn steps(plan: &Plan, site: &Site) -> Result<String, Refused> {
    let by_sudo = site.sudo
        && match plan.kind {
            Kind::Switch | Kind::Rollback => true,
            Kind::Pull | Kind::Test => false,
        };
    let mut calls: Vec<_> = plan.steps.iter().map(|step| call(step, by_sudo)).collect::<Result<_, _>>()?;
    if calls.is_empty() {
        calls.push(":".to_owned());
    }
    Ok(calls.join("\n"))
}

fn call(step: &Step, by_sudo: bool) -> Result<String, Refused> {
    let no = |what: &str| refused(&format!("the step `{}` cannot be run: {what}", step.name));
    let quoted = |value: &str| quote(value).map_err(|error| no(&error.to_string()));
    let program = step.argv.first().filter(|program| !program.is_empty());
    let program = program.ok_or_else(|| no("it names no program"))?;
    if program.starts_with('-') {
        return Err(no("its program begins with a dash"));
    }
    let dir = step.dir.path().to_str().filter(|dir| dir.starts_with('/'));
    let dir = dir.ok_or_else(|| no("its folder is no absolute path"))?;
    let reach = match step.dir {
        Dir::Root | Dir::Folder(_) => "open",
        Dir::Closed(_) => "closed",
        Dir::Checkout(_) => "checkout",
    };
    let mut call = format!(
        "step {} {} {} {reach} {}",
        quoted(&step.name)?,
        seconds(step.limit),
        quoted(dir)?,
        quoted(if by_sudo { program } else { "" })?
    );
    for (key, value) in &step.env {
        if !is_variable(key) {
            return Err(no(&format!("`{key}` is no name of a variable")));
        }
        call.push(' ');
        call.push_str(&quoted(&format!("{key}={value}"))?);
    }
    call.push_str(" --");
    if by_sudo {
        call.push_str(" sudo -n --");
    }
    for argument in &step.argv {
        call.push(' ');
        call.push_str(&quoted(argument)?);
    }
    Ok(call)
}

fn is_variable(name: &str) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}
