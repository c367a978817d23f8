//! The sliding window of one limit for one value: a log of what was admitted.
//!
//! **What holds:** in any stretch of time as long as the period, at most `count` calls are admitted. Never one
//! more, wherever the stretch begins (it is half open: a call exactly one period after another is in the next
//! one), and at saturation at least 99.9 % of the allowance can be used.
//!
//! **How:** admissions are kept as *runs*, a time and a number. One that comes within 1/2048 of the period
//! after the first of the newest run joins it, and the time of a run is that of its **latest** admission. So a
//! run is forgotten no earlier than each of its members may be, which keeps the promise, and at most 1/2048 of
//! a period late, which is the price: 2048/2049 is 99.95 %. With a small `count` every admission has its own
//! run. A log has at most [`RUNS_MAX`] runs, and when memory is short it may have fewer: neighbours are then
//! joined, which is coarser and still never over.
//!
//! Time is an argument, in microseconds. A time before the latest admission is taken as the time of that
//! admission: threads that read the clock before they got the lock cannot make the log go back.

use std::sync::atomic::{AtomicUsize, Ordering};

/// The most runs of one log; a few more than the 2050 that folding leaves alive.
pub const RUNS_MAX: usize = 2_304;
/// Part of a period within which admissions share a run.
const FOLD_PARTS: u64 = 2_048;
/// With a count up to this every admission has a run of its own.
const EXACT_COUNT: u32 = 32;
/// Runs kept within the log itself.
const INLINE: usize = 2;
/// Capacity of the first ring.
const RING_MIN: usize = 8;

/// How many runs all logs together may keep outside themselves (eight bytes each).
#[derive(Debug)]
pub struct Budget {
    used: AtomicUsize,
    max: usize,
}

impl Budget {
    /// For at most `max` runs.
    pub const fn new(max: usize) -> Self {
        Self { used: AtomicUsize::new(0), max }
    }

    /// Runs in use.
    pub fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn claim(&self, runs: usize) -> bool {
        let claimed = self.used.fetch_add(runs, Ordering::Relaxed) + runs <= self.max;
        if !claimed {
            self.release(runs);
        }
        claimed
    }

    fn release(&self, runs: usize) {
        self.used.fetch_sub(runs, Ordering::Relaxed);
    }
}

/// Several admissions at one time: 40 bits of microseconds and 24 bits of number. 40 bits are 12 days, and no
/// run is ever compared with a time more than two periods (two days) away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run(u64);

impl Run {
    const TIME: u64 = (1 << 40) - 1;
    const COUNT_MAX: u32 = (1 << 24) - 1;
    const NONE: Self = Self(0);

    const fn new(time_us: u64, count: u32) -> Self {
        Self((time_us & Self::TIME) | ((count as u64) << 40))
    }

    const fn count(self) -> u32 {
        (self.0 >> 40) as u32
    }

    /// Microseconds from this run to `now_us`, which is not before it.
    const fn age_us(self, now_us: u64) -> u64 {
        now_us.wrapping_sub(self.0) & Self::TIME
    }
}

/// Storage of runs, oldest first.
#[derive(Debug, Clone)]
enum Runs {
    Inline { runs: [Run; INLINE], len: u8 },
    Ring { runs: Box<[Run]>, head: u16, len: u16 },
}

impl Runs {
    const EMPTY: Self = Self::Inline { runs: [Run::NONE; INLINE], len: 0 };

    fn len(&self) -> usize {
        match self {
            Self::Inline { len, .. } => usize::from(*len),
            Self::Ring { len, .. } => usize::from(*len),
        }
    }

    fn capacity(&self) -> usize {
        match self {
            Self::Inline { .. } => INLINE,
            Self::Ring { runs, .. } => runs.len(),
        }
    }

    /// Runs kept on the heap.
    fn heap_runs(&self) -> usize {
        match self {
            Self::Inline { .. } => 0,
            Self::Ring { runs, .. } => runs.len(),
        }
    }

    fn at(&mut self, index: usize) -> Option<&mut Run> {
        match self {
            Self::Inline { runs, len } => runs[..usize::from(*len)].get_mut(index),
            Self::Ring { runs, head, len } => {
                let capacity = runs.len();
                let place = usize::from(*head) + index;
                let place = if place >= capacity { place - capacity } else { place };
                if index < usize::from(*len) { runs.get_mut(place) } else { None }
            }
        }
    }

