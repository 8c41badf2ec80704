//! What is written down of what was told, as bytes.

use std::collections::VecDeque;
use std::sync::Arc;

use compartment_core::Notification;
use compartment_core::notify::Ledger;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tracing::warn;

use crate::LogId;

/// The version of the form. Another one is set aside.
const VERSION: u8 = 1;

/// What waits for each way, by its name.
pub(super) type Queues = Vec<(String, VecDeque<Arc<Notification>>)>;

/// What was told, and what is still to go out.
#[derive(Debug, Default)]
pub(super) struct Stored {
    pub(super) ledger: Ledger,
    pub(super) made: u64,
    pub(super) queues: Queues,
}

#[derive(Serialize, Deserialize)]
struct Form {
    version: u8,
    /// Of which log this is: what was told of another one says nothing of this one. A hash, because the id is a secret.
    log: [u8; 32],
    ledger: Ledger,
    made: u64,
    queues: Queues,
}

fn name(log: &LogId) -> [u8; 32] {
    Sha256::digest(format!("compartment notifications {}", log.as_str())).into()
}

impl Stored {
    pub(super) fn write(ledger: &Ledger, made: u64, queues: Queues, log: &LogId) -> Vec<u8> {
        let form = Form { version: VERSION, log: name(log), ledger: ledger.clone(), made, queues };
        postcard::to_stdvec(&form).unwrap_or_default()
    }

    /// Nothing where it is of another log or version, or cannot be read.
    pub(super) fn read(bytes: &[u8], log: &LogId) -> Option<Self> {
        let form: Form = match postcard::from_bytes(bytes) {
            Ok(form) => form,
            Err(error) => {
                warn!(%error, "what people were told cannot be read: nobody is told of what is so already");
                return None;
            }
        };
        let Form { version, log: of, ledger, made, queues } = form;
        if (version, of) != (VERSION, name(log)) {
            warn!("what people were told is of another log or version: nobody is told of what is so already");
            return None;
        }
        Some(Self { ledger, made, queues })
    }
}
