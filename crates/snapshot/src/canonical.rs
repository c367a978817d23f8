//! The one canonical path, and the canonical host.
//!
//! What comes out of here decides routing, permission, limits and log, and is what the backend gets.
//! It assumes a path without its query, as it stood in the request line or `:path`. What could be read
//! in two ways is refused rather than mended; the table is `docs/paths.md`. Matching, and the second
//! look at paths that a laxer reader might take for another route, are left to [`crate::router`].

use std::fmt;

use memchr::{memchr, memmem};

/// A canonical path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canonical<'a> {
    /// It was canonical already; nothing was copied.
    Same(&'a str),
    /// It was rewritten.
    Rewritten(&'a str),
}

impl<'a> Canonical<'a> {
    /// The path, whichever way it came about.
    pub fn as_str(self) -> &'a str {
        match self {
            Canonical::Same(path) | Canonical::Rewritten(path) => path,
        }
    }
}

/// Why a path is refused, and at which byte of what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PathFault {
    /// What stands there.
    pub kind: PathFaultKind,
    /// Offset in the raw path, in bytes.
    pub at: usize,
}

/// What makes a path refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathFaultKind {
    /// It does not begin with `/`.
    NotAbsolute,
    /// A segment is `.`, `..` or a disguise of them (`%2e`, `..;x`, `...`).
    DotSegment,
    /// Two slashes in a row, or a segment that is empty to readers who cut off `;parameters`.
    EmptySegment,
    /// `%2F` or `%5C`: some readers split there, some do not.
    EncodedSeparator,
    /// A backslash: some readers take it for a slash.
    Backslash,
    /// A control character, raw or escaped.
    Control,
    /// `%` without two hexadecimal digits.
    BrokenEscape,
    /// An escaped escape that becomes a dot, a separator or a control character when decoded twice.
    DoubleEscape,
    /// Escaped bytes that are no UTF-8.
    NotUtf8,
    /// A byte that no target contains: a space, `#`, `?`, or one outside ASCII.
    ForeignByte,
}

impl PathFaultKind {
    /// Every kind.
    pub const ALL: &[PathFaultKind] = &[
        PathFaultKind::NotAbsolute,
        PathFaultKind::DotSegment,
        PathFaultKind::EmptySegment,
        PathFaultKind::EncodedSeparator,
        PathFaultKind::Backslash,
        PathFaultKind::Control,
        PathFaultKind::BrokenEscape,
        PathFaultKind::DoubleEscape,
        PathFaultKind::NotUtf8,
        PathFaultKind::ForeignByte,
    ];

    /// What is wrong, as the rest of a sentence that begins with "the path".
    pub const fn explanation(self) -> &'static str {
        match self {
            PathFaultKind::NotAbsolute => "does not begin with `/`",
            PathFaultKind::DotSegment => "has a segment that is, or may be read as, `.` or `..`",
            PathFaultKind::EmptySegment => "has an empty segment, or one that may be read as empty",
            PathFaultKind::EncodedSeparator => "has an encoded slash or backslash",
            PathFaultKind::Backslash => "has a backslash",
            PathFaultKind::Control => "has a control character",
            PathFaultKind::BrokenEscape => "has a `%` without two hexadecimal digits after it",
            PathFaultKind::DoubleEscape => {
                "has a doubly encoded dot, slash, backslash or control character"
            }
            PathFaultKind::NotUtf8 => "has escaped bytes that are not UTF-8",
            PathFaultKind::ForeignByte => "has a byte that may not stand in a path",
        }
    }
}

impl fmt::Display for PathFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the path {} (at byte {})", self.kind.explanation(), self.at)
    }
}

impl std::error::Error for PathFault {}

fn fault<T>(kind: PathFaultKind, at: usize) -> Result<T, PathFault> {
    Err(PathFault { kind, at })
}

/// What a byte is to the one pass over a path.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// Stays as it is (`pchar` of RFC 3986 §3.3 without what has a row of its own).
    Plain,
    Slash,
    Percent,
    /// Visible, but not allowed raw in a path: is escaped.
    Escape,
    Backslash,
    Control,
    Foreign,
}

const CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut table = [Class::Foreign; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b'/' => Class::Slash,
            b'%' => Class::Percent,
            b'\\' => Class::Backslash,
            b'"' | b'<' | b'>' | b'[' | b']' | b'^' | b'`' | b'{' | b'|' | b'}' => Class::Escape,
            0..=0x1f | 0x7f => Class::Control,
            b' ' | b'#' | b'?' | 0x80..=0xff => Class::Foreign,
            _ => Class::Plain,
        };
        byte += 1;
    }
    table
}

