//! Values made from schemas: what is in them, and what is not made.

#![allow(clippy::needless_pass_by_value, reason = "cases read better")]

use serde_json::{Value, json};

use crate::schema::{Builder, Dialect, Unmade, Verdict};

fn make(dialect: Dialect, schema: &Value) -> Result<Value, Unmade> {
    let mut builder = Builder::new(dialect, &[("contract:///t", schema)]).with_hints();
    let id = builder.document(0).expect("a document");
    let (schemas, _) = builder.finish();
    let made = schemas.make(id);
    if let Ok(value) = &made {
        assert_eq!(schemas.check(id, &value.into(), 1_000), Verdict::Valid, "{schema}: {value}");
        assert_eq!(schemas.make(id).as_ref(), Ok(value), "always the same");
    }
    made
}

#[track_caller]
fn check(schema: Value, expected: Value) {
    assert_eq!(make(Dialect::Draft202012, &schema), Ok(expected), "{schema}");
}

#[track_caller]
fn is_made(schema: Value) {
    let made = make(Dialect::Draft202012, &schema);
    assert!(made.is_ok(), "{schema}: {made:?}");
}

#[test]
fn what_the_contract_shows_comes_first() {
    check(json!({"type": "string", "example": "Rex"}), json!("Rex"));
    check(json!({"type": "string", "examples": ["Rex", "Tom"]}), json!("Rex"));
    check(json!({"type": "integer", "default": 7}), json!(7));
    check(json!({"enum": ["z", "a"]}), json!("z"));
    check(json!({"const": {"a": [1]}}), json!({"a": [1]}));
    // One that breaks the schema is no example of it.
    check(json!({"type": "integer", "example": "seven"}), json!(1));
    check(json!({"type": "string", "default": null}), json!("string"));
    check(json!({"enum": ["a", 5], "type": "integer"}), json!(5));
}

#[test]
fn scalars_keep_their_bounds() {
    check(json!({"type": "integer"}), json!(1));
    check(json!({"type": "number"}), json!(1.5));
    check(json!({"type": "boolean"}), json!(true));
    check(json!({"type": ["null", "string"]}), json!("string"));
    check(json!({"type": "null"}), json!(null));
    check(json!({}), json!("string"));
    check(json!({"type": "integer", "minimum": 10}), json!(10));
    check(json!({"type": "integer", "maximum": -3}), json!(-3));
    check(json!({"type": "integer", "exclusiveMinimum": 1, "exclusiveMaximum": 3}), json!(2));
    check(json!({"type": "integer", "multipleOf": 7, "minimum": 15}), json!(21));
    check(json!({"allOf": [{"multipleOf": 4}, {"multipleOf": 6}], "type": "integer"}), json!(12));
    is_made(json!({"type": "number", "multipleOf": 0.01, "exclusiveMinimum": 0}));
    is_made(json!({"type": "number", "minimum": 0.25, "maximum": 0.26}));
    is_made(json!({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1e-9}));
    is_made(json!({"type": "integer", "minimum": 9_223_372_036_854_775_807_u64}));
    is_made(json!({"type": "integer", "maximum": -9_223_372_036_854_775_808_i64}));
    is_made(json!({"type": "number", "minimum": 1e300}));
    is_made(json!({"type": "string", "minLength": 100}));
    is_made(json!({"type": "string", "maxLength": 2}));
    check(json!({"type": "string", "maxLength": 0}), json!(""));
    check(json!({"type": "string", "format": "date-time"}), json!("2025-01-15T09:30:00Z"));
    check(
        json!({"type": "string", "format": "uuid"}),
        json!("3fa85f64-5717-4562-b3fc-2c963f66afa5"),
    );
    is_made(json!({"type": "string", "format": "uri", "maxLength": 5}));
}

