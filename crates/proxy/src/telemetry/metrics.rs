//! Counters of calls, connections and bounds, and their text for Prometheus.
//!
//! Each worker counts in a block of its own that only it writes: a count is a load and a store in its
//! own cache line, with no lock and no locked instruction. A scrape adds the blocks up. What other
//! threads count (checks, look-ups, reloads) goes to one shared block with atomic additions.
//!
//! Services and operations are known by name: [`Metrics::series`] gives a name its place once, when a
//! snapshot is published, and the place stays the name's for the life of the process, so a publish
//! resets nothing. There is a ceiling on places; what comes after it is counted together as `_other`.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

mod block;
mod event;
mod exemplar;
mod family;
mod form;
mod names;
mod render;
mod view;

pub use event::{AnswerResult, Bound, Event, Gauge, OutcomeId, Wire};
pub use family::{FAMILIES, Family, Kind};
pub use form::MetricsForm;
pub use names::{Ceilings, SeriesId};
pub use view::{BackendView, Breaker, EndpointView, SnapshotView, Views};

use block::{Block, SharedBlock};
use names::Names;

/// Upper edges of the duration histogram, in microseconds.
pub const BUCKETS_US: [u64; 13] = [
    500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 10_000_000,
];

/// All counters of the process.
#[derive(Debug)]
pub struct Metrics {
    ceilings: Ceilings,
    listeners: Box<[Box<str>]>,
    started_unix_ms: u64,
    names: Mutex<Names>,
    blocks: Mutex<Vec<Arc<Block>>>,
    shared: SharedBlock,
}

impl Metrics {
    /// No counts yet. `listeners` are the addresses as written, in the order by which workers name them.
    pub fn new(ceilings: Ceilings, listeners: &[&str], started_unix_ms: u64) -> Self {
        Self {
            ceilings,
            listeners: listeners.iter().map(|address| Box::from(*address)).collect(),
            started_unix_ms,
            names: Mutex::new(Names::new(ceilings)),
            blocks: Mutex::default(),
            shared: SharedBlock::default(),
        }
    }

    /// The counters of one more worker. Once per thread: blocks are kept for the life of the process.
    pub fn worker(&self) -> WorkerMetrics {
        let block = Arc::new(Block::new(self.ceilings, self.listeners.len()));
        lock(&self.blocks).push(Arc::clone(&block));
        WorkerMetrics { block, one_thread: PhantomData }
    }

    /// Counters that nobody reads.
    pub(crate) fn uncounted(&self) -> WorkerMetrics {
        let block = Arc::new(Block::new(self.ceilings, self.listeners.len()));
        WorkerMetrics { block, one_thread: PhantomData }
    }

    /// The place of an operation, found or given. An empty operation means calls of the service that
    /// met none; an empty service, calls that met none. Locks; for the time of a publish.
    pub fn series(&self, service: &str, operation: &str) -> SeriesId {
        lock(&self.names).series(service, operation)
    }

    /// Counts an event from a thread that is not a worker.
    pub fn add(&self, event: Event) {
        self.shared.add(event, 1);
    }

    /// Counts a bound that was reached, from a thread that is not a worker.
    pub fn bound(&self, bound: Bound) {
        self.shared.bound(bound);
    }

    /// All as text.
    pub fn render(&self, form: MetricsForm, views: &Views<'_>) -> String {
        let blocks: Vec<Arc<Block>> = lock(&self.blocks).clone();
        let names = lock(&self.names).clone();
        let scrape = render::Scrape { metrics: self, names: &names, blocks: &blocks, views };
        render::render(&scrape, form)
    }
}

/// The counters that one worker writes. Not `Sync` and not `Clone`: that nobody else writes them is what
/// makes counting cheap. A worker's tasks share it by `Rc`.
#[derive(Debug)]
pub struct WorkerMetrics {
    block: Arc<Block>,
    one_thread: PhantomData<Cell<()>>,
}

impl WorkerMetrics {
    /// Counts one finished call: status (of a call without an answer: its fault's), duration, and the bytes of both bodies.
    pub fn count(
        &self,
        series: SeriesId,
        status: u16,
        total_us: u64,
        bytes_in: u64,
        bytes_out: u64,
    ) {
        self.block.count(series, status, total_us, bytes_in, bytes_out);
    }

    /// Remembers a call as the example of its bucket: one whose trace, 32 hexadecimal digits, can be looked at.
    pub fn exemplar(&self, series: SeriesId, total_us: u64, trace_id: &[u8], unix_ms: u64) {
        self.block.exemplar(series, total_us, trace_id, unix_ms);
    }

    /// Counts how a call ended.
    pub fn outcome(&self, outcome: OutcomeId) {
        self.block.outcome(outcome);
    }

    /// Counts a call that did not keep its contract: refused, or reported.
    pub fn breach(&self, series: SeriesId, is_refused: bool) {
        self.block.breach(series, is_refused);
    }

    /// Counts an answer that was checked.
    pub fn answer_checked(&self, series: SeriesId, result: AnswerResult) {
        self.block.answer_checked(series, result);
    }

    /// Counts an event.
    pub fn add(&self, event: Event) {
        self.block.add(event);
    }

    /// Counts a bound that was reached.
    pub fn bound(&self, bound: Bound) {
        self.block.bound(bound);
    }

    /// Moves a gauge. A thing may be taken up by one worker and let go by another: the sum is what counts.
    pub fn gauge(&self, gauge: Gauge, by: i64) {
        self.block.gauge(gauge, by);
    }

    /// A connection came in; what it speaks is [`Wire::Unknown`] as yet. `listener` is its index; one that
    /// is out of range is not counted.
    pub fn connection_opened(&self, listener: usize) {
        self.block.connection_opened(listener);
    }

    /// It became known what a connection speaks, or it was upgraded.
    pub fn connection_became(&self, listener: usize, from: Wire, to: Wire) {
        self.block.connection_moved(listener, Some(from), Some(to));
    }

    /// A connection ended.
    pub fn connection_closed(&self, listener: usize, wire: Wire) {
        self.block.connection_moved(listener, Some(wire), None);
    }

    /// A TLS handshake with a caller ended.
    pub fn handshake(&self, listener: usize, ok: bool) {
        self.block.handshake(listener, ok);
    }
}

/// A panic elsewhere leaves counters as they were: they cannot be half changed.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
