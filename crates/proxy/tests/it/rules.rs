//! Rules for requests, over the wire.

use std::io::Write;

use portway_testkit::frames::{self, flag, kind};
use portway_testkit::{Answer, Backend, Client, Gateway, Http2, sha256_hex};
use serde_json::Value;

/// An application without a contract, whose rules are `requests`; `more` is indented like a field of the service.
fn document(backend: &Backend, requests: &str, more: &str) -> String {
    format!(
        "gateway: {{ workers: 2, log: {{ calls: json }}, drain_timeout: 1s }}\nservices:\n  erp:\n    \
         routes: [ 'GET /free', '* /{{rest+}}' ]\n    auth: [ key: {{ query: key }} ]\n    \
         backend: 'http://{}'\n    requests: {requests}\n{more}\n\
         apps: {{ phone: {{ keys: [ {{ sha256: {} }} ] }} }}\n",
        backend.address(),
        sha256_hex("k1")
    )
}

fn ask(gateway: &Gateway, method: &str, target: &str, lines: &str, body: &[u8]) -> Answer {
    let mut request =
        format!("{method} {target} HTTP/1.1\r\nHost: a\r\nX-Api-Key: k1\r\n{lines}").into_bytes();
    if !body.is_empty() {
        request.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
    }
    request.extend_from_slice(b"\r\n");
    request.extend_from_slice(body);
    Client::ask(gateway.address(), request)
}

/// What an answer says is wrong, as `in name rule`.
fn errors(answer: &Answer) -> Vec<String> {
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let list = body["errors"].as_array().expect("a list");
    let text = |error: &Value, name: &str| error[name].as_str().expect("a text").to_owned();
    list.iter()
        .map(|error| ["in", "name", "rule"].map(|name| text(error, name)).join(" "))
        .collect()
}

const QUERY: &str = "{ query: { rules: { id: { pattern: '[0-9]+' } }, unknown: deny } }";

#[test]
fn what_breaks_a_rule_never_reaches_the_application() {
    let backend = Backend::polite();
    let more = "    operations: { 'GET /free': { requests: {} } }";
    let gateway = Gateway::start(&document(&backend, QUERY, more));
    for (target, lines, expected) in [
        ("/a?id=7", "", &[][..]),
        ("/free?id=x&other=1", "", &[]),
        ("/a?id=1%27%20OR%201=1--", "", &["query id pattern"]),
        ("/a?id=1&id=2&more=1", "", &["query more unknown", "query id repeated"]),
        ("/a?id=1;id=x", "", &["query  separator", "query id pattern"]),
        ("/a?id=%2531", "", &["query id pattern"]),
        ("/a?id=%3", "", &["query id encoding"]),
        ("/a", "X-HTTP-Method-Override: DELETE\r\n", &["header X-HTTP-Method-Override overrides"]),
        ("/free", "X-Rewrite-URL: /admin\r\n", &["header X-Rewrite-URL overrides"]),
    ] {
        let before = backend.received().len();
        let answer = ask(&gateway, "GET", target, lines, b"");
        if expected.is_empty() {
            assert_eq!(answer.status, 200, "{target}: {}", answer.text());
        } else {
            assert_eq!(
                (answer.status, answer.problem().as_str()),
                (400, "rule-broken"),
                "{target}"
            );
            assert_eq!(errors(&answer), expected, "{target}");
            assert!(!answer.text().contains("OR"), "no value is told: {}", answer.text());
            assert_eq!(backend.received().len(), before, "{target}");
        }
    }
    let key = Client::get(gateway.address(), "/a?key=k1&id=7");
    assert_eq!((key.status, backend.last().line()), (200, "GET /a?id=7 HTTP/1.1"));
    assert_eq!(Client::get(gateway.address(), "/a?id=x").problem(), "credentials-missing");
    assert_eq!(gateway.metric("portway_rule_breaches_total{action=\"refused\"}"), 7.0);
    let log = gateway.log(11);
    assert!(log.contains(r#""breaks":"query unknown, query:id repeated""#), "{log}");
}

#[test]
fn rules_can_be_watched_before_they_count() {
    let backend = Backend::polite();
    let requests = "{ content_types: [ text/plain ], query: { rules: { id: { pattern: '[0-9]+' } } }, uploads: { extensions: [ png ] } }";
    let gateway = Gateway::start(&document(&backend, requests, "    check: report"));
    let answer = ask(&gateway, "POST", "/a?id=x", "Content-Encoding: br\r\n", b"hello");
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok:hello"));
    let answer = ask(&gateway, "POST", "/a", FORM, upload("a.php").as_bytes());
    assert_eq!(answer.text(), format!("ok:{}", upload("a.php")));
    assert_eq!(ask(&gateway, "POST", "/a", "Content-Type: text/plain\r\n", b"x").status, 200);
    assert_eq!(gateway.metric("portway_rule_breaches_total{action=\"reported\"}"), 3.0);
    let log = gateway.log(3);
    let all = r#""breaks":"header:Content-Encoding coding, header:Content-Type content_types, query:id pattern""#;
    assert!(log.contains(all), "{log}");
    assert!(log.contains("part extensions"), "{log}");
}

const FORM: &str = "Content-Type: multipart/form-data; boundary=xyz\r\n";

fn upload(name: &str) -> String {
    format!(
        "--xyz\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\n\r\nhello\r\n--xyz--\r\n"
    )
}

#[test]
fn media_types_and_codings_are_answered_with_415() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&document(&backend, "{ content_types: [ text/plain ] }", ""));
    for (lines, body, expected) in [
        ("Content-Type: text/plain\r\n", &b"x"[..], ""),
        ("", b"", ""),
        ("", b"x", "media-type-unsupported"),
        ("Content-Type: text/html\r\n", b"x", "media-type-unsupported"),
        ("Content-Type: text/plain\r\nContent-Encoding: gzip\r\n", b"x", "coding-unsupported"),
    ] {
        let answer = ask(&gateway, "POST", "/a", lines, body);
        let status = if expected.is_empty() { 200 } else { 415 };
        assert_eq!((answer.status, answer.problem().as_str()), (status, expected), "{lines}");
    }
}

