//! Spans as a collector reads them: a reader of OTLP's protobuf that shares nothing with the writer.

use std::collections::BTreeMap;

/// A span.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Span {
    /// Trace, as hexadecimal digits.
    pub trace_id: String,
    /// Its id, as hexadecimal digits.
    pub span_id: String,
    /// That of its parent; empty for none.
    pub parent_id: String,
    /// Name.
    pub name: String,
    /// Kind: 1 internal, 2 server, 3 client.
    pub kind: u64,
    /// When it began, nanoseconds since 1970.
    pub start_ns: u64,
    /// When it ended.
    pub end_ns: u64,
    /// Attributes, as text.
    pub attributes: BTreeMap<String, String>,
    /// Whether its status is an error.
    pub failed: bool,
    /// Flags.
    pub flags: u64,
}

impl Span {
    /// An attribute; empty if it is not there.
    pub fn get(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }
}

/// A request of a gateway to a collector: attributes of the resource, and spans.
pub fn read_request(body: &[u8]) -> (BTreeMap<String, String>, Vec<Span>) {
    let (mut resource, mut spans) = (BTreeMap::new(), Vec::new());
    for resource_spans in all(body, 1) {
        for one in all(resource_spans, 1) {
            resource.extend(all(one, 1).map(attribute));
        }
        for scope_spans in all(resource_spans, 2) {
            spans.extend(read(scope_spans));
        }
    }
    (resource, spans)
}

/// The spans of a `ScopeSpans`; panics at what is no such message.
pub fn read(scope_spans: &[u8]) -> Vec<Span> {
    all(scope_spans, 2).map(span).collect()
}

fn span(message: &[u8]) -> Span {
    let mut span = Span::default();
    for (field, value) in fields(message) {
        match (field, value) {
            (1, Value::Bytes(id)) => span.trace_id = hex(id, 16),
            (2, Value::Bytes(id)) => span.span_id = hex(id, 8),
            (4, Value::Bytes(id)) => span.parent_id = hex(id, 8),
            (5, Value::Bytes(name)) => span.name = text(name),
            (6, Value::Number(kind)) => span.kind = kind,
            (7, Value::Number(time)) => span.start_ns = time,
            (8, Value::Number(time)) => span.end_ns = time,
            (9, Value::Bytes(pair)) => {
                let (key, value) = attribute(pair);
                assert!(span.attributes.insert(key.clone(), value).is_none(), "{key} comes twice");
            }
            (15, Value::Bytes(status)) => {
                span.failed = fields(status)
                    .any(|(field, value)| matches!((field, value), (3, Value::Number(2))));
            }
            (16, Value::Number(flags)) => span.flags = flags,
            (field, _) => panic!("field {field} of a span is not expected"),
        }
    }
    span
}

fn attribute(pair: &[u8]) -> (String, String) {
    let key = all(pair, 1).map(text).next().expect("an attribute has a key");
    let value = all(pair, 2).next().expect("an attribute has a value");
    let (field, value) = fields(value).next().expect("a value has a kind");
    let value = match (field, value) {
        (1, Value::Bytes(value)) => text(value),
        (2, Value::Number(value)) => (value == 1).to_string(),
        (3, Value::Number(value)) => value.to_string(),
        (field, _) => panic!("kind {field} of a value is not expected"),
    };
    (key, value)
}

fn hex(id: &[u8], length: usize) -> String {
    assert_eq!(id.len(), length, "an id has its length");
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("a text of protobuf is UTF-8")
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn all(message: &[u8], wanted: u64) -> impl Iterator<Item = &[u8]> {
    fields(message).filter_map(move |(field, value)| match value {
        Value::Bytes(bytes) if field == wanted => Some(bytes),
        _ => None,
    })
}

fn fields(mut rest: &[u8]) -> impl Iterator<Item = (u64, Value<'_>)> {
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let tag = number(&mut rest);
        let value = match tag & 7 {
            0 => Value::Number(number(&mut rest)),
            1 => Value::Number(u64::from_le_bytes(take(&mut rest, 8).try_into().expect("8 bytes"))),
            2 => {
                let length = number(&mut rest) as usize;
                Value::Bytes(take(&mut rest, length))
            }
            5 => Value::Number(
                u32::from_le_bytes(take(&mut rest, 4).try_into().expect("4 bytes")).into(),
            ),
            kind => panic!("there is no kind {kind} of fields"),
        };
        Some((tag >> 3, value))
    })
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> &'a [u8] {
    rest.split_off(..length).expect("the message is as long as it says")
}

fn number(rest: &mut &[u8]) -> u64 {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let byte = take(rest, 1)[0];
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return value;
        }
    }
    panic!("a number has at most ten bytes")
}
