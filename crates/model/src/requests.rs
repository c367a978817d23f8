//! What calls must be like before an application gets them: rules that need no contract.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ByteSize, shape};

/// What calls must be like before the application gets them, with a contract or without.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "rules for requests")]
pub struct Requests {
    /// Media types that a body may have; `image/*` takes every one of its kind. A body of another type, or of none, is answered with 415. Default: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("items" = { "type": "string", "format": "portway-media-type" }))]
    pub content_types: Option<Vec<String>>,
    /// The most bytes of a query. Default: the gateway's `bounds.target_bytes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_bytes: Option<ByteSize>,
    /// The most parameters of a query. Default: any number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_parameters: Option<u32>,
    /// The most bytes that the value of one header field may have. Default: the gateway's `bounds.head_bytes` for all together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub header_bytes: Option<ByteSize>,
    /// Rules for parameters of the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<PairRules>,
    /// Rules for header fields.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<HeaderRules>,
    /// Rules for cookies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookies: Option<PairRules>,
    /// Whether a call may ask for another method or path than its own, as frameworks take it from `X-HTTP-Method-Override`, `X-Original-URL` and the like, or from the query's `_method`. Default `deny`.
    #[serde(skip_serializing_if = "Permission::is_deny")]
    pub overrides: Permission,
    /// Compressed bodies. Default: none are taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compression: Option<Compression>,
    /// Rules for the parts of `multipart` bodies, which are how files are sent. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uploads: Option<Uploads>,
}

/// Whether something may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "permission")]
pub enum Permission {
    /// It may be.
    Allow,
    /// It may not.
    #[default]
    Deny,
}

impl Permission {
    fn is_deny(&self) -> bool {
        *self == Self::Deny
    }

    fn is_allow(&self) -> bool {
        *self == Self::Allow
    }
}

/// Rules for named values: parameters of a query, cookies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "rules for parameters")]
pub struct PairRules {
    /// The rule for each, by its name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, ValueRule>,
    /// Names that may not be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "string", "format": "portway-parameter" }))]
    pub denied: Vec<String>,
    /// Whether others than those with a rule may be there. Default `allow`.
    #[serde(default = "allow", skip_serializing_if = "Permission::is_allow")]
    pub unknown: Permission,
}

fn allow() -> Permission {
    Permission::Allow
}

/// Rules for header fields.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "rules for headers")]
pub struct HeaderRules {
    /// The rule for each, by its name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub rules: BTreeMap<String, ValueRule>,
    /// Names that may not be there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "string", "format": "portway-header" }))]
    pub denied: Vec<String>,
}

/// What a value must be like.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "rule for a value")]
pub struct ValueRule {
    /// A regular expression that the whole value must match, after decoding. It takes linear time whatever the value is, so there are no look-arounds and no back references.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// The most characters of the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_length: Option<u32>,
    /// Whether it must be there. Default false.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub required: bool,
    /// Whether it may be there more than once; each is judged. Default `deny`, since two readers may take different ones.
    #[serde(skip_serializing_if = "Permission::is_deny")]
    pub repeated: Permission,
}

/// Compressed bodies: which are taken, and how much they may become. They are inflated in passing, to be measured, and go on as they came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "rules for compressed bodies")]
pub struct Compression {
    /// Codings that are taken, one at a time: `gzip`, `deflate`. Others cannot be measured within a small memory and are refused.
    pub codings: Vec<Coding>,
    /// The most bytes that a body may become. Default: as many as a body may have (`body_bytes`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inflated_bytes: Option<ByteSize>,
    /// How many times its own size a body may become, from 64KiB on. Default 100.
    #[serde(default = "Compression::default_ratio")]
    #[schemars(range(min = 1, max = 2000))]
    pub ratio: u32,
}

impl Compression {
    fn default_ratio() -> u32 {
        100
    }
}

/// A content coding (RFC 9110 section 8.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "content coding")]
pub enum Coding {
    /// RFC 1952.
    Gzip,
    /// RFC 1950.
    Deflate,
}

/// Rules for the parts of multipart bodies. They are judged in passing; nothing is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "rules for uploads")]
pub struct Uploads {
    /// The most parts, files and other fields together. Default 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub parts: Option<u32>,
    /// The most files. Default: as many as parts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<u32>,
    /// The most bytes of one part. Default: as many as the body may have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part_bytes: Option<ByteSize>,
    /// Extensions that the names of files may have, without a dot, in any case. Default: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("items" = { "type": "string", "format": "portway-extension" }))]
    pub extensions: Option<Vec<String>>,
    /// Media types that files may say they have; `image/*` takes every one of its kind. Default: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("items" = { "type": "string", "format": "portway-media-type" }))]
    pub content_types: Option<Vec<String>>,
}

impl Uploads {
    /// The most parts where a document does not say.
    pub const PARTS: u32 = 100;
}
