//! What a backend looks like at one moment: plain values for pages, `/snapshot` and metrics.

use std::net::{IpAddr, SocketAddr};

use super::breaker::BreakerState;
use super::endpoint::{Condition, EndpointId};

/// A backend at one moment. Times are of the clock that was given to `Upstreams`.
#[derive(Debug, Clone, PartialEq)]
pub struct BackendView {
    /// Its stable id.
    pub key: Box<str>,
    /// Calls under way.
    pub in_flight: u32,
    /// Calls under way at most.
    pub in_flight_max: u32,
    /// Those of them that await the head of an answer.
    pub awaiting: u32,
    /// Those at most, as it is now.
    pub awaiting_max: u32,
    /// Whether that is so few because there is a line at the backend.
    pub is_limited: bool,
    /// Calls that wait for a place.
    pub queued: u32,
    /// Its endpoints, by level.
    pub endpoints: Vec<EndpointView>,
    /// Its names.
    pub names: Vec<NameView>,
    /// Calls of the last ten seconds.
    pub recent_calls: u64,
    /// Extra attempts of the last ten seconds that the budget paid for.
    pub recent_retries: u64,
    /// What was counted since its state was made.
    pub counts: BackendCounts,
}

/// Things counted since a backend's state was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct BackendCounts {
    /// Endpoints ejected after failures in a row.
    pub ejections: u64,
    /// Ejections that did not happen because too many were out already.
    pub ejections_withheld: u64,
    /// Breakers opened.
    pub breaker_openings: u64,
    /// Active checks that failed.
    pub check_failures: u64,
    /// Extra attempts that were made.
    pub retries: u64,
    /// Extra attempts that the budget refused.
    pub retries_refused: u64,
    /// Calls refused because the queue was full.
    pub queue_full: u64,
    /// Calls refused because they waited too long.
    pub queue_timeouts: u64,
    /// Both, by priority, the lowest first.
    pub refused: [u64; portway_model::Priority::ALL.len()],
    /// Calls that found every target out.
    pub no_target: u64,
    /// Calls that found no address at all.
    pub dns_failed: u64,
}

/// An endpoint at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointView {
    /// Who it is.
    pub id: EndpointId,
    /// Where it is.
    pub address: SocketAddr,
    /// The `Host` of its target.
    pub host: Box<str>,
    /// Level: used only when all lower ones are out.
    pub level: usize,
    /// Its share of the level, 0–1.
    pub share: f64,
    /// How it does.
    pub condition: Condition,
    /// When its ejection ends, if it is ejected.
    pub ejected_until_ms: Option<u64>,
    /// Its breaker.
    pub breaker: BreakerState,
    /// Part of its share that it gets, below 1 in slow start.
    pub ramp: f64,
    /// Calls under way.
    pub in_flight: u32,
    /// Calls that got a verdict.
    pub calls: u64,
    /// Those of them that failed.
    pub failures: u64,
}

/// A name at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameView {
    /// The name.
    pub name: Box<str>,
    /// Whether SRV records are asked for.
    pub srv: bool,
    /// Addresses in use.
    pub addresses: Vec<IpAddr>,
    /// When it last answered in full; `None`: never.
    pub answered_ms: Option<u64>,
    /// Since when the answer in use is older than its TTL.
    pub stale_since_ms: Option<u64>,
    /// Why.
    pub error: Option<Box<str>>,
    /// Rounds of questions.
    pub lookups: u64,
    /// Those that failed, in whole or in part.
    pub failures: u64,
    /// Those that changed the addresses.
    pub changes: u64,
    /// Addresses that were refused (see `names`).
    pub refused: u64,
}
