//! What came of an operation.

use anstyle::{AnsiColor, Style};
use compartment_core::operation::{End, Ending};
use compartment_transport_http::client::ClientError;
use compartment_transport_http::wire::requests::Refused;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// How an operation ended, or why there was none. It is judged by its end and by nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    ending: Ending,
    /// Why it was refused, in a word of its own: `busy`, `offline`. It is shown in place of the end.
    code: Option<String>,
}

impl From<Ending> for Outcome {
    fn from(ending: Ending) -> Self {
        Self { ending, code: None }
    }
}

impl Outcome {
    /// Nobody was asked.
    pub(super) fn not_asked(code: &str, why: &str) -> Self {
        Self { ending: Ending::new(End::Refused, why), code: Some(code.to_owned()) }
    }

    pub(super) fn refused(refused: &Refused) -> Self {
        // A hub may be newer than this, and say anything.
        let code = compartment_core::Text::new(&refused.code).to_string();
        Self { ending: Ending::new(End::Refused, &refused.message), code: Some(code) }
    }

    /// What came of the tests that follow a switch.
    pub(super) fn of_tests(ending: Ending) -> Self {
        let code = (!ending.end.is_success()).then(|| format!("tests-{}", ending.end));
        Self { ending, code }
    }

    /// Nobody knows what became of it.
    pub(super) fn unknown(error: &ClientError) -> Self {
        Ending::new(End::Unknown, &format!("{error}; the log of the host tells what became of it")).into()
    }

    /// Whether what was asked for was done.
    pub(super) const fn is_success(&self) -> bool {
        self.ending.end.is_success()
    }

    /// Whether it failed, or nobody knows: it may well come to the same on the next host. What was not begun says nothing of
    /// others: the host was busy, not there, or not ready.
    pub(super) const fn is_a_warning(&self) -> bool {
        match self.ending.end {
            End::Ok | End::Refused | End::Rejected | End::Lapsed | End::Withdrawn | End::HostRemoved => false,
            End::Failed
            | End::Stopped
            | End::Expired
            | End::Lost
            | End::Overtaken
            | End::Forgotten
            | End::Unknown
            | End::TooLate => true,
        }
    }

    /// Whether it was not heard to begin in time.
    pub(super) const fn has_lapsed(&self) -> bool {
        matches!(self.ending.end, End::Lapsed)
    }

    /// In one word.
    pub(super) fn word(&self) -> &str {
        self.code.as_deref().unwrap_or(self.ending.end.as_str())
    }

    pub(super) fn words(&self) -> String {
        match (&self.code, &self.ending.detail) {
            (Some(code), Some(detail)) => format!("{code}: {detail}"),
            (Some(code), None) => code.clone(),
            (None, _) => self.ending.to_string(),
        }
    }

    /// Its mark, and a name beside it.
    pub(super) fn label(&self, name: &str) -> String {
        let (style, mark) = if self.is_success() { (GOOD, '✓') } else { (BAD, '✗') };
        format!("{style}{mark}{style:#} {name}:")
    }
}
