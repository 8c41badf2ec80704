//! How people are told what goes wrong: the ways on which a [`Notification`](compartment_core::Notification) goes out, and a file
//! that remembers what was told.
//!
//! **The contract.** What is worth telling is decided elsewhere (`compartment_core::notify`); this crate carries it. A
//! [`CommandNotifier`] runs a program of yours, with the notification as JSON on its standard input and the main facts in its
//! environment, and no shell between. A [`WebhookNotifier`] posts the same JSON to a server, signed as forges sign their
//! notices. Each attempt has a limit; who tries again, and how often, is the hub.
//!
//! ```no_run
//! use std::sync::Arc;
//! use compartment_core::NotifyOptions;
//! use compartment_local::run::Stop;
//! use compartment_notify::{CommandNotifier, NotifyFile};
//! use compartment_runtime::hub::Notifications;
//!
//! let ways = vec![Arc::new(CommandNotifier::new("/usr/local/bin/tell".as_ref(), [], Stop::default())) as _];
//! let store = Arc::new(NotifyFile::new("/var/lib/fleet/notifications".as_ref()));
//! let notify = Notifications { ways, store, options: NotifyOptions::default() };
//! // Ports { notify: Some(notify), ..Ports::new(log) }
//! ```

#![forbid(unsafe_code)]

mod command;
mod file;
mod webhook;

pub use command::CommandNotifier;
pub use file::NotifyFile;
pub use webhook::{WebhookError, WebhookNotifier};

/// The name of the file among a hub's data that remembers what was told.
pub const FILE_NAME: &str = "notifications";
