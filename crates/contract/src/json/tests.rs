//! Values, bounds and repeated keys.

use super::*;
use serde_json::json;

fn budget() -> Budget {
    Budget { left_bytes: 1 << 20, depth: 256 }
}

#[test]
fn values_are_read_as_they_stand() {
    let check = |text: &str, expected: Value, repeated: usize| {
        let parsed = parse(text, &mut budget()).expect(text);
        assert_eq!((parsed.value, parsed.repeated_keys), (expected, repeated), "{text}");
    };
    check(
        r#"{"a":[1,-2,3.5,true,null,"x\u00e9"]}"#,
        json!({"a": [1, -2, 3.5, true, null, "x\u{e9}"]}),
        0,
    );
    check(r#"{"a":1,"a":2}"#, json!({"a": 2}), 1);
    check(
        r#"{"paths":{"/a":{"get":1},"/a":{"post":2}}}"#,
        json!({"paths": {"/a": {"get": 1, "post": 2}}}),
        1,
    );
    check(r#"{"x":{"a":{"get":1},"a":{"post":2}}}"#, json!({"x": {"a": {"post": 2}}}), 1);
}

#[test]
fn bounds_hold() {
    let check = |text: &str, spent: Spent| {
        let fault = parse(text, &mut budget()).expect_err("a fault");
        assert_eq!(fault.spent, Some(spent));
    };
    check(&"[".repeat(100_000), Spent::Depth);
    check(&"{\"a\":".repeat(100_000), Spent::Depth);
    check(&format!("[{}0]", "{\"\":0},".repeat(10_000)), Spent::Memory);
    let deep = format!("{}{}", "[".repeat(256), "]".repeat(256));
    assert!(parse(&deep, &mut budget()).is_ok());
}

#[test]
fn faults_say_where() {
    let fault = parse("{\n  \"a\": 1,\n}", &mut budget()).expect_err("a fault");
    assert_eq!((fault.line, fault.column, fault.spent), (3, 1, None));
    assert_eq!(fault.message, "trailing comma");
}

#[test]
fn comments_and_trailing_commas_are_blanked_out() {
    let check = |text: &str, expected: Option<&str>| {
        assert_eq!(without_comments(text).as_deref(), expected, "{text}")
    };
    check("{\"a\": 1}", None);
    check("{\"a\": 1, // x\n}", Some("{\"a\": 1      \n}"));
    check("[1, /* é, */ ]", Some("[1            ]"));
    check("{\"//\": \"/*,}\"}", None);
    check("[1,,]", Some("[1, ]"));
    check("/*", Some("  "));
    check("\"", None);
    check("/", None);
}
