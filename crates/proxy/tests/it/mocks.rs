//! Operations answered from their contract, over the wire.

use portway_testkit::{Answer, Backend, Client, Gateway};
use serde_json::{Value, json};

/// The contract of the example, answered by a mock; `more` is indented like a field of the service.
fn gateway(more: &str) -> Gateway {
    Gateway::start(&format!(
        "gateway: {{ workers: 1, log: {{ calls: json }}, drain_timeout: 1s }}\nservices:\n  pets:\n    contract: tests/data/pets.yaml\n    \
         auth: public\n{more}\n"
    ))
}

fn ask(gateway: &Gateway, request: &str, lines: &str) -> Answer {
    let request = format!("{request} HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let mut client = Client::connect(gateway.address());
    client.send(&request);
    if request.starts_with("HEAD") { client.answer_to_head() } else { client.answer() }
}

fn said(answer: &Answer) -> String {
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    body["errors"][0]["detail"].as_str().expect("a text").to_owned()
}

#[test]
fn answers_come_from_the_contract() {
    let gateway = gateway("    backend: mock");
    let check = |request: &str, lines: &str, status: u16, media_type: &str, body: &str| {
        let answer = ask(&gateway, request, lines);
        assert_eq!(answer.status, status, "{request} {lines}: {}", answer.text());
        assert_eq!(
            answer.value("content-type").unwrap_or_default(),
            media_type,
            "{request} {lines}"
        );
        assert_eq!(answer.text(), body, "{request} {lines}");
    };
    let (json, problem) = ("application/json", "application/problem+json");
    let tom = r#"{"id":7,"kind":"cat","name":"Tom"}"#;
    let made = r#"{"born":"2025-01-15","id":1,"kind":"cat","name":"Tom","tags":["abc"]}"#;
    check("GET /pets/7", "", 200, json, tom);
    check("GET /pets", "", 200, json, &format!("[{made}]"));
    check("HEAD /pets/7", "", 200, json, "");
    check(
        "GET /pets/7",
        "Accept: application/xml\r\n",
        200,
        "application/xml",
        "<pet><id>7</id><name>Tom</name></pet>",
    );
    check("GET /pets/7", "Accept: text/html\r\nAccept: */*;q=0.1\r\n", 200, json, tom);
    check(
        "GET /pets/7",
        "Prefer: example=dog\r\n",
        200,
        json,
        r#"{"id":8,"kind":"dog","name":"Rex","tags":["good"]}"#,
    );
    check(
        "GET /pets/7",
        "Prefer: respond-async\r\nprefer: Code=\"404\"\r\n",
        404,
        problem,
        r#"{"status":404,"title":"There is no such pet."}"#,
    );
    check("DELETE /pets/7", "", 204, "", "");
    check(
        "POST /pets",
        "Content-Type: application/json\r\nContent-Length: 21\r\n\r\n{\"id\":7,\"name\":\"Tom\"}",
        201,
        json,
        made,
    );
    let answer = ask(&gateway, "GET /pets", "Prefer: wait=0, code=200\r\n");
    assert_eq!(answer.value("x-total-count"), Some("1"));
    assert_eq!(answer.value("preference-applied"), Some("code=200, wait=0"));
    assert_eq!(answer.value("vary"), Some("accept, prefer"));
    assert_eq!(
        ask(&gateway, "HEAD /pets/7", "").value("content-length"),
        Some(&*tom.len().to_string())
    );
}

#[test]
fn what_the_contract_does_not_have_is_refused_with_what_it_has() {
    let gateway = gateway("    backend: mock");
    let check = |lines: &str, status: u16, word: &str, detail: &str| {
        let answer = ask(&gateway, "GET /pets/7", lines);
        assert_eq!((answer.status, answer.problem().as_str()), (status, word), "{lines}");
        assert_eq!(said(&answer), detail, "{lines}");
    };
    check("Prefer: code=500\r\n", 400, "preference-unknown", "the contract describes 200 and 404");
    check("Prefer: code=abc\r\n", 400, "preference-unknown", "the contract describes 200 and 404");
    check(
        "Prefer: example=bird\r\n",
        400,
        "preference-unknown",
        "the contract gives this operation cat and dog",
    );
    check(
        "Accept: image/png\r\n",
        406,
        "not-acceptable",
        "this answer can be had as application/json and application/xml",
    );
    let page = gateway.metrics();
    assert!(page.contains("portway_outcomes_total{outcome=\"preference-unknown\"} 3"), "{page}");
}

#[test]
fn a_mocked_call_is_judged_like_any_other() {
    let gateway = gateway("    backend: mock\n    limits: [ \"1/h\" ]");
    assert_eq!(ask(&gateway, "GET /pets/x", "").problem(), "contract-broken");
    // It was admitted before it was looked at.
    assert_eq!(ask(&gateway, "GET /pets/7", "").status, 429);
    let gateway = Gateway::start(
        "gateway: { workers: 1 }\nservices: { pets: { contract: tests/data/pets.yaml, backend: mock, auth: [key] } }",
    );
    assert_eq!(ask(&gateway, "GET /pets/7", "").status, 401);
}

#[test]
fn one_operation_can_be_a_mock_and_another_not() {
    let backend = Backend::polite();
    let gateway = gateway(&format!(
        "    backend: 'http://{}'\n    operations: {{ getPet: {{ backend: {{ mock: {{ status: 404 }} }} }} }}",
        backend.address()
    ));
    assert_eq!(ask(&gateway, "GET /pets/7", "").status, 404);
    assert_eq!(ask(&gateway, "GET /pets/7", "Prefer: code=200\r\n").status, 200);
    assert_eq!(backend.received().len(), 0);
    assert_eq!(ask(&gateway, "GET /pets", "").status, 200);
    assert_eq!(backend.received().len(), 1);
}

#[test]
fn a_mock_that_waits_longer_than_the_call_may_take_times_out() {
    let gateway = gateway("    backend: { mock: { wait: 20s } }\n    timeout: 200ms");
    assert_eq!(ask(&gateway, "GET /pets/7", "").problem(), "call-timeout");
    assert_eq!(ask(&gateway, "GET /pets/7", "Prefer: wait=0\r\n").status, 200);
    assert_eq!(
        ask(&gateway, "GET /pets/7", "Prefer: wait=0.01\r\n").value("preference-applied"),
        Some("wait=0.010")
    );
}

#[test]
fn the_body_is_read_and_bounded() {
    let gateway = gateway("    backend: mock\n    body_bytes: 21");
    let post = |body: &str| {
        let lines = format!(
            "Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        ask(&gateway, "POST /pets", &lines).status
    };
    assert_eq!(post(r#"{"id":7,"name":"Tom"}"#), 201);
    assert_eq!(post(r#"{"id":7, "name":"Tom"}"#), 413);
    let chunked = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n16\r\n{\"id\":7, \"name\":\"Tom\"}\r\n0\r\n";
    assert_eq!(ask(&gateway, "POST /pets", chunked).status, 413);
}

#[test]
fn the_log_says_that_a_mock_answered() {
    let gateway = gateway("    backend: mock");
    assert_eq!(ask(&gateway, "GET /pets/7", "").status, 200);
    let line: Value = serde_json::from_str(&gateway.log(1)).expect("JSON");
    assert_eq!(line["target"], json!("mock"), "{line}");
    assert_eq!(line["source"], json!("gateway"), "{line}");
    assert!(gateway.metrics().contains("portway_mock_answers_total{result=\"made\"} 1"));
}

#[test]
fn a_caller_that_goes_ends_the_wait() {
    let gateway = gateway("    backend: { mock: { wait: 25s } }");
    Client::connect(gateway.address()).send("GET /pets/7 HTTP/1.1\r\nHost: a\r\n\r\n");
    let line: Value = serde_json::from_str(&gateway.log(1)).expect("JSON");
    assert_eq!(line["outcome"], json!("caller-gone"), "{line}");
    assert_eq!(line["target"], json!("mock"), "{line}");
}

#[test]
fn where_nothing_can_be_made_the_answer_says_so() {
    let gateway = Gateway::start(
        "gateway: { workers: 1 }\nservices: { odd: { contract: tests/data/unmade.yaml, backend: mock, auth: public } }",
    );
    let check = |path: &str, detail: &str| {
        let answer = ask(&gateway, &format!("GET {path}"), "");
        assert_eq!((answer.status, answer.problem().as_str()), (501, "no-example"), "{path}");
        assert!(said(&answer).contains(detail), "{}", answer.text());
    };
    check("/endless", "asks for more than is made");
    check("/huge", "asks for more than is made");
    check("/odd", "is met by nothing that was found");
    check("/xml", "no example of application/xml");
    let page = gateway.metrics();
    assert!(page.contains("portway_mock_answers_total{result=\"failed\"} 4"), "{page}");
    assert_eq!(ask(&gateway, "GET /fine", "").text(), "{\"a\":1}");
}

#[test]
fn pages_of_other_origins_may_call_a_mock() {
    let gateway = gateway("    backend: mock\n    cors: { origins: [ 'https://a.test' ] }");
    let answer = ask(&gateway, "GET /pets/7", "Origin: https://a.test\r\n");
    assert_eq!(answer.value("access-control-allow-origin"), Some("https://a.test"));
}
