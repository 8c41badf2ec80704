//! What an agent would run, and what it sees.

use std::fmt::Display;
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use compartment_core::event::{Kind, Reading, Target};
use compartment_core::{Ask, LockFile, StorePath, Text};
use compartment_local::credentials::without_credentials;
use compartment_local::git::Git;
use compartment_local::observe::is_vacant;
use compartment_local::operation::{Plan, Refused};
use compartment_local::run::Stop;
use compartment_transport_http::agent::{Checkout, Config};
use compartment_transport_http::client::Connection;
use compartment_transport_http::wire::Hello;

use super::places;

/// The generation that a rollback is shown for.
const NUMBER: u32 = 1;
const EXAMPLE: &str = "/nix/store/example";

/// How many files are named.
const NAMED: usize = 5;

/// How long a question to git may take.
const QUESTION: Duration = Duration::from_secs(10);

/// Says all of it. Gives how much of it would keep the agent from its work, or a cell of the host from ever being green:
/// a hub that does not answer or does not take the token, a state folder that cannot be written, a remote without the
/// branch, programs and tests that are not there, what cannot be read.
///
/// # Errors
/// Where it cannot be said.
pub fn check(config: &Config, stop: &Stop, output: &mut impl Write) -> io::Result<u32> {
    let mut told = Told { output, wrong: 0 };
    check_for(config, stop, &mut told)?;
    match told.wrong {
        0 => {}
        1 => writeln!(told.output, "one thing is wrong: see above")?,
        wrong => writeln!(told.output, "{wrong} things are wrong: see above")?,
    }
    Ok(told.wrong)
}

/// The same, for whoever says it otherwise.
pub(crate) fn check_for(config: &Config, stop: &Stop, told: &mut impl Listens) -> io::Result<()> {
    let git = Git::of_the_user(stop.clone()).within(QUESTION);
    told.line("host", &config.host)?;
    let limit = match hub(config) {
        Ok((said, limit)) => {
            told.line("hub", &format_args!("{}: {said}", config.hub.url))?;
            limit
        }
        Err(said) => {
            let said = format!("{}: {said}", config.hub.url);
            told.line("hub", &said)?;
            told.is_wrong(
                &said,
                "see that the hub runs and is reached at `hub.url`, and that `hub.token_file` holds this host's token \
                 (`compartment hub token list` on its machine)",
            );
            None
        }
    };
    told.line("state", &config.state.display())?;
    if let Err(why) = places::state(&config.state) {
        told.wrong(
            &why,
            "have it belong to the agent's user alone, or name another folder (`state`)",
            false,
        )?;
    }
    if let Some(program) =
        config.supervise_through.first().filter(|program| !is_there(program, Path::new("/")))
    {
        told.line("supervise", &"through what is not there")?;
        let why = format_args!("there is no program `{}` (`supervise_through`)", Text::new(program));
        told.wrong(&why, "install it, or leave `supervise_through` out", false)?;
    }
    checkout(config, &git, told)?;
    orders(config, limit, told)?;
    sights(config, &git, told)
}

/// Takes what is said of an agent: lines, what belongs to each, and what of it is wrong.
pub(crate) trait Listens {
    /// A line, and what it is about.
    fn line(&mut self, name: &str, what: &dyn Display) -> io::Result<()>;
    /// More about it.
    fn more(&mut self, what: &dyn Display) -> io::Result<()>;
    /// Something about it is wrong, and what to do; `both` where one sentence says both.
    fn wrong(&mut self, why: &dyn Display, remedy: &str, both: bool) -> io::Result<()>;
    /// What was said already is wrong: in these words, and what to do.
    fn is_wrong(&mut self, why: &dyn Display, remedy: &str);
    /// What the line says may be meant. What to do where it is not.
    fn may_be_meant(&mut self, remedy: &str);
    /// What follows is seen of the host.
    fn sees(&mut self) -> io::Result<()>;
    /// A part of that.
    fn reading(&mut self, name: &str, reading: &Reading<String>) -> io::Result<()>;
}

/// What was said, and how much of it is wrong.
struct Told<'a, W> {
    output: &'a mut W,
    wrong: u32,
}

