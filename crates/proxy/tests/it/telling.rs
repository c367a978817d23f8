//! What is told of calls: spans, exemplars, fields and privacy of the log.

use std::net::SocketAddr;

use portway_proxy::telemetry::MetricsForm;
use portway_testkit::spans::Span;
use portway_testkit::{Backend, Client, Gateway};

use crate::open;

/// A document with settings of the gateway.
fn document(backend: SocketAddr, settings: &str) -> String {
    open(backend, "").replacen("workers: 2,", &format!("workers: 2, {settings},"), 1)
}

const ALL: &str = "traces: { to: 'http://127.0.0.1:1', sample: 100% }";
const NONE: &str = "traces: { to: 'http://127.0.0.1:1', sample: 0% }";
const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

fn get(gateway: &Gateway, target: &str, lines: &str) -> portway_testkit::Answer {
    Client::ask(
        gateway.address(),
        format!("GET {target} HTTP/1.1\r\nHost: api.test\r\n{lines}\r\n"),
    )
}

/// The parts of a `traceparent`: trace, span, flags.
fn parts(traceparent: &str) -> (String, String, String) {
    let parts: Vec<&str> = traceparent.split('-').collect();
    let [_, trace, span, flags] = parts[..] else { panic!("{traceparent}") };
    (trace.to_owned(), span.to_owned(), flags.to_owned())
}

/// Whether they say that it is sampled.
fn flag(flags: &str) -> u8 {
    u8::from_str_radix(flags, 16).expect("flags are hexadecimal") & 1
}

fn server(spans: &[Span]) -> &Span {
    spans.iter().find(|span| span.kind == 2).expect("a span of the server")
}

#[test]
fn a_sampled_call_is_a_tree_that_the_backend_hangs_below() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&document(backend.address(), ALL));
    assert_eq!(get(&gateway, "/a/b?token=hush", "").status, 200);
    let spans = gateway.spans(2);
    assert_eq!(spans.len(), 2, "{spans:#?}");
    let server = server(&spans);
    let client = spans.iter().find(|span| span.kind == 3).expect("a span of the attempt");
    assert_eq!(client.parent_id, server.span_id);
    assert_eq!((&*server.parent_id, &*server.trace_id), ("", &*client.trace_id));
    let (trace, span, flags) = parts(backend.last().values("traceparent")[0]);
    assert_eq!((&trace, &span), (&client.trace_id, &client.span_id));
    assert_eq!(flag(&flags), 1);
    assert!(client.start_ns >= server.start_ns && client.end_ns <= server.end_ns);
    assert_eq!(server.get("url.path"), "/a/b");
    assert_eq!(client.get("http.response.status_code"), "200");
    assert!(!format!("{spans:?}").contains("hush"), "no query in any span");
    // The line of the log can be found from the trace.
    let line = gateway.log(1);
    assert!(line.contains(&trace) && line.contains(&span), "{line}");
}

#[test]
fn a_call_that_is_not_sampled_has_no_span_and_says_so_to_the_backend() {
    let backend = Backend::scripted(|conversation| {
        while let Some(request) = conversation.read() {
            if request.line().contains("/b") {
                conversation.say(b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
            } else {
                conversation.answer(b"fine");
            }
        }
    });
    let gateway = Gateway::start(&document(backend.address(), NONE));
    assert_eq!(get(&gateway, "/a", "").status, 200);
    let (.., flags) = parts(backend.last().values("traceparent")[0]);
    assert_eq!(flag(&flags), 0);
    gateway.log(1);
    // One that fails is sent all the same: its own span only.
    assert_eq!(get(&gateway, "/b", "").status, 500);
    let spans = gateway.spans(1);
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert!(spans[0].failed && spans[0].get("url.path") == "/b", "{spans:#?}");
    // What the backend makes of it hangs below that span.
    let told = parts(backend.last().values("traceparent")[0]).1;
    assert_eq!(spans[0].span_id, told);
}

#[test]
fn without_a_collector_a_new_trace_is_marked_as_it_always_was() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), ""));
    assert_eq!(get(&gateway, "/a", "").status, 200);
    let (.., flags) = parts(backend.last().values("traceparent")[0]);
    assert_eq!(flag(&flags), 1);
    assert!(!gateway.metrics().contains("portway_trace_"));
}

