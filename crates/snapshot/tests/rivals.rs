//! Operations of one method and path: what is said of those that nothing tells apart, and calls that a lenient
//! origin would take for another operation than the gateway does.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test reads files and may fail"
)]

#[path = "common/shared.rs"]
mod common;

use common::{Environment, List, Table, compiled, read};
use portway_policy::ParamSpans;
use portway_snapshot::{Routed, compile};

const SAME: &str = r##"
openapi: 3.0.3
info: { title: Same, version: "1" }
paths:
  /d/{x}: { get: { operationId: open, responses: { "200": { description: ok } } } }
  /d/{y}: { get: { operationId: secret, responses: { "200": { description: ok } } } }
"##;

const TYPED: &str = r##"
openapi: 3.0.3
info: { title: Typed, version: "1" }
paths:
  /e/{x}:
    get:
      operationId: text
      parameters: [ { name: x, in: path, required: true, schema: { type: string } } ]
      responses: { "200": { description: ok } }
  /e/{y}:
    get:
      operationId: number
      parameters: [ { name: y, in: path, required: true, schema: { type: integer } } ]
      responses: { "200": { description: ok } }
  /b/{x}:
    get:
      operationId: word
      parameters: [ { name: x, in: path, required: true, schema: { type: string } } ]
      responses: { "200": { description: ok } }
  /b/{y}:
    get:
      operationId: truth
      parameters: [ { name: y, in: path, required: true, schema: { type: boolean } } ]
      responses: { "200": { description: ok } }
  /o/{x}:
    get:
      operationId: other
      parameters: [ { name: x, in: path, required: true, schema: { type: string } } ]
      responses: { "200": { description: ok } }
  /o/{y}:
    get:
      operationId: chosen
      parameters: [ { name: y, in: path, required: true, schema: { type: string, enum: [ admin ] } } ]
      responses: { "200": { description: ok } }
  /q:
    get: { operationId: plain, responses: { "200": { description: ok } } }
  /q?x=1:
    get: { operationId: asked, responses: { "200": { description: ok } } }
  /h:
    get: { operationId: bare, responses: { "200": { description: ok } } }
  /h#Admin:
    get:
      operationId: headed
      parameters: [ { name: X-Op, in: header, required: true, schema: { type: string, enum: [ Admin ] } } ]
      responses: { "200": { description: ok } }
"##;

fn document(operations: &str) -> String {
    format!(
        "portway: 1\nservices: {{ s: {{ contract: c.yaml, backend: \"http://10.0.0.1\", auth: public, operations: {{ {operations} }} }} }}\napps: {{ boss: {{ keys: [ {{ env: SET_KEY }} ] }} }}\n"
    )
}

fn files(contract: &str) -> Table {
    let mut files = Table::default();
    files.0.insert("c.yaml".to_owned(), (1, contract.as_bytes().to_vec()));
    files
}

#[test]
fn what_is_said_of_operations_that_nothing_tells_apart_must_be_the_same() {
    let check = |operations: &str, at: Option<&str>| {
        let (documents, found) = read("gateway.yaml", &document(operations));
        assert_eq!(found, [], "{operations}");
        let (compiled, found) = compile(&documents, &files(SAME), &Environment, None);
        let errors: Vec<_> =
            found.iter().filter(|found| found.severity == portway_model::Severity::Error).collect();
        match at {
            None => assert!(compiled.is_some() && errors.is_empty(), "{operations}: {errors:?}"),
            Some(pointer) => {
                assert!(compiled.is_none(), "{operations} loads");
                let [error] = errors[..] else { panic!("{operations}: {errors:?}") };
                assert_eq!((error.code, error.pointer.as_str()), ("same-route", pointer));
                assert_eq!(error.location.line, 2, "{operations}");
                assert!(!error.fix.is_empty());
            }
        }
        assert!(found.iter().any(|found| found.code == "same-route"), "{operations}");
    };
    check("", None);
    check("secret: { auth: [key], limits: [ \"1/m\" ] }", Some("/services/s/operations/secret"));
    check("secret: { hidden: true }", Some("/services/s/operations/secret"));
    check("secret: { timeout: 1s }", Some("/services/s/operations/secret"));
    check("secret: { backend: \"http://10.0.0.2\" }", Some("/services/s/operations/secret"));
    check("open: { auth: [key] }", Some("/services/s/operations/open"));
    check(
        "open: { auth: [key] }, secret: { auth: [key], limits: [ \"1/m\" ] }",
        Some("/services/s/operations/secret"),
    );
    check("open: { auth: [key] }, secret: { auth: [key] }", None);
    check("secret: {}", None);
}

