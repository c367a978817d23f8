//! Bodies of calls against their contract, over the wire.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use portway_testkit::{Answer, Backend, Client, Gateway};
use serde_json::Value;

/// A service with a contract; `more` is indented like a field of the service, `settings` like one of the gateway.
fn document(backend: &Backend, settings: &str, more: &str) -> String {
    format!(
        "gateway:\n  workers: 2\n  log: {{ calls: json }}\n  drain_timeout: 1s\n{settings}\nservices:\n  app:\n    contract: tests/data/bodies.yaml\n    \
         auth: public\n    backend: http://{}\n{more}\n",
        backend.address()
    )
}

fn start(backend: &Backend, more: &str) -> Gateway {
    Gateway::start(&document(backend, "", more))
}

/// A call with its length announced; `lines` are further lines of its head.
fn with_length(target: &str, lines: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: a\r\n{lines}Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// The same in chunks of `size` bytes.
fn in_chunks(target: &str, lines: &str, body: &[u8], size: usize) -> Vec<u8> {
    let head =
        format!("POST {target} HTTP/1.1\r\nHost: a\r\n{lines}Transfer-Encoding: chunked\r\n\r\n");
    let mut bytes = head.into_bytes();
    for chunk in body.chunks(size) {
        bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

const JSON: &str = "Content-Type: application/json\r\n";
const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";
const BYTES: &str = "Content-Type: application/octet-stream\r\n";
const PARTS: &str = "Content-Type: multipart/form-data; boundary=x\r\n";

/// What the answer says is wrong, as `in name pointer rule`.
fn errors(answer: &Answer) -> Vec<String> {
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or("-").to_owned();
    assert_eq!(body["type"], "urn:portway:problem:contract-broken");
    let list = body["errors"].as_array().expect("a list");
    list.iter()
        .map(|error| ["in", "name", "pointer", "rule"].map(|name| text(error, name)).join(" "))
        .collect()
}

#[test]
fn bodies_that_do_not_keep_the_contract_are_refused_with_all_that_is_wrong() {
    let backend = Backend::polite();
    let gateway = start(&backend, "");
    let mut client = Client::connect(gateway.address());
    for (lines, body, expected) in [
        (JSON, r#"{"sku":"a","count":2}"#, &[][..]),
        ("Content-Type: application/merge+json\r\n", r#"{"sku":"a"}"#, &[]),
        (FORM, "sku=a&count=2", &[]),
        (BYTES, "anything", &[]),
        (
            JSON,
            r#"{"sku":"123456789","count":0}"#,
            &["body - /count minimum", "body - /sku maxLength"],
        ),
        (FORM, "sku=123456789&count=x", &["body - /count type", "body - /sku maxLength"]),
        (JSON, r#"{"sku":"a","sku":"b"}"#, &["body -  duplicate"]),
        (JSON, "", &["body -  required"]),
    ] {
        // One connection for all: what is refused leaves it usable.
        for bytes in [
            with_length("/orders", lines, body.as_bytes()),
            in_chunks("/orders", lines, body.as_bytes(), 1),
            in_chunks("/orders", lines, body.as_bytes(), 7),
        ] {
            let before = backend.received().len();
            // Split at an odd place.
            let at = bytes.len() * 2 / 3;
            client.send(&bytes[..at]).send(&bytes[at..]);
            let answer = client.answer();
            if expected.is_empty() {
                assert_eq!(answer.text(), format!("ok:{body}"), "{lines}");
                assert_eq!(backend.last().body, body.as_bytes());
            } else {
                assert_eq!((answer.status, answer.problem().as_str()), (400, "contract-broken"));
                assert_eq!(errors(&answer), expected, "{body}");
                assert_eq!(backend.received().len(), before, "{body}");
            }
        }
    }
    assert_eq!(gateway.metric("portway_contract_breaches_total{action=\"refused\"}"), 12.0);
    assert_eq!(gateway.metric("portway_held_bytes"), 0.0);
    assert!(gateway.log(24).contains(r#""breaks":"body minimum, body maxLength""#));
}

#[test]
fn other_media_types_and_codings_are_refused_with_what_is_taken() {
    let backend = Backend::polite();
    let gateway = start(&backend, "");
    let ask = |target: &str, lines: &str| {
        // The body is not sent: nobody waits for it.
        Client::ask(
            gateway.address(),
            format!("POST {target} HTTP/1.1\r\nHost: a\r\n{lines}Content-Length: 9\r\n\r\n"),
        )
    };
    for lines in
        ["", "Content-Type: text/plain\r\n", "Content-Type: application/json; charset=utf-16\r\n"]
    {
        let answer = ask("/orders", lines);
        assert_eq!((answer.status, answer.problem().as_str()), (415, "media-type-unsupported"));
        let accept = "application/*+json, application/json, application/octet-stream, application/x-www-form-urlencoded";
        assert_eq!(answer.value("accept"), Some(accept), "{lines}");
    }
    let answer = ask("/orders", &format!("{JSON}Content-Encoding: gzip\r\n"));
    assert_eq!((answer.status, answer.value("accept-encoding")), (415, Some("identity")));
    assert_eq!(answer.value("accept"), None);
    // Everything that the head shows to be wrong is told at once.
    let answer = ask("/orders?limit=1000", "Content-Type: text/plain\r\n");
    assert_eq!(errors(&answer), ["query limit  maximum", "header Content-Type  contentType"]);
    let answer = ask("/files?", "Content-Type: multipart/form-data\r\n");
    assert_eq!(errors(&answer), ["body -  multipart"]);
    // Where nothing is said of a body, or nothing that could be judged, it goes through as it is.
    let coded = format!("{BYTES}Content-Encoding: gzip\r\n");
    assert_eq!(Client::ask(gateway.address(), with_length("/orders", &coded, b"x")).status, 200);
    assert_eq!(Client::ask(gateway.address(), with_length("/silent", "", b"x")).status, 200);
    assert_eq!(backend.received().len(), 2);
}

#[test]
fn what_is_wrong_by_its_head_has_no_body_read() {
    let backend = Backend::polite();
    let gateway = start(&backend, "    check_bounds: { body_bytes: 1KiB }");
    for (target, length, status) in
        [("/orders?limit=x", 10, 400), ("/orders", 1_025, 413), ("/orders?limit=x", 1_025, 400)]
    {
        let mut client = Client::connect(gateway.address());
        client.send(format!(
            "POST {target} HTTP/1.1\r\nHost: a\r\n{JSON}Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        ));
        assert_eq!(client.answer().status, status, "{target}");
    }
    let mut client = Client::connect(gateway.address());
    client.send(format!(
        "POST /orders HTTP/1.1\r\nHost: a\r\n{JSON}Expect: 100-continue\r\nContent-Length: 11\r\n\r\n"
    ));
    assert_eq!(client.answer().status, 100);
    client.send(r#"{"sku":"a"}"#);
    let mut answer = client.answer();
    while answer.status == 100 {
        answer = client.answer();
    }
    assert_eq!(answer.status, 200);
    assert_eq!(backend.received().len(), 1);
}

#[test]
fn reported_bodies_go_through_as_they_came() {
    let backend = Backend::polite();
    let gateway = start(&backend, "    check: report\n    check_bounds: { body_bytes: 1KiB }");
    let large = format!(r#"{{"sku":"a","note":"{}"}}"#, "n".repeat(300_000));
    let wrong = r#"{"count":0}"#;
    let mut client = Client::connect(gateway.address());
    let coded = format!("{JSON}Content-Encoding: gzip\r\n");
    for (target, lines, body) in [
        ("/orders?limit=1000", JSON, wrong),
        ("/orders", "Content-Type: text/plain\r\n", wrong),
        ("/orders", JSON, large.as_str()),
        ("/orders", &coded, wrong),
        ("/orders", JSON, r#"{"sku":"a"}"#),
    ] {
        for bytes in [
            with_length(target, lines, body.as_bytes()),
            in_chunks(target, lines, body.as_bytes(), 777),
        ] {
            let answer = client.send(&bytes).answer();
            assert_eq!(answer.text(), format!("ok:{body}"));
            assert!(backend.last().body == body.as_bytes());
        }
    }
    // Once for each call, however much of it is wrong.
    assert_eq!(gateway.metric("portway_contract_breaches_total{action=\"reported\"}"), 4.0);
    assert_eq!(gateway.metric("portway_contract_bodies_unchecked_total"), 4.0);
    assert_eq!(gateway.metric("portway_held_bytes"), 0.0);
    let log = gateway.log(10);
    assert!(
        log.contains(r#""breaks":"query:limit maximum, body minimum, body required""#),
        "{log}"
    );
    assert!(log.contains(r#""breaks":"header:Content-Type contentType""#), "{log}");
}

#[test]
fn what_is_too_large_to_be_checked_is_refused() {
    let backend = Backend::polite();
    let more = "    body_bytes: 64KiB\n    check_bounds: { body_bytes: 2KiB, fields: 3 }\n    operations: { order: { check_bounds: { body_bytes: 1KiB } } }";
    let gateway = start(&backend, more);
    let body = "x".repeat(1_500);
    for bytes in [
        with_length("/orders", JSON, body.as_bytes()),
        in_chunks("/orders", JSON, body.as_bytes(), 100),
    ] {
        let answer = Client::ask(gateway.address(), bytes);
        assert_eq!((answer.status, answer.problem().as_str()), (413, "body-too-large"));
        assert!(answer.text().contains("more bytes than are checked"), "{}", answer.text());
    }
    assert_eq!(
        Client::ask(gateway.address(), with_length("/orders", BYTES, body.as_bytes())).status,
        200
    );
    // The other operation has the bounds of the service.
    let answer = Client::ask(gateway.address(), with_length("/files", PARTS, body.as_bytes()));
    assert_eq!(errors(&answer), ["body -  multipart"]);
    let huge = "x".repeat(70_000);
    let answer = Client::ask(gateway.address(), with_length("/orders", BYTES, huge.as_bytes()));
    assert_eq!(answer.status, 413);
    assert!(!answer.text().contains("checked"));
    assert_eq!(gateway.metric("portway_bounds_reached_total{bound=\"body_bytes\"}"), 3.0);
}

#[test]
fn files_may_be_as_large_as_the_operation_takes() {
    let backend = Backend::polite();
    let gateway = start(&backend, "");
    let file = "f".repeat(3 << 20);
    let form = |title: &str| {
        format!(
            "--x\r\nContent-Disposition: form-data; name=title\r\n\r\n{title}\r\n--x\r\nContent-Disposition: form-data; name=file; filename=f\r\n\r\n{file}\r\n--x--\r\n"
        )
    };
    let right = form("short");
    let answer = Client::ask(gateway.address(), with_length("/files", PARTS, right.as_bytes()));
    assert_eq!(answer.status, 200);
    assert!(backend.last().body == right.as_bytes());
    let wrong = form("much too long");
    let answer =
        Client::ask(gateway.address(), in_chunks("/files", PARTS, wrong.as_bytes(), 60_000));
    assert_eq!(errors(&answer), ["body - /title maxLength"]);
}

#[test]
fn all_bodies_together_have_a_bound() {
    let backend = Backend::polite();
    let settings = "  bounds: { held_bytes: 64KiB }";
    let gateway = Gateway::start(&document(&backend, settings, ""));
    let body = format!(r#"{{"sku":"a","note":"{}"}}"#, "n".repeat(100_000));
    let answer = Client::ask(gateway.address(), with_length("/orders", JSON, body.as_bytes()));
    assert_eq!((answer.status, answer.problem().as_str()), (503, "too-much-held"));
    assert_eq!(answer.value("retry-after"), Some("1"));
    assert_eq!(gateway.metric("portway_bounds_reached_total{bound=\"held_bytes\"}"), 1.0);
    // One call holds much and does not end; another does not fit beside it, and does when the first is gone.
    let mut first = Client::connect(gateway.address());
    let most = with_length("/orders", JSON, &body.as_bytes()[..60_000]);
    first.send(&most[..most.len() - 10_000]);
    while gateway.metric("portway_held_bytes") < 40_000.0 {
        std::thread::yield_now();
    }
    let small = format!(r#"{{"sku":"a","note":"{}"}}"#, "n".repeat(50_000));
    let small = with_length("/orders", JSON, small.as_bytes());
    assert_eq!(Client::ask(gateway.address(), &small).status, 503);
    drop(first);
    while gateway.metric("portway_held_bytes") > 0.0 {
        std::thread::yield_now();
    }
    assert_eq!(Client::ask(gateway.address(), &small).status, 200);
    // Where calls are only reported, they go on unchecked.
    gateway.publish(&document(&backend, settings, "    check: report"));
    let answer = Client::ask(gateway.address(), in_chunks("/orders", JSON, body.as_bytes(), 999));
    assert_eq!(answer.text(), format!("ok:{body}"));
    assert_eq!(gateway.metric("portway_contract_bodies_unchecked_total"), 1.0);
    assert_eq!(gateway.metric("portway_held_bytes"), 0.0);
}

#[test]
fn what_is_not_judged_streams_through() {
    let backend = Backend::scripted(|conversation| {
        let head = conversation.read_head().expect("a head").head;
        assert!(head.contains("octet-stream"), "{head}");
        conversation.say(b"HTTP/1.1 100 Continue\r\n\r\n");
        let mut body = Vec::new();
        while body.len() < 6 {
            body.extend(conversation.read_some().expect("the rest"));
        }
        conversation.answer(&body);
    });
    let gateway = start(&backend, "");
    let mut client = Client::connect(gateway.address());
    let head = format!("POST /orders HTTP/1.1\r\nHost: a\r\n{BYTES}Content-Length: 6\r\n\r\nabc");
    // The backend has the beginning before the end is sent.
    assert_eq!(client.send(head).answer().status, 100);
    assert_eq!(client.send("def").answer().text(), "abcdef");
}

#[test]
fn bodies_over_http2_are_judged_too() {
    let backend = Backend::polite();
    let gateway = start(&backend, "");
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let all = async {
        let stream = tokio::net::TcpStream::connect(gateway.address()).await.expect("it accepts");
        let (send, connection) = h2::client::handshake(stream).await.expect("a handshake");
        tokio::spawn(connection);
        let mut send = send.ready().await.expect("ready");
        for (content_type, body, status) in [
            ("application/json", r#"{"sku":"a","count":2}"#, 200),
            ("application/json", r#"{"sku":"123456789"}"#, 400),
            ("application/json", "", 400),
            ("text/plain", "a", 415),
            ("application/x-www-form-urlencoded", "sku=a", 200),
        ] {
            let request =
                Request::post("http://a.test/orders").header("content-type", content_type);
            let request = request.body(()).expect("a request");
            let (answer, mut stream) = send.send_request(request, false).expect("sent");
            for piece in body.as_bytes().chunks(5) {
                stream.send_data(Bytes::copy_from_slice(piece), false).ok();
            }
            stream.send_data(Bytes::new(), true).ok();
            let mut answer = answer.await.expect("an answer");
            assert_eq!(answer.status(), status, "{body}");
            let mut bytes = Vec::new();
            while let Some(piece) = answer.body_mut().data().await {
                bytes.extend_from_slice(&piece.expect("data"));
            }
            if status == 200 {
                assert_eq!(bytes, format!("ok:{body}").as_bytes());
            }
        }
    };
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(30), all).await.expect("it came to an end");
    });
}

/// A form with very many parts.
fn many_parts(count: usize) -> String {
    let mut text = String::new();
    for number in 0..count {
        write!(text, "--x\r\nContent-Disposition: form-data; name={number}\r\n\r\n\r\n")
            .expect("text");
    }
    text + "--x--\r\n"
}

#[test]
fn bombs_are_refused_and_the_connection_goes_on() {
    let backend = Backend::polite();
    let gateway = start(&backend, "    body_bytes: 64MiB\n    check_bounds: { body_bytes: 64MiB }");
    let long_header = format!(
        "--x\r\nContent-Disposition: form-data; name=a\r\nX: {}\r\n\r\n1\r\n--x--\r\n",
        "y".repeat(64 << 10)
    );
    let mut keys = String::from("{");
    for number in 0..1_000_000 {
        write!(keys, "\"{number}\":1,").expect("text");
    }
    keys.push_str("\"sku\":\"a\"}");
    let mut client = Client::connect(gateway.address());
    for (target, lines, body, expected) in [
        ("/orders", JSON, format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)), " depth"),
        ("/orders", JSON, "[".repeat(10 << 20), " depth"),
        ("/orders", JSON, r#"{"a":"#.repeat(100_000), " depth"),
        ("/orders", JSON, keys, " members"),
        ("/orders", JSON, format!("[{}]", "1".repeat(1 << 20)), " json"),
        ("/orders", JSON, format!("[1.{}]", "1".repeat(1 << 20)), " length"),
        ("/orders", JSON, format!("[1e{}]", "1".repeat(1 << 20)), " json"),
        ("/orders", JSON, format!("[{}1]", "1,".repeat(1 << 20)), " items"),
        ("/orders", JSON, format!("{{\"sku\":\"{}\"}}", "n".repeat(9 << 20)), " length"),
        ("/orders", FORM, "a=1&".repeat(1_000_000), " fields"),
        ("/orders", FORM, format!("a{}=1", "[x]".repeat(1_000_000)), " required"),
        ("/files", PARTS, many_parts(1_000_000), " fields"),
        ("/files", PARTS, long_header, " multipart"),
        ("/files", PARTS, "--x".repeat(1_000_000), " multipart"),
        ("/files", PARTS, "\r\n--x-".repeat(1_000_000), " multipart"),
    ] {
        let answer = client.send(with_length(target, lines, body.as_bytes())).answer();
        assert_eq!(answer.status, 400, "{expected}");
        let found = errors(&answer);
        assert!(found[0].ends_with(expected), "{found:?}");
        assert!(answer.body.len() < 16 << 10, "{}", answer.body.len());
    }
    let right = with_length("/orders", JSON, br#"{"sku":"a"}"#);
    assert_eq!(client.send(right).answer().status, 200);
    assert_eq!(backend.received().len(), 1);
    assert_eq!(gateway.metric("portway_held_bytes"), 0.0);
}
