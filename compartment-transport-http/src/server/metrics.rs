//! Numbers for Prometheus.

use std::fmt::{self, Write};
use std::sync::{Mutex, PoisonError};

use compartment_core::matrix::Counts;
use compartment_core::{Color, Compartment};
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// What is counted.
pub(super) struct Metrics {
    registry: Mutex<Registry>,
    pub(super) subscribers: Gauge,
    answers: Family<AnswerLabels, Counter>,
    cells: Family<CellLabels, Gauge>,
    position: Gauge,
    waiting: Gauge,
    agents: Gauge,
    forge_asks: Gauge,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AnswerLabels {
    /// The route, not the path: there are few.
    route: String,
    status: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CellLabels {
    cell: Word,
    color: Word,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Word(&'static str);

impl EncodeLabelValue for Word {
    fn encode(&self, to: &mut LabelValueEncoder) -> fmt::Result {
        to.write_str(self.0)
    }
}

/// What is looked at when somebody asks.
pub(super) struct Now {
    pub(super) position: u64,
    pub(super) waiting: usize,
    pub(super) agents: usize,
    pub(super) counts: Counts,
    /// How often the forge may still be asked; nothing where it does not count.
    pub(super) forge_asks: Option<u64>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("compartment");
        let this = Self {
            registry: Mutex::default(),
            subscribers: Gauge::default(),
            answers: Family::default(),
            cells: Family::default(),
            position: Gauge::default(),
            waiting: Gauge::default(),
            agents: Gauge::default(),
            forge_asks: Gauge::default(),
        };
        registry.register("live_subscribers", "Streams of live updates", this.subscribers.clone());
        registry.register("http_answers", "Answers by route and status", this.answers.clone());
        registry.register("cells", "How many hosts show a cell in a colour", this.cells.clone());
        registry.register("log_position", "The last record that is durable and shown", this.position.clone());
        registry.register("fold_waiting", "Events that wait to be taken", this.waiting.clone());
        registry.register("agents_connected", "Agents that listen for orders", this.agents.clone());
        let forge_asks = "Requests that the forge still answers; -1 where it does not count";
        registry.register("forge_requests_left", forge_asks, this.forge_asks.clone());
        Self { registry: Mutex::new(registry), ..this }
    }

    pub(super) fn answered(&self, route: &str, status: u16) {
        let labels = AnswerLabels { route: route.to_owned(), status: status.into() };
        self.answers.get_or_create(&labels).inc();
    }

    /// Everything, as text.
    pub(super) fn text(&self, now: &Now) -> Result<String, fmt::Error> {
        let whole = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.position.set(i64::try_from(now.position).unwrap_or(i64::MAX));
        self.waiting.set(whole(now.waiting));
        self.agents.set(whole(now.agents));
        self.forge_asks.set(now.forge_asks.map_or(-1, |left| i64::try_from(left).unwrap_or(i64::MAX)));
        for cell in Compartment::ALL {
            for color in Color::ALL {
                let labels = CellLabels { cell: Word(cell.as_str()), color: Word(color.as_str()) };
                self.cells.get_or_create(&labels).set(now.counts.get(*cell, *color).into());
            }
        }
        let mut text = String::new();
        encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }
}
