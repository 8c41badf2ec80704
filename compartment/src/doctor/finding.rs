//! What was found: one sentence what is so, and one what to do about it; and how findings are told.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use compartment_console::show::{self, Width};
use compartment_core::{HostId, Text};
use serde::Serialize;

const GOOD: Style = AnsiColor::Green.on_default();
const SO_SO: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// How a finding is to be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All is well.
    Ok,
    /// It works, and somebody should know, or it will not work for long.
    Warning,
    /// It does not work.
    Error,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// On which host, where several are looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// What was looked at: one word, or a few.
    pub check: String,
    /// How it is to be taken.
    pub verdict: Verdict,
    /// What is so.
    pub words: String,
    /// What to do, where something is to be done.
    pub remedy: Option<String>,
}

impl Finding {
    fn new(check: &str, verdict: Verdict, words: &str, remedy: Option<&str>) -> Self {
        // Some of it is said by others: files, servers, programs.
        let clean = |words: &str| Text::new(words).to_string();
        Self { host: None, check: clean(check), verdict, words: clean(words), remedy: remedy.map(clean) }
    }

    pub(crate) fn good(check: &str, words: impl AsRef<str>) -> Self {
        Self::new(check, Verdict::Ok, words.as_ref(), None)
    }

    pub(crate) fn doubt(check: &str, words: impl AsRef<str>, remedy: impl AsRef<str>) -> Self {
        Self::new(check, Verdict::Warning, words.as_ref(), Some(remedy.as_ref()))
    }

    pub(crate) fn bad(check: &str, words: impl AsRef<str>, remedy: impl AsRef<str>) -> Self {
        Self::new(check, Verdict::Error, words.as_ref(), Some(remedy.as_ref()))
    }
}

/// How findings are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people, each as it is found.
    #[default]
    Text,
    /// One document, at the end.
    Json,
}

/// Tells findings.
pub(crate) struct Report<'a> {
    pub(crate) output: &'a mut dyn Write,
    pub(crate) format: Format,
    pub(crate) width: Width,
    /// What is looked at: `hub`, `agent`, `ssh`.
    pub(crate) of: &'static str,
    pub(crate) found: Vec<Finding>,
}

#[derive(Serialize)]
struct Document<'a> {
    of: &'a str,
    ok: bool,
    findings: &'a [Finding],
}

impl Report<'_> {
    pub(crate) fn tell(&mut self, finding: Finding) -> io::Result<()> {
        if self.format == Format::Text {
            let before = self.found.last().and_then(|before| before.host.as_ref());
            if let Some(host) = finding.host.as_ref().filter(|host| before != Some(host)) {
                writeln!(self.output, "{host}")?;
            }
            let (style, mark) = match finding.verdict {
                Verdict::Ok => (GOOD, '✓'),
                Verdict::Warning => (SO_SO, '!'),
                Verdict::Error => (BAD, '✗'),
            };
            let indent = if finding.host.is_some() { "  " } else { "" };
            let label = format!("{indent}{style}{mark}{style:#} {}:", finding.check);
            write!(self.output, "{}", show::labelled(&label, 6, &finding.words, self.width))?;
            if let Some(remedy) = &finding.remedy {
                let label = format!("{indent}  Do:");
                write!(self.output, "{}", show::labelled(&label, 6, remedy, self.width))?;
            }
            self.output.flush()?;
        }
        self.found.push(finding);
        Ok(())
    }

    /// Says what it comes to: whether nothing is in error.
    pub(crate) fn end(self) -> io::Result<bool> {
        let count = |verdict| self.found.iter().filter(|finding| finding.verdict == verdict).count();
        let (wrong, doubtful) = (count(Verdict::Error), count(Verdict::Warning));
        match self.format {
            Format::Text => {
                let counted = |count, one: &str, many: &str| match count {
                    0 => String::new(),
                    1 => format!("one thing {one}"),
                    many_things => format!("{many_things} things {many}"),
                };
                let said = [
                    counted(wrong, "is wrong", "are wrong"),
                    counted(doubtful, "is to be looked at", "are to be looked at"),
                ];
                match said.iter().filter(|said| !said.is_empty()).cloned().collect::<Vec<_>>().join(", ") {
                    nothing if nothing.is_empty() => writeln!(self.output, "nothing is wrong")?,
                    said => writeln!(self.output, "{said}")?,
                }
            }
            Format::Json => {
                let document = Document { of: self.of, ok: wrong == 0, findings: &self.found };
                let json = serde_json::to_string_pretty(&document).map_err(io::Error::other)?;
                writeln!(self.output, "{json}")?;
            }
        }
        self.output.flush()?;
        Ok(wrong == 0)
    }
}
