//! One address of a backend: who it is, how it does, and the calls it has.
//!
//! An endpoint lives as long as its address is named: a snapshot swap or a new DNS answer that still has it
//! keeps its health, its breaker and its connections. Everything that calls touch is an atomic; the only lock
//! is taken when a target is about to be ejected, which is rare.
//!
//! Three independent reasons take an endpoint out: active checks (`down`), passive ejection (failures in
//! a row) and the breaker (too many failures among the latest calls). A call's verdict feeds the last two.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Weak};

use super::breaker::{Breaker, Change};
use super::state::BackendState;
use crate::failure::Fault;
use crate::tls::ClientTls;

/// Who an endpoint is: equal exactly when backend, address, TLS identity, protocol, `Host` and base path
/// are. The same in every process, so that several gateways hash alike; connections may be pooled by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EndpointId(pub u64);

/// One address of a backend.
#[derive(Debug)]
pub struct Endpoint {
    /// Who it is.
    pub id: EndpointId,
    /// Where it is.
    pub address: SocketAddr,
    /// TLS towards it; `None` is plain TCP.
    pub tls: Option<Arc<ClientTls>>,
    /// `Host` to send unless the backend's settings say otherwise.
    pub host_header: Box<str>,
    /// Put before every path; empty, or begins with a slash and does not end with one.
    pub base_path: Box<str>,
    /// Whether HTTP/2 is spoken to it.
    pub http2: bool,
    /// The backend it belongs to; for the rules that a verdict is judged by.
    owner: Weak<BackendState>,
    /// Counted up whenever it is taken out or comes back; verdicts of calls from before are void.
    epoch: AtomicU32,
    retired: AtomicBool,
    down: AtomicBool,
    in_flight: AtomicU32,
    failures_in_row: AtomicU32,
    ejections_in_row: AtomicU32,
    ejected_until_ms: AtomicU64,
    /// When it was added or came back: its share grows from then on.
    ramp_from_ms: AtomicU64,
    ramp_credit: AtomicU64,
    breaker: Breaker,
    calls: AtomicU64,
    failures: AtomicU64,
    /// When the log was last told why it cannot be reached.
    told_ms: AtomicU64,
}

/// How often the log is told why an endpoint cannot be reached.
const TELL_INTERVAL_MS: u64 = 5_000;

/// What became of a call at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It answered; any status that the backend's `on_status` and 502–504 do not name.
    Answered,
    /// It answered that it, or what is behind it, cannot (502–504).
    AnsweredBad,
    /// It gave no proper answer.
    Failed(Fault),
    /// The caller went away, or a pooled connection turned out to be closed before anything was at stake:
    /// no verdict.
    Abandoned,
}

/// What an outcome says about the endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Well,
    /// Counts for the breaker only, and while there is another target: it can be reached, but does not do its work.
    Poor,
    /// Counts for the breaker and for the failures in a row.
    Ill,
    Nothing,
}

/// How an endpoint does, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It takes calls.
    Well,
    /// Active checks fail.
    Down,
    /// Out after failures in a row.
    Ejected,
    /// Its breaker is open.
    Open,
    /// Its breaker lets single calls through.
    Probing,
}

impl Condition {
    /// The word for it in metrics and pages.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Well => "well",
            Self::Down => "down",
            Self::Ejected => "ejected",
            Self::Open => "open",
            Self::Probing => "probing",
        }
    }
}

impl Outcome {
    const fn verdict(self) -> Verdict {
        match self {
            Self::Answered => Verdict::Well,
            Self::AnsweredBad => Verdict::Poor,
            Self::Abandoned => Verdict::Nothing,
            Self::Failed(fault) => match fault {
                Fault::ConnectFailed
                | Fault::ConnectTimeout
                | Fault::TlsFailed
                | Fault::BackendClosed
                | Fault::FirstByteTimeout
                | Fault::CallTimeout
                | Fault::BackendBodyTimeout
                | Fault::BackendBodyBroken => Verdict::Ill,
                Fault::BackendInvalid | Fault::BackendHeadTooLarge | Fault::BackendError => {
                    Verdict::Poor
                }
                // None of these is the doing of one address.
                Fault::DnsFailed
                | Fault::NoTarget
                | Fault::QueueFull
                | Fault::QueueTimeout
                | Fault::NoExample
                | Fault::CallerGone
                | Fault::CallerTooSlow
                | Fault::Internal => Verdict::Nothing,
            },
        }
    }
}

/// What makes an endpoint; see the fields of [`Endpoint`].
pub(super) struct EndpointParts {
    pub(super) id: EndpointId,
    pub(super) address: SocketAddr,
    pub(super) tls: Option<Arc<ClientTls>>,
    pub(super) host_header: Box<str>,
    pub(super) base_path: Box<str>,
    pub(super) http2: bool,
}

