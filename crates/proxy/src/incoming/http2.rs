//! A caller that speaks HTTP/2 (RFC 9113): one stream of its connection.
//!
//! The `h2` crate frames and bounds; what a caller resets, and how much its heads weigh, is counted
//! per connection in `http2.rs`.

use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use h2::server::SendResponse;
use h2::{RecvStream, SendStream};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use portway_http1::Reject;
use portway_policy::Shape;

use crate::body::{Broken, Part};
use crate::forward;
use crate::hold::Held;
use crate::http2::Tally;
use crate::incoming::{Gone, Length};
use crate::lines;
use crate::rules::Watched;

/// What a caller takes that takes answers as they come.
const ROOM_BYTES: usize = 16 << 10;
/// The most payload of one frame that is handed to `h2` at once.
const PIECE_BYTES: usize = 64 << 10;

/// One stream of a caller.
pub(crate) struct Http2Incoming {
    receive: RecvStream,
    respond: SendResponse<Bytes>,
    send: Option<SendStream<Bytes>>,
    /// Payload that came and is not consumed.
    piece: Bytes,
    trailers: Option<HeaderMap>,
    body_left: u64,
    body_ended: bool,
    /// The answer has no body whatever its head says.
    is_head: bool,
    /// Payload of the answer still to come, if its head said so.
    answer_left: Option<u64>,
    answer_ended: bool,
    /// What a backend gets, while a request with a body is on its way to one.
    pub(super) shape: Option<Arc<Shape>>,
    /// Whether all trailers of such a request stay behind.
    pub(super) ends_bare: bool,
    /// A body that was read already.
    pub(super) held: Option<Box<Held>>,
    /// What is looked for in the body.
    pub(super) watched: Option<Box<Watched>>,
    tally: Rc<Tally>,
}

impl Http2Incoming {
    pub(crate) fn new(
        receive: RecvStream,
        respond: SendResponse<Bytes>,
        is_head: bool,
        tally: Rc<Tally>,
    ) -> Self {
        Self {
            body_ended: receive.is_end_stream(),
            receive,
            respond,
            send: None,
            piece: Bytes::new(),
            trailers: None,
            body_left: u64::MAX,
            is_head,
            answer_left: None,
            answer_ended: false,
            shape: None,
            ends_bare: false,
            held: None,
            watched: None,
            tally,
        }
    }

    pub(crate) fn bound_body(&mut self, body_bytes: u64) {
        self.body_left = body_bytes;
    }

    pub(crate) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Part, Broken>> {
        if let Some(part) = self.held.as_ref().and_then(|held| held.part()) {
            return Poll::Ready(Ok(part));
        }
        let polled = self.poll_part(cx);
        match (&mut self.watched, polled) {
            (Some(watched), Poll::Ready(Ok(part))) => watched.look(part, &self.piece),
            (_, polled) => polled,
        }
    }

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<Result<Part, Broken>> {
        loop {
            if self.piece.has_remaining() {
                return Poll::Ready(Ok(Part::Data));
            }
            if self.body_ended {
                return Poll::Ready(Ok(Part::End));
            }
            match ready!(self.receive.poll_data(cx)) {
                Some(Ok(piece)) => {
                    let length = piece.len() as u64;
                    let left = self.body_left.checked_sub(length);
                    self.body_left = left.ok_or(Broken::Rejected(Reject::BodyTooLarge))?;
                    self.piece = piece;
                }
                Some(Err(error)) => return Poll::Ready(Err(self.broken(&error))),
                None => match ready!(self.receive.poll_trailers(cx)) {
                    Ok(trailers) => {
                        self.trailers = trailers;
                        self.body_ended = true;
                    }
                    Err(error) => return Poll::Ready(Err(self.broken(&error))),
                },
            }
        }
    }

    fn broken(&self, error: &h2::Error) -> Broken {
        if error.is_reset() && error.is_remote() && self.send.is_none() {
            self.tally.was_reset();
        }
        Broken::Closed
    }

    pub(crate) fn body(&self) -> &[u8] {
        match &self.held {
            Some(held) if !held.is_spent() => held.rest(),
            _ => &self.piece,
        }
    }

    pub(crate) fn consume(&mut self, count: usize) {
        if let Some(held) = self.held.as_mut().filter(|held| !held.is_spent()) {
            held.consume(count);
            return;
        }
        self.piece.advance(count);
        if let Some(watched) = &mut self.watched {
            watched.consumed(count);
        }
        // Only a stream that is gone refuses; reading it will say so.
        let _ = self.receive.flow_control().release_capacity(count);
    }

