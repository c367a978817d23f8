//! A second attempt while the first is under way: whoever answers first counts.
//!
//! By choice of a backend's document, for calls without a body that may be repeated. The second attempt begins when the first has
//! been waited for as long as the document says, is paid for like one after a failure, and is another call for the target
//! that gets it. What comes second is given up, and says nothing about its target.

use std::cell::Cell;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use portway_http1::{HeadLimits, ResponseHead};

use crate::connect;
use crate::dispatch::{self, Destination, INTERIM_MAX, Leg};
use crate::exchange::Stop;
use crate::failure::{Failure, Fault};
use crate::incoming::Incoming;
use crate::lines;
use crate::outgoing::Outgoing;
use crate::record::Record;
use crate::telemetry::Event;
use crate::timer::Timer;
use crate::transfer::AskedFor;
use crate::upstream::{Endpoint, EndpointId, InFlight, Outcome, Slot};

/// The second attempt, when it has an answer.
struct Second {
    outgoing: Outgoing,
    in_flight: InFlight,
    slot: Slot,
    head: ResponseHead,
}

/// The final head of the attempt that has one first; and where, if that is the second. The first is under way in `leg`.
pub(crate) async fn first_head(
    to: &Destination<'_>,
    incoming: &mut Incoming,
    leg: &mut Leg,
    timer: &mut Timer,
    ((asked, after_ms), record): ((&AskedFor<'_>, u64), &Record),
) -> Result<(ResponseHead, Option<SocketAddr>), Stop> {
    let is_under_way = Cell::new(false);
    let tried = leg.endpoint().id;
    let mut second = pin!(second(to, asked, record, (tried, after_ms, &is_under_way)));
    let mut is_over = false;
    let first = {
        let mut first =
            pin!(dispatch::final_head(to.around, incoming, leg, timer, (asked, record)));
        poll_fn(|cx| {
            if let Poll::Ready(head) = first.as_mut().poll(cx) {
                return Poll::Ready(Ok(head));
            }
            if !is_over {
                match second.as_mut().poll(cx) {
                    Poll::Ready(Some(second)) => return Poll::Ready(Err(second)),
                    Poll::Ready(None) => is_over = true,
                    Poll::Pending => {}
                }
            }
            Poll::Pending
        })
        .await
    };
    let won = match first {
        // One that failed is not the last word while another is under way.
        Ok(head) if !is_over && is_under_way.get() && !is_good(to, &head) && !is_final(&head) => {
            let due_ms = to.around.worker.clock.now_ms().saturating_add(after_ms);
            timer.set(due_ms.min(to.deadline.due_ms));
            match last_word(incoming, second.as_mut(), timer).await {
                Ok(second) => second.map_or(Ok(head), Err),
                Err(stop) => Ok(Err(stop)),
            }
        }
        won => won,
    };
    match won {
        Ok(head) => head.map(|head| (head, None)),
        Err(Second { outgoing, in_flight, slot, head }) => {
            to.around.worker.metrics.add(Event::HedgeWon);
            let target = in_flight.endpoint().address;
            leg.replace(outgoing, in_flight, slot);
            Ok((head, Some(target)))
        }
    }
}

/// What the second attempt comes to when the first has failed. It is waited for until the timer is due, and for as long as
/// the caller is there.
async fn last_word(
    incoming: &mut Incoming,
    mut second: Pin<&mut impl Future<Output = Option<Second>>>,
    timer: &mut Timer,
) -> Result<Option<Second>, Stop> {
    poll_fn(|cx| {
        if let Poll::Ready(second) = second.as_mut().poll(cx) {
            return Poll::Ready(Ok(second));
        }
        if incoming.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Stop::Cut(Fault::CallerGone)));
        }
        timer.poll(cx).map(|()| Ok(None))
    })
    .await
}

/// Whether it is an answer that nobody would ask for again.
fn is_good(to: &Destination<'_>, head: &Result<ResponseHead, Stop>) -> bool {
    head.as_ref().is_ok_and(|head| !to.settings.on_status.contains(&head.status))
}

