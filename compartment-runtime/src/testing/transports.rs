//! What every transport must do.
//!
//! A transport's tests make a [`Fixture`] of it, with a real host at the other end, and run [`check_all`].

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use compartment_core::event::{Kind, Report, RequestKind, Said};
use compartment_core::{Actor, Ask, HostId, OpId, Span, Text, Timestamp};
use tokio::sync::watch;

use crate::{Order, Receipt, Transport, Uplink, UplinkError};

/// How long a real host may take for anything.
const LIMIT: Duration = Duration::from_secs(60);

/// How long a transport that was stopped is watched: longer than most wait until they try again.
const AFTER_STOP: Duration = Duration::from_secs(3);

/// A transport and one host that it carries.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The transport, not started.
    fn transport(&self) -> Arc<dyn Transport>;

    /// The host.
    fn host(&self) -> HostId;

    /// The time by which the host judges whether an order came too late.
    fn now(&self) -> Timestamp;

    /// Cuts the way to the host, or opens it again.
    async fn connect(&self, connected: bool);

    /// Whether operations that begin from now on hang until they are stopped. They succeed otherwise.
    fn hang(&self, hang: bool);

    /// How often an operation was carried out, as the host itself knows it.
    fn carried_out(&self, op: &OpId) -> u32;
}

/// Runs every check, each on a fixture of its own.
///
/// # Panics
/// Where the transport does not do what the port asks.
pub async fn check_all<F: Fixture>(mut fixture: impl FnMut() -> F) {
    carries_its_host_and_no_other(&fixture());
    an_order_is_carried_out_and_reported(&fixture()).await;
    a_repeated_order_is_carried_out_once(&fixture()).await;
    a_host_that_is_cut_off_gets_nothing(&fixture()).await;
    a_late_order_is_refused(&fixture()).await;
    a_busy_host_refuses_and_goes_on(&fixture()).await;
    a_stop_ends_what_runs(&fixture()).await;
    reports_wait_for_the_hub(&fixture()).await;
    every_report_has_an_origin(&fixture()).await;
    nothing_is_reported_after_the_stop(&fixture()).await;
}

/// `carries`.
///
/// # Panics
/// Where the transport does otherwise.
pub fn carries_its_host_and_no_other(fixture: &impl Fixture) {
    let transport = fixture.transport();
    assert!(transport.carries(&fixture.host()));
    assert!(!transport.carries(&HostId::new("nobody-knows-this-host").expect("a host's name")));
    assert!(!transport.name().is_empty());
}

/// The start and the result come in, with the order's id, in this order.
///
/// # Panics
/// Where the transport does otherwise.
pub async fn an_order_is_carried_out_and_reported(fixture: &impl Fixture) {
    let hub = Recorder::start(fixture).await;
    let order = order(fixture, "o1", pull(fixture));
    fixture.transport().deliver(&order).await.expect("the host can be reached");
    hub.awaits(|report| of(report, "o1") && matches!(report.said, Said::PullOk { .. })).await;
    let said = hub.said("o1");
    assert!(matches!(said[..], [Said::Started { kind: Kind::Pull, .. }, Said::PullOk { .. }]), "{said:?}");
    fixture.transport().stop().await;
}

/// The operation's id is the idempotency key, while it runs and after.
///
/// # Panics
/// Where the transport does otherwise.
pub async fn a_repeated_order_is_carried_out_once(fixture: &impl Fixture) {
    let hub = Recorder::start(fixture).await;
    let transport = fixture.transport();
    let order = order(fixture, "o1", pull(fixture));
    let (first, second) = tokio::join!(transport.deliver(&order), transport.deliver(&order));
    assert_eq!((first, second), (Ok(()), Ok(())));
    hub.awaits(|report| of(report, "o1") && matches!(report.said, Said::PullOk { .. })).await;
    transport.deliver(&order).await.expect("the host has it");
    // What comes after it shows that nothing more came of it.
    transport.deliver(&self::order(fixture, "o2", pull(fixture))).await.expect("the host can be reached");
    hub.awaits(|report| of(report, "o2") && matches!(report.said, Said::PullOk { .. })).await;
    assert_eq!(fixture.carried_out(&op("o1")), 1);
    assert_eq!(hub.said("o1").len(), 2, "one start and one result");
    transport.stop().await;
}