    pub(crate) fn write_body_end(&self, out: &mut Vec<u8>) {
        let shape = self.shape.as_deref();
        let allowed = lines::trailers(self.trailers.as_ref())
            .filter(|(name, _)| !self.ends_bare && forward::may_trail(name, shape));
        portway_http1::write_trailers(out, allowed);
    }

    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Gone> {
        match &mut self.send {
            // Giving up an answer that has begun is everybody's right.
            Some(send) => drop(ready!(send.poll_reset(cx))),
            None => {
                if let Ok(_reason) = ready!(self.respond.poll_reset(cx)) {
                    self.tally.was_reset();
                }
            }
        }
        Poll::Ready(Gone)
    }

    pub(crate) fn interim(&mut self, status: u16, lines: &[u8]) {
        let Ok(status) = StatusCode::from_u16(status) else { return };
        let mut response = Response::new(());
        *response.status_mut() = status;
        *response.headers_mut() = lines::to_map(lines);
        // A stream that is gone is noticed where its answer is sent.
        let _ = self.respond.send_informational(response);
    }

    pub(crate) fn answer(
        &mut self,
        status: u16,
        length: Length,
        lines: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Gone> {
        let mut text = crate::buffer::lend_out();
        lines(&mut text);
        if let Length::Known(length) = length {
            portway_http1::write_content_length(&mut text, length);
        }
        let mut response = Response::new(());
        *response.status_mut() = StatusCode::from_u16(status).map_err(|_| Gone)?;
        *response.headers_mut() = lines::to_map(&text);
        crate::buffer::give_back_out(text);
        let ends = self.is_head || matches!(length, Length::None | Length::Known(0));
        self.answer_left = match length {
            Length::Known(length) => Some(length),
            Length::None | Length::Unknown => None,
        };
        match self.respond.send_response(response, ends) {
            Ok(send) => self.send = Some(send),
            Err(_) => {
                // Reset before anybody looked.
                self.tally.was_reset();
                return Err(Gone);
            }
        }
        self.answer_ended = ends;
        self.tally.answers(0);
        Ok(())
    }

    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize, Gone>> {
        if self.answer_ended {
            return Poll::Ready(Ok(data.len()));
        }
        ready!(self.tally.poll_room(cx));
        let send = self.send.as_mut().ok_or(Gone)?;
        let wanted = data.len().min(PIECE_BYTES);
        // Never more than the caller has room for: what waited in `h2` would have no deadline.
        send.reserve_capacity(wanted);
        let mut room = send.capacity();
        while room == 0 {
            room = match ready!(send.poll_capacity(cx)) {
                Some(Ok(room)) => room,
                Some(Err(_)) | None => return Poll::Ready(Err(Gone)),
            };
        }
        let count = wanted.min(room);
        let left = self.answer_left.map(|left| left.saturating_sub(count as u64));
        let ends = left == Some(0);
        send.send_data(Bytes::copy_from_slice(&data[..count]), ends).map_err(|_| Gone)?;
        self.answer_left = left;
        self.answer_ended = ends;
        self.tally.answers(count);
        Poll::Ready(Ok(count))
    }

    /// Whether the caller takes a piece of some size at this moment. Keeps nothing of its window.
    pub(crate) fn has_room(&mut self) -> bool {
        self.send.as_mut().is_some_and(|send| {
            send.reserve_capacity(ROOM_BYTES);
            let has_room = send.capacity() >= ROOM_BYTES;
            send.reserve_capacity(0);
            has_room
        })
    }

    pub(crate) fn finish<'a>(
        &mut self,
        trailers: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<(), Gone> {
        if self.answer_ended {
            return Ok(());
        }
        self.answer_ended = true;
        let send = self.send.as_mut().ok_or(Gone)?;
        let mut map = HeaderMap::new();
        for (name, value) in trailers {
            if let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(name), HeaderValue::from_bytes(value))
            {
                map.append(name, value);
            }
        }
        let ended = if map.is_empty() {
            send.send_data(Bytes::new(), true)
        } else {
            send.send_trailers(map)
        };
        ended.map_err(|_| Gone)
    }

    /// What is handed to `h2` is within the caller's window and goes out with the connection.
    pub(crate) fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        Poll::Ready(Ok(()))
    }

    pub(crate) fn cut(&mut self) {
        match &mut self.send {
            Some(send) => send.send_reset(h2::Reason::INTERNAL_ERROR),
            None => self.respond.send_reset(h2::Reason::INTERNAL_ERROR),
        }
    }
}
