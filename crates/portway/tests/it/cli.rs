//! The command line: what it prints, where, and with which code it ends.

use crate::program::{directory, outcome, portway};

/// What must come of a command line.
#[derive(Default)]
struct Expected<'a> {
    code: i32,
    /// Parts of standard output.
    out: &'a [&'a str],
    /// Parts of standard error.
    err: &'a [&'a str],
}

fn check(files: &[(&str, &str)], arguments: &[&str], expected: &Expected<'_>) {
    let directory = directory(files);
    let (code, out, err) =
        outcome(&portway(directory.path(), arguments).output().expect("the binary runs"));
    let shown = format!("portway {}\n--- out\n{out}\n--- err\n{err}", arguments.join(" "));
    assert_eq!(code, expected.code, "{shown}");
    for (stream, parts) in [(&out, expected.out), (&err, expected.err)] {
        for part in parts {
            assert!(stream.contains(part), "\"{part}\" is missing\n{shown}");
        }
    }
    assert!(
        !out.contains('\u{1b}') && !err.contains('\u{1b}'),
        "coloured although it is no terminal\n{shown}"
    );
}

const HELLO: &str = "\
portway: 1
services:
  hello: { routes: [\"GET /hello/{name}\"], backend: \"http://127.0.0.1:9\", auth: public }
";

const CONTRACT: &str = r#"{"openapi":"3.1.0","info":{"title":"Shop","version":"1"},"paths":{
  "/orders":{"get":{"operationId":"listOrders","responses":{"200":{"description":"ok"}}}},
  "/orders/{orderId}":{"get":{"operationId":"getOrder","parameters":[{"name":"orderId","in":"path","required":true,"schema":{"type":"integer"}}],"responses":{"200":{"description":"ok"}}}}}}"#;

#[test]
fn version_and_help() {
    let version = env!("CARGO_PKG_VERSION");
    check(&[], &["version"], &Expected { out: &["portway ", version], ..Expected::default() });
    check(&[], &["--version"], &Expected { out: &["portway ", version], ..Expected::default() });
    check(
        &[],
        &["version", "--json"],
        &Expected { out: &["\"version\":\"", version], ..Expected::default() },
    );
    let commands = [
        "demo",
        "init",
        "check",
        "run",
        "contract",
        "schema",
        "explain",
        "version",
        "completions",
        "Exit codes:",
    ];
    check(&[], &["--help"], &Expected { out: &commands, ..Expected::default() });
    check(
        &[],
        &["run", "--help"],
        &Expected { out: &["SIGTERM", "--admin", "PORTWAY_ADMIN"], ..Expected::default() },
    );
}

#[test]
fn a_wrong_command_line() {
    check(&[], &["--nonsense"], &Expected { code: 2, err: &["--nonsense"], ..Expected::default() });
    check(&[], &["chekc"], &Expected { code: 2, err: &["chekc", "check"], ..Expected::default() });
    check(
        &[],
        &["check"],
        &Expected {
            code: 2,
            err: &["there is no portway.yaml here", "portway init"],
            ..Expected::default()
        },
    );
    check(
        &[],
        &["run", "absent.yaml"],
        &Expected { code: 2, err: &["absent.yaml"], ..Expected::default() },
    );
    check(
        &[],
        &["version", "--log-level", "lound=x=y"],
        &Expected { code: 2, err: &["not a log level"], ..Expected::default() },
    );
    check(
        &[],
        &["contract", "absent.json"],
        &Expected { code: 2, err: &["absent.json"], ..Expected::default() },
    );
    // One object for each file, whatever it is.
    check(
        &[],
        &["contract", "--json", "absent.json"],
        &Expected {
            code: 2,
            out: &["{\"file\":\"absent.json\"", "\"version\":null", "contract-unreadable"],
            ..Expected::default()
        },
    );
}

#[test]
fn check_tells_every_mistake() {
    check(
        &[("portway.yaml", HELLO)],
        &["check"],
        &Expected { out: &["ok: 1 service, 1 operation, no mistakes"], ..Expected::default() },
    );
    check(
        &[("portway.yaml", HELLO)],
        &["check", "--json"],
        &Expected { out: &["\"diagnostics\":[]", "\"ok\":true"], ..Expected::default() },
    );
    let wrong = "portway: 1\nservices:\n  a: { routes: [\"GET /\"], backend: \"http://127.0.0.1:9\", auht: public }\n  b: { backend: nonsense, auth: public, routes: [\"GET /b\"] }\n";
    check(
        &[("portway.yaml", wrong)],
        &["check"],
        &Expected {
            code: 1,
            out: &[
                "portway.yaml:3:",
                "error[",
                "auht",
                "fix: ",
                "auth",
                "portway.yaml:4:",
                "nonsense",
                "errors",
            ],
            ..Expected::default()
        },
    );
    check(
        &[("portway.yaml", wrong)],
        &["check", "--json"],
        &Expected { code: 1, out: &["\"line\":3", "\"ok\":false"], ..Expected::default() },
    );
    check(
        &[("portway.yaml", wrong)],
        &["run"],
        &Expected { code: 1, err: &["portway.yaml:3:", "mistakes"], ..Expected::default() },
    );
}

