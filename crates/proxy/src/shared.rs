//! What all workers share: what is live, counters, metrics, and the bound on connections.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use portway_policy::MemoryCounters;

use crate::learn::Seen;
use crate::listener::Recurring;
use crate::live::Live;
use crate::recent::Recent;
use crate::telemetry::{LogFields, Metrics, Privacy, SeriesId, SpanTallies};
use crate::upstream::Upstreams;
use crate::worker::WorkerClock;

/// One per gateway.
pub(crate) struct Shared {
    pub(crate) live: Arc<ArcSwap<Live>>,
    pub(crate) counters: Arc<MemoryCounters>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) upstreams: Arc<Upstreams>,
    pub(crate) admission: Admission,
    /// Bytes of all bodies that are held.
    pub(crate) held_bytes: AtomicU64,
    /// Connections that could not be accepted, for want of descriptors.
    pub(crate) refused_by_system: Recurring,
    /// The one clock of all workers.
    pub(crate) clock: WorkerClock,
    pub(crate) logs_calls: bool,
    /// The fields of a line, where the document has chosen them.
    pub(crate) log_fields: Option<LogFields>,
    /// What of callers is shown.
    pub(crate) privacy: Privacy,
    /// What became of spans; none: none are sent.
    pub(crate) span_tallies: Option<Arc<SpanTallies>>,
    /// What was seen of services that are learned.
    pub(crate) seen: Seen,
    /// Files that the process may have open at once.
    pub(crate) files_max: u64,
    /// Calls that met no service.
    pub(crate) unmatched: SeriesId,
    pub(crate) recent: Recent,
}

/// Connections that there are, in all and by address.
#[derive(Default)]
pub(crate) struct Admission {
    total: AtomicU64,
    shards: [Mutex<HashMap<u64, u32>>; 16],
    hasher: RandomState,
}

/// Why a connection is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turned {
    Total,
    Address,
}

/// A connection that was taken; counted until dropped.
pub(crate) struct Admitted {
    admission: Arc<Shared>,
    /// `None` for trusted proxies, which are not counted by address.
    network: Option<u64>,
}

impl Admission {
    pub(crate) fn total(&self) -> u64 {
        self.total.load(Ordering::Relaxed)
    }

    fn shard(&self, network: u64) -> &Mutex<HashMap<u64, u32>> {
        &self.shards[self.hasher.hash_one(network) as usize % self.shards.len()]
    }
}

impl Shared {
    /// Takes a connection unless there are too many.
    pub(crate) fn admit(
        self: &Arc<Self>,
        address: IpAddr,
        trusted: bool,
        (total_max, address_max): (u64, u32),
    ) -> Result<Admitted, Turned> {
        let admission = &self.admission;
        if admission.total.fetch_add(1, Ordering::Relaxed) >= total_max {
            admission.total.fetch_sub(1, Ordering::Relaxed);
            return Err(Turned::Total);
        }
        let mut admitted = Admitted { admission: Arc::clone(self), network: None };
        if trusted {
            return Ok(admitted);
        }
        let network = network(address);
        let mut shard = admission.shard(network).lock().unwrap_or_else(PoisonError::into_inner);
        let count = shard.entry(network).or_insert(0);
        if *count >= address_max {
            return Err(Turned::Address);
        }
        *count += 1;
        admitted.network = Some(network);
        Ok(admitted)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let admission = &self.admission.admission;
        admission.total.fetch_sub(1, Ordering::Relaxed);
        let Some(network) = self.network else { return };
        let mut shard = admission.shard(network).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = shard.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                shard.remove(&network);
            }
        }
    }
}

/// An IPv4 address, or the /64 of an IPv6 one: whoever has one address of it has all.
fn network(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    }
}
