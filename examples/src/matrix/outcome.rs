//! What came of an operation.

use anstyle::{AnsiColor, Style};
use compartment_core::{AuditEntry, event::EventType};
use compartment_transport_http::client::ClientError;
use compartment_transport_http::wire::output::Ended;
use compartment_transport_http::wire::requests::Refused;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// How an operation ended, or why there was none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Outcome {
    /// Whether what was asked for was done.
    pub(super) ok: bool,
    /// In one word.
    pub(super) result: String,
    /// In more words, where there are any.
    pub(super) detail: Option<String>,
}

impl Outcome {
    pub(super) fn done(result: &str) -> Self {
        Self { ok: true, result: result.to_owned(), detail: None }
    }

    pub(super) fn not(result: &str, detail: impl Into<String>) -> Self {
        Self { ok: false, result: result.to_owned(), detail: Some(detail.into()) }
    }

    pub(super) fn refused(refused: &Refused) -> Self {
        // A hub may be newer than this, and say anything.
        let clean = |words: &str| compartment_core::Text::new(words).to_string();
        Self::not(&clean(&refused.code), clean(&refused.message))
    }

    /// Nobody knows what became of it.
    pub(super) fn unknown(error: &ClientError) -> Self {
        Self::not("unknown", format!("{error}; the log of the host tells what became of it"))
    }

    /// How an operation ended, by the last line of the audit trail that says so.
    pub(super) fn remembered(entry: &AuditEntry) -> Option<Self> {
        let kind = entry.r#type;
        let good = matches!(
            kind,
            EventType::PullOk | EventType::SwitchOk | EventType::RollbackOk | EventType::TestPass
        );
        let result = match kind {
            EventType::PullFail | EventType::SwitchFail | EventType::RollbackFail => "failed",
            EventType::TestFail => "tests-failed",
            EventType::OpRejected => "rejected",
            EventType::OpExpired => "expired",
            EventType::OpStopped => "stopped",
            EventType::OpRefused => "refused",
            EventType::PullOk | EventType::SwitchOk | EventType::RollbackOk => "ok",
            EventType::TestPass => "passed",
            EventType::Heartbeat
            | EventType::PullStarted
            | EventType::SwitchStarted
            | EventType::RollbackStarted
            | EventType::TestStarted
            | EventType::DesiredObserved
            | EventType::DesiredUnavailable
            | EventType::PrOpened
            | EventType::PrClosed
            | EventType::PrMerged
            | EventType::PrReverted
            | EventType::CommitsCompared
            | EventType::HostConfigured
            | EventType::HostRemoved
            | EventType::AgentReleased
            | EventType::OpRequested
            | EventType::MergeFailed
            | EventType::RevertFailed => return None,
        };
        let detail = compartment_core::Text::new(&entry.what).to_string();
        Some(Self { ok: good, result: result.to_owned(), detail: Some(detail) })
    }

    pub(super) fn words(&self) -> String {
        match &self.detail {
            Some(detail) => format!("{}: {detail}", self.result),
            None => self.result.clone(),
        }
    }

    /// Its mark, and a name beside it.
    pub(super) fn label(&self, name: &str) -> String {
        let (style, mark) = if self.ok { (GOOD, '✓') } else { (BAD, '✗') };
        format!("{style}{mark}{style:#} {name}:")
    }
}

impl From<Ended> for Outcome {
    fn from(ended: Ended) -> Self {
        let clean = |words: &str| compartment_core::Text::new(words).to_string();
        Self { ok: ended.ok, result: clean(&ended.result), detail: ended.detail.as_deref().map(clean) }
    }
}
