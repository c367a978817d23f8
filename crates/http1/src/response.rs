//! Response heads (RFC 9112 §4).
//!
//! A response cannot be read without knowing what was asked: whether a body follows depends on
//! the request. Interim responses (1xx) are heads like others; the caller reads on after them.

use crate::bytes::control_at;
use crate::head::{
    Claims, Field, Framing, HeadLimits, Progress, Reading, Version, claims, fault, field_lines,
    incremental, line_end, version,
};
use crate::{Reject, Span};

/// What was asked, as far as it changes how the response is framed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RequestKind {
    /// `HEAD`: the response has no body whatever its fields say.
    Head,
    /// `CONNECT`: a 2xx makes a tunnel.
    Connect,
    /// A request with `Upgrade`: a 101 may come.
    Upgrade,
    /// Anything else.
    Other,
}

/// A response head. The spans are offsets into what was parsed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ResponseHead {
    /// 100 to 599.
    pub status: u16,
    /// The version of the server.
    pub version: Version,
    /// The reason phrase; may be empty.
    pub reason: Span,
    /// How the body is delimited.
    pub framing: Framing,
    /// Whether the connection can be used again once the body has ended.
    pub persistent: bool,
    /// Whether the connection is no longer HTTP after this head: a 101 that was asked for, or a
    /// 2xx to `CONNECT`.
    pub upgrade: bool,
    /// Bytes of the head, with the empty line after it.
    pub len: usize,
}

/// Reads a response head from the front of `bytes`; called like
/// [`parse_request`](crate::parse_request).
///
/// # Errors
/// The reason why the head is refused. The connection must not be used again.
#[inline]
pub fn parse_response(
    bytes: &[u8],
    fields: &mut Vec<Field>,
    request: RequestKind,
    limits: &HeadLimits,
    progress: &mut Progress,
) -> Result<Option<ResponseHead>, Reject> {
    let read = |bytes: &[u8], fields: &mut Vec<Field>| whole(bytes, fields, request, limits);
    match incremental(bytes, fields, limits, progress, read) {
        // there is no target here; a first line that fills the bound is just a large head
        Err(Reject::TargetTooLong) => Err(Reject::HeadTooLarge),
        read => read,
    }
}

fn whole(
    bytes: &[u8],
    fields: &mut Vec<Field>,
    request: RequestKind,
    limits: &HeadLimits,
) -> Result<Reading<ResponseHead>, Reject> {
    let Some(line) = status_line(bytes)? else { return Ok(Reading::Partial { line: 0 }) };
    match field_lines(bytes, line.next, fields, limits.fields)? {
        Reading::Partial { line } => Ok(Reading::Partial { line }),
        Reading::Whole(len) => {
            let claims = claims(bytes, fields, line.version)?;
            Ok(Reading::Whole(head(&line, request, &claims, len)?))
        }
    }
}

struct StatusLine {
    version: Version,
    status: u16,
    reason: Span,
    next: usize,
}

fn status_line(bytes: &[u8]) -> Result<Option<StatusLine>, Reject> {
    let Some((version, end)) = version(bytes, 0, Reject::StatusLine)? else { return Ok(None) };
    match bytes.get(end) {
        None => return Ok(None),
        Some(b' ') => {}
        Some(_) => return fault(bytes, end, Reject::StatusLine).map(|()| None),
    }
    let digits = match bytes[end + 1..].first_chunk::<3>() {
        Some(digits) if digits.iter().all(u8::is_ascii_digit) => digits,
        _ => return fault(bytes, end + 1, Reject::Status).map(|()| None),
    };
    let status = digits.iter().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    let after = end + 4;
    let reason = match bytes.get(after) {
        None => return Ok(None),
        Some(b' ') => Span::new(after + 1, control_at(bytes, after + 1)),
        Some(b'\r' | b'\n') => Span::new(after, after),
        Some(byte) => {
            let reject = if byte.is_ascii_digit() { Reject::Status } else { Reject::StatusLine };
            return fault(bytes, after, reject).map(|()| None);
        }
    };
    let Some(next) = line_end(bytes, reason.end as usize, Reject::StatusLine)? else {
        return Ok(None);
    };
    if !(100..=599).contains(&status) {
        return Err(Reject::Status);
    }
    Ok(Some(StatusLine { version, status, reason, next }))
}

fn head(
    line: &StatusLine,
    request: RequestKind,
    claims: &Claims,
    len: usize,
) -> Result<ResponseHead, Reject> {
    let framing = framing(line.status, request, claims)?;
    let switches = line.status == 101;
    if switches && !(request == RequestKind::Upgrade && claims.upgrade(line.version)) {
        return Err(Reject::UnaskedUpgrade);
    }
    let tunnels = request == RequestKind::Connect && (200..=299).contains(&line.status);
    Ok(ResponseHead {
        status: line.status,
        version: line.version,
        reason: line.reason,
        framing,
        persistent: claims.persistent(line.version) && framing != Framing::UntilClose,
        upgrade: switches || tunnels,
        len,
    })
}

/// RFC 9112 §6.3, in its order.
fn framing(status: u16, request: RequestKind, claims: &Claims) -> Result<Framing, Reject> {
    let empty_status = matches!(status, 100..=199 | 204);
    if empty_status && (claims.chunked || claims.length.is_some_and(|length| length > 0)) {
        // No server may send these (RFC 9112 §6.1, RFC 9110 §8.6); one that does may well send
        // the body too, and that would be read as the next response. `Content-Length: 0` is
        // common and harmless.
        return Err(Reject::BodyOnEmptyStatus);
    }
    let tunnels = request == RequestKind::Connect && (200..=299).contains(&status);
    if request == RequestKind::Head || empty_status || status == 304 || tunnels {
        return Ok(Framing::None);
    }
    Ok(match claims.length {
        _ if claims.chunked => Framing::Chunked,
        Some(0) => Framing::None,
        Some(length) => Framing::Length(length),
        None => Framing::UntilClose,
    })
}