#[test]
fn secrets_are_looked_for_when_asked() {
    let document =
        format!("{HELLO}apps:\n  phone: {{ keys: [{{ env: PORTWAY_TEST_UNSET_KEY }}] }}\n");
    let files = [("portway.yaml", document.as_str())];
    check(&files, &["check"], &Expected { out: &["ok: "], ..Expected::default() });
    check(
        &files,
        &["check", "--secrets"],
        &Expected {
            code: 1,
            out: &["portway.yaml:", "PORTWAY_TEST_UNSET_KEY"],
            ..Expected::default()
        },
    );
}

#[test]
fn a_secret_in_a_document_is_not_shown() {
    let document = "portway: 1\nservices:\n  a:\n    routes: [\"GET /\"]\n    auth: public\n    backend:\n      targets: [\"http://127.0.0.1:9\"]\n      credentials: [ { bearer: hunter2hunter2 } ]\napps:\n  phone: { keys: [ k-123456-secret ] }\n";
    let directory = directory(&[("portway.yaml", document)]);
    for arguments in [&["check"][..], &["check", "--json"], &["run"]] {
        let (code, out, err) =
            outcome(&portway(directory.path(), arguments).output().expect("the binary runs"));
        assert_eq!(code, 1, "{out}{err}");
        assert!(
            !format!("{out}{err}").contains("hunter2")
                && !format!("{out}{err}").contains("k-123456"),
            "{out}{err}"
        );
    }
}

#[test]
fn contract_reports() {
    check(
        &[("shop.json", CONTRACT)],
        &["contract", "shop.json"],
        &Expected {
            out: &["shop.json: OpenAPI 3.1.0, 2 operations, 2 routable, "],
            ..Expected::default()
        },
    );
    check(
        &[("shop.json", CONTRACT), ("no.json", "{}")],
        &["contract", "--json", "no.json", "shop.json"],
        &Expected {
            code: 1,
            out: &[
                "\"file\":\"no.json\"",
                "\"file\":\"shop.json\"",
                "\"operations\":2,\"routable\":2",
            ],
            ..Expected::default()
        },
    );
    let outside = CONTRACT.replace(
        "\"responses\":{\"200\":{\"description\":\"ok\"}}",
        "\"responses\":{\"200\":{\"$ref\":\"../secret.json#/x\"}}",
    );
    check(
        &[("sub/shop.json", &outside), ("secret.json", "{\"x\":{\"description\":\"s3cret\"}}")],
        &["contract", "sub/shop.json"],
        &Expected { out: &["warning[", "2 routable"], ..Expected::default() },
    );
}

#[test]
fn init_writes_once_what_check_accepts() {
    let directory = directory(&[("shop.json", CONTRACT)]);
    let run = |arguments: &[&str]| {
        outcome(&portway(directory.path(), arguments).output().expect("the binary runs"))
    };
    let init = ["init", "--contract", "shop.json", "--backend", "http://localhost:9000"];
    let (code, out, err) = run(&init);
    assert_eq!(code, 0, "{out}{err}");
    assert!(out.contains("portway check") && out.contains("SHOP_KEY"), "{out}");
    let written =
        std::fs::read_to_string(directory.path().join("portway.yaml")).expect("it was written");
    assert!(
        written.starts_with("# yaml-language-server: $schema=portway.schema.json\nportway: 1\n"),
        "{written}"
    );
    let schema = std::fs::read_to_string(directory.path().join("portway.schema.json"))
        .expect("it was written, too");
    assert_eq!(run(&["schema"]).1, schema);
    let (code, out, err) = run(&["check"]);
    assert_eq!((code, out.contains("ok: 1 service, 2 operations")), (0, true), "{out}{err}");
    let (code, _, err) = run(&init);
    assert_eq!((code, err.contains("nothing is ever overwritten")), (2, true), "{err}");
    assert_eq!(
        std::fs::read_to_string(directory.path().join("portway.yaml")).expect("it is there"),
        written
    );
    for (backend, contract) in [
        ("nonsense", "shop.json"),
        ("http://localhost", "absent.json"),
        ("http://localhost", "/etc/hostname"),
    ] {
        let (code, _, err) =
            run(&["init", "--contract", contract, "--backend", backend, "--out", "other.yaml"]);
        assert_eq!(code, 2, "{err}");
        assert!(!directory.path().join("other.yaml").exists());
    }
}

#[test]
fn schema_and_completions() {
    check(&[], &["schema"], &Expected { out: &["\"$schema\"", "services"], ..Expected::default() });
    for shell in ["bash", "zsh", "fish"] {
        check(
            &[],
            &["completions", shell],
            &Expected { out: &["portway", "explain"], ..Expected::default() },
        );
    }
}

