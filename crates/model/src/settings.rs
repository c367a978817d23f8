//! The settings of the process as environment variables and flags.
//!
//! Made from the schema of [`crate::Gateway`], so that a new field has both at once. A file is overruled by the
//! environment, the environment by a flag; the caller gives them in that order.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use crate::finding::Finding;
use crate::path::{self, dotted};
use crate::schema::document_schema;

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// JSON pointer of it in the document: `/gateway/bounds/head_bytes`.
    pub pointer: String,
    /// Environment variable: `PORTWAY_BOUNDS_HEAD_BYTES`.
    pub env: String,
    /// Flag: `--bounds-head-bytes`.
    pub flag: String,
    /// What it is for, one paragraph.
    pub doc: String,
    /// Its default as it would be written; empty where there is none.
    pub default: String,
    /// Whether it takes several values, separated by commas.
    pub is_list: bool,
}

/// A setting from outside of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// JSON pointer of the setting.
    pub pointer: String,
    /// Its value as text; lists with commas between their items.
    pub value: String,
    /// Where it came from, for messages: `environment variable PORTWAY_ADMIN`, `flag --admin`.
    pub origin: String,
}

/// All settings that can be given from outside, in the order of their pointers.
pub fn settings() -> Vec<Setting> {
    table().to_vec()
}

fn table() -> &'static [Setting] {
    static TABLE: OnceLock<Vec<Setting>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut found = Vec::new();
        collect(&document_schema()["properties"]["gateway"], "/gateway", &mut found);
        found
    })
}

/// The schema behind a `$ref`.
fn resolve(schema: &Value) -> &Value {
    let reference = schema.get("$ref").and_then(Value::as_str);
    reference
        .and_then(|reference| document_schema().pointer(reference.trim_start_matches('#')))
        .unwrap_or(schema)
}

/// The depth is that of our own types.
fn collect(schema: &Value, pointer: &str, found: &mut Vec<Setting>) {
    let target = resolve(schema);
    if let Some(properties) = target.get("properties").and_then(Value::as_object) {
        for (name, inner) in properties {
            collect(inner, &path::child(pointer, name), found);
        }
        return;
    }
    // Maps and references to secrets are written in the document only.
    if target.get("type").and_then(Value::as_str) == Some("object") || is_secret(target) {
        return;
    }
    let words: Vec<String> = path::steps(pointer).skip(1).collect();
    let doc =
        schema.get("description").or_else(|| target.get("description")).and_then(Value::as_str);
    found.push(Setting {
        pointer: pointer.to_owned(),
        env: format!("PORTWAY_{}", words.join("_").to_uppercase()),
        flag: format!("--{}", words.join("-").replace('_', "-")),
        doc: doc.unwrap_or_default().to_owned(),
        default: schema.get("default").map(as_given).unwrap_or_default(),
        is_list: target.get("type").and_then(Value::as_str) == Some("array"),
    });
}

/// Whether a reference to a secret is expected, perhaps or none.
fn is_secret(schema: &Value) -> bool {
    let alternatives = schema.get("anyOf").and_then(Value::as_array);
    schema.get("x-portway-secret").is_some()
        || alternatives
            .is_some_and(|all| all.iter().any(|one| resolve(one).get("x-portway-secret").is_some()))
}

/// A default as one would give it in the environment.
fn as_given(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(as_given).collect::<Vec<_>>().join(","),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// Puts a setting into the tree of a document. Whether the value fits is left to the schema.
pub(crate) fn put(document: &mut Map<String, Value>, given: &Override) -> Result<(), Finding> {
    let Some(setting) = table().iter().find(|setting| setting.pointer == given.pointer) else {
        let message = format!("{} is not a setting that can be given here", dotted(&given.pointer));
        let known = table().iter().map(|setting| setting.pointer.as_str());
        return Err(Finding::error("unknown-setting", &given.pointer, message)
            .did_you_mean(&given.pointer, known));
    };
    let mut map = document;
    let steps: Vec<String> = path::steps(&given.pointer).collect();
    let Some((last, around)) = steps.split_last() else { return Ok(()) };
    for step in around {
        let entry = map.entry(step.as_str()).or_insert_with(|| Value::Object(Map::new()));
        if entry.is_null() {
            *entry = Value::Object(Map::new());
        }
        // Something else stands there in the file, and will be refused for that.
        let Value::Object(inner) = entry else { return Ok(()) };
        map = inner;
    }
    map.insert(last.clone(), value_of(setting, &given.value));
    Ok(())
}

/// The text as the kind of value that the setting takes, if it is one; else as it is, to be refused.
fn value_of(setting: &Setting, text: &str) -> Value {
    let text = text.trim();
    if setting.is_list {
        let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
        return Value::Array(items.map(Value::from).collect());
    }
    let kind = document_schema()
        .pointer("/properties/gateway")
        .and_then(|schema| leaf(schema, &setting.pointer));
    match kind.and_then(|schema| schema.get("type")).and_then(Value::as_str) {
        Some("integer") => crate::text::whole_number(text).map_or_else(|| text.into(), Value::from),
        Some("boolean") => text.parse::<bool>().map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    }
}

/// The schema of a setting.
fn leaf(gateway: &'static Value, pointer: &str) -> Option<&'static Value> {
    path::steps(pointer)
        .skip(1)
        .try_fold(resolve(gateway), |schema, step| schema.get("properties")?.get(step).map(resolve))
}

#[cfg(test)]
mod tests;