#[test]
fn uploads_are_judged_in_passing() {
    // An application that takes what comes, and never sees the end of what is refused.
    let backend = Backend::polite();
    let requests = "{ uploads: { extensions: [ png ], part_bytes: 1MiB } }";
    let gateway = Gateway::start(&document(&backend, requests, ""));
    let answer = ask(&gateway, "POST", "/a", FORM, upload("a.png").as_bytes());
    assert_eq!(answer.text(), format!("ok:{}", upload("a.png")));
    let large = upload("a.png").replace("hello", &"x".repeat(1 << 20));
    assert_eq!(ask(&gateway, "POST", "/a", FORM, large.as_bytes()).status, 200);

    let answer = ask(&gateway, "POST", "/a", FORM, upload("a.php").as_bytes());
    assert_eq!((answer.status, answer.problem().as_str()), (400, "rule-broken"));
    assert_eq!(errors(&answer), ["part f extensions"]);
    let larger = upload("a.png").replace("hello", &"x".repeat((1 << 20) + 1));
    let answer = ask(&gateway, "POST", "/a", FORM, larger.as_bytes());
    assert_eq!((answer.status, answer.problem().as_str()), (413, "body-too-large"));
    assert_eq!(errors(&answer), ["part f part_bytes"]);
    assert_eq!(backend.received().len(), 2, "what is refused is never whole");
    let refused = gateway.log(4);
    assert!(refused.contains("\"breaks\":\"part extensions\""), "{refused}");
    assert_eq!(gateway.metric("portway_rule_breaches_total{action=\"refused\"}"), 2.0);
}

#[test]
fn uploads_over_http2_are_judged_too() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&document(&backend, "{ uploads: { extensions: [ png ] } }", ""));
    let mut caller = Http2::connect(gateway.address(), &[]);
    for (name, status) in [("a.png", 200), ("a.php", 400)] {
        let mut block = frames::request("POST", "/a");
        block.extend(frames::block(&[
            (b"x-api-key", b"k1"),
            (b"content-type", b"multipart/form-data; boundary=xyz"),
        ]));
        let stream = caller.stream();
        caller.frame(kind::HEADERS, 4, stream, block);
        let body = upload(name).into_bytes();
        let (first, last) = body.split_at(50);
        caller.frame(kind::DATA, 0, stream, first);
        caller.frame(kind::DATA, 1, stream, last);
        assert_eq!(caller.outcome(stream).expect("an answer").status(), status, "{name}");
    }
}

/// Bytes that cannot be compressed (xorshift).
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 56) as u8
    };
    (0..count).map(next).collect()
}

