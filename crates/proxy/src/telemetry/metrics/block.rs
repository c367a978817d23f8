//! The memory that one worker counts in.
//!
//! Only its worker writes, so an addition is a load and a store; scrapes read. Slots of services and
//! operations are made in chunks when they are first counted, so an unused ceiling costs no memory.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed};

use super::BUCKETS_US;
use super::event::{AnswerResult, Bound, Event, Gauge, OutcomeId, Wire};
use super::exemplar::{Exemplar, Exemplars};
use super::names::{Ceilings, SeriesId, UNCOUNTED};

/// Classes of status: 1xx … 5xx.
pub(super) const CLASSES: usize = 5;
/// The buckets with an edge, and the one without.
pub(super) const BUCKETS: usize = BUCKETS_US.len() + 1;

/// Slots made at a time.
const CHUNK: usize = 16;

/// Counts of one service.
#[derive(Debug, Default)]
pub(super) struct ServiceSlot {
    pub(super) classes: [AtomicU64; CLASSES],
    pub(super) buckets: [AtomicU64; BUCKETS],
    pub(super) total_us: AtomicU64,
    pub(super) bytes_in: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    /// Made when the first call of it is sampled.
    pub(super) exemplars: OnceLock<Box<Exemplars>>,
}

/// Counts of one operation.
#[derive(Debug, Default)]
pub(super) struct OperationSlot {
    pub(super) classes: [AtomicU64; CLASSES],
    pub(super) total_us: AtomicU64,
}

/// What came of checks against the contract, of one operation.
#[derive(Debug, Default)]
pub(super) struct CheckSlot {
    pub(super) reported: AtomicU64,
    pub(super) refused: AtomicU64,
    /// By result.
    pub(super) answers: [AtomicU64; AnswerResult::ALL.len()],
}

/// Counts of one listener.
#[derive(Debug, Default)]
pub(super) struct ListenerSlot {
    pub(super) accepted: AtomicU64,
    pub(super) open: [AtomicI64; Wire::ALL.len()],
    pub(super) handshakes_ok: AtomicU64,
    pub(super) handshakes_failed: AtomicU64,
}

/// Slots by place, made in chunks.
#[derive(Debug)]
pub(super) struct Slots<T>(Box<[OnceLock<Box<[T; CHUNK]>>]>);

impl<T: Default> Slots<T> {
    fn new(places: usize) -> Self {
        Self((0..places.div_ceil(CHUNK)).map(|_| OnceLock::new()).collect())
    }

    /// The slot of a place; none when the place is beyond the ceiling that this block was made with.
    fn at(&self, place: u16) -> Option<&T> {
        let place = usize::from(place);
        let chunk = self.0.get(place / CHUNK)?;
        Some(&chunk.get_or_init(|| Box::new(std::array::from_fn(|_| T::default())))[place % CHUNK])
    }

    /// The slot of a place, if anything was counted near it.
    pub(super) fn seen(&self, place: usize) -> Option<&T> {
        Some(&self.0.get(place / CHUNK)?.get()?[place % CHUNK])
    }
}

/// The counters of one worker. Aligned so that no two workers' counters share a pair of cache lines.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Block {
    pub(super) services: Slots<ServiceSlot>,
    pub(super) operations: Slots<OperationSlot>,
    pub(super) checks: Slots<CheckSlot>,
    pub(super) listeners: Box<[ListenerSlot]>,
    pub(super) outcomes: [AtomicU64; OutcomeId::COUNT],
    pub(super) events: [AtomicU64; Event::ALL.len()],
    pub(super) bounds: [AtomicU64; Bound::ALL.len()],
    pub(super) gauges: [AtomicI64; Gauge::ALL.len()],
}

fn grow(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(by), Relaxed);
}

fn shift(gauge: &AtomicI64, by: i64) {
    gauge.store(gauge.load(Relaxed).wrapping_add(by), Relaxed);
}

/// No other status comes here: answers of backends are refused outside of these, and all else is ours.
fn class_of(status: u16) -> usize {
    usize::from(status / 100).clamp(1, CLASSES) - 1
}

fn bucket_of(total_us: u64) -> usize {
    BUCKETS_US.iter().take_while(|edge| total_us > **edge).count()
}

