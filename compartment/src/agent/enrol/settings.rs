//! The agent's settings: from the command line, from what somebody answers on a terminal, and from what is usual.

use std::path::{Path, PathBuf};

use compartment_core::{HostId, Text};
use compartment_local::git::Git;
use compartment_local::observe::is_vacant;
use compartment_local::run::Stop;

use super::args::{EnrolArgs, Platform};
use super::machine::{Machine, Places, absolute};
use super::{EnrolError, Invitation};

/// What the agent's file of settings says.
pub(super) struct Settings {
    pub(super) host: HostId,
    pub(super) hub: String,
    pub(super) allow_plain: bool,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) platform: Platform,
    pub(super) state: PathBuf,
    pub(super) token: PathBuf,
    pub(super) tests: Option<PathBuf>,
    pub(super) checkout: PathBuf,
    pub(super) remote: Option<String>,
    pub(super) branch: String,
}

/// Asks somebody a question, and says what is taken where the answer is empty. Nothing where nobody can be asked.
pub(super) trait Ask {
    /// The answer: what was typed, or what is usual.
    fn ask(&mut self, question: &str, usual: &str) -> Result<Option<String>, EnrolError>;
}

impl Settings {
    /// What is to be written.
    pub(super) fn of(
        args: &EnrolArgs,
        invitation: &Invitation,
        places: &Places,
        machine: &Machine,
        ask: &mut impl Ask,
    ) -> Result<Self, EnrolError> {
        let platform = match args.platform.or_else(|| machine.platform()) {
            Some(platform) => platform,
            None => {
                let words = "Whose commands do operations run (nixos, nix-darwin, home-manager, none)?";
                let said = ask.ask(words, "none")?.ok_or(EnrolError::Platform)?;
                <Platform as clap::ValueEnum>::from_str(&said, true)
                    .map_err(|_| EnrolError::NoPlatform(Text::new(&said)))?
            }
        };
        let checkout = match &args.checkout {
            Some(checkout) => checkout.clone(),
            None => {
                let usual = places.state.join("config");
                let said =
                    ask.ask("Where is the checkout of the config repository?", &usual.to_string_lossy())?;
                said.map_or(usual, PathBuf::from)
            }
        };
        let checkout = absolute(&checkout)?;
        let remote = match &args.remote {
            Some(remote) => Some(remote.clone()),
            // It is there, and pulls go where it comes from.
            None if !is_vacant(&checkout) => None,
            None => {
                let said = ask.ask("Where does the first pull clone it from (a URL)?", "")?;
                let said = said.filter(|said| !said.is_empty());
                Some(said.ok_or_else(|| EnrolError::Remote(checkout.clone()))?)
            }
        };
        let branch = match &args.branch {
            Some(branch) => branch.clone(),
            None => ask.ask("Which branch does it follow?", "main")?.unwrap_or_else(|| "main".to_owned()),
        };
        Ok(Self {
            host: invitation.host.clone(),
            hub: invitation.hub.clone(),
            allow_plain: args.allow_plain && invitation.hub.starts_with("http:"),
            ca_file: args.ca_file.as_deref().map(absolute).transpose()?,
            platform,
            state: places.state.clone(),
            token: places.token.clone(),
            tests: args.tests.clone(),
            checkout,
            remote,
            branch,
        })
    }

    /// Where pulls come from, as far as that is known.
    pub(super) fn pulls_from(&self, stop: &Stop) -> String {
        let origin = || {
            let git = Git::of_the_user(stop.clone()).within(std::time::Duration::from_secs(10));
            git.line(&self.checkout, &["remote", "get-url", "origin"]).ok()
        };
        self.remote.clone().or_else(origin).unwrap_or_else(|| "its own remote".to_owned())
    }

    /// The file.
    pub(super) fn toml(&self) -> String {
        let mut lines = vec![
            "# The agent of this host, as `compartment agent enrol` set it up. What else may stand here is in".to_owned(),
            "# docs/HTTP.md. After a change: `compartment agent check --config` this file, and restart the agent.".to_owned(),
            format!("host = {}", quoted(self.host.as_str())),
            format!("state = {}", path(&self.state)),
        ];
        lines.push(match self.platform.preset() {
            Some(preset) => format!("commands = {}", quoted(preset)),
            None => "# commands = …    what a switch and a rollback run".to_owned(),
        });
        lines.extend(self.tests.as_deref().map(|tests| format!("tests = {}", path(tests))));
        lines.extend(["\n[hub]".to_owned(), format!("url = {}", quoted(&self.hub))]);
        lines.push(format!("token_file = {}", path(&self.token)));
        lines.extend(self.ca_file.as_deref().map(|file| format!("ca_file = {}", path(file))));
        lines.extend(self.allow_plain.then(|| "allow_plain = true".to_owned()));
        lines.extend(["\n[checkout]".to_owned(), format!("path = {}", path(&self.checkout))]);
        lines.extend(self.remote.as_deref().map(|remote| format!("remote = {}", quoted(remote))));
        if self.branch != "main" {
            lines.push(format!("branch = {}", quoted(&self.branch)));
        }
        lines.join("\n") + "\n"
    }
}

