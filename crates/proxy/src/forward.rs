//! What the backend gets to see of a request, and the caller of an answer.
//!
//! This is the one place where header fields are let through or held back. Fields that belong to a
//! connection, that `Connection` names, or that the gateway sets are dropped, in every spelling that
//! a backend might fold into them; what the gateway sets is written anew behind what was kept.
//! Fields that are kept are copied in runs, as they stood.

use portway_http1::{self as http1, Field, Framing, Known, list_items};
use portway_policy::{Fate, Permit, Shape, is_ours, rate_headers};

use crate::deadline::Left;
use crate::forwarded;
use crate::guard::Guard;
use crate::peer::Peer;
use crate::request::Request;
use crate::telemetry::trace::is_tracestate;
use crate::telemetry::{RequestId, TraceContext};

/// Everything that the head of a request to a backend is made of.
pub(crate) struct Forward<'a> {
    pub(crate) request: &'a Request,
    /// Base path of the target.
    pub(crate) base_path: &'a str,
    /// Canonical path behind the service's prefix.
    pub(crate) path: &'a [u8],
    /// `Host` to send.
    pub(crate) host: &'a [u8],
    pub(crate) shape: &'a Shape,
    pub(crate) permit: &'a Permit,
    pub(crate) peer: &'a Peer,
    /// Whether the peer is a trusted proxy.
    pub(crate) trusted: bool,
    pub(crate) trace: &'a TraceContext,
    pub(crate) request_id: &'a RequestId,
    /// Whether another protocol is asked for.
    pub(crate) upgrade: bool,
    /// How long the call has left, where that is told.
    pub(crate) left: Option<Left<'a>>,
}

/// Copies fields in runs: neighbours that are kept are one copy.
struct Runs<'a> {
    bytes: &'a [u8],
    run: std::ops::Range<usize>,
}

impl<'a> Runs<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, run: 0..0 }
    }

    fn keep(&mut self, field: &Field, out: &mut Vec<u8>) {
        let (start, end) = (field.name.start as usize, field.value.end as usize);
        // Two bytes between a value and the next name can only be the line's end.
        if self.run.end + 2 == start && self.run.end > 0 {
            self.run.end = end;
        } else {
            self.flush(out);
            self.run = start..end;
        }
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        if !self.run.is_empty() {
            out.extend_from_slice(&self.bytes[self.run.clone()]);
            out.extend_from_slice(b"\r\n");
            self.run = 0..0;
        }
    }
}

/// Writes the head of the request that goes to a backend.
pub(crate) fn write_request(forward: &Forward<'_>, out: &mut Vec<u8>) {
    let request = forward.request;
    write_target(forward, out);
    http1::write_field(out, b"host", forward.host);
    write_kept(forward, out);
    match request.framing {
        Framing::Length(length) => http1::write_content_length(out, length),
        Framing::Chunked => out.extend_from_slice(b"transfer-encoding: chunked\r\n"),
        Framing::None | Framing::UntilClose => {}
    }
    forward.peer.write_forwarding(request, forward.trusted, out);
    http1::write_field(out, b"x-request-id", forward.request_id.as_bytes());
    http1::write_field(out, b"traceparent", &forward.trace.traceparent());
    if let Some(left) = &forward.left {
        left.write(out);
    }
    if let Some(app) = forward.permit.app() {
        http1::write_field(out, b"x-portway-app", app.name.as_str().as_bytes());
        if let Some(plan) = &app.plan {
            http1::write_field(out, b"x-portway-plan", plan.name.as_str().as_bytes());
        }
    }
    for (name, value) in &forward.shape.set_headers {
        http1::write_field(out, name.as_bytes(), value.as_bytes());
    }
    if forward.upgrade
        && let Some(protocol) = request.known(Known::Upgrade)
    {
        out.extend_from_slice(b"connection: upgrade\r\n");
        http1::write_field(out, b"upgrade", protocol);
    }
    out.extend_from_slice(http1::HEAD_END);
}

