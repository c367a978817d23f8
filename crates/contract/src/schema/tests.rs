//! What is told of values that are wrong, dialects, and bounds. The words themselves: the suite in `tests/it/schemas.rs`.

use serde_json::{Value, json};

use super::{Builder, Dialect, Verdict};

/// Pointers and rules of what is wrong; empty if nothing is.
fn problems(dialect: Dialect, schema: &Value, value: &Value) -> Vec<(String, &'static str)> {
    let mut builder = Builder::new(dialect, &[("contract:///test", schema)]);
    let id = builder.document(0).expect("a document");
    let (schemas, findings) = builder.finish();
    assert_eq!(findings, [], "{schema}");
    match schemas.check(id, &value.into(), 100) {
        Verdict::Valid => Vec::new(),
        Verdict::Invalid(problems) => problems.into_iter().map(|p| (p.pointer, p.rule)).collect(),
        Verdict::TooComplex => vec![(String::new(), "complexity")],
    }
}

fn check(dialect: Dialect, schema: &Value, value: &Value, expected: &[(&str, &str)]) {
    let found = problems(dialect, schema, value);
    let found: Vec<(&str, &str)> = found.iter().map(|(at, rule)| (&**at, *rule)).collect();
    assert_eq!(found, expected, "{value} by {schema}");
}

#[test]
fn all_problems_are_told_with_their_places() {
    let schema = json!({
        "type": "object",
        "required": ["id", "name"],
        "additionalProperties": false,
        "properties": {
            "id": { "type": "integer", "minimum": 1 },
            "tags": { "type": "array", "maxItems": 2, "items": { "enum": ["a", "b"] } },
            "a/b~c": { "type": "string", "pattern": "^x" },
        },
    });
    let value = json!({ "id": 0, "tags": ["a", "c", "d"], "a/b~c": "y", "more": 1 });
    check(
        Dialect::Draft202012,
        &schema,
        &value,
        &[
            ("/a~1b~0c", "pattern"),
            ("/id", "minimum"),
            ("/more", "additionalProperties"),
            ("/tags/1", "enum"),
            ("/tags/2", "enum"),
            ("/tags", "maxItems"),
            ("", "required"),
        ],
    );
}

#[test]
fn of_alternatives_the_one_that_was_meant_is_told() {
    let schema = json!({ "anyOf": [
        { "type": "null" },
        { "type": "object", "properties": { "n": { "type": "integer" } } },
    ]});
    let check =
        |value, expected: &[(&str, &str)]| check(Dialect::Draft202012, &schema, &value, expected);
    check(json!({ "n": "x" }), &[("/n", "type")]);
    check(json!("x"), &[("", "anyOf")]);
    check(json!(null), &[]);
}

#[test]
fn openapi_3_0_has_its_own_words() {
    let check = |schema, value, expected: &[(&str, &str)]| {
        check(Dialect::OpenApi30, &schema, &value, expected)
    };
    check(json!({ "type": "string", "nullable": true }), json!(null), &[]);
    check(json!({ "type": "string", "nullable": true, "enum": ["a"] }), json!(null), &[]);
    check(json!({ "type": "string" }), json!(null), &[("", "type")]);
    check(json!({ "minimum": 3, "exclusiveMinimum": true }), json!(3), &[("", "exclusiveMinimum")]);
    check(json!({ "minimum": 3, "exclusiveMinimum": false }), json!(3), &[]);
    check(json!({ "type": "file" }), json!(3), &[]);
    check(json!({ "const": 3 }), json!(4), &[]);
    let account = json!({
        "required": ["id", "name"],
        "properties": { "id": { "readOnly": true }, "name": {} },
    });
    check(account.clone(), json!({ "name": "x" }), &[]);
    check(account, json!({ "id": 1 }), &[("", "required")]);
}

#[test]
fn what_goes_in_a_circle_ends() {
    let ring = json!({
        "$ref": "#/$defs/a",
        "$defs": { "a": { "allOf": [{ "$ref": "#/$defs/b" }] }, "b": { "oneOf": [{ "$ref": "#/$defs/a" }] } },
    });
    check(Dialect::Draft202012, &ring, &json!({}), &[]);
    check(Dialect::Draft202012, &json!({ "$ref": "#" }), &json!(1), &[]);
}

#[test]
fn no_value_costs_more_than_its_size_allows() {
    // Two alternatives at every level: as many ways as two to the depth.
    let schema = json!({
        "anyOf": [
            { "properties": { "a": { "$ref": "#" }, "x": { "const": 1 } }, "required": ["z"] },
            { "properties": { "a": { "$ref": "#" } }, "required": ["y"] },
        ],
    });
    let mut value = json!({});
    for _ in 0..60 {
        value = json!({ "a": value });
    }
    check(Dialect::Draft202012, &schema, &value, &[("", "complexity")]);
}

#[test]
fn problems_are_bounded() {
    let schema = json!({ "items": { "type": "integer" } });
    let value = Value::Array(vec![json!("x"); 1_000]);
    assert_eq!(problems(Dialect::Draft202012, &schema, &value).len(), super::PROBLEMS_MAX);
    let schema = json!({ "additionalProperties": { "type": "integer" } });
    let value = json!({ "x".repeat(100_000): "y" });
    check(Dialect::Draft202012, &schema, &value, &[("", "type")]);
}

#[test]
fn what_cannot_be_checked_is_said_and_accepts() {
    let check = |schema: Value, value: Value, said: &str| {
        let mut builder = Builder::new(Dialect::Draft202012, &[("contract:///test", &schema)]);
        let id = builder.document(0).expect("a document");
        let (schemas, findings) = builder.finish();
        let words: Vec<&str> = findings.iter().map(|finding| &*finding.message).collect();
        assert!(matches!(words[..], [one] if one.contains(said)), "{words:?}");
        assert_eq!(schemas.check(id, &(&value).into(), 10), Verdict::Valid, "{schema}");
    };
    check(json!({ "$ref": "http://elsewhere/x.json" }), json!(1), "leads to nothing");
    check(json!({ "$ref": "#/$defs/none" }), json!(1), "leads to nothing");
    check(json!({ "pattern": "(?=x)" }), json!("y"), "linear");
    check(
        json!({ "patternProperties": { "(?=x)": {} }, "additionalProperties": false }),
        json!({ "y": 1 }),
        "linear",
    );
}
