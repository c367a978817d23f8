//! The line of a call, full and bare.

use std::net::SocketAddr;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::telemetry::record::{Answerer, LimitShown, PHASE_WORDS, Protocol};

/// A record in which every field has something to say.
fn full() -> CallRecord<'static> {
    let mut call = CallRecord::new(1_795_508_554_042, "203.0.113.7".parse().unwrap());
    call.request_id = b"019ab4f3a1ba00000000000000000001";
    call.trace_id = b"0af7651916cd43dd8448eb211c80319c";
    call.span_id = b"b7ad6b7169203331";
    call.protocol = Protocol::Http2;
    call.tls = true;
    call.method = b"GET";
    call.host = b"api.test";
    call.path = b"/shop/orders/7";
    call.service = "shop";
    call.operation = "getOrder";
    call.route = "/shop/orders/{id}";
    call.app = "phone";
    call.plan = "gold";
    call.status = 200;
    call.source = Answerer::Backend;
    call.bytes_in = 1;
    call.bytes_out = 2;
    call.total_us = 3;
    call.phases_us = [4, 5, 6, 7, 8, 9, 10, 11];
    call.tries = 2;
    call.target = Some("10.0.0.7:8000".parse().unwrap());
    call.reused = true;
    call.limit = Some(LimitShown { name: "20/s per app", remaining: 19, reset_s: 1 });
    call.misfits = "query:limit maximum";
    call.answer_misfits = "body type";
    call.user_agent = b"curl/8.0";
    call.error_page = b"Oops";
    call
}

fn line_of(call: &CallRecord<'_>) -> String {
    let mut out = Vec::new();
    push_line(&mut out, call, &mut Stamp::default());
    String::from_utf8(out).unwrap()
}

/// The keys in the order in which they are written; values here hold none of the characters looked for.
fn keys_of(line: &str) -> Vec<&str> {
    line.trim_end()
        .trim_matches(['{', '}'])
        .split(",\"")
        .map(|pair| pair.split('"').find(|text| !text.is_empty()).unwrap())
        .collect()
}

#[test]
fn a_full_line() {
    assert_eq!(
        line_of(&full()),
        concat!(
            r#"{"time":"2026-11-24T08:22:34.042Z","request_id":"019ab4f3a1ba00000000000000000001","#,
            r#""trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331","#,
            r#""client":"203.0.113.7","protocol":"http/2","tls":true,"method":"GET","host":"api.test","#,
            r#""path":"/shop/orders/7","service":"shop","operation":"getOrder","route":"/shop/orders/{id}","#,
            r#""app":"phone","plan":"gold","status":200,"outcome":"ok","source":"backend","bytes_in":1,"#,
            r#""bytes_out":2,"total_us":3,"route_us":4,"identify_us":5,"permit_us":6,"admit_us":7,"check_us":8,"#,
            r#""shape_us":9,"dispatch_us":10,"reshape_us":11,"tries":2,"target":"10.0.0.7:8000","reused":true,"#,
            r#""limit":"20/s per app","limit_remaining":19,"limit_reset_s":1,"breaks":"query:limit maximum","answer_breaks":"body type","user_agent":"curl/8.0","#,
            r#""error_page":"Oops"}"#,
            "\n"
        )
    );
}

#[test]
fn a_bare_line() {
    assert_eq!(
        line_of(&CallRecord::new(0, "2001:db8::7".parse().unwrap())),
        concat!(
            r#"{"time":"1970-01-01T00:00:00.000Z","client":"2001:db8::7","protocol":"http/1","tls":false,"#,
            r#""status":0,"outcome":"ok","source":"backend","bytes_in":0,"bytes_out":0,"total_us":0}"#,
            "\n"
        )
    );
}

#[test]
fn addresses() {
    let check = |target: &str, expected: &str| {
        let mut out = Vec::new();
        push_target(&mut out, target.parse::<SocketAddr>().unwrap());
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    };
    check("0.0.0.0:0", "0.0.0.0:0");
    check("255.10.9.100:65535", "255.10.9.100:65535");
    check("[2001:db8::7]:80", "[2001:db8::7]:80");
    check("[::ffff:10.0.0.7]:80", "10.0.0.7:80");
}

#[test]
fn fields_are_those_of_the_list_and_of_the_document() {
    let line = line_of(&full());
    assert_eq!(keys_of(&line), FIELDS);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/log.md");
    let document = std::fs::read_to_string(path).unwrap();
    let rows = document.lines().filter_map(|row| row.strip_prefix("| `")?.split('`').next());
    let documented: Vec<&str> = rows.collect();
    assert_eq!(documented, FIELDS, "docs/log.md has other fields than the encoder");
}

#[test]
fn phases_are_named_as_everywhere() {
    for ((key, word), phase) in
        PHASE_KEYS.iter().zip(PHASE_WORDS).zip(&portway_policy::Phase::ALL[1..])
    {
        assert_eq!(word, phase.word());
        assert_eq!(*key, format!(",\"{word}_us\":").as_bytes());
    }
}

