//! How many calls a backend has at once, and who waits for a place.
//!
//! Two bounds: how many are *inside*, from before they are sent until their answers have ended, and how many of those *await*
//! the head of an answer. The first is what the document says; the second moves (see `adaptive`). A call that streams for
//! an hour holds a place of the first kind only.
//!
//! Exact under threads: never more than the bounds say are let in, and a place that becomes free goes to the one of the
//! highest priority who has waited longest. Entering and leaving while nobody waits is one atomic exchange each; the lock is
//! taken only when somebody waits. Assumes that a waiting call has a tokio runtime with a timer; leaves the
//! wording of answers to others.
//!
//! One word holds all three counts, so that "is there a place" and "does somebody wait"
//! are one look and no wake-up can be lost: `waiting` changes only under the lock, and whoever leaves while somebody waits
//! lets in, under the lock, who then has room.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portway_model::Priority;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::line::{CLASSES, Line};
use crate::failure::{Failure, Fault};

/// Bounded places with a bounded queue in front.
#[derive(Debug)]
pub(super) struct Gate {
    /// From below: inside, awaiting, waiting; 21 bits each.
    counts: AtomicU64,
    max: AtomicU32,
    /// Those that may await an answer.
    limit: AtomicU32,
    queue_max: AtomicU32,
    /// Those of the usual priority and below that may wait.
    queue_of_usual: AtomicU32,
    waiters: Mutex<Line<oneshot::Sender<Place>>>,
    /// By priority.
    refused_full: [AtomicU64; CLASSES],
    refused_timeout: [AtomicU64; CLASSES],
}

/// A place inside; dropping it gives it on.
#[derive(Debug)]
pub(super) struct Place {
    gate: Option<Arc<Gate>>,
    /// Whether it counts among those that await an answer.
    awaits: bool,
}

/// How one waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) most: Duration,
    /// How often the waiting one looks around.
    pub(super) look: Duration,
    /// When it came, in milliseconds.
    pub(super) since_ms: u64,
}

const BITS: u32 = 21;
const COUNT_MAX: u32 = (1 << BITS) - 1;
const ONE_INSIDE: u64 = 1;
const ONE_AWAITING: u64 = 1 << BITS;
const ONE_WAITING: u64 = 1 << (2 * BITS);

const fn inside(counts: u64) -> u32 {
    counts as u32 & COUNT_MAX
}

const fn awaiting(counts: u64) -> u32 {
    (counts >> BITS) as u32 & COUNT_MAX
}

const fn waiting(counts: u64) -> u32 {
    (counts >> (2 * BITS)) as u32 & COUNT_MAX
}

/// What one more call inside adds.
const fn one(awaits: bool) -> u64 {
    if awaits { ONE_INSIDE + ONE_AWAITING } else { ONE_INSIDE }
}

impl Gate {
    pub(super) fn new(max: u32, queue_max: u32) -> Self {
        let zeros = || std::array::from_fn(|_| AtomicU64::new(0));
        Self {
            counts: AtomicU64::new(0),
            max: AtomicU32::new(max.clamp(1, COUNT_MAX)),
            limit: AtomicU32::new(u32::MAX),
            queue_max: AtomicU32::new(queue_max.min(COUNT_MAX)),
            queue_of_usual: AtomicU32::new(u32::MAX),
            waiters: Mutex::default(),
            refused_full: zeros(),
            refused_timeout: zeros(),
        }
    }

    /// A place, if one is free and nobody waits for it. A call that does not count among those that await an answer passes those
    /// who wait for such a place.
    pub(super) fn try_enter(self: &Arc<Self>, awaits: bool) -> Option<Place> {
        let mut seen = self.counts.load(Ordering::Relaxed);
        while self.has_room(seen, awaits) && (waiting(seen) == 0 || !awaits) {
            match self.counts.compare_exchange_weak(
                seen,
                seen + one(awaits),
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(Place { gate: Some(Arc::clone(self)), awaits }),
                Err(now) => seen = now,
            }
        }
        None
    }

    fn has_room(&self, seen: u64, awaits: bool) -> bool {
        inside(seen) < self.max.load(Ordering::Relaxed)
            && (!awaits || awaiting(seen) < self.limit.load(Ordering::Relaxed))
    }

