//! A backend that speaks HTTP/2 (RFC 9113): one stream of a connection that a worker's calls share.
//!
//! The request's head is written as lines, as for everybody; it becomes fields when the stream is
//! opened.

use std::cell::Cell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use h2::client::{Connection, ResponseFuture, SendRequest};
use h2::{Ping, RecvStream, SendStream};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, Uri};
use portway_http1::{Field, Framing, ResponseHead, Version};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::pulse::Pulse;
use crate::body::{Broken, Part};
use crate::buffer::{Lent, give_back_out, lend_out};
use crate::failure::{Failure, Fault};
use crate::lines;
use crate::stream::Stream;
use crate::timer::Timer;
use crate::worker::WorkerClock;

/// Calls that share a connection, whatever the backend allows.
const STREAMS_MAX: u32 = 100;
/// Window of a stream, and of a connection, for answers: callers that do not read cannot hold up others who share
/// the connection.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = STREAMS_MAX * STREAM_WINDOW_BYTES;
/// The most bytes of requests that wait in a stream.
const SEND_BUFFER_BYTES: usize = 128 << 10;
/// A connection on which nothing came for the whole of a call that was given up after so long is not used again:
/// whoever was at the other end may be gone without a word.
const SILENCE_MS: u64 = 1_000;
/// The most payload of one frame that is handed to `h2` at once.
const PIECE_BYTES: usize = 64 << 10;

/// A connection to a backend, shared by the calls of one worker.
pub(crate) struct Http2Connection {
    send: SendRequest<Bytes>,
    https: bool,
    streams: Cell<u32>,
    /// No further call goes over it; those under way may end.
    closed: Cell<bool>,
    pulse: Rc<Pulse>,
    /// Since when it has had no streams.
    pub(crate) idle_since_ms: Cell<u64>,
}

impl Http2Connection {
    /// Opens HTTP/2 over a stream; a task of the worker drives it from then on.
    pub(crate) async fn open(
        stream: Stream,
        head_bytes: usize,
        clock: WorkerClock,
    ) -> Result<Rc<Self>, Failure> {
        let https = stream.is_tls();
        let pulse = Rc::new(Pulse::new(clock.now_ms()));
        let stream = Heard { stream, pulse: Rc::clone(&pulse), clock };
        let head_bytes = u32::try_from(head_bytes).unwrap_or(u32::MAX);
        let (send, driver) = h2::client::Builder::new()
            .enable_push(false)
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_header_list_size(head_bytes)
            .max_send_buffer_size(SEND_BUFFER_BYTES)
            .handshake::<_, Bytes>(stream)
            .await
            .map_err(|_| Failure::unsent(Fault::ConnectFailed))?;
        let connection = Rc::new(Self {
            send,
            https,
            streams: Cell::new(0),
            closed: Cell::new(false),
            pulse: Rc::clone(&pulse),
            idle_since_ms: Cell::new(u64::MAX),
        });
        let driven = Rc::downgrade(&connection);
        tokio::task::spawn_local(async move {
            drive(driver, &pulse, clock).await;
            if let Some(connection) = driven.upgrade() {
                connection.closed.set(true);
            }
        });
        Ok(connection)
    }

    /// Whether one more call may go over it.
    pub(crate) fn has_room(&self, now_ms: u64) -> bool {
        let most = self.send.current_max_send_streams().min(STREAMS_MAX as usize);
        (self.streams.get() as usize) < most
            && !self.pulse.is_doubtful(now_ms)
            && !self.is_leaving()
    }

    /// Whether the backend has closed it or said that it will.
    fn is_leaving(&self) -> bool {
        if !self.closed.get() {
            let ready = self.send.clone().poll_ready(&mut Context::from_waker(Waker::noop()));
            self.closed.set(matches!(ready, Poll::Ready(Err(_))));
        }
        self.closed.get()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.get()
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.streams.get() == 0
    }
}

/// Drives a connection to its end. Why it ended shows in the calls that it ended.
async fn drive(mut driver: Connection<Heard, Bytes>, pulse: &Pulse, clock: WorkerClock) {
    let mut pings = driver.ping_pong().expect("asked for once");
    let mut timer = Timer::new(clock.base());
    poll_fn(|cx| {
        pulse.set_waker(cx.waker());
        if pulse.take_question() && pings.send_ping(Ping::opaque()).is_err() {
            pulse.could_not_ask();
        }
        if Pin::new(&mut driver).poll(cx).is_ready() {
            return Poll::Ready(());
        }
        // What it says was heard with its bytes; it must be taken so that another can be sent.
        let _ = pings.poll_pong(cx);
        timer.set(pulse.gone_ms());
        timer.poll(cx)
    })
    .await;
}

/// A connection that notes when something comes.
struct Heard {
    stream: Stream,
    pulse: Rc<Pulse>,
    clock: WorkerClock,
}

impl AsyncRead for Heard {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buf);
        if buf.filled().len() > before {
            this.pulse.hear(this.clock.now_ms());
        }
        polled
    }
}

