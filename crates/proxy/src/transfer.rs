//! Bodies on their way: up to the backend and down to the caller, both at once.
//!
//! Everything happens in the task of the call. A side that is not ready holds up the other by
//! nothing but its own full buffers, which is the back-pressure.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};

use portway_http1::{HeadLimits, Reject, RequestKind, ResponseHead};
use portway_policy::{Answers, Reason};

use crate::answer_check::Sample;
use crate::body::{Broken, Part};
use crate::exchange::Stop;
use crate::failure::{Failure, Fault};
use crate::incoming::{Gone, Incoming};
use crate::lines;
use crate::outgoing::Outgoing;
use crate::timer::Timer;
use crate::upstream::BackendState;
use crate::worker::WorkerClock;

/// The most payload that one call moves in one direction before others have their turn: a body that is always
/// ready, and a side that takes everything, would hold up all who share the worker. (Less in tests, whose sockets hold
/// less.)
pub(crate) const TURN_BYTES: usize = if cfg!(test) { 64 << 10 } else { 256 << 10 };

/// Whom a direction waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Waiting {
    Nobody,
    Caller,
    Backend,
}

/// The request's body on its way to the backend.
pub(crate) struct Upload {
    /// Payload bytes taken from the caller.
    pub(crate) bytes: u64,
    waiting: Waiting,
    /// Whether the caller's side has ended and the end was written.
    ended: bool,
    over: bool,
    /// When it was seen to be over, on the worker's clock, without its upper bits.
    pub(crate) over_ms: u32,
}

impl Upload {
    pub(crate) fn new() -> Self {
        Self { bytes: 0, waiting: Waiting::Nobody, ended: false, over: false, over_ms: 0 }
    }

    /// Whether nothing more is to be sent: all was, or the backend takes no more.
    pub(crate) fn is_over(&self) -> bool {
        self.over
    }

