//! References (RFC 3986 §4.1) in the fields of an answer, read as browsers read them: a backslash is a slash, and
//! any number of slashes stand before a host.

use super::{Fate, Mask, Public};

/// References that are looked at in one field; one with more is dropped, so that a short reference cannot grow
/// without end.
const REFERENCES_MAX: usize = 64;

const fn is_slash(byte: u8) -> bool {
    matches!(byte, b'/' | b'\\')
}

/// The host of an authority: without a user and without the port.
pub(super) fn host_of(authority: &[u8]) -> &[u8] {
    let start = authority.iter().rposition(|byte| *byte == b'@').map_or(0, |at| at + 1);
    let authority = &authority[start..];
    let end = if authority.first() == Some(&b'[') {
        authority.iter().position(|byte| *byte == b']').map_or(authority.len(), |at| at + 1)
    } else {
        authority.iter().position(|byte| *byte == b':').unwrap_or(authority.len())
    };
    &authority[..end]
}

/// What kind of reference it is.
enum Kind<'a> {
    /// With a host, and what follows the authority.
    Absolute { web_socket: bool, host: &'a [u8], path: &'a [u8] },
    /// From the root of the host.
    Rooted,
    /// Relative, or of a scheme without a host.
    Other,
}

fn kind_of(reference: &[u8]) -> Kind<'_> {
    let scheme_end = reference
        .iter()
        .position(|byte| !byte.is_ascii_alphanumeric() && !b"+-.".contains(byte))
        .filter(|at| *at > 0 && reference[*at] == b':');
    let (web_socket, rest) = match scheme_end {
        Some(end) => {
            let is = |of: &[u8]| reference[..end].eq_ignore_ascii_case(of);
            let web_socket = is(b"ws") || is(b"wss");
            if !web_socket && !is(b"http") && !is(b"https") {
                return Kind::Other;
            }
            (web_socket, &reference[end + 1..])
        }
        None if reference.len() >= 2 && reference[..2].iter().all(|byte| is_slash(*byte)) => {
            (false, reference)
        }
        None if reference.first().is_some_and(|byte| is_slash(*byte)) => return Kind::Rooted,
        None => return Kind::Other,
    };
    let start = rest.iter().position(|byte| !is_slash(*byte)).unwrap_or(rest.len());
    let rest = &rest[start..];
    let end = rest
        .iter()
        .position(|byte| is_slash(*byte) || matches!(byte, b'?' | b'#'))
        .unwrap_or(rest.len());
    Kind::Absolute { web_socket, host: host_of(&rest[..end]), path: &rest[end..] }
}

/// What follows `start` in a path, if it begins with it at a boundary.
fn behind<'a>(path: &'a [u8], start: &[u8]) -> Option<&'a [u8]> {
    let rest = path.strip_prefix(start)?;
    rest.first().is_none_or(|byte| is_slash(*byte) || matches!(byte, b'?' | b'#')).then_some(rest)
}

impl Mask {
    /// Writes a reference as callers must see it; false if it may stay as it is.
    pub(super) fn reference(&self, public: &Public<'_>, value: &[u8], out: &mut Vec<u8>) -> bool {
        let value = value.trim_ascii();
        // Browsers leave tabs out, wherever they stand: nothing can be said of the pieces around one.
        if value.contains(&b'\t') {
            return false;
        }
        match kind_of(value) {
            Kind::Absolute { web_socket, host, path } => {
                // An application that knows its public name gives nothing away by it.
                if !self.hosts.has(host) || host.eq_ignore_ascii_case(public.host()) {
                    return false;
                }
                if !public.authority.is_empty() {
                    let scheme: &[u8] = match (web_socket, public.tls) {
                        (false, true) => b"https://",
                        (false, false) => b"http://",
                        (true, true) => b"wss://",
                        (true, false) => b"ws://",
                    };
                    out.extend_from_slice(scheme);
                    out.extend_from_slice(public.authority);
                }
                self.path(path, public.authority.is_empty(), out);
                true
            }
            Kind::Rooted => self.rooted(value, out),
            Kind::Other => false,
        }
    }

    /// Writes a path from the application's root as a path from the public root; false if it is one already.
    pub(super) fn rooted(&self, path: &[u8], out: &mut Vec<u8>) -> bool {
        let has_base = self.bases.iter().any(|base| behind(path, base.as_bytes()).is_some());
        if !has_base && behind(path, self.prefix.as_bytes()).is_some() {
            return false;
        }
        self.path(path, true, out);
        true
    }

