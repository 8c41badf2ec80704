//! What may happen in the world.

use compartment_core::event::Kind;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// How many hosts there are.
pub(crate) const HOSTS: usize = 3;

/// What becomes of a report on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Now,
    Twice,
    Late,
    Lost,
}

/// Which facts a report tells, as bits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tells(pub(crate) u16);

impl Tells {
    pub(crate) const ALL: Self = Self(0x7f);
    pub(crate) const COMMIT: u16 = 1;
    pub(crate) const DIRTY: u16 = 1 << 1;
    pub(crate) const LOCK: u16 = 1 << 2;
    pub(crate) const PATH: u16 = 1 << 3;
    pub(crate) const NUMBER: u16 = 1 << 4;
    pub(crate) const BUILT_FROM: u16 = 1 << 5;
    pub(crate) const RUNNING: u16 = 1 << 6;
    /// Commits are told by their first digits.
    pub(crate) const SHORT: u16 = 1 << 7;
    pub(crate) const ACTIVATED: u16 = 1 << 8;
    pub(crate) const TARGET: u16 = 1 << 9;
    pub(crate) const TARGET_PATH: u16 = 1 << 10;
    /// The checkout is reported right before the start.
    pub(crate) const BEFOREHAND: u16 = 1 << 11;
    /// The operation was asked for at the hub.
    pub(crate) const REQUESTED: u16 = 1 << 12;

    pub(crate) const fn tells(self, bit: u16) -> bool {
        self.0 & bit != 0
    }

    pub(crate) const fn with(self, bits: u16) -> Self {
        Self(self.0 | bits)
    }
}

/// How an operation ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// As it should.
    Works,
    /// It fails, as far as it has come.
    Fails,
    /// It exits with zero, and has done nothing more than it had.
    Nothing,
    /// A rollback lands on another generation.
    Elsewhere(u8),
}

/// What a person does on a host, past the agent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Deed {
    Pull,
    CheckOut(u8),
    Edit { content: Option<u8>, lock: Option<u8> },
    Clean,
    Switch,
    Boot(u8),
}

#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// A commit is merged; the hub hears of it at once, if at all.
    Push {
        content: Option<u8>,
        lock: Option<u8>,
        merged: bool,
        tells_lock: bool,
    },
    /// The branch is set back.
    Reset(u8),
    /// A look at the repository that shows the tip of so many moves ago.
    Look {
        moves: u8,
        dated: bool,
        published: bool,
        tells_lock: bool,
    },
    FailedLook,
    /// The event of an earlier merge comes late.
    LateMerge(u8),
    Beat(usize, Tells, Fate),
    Start(usize, Kind, u8, Tells, Fate),
    /// What runs is activated, and the operation goes on.
    Proceed(usize),
    End(usize, End, Tells, Fate),
    Stop(usize, Tells, Fate),
    /// The agent dies with what it runs, and comes back. The last of what it had not sent is lost.
    Kill(usize, u8),
    /// The host comes up in some generation.
    Reboot(usize, Option<u8>),
    Person(usize, Deed),
    /// A late report arrives; of a spool, so many of those that wait.
    Arrive(usize, u8, bool),
    /// A report that has arrived arrives again.
    Again(usize, u8),
    Wait(u64),
    /// The hub notes which operations ran out of time.
    NoteExpiries,
    /// All facts of a host are told and arrive, while nothing runs.
    Settle(usize),
}

fn tells() -> impl Strategy<Value = Tells> {
    prop_oneof![1 => Just(Tells::ALL), 1 => Just(Tells(0)), 4 => any::<u16>().prop_map(Tells)]
}

fn a_host() -> std::ops::Range<usize> {
    0..HOSTS
}

fn an_action() -> impl Strategy<Value = Action> {
    let fate = || select(vec![Fate::Now, Fate::Now, Fate::Now, Fate::Twice, Fate::Late, Fate::Lost]);
    let content = || option::of(0..3_u8);
    let lock = || option::weighted(0.3, 0..3_u8);
    let pick = || 0..8_u8;
    let push = (content(), lock(), any::<bool>(), any::<bool>())
        .prop_map(|(content, lock, merged, tells_lock)| Action::Push { content, lock, merged, tells_lock });
    let look = (select(vec![0, 0, 0, 1, 2, 3_u8]), any::<bool>(), prop::bool::weighted(0.3), any::<bool>())
        .prop_map(|(moves, dated, published, tells_lock)| Action::Look {
            moves,
            dated,
            published,
            tells_lock,
        });
    let start =
        (a_host(), select(vec![Kind::Pull, Kind::Switch, Kind::Switch, Kind::Test, Kind::Rollback]), pick());
    let end = prop_oneof![
        5 => Just(End::Works), 2 => Just(End::Fails), 1 => Just(End::Nothing),
        1 => pick().prop_map(End::Elsewhere),
    ];
    let deed = prop_oneof![
        2 => Just(Deed::Pull),
        1 => pick().prop_map(Deed::CheckOut),
        2 => (content(), lock()).prop_map(|(content, lock)| Deed::Edit { content, lock }),
        2 => Just(Deed::Clean),
        2 => Just(Deed::Switch),
        2 => pick().prop_map(Deed::Boot),
    ];
    let step = prop_oneof![
        4 => push,
        1 => pick().prop_map(Action::Reset),
        5 => look,
        1 => Just(Action::FailedLook),
        1 => pick().prop_map(Action::LateMerge),
        1 => select(vec![1_u64, 59, 120, 599, 1800, 7200]).prop_map(Action::Wait),
        1 => Just(Action::NoteExpiries),
    ];
    let report = prop_oneof![
        8 => (a_host(), tells(), fate()).prop_map(|(host, tells, fate)| Action::Beat(host, tells, fate)),
        12 => (start, tells(), fate())
            .prop_map(|((host, kind, to), tells, fate)| Action::Start(host, kind, to, tells, fate)),
        12 => (a_host(), end, tells(), fate())
            .prop_map(|(host, end, tells, fate)| Action::End(host, end, tells, fate)),
        1 => (a_host(), tells(), fate()).prop_map(|(host, tells, fate)| Action::Stop(host, tells, fate)),
    ];
    let host = prop_oneof![
        3 => a_host().prop_map(Action::Proceed),
        1 => (a_host(), 0..4_u8).prop_map(|(host, lost)| Action::Kill(host, lost)),
        1 => (a_host(), option::of(pick())).prop_map(|(host, into)| Action::Reboot(host, into)),
        6 => (a_host(), deed).prop_map(|(host, deed)| Action::Person(host, deed)),
        5 => (a_host(), pick(), any::<bool>()).prop_map(|(host, which, twice)| Action::Arrive(host, which, twice)),
        1 => (a_host(), pick()).prop_map(|(host, which)| Action::Again(host, which)),
        5 => a_host().prop_map(Action::Settle),
    ];
    prop_oneof![14 => step, 33 => report, 22 => host]
}

pub(crate) fn a_history(length: usize) -> impl Strategy<Value = Vec<Action>> {
    vec(an_action(), 0..length)
}
