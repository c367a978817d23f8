//! Bodies (RFC 9112 §6, §7): where the payload lies in the bytes that arrive.
//!
//! The decoder never copies payload and holds no buffer; only a trailer section, which is rare, is
//! collected. It consumes whatever it is given, so the caller never has to keep a half-read chunk
//! line. The verdict does not depend on how the bytes were cut.

mod chunk;
mod trailers;

use chunk::ChunkLine;
use trailers::Trailers;
pub use trailers::may_trail;

use crate::{Field, Framing, Reject};

/// Bounds on a body.
#[derive(Clone, Copy, Debug)]
pub struct BodyLimits {
    /// Bytes of one line before a chunk: size and extensions, without CRLF.
    pub chunk_head_bytes: u32,
    /// Bytes of the trailer section.
    pub trailer_bytes: u32,
    /// Trailer fields.
    pub trailer_fields: u32,
    /// Bytes of payload.
    pub body_bytes: u64,
}

impl Default for BodyLimits {
    fn default() -> BodyLimits {
        BodyLimits {
            chunk_head_bytes: 256,
            trailer_bytes: 8 * 1024,
            trailer_fields: 64,
            body_bytes: u64::MAX,
        }
    }
}

/// What the decoder found at the front of the bytes it was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decoded {
    /// Payload, at `start..end` of the bytes given.
    Data {
        /// First byte of payload.
        start: usize,
        /// One past the last byte of payload.
        end: usize,
        /// Bytes to drop from the front before the next call.
        consumed: usize,
    },
    /// No payload in what was given; more bytes are needed.
    NeedMore {
        /// Bytes to drop from the front before the next call.
        consumed: usize,
    },
    /// The body has ended, with trailers: see [`BodyDecoder::trailers`].
    Trailers {
        /// Bytes that belonged to the body; what follows is the next message.
        consumed: usize,
    },
    /// The body has ended.
    End {
        /// Bytes that belonged to the body; what follows is the next message.
        consumed: usize,
    },
}

/// Reads one body. After a refusal it must be thrown away.
#[derive(Debug)]
pub struct BodyDecoder {
    state: State,
    limits: BodyLimits,
    /// Payload seen or announced so far, in bytes.
    payload: u64,
    /// Bytes of chunk extensions so far.
    extensions: u32,
    trailers: Option<Box<Trailers>>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Length(u64),
    UntilClose,
    ChunkLine(ChunkLine),
    ChunkData(u64),
    /// After a chunk's data; how many bytes of the CRLF have been seen.
    ChunkEnd(u8),
    /// Behind the last chunk: the empty line, or trailers and then the empty line. Whether its CR
    /// has been seen.
    LastLine(bool),
    Trailers,
    Done,
}

