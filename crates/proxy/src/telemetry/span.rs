//! The spans of one call, as OTLP wants them (`opentelemetry/proto/trace/v1/trace.proto`).
//!
//! A span of the server for the call; below it one of the client for each attempt at a backend, and one for
//! each phase or wait before that took [`PHASE_US_MIN`] or more. Attributes are those of OpenTelemetry's
//! conventions for HTTP; what they have no word for begins with `portway.`. There is no `url.query` and no
//! `url.full`: a query may carry tokens. Everything that a caller has a hand in is bounded.

use std::net::SocketAddr;

use super::line::{PATH_BYTES_MAX, TEXT_BYTES_MAX, push_client};
use super::privacy::Client;
use super::protobuf::{bytes, fixed32, fixed64, integer, nested, text};
use super::record::{CallRecord, Protocol};

/// Phases that took less have no span of their own, in microseconds.
pub const PHASE_US_MIN: u64 = 100;
/// Phases and waits of one call that are remembered.
const SEGMENTS_MAX: usize = 24;

/// `SpanKind`.
#[derive(Clone, Copy)]
enum Kind {
    Internal = 1,
    Server = 2,
    Client = 3,
}

/// An attempt at a backend.
#[derive(Debug, Clone)]
pub struct Attempt {
    /// Id of its span, which the backend was told, as hexadecimal digits.
    pub span_id: [u8; 16],
    /// Where to.
    pub target: Option<SocketAddr>,
    /// When it began, microseconds since 1970.
    pub began_us: u64,
    /// Whether it went over a connection that was open already.
    pub reused: bool,
    /// When a connection that was opened for it stood.
    pub connected_us: Option<u64>,
    /// When it ended; nothing: with the call.
    pub ended_us: Option<u64>,
    /// Status of its answer, 0 for none.
    pub status: u16,
    /// The word of what broke; empty if nothing did.
    pub fault: &'static str,
}

/// A phase, or a wait.
#[derive(Debug, Clone, Copy)]
pub struct Segment {
    /// Its word.
    pub word: &'static str,
    /// When it began, microseconds since 1970.
    pub began_us: u64,
    /// When it ended.
    pub ended_us: u64,
}

/// What is remembered of a sampled call for its spans.
#[derive(Debug, Clone, Default)]
pub struct Traced {
    /// Attempts in their order.
    pub attempts: Vec<Attempt>,
    /// Phases and waits in their order.
    pub segments: Vec<Segment>,
}

impl Traced {
    /// Remembers a phase or wait that took its time.
    pub fn note(&mut self, segment: Segment) {
        let took_us = segment.ended_us.saturating_sub(segment.began_us);
        if took_us >= PHASE_US_MIN && self.segments.len() < SEGMENTS_MAX {
            self.segments.push(segment);
        }
    }
}

/// What a span needs beside the record of its call.
#[derive(Debug, Clone, Copy)]
pub struct SpanParts<'a> {
    /// Id of the server's span, as hexadecimal digits.
    pub server_id: [u8; 16],
    /// The caller's span; nothing where the trace begins here.
    pub parent_id: Option<[u8; 16]>,
    /// Flags of the trace (W3C).
    pub flags: u8,
    /// When the call began, microseconds since 1970.
    pub began_us: u64,
    /// What was remembered on the way; nothing of a call that is sent for its failure only.
    pub traced: Option<&'a Traced>,
}

/// Bits of `Span.flags` beside those of W3C: it is known whether the parent is remote, and it is.
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

/// Appends the spans of a call, each as a field `spans` of `ScopeSpans`; says how many. `draw` gives ids.
pub fn push_spans(
    out: &mut Vec<u8>,
    call: &CallRecord<'_>,
    parts: &SpanParts<'_>,
    draw: impl Fn() -> u64,
) -> u32 {
    let ended_us = parts.began_us + call.total_us;
    push_server(out, call, parts, ended_us);
    let Some(traced) = parts.traced else { return 1 };
    for segment in &traced.segments {
        let place = Place {
            span_id: (draw() | 1).to_be_bytes(),
            parent: Some(parts.server_id),
            is_remote: false,
            flags: parts.flags,
            began_us: segment.began_us,
            ended_us: segment.ended_us.min(ended_us),
        };
        push_span(out, call, &place, (Kind::Internal, segment.word.as_bytes()), |_| {});
    }
    let resends = traced.attempts.iter().zip(0_u64..);
    for (attempt, resend) in resends {
        push_attempt(out, call, (attempt, resend), parts, ended_us);
    }
    1 + (traced.segments.len() + traced.attempts.len()) as u32
}

/// Where a span stands.
struct Place {
    span_id: [u8; 8],
    parent: Option<[u8; 16]>,
    is_remote: bool,
    flags: u8,
    began_us: u64,
    ended_us: u64,
}

