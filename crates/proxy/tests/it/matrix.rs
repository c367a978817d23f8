//! Every rule over every protocol (class C24), identities that cannot meet (C16), and odd documents under odd calls
//! (C27).

use portway_testkit::frames::{Http2, block, flag, kind};
use portway_testkit::{Backend, Client, Gateway, sha256_hex};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// One rule, a call that meets it, and what it must be answered with.
struct Case {
    rule: &'static str,
    method: &'static str,
    path: &'static str,
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    status: u16,
}

const fn case(
    rule: &'static str,
    (method, path): (&'static str, &'static str),
    headers: &'static [(&'static str, &'static str)],
    body: &'static str,
    status: u16,
) -> Case {
    Case { rule, method, path, headers, body, status }
}

const KEY: (&str, &str) = ("x-api-key", "secret-of-PHONE");
const OTHER: (&str, &str) = ("x-api-key", "secret-of-OTHER");

const CASES: &[Case] = &[
    case("a call as it should be", ("GET", "/s/items/1"), &[KEY], "", 200),
    case("route: no such path", ("GET", "/nowhere"), &[KEY], "", 404),
    case("route: no such method", ("DELETE", "/s/items/1"), &[KEY], "", 405),
    case(
        "route: a path that two servers read differently",
        ("GET", "/s/items/%2e%2e/1"),
        &[KEY],
        "",
        400,
    ),
    case("route: a slash that is hidden", ("GET", "/s/items%2f1"), &[KEY], "", 400),
    case(
        "route: preflight of another origin",
        ("OPTIONS", "/s/items/1"),
        &[("origin", "https://evil.test"), ("access-control-request-method", "GET")],
        "",
        403,
    ),
    case("identify: no key", ("GET", "/s/items/1"), &[], "", 401),
    case("identify: a wrong key", ("GET", "/s/items/1"), &[("x-api-key", "wrong")], "", 401),
    case("identify: two keys", ("GET", "/s/items/1"), &[KEY, OTHER], "", 401),
    case("identify: an empty key", ("GET", "/s/items/1"), &[("x-api-key", "")], "", 401),
    case("permit: an app of another service", ("GET", "/s/items/1"), &[OTHER], "", 403),
    case("admit: more than a limit", ("GET", "/s/rare"), &[KEY], "", 429),
    case("check: a parameter that is no number", ("GET", "/s/items/x"), &[KEY], "", 400),
    case(
        "bound: a body that is too large",
        ("POST", "/s/items"),
        &[KEY, ("content-type", "text/plain")],
        "0123456789-and-more",
        413,
    ),
    case("bound: a target that is too long", ("GET", "/s/items/1?LONG"), &[KEY], "", 414),
    case(
        "grammar: an expectation that nobody meets",
        ("GET", "/s/items/1"),
        &[KEY, ("expect", "a-miracle")],
        "",
        417,
    ),
];

fn document(backend: &Backend) -> String {
    format!(
        "gateway: {{ workers: 2, log: {{ calls: json }}, drain_timeout: 2s, bounds: {{ body_bytes: 10, target_bytes: 1KiB }} }}\n\
         services:\n  app:\n    contract: tests/data/matrix.yaml\n    path: /s\n    auth: [key]\n    cors: {{ origins: [ 'https://good.test' ] }}\n    backend: http://{}\n    operations: {{ rare: {{ limits: [ '1/h' ] }} }}\n  \
         other: {{ path: /other, routes: [ 'GET /' ], auth: [key], backend: 'http://{}' }}\n\
         apps:\n  phone: {{ keys: [ {{ env: PHONE }} ], services: [ app ] }}\n  tablet: {{ keys: [ {{ env: OTHER }} ], services: [ other ] }}\n",
        backend.address(),
        backend.address()
    )
}

fn over_http1(gateway: &Gateway, case: &Case, path: &str, chunked: bool) -> u16 {
    let mut text = format!("{} {path} HTTP/1.1\r\nHost: a\r\n", case.method);
    for (name, value) in case.headers {
        text += &format!("{name}: {value}\r\n");
    }
    match (case.body.len(), chunked) {
        (0, _) => text += "\r\n",
        (length, false) => text += &format!("Content-Length: {length}\r\n\r\n{}", case.body),
        (length, true) => {
            text += &format!(
                "Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{}\r\n0\r\n\r\n",
                case.body
            );
        }
    }
    Client::ask(gateway.address(), text).status
}

