//! What an operation that is heard of late says of the checkouts that later switches were built from (CORE-006 K2).

use alloc::sync::Arc;

use super::taking::Taking;
use crate::checkout::Doubt;
use crate::commit::Commit;
use crate::knowledge::Belief;
use crate::operation::Closing;

impl Taking<'_> {
    /// An operation whose start was not seen is heard of late, and tells where the checkout was: it may have ended right
    /// before something was built whose result does not say from what, or before a switch began. `another` says of a
    /// commit whether the checkout was at another one.
    pub(super) fn was_elsewhere(
        &mut self,
        told: &Closing,
        another: impl Fn(&Commit) -> bool,
        may_be_dirty: bool,
    ) {
        if self.in_order() || told.trace.start_seen() {
            return;
        }
        let after = told.trace.after;
        if let Some(past) = &mut self.host.past {
            let mut noted = false;
            past.operations.for_each_checkout(|began, copy| {
                let other = copy.commit.known().is_some_and(&another);
                if began > after && (other || may_be_dirty) {
                    let copy = Arc::make_mut(copy);
                    if other {
                        copy.doubt_commit(Doubt::Unordered);
                    }
                    copy.believe_dirt(Belief::Unknown);
                    copy.drop_lock();
                    noted = true;
                }
            });
            self.noted |= noted;
        }
        if self.host.past().changed >= after {
            self.may_be_dirty(|known, _| {
                let other = known.commit().is_none_or(&another);
                known.revision.dirt.is_by_checkout() && (other || may_be_dirty)
            });
        }
    }
}