#[test]
fn patterns_are_written() {
    for pattern in [
        "^[A-Z]{3}-\\d{4}$",
        "^(cat|dog)s?$",
        "^\\w+@\\w+\\.com$",
        "[0-9]+",
        "^[^a-z]*$",
        "^a{2,4}(b|c){1,}$",
        "^$",
        "\\p{Lu}x",
        "^[\\u4e00-\\u9fa5]{2}$",
        "^arn:aws[a-z\\-]*:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+$",
        "^\\+?[1-9]\\d{1,14}$",
        "foo.*bar",
    ] {
        is_made(json!({"type": "string", "pattern": pattern}));
    }
    is_made(json!({"type": "string", "pattern": "^[a-z]+$", "minLength": 20, "maxLength": 30}));
    is_made(json!({"type": "string", "pattern": "^[a-z0-9]*$", "minLength": 5}));
    is_made(json!({"type": "string", "pattern": "x", "minLength": 5}));
    is_made(
        json!({"type": "string", "allOf": [{"pattern": "^[a-z]+$"}, {"pattern": "q"}], "maxLength": 26, "minLength": 17}),
    );
}

#[test]
fn lists_have_as_many_as_they_must() {
    check(json!({"type": "array", "items": {"type": "integer"}}), json!([1]));
    check(json!({"type": "array"}), json!(["string"]));
    check(
        json!({"items": {"type": "boolean"}, "uniqueItems": true, "minItems": 2}),
        json!([true, false]),
    );
    check(json!({"type": "array", "maxItems": 0}), json!([]));
    check(json!({"prefixItems": [{"const": 1}, {"const": 2}], "items": false}), json!([1, 2]));
    check(
        json!({"items": {"enum": ["a", "b", "c"]}, "uniqueItems": true, "minItems": 3}),
        json!(["a", "b", "c"]),
    );
    is_made(json!({"items": {"type": "string"}, "uniqueItems": true, "minItems": 50}));
    is_made(json!({"items": {"type": "number"}, "uniqueItems": true, "minItems": 50}));
    is_made(
        json!({"items": {"type": "object", "properties": {"id": {"type": "string", "format": "uuid"}}}, "uniqueItems": true, "minItems": 3}),
    );
    is_made(
        json!({"type": "array", "contains": {"const": 5}, "minContains": 2, "maxContains": 2, "minItems": 3}),
    );
    is_made(json!({"type": "array", "items": {"type": "integer"}, "contains": {"minimum": 100}}));
}