/// The canonical form of a path, or why there is none. `out` is only written to when something has to
/// be rewritten.
///
/// The empty path is `/` (RFC 9110 §4.2.3). `*`, the target of a server-wide `OPTIONS`, stays what it
/// is; no route matches it.
///
/// # Errors
/// The first thing in the path for which `docs/paths.md` says "refused".
#[inline]
pub fn canonical_path<'a>(raw: &'a [u8], out: &'a mut String) -> Result<Canonical<'a>, PathFault> {
    match raw {
        [] => return Ok(Canonical::Same("/")),
        [b'*'] => return Ok(Canonical::Same("*")),
        [b'/', ..] => {}
        _ => return fault(PathFaultKind::NotAbsolute, 0),
    }
    if !is_plain(raw) {
        return rewrite(raw, out);
    }
    match std::str::from_utf8(raw) {
        Ok(path) => Ok(Canonical::Same(path)),
        Err(_) => fault(PathFaultKind::ForeignByte, 0),
    }
}

/// Whether a path is unsuspicious: plain bytes only, and each segment begins with neither slash, dot nor `;`.
/// One pass without branches, since nearly every path is.
fn is_plain(raw: &[u8]) -> bool {
    let mut found = 0;
    let mut before = 0;
    for &byte in raw {
        let marks = MARKS[usize::from(byte)];
        found |= (marks & MARK_NOT_PLAIN) | (before & MARK_SLASH & (marks >> 1));
        before = marks;
    }
    found == 0
}

const MARK_SLASH: u8 = 1;
/// May not follow a slash.
const MARK_NOT_FIRST: u8 = 2;
const MARK_NOT_PLAIN: u8 = 4;

const MARKS: [u8; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = match (CLASSES[byte], byte as u8) {
            (Class::Slash, _) => MARK_SLASH | MARK_NOT_FIRST,
            (Class::Plain, b'.' | b';') => MARK_NOT_FIRST,
            (Class::Plain, _) => 0,
            _ => MARK_NOT_PLAIN,
        };
        byte += 1;
    }
    table
};

/// The general case: segment by segment into `out`.
#[cold]
fn rewrite<'a>(raw: &'a [u8], out: &'a mut String) -> Result<Canonical<'a>, PathFault> {
    out.clear();
    let mut start = 1;
    loop {
        let end = memchr(b'/', &raw[start..]).map_or(raw.len(), |length| start + length);
        out.push('/');
        let begin = out.len();
        rewrite_segment(raw, start, end, out)?;
        if start == end && end < raw.len() {
            return fault(PathFaultKind::EmptySegment, start);
        }
        if hides_structure(&out.as_bytes()[begin..]) {
            return fault(PathFaultKind::DoubleEscape, start);
        }
        if matches!(&out.as_bytes()[begin..], [b';', ..] | [b'%', b'3', b'B', ..]) {
            return fault(PathFaultKind::EmptySegment, start);
        }
        if is_dot_disguise(&out.as_bytes()[begin..]) {
            return fault(PathFaultKind::DotSegment, start);
        }
        if end == raw.len() {
            break;
        }
        start = end + 1;
    }
    if out.as_bytes() == raw {
        return Ok(Canonical::Same(out));
    }
    Ok(Canonical::Rewritten(out))
}

fn rewrite_segment(
    raw: &[u8],
    start: usize,
    end: usize,
    out: &mut String,
) -> Result<(), PathFault> {
    let mut at = start;
    while at < end {
        let byte = raw[at];
        match CLASSES[usize::from(byte)] {
            Class::Plain => {
                let plain = |byte: &u8| CLASSES[usize::from(*byte)] == Class::Plain;
                let length = raw[at..end].iter().take_while(|byte| plain(byte)).count();
                match std::str::from_utf8(&raw[at..at + length]) {
                    Ok(text) => out.push_str(text),
                    Err(_) => return fault(PathFaultKind::ForeignByte, at),
                }
                at += length;
                continue;
            }
            Class::Escape => push_escaped(out, byte),
            Class::Percent => {
                at = rewrite_escape(raw, at, end, out)?;
                continue;
            }
            Class::Backslash => return fault(PathFaultKind::Backslash, at),
            Class::Control => return fault(PathFaultKind::Control, at),
            Class::Foreign | Class::Slash => return fault(PathFaultKind::ForeignByte, at),
        }
        at += 1;
    }
    Ok(())
}

/// One escape, or all escapes of one character outside ASCII. Returns the offset after it.
fn rewrite_escape(raw: &[u8], at: usize, end: usize, out: &mut String) -> Result<usize, PathFault> {
    let Some(value) = escaped_byte(raw, at, end) else {
        return fault(PathFaultKind::BrokenEscape, at);
    };
    match value {
        b'/' | b'\\' => fault(PathFaultKind::EncodedSeparator, at),
        0..=0x1f | 0x7f => fault(PathFaultKind::Control, at),
        b'%' => {
            out.push_str("%25");
            Ok(at + 3)
        }
        0x80..=0xff => rewrite_character(raw, at, end, value, out),
        _ => {
            if is_unreserved(value) {
                out.push(char::from(value));
            } else {
                push_escaped(out, value);
            }
            Ok(at + 3)
        }
    }
}