#[test]
fn the_flag_of_a_caller_is_followed_if_it_is_believed() {
    let trusted = "trusted_proxies: [ '127.0.0.1/32' ]";
    for (settings, sampled) in [
        (NONE.to_owned(), false),
        (format!("{trusted}, {NONE}"), true),
        (NONE.replace("sample", "follow: everyone, sample"), true),
        (format!("{trusted}, {}", NONE.replace("sample", "follow: nobody, sample")), false),
    ] {
        let backend = Backend::polite();
        let gateway = Gateway::start(&document(backend.address(), &settings));
        let lines = format!("traceparent: {PARENT}\r\ntracestate: vendor=1\r\n");
        assert_eq!(get(&gateway, "/a", &lines).status, 200);
        let got = backend.last();
        let (trace, _, flags) = parts(got.values("traceparent")[0]);
        assert_eq!(trace, "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(flags, if sampled { "01" } else { "00" }, "{settings}");
        assert_eq!(got.values("tracestate"), ["vendor=1"]);
        if sampled {
            let spans = gateway.spans(2);
            let server = server(&spans);
            assert_eq!(server.parent_id, "b7ad6b7169203331");
            assert_eq!(server.flags & 0x300, 0x300, "the parent is remote");
        }
    }
}

#[test]
fn each_attempt_has_a_span_of_its_own() {
    let backend = Backend::polite();
    let nobody = Backend::nobody();
    let settings = format!("{{ workers: 1, {ALL}, log: {{ calls: json }}, drain_timeout: 2s }}");
    let gateway = Gateway::start(&format!(
        "gateway: {settings}\nservices:\n  app:\n    routes: [ '* /{{rest+}}' ]\n    auth: public\n    backend: {{ targets: [ 'http://{nobody}', 'http://{}' ] }}\n",
        backend.address()
    ));
    for _ in 0..2 {
        assert_eq!(get(&gateway, "/a", "").status, 200);
    }
    // Two targets in turn: one of the two calls meets nobody first.
    let spans = gateway.spans(5);
    let resent = spans.iter().find(|span| span.get("http.request.resend_count") == "1");
    let resent = resent.expect("one call was tried again");
    let siblings: Vec<&Span> =
        spans.iter().filter(|span| span.parent_id == resent.parent_id).collect();
    let [first, second] = siblings[..] else { panic!("{spans:#?}") };
    assert_ne!(first.span_id, second.span_id);
    assert_eq!((first.failed, first.get("error.type")), (true, "connect-failed"));
    assert_eq!((second.failed, second.get("http.response.status_code")), (false, "200"));
    let told: Vec<String> =
        backend.received().iter().map(|got| parts(got.values("traceparent")[0]).1).collect();
    assert!(told.contains(&second.span_id) && !told.contains(&first.span_id), "{told:?}");
}

#[test]
fn a_refused_call_is_sent_if_that_is_asked_for() {
    let backend = Backend::polite();
    for (errors, sent) in [("failures", false), ("all", true), ("off", false)] {
        let settings = NONE.replace("sample", &format!("errors: {errors}, sample"));
        let document =
            document(backend.address(), &settings).replace("auth: public", "auth: [ key ]");
        let gateway = Gateway::start(&document);
        assert_eq!(get(&gateway, "/a", "").status, 401);
        gateway.log(1);
        gateway.drain();
        assert_eq!(gateway.spans(usize::from(sent)).len(), usize::from(sent), "{errors}");
    }
}

#[test]
fn exemplars_are_sampled_calls_in_openmetrics_only() {
    let backend = Backend::polite();
    for (settings, expected) in [(ALL, 1), (NONE, 0)] {
        let gateway = Gateway::start(&document(backend.address(), settings));
        assert_eq!(get(&gateway, "/a", "").status, 200);
        gateway.log(1);
        let open = gateway.metrics_as(MetricsForm::OpenMetrics);
        let exemplars: Vec<&str> = open.lines().filter(|line| line.contains(" # {")).collect();
        assert_eq!(exemplars.len(), expected, "{open}");
        if let [line] = exemplars[..] {
            let trace = parts(backend.last().values("traceparent")[0]).0;
            assert!(line.contains(&format!("# {{trace_id=\"{trace}\"}} ")), "{line}");
        }
        assert!(open.ends_with("# EOF\n"));
        let plain = gateway.metrics();
        assert!(!plain.contains("trace_id") && !plain.contains("EOF"), "{plain}");
    }
}

/// What a caller may say of itself, none of which is to be seen anywhere.
const CANARIES: [&str; 6] = [
    "canary-query-9f2",
    "canary-key-9f2",
    "canary-cookie-9f2",
    "canary-bearer-9f2",
    "canary-agent-9f2",
    "canary-path-9f2",
];

#[test]
fn c25_what_is_hidden_is_hidden_from_every_sink() {
    let backend = Backend::polite();
    let settings = format!(
        "trusted_proxies: [ '127.0.0.1/32' ], privacy: {{ client: network, path: route, app: hash, user_agent: drop }}, {ALL}"
    );
    let document = document(backend.address(), &settings).replace("auth: public", "auth: [ key ]")
        + "apps:\n  confidential-customer: { keys: [ { env: PHONE } ] }\n";
    let gateway = Gateway::start(&document);
    let [query, key, cookie, bearer, agent, path] = CANARIES;
    let lines = format!(
        "X-Api-Key: secret-of-PHONE\r\nX-Other-Key: {key}\r\nCookie: sid={cookie}\r\nX-Auth-Token: {bearer}\r\nUser-Agent: {agent}\r\nX-Forwarded-For: 198.51.100.77\r\n"
    );
    assert_eq!(get(&gateway, &format!("/{path}?q={query}"), &lines).status, 200);
    assert_eq!(get(&gateway, &format!("/{path}?q={query}"), "X-Api-Key: wrong\r\n").status, 401);
    let log = gateway.log(2);
    let spans = format!("{:?}", gateway.spans(3));
    let sinks = [
        log.clone(),
        spans.clone(),
        gateway.metrics(),
        gateway.metrics_as(MetricsForm::OpenMetrics),
    ];
    for sink in &sinks {
        let hidden =
            CANARIES.iter().chain(&["secret-of-PHONE", "198.51.100.77", "confidential-customer"]);
        for canary in hidden {
            assert!(!sink.contains(canary), "{canary} is in {sink}");
        }
    }
    for shown in [&log, &spans] {
        assert!(shown.contains("198.51.100.0") && shown.contains("/{rest+}"), "{shown}");
    }
}

#[test]
fn c25_a_caller_is_the_same_in_log_and_spans_without_being_named() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&document(
        backend.address(),
        &format!("privacy: {{ client: hash }}, {ALL}"),
    ));
    assert_eq!(get(&gateway, "/a", "").status, 200);
    let spans = gateway.spans(2);
    let hash = server(&spans).get("client.address").to_owned();
    assert!(hash.len() == 16 && hash.bytes().all(|digit| digit.is_ascii_hexdigit()), "{hash}");
    assert!(gateway.log(1).contains(&format!("\"client\":\"{hash}\"")));
}

