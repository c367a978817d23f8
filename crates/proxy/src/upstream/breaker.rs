//! Breaker of one target: too many failed calls among the latest open it; after a rest single calls probe it.
//!
//! Closed → open when at least `min_calls` ended in the last ten seconds and `failure_percent` of them
//! failed. Open → half-open when the rest is over; then one call at a time is let through. `probes`
//! successes in a row close it, one failure opens it again. Only the verdict of a call that was let through as a
//! probe counts while it is not closed: calls that began before it opened and fail minutes later (a
//! black-holed target with long time-outs) must not keep it open after the target is well again.
//!
//! The state is one word, so that asking is one load. Assumes a clock that never goes back.

use std::sync::atomic::{AtomicU64, Ordering};

use super::window::Window;

/// When a breaker opens and closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BreakerRule {
    /// 0 switches it off.
    pub(super) failure_percent: u32,
    pub(super) min_calls: u32,
    pub(super) open_ms: u64,
    pub(super) probes: u32,
}

/// What a breaker is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Calls pass.
    Closed,
    /// No call passes.
    Open,
    /// One call at a time passes.
    HalfOpen,
}

impl BreakerState {
    /// The word for it in metrics and pages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Open => "open",
            Self::HalfOpen => "half-open",
        }
    }
}

/// A change that a verdict brought about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    None,
    Opened,
    Closed,
}

/// See the file's head.
#[derive(Debug, Default)]
pub(super) struct Breaker {
    word: AtomicU64,
    window: Window,
}

/// A picked probe that no call took up within this time is given to another one.
const PROBE_UNCLAIMED_MS: u64 = 1_000;

const SUCCESSES_MAX: u32 = (1 << 12) - 1;

/// The word, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parts {
    state: BreakerState,
    /// A call was chosen to be the probe.
    probing: bool,
    /// That call has begun; its guard settles the probe.
    claimed: bool,
    /// Probes in a row that succeeded.
    successes: u32,
    /// Open: until when. Half-open and probing: since when.
    at_ms: u64,
}

impl Parts {
    const CLOSED: Self = Self {
        state: BreakerState::Closed,
        probing: false,
        claimed: false,
        successes: 0,
        at_ms: 0,
    };

    const fn open(until_ms: u64) -> Self {
        Self { state: BreakerState::Open, at_ms: until_ms, ..Self::CLOSED }
    }

    const fn probe(successes: u32, since_ms: u64) -> Self {
        Self {
            state: BreakerState::HalfOpen,
            probing: true,
            claimed: false,
            successes,
            at_ms: since_ms,
        }
    }

    const fn waiting(successes: u32) -> Self {
        Self { state: BreakerState::HalfOpen, successes, ..Self::CLOSED }
    }

    const fn pack(self) -> u64 {
        let state = match self.state {
            BreakerState::Closed => 0,
            BreakerState::Open => 1,
            BreakerState::HalfOpen => 2,
        };
        state
            | (self.probing as u64) << 2
            | (self.claimed as u64) << 3
            | (self.successes as u64) << 4
            | (self.at_ms & ((1 << 48) - 1)) << 16
    }

    const fn unpack(word: u64) -> Self {
        let state = match word & 3 {
            0 => BreakerState::Closed,
            1 => BreakerState::Open,
            _ => BreakerState::HalfOpen,
        };
        Self {
            state,
            probing: word & 4 != 0,
            claimed: word & 8 != 0,
            successes: (word >> 4) as u32 & SUCCESSES_MAX,
            at_ms: word >> 16,
        }
    }

    const fn lets_in(self, now_ms: u64) -> bool {
        match self.state {
            BreakerState::Closed => true,
            BreakerState::Open => now_ms >= self.at_ms,
            BreakerState::HalfOpen => {
                !self.probing
                    || (!self.claimed && now_ms >= self.at_ms.saturating_add(PROBE_UNCLAIMED_MS))
            }
        }
    }
}

impl Breaker {
    /// Whether a call would be let through now. Changes nothing.
    pub(super) fn lets_in(&self, now_ms: u64) -> bool {
        let word = self.word.load(Ordering::Acquire);
        word == 0 || Parts::unpack(word).lets_in(now_ms)
    }