/// A character outside ASCII. Each of its bytes must be escaped; overlong forms, surrogates and
/// broken sequences are refused, since readers disagree about what they mean.
fn rewrite_character(
    raw: &[u8],
    at: usize,
    end: usize,
    first: u8,
    out: &mut String,
) -> Result<usize, PathFault> {
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => return fault(PathFaultKind::NotUtf8, at),
    };
    let mut bytes = [first, 0, 0, 0];
    for (index, byte) in bytes.iter_mut().enumerate().take(length).skip(1) {
        let Some(value) = escaped_byte(raw, at + 3 * index, end) else {
            return fault(PathFaultKind::NotUtf8, at);
        };
        *byte = value;
    }
    let Ok(text) = std::str::from_utf8(&bytes[..length]) else {
        return fault(PathFaultKind::NotUtf8, at);
    };
    // U+0080 to U+009F are control characters too.
    if text.chars().all(char::is_control) {
        return fault(PathFaultKind::Control, at);
    }
    for byte in &bytes[..length] {
        push_escaped(out, *byte);
    }
    Ok(at + 3 * length)
}

/// Whether a segment in canonical escapes would, decoded twice or more often, get a different shape. Looked
/// for in what comes out, since the digits after `%25` may have been escaped themselves.
fn hides_structure(segment: &[u8]) -> bool {
    memmem::find_iter(segment, b"%25").any(|found| {
        let mut at = found + 3;
        while segment[at..].starts_with(b"25") {
            at += 2;
        }
        let hidden = (hex_at(segment, at, segment.len()), hex_at(segment, at + 1, segment.len()));
        let (Some(high), Some(low)) = hidden else { return false };
        matches!(high * 16 + low, b'.' | b'/' | b'\\' | 0..=0x1f | 0x7f)
    })
}

/// Whether a segment in canonical escapes may be taken for `.` or `..`: dots (also the full-width
/// ones, which some readers fold), perhaps after spaces, and then nothing, a `;` or an escape below
/// 0x80, at which readers cut off, trim or decode once more.
fn is_dot_disguise(segment: &[u8]) -> bool {
    let mut rest = segment;
    while let Some(after) = rest.strip_prefix(b"%20") {
        rest = after;
    }
    let mut dots = 0;
    while let Some(after) = rest.strip_prefix(b".").or_else(|| rest.strip_prefix(b"%EF%BC%8E")) {
        rest = after;
        dots += 1;
    }
    dots > 0 && matches!(rest, [] | [b';', ..] | [b'%', b'0'..=b'7', ..])
}

fn escaped_byte(raw: &[u8], at: usize, end: usize) -> Option<u8> {
    if at >= end || raw[at] != b'%' {
        return None;
    }
    Some(hex_at(raw, at + 1, end)? * 16 + hex_at(raw, at + 2, end)?)
}

fn hex_at(raw: &[u8], at: usize, end: usize) -> Option<u8> {
    if at >= end { None } else { hex(raw[at]) }
}

pub(crate) fn hex(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

fn push_escaped(out: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 15)]));
}

/// RFC 3986 §2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Why a host is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HostFault;

impl fmt::Display for HostFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the host is not a name or an address")
    }
}

impl std::error::Error for HostFault {}

/// The canonical form of a host as in `Host` or `:authority`: lower case, no port, no dot at its end.
/// IPv6 addresses keep their brackets. `out` is only written to when a letter has to be lowered.
///
/// # Errors
/// An empty host, an empty label, more than 255 bytes, or a byte that no host name contains.
pub fn canonical_host<'a>(raw: &'a [u8], out: &'a mut String) -> Result<&'a str, HostFault> {
    let host = without_port(raw)?;
    if host.is_empty() || host.len() > 255 {
        return Err(HostFault);
    }
    let mut lowered = false;
    let mut before = b'.';
    for &byte in host {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => {}
            b'A'..=b'Z' => lowered = true,
            b'.' if before != b'.' => {}
            b'[' | b']' | b':' if host[0] == b'[' => {}
            _ => return Err(HostFault),
        }
        before = byte;
    }
    let text = std::str::from_utf8(host).map_err(|_| HostFault)?;
    let text = text.strip_suffix('.').unwrap_or(text);
    if !lowered {
        return Ok(text);
    }
    out.clear();
    out.push_str(text);
    out.make_ascii_lowercase();
    Ok(out)
}

fn without_port(raw: &[u8]) -> Result<&[u8], HostFault> {
    let end = if raw.first() == Some(&b'[') {
        memchr(b']', raw).ok_or(HostFault)? + 1
    } else {
        memchr(b':', raw).unwrap_or(raw.len())
    };
    match &raw[end..] {
        [] => Ok(&raw[..end]),
        [b':', port @ ..] if port.len() <= 5 && port.iter().all(u8::is_ascii_digit) => {
            Ok(&raw[..end])
        }
        _ => Err(HostFault),
    }
}

#[cfg(test)]
mod tests;
