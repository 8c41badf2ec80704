//! What switches and rollbacks that failed or were stopped say of what runs (CORE-006 K4, K6).

use super::system::how;
use super::taking::Taking;
use crate::checkout::{Doubt, Revision};
use crate::event::{Kind, RunningSystem};
use crate::generation::{How, Named};
use crate::knowledge::{Belief, Changed, Made, Part, Place, Word, believe};
use crate::operation::{Closing, KnownBy};

impl Taking<'_> {
    /// A switch or rollback failed or was stopped.
    pub(super) fn deploy_failed(
        &mut self,
        closing: &Closing,
        activated: Option<bool>,
        system: Option<&RunningSystem>,
    ) -> bool {
        let made = self.made(closing);
        let place = self.place_of(made, closing);
        let system = system.cloned().unwrap_or_default();
        self.label(&system);
        let another = self.host.deployment.as_ref().is_some_and(|now| now.generation.differs_from(&system));
        // One that names another system than the one that ran has changed what runs, whatever it says.
        let changed = if another { Changed::Yes } else { Changed::from(activated) };
        self.left(closing, &system, changed);
        self.may_have_left(closing, &system, changed);
        self.failure_doubts(closing, &system, changed);
        if place != Place::Later {
            self.failed_late(closing.kind, &system);
        }
        let told = if system.path.is_some() || another { Part::Told(()) } else { Part::Silent };
        match believe(told, false, None, place, Word::Failed(changed)) {
            Belief::Stands | Belief::Agreed => self.runs_still(&system, made, place),
            Belief::Is(()) => {
                self.readable(Some(&system));
                if self.runs_at(system.path.as_ref()) {
                    self.now_known();
                } else {
                    let (revision, named) = self.built_by(&system, Some((closing.kind, &closing.trace)));
                    self.run(revision, named, (system.path, system.number), how(closing.kind));
                }
                self.mark_system(made);
            }
            Belief::Unknown | Belief::Unreadable => {
                let seen = self.runs_at(closing.trace.first_other.as_ref());
                if changed == Changed::Yes && place == Place::Later && !seen {
                    self.run(self.unknown(), Named::Nobody, (None, None), how(closing.kind));
                } else {
                    self.not_known(Doubt::MayHaveChanged);
                }
                self.mark_system(made);
            }
        }
        true
    }

    /// A switch that failed may have built a system and not left it running: what it names as running, and was not
    /// there when it began, is what it built (W5).
    fn may_have_left(&mut self, closing: &Closing, system: &RunningSystem, changed: Changed) {
        let named = changed != Changed::No && system.path.is_some() && system.path != closing.trace.from;
        if closing.kind == Kind::Switch && !named {
            self.may_have_built(&closing.trace, self.in_order());
        }
    }

    /// Remembers what a failure left running: what it says, else the first path named since it was over (K6).
    fn left(&mut self, closing: &Closing, system: &RunningSystem, changed: Changed) {
        let Some(trace) = self.ended_trace(closing) else { return };
        let unchanged = trace
            .from
            .clone()
            .filter(|_| changed == Changed::No && trace.start_seen() && trace.first_other.is_none());
        let left = system.path.clone().or(trace.left.take()).or(unchanged);
        // Where another failure may be the last one, what is named next is what that left.
        trace.left = left.filter(|_| !closing.beside);
    }

    /// What a failure may have changed is doubtful; what it says that it has not changed is not, as far as only its own
    /// lost end made it so.
    fn failure_doubts(&mut self, closing: &Closing, system: &RunningSystem, changed: Changed) {
        if changed != Changed::No {
            if closing.kind == Kind::Rollback {
                self.led_back(system, &closing.trace);
            }
            let past = self.host.past_mut();
            past.doubt = past.doubt.max(closing.trace.over.unwrap_or(past.clock));
        } else if closing.trace.known_by == KnownBy::Notice {
            // `running` names no id: another one may have run until this one began, and changed what runs.
            self.tests_doubtful();
            self.not_known(Doubt::MayHaveChanged);
        } else if let (true, Some(lost)) = (closing.newest, closing.trace.lost()) {
            let past = self.host.past_mut();
            past.doubt = if past.doubt == lost.tests.1 { lost.tests.0 } else { past.doubt };
            if past.marks.system == lost.mark {
                past.marks.system = lost.marks.system;
                if let Some(running) = &mut self.host.deployment {
                    running.doubt = lost.doubt;
                }
            }
        }
    }

    /// What a failure names that is heard late ran before, and was perhaps named for the first time.
    fn failed_late(&mut self, kind: Kind, system: &RunningSystem) {
        let place = (system.path.clone(), system.number);
        let named = if system.commit.is_some() { Named::BySystem } else { Named::Nobody };
        let built = Revision { commit: system.commit, dirt: self.old_dirt(), ..Revision::default() };
        if system.path.is_some() {
            self.out_of_order(&place, system.commit);
        }
        self.ran_before(kind, place, (built, named), true);
    }

    /// A failure changed nothing: what it names has run all along, unless that is in doubt, or this word is older than
    /// what is known.
    fn runs_still(&mut self, system: &RunningSystem, made: Made, place: Place) {
        if system.path.is_none() {
            return;
        }
        let at = (system.path.clone(), system.number);
        let Some(running) = &self.host.deployment else {
            // It is the first word on what runs.
            let (revision, named) = self.built_by(system, None);
            self.run(revision, named, at, How::Seen);
            return;
        };
        match (&running.generation.path, running.doubt, place) {
            (Some(_), _, _) => {}
            (None, None, Place::Later) => _ = self.fill(system),
            (None, Some(_), Place::Later) => {
                // It runs by now: an attempt before may have left it.
                self.tests_doubtful();
                let (revision, named) = self.built_by(system, None);
                self.run(revision, named, at, How::Switch);
                self.mark_system(made);
            }
            (None, _, Place::Open | Place::Earlier) => self.tests_doubtful(),
        }
    }
}
