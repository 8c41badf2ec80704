//! Who is told without asking: from the command line to the ways of a hub.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use compartment_core::{NotifyOptions, Span, Text};
use compartment_local::run::Stop;
use compartment_notify::{CommandNotifier, FILE_NAME, NotifyFile, WebhookNotifier};
use compartment_runtime::hub::Notifications;
use compartment_runtime::{Notifier, Owner, read_secret};
use url::Url;

use super::ServeError;

/// The longest secret, in bytes.
const SECRET: u64 = 4096;

/// Who is told what goes wrong: a host turns red or is lost, an operation does not begin, nobody sees what is desired; and that it
/// is over.
#[derive(Clone, Debug, Args)]
pub struct NotifyArgs {
    /// Tell people what goes wrong, and that it is over, by running this program: with JSON on its standard input.
    #[arg(long, value_name = "PROGRAM")]
    pub notify_command: Option<PathBuf>,

    /// An argument of that program; say it again for more. None passes through a shell.
    #[arg(long = "notify-arg", value_name = "ARG", requires = "notify_command", allow_hyphen_values = true)]
    pub notify_args: Vec<OsString>,

    /// The same by posting that JSON to an address, signed in the header `X-Hub-Signature-256`.
    #[arg(long, value_name = "URL", requires = "notify_secret_file")]
    pub notify_url: Option<Url>,

    /// A file with the secret that it is signed with; nothing else is in it.
    #[arg(long, value_name = "FILE", requires = "notify_url")]
    pub notify_secret_file: Option<PathBuf>,

    /// Post beyond this machine without TLS: whoever is between reads what goes wrong.
    #[arg(long, requires = "notify_url")]
    pub notify_allow_plain: bool,

    /// How many seconds there is at most one message on the same cell, host or channel.
    #[arg(long, value_name = "SECONDS", default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub notify_quiet: u64,

    /// How many seconds a message waits for more that belongs into it.
    #[arg(long, value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub notify_gather: u64,

    /// After how many seconds an operation that was asked for and has not begun is told; one that lapses is told anyway.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    pub notify_waiting: u64,
}

fn failed(error: impl fmt::Display) -> ServeError {
    ServeError::Notify(Text::new(&error.to_string()))
}

impl NotifyArgs {
    /// The ways on which people are told, and the file in `data` that remembers it; nothing where nobody is.
    ///
    /// # Errors
    /// [`ServeError::Notify`]: they cannot be used as the command line says.
    pub fn open(&self, data: &Path, stop: Stop) -> Result<Option<Notifications>, ServeError> {
        let mut ways: Vec<Arc<dyn Notifier>> = Vec::new();
        if let Some(program) = &self.notify_command {
            ways.push(Arc::new(CommandNotifier::new(program, self.notify_args.iter().cloned(), stop)));
        }
        if let Some((url, file)) = self.notify_url.clone().zip(self.notify_secret_file.as_ref()) {
            let secret = read_secret(file, Owner::Trusted, SECRET).map_err(failed)?;
            let webhook = WebhookNotifier::new(url, secret.trim_ascii(), self.notify_allow_plain);
            ways.push(Arc::new(webhook.map_err(|error| failed(format!("--notify-url: {error}")))?));
        }
        let options = NotifyOptions {
            quiet: Span::from_secs(self.notify_quiet),
            gather: Span::from_secs(self.notify_gather),
            waiting_after: Span::from_secs(self.notify_waiting),
            ..NotifyOptions::default()
        };
        let store = Arc::new(NotifyFile::new(&data.join(FILE_NAME)));
        Ok((!ways.is_empty()).then_some(Notifications { ways, store, options }))
    }
}
