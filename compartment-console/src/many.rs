//! The same on many hosts: some at a time, and where one fails the others go on.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use compartment_core::event::RequestKind;
use compartment_core::{HostId, OpId, Row, Span, Status, Text, Timestamp};
use compartment_transport_http::client::Connection;
use futures::stream::{self, StreamExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::bar::Bar;
use super::one::{Course, LAST_LOOK, absence, body};
use super::operation::{Seen, Wanted};
use super::outcome::Outcome;
use super::{Completion, MatrixError, On, Program, Task, follow, hosts, interrupt};
use crate::show;

/// How often it is shown how far it is.
const SHOW_EVERY: Duration = Duration::from_millis(500);

/// How long a request of several hosts waits for one that cannot be reached, unless those that are offline are meant, too:
/// it was heard a moment ago, or it would not be asked.
const REACHED_WITHIN: Span = Span::from_secs(60);

/// How late it is by the hub's clock.
#[derive(Clone, Copy)]
pub(super) struct HubTime {
    told: Timestamp,
    at: Instant,
}

impl HubTime {
    fn now(self) -> Timestamp {
        let since = u64::try_from(self.at.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.told + Span::from_millis(since)
    }
}

/// What becomes of a host.
pub(super) enum Plan {
    /// It is asked.
    Ask(Wanted),
    /// It is not.
    Leave(HostId, Outcome),
}

/// Whether a host is left alone: it is not there, and nothing shall surprise anybody when it comes back.
pub(super) fn left_alone(row: Option<&Row>, offline_too: bool) -> Option<Outcome> {
    let absence = absence(row.filter(|_| !offline_too)?)?;
    Some(Outcome::not_asked("offline", &format!("not asked, {absence}")))
}

/// Whether a host wants another commit before it is switched again: this one has failed there.
fn is_to_be_fixed(task: Task, row: &Row) -> bool {
    matches!(task, Task::Switch { force: false, .. }) && row.desired_failed
}

fn left_out(row: &Row) -> Outcome {
    let red = row.cells.iter().find(|(_, cell)| cell.status == Status::Error);
    let why = red.and_then(|(_, cell)| cell.message.as_deref());
    let why = why.map(|why| format!(" ({})", Text::new(why))).unwrap_or_default();
    let words = format!(
        "not asked, what is desired has failed here, or was rolled back from{why}; name the host to switch it all the same"
    );
    Outcome::not_asked("left-out", &words)
}

/// What is under way.
struct Asking {
    hub: Connection,
    asked: RefCell<BTreeMap<HostId, OpId>>,
    say: UnboundedSender<String>,
    troubled: Cell<bool>,
    task: Task,
    /// The hub's time, where a host that cannot be reached is not waited for.
    hurries: Option<HubTime>,
    /// The first that failed.
    failed: RefCell<Option<HostId>>,
}

impl Asking {
    fn new(hub: Connection, task: Task, hurries: Option<HubTime>) -> (Self, UnboundedReceiver<String>) {
        let (say, said) = unbounded_channel();
        let (asked, failed) = (RefCell::default(), RefCell::default());
        (Self { hub, asked, say, troubled: Cell::new(false), task, hurries, failed }, said)
    }

    /// Why nobody is asked any more: what fails on one host may well fail on all.
    fn halted(&self) -> Option<Outcome> {
        let goes_on = !matches!(self.task, Task::Switch { go_on: false, .. });
        let failed = self.failed.borrow();
        let failed = failed.as_ref().filter(|_| !goes_on)?;
        Some(Outcome::not_asked(
            "halted",
            &format!("not asked, because {failed} failed (--go-on asks all the same)"),
        ))
    }

    async fn carried_out(&self, plan: Plan) -> (HostId, Outcome) {
        let mut wanted = match plan {
            Plan::Leave(host, outcome) => return (host, outcome),
            Plan::Ask(wanted) => wanted,
        };
        if let Some(halted) = self.halted() {
            return (wanted.host, halted);
        }
        wanted.body.deliver_by = self.hurries.map(|hub| hub.now() + REACHED_WITHIN);
        let mut away = None;
        let mut see = |seen: Seen<'_>| match seen {
            // All of them have the same trouble.
            Seen::Trouble(error) if !self.troubled.replace(true) => {
                drop(self.say.send(format!("{error}; trying again")));
            }
            Seen::Waits(why) => {
                if away.replace(why.clone()).is_none() {
                    drop(self.say.send(format!("{} cannot be reached so far: {why}", wanted.host)));
                }
            }
            Seen::Trouble(_) | Seen::Taken | Seen::Lines(_) | Seen::Missing(_) => {}
        };
        self.asked.borrow_mut().insert(wanted.host.clone(), wanted.op.clone());
        let waits = self.task.awaits_tests();
        let since = if waits { self.hub.health().await.map_or(0, |health| health.position) } else { 0 };
        let mut outcome = wanted.carried_out(&self.hub, &mut see).await;
        if let Some(why) = away.filter(|_| outcome.has_lapsed()) {
            outcome = Outcome::not_asked("offline", &format!("not begun, it cannot be reached: {why}"));
        }
        if outcome.is_success() && waits {
            outcome = follow::tests(&self.hub, &wanted.host, &wanted.op, since).await.unwrap_or(outcome);
        }
        if outcome.is_a_warning() {
            self.failed.borrow_mut().get_or_insert_with(|| wanted.host.clone());
        }
        self.asked.borrow_mut().remove(&wanted.host);
        (wanted.host, outcome)
    }
}

impl Program<'_> {
    pub(super) async fn on_many(&mut self, task: Task, on: &On) -> Result<Completion, MatrixError> {
        let plan = |(host, row): (HostId, Option<Row>)| match left_alone(row.as_ref(), on.offline_too) {
            Some(outcome) => Plan::Leave(host, outcome),
            None => match row.filter(|row| !on.are_named() && is_to_be_fixed(task, row)) {
                Some(row) => Plan::Leave(host, left_out(&row)),
                None => Plan::Ask(Wanted::new(body(task), host)),
            },
        };
        let (now, rows) = self.rows(on).await?;
        let plans: Vec<_> = rows.into_iter().map(plan).collect();
        if matches!(task, Task::Switch { .. }) && !on.are_named() && !self.is_meant(&plans, on).await? {
            return Ok(Completion::NotAll);
        }
        self.batch(task, plans, on, now).await
    }

    /// Whether these hosts are to be switched, now that it is said how many they are. Nobody else is asked, whatever changes
    /// meanwhile.
    async fn is_meant(&mut self, plans: &[Plan], on: &On) -> Result<bool, MatrixError> {
        let (mut asked, mut left) = (Vec::new(), Vec::new());
        for plan in plans {
            match plan {
                Plan::Ask(wanted) => asked.push(wanted.host.as_str()),
                Plan::Leave(host, outcome) => left.push((host, outcome)),
            }
        }
        // What is said of each is the answer.
        if asked.is_empty() {
            return Ok(true);
        }
        let question = match asked.len() {
            1 => format!("Switch 1 host ({})?", asked[0]),
            many => {
                let at_a_time = on.limit.get().min(many);
                format!("Switch {many} hosts ({}), {at_a_time} at a time?", hosts::named(&asked))
            }
        };
        if !on.yes {
            left.iter().for_each(|(host, outcome)| self.say(host, outcome));
        }
        self.confirmed(&question, on.yes).await
    }

    /// The hosts that are meant, each once, with their rows where the hub knows them; and the hub's time.
    pub(super) async fn rows(
        &mut self,
        on: &On,
    ) -> Result<(HubTime, Vec<(HostId, Option<Row>)>), MatrixError> {
        let matrix = self.answer(self.hub.matrix(None)).await?;
        let now = HubTime { told: matrix.as_of, at: Instant::now() };
        if on.by.all && matrix.hosts.is_empty() {
            return Err(MatrixError::NoHosts);
        }
        // Before the first of them is asked for anything.
        on.check(&matrix)?;
        if !on.are_named() {
            let meant = matrix.hosts.into_iter().filter(|row| on.means(row));
            return Ok((now, meant.map(|row| (row.host.clone(), Some(row))).collect()));
        }
        let mut known: BTreeMap<_, _> = matrix.hosts.into_iter().map(|row| (row.host.clone(), row)).collect();
        let mut hosts = on.hosts.clone();
        hosts.sort();
        hosts.dedup();
        Ok((now, hosts.into_iter().map(|host| (host.clone(), known.remove(&host))).collect()))
    }

    /// Asks, a few at a time, and says of each what came of it.
    pub(super) async fn batch(
        &mut self,
        task: Task,
        plans: Vec<Plan>,
        on: &On,
        now: HubTime,
    ) -> Result<Completion, MatrixError> {
        let (total, kind) = (plans.len(), task.kind());
        let bar = Bar::new(self.around.watched, total);
        let (asking, mut said) = Asking::new(self.hub.clone(), task, (!on.offline_too).then_some(now));
        let results = stream::iter(plans).map(|plan| asking.carried_out(plan));
        let mut results = std::pin::pin!(results.buffer_unordered(on.limit.get()));
        let (mut ended, mut look) = (BTreeMap::new(), tokio::time::interval(SHOW_EVERY));
        loop {
            tokio::select! {
                result = results.next() => match result {
                    Some((host, outcome)) => {
                        bar.aside(|| self.say(&host, &outcome));
                        ended.insert(host, outcome);
                    }
                    None => break,
                },
                Some(words) = said.recv() => bar.aside(|| self.mention(&words)),
                _ = look.tick() => bar.at(ended.len()),
                () = interrupt(&self.around.stop) => {
                    bar.end();
                    let asked = asking.asked.borrow().clone();
                    self.interrupted(kind, &asked, total - ended.len()).await;
                    return Err(MatrixError::Interrupted);
                }
            }
        }
        bar.end();
        let mut behind = Vec::new();
        if let Task::Pull = task {
            let done = ended.iter().filter(|(_, outcome)| outcome.is_success());
            behind = self.sees_what_was_pulled(&done.map(|(host, _)| host).collect::<Vec<_>>()).await?;
        }
        let verdict = self.results(kind, &ended)?;
        behind.iter().for_each(|words| self.mention(words));
        Ok(if behind.is_empty() { verdict } else { Completion::NotAll })
    }

    /// A line for a host whose result has come.
    fn say(&mut self, host: &HostId, outcome: &Outcome) {
        let line = show::labelled(&outcome.label(host.as_str()), 4, &outcome.words(), self.around.width);
        drop(write!(self.around.aside, "{line}").and_then(|()| self.around.aside.flush()));
    }

    /// Says what goes on without this program, and what may yet begin: asking is not undone.
    async fn interrupted(&mut self, kind: RequestKind, asked: &BTreeMap<HostId, OpId>, left: usize) {
        let rows = match tokio::time::timeout(LAST_LOOK, self.hub.matrix(None)).await {
            Ok(Ok(matrix)) => matrix.hosts,
            Ok(Err(_)) | Err(_) => Vec::new(),
        };
        let mut courses = BTreeMap::<Course, Vec<String>>::new();
        for (host, op) in asked {
            let row = rows.iter().find(|row| row.host == *host);
            let course = self.course(row, kind, op);
            courses.entry(course).or_default().push(format!("{host} ({op})"));
        }
        if courses.is_empty() {
            self.mention(&format!("interrupted; no {kind} goes on without this program"));
        }
        for (course, hosts) in courses {
            let stop = match course.can_be_stopped() {
                true => format!(". To stop one: {} stop HOST OP", self.command),
                false => String::new(),
            };
            self.mention(&format!(
                "interrupted; each of these, a {kind}, {}: {}{stop}",
                course.words(),
                hosts.join(", ")
            ));
        }
        match left - asked.len() {
            0 => {}
            1 => self.mention("one host was not asked"),
            hosts => self.mention(&format!("{hosts} hosts were not asked")),
        }
    }

    /// A result for each host, and how many there are of which.
    fn results(
        &mut self,
        kind: RequestKind,
        ended: &BTreeMap<HostId, Outcome>,
    ) -> Result<Completion, MatrixError> {
        let rows: Vec<_> =
            ended.iter().map(|(host, outcome)| vec![host.to_string(), outcome.words()]).collect();
        if !rows.is_empty() {
            let table = show::columns(&["Host", "Result"], 1, &rows, self.around.width);
            write!(self.around.output, "{table}")?;
        }
        let mut others = BTreeMap::<&str, usize>::new();
        for outcome in ended.values().filter(|outcome| !outcome.is_success()) {
            *others.entry(outcome.word()).or_default() += 1;
        }
        let not: usize = others.values().sum();
        let (done, total) = (ended.len() - not, ended.len());
        let others: Vec<_> = others.into_iter().map(|(result, count)| format!("{count} {result}")).collect();
        let others = if others.is_empty() { String::new() } else { format!("; {}", others.join(", ")) };
        let hosts = if total == 1 { "host" } else { "hosts" };
        self.tell("Done:", &format!("{kind} on {done} of {total} {hosts}{others}"))?;
        self.around.output.flush()?;
        Ok(if not == 0 { Completion::Done } else { Completion::NotAll })
    }
}