fn write_target(forward: &Forward<'_>, out: &mut Vec<u8>) {
    let request = forward.request;
    out.extend_from_slice(request.method());
    out.push(b' ');
    out.extend_from_slice(forward.base_path.as_bytes());
    out.extend_from_slice(forward.path);
    if forward.shape.edits_query() {
        out.push(b'?');
        let start = out.len();
        forward.shape.write_query(request.query_str(), out);
        if out.len() == start {
            out.pop();
        }
    } else if request.has_query {
        out.push(b'?');
        out.extend_from_slice(request.text(request.query));
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

fn write_kept(forward: &Forward<'_>, out: &mut Vec<u8>) {
    let request = forward.request;
    let bytes = request.bytes();
    let nominated = Nominated::of(bytes, request.fields());
    // Looked at once, and only if there is one.
    let mut keeps_tracestate = None;
    let trusted = forward.trusted;
    let mut runs = Runs::new(bytes);
    for field in request.fields() {
        let name = || field.name.of(bytes);
        let kept = match field.known {
            Known::Tracestate => *keeps_tracestate
                .get_or_insert_with(|| forward.trace.is_continued() && has_tracestate(request)),
            Known::Expect => request.has_body(),
            known if is_set_anew(known) || is_of_connection(known) => false,
            known if is_of_proxies(known) => !forwarded::is_replaced(name(), trusted),
            Known::Other => {
                !is_ours(name())
                    && !forwarded::is_replaced(name(), trusted)
                    && !is_misspelt(name())
                    && !nominated.names(name())
            }
            _ => !nominated.names(name()),
        };
        if kept
            && !forward.shape.drops_header(name())
            && !forward.left.as_ref().is_some_and(|left| left.replaces(name()))
        {
            runs.keep(field, out);
        }
    }
    runs.flush(out);
}

/// Whether the `tracestate` of a request, all fields together, can be passed on.
fn has_tracestate(request: &Request) -> bool {
    let fields = request.fields().iter().filter(|field| field.known == Known::Tracestate);
    is_tracestate(fields.map(|field| field.value.of(request.bytes())))
}

/// Fields that belong to one connection or to one message's framing.
fn is_of_connection(known: Known) -> bool {
    matches!(
        known,
        Known::Connection
            | Known::KeepAlive
            | Known::ProxyConnection
            | Known::ProxyAuthenticate
            | Known::ProxyAuthorization
            | Known::ProxyAuthenticationInfo
            | Known::TransferEncoding
            | Known::ContentLength
            | Known::Te
            | Known::Trailer
            | Known::Upgrade
            | Known::Http2Settings
    )
}

/// Fields of a request that the gateway writes itself.
fn is_set_anew(known: Known) -> bool {
    matches!(known, Known::Host | Known::XRequestId | Known::Traceparent)
}

/// Fields in which proxies tell where a call came from.
fn is_of_proxies(known: Known) -> bool {
    matches!(
        known,
        Known::Forwarded
            | Known::XForwardedFor
            | Known::XForwardedProto
            | Known::XForwardedHost
            | Known::XForwardedPort
            | Known::XForwardedPrefix
            | Known::XForwardedServer
            | Known::XRealIp
    )
}

/// Whether a backend that reads `_` or `.` as `-` would take the name for one that is dropped above.
fn is_misspelt(name: &[u8]) -> bool {
    if !name.iter().any(|byte| matches!(byte, b'_' | b'.')) {
        return false;
    }
    let mut folded = [0; 40];
    let Some(folded) = folded.get_mut(..name.len()) else { return false };
    for (to, from) in folded.iter_mut().zip(name) {
        *to = if matches!(from, b'_' | b'.') { b'-' } else { *from };
    }
    let known = Known::from_name(folded);
    is_set_anew(known) || is_of_connection(known) || known == Known::Expect
}

/// Whether a trailer of a request may pass: none that a backend could take for a field that stays behind, or
/// that the gateway sets.
pub(crate) fn may_trail(name: &[u8], shape: Option<&Shape>) -> bool {
    let known = Known::from_name(name);
    http1::may_trail(name)
        && !is_of_connection(known)
        && !is_set_anew(known)
        && !is_ours(name)
        && !is_misspelt(name)
        && !forwarded::is_replaced(name, false)
        && !shape.is_some_and(|shape| shape.drops_header(name))
}

/// The names that `Connection` nominates, beyond the usual ones; `http1` lets only a few through. Collected once, since
/// they are compared with every field.
struct Nominated<'a>(Vec<&'a [u8]>);

impl<'a> Nominated<'a> {
    fn of(bytes: &'a [u8], fields: &[Field]) -> Self {
        let mut names = Vec::new();
        for field in fields.iter().filter(|field| field.known == Known::Connection) {
            names.extend(list_items(field.value.of(bytes)).filter(|item| !is_usual(item)));
        }
        Self(names)
    }

    fn names(&self, name: &[u8]) -> bool {
        self.0.iter().any(|nominated| nominated.eq_ignore_ascii_case(name))
    }
}

fn is_usual(item: &[u8]) -> bool {
    [&b"keep-alive"[..], b"close", b"upgrade"].iter().any(|usual| item.eq_ignore_ascii_case(usual))
}

/// Writes the fields of an answer that pass to the caller. `length_kept` keeps a `Content-Length`
/// that says only how long a body would have been (`HEAD`, 304); fields that are `replaced` are the
/// gateway's to say.
pub(crate) fn write_answer_fields(
    bytes: &[u8],
    fields: &[Field],
    length_kept: bool,
    replaced: Replaced,
    out: &mut Vec<u8>,
) {
    let nominated = Nominated::of(bytes, fields);
    let mut runs = Runs::new(bytes);
    for field in fields {
        if passes(field, bytes, &nominated, length_kept, replaced) {
            runs.keep(field, out);
        }
    }
    runs.flush(out);
}

/// Whether a field of an answer may pass to the caller.
#[inline]
fn passes(
    field: &Field,
    bytes: &[u8],
    nominated: &Nominated<'_>,
    length_kept: bool,
    replaced: Replaced,
) -> bool {
    match field.known {
        Known::ContentLength => length_kept,
        // Answers name the request id that the gateway gave.
        Known::XRequestId => false,
        known if is_of_connection(known) => false,
        _ => {
            let name = field.name.of(bytes);
            !nominated.names(name) && !replaced.takes(name)
        }
    }
}

/// The same for a service that has a policy for its answers: some fields are dropped, some get another value.
/// What the policy adds to an answer is written if it is final.
pub(crate) fn write_guarded_fields(
    (bytes, fields): (&[u8], &[Field]),
    length_kept: bool,
    replaced: Replaced,
    (guard, is_final): (&Guard<'_>, bool),
    out: &mut Vec<u8>,
) {
    let nominated = Nominated::of(bytes, fields);
    let passes = |field: &&Field| passes(field, bytes, &nominated, length_kept, replaced);
    let mut runs = Runs::new(bytes);
    let mut value = Vec::new();
    for field in fields.iter().filter(passes) {
        match guard.field(field.name.of(bytes), field.value.of(bytes), &mut value) {
            Fate::Keep => runs.keep(field, out),
            Fate::Drop => {}
            Fate::Rewritten => {
                runs.flush(out);
                http1::write_field(out, field.name.of(bytes), &value);
                value.clear();
            }
        }
    }
    runs.flush(out);
    if is_final {
        let has = |name: &[u8]| {
            fields
                .iter()
                .filter(passes)
                .any(|field| field.name.of(bytes).eq_ignore_ascii_case(name))
        };
        guard.write_added(has, out);
    }
}

/// Writes the fields of an answer that is not the last one: interim, or a switch of protocols.
pub(crate) fn write_other_fields(
    (bytes, fields): (&[u8], &[Field]),
    guard: Option<&Guard<'_>>,
    out: &mut Vec<u8>,
) {
    let replaced = Replaced::default();
    match guard {
        None => write_answer_fields(bytes, fields, false, replaced, out),
        Some(guard) => {
            write_guarded_fields((bytes, fields), false, replaced, (guard, false), out);
        }
    }
}

/// Fields of an answer that the gateway says in the backend's stead: two of them would contradict
/// each other.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Replaced {
    /// `Access-Control-…`: the service has a `cors` of its own.
    pub(crate) cors: bool,
    /// `RateLimit…`: a limit was counted here.
    pub(crate) limit: bool,
}

impl Replaced {
    fn takes(self, name: &[u8]) -> bool {
        let begins = |start: &[u8]| {
            name.get(..start.len()).is_some_and(|front| front.eq_ignore_ascii_case(start))
        };
        (self.cors && begins(b"access-control-")) || (self.limit && begins(b"ratelimit"))
    }
}

/// Writes the fields that the gateway adds to an answer.
pub(crate) fn write_gateway_fields(
    request_id: &RequestId,
    limit: Option<&portway_policy::LimitState>,
    out: &mut Vec<u8>,
) {
    http1::write_field(out, b"x-request-id", request_id.as_bytes());
    if let Some(state) = limit {
        write_limit(state, out);
    }
}

/// Writes how the tightest limit stands.
pub(crate) fn write_limit(state: &portway_policy::LimitState, out: &mut Vec<u8>) {
    out.extend_from_slice(b"ratelimit-policy: ");
    rate_headers::write_policy(state, out);
    out.extend_from_slice(b"\r\nratelimit: ");
    rate_headers::write_limit(state, out);
    out.extend_from_slice(b"\r\n");
}
