//! How many extra attempts a backend may cost: a share of the calls that it got.
//!
//! A retry storm is stopped here. Every call earns `budget_percent` hundredths of an attempt, and every extra attempt
//! costs a whole one; nothing is there at the start. So, counted from there, extra attempts are never more
//! than that share of the calls, however few those were. What is not spent is saved for the moment when a target
//! dies with many calls under way, up to [`SAVED_MAX`] attempts: over any stretch of time, extra attempts are at most the
//! share of its calls and that. With a budget of 0 there are none. Attempts in place of one that reached nobody are not
//! asked for here.

use std::sync::atomic::{AtomicU64, Ordering};

use super::window::Window;

/// Extra attempts that can be saved.
pub(super) const SAVED_MAX: u64 = 100;
/// Hundredths of an attempt.
const WHOLE: u64 = 100;

/// What is saved, and the calls and extra attempts of the last ten seconds, for who looks.
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// In hundredths of an attempt.
    saved: AtomicU64,
    window: Window,
}

impl Budget {
    /// Counts one call; once per call, not per attempt.
    pub(super) fn deposit(&self, percent: u32, now_ms: u64) {
        self.window.add(1, 0, now_ms);
        let earned = u64::from(percent.min(100));
        // In quiet times it is full, and nobody writes to it.
        let _ = self.saved.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| {
            let more = (saved + earned).min(SAVED_MAX * WHOLE);
            (more != saved).then_some(more)
        });
    }

    /// Takes one extra attempt, if there is one.
    pub(super) fn take(&self, percent: u32, now_ms: u64) -> bool {
        // What was saved before a document forbade it is not spent.
        let taken = percent > 0
            && self
                .saved
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |saved| {
                    saved.checked_sub(WHOLE)
                })
                .is_ok();
        if taken {
            self.window.add(0, 1, now_ms);
        }
        taken
    }

    /// Calls and extra attempts of the last ten seconds.
    pub(super) fn spent(&self, now_ms: u64) -> (u64, u64) {
        let sums = self.window.sums(now_ms);
        (sums.first, sums.second)
    }
}

#[cfg(test)]
mod tests;
