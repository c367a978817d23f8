//! What a scrape is told by others: the snapshot that serves, and the state of the backends.

use crate::telemetry::sink::LogCounts;
use crate::telemetry::spans::SpanCounts;

/// Everything that is looked at when metrics are written, not counted before.
#[derive(Debug, Clone, Default)]
pub struct Views<'a> {
    /// Now, milliseconds since 1970.
    pub now_unix_ms: u64,
    /// The snapshot that serves, if there is one.
    pub snapshot: Option<SnapshotView<'a>>,
    /// The backends; the first 1,000 and of all together the first 2,000 endpoints are shown.
    pub backends: &'a [BackendView<'a>],
    /// What became of log lines; none: the log is off.
    pub log: Option<LogCounts>,
    /// What became of spans; none: none are sent.
    pub spans: Option<SpanCounts>,
}

/// The snapshot that serves.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotView<'a> {
    /// Hash of its content.
    pub hash: &'a str,
    /// When it was published, milliseconds since 1970.
    pub published_unix_ms: u64,
    /// Whether newer documents failed to compile.
    pub last_load_failed: bool,
}

/// One backend.
#[derive(Debug, Clone)]
pub struct BackendView<'a> {
    /// Its stable key.
    pub backend: &'a str,
    /// Calls under way.
    pub in_flight: u64,
    /// Calls waiting for a place.
    pub waiting: u64,
    /// Calls whose answers have not begun, and how many of those there may be.
    pub awaiting: u64,
    /// See `awaiting`.
    pub awaiting_max: u64,
    /// Whether that is so few because it cannot keep up with more.
    pub is_limited: bool,
    /// Calls that found no place, by priority, the lowest first.
    pub refused: [u64; portway_model::Priority::ALL.len()],
    /// Its endpoints.
    pub endpoints: Vec<EndpointView>,
}

/// One address of a backend.
#[derive(Debug, Clone, Copy)]
pub struct EndpointView {
    /// Where it is.
    pub address: std::net::SocketAddr,
    /// Whether it takes calls.
    pub up: bool,
    /// Its breaker.
    pub breaker: Breaker,
    /// Calls under way.
    pub in_flight: u64,
}

/// State of a breaker, as a number of the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Breaker {
    /// Calls pass.
    Closed = 0,
    /// A few calls pass to see whether it is well again.
    HalfOpen = 1,
    /// No call passes.
    Open = 2,
}