/// Each call is led to an operation, or refused (`!`), or has none (`-`).
fn lead(operations: &str, calls: &[(&str, &str)], headers: &[(&str, &str)]) {
    let compiled = compiled(&document(operations), &files(TYPED), None);
    let headers = List(
        headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    );
    for (target, expected) in calls {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let mut params = ParamSpans::default();
        let routed = compiled.snapshot.route("x", path, query, "GET", &headers, &mut params);
        let found = match routed {
            Routed::Operation { operation, .. } => &*operation.id,
            Routed::Ambiguous { .. } => "!",
            _ => "-",
        };
        assert_eq!(found, *expected, "{target} with {operations}, {:?}", headers.0);
    }
}

#[test]
fn a_value_that_a_lenient_reader_takes_for_another_type_is_refused_where_rules_differ() {
    let guarded = "number: { auth: [key] }, truth: { auth: [key] }, chosen: { hidden: true }";
    lead(
        guarded,
        &[
            ("/e/1", "number"),
            ("/e/-7", "number"),
            ("/e/word", "text"),
            ("/e/v1", "text"),
            ("/e/+1", "!"),
            ("/e/%2B1", "!"),
            ("/e/1.0", "!"),
            ("/e/1e3", "!"),
            ("/e/%201", "!"),
            ("/e/%2531", "!"),
            ("/e/1;x", "!"),
            ("/e/%EF%BC%91", "!"),
            ("/e/0x1", "!"),
            ("/b/true", "truth"),
            ("/b/True", "!"),
            ("/b/1", "!"),
            ("/b/true;x", "!"),
            ("/b/truest", "word"),
            ("/o/admin", "-"),
            ("/o/Admin", "!"),
            ("/o/admin.json", "!"),
            ("/o/%2561dmin", "!"),
            ("/o/admins", "other"),
        ],
        &[],
    );
    // Judged by the same rules whichever way it is read.
    lead("", &[("/e/+1", "text"), ("/b/True", "word"), ("/o/Admin", "other")], &[]);
}

#[test]
fn a_query_that_a_lenient_reader_takes_for_another_is_refused_where_rules_differ() {
    let many = format!("/q?{}", "a&".repeat(1_000));
    let calls = [
        ("/q", "plain"),
        ("/q?y=0", "plain"),
        ("/q?x=2", "plain"),
        ("/q?y=x=1", "plain"),
        ("/q?y=0;x=1", "!"),
        ("/q?y=0%26x=1", "!"),
        ("/q?X=1", "!"),
        ("/q?x[]=1", "!"),
        ("/q?x=1%00", "!"),
        ("/q?x%00=1", "!"),
        ("/q?x=01", "!"),
        ("/q?+x=1", "!"),
        (&many, "!"),
    ];
    lead("asked: { auth: [key] }", &calls, &[]);
    lead("asked: { auth: [key] }", &[("/q?x=1", "asked"), ("/q?x=1&X=2", "!")], &[]);
    lead("asked: { hidden: true }", &calls, &[]);
    lead("plain: { auth: [key] }", &[("/q?x=1;x=2", "!"), ("/q?x=1&y=0;x=2", "!")], &[]);
    lead("", &[("/q?y=0;x=1", "plain"), ("/q?X=1", "plain"), (&many, "plain")], &[]);
}

#[test]
fn a_header_that_a_lenient_reader_takes_for_another_is_refused_where_rules_differ() {
    let guarded = "headed: { auth: [key] }";
    for (headers, expected) in [
        (&[][..], "bare"),
        (&[("x-op", "Admin")][..], "headed"),
        (&[("x-op", "Other")][..], "bare"),
        (&[("x-op", "admin")][..], "!"),
        (&[("x_op", "Admin")][..], "!"),
        (&[("x-op", "Other, Admin")][..], "!"),
        (&[("x-op", "Admin"), ("x_op", "Other")][..], "!"),
    ] {
        lead(guarded, &[("/h", expected)], headers);
    }
    lead("", &[("/h", "bare")], &[("x_op", "Admin")]);
}
