//! A backend that speaks HTTP/1.1 (RFC 9112): one connection, lent for one call.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use portway_http1::{
    self as http1, BodyDecoder, BodyLimits, Decoded, Field, Framing, HeadLimits, Progress, Reject,
    RequestKind, ResponseHead,
};

use crate::body::{BodyReader, Broken, Part};
use crate::buffer::{Inbox, Outbox, Size};
use crate::failure::{Failure, Fault};
use crate::stream::Stream;
use crate::upstream::Endpoint;
use crate::worker::Worker;

/// One call over a connection to a backend.
pub(crate) struct Http1Outgoing {
    pub(crate) stream: Stream,
    pub(crate) inbox: Inbox,
    pub(crate) out: Outbox,
    body: BodyReader,
    progress: Progress,
    chunked: bool,
    /// Whether the request went out to its end.
    sent: bool,
    /// Whether any byte of an answer has come.
    heard: bool,
    /// Whether the backend keeps the connection.
    persistent: bool,
    /// How much is read at once.
    size: Size,
}

impl Http1Outgoing {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            inbox: Inbox::default(),
            out: Outbox::default(),
            body: BodyReader::new(Framing::None, BodyLimits::default()),
            progress: Progress::default(),
            chunked: false,
            sent: false,
            heard: false,
            persistent: false,
            size: Size::Large,
        }
    }

    /// Reads no more at once than can be kept for a caller that takes nothing, or as much as there is.
    pub(crate) fn read_little(&mut self, little: bool) {
        self.size = if little { Size::Little } else { Size::Large };
    }

    /// Whether the next part of the answer has to be read.
    pub(crate) fn is_read_empty(&self) -> bool {
        self.inbox.is_empty()
    }

    pub(crate) fn head(&mut self) -> &mut Vec<u8> {
        self.out.bytes()
    }

    pub(crate) fn begin(&mut self, chunked: bool) {
        self.chunked = chunked;
    }

    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize, ()>> {
        self.out.poll_send(cx, &mut self.stream, data, self.chunked).map_err(drop)
    }

    pub(crate) fn finish(&mut self, end: impl FnOnce(&mut Vec<u8>)) {
        if self.chunked {
            end(self.out.bytes());
        }
        self.sent = true;
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        self.out.poll_flush(cx, &mut self.stream).map_err(drop)
    }

    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        kind: RequestKind,
        limits: &HeadLimits,
    ) -> Poll<Result<ResponseHead, Failure>> {
        loop {
            if let Some(lent) = self.inbox.lent() {
                let (bytes, fields) = lent.parts();
                match http1::parse_response(bytes, fields, kind, limits, &mut self.progress) {
                    Ok(Some(head)) if is_sound(&head, bytes) => return Poll::Ready(Ok(head)),
                    Ok(Some(_)) => {
                        return Poll::Ready(Err(Failure::sent(Fault::BackendInvalid)));
                    }
                    Ok(None) => {}
                    Err(reject) => return Poll::Ready(Err(Failure::sent(fault(reject)))),
                }
            }
            match ready!(self.inbox.poll_fill(cx, &mut self.stream, self.size)) {
                Ok(0) | Err(_) => return Poll::Ready(Err(Failure::sent(Fault::BackendClosed))),
                Ok(_) => self.heard = true,
            }
        }
    }

    /// Whether not a byte of an answer has come.
    pub(crate) fn is_unheard(&self) -> bool {
        !self.heard
    }

    pub(crate) fn answer(&mut self) -> (&[u8], &[Field]) {
        match self.inbox.lent() {
            Some(lent) => {
                let (bytes, fields) = lent.parts();
                (bytes, fields)
            }
            None => (&[], &[]),
        }
    }

    pub(crate) fn consume_head(&mut self, head: &ResponseHead) {
        self.inbox.consume(head.len);
        self.progress = Progress::default();
        self.persistent = head.persistent;
        self.body = BodyReader::new(head.framing, BodyLimits::default());
    }

    pub(crate) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Part, Broken>> {
        self.body.poll(cx, &mut self.inbox, &mut self.stream, self.size)
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.body.data(&self.inbox)
    }

    pub(crate) fn consume(&mut self, count: usize) {
        self.body.consume(&mut self.inbox, count);
    }

    pub(crate) fn trailers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.body.trailers()
    }

    /// Only a connection on which nothing is open in either direction, and nothing came unasked, is
    /// used again.
    pub(crate) fn release(self, worker: &Worker, endpoint: &Arc<Endpoint>, until_ms: u64) {
        let clean =
            self.sent && self.out.is_empty() && self.inbox.is_empty() && self.body.is_ended();
        if clean && self.persistent {
            worker.pool.give(endpoint, self.stream, until_ms);
        }
    }
}

/// Whether what came with the head is as the head says. As long as nothing was sent to the caller, one that is not can
/// still be answered for.
fn is_sound(head: &ResponseHead, bytes: &[u8]) -> bool {
    if head.framing != Framing::Chunked {
        return true;
    }
    let mut decoder = BodyDecoder::new(head.framing, BodyLimits::default());
    let mut rest = &bytes[head.len..];
    while !rest.is_empty() {
        match decoder.decode(rest) {
            Ok(Decoded::Data { consumed, .. }) => rest = &rest[consumed..],
            Ok(_) => return true,
            Err(_) => return false,
        }
    }
    true
}

fn fault(reject: Reject) -> Fault {
    match reject {
        Reject::HeadTooLarge | Reject::TooManyFields | Reject::TargetTooLong => {
            Fault::BackendHeadTooLarge
        }
        _ => Fault::BackendInvalid,
    }
}
