//! A call going out: the backend's side of an exchange, whatever protocol it speaks.

mod http1;
mod http2;
mod pulse;

use std::sync::Arc;
use std::task::{Context, Poll};

pub(crate) use http1::Http1Outgoing;
pub(crate) use http2::{Http2Connection, Http2Outgoing};
use portway_http1::{Field, Framing, HeadLimits, RequestKind, ResponseHead};

use crate::body::{Broken, Part};
use crate::failure::Failure;
use crate::upstream::Endpoint;
use crate::worker::Worker;

/// One call going out.
pub(crate) enum Outgoing {
    Http1(Http1Outgoing),
    Http2(Box<Http2Outgoing>),
}

impl Outgoing {
    /// The buffer that the request's head is written to, as lines of HTTP/1.1.
    pub(crate) fn head(&mut self) -> &mut Vec<u8> {
        match self {
            Self::Http1(http1) => http1.head(),
            Self::Http2(http2) => http2.head(),
        }
    }

    /// The head is complete; `framing` is that of the body that follows.
    pub(crate) fn begin(&mut self, framing: Framing) {
        match self {
            Self::Http1(http1) => http1.begin(framing == Framing::Chunked),
            Self::Http2(http2) => http2.begin(framing),
        }
    }

    /// Takes some payload of the request, and says how much.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize, ()>> {
        match self {
            Self::Http1(http1) => http1.poll_send(cx, data),
            Self::Http2(http2) => http2.poll_send(cx, data),
        }
    }

    /// The request's body has ended; `end` writes the last chunk and the trailers, if it is chunked.
    pub(crate) fn finish(&mut self, end: impl FnOnce(&mut Vec<u8>)) {
        match self {
            Self::Http1(http1) => http1.finish(end),
            Self::Http2(http2) => http2.finish(end),
        }
    }

    /// Sends what is gathered.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ()>> {
        match self {
            Self::Http1(http1) => http1.poll_flush(cx),
            Self::Http2(http2) => http2.poll_flush(cx),
        }
    }

    /// Waits for the head of an answer, interim ones included. It stays readable in `answer` until
    /// `consume_head`.
    pub(crate) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        kind: RequestKind,
        limits: &HeadLimits,
    ) -> Poll<Result<ResponseHead, Failure>> {
        match self {
            Self::Http1(http1) => http1.poll_head(cx, kind, limits),
            Self::Http2(http2) => http2.poll_head(cx),
        }
    }

    /// Of a connection that was at rest and on which no answer came: whether it looks closed before the call was put
    /// on it.
    pub(crate) fn was_closed_at_rest(&self) -> bool {
        match self {
            Self::Http1(http1) => http1.is_unheard(),
            Self::Http2(http2) => http2.is_unserved(),
        }
    }

    /// The bytes and fields of the head that `poll_head` found.
    pub(crate) fn answer(&mut self) -> (&[u8], &[Field]) {
        match self {
            Self::Http1(http1) => http1.answer(),
            Self::Http2(http2) => http2.answer(),
        }
    }

    /// The head was dealt with; what follows is the body, or after an interim answer the next head.
    pub(crate) fn consume_head(&mut self, head: &ResponseHead) {
        match self {
            Self::Http1(http1) => http1.consume_head(head),
            Self::Http2(http2) => http2.consume_head(),
        }
    }

    /// Ready with a part of the answer's body in `body`, or with its end.
    pub(crate) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Part, Broken>> {
        match self {
            Self::Http1(http1) => http1.poll_body(cx),
            Self::Http2(http2) => http2.poll_body(cx),
        }
    }

    /// What `poll_body` found.
    pub(crate) fn body(&self) -> &[u8] {
        match self {
            Self::Http1(http1) => http1.body(),
            Self::Http2(http2) => http2.body(),
        }
    }

    /// Drops the first bytes of it.
    pub(crate) fn consume(&mut self, count: usize) {
        match self {
            Self::Http1(http1) => http1.consume(count),
            Self::Http2(http2) => http2.consume(count),
        }
    }

    /// The trailers that came behind the body.
    pub(crate) fn trailers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let (http1, http2) = match self {
            Self::Http1(http1) => (Some(http1.trailers()), None),
            Self::Http2(http2) => (None, Some(http2.trailers())),
        };
        http1.into_iter().flatten().chain(http2.into_iter().flatten())
    }

    /// Whether another protocol can be asked for.
    pub(crate) fn can_upgrade(&self) -> bool {
        match self {
            Self::Http1(_) => true,
            Self::Http2(_) => false,
        }
    }

    /// The connection itself, for what follows an upgrade.
    pub(crate) fn as_http1(&mut self) -> Option<&mut Http1Outgoing> {
        match self {
            Self::Http1(http1) => Some(http1),
            Self::Http2(_) => None,
        }
    }

    /// The answer was received to its end: the connection goes back to the pool if it can be used
    /// again.
    pub(crate) fn release(self, worker: &Worker, endpoint: &Arc<Endpoint>, until_ms: u64) {
        match self {
            Self::Http1(http1) => http1.release(worker, endpoint, until_ms),
            // The connection is in the pool as long as it lives.
            Self::Http2(_) => {}
        }
    }
}