impl Endpoint {
    pub(super) fn new(parts: EndpointParts, owner: Weak<BackendState>) -> Self {
        Self {
            id: parts.id,
            address: parts.address,
            tls: parts.tls,
            host_header: parts.host_header,
            base_path: parts.base_path,
            http2: parts.http2,
            owner,
            epoch: AtomicU32::new(0),
            retired: AtomicBool::new(false),
            down: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            failures_in_row: AtomicU32::new(0),
            ejections_in_row: AtomicU32::new(0),
            ejected_until_ms: AtomicU64::new(0),
            ramp_from_ms: AtomicU64::new(0),
            ramp_credit: AtomicU64::new(0),
            breaker: Breaker::default(),
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            told_ms: AtomicU64::new(0),
        }
    }

    /// Tells the log why no connection came about: callers and the record of a call learn the word only. Once in a
    /// while, however many calls fail.
    pub fn tell_trouble(&self, fault: Fault, error: &dyn std::fmt::Display, now_ms: u64) {
        let told_ms = self.told_ms.load(Ordering::Relaxed);
        if told_ms != 0 && now_ms < told_ms + TELL_INTERVAL_MS {
            return;
        }
        self.told_ms.store(now_ms.max(1), Ordering::Relaxed);
        let backend = self.owner.upgrade();
        let backend = backend.as_deref().map_or("", BackendState::key);
        tracing::warn!(backend, address = %self.address, %error, "{}", fault.word());
    }

    /// Begins a call at this endpoint, right after it was picked.
    pub fn begin(self: Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        let probe = self.breaker.claim();
        InFlight { epoch: self.epoch.load(Ordering::Relaxed), probe, endpoint: self }
    }

    /// False once its address is no longer named: pools drop its connections.
    pub fn is_current(&self) -> bool {
        !self.retired.load(Ordering::Acquire)
    }

    /// Calls it has now.
    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether it would take a call now. Changes nothing.
    pub(super) fn is_usable(&self, now_ms: u64) -> bool {
        !self.down.load(Ordering::Relaxed)
            && now_ms >= self.ejected_until_ms.load(Ordering::Relaxed)
            && self.breaker.lets_in(now_ms)
    }

    /// Takes the endpoint for one call; when its breaker is half-open, as the probe.
    pub(super) fn admit(&self, now_ms: u64) -> bool {
        !self.down.load(Ordering::Relaxed)
            && now_ms >= self.ejected_until_ms.load(Ordering::Relaxed)
            && self.breaker.admit(now_ms)
    }

    /// How it does.
    pub fn condition(&self, now_ms: u64) -> Condition {
        use super::breaker::BreakerState;
        if self.down.load(Ordering::Relaxed) {
            return Condition::Down;
        }
        if now_ms < self.ejected_until_ms.load(Ordering::Relaxed) {
            return Condition::Ejected;
        }
        match self.breaker.state(now_ms) {
            BreakerState::Closed => Condition::Well,
            BreakerState::Open => Condition::Open,
            BreakerState::HalfOpen => Condition::Probing,
        }
    }

    /// Share of its weight that it gets now, in permille: 100 when it was just added or came back, 1000 after
    /// `slow_start_ms`, in a straight line between.
    pub(super) fn ramp_permille(&self, slow_start_ms: u64, now_ms: u64) -> u64 {
        if slow_start_ms == 0 {
            return 1_000;
        }
        let from = self.ramp_from_ms.load(Ordering::Relaxed);
        if from == 0 {
            return 1_000;
        }
        let since = now_ms.saturating_sub(from);
        if since >= slow_start_ms { 1_000 } else { 100 + 900 * since / slow_start_ms }
    }

    /// Whether this turn of a ramping endpoint is used, so that exactly its share of the turns is.
    pub(super) fn takes_turn(&self, permille: u64) -> bool {
        if permille >= 1_000 {
            return true;
        }
        let before = self.ramp_credit.fetch_add(permille, Ordering::Relaxed);
        (before + permille) / 1_000 > before / 1_000
    }

    pub(super) fn start_ramp(&self, now_ms: u64) {
        // 0 means "never ramped"; a clock that starts at 0 loses a millisecond by this.
        self.ramp_from_ms.store(now_ms.max(1), Ordering::Relaxed);
    }

    /// The verdict of active checks. Returns whether it changed something.
    pub(super) fn set_down(&self, down: bool, now_ms: u64) -> bool {
        if self.down.swap(down, Ordering::Relaxed) == down {
            return false;
        }
        if !down {
            self.start_ramp(now_ms);
        }
        self.epoch.fetch_add(1, Ordering::Relaxed);
        true
    }

    /// Its address is no longer named.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Its address is named again after a while.
    pub(super) fn revive(&self, now_ms: u64) {
        self.start_ramp(now_ms);
        self.retired.store(false, Ordering::Release);
    }

    /// The breaker was switched off.
    pub(super) fn reset_breaker(&self) {
        self.breaker.reset();
    }

    /// Passive ejection was switched off.
    pub(super) fn reset_ejection(&self) {
        self.ejected_until_ms.store(0, Ordering::Relaxed);
        self.failures_in_row.store(0, Ordering::Relaxed);
    }

    pub(super) fn is_ejected(&self, now_ms: u64) -> bool {
        now_ms < self.ejected_until_ms.load(Ordering::Relaxed)
    }

