//! The whole of what was written: one file, or several merged into one.
//!
//! Merging, positions and checking stand beside this file; this one is only the shape.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{App, Gateway, Name, Plan, Service};

/// A Portway document.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "document")]
pub struct Document {
    /// Version of the document format. Always `1`.
    #[schemars(extend("const" = 1))]
    pub portway: u32,
    /// More files to read, relative to this one; `*` stands for any part of a file name. Each is a document of its own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "string", "format": "portway-file" }))]
    pub include: Vec<String>,
    /// Settings of the process: where it listens, bounds, logs. May stand in one file only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Gateway>,
    /// The services by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<Name, Service>,
    /// The apps (callers) by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub apps: BTreeMap<Name, App>,
    /// The usage plans by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub plans: BTreeMap<Name, Plan>,
}
