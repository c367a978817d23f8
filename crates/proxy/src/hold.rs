//! A body that has to be read before it can be told who is calling: held, bounded, and then sent on from here.
//!
//! Only services that take signatures ask for this, and only for calls whose signature covers the body. What is held
//! grows with what the caller sent, never with what it announced, and has its bound for all callers together.

use std::future::poll_fn;
use std::task::Poll;

use portway_http1::{Framing, Known};
use portway_policy::Reason;

use crate::body::Part;
use crate::exchange::{Needed, Stop, Surroundings, check_length};
use crate::failure::Fault;
use crate::incoming::{Gone, Incoming};
use crate::record::Record;
use crate::room::Share;
use crate::timer::Timer;
use crate::transfer::{TURN_BYTES, caller_broke};

/// A body that was read before its call went on.
pub(crate) struct Held {
    body: Vec<u8>,
    at: usize,
    share: Share,
}

impl Held {
    /// Adds some bytes, if there is room for them.
    fn add(&mut self, bytes: &[u8], room_bytes: u64) -> Result<(), Stop> {
        let (held, needed) = (self.body.capacity(), self.body.len() + bytes.len());
        if needed > held {
            // Grows by halves, so that what is taken is never much more than what came.
            let grown = needed.max(held + held / 2);
            if !self.share.grow(grown, room_bytes) {
                return Err(Stop::refused(Reason::NoRoom));
            }
            self.body.reserve_exact(grown - self.body.len());
        }
        self.body.extend_from_slice(bytes);
        Ok(())
    }

    pub(crate) fn part(&self) -> Part {
        if self.rest().is_empty() { Part::End } else { Part::Data }
    }

    /// What was not consumed.
    pub(crate) fn rest(&self) -> &[u8] {
        &self.body[self.at..]
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.at += count;
    }
}

/// Reads the whole body.
pub(crate) async fn hold(
    around: &Surroundings<'_>,
    needed: &Needed,
    incoming: &mut Incoming,
    timer: &mut Timer,
    record: &mut Record,
) -> Result<Held, Stop> {
    let request = around.request;
    let operation = &around.live.snapshot.services[needed.service].operations[needed.operation];
    check_length(request, operation.body_bytes.min(needed.most_bytes))?;
    incoming.bound_body(request.framing, operation.body_bytes.min(needed.most_bytes));
    if request.framing == Framing::Chunked {
        incoming.shape_trailers(&operation.shape);
    }
    if request.known(Known::Expect).is_some() {
        incoming.interim(100, b"");
    }
    let due_ms = record.started_us / 1_000 + operation.timeout_ms;
    let pause_ms = around.live.bounds.body_ms;
    let clock = around.worker.clock;
    let room_bytes = around.live.bounds.held_bytes;
    let share = around.worker.shared.room.share();
    let mut held = Held { body: Vec::new(), at: 0, share };
    let mut seen = None;
    poll_fn(|cx| {
        let begun = held.body.len();
        loop {
            match incoming.poll_body(cx) {
                Poll::Ready(Ok(Part::Data)) if held.body.len() - begun >= TURN_BYTES => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Poll::Ready(Ok(Part::Data)) => {
                    let data = incoming.body();
                    let count = data.len();
                    if let Err(stop) = held.add(data, room_bytes) {
                        return Poll::Ready(Err(stop));
                    }
                    incoming.consume(count);
                }
                Poll::Ready(Ok(Part::End)) => return Poll::Ready(Ok(())),
                Poll::Ready(Err(broken)) => return Poll::Ready(Err(caller_broke(broken))),
                Poll::Pending => break,
            }
        }
        if let Poll::Ready(Err(Gone)) = incoming.poll_flush(cx) {
            return Poll::Ready(Err(Stop::Cut(Fault::CallerGone)));
        }
        // The pause allowed begins anew with every part that came.
        if seen != Some(held.body.len()) {
            seen = Some(held.body.len());
            timer.set(due_ms.min(clock.now_ms() + pause_ms));
        }
        timer.poll(cx).map(|()| Err(Stop::refused(Reason::BodyTimeout)))
    })
    .await?;
    record.bytes_in = held.body.len() as u64;
    record.look(around.worker);
    Ok(held)
}
