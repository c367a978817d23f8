//! Targets that mean one thing to the rules and another to a backend (classes C5, C6).
//!
//! The origins here decode as servers out there do: once, twice, not at all; with parameters cut off, slashes
//! merged, dots resolved before or after, backslashes turned, case folded. None of them may take a target that
//! was let through without a key for `/admin`.

use std::collections::BTreeSet;

use portway_testkit::{Backend, Client, Gateway};

/// One habit of an origin: what it makes of a path.
type Habit = (&'static str, fn(&[u8]) -> Vec<u8>);

fn decode(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = path;
    while let [byte, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) if *byte == b'%' => {
                out.push(decoded);
                rest = &tail[2..];
            }
            _ => {
                out.push(*byte);
                rest = tail;
            }
        }
    }
    out
}

fn merge(path: &[u8]) -> Vec<u8> {
    let mut out: Vec<u8> = Vec::new();
    path.iter().for_each(|byte| {
        if *byte != b'/' || out.last() != Some(&b'/') {
            out.push(*byte);
        }
    });
    out
}

fn resolve(path: &[u8]) -> Vec<u8> {
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in path.split(|byte| *byte == b'/').skip(1) {
        match segment {
            b"." => {}
            b".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    [b"/".as_slice(), &kept.join(&b'/')].concat()
}

/// Servlet containers: `;x` at the end of any segment is no part of its name.
fn without_parameters(path: &[u8]) -> Vec<u8> {
    let name =
        |segment: &[u8]| segment.split(|byte| *byte == b';').next().unwrap_or_default().to_vec();
    path.split(|byte| *byte == b'/').map(name).collect::<Vec<_>>().join(&b'/')
}

fn turned(path: &[u8]) -> Vec<u8> {
    path.iter().map(|byte| if *byte == b'\\' { b'/' } else { *byte }).collect()
}

fn folded(path: &[u8]) -> Vec<u8> {
    path.to_ascii_lowercase()
}

/// C: the text ends at a NUL.
fn until_nul(path: &[u8]) -> Vec<u8> {
    path.split(|byte| *byte == 0).next().unwrap_or_default().to_vec()
}

/// File systems that drop dots and blanks at the end of a name.
fn trimmed(path: &[u8]) -> Vec<u8> {
    let name = |segment: &[u8]| {
        let end =
            segment.iter().rposition(|byte| !matches!(byte, b'.' | b' ')).map_or(0, |at| at + 1);
        segment[..end].to_vec()
    };
    path.split(|byte| *byte == b'/').map(name).collect::<Vec<_>>().join(&b'/')
}

fn until_query(path: &[u8]) -> Vec<u8> {
    path.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default().to_vec()
}

const HABITS: &[Habit] = &[
    ("as it is", |path| path.to_vec()),
    ("decoded", decode),
    ("decoded twice", |path| decode(&decode(path))),
    ("resolved", resolve),
    ("decoded, then resolved", |path| resolve(&decode(path))),
    ("resolved, then decoded", |path| decode(&resolve(path))),
    ("decoded twice, then resolved", |path| resolve(&decode(&decode(path)))),
    ("merged", |path| merge(path)),
    ("merged and resolved", |path| resolve(&merge(path))),
    ("decoded, merged, resolved", |path| resolve(&merge(&decode(path)))),
    ("without parameters", without_parameters),
    ("without parameters, decoded, resolved", |path| resolve(&decode(&without_parameters(path)))),
    ("decoded, without parameters, resolved", |path| resolve(&without_parameters(&decode(path)))),
    ("resolved, without parameters", |path| without_parameters(&resolve(path))),
    ("without parameters, merged, resolved", |path| resolve(&merge(&without_parameters(path)))),
    ("backslashes turned", |path| resolve(&turned(path))),
    ("decoded, backslashes turned, merged", |path| resolve(&merge(&turned(&decode(path))))),
    ("decoded until NUL", |path| until_nul(&decode(path))),
    ("decoded, trimmed, resolved", |path| resolve(&trimmed(&decode(path)))),
    ("decoded, cut at a query", |path| until_query(&decode(path))),
];

fn is_admin(path: &[u8]) -> bool {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    path == b"/admin" || path.starts_with(b"/admin/")
}

/// Spellings of `/admin` and of what lies below it.
fn spellings() -> BTreeSet<String> {
    let fronts = [
        "",
        "/",
        "//",
        "///",
        "/.",
        "/./",
        "/x/..",
        "/x/../",
        "/%2e",
        "/%2e/",
        "/%2E%2e/",
        "/x/%2e%2e",
        "/x/.%2e",
        "/x/%2e.",
        "/;",
        "/;a=b",
        "/.;",
        "/..;",
        "/..;/",
        "/x/..;a",
        "/.;a/",
        "/%3b",
        "/%2f",
        "/%2F",
        "/\\",
        "/%5c",
        "/%5C..",
        "/..",
        "/../",
        "/%00",
        "/%0a",
        "/%09",
        "/%20",
        "/%252e",
        "/%252f",
        "/x/%252e%252e",
        "/%25%32%65",
        "/%c0%af",
        "/%c0%ae",
        "/%e0%80%af",
        "/%u002e",
        "/%u2215",
        "/x/..%2f",
        "/x%2f..",
        "/x/..%5c",
        "/x%5c..%5c",
        "/x;/..",
        "/x/;/..",
        "/.../",
        "/....//",
        "/x/..%00",
        "/x/..%3b",
        "/%ef%bc%8f",
        "/x/.%00./",
        "/a/b/../..",
        "/x//..",
        "/x/./..",
        "/%2e%2e%2f",
        "/?/",
        "/#/",
        "/%3f/",
        "/%23/",
    ];
    let names = [
        "admin",
        "%61dmin",
        "%61%64%6d%69%6e",
        "adm%69n",
        "admi%6E",
        "%2561dmin",
        "admin/",
        "admin//",
        "admin/.",
        "admin/x",
        "admin/x/..",
        "admin/..;",
        "admin;",
        "admin;a",
        "admin;/",
        "admin%3b",
        "admin%3ba",
        "admin%2f",
        "admin%2fx",
        "admin%5cx",
        "admin\\x",
        "admin.",
        "admin%2e",
        "admin%20",
        "admin..",
        "admin%00",
        "admin%00x",
        "admin%0d%0a",
        "admin%3f",
        "admin%23",
        "admin?",
        "admin#",
        "admin%253b",
        "admin%252f",
        "x/../admin",
        "./admin",
        "%2e/admin",
        "admin/%2e",
        "admin/./x",
    ];
    let mut all: BTreeSet<String> = fronts.iter().map(|front| format!("{front}/admin")).collect();
    for front in fronts {
        all.extend(names.iter().map(|name| format!("{front}/{name}")));
        all.insert(format!("{front}admin"));
    }
    all.extend(names.iter().map(|name| format!("http://a/{name}")));
    all
}

#[test]
fn c5_path_normalisation_never_bypasses() {
    let backend = Backend::polite();
    let document = format!(
        "gateway: {{ log: {{ calls: off }} }}\nservices:\n  app:\n    routes: [ 'GET /admin', 'GET /admin/{{rest+}}', 'GET /', 'GET /{{rest+}}' ]\n    auth: public\n    backend: http://{}\n    operations:\n      'GET /admin': {{ auth: [ key ] }}\n      'GET /admin/{{rest+}}': {{ auth: [ key ] }}\n",
        backend.address()
    );
    let gateway = Gateway::start(&document);
    let spellings = spellings();
    assert!(spellings.len() >= 400, "{}", spellings.len());
    let mut client = Client::connect(gateway.address());
    let (mut seen, mut passed, mut bypasses) = (0, 0, Vec::new());
    for target in &spellings {
        let answer = client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).answer();
        assert!(matches!(answer.status, 200 | 400 | 401), "{target}: {}", answer.status);
        if answer.value("connection") == Some("close") {
            client = Client::connect(gateway.address());
        }
        let received = backend.received();
        assert_eq!(received.len() - seen, usize::from(answer.status == 200), "{target}");
        seen = received.len();
        if answer.status != 200 {
            continue;
        }
        passed += 1;
        let line = received[seen - 1].line();
        let sent = line.split(' ').nth(1).expect("a target");
        let path = sent.split('?').next().expect("a path").as_bytes();
        for (habit, read) in HABITS {
            if is_admin(&read(path)) {
                bypasses.push(format!("{target} was sent as {sent}, which is /admin {habit}"));
            }
        }
        // Servers that know no case.
        if is_admin(&folded(&decode(path))) {
            bypasses.push(format!("{target} was sent as {sent}, which is /admin in lower case"));
        }
    }
    assert!(bypasses.is_empty(), "{}", bypasses.join("\n"));
    assert!(passed > 0, "what is harmless passes");
}

#[test]
fn c6_targets_that_are_no_plain_path_are_refused_or_mean_one_thing() {
    let backend = Backend::polite();
    let document = format!(
        "services:\n  app:\n    routes: [ 'GET /admin', '* /public', '* /' ]\n    auth: public\n    backend: http://{}\n    operations:\n      'GET /admin': {{ auth: [ key ] }}\n",
        backend.address()
    );
    let gateway = Gateway::start(&document);
    for (line, status, sent) in [
        // The query decides nothing, whatever it looks like.
        ("GET /public?/../admin", 200, Some("GET /public?/../admin HTTP/1.1")),
        ("GET /public?", 200, Some("GET /public? HTTP/1.1")),
        ("GET /public??admin", 200, Some("GET /public??admin HTTP/1.1")),
        ("GET /public?a=%00%0d%0a", 200, Some("GET /public?a=%00%0d%0a HTTP/1.1")),
        ("GET /admin?/public", 401, None),
        ("GET /admin?", 401, None),
        // Fragments do not come over the wire.
        ("GET /public#/../admin", 400, None),
        ("GET /admin#/public", 400, None),
        ("GET /public?#admin", 400, None),
        ("GET /public%23/../admin", 400, None),
        ("GET /public%23", 404, None),
        ("GET /public%3fx", 404, None),
        ("GET /admin%3fx", 404, None),
        // Other forms of a target.
        ("GET http://a/public", 200, Some("GET /public HTTP/1.1")),
        ("GET HTTP://a/public", 200, Some("GET /public HTTP/1.1")),
        ("GET http://a", 200, Some("GET / HTTP/1.1")),
        ("GET http://a?x=1", 200, Some("GET /?x=1 HTTP/1.1")),
        ("GET http://a/admin", 401, None),
        ("GET http://a#/public", 400, None),
        ("GET http://user@a/public", 400, None),
        ("GET http://b/public", 400, None),
        ("GET https://a/public", 200, Some("GET /public HTTP/1.1")),
        ("GET ftp://a/public", 400, None),
        ("GET //a/public", 400, None),
        ("GET a/public", 400, None),
        ("GET public", 400, None),
        ("GET .", 400, None),
        ("GET ?x", 400, None),
        ("GET *", 400, None),
        ("GET a:80", 400, None),
        ("GET \\admin", 400, None),
        ("GET /\\admin", 400, None),
        ("GET /public\\..\\admin", 400, None),
        ("GET /public/..;/admin", 400, None),
        ("GET /public admin", 400, None),
        ("GET  /public", 400, None),
        ("GET /public\tx", 400, None),
        ("GET /p\u{fc}blic", 400, None),
        ("CONNECT /public", 400, None),
        ("get /public", 200, Some("get /public HTTP/1.1")),
    ] {
        let before = backend.received().len();
        let answer = Client::ask(gateway.address(), format!("{line} HTTP/1.1\r\nHost: a\r\n\r\n"));
        let refused = status == 400 && matches!(answer.status, 404 | 405);
        assert!(answer.status == status || refused, "{line}: {}", answer.status);
        let received = backend.received();
        match sent {
            Some(sent) => assert_eq!(received[before].line(), sent, "{line}"),
            None => assert_eq!(received.len(), before, "{line}"),
        }
    }
}

#[test]
fn c6_the_asterisk_asks_the_gateway_itself() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&crate::open(backend.address(), ""));
    let answer = Client::ask(gateway.address(), "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((answer.status, answer.problem().as_str()), (404, "not-found"));
    assert!(backend.received().is_empty());
}
