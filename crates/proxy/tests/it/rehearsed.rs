//! What is said would become of a call is what becomes of it: some hundred calls, rehearsed and then made.

use std::collections::BTreeMap;

use portway_proxy::rehearsal::{Asked, Counts, Outcome, Rehearsal, Rehearsed};
use portway_testkit::{Backend, Client, Gateway, compiled};

/// Calls that are made.
const CALLS: usize = 600;

const DOCUMENT: &str = "
gateway: { workers: 1, trusted_proxies: [ 127.0.0.0/8 ], log: { calls: json }, drain_timeout: 1s, bounds: { target_bytes: 2KiB } }
services:
  shop:
    path: /shop
    routes: [ 'GET /orders', 'GET /orders/{id}', 'POST /orders', 'DELETE /orders/{id}', '* /files/{rest+}' ]
    auth: [ key ]
    backend:
      targets: http://BACKEND/base
      host: caller
      credentials: [ { header: { name: X-Backend, value: { env: B } } }, { query: { name: token, value: { env: T } } } ]
    limits: [ 60/d per app, 40/d per ip, 30/d per header:x-tenant ]
    body_bytes: 1KiB
    errors: problem
    cors: { origins: [ 'https://a.example' ] }
    operations:
      'POST /orders': { auth: [ { key: { header: X-Other, query: k } } ], limits: [ 9/d ] }
  open:
    path: /open
    hosts: [ open.example, '*.open.example' ]
    routes: [ '* /', '* /{rest+}' ]
    auth: public
    backend: http://BACKEND
    concurrency: 5
    errors: tencent
  rest:
    path: /
    routes: [ 'GET /', 'GET /a/{b}', 'GET /a/b', 'PUT /a/{b}' ]
    auth: [ key, hmac ]
    backend: http://BACKEND
apps:
  phone: { plan: gold, keys: [ { env: PHONE } ] }
  web: { services: [ rest ], keys: [ { env: WEB } ], hmac: [ { id: w, secret: { env: S } } ] }
plans:
  gold: { limits: [ 90/h ], quota: 100/day, concurrency: 9 }
";

/// Numbers that look drawn (xorshift), the same in every run.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn of<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[(self.next() % list.len() as u64) as usize]
    }
}

const METHODS: [&str; 8] = ["GET", "GET", "GET", "POST", "DELETE", "PUT", "OPTIONS", "CONNECT"];
const TARGETS: [&str; 24] = [
    "/shop/orders",
    "/shop/orders/7",
    "/shop/orders/7",
    "/shop/orders/a%20b",
    "/shop/orders/..",
    "/shop/orders/%2e%2e/x",
    "/shop/files/a/b//c",
    "/shop/files/%41",
    "/shop//orders",
    "/shop",
    "/shop/nope",
    "/open/x",
    "/open/",
    "/open",
    "/",
    "/a/b",
    "/a/c",
    "/a/b/c",
    "/a/%00",
    "*",
    "http://open.example/open/y",
    "/shop/orders/7;v=1",
    "/a/\u{e9}",
    "nonsense",
];
const QUERIES: [&str; 8] = [
    "",
    "",
    "?",
    "?x=1&y=2",
    "?k=secret-of-PHONE&z",
    "?token=mine&TOKEN=too;a=b",
    "?api_key=secret-of-WEB",
    "?a=%ff",
];
const HOSTS: [&str; 7] =
    ["a.example", "a.example", "open.example", "x.OPEN.example:8080", "bad host", "", "[::1]:80"];
const FIELDS: [&str; 34] = [
    "X-Api-Key: secret-of-PHONE",
    "X-Api-Key: secret-of-PHONE",
    "X-Api-Key: secret-of-PHONE",
    "X-Api-Key: secret-of-WEB",
    "X-Api-Key: wrong",
    "X-Other: secret-of-PHONE",
    "Authorization: Bearer secret-of-PHONE",
    "Authorization: Basic eA==",
    "Authorization: hmac id=\"w\", algorithm=\"hmac-sha256\", headers=\"x-date\", signature=\"AA==\"",
    "X-Date: Thu, 11 Mar 2021 08:29:58 GMT",
    "X-Tenant: one",
    "X-Tenant: two",
    "Connection: x-tenant, close-not",
    "X-Forwarded-For: 192.0.2.7",
    "X-Forwarded-For: 192.0.2.7, 127.0.0.1",
    "Forwarded: for=192.0.2.9",
    "X-Real-IP: 1.2.3.4",
    "X_Forwarded_For: 1.1.1.1",
    "X-Portway-App: admin",
    "X-Request-Id: given-by-the-caller-1",
    "Cookie: a=b",
    "Te: trailers",
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "tracestate: a=b",
    "Origin: https://a.example",
    "Origin: https://b.example",
    "Access-Control-Request-Method: GET",
    "Accept: */*",
    "X-Backend: mine",
    "Expect: nonsense",
    "Proxy-Authorization: x",
    "Via: 1.0 x",
    "bad name: x",
    "Keep-Alive: 5",
];