    /// Writes the public path. `alone`: no host stands before it, so that it must not look as if it had one.
    fn path(&self, path: &[u8], alone: bool, out: &mut Vec<u8>) {
        let base = self.bases.iter().find_map(|base| behind(path, base.as_bytes()));
        let inner = base.unwrap_or(path);
        let has_prefix = !self.prefix.is_empty()
            && base.is_none()
            && behind(path, self.prefix.as_bytes()).is_some();
        if !has_prefix {
            out.extend_from_slice(self.prefix.as_bytes());
            if self.prefix.is_empty() {
                if alone && inner.len() >= 2 && inner[..2].iter().all(|byte| is_slash(*byte)) {
                    // RFC 3986 §3.3: a path cannot begin with two slashes where there is no host.
                    out.extend_from_slice(b"/.");
                } else if !inner.first().is_some_and(|byte| is_slash(*byte)) {
                    out.push(b'/');
                }
            }
        }
        out.extend_from_slice(inner);
    }

    /// `Refresh: 5; url=…`, as the WHATWG HTML standard reads it (§4.2.5.3, "shared declarative refresh steps").
    pub(super) fn refresh(&self, public: &Public<'_>, value: &[u8], out: &mut Vec<u8>) -> Fate {
        let Some(at) = value.iter().position(|byte| b";,".contains(byte)) else {
            return Fate::Keep;
        };
        let skip = |from: usize| {
            let spaces = value[from..].iter().take_while(|byte| byte.is_ascii_whitespace());
            from + spaces.count()
        };
        let mut start = skip(at + 1);
        if value.get(start..start + 3).is_some_and(|word| word.eq_ignore_ascii_case(b"url")) {
            let equals = skip(start + 3);
            if value.get(equals) == Some(&b'=') {
                start = skip(equals + 1);
            }
        }
        let mut end = value.len();
        if let Some(quote @ (b'"' | b'\'')) = value.get(start).copied() {
            start += 1;
            let closing = value[start..].iter().position(|byte| *byte == quote);
            end = closing.map_or(end, |at| start + at);
        }
        out.extend_from_slice(&value[..start]);
        if !self.reference(public, &value[start..end], out) {
            return Fate::Keep;
        }
        out.extend_from_slice(&value[end..]);
        Fate::Rewritten
    }

    /// `Link` (RFC 8288 §3): the targets in angle brackets, and `anchor`.
    pub(super) fn link(&self, public: &Public<'_>, value: &[u8], out: &mut Vec<u8>) -> Fate {
        let mut rest = value;
        let mut changed = false;
        let mut count = 0;
        while let Some(at) = rest.iter().position(|byte| matches!(byte, b'<' | b'"')) {
            let (before, behind) = rest.split_at(at + 1);
            out.extend_from_slice(before);
            let is_target = rest[at] == b'<';
            let end = if is_target {
                behind.iter().position(|byte| *byte == b'>').unwrap_or(behind.len())
            } else {
                quoted_end(behind)
            };
            let (inner, after) = behind.split_at(end);
            if is_target || is_anchor(&rest[..at]) {
                count += 1;
                if count > REFERENCES_MAX {
                    return Fate::Drop;
                }
                if self.reference(public, inner, out) {
                    changed = true;
                } else {
                    out.extend_from_slice(inner);
                }
            } else {
                out.extend_from_slice(inner);
            }
            // The sign that closes it.
            let (closing, after) = after.split_at(after.len().min(1));
            out.extend_from_slice(closing);
            rest = after;
        }
        out.extend_from_slice(rest);
        if changed { Fate::Rewritten } else { Fate::Keep }
    }
}

/// Where a quoted string ends that began before `text`.
fn quoted_end(text: &[u8]) -> usize {
    let mut at = 0;
    while at < text.len() {
        match text[at] {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

/// Whether what stands before a quoted string is `anchor=`.
fn is_anchor(before: &[u8]) -> bool {
    let Some(before) = before.trim_ascii_end().strip_suffix(b"=") else { return false };
    let before = before.trim_ascii_end();
    before.len() >= 6 && before[before.len() - 6..].eq_ignore_ascii_case(b"anchor")
}