/// A string of TOML: what JSON has to escape, TOML has, too, and in the same way; and one character more.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use compartment_transport_http::agent::Config;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        enrol: EnrolArgs,
    }

    /// Somebody who answers these, one after the other; nothing means that there is nobody.
    struct Answers(Option<Vec<&'static str>>);

    impl Ask for Answers {
        fn ask(&mut self, _: &str, usual: &str) -> Result<Option<String>, EnrolError> {
            let said = self.0.as_mut().map(|answers| answers.remove(0));
            Ok(said.map(|said| if said.is_empty() { usual } else { said }.to_owned()))
        }
    }

    fn settings(args: &[&str], answers: Option<Vec<&'static str>>) -> Result<Settings, EnrolError> {
        let code = compartment_transport_http::server::access::EnrolmentCode::generate().unwrap().reveal();
        let line = format!("https://hub.example.org/fleet#gpc0:{code}");
        let all =
            [&["enrol", &line, "--config", "/etc/agent/agent.toml", "--state", "/var/agent"], args].concat();
        let args = Cli::parse_from(all).enrol;
        let machine = Machine { root: "/no/such/root".into(), is_root: true };
        let places = Places::of(&args, &machine)?;
        Settings::of(&args, &args.line.invitation()?, &places, &machine, &mut Answers(answers))
    }

    #[test]
    fn what_is_said_is_not_asked_and_what_nobody_answers_is_usual() {
        let all = ["--platform", "nixos", "--checkout", "/c", "--remote", "r", "--branch", "live"];
        for answers in [None, Some(Vec::new())] {
            let said = settings(&all, answers).unwrap();
            assert_eq!((said.checkout.as_path(), said.remote.as_deref()), (Path::new("/c"), Some("r")));
            assert_eq!((said.platform, said.branch.as_str()), (Platform::Nixos, "live"));
        }
        let few = settings(&["--platform", "none", "--remote", "r"], None).unwrap();
        assert_eq!((few.checkout.as_path(), few.branch.as_str()), (Path::new("/var/agent/config"), "main"));
        assert!(matches!(settings(&["--remote", "r"], None), Err(EnrolError::Platform)));
        assert!(matches!(settings(&["--platform", "nixos"], None), Err(EnrolError::Remote(_))));
        // On a terminal.
        let asked = settings(&[], Some(vec!["nixos", "", "https://git.example/x.git", "live"])).unwrap();
        assert_eq!(asked.remote.as_deref(), Some("https://git.example/x.git"));
        assert_eq!(
            (asked.checkout.as_path(), asked.branch.as_str()),
            (Path::new("/var/agent/config"), "live")
        );
        assert!(matches!(settings(&[], Some(vec!["debian"])), Err(EnrolError::NoPlatform(_))));
        assert!(matches!(settings(&[], Some(vec!["none", "", ""])), Err(EnrolError::Remote(_))));
    }

    #[test]
    fn the_file_is_one_that_an_agent_reads() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("agent.toml");
        let odd = "a \"quote\" \\ and\ttab \u{7f}é";
        let args = [
            "--platform",
            "home-manager",
            "--checkout",
            "/c",
            "--remote",
            odd,
            "--branch",
            "live",
            "--tests",
            "t",
        ];
        let settings = settings(&args, None).unwrap();
        std::fs::write(&file, settings.toml()).unwrap();
        let read = Config::read(&file).unwrap();
        assert_eq!((read.host, read.hub.url.as_str()), (settings.host, "https://hub.example.org/fleet"));
        let checkout = read.checkout.unwrap();
        assert_eq!((checkout.remote.as_deref(), checkout.branch.as_str()), (Some(odd), "live"));
        assert_eq!((read.state, read.commands.tests()), (settings.state, Some(Path::new("t"))));
    }
}
