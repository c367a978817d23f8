//! How many calls a backend has at once, and who waits for a place.
//!
//! Exact under threads: never more than `max` are inside, and a place that becomes free goes to the one who
//! has waited longest. Entering and leaving while nobody waits is one atomic exchange each; the lock is taken
//! only when somebody waits. Assumes that a waiting call has a tokio runtime with a timer; leaves the
//! wording of answers to others.
//!
//! One word holds both counts (inside and waiting), so that "is there a place" and "does somebody wait"
//! are one look and no wake-up can be lost: `waiting` changes only under the lock, and whoever leaves sees it
//! in the same exchange in which it would give its place back.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::failure::{Failure, Fault};

/// A bounded number of places with a bounded queue in front.
#[derive(Debug)]
pub(super) struct Gate {
    /// Inside in the low half, waiting in the high half.
    counts: AtomicU64,
    max: AtomicU32,
    queue_max: AtomicU32,
    waiters: Mutex<Waiters>,
    refused_full: AtomicU64,
    refused_timeout: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiters {
    /// Ordered by ticket, the longest waiting first.
    line: VecDeque<Waiter>,
    next_ticket: u64,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    grant: oneshot::Sender<Place>,
}

/// A place inside; dropping it gives it on.
#[derive(Debug)]
pub(super) struct Place {
    gate: Option<Arc<Gate>>,
}

const ONE_WAITING: u64 = 1 << 32;

const fn inside(counts: u64) -> u32 {
    (counts & 0xffff_ffff) as u32
}

const fn waiting(counts: u64) -> u32 {
    (counts >> 32) as u32
}

impl Gate {
    pub(super) fn new(max: u32, queue_max: u32) -> Self {
        Self {
            counts: AtomicU64::new(0),
            max: AtomicU32::new(max.max(1)),
            queue_max: AtomicU32::new(queue_max),
            waiters: Mutex::default(),
            refused_full: AtomicU64::new(0),
            refused_timeout: AtomicU64::new(0),
        }
    }

    /// A place, if one is free and nobody waits for it.
    pub(super) fn try_enter(self: &Arc<Self>) -> Option<Place> {
        let max = self.max.load(Ordering::Relaxed);
        let mut seen = self.counts.load(Ordering::Relaxed);
        while inside(seen) < max && waiting(seen) == 0 {
            match self.counts.compare_exchange_weak(
                seen,
                seen + 1,
                Ordering::Acquire,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Some(Place { gate: Some(Arc::clone(self)) }),
                Err(now) => seen = now,
            }
        }
        None
    }

    /// A place, after waiting for it in order of arrival for at most `timeout`.
    ///
    /// Dropping the future gives the place in the queue up.
    pub(super) async fn enter(self: &Arc<Self>, timeout: Duration) -> Result<Place, Failure> {
        if let Some(place) = self.try_enter() {
            return Ok(place);
        }
        let mut queued = match self.queue_up() {
            Ok(Queued::Inside(place)) => return Ok(place),
            Ok(Queued::Waiting(queued)) => queued,
            Err(failure) => return Err(failure),
        };
        match tokio::time::timeout(timeout, &mut queued.granted).await {
            Ok(Ok(place)) => Ok(place),
            // The sender is dropped without a grant only by a bug; the call is refused like one that waited in vain.
            Ok(Err(_)) | Err(_) => {
                self.refused_timeout.fetch_add(1, Ordering::Relaxed);
                Err(Failure::last(Fault::QueueTimeout))
            }
        }
    }

    fn queue_up(self: &Arc<Self>) -> Result<Queued, Failure> {
        let mut waiters = self.waiters();
        let max = self.max.load(Ordering::Relaxed);
        let queue_max = self.queue_max.load(Ordering::Relaxed);
        let mut seen = self.counts.load(Ordering::Relaxed);
        loop {
            let to = if inside(seen) < max && waiting(seen) == 0 {
                seen + 1
            } else if waiting(seen) >= queue_max {
                self.refused_full.fetch_add(1, Ordering::Relaxed);
                return Err(Failure::last(Fault::QueueFull));
            } else {
                seen + ONE_WAITING
            };
            match self.counts.compare_exchange_weak(seen, to, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) if waiting(to) == waiting(seen) => {
                    return Ok(Queued::Inside(Place { gate: Some(Arc::clone(self)) }));
                }
                Ok(_) => break,
                Err(now) => seen = now,
            }
        }
        let ticket = waiters.next_ticket;
        waiters.next_ticket += 1;
        let (grant, granted) = oneshot::channel();
        waiters.line.push_back(Waiter { ticket, grant });
        Ok(Queued::Waiting(Waiting { gate: Arc::clone(self), ticket, granted }))
    }

