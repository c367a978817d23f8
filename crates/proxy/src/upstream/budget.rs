//! How many extra attempts a backend may cost: a share of the calls of the last ten seconds.
//!
//! A retry storm is stopped here: when everything fails, a backend gets at most `budget_percent` more than
//! what callers send. A quiet service would then never retry (20 % of one call is none), so there is a
//! floor: [`FLOOR`] extra attempts in ten seconds are allowed whatever the share says. The honest bound is
//! therefore, whenever an extra attempt is granted: those of the last ten seconds, this one included, are at most
//! `max(budget_percent of the calls of the same time, 3)`. With a budget of 0 there are none.

use super::window::Window;

/// Extra attempts in ten seconds that are allowed however few calls there are.
pub(super) const FLOOR: u64 = 3;

/// Calls and extra attempts of the last ten seconds.
#[derive(Debug, Default)]
pub(super) struct Budget {
    window: Window,
}

impl Budget {
    /// Counts one call; once per call, not per attempt.
    pub(super) fn deposit(&self, now_ms: u64) {
        self.window.add(1, 0, now_ms);
    }

    /// Takes one extra attempt, if there is one.
    ///
    /// It is taken before it is judged and given back if it was too much, so that two threads at the edge
    /// rather both go without than both go.
    pub(super) fn take(&self, percent: u32, now_ms: u64) -> bool {
        if percent == 0 {
            return false;
        }
        self.window.add(0, 1, now_ms);
        let sums = self.window.sums(now_ms);
        let allowed = sums.first * u64::from(percent.min(100)) / 100;
        if sums.second <= allowed.max(FLOOR) {
            return true;
        }
        self.window.take_back_second(now_ms);
        false
    }

    /// Calls and extra attempts of the last ten seconds.
    pub(super) fn spent(&self, now_ms: u64) -> (u64, u64) {
        let sums = self.window.sums(now_ms);
        (sums.first, sums.second)
    }
}

#[cfg(test)]
mod tests;
