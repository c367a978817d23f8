//! What the admin listener answers, over a real socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::SystemTime;

use super::*;
use crate::status::{InForce, Load};

struct Fixed;

impl Watched for Fixed {
    fn metrics_text(&self, form: MetricsForm) -> String {
        let end = if form == MetricsForm::OpenMetrics { "# EOF\n" } else { "" };
        format!("# TYPE portway_connections gauge\nportway_connections 3\n{end}")
    }
    fn snapshot(&self) -> Value {
        json!({ "hash": "abc", "services": [{ "name": "shop", "operations": 3 }], "backends": [] })
    }
    fn explain(&self, ask: &Ask) -> Result<Walk, String> {
        Err(format!("asked for {}", ask.read()?.target))
    }
    fn recent_call(&self, _: &str) -> Option<RecentCall> {
        None
    }
}

fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0);
    (status, answer)
}

fn get_from(address: SocketAddr, path: &str, host: &str) -> (u16, String) {
    ask(address, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
}

/// Starts one on its own thread; the sender ends it.
fn start(status: &Arc<Status>) -> (SocketAddr, tokio::sync::oneshot::Sender<()>) {
    let (told, end) = (std::sync::mpsc::channel(), tokio::sync::oneshot::channel::<()>());
    let status = Arc::clone(status);
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = StdListener::bind("127.0.0.1:0").unwrap();
            told.0.send(serve(listener, status, Arc::new(Fixed)).unwrap().0).unwrap();
            let _ = end.1.await;
        });
    });
    (told.1.recv().unwrap(), end.0)
}

#[test]
fn ready_only_while_a_snapshot_serves() {
    let status = Arc::new(Status::default());
    let (address, _end) = start(&status);
    assert_eq!(get_from(address, "/live", "localhost").0, 200);
    for (stage, expected) in [(Stage::Starting, 503), (Stage::Serving, 200), (Stage::Draining, 503)]
    {
        status.enter(stage);
        assert_eq!(get_from(address, "/ready", "127.0.0.1:9901").0, expected, "{stage:?}");
    }
    status.enter(Stage::Serving);
    status.is_ill("worker 1 panicked".to_owned());
    let (code, answer) = get_from(address, "/ready", "localhost");
    assert!(code == 503 && answer.ends_with("worker 1 panicked\n"), "{answer}");
    let (code, answer) =
        ask(address, "HEAD /ready HTTP/1.1\r\nHost: [::1]:9901\r\nConnection: close\r\n\r\n");
    assert_eq!((code, answer.ends_with("\r\n\r\n")), (503, true), "{answer}");
}

#[test]
fn the_snapshot_tells_of_the_last_mistake() {
    let status = Arc::new(Status::default());
    let load = |ok, diagnostics| Load { at: SystemTime::now(), took_ms: 4, ok, diagnostics };
    let in_force = InForce { settings: json!({ "workers": 2 }), need_restart: vec!["listen"] };
    status.loaded(load(true, Vec::new()), Some(in_force));
    status.enter(Stage::Serving);
    let mistake = portway_model::Diagnostic {
        severity: portway_model::Severity::Error,
        code: "unknown-field",
        location: portway_model::Location { file: "portway.yaml".into(), line: 4, column: 3 },
        pointer: "/services/shop".into(),
        message: "unknown field".into(),
        fix: String::new(),
    };
    status.loaded(load(false, vec![mistake]), None);
    let (address, _end) = start(&status);
    let (code, answer) = get_from(address, "/snapshot", "localhost:1");
    let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
    assert_eq!(
        (code, &body["hash"], &body["last_load"]["ok"]),
        (200, &json!("abc"), &json!(false))
    );
    assert_eq!(body["last_load"]["diagnostics"][0]["location"]["line"], 4);
    assert_eq!(
        (&body["settings"]["workers"], &body["need_restart"]),
        (&json!(2), &json!(["listen"]))
    );
    assert_eq!(body["stage"], "serving");
    let (_, text) = get_from(address, "/metrics", "localhost");
    assert!(text.contains("portway_connections 3"), "{text}");
}

#[test]
fn a_rebound_name_gets_nothing() {
    let status = Arc::new(Status::default());
    let (address, _end) = start(&status);
    for host in [
        "evil.example",
        "evil.example:9901",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "",
        "localhost.evil",
    ] {
        let (code, answer) = get_from(address, "/metrics", host);
        assert!(code == 421 && !answer.contains("portway_connections"), "{host}: {answer}");
    }
    for host in ["localhost", "LOCALHOST:80", "127.0.0.1", "127.8.9.1:5", "[::1]", "[::1]:9901"] {
        assert_eq!(get_from(address, "/live", host).0, 200, "{host}");
    }
    let (code, _) = ask(
        address,
        "GET /live HTTP/1.1\r\nHost: localhost\r\nHost: evil\r\nConnection: close\r\n\r\n",
    );
    assert_eq!(code, 421);
}