/// A host that cannot be reached gets nothing, the caller is told, and later it works.
///
/// # Panics
/// Where the transport does otherwise.
pub async fn a_host_that_is_cut_off_gets_nothing(fixture: &impl Fixture) {
    let hub = Recorder::start(fixture).await;
    fixture.connect(false).await;
    let order = order(fixture, "o1", pull(fixture));
    let told = fixture.transport().deliver(&order).await.expect_err("nobody can reach the host");
    assert_eq!((&told.host, told.reason.is_empty()), (&fixture.host(), false), "{told}");
    assert_eq!(fixture.carried_out(&order.op), 0);
    fixture.connect(true).await;
    hub.deliver_at_last(fixture, &order).await;
    hub.awaits(|report| of(report, "o1") && matches!(report.said, Said::PullOk { .. })).await;
    assert_eq!(fixture.carried_out(&order.op), 1);
    fixture.transport().stop().await;
}

/// Whoever gets an order at `deliver_by` or later refuses it.
///
/// # Panics
/// Where the transport does otherwise.
pub async fn a_late_order_is_refused(fixture: &impl Fixture) {
    let hub = Recorder::start(fixture).await;
    // By the clock of either: the two are read one after the other, and the host may go by any of them.
    let now = fixture.now().min(hub.now());
    let late = Order { deliver_by: now, ..order(fixture, "late", pull(fixture)) };
    fixture.transport().deliver(&late).await.expect("the host can be reached");
    hub.awaits(|report| of(report, "late") && matches!(report.said, Said::OpRejected { .. })).await;
    assert_eq!(fixture.carried_out(&late.op), 0);
    fixture.transport().stop().await;
}

/// One operation a host: the second is refused, and the first is none the worse for it.
///
/// # Panics
/// Where the transport does otherwise.
pub async fn a_busy_host_refuses_and_goes_on(fixture: &impl Fixture) {
    let hub = Recorder::start(fixture).await;
    let transport = fixture.transport();
    fixture.hang(true);
    transport.deliver(&order(fixture, "long", pull(fixture))).await.expect("the host can be reached");
    hub.awaits(|report| of(report, "long") && matches!(report.said, Said::Started { .. })).await;
    let test = Ask::Test { host: fixture.host() };
    transport.deliver(&order(fixture, "second", test)).await.expect("the host can be reached");
    let refused = |said: &Said| matches!(said, Said::OpRejected { kind: RequestKind::Test, .. });
    hub.awaits(|report| of(report, "second") && refused(&report.said)).await;
    assert_eq!(fixture.carried_out(&op("second")), 0);
    assert_eq!(hub.said("long").len(), 1, "it runs on");
    let stop = Ask::Stop { host: fixture.host(), target_op: op("long") };
    transport.deliver(&order(fixture, "stop", stop)).await.expect("the host can be reached");
    hub.awaits(|report| of(report, "long") && matches!(report.said, Said::OpStopped { .. })).await;
    transport.stop().await;
}