impl BodyDecoder {
    /// A decoder for one body.
    pub fn new(framing: Framing, limits: BodyLimits) -> BodyDecoder {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::ChunkLine(ChunkLine::default()),
            Framing::UntilClose => State::UntilClose,
        };
        BodyDecoder { state, limits, payload: 0, extensions: 0, trailers: None }
    }

    /// Looks at the front of `bytes`. Call again, with the consumed bytes dropped, until it asks
    /// for more or says that the body has ended.
    ///
    /// # Errors
    /// The reason why the body is refused. The connection must not be used again.
    #[inline]
    pub fn decode(&mut self, bytes: &[u8]) -> Result<Decoded, Reject> {
        match self.state {
            State::Length(left) => self.counted(bytes, left),
            State::UntilClose => self.until_close(bytes),
            State::Done => Ok(Decoded::End { consumed: 0 }),
            _ => self.chunked(bytes),
        }
    }

    fn counted(&mut self, bytes: &[u8], left: u64) -> Result<Decoded, Reject> {
        if self.payload == 0 {
            self.announce(left)?;
        }
        if bytes.is_empty() {
            return Ok(Decoded::NeedMore { consumed: 0 });
        }
        let take = left.min(bytes.len() as u64);
        self.state = if take == left { State::Done } else { State::Length(left - take) };
        let take = take as usize;
        Ok(Decoded::Data { start: 0, end: take, consumed: take })
    }

    fn until_close(&mut self, bytes: &[u8]) -> Result<Decoded, Reject> {
        if bytes.is_empty() {
            return Ok(Decoded::NeedMore { consumed: 0 });
        }
        self.announce(bytes.len() as u64)?;
        Ok(Decoded::Data { start: 0, end: bytes.len(), consumed: bytes.len() })
    }

    /// Counts payload that is here or announced, against the bound.
    fn announce(&mut self, length: u64) -> Result<(), Reject> {
        let payload = self.payload.checked_add(length).ok_or(Reject::BodyTooLarge)?;
        if payload > self.limits.body_bytes {
            return Err(Reject::BodyTooLarge);
        }
        self.payload = payload;
        Ok(())
    }

    fn chunked(&mut self, bytes: &[u8]) -> Result<Decoded, Reject> {
        let mut at = 0;
        while at < bytes.len() {
            match self.state {
                State::ChunkLine(line) => at = self.chunk_line(bytes, at, line)?,
                State::ChunkData(left) => return Ok(self.chunk_data(bytes, at, left)),
                State::ChunkEnd(seen) => {
                    let expected = if seen == 0 { b'\r' } else { b'\n' };
                    if bytes[at] != expected {
                        return Err(Reject::ChunkEnd);
                    }
                    at += 1;
                    self.state = match seen {
                        0 => State::ChunkEnd(1),
                        _ => State::ChunkLine(ChunkLine::default()),
                    };
                }
                State::LastLine(seen_cr) => match (seen_cr, bytes[at]) {
                    (false, b'\r') => {
                        at += 1;
                        self.state = State::LastLine(true);
                    }
                    (true, b'\n') => {
                        self.state = State::Done;
                        return Ok(Decoded::End { consumed: at + 1 });
                    }
                    (true, _) | (false, b'\n') => return Err(Reject::LineEnd),
                    (false, _) => {
                        self.trailers = Some(Box::default());
                        self.state = State::Trailers;
                    }
                },
                State::Trailers => return self.trailer_section(bytes, at),
                State::Length(_) | State::UntilClose | State::Done => break,
            }
        }
        Ok(Decoded::NeedMore { consumed: at })
    }

    /// Reads on in the line before a chunk, and returns where it stopped.
    fn chunk_line(&mut self, bytes: &[u8], at: usize, line: ChunkLine) -> Result<usize, Reject> {
        let mut line = line;
        let (stop, size) =
            line.read(bytes, at, self.limits.chunk_head_bytes, &mut self.extensions)?;
        self.state = match size {
            None => State::ChunkLine(line),
            Some(0) => State::LastLine(false),
            Some(size) => {
                self.announce(size)?;
                State::ChunkData(size)
            }
        };
        Ok(stop)
    }

    fn chunk_data(&mut self, bytes: &[u8], at: usize, left: u64) -> Decoded {
        let take = left.min((bytes.len() - at) as u64);
        let end = at + take as usize;
        if take < left {
            self.state = State::ChunkData(left - take);
            return Decoded::Data { start: at, end, consumed: end };
        }
        // Whatever else stands here is for the next call to refuse.
        let ends = bytes[end..].starts_with(b"\r\n");
        self.state = if ends { State::ChunkLine(ChunkLine::default()) } else { State::ChunkEnd(0) };
        Decoded::Data { start: at, end, consumed: if ends { end + 2 } else { end } }
    }

    fn trailer_section(&mut self, bytes: &[u8], at: usize) -> Result<Decoded, Reject> {
        let trailers = self.trailers.as_mut().expect("made when the state was entered");
        let (stop, complete) = trailers.read(bytes, at, &self.limits)?;
        if !complete {
            return Ok(Decoded::NeedMore { consumed: stop });
        }
        self.state = State::Done;
        Ok(Decoded::Trailers { consumed: stop })
    }

    /// Trailer fields, as spans of the bytes beside them. Fields that must not be in a trailer
    /// section (RFC 9110 §6.5.1) have been left out. Empty until the section is complete.
    pub fn trailers(&self) -> (&[u8], &[Field]) {
        match (&self.trailers, self.state) {
            (Some(trailers), State::Done) => trailers.fields(),
            _ => (&[], &[]),
        }
    }

    /// How many trailer fields were left out because they must not be there.
    pub fn trailers_dropped(&self) -> usize {
        self.trailers.as_ref().map_or(0, |trailers| trailers.dropped())
    }

    /// What the end of the connection means here.
    ///
    /// # Errors
    /// `Truncated`, unless the body has ended or is one that lasts until the peer closes.
    pub fn on_eof(&self) -> Result<(), Reject> {
        match self.state {
            State::UntilClose | State::Done => Ok(()),
            _ => Err(Reject::Truncated),
        }
    }

    /// Whether the body has ended. A body of known length ends with its last byte; a chunked one
    /// when [`Decoded::End`] or [`Decoded::Trailers`] was returned.
    #[inline]
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Payload bytes that are certain to follow: of the body, or of the chunk being read.
    pub fn remaining_hint(&self) -> u64 {
        match self.state {
            State::Length(left) | State::ChunkData(left) => left,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests;
