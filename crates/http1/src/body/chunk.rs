//! The line before a chunk (RFC 9112 §7.1): size, extensions, CRLF.
//!
//! Read byte by byte, so that it can be cut anywhere. Extensions are passed over, as a recipient
//! must that knows none, but not unread: what is not `;` name `=` value is refused, because lax
//! extensions have been used to hide the end of a chunk line from one of two readers.

use crate::Reject;
use crate::bytes::is_token;

/// Extension bytes in one body. A body of many small chunks could otherwise carry a multiple of
/// its payload in extensions for nothing.
const EXTENSION_BYTES_MAX: u32 = 16 * 1024;

/// How far a chunk line has been read.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct ChunkLine {
    size: u64,
    bytes: u32,
    part: Part,
}

#[derive(Clone, Copy, Default, Debug)]
enum Part {
    /// Before the first digit.
    #[default]
    Start,
    Digits,
    /// Behind `;`.
    NameStart,
    Name,
    /// Behind `=`.
    ValueStart,
    Token,
    Quoted,
    /// Behind a backslash in a quoted string.
    Escaped,
    /// Behind the closing quote.
    QuotedEnd,
    /// Behind CR.
    Cr,
}

impl ChunkLine {
    /// Reads from `at` on. Returns where it stopped and, at the end of the line, the chunk's size.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        at: usize,
        line_bytes_max: u32,
        extensions: &mut u32,
    ) -> Result<(usize, Option<u64>), Reject> {
        let mut at = at;
        while at < bytes.len() {
            let byte = bytes[at];
            at += 1;
            if let Part::Cr = self.part {
                let size = (byte == b'\n').then_some(self.size);
                return size.map(|size| (at, Some(size))).ok_or(Reject::ChunkLine);
            }
            self.part = match self.part {
                Part::Start | Part::Digits if byte.is_ascii_hexdigit() => self.digit(byte)?,
                Part::Start => return Err(Reject::ChunkSize),
                part => part.next(byte)?,
            };
            if let Part::Cr = self.part {
                continue;
            }
            self.bytes += 1;
            if !matches!(self.part, Part::Digits) {
                *extensions += 1;
            }
            if self.bytes > line_bytes_max || *extensions > EXTENSION_BYTES_MAX {
                return Err(Reject::ChunkLine);
            }
        }
        Ok((at, None))
    }

    /// At most 16 digits, which is exactly what fits into 64 bits.
    fn digit(&mut self, byte: u8) -> Result<Part, Reject> {
        if self.bytes == 16 {
            return Err(Reject::ChunkSize);
        }
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            _ => (byte | 0x20) - b'a' + 10,
        };
        self.size = self.size << 4 | u64::from(digit);
        Ok(Part::Digits)
    }
}

impl Part {
    fn next(self, byte: u8) -> Result<Part, Reject> {
        match (self, byte) {
            (Part::Digits | Part::Name | Part::Token | Part::QuotedEnd, b'\r') => Ok(Part::Cr),
            (Part::Digits | Part::Name | Part::Token | Part::QuotedEnd, b';') => {
                Ok(Part::NameStart)
            }
            (Part::Name, b'=') => Ok(Part::ValueStart),
            (Part::NameStart | Part::Name, _) if is_token(&[byte]) => Ok(Part::Name),
            (Part::ValueStart, b'"') => Ok(Part::Quoted),
            (Part::ValueStart | Part::Token, _) if is_token(&[byte]) => Ok(Part::Token),
            (Part::Escaped, b'\t' | b' '..=b'~' | 0x80..) => Ok(Part::Quoted),
            (Part::Quoted, b'"') => Ok(Part::QuotedEnd),
            (Part::Quoted, b'\\') => Ok(Part::Escaped),
            (Part::Quoted, b'\t' | b' '..=b'~' | 0x80..) => Ok(Part::Quoted),
            (Part::Digits, _) => Err(Reject::ChunkSize),
            _ => Err(Reject::ChunkLine),
        }
    }
}
