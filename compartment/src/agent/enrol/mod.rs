//! `compartment agent enrol`: from a line that was pasted to an agent that runs.

mod args;
mod error;
mod files;
mod hub;
mod line;
mod machine;
mod next;
mod settings;
mod systemd;

use std::io::{self, IsTerminal, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use compartment_console::show::{self, Width};
use compartment_local::credentials::without_credentials;
use compartment_local::run::Stop;
use compartment_runtime::check_trusted;
use compartment_transport_http::agent::Config;

pub use args::{EnrolArgs, Platform};
pub use error::EnrolError;
pub use line::{BadLine, Invitation, Line};

use error::shown;
use hub::{HEARD_WITHIN, Heard, Hub};
use machine::{Machine, Places};
use settings::{Ask, Settings};

use super::check;

/// Where what is said begins, behind its label.
const COLUMN: usize = 10;

/// How often it is looked whether somebody asked to stop while an answer is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The longest line that is read, in bytes.
const LONGEST_LINE: u64 = 64 << 10;

/// What this talks to.
pub struct Around<'a> {
    /// Where what is done and found is said.
    pub output: &'a mut dyn Write,
    /// Whether somebody sits at a terminal, and may be asked on it.
    pub asks: bool,
    /// How wide the output is.
    pub width: Width,
    /// A wish to stop.
    pub stop: Stop,
}

impl Around<'_> {
    fn say(&mut self, label: &str, words: &str) -> Result<(), EnrolError> {
        write!(self.output, "{}", show::labelled(label, COLUMN, words, self.width))?;
        Ok(self.output.flush()?)
    }
}

impl Ask for Around<'_> {
    fn ask(&mut self, question: &str, usual: &str) -> Result<Option<String>, EnrolError> {
        if !self.asks {
            return Ok(None);
        }
        let shown = if usual.is_empty() { String::new() } else { format!(" [{usual}]") };
        write!(self.output, "{question}{shown} ")?;
        self.output.flush()?;
        let (tell, told) = mpsc::channel();
        // Nothing ends a read of a terminal but a line: this thread ends with the program.
        std::thread::spawn(move || {
            let mut line = String::new();
            drop(tell.send(io::stdin().read_line(&mut line).map(|_| line)));
        });
        loop {
            match told.recv_timeout(LOOK_EVERY) {
                Ok(line) => {
                    let line = line.map_err(EnrolError::Input)?;
                    let said = line.trim();
                    return Ok(Some(if said.is_empty() { usual } else { said }.to_owned()));
                }
                Err(mpsc::RecvTimeoutError::Timeout) if !self.stop.asked() => {}
                Err(_) => return Err(EnrolError::Interrupted),
            }
        }
    }
}

/// Does it in the surroundings of this process.
pub(super) fn in_process(args: &EnrolArgs, stop: &Stop) -> Result<(), EnrolError> {
    let people = io::stdin().is_terminal() && io::stdout().is_terminal();
    let around = Around {
        output: &mut io::stdout(),
        asks: people && !args.yes && !args.line.is_elsewhere(),
        width: show::terminal_width(),
        stop: stop.clone(),
    };
    enrol(args, around)
}

/// What happens at the end.
enum Start {
    /// Nothing: it was asked for.
    Not,
    /// This unit is installed.
    Systemd { unit: PathBuf, text: String },
    /// People do it.
    ByPeople,
}

/// Makes an agent out of this host.
///
/// # Errors
/// [`EnrolError`]: nothing, or not all of it, was done; it says which.
pub fn enrol(args: &EnrolArgs, mut around: Around<'_>) -> Result<(), EnrolError> {
    let invitation = invitation(args)?;
    let stop = around.stop.clone();
    let hub = Hub::new(&invitation, args.ca_file.as_deref(), args.allow_plain, &stop)?;
    around.say("Hub:", &format!("asking {} whether it answers …", invitation.hub))?;
    let health = hub.health()?;
    let by = if invitation.hub.starts_with("https:") { ", and its certificate is trusted" } else { "" };
    around.say("", &format!("it does ({}){by}", compartment_core::Text::new(&health)))?;

    let machine = Machine::here(&args.root);
    let places = Places::of(args, &machine)?;
    let settings = Settings::of(args, &invitation, &places, &machine, &mut around)?;
    let program = std::env::current_exe().map_err(EnrolError::System)?;
    let start = match args.no_start {
        true => Start::Not,
        false if settings.platform != Platform::Nixos && machine.has_systemd() => {
            Start::Systemd { unit: machine.unit(), text: systemd::unit(&program, &places) }
        }
        false => Start::ByPeople,
    };
    let (toml, code) = (settings.toml(), invitation.code.id());
    if !args.replace {
        let unit = match &start {
            Start::Systemd { unit, text } => Some((&**unit, &**text)),
            Start::Not | Start::ByPeople => None,
        };
        places.check_free(&toml, unit)?;
    }
    around.plan(&settings, &places, &start, &program)?;
    let go_on = around.ask("Do it?", "yes")?.is_none_or(|said| said.to_ascii_lowercase().starts_with('y'));
    if !go_on {
        return Err(EnrolError::Declined);
    }
    let left = places.left(code);
    let pending = places.begin(code, machine.is_root)?;
    match hub.exchange(&pending.token) {
        Err(refused @ EnrolError::Refused(_)) => {
            places.take_back(&pending);
            return Err(refused);
        }
        exchanged => exchanged?,
    }
    places.write(&pending, &toml)?;
    around.say(
        "Done:",
        &format!("the hub knows {}'s token {}; the code has ended", settings.host, pending.token.id()),
    )?;
    if let Some(left) = left {
        let words = format!(
            "an enrolment that did not come to its end had made the token {left}. On the hub's machine, `compartment hub \
             token list` shows whether it counts, and `token revoke` ends it"
        );
        around.say("Left:", &words)?;
    }
    around.say("Check:", &format!("compartment agent check --config {}", shown(&places.config)))?;
    let config = Config::read(&places.config)?;
    let wrong = check(&config, &stop, &mut around.output)?;
    if stop.asked() {
        return Err(EnrolError::Interrupted);
    }
    match &start {
        Start::Systemd { unit, text } => {
            let before = hub.hears(&settings.host, &pending.token)?;
            systemd::start(unit, text, &stop)?;
            around.say("Started:", &format!("{}, now and with the machine", systemd::NAME))?;
            if before == Heard::Yes {
                let words = "the hub heard an agent of this host before this one started. Where that was on another \
                             machine, stop it: of two, the second is refused";
                around.say("Other:", words)?;
            }
            around.wait_until_heard(&hub, &settings, &pending)?;
        }
        Start::Not | Start::ByPeople => around.left(next::steps(&settings, &places, &machine))?,
    }
    places.finish()?;
    if wrong == 0 {
        return Ok(());
    }
    let again = format!("compartment agent check --config {}", shown(&places.config));
    Err(EnrolError::Check { host: settings.host, again })
}

