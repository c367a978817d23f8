//! Connections of callers that speak HTTP/2: each stream is a call in a task of its own.
//!
//! `h2` bounds what one stream and its frames may cost. Here stands what it leaves open: how many
//! streams a caller may reset, how many frames it may send that belong to no call, how much all heads
//! of a connection may weigh, and how long a connection may be idle, be amid a head, or take nothing.

mod watch;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection::Visit;
use crate::exchange;
use crate::incoming::{Http2Incoming, Incoming};
use crate::lines;
use crate::peer::Peer;
use crate::request::Request;
use crate::respond;
use crate::telemetry::{Bound, Event};
use crate::timer::Timer;
use crate::worker::{Place, Worker};
use watch::{Seen, Watched};

/// Window of a stream, and of a connection, for request bodies.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// The most bytes of answers that wait in a stream.
const SEND_BUFFER_BYTES: usize = 256 << 10;
/// And in all streams of a connection: what a caller that reads nothing can make it hold.
const CONNECTION_SEND_BYTES: usize = 512 << 10;
/// Frames that a peer may make us answer with a reset, until its connection is closed.
const LOCAL_RESETS_MAX: usize = 100;

/// Frames beside heads and payload that a caller may send ahead of what earns it more. Windows are given back
/// and pings sent for what is answered, so answers earn them; and a few come with time.
const FRAMES_MAX: u32 = 800;
const FRAMES_PER_HEAD: u32 = 4;
const FRAMES_PER_ANSWER: u32 = 4;
/// Most callers give windows back for every frame of 16 KiB, on the stream and on the connection.
const BYTES_PER_FRAME: u32 = 4 << 10;
const MS_PER_FRAME: u64 = 100;
/// How long a connection that ends early is kept so that its caller gets to see why.
const CALM_MS: u64 = 1_000;
/// How long a caller that was told to go may take to do so when it has no streams.
const GOODBYE_MS: u64 = 2_000;

/// Resets count for this long: a caller that gives up a call now and then is no attacker.
const RESETS_MS: u64 = 60_000;

/// What the streams of one connection have in common.
pub(crate) struct Tally {
    /// Streams that the caller reset since the moment below.
    resets: Cell<u32>,
    resets_since_ms: Cell<u64>,
    head_bytes: Cell<u64>,
    streams: Cell<u32>,
    /// When a stream last ended.
    active_ms: Cell<u64>,
    /// Frames that the caller may still send, and until when time has earned it some.
    frames: Cell<u32>,
    frames_since_ms: Cell<u64>,
    /// There were too many.
    overdrawn: Cell<bool>,
    /// The caller was told to be calm, and the connection ends.
    calmed: Cell<bool>,
    /// When what has begun to come must be whole, and when the caller must have taken something;
    /// `u64::MAX` if nothing is awaited.
    whole_due_ms: Cell<u64>,
    taken_due_ms: Cell<u64>,
    /// Bytes of answers that `h2` was given and the socket has not taken.
    queued_bytes: Cell<usize>,
    /// Streams that the caller reset, answered or not.
    reset_frames: Cell<u32>,
    /// Streams that are refused here and whose refusal has not gone out: the others are refused by `h2`.
    refusals: Cell<u32>,
    /// Streams that wait until that is less.
    waiting: RefCell<Vec<Waker>>,
    /// Wakes the task of the connection.
    waker: RefCell<Option<Waker>>,
    worker: Rc<Worker>,
}

impl Tally {
    fn new(worker: &Rc<Worker>) -> Rc<Self> {
        let now_ms = worker.clock.now_ms();
        Rc::new(Self {
            resets: Cell::new(0),
            resets_since_ms: Cell::new(now_ms),
            head_bytes: Cell::new(0),
            streams: Cell::new(0),
            active_ms: Cell::new(now_ms),
            frames: Cell::new(FRAMES_MAX),
            frames_since_ms: Cell::new(now_ms),
            overdrawn: Cell::new(false),
            calmed: Cell::new(false),
            whole_due_ms: Cell::new(u64::MAX),
            taken_due_ms: Cell::new(u64::MAX),
            queued_bytes: Cell::new(0),
            reset_frames: Cell::new(0),
            refusals: Cell::new(0),
            waiting: RefCell::default(),
            waker: RefCell::default(),
            worker: Rc::clone(worker),
        })
    }