    /// Lets one call through; when not closed, it becomes the probe that [`claim`](Self::claim) takes up.
    pub(super) fn admit(&self, now_ms: u64) -> bool {
        let mut word = self.word.load(Ordering::Acquire);
        loop {
            if word == 0 {
                return true;
            }
            let parts = Parts::unpack(word);
            if !parts.lets_in(now_ms) {
                return false;
            }
            let to = Parts::probe(parts.successes, now_ms).pack();
            match self.word.compare_exchange_weak(word, to, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return true,
                Err(now) => word = now,
            }
        }
    }

    /// Whether the call that begins now is the probe.
    pub(super) fn claim(&self) -> bool {
        let word = self.word.load(Ordering::Acquire);
        if word == 0 {
            return false;
        }
        let parts = Parts::unpack(word);
        if parts.state != BreakerState::HalfOpen || !parts.probing || parts.claimed {
            return false;
        }
        let to = Parts { claimed: true, ..parts }.pack();
        self.word.compare_exchange(word, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// The probe ended without a verdict; the next call probes.
    pub(super) fn release(&self) {
        let word = self.word.load(Ordering::Acquire);
        let parts = Parts::unpack(word);
        if parts.state == BreakerState::HalfOpen && parts.claimed {
            let to = Parts::waiting(parts.successes).pack();
            // Only the holder of the probe and a reset change the word now; losing to a reset is right.
            let _ = self.word.compare_exchange(word, to, Ordering::AcqRel, Ordering::Acquire);
        }
    }

    /// A call that was no probe ended well.
    pub(super) fn call_succeeded(&self, now_ms: u64) {
        self.window.add(1, 0, now_ms);
    }

    /// A call that was no probe failed.
    pub(super) fn call_failed(&self, rule: BreakerRule, now_ms: u64) -> Change {
        self.window.add(1, 1, now_ms);
        if rule.failure_percent == 0 || self.word.load(Ordering::Acquire) != 0 {
            return Change::None;
        }
        let sums = self.window.sums(now_ms);
        let enough = sums.first >= u64::from(rule.min_calls.max(1));
        if !enough || sums.second * 100 < sums.first * u64::from(rule.failure_percent) {
            return Change::None;
        }
        self.open(0, rule, now_ms)
    }

    /// The probe ended well.
    pub(super) fn probe_succeeded(&self, rule: BreakerRule) -> Change {
        let word = self.word.load(Ordering::Acquire);
        let parts = Parts::unpack(word);
        if parts.state != BreakerState::HalfOpen || !parts.claimed {
            return Change::None;
        }
        let successes = parts.successes + 1;
        let closes = successes >= rule.probes.clamp(1, SUCCESSES_MAX);
        if closes {
            self.window.clear();
        }
        let to = if closes { Parts::CLOSED } else { Parts::waiting(successes) };
        match self.word.compare_exchange(word, to.pack(), Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) if closes => Change::Closed,
            Ok(_) | Err(_) => Change::None,
        }
    }

    /// The probe failed.
    pub(super) fn probe_failed(&self, rule: BreakerRule, now_ms: u64) -> Change {
        let word = self.word.load(Ordering::Acquire);
        let parts = Parts::unpack(word);
        if parts.state != BreakerState::HalfOpen || !parts.claimed {
            return Change::None;
        }
        self.open(word, rule, now_ms)
    }

    /// A rule that switches the breaker off closes it.
    pub(super) fn reset(&self) {
        self.window.clear();
        self.word.store(0, Ordering::Release);
    }

    fn open(&self, from: u64, rule: BreakerRule, now_ms: u64) -> Change {
        let to = Parts::open(now_ms.saturating_add(rule.open_ms)).pack();
        match self.word.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire) {
            Ok(_) => Change::Opened,
            Err(_) => Change::None,
        }
    }

    /// What it is doing.
    pub(super) fn state(&self, now_ms: u64) -> BreakerState {
        let parts = Parts::unpack(self.word.load(Ordering::Acquire));
        match parts.state {
            // The rest is over; the next call will probe.
            BreakerState::Open if now_ms >= parts.at_ms => BreakerState::HalfOpen,
            state => state,
        }
    }
}

#[cfg(test)]
mod tests;
