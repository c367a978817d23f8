//! Request targets in their four forms (RFC 9112 §3.2) and the authorities in them and in `Host`.
//!
//! This decides what a target is, not what it means: escapes, dot segments and doubled slashes
//! are left as they are for whoever makes the path canonical.

use std::net::Ipv6Addr;
use std::str::FromStr;

use memchr::memchr;

use crate::bytes::host_text_end;
use crate::{Method, Reject, Span};

/// The form in which the target was given.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Target {
    /// `/path?query`
    Origin {
        /// The path; it begins with a slash.
        path: Span,
        /// What follows the first question mark, without it.
        query: Option<Span>,
    },
    /// `http://authority/path?query`, as sent to a proxy.
    Absolute {
        /// `http` or `https`, in any case.
        scheme: Span,
        /// Host, and port perhaps.
        authority: Span,
        /// The path; empty, or begins with a slash.
        path: Span,
        /// What follows the first question mark, without it.
        query: Option<Span>,
    },
    /// `host:port`; for `CONNECT` only, and the only form it has.
    Authority(Span),
    /// `*`; for `OPTIONS` only.
    Asterisk,
}

/// Takes apart a target whose bytes have been checked.
pub(crate) fn parse(bytes: &[u8], span: Span, method: Method) -> Result<Target, Reject> {
    let text = span.of(bytes);
    if method == Method::Connect {
        return match Authority::parse(text) {
            Some(Authority { port: Some(_), .. }) => Ok(Target::Authority(span)),
            _ => Err(Reject::Target),
        };
    }
    match text {
        [b'/', ..] => {
            let (path, query) = path_and_query(bytes, span);
            Ok(Target::Origin { path, query })
        }
        b"*" if method == Method::Options => Ok(Target::Asterisk),
        _ => absolute(bytes, span),
    }
}

fn path_and_query(bytes: &[u8], span: Span) -> (Span, Option<Span>) {
    match memchr(b'?', span.of(bytes)) {
        None => (span, None),
        Some(at) => {
            let mark = span.start + at as u32;
            (Span { start: span.start, end: mark }, Some(Span { start: mark + 1, end: span.end }))
        }
    }
}

/// Only `http` and `https`: a gateway stands in front of HTTP, and of these the default port is
/// known, without which the authority could not be compared with `Host`.
fn absolute(bytes: &[u8], span: Span) -> Result<Target, Reject> {
    let text = span.of(bytes);
    let scheme = memchr(b':', text).ok_or(Reject::Target)?;
    if default_port(&text[..scheme]).is_none() || !text[scheme..].starts_with(b"://") {
        return Err(Reject::Target);
    }
    let after = scheme + 3;
    let length = text[after..].iter().position(|byte| matches!(byte, b'/' | b'?'));
    let end = length.map_or(text.len(), |length| after + length);
    Authority::parse(&text[after..end]).ok_or(Reject::HostInvalid)?;
    let start = span.start as usize;
    let rest = Span { start: span.start + end as u32, end: span.end };
    let (path, query) = path_and_query(bytes, rest);
    Ok(Target::Absolute {
        scheme: Span::new(start, start + scheme),
        authority: Span::new(start + after, start + end),
        path,
        query,
    })
}

pub(crate) fn default_port(scheme: &[u8]) -> Option<u16> {
    if scheme.eq_ignore_ascii_case(b"http") {
        Some(80)
    } else if scheme.eq_ignore_ascii_case(b"https") {
        Some(443)
    } else {
        None
    }
}

/// A host and a port. No user, no escapes, no zone: what is looked up and routed by has one
/// spelling but for its case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Authority<'a> {
    /// A name, an IPv4 address, or an IPv6 address with its brackets; as written.
    pub host: &'a [u8],
    /// The port, if one is given.
    pub port: Option<u16>,
}

impl<'a> Authority<'a> {
    /// Reads `host[:port]`; `None` if it is not a plausible one (RFC 3986 §3.2, narrowed). For
    /// `Host`, for targets, and for `:authority` of HTTP/2.
    pub fn parse(text: &'a [u8]) -> Option<Authority<'a>> {
        let host_len = match text {
            [b'[', rest @ ..] => {
                let end = memchr(b']', rest)?;
                let address = std::str::from_utf8(&rest[..end]).ok()?;
                Ipv6Addr::from_str(address).ok()?;
                end + 2
            }
            _ => {
                let end = host_text_end(text, 0);
                if end == 0 || end > 255 {
                    return None;
                }
                end
            }
        };
        let (host, rest) = text.split_at(host_len);
        let port = match rest {
            [] => None,
            [b':', digits @ ..] => Some(port(digits)?),
            _ => return None,
        };
        Some(Authority { host, port })
    }

    /// Whether both name the same host and port, where a port that is not given is `default`.
    pub fn agrees(self, other: Authority<'_>, default: Option<u16>) -> bool {
        self.host.eq_ignore_ascii_case(other.host)
            && self.port.or(default) == other.port.or(default)
    }
}

fn port(digits: &[u8]) -> Option<u16> {
    if digits.is_empty() || digits.len() > 5 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0u32, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    u16::try_from(number).ok()
}

#[cfg(test)]
mod tests;
