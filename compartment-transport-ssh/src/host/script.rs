//! The scripts: files of this folder, behind assignments that are quoted in one place.

mod order;

use std::fmt::Write;
use std::time::Duration;

use compartment_core::{Commit, LockFile, OpId, Text};
use compartment_local::observe::Managed;

pub use self::order::{Order, Tests, begin};

use super::frame::VERSION;
use super::{HostPath, Nonce, Site, quote};

/// What runs on the host, with a script as its standard input. Every login shell understands it.
pub const SHELL: &str = "exec /bin/sh -s";

/// What the script of [`begin`] wants to read when it is ready.
pub const GO: &str = "go\n";

const PRELUDE: &str = include_str!("scripts/prelude.sh");
const FACTS: &str = include_str!("scripts/facts.sh");
const LOCK: &str = include_str!("scripts/lock.sh");
const TESTS: &str = include_str!("scripts/tests.sh");

/// How long git may take to answer a check, or an operation that begins or ends.
const GIT_WITHIN: Duration = Duration::from_secs(10);

/// Whose output is looked at, and from where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tail {
    /// The operation, running or ended.
    pub op: OpId,
    /// The first byte that is not known yet: [`Printed::next`](super::Printed::next), or 0.
    pub from: u64,
    /// How many bytes to bring at most; 4096 to 49152 are, so that an answer is never too long.
    pub limit: u32,
}

/// The script of one look. Nothing on the host is changed by it but for operations that never came to run: those are
/// given up. `git_within` is how long git may take to answer, where that is to be watched: it takes a program more.
/// `known` is a commit of the repository with its lock, which need not be asked for again.
#[must_use]
pub fn look(
    nonce: &Nonce,
    site: &Site,
    tail: Option<&Tail>,
    git_within: Option<Duration>,
    known: Option<(Commit, LockFile)>,
) -> String {
    let mut script = Script::new("look", nonce, site);
    let lock = |file: LockFile| file.hash().map_or("-".to_owned(), ToString::to_string);
    script.set("KNOWN", &known.map_or(String::new(), |(commit, file)| format!("{commit} {}", lock(file))));
    script.set("GIT_WITHIN", &git_within.map_or(String::new(), |within| seconds(within).to_string()));
    script.set("TAIL_OP", tail.map_or("", |tail| tail.op.as_str()));
    script.set("TAIL_FROM", &tail.map_or(0, |tail| tail.from.min(u64::from(u32::MAX))).to_string());
    script.set("TAIL_LIMIT", &tail.map_or(0, |tail| tail.limit.clamp(4096, 49152)).to_string());
    script.with(&[PRELUDE, FACTS, LOCK, include_str!("scripts/look.sh")])
}

/// The script that asks an operation to stop: TERM to its process group, KILL after three seconds.
#[must_use]
pub fn stop(nonce: &Nonce, site: &Site, op: &OpId) -> String {
    let mut script = Script::new("stop", nonce, site);
    script.set("OP", op.as_str());
    script.with(&[PRELUDE, LOCK, include_str!("scripts/stop.sh")])
}

/// The script that removes operations that have ended or are gone. Their ids are remembered, the last hundred at least.
#[must_use]
pub fn acknowledge(nonce: &Nonce, site: &Site, ops: &[OpId]) -> String {
    let mut script = Script::new("acknowledge", nonce, site);
    script.set("OPS", &ops.iter().map(OpId::as_str).collect::<Vec<_>>().join(" "));
    script.with(&[PRELUDE, LOCK, include_str!("scripts/acknowledge.sh")])
}

/// The script that lists the generations of the profile.
#[must_use]
pub fn generations(nonce: &Nonce, site: &Site) -> String {
    Script::new("generations", nonce, site).with(&[PRELUDE, FACTS, include_str!("scripts/generations.sh")])
}

/// What a check looks for besides what every host needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Check {
    /// The programs that the host's commands run.
    pub programs: Vec<Text>,
    /// What is run by way of sudo, where that is configured: programs with their arguments.
    pub by_sudo: Vec<Vec<String>>,
    /// The folder of tests.
    pub tests: Option<HostPath>,
}

/// The script that checks what works on the host, and what is missing.
#[must_use]
pub fn check(nonce: &Nonce, site: &Site, wanted: &Check) -> String {
    let mut script = Script::new("check", nonce, site);
    script.set("GIT_WITHIN", &seconds(GIT_WITHIN).to_string());
    script.set("TESTS", wanted.tests.as_ref().map_or("", HostPath::as_str));
    let programs: Vec<_> = wanted.programs.iter().map(|program| word(program.as_str())).collect();
    script.head.push_str(&format!("programs() {{ each_program {}; }}\n", programs.join(" ")));
    script.head.push_str("by_sudo() {\n:\n");
    for argv in &wanted.by_sudo {
        let words: Vec<_> = argv.iter().map(|argument| word(argument)).collect();
        script.head.push_str(&format!("allowed {}\n", words.join(" ")));
    }
    script.head.push_str("}\n");
    script.with(&[
        PRELUDE,
        FACTS,
        LOCK,
        TESTS,
        include_str!("scripts/start.sh"),
        include_str!("scripts/check.sh"),
    ])
}

/// Whole seconds, and never none.
fn seconds(limit: Duration) -> u64 {
    let up = u64::from(limit.subsec_nanos() > 0);
    limit.as_secs().saturating_add(up).clamp(1, 100_000_000)
}

/// A script on its way.
struct Script {
    head: String,
}

impl Script {
    fn new(kind: &str, nonce: &Nonce, site: &Site) -> Self {
        let mut script = Self { head: String::new() };
        script.set("NONCE", nonce.as_str());
        script.set("FIRST", &format!("compartment {VERSION} {kind}"));
        script.site(site);
        script
    }

    fn site(&mut self, site: &Site) {
        let path = |path: &Option<HostPath>| path.as_ref().map_or(String::new(), ToString::to_string);
        self.set("CHECKOUT", &path(&site.checkout));
        self.set(
            "MANAGED",
            match site.managed {
                Managed::Either => "either",
                Managed::System => "system",
                Managed::Home => "home",
            },
        );
        self.set("SYSTEM_LINK", site.system_link.as_str());
        self.set("SYSTEM_PROFILE", site.system_profile.as_str());
        self.set("STATE", &path(&site.state));
        self.set("OWNER", site.owner.as_str());
        self.set("SUDO", if site.sudo { "1" } else { "" });
        let programs: Vec<_> = site.programs.iter().map(HostPath::as_str).collect();
        self.set("PROGRAMS", &programs.join(":"));
        self.set("SH", site.shell.as_str());
        self.set("KNOWN", "");
        self.set("ROOT", path(&site.root).trim_end_matches('/'));
    }

    fn set(&mut self, name: &str, value: &str) {
        // A name that the host's user exports would be seen by what runs there.
        let _infallible = writeln!(self.head, "unset {name}; {name}={}", word(value));
    }

    /// All of it is read before any of it runs: what is cut off does nothing.
    fn with(self, parts: &[&str]) -> String {
        format!("{}{}\nmain 3<&0 </dev/null; exit\n", self.head, parts.join("\n"))
    }
}

/// A word. What is checked where it enters holds no NUL; where one slips through, it is left out.
fn word(value: &str) -> String {
    quote(value).or_else(|_| quote(&value.replace('\0', ""))).unwrap_or_default()
}
