//! The schema says to editors what the checker says to `portway check`.

use serde_json::Value;

use super::json_schema;

fn walk(schema: &Value, visit: &mut impl FnMut(&Value)) {
    visit(schema);
    match schema {
        Value::Object(map) => map.values().for_each(|inner| walk(inner, visit)),
        Value::Array(items) => items.iter().for_each(|inner| walk(inner, visit)),
        _ => {}
    }
}

#[test]
fn null_is_no_way_to_leave_a_thing_out() {
    let mut nulls = 0;
    walk(&json_schema(), &mut |schema| {
        if schema
            .get("type")
            .and_then(Value::as_array)
            .is_some_and(|kinds| kinds.contains(&"null".into()))
        {
            nulls += 1;
        }
        assert_ne!(schema.get("default"), Some(&Value::Null));
    });
    // The header of a key, which has a default that can be switched off.
    assert_eq!(nulls, 1);
}

#[test]
fn every_reference_leads_somewhere() {
    let schema = json_schema();
    walk(&schema, &mut |inner| {
        if let Some(reference) = inner.get("$ref").and_then(Value::as_str) {
            assert!(schema.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
        }
    });
}

#[test]
fn every_object_is_closed() {
    walk(&json_schema(), &mut |schema| {
        if schema.get("properties").is_some_and(Value::is_object)
            && schema.get("type") == Some(&"object".into())
        {
            assert_eq!(schema.get("additionalProperties"), Some(&Value::Bool(false)), "{schema}");
        }
    });
}