impl AsyncWrite for Heard {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// One call over a connection to a backend.
pub(crate) struct Http2Outgoing {
    connection: Rc<Http2Connection>,
    request: SendRequest<Bytes>,
    head: Vec<u8>,
    ends_with_head: bool,
    finished: bool,
    trailers: Option<HeaderMap>,
    send: Option<SendStream<Bytes>>,
    response: Option<ResponseFuture>,
    /// The answer's head as lines, until it is consumed.
    answer: Option<Lent>,
    receive: Option<RecvStream>,
    piece: Bytes,
    answer_trailers: Option<HeaderMap>,
    ended: bool,
    /// Whether the connection was going away before the backend looked at the call.
    unserved: bool,
    begun_ms: u64,
    clock: WorkerClock,
}

impl Http2Outgoing {
    pub(crate) fn new(connection: Rc<Http2Connection>, clock: WorkerClock) -> Self {
        connection.streams.set(connection.streams.get() + 1);
        let begun_ms = clock.now_ms();
        connection.pulse.begin(begun_ms);
        Self {
            request: connection.send.clone(),
            connection,
            head: lend_out(),
            ends_with_head: false,
            finished: false,
            trailers: None,
            send: None,
            response: None,
            answer: None,
            receive: None,
            piece: Bytes::new(),
            answer_trailers: None,
            ended: false,
            unserved: false,
            begun_ms,
            clock,
        }
    }

    pub(crate) fn head(&mut self) -> &mut Vec<u8> {
        &mut self.head
    }

    pub(crate) fn begin(&mut self, framing: Framing) {
        self.ends_with_head = matches!(framing, Framing::None | Framing::Length(0));
    }

    /// Opens the stream once the connection takes one more.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        if self.send.is_some() {
            return Poll::Ready(Ok(()));
        }
        let request = match ready!(self.request.poll_ready(cx)) {
            Ok(()) => to_request(&self.head, self.connection.https).ok_or(())?,
            Err(_) => {
                // It is going away: `poll_head` says that nothing was sent.
                self.connection.closed.set(true);
                return Poll::Ready(Err(()));
            }
        };
        let (response, send) =
            self.request.send_request(request, self.ends_with_head).map_err(drop)?;
        self.response = Some(response);
        self.send = Some(send);
        Poll::Ready(Ok(()))
    }

    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize, ()>> {
        ready!(self.poll_open(cx))?;
        let send = self.send.as_mut().ok_or(())?;
        let wanted = data.len().min(PIECE_BYTES);
        send.reserve_capacity(wanted);
        let mut room = send.capacity();
        while room == 0 {
            room = ready!(send.poll_capacity(cx)).ok_or(())?.map_err(drop)?;
        }
        let count = wanted.min(room);
        send.send_data(Bytes::copy_from_slice(&data[..count]), false).map_err(drop)?;
        Poll::Ready(Ok(count))
    }

    /// `end` writes the end of a chunked body: its trailers are what counts here.
    pub(crate) fn finish(&mut self, end: impl FnOnce(&mut Vec<u8>)) {
        if self.finished {
            return;
        }
        self.finished = true;
        let mut text = lend_out();
        end(&mut text);
        // Behind the last chunk's line.
        let trailers = text.strip_prefix(b"0\r\n").map(lines::to_map).unwrap_or_default();
        self.trailers = Some(trailers).filter(|trailers| !trailers.is_empty());
        give_back_out(text);
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        ready!(self.poll_open(cx))?;
        if self.finished && !self.ends_with_head {
            self.ends_with_head = true;
            let send = self.send.as_mut().ok_or(())?;
            let ended = match self.trailers.take() {
                Some(trailers) => send.send_trailers(trailers),
                None => send.send_data(Bytes::new(), true),
            };
            ended.map_err(drop)?;
        }
        Poll::Ready(Ok(()))
    }

    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<ResponseHead, Failure>> {
        if self.response.is_none() && self.connection.is_closed() {
            self.unserved = true;
            return Poll::Ready(Err(Failure::unsent(Fault::BackendClosed)));
        }
        let Some(response) = self.response.as_mut() else { return Poll::Pending };
        let pulse = &self.connection.pulse;
        if let Poll::Ready(Some(interim)) = response.poll_informational(cx) {
            let interim = interim.map_err(|error| failure(&error, &mut self.unserved))?;
            pulse.answered();
            let (parts, ()) = interim.into_parts();
            return Poll::Ready(self.show(parts.status.as_u16(), &parts.headers, Framing::None));
        }
        let answer = ready!(Pin::new(response).poll(cx))
            .map_err(|error| failure(&error, &mut self.unserved))?;
        pulse.answered();
        let (parts, receive) = answer.into_parts();
        let length = parts.headers.get(http::header::CONTENT_LENGTH);
        let framing = match length.and_then(|value| value.to_str().ok()?.parse().ok()) {
            Some(length) => Framing::Length(length),
            None if receive.is_end_stream() => Framing::None,
            None => Framing::Chunked,
        };
        self.receive = Some(receive);
        Poll::Ready(self.show(parts.status.as_u16(), &parts.headers, framing))
    }

    pub(crate) fn is_unserved(&self) -> bool {
        self.unserved
    }

    fn show(
        &mut self,
        status: u16,
        headers: &HeaderMap,
        framing: Framing,
    ) -> Result<ResponseHead, Failure> {
        // What HTTP/1.1 would not let through, either.
        if status > 599 {
            return Err(Failure::sent(Fault::BackendInvalid));
        }
        let lent = lines::answer(headers).map_err(|_| Failure::sent(Fault::BackendInvalid))?;
        self.answer = Some(lent);
        Ok(ResponseHead {
            status,
            version: Version::Http11,
            reason: portway_http1::Span::default(),
            framing,
            persistent: true,
            upgrade: false,
            len: 0,
        })
    }

    pub(crate) fn answer(&mut self) -> (&[u8], &[Field]) {
        match &mut self.answer {
            Some(lent) => {
                let (bytes, fields) = lent.parts();
                (bytes, fields)
            }
            None => (&[], &[]),
        }
    }

    pub(crate) fn consume_head(&mut self) {
        self.answer = None;
    }

    pub(crate) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Part, Broken>> {
        loop {
            if self.piece.has_remaining() {
                return Poll::Ready(Ok(Part::Data));
            }
            let Some(receive) = self.receive.as_mut().filter(|_| !self.ended) else {
                return Poll::Ready(Ok(Part::End));
            };
            match ready!(receive.poll_data(cx)) {
                Some(Ok(piece)) => {
                    self.connection.pulse.answered();
                    self.piece = piece;
                }
                Some(Err(_)) => return Poll::Ready(Err(Broken::Closed)),
                None => {
                    let trailers = ready!(receive.poll_trailers(cx));
                    self.answer_trailers = trailers.map_err(|_| Broken::Closed)?;
                    self.ended = true;
                }
            }
        }
    }

    pub(crate) fn body(&self) -> &[u8] {
        &self.piece
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.piece.advance(count);
        if let Some(receive) = self.receive.as_mut() {
            // Only a stream that is gone refuses; reading it will say so.
            let _ = receive.flow_control().release_capacity(count);
        }
    }

    pub(crate) fn trailers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        lines::trailers(self.answer_trailers.as_ref())
    }
}