#[test]
fn long_text_is_cut() {
    let mut call = full();
    let path = vec![b'\x01'; 70_000];
    call.path = &path;
    call.user_agent = &path;
    call.error_page = &path;
    let line = line_of(&call);
    assert!(line.len() < 6 * (PATH_BYTES_MAX + TEXT_BYTES_MAX + ERROR_PAGE_BYTES_MAX) + 1000);
    let read: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(read["path"].as_str().unwrap().chars().count(), PATH_BYTES_MAX + 1);
}

/// F15 and C25: whatever a caller can put into any field, one call is one line, and the line is JSON.
#[test]
fn hostile_text_in_every_field() {
    for hostile in [
        "\r\n{\"status\":500}",
        "\"}\n{\"a\":\"",
        "\u{1b}[2J\u{9b}0m",
        "\\",
        "\\u0022",
        "\u{2028}\u{202e}",
        "\0",
        "</script>",
    ] {
        let mut call = full();
        (call.method, call.host, call.path, call.user_agent) =
            (hostile.as_bytes(), hostile.as_bytes(), hostile.as_bytes(), hostile.as_bytes());
        call.error_page = hostile.as_bytes();
        (call.request_id, call.operation, call.route, call.app) =
            (hostile.as_bytes(), hostile, hostile, hostile);
        let line = line_of(&call);
        assert_eq!(line.matches('\n').count(), 1, "{line}");
        assert!(line.bytes().all(|byte| byte >= 0x20 || byte == b'\n'), "{line}");
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read.as_object().unwrap().len(), FIELDS.len());
        for field in
            ["method", "host", "path", "user_agent", "request_id", "operation", "route", "app"]
        {
            assert_eq!(read[field], hostile);
        }
        assert_eq!(read["status"], 200);
    }
}

proptest! {
    #[test]
    fn any_call_is_one_line_of_json(
        bytes in proptest::collection::vec(any::<u8>(), 1..60),
        text in ".{1,40}",
        numbers in any::<(u64, u64, u64, u16, u8, u32)>(),
    ) {
        let mut call = full();
        (call.method, call.host, call.path, call.user_agent) = (&bytes, &bytes, &bytes, &bytes);
        (call.request_id, call.trace_id, call.span_id) = (text.as_bytes(), text.as_bytes(), text.as_bytes());
        (call.service, call.operation, call.route, call.app, call.plan) = (&text, &text, &text, &text, &text);
        (call.unix_ms, call.bytes_in, call.total_us, call.status, call.tries, call.phases_us[3]) = numbers;
        let line = line_of(&call);
        prop_assert_eq!(line.find('\n'), Some(line.len() - 1));
        let read: Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(read["path"].as_str().unwrap(), String::from_utf8_lossy(&bytes));
        prop_assert_eq!(&read["app"], &text);
        prop_assert_eq!(read["bytes_in"].as_u64(), Some(numbers.1));
        prop_assert_eq!(read["status"].as_u64(), Some(u64::from(numbers.3)));
    }
}

fn chosen(fields: &[&str]) -> LogFields {
    let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
    LogFields::new(&fields).unwrap()
}

fn chosen_line(call: &CallRecord<'_>, fields: &LogFields) -> String {
    let mut out = b"before\n".to_vec();
    push_chosen(&mut out, call, &mut Stamp::default(), fields);
    String::from_utf8(out).unwrap().strip_prefix("before\n").unwrap().to_owned()
}

#[test]
fn all_fields_chosen_are_the_line_that_is_written_anyway() {
    for call in [full(), CallRecord::new(0, "2001:db8::7".parse().unwrap())] {
        assert_eq!(chosen_line(&call, &chosen(FIELDS)), line_of(&call));
    }
}

#[test]
fn chosen_fields_stand_in_their_order() {
    let mut call = full();
    call.gathered = &[b"a", b"", b"text/plain"];
    let fields =
        chosen(&["status", "header:X-Tenant", "query:lang", "answer:Content-Type", "method"]);
    assert_eq!(
        chosen_line(&call, &fields),
        "{\"status\":200,\"header:X-Tenant\":\"a\",\"answer:Content-Type\":\"text/plain\",\"method\":\"GET\"}\n"
    );
    assert_eq!(chosen_line(&CallRecord::new(0, "::1".parse().unwrap()), &chosen(&["app"])), "{}\n");
}

#[test]
fn a_caller_that_is_hidden() {
    let mut call = full();
    call.client = Client::Hidden;
    assert!(!line_of(&call).contains("client"));
    assert_eq!(chosen_line(&call, &chosen(&["client"])), "{}\n");
    assert_eq!(serde_json::from_str::<Value>(&line_of(&call)).unwrap()["protocol"], "http/2");
}

proptest! {
    /// A header of a caller can neither end its text nor its line, nor steer a terminal.
    #[test]
    fn hostile_headers_are_texts(value in proptest::collection::vec(any::<u8>(), 0..600)) {
        let mut call = full();
        let gathered: [&[u8]; 1] = [&value];
        call.gathered = &gathered;
        let line = chosen_line(&call, &chosen(&["header:X-Any", "status"]));
        prop_assert_eq!(line.bytes().filter(|byte| *byte == b'\n').count(), 1);
        prop_assert!(!line.trim_end().chars().any(char::is_control));
        let read: Value = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(&read["status"], 200);
        prop_assert_eq!(read.as_object().unwrap().len(), 1 + usize::from(!value.is_empty()));
    }
}
