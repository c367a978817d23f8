//! One call as one line of JSON.
//!
//! The fields and their order are those of `docs/log.md`; a test compares the two. Names that Portway
//! gives (services, routes) are escaped like everything else: a line is parseable whatever stands in
//! it. Nothing is allocated once the buffer has grown.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use super::json::push_bounded;
use super::record::{CallRecord, PHASES};
use super::stamp::Stamp;

/// Bytes of a path that are written.
pub const PATH_BYTES_MAX: usize = 2048;
/// Bytes of an error's page that are written.
pub const ERROR_PAGE_BYTES_MAX: usize = 4096;
/// Bytes of any other text that are written.
pub const TEXT_BYTES_MAX: usize = 256;

/// Every field, in the order in which it is written.
pub const FIELDS: &[&str] = &[
    "time",
    "request_id",
    "trace_id",
    "span_id",
    "client",
    "protocol",
    "tls",
    "method",
    "host",
    "path",
    "service",
    "operation",
    "route",
    "app",
    "plan",
    "status",
    "outcome",
    "source",
    "bytes_in",
    "bytes_out",
    "total_us",
    "route_us",
    "identify_us",
    "permit_us",
    "admit_us",
    "check_us",
    "shape_us",
    "dispatch_us",
    "reshape_us",
    "tries",
    "target",
    "reused",
    "limit",
    "limit_remaining",
    "limit_reset_s",
    "breaks",
    "answer_breaks",
    "user_agent",
    "error_page",
];

/// The keys of the phases, in the order of [`super::record::PHASE_WORDS`].
const PHASE_KEYS: [&[u8]; PHASES] = [
    b",\"route_us\":",
    b",\"identify_us\":",
    b",\"permit_us\":",
    b",\"admit_us\":",
    b",\"check_us\":",
    b",\"shape_us\":",
    b",\"dispatch_us\":",
    b",\"reshape_us\":",
];

/// Appends the line of a call, newline included.
pub fn push_line(out: &mut Vec<u8>, call: &CallRecord<'_>, stamp: &mut Stamp) {
    out.extend_from_slice(b"{\"time\":\"");
    out.extend_from_slice(stamp.at(call.unix_ms));
    out.push(b'"');
    push_caller(out, call);
    push_meaning(out, call);
    push_outcome(out, call);
    push_backend(out, call);
    text(out, b",\"breaks\":\"", call.misfits.as_bytes(), TEXT_BYTES_MAX);
    text(out, b",\"answer_breaks\":\"", call.answer_misfits.as_bytes(), TEXT_BYTES_MAX);
    text(out, b",\"user_agent\":\"", call.user_agent, TEXT_BYTES_MAX);
    text(out, b",\"error_page\":\"", call.error_page, ERROR_PAGE_BYTES_MAX);
    out.extend_from_slice(b"}\n");
}

/// Who came, how, and with which words.
fn push_caller(out: &mut Vec<u8>, call: &CallRecord<'_>) {
    text(out, b",\"request_id\":\"", call.request_id.as_bytes(), TEXT_BYTES_MAX);
    text(out, b",\"trace_id\":\"", call.trace_id.as_bytes(), TEXT_BYTES_MAX);
    text(out, b",\"span_id\":\"", call.span_id.as_bytes(), TEXT_BYTES_MAX);
    out.extend_from_slice(b",\"client\":\"");
    push_address(out, call.client);
    out.extend_from_slice(b"\",\"protocol\":\"");
    out.extend_from_slice(call.protocol.word().as_bytes());
    out.extend_from_slice(if call.tls { b"\",\"tls\":true" } else { b"\",\"tls\":false" });
    text(out, b",\"method\":\"", call.method, TEXT_BYTES_MAX);
    text(out, b",\"host\":\"", call.host, TEXT_BYTES_MAX);
    text(out, b",\"path\":\"", call.path, PATH_BYTES_MAX);
}

/// What the call was found to be, and whose.
fn push_meaning(out: &mut Vec<u8>, call: &CallRecord<'_>) {
    text(out, b",\"service\":\"", call.service.as_bytes(), TEXT_BYTES_MAX);
    text(out, b",\"operation\":\"", call.operation.as_bytes(), TEXT_BYTES_MAX);
    text(out, b",\"route\":\"", call.route.as_bytes(), PATH_BYTES_MAX);
    text(out, b",\"app\":\"", call.app.as_bytes(), TEXT_BYTES_MAX);
    text(out, b",\"plan\":\"", call.plan.as_bytes(), TEXT_BYTES_MAX);
}

/// How it ended, and what it took.
fn push_outcome(out: &mut Vec<u8>, call: &CallRecord<'_>) {
    number(out, b",\"status\":", u64::from(call.status));
    text(out, b",\"outcome\":\"", call.outcome.as_bytes(), TEXT_BYTES_MAX);
    out.extend_from_slice(b",\"source\":\"");
    out.extend_from_slice(call.source.word().as_bytes());
    number(out, b"\",\"bytes_in\":", call.bytes_in);
    number(out, b",\"bytes_out\":", call.bytes_out);
    number(out, b",\"total_us\":", call.total_us);
    for (key, us) in PHASE_KEYS.iter().zip(call.phases_us) {
        if us != 0 {
            number(out, key, u64::from(us));
        }
    }
}

/// Where it went, and the limit it was counted against.
fn push_backend(out: &mut Vec<u8>, call: &CallRecord<'_>) {
    if call.tries > 0 {
        number(out, b",\"tries\":", u64::from(call.tries));
    }
    if let Some(target) = call.target {
        out.extend_from_slice(b",\"target\":\"");
        push_target(out, target);
        out.extend_from_slice(if call.reused {
            b"\",\"reused\":true"
        } else {
            b"\",\"reused\":false"
        });
    }
    if let Some(limit) = &call.limit {
        text(out, b",\"limit\":\"", limit.name.as_bytes(), TEXT_BYTES_MAX);
        number(out, b",\"limit_remaining\":", limit.remaining);
        number(out, b",\"limit_reset_s\":", u64::from(limit.reset_s));
    }
}

/// A text field, unless it is empty. The key ends with the opening quote.
fn text(out: &mut Vec<u8>, key: &[u8], value: &[u8], max: usize) {
    if !value.is_empty() {
        out.extend_from_slice(key);
        push_bounded(out, value, max);
        out.push(b'"');
    }
}

fn number(out: &mut Vec<u8>, key: &[u8], value: u64) {
    out.extend_from_slice(key);
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

/// An address; IPv4 within IPv6 as IPv4.
pub fn push_address(out: &mut Vec<u8>, address: IpAddr) {
    match address.to_canonical() {
        IpAddr::V4(v4) => push_v4(out, v4),
        // Writing to a Vec cannot fail.
        IpAddr::V6(v6) => drop(write!(out, "{v6}")),
    }
}

fn push_v4(out: &mut Vec<u8>, address: Ipv4Addr) {
    let mut digits = itoa::Buffer::new();
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            out.push(b'.');
        }
        out.extend_from_slice(digits.format(octet).as_bytes());
    }
}

fn push_target(out: &mut Vec<u8>, target: std::net::SocketAddr) {
    match target.ip().to_canonical() {
        IpAddr::V4(v4) => push_v4(out, v4),
        IpAddr::V6(v6) => drop(write!(out, "[{v6}]")),
    }
    out.push(b':');
    out.extend_from_slice(itoa::Buffer::new().format(target.port()).as_bytes());
}

#[cfg(test)]
mod tests;
