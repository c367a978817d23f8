//! Heads between HTTP/2 and the lines of HTTP/1.1, which are the one form that the exchange knows.
//!
//! Assumes that `h2` has checked pseudo-headers and connection-specific fields; checks all that it
//! does not.

use std::sync::LazyLock;

use bytes::Bytes;
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, request};
use portway_http1::{self as http1, Field, Framing, Known, Reject, Span};

use crate::buffer::Lent;
use crate::request::{Request, Version};

/// Fields of an answer, as many as over HTTP/1.1.
pub(crate) const ANSWER_FIELDS_MAX: usize = 256;

/// Appends bytes and says where they lie.
fn put(into: &mut Vec<u8>, bytes: &[u8]) -> Span {
    let start = into.len();
    into.extend_from_slice(bytes);
    Span::new(start, into.len())
}

/// Whether a field may become a line. `h2` lets pass what no line may hold: names with a quote, values with
/// white space at their ends.
fn check(name: &HeaderName, value: &HeaderValue) -> Result<(), Reject> {
    if !http1::is_token(name.as_str().as_bytes()) {
        return Err(Reject::FieldName);
    }
    http1::is_field_value(value.as_bytes()).then_some(()).ok_or(Reject::FieldValue)
}

/// Trailers that may become lines; the others are left out, as trailers may be (RFC 9110 §6.5.1).
pub(crate) fn trailers(map: Option<&HeaderMap>) -> impl Iterator<Item = (&[u8], &[u8])> {
    let fields = map.into_iter().flat_map(HeaderMap::iter);
    let sound = fields.filter(|(name, value)| check(name, value).is_ok());
    sound.map(|(name, value)| (name.as_str().as_bytes(), value.as_bytes()))
}

/// Writes fields down as lines, with their spans. `Cookie` crumbs (RFC 9113 §8.2.3) become one field.
fn put_fields(
    headers: &HeaderMap,
    out: &mut Vec<u8>,
    fields: &mut Vec<Field>,
) -> Result<(), Reject> {
    for (name, value) in headers {
        let known = Known::from_name(name.as_str().as_bytes());
        if known == Known::Cookie && fields.iter().any(|field| field.known == Known::Cookie) {
            continue;
        }
        check(name, value)?;
        let name_span = put(out, name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        let start = out.len();
        if known == Known::Cookie {
            for (index, crumb) in headers.get_all(http::header::COOKIE).iter().enumerate() {
                out.extend_from_slice(if index == 0 { b"" } else { b"; " });
                out.extend_from_slice(crumb.as_bytes());
            }
        } else {
            out.extend_from_slice(value.as_bytes());
        }
        let value_span = Span::new(start, out.len());
        out.extend_from_slice(b"\r\n");
        fields.push(Field { name: name_span, value: value_span, known });
    }
    Ok(())
}

/// A request that came over HTTP/2 (RFC 9113 §8.3.1).
pub(crate) fn request(
    parts: &request::Parts,
    ended: bool,
    fields_max: usize,
    target_bytes_max: usize,
) -> Result<Request, Reject> {
    // Crumbs count: they cost the sender next to nothing.
    if parts.headers.len() > fields_max {
        return Err(Reject::TooManyFields);
    }
    let mut bytes = crate::buffer::lend_out();
    let mut head = Lent::small();
    let written = write(parts, target_bytes_max, &mut bytes, &mut head.fields);
    head.extend(&bytes);
    bytes.clear();
    crate::buffer::give_back_out(bytes);
    let Written { method, authority, path, query, framing } = written?;
    Ok(Request {
        head,
        method,
        authority,
        path,
        query: query.unwrap_or_default(),
        has_query: query.is_some(),
        version: Version::Http2,
        framing: if ended { Framing::None } else { framing },
        upgrade: false,
    })
}

struct Written {
    method: http1::Method,
    authority: Span,
    path: Span,
    query: Option<Span>,
    framing: Framing,
}

fn write(
    parts: &request::Parts,
    target_bytes_max: usize,
    out: &mut Vec<u8>,
    fields: &mut Vec<Field>,
) -> Result<Written, Reject> {
    let method = match parts.method {
        Method::GET => http1::Method::Get,
        Method::HEAD => http1::Method::Head,
        Method::POST => http1::Method::Post,
        Method::PUT => http1::Method::Put,
        Method::DELETE => http1::Method::Delete,
        Method::PATCH => http1::Method::Patch,
        Method::OPTIONS => http1::Method::Options,
        Method::TRACE => http1::Method::Trace,
        Method::CONNECT => http1::Method::Connect,
        ref other => http1::Method::Other(put(out, other.as_str().as_bytes())),
    };
    // As in a target of HTTP/1.1.
    if parts.uri.scheme().is_some_and(|scheme| *scheme != Scheme::HTTP && *scheme != Scheme::HTTPS)
    {
        return Err(Reject::Target);
    }
    let authority = put(out, authority(&parts.uri, &parts.headers)?);
    let text = parts.uri.path();
    if text.len() + parts.uri.query().map_or(0, str::len) > target_bytes_max {
        return Err(Reject::TargetTooLong);
    }
    let is_path = text.starts_with('/') || (text == "*" && method == http1::Method::Options);
    if method != http1::Method::Connect && !is_path {
        return Err(Reject::Target);
    }
    let path = put(out, if text == "*" { b"" } else { text.as_bytes() });
    let query = parts.uri.query().map(|query| put(out, query.as_bytes()));
    if !http1::is_target(&out[path.start as usize..]) {
        return Err(Reject::Target);
    }
    put_fields(&parts.headers, out, fields)?;
    let is_odd = |field: &Field| {
        field.known == Known::Expect && !field.value.of(out).eq_ignore_ascii_case(b"100-continue")
    };
    if fields.iter().any(is_odd) {
        return Err(Reject::Expectation);
    }
    let length = parts.headers.get(http::header::CONTENT_LENGTH);
    let framing = match length.map(|value| value.to_str().unwrap_or("").parse::<u64>()) {
        None => Framing::Chunked,
        Some(Ok(length)) => Framing::Length(length),
        Some(Err(_)) => return Err(Reject::LengthInvalid),
    };
    Ok(Written { method, authority, path, query, framing })
}

/// `:authority`, or else `Host`; both agree (RFC 9113 §8.3.1).
fn authority<'a>(uri: &'a Uri, headers: &'a HeaderMap) -> Result<&'a [u8], Reject> {
    let mut hosts = headers.get_all(http::header::HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(Reject::HostRepeated);
    }
    let text = match (uri.authority(), host) {
        (Some(authority), None) => authority.as_str().as_bytes(),
        (Some(authority), Some(host))
            if host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) =>
        {
            host.as_bytes()
        }
        (Some(_), Some(_)) => return Err(Reject::HostDisagrees),
        (None, Some(host)) => host.as_bytes(),
        (None, None) => return Err(Reject::HostMissing),
    };
    http1::Authority::parse(text).map(|_| text).ok_or(Reject::HostInvalid)
}

