//! Traces: where spans are sent, and of which calls.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{SecretRef, Share};

/// Spans of calls, sent as OTLP over HTTP (protobuf). Nothing is sent, and nothing costs anything, without `to`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "settings of traces")]
pub struct Traces {
    /// The collector, `http://` or `https://`; without a path, spans go to `/v1/traces` of it. Default: none, and no spans. Changing anything here needs a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "portway-collector", "examples" = ["http://127.0.0.1:4318"]))]
    pub to: Option<String>,
    /// Which share of the traces that begin here is sampled, such as `1%` or `0.05%`. Default 1%.
    #[serde(skip_serializing_if = "crate::shape::is_default")]
    pub sample: Share,
    /// Which calls are sent although they are not sampled: none (`off`), those that end with 5xx (`failures`), or also those that are refused or broken off (`all`). Default `failures`.
    #[serde(skip_serializing_if = "crate::shape::is_default")]
    pub errors: TraceErrors,
    /// Whose decision, the `sampled` flag of `traceparent`, is followed: that of `proxies` (`gateway.trusted_proxies`), of `everyone`, or of `nobody`. Default `proxies`: any other caller could have all of its calls sent.
    #[serde(skip_serializing_if = "crate::shape::is_default")]
    pub follow: FollowedParent,
    /// Header fields for the collector, such as a token; values are references to secrets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, SecretRef>,
    /// Attributes of the resource that the spans come from, such as `deployment.environment.name`. `service.name` is `portway` unless it is given here.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub resource: BTreeMap<String, String>,
    /// PEM file of the authorities to trust for an `https` collector in place of the system's, relative to the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "portway-file"))]
    pub ca: Option<String>,
}

/// Which calls are sent although they are not sampled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "calls that are always sent")]
pub enum TraceErrors {
    /// None.
    Off,
    /// Those that end with 5xx.
    #[default]
    Failures,
    /// Those that end with 5xx, and every other whose outcome is not `ok`.
    All,
}

/// Whose decision about sampling is followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "callers whose sampling is followed")]
pub enum FollowedParent {
    /// That of trusted proxies.
    #[default]
    Proxies,
    /// That of every caller.
    Everyone,
    /// Nobody's: Portway decides for each call.
    Nobody,
}

#[cfg(test)]
mod tests;