/// What callers without mischief send along.
const PLAIN: [&str; 9] = [
    "X-Tenant: one",
    "Connection: x-tenant",
    "X-Forwarded-For: 192.0.2.7",
    "Forwarded: for=192.0.2.9",
    "X-Request-Id: given-by-the-caller-1",
    "Cookie: a=b",
    "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    "Origin: https://a.example",
    "Accept: */*",
];

/// The lines of a head: every other call is one that could be right, every eighth a preflight.
fn lines(draw: &mut Draw) -> String {
    let (method, target, fields, list): (_, _, _, &[&str]) = match draw.next() % 8 {
        0..4 => {
            let method = draw.of(&["GET", "GET", "POST", "DELETE"]);
            let target = draw.of(&["/shop/orders", "/shop/orders/7", "/shop/files/x", "/a/b"]);
            let key = draw.of(&["PHONE", "PHONE", "PHONE", "WEB"]);
            let key = format!("Host: a.example\r\nX-Api-Key: secret-of-{key}\r\n");
            (method, target, key, &PLAIN)
        }
        4 => {
            let origin = draw.of(&["a", "b"]);
            let fields = format!(
                "Host: a\r\nOrigin: https://{origin}.example\r\nAccess-Control-Request-Method: GET\r\n"
            );
            ("OPTIONS", draw.of(&TARGETS), fields, &PLAIN[..1])
        }
        _ => {
            let host = format!("Host: {}\r\n", draw.of(&HOSTS));
            (draw.of(&METHODS), draw.of(&TARGETS), host, &FIELDS)
        }
    };
    let mut head = format!("{method} {target}{} HTTP/1.1\r\n{fields}", draw.of(&QUERIES));
    for _ in 0..draw.next() % 4 {
        head.push_str(draw.of(list));
        head.push_str("\r\n");
    }
    head
}

/// A call of any kind: head and body.
fn draw(draw: &mut Draw) -> (Vec<u8>, &'static [u8]) {
    let mut head = lines(draw);
    let body: &'static [u8] = match draw.next() % 6 {
        0 => b"{\"a\":1}",
        1 => &[b'x'; 2_000],
        _ => b"",
    };
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    (head.into_bytes(), body)
}