fn push_span(
    out: &mut Vec<u8>,
    call: &CallRecord<'_>,
    place: &Place,
    (kind, name): (Kind, &[u8]),
    rest: impl FnOnce(&mut Vec<u8>),
) {
    const SPANS: u32 = 2;
    nested(out, SPANS, |out| {
        bytes(out, 1, &unhex::<16, 32>(call.trace_id));
        bytes(out, 2, &place.span_id);
        if let Some(parent) = &place.parent {
            bytes(out, 4, &unhex::<8, 16>(parent));
        }
        text(out, 5, name, PATH_BYTES_MAX);
        integer(out, 6, kind as u64);
        fixed64(out, 7, place.began_us.saturating_mul(1_000));
        fixed64(out, 8, place.ended_us.max(place.began_us).saturating_mul(1_000));
        rest(out);
        let remote = if place.is_remote { IS_REMOTE } else { 0 };
        fixed32(out, 16, u32::from(place.flags) | HAS_IS_REMOTE | remote);
    });
}

fn push_server(out: &mut Vec<u8>, call: &CallRecord<'_>, parts: &SpanParts<'_>, ended_us: u64) {
    let method = method_of(call.method);
    let mut name = Vec::with_capacity(64);
    name.extend_from_slice(if method == b"_OTHER" { b"HTTP" } else { method });
    if !call.route.is_empty() {
        name.push(b' ');
        name.extend_from_slice(call.route.as_bytes());
    }
    let place = Place {
        span_id: unhex::<8, 16>(&parts.server_id),
        parent: parts.parent_id,
        is_remote: parts.parent_id.is_some(),
        flags: parts.flags,
        began_us: parts.began_us,
        ended_us,
    };
    push_span(out, call, &place, (Kind::Server, &name), |out| {
        push_http(out, call, method);
        push_own(out, call);
        if call.status >= 500 {
            failed(out);
        }
    });
}

/// What the conventions for HTTP servers ask for.
fn push_http(out: &mut Vec<u8>, call: &CallRecord<'_>, method: &[u8]) {
    attribute(out, "http.request.method", method);
    if method == b"_OTHER" {
        attribute(out, "http.request.method_original", call.method);
    }
    if !call.path.is_empty() {
        attribute_of(out, "url.path", |out| text(out, STRING, call.path, PATH_BYTES_MAX));
    }
    attribute(out, "url.scheme", if call.tls { b"https" } else { b"http" });
    if !call.route.is_empty() {
        attribute_of(out, "http.route", |out| {
            text(out, STRING, call.route.as_bytes(), PATH_BYTES_MAX)
        });
    }
    if call.status != 0 {
        count(out, "http.response.status_code", u64::from(call.status));
    }
    attribute(out, "server.address", call.host);
    if call.client != Client::Hidden {
        let mut client = Vec::with_capacity(40);
        push_client(&mut client, &call.client);
        attribute(out, "client.address", &client);
    }
    attribute(out, "network.protocol.name", b"http");
    attribute(
        out,
        "network.protocol.version",
        match call.protocol {
            Protocol::Http1 => b"1.1",
            Protocol::Http2 => b"2",
        },
    );
    attribute(out, "user_agent.original", call.user_agent);
    count(out, "http.request.body.size", call.bytes_in);
    count(out, "http.response.body.size", call.bytes_out);
    if call.status >= 500 {
        push_error_type(out, call);
    }
}

/// The word of what went wrong, or the status where a backend answered with it.
fn push_error_type(out: &mut Vec<u8>, call: &CallRecord<'_>) {
    match call.outcome {
        "ok" => attribute(out, "error.type", itoa::Buffer::new().format(call.status).as_bytes()),
        word => attribute(out, "error.type", word.as_bytes()),
    }
}

/// What the conventions have no word for.
fn push_own(out: &mut Vec<u8>, call: &CallRecord<'_>) {
    attribute(out, "portway.request_id", call.request_id);
    attribute(out, "portway.service", call.service.as_bytes());
    attribute(out, "portway.operation", call.operation.as_bytes());
    attribute(out, "portway.app", call.app.as_bytes());
    attribute(out, "portway.plan", call.plan.as_bytes());
    attribute(out, "portway.outcome", call.outcome.as_bytes());
    attribute(out, "portway.source", call.source.word().as_bytes());
    attribute(out, "portway.breaks", call.misfits.as_bytes());
    if call.tries > 0 {
        count(out, "portway.tries", u64::from(call.tries));
    }
    if let Some(limit) = &call.limit {
        attribute(out, "portway.limit", limit.name.as_bytes());
        count(out, "portway.limit_remaining", limit.remaining);
    }
}

