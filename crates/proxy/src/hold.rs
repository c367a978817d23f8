//! A body that has to be read before its call goes on: held, bounded, and then sent on from here.
//!
//! Signatures that cover the body ask for this, and contracts that describe it. What is held grows with what the
//! caller sent, never with what it announced, and counts against the bound of the whole process as long as it is held.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use portway_http1::Known;
use portway_policy::Reason;

use crate::body::Part;
use crate::exchange::{Stop, Surroundings, check_length};
use crate::failure::Fault;
use crate::incoming::{Gone, Incoming};
use crate::record::Record;
use crate::telemetry::{Bound, Gauge};
use crate::timer::Timer;
use crate::transfer::{TURN_BYTES, caller_broke};
use crate::worker::Worker;

/// What was read of a body before its call went on.
pub(crate) struct Spool {
    bytes: Vec<u8>,
    /// Nothing of it comes behind this.
    whole: bool,
    lease: Lease,
}

impl Spool {
    /// The whole body, or nothing if it is not all here.
    pub(crate) fn whole(&self) -> Option<&[u8]> {
        self.whole.then_some(&*self.bytes)
    }
}

/// A body that was read before its call went on, on its way.
pub(crate) struct Held {
    spool: Spool,
    at: usize,
}

impl Held {
    pub(crate) fn new(spool: Spool) -> Self {
        Self { spool, at: 0 }
    }

    /// What comes next; nothing if that is not here.
    pub(crate) fn part(&self) -> Option<Part> {
        match self.rest() {
            [] if self.spool.whole => Some(Part::End),
            [] => None,
            _ => Some(Part::Data),
        }
    }

    /// What was not consumed.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.spool.bytes[self.at..]
    }

    /// All was consumed.
    pub(crate) fn is_spent(&self) -> bool {
        self.rest().is_empty()
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.at += count;
        if self.is_spent() {
            self.spool.bytes = Vec::new();
            self.at = 0;
            self.spool.lease.set(0);
        }
    }
}

/// A share of the bytes that all bodies held may have.
pub(crate) struct Lease {
    worker: Rc<Worker>,
    bytes: usize,
}

impl Lease {
    pub(crate) fn new(worker: &Rc<Worker>) -> Self {
        Self { worker: Rc::clone(worker), bytes: 0 }
    }

    pub(crate) fn set(&mut self, bytes: usize) {
        let held = &self.worker.shared.held_bytes;
        if bytes >= self.bytes {
            held.fetch_add((bytes - self.bytes) as u64, Ordering::Relaxed);
        } else {
            held.fetch_sub((self.bytes - bytes) as u64, Ordering::Relaxed);
        }
        self.worker.metrics.gauge(Gauge::HeldBytes, bytes as i64 - self.bytes as i64);
        self.bytes = bytes;
    }

    /// Grows to `bytes`; says `false`, and stays, where all together would have more than `most`.
    pub(crate) fn grow(&mut self, bytes: usize, most: u64) -> bool {
        let before = self.bytes;
        self.set(bytes.max(before));
        let fits = self.worker.shared.held_bytes.load(Ordering::Relaxed) <= most;
        if !fits {
            self.set(before);
        }
        fits
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.set(0);
    }
}

/// How much of a body is held, and what becomes of one that is larger.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    pub(crate) service: usize,
    pub(crate) operation: usize,
    pub(crate) most_bytes: u64,
    /// It goes on as it comes; otherwise its call is refused.
    pub(crate) may_pass: bool,
}

