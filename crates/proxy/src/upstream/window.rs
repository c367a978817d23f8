//! Two counts over the last ten seconds, in ten buckets of a second.
//!
//! Lock-free: each bucket is one word that carries the second it belongs to, so a stale bucket is taken over
//! by the exchange that first writes to it again. Both counts saturate at a million per second, far above
//! what one backend gets on one machine.

use std::sync::atomic::{AtomicU64, Ordering};

const BUCKETS: usize = 10;
const COUNT_BITS: u32 = 20;
const COUNT_MAX: u64 = (1 << COUNT_BITS) - 1;
const SECOND_MASK: u64 = (1 << 24) - 1;

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// From the top: 24 bits of the second (plus one, so that 0 is "never"), 20 bits each of the two counts.
    buckets: [AtomicU64; BUCKETS],
}

/// What a window holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) first: u64,
    pub(super) second: u64,
}

const fn pack(stamp: u64, first: u64, second: u64) -> u64 {
    (stamp << (2 * COUNT_BITS)) | (first << COUNT_BITS) | second
}

const fn unpack(word: u64) -> (u64, u64, u64) {
    (word >> (2 * COUNT_BITS), (word >> COUNT_BITS) & COUNT_MAX, word & COUNT_MAX)
}

/// 24 bits of seconds: distinct over 194 days; a bucket that nobody touched for exactly that long counts
/// once more, which at worst delays or hastens one verdict.
const fn stamp_of(second: u64) -> u64 {
    (second + 1) & SECOND_MASK
}

const fn saturated(count: u64) -> u64 {
    if count > COUNT_MAX { COUNT_MAX } else { count }
}

impl Window {
    /// Adds to both counts.
    pub(super) fn add(&self, first: u64, second: u64, now_ms: u64) {
        let second_now = now_ms / 1_000;
        let stamp = stamp_of(second_now);
        let bucket = &self.buckets[(second_now % BUCKETS as u64) as usize];
        let mut seen = bucket.load(Ordering::Relaxed);
        loop {
            let (of, was_first, was_second) = unpack(seen);
            let to = if of == stamp {
                pack(stamp, saturated(was_first + first), saturated(was_second + second))
            } else {
                pack(stamp, saturated(first), saturated(second))
            };
            match bucket.compare_exchange_weak(seen, to, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
    }

    /// Both counts over the current second and the nine before it.
    pub(super) fn sums(&self, now_ms: u64) -> Sums {
        let second_now = now_ms / 1_000;
        let mut sums = Sums::default();
        for bucket in &self.buckets {
            let (stamp, first, second) = unpack(bucket.load(Ordering::Relaxed));
            let age = stamp_of(second_now).wrapping_sub(stamp) & SECOND_MASK;
            if age < BUCKETS as u64 && stamp != 0 {
                sums.first += first;
                sums.second += second;
            }
        }
        sums
    }

    /// Forgets everything.
    pub(super) fn clear(&self) {
        for bucket in &self.buckets {
            bucket.store(0, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