impl Drop for Http2Outgoing {
    fn drop(&mut self) {
        give_back_out(std::mem::take(&mut self.head));
        let connection = &self.connection;
        connection.streams.set(connection.streams.get() - 1);
        if connection.streams.get() == 0 {
            connection.idle_since_ms.set(self.clock.now_ms());
        }
        // Sent, and no answer came.
        if self.send.is_some() && self.receive.is_none() {
            let is_late = self.clock.now_ms() >= self.begun_ms + SILENCE_MS;
            if is_late && connection.pulse.is_silent_since(self.begun_ms) {
                connection.closed.set(true);
            }
        }
    }
}

/// A stream that the backend refused, or that is beyond the last one that it says it looks at, was not worked on,
/// whatever the reason (RFC 9113 §6.8, §8.7): `h2` ends those with the `GOAWAY` and no others.
fn failure(error: &h2::Error, unserved: &mut bool) -> Failure {
    let is_beyond = error.is_go_away() && error.is_remote();
    if is_beyond || error.reason() == Some(h2::Reason::REFUSED_STREAM) {
        // Going away is no sign of trouble if no reason is given; refusing calls is.
        *unserved = is_beyond && error.reason() == Some(h2::Reason::NO_ERROR);
        Failure::unsent(Fault::BackendClosed)
    } else if error.is_library() {
        Failure::sent(Fault::BackendInvalid)
    } else {
        Failure::sent(Fault::BackendClosed)
    }
}

/// The lines of a head as a request of HTTP/2.
fn to_request(head: &[u8], https: bool) -> Option<Request<()>> {
    let end = memchr::memchr(b'\r', head)?;
    let mut words = head[..end].split(|byte| *byte == b' ');
    let method = Method::from_bytes(words.next()?).ok()?;
    let target = PathAndQuery::try_from(words.next()?).ok()?;
    let mut headers = lines::to_map(&head[end + 2..]);
    let host = headers.remove(http::header::HOST)?;
    for name in [http::header::CONNECTION, http::header::UPGRADE, http::header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    // Trailers are passed on, and gRPC asks to be told so.
    headers.insert(http::header::TE, http::HeaderValue::from_static("trailers"));
    let uri = Uri::builder()
        .scheme(if https { Scheme::HTTPS } else { Scheme::HTTP })
        .authority(Authority::try_from(host.as_bytes()).ok()?)
        .path_and_query(target)
        .build()
        .ok()?;
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.version_mut() = http::Version::HTTP_2;
    *request.headers_mut() = headers;
    Some(request)
}

#[cfg(test)]
mod tests;