fn over_http2(gateway: &Gateway, case: &Case, path: &str) -> u16 {
    let mut fields: Vec<(&[u8], &[u8])> = vec![
        (b":method", case.method.as_bytes()),
        (b":scheme", b"http"),
        (b":authority", b"a"),
        (b":path", path.as_bytes()),
    ];
    fields.extend(case.headers.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())));
    let mut client = Http2::connect(gateway.address(), &[]);
    let stream = client.stream();
    let end = if case.body.is_empty() { flag::END_STREAM } else { 0 };
    client.frame(kind::HEADERS, flag::END_HEADERS | end, stream, block(&fields));
    if !case.body.is_empty() {
        client.frame(kind::DATA, flag::END_STREAM, stream, case.body.as_bytes());
    }
    client.outcome(stream).map_or(0, |frame| frame.status())
}

#[test]
fn c24_every_rule_holds_over_every_protocol() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&document(&backend));
    // Used up at once, by the one call that is allowed in an hour.
    let rare = CASES.iter().find(|case| case.path == "/s/rare").expect("there is one");
    assert_eq!(over_http1(&gateway, rare, rare.path, false), 200);
    for case in CASES {
        let path = case.path.replace("LONG", &"x".repeat(2_000));
        let answers = [
            over_http1(&gateway, case, &path, false),
            over_http1(&gateway, case, &path, true),
            over_http2(&gateway, case, &path),
        ];
        assert_eq!(answers, [case.status; 3], "{}: HTTP/1.1, in chunks, HTTP/2", case.rule);
    }
    let reached = backend.received();
    assert!(reached.iter().all(|received| received.line().starts_with("GET /")), "{reached:?}");
}

/// Services, operations and apps whose names could be taken for each other's share no count and no key.
#[test]
fn c16_names_that_could_meet_share_nothing() {
    let backend = Backend::polite();
    let at = backend.address();
    let service = |name: &str, path: &str| {
        format!(
            "  {name}:\n    path: {path}\n    routes: [ 'GET /b', 'GET /c' ]\n    auth: [key]\n    limits: [ '2/h per app' ]\n    backend: http://{at}\n    operations: {{ 'GET /b': {{ limits: [ '1/h per app' ] }} }}\n"
        )
    };
    let services = [("a", "/a"), ("a-b", "/a-b"), ("ab", "/ab"), ("b", "/b")];
    let apps = ["x", "x-y", "xy", "y"];
    let mut text = "gateway: { workers: 1, drain_timeout: 2s }\nservices:\n".to_owned();
    for (name, path) in services {
        text += &service(name, path);
    }
    text += "apps:\n";
    for app in apps {
        text += &format!("  {app}: {{ keys: [ {{ sha256: '{}' }} ] }}\n", sha256_hex(app));
    }
    let gateway = Gateway::start(&text);
    for (_, path) in services {
        for app in apps {
            let call = |path: String| {
                let text = format!("GET {path} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {app}\r\n\r\n");
                Client::ask(gateway.address(), text).status
            };
            let statuses = [
                call(format!("{path}/b")),
                call(format!("{path}/b")),
                call(format!("{path}/c")),
                call(format!("{path}/c")),
            ];
            assert_eq!(statuses, [200, 429, 200, 429], "{path} {app}");
        }
    }
}