impl<W: Write> Listens for Told<'_, W> {
    fn line(&mut self, name: &str, what: &dyn Display) -> io::Result<()> {
        writeln!(self.output, "{name:<9} {what}")
    }

    fn more(&mut self, what: &dyn Display) -> io::Result<()> {
        writeln!(self.output, "            {what}")
    }

    fn wrong(&mut self, why: &dyn Display, remedy: &str, both: bool) -> io::Result<()> {
        self.wrong += 1;
        match both {
            true => self.more(&format_args!("{why}: {remedy}")),
            false => self.more(why),
        }
    }

    fn is_wrong(&mut self, _: &dyn Display, _: &str) {
        self.wrong += 1;
    }

    fn may_be_meant(&mut self, _: &str) {}

    fn sees(&mut self) -> io::Result<()> {
        writeln!(self.output, "sees")
    }

    fn reading(&mut self, name: &str, reading: &Reading<String>) -> io::Result<()> {
        match reading {
            Reading::Told(value) => writeln!(self.output, "  {name:<8}{value}"),
            Reading::Absent => writeln!(self.output, "  {name:<8}none"),
            Reading::Unreadable => writeln!(self.output, "  {name:<8}cannot be read"),
        }
    }
}

/// Whether there is a checkout, or something to make it from.
fn checkout(config: &Config, git: &Git, told: &mut impl Listens) -> io::Result<()> {
    let Some(Checkout { path, remote, .. }) = &config.checkout else { return Ok(()) };
    told.line("checkout", &path.display())?;
    match (is_vacant(path), remote) {
        (false, _) => {}
        (true, Some(_)) => told.more(&"it is not there yet: the first pull clones it")?,
        (true, None) => {
            let remedy = "make it, or name the remote that the first pull clones it from";
            return told.wrong(&"there is none", remedy, true);
        }
    }
    let Some((remote, branch)) = config.commands.pulls_from() else { return Ok(()) };
    match places::tip(git, path, remote, branch) {
        Ok(tip) => told.more(&format_args!("`{branch}` of {} is at {tip}", shown(remote))),
        Err(why) => {
            let remedy = "see that git reaches it as the agent's user, and that it has the branch (`checkout.remote`, \
                          `checkout.branch`)";
            told.wrong(&format_args!("{}: {why}", shown(remote)), remedy, false)
        }
    }
}

/// An address, without what gives access to it.
fn shown(remote: &str) -> Text {
    Text::new(&without_credentials(remote))
}

/// Whether the hub answers, and lets this host speak; and how long it lets each test take. Where it does not answer, the agent
/// runs all the same, and tries again.
fn hub(config: &Config) -> Result<(String, Option<u32>), String> {
    let connection = Connection::new(config.hub.clone()).map_err(|error| error.to_string())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(async {
        let health = connection.health().await.map_err(|error| error.to_string())?;
        let spoken = connection.speaks_for(&config.host).await;
        spoken.map_err(|error| format!("it answers, and does not let this host speak: {error}"))?;
        let (hears, limit) = match connection.streams_to(&config.host).await {
            // A hub says how long tests may take of every host that it knows.
            Ok(Hello { test_limit_s: None, .. }) => {
                let host = &config.host;
                let words = format!(
                    ", and what it streams arrives. It does not know {host} yet, or has forgotten it: then `matrix host set \
                     {host} --channel main` makes it known again"
                );
                (words, None)
            }
            Ok(hello) => (", and what it streams arrives".to_owned(), hello.test_limit_s),
            // It answers all the same: it is older than this question.
            Err(error) if error.status() == Some(404) => {
                ("; whether what it streams arrives it cannot be asked: it is older".to_owned(), None)
            }
            Err(error) => {
                return Err(format!(
                    "it answers, and orders would not arrive: {error}. A proxy between holds answers back: have it pass them \
                     on at once (nginx does so for `X-Accel-Buffering: no`, unless it ignores that header; else \
                     `proxy_buffering off`)"
                ));
            }
        };
        Ok((format!("it answers ({}), lets this host speak{hears}", Text::new(&health.status)), limit))
    })
}