/// Reads a body; only its beginning where there is too much of it and it may pass.
pub(crate) async fn hold(
    around: &Surroundings<'_>,
    extent: Extent,
    incoming: &mut Incoming,
    timer: &mut Timer,
    record: &mut Record,
) -> Result<Spool, Stop> {
    let request = around.request;
    let operation = &around.live.snapshot.services[extent.service].operations[extent.operation];
    let most_bytes = operation.body_bytes.min(extent.most_bytes);
    let bound = if extent.may_pass { operation.body_bytes } else { most_bytes };
    check_length(request, bound)?;
    incoming.bound_body(request.framing, bound);
    incoming.shape_trailers(operation, request.framing);
    let mut spool = Spool { bytes: Vec::new(), whole: false, lease: Lease::new(around.worker) };
    let timeout_ms = operation.timeout_ms;
    spool.whole = read(around, timeout_ms, incoming, timer, record, |incoming| {
        if extent.may_pass && spool.bytes.len() as u64 >= most_bytes {
            return Ok(ControlFlow::Break(()));
        }
        match take(&mut spool, incoming, around) {
            Ok(()) => Ok(ControlFlow::Continue(())),
            Err(_) if extent.may_pass => {
                around.worker.metrics.bound(Bound::HeldBytes);
                Ok(ControlFlow::Break(()))
            }
            Err(stop) => Err(stop),
        }
    })
    .await?;
    Ok(spool)
}

/// Reads a body that goes nowhere yet, in the time that the call has. `take` consumes what came, or says that it was
/// enough. Whether the end was reached.
pub(crate) async fn read(
    around: &Surroundings<'_>,
    timeout_ms: u64,
    incoming: &mut Incoming,
    timer: &mut Timer,
    record: &mut Record,
    mut take: impl FnMut(&mut Incoming) -> Result<ControlFlow<()>, Stop>,
) -> Result<bool, Stop> {
    if around.request.known(Known::Expect).is_some() {
        incoming.interim(100, b"");
    }
    let due_ms = record.started_us / 1_000 + timeout_ms;
    let pause_ms = around.live.bounds.body_ms;
    let clock = around.worker.clock;
    let (mut bytes, mut seen) = (0, None);
    let is_whole = poll_fn(|cx| {
        let begun = bytes;
        loop {
            match incoming.poll_body(cx) {
                Poll::Ready(Ok(Part::Data)) if bytes - begun >= TURN_BYTES => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Ok(Part::Data)) => {
                    let count = incoming.body().len();
                    match take(incoming) {
                        Ok(ControlFlow::Continue(())) => bytes += count,
                        Ok(ControlFlow::Break(())) => return Poll::Ready(Ok(false)),
                        Err(stop) => return Poll::Ready(Err(stop)),
                    }
                }
                Poll::Ready(Ok(Part::End)) => return Poll::Ready(Ok(true)),
                Poll::Ready(Err(broken)) => return Poll::Ready(Err(caller_broke(broken))),
                Poll::Pending => break,
            }
        }
        if let Poll::Ready(Err(Gone)) = incoming.poll_flush(cx) {
            return Poll::Ready(Err(Stop::Cut(Fault::CallerGone)));
        }
        // The pause allowed begins anew with every part that came.
        if seen != Some(bytes) {
            seen = Some(bytes);
            timer.set(due_ms.min(clock.now_ms() + pause_ms));
        }
        timer.poll(cx).map(|()| Err(Stop::refused(Reason::BodyTimeout)))
    })
    .await?;
    record.bytes_in = bytes as u64;
    record.look(around.worker);
    Ok(is_whole)
}

/// Takes what came of a body.
fn take(spool: &mut Spool, incoming: &mut Incoming, around: &Surroundings<'_>) -> Result<(), Stop> {
    let data = incoming.body();
    let count = data.len();
    let needed = spool.bytes.len() + count;
    if needed > spool.bytes.capacity() {
        // What is taken of memory is what counts, so it is asked for before it is taken.
        let capacity = needed.max(2 * spool.bytes.capacity());
        if !spool.lease.grow(capacity, around.live.bounds.held_bytes) {
            return Err(Stop::refused(Reason::TooMuchHeld));
        }
        spool.bytes.reserve_exact(capacity - spool.bytes.len());
    }
    spool.bytes.extend_from_slice(data);
    incoming.consume(count);
    Ok(())
}
