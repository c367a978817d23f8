//! What telemetry may show of people.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SecretRef;

/// What log lines and spans show of callers. Changing it needs a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "settings of privacy")]
pub struct Privacy {
    /// Addresses of callers: `full`; their `network` (IPv4 /24, IPv6 /48); a keyed `hash`, which tells callers apart without naming them; or `drop`. Default `full`.
    #[serde(skip_serializing_if = "crate::shape::is_default")]
    pub client: ClientShown,
    /// Paths of calls: `full`, or `route`: the template of the operation, so that no parameter is shown; a call that met no operation has none. Default `full`.
    #[serde(skip_serializing_if = "crate::shape::is_default")]
    pub path: PathShown,
    /// Names of apps: `full`, a keyed `hash`, or `drop`. Default `full`.
    #[serde(skip_serializing_if = "crate::shape::is_default")]
    pub app: AppShown,
    /// `User-Agent` of callers: `full` or `drop`. Default `full`.
    #[serde(skip_serializing_if = "crate::shape::is_default")]
    pub user_agent: TextShown,
    /// The key of hashes. Default: one that is drawn at each start, so that a caller has another hash after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<SecretRef>,
}

/// How addresses of callers are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "form of addresses")]
pub enum ClientShown {
    /// As they are.
    #[default]
    Full,
    /// The first 24 bits of IPv4, the first 48 of IPv6.
    Network,
    /// 16 hexadecimal digits of an HMAC-SHA-256.
    Hash,
    /// Not at all.
    Drop,
}

/// How paths are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "form of paths")]
pub enum PathShown {
    /// As they are, without the query.
    #[default]
    Full,
    /// The template of the operation.
    Route,
}

/// How names of apps are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "form of names")]
pub enum AppShown {
    /// As they are.
    #[default]
    Full,
    /// 16 hexadecimal digits of an HMAC-SHA-256.
    Hash,
    /// Not at all.
    Drop,
}

/// Whether a text is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "form of a text")]
pub enum TextShown {
    /// As it is.
    #[default]
    Full,
    /// Not at all.
    Drop,
}