    /// Moves what can be moved.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        incoming: &mut Incoming,
        outgoing: &mut Outgoing,
    ) -> Result<(), Stop> {
        let mut turn = 0;
        while !self.over {
            if turn >= TURN_BYTES {
                self.waiting = Waiting::Nobody;
                cx.waker().wake_by_ref();
                return Ok(());
            }
            match incoming.poll_body(cx) {
                Poll::Ready(Ok(Part::Data)) => match outgoing.poll_send(cx, incoming.body()) {
                    Poll::Ready(Ok(count)) => {
                        incoming.consume(count);
                        self.bytes += count as u64;
                        turn += count;
                    }
                    // It may have answered already and closed; the answer is what counts.
                    Poll::Ready(Err(())) => self.over = true,
                    Poll::Pending => {
                        self.waiting = Waiting::Backend;
                        return Ok(());
                    }
                },
                Poll::Ready(Ok(Part::End)) => return self.finish(cx, incoming, outgoing),
                Poll::Ready(Err(broken)) => return Err(caller_broke(broken)),
                Poll::Pending => {
                    self.waiting = Waiting::Caller;
                    match outgoing.poll_flush(cx) {
                        Poll::Ready(Err(())) => self.over = true,
                        Poll::Pending => self.waiting = Waiting::Backend,
                        Poll::Ready(Ok(())) => {}
                    }
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The caller's side has ended; `over` once the backend has taken all.
    fn finish(
        &mut self,
        cx: &mut Context<'_>,
        incoming: &mut Incoming,
        outgoing: &mut Outgoing,
    ) -> Result<(), Stop> {
        // Comes here again while there is no room for the end, which must be written once.
        if !self.ended {
            self.ended = true;
            outgoing.finish(|out| incoming.write_body_end(out));
        }
        match outgoing.poll_flush(cx) {
            Poll::Ready(_) => self.over = true,
            Poll::Pending => self.waiting = Waiting::Backend,
        }
        Ok(())
    }
}

pub(crate) fn caller_broke(broken: Broken) -> Stop {
    match broken {
        Broken::Closed => Stop::Cut(Fault::CallerGone),
        Broken::Rejected(Reject::BodyTooLarge) => Stop::refused(Reason::BodyTooLarge),
        Broken::Rejected(reject) => Stop::rejected(reject),
        Broken::Refused(refusal) => Stop::from(*refusal),
    }
}

/// How often one looks whether others wait for the place that a caller holds without moving.
const CROWDED_MS: u64 = 500;

/// A caller that is waited for. It has all the time that the bounds give, but only as long as nobody waits for its
/// place at the backend: otherwise a few hundred slow peers would shut a service for all others.
struct Vigil {
    look_ms: u64,
    bytes: u64,
}

impl Vigil {
    const fn new() -> Self {
        Self { look_ms: 0, bytes: 0 }
    }

    /// Ready when the time is over, or when the caller holds a place that others wait for and has moved next to
    /// nothing since the last look. `bytes` is what it has moved in all.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        timer: &mut Timer,
        clock: &WorkerClock,
        (due_ms, bytes): (u64, u64),
        is_crowded: impl Fn() -> bool,
    ) -> Poll<()> {
        if self.look_ms == 0 {
            *self = Self { look_ms: clock.now_ms() + CROWDED_MS, bytes };
        }
        loop {
            timer.set(due_ms.min(self.look_ms));
            ready!(timer.poll(cx));
            let now_ms = clock.now_ms();
            let is_idle = bytes - self.bytes < DRIP_BYTES;
            if now_ms >= due_ms || (is_idle && is_crowded()) {
                return Poll::Ready(());
            }
            *self = Self { look_ms: now_ms + CROWDED_MS, bytes };
        }
    }
}

/// What is asked for while the head of an answer is awaited, with deadlines on the worker's clock.
pub(crate) struct AskedFor<'a> {
    pub(crate) kind: RequestKind,
    /// Bytes that the head may have.
    pub(crate) head_bytes: u32,
    /// Where others may wait for the place that this call holds.
    pub(crate) crowd: Option<&'a BackendState>,
    /// Now.
    pub(crate) begun_ms: u64,
    /// When the call as a whole must have an answer.
    pub(crate) call_ms: u64,
    /// The longest from the request's last byte to the answer's first.
    pub(crate) first_byte_ms: u64,
    /// The longest between two parts of the request's body.
    pub(crate) body_ms: u64,
}

/// Sends the request and waits for the head of an answer.
pub(crate) async fn await_head(
    incoming: &mut Incoming,
    outgoing: &mut Outgoing,
    upload: &mut Upload,
    timer: &mut Timer,
    clock: &WorkerClock,
    asked: &AskedFor<'_>,
) -> Result<ResponseHead, Stop> {
    let mut seen = None;
    let mut due_ms = 0;
    let mut vigil = Vigil::new();
    poll_fn(|cx| {
        if !upload.over
            && let Err(stop) = upload.poll(cx, incoming, outgoing)
        {
            return Poll::Ready(Err(stop));
        }
        let limits = HeadLimits {
            head_bytes: asked.head_bytes as usize,
            fields: lines::ANSWER_FIELDS_MAX,
            target_bytes: 0,
        };
        if let Poll::Ready(head) = outgoing.poll_head(cx, asked.kind, &limits) {
            return Poll::Ready(head.map_err(Stop::Failed));
        }
        if upload.over && incoming.poll_gone(cx).is_ready() {
            return Poll::Ready(Err(Stop::Cut(Fault::CallerGone)));
        }
        // The pause allowed begins anew with every part that moved.
        let moved = (upload.bytes, upload.over);
        if seen != Some(moved) {
            let now_ms = if seen.is_none() { asked.begun_ms } else { clock.now_ms() };
            seen = Some(moved);
            if upload.over {
                upload.over_ms = now_ms as u32;
            }
            let pause = if upload.over { asked.first_byte_ms } else { asked.body_ms };
            due_ms = asked.call_ms.min(now_ms + pause);
            timer.set(due_ms);
        }
        let ended = if !upload.over && upload.waiting == Waiting::Caller {
            let is_crowded = || asked.crowd.is_some_and(BackendState::is_crowded);
            vigil.poll(cx, timer, clock, (due_ms, upload.bytes), is_crowded)
        } else {
            vigil = Vigil::new();
            timer.poll(cx)
        };
        match ended {
            Poll::Pending => Poll::Pending,
            // A caller that drips must never make a target look ill.
            Poll::Ready(()) if !upload.over && upload.waiting == Waiting::Caller => {
                Poll::Ready(Err(Stop::refused(Reason::BodyTimeout)))
            }
            Poll::Ready(()) if clock.now_ms() >= asked.call_ms => {
                Poll::Ready(Err(Stop::Failed(Failure::last(Fault::CallTimeout))))
            }
            Poll::Ready(()) => {
                Poll::Ready(Err(Stop::Failed(Failure::sent(Fault::FirstByteTimeout))))
            }
        }
    })
    .await
}

/// What a caller must take at the least within its time: less is dripping, which holds a call as well as taking
/// nothing.
const DRIP_BYTES: u64 = 256;

/// Deadlines while bodies are under way, on the worker's clock.
#[derive(Clone, Copy)]
pub(crate) struct BodyDeadlines<'a> {
    /// Where others may wait for the place that this call holds.
    pub(crate) crowd: Option<&'a BackendState>,
    /// Of the call as a whole.
    pub(crate) call_ms: u64,
    /// The longest pause of the backend.
    pub(crate) idle_ms: u64,
    /// The longest that the caller may not take anything.
    pub(crate) write_ms: u64,
}

