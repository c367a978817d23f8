//! What policies ask of the outside: time, keys, counters.
//!
//! Each port has an implementation in memory here and may have others elsewhere. None of them waits.

use std::net::IpAddr;
use std::sync::Arc;

use portway_model::Name;

use crate::gate::Gate;
use crate::hmac::Signer;
use crate::message::Verifier;
use crate::rules::{LimitRule, Plan, RuleName};

/// Time.
pub trait Clock: Send + Sync {
    /// Microseconds since some moment; never goes back. Microseconds, so that `N/s` loses at most a millionth
    /// of its allowance to rounding.
    fn now_us(&self) -> u64;
    /// Milliseconds since 1970-01-01 UTC. May be set, forwards and back.
    fn unix_ms(&self) -> u64;
}

/// The keys of apps.
pub trait Keys: Send + Sync {
    /// The app of a key, by the SHA-256 of the key. Unknown, disabled and expired keys are all `None`.
    fn find(&self, sha256: &[u8; 32]) -> Option<Arc<App>>;
    /// The key pair of an id. Unknown ids and those of disabled apps are `None`.
    fn signer(&self, id: &str) -> Option<Arc<Signer>>;
    /// The signing key of an id, alike.
    fn verifier(&self, id: &str) -> Option<Arc<Verifier>>;
    /// The app of a mark of a certificate (see [`crate::certificate`]). Those of disabled apps are `None`.
    fn holder(&self, mark: &[u8; 32]) -> Option<Arc<App>>;
}

/// A caller, compiled.
#[derive(Debug, Clone)]
pub struct App {
    /// Its name.
    pub name: Name,
    /// Its plan, compiled; shared by all apps that have it.
    pub plan: Option<Arc<Plan>>,
    /// The services that it may call, sorted. `None`: all that take keys.
    pub services: Option<Box<[Name]>>,
}

impl App {
    /// From its document. Whether it is disabled is for the one who builds the table of keys.
    pub fn new(name: Name, document: &portway_model::App, plan: Option<Arc<Plan>>) -> Self {
        let services = document.services.clone().map(|mut services| {
            services.sort();
            services.into_boxed_slice()
        });
        Self { name, plan, services }
    }

    /// Whether it may call a service.
    pub fn may_call(&self, service: &Name) -> bool {
        self.services.as_ref().is_none_or(|services| services.binary_search(service).is_ok())
    }
}

/// The value for which a limit counts, beside the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// No value is asked for.
    All,
    /// The call has no such value, or several: all such calls count together.
    Absent,
    /// This text.
    Text(&'a [u8]),
    /// This text, percent-encoded; all its spellings count together.
    Encoded(&'a [u8]),
    /// This network: an IPv4 address, or the /64 of an IPv6 address.
    Network(u64),
}

impl Value<'_> {
    /// The network of an address. Whoever has one IPv6 address has its whole /64, so that is what counts; an
    /// IPv4 address written as IPv6 (`::ffff:a.b.c.d`) is that IPv4 address.
    pub fn network(address: IpAddr) -> Self {
        match address.to_canonical() {
            // ::/32 is nobody's network, so that IPv4 addresses can have its place.
            IpAddr::V4(v4) => Self::Network(u64::from(v4.to_bits())),
            IpAddr::V6(v6) => Self::Network((v6.to_bits() >> 64) as u64),
        }
    }
}

/// One count that a call wants to be part of.
#[derive(Debug, Clone, Copy)]
pub struct Want<'a> {
    /// The limit.
    pub rule: &'a LimitRule,
    /// For this app, where it counts per app. Calls without an app count together.
    pub app: Option<&'a str>,
    /// For this value.
    pub value: Value<'a>,
}

/// What kind of bound a [`LimitState`] tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Calls in a sliding window.
    Rate,
    /// Calls in a calendar day or month.
    Quota,
}

/// Where a caller stands with one limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitState {
    /// What kind.
    pub kind: Kind,
    /// Its name towards callers.
    pub rule: RuleName,
    /// Calls that it allows in its window.
    pub limit: u64,
    /// Calls that would be admitted now.
    pub remaining: u64,
    /// Seconds, rounded up, until more are admitted than now.
    pub reset_s: u32,
    /// Length of its window in seconds.
    pub window_s: u32,
}

impl LimitState {
    /// Whether this one would refuse sooner than another: fewer calls remaining, or as many for longer.
    pub fn is_tighter_than(&self, other: &Self) -> bool {
        (self.remaining, std::cmp::Reverse(self.reset_s))
            < (other.remaining, std::cmp::Reverse(other.reset_s))
    }
}

/// The counts.
pub trait Counters: Send + Sync {
    /// Counts a call with all of `wants` or with none. Gives the tightest state after that; `None` when nothing
    /// was wanted.
    ///
    /// # Errors
    /// The state of the limit that refuses; of several, the one that refuses longest, so that a call repeated
    /// after `reset_s` is refused by none of them for what was counted until now.
    fn take(
        &self,
        wants: &[Want<'_>],
        now_us: u64,
        unix_ms: u64,
    ) -> Result<Option<LimitState>, LimitState>;

    /// Enters a gate through which at most `max` calls may be at once; `None` when it is full. The call leaves
    /// when what is given back is dropped. With an app, the gate is that app's own.
    fn enter(&self, gate: u64, app: Option<&str>, max: u32) -> Option<Gate>;
}

/// The ports together.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// Time.
    pub clock: &'a dyn Clock,
    /// Counts.
    pub counters: &'a dyn Counters,
    /// Keys.
    pub keys: &'a dyn Keys,
}
