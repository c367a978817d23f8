//! One call as one line of JSON.
//!
//! The fields and their order are those of `docs/log.md`; a test compares the two. Names that Portway
//! gives (services, routes) are escaped like everything else: a line is parseable whatever stands in
//! it. Nothing is allocated once the buffer has grown.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use super::fields::{LogFields, Value};
use super::json::push_bounded;
use super::privacy::Client;
use super::record::{CallRecord, PHASES};
use super::stamp::Stamp;

/// Bytes of a path that are written.
pub const PATH_BYTES_MAX: usize = 2048;
/// Bytes of an error's page that are written.
pub const ERROR_PAGE_BYTES_MAX: usize = 4096;
/// Bytes of any other text that are written.
pub const TEXT_BYTES_MAX: usize = 256;

/// Every field, in the order in which it is written.
pub const FIELDS: &[&str] = portway_model::LOG_FIELDS;

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

/// Appends a line of the fields that a document has chosen, newline included.
pub fn push_chosen(
    out: &mut Vec<u8>,
    call: &CallRecord<'_>,
    stamp: &mut Stamp,
    fields: &LogFields,
) {
    let start = out.len();
    for entry in &fields.entries {
        let before = out.len();
        out.extend_from_slice(&entry.key);
        let is_said = match entry.value {
            Value::Known(place) => push_known(out, usize::from(place), call, stamp),
            Value::Gathered(number) => {
                let value = call.gathered.get(usize::from(number)).copied().unwrap_or_default();
                quoted(out, value, TEXT_BYTES_MAX)
            }
        };
        if !is_said {
            out.truncate(before);
        }
    }
    match out.get_mut(start) {
        Some(first) => *first = b'{',
        None => out.push(b'{'),
    }
    out.extend_from_slice(b"}\n");
}

/// The value of the field at a place of [`FIELDS`]; whether there is one.
fn push_known(out: &mut Vec<u8>, place: usize, call: &CallRecord<'_>, stamp: &mut Stamp) -> bool {
    const PHASES_AT: usize = 21;
    let short = |out: &mut Vec<u8>, value: &[u8]| quoted(out, value, TEXT_BYTES_MAX);
    match place {
        0 => short(out, stamp.at(call.unix_ms)),
        1 => short(out, call.request_id),
        2 => short(out, call.trace_id),
        3 => short(out, call.span_id),
        4 => quoted_with(out, call.client != Client::Hidden, |out| push_client(out, &call.client)),
        5 => short(out, call.protocol.word().as_bytes()),
        6 => truth(out, call.tls),
        7 => short(out, call.method),
        8 => short(out, call.host),
        9 => quoted(out, call.path, PATH_BYTES_MAX),
        10 => short(out, call.service.as_bytes()),
        11 => short(out, call.operation.as_bytes()),
        12 => quoted(out, call.route.as_bytes(), PATH_BYTES_MAX),
        13 => short(out, call.app.as_bytes()),
        14 => short(out, call.plan.as_bytes()),
        15 => figure(out, true, u64::from(call.status)),
        16 => short(out, call.outcome.as_bytes()),
        17 => short(out, call.source.word().as_bytes()),
        18 => figure(out, true, call.bytes_in),
        19 => figure(out, true, call.bytes_out),
        20 => figure(out, true, call.total_us),
        PHASES_AT..=28 => {
            let us = call.phases_us[place - PHASES_AT];
            figure(out, us != 0, u64::from(us))
        }
        29 => figure(out, call.tries > 0, u64::from(call.tries)),
        30 => match call.target {
            Some(target) => quoted_with(out, true, |out| push_target(out, target)),
            None => false,
        },
        31 => call.target.is_some() && truth(out, call.reused),
        32 => short(out, call.limit.map_or("", |limit| limit.name).as_bytes()),
        33 => figure(out, call.limit.is_some(), call.limit.map_or(0, |limit| limit.remaining)),
        34 => figure(out, call.limit.is_some(), call.limit.map_or(0, |limit| limit.reset_s.into())),
        35 => short(out, call.misfits.as_bytes()),
        36 => short(out, call.answer_misfits.as_bytes()),
        37 => short(out, call.user_agent),
        38 => quoted(out, call.error_page, ERROR_PAGE_BYTES_MAX),
        _ => false,
    }
}

/// A text in quotes, unless it is empty.
fn quoted(out: &mut Vec<u8>, value: &[u8], max: usize) -> bool {
    quoted_with(out, !value.is_empty(), |out| push_bounded(out, value, max))
}

fn quoted_with(out: &mut Vec<u8>, is_there: bool, push: impl FnOnce(&mut Vec<u8>)) -> bool {
    if is_there {
        out.push(b'"');
        push(out);
        out.push(b'"');
    }
    is_there
}

fn truth(out: &mut Vec<u8>, value: bool) -> bool {
    out.extend_from_slice(if value { b"true" } else { b"false" });
    true
}

fn figure(out: &mut Vec<u8>, is_there: bool, value: u64) -> bool {
    if is_there {
        number(out, b"", value);
    }
    is_there
}

/// Who came, how, and with which words.
fn push_caller(out: &mut Vec<u8>, call: &CallRecord<'_>) {
    text(out, b",\"request_id\":\"", call.request_id, TEXT_BYTES_MAX);
    text(out, b",\"trace_id\":\"", call.trace_id, TEXT_BYTES_MAX);
    text(out, b",\"span_id\":\"", call.span_id, TEXT_BYTES_MAX);
    if call.client != Client::Hidden {
        out.extend_from_slice(b",\"client\":\"");
        push_client(out, &call.client);
        out.push(b'"');
    }
    out.extend_from_slice(b",\"protocol\":\"");
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
    if call.mocked {
        out.extend_from_slice(b",\"target\":\"mock\"");
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

/// The caller as it is shown; nothing where it is hidden.
pub fn push_client(out: &mut Vec<u8>, client: &Client) {
    match client {
        Client::Address(address) => push_address(out, *address),
        Client::Hash(hash) => out.extend_from_slice(hash.as_str().as_bytes()),
        Client::Hidden => {}
    }
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
