//! A way on which people are told, and what is remembered of that, which tests steer.

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use compartment_core::Notification;

use crate::{Notifier, NotifyError, NotifyStore};

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reception {
    /// It arrives.
    #[default]
    Arrives,
    /// It does not.
    Fails,
    /// Nobody ever answers.
    Hangs,
    /// Whoever sends it panics.
    Panics,
}

/// A way that writes down what arrives.
#[derive(Debug)]
pub struct MemoryNotifier {
    name: &'static str,
    reception: Mutex<Reception>,
    arrived: Mutex<Vec<Notification>>,
    attempts: Mutex<Vec<Notification>>,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryNotifier {
    /// A way of this name.
    #[must_use]
    pub fn new(name: &'static str) -> Self {
        let (reception, arrived, attempts) = Default::default();
        Self { name, reception, arrived, attempts }
    }

    /// What becomes of what is sent from now on.
    pub fn receives(&self, reception: Reception) {
        *held(&self.reception) = reception;
    }

    /// What arrived, in order.
    #[must_use]
    pub fn arrived(&self) -> Vec<Notification> {
        held(&self.arrived).clone()
    }

    /// What was sent, whether it arrived or not.
    #[must_use]
    pub fn attempts(&self) -> Vec<Notification> {
        held(&self.attempts).clone()
    }
}

#[async_trait]
impl Notifier for MemoryNotifier {
    fn name(&self) -> &str {
        self.name
    }

    async fn send(&self, notification: &Notification) -> Result<(), NotifyError> {
        held(&self.attempts).push(notification.clone());
        let reception = *held(&self.reception);
        match reception {
            Reception::Arrives => held(&self.arrived).push(notification.clone()),
            Reception::Fails => return Err(NotifyError::new("nobody is there")),
            Reception::Hangs => std::future::pending().await,
            Reception::Panics => std::panic::resume_unwind(Box::new("a test")),
        }
        Ok(())
    }
}

/// What is remembered in memory, and whether it can be written.
#[derive(Debug, Default)]
pub struct MemoryNotifyStore {
    kept: Mutex<Option<Vec<u8>>>,
    broken: Mutex<bool>,
}

impl MemoryNotifyStore {
    /// One that holds this already.
    #[must_use]
    pub fn holding(bytes: Option<Vec<u8>>) -> Self {
        Self { kept: Mutex::new(bytes), ..Self::default() }
    }

    /// What it holds.
    #[must_use]
    pub fn holds(&self) -> Option<Vec<u8>> {
        held(&self.kept).clone()
    }

    /// Whether it can be written from now on.
    pub fn breaks(&self, broken: bool) {
        *held(&self.broken) = broken;
    }
}

#[async_trait]
impl NotifyStore for MemoryNotifyStore {
    async fn load(&self) -> Result<Option<Vec<u8>>, NotifyError> {
        Ok(self.holds())
    }

    async fn save(&self, bytes: Vec<u8>) -> Result<(), NotifyError> {
        if *held(&self.broken) {
            return Err(NotifyError::new("no space left"));
        }
        *held(&self.kept) = Some(bytes);
        Ok(())
    }
}
