//! How a careless origin may read a segment.
//!
//! Origins disagree about what a path means: some fold case, some cut off `;parameters`, some decode
//! twice, some trim dots and spaces at the end, some take `.json` for the form of the answer. The forwarded path is canonical by the standard, but a
//! gateway that guards `/admin` and lets `/{page}` through must not send `/Admin` to an origin that
//! answers it as `/admin`. So each segment has a loose form here, in which all these readings fall
//! together; two segments that differ and have the same loose form are *near*. What follows from
//! nearness is decided in [`crate::router`].

use crate::canonical::hex;

/// Longest loose form, in bytes. A longer one is near to nothing.
pub(crate) const MAX_LOOSE_BYTES: usize = 128;

/// Endings that frameworks take for the form of an answer, not for a part of the name.
const FORMATS: [&[u8]; 3] = [b".json", b".html", b".xml"];

/// The loose form of a segment.
pub(crate) struct Loose {
    bytes: [u8; MAX_LOOSE_BYTES],
    length: usize,
    /// It holds an escaped `?` or `#`: who decodes before taking a target apart sees the path end there.
    pub(crate) ends_path: bool,
}

impl Loose {
    /// The loose form of a canonical segment; `None` if it is longer than [`MAX_LOOSE_BYTES`].
    pub(crate) fn of(segment: &str) -> Option<Loose> {
        let mut loose = Loose { bytes: [0; MAX_LOOSE_BYTES], length: 0, ends_path: false };
        let bytes = segment.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let (value, next) = read(bytes, at);
            // A folding reader sees `a` in U+FF41, full-width `a`, and so on to `~`.
            let (value, next) = full_width(bytes, at).unwrap_or((value, next));
            if matches!(value, b';' | b'?' | b'#') {
                loose.ends_path = value != b';';
                break;
            }
            *loose.bytes.get_mut(loose.length)? = value.to_ascii_lowercase();
            loose.length += 1;
            at = next;
        }
        loose.trim();
        Some(loose)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    fn trim(&mut self) {
        while self.length > 0 && matches!(self.bytes[self.length - 1], b' ' | b'.' | b'+') {
            self.length -= 1;
        }
        let lead = self.as_bytes().iter().take_while(|byte| matches!(byte, b' ' | b'+')).count();
        if lead > 0 {
            self.bytes.copy_within(lead..self.length, 0);
            self.length -= lead;
        }
        let format = FORMATS.iter().find(|format| self.as_bytes().ends_with(format));
        // A name that is nothing but an ending is a name.
        self.length -=
            format.map_or(0, |format| format.len()).min(self.length) % self.length.max(1);
    }
}

/// Whether every segment of a path is its own loose form, so that nothing has to be computed.
pub(crate) fn is_own_loose(path: &str) -> bool {
    // No early exit and no branches, so that the compiler takes many bytes at once.
    path.bytes().fold(true, |all, byte| {
        let is_letter = byte.wrapping_sub(b'a') < 26;
        // From `-` to `9` without the dot: `-`, `/` and digits.
        let is_digit = (byte.wrapping_sub(b'-') < 13) & (byte != b'.');
        all & (is_letter
            | is_digit
            | (byte == b'_')
            | (byte == b'~')
            | (byte == b'@')
            | (byte == b':')
            | (byte == b','))
    })
}

/// One byte, decoded as often as it is encoded, and the offset after it.
pub(crate) fn read(bytes: &[u8], at: usize) -> (u8, usize) {
    if bytes[at] != b'%' {
        return (bytes[at], at + 1);
    }
    let mut digits = at + 1;
    loop {
        let (Some(high), Some(low)) = (
            bytes.get(digits).copied().and_then(hex),
            bytes.get(digits + 1).copied().and_then(hex),
        ) else {
            return (b'%', digits);
        };
        let value = high * 16 + low;
        if value != b'%' {
            return (value, digits + 2);
        }
        digits += 2;
    }
}

/// U+FF01 to U+FF5E are U+0021 to U+007E once more, made as wide as Chinese characters.
fn full_width(bytes: &[u8], at: usize) -> Option<(u8, usize)> {
    let (first, at) = read(bytes, at);
    if first != 0xef || at >= bytes.len() {
        return None;
    }
    let (second, at) = read(bytes, at);
    if at >= bytes.len() {
        return None;
    }
    let (third, at) = read(bytes, at);
    match (second, third) {
        (0xbc, 0x81..=0xbf) => Some((third - 0x81 + 0x21, at)),
        (0xbd, 0x80..=0x9e) => Some((third - 0x80 + 0x60, at)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
