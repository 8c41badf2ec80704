//! Orders, on their way to a host.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use compartment_core::event::{RequestKind, Said};
use compartment_core::{Ask, OpId, Text};
use compartment_local::operation::{Plan, Refused};
use compartment_runtime::{Clock, Order, Undeliverable};

use super::rollback::target;
use super::watch::{Talk, Watched};
use crate::connection::{Question, Unreachable};
use crate::host::{self, Asked, Begun, Nonce, Order as What, Tests};

const TOO_LATE: &str = "it came too late";

/// What is done with an order.
enum Done {
    /// The host has it.
    Taken,
    /// It is not done: why.
    Refused(Text),
}

/// What an order comes to, on this host.
enum Execution {
    Plan(Box<Plan>),
    Tests(Tests),
}

impl Watched {
    /// Hands an order over. The clock is the hub's.
    pub(super) async fn deliver(&self, order: &Order, clock: &dyn Clock) -> Result<(), Undeliverable> {
        let confirmed = AtomicBool::new(false);
        match self.obey(order, clock, &confirmed).await {
            Ok(Done::Taken) => Ok(()),
            Ok(Done::Refused(reason)) => {
                tracing::info!(host = %order.host, op = %order.op, %reason, "an order is refused");
                let kind = order.ask.kind();
                self.reject(&order.op, Said::OpRejected { kind, reason });
                Ok(())
            }
            Err(why) => {
                let reason = Text::new(&why.to_string());
                // A host begins only what was confirmed to it.
                let may_have_it = confirmed.load(Ordering::Relaxed);
                Err(Undeliverable { host: order.host.clone(), reason, may_have_it })
            }
        }
    }

    async fn obey(
        &self,
        order: &Order,
        clock: &dyn Clock,
        confirmed: &AtomicBool,
    ) -> Result<Done, Unreachable> {
        if clock.wall() >= order.deliver_by {
            return Ok(Done::Refused(Text::from(TOO_LATE)));
        }
        match &order.ask {
            Ask::Refresh { .. } => {
                self.wake.notify_one();
                match self.reach() {
                    super::Reach::Unreachable(why) => Err(why),
                    super::Reach::Untried | super::Reach::Answers => Ok(Done::Taken),
                }
            }
            Ask::Stop { target_op, .. } => self.stop(order, target_op).await,
            Ask::Pull { .. } | Ask::Switch { .. } | Ask::Test { .. } | Ask::Rollback { .. } => {
                self.begin(order, clock, confirmed).await
            }
            Ask::MergePr { .. } | Ask::RevertPr { .. } => {
                Ok(Done::Refused(Text::from("no host can do that")))
            }
        }
    }

    async fn stop(&self, order: &Order, target: &OpId) -> Result<Done, Unreachable> {
        let mut talk = self.talk.lock().await;
        if let Some(why) = self.just_failed() {
            return Err(why);
        }
        // Before it is asked: whoever sees its end first knows who wanted it.
        talk.memory.stopping(target, order.by.clone());
        let write = |nonce: &Nonce| host::stop(nonce, &self.host.site, target);
        let asked = self.ask(&mut talk, write, host::read_stop).await?;
        if asked == Asked::NeverBegun {
            talk.memory.refused(target);
        }
        drop(talk);
        self.wake.notify_one();
        Ok(match asked {
            // Where it does not run, whoever thinks that it does learns better.
            Asked::Asked | Asked::NotRunning => Done::Taken,
            Asked::NeverBegun => {
                Done::Refused(Text::new(&format!("{target} was never begun here, and is not begun any more")))
            }
            Asked::Failed => {
                Done::Refused(Text::from("the host cannot write it down: its state folder may be full"))
            }
        })
    }

    async fn begin(
        &self,
        order: &Order,
        clock: &dyn Clock,
        confirmed: &AtomicBool,
    ) -> Result<Done, Unreachable> {
        let mut talk = self.talk.lock().await;
        if let Some(why) = self.just_failed() {
            return Err(why);
        }
        // What ended before this one begins is told before its start.
        if talk.behind || talk.memory.awaits_a_result() {
            self.learn(&mut talk, None).await?;
        }
        // It ended while the host was looked at.
        if talk.behind {
            self.learn(&mut talk, None).await?;
        }
        let mut ask = order.ask.clone();
        if let Ask::Rollback { to: Some(to), .. } = &mut ask {
            let write = |nonce: &Nonce| host::generations(nonce, &self.host.site);
            let there = self.ask(&mut talk, write, host::read_generations).await?;
            match target(to, &there) {
                Ok(found) => *to = found,
                Err(reason) => return Ok(Done::Refused(reason)),
            }
        }
        match self.work(&ask, order.test_limit_s) {
            Ok(work) => {
                // It may have waited here, on its way, or on the host.
                let still = || {
                    let still = clock.wall() < order.deliver_by;
                    confirmed.fetch_or(still, Ordering::Relaxed);
                    still
                };
                self.send(&mut talk, order, &ask, &work, &still).await
            }
            Err(Refused(reason)) => Ok(Done::Refused(reason)),
        }
    }

    fn work(&self, ask: &Ask, test_limit_s: Option<u32>) -> Result<Execution, Refused> {
        let crate::Host { id, site, commands, .. } = &self.host;
        if ask.kind() == RequestKind::Test {
            let seconds = test_limit_s.unwrap_or(commands.limits().test_s);
            return Tests::new(commands.tests(), Duration::from_secs(seconds.into()), site)
                .map(Execution::Tests);
        }
        commands.plan(ask, id, &site.machine()).map(|plan| Execution::Plan(plan.into()))
    }

    async fn send(
        &self,
        talk: &mut Talk,
        order: &Order,
        ask: &Ask,
        work: &Execution,
        still: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<Done, Unreachable> {
        let Some(kind) = ask.operation() else { return Ok(Done::Refused(Text::from("it is no operation"))) };
        let what = match work {
            Execution::Plan(plan) => What::Plan(plan),
            Execution::Tests(tests) => What::Tests(tests),
        };
        let op = &order.op;
        let nonce = Nonce::random();
        let script = match host::begin(&nonce, &self.host.site, op, &what) {
            Ok(script) => script,
            Err(Refused(reason)) => return Ok(Done::Refused(reason)),
        };
        talk.memory.ordering(op, kind, ask.target().cloned());
        let question = Question { script: &script, nonce: &nonce, still: Some(still) };
        talk.behind = true;
        let begun = self.put(talk, &question, host::read_begin).await?;
        talk.behind = false;
        match begun {
            Begun::Begun { limit } => {
                if let Some(said) = talk.memory.begun(op, limit) {
                    self.outbox.push(Some(op.clone()), said);
                }
            }
            // A look tells what it is at.
            Begun::HadIt => {}
            Begun::Busy { op: other, kind } => {
                talk.memory.refused(op);
                return Ok(Done::Refused(Text::new(&format!("the host is busy: a {kind} runs ({other})"))));
            }
            Begun::Refused(reason) => {
                talk.memory.refused(op);
                return Ok(Done::Refused(if still() { reason } else { Text::from(TOO_LATE) }));
            }
        }
        self.wake.notify_one();
        Ok(Done::Taken)
    }
}
