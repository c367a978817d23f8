//! Request heads (RFC 9112 §3).
//!
//! Assumes a bound on the head; leaves to others what the target means and who answers it.

use crate::bytes::{target_end, token_end};
use crate::head::{
    Claims, Field, Framing, HeadLimits, Progress, Reading, Version, claims, fault, field_lines,
    incremental, line_end, version,
};
use crate::target::{self, Authority, Target, default_port};
use crate::{Reject, Span};

/// Empty lines that are tolerated before a request line. RFC 9112 §2.2 asks for at least one:
/// old clients sent a CRLF after the body of a `POST`.
const EMPTY_LINES_MAX: usize = 4;

/// A request method. Methods are case-sensitive: `get` is not `GET`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
    /// `PATCH`
    Patch,
    /// `OPTIONS`
    Options,
    /// `TRACE`
    Trace,
    /// `CONNECT`
    Connect,
    /// Any other token.
    Other(Span),
}

impl Method {
    /// The method as it is written; `bytes` is what the head was parsed from.
    #[inline]
    pub fn as_bytes(self, bytes: &[u8]) -> &[u8] {
        match self {
            Method::Get => b"GET",
            Method::Head => b"HEAD",
            Method::Post => b"POST",
            Method::Put => b"PUT",
            Method::Delete => b"DELETE",
            Method::Patch => b"PATCH",
            Method::Options => b"OPTIONS",
            Method::Trace => b"TRACE",
            Method::Connect => b"CONNECT",
            Method::Other(span) => span.of(bytes),
        }
    }

    fn parse(bytes: &[u8], span: Span) -> Method {
        match span.of(bytes) {
            b"GET" => Method::Get,
            b"HEAD" => Method::Head,
            b"POST" => Method::Post,
            b"PUT" => Method::Put,
            b"DELETE" => Method::Delete,
            b"PATCH" => Method::Patch,
            b"OPTIONS" => Method::Options,
            b"TRACE" => Method::Trace,
            b"CONNECT" => Method::Connect,
            _ => Method::Other(span),
        }
    }
}

/// A request head. The spans are offsets into what was parsed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RequestHead {
    /// The method.
    pub method: Method,
    /// The target, in the form it was given.
    pub target: Target,
    /// The version of the client.
    pub version: Version,
    /// Host and port, from the target if it has one, or from `Host`; both agree. Empty only for
    /// an HTTP/1.0 request that names no host.
    pub authority: Span,
    /// How the body is delimited; never `UntilClose`.
    pub framing: Framing,
    /// Whether the client would send another request on this connection.
    pub persistent: bool,
    /// Whether the client waits for a 100 before it sends the body (RFC 9110 §10.1.1).
    pub expect_continue: bool,
    /// Whether the client asks for another protocol: `Upgrade` is there, and `Connection` names
    /// it. The body, if any, comes first.
    pub upgrade: bool,
    /// Bytes of the head, with tolerated empty lines before it and the empty line after it.
    pub len: usize,
}

/// Reads a request head from the front of `bytes`.
///
/// `Ok(None)` asks for more bytes: call again with the same bytes and those that followed, and
/// the same `progress`. `fields` is cleared first, and its contents mean something only together
/// with a head.
///
/// # Errors
/// The reason why the head is refused, by RFC 9112 and the stricter rules of this crate.
#[inline]
pub fn parse_request(
    bytes: &[u8],
    fields: &mut Vec<Field>,
    limits: &HeadLimits,
    progress: &mut Progress,
) -> Result<Option<RequestHead>, Reject> {
    incremental(bytes, fields, limits, progress, |bytes, fields| whole(bytes, fields, limits))
}

fn whole(
    bytes: &[u8],
    fields: &mut Vec<Field>,
    limits: &HeadLimits,
) -> Result<Reading<RequestHead>, Reject> {
    let Some(line) = request_line(bytes, limits)? else {
        return Ok(Reading::Partial { line: 0 });
    };
    match field_lines(bytes, line.next, fields, limits.fields)? {
        Reading::Partial { line } => Ok(Reading::Partial { line }),
        Reading::Whole(len) => Ok(Reading::Whole(head(bytes, &line, fields, len)?)),
    }
}