fn push_attempt(
    out: &mut Vec<u8>,
    call: &CallRecord<'_>,
    (attempt, resend): (&Attempt, u64),
    parts: &SpanParts<'_>,
    ended_us: u64,
) {
    let method = method_of(call.method);
    let name: &[u8] = if method == b"_OTHER" { b"HTTP" } else { method };
    let place = Place {
        span_id: unhex::<8, 16>(&attempt.span_id),
        parent: Some(parts.server_id),
        is_remote: false,
        flags: parts.flags,
        began_us: attempt.began_us,
        ended_us: attempt.ended_us.unwrap_or(ended_us),
    };
    push_span(out, call, &place, (Kind::Client, name), |out| {
        attribute(out, "http.request.method", method);
        if let Some(target) = attempt.target {
            let address = target.ip().to_canonical().to_string();
            attribute(out, "server.address", address.as_bytes());
            count(out, "server.port", u64::from(target.port()));
            attribute(out, "network.peer.address", address.as_bytes());
            count(out, "network.peer.port", u64::from(target.port()));
        }
        if attempt.status != 0 {
            count(out, "http.response.status_code", u64::from(attempt.status));
        }
        if resend > 0 {
            count(out, "http.request.resend_count", resend);
        }
        flag(out, "portway.connection.reused", attempt.reused);
        if let Some(connected_us) = attempt.connected_us {
            count(out, "portway.connect_us", connected_us.saturating_sub(attempt.began_us));
        }
        // Of a client, 4xx is an error, too.
        if !attempt.fault.is_empty() {
            attribute(out, "error.type", attempt.fault.as_bytes());
            failed(out);
        } else if attempt.status >= 400 {
            attribute(out, "error.type", itoa::Buffer::new().format(attempt.status).as_bytes());
            failed(out);
        }
    });
}

/// `AnyValue.string_value`.
const STRING: u32 = 1;

/// An attribute with a text, unless it is empty.
fn attribute(out: &mut Vec<u8>, key: &str, value: &[u8]) {
    if !value.is_empty() {
        attribute_of(out, key, |out| text(out, STRING, value, TEXT_BYTES_MAX));
    }
}

/// An attribute with a whole number.
fn count(out: &mut Vec<u8>, key: &str, value: u64) {
    attribute_of(out, key, |out| integer(out, 3, value.min(i64::MAX.cast_unsigned())));
}

fn flag(out: &mut Vec<u8>, key: &str, value: bool) {
    attribute_of(out, key, |out| integer(out, 2, u64::from(value)));
}

fn attribute_of(out: &mut Vec<u8>, key: &str, value: impl FnOnce(&mut Vec<u8>)) {
    const ATTRIBUTES: u32 = 9;
    nested(out, ATTRIBUTES, |out| {
        bytes(out, 1, key.as_bytes());
        nested(out, 2, value);
    });
}

/// `Status` with `STATUS_CODE_ERROR`.
fn failed(out: &mut Vec<u8>) {
    nested(out, 15, |out| integer(out, 3, 2));
}

/// A method that the conventions know, or their word for any other.
fn method_of(method: &[u8]) -> &[u8] {
    match method {
        b"GET" | b"HEAD" | b"POST" | b"PUT" | b"DELETE" | b"CONNECT" | b"OPTIONS" | b"TRACE"
        | b"PATCH" | b"QUERY" => method,
        _ => b"_OTHER",
    }
}

/// The bytes of an id that was made or checked here; zeros for what is none.
fn unhex<const N: usize, const D: usize>(digits: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    let value = |digit: u8| (digit as char).to_digit(16).unwrap_or(0) as u8;
    for (byte, two) in out.iter_mut().zip(digits[..digits.len().min(D)].as_chunks::<2>().0) {
        *byte = value(two[0]) << 4 | value(two[1]);
    }
    out
}

/// The head of a request for `/v1/traces`, up to the spans: `ResourceSpans` with its resource and scope around
/// `spans`, which are fields as [`push_spans`] writes them.
pub fn request(resource: &[(String, String)], version: &str, spans: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(spans.len() + 512);
    nested(&mut out, 1, |out| {
        nested(out, 1, |out| {
            for (key, value) in resource {
                nested(out, 1, |out| {
                    bytes(out, 1, key.as_bytes());
                    nested(out, 2, |out| text(out, STRING, value.as_bytes(), TEXT_BYTES_MAX));
                });
            }
        });
        nested(out, 2, |out| {
            nested(out, 1, |out| {
                bytes(out, 1, b"portway");
                bytes(out, 2, version.as_bytes());
            });
            out.extend_from_slice(spans);
        });
    });
    out
}

#[cfg(test)]
mod tests;