    /// A place, after waiting for it by priority and in order of arrival. `look` is called now and then meanwhile.
    ///
    /// Dropping the future gives the place in the queue up.
    pub(super) async fn enter(
        self: &Arc<Self>,
        priority: Priority,
        patience: Patience,
        look: impl Fn(),
    ) -> Result<Place, Failure> {
        if let Some(place) = self.try_enter(true) {
            return Ok(place);
        }
        let mut queued = match self.queue_up(priority, patience.since_ms)? {
            Queued::Inside(place) => return Ok(place),
            Queued::Waiting(queued) => queued,
        };
        let until = Instant::now() + patience.most;
        loop {
            let next = until.min(Instant::now() + patience.look);
            match tokio::time::timeout_at(next, &mut queued.granted).await {
                Ok(Ok(place)) => return Ok(place),
                // It had to make way.
                Ok(Err(_)) => return Err(Failure::last(Fault::QueueFull)),
                Err(_) if next < until => look(),
                Err(_) => {
                    self.refused_timeout[priority as usize].fetch_add(1, Ordering::Relaxed);
                    return Err(Failure::last(Fault::QueueTimeout));
                }
            }
        }
    }

    fn queue_up(self: &Arc<Self>, priority: Priority, since_ms: u64) -> Result<Queued, Failure> {
        let mut waiters = self.waiters();
        let is_full = waiters.len() >= self.queue_max.load(Ordering::Relaxed) as usize
            || priority <= Priority::Normal
                && waiters.len_of_usual() >= self.queue_of_usual.load(Ordering::Relaxed) as usize;
        let mut seen = self.counts.load(Ordering::Relaxed);
        loop {
            let enters = self.has_room(seen, true) && waiting(seen) == 0;
            if !enters && is_full {
                match waiters.displace(priority) {
                    Some((displaced, grant)) => {
                        drop(grant);
                        self.counts.fetch_sub(ONE_WAITING, Ordering::AcqRel);
                        self.refused_full[displaced as usize].fetch_add(1, Ordering::Relaxed);
                    }
                    None => {
                        self.refused_full[priority as usize].fetch_add(1, Ordering::Relaxed);
                        return Err(Failure::last(Fault::QueueFull));
                    }
                }
                break;
            }
            if !enters {
                break;
            }
            let to = seen + one(true);
            match self.counts.compare_exchange_weak(seen, to, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => {
                    let place = Place { gate: Some(Arc::clone(self)), awaits: true };
                    return Ok(Queued::Inside(place));
                }
                Err(now) => seen = now,
            }
        }
        let (grant, granted) = oneshot::channel();
        let ticket = waiters.push(priority, since_ms, grant);
        self.counts.fetch_add(ONE_WAITING, Ordering::AcqRel);
        drop(waiters);
        // Whoever left in between saw nobody waiting.
        self.let_in();
        Ok(Queued::Waiting(Waiting { gate: Arc::clone(self), priority, ticket, granted }))
    }

