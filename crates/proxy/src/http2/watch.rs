//! What the bytes of an HTTP/2 connection show before `h2` makes calls of them.
//!
//! `h2` reads as long as there is something to read, and answers a ping or a change of settings without
//! asking anybody. So frames are followed here on their way in, by their heads alone (RFC 9113 §4.1): a
//! caller that sends many which belong to no call, a head that does not end, and a socket that takes
//! nothing are seen here. Assumes that `h2` checks the frames themselves.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::http2::Tally;

/// Bytes of the client's preface, before the first frame.
const PREFACE_BYTES: usize = 24;
/// Bytes of a frame's head.
const HEAD_BYTES: usize = 9;

/// The most that is thrown away of what comes behind the end.
const LINGER_BYTES: usize = 1 << 20;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

/// `REFUSED_STREAM` (RFC 9113 §7).
const REFUSED_STREAM: u32 = 7;

/// Where a connection stands in its frames, in one direction.
pub(super) struct Frames {
    /// Bytes of the preface still to come.
    preface: usize,
    head: [u8; HEAD_BYTES],
    /// Bytes of a frame's head that have come.
    have: usize,
    /// Bytes of a frame's payload still to come.
    left: usize,
    kind: u8,
    /// Of a `RST_STREAM`, as far as it has come.
    code: u32,
    /// A block of fields has begun and not ended.
    in_block: bool,
}

/// What came, of interest here.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seen {
    /// Requests and trailers that began.
    pub(super) heads: u32,
    /// Frames that carry neither a head nor payload.
    pub(super) others: u32,
    /// Streams that are reset, for whatever reason.
    pub(super) resets: u32,
    /// Streams that are refused.
    pub(super) refused: u32,
}

impl Frames {
    /// Those of the caller.
    pub(super) fn received() -> Self {
        Self { preface: PREFACE_BYTES, ..Self::sent() }
    }

    /// Those for the caller.
    pub(super) fn sent() -> Self {
        Self {
            preface: 0,
            head: [0; HEAD_BYTES],
            have: 0,
            left: 0,
            kind: DATA,
            code: 0,
            in_block: false,
        }
    }

    /// Goes on with bytes that came.
    pub(super) fn follow(&mut self, bytes: &[u8]) -> Seen {
        let mut seen = Seen::default();
        let preface = self.preface.min(bytes.len());
        self.preface -= preface;
        let mut rest = &bytes[preface..];
        while !rest.is_empty() {
            if self.left > 0 {
                let payload = self.left.min(rest.len());
                self.left -= payload;
                if self.kind == RST_STREAM {
                    self.reset(&rest[..payload], &mut seen);
                }
                rest = &rest[payload..];
                continue;
            }
            let count = (HEAD_BYTES - self.have).min(rest.len());
            self.head[self.have..self.have + count].copy_from_slice(&rest[..count]);
            self.have += count;
            rest = &rest[count..];
            if self.have == HEAD_BYTES {
                self.have = 0;
                self.begin(&mut seen);
            }
        }
        seen
    }

    fn reset(&mut self, code: &[u8], seen: &mut Seen) {
        self.code = code.iter().fold(self.code, |code, byte| code << 8 | u32::from(*byte));
        if self.left == 0 {
            seen.refused += u32::from(self.code == REFUSED_STREAM);
        }
    }

    fn begin(&mut self, seen: &mut Seen) {
        self.code = 0;
        let [a, b, c, kind, flags, ..] = self.head;
        self.left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        self.kind = kind;
        match kind {
            HEADERS => seen.heads += 1,
            // `h2` counts those that are empty or very small.
            DATA => {}
            _ => seen.others += 1,
        }
        seen.resets += u32::from(kind == RST_STREAM);
        if kind == HEADERS || kind == CONTINUATION {
            self.in_block = flags & END_HEADERS == 0;
        }
    }

    /// Whether something has begun that the connection can do nothing but wait for.
    pub(super) fn is_amid(&self) -> bool {
        self.have > 0 || self.in_block || (self.left > 0 && self.kind != DATA)
    }
}

/// A connection whose frames are followed.
pub(super) struct Watched<T> {
    io: T,
    frames: Frames,
    sent: Frames,
    /// What may still be thrown away at the end.
    linger_bytes: usize,
    tally: Rc<Tally>,
}

impl<T> Watched<T> {
    pub(super) fn new(io: T, tally: Rc<Tally>) -> Self {
        let (frames, sent) = (Frames::received(), Frames::sent());
        Self { io, frames, sent, linger_bytes: LINGER_BYTES, tally }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.tally.is_overdrawn() {
            // Nothing more is read: the task of the connection looks at once after this, and ends it.
            return Poll::Pending;
        }
        let before = buf.filled().len();
        let polled = Pin::new(&mut this.io).poll_read(cx, buf);
        if polled.is_ready() {
            let seen = this.frames.follow(&buf.filled()[before..]);
            this.tally.saw(seen, this.frames.is_amid());
        }
        polled
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> Watched<T> {
    /// Throws away what the caller still sends: a socket that is closed with something unread is reset, and the
    /// caller would not get to see why. Waits for its end only if it was told to be calm; that has a deadline.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut piece = [0; 4 << 10];
        while self.linger_bytes > 0 {
            let mut buf = ReadBuf::new(&mut piece);
            match Pin::new(&mut self.io).poll_read(cx, &mut buf) {
                Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
                    self.linger_bytes = self.linger_bytes.saturating_sub(buf.filled().len());
                }
                Poll::Pending if self.tally.is_calmed() => return Poll::Pending,
                Poll::Ready(_) | Poll::Pending => break,
            }
        }
        Poll::Ready(())
    }

    fn wrote(
        &mut self,
        polled: Poll<io::Result<usize>>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &polled {
            Poll::Ready(Ok(count)) => {
                self.tally.wrote(*count);
                self.follow(slices, *count);
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.tally.wrote(0),
        }
        polled
    }

    /// `h2` refuses a stream that is one too many without asking anybody.
    fn follow(&mut self, slices: &[io::IoSlice<'_>], mut count: usize) {
        let mut refused = 0;
        for slice in slices {
            let written = &slice[..slice.len().min(count)];
            refused += self.sent.follow(written).refused;
            count -= written.len();
        }
        if refused > 0 {
            self.tally.refused(refused);
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, bytes);
        self.wrote(polled, &[io::IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, slices);
        self.wrote(polled, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
        self.poll_linger(cx).map(Ok)
    }
}

#[cfg(test)]
mod tests;