    fn pop_front(&mut self) {
        match self {
            Self::Inline { runs, len } => {
                runs.copy_within(1.., 0);
                *len = len.saturating_sub(1);
            }
            Self::Ring { runs, head, len } => {
                if *len > 0 {
                    *len -= 1;
                    *head = if usize::from(*head) + 1 == runs.len() { 0 } else { *head + 1 };
                }
            }
        }
    }

    /// Adds a run at the end; the caller has made room.
    fn push_back(&mut self, run: Run) {
        match self {
            Self::Inline { len, .. } => *len += 1,
            Self::Ring { len, .. } => *len += 1,
        }
        let last = self.len() - 1;
        *self.at(last).expect("room was made for one more run") = run;
    }

    fn clear(&mut self) {
        match self {
            Self::Inline { len, .. } => *len = 0,
            Self::Ring { len, head, .. } => (*len, *head) = (0, 0),
        }
    }

    /// Moves to a ring of this capacity, at least the present length.
    fn grow(&mut self, capacity: usize) {
        let len = self.len();
        let mut grown = vec![Run::NONE; capacity].into_boxed_slice();
        for (index, place) in grown.iter_mut().enumerate().take(len) {
            *place = *self.at(index).expect("the index is below the length");
        }
        *self = Self::Ring { runs: grown, head: 0, len: u16::try_from(len).unwrap_or(u16::MAX) };
    }

    /// Joins neighbours two by two; says whether that made room.
    fn join_neighbours(&mut self) -> bool {
        let len = self.len();
        let mut kept = 0;
        let mut index = 0;
        while index < len {
            let mut run = *self.at(index).expect("the index is below the length");
            index += 1;
            if let Some(next) = self.at(index).copied()
                && let count = run.count() + next.count()
                && count <= Run::COUNT_MAX
            {
                run = Run::new(next.0, count);
                index += 1;
            }
            *self.at(kept).expect("fewer are kept than were read") = run;
            kept += 1;
        }
        match self {
            Self::Inline { len, .. } => *len = u8::try_from(kept).unwrap_or(*len),
            Self::Ring { len, .. } => *len = u16::try_from(kept).unwrap_or(*len),
        }
        kept < len
    }
}

/// What a log says after it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Calls that would be admitted now.
    pub remaining: u32,
    /// Microseconds until more are admitted than now; a whole period at most.
    pub reset_us: u64,
}

/// The log.
#[derive(Debug, Clone)]
pub struct Log {
    /// Time of the latest admission.
    last_us: u64,
    /// How long before that the first admission of the newest run was.
    open_us: u32,
    /// Admissions in all runs.
    total: u32,
    runs: Runs,
}

impl Default for Log {
    fn default() -> Self {
        Self { last_us: 0, open_us: 0, total: 0, runs: Runs::EMPTY }
    }
}

impl Log {
    /// Admits one call at `now_us` if fewer than `count` were in the period before it.
    ///
    /// # Errors
    /// When it is not admitted.
    pub fn take(
        &mut self,
        now_us: u64,
        count: u32,
        period_us: u64,
        budget: &Budget,
    ) -> Result<Standing, Standing> {
        let now_us = now_us.max(self.last_us);
        self.forget(now_us, period_us);
        if self.total >= count {
            return Err(self.standing(now_us, count, period_us));
        }
        self.admit(now_us, if count <= EXACT_COUNT { 0 } else { period_us / FOLD_PARTS }, budget);
        Ok(self.standing(now_us, count, period_us))
    }

    /// What [`Log::take`] would meet, without taking.
    pub fn look(&mut self, now_us: u64, count: u32, period_us: u64) -> Standing {
        let now_us = now_us.max(self.last_us);
        self.forget(now_us, period_us);
        self.standing(now_us, count, period_us)
    }