struct RequestLine {
    method: Method,
    target: Span,
    version: Version,
    next: usize,
}

fn request_line(bytes: &[u8], limits: &HeadLimits) -> Result<Option<RequestLine>, Reject> {
    let Some(start) = skip_empty_lines(bytes)? else { return Ok(None) };
    let method_end = token_end(bytes, start);
    if method_end == start || bytes.get(method_end) != Some(&b' ') {
        return fault(bytes, method_end, Reject::RequestLine).map(|()| None);
    }
    let target_start = method_end + 1;
    let target_stop = target_end(bytes, target_start);
    match bytes.get(target_stop) {
        None => return Ok(None),
        Some(b' ') if target_stop > target_start => {}
        Some(b' ' | b'\r' | b'\n') => {
            return fault(bytes, target_stop, Reject::RequestLine).map(|()| None);
        }
        Some(_) => return fault(bytes, target_stop, Reject::Target).map(|()| None),
    }
    let Some((version, end)) = version(bytes, target_stop + 1, Reject::RequestLine)? else {
        return Ok(None);
    };
    if bytes.get(end).is_some_and(|byte| *byte >= b' ') {
        return fault(bytes, end, Reject::RequestLine).map(|()| None);
    }
    let Some(next) = line_end(bytes, end, Reject::RequestLine)? else { return Ok(None) };
    if target_stop - target_start > limits.target_bytes {
        return Err(Reject::TargetTooLong);
    }
    let method = Method::parse(bytes, Span::new(start, method_end));
    Ok(Some(RequestLine { method, target: Span::new(target_start, target_stop), version, next }))
}

fn skip_empty_lines(bytes: &[u8]) -> Result<Option<usize>, Reject> {
    let mut at = 0;
    while let Some(b'\r' | b'\n') = bytes.get(at) {
        if at == EMPTY_LINES_MAX * 2 {
            return Err(Reject::RequestLine);
        }
        match line_end(bytes, at, Reject::LineEnd)? {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

fn head(
    bytes: &[u8],
    line: &RequestLine,
    fields: &[Field],
    len: usize,
) -> Result<RequestHead, Reject> {
    let target = target::parse(bytes, line.target, line.method)?;
    let claims = claims(bytes, fields, line.version)?;
    let authority = authority(bytes, target, line.version, &claims)?;
    if claims.expects_other {
        return Err(Reject::Expectation);
    }
    let framing = match claims.length {
        _ if claims.chunked => Framing::Chunked,
        None | Some(0) => Framing::None,
        Some(length) => Framing::Length(length),
    };
    Ok(RequestHead {
        method: line.method,
        target,
        version: line.version,
        authority,
        framing,
        persistent: claims.persistent(line.version),
        expect_continue: claims.expects_continue
            && line.version == Version::Http11
            && framing != Framing::None,
        upgrade: claims.upgrade(line.version),
        len,
    })
}

/// One host, named once: HTTP/1.1 must have `Host` and nobody may have two (RFC 9112 §3.2). RFC
/// 9112 would have the target win where both name one; whoever sends two different names wants
/// two readers to disagree, so that is refused.
fn authority(
    bytes: &[u8],
    target: Target,
    version: Version,
    claims: &Claims,
) -> Result<Span, Reject> {
    if claims.host_repeated {
        return Err(Reject::HostRepeated);
    }
    let (named, default) = match target {
        Target::Absolute { scheme, authority, .. } => {
            (Some(authority), default_port(scheme.of(bytes)))
        }
        Target::Authority(authority) => (Some(authority), None),
        Target::Origin { .. } | Target::Asterisk => (None, None),
    };
    let Some(host) = claims.host else {
        return match version {
            Version::Http11 => Err(Reject::HostMissing),
            Version::Http10 => Ok(named.unwrap_or_default()),
        };
    };
    let by_field = Authority::parse(host.of(bytes)).ok_or(Reject::HostInvalid)?;
    let Some(named) = named else { return Ok(host) };
    let by_target = Authority::parse(named.of(bytes)).ok_or(Reject::HostInvalid)?;
    if by_field.agrees(by_target, default) { Ok(named) } else { Err(Reject::HostDisagrees) }
}
