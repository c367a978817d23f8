//! A caller that speaks HTTP/1.1 (RFC 9112): one connection, one call after the other.

use std::sync::Arc;
use std::task::{Context, Poll, ready};

use portway_http1::{self as http1};
use portway_http1::{BodyLimits, Framing, HeadLimits, Progress, Reject};
use portway_policy::Shape;

use crate::body::{BodyReader, Broken, Part};
use crate::buffer::{Inbox, Outbox, Size};
use crate::forward;
use crate::hold::Held;
use crate::incoming::{Gone, Length};
use crate::request::{Request, Version};
use crate::rules::Watched;
use crate::stream::Stream;

/// While an answer is awaited, this much of what a caller sends ahead is taken in.
const AHEAD_BYTES: usize = 4 << 10;

/// One connection of a caller.
pub(crate) struct Http1Incoming {
    pub(crate) stream: Stream,
    pub(crate) inbox: Inbox,
    pub(crate) out: Outbox,
    body: BodyReader,
    progress: Progress,
    version: Version,
    /// Whether the connection is to be kept after this call.
    keep: bool,
    /// Whether the connection is to be torn down at once.
    cut: bool,
    chunked: bool,
    /// What a backend gets, while a chunked request is on its way to one.
    pub(super) shape: Option<Arc<Shape>>,
    /// What few calls have.
    pub(super) aside: Option<Box<Aside>>,
}

/// What few calls have, so that a connection has room for one pointer only.
#[derive(Default)]
pub(super) struct Aside {
    /// A body that was read already.
    pub(super) held: Option<Held>,
    /// What is looked for in the body.
    pub(super) watched: Option<Box<Watched>>,
    /// Whether all trailers of the request stay behind.
    pub(super) ends_bare: bool,
}