/// A head without what is another one in each call.
fn comparable(head: &[u8]) -> String {
    let text = String::from_utf8_lossy(head);
    let lines = text.split("\r\n").map(|line| match line.split_once(": ") {
        Some(("x-request-id", id)) if !id.starts_with("given") => "x-request-id: …".to_owned(),
        // The span is the gateway's; the trace may be the caller's.
        Some(("traceparent", value)) if value.contains("4bf92f") => {
            "traceparent: continued".to_owned()
        }
        Some(("traceparent", _)) => "traceparent: …".to_owned(),
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\r\n").trim_end().to_owned()
}

/// A problem without its request id.
fn problem(body: &[u8]) -> serde_json::Value {
    let mut value = serde_json::from_slice(body).unwrap_or_default();
    if let serde_json::Value::Object(map) = &mut value {
        map.remove("request_id");
    }
    value
}

/// What came of a rehearsal, as far as a caller and a backend can see it.
fn expected(rehearsed: &Rehearsed) -> (u16, String, serde_json::Value) {
    match (&rehearsed.forwarded, &rehearsed.told) {
        (Some(head), _) => (200, comparable(head), serde_json::Value::Null),
        (None, Some(told)) => (told.status, String::new(), problem(&told.body)),
        (None, None) => panic!("neither sent nor answered: {:?}", rehearsed.outcome),
    }
}

#[test]
fn what_is_said_is_what_happens() {
    let backend = Backend::polite();
    let document = DOCUMENT.replace("BACKEND", &backend.address().to_string());
    let gateway = Gateway::start(&document);
    let offline = Rehearsal::of(compiled(&document)).expect("it can be rehearsed");
    let counts = Counts::at(1_000_000);
    let mut drawn = Draw(0x2545_f491_4f6c_dd1d);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut sent = 0;
    for index in 0..CALLS {
        let (head, body) = draw(&mut drawn);
        let peer = ([127, 0, 0, 1], 0).into();
        let asked = Asked { head: &head, body, peer, tls: false, unix_ms: None, app: None };
        let live = gateway.rehearse(&asked);
        let said = offline.count(&asked, &counts).expect("it can be asked");
        let answer = Client::connect(gateway.address()).send([&head, body].concat()).answer();
        let shown = format!("call {index}\n{}", String::from_utf8_lossy(&head));
        let word = match &said.outcome {
            Outcome::Refused { reason, .. } => reason.word().to_owned(),
            other => format!("{other:?}"),
        };
        *seen.entry(word).or_default() += 1;
        let head = if said.forwarded.is_some() {
            sent += 1;
            let got = backend.received();
            assert_eq!(got.len(), sent, "it was not sent: {} {shown}", answer.head);
            comparable(got[sent - 1].head.as_bytes())
        } else {
            String::new()
        };
        let body =
            if said.forwarded.is_some() { serde_json::Value::Null } else { problem(&answer.body) };
        let happened = (answer.status, head, body);
        assert_eq!(expected(&said), happened, "by the documents, {shown}");
        assert_eq!(expected(&live), happened, "by the running gateway, {shown}");
    }
    assert_eq!(backend.received().len(), sent, "nothing else was called");
    for word in [
        "Dispatched",
        "Answered",
        "credentials-missing",
        "credentials-invalid",
        "app-not-allowed",
        "rate-limited",
        "not-found",
        "method-not-allowed",
        "bad-path",
        "bad-request",
        "body-too-large",
        "origin-not-allowed",
    ] {
        assert!(seen.contains_key(word), "no call came to `{word}`: {seen:?}");
    }
}

#[test]
fn a_mock_is_foretold() {
    let gateway = Gateway::start(
        "gateway: { workers: 1, drain_timeout: 1s }\nservices:\n  pets: { contract: tests/data/pets.yaml, auth: public, \
         backend: mock, timeout: 2s }\n",
    );
    let mut seen = Vec::new();
    for field in [
        "A: b",
        "Prefer: code=404",
        "Prefer: code=499",
        "Prefer: example=none",
        "Accept: text/plain",
        "Accept: application/xml",
    ] {
        let head = format!("GET /pets/7 HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n");
        let said = gateway.rehearse(&asked(&head, None));
        let answer = Client::connect(gateway.address()).send(&head).answer();
        let told = said.told.as_ref().expect("an answer");
        assert_eq!((told.status, problem(&told.body)), (answer.status, problem(&answer.body)));
        let word = match said.outcome {
            Outcome::Refused { reason, .. } => reason.word(),
            Outcome::Dispatched => "made",
            other => panic!("{field}: {other:?}"),
        };
        seen.push((told.status, word));
    }
    let expected = [
        (200, "made"),
        (404, "made"),
        (400, "preference-unknown"),
        (400, "preference-unknown"),
        (406, "not-acceptable"),
        (200, "made"),
    ];
    assert_eq!(seen, expected);
    let head = "GET /pets/7 HTTP/1.1\r\nHost: a\r\nPrefer: wait=30\r\n\r\n";
    let said = gateway.rehearse(&asked(head, None));
    assert_eq!(said.told.map(|told| told.status), Some(504));
}

#[test]
fn an_app_that_is_assumed_calls_with_no_other_key() {
    let document = DOCUMENT.replace("BACKEND", "127.0.0.1:9");
    let rehearsal = Rehearsal::of(compiled(&document)).expect("it can be rehearsed");
    for (line, fields, arrives) in [
        ("GET /shop/orders", "", "GET /base/orders?"),
        (
            "GET /shop/orders",
            "X-Api-Key: secret-of-WEB\r\nx-api-key: wrong\r\nAccept: */*\r\n",
            "GET /base/orders?",
        ),
        ("GET /shop/orders", "Authorization: Bearer wrong\r\n", "GET /base/orders?"),
        ("POST /shop/orders?k=wrong&x=1&%6b=2", "X-Other: wrong\r\n", "POST /base/orders?x=1&"),
        ("POST /shop/orders?k=wrong", "", "POST /base/orders?"),
    ] {
        let head = format!("{line} HTTP/1.1\r\nHost: a.example\r\n{fields}\r\n");
        let said = rehearsal.ask(&asked(&head, Some("phone"))).expect("it can be asked");
        assert_eq!(said.outcome, Outcome::Dispatched, "{head}");
        let got = String::from_utf8(said.forwarded.expect("a head")).expect("text");
        assert!(got.starts_with(arrives), "{head}{got}");
        assert!(!got.contains("wrong") && !got.contains("secret-of-WEB"), "{head}{got}");
    }
}

#[test]
fn an_assumed_app_stands_in_for_a_key_in_the_query() {
    let document = "
gateway: { workers: 1 }
services:
  shop: { path: /shop, routes: [ 'GET /a' ], auth: [ { key: { query: k } } ], backend: 'http://127.0.0.1:9' }
apps: { phone: { keys: [ { env: PHONE } ] } }
";
    let rehearsal = Rehearsal::of(compiled(document)).expect("it can be rehearsed");
    for (target, arrives) in [
        ("/shop/a", "GET /a HTTP"),
        ("/shop/a?", "GET /a"),
        ("/shop/a?k=wrong", "GET /a HTTP"),
        ("/shop/a?x=1&k=wrong&k=2", "GET /a?x=1 HTTP"),
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n");
        let said = rehearsal.ask(&asked(&head, Some("phone"))).expect("it can be asked");
        assert_eq!(said.outcome, Outcome::Dispatched, "{head}");
        let got = String::from_utf8(said.forwarded.expect("a head")).expect("text");
        assert!(got.starts_with(arrives), "{head}{got}");
    }
}

fn asked<'a>(head: &'a str, app: Option<&'a str>) -> Asked<'a> {
    let peer = ([127, 0, 0, 1], 0).into();
    Asked { head: head.as_bytes(), body: b"", peer, tls: false, unix_ms: None, app }
}