#[test]
fn settings_from_outside_are_checked_with_their_origin() {
    check(
        &[("portway.yaml", HELLO)],
        &["run", "--bounds-head-bytes", "many"],
        &Expected {
            code: 1,
            err: &["--> flag --bounds-head-bytes", "many"],
            ..Expected::default()
        },
    );
    check(
        &[("portway.yaml", HELLO)],
        &["run", "--admin", "0.0.0.0:0"],
        &Expected {
            code: 3,
            err: &["flag --admin", "not a loopback address", "fix: "],
            ..Expected::default()
        },
    );
}

#[test]
fn a_closed_pipe_is_not_a_failure_and_hides_no_mistake() {
    let services: String = (0..2_000)
        .map(|at| format!("  s{at}: {{ path: /s{at}, routes: [\"GET /\"], auht: public }}\n"))
        .collect();
    let wrong = format!("portway: 1\nservices:\n{services}");
    let directory = directory(&[("portway.yaml", &wrong), ("no.json", "{}")]);
    let binary = env!("CARGO_BIN_EXE_portway");
    let check = |arguments: &str, expected: &str| {
        // Nobody reads, so that the first line already finds the pipe closed.
        let line = format!("{binary} {arguments} | true; echo ${{PIPESTATUS[0]}}");
        let output = std::process::Command::new("bash")
            .arg("-c")
            .arg(line)
            .current_dir(directory.path())
            .output()
            .expect("bash runs");
        let code = String::from_utf8_lossy(&output.stdout);
        assert_eq!(code.trim(), expected, "{arguments}: {output:?}");
    };
    check("schema", "0");
    check("check", "1");
    check("check --json", "1");
    check("contract no.json no.json", "1");
    check("contract --json no.json", "1");
}

#[test]
fn check_looks_at_the_files_and_addresses_that_run_needs() {
    let document = "\
portway: 1
gateway:
  listen:
    - { address: \"127.0.0.1:0\", tls: { certificates: [ { cert: absent.pem, key: text.pem } ] } }
services:
  hello:
    routes: [\"GET /\"]
    auth: public
    backend: { targets: [\"https://127.0.0.1:9\"], tls: { ca: text.pem } }
    operations:
      \"GET /\": { backend: { targets: [\"https://127.0.0.1:9\"], tls: { ca: absent.pem } } }
";
    let files = [("portway.yaml", document), ("text.pem", "no certificate at all\n")];
    let places = [
        "portway.yaml:4:",
        "absent.pem",
        "unusable-file",
        "portway.yaml:9:",
        "text.pem",
        "portway.yaml:11:",
        "fix: correct the name",
    ];
    check(
        &files,
        &["check"],
        &Expected { code: 1, out: &[&places[..], &["3 errors"]].concat(), ..Expected::default() },
    );
    // The key is a secret.
    check(
        &files,
        &["check", "--secrets"],
        &Expected { code: 1, out: &[&places[..], &["4 errors"]].concat(), ..Expected::default() },
    );
    check(&files, &["run"], &Expected { code: 1, err: &places, ..Expected::default() });
    let directory = directory(&[("portway.yaml", HELLO)]);
    let mut command = portway(directory.path(), &["check"]);
    let (code, out, _) =
        outcome(&command.env("PORTWAY_ADMIN", "0.0.0.0:0").output().expect("the binary runs"));
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("environment variable PORTWAY_ADMIN"), "{out}");
    let mut command = portway(directory.path(), &["check"]);
    let (code, out, _) =
        outcome(&command.env("PORTWAY_BOUNDS_HEAD_BYTE", "1").output().expect("the binary runs"));
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("did you mean PORTWAY_BOUNDS_HEAD_BYTES?"), "{out}");
}

#[test]
fn explain_says_whose_key_it_is_as_far_as_it_can_be_known() {
    let document = "\
portway: 1
services:
  shop: { routes: [\"GET /\"], backend: \"http://127.0.0.1:9\", auth: [key] }
  other: { path: /other, routes: [\"GET /\"], backend: \"http://127.0.0.1:9\", auth: [key] }
apps:
  phone: { plan: gold, services: [shop], keys: [ { file: phone.key } ] }
  web: { keys: [ { env: PORTWAY_TEST_UNSET_KEY } ] }
plans:
  gold: { limits: [\"9/s\"] }
";
    let files = [("portway.yaml", document), ("phone.key", "k-0123456789abcdef\n")];
    let explain = |call: &str, key: Option<&str>, parts: &[&str]| {
        let field = key.map(|key| format!("x-api-key: {key}")).unwrap_or_default();
        let mut arguments = vec!["explain", call];
        arguments.extend(key.iter().flat_map(|_| ["-H", field.as_str()]));
        check(&files, &arguments, &Expected { out: parts, ..Expected::default() });
        arguments.push("--json");
        check(&files, &arguments, &Expected { out: &["\"caller\":{"], ..Expected::default() });
    };
    let good = Some("k-0123456789abcdef");
    explain("GET /", good, &["the key is that of the app `phone`", "plan", "gold"]);
    explain("GET /other/", good, &["which may not call the service `other` (app-not-allowed)"]);
    explain("GET /", None, &["the call brings no key (credentials-missing)"]);
    explain("GET /", Some("wrong"), &["none that is known", "one key cannot be had here"]);
}
