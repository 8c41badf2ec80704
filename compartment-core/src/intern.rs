//! Facts that a fleet shares are stored once.

use core::hash::{BuildHasher, Hash};

use alloc::sync::Arc;
use foldhash::fast::FixedState;
use hashbrown::HashTable;

/// Equal values become one allocation. What nobody holds any more is swept out as the table grows, so that it
/// stays within twice what is in use, however long the log is.
#[derive(Clone, Debug)]
pub(crate) struct Interner<T> {
    table: HashTable<Arc<T>>,
    sweep_at: usize,
}

impl<T> Default for Interner<T> {
    fn default() -> Self {
        Self { table: HashTable::new(), sweep_at: 1024 }
    }
}

impl<T: Hash + Eq> Interner<T> {
    pub(crate) fn intern(&mut self, value: T) -> Arc<T> {
        let hash = hash(&value);
        if let Some(shared) = self.table.find(hash, |other| **other == value) {
            return Arc::clone(shared);
        }
        if self.table.len() >= self.sweep_at {
            #[expect(clippy::disallowed_methods, reason = "what is kept does not depend on the order")]
            self.table.retain(|shared| Arc::strong_count(shared) > 1);
            self.sweep_at = (self.table.len() * 2).max(1024);
        }
        let shared = Arc::new(value);
        self.table.insert_unique(hash, Arc::clone(&shared), |other| self::hash(&**other));
        shared
    }

    /// Replaces a value that came from elsewhere by the shared one.
    pub(crate) fn share(&mut self, value: &mut Arc<T>)
    where
        T: Clone,
    {
        *value = self.intern(T::clone(value));
    }
}

/// The same everywhere: replay must not depend on the machine, and look-ups never show their order.
pub(crate) fn hash(value: &(impl Hash + ?Sized)) -> u64 {
    FixedState::default().hash_one(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_holds_is_swept_out() {
        let mut interner = Interner::default();
        let kept = interner.intern(0_u32);
        for n in 1..1_000_000 {
            interner.intern(n);
        }
        assert!(interner.table.len() <= 2048);
        assert!(Arc::ptr_eq(&kept, &interner.intern(0)));
    }
}