    /// Gives one place back: to the one who waits longest, else to nobody.
    fn leave(self: &Arc<Self>) {
        let mut seen = self.counts.load(Ordering::Relaxed);
        while waiting(seen) == 0 {
            match self.counts.compare_exchange_weak(
                seen,
                seen - 1,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => seen = now,
            }
        }
        self.hand_over();
    }

    /// The slow half of leaving: somebody waits, or did a moment ago.
    fn hand_over(self: &Arc<Self>) {
        loop {
            let waiter = {
                let mut waiters = self.waiters();
                let surplus =
                    inside(self.counts.load(Ordering::Relaxed)) > self.max.load(Ordering::Relaxed);
                let next = if surplus { None } else { waiters.line.pop_front() };
                // Under the lock `waiting` equals the length of the line; the place itself stays counted.
                self.counts
                    .fetch_sub(if next.is_some() { ONE_WAITING } else { 1 }, Ordering::AcqRel);
                next
            };
            let Some(waiter) = waiter else { return };
            let Err(place) = waiter.grant.send(Place { gate: Some(Arc::clone(self)) }) else {
                return;
            };
            // It went away between the lock and the grant: the place is still ours to give.
            place.forget();
        }
    }

    /// Changes the bounds; places that this frees go to those who wait.
    pub(super) fn resize(self: &Arc<Self>, max: u32, queue_max: u32) {
        self.queue_max.store(queue_max, Ordering::Relaxed);
        self.max.store(max.max(1), Ordering::Relaxed);
        loop {
            let waiter = {
                let mut waiters = self.waiters();
                let has_place =
                    inside(self.counts.load(Ordering::Relaxed)) < self.max.load(Ordering::Relaxed);
                let next = if has_place { waiters.line.pop_front() } else { None };
                if next.is_some() {
                    // One more inside, one fewer waiting. While somebody waits only holders of the lock add to
                    // `inside`, so the bound still holds.
                    self.counts.fetch_sub(ONE_WAITING - 1, Ordering::AcqRel);
                }
                next
            };
            let Some(waiter) = waiter else { return };
            // If it went away, the place is dropped here and given on like any other.
            drop(waiter.grant.send(Place { gate: Some(Arc::clone(self)) }));
        }
    }

    fn give_up(&self, ticket: u64) {
        let mut waiters = self.waiters();
        if let Ok(at) = waiters.line.binary_search_by_key(&ticket, |waiter| waiter.ticket) {
            waiters.line.remove(at);
            self.counts.fetch_sub(ONE_WAITING, Ordering::AcqRel);
        }
    }

    fn waiters(&self) -> MutexGuard<'_, Waiters> {
        // Nothing under the lock can panic half way; a poisoned line is whole.
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls inside.
    pub(super) fn inside(&self) -> u32 {
        inside(self.counts.load(Ordering::Relaxed))
    }

    /// Calls that wait.
    pub(super) fn waiting(&self) -> u32 {
        waiting(self.counts.load(Ordering::Relaxed))
    }

    /// Calls refused because the queue was full, and because they waited too long.
    pub(super) fn refused(&self) -> (u64, u64) {
        (self.refused_full.load(Ordering::Relaxed), self.refused_timeout.load(Ordering::Relaxed))
    }
}

enum Queued {
    Inside(Place),
    Waiting(Waiting),
}

/// A place in the queue; dropping it leaves the queue.
struct Waiting {
    gate: Arc<Gate>,
    ticket: u64,
    granted: oneshot::Receiver<Place>,
}

impl Drop for Waiting {
    fn drop(&mut self) {
        // A grant that already arrived is dropped with the receiver, and given on by that.
        self.gate.give_up(self.ticket);
    }
}

impl Place {
    fn forget(mut self) {
        self.gate = None;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(gate) = self.gate.take() {
            gate.leave();
        }
    }
}

#[cfg(test)]
mod tests;