    /// Takes back one admission that was made at `then_us` or, if another was later by then, with that one.
    pub fn give_back(&mut self, then_us: u64) {
        let back_us = self.last_us.saturating_sub(then_us);
        // The run that holds it is the oldest whose time is not before it. A younger one must not be
        // touched: its calls count for longer.
        let mut held_by = None;
        for index in (0..self.runs.len()).rev() {
            let Some(run) = self.runs.at(index) else { break };
            if run.age_us(self.last_us) > back_us {
                break;
            }
            if run.count() > 0 {
                held_by = Some(index);
            }
        }
        if let Some(run) = held_by.and_then(|index| self.runs.at(index)) {
            *run = Run::new(run.0, run.count() - 1);
            self.total -= 1;
        }
    }

    /// Whether nothing is left to remember at this time.
    pub fn is_idle(&self, now_us: u64, period_us: u64) -> bool {
        self.total == 0 || now_us.saturating_sub(self.last_us) >= period_us
    }

    /// Runs on the heap: what [`Log::free`] gives back to the budget.
    pub fn heap_runs(&self) -> usize {
        self.runs.heap_runs()
    }

    /// A copy, its heap claimed from the budget even if that goes beyond it.
    pub fn copy(&self, budget: &Budget) -> Self {
        budget.used.fetch_add(self.heap_runs(), Ordering::Relaxed);
        self.clone()
    }

    /// Gives memory back.
    pub fn free(self, budget: &Budget) {
        budget.release(self.heap_runs());
    }

    /// Forgets what is a period old. `now_us` is not before the latest admission.
    fn forget(&mut self, now_us: u64, period_us: u64) {
        if now_us - self.last_us >= period_us {
            self.runs.clear();
            self.total = 0;
            return;
        }
        while let Some(oldest) = self.runs.at(0).copied() {
            if oldest.age_us(now_us) < period_us {
                break;
            }
            self.total -= oldest.count();
            self.runs.pop_front();
        }
    }

    fn admit(&mut self, now_us: u64, fold_us: u64, budget: &Budget) {
        let since_first_us = u64::from(self.open_us) + (now_us - self.last_us);
        let newest = self.runs.len().checked_sub(1).and_then(|last| self.runs.at(last));
        self.open_us = match newest {
            // Emptied by a call taken back: nothing that it stood for is left.
            Some(run) if run.count() == 0 => {
                *run = Run::new(now_us, 1);
                0
            }
            Some(run) if since_first_us <= fold_us && run.count() < Run::COUNT_MAX => {
                *run = Run::new(now_us, run.count() + 1);
                u32::try_from(since_first_us).unwrap_or(u32::MAX)
            }
            _ => {
                self.make_room(budget);
                self.runs.push_back(Run::new(now_us, 1));
                0
            }
        };
        self.last_us = now_us;
        self.total += 1;
    }

    fn make_room(&mut self, budget: &Budget) {
        let (len, capacity) = (self.runs.len(), self.runs.capacity());
        if len < capacity {
            return;
        }
        let wanted = (capacity * 2).clamp(RING_MIN, RUNS_MAX);
        let more = wanted - self.runs.heap_runs().min(wanted);
        if wanted > capacity && budget.claim(more) {
            self.runs.grow(wanted);
        } else if !self.runs.join_neighbours() {
            // Only when runs are full to 24 bits, which a billion calls in a period take 60 of.
            budget.used.fetch_add(RING_MIN, Ordering::Relaxed);
            let heap = self.runs.heap_runs();
            self.runs.grow(heap + RING_MIN);
        }
    }

    fn standing(&mut self, now_us: u64, count: u32, period_us: u64) -> Standing {
        let remaining = count.saturating_sub(self.total);
        let oldest_age_us =
            self.oldest_that_matters(count).map_or(period_us, |run| run.age_us(now_us));
        Standing { remaining, reset_us: period_us - oldest_age_us.min(period_us) }
    }

    /// The run whose end lets one more in: the oldest, or a later one when the count was lowered below what is
    /// in the log.
    fn oldest_that_matters(&mut self, count: u32) -> Option<Run> {
        let mut too_many = self.total.saturating_sub(count);
        for index in 0..self.runs.len() {
            let run = *self.runs.at(index)?;
            if run.count() > too_many {
                return Some(run);
            }
            too_many -= run.count();
        }
        None
    }
}

#[cfg(test)]
mod tests;
