//! The JSON Schema of a document, made from the types.
//!
//! It serves three masters that must never differ: editors (`portway schema`), the checker of this room,
//! and the reference in `docs/`.

use std::sync::OnceLock;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::{Map, Value, json};

use crate::Document;

/// The JSON Schema (2020-12) of a Portway document.
pub fn json_schema() -> Value {
    document_schema().clone()
}

/// The same, made once.
pub(crate) fn document_schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(schema_of::<Document>)
}

/// The JSON Schema (2020-12) of a file of cases.
pub fn cases_json_schema() -> Value {
    cases_schema().clone()
}

/// The same, made once.
pub(crate) fn cases_schema() -> &'static Value {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    SCHEMA.get_or_init(schema_of::<crate::Cases>)
}

fn schema_of<T: JsonSchema>() -> Value {
    let mut schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    RecursiveTransform(tidy).transform(&mut schema);
    Value::from(schema)
}

/// Makes one schema of the tree say what we mean.
fn tidy(schema: &mut schemars::Schema) {
    let Some(object) = schema.as_object_mut() else { return };
    drop_null(object);
    name_keys(object);
    bound_integers(object);
}

/// A field that may be left out is left out: `null` is no way to write that. Only where the default is
/// something does `null` mean something of its own, and stays.
fn drop_null(object: &mut Map<String, Value>) {
    if object.get("default").is_some_and(Value::is_null) {
        object.remove("default");
    }
    if object.contains_key("default") {
        return;
    }
    if let Some(Value::Array(kinds)) = object.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = kinds.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(alternatives)) = object.get_mut("anyOf") {
        alternatives.retain(|schema| schema != &json!({ "type": "null" }));
        if let [Value::Object(only)] = alternatives.as_slice() {
            let only = only.clone();
            object.remove("anyOf");
            for (key, value) in only {
                object.entry(key).or_insert(value);
            }
        }
    }
}

/// Maps by name: the grammar of names as `propertyNames`, so that what is inside is checked even when
/// the name is wrong.
fn name_keys(object: &mut Map<String, Value>) {
    let Some(Value::Object(patterns)) = object.get("patternProperties") else { return };
    let Some((pattern, values)) = patterns.iter().next() else { return };
    let (pattern, mut values) = (pattern.clone(), values.clone());
    if let Some(values) = values.as_object_mut() {
        values.insert("x-portway-key".to_owned(), json!("portway-name"));
    }
    object.remove("patternProperties");
    object.insert("propertyNames".to_owned(), json!({ "type": "string", "pattern": pattern }));
    object.insert("additionalProperties".to_owned(), values);
}

/// The width of the Rust type is a bound too, and `uint32` says nothing to an editor.
fn bound_integers(object: &mut Map<String, Value>) {
    let maximum = match object.get("format").and_then(Value::as_str) {
        Some("uint16") => u64::from(u16::MAX),
        Some("uint32") => u64::from(u32::MAX),
        _ => return,
    };
    object.remove("format");
    object.entry("maximum").or_insert_with(|| json!(maximum));
}

#[cfg(test)]
mod tests;