/// Fields of an answer that came over HTTP/2.
pub(crate) fn answer(headers: &HeaderMap) -> Result<Lent, Reject> {
    if headers.len() > ANSWER_FIELDS_MAX {
        return Err(Reject::TooManyFields);
    }
    let mut bytes = crate::buffer::lend_out();
    let mut lent = Lent::large();
    let put = put_fields(headers, &mut bytes, &mut lent.fields);
    lent.extend(&bytes);
    crate::buffer::give_back_out(bytes);
    put.map(|()| lent)
}

/// The names that are known, made once: by the number of each, less one.
static NAMES: LazyLock<Vec<HeaderName>> =
    LazyLock::new(|| Known::all().map(|known| HeaderName::from_static(known.name())).collect());

/// A name of a line.
fn name_of(name: &[u8], known: Known) -> Option<HeaderName> {
    match (known as usize).checked_sub(1) {
        Some(place) => NAMES.get(place).cloned(),
        None => HeaderName::from_bytes(name).ok(),
    }
}

/// Lines of fields as a map for HTTP/2.
pub(crate) fn to_map(lines: &[u8]) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(memchr::memchr_iter(b'\n', lines).count());
    // All values share one allocation.
    let shared = Bytes::copy_from_slice(lines);
    let mut start = 0;
    for end in memchr::memchr_iter(b'\r', lines) {
        let line = &lines[start..end];
        let Some(colon) = memchr::memchr(b':', line) else { break };
        let value = line[colon + 1..].trim_ascii();
        let at = value.as_ptr() as usize - lines.as_ptr() as usize;
        let known = Known::from_name(&line[..colon]);
        let value = HeaderValue::from_maybe_shared(shared.slice(at..at + value.len()));
        if let (Some(name), Ok(mut value)) = (name_of(&line[..colon], known), value) {
            // An id is never sent twice: it only pushes others out of the peer's table (RFC 7541 §6.2.3).
            value.set_sensitive(known == Known::XRequestId);
            map.append(name, value);
        }
        start = end + 2;
    }
    map
}

#[cfg(test)]
mod tests;