impl Block {
    pub(super) fn new(ceilings: Ceilings, listeners: usize) -> Self {
        Self {
            services: Slots::new(ceilings.service_places()),
            operations: Slots::new(ceilings.operation_places()),
            checks: Slots::new(ceilings.operation_places()),
            listeners: (0..listeners).map(|_| ListenerSlot::default()).collect(),
            outcomes: std::array::from_fn(|_| AtomicU64::new(0)),
            events: std::array::from_fn(|_| AtomicU64::new(0)),
            bounds: std::array::from_fn(|_| AtomicU64::new(0)),
            gauges: std::array::from_fn(|_| AtomicI64::new(0)),
        }
    }

    pub(super) fn count(
        &self,
        series: SeriesId,
        status: u16,
        total_us: u64,
        bytes_in: u64,
        bytes_out: u64,
    ) {
        let class = class_of(status);
        if let Some(slot) = self.services.at(series.service) {
            grow(&slot.classes[class], 1);
            grow(&slot.buckets[bucket_of(total_us)], 1);
            grow(&slot.total_us, total_us);
            grow(&slot.bytes_in, bytes_in);
            grow(&slot.bytes_out, bytes_out);
        }
        if series.operation != UNCOUNTED
            && let Some(slot) = self.operations.at(series.operation)
        {
            grow(&slot.classes[class], 1);
            grow(&slot.total_us, total_us);
        }
    }

    pub(super) fn exemplar(&self, series: SeriesId, total_us: u64, trace_id: &[u8], unix_ms: u64) {
        let (Some(slot), Ok(trace_id)) = (self.services.at(series.service), trace_id.try_into())
        else {
            return;
        };
        let exemplar = Exemplar { trace_id, total_us, unix_ms };
        slot.exemplars.get_or_init(Box::default).put(bucket_of(total_us), exemplar);
    }

    fn check_slot(&self, series: SeriesId) -> Option<&CheckSlot> {
        if series.operation == UNCOUNTED { None } else { self.checks.at(series.operation) }
    }

    pub(super) fn breach(&self, series: SeriesId, is_refused: bool) {
        if let Some(slot) = self.check_slot(series) {
            grow(if is_refused { &slot.refused } else { &slot.reported }, 1);
        }
    }

    pub(super) fn answer_checked(&self, series: SeriesId, result: AnswerResult) {
        if let Some(slot) = self.check_slot(series) {
            grow(&slot.answers[result as usize], 1);
        }
    }

    pub(super) fn outcome(&self, outcome: OutcomeId) {
        grow(&self.outcomes[outcome.index()], 1);
    }

    pub(super) fn add(&self, event: Event) {
        grow(&self.events[event as usize], 1);
    }

    pub(super) fn bound(&self, bound: Bound) {
        grow(&self.bounds[bound as usize], 1);
    }

    pub(super) fn gauge(&self, gauge: Gauge, by: i64) {
        shift(&self.gauges[gauge as usize], by);
    }

    pub(super) fn connection_opened(&self, listener: usize) {
        if let Some(slot) = self.listeners.get(listener) {
            grow(&slot.accepted, 1);
        }
        self.connection_moved(listener, None, Some(Wire::Unknown));
    }

    pub(super) fn connection_moved(&self, listener: usize, from: Option<Wire>, to: Option<Wire>) {
        let Some(slot) = self.listeners.get(listener) else { return };
        if let Some(from) = from {
            shift(&slot.open[from as usize], -1);
        }
        if let Some(to) = to {
            shift(&slot.open[to as usize], 1);
        }
    }

    pub(super) fn handshake(&self, listener: usize, ok: bool) {
        if let Some(slot) = self.listeners.get(listener) {
            grow(if ok { &slot.handshakes_ok } else { &slot.handshakes_failed }, 1);
        }
    }
}

/// What threads that are not workers count.
#[derive(Debug, Default)]
pub(super) struct SharedBlock {
    pub(super) events: [AtomicU64; Event::ALL.len()],
    pub(super) bounds: [AtomicU64; Bound::ALL.len()],
}

impl SharedBlock {
    pub(super) fn add(&self, event: Event, by: u64) {
        self.events[event as usize].fetch_add(by, Relaxed);
    }

    pub(super) fn bound(&self, bound: Bound) {
        self.bounds[bound as usize].fetch_add(1, Relaxed);
    }
}