/// The line, wherever it is.
fn invitation(args: &EnrolArgs) -> Result<Invitation, EnrolError> {
    if !args.line.is_elsewhere() {
        return Ok(args.line.invitation()?);
    }
    let mut line = String::new();
    io::stdin().take(LONGEST_LINE).read_to_string(&mut line).map_err(EnrolError::Input)?;
    Ok(Line::from(&*line).invitation()?)
}

impl Around<'_> {
    /// Says what will be done.
    fn plan(
        &mut self,
        settings: &Settings,
        places: &Places,
        start: &Start,
        program: &Path,
    ) -> Result<(), EnrolError> {
        let whose = if rustix::process::geteuid().is_root() { "root" } else { "you" };
        let (token, config) = (shown(&places.token), shown(&places.config));
        self.say(
            "Will:",
            &format!("make a token for {} in {token}, which {whose} alone can read", settings.host),
        )?;
        self.say("", &format!("write the settings {config}, for {whose} alone as well"))?;
        let commands = match settings.platform.preset() {
            Some(preset) => format!("commands: those of {preset}"),
            None => "commands: none yet; a switch and a rollback are refused until the settings name some"
                .to_owned(),
        };
        let from = without_credentials(&settings.pulls_from(&self.stop));
        let checkout = format!("checkout: {}, `{}` of {from}", shown(&settings.checkout), settings.branch);
        for line in [commands, checkout, format!("state: {}", shown(&settings.state))] {
            self.say("", &format!("  {line}"))?;
        }
        self.say("", "exchange the code at the hub, which ends it")?;
        self.say("", "check all of it, and show what was found")?;
        match start {
            Start::Not => self.say("", "start nothing (--no-start)")?,
            Start::ByPeople => self.say("", "say how it is started here")?,
            Start::Systemd { unit, .. } => {
                self.say("", &format!("install {}, enable it and start it as root", shown(unit)))?;
                self.say(
                    "",
                    &format!("wait until the hub has heard it, at most {} s", HEARD_WITHIN.as_secs()),
                )?;
                if let Err(why) = check_trusted(program) {
                    let words = format!(
                        "root will run this program from where others may replace it: {why}. Install it to \
                         /usr/local/bin, and call it there"
                    );
                    self.say("Note:", &words)?;
                }
            }
        }
        Ok(())
    }

    fn wait_until_heard(
        &mut self,
        hub: &Hub<'_>,
        settings: &Settings,
        pending: &files::Pending,
    ) -> Result<(), EnrolError> {
        self.say("Waiting:", "until the hub has heard the agent …")?;
        match hub.heard(&settings.host, &pending.token)? {
            Heard::Yes => {
                self.say("Online:", &format!("{} is in the matrix of {}", settings.host, settings.hub))
            }
            Heard::NotTold => {
                let words = "the hub is older than this question: `compartment matrix` shows whether it has heard the agent";
                self.say("Left:", words)
            }
            Heard::No => Err(EnrolError::Start(format!(
                "the hub has not heard the agent within {} s: `journalctl -u {}` says why",
                HEARD_WITHIN.as_secs(),
                systemd::NAME
            ))),
        }
    }

    fn left(&mut self, (words, lines): (String, String)) -> Result<(), EnrolError> {
        self.say("Left:", &words)?;
        writeln!(self.output)?;
        for line in lines.lines() {
            let indent = if line.is_empty() { "" } else { "    " };
            writeln!(self.output, "{indent}{line}")?;
        }
        Ok(writeln!(self.output)?)
    }
}