/// What is done when something is ordered.
fn orders(config: &Config, test_limit_s: Option<u32>, told: &mut impl Listens) -> io::Result<()> {
    let host = || config.host.clone();
    let to = Target { number: NonZeroU32::new(NUMBER), path: StorePath::new(EXAMPLE).ok() };
    for (name, ask) in [
        ("pull", Ask::Pull { host: host() }),
        ("switch", Ask::Switch { host: host(), force: false }),
        ("rollback", Ask::Rollback { host: host(), to: Some(to) }),
        ("test", Ask::Test { host: host() }),
    ] {
        match config.plan(&ask, test_limit_s) {
            Ok(plan) => {
                let each = test_limit_s
                    .filter(|_| name == "test")
                    .map(|each| format!(", {each} s each, as the hub says"));
                commands(config, name, &plan, &each.unwrap_or_default(), told)?;
            }
            Err(Refused(why)) => {
                told.line(name, &format_args!("cannot: {why}"))?;
                // That a command is not configured may be meant.
                match name {
                    "test" => told.is_wrong(&why, "mend what the settings say of tests (`tests`)"),
                    _ => told.may_be_meant(
                        "name a preset or a command in the settings (`commands`), unless it is meant",
                    ),
                }
            }
        }
    }
    Ok(())
}

fn commands(config: &Config, name: &str, plan: &Plan, each: &str, told: &mut impl Listens) -> io::Result<()> {
    match plan.kind {
        Kind::Test if plan.steps.is_empty() => told.line(name, &"none")?,
        Kind::Rollback => {
            let example = format!("to generation {NUMBER} at {EXAMPLE}, for example");
            told.line(name, &format_args!("within {} s, {example}", plan.limit.as_secs()))?;
        }
        Kind::Pull | Kind::Switch | Kind::Test => {
            told.line(name, &format_args!("within {} s{each}", plan.limit.as_secs()))?;
        }
    }
    for step in &plan.steps {
        let argv: Vec<_> = step.argv.iter().map(|argument| quoted(argument)).collect();
        told.more(&Text::new(&without_credentials(&argv.join(" "))))?;
        // What a rollback runs may lie in the generation that it goes to.
        let program = step.argv.first().filter(|program| !program.starts_with(EXAMPLE));
        if let Some(program) = program.filter(|program| !is_there(program, step.dir.path())) {
            let remedy =
                if program.contains('/') { "put it there" } else { "install it, or add its folder to PATH" };
            told.wrong(&format_args!("there is no program `{}`", Text::new(program)), remedy, true)?;
        }
    }
    if plan.kind == Kind::Test { tests(config, plan.steps.len(), told) } else { Ok(()) }
}

/// Whether the folder of tests is there, and what in it is no test.
fn tests(config: &Config, tests: usize, told: &mut impl Listens) -> io::Result<()> {
    let Some(folder) = config.commands.tests() else {
        return told.more(&"no folder of tests is configured (`tests`)");
    };
    let checkout = config.checkout.as_ref().map(|checkout| &*checkout.path);
    let in_clone = checkout.filter(|checkout| is_vacant(checkout) && folder.is_relative());
    let folder = checkout.map_or_else(|| folder.to_owned(), |checkout| checkout.join(folder));
    if in_clone.is_some() {
        return told.more(&format_args!("{} comes with the first pull", folder.display()));
    }
    if !folder.exists() {
        let remedy = "make it, or leave `tests` out of the settings";
        return told.wrong(&format_args!("there is no folder {}", folder.display()), remedy, true);
    }
    let left_out = config.commands.tests_left_out(checkout);
    if tests == 0 && left_out.is_empty() {
        return told.more(&format_args!("there are none in {}", folder.display()));
    }
    if left_out.is_empty() {
        return Ok(());
    }
    let first: Vec<_> = left_out.iter().take(NAMED).map(|name| Text::new(name).to_string()).collect();
    let more = match left_out.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let words =
        format!("not executable, and so no tests: {}{more}, in {}", first.join(", "), folder.display());
    match tests {
        0 => told.wrong(&words, "`chmod +x` them", true),
        _ => told.more(&words),
    }
}

