//! The matrix, live: drawn on a terminal, or told in lines.

mod lines;
mod screen;

pub use screen::{Entered, Screen};

use std::time::{Duration, Instant};

use compartment_core::{HostId, Matrix, ReadOptions, Text, Timestamp};
use compartment_local::run::Stop;
use compartment_transport_http::client::{Connection, Live, Update};
use futures::StreamExt;

use super::{Completion, MatrixError, Program, Shown, Within, interrupt};
use crate::clock::WallClock;
use lines::Lines;
use screen::Drawing;

/// How often it is looked whether there is something to show: a burst of changes is shown as one.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// How often it is shown again at least: who is there ages with the clock.
const SHOW_EVERY: Duration = Duration::from_secs(1);

/// A hub gives a sign every half minute; one that is silent for so long is not heard any more.
const SILENT: Duration = Duration::from_secs(45);

/// Why it is so with some hosts, now: in words without controls.
pub type Why<'a> = dyn Fn() -> Vec<(HostId, String)> + 'a;

/// The hub is not heard.
#[derive(Clone, Debug)]
pub(super) struct Silence {
    /// Since when: what is shown is from then.
    pub(super) since: Timestamp,
    /// In words.
    pub(super) why: String,
}

/// What there is to be shown.
struct Seen {
    /// The fleet as it was last known.
    matrix: Option<Matrix>,
    /// Why it is only that.
    silence: Option<Silence>,
    /// What the hub wants people to know.
    notices: Vec<Text>,
    /// Why hosts cannot be reached.
    away: Vec<(HostId, String)>,
    /// Why something on hosts cannot be read.
    unread: Vec<(HostId, String)>,
}

/// What is known of the fleet, and whether it still is so.
struct Watched<'a> {
    hub: Connection,
    live: Live,
    within: Option<Within<'a>>,
    clock: WallClock,
    heard: Instant,
    heard_at: Timestamp,
    silence: Option<Silence>,
}

impl Program<'_> {
    pub(super) async fn watch(&mut self, shown: &Shown) -> Result<Completion, MatrixError> {
        let within = self.around.within.clone();
        let of = within.as_ref().map_or_else(|| self.address.clone(), |within| within.of.clone());
        let mut watched = Watched::new(self.hub.clone(), within);
        self.begin(&mut watched, shown).await?;
        let stop = self.around.stop.clone();
        match self.around.screen.take() {
            Some(screen) => {
                let mut drawing = Drawing::begin(screen, of)?;
                let ended = async {
                    loop {
                        let now = watched.clock.now();
                        drawing.show(&watched.seen(now), shown, now)?;
                        watched.wait(|| drawing.is_due()).await;
                    }
                };
                until(&stop, ended).await
            }
            None => {
                let (mut lines, output) = (Lines::default(), &mut *self.around.output);
                let ended = async {
                    loop {
                        let now = watched.clock.now();
                        let told = lines.told(&watched.seen(now), shown, now);
                        output.write_all(told.as_bytes())?;
                        output.flush()?;
                        watched.wait(|| false).await;
                    }
                };
                until(&stop, ended).await
            }
        }
    }

    /// Waits for the first full state, also where the hub is not there yet: it may be starting. What wants people, such as a
    /// wrong token, is an error.
    async fn begin(&mut self, watched: &mut Watched<'_>, shown: &Shown) -> Result<(), MatrixError> {
        let mut told = false;
        let update = loop {
            let update = tokio::select! {
                update = watched.live.next() => update,
                () = interrupt(&self.around.stop) => return Err(MatrixError::Interrupted),
            };
            let Some(Update::Lost(error)) = &update else { break update };
            let explained = self.explained(error);
            if error.wants_people() {
                return Err(explained);
            }
            if !std::mem::replace(&mut told, true) {
                self.mention(&format!("{explained}; waiting for it"));
            }
        };
        watched.take(update.unwrap_or(Update::Changed));
        let now = watched.clock.now();
        if let Some(matrix) = watched.seen(now).matrix {
            shown.check(&matrix)?;
        }
        Ok(())
    }
}

/// Goes on until somebody asks to stop, or it fails.
async fn until(
    stop: &Stop,
    ended: impl Future<Output = Result<Completion, MatrixError>>,
) -> Result<Completion, MatrixError> {
    tokio::select! {
        ended = ended => ended,
        () = interrupt(stop) => Err(MatrixError::Interrupted),
    }
}

impl<'a> Watched<'a> {
    fn new(hub: Connection, within: Option<Within<'a>>) -> Self {
        let mut clock = WallClock::default();
        let (live, heard_at) = (Live::new(hub.clone()), clock.now());
        Self { hub, live, within, clock, heard: Instant::now(), heard_at, silence: None }
    }

    fn take(&mut self, update: Update) {
        match update {
            Update::Changed | Update::Back => {
                (self.heard, self.heard_at, self.silence) = (Instant::now(), self.clock.now(), None);
            }
            Update::Lost(error) => {
                let since = self.silence.as_ref().map_or_else(|| self.clock.now(), |silence| silence.since);
                self.silence = Some(Silence { since, why: error.to_string() });
            }
        }
    }

    fn seen(&self, now: Timestamp) -> Seen {
        let silence = self.silence.clone().or_else(|| {
            let why = format!("the hub has been silent for {} s", self.heard.elapsed().as_secs());
            (self.heard.elapsed() > SILENT).then_some(Silence { since: self.heard_at, why })
        });
        // Nobody knows who is there since then.
        let as_of = silence.as_ref().map_or(now, |silence| silence.since);
        let matrix = self.live.matrix(as_of, &ReadOptions::default());
        let (away, unread) =
            self.within.as_ref().map(|within| ((within.away)(), (within.unread)())).unwrap_or_default();
        Seen { matrix, silence, notices: self.hub.notices(), away, unread }
    }

    /// Waits until there is something to show, or a second has gone by.
    async fn wait(&mut self, is_due: impl Fn() -> bool) {
        let (begun, mut changed) = (Instant::now(), false);
        let mut look = tokio::time::interval(LOOK_EVERY);
        look.tick().await;
        loop {
            tokio::select! {
                Some(update) = self.live.next() => {
                    self.take(update);
                    changed = true;
                }
                _ = look.tick() => {
                    if changed || begun.elapsed() >= SHOW_EVERY || is_due() {
                        return;
                    }
                }
            }
        }
    }
}