/// The answer's body on its way to the caller.
pub(crate) struct Download<'a> {
    /// Payload bytes taken from the backend.
    pub(crate) bytes: u64,
    waiting: Waiting,
    /// Which trailers do not pass.
    answers: Option<&'a Answers>,
    /// A copy for a check.
    pub(crate) sample: Option<Box<Sample>>,
}

impl<'a> Download<'a> {
    pub(crate) fn new(answers: Option<&'a Answers>, sample: Option<Box<Sample>>) -> Self {
        Self { bytes: 0, waiting: Waiting::Nobody, answers, sample }
    }

    /// Moves what can be moved; ready when the caller has taken the whole answer.
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        incoming: &mut Incoming,
        outgoing: &mut Outgoing,
    ) -> Poll<Result<(), Fault>> {
        let mut turn = 0;
        loop {
            if turn >= TURN_BYTES {
                self.waiting = Waiting::Nobody;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            read_what_is_taken(incoming, outgoing);
            match outgoing.poll_body(cx) {
                Poll::Ready(Ok(Part::Data)) => match incoming.poll_send(cx, outgoing.body()) {
                    Poll::Ready(Ok(count)) => {
                        if let Some(sample) = &mut self.sample {
                            sample.passes(&outgoing.body()[..count]);
                        }
                        if let Some(watched) = incoming.watched()
                            && let Some(copies) = watched.copies()
                        {
                            copies.answer(&outgoing.body()[..count]);
                        }
                        outgoing.consume(count);
                        self.bytes += count as u64;
                        turn += count;
                    }
                    Poll::Ready(Err(Gone)) => return Poll::Ready(Err(Fault::CallerGone)),
                    Poll::Pending => {
                        self.waiting = Waiting::Caller;
                        return Poll::Pending;
                    }
                },
                Poll::Ready(Ok(Part::End)) => return Poll::Ready(Ok(())),
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Fault::BackendBodyBroken)),
                Poll::Pending => {
                    self.waiting = Waiting::Backend;
                    match incoming.poll_flush(cx) {
                        Poll::Ready(Err(Gone)) => return Poll::Ready(Err(Fault::CallerGone)),
                        Poll::Pending => self.waiting = Waiting::Caller,
                        Poll::Ready(Ok(())) => {}
                    }
                    return Poll::Pending;
                }
            }
        }
    }
}

/// Reads large pieces for a caller over HTTP/2 only while it takes large pieces: many calls of one caller would hold
/// much that it need not ever take.
fn read_what_is_taken(incoming: &mut Incoming, outgoing: &mut Outgoing) {
    if let Incoming::Http2(caller) = incoming
        && let Some(backend) = outgoing.as_http1()
        && backend.is_read_empty()
    {
        backend.read_little(!caller.has_room());
    }
}