/// Whether the call is over, whatever another attempt comes to: its caller is gone, or its time is over.
fn is_final(head: &Result<ResponseHead, Stop>) -> bool {
    match head {
        Ok(_) => false,
        Err(Stop::Failed(failure)) => failure.fault == Fault::CallTimeout,
        Err(Stop::Refused(..) | Stop::Cut(_) | Stop::Late(_)) => true,
    }
}

/// The second attempt: waits until it is time, and for its answer. `None` if there was none, for whatever reason.
async fn second(
    to: &Destination<'_>,
    asked: &AskedFor<'_>,
    record: &Record,
    (tried, after_ms, is_under_way): (EndpointId, u64, &Cell<bool>),
) -> Option<Second> {
    tokio::time::sleep(Duration::from_millis(after_ms)).await;
    let worker = to.around.worker;
    let now_ms = worker.clock.now_ms();
    if to.state.is_overloaded() {
        return None;
    }
    // It is another call for the backend: where there is no place for it, nobody waits for one.
    let slot = to.state.try_enter(to.number)?;
    let endpoint = to.state.pick_again(to.targets, to.decision.hash, &[tried], now_ms)?;
    let mut in_flight = std::sync::Arc::clone(&endpoint).begin();
    if !dispatch::may_retry(to, now_ms) {
        return None;
    }
    is_under_way.set(true);
    worker.metrics.add(Event::HedgeMade);
    match attempt(to, asked, record, &endpoint).await {
        Ok((outgoing, head)) => {
            let is_poor = to.settings.on_status.contains(&head.status);
            if is_poor {
                in_flight.report(Outcome::AnsweredBad, worker.clock.now_ms());
                return None;
            }
            Some(Second { outgoing, in_flight, slot, head })
        }
        Err(failure) => {
            in_flight.report(dispatch::verdict(to, failure), worker.clock.now_ms());
            None
        }
    }
}

/// A connection, the request over it, and the final head. Interim answers are not passed on.
async fn attempt(
    to: &Destination<'_>,
    asked: &AskedFor<'_>,
    record: &Record,
    endpoint: &std::sync::Arc<Endpoint>,
) -> Result<(Outgoing, ResponseHead), Failure> {
    let worker = to.around.worker;
    let mut timer = Timer::new(worker.clock.base());
    let mut outgoing = match connect::pooled(worker, endpoint, worker.clock.now_ms()) {
        Some(outgoing) => outgoing,
        None => {
            connect::open(worker, endpoint, to.settings, (&mut timer, to.deadline.due_ms)).await?
        }
    };
    let now_ms = worker.clock.now_ms();
    dispatch::write_head(to, endpoint, &mut outgoing, false, (record, now_ms));
    outgoing.finish(|_| {});
    let limits = HeadLimits {
        head_bytes: asked.head_bytes as usize,
        fields: lines::ANSWER_FIELDS_MAX,
        target_bytes: 0,
    };
    let first_byte_ms = now_ms.saturating_add(asked.first_byte_ms);
    timer.set(first_byte_ms.min(to.deadline.due_ms));
    let late = match to.deadline.due_ms <= first_byte_ms {
        true => Failure::last(Fault::CallTimeout),
        false => Failure::sent(Fault::FirstByteTimeout),
    };
    for _ in 0..INTERIM_MAX {
        let head = poll_fn(|cx| {
            // What goes wrong here shows when the answer is read.
            let _ = outgoing.poll_flush(cx);
            match outgoing.poll_head(cx, asked.kind, &limits) {
                Poll::Ready(head) => Poll::Ready(head),
                Poll::Pending => timer.poll(cx).map(|()| Err(late)),
            }
        })
        .await?;
        if head.status >= 200 {
            return Ok((outgoing, head));
        }
        outgoing.consume_head(&head);
    }
    Err(Failure::last(Fault::BackendInvalid))
}
