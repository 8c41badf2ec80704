//! A program of yours that is run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use compartment_core::Notification;
use compartment_local::run::{Stop, run_with_input};
use compartment_runtime::{Notifier, NotifyError};
use subprocess::Exec;

/// How long it may take. What takes longer is ended, with all that it has started.
const LIMIT: Duration = Duration::from_secs(30);

/// Runs a program for each notification. It has the notification as JSON on its standard input, and in its environment
/// `COMPARTMENT_NOTIFICATION_ID`, `_AT`, `_SUMMARY`, `_COUNT`, `_TOPICS` and `_HOSTS`. Its success is exit code 0.
#[derive(Clone, Debug)]
pub struct CommandNotifier {
    program: PathBuf,
    args: Vec<OsString>,
    stop: Stop,
}

impl CommandNotifier {
    /// Runs this program with these arguments, which pass through no shell. What runs is ended when `stop` is asked.
    #[must_use]
    pub fn new(program: &Path, args: impl IntoIterator<Item = OsString>, stop: Stop) -> Self {
        Self { program: program.to_owned(), args: args.into_iter().collect(), stop }
    }

    fn run(&self, notification: &Notification) -> Result<(), NotifyError> {
        let input = serde_json::to_vec(notification).map_err(|error| NotifyError::new(&error.to_string()))?;
        let mut exec = Exec::cmd(&self.program).args(&self.args);
        for (name, value) in facts(notification) {
            exec = exec.env(format!("COMPARTMENT_NOTIFICATION_{name}"), value);
        }
        let name = self.program.display().to_string();
        let output = run_with_input(&name, exec, input, LIMIT, &self.stop)
            .map_err(|error| NotifyError::new(&error.to_string()))?;
        match (output.success(), output.code) {
            (true, _) => Ok(()),
            (false, code) => {
                let code = code.map_or("a signal".to_owned(), |code| format!("exit code {code}"));
                Err(NotifyError::new(&format!("it ended with {code}: {}", output.last_words())))
            }
        }
    }
}

/// What scripts want to know without reading JSON. Names of hosts hold no blanks.
fn facts(notification: &Notification) -> [(&'static str, String); 6] {
    let words = |words: Vec<&str>| words.join(" ");
    let mut topics: Vec<_> = notification.changes.iter().map(|change| change.topic.as_str()).collect();
    topics.dedup();
    let hosts = notification.changes.iter().flat_map(|change| &change.named);
    let mut hosts: Vec<_> = hosts.filter_map(|named| named.host.as_ref()).map(|host| host.as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    [
        ("ID", notification.id.to_string()),
        ("AT", notification.at.to_string()),
        ("SUMMARY", notification.summary.to_string()),
        ("COUNT", notification.count().to_string()),
        ("TOPICS", words(topics)),
        ("HOSTS", words(hosts)),
    ]
}

#[async_trait]
impl Notifier for CommandNotifier {
    fn name(&self) -> &str {
        "the command"
    }

    async fn send(&self, notification: &Notification) -> Result<(), NotifyError> {
        let (this, notification) = (self.clone(), notification.clone());
        let done = tokio::task::spawn_blocking(move || this.run(&notification)).await;
        done.map_err(|error| NotifyError::new(&error.to_string()))?
    }
}
