//! The adaptive bound of a backend: gathers how long its answers take, and lets `control` judge.
//!
//! Shared by all workers. A call costs one atomic addition; now and then one of them closes a window, under a lock that
//! nobody waits for.

mod control;

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use control::{Control, OPEN_LEAST, SLOTS, Step, Tally, Tight, Window};

use super::gate::Gate;

/// See the file's head.
pub(super) struct Adaptive {
    /// Answers to calls that began since the limit was changed or met, and to others; by operation, packed.
    tallies: [[AtomicU64; SLOTS]; 2],
    /// Since when they are gathered.
    since_ms: AtomicU64,
    /// Which calls are new ones: those that began by then or later.
    anew_us: AtomicU64,
    anew_if_met: AtomicBool,
    met: AtomicBool,
    /// Before, nobody needs to look.
    look_ms: AtomicU64,
    /// Operations whose calls are not counted, a bit each.
    long: AtomicU64,
    /// Whether it is to be found out how long answers wait here for their turn.
    suspects: AtomicBool,
    /// How long one waits while there is a line at the backend, and how many; 0 while there is none.
    patience_ms: AtomicU64,
    queue_of_usual: AtomicU32,
    /// Until when so many come that not all may wait.
    crowded_until_ms: AtomicU64,
    is_on: AtomicBool,
    max: AtomicU32,
    queue: AtomicU32,
    control: Mutex<Control>,
}

/// A count in the upper bits, a sum of logarithms below it.
const COUNT_SHIFT: u32 = 40;
/// Parts of one doubling.
const PARTS: f32 = 256.0;
/// From look to look while a window is not ripe.
const LOOK_MS: u64 = 5;
/// How long it is remembered that too many came.
const CROWDED_MS: u64 = 1_000;

/// The logarithm of some microseconds, base 2, in parts; linear between powers, and never more than 2^32 µs.
const fn logarithm(us: u64) -> u64 {
    let us = if us == 0 {
        1
    } else if us > u32::MAX as u64 {
        u32::MAX as u64
    } else {
        us
    };
    let whole = us.ilog2();
    let rest = (us - (1 << whole)) << 8 >> whole;
    (whole as u64) << 8 | rest
}

fn unpack(packed: u64) -> Tally {
    let count = (packed >> COUNT_SHIFT) as u32;
    let sum = packed & ((1 << COUNT_SHIFT) - 1);
    Tally { count, mean: (sum as f64 / f64::from(count.max(1))) as f32 / PARTS }
}

impl Adaptive {
    /// Sets the gate's limits, too.
    pub(super) fn new(is_on: bool, max: u32, queue: u32, gate: &Arc<Gate>) -> Self {
        let adaptive = Self {
            tallies: std::array::from_fn(|_| std::array::from_fn(|_| AtomicU64::new(0))),
            since_ms: AtomicU64::new(0),
            anew_us: AtomicU64::new(0),
            anew_if_met: AtomicBool::new(true),
            met: AtomicBool::new(false),
            look_ms: AtomicU64::new(0),
            long: AtomicU64::new(0),
            suspects: AtomicBool::new(false),
            patience_ms: AtomicU64::new(0),
            queue_of_usual: AtomicU32::new(u32::MAX),
            crowded_until_ms: AtomicU64::new(0),
            is_on: AtomicBool::new(is_on),
            max: AtomicU32::new(max),
            queue: AtomicU32::new(queue),
            control: Mutex::new(Control::new(max)),
        };
        adaptive.resize(is_on, max, queue, gate);
        adaptive
    }

    /// The document says something else.
    pub(super) fn resize(&self, is_on: bool, max: u32, queue: u32, gate: &Arc<Gate>) {
        self.max.store(max, Ordering::Relaxed);
        self.queue.store(queue, Ordering::Relaxed);
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        let was_on = self.is_on.swap(is_on, Ordering::Relaxed);
        if !was_on && is_on || was_on && !is_on {
            *control = Control::new(max);
            self.patience_ms.store(0, Ordering::Relaxed);
            self.long.store(0, Ordering::Relaxed);
        }
        if is_on {
            let limit = control.set_ceiling(max);
            gate.limit(limit, self.queue_at(limit));
            gate.bound_usual(u32::MAX);
        } else {
            gate.limit(u32::MAX, queue);
            gate.bound_usual(u32::MAX);
        }
    }

    /// Those who are not let in by a lower limit may wait.
    fn queue_at(&self, limit: u32) -> u32 {
        let max = self.max.load(Ordering::Relaxed);
        self.queue.load(Ordering::Relaxed).saturating_add(max.saturating_sub(limit))
    }

    pub(super) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Whether a call of an operation counts among those that await an answer.
    pub(super) fn counts(&self, operation: usize) -> bool {
        self.long.load(Ordering::Relaxed) >> (operation % SLOTS) & 1 == 0
    }

    /// How long one of the usual priority waits, in milliseconds; `None`: as long as the document says.
    pub(super) fn patience_ms(&self, now_ms: u64) -> Option<u64> {
        let is_crowded = now_ms < self.crowded_until_ms.load(Ordering::Relaxed);
        Some(self.patience_ms.load(Ordering::Relaxed)).filter(|ms| *ms > 0 && is_crowded)
    }

    /// Whether the limit is held down.
    pub(super) fn is_held(&self) -> bool {
        self.patience_ms.load(Ordering::Relaxed) > 0
    }

