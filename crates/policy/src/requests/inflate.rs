//! A compressed body, inflated in passing to see how much it becomes; what comes out is handed on in small pieces and
//! forgotten.
//!
//! One stream of `gzip` (RFC 1952) or `deflate` (RFC 1950), to its end and not beyond: a second member, which some readers
//! take and others leave, is refused.

use flate2::{Crc, Decompress, FlushDecompress, Status};
use portway_model::Coding;

use super::Breach;
use crate::Reason;

/// What a body may become whatever its own size.
pub(super) const FREE_BYTES: u64 = 64 << 10;
/// The most bytes of the head of a gzip stream: a file's name and a comment stand in it.
const HEAD_BYTES: usize = 1 << 10;
/// Checksum and size behind a gzip stream.
const TAIL_BYTES: usize = 8;
/// Inflated at once.
const PIECE_BYTES: usize = 8 << 10;

enum Step {
    /// The head of a gzip stream, as far as it has come.
    Head(Vec<u8>),
    Data,
    Tail(Vec<u8>),
    Over,
}

pub(super) struct Inflate {
    step: Step,
    is_gzip: bool,
    stream: Decompress,
    crc: Crc,
    bytes_in: u64,
    bytes_out: u64,
    most: u64,
    ratio: u64,
}

impl Inflate {
    pub(super) fn new(coding: Coding, (most, ratio): (u64, u64)) -> Self {
        let is_gzip = coding == Coding::Gzip;
        Self {
            step: if is_gzip { Step::Head(Vec::new()) } else { Step::Data },
            is_gzip,
            stream: Decompress::new(!is_gzip),
            crc: Crc::new(),
            bytes_in: 0,
            bytes_out: 0,
            most,
            ratio,
        }
    }

    /// Takes some bytes; `see` gets what they become.
    pub(super) fn take(
        &mut self,
        mut data: &[u8],
        mut see: impl FnMut(&[u8]) -> Result<(), Breach>,
    ) -> Result<(), Breach> {
        while !data.is_empty() {
            data = match &mut self.step {
                Step::Head(head) => {
                    head.push(data[0]);
                    match is_whole_head(head) {
                        Some(true) => self.step = Step::Data,
                        Some(false) if head.len() < HEAD_BYTES => {}
                        _ => return Err(broken()),
                    }
                    &data[1..]
                }
                Step::Data => self.inflate(data, &mut see)?,
                Step::Tail(tail) => {
                    tail.push(data[0]);
                    if tail.len() == TAIL_BYTES {
                        let word = |at: usize| {
                            u32::from_le_bytes([tail[at], tail[at + 1], tail[at + 2], tail[at + 3]])
                        };
                        if word(0) != self.crc.sum() || word(4) != self.crc.amount() {
                            return Err(broken());
                        }
                        self.step = Step::Over;
                    }
                    &data[1..]
                }
                Step::Over => return Err(broken()),
            };
        }
        Ok(())
    }

    /// Inflates, and says what is left.
    fn inflate<'d>(
        &mut self,
        mut data: &'d [u8],
        see: &mut impl FnMut(&[u8]) -> Result<(), Breach>,
    ) -> Result<&'d [u8], Breach> {
        let mut piece = [0; PIECE_BYTES];
        loop {
            let (taken, made) = (self.stream.total_in(), self.stream.total_out());
            let status = self.stream.decompress(data, &mut piece, FlushDecompress::None);
            let status = status.map_err(|_| broken())?;
            let taken = self.stream.total_in() - taken;
            let made = self.stream.total_out() - made;
            // Neither can be more than what was given.
            data = &data[taken as usize..];
            let inflated = &piece[..made as usize];
            self.bytes_in += taken;
            self.bytes_out += made;
            if self.is_gzip {
                self.crc.update(inflated);
            }
            self.measure()?;
            see(inflated)?;
            if status == Status::StreamEnd {
                self.step = if self.is_gzip { Step::Tail(Vec::new()) } else { Step::Over };
                return Ok(data);
            }
            if (taken, made) == (0, 0) || (data.is_empty() && inflated.len() < PIECE_BYTES) {
                return if data.is_empty() { Ok(data) } else { Err(broken()) };
            }
        }
    }

    fn measure(&self) -> Result<(), Breach> {
        let large = |rule, detail: String| {
            Err(Breach::of("body", "", rule, detail).because(Reason::BodyTooLarge))
        };
        if self.bytes_out > self.most {
            let detail = format!("must have at most {} bytes when inflated", self.most);
            return large("inflated_bytes", detail);
        }
        if self.bytes_out > FREE_BYTES && self.bytes_out / self.ratio > self.bytes_in {
            let detail = format!("must become at most {} times its size", self.ratio);
            return large("ratio", detail);
        }
        Ok(())
    }

    /// The body has ended.
    pub(super) fn end(&self) -> Result<(), Breach> {
        if matches!(self.step, Step::Over) { Ok(()) } else { Err(broken()) }
    }
}

fn broken() -> Breach {
    Breach::of("body", "", "coding", "must be one whole stream of its content coding")
}

/// Whether these are a whole head of a gzip stream; `None` if they are the beginning of none.
fn is_whole_head(head: &[u8]) -> Option<bool> {
    const START: &[u8] = &[0x1f, 0x8b, 8];
    const FIXED: usize = 10;
    if !head.iter().zip(START).all(|(byte, known)| byte == known) {
        return None;
    }
    let Some(flags) = head.get(3).copied() else { return Some(false) };
    // Reserved ones, and an extra field, which nobody who sends a request writes.
    if flags & 0b1110_0100 != 0 {
        return None;
    }
    let Some(mut rest) = head.get(FIXED..) else { return Some(false) };
    for flag in [8, 16] {
        if flags & flag != 0 {
            match rest.iter().position(|byte| *byte == 0) {
                Some(end) => rest = &rest[end + 1..],
                None => return Some(false),
            }
        }
    }
    let checksum = if flags & 2 == 0 { 0 } else { 2 };
    Some(rest.len() >= checksum)
}