/// Whether a program can be found that runs in a folder, as the agent would look for it.
pub(crate) fn is_there(program: &str, folder: &Path) -> bool {
    let runs = |path: &Path| path.metadata().is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0);
    if program.contains('/') {
        return runs(&folder.join(program));
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| runs(&folder.join(program)))
}

/// As a shell would want it, although none reads it.
fn quoted(argument: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+#,".contains(c);
    if !argument.is_empty() && argument.chars().all(plain) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

fn sights(config: &Config, git: &Git, told: &mut impl Listens) -> io::Result<()> {
    const READ_IT: &str = "have the agent's user be able to read all of it";
    let mut machine = config.machine();
    // It is made later, or that it is missing was said.
    machine.checkout = machine.checkout.filter(|checkout| !is_vacant(checkout));
    let seen = match machine.facts(git) {
        Ok(seen) => seen,
        Err(error) => {
            told.line("sees", &"nothing")?;
            return told.wrong(&error, READ_IT, false);
        }
    };
    told.sees()?;
    let text = |value: &dyn Display| value.to_string();
    told.reading("commit", &mapped(&seen.commit, |commit| text(commit)))?;
    told.reading("dirty", &mapped(&seen.dirty, |dirty| text(dirty)))?;
    let lock = match &seen.lock_hash {
        Reading::Told(LockFile::Hash(hash)) => Reading::Told(text(hash)),
        Reading::Told(LockFile::NoFile) | Reading::Absent => Reading::Absent,
        Reading::Unreadable => Reading::Unreadable,
    };
    told.reading("lock", &lock)?;
    let system = mapped(&seen.system, |system| {
        let path = system.path.as_ref().map(ToString::to_string).unwrap_or_default();
        let number = system.number.map(|number| format!(", generation {number}")).unwrap_or_default();
        format!("{path}{number}")
    });
    told.reading("system", &system)?;
    for doubt in &seen.doubts {
        told.more(doubt)?;
    }
    let parts = [
        ("the commit", seen.commit == Reading::Unreadable),
        ("dirt", seen.dirty == Reading::Unreadable),
        ("the lock", seen.lock_hash == Reading::Unreadable),
        ("the system", seen.system == Reading::Unreadable),
    ];
    let unreadable: Vec<_> =
        parts.iter().filter(|(_, unreadable)| *unreadable).map(|(name, _)| *name).collect();
    // What keeps one of them from being read may keep all of them from it: that is one thing.
    if !unreadable.is_empty() {
        let doubts: String = seen.doubts.iter().map(|doubt| format!("; {doubt}")).collect();
        told.is_wrong(&format_args!("{} cannot be read{doubts}", unreadable.join(", ")), READ_IT);
    }
    Ok(())
}

fn mapped<T>(reading: &Reading<T>, text: impl FnOnce(&T) -> String) -> Reading<String> {
    match reading {
        Reading::Told(value) => Reading::Told(text(value)),
        Reading::Absent => Reading::Absent,
        Reading::Unreadable => Reading::Unreadable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_credentials_of_a_remote_are_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agent.toml");
        let settings = "host = 'gpc0'\nstate = 'state'\ncommands = 'nixos'\n\
                        [hub]\nurl = 'http://127.0.0.1:1'\ntoken_file = 'token'\n\
                        [checkout]\npath = 'config'\nremote = 'https://me:hush@git.example/x.git'\n";
        std::fs::write(&file, settings).unwrap();
        let mut output = Vec::new();
        orders(&Config::read(&file).unwrap(), None, &mut Told { output: &mut output, wrong: 0 }).unwrap();
        let told = String::from_utf8(output).unwrap();
        assert!(told.contains("https://…@git.example/x.git") && !told.contains("hush"), "{told}");
    }

    #[test]
    fn a_program_is_found_as_the_agent_finds_it() {
        let found = |program: &str| is_there(program, Path::new("/bin"));
        assert!(found("sh") && found("/bin/sh") && found("./sh"));
        for missing in ["no-such-program", "/no/such/program", "/etc/passwd", "/", "./no-such-program"] {
            assert!(!found(missing), "{missing}");
        }
    }
}
