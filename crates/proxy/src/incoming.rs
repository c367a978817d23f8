//! A call coming in: the caller's side of an exchange, whatever protocol it speaks.
//!
//! HTTP/1.1 connections and HTTP/2 streams meet here; nothing behind this file knows which it is.
//! Answer heads are handed over as lines of HTTP/1.1 and turned into fields where that is needed.

mod http1;
mod http2;

use std::sync::Arc;
use std::task::{Context, Poll};

pub(crate) use http1::{Arrived, Http1Incoming};
pub(crate) use http2::Http2Incoming;

use portway_http1::Framing;
use portway_snapshot::Operation;

use crate::body::{Broken, Part};
use crate::hold::{Held, Spool};
use crate::rules::Watched;

/// How long the body of an answer is, as its head tells the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// There is none: 204, 304, or the answer to `HEAD`.
    None,
    /// So many bytes.
    Known(u64),
    /// It ends when it ends.
    Unknown,
}

/// One call coming in.
pub(crate) enum Incoming {
    Http1(Http1Incoming),
    Http2(Box<Http2Incoming>),
}

/// The caller does not take more: it is gone, or too slow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gone;

impl Incoming {
    /// Ready with a part of the request's body in `body`, or with its end.
    pub(crate) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Part, Broken>> {
        match self {
            Self::Http1(http1) => http1.poll_body(cx),
            Self::Http2(http2) => http2.poll_body(cx),
        }
    }

    /// Bounds the body of the request, before any of it is read.
    pub(crate) fn bound_body(&mut self, framing: Framing, body_bytes: u64) {
        match self {
            Self::Http1(http1) => http1.bound_body(framing, body_bytes),
            Self::Http2(http2) => http2.bound_body(body_bytes),
        }
    }

    /// The body was read, or its beginning, and goes on from here.
    pub(crate) fn hold_body(&mut self, spool: Spool) {
        let held = Held::new(spool);
        match self {
            Self::Http1(http1) => http1.aside.get_or_insert_default().held = Some(held),
            Self::Http2(http2) => http2.held = Some(Box::new(held)),
        }
    }

    /// The body is looked at on its way.
    pub(crate) fn watch(&mut self, watched: Box<Watched>) {
        match self {
            Self::Http1(http1) => http1.aside.get_or_insert_default().watched = Some(watched),
            Self::Http2(http2) => http2.watched = Some(watched),
        }
    }

    /// What is looked for in the body on its way.
    pub(crate) fn watched(&mut self) -> Option<&mut Watched> {
        match self {
            Self::Http1(http1) => http1.aside.as_mut()?.watched.as_deref_mut(),
            Self::Http2(http2) => http2.watched.as_deref_mut(),
        }
    }

    /// The body has passed, or will not be looked at any more.
    pub(crate) fn take_watched(&mut self) -> Option<Box<Watched>> {
        match self {
            Self::Http1(http1) => http1.aside.as_mut()?.watched.take(),
            Self::Http2(http2) => http2.watched.take(),
        }
    }

    /// What goes to the backend: trailers that would pass for something of it stay behind, and all of them do where
    /// header fields are judged. Over HTTP/2 they may come behind a body of any framing.
    pub(crate) fn shape_trailers(&mut self, operation: &Operation, framing: Framing) {
        match self {
            Self::Http1(http1) if framing == Framing::Chunked => {
                http1.shape = Some(Arc::clone(&operation.shape));
                if operation.judges_headers() {
                    http1.aside.get_or_insert_default().ends_bare = true;
                }
            }
            Self::Http2(http2) if framing != Framing::None => {
                http2.shape = Some(Arc::clone(&operation.shape));
                http2.ends_bare = operation.judges_headers();
            }
            Self::Http1(_) | Self::Http2(_) => {}
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

    /// Appends the end of a chunked body to `out`: the last chunk and the trailers that came.
    pub(crate) fn write_body_end(&self, out: &mut Vec<u8>) {
        match self {
            Self::Http1(http1) => http1.write_body_end(out),
            Self::Http2(http2) => http2.write_body_end(out),
        }
    }

    /// Ready when the caller has gone. Called while nothing else is expected from it.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Gone> {
        match self {
            Self::Http1(http1) => http1.poll_gone(cx),
            Self::Http2(http2) => http2.poll_gone(cx),
        }
    }

    /// An interim answer (1xx); `lines` are its fields.
    pub(crate) fn interim(&mut self, status: u16, lines: &[u8]) {
        match self {
            Self::Http1(http1) => http1.interim(status, lines),
            Self::Http2(http2) => http2.interim(status, lines),
        }
    }

    /// The connection takes no further call after this one, and its answer says so. HTTP/2 says that of the whole
    /// connection, elsewhere.
    pub(crate) fn close_after(&mut self) {
        match self {
            Self::Http1(http1) => http1.close_after(),
            Self::Http2(_) => {}
        }
    }

    /// The head of the answer. `lines` writes its fields, framing and connection apart.
    pub(crate) fn answer(
        &mut self,
        status: u16,
        length: Length,
        lines: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Gone> {
        match self {
            Self::Http1(http1) => {
                http1.answer(status, length, lines);
                Ok(())
            }
            Self::Http2(http2) => http2.answer(status, length, lines),
        }
    }

    /// Takes some payload of the answer, and says how much.
    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize, Gone>> {
        match self {
            Self::Http1(http1) => http1.poll_send(cx, data),
            Self::Http2(http2) => http2.poll_send(cx, data),
        }
    }

    /// The answer's body has ended; `trailers` are what came behind it.
    pub(crate) fn finish<'a>(
        &mut self,
        trailers: impl Iterator<Item = (&'a [u8], &'a [u8])>,
    ) -> Result<(), Gone> {
        match self {
            Self::Http1(http1) => {
                http1.finish(trailers);
                Ok(())
            }
            Self::Http2(http2) => http2.finish(trailers),
        }
    }

    /// Sends what is gathered.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        match self {
            Self::Http1(http1) => http1.poll_flush(cx),
            Self::Http2(http2) => http2.poll_flush(cx),
        }
    }

    /// The answer cannot be completed: whoever reads it must see that it was cut.
    pub(crate) fn cut(&mut self) {
        match self {
            Self::Http1(http1) => http1.cut(),
            Self::Http2(http2) => http2.cut(),
        }
    }

    /// The rest of the request's body is of no interest: throws away what came of it, and sees to
    /// it that no more of it is taken for another request.
    pub(crate) fn leave_body(&mut self) {
        match self {
            Self::Http1(http1) => http1.leave_body(),
            Self::Http2(_) => {}
        }
    }
}