/// Parts of documents that load, each alone and with each other.
const PARTS: &[&[&str]] = &[
    &["auth: public", "auth: [key]", "auth: [hmac]", "auth: [key, hmac, signature]"],
    &["", "limits: [ '1/s', '3/m per ip' ]", "limits: [ '2/s per app' ]"],
    &["", "cors: { origins: [ '*' ] }", "cors: { origins: [ 'https://a.test' ], expose: [ x ] }"],
    &[
        "",
        "answers: { security_headers: on }",
        "answers: { mask: { hosts: [ '*.test', 10.0.0.0/8 ] } }",
    ],
    &["", "errors: tencent"],
];
const BACKENDS: &[&str] = &[
    "targets: 'http://ADDRESS'",
    "targets: [ 'http://ADDRESS/base', 'http://127.0.0.1:1' ], retries: { attempts: 3, on_status: [ 500, 404 ] }",
    "targets: 'http://ADDRESS', balance: { hash: { header: x-odd } }, concurrency: { max: 1, queue: 1, queue_timeout: 1ms }",
    "targets: 'http://ADDRESS', protocol: http2, breaker: { failure_percent: 1, min_calls: 1 }",
    "targets: 'http://ADDRESS', host: odd.test, head_bytes: 1KiB, timeouts: { first_byte: 50ms }",
];
const ROUTES: &[&str] =
    &["'* /', '* /{rest+}'", "'GET /a/{b}', 'POST /a/{b}', '* /a/{b}/c'", "'GET /'"];
const BOUNDS: &[&str] = &[
    "",
    "bounds: { head_bytes: 1KiB, head_fields: 4, target_bytes: 32, body_bytes: 8 }",
    "bounds: { head_timeout: 20ms, body_timeout: 20ms, write_timeout: 20ms, idle_timeout: 50ms }",
    "trusted_proxies: [ 127.0.0.0/8 ], bounds: { http2: { streams: 1, resets: 1 }, held_bytes: 16 }",
];

fn odd_document() -> impl Strategy<Value = String> {
    let parts: Vec<_> = PARTS.iter().map(|part| prop::sample::select(*part)).collect();
    (
        parts,
        prop::sample::select(BACKENDS),
        prop::sample::select(ROUTES),
        prop::sample::select(BOUNDS),
    )
        .prop_map(|(parts, backend, routes, bounds)| {
            let parts: String = parts.iter().map(|part| format!("    {part}\n")).collect();
            format!(
                "gateway: {{ workers: 1, drain_timeout: 1s, {bounds} }}\nservices:\n  app:\n    routes: [ {routes} ]\n{parts}    backend: {{ {backend} }}\napps:\n  phone: {{ keys: [ {{ env: PHONE }} ], hmac: [ {{ id: one, secret: {{ env: A }} }} ], plan: small }}\nplans:\n  small: {{ limits: [ '3/s' ], quota: 5/day, concurrency: 1 }}\n"
            )
        })
}

