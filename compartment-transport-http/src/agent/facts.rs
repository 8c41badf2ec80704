//! Heartbeats: what is seen of the machine, after everything that was reported before.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use compartment_core::event::{Event, Heartbeat, Reading, Report, Said};
use compartment_core::{HostId, Text};
use compartment_local::git::Git;
use compartment_local::observe::{self, Checkout, Places, is_vacant};
use compartment_local::operation::{Facts, Machine};
use compartment_local::run::Stop;
use tokio::task::JoinHandle;
use tracing::{debug, warn};

use super::{Config, Shared};

/// How long one question to git may take.
const QUESTION: Duration = Duration::from_secs(10);

/// How long a look may take. What takes longer cannot be read.
const LOOK: Duration = Duration::from_secs(20);

/// How long it is at least from one look to the next, whoever asks.
const REST: Duration = Duration::from_millis(100);

/// Looks at a machine.
pub(super) struct Looker {
    eyes: Arc<Observer>,
    stop: Stop,
    /// A look that takes too long: no other begins before it ends.
    stuck: Mutex<Option<JoinHandle<Seen>>>,
    /// What could not be read the last time.
    doubts: Mutex<Vec<Text>>,
}

struct Observer {
    host: HostId,
    path: Option<std::path::PathBuf>,
    places: Places,
    git: Git,
    /// Kept open: it remembers the hash of its lock file.
    checkout: Mutex<Option<Checkout>>,
}

/// What was seen.
struct Seen {
    heartbeat: Heartbeat,
    doubts: Vec<Text>,
    /// Whether the checkout is there.
    checkout: bool,
}

/// Heartbeats for ever.
pub(super) async fn run(shared: &Shared, looker: &Looker) {
    loop {
        looker.beat(shared).await;
        let every = shared.config.heartbeat;
        // A fifth of it by chance, so that a fleet's heartbeats do not come all at once.
        let jittered = every.mul_f64(0.9 + fastrand::f64() / 5.0);
        tokio::select! {
            () = tokio::time::sleep(jittered) => {}
            () = shared.refresh.notified() => {}
        }
    }
}

impl Looker {
    pub(super) fn new(config: &Config) -> Self {
        let stop = Stop::default();
        let git = Git::of_the_user(stop.clone()).within(QUESTION);
        let Machine { checkout: path, places } = config.machine();
        let eyes = Observer { host: config.host.clone(), path, places, git, checkout: Mutex::default() };
        Self { eyes: Arc::new(eyes), stop, stuck: Mutex::default(), doubts: Mutex::default() }
    }

    /// Ends what it is about to look at.
    pub(super) fn stop(&self) {
        self.stop.ask();
    }

    /// One heartbeat. Where something is reported while it looks, it looks again: a sample says what came after.
    async fn beat(&self, shared: &Shared) {
        loop {
            let (position, running, cloned) = {
                let mut spool = shared.spool();
                spool.tidy();
                (spool.position(), spool.running().map(|running| running.kind), spool.cloned())
            };
            let Seen { heartbeat, doubts, checkout } = self.look(cloned).await;
            self.say_doubts(doubts);
            if checkout && !cloned {
                shared.spool().note_cloned();
            }
            let said = Said::Heartbeat(Heartbeat { running: Some(running), ..heartbeat });
            if shared.spool().beat(position, said) {
                shared.news.notify_one();
                return;
            }
            tokio::time::sleep(REST).await;
        }
    }

    /// A look, within its limit.
    async fn look(&self, cloned: bool) -> Seen {
        let stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(look) = stuck.filter(|look| !look.is_finished()) {
            self.remember(look);
            return Seen::nothing("the last look at the machine is still under way");
        }
        let eyes = Arc::clone(&self.eyes);
        let mut look = tokio::task::spawn_blocking(move || eyes.look(cloned));
        match tokio::time::timeout(LOOK, &mut look).await {
            Ok(Ok(seen)) => seen,
            Ok(Err(_)) => Seen::nothing("the look at the machine failed"),
            Err(_) => {
                self.remember(look);
                Seen::nothing(&format!("the look at the machine took longer than {} s", LOOK.as_secs()))
            }
        }
    }

    fn remember(&self, look: JoinHandle<Seen>) {
        *self.stuck.lock().unwrap_or_else(PoisonError::into_inner) = Some(look);
    }

    /// What cannot be read is said when it changes.
    fn say_doubts(&self, doubts: Vec<Text>) {
        let mut known = self.doubts.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != doubts {
            for doubt in &doubts {
                warn!("the hub is told that this cannot be read: {doubt}");
            }
            *known = doubts;
        }
    }
}

impl Observer {
    /// `cloned` says that the checkout was there once: then it is missing now, else there is none yet.
    fn look(&self, cloned: bool) -> Seen {
        let Some(path) = &self.path else { return self.without(Ok(())) };
        if !cloned && is_vacant(path) {
            return self.without(Ok(()));
        }
        let mut kept = self.checkout.lock().unwrap_or_else(PoisonError::into_inner);
        let checkout = match kept.take().map_or_else(|| Checkout::open(&self.git, path), Ok) {
            Ok(checkout) => checkout,
            Err(none) => return self.without(Err(Text::new(&none.to_string()))),
        };
        match observe::machine(&self.git, &self.host, &checkout, &self.places) {
            Ok((Event::Report(Report { said: Said::Heartbeat(heartbeat), .. }), doubts)) => {
                // One that cannot be read may be another one the next time.
                *kept = doubts.is_empty().then_some(checkout);
                let doubts = doubts.into_iter().map(|doubt| doubt.0).collect();
                Seen { heartbeat, doubts, checkout: true }
            }
            Ok(_) => Seen::nothing("the look at the machine gave no heartbeat"),
            Err(error) => Seen::nothing(&error.to_string()),
        }
    }

    /// The machine without its checkout: there is none, or this is why it cannot be opened.
    fn without(&self, checkout: Result<(), Text>) -> Seen {
        let machine = Machine { checkout: None, places: self.places.clone() };
        let facts = machine.facts(&self.git).map(|Facts { system, doubts, .. }| (system, doubts));
        let (system, mut doubts) =
            facts.unwrap_or_else(|error| (Reading::Unreadable, vec![Text::new(&error.to_string())]));
        let mut heartbeat = Heartbeat { agent_version: version(), system, ..Heartbeat::default() };
        if let Err(why) = checkout {
            doubts.insert(0, why);
            heartbeat.commit = Reading::Unreadable;
            heartbeat.dirty = Reading::Unreadable;
            heartbeat.lock_hash = Reading::Unreadable;
        }
        Seen { heartbeat, doubts, checkout: false }
    }
}

impl Seen {
    /// Nothing could be read.
    fn nothing(why: &str) -> Self {
        debug!("{why}");
        let heartbeat = Heartbeat {
            agent_version: version(),
            commit: Reading::Unreadable,
            dirty: Reading::Unreadable,
            lock_hash: Reading::Unreadable,
            system: Reading::Unreadable,
            running: None,
        };
        Self { heartbeat, doubts: vec![Text::new(why)], checkout: false }
    }
}

fn version() -> Reading<compartment_core::Version> {
    observe::agent_version().ok().into()
}
