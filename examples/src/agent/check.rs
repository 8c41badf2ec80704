//! What an agent would run, and what it sees.

use std::fmt::Display;
use std::io::{self, Write};
use std::num::NonZeroU32;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

use compartment_core::event::{Reading, Target};
use compartment_core::{Ask, LockFile, StorePath, Text};
use compartment_local::git::{Git, without_credentials};
use compartment_local::observe::is_vacant;
use compartment_local::operation::{Plan, Refused};
use compartment_local::run::Stop;
use compartment_transport_http::agent::{Checkout, Config};
use compartment_transport_http::client::Connection;

/// How long a question to git may take.
const QUESTION: Duration = Duration::from_secs(10);

/// Says all of it. Gives how much of it would keep the agent from its work: a hub that does not answer or does not take
/// the token, and programs that are not there.
///
/// # Errors
/// Where it cannot be said.
pub fn check(config: &Config, stop: &Stop, output: &mut impl Write) -> io::Result<u32> {
    let (hub, limit, answers) = match hub(config) {
        Ok((said, limit)) => (said, limit, true),
        Err(said) => (said, None, false),
    };
    writeln!(output, "host      {}", config.host)?;
    writeln!(output, "hub       {}: {hub}", config.hub.url)?;
    writeln!(output, "state     {}", config.state.display())?;
    let missing = orders(config, limit, output)?;
    sights(config, stop, output)?;
    let wrong = missing + u32::from(!answers);
    match wrong {
        0 => {}
        1 => writeln!(output, "one thing is wrong: see above")?,
        wrong => writeln!(output, "{wrong} things are wrong: see above")?,
    }
    Ok(wrong)
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
            Ok(hello) => (", and what it streams arrives", hello.test_limit_s),
            // It answers all the same: it is older than this question.
            Err(error) if error.status() == Some(404) => {
                ("; whether what it streams arrives it cannot be asked: it is older", None)
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

/// What is done when something is ordered. Gives how many programs are not there.
fn orders(config: &Config, test_limit_s: Option<u32>, output: &mut impl Write) -> io::Result<u32> {
    let mut missing = 0;
    let host = || config.host.clone();
    let to = Target { number: NonZeroU32::new(1), path: StorePath::new("/nix/store/example").ok() };
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
                missing += commands(name, &plan, &each.unwrap_or_default(), output)?;
            }
            Err(Refused(why)) => writeln!(output, "{name:<9} cannot: {why}")?,
        }
    }
    Ok(missing)
}

fn commands(name: &str, plan: &Plan, each: &str, output: &mut impl Write) -> io::Result<u32> {
    let mut missing = 0;
    if plan.steps.is_empty() {
        writeln!(output, "{name:<9} there are none")?;
        return Ok(missing);
    }
    let about = if name == "rollback" { ", here to generation 1 (/nix/store/example)" } else { each };
    writeln!(output, "{name:<9} within {} s{about}", plan.limit.as_secs())?;
    for step in &plan.steps {
        let argv: Vec<_> = step.argv.iter().map(|argument| quoted(argument)).collect();
        writeln!(output, "            {}", Text::new(&without_credentials(&argv.join(" "))))?;
        // What a rollback runs may lie in the generation that it goes to.
        let program = step.argv.first().filter(|program| !program.starts_with("/nix/store/example"));
        if let Some(program) = program.filter(|program| !is_there(program)) {
            missing += 1;
            writeln!(
                output,
                "            there is no program `{}`: install it, or check PATH",
                Text::new(program)
            )?;
        }
    }
    Ok(missing)
}

/// Whether a program can be found, as the agent would look for it.
fn is_there(program: &str) -> bool {
    let runs = |path: &Path| path.metadata().is_ok_and(|found| found.is_file() && found.mode() & 0o111 != 0);
    if program.contains('/') {
        return runs(Path::new(program));
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

fn sights(config: &Config, stop: &Stop, output: &mut impl Write) -> io::Result<()> {
    let git = Git::of_the_user(stop.clone()).within(QUESTION);
    let mut machine = config.machine();
    let is_cloned_later = |checkout: &Checkout| checkout.remote.is_some() && is_vacant(&checkout.path);
    if config.checkout.as_ref().is_some_and(is_cloned_later) {
        writeln!(output, "checkout  none yet: the first pull clones it")?;
        machine.checkout = None;
    }
    let seen = match machine.facts(&git) {
        Ok(seen) => seen,
        Err(error) => return writeln!(output, "sees      nothing: {error}"),
    };
    writeln!(output, "sees")?;
    line(output, "commit", &seen.commit)?;
    line(output, "dirty", &seen.dirty)?;
    let lock = match &seen.lock_hash {
        Reading::Told(LockFile::Hash(hash)) => Reading::Told(hash),
        Reading::Told(LockFile::NoFile) | Reading::Absent => Reading::Absent,
        Reading::Unreadable => Reading::Unreadable,
    };
    line(output, "lock", &lock)?;
    let system = match &seen.system {
        Reading::Told(system) => {
            let path = system.path.as_ref().map(ToString::to_string).unwrap_or_default();
            let number = system.number.map(|number| format!(", generation {number}")).unwrap_or_default();
            Reading::Told(format!("{path}{number}"))
        }
        Reading::Absent => Reading::Absent,
        Reading::Unreadable => Reading::Unreadable,
    };
    line(output, "system", &system)?;
    for doubt in &seen.doubts {
        writeln!(output, "            {doubt}")?;
    }
    Ok(())
}

fn line(output: &mut impl Write, name: &str, reading: &Reading<impl Display>) -> io::Result<()> {
    match reading {
        Reading::Told(value) => writeln!(output, "  {name:<8}{value}"),
        Reading::Absent => writeln!(output, "  {name:<8}none"),
        Reading::Unreadable => writeln!(output, "  {name:<8}cannot be read"),
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
        orders(&Config::read(&file).unwrap(), None, &mut output).unwrap();
        let told = String::from_utf8(output).unwrap();
        assert!(told.contains("https://…@git.example/x.git") && !told.contains("hush"), "{told}");
    }

    #[test]
    fn a_program_is_found_as_the_agent_finds_it() {
        assert!(is_there("sh") && is_there("/bin/sh"));
        for missing in ["no-such-program", "/no/such/program", "/etc/passwd", "/"] {
            assert!(!is_there(missing), "{missing}");
        }
    }
}