    /// Gives back what a call held: to the one who is next, else to nobody.
    fn give(self: &Arc<Self>, freed: u64) {
        let mut seen = self.counts.load(Ordering::Relaxed);
        while waiting(seen) == 0 {
            match self.counts.compare_exchange_weak(
                seen,
                seen - freed,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
        self.counts.fetch_sub(freed, Ordering::AcqRel);
        self.let_in();
    }

    /// Lets in who waits, as far as there is room.
    fn let_in(self: &Arc<Self>) {
        loop {
            let grant = {
                let mut waiters = self.waiters();
                if waiters.len() == 0 || !self.take_room() {
                    return;
                }
                waiters.pop().expect("somebody waits")
            };
            if let Err(place) = grant.send(Place { gate: Some(Arc::clone(self)), awaits: true }) {
                // It went away between the lock and the grant: the place is still ours to give.
                place.forget();
                self.counts.fetch_sub(one(true), Ordering::AcqRel);
            }
        }
    }

    /// Takes a place for one that waits; under the lock.
    fn take_room(&self) -> bool {
        let mut seen = self.counts.load(Ordering::Relaxed);
        while self.has_room(seen, true) {
            let to = seen + one(true) - ONE_WAITING;
            match self.counts.compare_exchange_weak(seen, to, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => return true,
                Err(now) => seen = now,
            }
        }
        false
    }

    /// Changes the bounds; places that this frees go to those who wait.
    pub(super) fn resize(self: &Arc<Self>, max: u32, queue_max: u32) {
        self.queue_max.store(queue_max.min(COUNT_MAX), Ordering::Relaxed);
        self.max.store(max.clamp(1, COUNT_MAX), Ordering::Relaxed);
        self.let_in();
    }

    /// Changes how many may await an answer, and how many may wait.
    pub(super) fn limit(self: &Arc<Self>, limit: u32, queue_max: u32) {
        self.limit.store(limit, Ordering::Relaxed);
        self.queue_max.store(queue_max.min(COUNT_MAX), Ordering::Relaxed);
        self.let_in();
    }

    /// Changes how many of the usual priority and below may wait.
    pub(super) fn bound_usual(&self, most: u32) {
        self.queue_of_usual.store(most, Ordering::Relaxed);
    }

    /// Sends those of the usual priority and below away who have waited for too long, or are too many.
    pub(super) fn trim(&self, now_ms: u64, patience_ms: u64) {
        let mut waiters = self.waiters();
        let most = self.queue_of_usual.load(Ordering::Relaxed) as usize;
        waiters.trim(most, now_ms, patience_ms, |priority, grant| {
            drop(grant);
            self.counts.fetch_sub(ONE_WAITING, Ordering::AcqRel);
            self.refused_full[priority as usize].fetch_add(1, Ordering::Relaxed);
        });
    }

    fn give_up(&self, priority: Priority, ticket: u64) {
        let mut waiters = self.waiters();
        if waiters.remove(priority, ticket) {
            self.counts.fetch_sub(ONE_WAITING, Ordering::AcqRel);
        }
    }

    fn waiters(&self) -> MutexGuard<'_, Line<oneshot::Sender<Place>>> {
        // Nothing under the lock can panic half way; a poisoned line is whole.
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls inside.
    pub(super) fn inside(&self) -> u32 {
        inside(self.counts.load(Ordering::Relaxed))
    }

    /// Calls inside that await an answer.
    pub(super) fn awaiting(&self) -> u32 {
        awaiting(self.counts.load(Ordering::Relaxed))
    }

    /// Calls that wait.
    pub(super) fn waiting(&self) -> u32 {
        waiting(self.counts.load(Ordering::Relaxed))
    }

    /// Whether calls wait because as many are inside as may be, whatever they do there.
    pub(super) fn is_full(&self) -> bool {
        let seen = self.counts.load(Ordering::Relaxed);
        waiting(seen) > 0 && inside(seen) >= self.max.load(Ordering::Relaxed)
    }

    /// How many may await an answer.
    pub(super) fn awaiting_max(&self) -> u32 {
        self.limit.load(Ordering::Relaxed).min(self.max.load(Ordering::Relaxed))
    }

    /// Calls refused because the queue was full, and because they waited too long; by priority.
    pub(super) fn refused(&self) -> [(u64, u64); CLASSES] {
        std::array::from_fn(|at| {
            let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
            (read(&self.refused_full[at]), read(&self.refused_timeout[at]))
        })
    }
}

enum Queued {
    Inside(Place),
    Waiting(Waiting),
}

/// A place in the queue; dropping it leaves the queue.
struct Waiting {
    gate: Arc<Gate>,
    priority: Priority,
    ticket: u64,
    granted: oneshot::Receiver<Place>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // A grant that already arrived is dropped with the receiver, and given on by that.
        self.gate.give_up(self.priority, self.ticket);
    }
}

impl Place {
    /// The answer's head has come: others may be sent, while this one's body goes on.
    pub(super) fn answered(&mut self) {
        if std::mem::take(&mut self.awaits)
            && let Some(gate) = &self.gate
        {
            gate.give(ONE_AWAITING);
        }
    }

    fn forget(mut self) {
        self.gate = None;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.give(one(self.awaits));
        }
    }
}

#[cfg(test)]
mod tests;
