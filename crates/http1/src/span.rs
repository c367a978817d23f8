//! A range of bytes inside a buffer that somebody else owns.
//!
//! Heads are described by spans and not by slices, so that a parsed head does not borrow the
//! connection's buffer. A span means nothing without the slice it was made from; asking it of a
//! shorter one panics like any slice index would.

/// Offsets `start..end` into the slice that was parsed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span from offsets. Parsing is bounded to `u32::MAX` bytes, so the casts lose nothing.
    #[inline]
    pub fn new(start: usize, end: usize) -> Span {
        debug_assert!(start <= end && end <= u32::MAX as usize);
        Span { start: start as u32, end: end as u32 }
    }

    /// The bytes of this span in the slice it was made from.
    #[inline]
    pub fn of(self, bytes: &[u8]) -> &[u8] {
        &bytes[self.start as usize..self.end as usize]
    }

    /// Length in bytes.
    #[inline]
    pub fn len(self) -> usize {
        (self.end - self.start) as usize
    }

    /// Whether it spans nothing.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.start == self.end
    }
}
