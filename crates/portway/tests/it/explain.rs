//! `portway explain` and `portway test`: by documents, by a running gateway, and its page.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::program::{Gateway, backend, directory, get, outcome, portway, repository, write};

const KEY: &str = "k-0123456789abcdef";

fn document(backend: SocketAddr) -> String {
    format!(
        "portway: 1
gateway: {{ listen: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\", workers: 1 }}
services:
  shop:
    path: /shop
    routes: [ \"GET /orders/{{id}}\", \"POST /orders\" ]
    backend: {{ targets: \"http://{backend}\", credentials: [ {{ header: {{ name: X-Backend, value: {{ file: back.key }} }} }} ] }}
    auth: [key, hmac]
    limits: [ \"3/d per app\" ]
apps:
  phone: {{ keys: [ {{ file: phone.key }} ], hmac: [ {{ id: pid, secret: {{ file: pair.key }} }} ] }}
"
    )
}

const SECRETS: [(&str, &str); 3] =
    [("phone.key", KEY), ("back.key", "backend-secret-1"), ("pair.key", "pair-secret-value")];

fn folder(backend: SocketAddr) -> tempfile::TempDir {
    let folder = directory(&SECRETS);
    write(folder.path(), "portway.yaml", &document(backend));
    folder
}

fn run(folder: &tempfile::TempDir, arguments: &[&str]) -> (i32, String, String) {
    let ran = outcome(&portway(folder.path(), arguments).output().expect("the binary runs"));
    for (_, secret) in SECRETS {
        assert!(!ran.1.contains(secret) && !ran.2.contains(secret), "{arguments:?}\n{}", ran.1);
    }
    ran
}

fn nobody() -> SocketAddr {
    ([127, 0, 0, 1], 9).into()
}

#[test]
fn every_phase_is_told() {
    let folder = folder(nobody());
    let key = format!("x-api-key: {KEY}");
    let signed = "Authorization: hmac id=\"pid\", algorithm=\"hmac-sha256\", headers=\"x-date\", signature=\"AAAA\"";
    let date = "X-Date: Thu, 11 Mar 2021 08:29:58 GMT";
    let cases: [(&[&str], &[&str]); 9] = [
        (
            &["GET /shop/orders/7", "-H", &key],
            &[
                "permitted: ",
                "the key is that of the app `phone`",
                "3/d per app for the app `phone`: 3 of 3 left",
                "path /shop/orders/7 becomes /orders/7",
                "header x-api-key removed",
                "X-Backend: …",
                "GET /orders/7",
                "x-portway-app: phone",
                "host: 127.0.0.1:9",
                "it is the only one",
            ],
        ),
        (
            &["GET /shop/orders/7", "--app", "phone"],
            &["permitted: ", "taken to be the app `phone`"],
        ),
        (
            &["GET /shop/orders/7"],
            &["credentials-missing 401", "· permit    not reached", "the gateway answers:"],
        ),
        (&["DELETE /shop/orders/7"], &["method-not-allowed 405", "allow: GET, HEAD, OPTIONS"]),
        (&["GET /shop/%2e%2e"], &["bad-path 400"]),
        (&["GET /nowhere"], &["not-found 404", "no service has this host and path"]),
        (
            &["POST /shop/orders", "-d", "hello", "-H", signed, "-H", date],
            &[
                "X-Date is more than 15 minutes away",
                "credentials-invalid 401",
                "kind        hmac app",
                "|/shop/orders|",
            ],
        ),
        (
            &[
                "POST /shop/orders",
                "-d",
                "hello",
                "-H",
                signed,
                "-H",
                date,
                "--at",
                "2021-03-11T08:30:00Z",
            ],
            &[
                "The id is that of the app `phone`",
                "signed 2 s before it (at most 900 s)",
                "the body was needed to tell",
            ],
        ),
        (
            &["POST /shop/orders", "-H", signed, "--at", "2021-03-11T08:30:00Z"],
            &["A header is listed as signed and is not in the request. It is `x-date`."],
        ),
    ];
    for (arguments, parts) in cases {
        let arguments = [&["explain"], arguments].concat();
        let (code, out, err) = run(&folder, &arguments);
        assert_eq!(code, 0, "{arguments:?}\n{out}{err}");
        for part in parts {
            assert!(out.contains(part), "{arguments:?}: {part}\n{out}");
        }
        let (_, json, _) = run(&folder, &[&arguments[..], &["--json"]].concat());
        let walk: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(walk["steps"].as_array().map(Vec::len), Some(8), "{json}");
    }
    for (arguments, part) in [
        (&["explain", "GET nonsense"][..], "neither a URL nor a path"),
        (&["explain", "/", "-H", "nonsense"], "written 'Name: value'"),
        (&["explain", "/", "--at", "yesterday"], "write it like 2026"),
        (&["explain", "/shop/orders/7", "--app", "nobody"], "no app `nobody`"),
        (&["explain", "/", "-d", "@absent"], "absent cannot be read"),
    ] {
        let (code, _, err) = run(&folder, arguments);
        assert!(code == 2 && err.contains(part) && err.contains("fix:"), "{arguments:?}\n{err}");
    }
}

#[test]
fn cases_pass_fail_or_are_wrong() {
    let folder = folder(nobody());
    let good = "\
counted: true
cases:
  - name: used up by repeating
    repeat: 4
    request: { url: /shop/orders/7, app: phone }
    expect: { decision: rate-limited, status: 429, app: phone }
  - name: still used up
    after: 1h
    request: { url: /shop/orders/7, app: phone }
    expect: { decision: rate-limited }
  - name: a day later
    after: 1d
    request: { url: /shop/orders/7, app: phone }
    expect: { decision: permitted, backend: { path: /orders/7, query: \"\", headers: { X-Backend: true } } }
";
    let bad = "\
cases:
  - name: limits begin anew
    request: { url: /shop/orders/7, app: phone }
    expect: { decision: rate-limited }
  - name: a credential is not shown
    request: { url: /shop/orders/7, app: phone }
    expect:
      app: web
      backend:
        path: /other
        headers: { X-Backend: wrong, x-portway-app: false }
";
    let cases = [
        (good, 0, &["3 cases: 3 as expected, 0 not"][..]),
        (
            bad,
            4,
            &[
                "c.yaml:4: decision",
                "expected  rate-limited",
                "got       permitted",
                "c.yaml:8: app",
                "c.yaml:10: backend/path",
                "c.yaml:11: backend/headers/X-Backend",
                "a credential and not shown",
                "expected  absent",
                "2 cases: 0 as expected, 2 not",
            ],
        ),
        (
            "cases: [ { name: a, request: { url: / }, expect: { stauts: 1 } } ]",
            1,
            &["did you mean \"status\"?", "c.yaml:1:"],
        ),
        (
            "cases: [ { name: a, request: { url: x }, expect: {} } ]",
            4,
            &["neither a URL nor a path"],
        ),
        (
            "cases: [ { name: a, request: { url: /, headers: { a: { env: PORTWAY_ABSENT } } }, expect: {} } ]",
            4,
            &["PORTWAY_ABSENT is not set"],
        ),
        ("at: now\ncases: [ { name: a, request: { url: / }, expect: {} } ]", 4, &["write it like"]),
    ];
    for (text, code, parts) in cases {
        write(folder.path(), "c.yaml", text);
        let (found, out, err) = run(&folder, &["test", "c.yaml"]);
        assert_eq!(found, code, "{text}\n{out}{err}");
        for part in parts {
            assert!(out.contains(part) || err.contains(part), "{part}\n{out}{err}");
        }
        if code != 1 {
            let (found, out, _) = run(&folder, &["test", "c.yaml", "--json"]);
            let json: Value = serde_json::from_str(&out).expect("JSON");
            assert_eq!((found, json["ok"] == Value::Bool(true)), (code, code == 0), "{out}");
        }
    }
    let (code, _, err) = run(&folder, &["test", "absent.yaml"]);
    assert!(code == 2 && err.contains("absent.yaml"), "{err}");
    let (code, out, _) = run(&folder, &["schema", "test"]);
    assert!(code == 0 && out.contains("\"repeat\""), "{out}");
}

/// The cases on the page pass with the document that the page makes.
#[test]
fn the_cases_on_the_page_pass() {
    let page = std::fs::read_to_string(repository().join("docs/explain.md")).expect("it is there");
    let (_, rest) = page.split_once("```yaml\n").expect("there is a block");
    let (cases, _) = rest.split_once("```").expect("it ends");
    let contract = include_str!("../../../../examples/demo/contracts/shop.yaml");
    let folder = directory(&[("shop.yaml", contract), ("cases.yaml", cases)]);
    let init = ["init", "--contract", "shop.yaml", "--backend", "http://localhost:9000"];
    let (code, _, err) = outcome(&portway(folder.path(), &init).output().expect("the binary runs"));
    assert_eq!(code, 0, "{err}");
    let mut command = portway(folder.path(), &["test", "cases.yaml"]);
    let output = command.env("SHOP_KEY", "0123456789abcdef0123456789abcdef").output();
    let (code, out, err) = outcome(&output.expect("the binary runs"));
    assert_eq!(code, 0, "{out}{err}");
}

/// Sends a form as the page does.
fn send_form(admin: SocketAddr, form: &str) -> String {
    let mut stream = TcpStream::connect(admin).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("it can be set");
    let head = format!(
        "POST /explain HTTP/1.1\r\nHost: {admin}\r\nOrigin: http://{admin}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n{form}",
        form.len()
    );
    stream.write_all(head.as_bytes()).expect("it is sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn a_running_gateway_tells_its_state() {
    let folder = folder(backend("hello"));
    let mut gateway = Gateway::start(portway(folder.path(), &["run"]));
    let admin = gateway.admin.expect("it has an admin listener");
    let live = admin.to_string();
    let explain = |call: &str, more: &[&str]| {
        let arguments = [&["explain", call, "--live", &live, "--json"], more].concat();
        let (code, out, err) = run(&folder, &arguments);
        assert_eq!(code, 0, "{call}\n{out}{err}");
        serde_json::from_str::<Value>(&out).expect("JSON")
    };
    let left = |walk: &Value| walk["limits"][0]["remaining"].as_u64();
    for _ in 0..5 {
        let walk = explain("GET /shop/orders/7", &["--app", "phone"]);
        assert_eq!(
            (left(&walk), &walk["decision"]),
            (Some(3), &Value::from("permitted")),
            "asking counts nothing"
        );
        assert_eq!(walk["live"], Value::Bool(true));
        assert!(
            walk["target"]["candidates"][0].as_str().is_some_and(|one| one.contains("well")),
            "{walk}"
        );
    }
    let mut ids = Vec::new();
    for expected in [200, 200, 200, 429] {
        let (status, answer) = get(gateway.address, "/shop/orders/7", &[("X-Api-Key", KEY)]);
        assert_eq!(status, expected, "{answer}");
        let id = answer.lines().find_map(|line| line.strip_prefix("x-request-id: "));
        ids.push(id.expect("it has an id").trim().to_owned());
    }
    let walk = explain("GET /shop/orders/7", &["--app", "phone"]);
    assert_eq!((left(&walk), &walk["decision"]), (Some(0), &Value::from("rate-limited")));

    // A call is remembered a moment after its answer.
    let past = |id: &str| {
        let begun = Instant::now();
        loop {
            let (status, answer) = get(admin, &format!("/calls/{id}"), &[]);
            if status == 200 {
                let (_, body) = answer.split_once("\r\n\r\n").expect("it has a body");
                return serde_json::from_str::<Value>(body).expect("JSON");
            }
            assert!(begun.elapsed() < Duration::from_secs(10), "{status} {answer}");
            std::thread::sleep(Duration::from_millis(60));
        }
    };
    let call = past(&ids[3]);
    assert_eq!(
        (&call["record"]["status"], &call["record"]["outcome"]),
        (&Value::from(429), &Value::from("rate-limited"))
    );
    assert_eq!((&call["changed"], &call["now"]), (&Value::Bool(false), &Value::Null));
    let why = call["why_not"].as_str().unwrap_or_default();
    assert!(
        why.contains("are not kept"),
        "its app is not known, so that it would be another call: {call}"
    );
    let call = past(&ids[0]);
    assert_eq!(
        call["now"]["decision"], "rate-limited",
        "its app is known, and has used up its limit"
    );
    assert_eq!(
        (&call["record"]["operation"], &call["record"]["app"]),
        (&Value::from("GET /orders/{id}"), &Value::from("phone"))
    );
    let (code, out, _) = run(&folder, &["explain", &ids[0], "--live", &live]);
    assert!(code == 0 && out.contains("what would become of it now"), "{out}");
    let (code, _, err) = run(&folder, &["explain", "never-seen", "--live", &live]);
    assert!(code == 2 && err.contains("is remembered"), "{err}");
    let (code, _, err) = run(&folder, &["explain", "/", "--live", "127.0.0.1:9"]);
    assert!(code == 3 && err.contains("no gateway answers"), "{err}");

    let page = send_form(
        admin,
        &format!("method=GET&url=%2Fshop%2Forders%2F7&headers=X-Api-Key%3A+{KEY}&app=&body="),
    );
    assert!(
        page.starts_with("HTTP/1.1 200")
            && page.contains("rate-limited")
            && page.contains("Step by step"),
        "{page}"
    );
    assert!(!page.contains("backend-secret-1"));

    // Other documents: the call is known, and that it was judged by others.
    let other = document(nobody()).replace("3/d per app", "9/d per app");
    write(folder.path(), "portway.yaml", &other);
    gateway.wait_for("the documents are live");
    assert_eq!(past(&ids[0])["changed"], Value::Bool(true));
}
