//! What an agent would run, and what it sees.

use std::fmt::Display;
use std::io::{self, Write};
use std::num::NonZeroU32;
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

/// Says all of it.
///
/// # Errors
/// Where it cannot be said.
pub fn check(config: &Config, stop: &Stop, output: &mut impl Write) -> io::Result<()> {
    writeln!(output, "host      {}", config.host)?;
    writeln!(output, "hub       {}: {}", config.hub.url, hub(config))?;
    writeln!(output, "state     {}", config.state.display())?;
    orders(config, output)?;
    sights(config, stop, output)
}

/// Whether the hub answers. Where it does not, the agent runs all the same, and tries again.
fn hub(config: &Config) -> String {
    let connection = match Connection::new(config.hub.clone()) {
        Ok(connection) => connection,
        Err(error) => return error.to_string(),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map(|runtime| runtime.block_on(connection.health())) {
        Ok(Ok(health)) => format!("it answers ({})", Text::new(&health.status)),
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    }
}

fn orders(config: &Config, output: &mut impl Write) -> io::Result<()> {
    let host = || config.host.clone();
    let to = Target { number: NonZeroU32::new(1), path: StorePath::new("/nix/store/example").ok() };
    for (name, ask) in [
        ("pull", Ask::Pull { host: host() }),
        ("switch", Ask::Switch { host: host(), force: false }),
        ("rollback", Ask::Rollback { host: host(), to: Some(to) }),
        ("test", Ask::Test { host: host() }),
    ] {
        match config.plan(&ask, None) {
            Ok(plan) => commands(name, &plan, output)?,
            Err(Refused(why)) => writeln!(output, "{name:<9} cannot: {why}")?,
        }
    }
    Ok(())
}

fn commands(name: &str, plan: &Plan, output: &mut impl Write) -> io::Result<()> {
    if plan.steps.is_empty() {
        return writeln!(output, "{name:<9} there are none");
    }
    let about = if name == "rollback" { ", here to generation 1 (/nix/store/example)" } else { "" };
    writeln!(output, "{name:<9} within {} s{about}", plan.limit.as_secs())?;
    for step in &plan.steps {
        let argv: Vec<_> = step.argv.iter().map(|argument| quoted(argument)).collect();
        writeln!(output, "            {}", Text::new(&without_credentials(&argv.join(" "))))?;
    }
    Ok(())
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
        orders(&Config::read(&file).unwrap(), &mut output).unwrap();
        let told = String::from_utf8(output).unwrap();
        assert!(told.contains("https://…@git.example/x.git") && !told.contains("hush"), "{told}");
    }
}
