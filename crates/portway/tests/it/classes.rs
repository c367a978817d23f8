//! Classes of faults that gateways were hurt by, against the built binary: what fails closed, what a fresh start opens,
//! what texts and references can reach, and what is told of secrets.

use std::collections::BTreeSet;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use crate::program::{Gateway, backend, directory, get, outcome, portway, write};

const CONTRACT: &str = "openapi: 3.0.3\ninfo: { title: t, version: '1' }\npaths:\n  /guarded:\n    get: { operationId: guarded, responses: { '200': { description: ok } } }\n";

/// A document each part of whose authentication stands in a file.
fn guarded(backend: SocketAddr) -> String {
    format!(
        "portway: 1\ninclude: [apps.yaml]\ngateway: {{ listen: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\" }}\nservices:\n  \
         a: {{ contract: contract.yaml, backend: \"http://{backend}\", auth: [key, hmac] }}\n"
    )
}

const APPS: &str = "portway: 1\napps:\n  phone: { keys: [ { file: key } ], hmac: [ { id: one, secret: { file: secret } } ] }\n";
const KEY: &str = "a-key-that-is-long-enough";

fn scene(backend: SocketAddr) -> tempfile::TempDir {
    directory(&[
        ("portway.yaml", &guarded(backend)),
        ("apps.yaml", APPS),
        ("contract.yaml", CONTRACT),
        ("key", KEY),
        ("secret", "a-secret-that-is-long-enough"),
    ])
}

/// Ways in which a file is not what it was.
const BREAKS: [&str; 4] = ["gone", "empty", "a folder", "not text"];

fn break_file(path: &Path, how: &str) {
    std::fs::remove_file(path).expect("it was there");
    match how {
        "gone" => {}
        "empty" => std::fs::write(path, "").expect("it can be written"),
        "a folder" => std::fs::create_dir(path).expect("it can be made"),
        _ => std::fs::write(path, [0xff, 0xfe, 0, 1]).expect("it can be written"),
    }
}

const INPUTS: [&str; 5] = ["portway.yaml", "apps.yaml", "contract.yaml", "key", "secret"];

#[test]
fn c12_what_cannot_be_read_at_the_start_is_not_served() {
    for input in INPUTS {
        for how in BREAKS {
            let directory = scene(backend("hello"));
            break_file(&directory.path().join(input), how);
            // Whatever it does, it does not serve: a second would be enough for that.
            let output = portway(directory.path(), &["run"]).output().expect("the binary runs");
            let (code, _, err) = outcome(&output);
            assert!(matches!(code, 1..=3), "{input} is {how}: {code} {err}");
            assert!(!err.contains("INFO serving"), "{input} is {how}: {err}");
        }
    }
    // A variable that is not set, or empty.
    for value in [None, Some("")] {
        let directory = scene(backend("hello"));
        write(directory.path(), "apps.yaml", &APPS.replace("{ file: key }", "{ env: PHONE_KEY }"));
        let mut command = portway(directory.path(), &["run"]);
        command.env_remove("PHONE_KEY");
        if let Some(value) = value {
            command.env("PHONE_KEY", value);
        }
        let (code, _, err) = outcome(&command.output().expect("the binary runs"));
        assert!(code == 1 && !err.contains("INFO serving"), "{value:?}: {code} {err}");
    }
}

#[test]
fn c12_what_cannot_be_read_later_changes_nothing() {
    for input in INPUTS {
        let directory = scene(backend("hello"));
        let path = directory.path().join(input);
        let before = std::fs::read(&path).expect("it is there");
        let mut gateway = Gateway::start(portway(directory.path(), &["run"]));
        for how in BREAKS {
            break_file(&path, how);
            gateway.signal("HUP");
            gateway.wait_for("what was served before goes on");
            let statuses = (
                get(gateway.address, "/guarded", &[]).0,
                get(gateway.address, "/guarded", &[("x-api-key", "wrong")]).0,
                get(gateway.address, "/guarded", &[("x-api-key", "")]).0,
                get(gateway.address, "/guarded", &[("x-api-key", KEY)]).0,
            );
            assert_eq!(statuses, (401, 401, 401, 200), "{input} is {how}");
            if path.is_dir() {
                std::fs::remove_dir(&path).expect("it is empty");
            }
            std::fs::write(&path, &before).expect("it can be written");
            gateway.signal("HUP");
            gateway.wait_for("the documents are live");
        }
    }
}

