//! One part of the table: its counts, behind one lock.

use portway_model::{Period, QuotaPeriod};

use crate::limit::{Budget, Log};
use crate::memory_counters::index::Index;
use crate::memory_counters::{period_us, quota_state, rate_state};
use crate::quota::{Span, Used};
use crate::{LimitRule, LimitState, Window};

/// Counts that are allocated together: no large move when the table grows.
const CHUNK: usize = 64;
/// Places that a new value looks over for one that can be reclaimed.
const SWEEP: usize = 4;
/// The same when the table is full.
const SWEEP_FULL: usize = 64;
/// Every so many calls one place is looked over, so that memory comes back where no new values come.
const SWEEP_EVERY: u32 = 16;

/// The two times of a call.
#[derive(Debug, Clone, Copy)]
pub(super) struct At {
    /// Microseconds of the clock that never goes back.
    pub(super) now_us: u64,
    /// Milliseconds of the calendar.
    pub(super) unix_ms: u64,
}

/// What is counted.
#[derive(Debug)]
enum Count {
    Free { next: u32 },
    Rate { period: Period, log: Log },
    Quota { period: QuotaPeriod, used: Used },
}

/// The count of one value.
#[derive(Debug)]
struct Slot {
    hash: u64,
    rule: u64,
    count: Count,
}

/// A part of the table.
#[derive(Debug)]
pub(super) struct Shard {
    index: Index,
    chunks: Vec<Box<[Slot]>>,
    /// Slots that were ever used.
    used: u32,
    /// First of the list of free ones.
    free: u32,
    len: usize,
    max: usize,
    /// Next slot to look over.
    cursor: u32,
    calls: u32,
    /// The latest calendar time seen: calls without a quota do not bring one.
    unix_ms: u64,
    overflowed: u64,
}

/// End of the list of free slots.
const NONE: u32 = u32::MAX;