/// A stop passes a busy host, and the host takes orders again.
///
/// # Panics
/// Where the transport does otherwise.
pub async fn a_stop_ends_what_runs(fixture: &impl Fixture) {
    let hub = Recorder::start(fixture).await;
    let transport = fixture.transport();
    fixture.hang(true);
    transport.deliver(&order(fixture, "long", pull(fixture))).await.expect("the host can be reached");
    hub.awaits(|report| of(report, "long") && matches!(report.said, Said::Started { .. })).await;
    let stop = Ask::Stop { host: fixture.host(), target_op: op("long") };
    transport.deliver(&order(fixture, "stop", stop)).await.expect("the host can be reached");
    hub.awaits(|report| {
        of(report, "long") && matches!(report.said, Said::OpStopped { kind: Kind::Pull, .. })
    })
    .await;
    fixture.hang(false);
    transport.deliver(&order(fixture, "next", pull(fixture))).await.expect("the host can be reached");
    hub.awaits(|report| of(report, "next") && matches!(report.said, Said::PullOk { .. })).await;
    transport.stop().await;
}

/// What the hub did not take is sent again, in order, and is recognised as the same.
///
/// # Panics
/// Where the transport does otherwise.
pub async fn reports_wait_for_the_hub(fixture: &impl Fixture) {
    let hub = Recorder::start(fixture).await;
    hub.refuse(true);
    fixture.transport().deliver(&order(fixture, "o1", pull(fixture))).await.expect("the host can be reached");
    hub.awaits_refusal().await;
    hub.refuse(false);
    // Whoever speaks only when spoken to is reminded. A second operation is ordered when the first is over.
    let refresh = Ask::Refresh { host: Some(fixture.host()) };
    hub.deliver_at_last(fixture, &order(fixture, "reminder", refresh)).await;
    hub.awaits(|report| of(report, "o1") && matches!(report.said, Said::PullOk { .. })).await;
    hub.deliver_at_last(fixture, &order(fixture, "o2", pull(fixture))).await;
    hub.awaits(|report| of(report, "o2") && matches!(report.said, Said::PullOk { .. })).await;
    assert_eq!(fixture.carried_out(&op("o1")), 1);
    assert_eq!(hub.said("o1").len(), 2, "one start and one result, each once");
    fixture.transport().stop().await;
}

/// By its origin alone a report that comes again counts once: each has one, and no two have the same.
///
/// # Panics
/// Where the transport does otherwise.
pub async fn every_report_has_an_origin(fixture: &impl Fixture) {
    let hub = Recorder::start(fixture).await;
    let transport = fixture.transport();
    for id in ["o1", "o2"] {
        transport.deliver(&order(fixture, id, pull(fixture))).await.expect("the host can be reached");
        hub.awaits(|report| of(report, id) && matches!(report.said, Said::PullOk { .. })).await;
    }
    transport.stop().await;
    let told = hub.told.borrow().clone();
    assert!(told.iter().all(|report| report.origin.is_some()), "a report has no origin: {told:#?}");
    for (count, report) in told.iter().enumerate() {
        let known = told[..count].iter().filter_map(|known| known.origin.as_ref());
        let mut session =
            known.filter(|known| Some(&known.session) == report.origin.as_ref().map(|o| &o.session));
        let n = report.origin.as_ref().map(|origin| origin.n);
        assert!(session.all(|known| Some(known.n) < n), "the numbers of a session grow: {told:#?}");
    }
}

/// What waits for the hub when the transport is stopped waits on, and nobody passes it to a hub that has gone.
///
/// # Panics
/// Where the transport does otherwise.
pub async fn nothing_is_reported_after_the_stop(fixture: &impl Fixture) {
    let hub = Recorder::start(fixture).await;
    hub.refuse(true);
    let transport = fixture.transport();
    transport.deliver(&order(fixture, "o1", pull(fixture))).await.expect("the host can be reached");
    hub.awaits_refusal().await;
    transport.stop().await;
    hub.refuse(false);
    // Whoever speaks only when spoken to is spoken to. Whether a transport that was stopped takes an order is its affair.
    let refresh = Ask::Refresh { host: Some(fixture.host()) };
    drop(tokio::time::timeout(LIMIT, transport.deliver(&order(fixture, "reminder", refresh))).await);
    tokio::time::sleep(AFTER_STOP).await;
    let told = hub.told.borrow().clone();
    assert!(told.is_empty(), "this was reported after the stop: {told:#?}");
}