    /// Frames came. `amid`: what has begun is not whole.
    fn saw(&self, seen: Seen, amid: bool) {
        self.earn(seen.heads * FRAMES_PER_HEAD);
        self.reset_frames.set(self.reset_frames.get().saturating_add(seen.resets));
        if seen.others > 0 {
            self.spend(seen.others);
        }
        let awaited = self.whole_due_ms.get() != u64::MAX;
        if amid && !awaited {
            let head_ms = self.worker.live().bounds.head_ms;
            self.whole_due_ms.set(self.worker.clock.now_ms() + head_ms);
        } else if !amid && awaited {
            self.whole_due_ms.set(u64::MAX);
        }
    }

    /// The socket has taken bytes, or none.
    fn wrote(&self, count: usize) {
        let awaited = self.taken_due_ms.get() != u64::MAX;
        if count == 0 {
            if !awaited {
                let write_ms = self.worker.live().bounds.write_ms;
                self.taken_due_ms.set(self.worker.clock.now_ms() + write_ms);
            }
            return;
        }
        if awaited {
            self.taken_due_ms.set(u64::MAX);
        }
        self.queued_bytes.set(self.queued_bytes.get().saturating_sub(count));
    }

    /// Refusals of streams have gone out. Those that are not ours are of streams beyond the number that may be.
    fn refused(&self, streams: u32) {
        let ours = self.refusals.get().min(streams);
        self.refusals.set(self.refusals.get() - ours);
        for _ in ours..streams {
            self.worker.metrics.bound(Bound::Http2Streams);
            self.worker.metrics.add(Event::Http2ResetByGateway);
        }
    }

    /// `h2` has done what it could. What it was given had room in the caller's windows: if the socket took all, none
    /// of it is left, also of streams that were reset.
    fn rests(&self) {
        if self.taken_due_ms.get() == u64::MAX {
            self.queued_bytes.set(0);
        }
        if self.queued_bytes.get() < CONNECTION_SEND_BYTES / 2 {
            self.waiting.borrow_mut().drain(..).for_each(Waker::wake);
        }
    }

    /// Ready when the connection can be given more of an answer.
    pub(crate) fn poll_room(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.queued_bytes.get() < CONNECTION_SEND_BYTES {
            return Poll::Ready(());
        }
        let mut waiting = self.waiting.borrow_mut();
        if !waiting.iter().any(|waker| waker.will_wake(cx.waker())) {
            waiting.push(cx.waker().clone());
        }
        Poll::Pending
    }

    fn earn(&self, frames: u32) {
        self.frames.set((self.frames.get() + frames).min(FRAMES_MAX));
    }

    fn spend(&self, frames: u32) {
        if self.frames.get() < frames {
            let now_ms = self.worker.clock.now_ms();
            let since_ms = now_ms.saturating_sub(self.frames_since_ms.replace(now_ms));
            self.earn(u32::try_from(since_ms / MS_PER_FRAME).unwrap_or(FRAMES_MAX).min(FRAMES_MAX));
        }
        match self.frames.get().checked_sub(frames) {
            Some(left) => self.frames.set(left),
            None => self.overdrawn.set(true),
        }
    }

    /// Whether the caller has sent more frames than it may.
    fn is_overdrawn(&self) -> bool {
        self.overdrawn.get()
    }

    fn is_calmed(&self) -> bool {
        self.calmed.get()
    }

    /// An answer, or a part of one, is on its way to the caller.
    pub(crate) fn answers(&self, bytes: usize) {
        self.queued_bytes.set(self.queued_bytes.get() + bytes);
        self.earn(FRAMES_PER_ANSWER + bytes as u32 / BYTES_PER_FRAME);
    }

    /// When a connection has been idle for too long, if no stream begins. Looked at anew when it has passed.
    fn idle_due_ms(&self, rest_ms: u64) -> u64 {
        let is_busy = self.streams.get() > 0;
        rest_ms + if is_busy { self.worker.clock.now_ms() } else { self.active_ms.get() }
    }

    /// The bound whose deadline has passed.
    fn late(&self, rest_ms: u64) -> Option<Bound> {
        let now_ms = self.worker.clock.now_ms();
        if now_ms >= self.taken_due_ms.get() {
            Some(Bound::WriteTimeout)
        } else if now_ms >= self.whole_due_ms.get() {
            Some(Bound::HeadTimeout)
        } else {
            let is_idle = self.streams.get() == 0 && now_ms >= self.active_ms.get() + rest_ms;
            is_idle.then_some(Bound::IdleTimeout)
        }
    }

    /// The bound for which `h2` has ended the connection by itself: what comes in one read is its business before ours,
    /// and it does not say what was too much.
    fn calmed_by_h2(&self, resets_max: u32) -> Bound {
        let is_of_resets = self.reset_frames.get() > resets_max;
        if is_of_resets { Bound::Http2Resets } else { Bound::Http2Frames }
    }

