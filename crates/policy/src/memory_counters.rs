//! The counts of limits and quotas in memory: exact on one machine, under threads, and bounded.
//!
//! A count belongs to a limit's id and a value, found by a 64-bit hash with a random seed; that two among a
//! million meet has a chance of one in thirty million, and then they share one allowance. The table is in
//! parts, each behind a lock that is held for some ten nanoseconds. A count whose window is empty says nothing
//! and is reclaimed, a few at a time, on the way of other calls.
//!
//! **When the table is full** of live counts, a value that is not yet in it shares one count per limit and part
//! of the table with others like it. So a flood of made-up values makes new values tight and never lets
//! anybody over a limit; those that were there before notice nothing. When there is room again, a new value
//! begins with a copy of that shared count, which holds all that it may have used, and the promise stands.

mod index;
mod shard;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use portway_model::Period;

use crate::gate::{Gate, Gates};
use crate::limit::Budget;
use crate::memory_counters::shard::{At, Shard};
use crate::{Counters, Kind, LimitRule, LimitState, Value, Want, Window, query};

/// How many counts are kept unless told otherwise.
pub const COUNTS_DEFAULT: usize = 1_000_000;
/// Runs that all logs together keep on the heap, for each count that may be kept. Eight bytes each.
const RUNS_PER_COUNT: usize = 8;
/// Never fewer than what some hundred busy limits need.
const RUNS_MIN: usize = 1 << 19;
/// Parts of a table of the usual size.
const SHARDS: usize = 128;

/// The counts, and the gates.
#[derive(Debug)]
pub struct MemoryCounters {
    seed: RandomState,
    shards: Box<[Mutex<Shard>]>,
    budget: Budget,
    gates: Gates,
}

/// How much there is of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CountersSize {
    /// Counts kept.
    pub counts: usize,
    /// Calls, since the start, whose value shared a count because the table was full.
    pub overflowed: u64,
    /// Memory of the table in bytes, without the allocator's share.
    pub bytes: usize,
}

impl Default for MemoryCounters {
    fn default() -> Self {
        Self::new(COUNTS_DEFAULT)
    }
}

impl MemoryCounters {
    /// For `counts_max` counts, at most a sixteenth more.
    pub fn new(counts_max: usize) -> Self {
        let shards = if counts_max < SHARDS * 64 { 1 } else { SHARDS };
        let mut each = counts_max.div_ceil(shards).max(1);
        if shards > 1 {
            // Hashes fall into parts like rain: some get more. A sixteenth is five standard deviations of a part
            // of a million.
            each += each / 16;
        }
        Self {
            seed: RandomState::new(),
            shards: (0..shards).map(|_| Mutex::new(Shard::new(each))).collect(),
            budget: Budget::new((counts_max.saturating_mul(RUNS_PER_COUNT)).max(RUNS_MIN)),
            gates: Gates::default(),
        }
    }

    /// How much there is of it. Walks over all parts, one lock at a time.
    pub fn size(&self) -> CountersSize {
        let mut size = CountersSize {
            bytes: self.budget.used() * size_of::<u64>(),
            ..CountersSize::default()
        };
        for shard in &self.shards {
            let shard = lock(shard);
            size.counts += shard.len();
            size.overflowed += shard.overflowed();
            size.bytes += shard.bytes();
        }
        size
    }

    /// The gates.
    pub fn gates(&self) -> &Gates {
        &self.gates
    }

    fn shard(&self, hash: u64) -> MutexGuard<'_, Shard> {
        lock(&self.shards[(hash >> 32) as usize % self.shards.len()])
    }

    fn hash(&self, id: u64, app: Option<&str>, value: Value<'_>) -> u64 {
        let mut hasher = self.seed.build_hasher();
        hasher.write_u64(id);
        // Each part with its length before it, so that no two lists of parts give the same bytes.
        match app {
            None => hasher.write_u8(0xff),
            Some(app) => {
                hasher.write_u8(u8::try_from(app.len()).unwrap_or(0xfe));
                hasher.write(app.as_bytes());
            }
        }
        match value {
            Value::All => {}
            Value::Absent => hasher.write_u8(0),
            Value::Network(network) => {
                hasher.write_u8(1);
                hasher.write_u64(network);
            }
            Value::Text(text) => {
                hasher.write_u8(2);
                hasher.write(text);
            }
            Value::Encoded(text) => {
                hasher.write_u8(2);
                // Some readers take + for a space and some do not: here all three spellings are one.
                query::decoded(text)
                    .for_each(|byte| hasher.write_u8(if byte == b'+' { b' ' } else { byte }));
            }
        }
        hasher.finish()
    }

    /// Takes back the calls that were counted before one limit refused.
    fn give_back(&self, wants: &[Want<'_>], at: At) {
        for want in wants {
            let hash = self.hash(want.rule.id, want.app, want.value);
            self.shard(hash).give_back(hash, want.rule, at);
        }
    }
}

