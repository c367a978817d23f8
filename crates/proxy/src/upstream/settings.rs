//! What a backend's document says, as the path of a call reads it.

use portway_model as model;

use super::balance::Choice;
use super::breaker::BreakerRule;

/// Settings of a backend. Times in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Until a connection stands, TLS included.
    pub connect_timeout_ms: u64,
    /// From the request's last byte to the answer's first.
    pub first_byte_ms: u64,
    /// Between two bytes of a body.
    pub idle_ms: u64,
    /// How long an unused connection is kept.
    pub keep_alive_ms: u64,
    /// Attempts of one call in all, 1–3.
    pub attempts: u32,
    /// Statuses that count as failed and are tried again.
    pub on_status: Box<[u16]>,
    /// What the hash is made of; `None` unless the balance is `hash`.
    pub hash_on: Option<model::HashOn>,
    /// The most bytes of an answer's head.
    pub head_bytes: usize,
    /// In which header the backend is told how long the call has left.
    pub deadline_header: Option<Box<str>>,
    /// After which time a second target is asked.
    pub hedge_ms: Option<u64>,
    /// Protocol towards the targets.
    pub protocol: model::Protocol,
    /// What `Host` the backend sees.
    pub host: model::HostHeader,
    pub(super) balance: Choice,
    pub(super) budget_percent: u32,
    pub(super) calls_max: u32,
    pub(super) is_adaptive: bool,
    pub(super) queue_max: u32,
    pub(super) queue_timeout_ms: u64,
    pub(super) slow_start_ms: u64,
    pub(super) passive: model::Passive,
    pub(super) breaker: BreakerRule,
    pub(super) active: Option<model::Active>,
}

const HEAD_BYTES: u64 = 64 << 10;
/// Whatever a document says: an answer's head never takes more.
const HEAD_BYTES_MAX: u64 = 16 << 20;

impl Settings {
    pub(super) fn new(document: &model::Backend) -> Self {
        let (balance, hash_on) = match &document.balance {
            model::Balance::RoundRobin => (Choice::RoundRobin, None),
            model::Balance::LeastRequest => (Choice::LeastRequest, None),
            model::Balance::Hash(on) => (Choice::Hash, Some(on.clone())),
        };
        let head_bytes =
            document.head_bytes.map_or(HEAD_BYTES, model::ByteSize::as_bytes).min(HEAD_BYTES_MAX);
        Self {
            connect_timeout_ms: document.timeouts.connect.as_ms(),
            first_byte_ms: document.timeouts.first_byte.as_ms(),
            idle_ms: document.timeouts.idle.as_ms(),
            keep_alive_ms: document.timeouts.keep_alive.as_ms(),
            attempts: document.retries.attempts.clamp(1, 3),
            on_status: document.retries.on_status.clone().into_boxed_slice(),
            hash_on,
            head_bytes: usize::try_from(head_bytes).unwrap_or(usize::MAX),
            deadline_header: document.deadline_header.as_deref().map(Box::from),
            hedge_ms: document.hedge.as_ref().map(|hedge| hedge.after.as_ms()),
            protocol: document.protocol,
            host: document.host.clone(),
            balance,
            budget_percent: document.retries.budget_percent,
            calls_max: document.concurrency.max,
            is_adaptive: document.concurrency.adaptive,
            queue_max: document.concurrency.queue,
            queue_timeout_ms: document.concurrency.queue_timeout.as_ms(),
            slow_start_ms: document.slow_start.map_or(0, model::Duration::as_ms),
            passive: document.passive.clone(),
            breaker: BreakerRule {
                failure_percent: document.breaker.failure_percent,
                min_calls: document.breaker.min_calls,
                open_ms: document.breaker.open.as_ms(),
                probes: document.breaker.probes,
            },
            active: document.active.clone(),
        }
    }
}
