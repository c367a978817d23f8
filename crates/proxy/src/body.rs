//! A body that is being received over HTTP/1.1: where its payload lies in the inbox.

use std::task::{Context, Poll, ready};

use portway_http1::{BodyDecoder, BodyLimits, Decoded, Framing, Reject};
use portway_policy::Refusal;

use crate::buffer::{Inbox, Size};
use crate::stream::Stream;

/// What a body has for its reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Payload, in `data`.
    Data,
    /// Nothing more.
    End,
}

/// Why a body stopped before its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The peer closed or reset the connection.
    Closed,
    /// What it sent is refused.
    Rejected(Reject),
    /// It breaks a rule of the service.
    Refused(Box<Refusal>),
}

/// Reads one body out of an inbox.
pub(crate) struct BodyReader {
    decoder: BodyDecoder,
    /// Payload at the front of the inbox.
    data: u32,
    /// Framing behind that payload.
    behind: u32,
    ended: bool,
}

impl BodyReader {
    pub(crate) fn new(framing: Framing, limits: BodyLimits) -> Self {
        Self { decoder: BodyDecoder::new(framing, limits), data: 0, behind: 0, ended: false }
    }

    /// Ready with payload at the front of the inbox, or with the end.
    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        inbox: &mut Inbox,
        stream: &mut Stream,
        size: Size,
    ) -> Poll<Result<Part, Broken>> {
        loop {
            if let Some(part) = self.decode(inbox)? {
                return Poll::Ready(Ok(part));
            }
            match ready!(inbox.poll_fill(cx, stream, size)) {
                Ok(0) => {
                    self.decoder.on_eof().map_err(|_| Broken::Closed)?;
                    self.ended = true;
                }
                Ok(_) => {}
                Err(_) => return Poll::Ready(Err(Broken::Closed)),
            }
        }
    }

    /// What is in the inbox already; `None` if more bytes are needed.
    fn decode(&mut self, inbox: &mut Inbox) -> Result<Option<Part>, Broken> {
        loop {
            if self.data > 0 {
                return Ok(Some(Part::Data));
            }
            if self.ended {
                return Ok(Some(Part::End));
            }
            match self.decoder.decode(inbox.bytes()).map_err(Broken::Rejected)? {
                Decoded::Data { start, end, consumed } => {
                    inbox.consume(start);
                    // An inbox is never anywhere near as large as these can count.
                    self.data = (end - start) as u32;
                    self.behind = (consumed - end) as u32;
                }
                Decoded::NeedMore { consumed } => {
                    inbox.consume(consumed);
                    if inbox.is_empty() {
                        return Ok(None);
                    }
                }
                Decoded::Trailers { consumed } | Decoded::End { consumed } => {
                    inbox.consume(consumed);
                    self.ended = true;
                }
            }
        }
    }

    /// The payload that `poll` found.
    pub(crate) fn data<'a>(&self, inbox: &'a Inbox) -> &'a [u8] {
        &inbox.bytes()[..self.data as usize]
    }

    /// Drops the first bytes of it.
    pub(crate) fn consume(&mut self, inbox: &mut Inbox, count: usize) {
        inbox.consume(count);
        self.data -= count as u32;
        if self.data == 0 {
            inbox.consume(std::mem::take(&mut self.behind) as usize);
        }
    }

    /// Whether everything was received and consumed.
    pub(crate) fn is_ended(&self) -> bool {
        self.ended || (self.data == 0 && self.decoder.is_done())
    }

    /// Throws away what has arrived of the body; true if that was all of it.
    pub(crate) fn discard(&mut self, inbox: &mut Inbox) -> bool {
        loop {
            match self.decode(inbox) {
                Ok(Some(Part::Data)) => self.consume(inbox, self.data as usize),
                Ok(Some(Part::End)) => return true,
                Ok(None) | Err(_) => return false,
            }
        }
    }

    /// Writes the end of the chunks, and those trailers that came with the body and may pass.
    pub(crate) fn write_end(&self, may_pass: impl Fn(&[u8]) -> bool, out: &mut Vec<u8>) {
        let trailers = self.trailers().filter(|(name, _)| may_pass(name));
        portway_http1::write_trailers(out, trailers);
    }

    /// Whether trailer fields came with the body.
    pub(crate) fn trailers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let (bytes, fields) = self.decoder.trailers();
        fields.iter().map(move |field| (field.name.of(bytes), field.value.of(bytes)))
    }
}
