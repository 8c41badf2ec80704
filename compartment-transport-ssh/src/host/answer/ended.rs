//! An operation that has ended, as its runner wrote it down.

use compartment_core::event::{Kind, Target};
use compartment_core::{OpId, StorePath, Text};
use compartment_local::operation::{Ending, Exit, StepEnd, last_words};

use super::super::frame::BadAnswer;
use super::facts::Reader;
use super::{kind, seconds, split, words};

/// An operation that has ended and is not acknowledged yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Ended {
    /// The operation.
    pub op: OpId,
    /// Of what kind.
    pub kind: Kind,
    /// The generation that a rollback went to.
    pub to: Option<Target>,
    /// The evidence.
    pub ending: Ending,
}

const PART: &str = "ended";

/// What a runner wrote, line by line.
pub(super) struct Writing {
    op: OpId,
    kind: Option<Kind>,
    to: Target,
    stopped: bool,
    user: String,
    before: Reader,
    after: Reader,
    steps: Vec<Step>,
    complete: bool,
}

struct Step {
    name: Text,
    exit: Exit,
    lines: Vec<String>,
    /// The program that it ran by way of sudo.
    sudo: Option<String>,
}

impl Writing {
    pub(super) fn new(op: OpId) -> Self {
        Self {
            op,
            kind: None,
            to: Target::default(),
            stopped: false,
            user: String::new(),
            before: Reader::default(),
            after: Reader::default(),
            steps: Vec::new(),
            complete: false,
        }
    }

    pub(super) fn take(&mut self, line: &str) -> Result<(), BadAnswer> {
        let bad = || BadAnswer::part(PART, line);
        let (word, rest) = split(line);
        let step = self.steps.last_mut();
        match word {
            "kind" => self.kind = Some(kind(PART, rest)?),
            "number" => self.to.number = Some(rest.parse().map_err(|_| bad())?),
            "path" => self.to.path = Some(StorePath::new(rest).map_err(|_| bad())?),
            "stopped" => self.stopped = true,
            "user" => rest.clone_into(&mut self.user),
            "before" => self.before.take(rest)?.then_some(()).ok_or_else(bad)?,
            "after" => self.after.take(rest)?.then_some(()).ok_or_else(bad)?,
            "step" => self.steps.push(began(rest)?),
            "why" => step.ok_or_else(bad)?.exit = Exit::NotStarted(words(rest)),
            "sudo" => step.ok_or_else(bad)?.sudo = Some(rest.to_owned()),
            "said" => step.ok_or_else(bad)?.lines.push(rest.to_owned()),
            "end" => self.complete = true,
            _ => return Err(bad()),
        }
        Ok(())
    }

    /// What it wrote; nothing where it did not come to the end of it.
    pub(super) fn ended(self) -> Option<Ended> {
        let Self { op, kind, to, stopped, user, before, after, steps, complete } = self;
        let kind = kind.filter(|_| complete)?;
        let steps = steps.into_iter().map(|step| step.ended(&user)).collect();
        let ending = Ending { steps, stopped, before: before.facts(), after: after.facts() };
        Some(Ended { op, kind, to: Some(to).filter(|to| *to != Target::default()), ending })
    }
}

/// `code 4 NAME`, `signal 9 NAME`, `late 60 NAME`, `none - NAME`, `stopped - NAME`, `skipped - NAME`.
fn began(raw: &str) -> Result<Step, BadAnswer> {
    let bad = || BadAnswer::part("step", raw);
    let (how, rest) = split(raw);
    let (value, name) = split(rest);
    let number = || value.parse::<i32>().map_err(|_| bad());
    let exit = match how {
        "code" => Exit::Code(number()?),
        "signal" => Exit::Signal(number()?),
        "late" => Exit::TimedOut(seconds("step", value)?),
        "none" => Exit::NotStarted(Text::default()),
        "stopped" => Exit::Stopped,
        "skipped" => Exit::Skipped,
        _ => return Err(bad()),
    };
    Ok(Step { name: Text::new(name), exit, lines: Vec::new(), sudo: None })
}

impl Step {
    fn ended(self, user: &str) -> StepEnd {
        let Self { name, exit, lines, sudo } = self;
        let last_words = match &exit {
            Exit::Code(0) | Exit::Skipped => Text::default(),
            Exit::Code(_) | Exit::Signal(_) | Exit::TimedOut(_) | Exit::NotStarted(_) | Exit::Stopped => {
                let said = last_words(lines.iter().map(String::as_str));
                let refused = sudo.filter(|_| lines.iter().any(|line| is_sudo_refusal(line)));
                refused.map_or(said, |program| sudoers(&lines, user, &program))
            }
        };
        StepEnd { name, exit, last_words }
    }
}

/// What sudo says when it would have to ask, or will not.
fn is_sudo_refusal(line: &str) -> bool {
    let says = line.trim().strip_prefix("sudo: ").unwrap_or_default();
    says.contains("password is required")
        || says.contains("terminal is required")
        || line.contains("not in the sudoers")
        || line.contains("is not allowed to execute")
}

fn sudoers(lines: &[String], user: &str, program: &str) -> Text {
    let said = lines.iter().find(|line| is_sudo_refusal(line)).map_or("", |line| line.trim());
    Text::new(&format!(
        "{said}: nobody is there to type one; put `{user} ALL=(root) NOPASSWD: {program}` into sudoers (with visudo)"
    ))
}
