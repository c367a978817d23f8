//! Scalars, aliases, merges, bounds.

use super::*;
use serde_json::json;

fn budget() -> Budget {
    Budget { left_bytes: 4 << 20, depth: 64 }
}

fn check(text: &str, expected: &Value) {
    let parsed = parse(text, &mut budget(), 10_000).expect(text);
    assert_eq!(&parsed.value, expected, "{text}");
}

#[test]
fn scalars_follow_the_core_schema() {
    check("[~, null, '', \"null\"]", &json!([null, null, "", "null"]));
    check("[true, False, yes, no, on, off]", &json!([true, false, "yes", "no", "on", "off"]));
    check("[1, -2, +3, 012, 0, 0x1F, 0o17, 1_000]", &json!([1, -2, 3, "012", 0, 31, 15, "1_000"]));
    check(
        "[1.5, 3.0, 1e3, .5, -.5, 1.2.3, ., '3.0']",
        &json!([1.5, 3.0, 1000.0, 0.5, -0.5, "1.2.3", ".", "3.0"]),
    );
    check(
        "[.inf, .nan, 2026-11-24, 12:30:00, 3.0.1]",
        &json!([".inf", ".nan", "2026-11-24", "12:30:00", "3.0.1"]),
    );
    check("[18446744073709551615, 99999999999999999999]", &json!([u64::MAX, 1e20]));
    check("[!!str 1, !!int '7', !thing x]", &json!(["1", 7, "x"]));
    check("a: |\n  x\n  y\nb: >-\n  x\n  y\n", &json!({"a": "x\ny\n", "b": "x y"}));
    check("200: a\ntrue: b\n~: c", &json!({"200": "a", "true": "b", "~": "c"}));
    check("", &Value::Null);
}

#[test]
fn aliases_are_copied_and_merges_applied() {
    check("a: &x {b: 1}\nc: *x", &json!({"a": {"b": 1}, "c": {"b": 1}}));
    check(
        "a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  b: 3",
        &json!({"a": {"b": 1, "c": 2}, "d": {"b": 3, "c": 2}}),
    );
    check(
        "a: &x {b: 1}\nc: &y {b: 2, d: 3}\ne: {<<: [*x, *y]}",
        &json!({"a": {"b": 1}, "c": {"b": 2, "d": 3}, "e": {"b": 1, "d": 3}}),
    );
    check("a: &x\n  self: *x", &json!({"a": {"self": null}}));
    check("a: *nothing", &json!({"a": null}));
    check("? [1, 2]\n: x", &json!({"?": "x"}));
}

#[test]
fn repeated_keys_are_counted() {
    let parsed = parse("paths:\n  /a: {get: 1}\n  /a: {put: 2}\nx: 1\nx: 2", &mut budget(), 10)
        .expect("good");
    assert_eq!(parsed.value, json!({"paths": {"/a": {"get": 1, "put": 2}}, "x": 2}));
    assert_eq!(parsed.repeated_keys, 2);
}

#[test]
fn only_the_first_document_is_read() {
    let parsed = parse("a: 1\n---\nb: 2\n", &mut budget(), 10).expect("good");
    assert_eq!((parsed.value, parsed.more_documents), (json!({"a": 1}), true));
}

#[test]
fn bounds_hold() {
    let bomb = (0..30).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, n| {
        let list = format!("*a{n},").repeat(9);
        format!("{text}a{}: &a{} [{list}]\n", n + 1, n + 1)
    });
    let check = |text: &str, spent: Spent| {
        let fault = parse(text, &mut budget(), 10_000).expect_err("a fault");
        assert_eq!(fault.spent, Some(spent), "{}", fault.message);
    };
    check(&bomb, Spent::Aliases);
    check(&"[".repeat(100_000), Spent::Depth);
    check(&"- ".repeat(100_000), Spent::Depth);
    check(&(0..500).map(|n| format!("{}a:\n", " ".repeat(n))).collect::<String>(), Spent::Depth);
    let chain = (0..100).fold("a0: &a0 [x]\n".to_owned(), |text, n| {
        format!("{text}a{}: &a{} [*a{n}]\n", n + 1, n + 1)
    });
    check(&chain, Spent::Depth);
}

#[test]
fn faults_say_where() {
    let fault = parse("a: 1\nb: [1, 2\nc: 3\n", &mut budget(), 10).expect_err("a fault");
    assert!(fault.line >= 2, "{fault:?}");
}

#[test]
fn loose_indentation_is_read_and_noticed() {
    let parsed = parse("a:\n  b: {\n    c: 1\n  }\n", &mut budget(), 10).expect("good");
    assert_eq!((parsed.value, parsed.indentation.is_some()), (json!({"a": {"b": {"c": 1}}}), true));
}
