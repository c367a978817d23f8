//! What a change costs: what has not changed is taken over, what has is made anew.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test reads files and may fail"
)]

#[path = "common/shared.rs"]
mod common;

use std::sync::Arc;

use common::{Environment, Table, compiled, read};
use portway_policy::{Keys, sha256};
use portway_snapshot::compile;

const CONTRACT: &str = r#"{"openapi":"3.1.0","info":{"title":"t","version":"1"},"paths":{"/x":{"get":{"operationId":"getX","responses":{"200":{"description":"x"}}}}}}"#;

fn table(numbers: [u64; 2]) -> Table {
    let mut table = Table::default();
    for (name, number) in ["a.json", "b.json"].into_iter().zip(numbers) {
        table.0.insert(
            name.to_owned(),
            (number, CONTRACT.replace("\"t\"", &format!("\"{number}\"")).into_bytes()),
        );
    }
    table
}

fn document(timeout: &str, plan: &str) -> String {
    format!(
        "portway: 1
services:
  a: {{ contract: a.json, path: /a, backend: \"http://a\", auth: [key], timeout: {timeout} }}
  b: {{ contract: b.json, path: /b, backend: \"http://b\", auth: [key] }}
apps: {{ one: {{ keys: [ {{ env: SET_KEY }} ], plan: gold }} }}
plans: {{ gold: {{ limits: [ {plan} ] }} }}
"
    )
}

#[test]
fn only_what_changed_is_compiled() {
    let files = table([1, 1]);
    let first = compiled(&document("3s", "1/s"), &files, None);
    assert_eq!(first.compiled_anew, 2);
    let check = |text: &str, files: &Table, anew: usize, kept: [bool; 2], same_hash: bool| {
        let next = compiled(text, files, Some(&first.snapshot));
        assert_eq!(next.compiled_anew, anew);
        for (index, kept) in kept.into_iter().enumerate() {
            assert_eq!(
                Arc::ptr_eq(&first.snapshot.services[index], &next.snapshot.services[index]),
                kept
            );
        }
        assert_eq!(first.snapshot.hash == next.snapshot.hash, same_hash);
    };
    check(&document("3s", "1/s"), &files, 0, [true, true], true);
    check(&document("4s", "1/s"), &files, 1, [false, true], false);
    check(&document("3s", "2/s"), &files, 0, [true, true], false);
    check(&document("3s", "1/s"), &table([1, 2]), 1, [true, false], false);
    // Gateway bounds are the default of every service.
    let bounds =
        format!("{}gateway: {{ bounds: {{ body_bytes: 1KiB }} }}\n", document("3s", "1/s"));
    check(&bounds, &files, 2, [false, false], false);
}

#[test]
fn the_hash_is_of_content_alone() {
    let one = compiled(&document("3s", "1/s"), &table([1, 1]), None).snapshot.hash;
    assert_eq!(one.len(), 64);
    assert_eq!(one, compiled(&document("3000ms", "1/s"), &table([1, 1]), None).snapshot.hash);
}

#[test]
fn warnings_are_told_again_for_what_was_taken_over() {
    let text = "portway: 1\nservices: { a: { contract: a.json, backend: { targets: [ \"http://a\", \"http://b\" ], balance: { hash: { parameter: q } } }, auth: public } }\n";
    let (documents, _) = read("gateway.yaml", text);
    let files = table([1, 1]);
    let (first, told) = compile(&documents, &files, &Environment, None);
    let (second, told_again) =
        compile(&documents, &files, &Environment, Some(&first.unwrap().snapshot));
    assert_eq!(second.unwrap().compiled_anew, 0);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told, told_again);
}

#[test]
fn keys_are_found_by_their_hash() {
    let compiled = compiled(&document("3s", "1/s"), &table([1, 1]), None);
    assert_eq!(compiled.keys.find(&sha256(b"secret-of-SET_KEY")).unwrap().name.as_str(), "one");
    assert!(compiled.keys.find(&sha256(b"other")).is_none());
}

#[test]
fn many_services_are_compiled_on_all_cores_and_in_order() {
    let mut text = "portway: 1\nservices:\n".to_owned();
    for number in 0..100 {
        text.push_str(&format!("  s{number:03}: {{ routes: [ \"GET /\" ], path: /s{number:03}, backend: \"http://a\", auth: public }}\n"));
    }
    let compiled = compiled(&text, &Table::default(), None);
    let names: Vec<&str> =
        compiled.snapshot.services.iter().map(|service| service.name.as_str()).collect();
    assert!(names.is_sorted() && names.len() == 100);
}
