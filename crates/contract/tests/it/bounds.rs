//! Documents that try to take more than their share.
//!
//! The time limits are wide: they tell a hang or quadratic work from a busy machine, nothing finer.

use std::time::{Duration, Instant};

use portway_contract::{Limits, LoadFault, Loader, NoFiles, Outcome, read};

fn quickly(bytes: &[u8], loader: &dyn Loader, code: &str) -> Outcome {
    let start = Instant::now();
    let outcome = read("x.yaml", bytes, loader, &Limits::default());
    assert!(start.elapsed() < Duration::from_secs(120), "{code} took {:?}", start.elapsed());
    assert!(outcome.diagnostics.iter().any(|finding| finding.code == code), "no {code} was found");
    outcome
}

#[test]
fn deep_documents_are_refused() {
    quickly("[".repeat(1_000_000).as_bytes(), &NoFiles, "too-deep");
    quickly("{\"a\":".repeat(1_000_000).as_bytes(), &NoFiles, "too-deep");
    quickly("- ".repeat(100_000).as_bytes(), &NoFiles, "too-deep");
    let deep = format!(
        "{{\"openapi\":\"3.0.0\",\"paths\":{}1{}}}",
        "{\"a\":".repeat(300),
        "}".repeat(300)
    );
    quickly(deep.as_bytes(), &NoFiles, "too-deep");
}

#[test]
fn documents_nested_as_deep_as_allowed_are_walked_safely() {
    let schema = format!("{}{{\"type\":\"string\"}}{}", "{\"items\":".repeat(240), "}".repeat(240));
    let text = format!(
        "{{\"openapi\":\"3.0.0\",\"info\":{{\"title\":\"x\",\"version\":\"1\"}},\"paths\":{{}},\"components\":{{\"schemas\":{{\"A\":{schema}}}}}}}"
    );
    assert!(read("x.json", text.as_bytes(), &NoFiles, &Limits::default()).contract.is_some());
}

#[test]
fn bombs_are_refused() {
    let bomb = (0..40).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, n| {
        format!("{text}a{}: &a{} [{}]\n", n + 1, n + 1, format!("*a{n},").repeat(9))
    });
    quickly(bomb.as_bytes(), &NoFiles, "too-many-aliases");
    let small = Limits { memory_bytes: 8 << 20, ..Limits::default() };
    let text = format!("[{}0]", "{\"\":0},".repeat(100_000));
    let outcome = read("x.json", text.as_bytes(), &NoFiles, &small);
    assert_eq!(outcome.diagnostics[0].code, "too-large");
}

/// One big part, referred to very often, must not be copied very often.
#[test]
fn references_do_not_multiply_memory() {
    let parameters: Vec<String> = (0..1000)
        .map(|n| {
            format!(
                "{{\"name\":\"p{n}\",\"in\":\"query\",\"description\":\"{}\"}}",
                "x".repeat(1000)
            )
        })
        .collect();
    let paths: Vec<String> =
        (0..100_000).map(|n| format!("\"/p{n}\":{{\"$ref\":\"#/x\"}}")).collect();
    let text = format!(
        "{{\"openapi\":\"3.0.0\",\"info\":{{\"title\":\"x\",\"version\":\"1\"}},\"x\":{{\"parameters\":[{}],\"get\":{{\"description\":\"{}\",\"responses\":{{}}}}}},\"paths\":{{{}}}}}",
        parameters.join(","),
        "y".repeat(1_000_000),
        paths.join(",")
    );
    let small = Limits { memory_bytes: 256 << 20, ..Limits::default() };
    let start = Instant::now();
    let outcome = read("x.json", text.as_bytes(), &NoFiles, &small);
    assert!(start.elapsed() < Duration::from_secs(120), "{:?}", start.elapsed());
    assert!(
        outcome.diagnostics.iter().any(|finding| finding.code == "too-large"),
        "{:?}",
        outcome.diagnostics
    );
    assert!(!outcome.contract.expect("a contract").operations.is_empty());
}

#[test]
fn rivals_without_number_stay_linear() {
    let paths: Vec<String> = (0..30_000).map(|n| format!("\"/x/{{p{n}}}\":{{\"get\":{{\"operationId\":\"same\",\"responses\":{{\"200\":{{\"description\":\"ok\"}}}}}}}}")).collect();
    let text = format!(
        "{{\"openapi\":\"3.0.0\",\"info\":{{\"title\":\"x\",\"version\":\"1\"}},\"paths\":{{{}}}}}",
        paths.join(",")
    );
    let outcome = quickly(text.as_bytes(), &NoFiles, "same-route");
    assert_eq!(outcome.contract.expect("a contract").routes.len(), 1);
}

#[test]
fn every_lost_operation_is_explained() {
    let paths: Vec<String> =
        (0..5_000).map(|n| format!("\"/x/../{n}\":{{\"get\":{{}}}}")).collect();
    let text = format!(
        "{{\"openapi\":\"3.0.0\",\"info\":{{\"title\":\"x\",\"version\":\"1\"}},\"paths\":{{{}}}}}",
        paths.join(",")
    );
    let outcome = quickly(text.as_bytes(), &NoFiles, "path-unroutable");
    let explained =
        outcome.diagnostics.iter().filter(|finding| finding.code == "path-unroutable").count();
    assert_eq!((outcome.contract.expect("a contract").routable(), explained), (0, 5_000));
}

/// A loader whose every file refers to two more.
struct Endless;

impl Loader for Endless {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadFault> {
        Ok(format!("a: {{$ref: '{path}0'}}\nb: {{$ref: '{path}1'}}\n").into_bytes())
    }
}

#[test]
fn endless_files_end() {
    quickly(
        b"openapi: 3.0.0\ninfo: {title: x, version: '1'}\npaths: {/a: {$ref: f}}\n",
        &Endless,
        "file-not-read",
    );
}

#[test]
fn encodings_are_named() {
    let utf16: Vec<u8> = "\u{feff}openapi".encode_utf16().flat_map(u16::to_le_bytes).collect();
    quickly(&utf16, &NoFiles, "encoding");
    quickly(b"\x1f\x8b\x08", &NoFiles, "not-openapi");
    quickly(b"<!DOCTYPE html><html>", &NoFiles, "not-openapi");
    quickly(b" \n", &NoFiles, "empty");
    let outcome = quickly(
        b"\xef\xbb\xbfopenapi: 3.0.0\ninfo: {title: caf\xe9, version: '1'}\npaths: {}\n",
        &NoFiles,
        "encoding",
    );
    assert_eq!(outcome.contract.expect("a contract").title, "caf\u{fffd}");
}