/// Bytes that are requests, nearly requests, and no requests.
fn odd_call() -> impl Strategy<Value = Vec<u8>> {
    let method = prop::sample::select(vec![
        "GET", "POST", "OPTIONS", "HEAD", "TRACE", "CONNECT", "x", "PRI",
    ]);
    let target = prop_oneof![
        Just("/".to_owned()),
        Just("/a/b/c?d=%ff&d".to_owned()),
        Just("http://a/a/1".to_owned()),
        Just("*".to_owned()),
        "/[a-z%;./?#]{0,40}",
    ];
    let header = prop_oneof![
        Just("X-Api-Key: secret-of-PHONE".to_owned()),
        Just("Authorization: hmac id=\"one\", algorithm=\"hmac-sha256\", headers=\"x-date\", signature=\"AA==\"".to_owned()),
        Just("X-Date: Tue, 24 Nov 2026 12:00:00 GMT".to_owned()),
        Just("Content-Type: application/x-www-form-urlencoded".to_owned()),
        Just("Signature-Input: a=(\"@method\");created=1".to_owned()),
        Just("Signature: a=:AAAA:".to_owned()),
        Just("Origin: https://a.test".to_owned()),
        Just("Access-Control-Request-Method: GET".to_owned()),
        Just("X-Forwarded-For: 10.0.0.1, [::1]:7, unknown".to_owned()),
        Just("Forwarded: for=\"[::1]\";host=b".to_owned()),
        Just("Connection: upgrade, x-odd".to_owned()),
        Just("Upgrade: websocket".to_owned()),
        Just("Expect: 100-continue".to_owned()),
        Just("Content-Length: 12".to_owned()),
        Just("Transfer-Encoding: chunked".to_owned()),
        Just("Te: trailers".to_owned()),
        Just("traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned()),
        "X-[A-Za-z_.]{1,8}: [ -~]{0,30}",
    ];
    let body = prop_oneof![
        Just(Vec::new()),
        Just(b"c\r\na=1&b=%zz&&&\r\n0\r\n\r\n".to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    (method, target, prop::collection::vec(header, 0..7), body).prop_map(
        |(method, target, headers, body)| {
            let mut bytes = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n").into_bytes();
            for header in headers {
                bytes.extend_from_slice(header.as_bytes());
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"\r\n");
            bytes.extend(body);
            bytes
        },
    )
}

/// A gateway fails the test when it is dropped if anything in it panicked, or anything is held that no caller holds.
#[test]
fn c27_odd_documents_under_odd_calls_panic_nowhere() {
    let cases = std::env::var("PORTWAY_ODD").ok().and_then(|text| text.parse().ok()).unwrap_or(24);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let says = [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 500 No\r\nTransfer-Encoding: chunked\r\nTrailer: x\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x7e\x7f\x7f",
        "HTTP/1.1 302 Found\r\nLocation: http://a.test:80/\r\nSet-Cookie: a=b; Domain=.test\r\n\r\n",
        "no answer at all\r\n\r\n",
    ];
    let input = (
        odd_document(),
        prop::sample::select(says.to_vec()),
        prop::collection::vec((odd_call(), any::<bool>()), 1..24),
    );
    let tried = TestRunner::new(config).run(&input, |(document, says, calls)| {
        // It does not care what it is asked, nor in which protocol.
        let backend = Backend::scripted(move |conversation| {
            if conversation.read_some().is_some() {
                conversation.say(says.as_bytes());
            }
        });
        let text = document.replace("ADDRESS", &backend.address().to_string());
        let gateway = Gateway::start(&text);
        for (bytes, ends) in calls {
            let mut client = Client::connect(gateway.address());
            client.send(bytes);
            if ends {
                client.end();
            } else {
                client.is_open_after(std::time::Duration::from_millis(2));
            }
        }
        Ok(())
    });
    if let Err(error) = tried {
        panic!("{error}");
    }
}

/// Whether the time of a refusal tells which keys there are (C28). A figure, not a verdict: run it alone, optimised, on
/// a quiet machine. Above some four and a half, Welch's t says that the two differ.
#[test]
#[ignore = "a measurement: see its description"]
fn c28_the_time_of_a_refusal_does_not_tell_which_keys_there_are() {
    let samples = 10_000;
    let backend = Backend::polite();
    let gateway = Gateway::start(&format!(
        "gateway: {{ workers: 1, log: {{ calls: 'off' }}, drain_timeout: 2s }}\nservices:\n  app: {{ routes: [ 'GET /' ], auth: [key], backend: 'http://{}' }}\napps:\n  off: {{ keys: [ {{ env: OFF }} ], disabled: true }}\n",
        backend.address()
    ));
    let mut client = Client::connect(gateway.address());
    let mut micros: [Vec<f64>; 2] = Default::default();
    for turn in 0..2 * samples {
        // One that is there and switched off, and one as long that is not.
        let key = ["secret-of-OFF", "secret-of-NOT"][turn % 2];
        let asked = std::time::Instant::now();
        let text = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Api-Key: {key}\r\n\r\n");
        assert_eq!(client.send(text).answer().status, 401);
        micros[turn % 2].push(asked.elapsed().as_secs_f64() * 1e6);
    }
    let of = |values: &mut Vec<f64>| {
        // Without the slowest tenth, which is the machine's.
        values.sort_by(f64::total_cmp);
        values.truncate(values.len() * 9 / 10);
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count / count)
    };
    let [there, absent] = &mut micros;
    let ((there, a), (absent, b)) = (of(there), of(absent));
    let t = (there - absent) / (a + b).sqrt();
    let figures = format!("c28: there {there:.2} µs, not there {absent:.2} µs, t = {t:.2}\n");
    let _ = std::io::Write::write_all(&mut std::io::stderr(), figures.as_bytes());
}
