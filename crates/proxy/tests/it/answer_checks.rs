//! Answers of applications against their contract, over the wire: what comes of it, and that callers see nothing of it.

use std::io::Write;

use portway_testkit::{Backend, Client, Gateway};

/// A service whose answers are checked; `more` stands in `answers`, `settings` among those of the gateway.
fn document(backend: &Backend, settings: &str, more: &str) -> String {
    format!(
        "gateway:\n  workers: 2\n  log: {{ calls: json }}\n  drain_timeout: 1s\n{settings}\nservices:\n  app:\n    contract: tests/data/answers.yaml\n    \
         auth: public\n    backend: http://{}\n    check_bounds: {{ body_bytes: 64KiB }}\n    answers: {{ {more} }}\n",
        backend.address()
    )
}

/// A backend that says what the header `X-Say` of a call asks for, byte for byte but for line ends and `BIG`.
fn saying() -> Backend {
    Backend::scripted(|conversation| {
        while let Some(request) = conversation.read() {
            let wanted = request.values("x-say").first().map(|text| (*text).to_owned());
            let wanted = wanted.expect("a header that says what is wanted");
            let bytes = wanted.replace("\\r\\n", "\r\n").replace("BIG", &"b".repeat(200_000));
            // In pieces, split at odd places.
            for piece in bytes.as_bytes().chunks(if bytes.len() > 1_000 { 9_999 } else { 7 }) {
                conversation.stream.write_all(piece).expect("the gateway reads");
                conversation.stream.flush().expect("the gateway reads");
            }
        }
    })
}

const JSON: &str = r"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

fn counted(gateway: &Gateway, result: &str) -> f64 {
    let line = format!(
        "portway_answers_checked_total{{service=\"app\",operation=\"getThing\",result=\"{result}\"}}"
    );
    if gateway.metrics().contains(&line) { gateway.metric(&line) } else { 0.0 }
}

