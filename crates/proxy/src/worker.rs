//! What one thread that carries calls has for itself.
//!
//! Nothing here is shared with another thread but through `Shared`. A worker knows its connections
//! so that it can wake them when the gateway drains, and end them when it must.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::Waker;
use std::time::{SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use arc_swap::Cache;
use portway_policy::{Clock, Reason, World};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::exchange::Stop;
use crate::failure::Fault;
use crate::live::Live;
use crate::overload::Overload;
use crate::pool::Pool;
use crate::recent::{Recent, Rings};
use crate::rehearsal::Stage;
use crate::request::Version;
use crate::shared::Shared;
use crate::telemetry::{Bound, Gauge, LineWriter, Random, Tracer, WorkerMetrics};

/// One worker.
pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) clock: WorkerClock,
    pub(crate) pool: Pool,
    pub(crate) log: RefCell<LineWriter>,
    /// Where spans are sent; none: nowhere.
    pub(crate) tracer: Option<Tracer>,
    pub(crate) metrics: WorkerMetrics,
    pub(crate) random: Random,
    /// The calls of the last while.
    pub(crate) recent: Arc<Mutex<Rings>>,
    /// What is added to the worker's milliseconds to have those since 1970.
    unix_offset_ms: Cell<u64>,
    /// Connections at rest that the gauge shows.
    idle_shown: Cell<i64>,
    ticks: Cell<u32>,
    live: RefCell<Cache<Arc<ArcSwap<Live>>, Arc<Live>>>,
    held: RefCell<Rc<Held>>,
    draining: Cell<bool>,
    pub(crate) overload: Rc<Overload>,
    connections: RefCell<Connections>,
    /// What calls are judged by in a rehearsal; none where calls are served.
    pub(crate) stage: Option<Box<Stage>>,
}

/// What is live, held by the calls of one thread.
pub(crate) struct Held(Arc<Live>);

impl std::ops::Deref for Held {
    type Target = Live;

    fn deref(&self) -> &Live {
        &self.0
    }
}

/// The connections of a worker, by a number that is used again.
#[derive(Default)]
struct Connections {
    entries: Vec<Option<Entry>>,
    free: Vec<usize>,
}

#[derive(Default)]
struct Entry {
    waker: Option<Waker>,
    abort: Option<AbortHandle>,
}

/// A connection's place among those of its worker; given up when dropped.
pub(crate) struct Place {
    worker: Rc<Worker>,
    index: usize,
}

impl Worker {
    pub(crate) fn new(
        shared: Arc<Shared>,
        (log, tracer): (LineWriter, Option<Tracer>),
        metrics: WorkerMetrics,
        random: Random,
    ) -> Rc<Self> {
        Self::on_stage(shared, (log, tracer), metrics, random, None)
    }

    /// One that may be for a rehearsal.
    pub(crate) fn on_stage(
        shared: Arc<Shared>,
        (log, tracer): (LineWriter, Option<Tracer>),
        metrics: WorkerMetrics,
        random: Random,
        stage: Option<Box<Stage>>,
    ) -> Rc<Self> {
        let mut live = Cache::new(Arc::clone(&shared.live));
        let held = Rc::new(Held(Arc::clone(live.load())));
        Rc::new(Self {
            clock: shared.clock,
            recent: match &stage {
                // Nobody asks for calls that were never made.
                Some(_) => Recent::default().worker(),
                None => shared.recent.worker(),
            },
            unix_offset_ms: Cell::new(unix_ms().saturating_sub(shared.clock.now_ms())),
            idle_shown: Cell::new(0),
            ticks: Cell::new(0),
            shared,
            pool: Pool::default(),
            log: RefCell::new(log),
            tracer,
            metrics,
            random,
            live: RefCell::new(live),
            held: RefCell::new(held),
            draining: Cell::new(false),
            overload: Rc::default(),
            connections: RefCell::default(),
            stage,
        })
    }

    /// What is live now, to be held by one call from its beginning to its end. Counted per thread:
    /// no counter is shared between cores.
    pub(crate) fn live(&self) -> Rc<Held> {
        let mut cache = self.live.borrow_mut();
        let newest = cache.load();
        let mut held = self.held.borrow_mut();
        if !Arc::ptr_eq(newest, &held.0) {
            *held = Rc::new(Held(Arc::clone(newest)));
        }
        Rc::clone(&held)
    }

    pub(crate) fn world<'a>(&'a self, live: &'a Live) -> World<'a> {
        match &self.stage {
            None => {
                World { clock: &self.clock, counters: &*self.shared.counters, keys: &live.keys }
            }
            Some(stage) => stage.world(),
        }
    }

    /// Milliseconds since 1970 at a moment of the worker's clock; exact to a tick when the system's
    /// clock is set.
    pub(crate) fn unix_ms_at(&self, now_us: u64) -> u64 {
        self.unix_offset_ms.get() + now_us / 1_000
    }

    /// What is done ten times a second: lines go out; each tenth time also spans, and old connections are closed.
    pub(crate) fn tick(&self) {
        const TICKS_A_SWEEP: u32 = 10;
        let now_ms = self.clock.now_ms();
        self.unix_offset_ms.set(unix_ms().saturating_sub(now_ms));
        self.log.borrow_mut().flush();
        self.overload.tick(self.clock, self.live().bounds.lag_ms);
        self.ticks.set(self.ticks.get().wrapping_add(1));
        if self.ticks.get().is_multiple_of(TICKS_A_SWEEP) {
            self.pool.sweep(now_ms);
            self.flush();
            crate::buffer::shrink();
        }
        let idle = i64::try_from(self.pool.len()).unwrap_or(i64::MAX);
        self.metrics.gauge(Gauge::PoolIdle, idle - self.idle_shown.replace(idle));
    }