    /// When its ejection ends; 0 if it was never ejected.
    pub(super) fn ejected_until_ms(&self) -> u64 {
        self.ejected_until_ms.load(Ordering::Relaxed)
    }

    pub(super) fn breaker_state(&self, now_ms: u64) -> super::breaker::BreakerState {
        self.breaker.state(now_ms)
    }

    /// Calls that got a verdict, and those of them that failed.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.calls.load(Ordering::Relaxed), self.failures.load(Ordering::Relaxed))
    }

    /// Takes it out for a while: `base_ms` the first time, twice, three times … that when it is ejected again
    /// before it has been well for as long, at most ten times. Called under the owner's lock.
    pub(super) fn eject(&self, base_ms: u64, now_ms: u64) {
        let ended = self.ejected_until_ms.load(Ordering::Relaxed);
        let before = self.ejections_in_row.load(Ordering::Relaxed);
        let last_ms = base_ms.saturating_mul(u64::from(before));
        let relapse = ended != 0 && now_ms < ended.saturating_add(last_ms.max(base_ms));
        let times = if relapse { (before + 1).min(10) } else { 1 };
        let until = now_ms.saturating_add(base_ms.saturating_mul(u64::from(times)));
        self.ejections_in_row.store(times, Ordering::Relaxed);
        self.failures_in_row.store(0, Ordering::Relaxed);
        self.ejected_until_ms.store(until, Ordering::Relaxed);
        self.start_ramp(until);
        self.epoch.fetch_add(1, Ordering::Relaxed);
    }

    fn record(self: &Arc<Self>, verdict: Verdict, current: bool, probe: bool, now_ms: u64) {
        match verdict {
            Verdict::Nothing => {
                if probe {
                    self.breaker.release();
                }
                return;
            }
            Verdict::Well => self.record_success(current, probe, now_ms),
            // An answer, even a bad one, from the only target that is left is the best there is: otherwise a single
            // operation that fails would shut the others of its service.
            Verdict::Poor
                if self.owner.upgrade().is_some_and(|owner| !owner.has_other(self, now_ms)) =>
            {
                self.failures.fetch_add(1, Ordering::Relaxed);
                self.record_success(current, probe, now_ms);
            }
            Verdict::Poor | Verdict::Ill => self.record_failure(verdict, current, probe, now_ms),
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
    }

    fn record_success(self: &Arc<Self>, current: bool, probe: bool, now_ms: u64) {
        if self.failures_in_row.load(Ordering::Relaxed) != 0 {
            self.failures_in_row.store(0, Ordering::Relaxed);
        }
        if !probe {
            if current {
                self.breaker.call_succeeded(now_ms);
            }
            return;
        }
        let Some(owner) = self.owner.upgrade() else { return self.breaker.release() };
        if self.breaker.probe_succeeded(owner.breaker_rule()) == Change::Closed {
            self.epoch.fetch_add(1, Ordering::Relaxed);
            self.start_ramp(now_ms);
            owner.note_breaker_closed(self);
        }
    }

    fn record_failure(self: &Arc<Self>, verdict: Verdict, current: bool, probe: bool, now_ms: u64) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        let Some(owner) = self.owner.upgrade() else { return self.breaker.release() };
        let rule = owner.breaker_rule();
        let change = match (probe, current) {
            (true, _) => self.breaker.probe_failed(rule, now_ms),
            (false, true) => self.breaker.call_failed(rule, now_ms),
            (false, false) => Change::None,
        };
        if change == Change::Opened {
            self.epoch.fetch_add(1, Ordering::Relaxed);
            owner.note_breaker_opened(self);
        }
        // After a probe's failure the breaker has it out already.
        if verdict == Verdict::Ill && current && !probe && change == Change::None {
            let in_row = self.failures_in_row.fetch_add(1, Ordering::Relaxed).saturating_add(1);
            owner.consider_ejection(self, in_row, now_ms);
        }
    }
}

/// A call under way at an endpoint. Dropping it without a verdict is [`Outcome::Abandoned`].
#[derive(Debug)]
pub struct InFlight {
    endpoint: Arc<Endpoint>,
    epoch: u32,
    /// Whether this call is the breaker's probe; until the first verdict.
    probe: bool,
}

impl InFlight {
    /// The endpoint it is at.
    pub fn endpoint(&self) -> &Arc<Endpoint> {
        &self.endpoint
    }

    /// Says what became of the call: as soon as it is known, which is usually when the answer's head has come. A body
    /// that breaks later may be reported as a further failure.
    ///
    /// The verdict lies with the call rather than with the endpoint, because a call that began before the
    /// endpoint was taken out or came back says nothing about how it does now, and because only the call
    /// knows that it is a breaker's probe.
    pub fn report(&mut self, outcome: Outcome, now_ms: u64) {
        let current = self.epoch == self.endpoint.epoch.load(Ordering::Relaxed);
        let probe = std::mem::take(&mut self.probe);
        self.endpoint.record(outcome.verdict(), current, probe, now_ms);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.probe {
            self.endpoint.breaker.release();
        }
        self.endpoint.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