    /// The bound that the caller has exceeded.
    fn exceeded(&self, resets_max: u32) -> Option<Bound> {
        if self.is_overdrawn() {
            Some(Bound::Http2Frames)
        } else {
            (self.resets.get() > resets_max).then_some(Bound::Http2Resets)
        }
    }

    /// The caller reset a stream before it was answered.
    pub(crate) fn was_reset(&self) {
        self.worker.metrics.add(Event::Http2ResetByCaller);
        self.count_reset();
    }

    fn count_reset(&self) {
        let now_ms = self.worker.clock.now_ms();
        if now_ms > self.resets_since_ms.get() + RESETS_MS {
            self.resets_since_ms.set(now_ms);
            self.resets.set(0);
        }
        self.resets.set(self.resets.get() + 1);
        // Comes from the task of a stream: that of the connection has to look.
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }
}

/// A stream's share of what its connection holds; given back when dropped.
struct Share {
    tally: Rc<Tally>,
    head_bytes: u64,
}

impl Drop for Share {
    fn drop(&mut self) {
        let tally = &self.tally;
        tally.head_bytes.set(tally.head_bytes.get() - self.head_bytes);
        tally.streams.set(tally.streams.get() - 1);
        tally.active_ms.set(tally.worker.clock.now_ms());
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve<T>(visit: &Visit, place: &Place, io: T, timer: &mut Timer)
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let worker = &visit.worker;
    let held = worker.live();
    let bounds = held.bounds;
    drop(held);
    let head_bytes = u32::try_from(bounds.head.head_bytes).unwrap_or(u32::MAX);
    let mut builder = h2::server::Builder::new();
    builder
        .max_concurrent_streams(bounds.http2.streams)
        .max_header_list_size(head_bytes)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buffer_size(SEND_BUFFER_BYTES)
        .max_concurrent_reset_streams(bounds.http2.resets as usize)
        .max_pending_accept_reset_streams(bounds.http2.resets as usize)
        .max_local_error_reset_streams(Some(LOCAL_RESETS_MAX));
    timer.set(worker.clock.now_ms() + bounds.head_ms);
    let tally = Tally::new(worker);
    let io = Watched::new(io, Rc::clone(&tally));
    let mut handshake = std::pin::pin!(builder.handshake::<_, Bytes>(io));
    let shaken = poll_fn(|cx| match handshake.as_mut().poll(cx) {
        Poll::Ready(shaken) => Poll::Ready(shaken.ok()),
        Poll::Pending => timer.poll(cx).map(|()| None),
    });
    let Some(connection) = shaken.await else { return };
    run(visit, place, connection, tally, timer).await;
}

/// What is to be done next on a connection.
#[expect(clippy::large_enum_variant, reason = "one at a time, taken apart at once")]
enum Next {
    Stream(http::Request<RecvStream>, SendResponse<Bytes>),
    /// A deadline has passed.
    Late,
    /// The caller resets more, or sends more frames, than it may.
    Calm(Bound),
    Drain,
    Closed,
}

/// Where a connection is on its way to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    No,
    /// The caller was told to go because it is idle.
    Idle,
    Drain,
}

