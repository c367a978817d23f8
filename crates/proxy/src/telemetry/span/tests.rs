//! Spans as a collector reads them.

use portway_testkit::spans::{Span, read, read_request};
use proptest::prelude::*;

use super::*;
use crate::telemetry::record::{Answerer, LimitShown};

const SERVER: [u8; 16] = *b"00f067aa0ba902b7";

fn call<'a>() -> CallRecord<'a> {
    let mut call = CallRecord::new(1_795_508_554_042, "203.0.113.7".parse().unwrap());
    call.request_id = b"019ab4f3a1ba00000000000000000001";
    call.trace_id = b"0af7651916cd43dd8448eb211c80319c";
    call.span_id = b"b7ad6b7169203331";
    call.method = b"GET";
    call.host = b"api.test";
    call.path = b"/shop/orders/7";
    call.service = "shop";
    call.operation = "getOrder";
    call.route = "/shop/orders/{id}";
    call.app = "phone";
    call.status = 200;
    call.total_us = 5_000;
    call.tries = 2;
    call.limit = Some(LimitShown { name: "20/s per app", remaining: 19, reset_s: 1 });
    call
}

fn attempt(span_id: [u8; 16], began_us: u64) -> Attempt {
    Attempt {
        span_id,
        target: Some("10.0.0.7:8000".parse().unwrap()),
        began_us,
        reused: false,
        connected_us: None,
        ended_us: None,
        status: 0,
        fault: "",
    }
}

fn spans_of(call: &CallRecord<'_>, traced: Option<&Traced>) -> Vec<Span> {
    let parts = SpanParts {
        server_id: SERVER,
        parent_id: Some(*b"1111111111111111"),
        flags: 1,
        began_us: 1_000_000,
        traced,
    };
    let mut out = Vec::new();
    let count = push_spans(&mut out, call, &parts, || 42);
    let spans = read(&out);
    assert_eq!(spans.len(), count as usize);
    spans
}

#[test]
fn a_call_with_two_attempts() {
    let mut traced = Traced::default();
    traced.note(Segment { word: "identify", began_us: 1_000_010, ended_us: 1_000_300 });
    traced.note(Segment { word: "admit", began_us: 1_000_300, ended_us: 1_000_310 });
    traced.attempts = vec![
        Attempt {
            ended_us: Some(1_001_000),
            fault: "connect-failed",
            ..attempt(*b"aaaaaaaaaaaaaaaa", 1_000_400)
        },
        Attempt {
            connected_us: Some(1_001_250),
            status: 200,
            ..attempt(*b"bbbbbbbbbbbbbbbb", 1_001_000)
        },
    ];
    let spans = spans_of(&call(), Some(&traced));
    let names: Vec<(&str, u64)> = spans.iter().map(|span| (&*span.name, span.kind)).collect();
    // What took less than a tenth of a millisecond has no span.
    assert_eq!(names, [("GET /shop/orders/{id}", 2), ("identify", 1), ("GET", 3), ("GET", 3)]);
    let [server, identify, first, second] = &spans[..] else { panic!("{spans:#?}") };
    assert!(spans.iter().all(|span| span.trace_id == "0af7651916cd43dd8448eb211c80319c"));
    assert_eq!((&*server.span_id, &*server.parent_id), ("00f067aa0ba902b7", "1111111111111111"));
    assert_eq!((server.start_ns, server.end_ns), (1_000_000_000, 1_005_000_000));
    assert_eq!(server.flags, 0x301);
    assert!([identify, first, second].iter().all(|span| span.parent_id == "00f067aa0ba902b7"));
    assert_eq!((identify.start_ns, identify.end_ns), (1_000_010_000, 1_000_300_000));
    assert_eq!((first.end_ns, second.end_ns), (1_001_000_000, 1_005_000_000));
    assert_eq!((first.get("error.type"), first.failed), ("connect-failed", true));
    assert_eq!((second.get("http.response.status_code"), second.failed), ("200", false));
    assert_eq!(
        (first.get("http.request.resend_count"), second.get("http.request.resend_count")),
        ("", "1")
    );
    assert_eq!(second.get("portway.connect_us"), "250");
    assert_eq!((second.get("server.address"), second.get("server.port")), ("10.0.0.7", "8000"));
    for (key, value) in [
        ("http.request.method", "GET"),
        ("http.route", "/shop/orders/{id}"),
        ("http.response.status_code", "200"),
        ("url.path", "/shop/orders/7"),
        ("url.scheme", "http"),
        ("server.address", "api.test"),
        ("client.address", "203.0.113.7"),
        ("network.protocol.version", "1.1"),
        ("portway.service", "shop"),
        ("portway.operation", "getOrder"),
        ("portway.app", "phone"),
        ("portway.outcome", "ok"),
        ("portway.request_id", "019ab4f3a1ba00000000000000000001"),
        ("portway.limit", "20/s per app"),
        ("portway.limit_remaining", "19"),
    ] {
        assert_eq!(server.get(key), value, "{key}");
    }
    assert_eq!(server.get("user_agent.original"), "", "what is not there has no attribute");
    assert!(!server.failed);
}

#[test]
fn statuses() {
    let check = |status, outcome, failed, error_type: &str| {
        let mut call = call();
        (call.status, call.outcome, call.source) = (status, outcome, Answerer::Backend);
        let server = &spans_of(&call, None)[0];
        assert_eq!((server.failed, server.get("error.type")), (failed, error_type), "{status}");
    };
    check(200, "ok", false, "");
    check(404, "ok", false, "");
    check(429, "limit-reached", false, "");
    check(500, "ok", true, "500");
    check(504, "call-timeout", true, "call-timeout");
}

#[test]
fn unknown_methods_are_one_name() {
    let mut call = call();
    (call.method, call.route) = (b"BREW", "");
    let server = &spans_of(&call, None)[0];
    assert_eq!(server.name, "HTTP");
    assert_eq!(server.get("http.request.method"), "_OTHER");
    assert_eq!(server.get("http.request.method_original"), "BREW");
}

#[test]
fn a_hidden_caller_has_no_attribute() {
    let mut call = call();
    call.client = Client::Hidden;
    assert_eq!(spans_of(&call, None)[0].get("client.address"), "");
}

#[test]
fn a_request_has_its_resource() {
    let mut spans = Vec::new();
    let parts =
        SpanParts { server_id: SERVER, parent_id: None, flags: 0, began_us: 1, traced: None };
    push_spans(&mut spans, &call(), &parts, || 1);
    let resource = [("service.name".to_owned(), "portway".to_owned())];
    let (resource, spans) = read_request(&request(&resource, "1.2.3", &spans));
    assert_eq!(resource["service.name"], "portway");
    assert_eq!((spans.len(), spans[0].flags, &*spans[0].parent_id), (1, 0x100, ""));
}

proptest! {
    /// Whatever a caller sends, spans are valid messages, and not long.
    #[test]
    fn hostile_texts(
        path in proptest::collection::vec(any::<u8>(), 0..5_000),
        agent in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut call = call();
        (call.path, call.user_agent, call.host, call.method) = (&path, &agent, &agent, &agent);
        let spans = spans_of(&call, None);
        prop_assert_eq!(spans.len(), 1);
        let bytes: usize = spans[0].attributes.values().map(String::len).sum();
        // A byte that is no UTF-8 becomes three.
        prop_assert!(bytes <= 3 * (PATH_BYTES_MAX + 3 * TEXT_BYTES_MAX) + 1_000);
    }
}