fn pull(fixture: &impl Fixture) -> Ask {
    Ask::Pull { host: fixture.host() }
}

fn op(id: &str) -> OpId {
    OpId::new(id).expect("an operation's id")
}

fn order(fixture: &impl Fixture, id: &str, ask: Ask) -> Order {
    let by = Some(Actor::new("suite").expect("an actor"));
    let deliver_by = fixture.now() + Span::from_mins(5);
    Order { op: op(id), host: fixture.host(), by, ask, deliver_by, test_limit_s: None }
}

fn of(report: &Report, id: &str) -> bool {
    report.op.as_ref().is_some_and(|op| op.as_str() == id)
}

/// A hub that only writes down what it is told, each origin once.
struct Recorder {
    told: watch::Sender<Vec<Report>>,
    refusals: watch::Sender<u32>,
    refuses: Mutex<bool>,
    /// The fixture's time when this began, and when that was.
    began: (Timestamp, Instant),
}

impl Recorder {
    async fn start(fixture: &impl Fixture) -> Arc<Self> {
        let this = Self {
            told: watch::Sender::new(Vec::new()),
            refusals: watch::Sender::new(0),
            refuses: Mutex::new(false),
            began: (fixture.now(), Instant::now()),
        };
        let this = Arc::new(this);
        fixture.transport().start(Arc::<Self>::clone(&this)).await;
        this
    }

    fn refuse(&self, refuse: bool) {
        *self.refuses.lock().unwrap_or_else(PoisonError::into_inner) = refuse;
    }

    /// Waits until such a report was taken.
    async fn awaits(&self, such: impl Fn(&Report) -> bool) {
        let mut told = self.told.subscribe();
        let found = tokio::time::timeout(LIMIT, told.wait_for(|told| told.iter().any(&such))).await;
        assert!(found.is_ok(), "no such report came: {:#?}", self.told.borrow());
    }

    async fn awaits_refusal(&self) {
        let mut refusals = self.refusals.subscribe();
        let refused = tokio::time::timeout(LIMIT, refusals.wait_for(|count| *count > 0)).await;
        assert!(refused.is_ok(), "nothing was reported");
    }

    /// Hands an order over, as a hub does: again and again until the host has it.
    async fn deliver_at_last(&self, fixture: &impl Fixture, order: &Order) {
        let delivered = tokio::time::timeout(LIMIT, async {
            while fixture.transport().deliver(order).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        assert!(delivered.await.is_ok(), "the host cannot be reached");
    }

    /// What was said of an operation.
    fn said(&self, id: &str) -> Vec<Said> {
        self.told.borrow().iter().filter(|report| of(report, id)).map(|report| report.said.clone()).collect()
    }
}

#[async_trait]
impl Uplink for Recorder {
    async fn report(&self, reports: Vec<Report>) -> Result<Receipt, UplinkError> {
        if *self.refuses.lock().unwrap_or_else(PoisonError::into_inner) {
            self.refusals.send_modify(|count| *count += 1);
            return Err(UplinkError::Stopped("not now".to_owned()));
        }
        let count = reports.len();
        self.told.send_modify(|told| {
            for report in reports {
                let known = report.origin.is_some() && told.iter().any(|known| known.origin == report.origin);
                if !known {
                    told.push(report);
                }
            }
        });
        Ok(Receipt { new: count, position: 0 })
    }

    async fn output(&self, _: &HostId, _: &OpId, _: Vec<Text>) {}

    async fn orders(&self, _: &HostId) -> Result<Vec<Order>, UplinkError> {
        Ok(Vec::new())
    }

    async fn may_begin(&self, _: &HostId, _: &OpId) -> Result<bool, UplinkError> {
        Ok(true)
    }

    fn now(&self) -> Timestamp {
        let (began, since) = self.began;
        began + Span::from_millis(u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX))
    }
}