impl Shard {
    pub(super) fn new(max: usize) -> Self {
        Self {
            index: Index::default(),
            chunks: Vec::new(),
            used: 0,
            free: NONE,
            len: 0,
            max,
            cursor: 0,
            calls: 0,
            unix_ms: 0,
            overflowed: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn overflowed(&self) -> u64 {
        self.overflowed
    }

    pub(super) fn bytes(&self) -> usize {
        self.index.bytes() + self.chunks.len() * CHUNK * size_of::<Slot>()
    }

    /// Counts a call.
    pub(super) fn take(
        &mut self,
        hash: u64,
        rule: &LimitRule,
        at: At,
        budget: &Budget,
    ) -> Result<LimitState, LimitState> {
        self.unix_ms = self.unix_ms.max(at.unix_ms);
        self.calls = self.calls.wrapping_add(1);
        if self.calls.is_multiple_of(SWEEP_EVERY) {
            self.sweep(1, at, budget);
        }
        let slot = match self.find(hash, rule.id) {
            Some(slot) => slot,
            None => self.place_new(hash, rule, at, budget),
        };
        self.slot(slot).count.take(rule, at, budget)
    }

    /// Where a value stands, if it is known.
    pub(super) fn look(&mut self, hash: u64, rule: &LimitRule, at: At) -> Option<LimitState> {
        let slot = self.find(hash, rule.id)?;
        self.slot(slot).count.look(rule, at)
    }

    /// Where a value would stand, known or not; changes nothing.
    pub(super) fn peek(&mut self, hash: u64, rule: &LimitRule, at: At) -> LimitState {
        // A new value begins with what is counted in the common place, if that says anything.
        let known = self.find(hash, rule.id).or_else(|| {
            let common = self.find(shared(rule.id), rule.id);
            common.filter(|slot| self.len >= self.max || !self.slot(*slot).count.is_idle(at))
        });
        let state = known.and_then(|slot| self.slot(slot).count.look(rule, at));
        let new = || Count::new(rule).look(rule, at).expect("made for this rule");
        state.unwrap_or_else(new)
    }

    /// Takes back a call counted at that time.
    pub(super) fn give_back(&mut self, hash: u64, rule: &LimitRule, at: At) {
        if let Some(slot) = self.find(hash, rule.id).or_else(|| self.find(shared(rule.id), rule.id))
        {
            match &mut self.slot(slot).count {
                Count::Free { .. } => {}
                Count::Rate { log, .. } => log.give_back(at.now_us),
                Count::Quota { period, used } => used.give_back(&Span::of(*period, at.unix_ms)),
            }
        }
    }

    /// A place for a value that has none.
    fn place_new(&mut self, hash: u64, rule: &LimitRule, at: At, budget: &Budget) -> u32 {
        self.sweep(SWEEP, at, budget);
        if self.len >= self.max {
            self.sweep(SWEEP_FULL, at, budget);
        }
        let common = self.find(shared(rule.id), rule.id);
        let common =
            common.filter(|slot| self.len >= self.max || !self.slot(*slot).count.is_idle(at));
        if self.len >= self.max {
            self.overflowed += 1;
            return match common {
                Some(slot) => slot,
                None => self.insert(shared(rule.id), rule.id, Count::new(rule)),
            };
        }
        // The value may have been counted in the common place while the table was full.
        let count = match common {
            Some(slot) => self.slot(slot).count.copy(rule, budget),
            None => Count::new(rule),
        };
        self.insert(hash, rule.id, count)
    }

    fn insert(&mut self, hash: u64, rule: u64, count: Count) -> u32 {
        let slot = if self.free == NONE {
            if self.used as usize == self.chunks.len() * CHUNK {
                self.chunks.push(
                    (0..CHUNK).map(|_| Slot { hash: 0, rule: 0, count: Count::FREE }).collect(),
                );
            }
            self.used += 1;
            self.used - 1
        } else {
            self.free
        };
        let place = self.slot(slot);
        let old = std::mem::replace(place, Slot { hash, rule, count });
        if let Count::Free { next } = old.count {
            self.free = next;
        }
        self.index.insert(hash, slot);
        self.len += 1;
        slot
    }

    /// Looks over the next few slots and reclaims those that say nothing any more.
    fn sweep(&mut self, slots: usize, at: At, budget: &Budget) {
        for _ in 0..slots.min(self.used as usize) {
            let slot = self.cursor;
            self.cursor = if slot + 1 >= self.used { 0 } else { slot + 1 };
            let at = At { unix_ms: self.unix_ms, ..at };
            if self.slot(slot).count.is_idle(at) {
                self.reclaim(slot, budget);
            }
        }
    }

    fn reclaim(&mut self, slot: u32, budget: &Budget) {
        let free = Count::Free { next: self.free };
        let place = self.slot(slot);
        let hash = place.hash;
        if let Count::Rate { log, .. } = std::mem::replace(&mut place.count, free) {
            log.free(budget);
        }
        self.index.remove(hash, slot);
        self.free = slot;
        self.len -= 1;
    }

    #[inline]
    fn find(&self, hash: u64, rule: u64) -> Option<u32> {
        self.index.find(hash, |slot| {
            let slot = &self.chunks[slot as usize / CHUNK][slot as usize % CHUNK];
            slot.hash == hash && slot.rule == rule
        })
    }

    fn slot(&mut self, slot: u32) -> &mut Slot {
        &mut self.chunks[slot as usize / CHUNK][slot as usize % CHUNK]
    }
}

impl Count {
    const FREE: Self = Self::Free { next: NONE };

    fn new(rule: &LimitRule) -> Self {
        match rule.window {
            Window::Sliding { period, .. } => Self::Rate { period, log: Log::default() },
            Window::Calendar { period, .. } => Self::Quota { period, used: Used::default() },
        }
    }

    fn copy(&self, rule: &LimitRule, budget: &Budget) -> Self {
        match self {
            Self::Free { .. } => Self::new(rule),
            Self::Rate { period, log } => Self::Rate { period: *period, log: log.copy(budget) },
            Self::Quota { period, used } => Self::Quota { period: *period, used: *used },
        }
    }

    fn take(
        &mut self,
        rule: &LimitRule,
        at: At,
        budget: &Budget,
    ) -> Result<LimitState, LimitState> {
        match (self, rule.window) {
            (Self::Rate { log, .. }, Window::Sliding { count, period }) => {
                let period_us = period_us(period);
                match log.take(at.now_us, count, period_us, budget) {
                    Ok(standing) => Ok(rate_state(rule, count, period_us, standing)),
                    Err(standing) => Err(rate_state(rule, count, period_us, standing)),
                }
            }
            (Self::Quota { used, .. }, Window::Calendar { count, period }) => {
                let span = Span::of(period, at.unix_ms);
                match used.take(&span, count) {
                    Some(remaining) => Ok(quota_state(rule, count, &span, remaining, at.unix_ms)),
                    None => Err(quota_state(rule, count, &span, 0, at.unix_ms)),
                }
            }
            // An id is made from the kind of window too, so this needs two equal hashes: start anew.
            (other, _) => {
                *other = Self::new(rule);
                other.take(rule, at, budget)
            }
        }
    }

    fn look(&mut self, rule: &LimitRule, at: At) -> Option<LimitState> {
        match (self, rule.window) {
            (Self::Rate { log, .. }, Window::Sliding { count, period }) => {
                let period_us = period_us(period);
                Some(rate_state(rule, count, period_us, log.look(at.now_us, count, period_us)))
            }
            (Self::Quota { used, .. }, Window::Calendar { count, period }) => {
                let span = Span::of(period, at.unix_ms);
                Some(quota_state(rule, count, &span, used.remaining(&span, count), at.unix_ms))
            }
            _ => None,
        }
    }

    fn is_idle(&self, at: At) -> bool {
        match self {
            Self::Free { .. } => false,
            Self::Rate { period, log } => log.is_idle(at.now_us, period_us(*period)),
            Self::Quota { period, used } => used.is_idle(&Span::of(*period, at.unix_ms)),
        }
    }
}

/// Hash of the common place of a limit's values in a full table. Ids are SHA-256 and values go through a seeded
/// hasher, so no value has this hash but by chance.
fn shared(rule: u64) -> u64 {
    rule.rotate_left(17) ^ 0x9e37_79b9_7f4a_7c15
}
