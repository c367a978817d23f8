//! Which bytes may stand where (RFC 9110 §5.5, §5.6.2; RFC 9112 §3.2), and how far a run of them
//! goes.
//!
//! The two loops that touch every byte of a head live here. Values are looked at eight bytes at a
//! time; names and targets through one table.

const TOKEN: u8 = 1;
const TARGET: u8 = 2;
const HOST: u8 = 4;

/// What each byte may be part of.
const CLASS: [u8; 256] = class();

const fn class() -> [u8; 256] {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let byte = i as u8;
        if byte.is_ascii_alphanumeric() {
            table[i] = TOKEN | TARGET | HOST;
        } else if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'`') {
            // RFC 3986 allows fewer; clients in use send `|`, `{`, `}`, `[`, `]`, `^` and `\` as
            // they are, and what those mean is decided where the path is made canonical.
            table[i] = TARGET;
        }
        i += 1;
    }
    let token = b"!#$%&'*+-.^_`|~";
    let mut i = 0;
    while i < token.len() {
        table[token[i] as usize] |= TOKEN;
        i += 1;
    }
    let host = b"-._~";
    let mut i = 0;
    while i < host.len() {
        table[host[i] as usize] |= HOST;
        i += 1;
    }
    table
}

#[inline]
fn run(bytes: &[u8], from: usize, class: u8) -> usize {
    let mut at = from;
    while at < bytes.len() && CLASS[bytes[at] as usize] & class != 0 {
        at += 1;
    }
    at
}

/// Where the token that begins at `from` ends.
#[inline]
pub(crate) fn token_end(bytes: &[u8], from: usize) -> usize {
    run(bytes, name_end(bytes, from), TOKEN)
}

/// How far the bytes go that names are usually made of (letters, digits, `-`), as far as eight can be
/// looked at at a time. What is left, and the bytes that are rare, are for the table.
#[inline]
fn name_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(eight) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        // Without the high bits nothing carries from one byte into the next.
        let low = word & !HIGH;
        let small = low | (ONES * 0x20);
        let letter = (small + ONES * (0x80 - 0x61)) & !(small + ONES * (0x7f - 0x7a));
        let digit = (low + ONES * (0x80 - 0x30)) & !(low + ONES * (0x7f - 0x39));
        let dash = !((low ^ (ONES * 0x2d)) + ONES * 0x7f);
        let others = (!(letter | digit | dash) | word) & HIGH;
        if others != 0 {
            return at + (others.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    at
}

/// Where the target that begins at `from` ends.
#[inline]
pub(crate) fn target_end(bytes: &[u8], from: usize) -> usize {
    run(bytes, from, TARGET)
}

/// Where the registered name or IPv4 address that begins at `from` ends. Narrower than RFC 3986:
/// percent escapes and sub-delimiters have no use in a name that is looked up or routed by.
#[inline]
pub(crate) fn host_text_end(bytes: &[u8], from: usize) -> usize {
    run(bytes, from, HOST)
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = 0x8080_8080_8080_8080;

/// The position of the first control byte (below 0x20, or 0x7F) that is not HTAB, at or after
/// `from`; the length if there is none.
#[inline]
pub(crate) fn control_at(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    loop {
        at = any_control_at(bytes, at);
        if at < bytes.len() && bytes[at] == b'\t' {
            at += 1;
        } else {
            return at;
        }
    }
}

#[inline]
fn any_control_at(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(eight) = bytes[at..].first_chunk::<8>() {
        let word = u64::from_le_bytes(*eight);
        // Borrows can only raise false marks above a true one, so the lowest mark is exact.
        let below = word.wrapping_sub(ONES * 0x20) & !word;
        let delete = word ^ (ONES * 0x7f);
        let delete = delete.wrapping_sub(ONES) & !delete;
        let marks = (below | delete) & HIGH;
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    while at < bytes.len() && bytes[at] >= 0x20 && bytes[at] != 0x7f {
        at += 1;
    }
    at
}

/// Whether this is a token (RFC 9110 §5.6.2): what methods, field names and list members of
/// `Connection` must be. For text that comes from elsewhere, HTTP/2 for instance.
pub fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && token_end(bytes, 0) == bytes.len()
}

/// Whether this may be written as a field value: no control bytes but HTAB, no white space at
/// either end (RFC 9110 §5.5). It may be empty.
pub fn is_field_value(bytes: &[u8]) -> bool {
    let edge = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    control_at(bytes, 0) == bytes.len() && !edge(bytes.first()) && !edge(bytes.last())
}

/// Whether every byte may stand in a request target as this room understands it: visible ASCII
/// without `#`, `"`, `<`, `>` and `` ` ``. It says nothing about the target's form.
pub fn is_target(bytes: &[u8]) -> bool {
    !bytes.is_empty() && target_end(bytes, 0) == bytes.len()
}

/// Without the optional white space (SP, HTAB) at both ends.
#[inline]
pub(crate) fn trimmed(bytes: &[u8]) -> &[u8] {
    let mut bytes = bytes;
    while let [b' ' | b'\t', rest @ ..] = bytes {
        bytes = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = bytes {
        bytes = rest;
    }
    bytes
}

#[cfg(test)]
mod tests;