    /// Microseconds since 1970, alike.
    pub(crate) fn unix_us_at(&self, now_us: u64) -> u64 {
        self.unix_offset_ms.get() * 1_000 + now_us
    }

    /// Hands over the lines and spans that were gathered.
    pub(crate) fn flush(&self) {
        self.log.borrow_mut().flush();
        if let Some(tracer) = &self.tracer {
            tracer.writer.borrow_mut().flush();
        }
    }

    /// Counts the bound that a call reached, if that is why it stopped.
    pub(crate) fn count_bound(&self, stop: &Stop, version: Version) {
        let bound = match stop {
            Stop::Refused(refusal, _) => bound_of(refusal.reason),
            Stop::Late(reason) => bound_of(*reason),
            Stop::Cut(Fault::CallerTooSlow) if version == Version::Http2 => {
                Some(Bound::Http2StallTimeout)
            }
            Stop::Cut(Fault::CallerTooSlow) => Some(Bound::WriteTimeout),
            Stop::Cut(Fault::CallTimeout) => Some(Bound::CallTimeout),
            Stop::Failed(_) | Stop::Cut(_) => None,
        };
        if let Some(bound) = bound {
            self.metrics.bound(bound);
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.get()
    }

    /// Wakes every connection, so that those at rest end.
    pub(crate) fn drain(&self) {
        self.draining.set(true);
        let wakers: Vec<Waker> = self
            .connections
            .borrow()
            .entries
            .iter()
            .flatten()
            .filter_map(|entry| entry.waker.clone())
            .collect();
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Ends every connection where it stands.
    pub(crate) fn cut(&self) {
        self.draining.set(true);
        let handles: Vec<AbortHandle> = self
            .connections
            .borrow()
            .entries
            .iter()
            .flatten()
            .filter_map(|entry| entry.abort.clone())
            .collect();
        handles.iter().for_each(AbortHandle::abort);
    }

    pub(crate) fn connection_count(&self) -> usize {
        let connections = self.connections.borrow();
        connections.entries.len() - connections.free.len()
    }

    pub(crate) fn enter(self: &Rc<Self>) -> Place {
        let mut connections = self.connections.borrow_mut();
        let index = match connections.free.pop() {
            Some(index) => {
                connections.entries[index] = Some(Entry::default());
                index
            }
            None => {
                connections.entries.push(Some(Entry::default()));
                connections.entries.len() - 1
            }
        };
        Place { worker: Rc::clone(self), index }
    }
}

/// The bound that a call has reached which is refused for a reason.
fn bound_of(reason: Reason) -> Option<Bound> {
    Some(match reason {
        Reason::HeadTooLarge => Bound::HeadBytes,
        Reason::TooManyFields => Bound::HeadFields,
        Reason::TargetTooLong => Bound::TargetBytes,
        Reason::BodyTooLarge => Bound::BodyBytes,
        Reason::TooMuchHeld => Bound::HeldBytes,
        Reason::BodyTimeout => Bound::BodyTimeout,
        Reason::Overloaded => Bound::Lag,
        _ => return None,
    })
}

impl Place {
    /// The number under which `set_abort` finds the place.
    pub(crate) fn index(&self) -> usize {
        self.index
    }

    /// Remembers how the connection's task is woken.
    pub(crate) fn set_waker(&self, waker: &Waker) {
        let mut connections = self.worker.connections.borrow_mut();
        if let Some(Some(entry)) = connections.entries.get_mut(self.index) {
            entry.waker = Some(waker.clone());
        }
    }
}

impl Worker {
    /// Remembers how the task of the connection at `index` is ended.
    pub(crate) fn set_abort(&self, index: usize, abort: AbortHandle) {
        if let Some(Some(entry)) = self.connections.borrow_mut().entries.get_mut(index) {
            entry.abort = Some(abort);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let entry = {
            let mut connections = self.worker.connections.borrow_mut();
            connections.free.push(self.index);
            connections.entries[self.index].take()
        };
        drop(entry);
    }
}

/// Time of a worker: milliseconds and microseconds since the gateway started, alike on all workers.
#[derive(Clone, Copy)]
pub(crate) struct WorkerClock {
    /// The moment it counts from, for the runtime's timers; not earlier than `base_us`, so that a timer never
    /// fires before the clock shows its time.
    base: Instant,
    base_us: u64,
}

impl WorkerClock {
    /// A clock that counts from now.
    pub(crate) fn start() -> Self {
        let base_us = monotonic_us();
        Self { base: Instant::now(), base_us }
    }

    pub(crate) fn base(self) -> Instant {
        self.base
    }

    pub(crate) fn now_ms(self) -> u64 {
        self.now_us() / 1_000
    }

    /// Read several times in every call, so it does no more than it must: no arithmetic of `Instant`.
    pub(crate) fn now_us(self) -> u64 {
        if cfg!(test) {
            // The runtime's clock, which a test may stop.
            return u64::try_from(self.base.elapsed().as_micros()).unwrap_or(u64::MAX);
        }
        monotonic_us() - self.base_us
    }
}

/// The clock behind `Instant`.
fn monotonic_us() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000 + now.tv_nsec.cast_unsigned() / 1_000
}

impl Clock for WorkerClock {
    fn now_us(&self) -> u64 {
        Self::now_us(*self)
    }

    fn unix_ms(&self) -> u64 {
        unix_ms()
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