#[test]
fn chosen_fields_are_all_that_a_line_has() {
    let backend = Backend::saying(
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Cost: 12\r\nContent-Type: text/plain\r\n\r\n",
    );
    let document = open(backend.address(), "").replace(
        "calls: json",
        "calls: json, fields: [ status, 'header:X-Tenant', 'query:lang', 'answer:X-Cost', 'answer:X-Absent', method ]",
    );
    let gateway = Gateway::start(&document);
    assert_eq!(get(&gateway, "/a?x=1&lang=de%2Dat", "x-tenant: blue\r\n").status, 200);
    assert_eq!(
        gateway.log(1),
        "{\"status\":200,\"header:X-Tenant\":\"blue\",\"query:lang\":\"de-at\",\"answer:X-Cost\":\"12\",\"method\":\"GET\"}\n"
    );
}

#[test]
fn f15_no_field_can_forge_a_line() {
    let backend = Backend::saying(
        &b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-Said: a\"b\\c\x80\xff\td\r\n\r\n"[..],
    );
    let document = open(backend.address(), "").replace(
        "calls: json",
        "calls: json, fields: [ path, host, user_agent, 'header:X-Said', 'query:q', 'answer:X-Said', status ]",
    );
    let gateway = Gateway::start(&document);
    let hostile = b"GET /a%0a%1b[31m%22}?q=%0d%0a{%22status%22:1}%1b[2J%e2%80%ae HTTP/1.1\r\nHost: api.test\r\nUser-Agent: \"},{\"status\":1\xff\xe2\x80\xae\r\nX-Said: \"\\u000a\\n\",\"status\":\"1\x80\r\n\r\n";
    let status = Client::ask(gateway.address(), hostile).status;
    let long = format!("GET /?q={} HTTP/1.1\r\nHost: api.test\r\n\r\n", "%0A".repeat(2_000));
    Client::ask(gateway.address(), long);
    let log = gateway.log(2);
    assert_eq!(log.lines().count(), 2, "one line for each call: {log}");
    assert!(!log.chars().any(|c| c != '\n' && (c.is_control() || c == '\u{202e}')), "{log:?}");
    for line in log.lines() {
        let read: serde_json::Value = serde_json::from_str(line).expect("a line is JSON");
        assert!(read["status"].is_number(), "{line}");
        let text = read["query:q"].as_str().unwrap_or_default();
        assert!(text.len() <= 256 + '…'.len_utf8(), "{line}");
    }
    assert!(log.contains(&format!("\"status\":{status}")), "{log}");
}
