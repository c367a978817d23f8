//! From an application that nobody described to a contract that is enforced: learned, read, and the same calls again.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::program::{Gateway, directory, outcome, portway, write};

/// A small shop with odd routes.
fn application() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    address
}

fn serve(stream: TcpStream) {
    let Ok(mut writer) = stream.try_clone() else { return };
    let mut reader = BufReader::new(stream);
    loop {
        let (mut line, mut length) = (String::new(), 0);
        if !reader.read_line(&mut line).is_ok_and(|count| count > 0) {
            return;
        }
        loop {
            let mut field = String::new();
            if reader.read_line(&mut field).is_err() || field.trim().is_empty() {
                break;
            }
            let value = field.to_ascii_lowercase();
            if let Some(value) = value.strip_prefix("content-length:") {
                length = value.trim().parse().expect("a number");
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("the whole body");
        let target = line.split(' ').nth(1).unwrap_or_default();
        let path = target.split('?').next().unwrap_or_default();
        let (status, media, text) = match (line.split(' ').next(), path) {
            (_, "/index.asp") => ("200 OK", "text/html", "<h1>shop</h1>".to_owned()),
            (Some("POST"), "/cgi/basket") => ("302 Found", "text/plain", String::new()),
            (Some("POST"), "/api/orders") => {
                ("201 Created", "application/json", "{\"id\":7}".to_owned())
            }
            (_, path) if path.starts_with("/item/") => {
                ("200 OK", "application/json", "{\"sku\":\"A-1\",\"price\":3}".to_owned())
            }
            (_, "/search.asp") => ("200 OK", "text/html", "found".to_owned()),
            _ => ("404 Not Found", "text/html", "none".to_owned()),
        };
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        );
        if writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

struct Call {
    method: &'static str,
    target: String,
    media: &'static str,
    body: String,
}

fn call(method: &'static str, target: impl Into<String>, media: &'static str, body: &str) -> Call {
    Call { method, target: target.into(), media, body: body.to_owned() }
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// What people do in the shop.
fn everyday() -> Vec<Call> {
    let mut calls = Vec::new();
    for n in 0..6 {
        let sort = ["price", "date"][n % 2];
        let word = ["blue shirt", "b%C3%BCcher", "x-1"][n % 3].replace(' ', "+");
        calls.push(call("GET", "/shop/index.asp", "", ""));
        calls.push(call("GET", format!("/shop/item/{}{}", n + 1, n * 31), "", ""));
        calls.push(call(
            "GET",
            format!("/shop/search.asp?q={word}&sort={sort}&page={}", n + 1),
            "",
            "",
        ));
        calls.push(call("POST", "/shop/cgi/basket", FORM, &format!("item=A-{n}&count={n}")));
        let order = format!(
            "{{\"items\":[{{\"sku\":\"A-{n}\",\"count\":1}}],\"mail\":\"anna{n}@example.com\"}}"
        );
        calls.push(call("POST", "/shop/api/orders", JSON, &order));
    }
    calls
}

/// What attackers do there, and what comes of it once the contract is enforced.
fn attacks() -> Vec<(Call, u16)> {
    [
        ("GET", "/shop/admin/", 404),
        ("GET", "/shop/index.asp.bak", 404),
        ("GET", "/shop/item/1%20OR%201=1", 400),
        ("GET", "/shop/item/-1", 400),
        ("GET", "/shop/item/99999999999", 400),
        ("GET", "/shop/search.asp?q='%20UNION%20SELECT%201--&sort=price&page=1", 400),
        ("GET", "/shop/search.asp?q=%3Cscript%3E&sort=price&page=1", 400),
        ("GET", "/shop/search.asp?q=a&sort=price&page=1;drop", 400),
        ("GET", "/shop/search.asp?q=../../etc/passwd&sort=price&page=1", 400),
        ("DELETE", "/shop/item/1", 405),
        ("PUT", "/shop/index.asp", 405),
    ]
    .into_iter()
    .map(|(method, target, status)| (call(method, target, "", ""), status))
    .collect()
}

fn ask(address: SocketAddr, call: &Call, key: &str) -> u16 {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a time-out");
    let media = if call.media.is_empty() {
        String::new()
    } else {
        format!("Content-Type: {}\r\n", call.media)
    };
    let length = if call.body.is_empty() {
        String::new()
    } else {
        format!("Content-Length: {}\r\n", call.body.len())
    };
    let (method, target) = (call.method, &call.target);
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nHost: a\r\nX-Api-Key: {key}\r\n{media}{length}Connection: close\r\n\r\n{}",
        call.body
    )
    .expect("it takes the call");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status")
}

fn document(application: SocketAddr, more: &str) -> String {
    format!(
        "portway: 1\ngateway: {{ listen: [ '127.0.0.1:0' ], admin: '127.0.0.1:0' }}\nservices:\n  shop:\n    path: /shop\n    backend: 'http://{application}'\n    auth: [key]\n{more}\n\
         apps:\n  phone: {{ keys: [ {{ env: PHONE_KEY }} ] }}\n  till: {{ keys: [ {{ env: TILL_KEY }} ] }}\n"
    )
}

const KEYS: [&str; 2] = ["phone-key-000000000001", "till-key-0000000000001"];

fn start(folder: &Path) -> Gateway {
    let mut command = portway(folder, &["run"]);
    command.env("PHONE_KEY", KEYS[0]).env("TILL_KEY", KEYS[1]);
    Gateway::start(command)
}

const LEARN: &str =
    "    routes: [ '* /{rest+}' ]\n    learn: { file: learned/shop.yaml, every: 1s }";

fn stop(mut gateway: Gateway) -> String {
    gateway.signal("TERM");
    let said = gateway.last_words();
    assert_eq!(gateway.end(), 0, "{said}");
    said
}

#[test]
fn what_was_learned_lets_the_same_calls_through_and_no_others() {
    let application = application();
    let folder =
        directory(&[("portway.yaml", &document(application, LEARN)), ("learned/.keep", "")]);
    let gateway = start(folder.path());
    for key in KEYS {
        for call in everyday() {
            assert!((200..400).contains(&ask(gateway.address, &call, key)), "{}", call.target);
        }
    }
    for (call, _) in attacks() {
        ask(gateway.address, &call, KEYS[0]);
    }
    stop(gateway);

    let learned = folder.path().join("learned/shop.yaml");
    let text = std::fs::read_to_string(&learned).expect("a proposal");
    for secret in ["anna", "example.com", "shirt", "phone-key", "UNION", "<script", "admin"] {
        assert!(!text.contains(secret), "{secret} in\n{text}");
    }
    for path in ["/api/orders", "/cgi/basket", "/index.asp", "/item/{id}", "/search.asp"] {
        assert!(
            text.contains(&format!("  \"{path}\":\n")) || text.contains(&format!("  {path}:\n")),
            "{path} in\n{text}"
        );
    }
    assert!(text.contains("enum: [date, price]"), "{text}");
    assert!(text.contains("apps: [phone, till]") || text.contains("\"apps\""), "{text}");

    let shown =
        portway(folder.path(), &["contract", "learned/shop.yaml"]).output().expect("it runs");
    assert_eq!(outcome(&shown).0, 0, "{:?}", outcome(&shown));
    let more = "    contract: learned/shop.yaml\n    check: enforce\n    requests: { query: { rules: {} } }";
    write(folder.path(), "portway.yaml", &document(application, more));
    let mut check = portway(folder.path(), &["check"]);
    let checked =
        check.env("PHONE_KEY", KEYS[0]).env("TILL_KEY", KEYS[1]).output().expect("it runs");
    assert!(outcome(&checked).1.contains("no mistakes"), "{:?}", outcome(&checked));

    let gateway = start(folder.path());
    for key in KEYS {
        for call in everyday() {
            let status = ask(gateway.address, &call, key);
            assert!((200..400).contains(&status), "{} {}: {status}", call.method, call.target);
        }
    }
    for (call, status) in attacks() {
        assert_eq!(ask(gateway.address, &call, KEYS[0]), status, "{} {}", call.method, call.target);
    }
    stop(gateway);
}

#[test]
fn learning_goes_on_after_a_restart_and_leaves_edits_alone() {
    let application = application();
    let folder =
        directory(&[("portway.yaml", &document(application, LEARN)), ("learned/.keep", "")]);
    let place = folder.path().join("learned/shop.yaml");
    let index = call("GET", "/shop/index.asp", "", "");
    for round in 1..=2 {
        let gateway = start(folder.path());
        (0..3).for_each(|_| assert_eq!(ask(gateway.address, &index, KEYS[0]), 200));
        stop(gateway);
        let text = std::fs::read_to_string(&place).expect("a proposal");
        assert!(
            text.contains(&format!("calls: {}\n", round * 3))
                || text.contains(&format!("\"calls\":{}", round * 3)),
            "{text}"
        );
    }
    let edited = std::fs::read_to_string(&place).expect("a proposal") + "# mine\n";
    std::fs::write(&place, &edited).expect("written");
    let beside = folder.path().join("learned/shop.proposed.yaml");
    for _ in 0..2 {
        let gateway = start(folder.path());
        (0..3).for_each(|_| assert_eq!(ask(gateway.address, &index, KEYS[0]), 200));
        stop(gateway);
        assert_eq!(std::fs::read_to_string(&place).expect("still there"), edited);
    }
    assert!(std::fs::read_to_string(&beside).expect("beside").contains("openapi: "));
    // One that nobody can be sure of is left alone, and it is said.
    std::fs::write(&beside, "mine, too").expect("written");
    let gateway = start(folder.path());
    assert_eq!(ask(gateway.address, &index, KEYS[0]), 200);
    let log = stop(gateway);
    assert!(log.contains("were edited"), "{log}");
    assert_eq!(std::fs::read_to_string(&beside).expect("still there"), "mine, too");
    let names: Vec<String> = std::fs::read_dir(folder.path().join("learned"))
        .expect("readable")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .filter(|name| name != ".keep")
        .collect();
    assert_eq!(names.len(), 3, "nothing is left behind: {names:?}");
}

#[test]
fn it_is_written_while_it_serves_and_never_elsewhere() {
    let application = application();
    let folder =
        directory(&[("portway.yaml", &document(application, LEARN)), ("learned/.keep", "")]);
    let mut gateway = start(folder.path());
    let index = call("GET", "/shop/index.asp", "", "");
    (0..3).for_each(|_| assert_eq!(ask(gateway.address, &index, KEYS[0]), 200));
    gateway.wait_for("a contract is proposed in learned/shop.yaml");
    let admin = gateway.admin.expect("there is one");
    let deadline = Instant::now() + Duration::from_secs(30);
    let is_counted = || {
        let (_, page) = crate::program::get(admin, "/metrics", &[]);
        page.contains("portway_learned_total{result=\"written\"} 1")
    };
    while !is_counted() {
        assert!(Instant::now() < deadline, "it is not counted");
        std::thread::sleep(Duration::from_millis(20));
    }
    stop(gateway);
    // Neither by the name nor by a link.
    for (file, word) in
        [("../shop.yaml", "learned-out-of-reach"), ("contract.yaml", "learned-contract")]
    {
        let contract = if file == "contract.yaml" {
            "    contract: contract.yaml\n"
        } else {
            "    routes: [ 'GET /' ]\n"
        };
        let more = format!("{contract}    learn: {file}");
        write(folder.path(), "portway.yaml", &document(application, &more));
        write(
            folder.path(),
            "contract.yaml",
            "openapi: 3.1.0\ninfo: { title: t, version: '1' }\npaths: { /: { get: { responses: {} } } }\n",
        );
        let (code, out, err) =
            outcome(&portway(folder.path(), &["check"]).output().expect("it runs"));
        assert!(code != 0 && format!("{out}{err}").contains(word), "{out}{err}");
    }
    let outside = tempfile::tempdir().expect("a directory");
    std::os::unix::fs::symlink(outside.path(), folder.path().join("linked")).expect("a link");
    write(
        folder.path(),
        "portway.yaml",
        &document(application, &LEARN.replace("learned/", "linked/")),
    );
    let gateway = start(folder.path());
    assert_eq!(ask(gateway.address, &index, KEYS[0]), 200);
    let log = stop(gateway);
    assert!(log.contains("is outside of the documents"), "{log}");
    assert_eq!(std::fs::read_dir(outside.path()).expect("readable").count(), 0);
}