async fn run<T>(
    visit: &Visit,
    place: &Place,
    mut connection: Connection<T, Bytes>,
    tally: Rc<Tally>,
    timer: &mut Timer,
) where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let worker = &visit.worker;
    let mut leave = Leave::No;
    let mut known = false;
    loop {
        let bounds = worker.live().bounds;
        let rest_ms = if leave == Leave::No { bounds.idle_ms } else { GOODBYE_MS };
        let idle_due_ms = tally.idle_due_ms(rest_ms);
        let next = poll_fn(|cx| {
            if !known {
                known = true;
                place.set_waker(cx.waker());
                *tally.waker.borrow_mut() = Some(cx.waker().clone());
            }
            if worker.is_draining() && leave != Leave::Drain {
                return Poll::Ready(Next::Drain);
            }
            if let Some(bound) = tally.exceeded(bounds.http2.resets) {
                return Poll::Ready(Next::Calm(bound));
            }
            match connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    return Poll::Ready(Next::Stream(request, respond));
                }
                Poll::Ready(Some(Err(error))) => {
                    if error.is_library() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM) {
                        worker.metrics.bound(tally.calmed_by_h2(bounds.http2.resets));
                    }
                    return Poll::Ready(Next::Closed);
                }
                Poll::Ready(None) => return Poll::Ready(Next::Closed),
                Poll::Pending => tally.rests(),
            }
            if tally.is_overdrawn() {
                return Poll::Ready(Next::Calm(Bound::Http2Frames));
            }
            timer.set(idle_due_ms.min(tally.taken_due_ms.get()).min(tally.whole_due_ms.get()));
            timer.poll(cx).map(|()| Next::Late)
        })
        .await;
        match next {
            Next::Stream(request, respond) => accept_stream(visit, &tally, request, respond),
            Next::Drain => {
                leave = Leave::Drain;
                connection.graceful_shutdown();
            }
            Next::Calm(bound) => {
                return calm(&mut connection, &tally, bound, timer, bounds.write_ms).await;
            }
            Next::Closed => return,
            Next::Late => match tally.late(rest_ms) {
                // Streams come and go meanwhile.
                None => {}
                // What is still under way to a caller that reads slowly has until the drain's end.
                Some(Bound::IdleTimeout) if leave == Leave::Drain && connection.has_streams() => {
                    tally.active_ms.set(worker.clock.now_ms());
                }
                Some(Bound::IdleTimeout) if leave == Leave::No => {
                    worker.metrics.bound(Bound::IdleTimeout);
                    leave = Leave::Idle;
                    tally.active_ms.set(worker.clock.now_ms());
                    connection.graceful_shutdown();
                }
                Some(Bound::IdleTimeout) => return,
                Some(Bound::HeadTimeout) => {
                    let bound = Bound::HeadTimeout;
                    return calm(&mut connection, &tally, bound, timer, bounds.write_ms).await;
                }
                Some(bound) => return worker.metrics.bound(bound),
            },
        }
    }
}

/// Ends a connection whose caller asks for too much, and tells it so.
async fn calm<T>(
    connection: &mut Connection<T, Bytes>,
    tally: &Tally,
    bound: Bound,
    timer: &mut Timer,
    write_ms: u64,
) where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let worker = &tally.worker;
    worker.metrics.bound(bound);
    tally.calmed.set(true);
    connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
    timer.set(worker.clock.now_ms() + write_ms.min(CALM_MS));
    poll_fn(|cx| match connection.poll_closed(cx) {
        Poll::Ready(_) => Poll::Ready(()),
        Poll::Pending => timer.poll(cx),
    })
    .await;
}

fn accept_stream(
    visit: &Visit,
    tally: &Rc<Tally>,
    request: http::Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) {
    let worker = &visit.worker;
    let bounds = worker.live().bounds;
    let (parts, receive) = request.into_parts();
    let head_bytes = weight(&parts);
    if tally.head_bytes.get() + head_bytes > bounds.http2.connection_head_bytes {
        worker.metrics.bound(Bound::Http2ConnectionHeadBytes);
        worker.metrics.add(Event::Http2ResetByGateway);
        tally.refusals.set(tally.refusals.get() + 1);
        respond.send_reset(Reason::REFUSED_STREAM);
        tally.count_reset();
        return;
    }
    tally.head_bytes.set(tally.head_bytes.get() + head_bytes);
    tally.streams.set(tally.streams.get() + 1);
    let share = Share { tally: Rc::clone(tally), head_bytes };
    let is_head = parts.method == http::Method::HEAD;
    let request = lines::request(
        &parts,
        receive.is_end_stream(),
        bounds.head.fields,
        bounds.head.target_bytes,
    );
    drop(parts);
    let incoming = Box::new(Http2Incoming::new(receive, respond, is_head, Rc::clone(tally)));
    let worker = Rc::clone(worker);
    let peer = Rc::clone(&visit.peer);
    tokio::task::spawn_local(async move {
        let _share = share;
        // A task is moved when it is spawned, and a call is large.
        Box::pin(serve_stream(&worker, &peer, Incoming::Http2(incoming), request)).await;
    });
}

/// As `SETTINGS_MAX_HEADER_LIST_SIZE` counts (RFC 9113 §6.5.2).
fn weight(parts: &http::request::Parts) -> u64 {
    let fields = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32);
    let target = parts.uri.path_and_query().map_or(0, |target| target.as_str().len());
    (fields.sum::<usize>() + target + 128) as u64
}

async fn serve_stream(
    worker: &Rc<Worker>,
    peer: &Peer,
    mut incoming: Incoming,
    request: Result<Request, portway_http1::Reject>,
) {
    let mut timer = Timer::new(worker.clock.base());
    match request {
        Ok(request) => {
            exchange::serve(worker, peer, &mut incoming, &request, &mut timer).await;
        }
        Err(reject) => respond::reject(worker, peer, &mut incoming, reject, &mut timer).await,
    }
}
