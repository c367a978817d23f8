//! Bounds on what a body may be before a schema of the contract is asked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ByteSize;

/// Bounds on bodies that are checked against the contract; all have safe defaults. A body beyond one of them is
/// refused, or, where calls are only reported, reported.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "bounds of checks")]
pub struct CheckBounds {
    /// Bytes of a body that is held until it was checked (413; where calls are only reported, it goes on unchecked). Default 1MiB; of forms of several parts, which carry files, the operation's `body_bytes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_bytes: Option<ByteSize>,
    /// Nesting of objects and lists. Default 64.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 120))]
    pub depth: Option<u32>,
    /// Members of one object. Default 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub members: Option<u32>,
    /// Items of one list. Default 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub items: Option<u32>,
    /// Values in all. Default 200000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub values: Option<u32>,
    /// Bytes of one text or name. Default 8MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_bytes: Option<ByteSize>,
    /// Bytes of one number. Default 400.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub number_bytes: Option<u32>,
    /// Fields of a form. Default 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub fields: Option<u32>,
}

impl CheckBounds {
    /// These, and where they say nothing, what `other` says.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            body_bytes: self.body_bytes.or(other.body_bytes),
            depth: self.depth.or(other.depth),
            members: self.members.or(other.members),
            items: self.items.or(other.items),
            values: self.values.or(other.values),
            text_bytes: self.text_bytes.or(other.text_bytes),
            number_bytes: self.number_bytes.or(other.number_bytes),
            fields: self.fields.or(other.fields),
        }
    }
}