/// What came of waiting for a head.
pub(crate) enum Arrived {
    Request(Request),
    /// The head is refused; the connection ends after the answer.
    Rejected(Reject),
    /// The peer closed the connection between two calls, or in the middle of a head.
    Closed,
    /// The peer speaks HTTP/2 by prior knowledge.
    Http2,
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

impl Http1Incoming {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            inbox: Inbox::default(),
            out: Outbox::default(),
            body: BodyReader::new(Framing::None, BodyLimits::default()),
            progress: Progress::default(),
            version: Version::Http11,
            keep: true,
            cut: false,
            chunked: false,
            shape: None,
            aside: None,
        }
    }

    /// Waits for the next head.
    pub(crate) fn poll_request(
        &mut self,
        cx: &mut Context<'_>,
        limits: &HeadLimits,
    ) -> Poll<Arrived> {
        loop {
            if let Some(arrived) = self.parse(limits) {
                return Poll::Ready(arrived);
            }
            match ready!(self.inbox.poll_fill(cx, &mut self.stream, Size::Small)) {
                Ok(0) | Err(_) => return Poll::Ready(Arrived::Closed),
                Ok(_) => {}
            }
        }
    }

    fn parse(&mut self, limits: &HeadLimits) -> Option<Arrived> {
        let lent = self.inbox.lent()?;
        let (bytes, fields) = lent.parts();
        if bytes.starts_with(b"PRI")
            && PREFACE.starts_with(&bytes[..bytes.len().min(PREFACE.len())])
        {
            return (bytes.len() >= PREFACE.len()).then_some(Arrived::Http2);
        }
        match http1::parse_request(bytes, fields, limits, &mut self.progress) {
            Ok(None) => None,
            Ok(Some(head)) => self.request(&head).map(Arrived::Request),
            Err(reject) => Some(Arrived::Rejected(reject)),
        }
    }

    fn request(&mut self, head: &http1::RequestHead) -> Option<Request> {
        let request = Request::of(head, self.inbox.split_head(head.len)?);
        self.version = request.version;
        self.keep = head.persistent;
        self.shape = None;
        self.aside = None;
        self.body = BodyReader::new(head.framing, BodyLimits::default());
        Some(request)
    }

    /// Bounds the body of the request that was just read.
    pub(crate) fn bound_body(&mut self, framing: Framing, body_bytes: u64) {
        if framing == Framing::None {
            return;
        }
        let limits = BodyLimits { body_bytes, ..BodyLimits::default() };
        self.body = BodyReader::new(framing, limits);
    }

    /// Whether bytes of a head have come and the head is not whole.
    pub(crate) fn is_amid_head(&self) -> bool {
        !self.inbox.is_empty()
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.keep
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    /// The connection ends after this call.
    pub(crate) fn close_after(&mut self) {
        self.keep = false;
    }

    pub(crate) fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Part, Broken>> {
        if let Some(part) = self.held().and_then(Held::part) {
            return Poll::Ready(Ok(part));
        }
        let polled = self.body.poll(cx, &mut self.inbox, &mut self.stream, Size::Large);
        match (&mut self.aside, polled) {
            (Some(aside), Poll::Ready(Ok(part))) => match &mut aside.watched {
                Some(watched) => watched.look(part, self.body.data(&self.inbox)),
                None => Poll::Ready(Ok(part)),
            },
            (_, polled) => polled,
        }
    }

    fn held(&self) -> Option<&Held> {
        self.aside.as_ref()?.held.as_ref()
    }

    pub(crate) fn body(&self) -> &[u8] {
        match self.held() {
            Some(held) if !held.is_spent() => held.rest(),
            _ => self.body.data(&self.inbox),
        }
    }

    pub(crate) fn consume(&mut self, count: usize) {
        if let Some(aside) = &mut self.aside {
            match &mut aside.held {
                Some(held) if !held.is_spent() => return held.consume(count),
                _ => {}
            }
            if let Some(watched) = &mut aside.watched {
                watched.consumed(count);
            }
        }
        self.body.consume(&mut self.inbox, count);
    }

    pub(crate) fn write_body_end(&self, out: &mut Vec<u8>) {
        let shape = self.shape.as_deref();
        let ends_bare = self.aside.as_ref().is_some_and(|aside| aside.ends_bare);
        self.body.write_end(|name| !ends_bare && forward::may_trail(name, shape), out);
    }

    /// A caller that closes its sending side while it waits is taken to have gone, as is usual.
    pub(crate) fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<Gone> {
        loop {
            if self.inbox.bytes().len() >= AHEAD_BYTES {
                return Poll::Pending;
            }
            match ready!(self.inbox.poll_fill(cx, &mut self.stream, Size::Small)) {
                Ok(0) | Err(_) => return Poll::Ready(Gone),
                Ok(_) => {}
            }
        }
    }

    /// HTTP/1.0 knows no interim answers.
    pub(crate) fn interim(&mut self, status: u16, lines: &[u8]) {
        if self.version == Version::Http10 {
            return;
        }
        let out = self.out.bytes();
        http1::write_status_line(out, status);
        out.extend_from_slice(lines);
        out.extend_from_slice(http1::HEAD_END);
    }

    pub(crate) fn answer(&mut self, status: u16, length: Length, lines: impl FnOnce(&mut Vec<u8>)) {
        self.chunked = length == Length::Unknown && self.version != Version::Http10;
        if length == Length::Unknown && !self.chunked {
            self.keep = false;
        }
        let out = self.out.bytes();
        http1::write_status_line(out, status);
        lines(out);
        match length {
            Length::None => {}
            Length::Known(length) => http1::write_content_length(out, length),
            Length::Unknown if self.chunked => {
                out.extend_from_slice(b"transfer-encoding: chunked\r\n")
            }
            Length::Unknown => {}
        }
        match (self.version, self.keep) {
            (_, false) => out.extend_from_slice(b"connection: close\r\n"),
            (Version::Http10, true) => out.extend_from_slice(b"connection: keep-alive\r\n"),
            _ => {}
        }
        out.extend_from_slice(http1::HEAD_END);
    }

    /// The head of a 101: the connection is no longer HTTP after it.
    pub(crate) fn switch(&mut self, lines: impl FnOnce(&mut Vec<u8>)) {
        let out = self.out.bytes();
        http1::write_status_line(out, 101);
        lines(out);
        out.extend_from_slice(http1::HEAD_END);
        self.keep = false;
    }

    pub(crate) fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        data: &[u8],
    ) -> Poll<Result<usize, Gone>> {
        self.out.poll_send(cx, &mut self.stream, data, self.chunked).map_err(|_| Gone)
    }

    pub(crate) fn finish<'a>(&mut self, trailers: impl Iterator<Item = (&'a [u8], &'a [u8])>) {
        if self.chunked {
            http1::write_trailers(self.out.bytes(), trailers);
        }
    }

    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Gone>> {
        self.out.poll_flush(cx, &mut self.stream).map_err(|_| Gone)
    }

    /// An answer that ends with the connection must not look whole: such a connection is reset.
    pub(crate) fn cut(&mut self) {
        self.keep = false;
        self.cut = true;
        self.out.clear();
        let socket = socket2::SockRef::from(self.stream.tcp());
        // If it cannot be set the socket is broken already.
        let _ = socket.set_linger(Some(std::time::Duration::ZERO));
    }

    pub(crate) fn leave_body(&mut self) {
        if let Some(aside) = &mut self.aside {
            aside.held = None;
        }
        if !self.body.is_ended() && !self.body.discard(&mut self.inbox) {
            self.keep = false;
        }
    }
}