#[test]
fn nothing_can_be_changed() {
    let status = Arc::new(Status::default());
    let (address, _end) = start(&status);
    for (request, expected) in [
        (
            "POST /snapshot HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            405,
        ),
        ("DELETE /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 405),
        ("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
        ("GET /live/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 404),
    ] {
        assert_eq!(ask(address, request).0, expected, "{request}");
    }
}

/// Before, they kept everybody out until each of them had idled for ten seconds.
#[test]
fn a_crowd_that_says_nothing_keeps_nobody_out() {
    let status = Arc::new(Status::default());
    let (address, _end) = start(&status);
    let crowd: Vec<TcpStream> =
        (0..2 * CONNECTIONS_MAX).map(|_| TcpStream::connect(address).unwrap()).collect();
    for path in ["/live", "/metrics", "/snapshot"] {
        assert_eq!(get_from(address, path, "localhost").0, 200, "{path}");
    }
    // Those that came first have made room.
    let mut first = &crowd[0];
    first.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert!(matches!(first.read(&mut [0]), Ok(0) | Err(_)));
}

/// A question as JSON.
fn question(address: SocketAddr, fields: &str, body: &str) -> (u16, String) {
    let length = body.len();
    ask(
        address,
        &format!(
            "POST /explain HTTP/1.1\r\nConnection: close\r\nContent-Length: {length}\r\n{fields}\r\n\r\n{body}"
        ),
    )
}

#[test]
fn only_who_may_ask_is_told() {
    let (address, _end) = start(&Arc::default());
    const JSON: &str = "Host: localhost:9901\r\nContent-Type: application/json";
    const FORM: &str = "Host: localhost:9901\r\nContent-Type: application/x-www-form-urlencoded";
    let good = r#"{"call":"GET /a"}"#;
    let deep = format!("{{\"call\":{}", "[".repeat(100_000));
    let cases: [(String, &str, u16, &str); 20] = [
        (JSON.to_owned(), good, 400, "asked for /a"),
        (format!("{JSON}; charset=utf-8"), good, 400, "asked for /a"),
        (format!("{JSON}\r\nOrigin: http://localhost:9901"), good, 400, "asked for /a"),
        (format!("{JSON}\r\nOrigin: http://evil.example"), good, 403, "foreign-page"),
        (format!("{JSON}\r\nOrigin: null"), good, 403, "foreign-page"),
        (format!("{JSON}\r\nSec-Fetch-Site: cross-site"), good, 403, "foreign-page"),
        (
            "Host: evil.example\r\nContent-Type: application/json".to_owned(),
            good,
            421,
            "misdirected",
        ),
        ("Host: localhost\r\nContent-Type: text/plain".to_owned(), good, 415, "not-json"),
        ("Host: localhost".to_owned(), good, 415, "not-json"),
        (FORM.to_owned(), "url=/a", 415, "not-json"),
        (format!("{FORM}\r\nOrigin: http://evil.example"), "url=/a", 403, "foreign-page"),
        (
            format!("{FORM}\r\nOrigin: http://localhost:9901"),
            "url=%2Fa+b%3C&x=y",
            400,
            "asked for /a b&lt;",
        ),
        // What browsers send with the form of the page, and with that of another one.
        (
            format!(
                "{FORM}\r\nOrigin: http://localhost:9901\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Mode: navigate\r\n\
                 Sec-Fetch-Dest: document\r\nReferer: http://localhost:9901/explain"
            ),
            "method=GET&url=%2Fa",
            400,
            "asked for /a",
        ),
        (
            format!("{FORM}\r\nOrigin: null\r\nSec-Fetch-Site: same-origin"),
            "url=%2Fa",
            400,
            "asked for /a",
        ),
        (
            format!("{FORM}\r\nOrigin: null\r\nSec-Fetch-Site: cross-site"),
            "url=%2Fa",
            403,
            "foreign-page",
        ),
        (format!("{FORM}\r\nOrigin: null"), "url=%2Fa", 403, "foreign-page"),
        (JSON.to_owned(), "nonsense", 400, "bad-question"),
        (JSON.to_owned(), r#"{"call":"GET /a","more":1}"#, 400, "unknown field"),
        (
            JSON.to_owned(),
            r#"{"call":"GET /a","headers":["A: b\r\nC: d"]}"#,
            400,
            "control character",
        ),
        (JSON.to_owned(), &deep, 400, "bad-question"),
    ];
    for (fields, body, status, part) in cases {
        let (code, answer) = question(address, &fields, body);
        let shown = body.get(..body.len().min(60)).unwrap_or_default();
        assert!(code == status && answer.contains(part), "{fields}\n{shown}\n{code}\n{answer}");
    }
    let huge = format!(
        "POST /explain HTTP/1.1\r\n{JSON}\r\nContent-Length: 4000000\r\nConnection: close\r\n\r\n"
    );
    let (code, answer) = ask(address, &huge);
    assert!(code == 413 && answer.contains("question-too-large"), "{answer}");
    assert_eq!(get_from(address, "/calls/x", "localhost").0, 404);
    assert_eq!(get_from(address, "/explain?id=x", "localhost").0, 404);
    assert_eq!(get_from(address, "/explain.css", "localhost").0, 200);
    let (code, page) = get_from(address, "/explain", "localhost");
    assert_eq!(code, 200);
    for part in [
        "content-security-policy: default-src 'none'",
        "no-store",
        "nosniff",
        "referrer-policy: same-origin",
        "<form",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
}
