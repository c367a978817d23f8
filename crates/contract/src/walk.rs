//! Going through a document: where one is, which children are names and which are keywords, and which
//! parts hold examples that must not be read as anything.

use serde_json::Value;

use crate::contract::Node;
use crate::pointer;

/// A step from a value to a child.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'v> {
    Key(&'v str),
    Index(usize),
}

/// Longest pointer that is spelt out, in bytes; what lies deeper is named by its ancestor.
const POINTER_BYTES: usize = 16 * 1024;

/// Where one is in a document. The pointer is spelt out only when it is asked for.
#[derive(Clone, Debug)]
pub(crate) struct Way<'v> {
    pub(crate) document: usize,
    start: String,
    steps: Vec<Step<'v>>,
}

impl<'v> Way<'v> {
    /// At that node.
    pub(crate) fn at(document: usize, start: impl Into<String>) -> Way<'v> {
        Way { document, start: start.into(), steps: Vec::new() }
    }

    pub(crate) fn push(&mut self, step: Step<'v>) {
        self.steps.push(step);
    }

    pub(crate) fn pop(&mut self) {
        self.steps.pop();
    }

    pub(crate) fn pointer(&self) -> String {
        let mut text = self.start.clone();
        for step in &self.steps {
            match step {
                Step::Key(key) if text.len() + key.len() > POINTER_BYTES => break,
                Step::Key(key) => pointer::push(&mut text, key),
                Step::Index(index) => pointer::push(&mut text, &index.to_string()),
            }
        }
        text
    }

    pub(crate) fn node(&self) -> Node {
        Node { document: self.document, pointer: self.pointer() }
    }
}

/// Members whose own members are names chosen by the author, not keywords.
const NAME_MAPS: [&str; 26] = [
    "$defs",
    "callbacks",
    "content",
    "definitions",
    "dependentSchemas",
    "encoding",
    "examples",
    "headers",
    "links",
    "mapping",
    "mediaTypes",
    "parameters",
    "pathItems",
    "paths",
    "patternProperties",
    "properties",
    "requestBodies",
    "responses",
    "schemas",
    "scopes",
    "securityDefinitions",
    "securitySchemes",
    "variables",
    "webhooks",
    "x-ms-paths",
    "x-webhooks",
];

/// Calls `visit` for every object that a reference or anchor could stand in, parents first. Examples,
/// defaults, enumerations and extensions are left out. Recursion is bounded by the documents' depth.
pub(crate) fn objects<'v>(
    value: &'v Value,
    way: &mut Way<'v>,
    visit: &mut impl FnMut(&'v serde_json::Map<String, Value>, &Way<'v>),
) {
    walk(value, false, way, visit);
}

fn walk<'v>(
    value: &'v Value,
    in_names: bool,
    way: &mut Way<'v>,
    visit: &mut impl FnMut(&'v serde_json::Map<String, Value>, &Way<'v>),
) {
    match value {
        Value::Object(members) => {
            visit(members, way);
            for (key, child) in members {
                if !child.is_object() && !child.is_array() {
                    continue;
                }
                if !in_names && is_opaque(key) {
                    continue;
                }
                let names = !in_names && NAME_MAPS.binary_search(&key.as_str()).is_ok();
                way.push(Step::Key(key));
                if names && key == "examples" {
                    examples(child, way, visit);
                } else {
                    walk(child, names, way, visit);
                }
                way.pop();
            }
        }
        Value::Array(items) => {
            for (index, child) in items.iter().enumerate() {
                if child.is_object() || child.is_array() {
                    way.push(Step::Index(index));
                    walk(child, false, way, visit);
                    way.pop();
                }
            }
        }
        _ => {}
    }
}

/// Example objects may be references, but what is in them is anything.
fn examples<'v>(
    value: &'v Value,
    way: &mut Way<'v>,
    visit: &mut impl FnMut(&'v serde_json::Map<String, Value>, &Way<'v>),
) {
    let Value::Object(members) = value else { return };
    for (key, child) in members {
        if let Value::Object(example) = child
            && example.contains_key("$ref")
        {
            way.push(Step::Key(key));
            visit(example, way);
            way.pop();
        }
    }
}

/// Members that hold values of the author's API, or of other tools.
fn is_opaque(key: &str) -> bool {
    matches!(key, "example" | "default" | "enum" | "const" | "value" | "dataValue")
        || (key.starts_with("x-") && key != "x-ms-paths" && key != "x-webhooks")
}

#[cfg(test)]
mod tests;
