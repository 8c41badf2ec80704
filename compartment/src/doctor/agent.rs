//! An agent: what `compartment agent check` finds, told as findings; and its service.

use std::fmt::Display;
use std::io;
use std::path::Path;

use compartment_core::event::Reading;
use compartment_local::run::Stop;
use compartment_transport_http::agent::{Config, ConfigError};

use super::finding::{Finding, Report};
use super::{DoctorError, System, programs, units};
use crate::agent::{Listens, check_for};

/// What is said of an agent, gathered to a finding for each part.
#[derive(Default)]
struct Gathered {
    done: Vec<Finding>,
    part: Option<Part>,
}

/// A part of what is said.
struct Part {
    name: String,
    words: String,
    wrong: Vec<(String, String)>,
    /// What to do where what is said is not meant.
    doubt: Option<String>,
}

impl Gathered {
    /// What was said of the last part comes to a finding, or to one for each thing that is wrong.
    fn close(&mut self) {
        let Some(Part { name, words, wrong, doubt }) = self.part.take() else { return };
        if wrong.is_empty() {
            self.done.push(match doubt {
                Some(remedy) => Finding::doubt(&name, words, remedy),
                None => Finding::good(&name, words),
            });
        }
        for (why, remedy) in wrong {
            self.done.push(Finding::bad(&name, why, remedy));
        }
    }
}

impl Listens for Gathered {
    fn line(&mut self, name: &str, what: &dyn Display) -> io::Result<()> {
        self.close();
        self.part =
            Some(Part { name: name.to_owned(), words: what.to_string(), wrong: Vec::new(), doubt: None });
        Ok(())
    }

    // What would be run, and what is there, is for whoever wants to see all of it: `agent check` says it.
    fn more(&mut self, _: &dyn Display) -> io::Result<()> {
        Ok(())
    }

    fn wrong(&mut self, why: &dyn Display, remedy: &str, _: bool) -> io::Result<()> {
        if let Some(part) = &mut self.part {
            part.wrong.push((why.to_string(), remedy.to_owned()));
        }
        Ok(())
    }

    fn is_wrong(&mut self, why: &dyn Display, remedy: &str) {
        if let Some(part) = &mut self.part {
            part.wrong.push((why.to_string(), remedy.to_owned()));
        }
    }

    fn may_be_meant(&mut self, remedy: &str) {
        if let Some(part) = &mut self.part {
            part.doubt = Some(remedy.to_owned());
        }
    }

    fn sees(&mut self) -> io::Result<()> {
        self.line("sees", &"")
    }

    fn reading(&mut self, name: &str, reading: &Reading<String>) -> io::Result<()> {
        let Some(part) = &mut self.part else { return Ok(()) };
        let value = match reading {
            Reading::Told(value) => value,
            Reading::Absent => "none",
            Reading::Unreadable => "cannot be read",
        };
        let comma = if part.words.is_empty() { "" } else { ", " };
        part.words.push_str(&format!("{comma}{name} {value}"));
        Ok(())
    }
}

pub(super) fn look(
    config: &Path,
    system: &System,
    stop: &Stop,
    report: &mut Report<'_>,
) -> Result<(), DoctorError> {
    match Config::read(config) {
        Ok(read) => {
            report.tell(Finding::good("settings", format!("{} can be read", config.display())))?;
            let mut gathered = Gathered::default();
            check_for(&read, stop, &mut gathered)?;
            gathered.close();
            for finding in gathered.done {
                report.tell(finding)?;
            }
        }
        Err(error) => {
            let remedy = match &error {
                ConfigError::File { .. } => {
                    "name the file of settings with --config, and run this as the agent's user"
                }
                ConfigError::Content { .. } => "mend it: docs/HTTP.md lists what may stand there",
            };
            report.tell(Finding::bad("settings", error.to_string(), remedy))?;
        }
    }
    for finding in [programs::git(true, stop)].into_iter().chain(units::agent(&system.root)) {
        report.tell(finding)?;
    }
    Ok(())
}
