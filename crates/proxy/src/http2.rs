//! Connections of callers that speak HTTP/2: each stream is a call in a task of its own.
//!
//! `h2` bounds what one stream and its frames may cost. Here stands what it leaves open: how many
//! streams a caller may reset, how much all heads of a connection may weigh, and how long a
//! connection may be idle.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use h2::server::{Connection, SendResponse};
use h2::{Reason, RecvStream};
use tokio::io::{AsyncRead, AsyncWrite};

use crate::connection::{Peer, Visit};
use crate::exchange;
use crate::incoming::{Http2Incoming, Incoming};
use crate::lines;
use crate::request::Request;
use crate::respond;
use crate::telemetry::{Bound, Event};
use crate::timer::Timer;
use crate::worker::{Place, Worker};

/// Window of a stream, and of a connection, for request bodies.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// The most bytes of answers that wait in a stream.
const SEND_BUFFER_BYTES: usize = 256 << 10;
/// Frames that a peer may make us answer with a reset, until its connection is closed.
const LOCAL_RESETS_MAX: usize = 100;

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
    worker: Rc<Worker>,
}

impl Tally {
    /// Whether there are streams, or were a short time ago.
    fn is_in_use(&self, idle_ms: u64) -> bool {
        self.streams.get() > 0 || self.worker.clock.now_ms() < self.active_ms.get() + idle_ms
    }

    /// The caller reset a stream before it was answered.
    pub(crate) fn was_reset(&self) {
        let now_ms = self.worker.clock.now_ms();
        if now_ms > self.resets_since_ms.get() + RESETS_MS {
            self.resets_since_ms.set(now_ms);
            self.resets.set(0);
        }
        self.resets.set(self.resets.get() + 1);
        self.worker.metrics.add(Event::Http2ResetByCaller);
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
    let mut handshake = std::pin::pin!(builder.handshake::<_, Bytes>(io));
    let shaken = poll_fn(|cx| match handshake.as_mut().poll(cx) {
        Poll::Ready(shaken) => Poll::Ready(shaken.ok()),
        Poll::Pending => timer.poll(cx).map(|()| None),
    });
    let Some(connection) = shaken.await else { return };
    let tally = Rc::new(Tally {
        resets: Cell::new(0),
        resets_since_ms: Cell::new(worker.clock.now_ms()),
        head_bytes: Cell::new(0),
        streams: Cell::new(0),
        active_ms: Cell::new(worker.clock.now_ms()),
        worker: Rc::clone(worker),
    });
    run(visit, place, connection, tally, timer).await;
}

/// What is to be done next on a connection.
#[expect(clippy::large_enum_variant, reason = "one at a time, taken apart at once")]
enum Next {
    Stream(http::Request<RecvStream>, SendResponse<Bytes>),
    /// The deadline has passed.
    Late,
    /// The caller resets more than it may.
    Calm,
    Drain,
    Closed,
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
    let mut draining = false;
    let mut ending = false;
    let mut known = false;
    loop {
        let bounds = worker.live().bounds;
        // Looked at anew when it has passed: streams come and go meanwhile.
        let since_ms =
            if tally.streams.get() > 0 { worker.clock.now_ms() } else { tally.active_ms.get() };
        timer.set(since_ms + bounds.idle_ms);
        let next = poll_fn(|cx| {
            if !known {
                known = true;
                place.set_waker(cx.waker());
            }
            if tally.resets.get() > bounds.http2.resets {
                return Poll::Ready(Next::Calm);
            }
            if worker.is_draining() && !draining {
                return Poll::Ready(Next::Drain);
            }
            match connection.poll_accept(cx) {
                Poll::Ready(Some(Ok((request, respond)))) => {
                    return Poll::Ready(Next::Stream(request, respond));
                }
                Poll::Ready(Some(Err(_)) | None) => return Poll::Ready(Next::Closed),
                Poll::Pending => {}
            }
            match timer.poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(()) => Poll::Ready(Next::Late),
            }
        })
        .await;
        match next {
            Next::Stream(request, respond) => {
                accept_stream(visit, &tally, request, respond);
            }
            Next::Drain => {
                draining = true;
                connection.graceful_shutdown();
            }
            Next::Late if tally.is_in_use(bounds.idle_ms) => {}
            Next::Late if !ending => {
                worker.metrics.bound(Bound::IdleTimeout);
                ending = true;
                tally.active_ms.set(worker.clock.now_ms());
                connection.graceful_shutdown();
            }
            Next::Calm => {
                worker.metrics.bound(Bound::Http2Resets);
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                flush(&mut connection, timer, worker, bounds.write_ms).await;
                return;
            }
            Next::Late | Next::Closed => return,
        }
    }
}

/// Lets the last frames go out.
async fn flush<T>(
    connection: &mut Connection<T, Bytes>,
    timer: &mut Timer,
    worker: &Worker,
    write_ms: u64,
) where
    T: AsyncRead + AsyncWrite + Unpin,
{
    timer.set(worker.clock.now_ms() + write_ms.min(1_000));
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
        respond.send_reset(Reason::REFUSED_STREAM);
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