impl Counters for MemoryCounters {
    fn take(
        &self,
        wants: &[Want<'_>],
        now_us: u64,
        unix_ms: u64,
    ) -> Result<Option<LimitState>, LimitState> {
        let at = At { now_us, unix_ms };
        let mut tightest: Option<LimitState> = None;
        for (index, want) in wants.iter().enumerate() {
            let hash = self.hash(want.rule.id, want.app, want.value);
            let taken = self.shard(hash).take(hash, want.rule, at, &self.budget);
            match taken {
                Ok(state) if tightest.is_none_or(|known| state.is_tighter_than(&known)) => {
                    tightest = Some(state)
                }
                Ok(_) => {}
                Err(refused) => {
                    self.give_back(&wants[..index], at);
                    return Err(self.longest(refused, &wants[index + 1..], at));
                }
            }
        }
        Ok(tightest)
    }

    fn enter(&self, gate: u64, app: Option<&str>, max: u32) -> Option<Gate> {
        self.gates.enter(self.hash(gate, app, Value::All), max)
    }
}

impl MemoryCounters {
    /// Where a call would stand with one limit, without counting it: what remains is what remains before it.
    pub fn peek(&self, want: &Want<'_>, now_us: u64, unix_ms: u64) -> LimitState {
        let hash = self.hash(want.rule.id, want.app, want.value);
        self.shard(hash).peek(hash, want.rule, At { now_us, unix_ms })
    }

    /// How many calls are inside a gate.
    pub fn inside(&self, gate: u64, app: Option<&str>) -> u32 {
        self.gates.inside(self.hash(gate, app, Value::All))
    }

    /// Of a refusal and those that would also have refused, the one that does so longest.
    fn longest(&self, refused: LimitState, others: &[Want<'_>], at: At) -> LimitState {
        let mut longest = refused;
        for want in others {
            let hash = self.hash(want.rule.id, want.app, want.value);
            if let Some(state) = self.shard(hash).look(hash, want.rule, at)
                && state.remaining == 0
                && state.reset_s > longest.reset_s
            {
                longest = state;
            }
        }
        longest
    }
}

/// A panic while a lock was held leaves counts that are at worst too high by one, so they are used on.
fn lock(shard: &Mutex<Shard>) -> MutexGuard<'_, Shard> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Length of a period in microseconds.
pub(crate) const fn period_us(period: Period) -> u64 {
    match period {
        Period::Second => 1_000_000,
        Period::Minute => 60_000_000,
        Period::Hour => 3_600_000_000,
        Period::Day => 86_400_000_000,
    }
}

/// What callers are told of a sliding window.
fn rate_state(
    rule: &LimitRule,
    count: u32,
    period_us: u64,
    standing: crate::limit::Standing,
) -> LimitState {
    LimitState {
        kind: Kind::Rate,
        rule: rule.name,
        limit: u64::from(count),
        remaining: u64::from(standing.remaining),
        reset_s: u32::try_from(standing.reset_us.div_ceil(1_000_000)).unwrap_or(u32::MAX).max(1),
        window_s: u32::try_from(period_us / 1_000_000).unwrap_or(u32::MAX),
    }
}

/// What callers are told of a calendar window.
fn quota_state(
    rule: &LimitRule,
    count: u64,
    span: &crate::quota::Span,
    remaining: u64,
    unix_ms: u64,
) -> LimitState {
    debug_assert!(
        matches!(rule.window, Window::Calendar { .. }),
        "only quotas count calendar windows"
    );
    LimitState {
        kind: Kind::Quota,
        rule: rule.name,
        limit: count,
        remaining,
        reset_s: span.seconds_left(unix_ms),
        window_s: span.seconds(),
    }
}

#[cfg(test)]
mod tests;