/// Where a process listens, as the kernel has it: addresses of IPv4 and IPv6, for TCP; any socket for UDP.
fn listening(process: u32) -> BTreeSet<String> {
    let mut inodes = BTreeSet::new();
    let folder = format!("/proc/{process}/fd");
    for entry in std::fs::read_dir(folder).expect("it runs, on Linux").flatten() {
        if let Ok(to) = std::fs::read_link(entry.path())
            && let Some(inode) = to.to_string_lossy().strip_prefix("socket:[")
        {
            inodes.insert(inode.trim_end_matches(']').to_owned());
        }
    }
    let mut found = BTreeSet::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let text = std::fs::read_to_string(format!("/proc/{process}/net/{table}"));
        for line in text.unwrap_or_default().lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [_, local, _, state, .., _, _] = words[..] else { continue };
            let is_open = table.starts_with("udp") || state == "0A";
            if is_open && words.get(9).is_some_and(|inode| inodes.contains(*inode)) {
                found.insert(format!("{table} {local}"));
            }
        }
    }
    found
}

#[test]
fn c13_a_fresh_start_opens_what_was_said_and_nothing_else() {
    // Nothing but the version: no service, no key.
    let directory = directory(&[("portway.yaml", "portway: 1\n")]);
    let arguments = ["run", "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
    let gateway = Gateway::start(portway(directory.path(), &arguments));
    let admin = gateway.admin.expect("it has an admin listener");
    // Addresses as the kernel writes them, the bytes of IPv4 in the machine's order.
    let shown = |address: SocketAddr| {
        let loopback = u32::from_ne_bytes([127, 0, 0, 1]);
        format!("tcp {loopback:08X}:{:04X}", address.port())
    };
    let expected: BTreeSet<String> = [shown(gateway.address), shown(admin)].into();
    assert_eq!(listening(gateway.child.id()), expected);
    for path in
        ["/", "/admin", "/metrics", "/ready", "/live", "/snapshot", "/status", "/config", "/debug"]
    {
        let (status, answer) = get(gateway.address, path, &[("x-api-key", "admin")]);
        assert!(status == 404 && answer.contains("not-found"), "{path}: {answer}");
    }
    // The admin listener takes nothing and changes nothing.
    for (path, host) in [("/snapshot", "evil.test"), ("/metrics", "evil.test:9901")] {
        let (status, answer) = get(admin, path, &[("Host", host)]);
        assert!(status >= 400, "{path} {host}: {answer}");
    }
}

#[test]
fn c13_the_admin_listener_is_opened_by_the_document_alone() {
    let directory = directory(&[("portway.yaml", "portway: 1\n")]);
    for address in ["0.0.0.0:0", "[::]:0"] {
        let mut by_variable = portway(directory.path(), &["run", "--listen", "127.0.0.1:0"]);
        by_variable.env("PORTWAY_ADMIN", address);
        let flag = ["run", "--listen", "127.0.0.1:0", "--admin", address];
        for mut command in [by_variable, portway(directory.path(), &flag)] {
            let (code, _, err) = outcome(&command.output().expect("the binary runs"));
            assert!(code != 0 && err.contains("gateway.admin"), "{address}: {code} {err}");
        }
    }
}

#[test]
fn c13_a_route_to_the_own_admin_listener_does_not_load() {
    for (admin, target) in [
        ("", "http://127.0.0.1:9901"),
        ("", "http://localhost:9901"),
        ("", "http://[::ffff:127.0.0.1]:9901"),
        ("admin: \"127.0.0.1:7777\"", "http://0.0.0.0:7777"),
    ] {
        for part in [
            format!("backend: \"{target}\""),
            format!("backend: {{ targets: [\"http://10.0.0.1\", \"{target}\"] }}"),
        ] {
            let text = format!(
                "portway: 1\ngateway: {{ {admin} }}\nservices:\n  a: {{ routes: [\"GET /\"], auth: public, {part} }}\n"
            );
            let directory = directory(&[("portway.yaml", &text)]);
            let (code, out, err) =
                outcome(&portway(directory.path(), &["check"]).output().expect("the binary runs"));
            assert_eq!(code, 1, "{text}{out}{err}");
            assert!(format!("{out}{err}").contains("own-admin-address"), "{text}{out}{err}");
        }
    }
}

/// Texts that other products have taken for templates, commands or further lines.
const ODD: [&str; 8] = [
    "${PHONE_SECRET}",
    "{{ env.PHONE_SECRET }}",
    "{%raw%}",
    "$(id)",
    "`id`",
    "%{PHONE_SECRET}e",
    "a\\\" } } , \\\"b",
    "#{7*7}",
];

#[test]
fn c15_texts_of_documents_stay_texts() {
    for odd in ODD {
        // A value that is sent to callers.
        let text = format!(
            "portway: 1\ngateway: {{ listen: [\"127.0.0.1:0\"], admin: \"off\" }}\nservices:\n  a:\n    routes: [\"GET /\"]\n    auth: public\n    backend: \"http://{}\"\n    answers: {{ security_headers: {{ set: {{ X-Frame-Options: \"{odd}\" }} }} }}\n",
            backend("hello")
        );
        let directory = directory(&[("portway.yaml", &text)]);
        let mut command = portway(directory.path(), &["run"]);
        command.env("PHONE_SECRET", "expanded-secret");
        let gateway = Gateway::start(command);
        let (status, answer) = get(gateway.address, "/", &[]);
        let expected = odd.replace("\\\"", "\"");
        assert_eq!(status, 200, "{answer}");
        let line = answer.lines().find_map(|line| line.strip_prefix("X-Frame-Options: "));
        assert_eq!(line, Some(expected.as_str()), "{answer}");
    }
    // What would be a line of its own, or a name that is a path or a pattern, does not load.
    for (part, with) in [
        ("X-Frame-Options: DENY", "X-Frame-Options: \"a\\r\\nSet-Cookie: b\""),
        ("X-Frame-Options: DENY", "\"X-A\\r\\nB\": c"),
        ("GET /list", "GET /list\\r\\nHost: b"),
        ("  a:", "  \"a\\n\":"),
        ("  a:", "  \"a{{b}}\":"),
        ("  a:", "  \"${a}\":"),
        ("http://10.0.0.1", "http://10.0.0.1/\\r\\nHost: b"),
        ("http://10.0.0.1", "http://${HOST}"),
    ] {
        let good = "portway: 1\nservices:\n  a:\n    routes: [\"GET /list\"]\n    auth: public\n    backend: \"http://10.0.0.1\"\n    answers: { security_headers: { set: { X-Frame-Options: DENY } } }\n";
        assert!(good.contains(part), "{part}");
        for (text, expected) in [(good.to_owned(), 0), (good.replace(part, with), 1)] {
            let directory = directory(&[("portway.yaml", &text)]);
            let (code, out, err) =
                outcome(&portway(directory.path(), &["check"]).output().expect("the binary runs"));
            assert_eq!(code, expected, "{text}{out}{err}");
        }
    }
}

/// What a reference may try to lead to: a file elsewhere, a device, the network.
#[test]
fn c17_references_fetch_nothing_and_lead_nowhere_else() {
    let metadata = TcpListener::bind("127.0.0.1:0").expect("a free port");
    metadata.set_nonblocking(true).expect("a mode");
    let network = metadata.local_addr().expect("it has an address");
    let outside = directory(&[("outside.yaml", "type: string\n# OUTSIDE-CANARY\n")]);
    let file = outside.path().join("outside.yaml");
    let file = file.display();
    for reference in [
        format!("file://{file}"),
        format!("{file}"),
        "file:///etc/passwd".to_owned(),
        "/etc/passwd".to_owned(),
        "../outside.yaml".to_owned(),
        "a/../../outside.yaml".to_owned(),
        "link.yaml".to_owned(),
        "folder/outside.yaml".to_owned(),
        "/proc/self/environ".to_owned(),
        format!("http://{network}/schema.yaml"),
        format!("HTTP://{network}/schema.yaml"),
        format!("//{network}/schema.yaml"),
        "http://169.254.169.254/latest/meta-data".to_owned(),
        "ftp://10.0.0.1/x".to_owned(),
        "a\\0b.yaml".to_owned(),
    ] {
        let contract = CONTRACT.replace(
            "operationId: guarded,",
            &format!("operationId: guarded, parameters: [ {{ name: q, in: query, schema: {{ $ref: \"{reference}\" }} }} ],"),
        );
        let text =
            guarded(network).replace("include: [apps.yaml]\n", "").replace("[key, hmac]", "public");
        let directory = directory(&[("portway.yaml", &text), ("contract.yaml", &contract)]);
        std::os::unix::fs::symlink(file.to_string(), directory.path().join("link.yaml"))
            .expect("a link can be made");
        std::os::unix::fs::symlink(outside.path(), directory.path().join("folder"))
            .expect("a link can be made");
        let (code, out, err) =
            outcome(&portway(directory.path(), &["check"]).output().expect("the binary runs"));
        let told = format!("{out}{err}");
        assert!(matches!(code, 0 | 1), "{reference}: {code} {told}");
        assert!(told.contains("contract.yaml"), "{reference}: nothing is said of it: {told}");
        assert!(
            !told.contains("OUTSIDE-CANARY") && !told.contains("root:x:"),
            "{reference}: {told}"
        );
    }
    let came = metadata.accept().map(|(_, from)| from);
    assert!(came.is_err(), "{came:?} came to fetch something");
}

/// Names in documents that are, or could become, names of files.
#[test]
fn c18_names_lead_to_no_other_files() {
    let outside = directory(&[("outside.yaml", CONTRACT)]);
    let beyond = outside.path().join("outside.yaml");
    let beyond = beyond.display();
    let service = |field: &str| {
        format!(
            "portway: 1\nservices:\n  a: {{ {field}, backend: \"http://10.0.0.1\", auth: public }}\n"
        )
    };
    let mut texts: Vec<String> =
        ["../outside.yaml", "a/../../x.yaml", "a\\0.yaml", "/etc/passwd", ".", ""]
            .iter()
            .flat_map(|name| {
                [
                    service(&format!("contract: \"{name}\"")),
                    format!("portway: 1\ninclude: [\"{name}\"]\n"),
                ]
            })
            .collect();
    texts.push(service(&format!("contract: \"{beyond}\"")));
    texts.push(format!("portway: 1\ninclude: [\"{beyond}\"]\n"));
    for name in ["../a", "a/b", "/a", "a\\0", ".", "..", "", "a b", "A\\u202eb"] {
        texts.push(format!(
            "portway: 1\nservices:\n  \"{name}\": {{ routes: [\"GET /\"], backend: \"http://10.0.0.1\", auth: public }}\n"
        ));
        texts.push(format!("portway: 1\napps:\n  \"{name}\": {{ keys: [] }}\n"));
        texts.push(format!("portway: 1\nplans:\n  \"{name}\": {{ limits: [\"1/s\"] }}\n"));
    }
    for text in texts {
        let directory = directory(&[("portway.yaml", &text)]);
        let (code, out, err) =
            outcome(&portway(directory.path(), &["check"]).output().expect("the binary runs"));
        assert_eq!(code, 1, "{text}{out}{err}");
    }
}

/// Planted secrets, and everything that is told of a gateway and its calls.
#[test]
fn c25_planted_secrets_are_told_nowhere() {
    const PLANTED: [&str; 8] = [
        "canary-key-0123456789",
        "canary-hmac-0123456789",
        "canary-backend-0123456789",
        "canary-query-0123456789",
        "canary-cookie-0123456789",
        "canary-bearer-0123456789",
        "canary-wrong-0123456789",
        "canary-body-0123456789",
    ];
    let [key, hmac, token, query, cookie, bearer, wrong, body] = PLANTED;
    let text = format!(
        "portway: 1\ngateway: {{ listen: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\", log: {{ to: calls.log }} }}\nservices:\n  \
         a: {{ contract: contract.yaml, auth: [key, hmac], limits: [\"2/s per app\"], backend: {{ targets: [\"http://{}\"], credentials: [ {{ bearer: {{ env: TOKEN }} }} ] }} }}\n  \
         dead: {{ path: /dead, routes: [\"* /\"], auth: [key], backend: {{ targets: [\"http://127.0.0.1:1\"], credentials: [ {{ basic: {{ user: u, password: {{ env: TOKEN }} }} }} ] }} }}\n\
         apps:\n  phone: {{ keys: [ {{ env: KEY }} ], hmac: [ {{ id: one, secret: {{ file: secret }} }} ] }}\n",
        backend("hello")
    );
    let directory =
        directory(&[("portway.yaml", &text), ("contract.yaml", CONTRACT), ("secret", hmac)]);
    let with_secrets = |arguments: &[&str]| {
        let mut command = portway(directory.path(), arguments);
        command.env("TOKEN", token).env("KEY", key);
        command
    };
    let mut told = String::new();
    for arguments in [
        &["check", "--secrets"][..],
        &["check", "--secrets", "--json"],
        &["explain", "GET /guarded", "-H", &format!("x-api-key: {key}")],
        &["explain", "GET /guarded", "-H", &format!("x-api-key: {wrong}")],
    ] {
        let (_, out, err) = outcome(&with_secrets(arguments).output().expect("the binary runs"));
        told += &out;
        told += &err;
    }
    let mut gateway = Gateway::start(with_secrets(&["run", "--log-level", "trace"]));
    let admin = gateway.admin.expect("it has an admin listener");
    let bearer = format!("Bearer {bearer}");
    let cookie = format!("session={cookie}");
    let signed = format!(
        "hmac id=\"one\", algorithm=\"hmac-sha256\", headers=\"x-date\", signature=\"{wrong}\""
    );
    for (path, headers) in [
        ("/guarded", vec![("x-api-key", key), ("cookie", &*cookie)]),
        ("/guarded", vec![("x-api-key", wrong)]),
        ("/guarded", vec![("authorization", &*bearer)]),
        (
            "/guarded",
            vec![("authorization", &*signed), ("x-date", "Tue, 01 Jan 2030 00:00:00 GMT")],
        ),
        ("/dead", vec![("x-api-key", key)]),
        ("/nowhere", vec![("x-api-key", key)]),
        ("/guarded/%2e%2e", vec![("x-api-key", key)]),
    ] {
        for _ in 0..4 {
            let path = format!("{path}?token={query}");
            // What the backend says is its own; what is told of it is not.
            told += &get(gateway.address, &path, &headers).1;
        }
    }
    let _ = get(gateway.address, "/guarded", &[("x-odd", &format!("{body}\r\nbroken"))]);
    for path in ["/snapshot", "/metrics", "/ready", "/live", "/"] {
        told += &get(admin, path, &[]).1;
    }
    // A broken edit beside them is told with the line that it stands in.
    write(directory.path(), "portway.yaml", &text.replace("limits:", "limit:"));
    gateway.wait_for("what was served before goes on");
    told += &get(admin, "/snapshot", &[]).1;
    gateway.signal("TERM");
    assert_eq!(gateway.end(), 0);
    gateway.wait_for("stopped");
    told += &gateway.log.join("\n");
    told += &std::fs::read_to_string(directory.path().join("calls.log")).expect("there were calls");
    for planted in PLANTED {
        assert!(!told.contains(planted), "{planted} is told: {told}");
    }
}