/// The answer has begun: whoever is refused now can only be cut off.
fn late(stop: Stop) -> Stop {
    match stop {
        Stop::Refused(refusal, _) => Stop::Late(refusal.reason),
        stop => stop,
    }
}

/// Carries the answer's body down, and what is left of the request's body up meanwhile.
pub(crate) async fn carry(
    incoming: &mut Incoming,
    outgoing: &mut Outgoing,
    upload: &mut Upload,
    download: &mut Download<'_>,
    timer: &mut Timer,
    (clock, deadlines): (&WorkerClock, &BodyDeadlines<'_>),
) -> Result<(), Stop> {
    let mut received = false;
    let mut seen = None;
    let mut due_ms = 0;
    let mut vigil = Vigil::new();
    poll_fn(|cx| {
        if !upload.over
            && let Err(stop) = upload.poll(cx, incoming, outgoing)
        {
            return Poll::Ready(Err(late(stop)));
        }
        if !received {
            match download.poll(cx, incoming, outgoing) {
                Poll::Ready(Ok(())) => {
                    received = true;
                    let answers = download.answers;
                    let passes = |(name, _): &(&[u8], &[u8])| {
                        answers.is_none_or(|answers| !answers.drops(name))
                    };
                    if incoming.finish(outgoing.trailers().filter(passes)).is_err() {
                        return Poll::Ready(Err(Stop::Cut(Fault::CallerGone)));
                    }
                }
                Poll::Ready(Err(fault)) => return Poll::Ready(Err(Stop::Cut(fault))),
                Poll::Pending => {}
            }
        }
        if received {
            download.waiting = Waiting::Caller;
            match incoming.poll_flush(cx) {
                Poll::Ready(flushed) => {
                    return Poll::Ready(flushed.map_err(|Gone| Stop::Cut(Fault::CallerGone)));
                }
                Poll::Pending => {}
            }
        }
        // One that waits for the next event of a stream may leave before it comes.
        if !received
            && upload.over
            && download.waiting == Waiting::Backend
            && incoming.poll_gone(cx).is_ready()
        {
            return Poll::Ready(Err(Stop::Cut(Fault::CallerGone)));
        }
        // A caller that took the rest of what was gathered has moved too: now the backend is waited for.
        // What still goes up counts only while the backend is waited for: it cannot buy time for a caller that
        // does not read.
        let (up, down) = match download.waiting {
            Waiting::Backend => (upload.bytes, download.bytes),
            // Nor does taking a byte now and then.
            Waiting::Caller | Waiting::Nobody => (0, download.bytes / DRIP_BYTES),
        };
        let moved = (up, down, received, download.waiting);
        if seen != Some(moved) {
            seen = Some(moved);
            let pause = if download.waiting == Waiting::Backend {
                deadlines.idle_ms
            } else {
                deadlines.write_ms
            };
            due_ms = deadlines.call_ms.min(clock.now_ms() + pause);
            timer.set(due_ms);
        }
        let waits_for_caller = !upload.over && upload.waiting == Waiting::Caller;
        let ended = if waits_for_caller || download.waiting == Waiting::Caller {
            let bytes = upload.bytes + download.bytes;
            // Its answer has begun: it holds a place of those that are counted to the end, and no other.
            let is_full = || deadlines.crowd.is_some_and(BackendState::is_full);
            vigil.poll(cx, timer, clock, (due_ms, bytes), is_full)
        } else {
            vigil = Vigil::new();
            timer.poll(cx)
        };
        if ended.is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(Err(match download.waiting {
            _ if clock.now_ms() >= deadlines.call_ms => Stop::Cut(Fault::CallTimeout),
            // A backend that waits for the rest of the request must not look ill.
            Waiting::Backend if waits_for_caller => Stop::Late(Reason::BodyTimeout),
            Waiting::Backend => Stop::Cut(Fault::BackendBodyTimeout),
            Waiting::Caller | Waiting::Nobody => Stop::Cut(Fault::CallerTooSlow),
        }))
    })
    .await
}

#[cfg(test)]
mod tests;
