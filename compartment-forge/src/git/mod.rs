//! Any repository that the user's own git reaches: over files, ssh or HTTP.
//!
//! A bare mirror holds what was seen. A look is one fetch of the channel's branch and of the pull requests, so that
//! what it tells is of one moment; a merge or revert is made in the mirror, without a work tree, and pushed with a
//! lease on the tip that it was made for. All of it happens in one call after the other, also when whoever asked has
//! given up waiting, and also among several processes that share a folder.
//!
//! A merge or revert says in a trailer of its message which operation made it: ordered again, it is found on the
//! branch. No hook of the user runs, and the credential goes to git through its environment.
//!
//! A forge for another kind of home can revert with this one: give it the address and the credential, and no pull
//! requests.

mod address;
mod attributes;
mod config;
mod look;
mod merge;
mod mirror;
mod objects;
mod order;
mod push;
mod revert;
mod trouble;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use compartment_core::event::{Comparison, PullRequest};
use compartment_core::{ChannelName, Commit, Span, Text};
use compartment_local::run::Stop;
use compartment_runtime::{Ended, Forge, ForgeError, Look, MergeOrder, Moved, Proposal, RevertOrder};
use tracing::{debug, warn};

use look::Known;
use mirror::{Call, Format, Setup};
use trouble::Trouble;

pub use config::{Credential, GitConfig, GitForgeError, Identity, PullRequestRefs};

/// How soon a mirror that was made anew is not made anew again.
const ANEW: Duration = Duration::from_secs(5 * 60);

/// A call that takes longer says how far it is.
const LONG: Duration = Duration::from_secs(5);

/// How often the mirror is cleared up, where that is needed.
const UPKEEP: Duration = Duration::from_secs(60 * 60);

/// A repository that the user's own git reaches.
#[derive(Clone)]
pub struct GitForge {
    inner: Arc<Inner>,
}

struct Inner {
    setup: Setup,
    state: Mutex<State>,
    /// When the call began that runs. `None` between two calls.
    began: Mutex<Option<Instant>>,
}

#[derive(Debug)]
struct State {
    known: Known,
    made_anew: Option<Instant>,
    cleared_up: Instant,
}

impl fmt::Debug for GitForge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitForge").field("config", &self.inner.setup.config).finish_non_exhaustive()
    }
}

impl GitForge {
    /// Opens the mirror's folder; the remote is asked at the first call.
    ///
    /// # Errors
    /// [`GitForgeError`] where git is missing or too old, the folder cannot be made, or the configuration names what
    /// cannot be.
    pub fn open(config: GitConfig, stop: Stop) -> Result<Self, GitForgeError> {
        let setup = Setup::new(config, stop)?;
        let state = State { known: Known::default(), made_anew: None, cleared_up: Instant::now() };
        Ok(Self { inner: Arc::new(Inner { setup, state: Mutex::new(state), began: Mutex::default() }) })
    }

    /// Asks the remote where a channel's branch is, and fetches nothing: whether it is reached, lets in, and has the branch.
    /// `None` where it has none. It blocks, for at most as long as the forge may say nothing.
    ///
    /// # Errors
    /// [`ForgeError`] where it could not be asked.
    pub fn tip(&self, channel: &ChannelName) -> Result<Option<Commit>, ForgeError> {
        let setup = &self.inner.setup;
        let name = format!("refs/heads/{}", setup.config.branch(channel));
        let git = setup.outside.clone().within(setup.config.silence);
        let failed = |error: &dyn fmt::Display| {
            setup.redacted(ForgeError::Unreachable(Text::new(&format!("{}: {error}", setup.remote))))
        };
        let listed = git.done(&setup.config.folder, &["ls-remote", "--quiet", mirror::REMOTE, &name]);
        let listed = listed.map_err(|error| failed(&error))?.stdout;
        let lines = String::from_utf8_lossy(&listed);
        let tip = lines.lines().find_map(|line| line.strip_suffix(&format!("\t{name}")));
        tip.map(Commit::new).transpose().map_err(|error| failed(&error))
    }

    /// Makes a call in a thread of its own. Whoever gives up on it does not end it, and the next one waits for it.
    async fn call<T: Send + 'static>(
        &self,
        what: impl Fn(&Call<'_>, &mut Known) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, ForgeError> {
        let inner = Arc::clone(&self.inner);
        match tokio::task::spawn_blocking(move || inner.call(what)).await {
            Ok(answer) => answer,
            Err(error) => Err(ForgeError::Unreachable(Text::new(&error.to_string()))),
        }
    }
}