#[test]
fn answers_are_counted_and_logged_and_pass_as_they_are() {
    let backend = saying();
    let gateway = Gateway::start(&document(&backend, "", "check: 100%"));
    let mut client = Client::connect(gateway.address());
    let mut results = [("kept", 0.0), ("broken", 0.0), ("undescribed", 0.0), ("unchecked", 0.0)];
    for (answer, status, body, result, breaks) in [
        (format!(r#"{JSON}Content-Length: 8\r\n\r\n{{"id":1}}"#), 200, r#"{"id":1}"#, "kept", ""),
        (
            format!(
                r#"{JSON}Transfer-Encoding: chunked\r\n\r\n3\r\n{{"i\r\n5\r\nd":1}}\r\n0\r\n\r\n"#
            ),
            200,
            r#"{"id":1}"#,
            "kept",
            "",
        ),
        (
            format!(r#"{JSON}Content-Length: 10\r\n\r\n{{"id":"x"}}"#),
            200,
            r#"{"id":"x"}"#,
            "broken",
            "body type",
        ),
        (
            r"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 3\r\n\r\n<p>"
                .to_owned(),
            200,
            "<p>",
            "broken",
            "header:Content-Type contentType",
        ),
        (
            r"HTTP/1.1 418 Teapot\r\nContent-Length: 0\r\n\r\n".to_owned(),
            418,
            "",
            "undescribed",
            "status",
        ),
        (r"HTTP/1.1 204 None\r\n\r\n".to_owned(), 204, "", "kept", ""),
        (
            format!(r"{JSON}Content-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
            200,
            "abc",
            "unchecked",
            "",
        ),
        (
            format!(r#"{JSON}Content-Length: 200009\r\n\r\n{{"id":"BIG"}}"#),
            200,
            "BIG",
            "unchecked",
            "",
        ),
        (
            format!(
                r#"{JSON}Transfer-Encoding: chunked\r\n\r\n30d49\r\n{{"id":"BIG"}}\r\n0\r\n\r\n"#
            ),
            200,
            "BIG",
            "unchecked",
            "",
        ),
    ] {
        client.send(format!("GET /things/1 HTTP/1.1\r\nHost: a\r\nX-Say: {answer}\r\n\r\n"));
        let got = client.answer();
        assert_eq!(got.status, status, "{answer}");
        if body == "BIG" {
            assert_eq!(got.body.len(), 200_009);
        } else {
            assert_eq!(got.text(), body, "{answer}");
        }
        let place = results.iter_mut().find(|(known, _)| *known == result).expect("known");
        place.1 += 1.0;
        // Counted when the call is over, which its answer is a moment before.
        for (result, count) in &results {
            while counted(&gateway, result) < *count {
                std::thread::yield_now();
            }
            assert_eq!(counted(&gateway, result), *count, "{result}: {answer}");
        }
        let lines = results.iter().map(|(_, count)| *count as usize).sum();
        let log = gateway.log(lines);
        let last = log.lines().nth(lines - 1).expect("a line");
        if breaks.is_empty() {
            assert!(!last.contains("answer_breaks"), "{last}");
        } else {
            assert!(last.contains(&format!("\"answer_breaks\":\"{breaks}\"")), "{last}");
        }
    }
    // Neither of these has a body, whatever its head says.
    client.send(
        "GET /things/1 HTTP/1.1\r\nHost: a\r\nX-Say: HTTP/1.1 304 Same\\r\\nContent-Type: x/y\\r\\n\\r\\n\r\n\r\n"
    );
    assert_eq!(client.answer().status, 304);
    client.send(format!(
        "HEAD /things/1 HTTP/1.1\r\nHost: a\r\nX-Say: {JSON}Content-Length: 8\\r\\n\\r\\n\r\n\r\n"
    ));
    assert_eq!(client.answer_to_head().status, 200);
    while !gateway.metrics().contains("operation=\"headThing\",result=\"kept\"} 1") {
        std::thread::yield_now();
    }
    assert_eq!(counted(&gateway, "kept"), 3.0, "the 304 was not checked");
    assert_eq!(gateway.metric("portway_held_bytes"), 0.0);
}

#[test]
fn only_what_is_asked_for_is_checked() {
    let backend = saying();
    let answer = format!(r"{JSON}Content-Length: 2\r\n\r\n{{}}");
    let call = format!("GET /things/1 HTTP/1.1\r\nHost: a\r\nX-Say: {answer}\r\n\r\n");
    let gateway = Gateway::start(&document(&backend, "", "mask: on"));
    assert_eq!(Client::ask(gateway.address(), &call).status, 200);
    assert!(!gateway.log(1).contains("answer_breaks"));
    assert!(!gateway.metrics().contains("portway_answers_checked_total{"));
    // One in a hundred thousand: that none of these is one is as good as certain.
    let gateway = Gateway::start(&document(&backend, "", "check: 0.001%"));
    let mut client = Client::connect(gateway.address());
    for _ in 0..20 {
        assert_eq!(client.send(&call).answer().status, 200);
    }
    let text = gateway.log(20);
    assert!(text.matches("answer_breaks").count() < 20, "{text}");
}

#[test]
fn a_copy_that_does_not_fit_is_left_out() {
    let backend = saying();
    let settings = "  bounds: { held_bytes: 1KiB }";
    let gateway = Gateway::start(&document(&backend, settings, "check: 100%"));
    let text = "x".repeat(2_000);
    let answer = format!(r#"{JSON}Content-Length: 2011\r\n\r\n{{"name":"{text}"}}"#);
    let call = format!("GET /things/1 HTTP/1.1\r\nHost: a\r\nX-Say: {answer}\r\n\r\n");
    let got = Client::ask(gateway.address(), &call);
    assert_eq!((got.status, got.body.len()), (200, 2_011));
    while counted(&gateway, "unchecked") < 1.0 {
        std::thread::yield_now();
    }
    assert_eq!(gateway.metric("portway_held_bytes"), 0.0);
}

#[test]
fn an_answer_is_not_held_back_for_its_check() {
    let (tell, told) = std::sync::mpsc::channel::<()>();
    let told = std::sync::Mutex::new(told);
    let backend = Backend::scripted(move |conversation| {
        conversation.read().expect("a call");
        conversation.say(
            b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"id\r\n",
        );
        // The rest is sent when the caller has the beginning.
        told.lock().expect("not poisoned").recv().expect("the test goes on");
        conversation.say(b"6\r\n\":\"x\"}\r\n0\r\n\r\n");
    });
    let gateway = Gateway::start(&document(&backend, "", "check: 100%"));
    let mut client = Client::connect(gateway.address());
    client.send("GET /things/1 HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut came = Vec::new();
    while !came.ends_with(b"{\"id\r\n") {
        came.extend(client.bytes(1));
    }
    tell.send(()).expect("the backend waits");
    while counted(&gateway, "broken") < 1.0 {
        std::thread::yield_now();
    }
}