#[test]
fn compressed_bodies_are_measured_and_pass_as_they_came() {
    let backend = Backend::polite();
    let requests = "{ compression: { codings: [ gzip ] } }";
    let gateway = Gateway::start(&document(&backend, requests, "    body_bytes: 100KiB"));
    let gzip = |data: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    };
    let lines = "Content-Encoding: gzip\r\n";
    let small = gzip(b"hello");
    let answer = ask(&gateway, "POST", "/a", lines, &small);
    assert_eq!((answer.status, &answer.body[3..]), (200, &small[..]));
    for (body, expected) in [
        (gzip(&[0; 64 << 20]), "body  ratio"),
        (gzip(&[noise(90_000), vec![0; 20_000]].concat()), "body  inflated_bytes"),
    ] {
        let answer = ask(&gateway, "POST", "/a", lines, &body);
        assert_eq!((answer.status, answer.problem().as_str()), (413, "body-too-large"));
        assert_eq!(errors(&answer), [expected]);
    }
    assert_eq!(ask(&gateway, "POST", "/a", lines, b"hello").problem(), "rule-broken");
    assert_eq!(
        ask(&gateway, "POST", "/a", "Content-Encoding: br\r\n", b"x").problem(),
        "coding-unsupported"
    );
    assert_eq!(backend.received().len(), 1);
}

#[test]
fn chunks_of_any_size_are_one_body() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&document(&backend, "{ uploads: { extensions: [ png ] } }", ""));
    for (name, status) in [("a.png", 200), ("a.php", 400)] {
        let mut client = Client::connect(gateway.address());
        client.send(format!(
            "POST /a HTTP/1.1\r\nHost: a\r\nX-Api-Key: k1\r\n{FORM}Transfer-Encoding: chunked\r\n\r\n"
        ));
        for byte in upload(name).bytes() {
            client.send([b"1\r\n", &[byte][..], b"\r\n"].concat());
        }
        client.send("0\r\n\r\n");
        assert_eq!(client.answer().status, status, "{name}");
    }
}

/// What is judged in the head does not come behind the body instead.
#[test]
fn trailers_stay_behind_where_header_fields_are_judged() {
    let backend = Backend::polite();
    let requests =
        "{ headers: { denied: [ X-Debug ], rules: { X-Branch: { pattern: '[A-Z]{3}' } } } }";
    let trailers: [(&[u8], &[u8]); 4] = [
        (b"x-debug", b"1"),
        (b"x-branch", b"evil1"),
        (b"x-http-method-override", b"DELETE"),
        (b"x-fine", b"1"),
    ];
    let contract = crate::checks::document(&backend, "");
    for (document, passes) in [
        (document(&backend, requests, ""), false),
        (document(&backend, requests, "    check: report"), false),
        (document(&backend, requests, "    check: off"), true),
        (document(&backend, "{}", ""), false),
        (contract, false),
    ] {
        let gateway = Gateway::start(&document);
        let target = if document.contains("contract:") { "/orders/7" } else { "/a" };
        let method = if document.contains("contract:") { "GET" } else { "POST" };
        let lines: String = trailers
            .iter()
            .map(|(name, value)| {
                format!("{}: {}\r\n", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
            })
            .collect();
        let head = format!("{method} {target} HTTP/1.1\r\nHost: a\r\nX-Api-Key: k1\r\n");
        let body = format!("Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n{lines}\r\n");
        assert_eq!(Client::ask(gateway.address(), head + &body).status, 200, "{document}");
        assert_eq!(backend.last().body, b"x");
        assert_eq!(backend.last().trailers.len(), if passes { 4 } else { 0 }, "{document}");

        let mut caller = Http2::connect(gateway.address(), &[]);
        let mut block = frames::request(method, target);
        block.extend(frames::block(&[(b"x-api-key", b"k1")]));
        let stream = caller.stream();
        caller.frame(kind::HEADERS, flag::END_HEADERS, stream, block);
        caller.frame(kind::DATA, 0, stream, *b"y");
        let flags = flag::END_HEADERS | flag::END_STREAM;
        caller.frame(kind::HEADERS, flags, stream, frames::block(&trailers));
        assert_eq!(caller.outcome(stream).expect("an answer").status(), 200, "{document}");
        assert_eq!(backend.last().body, b"y");
        assert_eq!(backend.last().trailers.len(), if passes { 4 } else { 0 }, "{document}");
    }
}
