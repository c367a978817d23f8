//! Calls against their contract, over the wire.

use portway_testkit::{Answer, Backend, Client, Gateway, sha256_hex};
use serde_json::{Value, json};

/// A service with a contract; `more` is indented like a field of the service.
pub(crate) fn document(backend: &Backend, more: &str) -> String {
    format!(
        "gateway: {{ workers: 2, log: {{ calls: json }}, drain_timeout: 1s }}\nservices:\n  app:\n    contract: tests/data/checks.yaml\n    \
         auth: [key]\n    backend: {{ targets: 'http://{}', credentials: [ {{ header: {{ name: X-Backend, value: {{ env: A }} }} }} ] }}\n{more}\n\
         apps: {{ phone: {{ keys: [ {{ sha256: {} }} ] }} }}\n",
        backend.address(),
        sha256_hex("k1")
    )
}

fn get(gateway: &Gateway, target: &str, lines: &str) -> Answer {
    let head =
        format!("GET {target} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer k1\r\n{lines}\r\n");
    Client::ask(gateway.address(), head)
}

/// What the answer says is wrong, as `in name pointer rule`.
fn errors(answer: &Answer) -> Vec<String> {
    let body: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let text = |value: &Value, name: &str| value[name].as_str().expect("a text").to_owned();
    assert_eq!(body["type"], "urn:portway:problem:contract-broken");
    assert_eq!(body["status"], 400);
    let list = body["errors"].as_array().expect("a list");
    list.iter()
        .map(|error| {
            assert!(!text(error, "detail").is_empty());
            ["in", "name", "pointer", "rule"].map(|name| text(error, name)).join(" ")
        })
        .collect()
}

#[test]
fn calls_that_do_not_keep_the_contract_are_refused_with_all_that_is_wrong() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&document(&backend, ""));
    for (target, lines, expected) in [
        ("/orders/7", "", &[][..]),
        (
            "/orders/7?limit=5&unknown=1&filter[status]=open",
            "X-Tags: a, b\r\nCookie: session=abc\r\n",
            &[],
        ),
        ("/orders/x", "", &["path order  type"]),
        ("/orders/0?limit=101", "", &["path order  minimum", "query limit  maximum"]),
        ("/orders/7?limit=5&limit=6", "", &["query limit  style"]),
        (
            "/orders/7?filter[status]=lost&filter[more]=1",
            "",
            &["query filter /more additionalProperties", "query filter /status enum"],
        ),
        (
            "/orders/7",
            "X-Tags: a\r\nX-Tags: b, c\r\nCookie: session=abcde\r\n",
            &["header X-Tags  maxItems", "cookie session  maxLength"],
        ),
        ("/loose", "", &["query limit  required"]),
    ] {
        let before = backend.received().len();
        let answer = get(&gateway, target, lines);
        if expected.is_empty() {
            assert_eq!(answer.status, 200, "{target}: {}", answer.text());
            assert_eq!(backend.received().len(), before + 1);
        } else {
            assert_eq!((answer.status, answer.problem().as_str()), (400, "contract-broken"));
            assert_eq!(answer.value("content-type"), Some("application/problem+json"));
            assert_eq!(errors(&answer), expected, "{target}");
            assert_eq!(backend.received().len(), before, "{target}");
        }
    }
    assert_eq!(gateway.metric("portway_contract_breaches_total{action=\"refused\"}"), 6.0);
    let log = gateway.log(8);
    assert!(log.contains(r#""breaks":"path:order minimum, query:limit maximum""#), "{log}");
}

#[test]
fn nothing_of_the_caller_breaks_the_answer_or_the_log() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&document(&backend, ""));
    let answer = get(&gateway, "/orders/7?filter[%22%0a%5c%3cx]=1", "");
    assert_eq!(errors(&answer), ["query filter /\"\n\\<x additionalProperties"]);
    let log = gateway.log(1);
    assert!(log.contains(r#""breaks":"query:filter additionalProperties""#), "{log}");
}

#[test]
fn callers_without_leave_learn_nothing_of_the_contract() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&document(&backend, ""));
    let answer = Client::get(gateway.address(), "/orders/x");
    assert_eq!((answer.status, answer.problem().as_str()), (401, "credentials-missing"));
}

#[test]
fn reported_calls_go_through_and_are_counted_and_logged() {
    let backend = Backend::polite();
    let more = "    check: report\n    operations: { loose: { check: off } }";
    let gateway = Gateway::start(&document(&backend, more));
    assert_eq!(get(&gateway, "/orders/x?limit=1000", "").status, 200);
    assert_eq!(get(&gateway, "/loose?limit=x", "").status, 200);
    assert_eq!(get(&gateway, "/orders/7", "").status, 200);
    assert_eq!(backend.received().len(), 3);
    assert_eq!(gateway.metric("portway_contract_breaches_total{action=\"reported\"}"), 1.0);
    let log = gateway.log(3);
    assert!(log.contains(r#""breaks":"path:order type, query:limit maximum""#), "{log}");
    assert_eq!(log.matches("\"breaks\"").count(), 1, "{log}");
}

#[test]
fn an_operation_may_be_stricter_than_its_service() {
    let backend = Backend::polite();
    let more = "    check: off\n    operations: { loose: { check: enforce } }";
    let gateway = Gateway::start(&document(&backend, more));
    assert_eq!(get(&gateway, "/orders/x", "").status, 200);
    assert_eq!(get(&gateway, "/loose?limit=x", "").problem(), "contract-broken");
}

#[test]
fn errors_are_an_addition_to_the_problem() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&document(&backend, ""));
    let body: Value =
        serde_json::from_slice(&get(&gateway, "/loose?limit=x", "").body).expect("JSON");
    assert_eq!(
        body["errors"],
        json!([{ "in": "query", "name": "limit", "pointer": "", "rule": "type", "detail": "must be of type integer" }])
    );
    assert!(body["title"].is_string() && body["request_id"].is_string());
}
