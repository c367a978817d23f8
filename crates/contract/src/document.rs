//! One file as it was written: its name, its format and its value.

use std::collections::HashMap;

use serde_json::Value;

/// How a file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// JSON (RFC 8259).
    Json,
    /// YAML 1.2, core schema.
    Yaml,
}

/// A parsed file. Its value is what stands in the file: nothing is added, renamed or converted.
#[derive(Debug)]
pub struct Document {
    file: String,
    path: String,
    format: Format,
    value: Value,
    own_address: Option<String>,
    anchors: HashMap<String, String>,
}

impl Document {
    pub(crate) fn new(file: String, path: String, format: Format, value: Value) -> Document {
        let own_address =
            value.get("$self").and_then(Value::as_str).filter(|address| !address.is_empty());
        let own_address =
            own_address.map(|address| address.split('#').next().unwrap_or(address).to_owned());
        Document { file, path, format, value, own_address, anchors: HashMap::new() }
    }

    pub(crate) fn set_anchors(&mut self, anchors: HashMap<String, String>) {
        self.anchors = anchors;
    }

    /// The file's path below the root.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The address the document gives itself (3.2 `$self`).
    #[must_use]
    pub fn own_address(&self) -> Option<&str> {
        self.own_address.as_deref()
    }

    /// The pointer of the schema with that `$anchor`.
    #[must_use]
    pub fn anchor(&self, name: &str) -> Option<&str> {
        self.anchors.get(name).map(String::as_str)
    }

    /// The file's name: as given by the caller for the first, else its path below the root.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// How it was written.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// What stands in it.
    #[must_use]
    pub fn value(&self) -> &Value {
        &self.value
    }
}
