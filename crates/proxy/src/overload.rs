//! What a worker does when it has more to do than time: it refuses calls, those of the lowest priority first.
//!
//! Ten times a second a task is put at the end of all that is ready to run; how long it takes until it is its turn is how long every
//! call waits for its own. Only if that is too long several times in a row, calls are refused, and more of them with every tick; it
//! ends faster than it begins. A moment without the processor, because other programs have it, refuses nobody. Calls of the highest
//! priority are never refused here.

use std::cell::Cell;
use std::rc::Rc;

use portway_model::Priority;
use portway_policy::Permit;

use crate::telemetry::Random;
use crate::worker::WorkerClock;

/// From measurement to measurement, at least.
const PROBE_US: u64 = 5_000;
/// Ticks in a row in which a worker lags until it refuses calls.
const PATIENT_TICKS: u32 = 5;
/// Parts in which a priority is refused.
const PARTS: u32 = 100;
/// Parts more each tick, and fewer when it is over.
const RISE: u32 = 10;
const FALL: u32 = 50;
/// Everybody but the highest priority.
const LEVEL_MAX: u32 = (Priority::ALL.len() as u32 - 1) * PARTS;

/// See the file's head. Of one thread.
#[derive(Default)]
pub(crate) struct Overload {
    /// Priorities that are refused, in parts.
    level: Cell<u32>,
    lagging_ticks: Cell<u32>,
    /// When the task was put at the end, if its turn has not come.
    asked_us: Cell<Option<u64>>,
    /// When that was last done.
    probed_us: Cell<u64>,
    lag_us: Cell<u64>,
}

impl Overload {
    /// Looks how long it took, and asks anew.
    pub(crate) fn tick(self: &Rc<Self>, clock: WorkerClock, most_ms: u64) {
        let now_us = clock.now_us();
        let waiting_us = self.asked_us.get().map_or(0, |asked_us| now_us.saturating_sub(asked_us));
        self.judge(self.lag_us.get().max(waiting_us) / 1_000, most_ms);
        self.probe(clock);
    }

    /// Measures how long it takes until it is one's turn, if that was not done a moment ago.
    pub(crate) fn probe(self: &Rc<Self>, clock: WorkerClock) {
        let now_us = clock.now_us();
        if self.asked_us.get().is_some() || now_us < self.probed_us.get() + PROBE_US {
            return;
        }
        self.asked_us.set(Some(now_us));
        self.probed_us.set(now_us);
        let overload = Rc::clone(self);
        tokio::task::spawn_local(async move {
            overload.asked_us.set(None);
            overload.lag_us.set(clock.now_us().saturating_sub(now_us));
        });
    }

    /// How long something that is ready waits for its turn.
    pub(crate) fn lag_us(&self) -> u64 {
        self.lag_us.get()
    }

    fn judge(&self, lag_ms: u64, most_ms: u64) {
        if lag_ms <= most_ms || most_ms == 0 {
            self.lagging_ticks.set(0);
            return self.level.set(self.level.get().saturating_sub(FALL));
        }
        let ticks = self.lagging_ticks.get().saturating_add(1);
        self.lagging_ticks.set(ticks);
        if ticks > PATIENT_TICKS {
            let level = self.level.get();
            self.level.set((level + RISE).min(LEVEL_MAX));
            if level == 0 {
                tracing::warn!(lag_ms, "overloaded: calls of low priority are refused");
            }
        }
    }

    /// Whether a call is to be refused.
    pub(crate) fn refuses(&self, permit: &Permit, random: &Random) -> bool {
        let level = self.level.get();
        level > 0 && Self::takes(level, priority_of(permit), random.next_u64() % u64::from(PARTS))
    }

    fn takes(level: u32, priority: Priority, draw: u64) -> bool {
        u64::from(priority as u32 * PARTS) + draw < u64::from(level)
    }
}

/// Whose calls go first: those of apps with such a plan.
pub(crate) fn priority_of(permit: &Permit) -> Priority {
    let plan = permit.app().and_then(|app| app.plan.as_ref());
    plan.map_or(Priority::Normal, |plan| plan.priority)
}

#[cfg(test)]
mod tests;