#[test]
fn objects_have_what_they_may_have() {
    check(
        json!({"type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "string"}}}),
        json!({"a": 1, "b": "string"}),
    );
    check(
        json!({"properties": {"in": {}, "secret": {"type": "string", "writeOnly": true}}}),
        json!({"in": "string"}),
    );
    check(
        json!({"type": "object", "additionalProperties": {"type": "integer"}}),
        json!({"key": 1}),
    );
    check(json!({"type": "object"}), json!({}));
    check(
        json!({"required": ["a"], "minProperties": 2, "additionalProperties": {"const": 1}}),
        json!({"a": 1, "key2": 1}),
    );
    check(
        json!({"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": false, "minProperties": 1}),
        json!({"x-": 1}),
    );
    check(json!({"properties": {"a": false, "b": {"const": 1}}}), json!({"b": 1}));
    is_made(json!({"properties": {"a": {}, "b": {}, "c": {}}, "maxProperties": 1}));
    is_made(
        json!({"type": "object", "propertyNames": {"pattern": "^[a-f]{4}$"}, "minProperties": 3}),
    );
    is_made(json!({"properties": {"a": {}}, "dependentRequired": {"a": ["b", "c"]}}));
    is_made(
        json!({"required": ["a"], "dependentSchemas": {"a": {"required": ["b"], "properties": {"b": {"type": "integer"}}}}}),
    );
    is_made(
        json!({"properties": {"a": {}}, "dependentSchemas": {"a": {"required": ["b"], "properties": {"b": {"type": "integer"}}}}}),
    );
    is_made(
        json!({"allOf": [{"properties": {"a": {"type": "string"}}}, {"required": ["a"], "properties": {"a": {"minLength": 9}}}]}),
    );
    is_made(
        json!({"allOf": [{"properties": {"a": {}}}, {"properties": {"b": {}}}], "unevaluatedProperties": false}),
    );
}

#[test]
fn combinations_are_kept() {
    check(json!({"oneOf": [{"type": "integer"}, {"type": "number"}]}), json!(1.5));
    check(json!({"anyOf": [{"type": "null"}, {"type": "string"}]}), json!("string"));
    check(json!({"type": "string", "not": {"const": "string"}}), json!("string2"));
    is_made(json!({"not": {"type": "string"}}));
    is_made(
        json!({"type": "object", "properties": {"a": {}, "b": {}}, "oneOf": [{"required": ["a"]}, {"required": ["b"]}]}),
    );
    is_made(
        json!({"oneOf": [{"properties": {"a": {"const": 1}}, "required": ["a"]}, {"properties": {"a": {"const": 2}}, "required": ["a"]}]}),
    );
    is_made(
        json!({"oneOf": [{"minimum": 5, "type": "integer"}, {"maximum": 7, "type": "integer"}]}),
    );
    is_made(
        json!({"if": {"properties": {"k": {"const": "x"}}, "required": ["k"]}, "then": {"required": ["a"]}, "else": {"required": ["b"]}}),
    );
    is_made(
        json!({"type": "integer", "if": {"minimum": 10}, "then": {"multipleOf": 7}, "else": {"multipleOf": 5}}),
    );
}

#[test]
fn a_discriminator_says_which_it_is() {
    check(
        json!({
            "oneOf": [{"$ref": "#/$defs/Cat"}, {"$ref": "#/$defs/Dog"}],
            "discriminator": {"propertyName": "kind", "mapping": {"feline": "#/$defs/Cat"}},
            "$defs": {
                "Cat": {"type": "object", "required": ["kind", "lives"], "properties": {"kind": {"type": "string"}, "lives": {"type": "integer"}}},
                "Dog": {"type": "object", "required": ["kind", "barks"], "properties": {"kind": {"type": "string"}, "barks": {"type": "boolean"}}},
            },
        }),
        json!({"kind": "feline", "lives": 1}),
    );
}

#[test]
fn recursion_ends_where_it_may() {
    check(
        json!({"properties": {"name": {"type": "string"}, "next": {"$ref": "#"}}}),
        json!({"name": "string"}),
    );
    check(
        json!({"properties": {"children": {"type": "array", "items": {"$ref": "#"}}}}),
        json!({"children": []}),
    );
    is_made(
        json!({"required": ["next"], "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}}),
    );
    let endless =
        json!({"type": "object", "required": ["next"], "properties": {"next": {"$ref": "#"}}});
    assert_eq!(make(Dialect::Draft202012, &endless), Err(Unmade::TooMuch));
}

#[test]
fn what_asks_too_much_is_not_made() {
    let too_much = |schema: Value| {
        assert_eq!(make(Dialect::Draft202012, &schema), Err(Unmade::TooMuch), "{schema}");
    };
    too_much(json!({"type": "array", "minItems": 1_000_000_000}));
    too_much(json!({"type": "string", "minLength": 1_000_000_000}));
    too_much(json!({"type": "object", "minProperties": 1_000_000_000}));
    too_much(json!({"type": "array", "contains": {}, "minContains": u64::MAX}));
    let wide = |inner: Value| json!({"type": "array", "minItems": 900, "items": inner});
    too_much(wide(wide(wide(json!({"type": "string"})))));
    assert_eq!(make(Dialect::Draft202012, &json!(false)), Err(Unmade::NotFound));
    assert_eq!(
        make(Dialect::Draft202012, &json!({"type": "integer", "minimum": 5, "maximum": 4})),
        Err(Unmade::NotFound)
    );
    // Alternatives of alternatives: two to the power of thirty.
    let pair =
        json!({"oneOf": [{"type": "string", "minLength": 3}, {"type": "string", "maxLength": 9}]});
    let all = json!({"allOf": vec![pair; 30]});
    let _ = make(Dialect::Draft202012, &all);
}

#[test]
fn null_is_for_those_who_ask() {
    let schema =
        json!({"type": "object", "properties": {"a": {"type": "string", "nullable": true}}});
    assert_eq!(make(Dialect::OpenApi30, &schema), Ok(json!({"a": "string"})));
}