impl Inner {
    fn call<T>(&self, what: impl Fn(&Call<'_>, &mut Known) -> Result<T, Trouble>) -> Result<T, ForgeError> {
        let mut state = self.state()?;
        self.set_began(Some(Instant::now()));
        let answer = Call::begin(&self.setup).and_then(|call| match what(&call, &mut state.known) {
            Err(Trouble::Mirror(error)) if state.made_anew.is_none_or(|at| at.elapsed() > ANEW) => {
                let error = self.setup.clean(&error.to_string());
                warn!(%error, "the mirror of the repository is made anew");
                state.made_anew = Some(Instant::now());
                state.known = Known::default();
                call.make_anew(Format::default())?;
                what(&call, &mut state.known)
            }
            answer => answer,
        });
        self.set_began(None);
        answer.map_err(|trouble| self.setup.redacted(trouble.into()))
    }

    /// Waits for the call before, but not for a long one.
    fn state(&self) -> Result<MutexGuard<'_, State>, ForgeError> {
        let asked = Instant::now();
        loop {
            match self.state.try_lock() {
                Ok(state) => return Ok(state),
                Err(TryLockError::Poisoned(state)) => return Ok(state.into_inner()),
                Err(TryLockError::WouldBlock) if asked.elapsed() < self.setup.config.silence => {
                    std::thread::sleep(mirror::WAIT);
                }
                Err(TryLockError::WouldBlock) => {
                    let far = self.setup.progress.said().unwrap_or_else(|| Text::from("git says nothing"));
                    let words = format!("{} is still being read: {far}", self.setup.remote);
                    return Err(ForgeError::Unreachable(self.setup.clean(&words)));
                }
            }
        }
    }

    fn set_began(&self, began: Option<Instant>) {
        *self.began.lock().unwrap_or_else(PoisonError::into_inner) = began;
    }

    fn progress(&self) -> Option<Text> {
        let began = *self.began.lock().unwrap_or_else(PoisonError::into_inner);
        let took = began?.elapsed();
        let far = self.setup.progress.said().map_or(String::new(), |far| format!(": {far}"));
        // It goes on: git itself may not be silent for long.
        let words = || format!("reading {}, for {} s so far{far}", self.setup.remote, took.as_secs());
        (took > LONG).then(|| self.setup.clean(&words()))
    }

    /// Clears up, if it is time: between two calls.
    fn upkeep(&self) {
        let Ok(mut state) = self.state() else { return };
        if state.cleared_up.elapsed() < UPKEEP {
            return;
        }
        state.cleared_up = Instant::now();
        let done = Call::begin(&self.setup).and_then(|call| call.upkeep());
        if let Err(trouble) = done {
            debug!(error = %self.setup.redacted(trouble.into()), "the mirror was not cleared up");
        }
    }
}

fn until(within: Span) -> Instant {
    Instant::now() + Duration::from_millis(within.as_millis())
}

#[async_trait]
impl Forge for GitForge {
    async fn look(&self, channel: &ChannelName) -> Result<Look, ForgeError> {
        let channel = channel.clone();
        let look = self.call(move |call, known| call.look(known, &channel)).await;
        let inner = Arc::clone(&self.inner);
        // Nobody waits for it, but the next call.
        drop(tokio::task::spawn_blocking(move || inner.upkeep()));
        look
    }

    async fn proposal(&self, pr: &PullRequest) -> Result<Proposal, ForgeError> {
        let pr = pr.clone();
        self.call(move |call, known| call.proposal(known, &pr)).await
    }

    async fn ended(&self, pr: &PullRequest) -> Result<Ended, ForgeError> {
        let pr = pr.clone();
        self.call(move |call, known| call.ended(known, &pr)).await
    }

    async fn compare(&self, host: &Commit, desired: &Commit) -> Result<Option<Comparison>, ForgeError> {
        let (host_commit, desired_commit) = (*host, *desired);
        self.call(move |call, known| {
            call.fetched(known)?;
            let (Some(host), Some(desired)) = (call.known(&host_commit)?, call.known(&desired_commit)?)
            else {
                return Ok(None);
            };
            let (ahead, behind) = call.distance(&host, &desired)?;
            Ok(Some(Comparison { host_commit, desired_commit, behind, ahead }))
        })
        .await
    }

    async fn merge(&self, order: &MergeOrder) -> Result<Moved, ForgeError> {
        let (order, until) = (order.clone(), until(order.within));
        self.call(move |call, known| call.merge(known, &order, until)).await
    }

    async fn revert(&self, order: &RevertOrder) -> Result<Moved, ForgeError> {
        let (order, until) = (order.clone(), until(order.within));
        self.call(move |call, known| call.revert(known, &order, until)).await
    }

    fn progress(&self) -> Option<Text> {
        self.inner.progress()
    }
}