    /// An answer has come, or is not to be waited for any longer. Answers wait for `lag_us` here until they are looked at: one
    /// that may have done little else tells nothing of the backend. Whether it is to be found out how long that is.
    pub(super) fn observe(
        &self,
        operation: usize,
        (begun_us, now_us, lag_us): (u64, u64, u64),
        gate: &Arc<Gate>,
    ) -> bool {
        if !self.is_on() {
            return false;
        }
        let suspects = self.suspects.load(Ordering::Relaxed);
        if suspects && lag_us * 2 > now_us.saturating_sub(begun_us) {
            return true;
        }
        let is_stale = begun_us < self.anew_us.load(Ordering::Relaxed);
        let one = 1 << COUNT_SHIFT | logarithm(now_us.saturating_sub(begun_us));
        self.tallies[usize::from(is_stale)][operation % SLOTS].fetch_add(one, Ordering::Relaxed);
        if now_us / 1_000 >= self.look_ms.load(Ordering::Relaxed) {
            self.look(now_us / 1_000, gate);
        }
        suspects
    }

    /// Somebody found no place, or waits for one.
    pub(super) fn note_met(&self, now_ms: u64, gate: &Arc<Gate>) {
        if !self.is_on() {
            return;
        }
        if !self.met.swap(true, Ordering::Relaxed) && self.anew_if_met.load(Ordering::Relaxed) {
            self.begin_anew(now_ms);
        }
        // As many as are let in without being asked may as well wait: few callers who call again and again
        // are served more slowly then, and all of them.
        let waiting = gate.waiting();
        let is_crowded = self.patience_ms(now_ms).is_some()
            && waiting >= self.queue_of_usual.load(Ordering::Relaxed);
        if is_crowded || gate.awaiting() + waiting >= OPEN_LEAST as u32 {
            let until_ms = self.crowded_until_ms.swap(now_ms + CROWDED_MS, Ordering::Relaxed);
            if until_ms <= now_ms {
                self.bound_queue(now_ms, gate);
            }
        }
        if now_ms >= self.look_ms.load(Ordering::Relaxed) {
            self.look(now_ms, gate);
        }
    }

    /// Whoever answers from now on counts as new only if it began from now on.
    fn begin_anew(&self, now_ms: u64) {
        self.anew_us.store(now_ms * 1_000, Ordering::Relaxed);
        let [fresh, stale] = &self.tallies;
        for (fresh, stale) in fresh.iter().zip(stale) {
            if fresh.load(Ordering::Relaxed) != 0 {
                stale.fetch_add(fresh.swap(0, Ordering::Relaxed), Ordering::Relaxed);
            }
        }
    }

    /// Closes the window if it can be judged. Whoever comes while another does so goes on.
    fn look(&self, now_ms: u64, gate: &Arc<Gate>) {
        let Ok(mut control) = self.control.try_lock() else { return };
        // Another may have looked a moment ago.
        if now_ms < self.look_ms.load(Ordering::Relaxed) || !self.is_on() {
            return;
        }
        self.look_ms.store(now_ms + LOOK_MS, Ordering::Relaxed);
        let length_ms = now_ms.saturating_sub(self.since_ms.load(Ordering::Relaxed));
        let met = self.met.load(Ordering::Relaxed);
        let count = |at: usize| -> u32 {
            let counts = self.tallies[at].iter();
            counts.map(|tally| (tally.load(Ordering::Relaxed) >> COUNT_SHIFT) as u32).sum()
        };
        if !control.is_ripe((count(0), count(1)), length_ms, met) {
            return;
        }
        let take = |at: usize| -> [Tally; SLOTS] {
            std::array::from_fn(|slot| {
                let tally = &self.tallies[at][slot];
                let is_empty = tally.load(Ordering::Relaxed) == 0;
                unpack(if is_empty { 0 } else { tally.swap(0, Ordering::Relaxed) })
            })
        };
        let (fresh, stale) = (take(0), take(1));
        let awaiting = gate.awaiting();
        let window = Window { fresh: &fresh, stale: &stale, length_ms, met, awaiting, now_ms };
        let step = control.step(&window);
        self.since_ms.store(now_ms, Ordering::Relaxed);
        self.met.store(false, Ordering::Relaxed);
        self.follow(step, now_ms, gate);
    }

    fn follow(&self, step: Step, now_ms: u64, gate: &Arc<Gate>) {
        self.long.store(step.long, Ordering::Relaxed);
        self.anew_if_met.store(step.anew_if_met, Ordering::Relaxed);
        if step.anew {
            self.begin_anew(now_ms);
        }
        self.suspects.store(step.suspects, Ordering::Relaxed);
        let none = Tight { patience_ms: 0, queue: u32::MAX };
        let Tight { patience_ms, queue } = step.tight.unwrap_or(none);
        self.patience_ms.store(patience_ms, Ordering::Relaxed);
        self.queue_of_usual.store(queue, Ordering::Relaxed);
        gate.limit(step.limit, self.queue_at(step.limit));
        self.bound_queue(now_ms, gate);
    }

    /// Lets only few wait, and not for long, if there is a line at the backend and too many come.
    fn bound_queue(&self, now_ms: u64, gate: &Arc<Gate>) {
        match self.patience_ms(now_ms) {
            Some(patience_ms) => {
                gate.bound_usual(self.queue_of_usual.load(Ordering::Relaxed));
                gate.trim(now_ms, patience_ms);
            }
            None => gate.bound_usual(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests;
