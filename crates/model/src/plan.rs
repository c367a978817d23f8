//! A usage plan: what an app that has it may use.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Limit, Quota, shape};

/// One usage plan. Its limits and quota count for each app that has it, over all services.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "plan")]
pub struct Plan {
    /// Limits of each app. `100/s` here means `100/s per app`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// Calls per day or month, in UTC: `1000000/month`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota: Option<Quota>,
    /// The most calls of one app that may be under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub concurrency: Option<u32>,
    /// Whose calls go first when there are more than a backend, or the gateway, can serve. Default `normal`.
    #[serde(default, skip_serializing_if = "shape::is_default")]
    pub priority: Priority,
}

/// Whose calls go first when there are too many. Calls without a plan are `normal`.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "priority")]
pub enum Priority {
    /// The first to be refused.
    Low,
    /// As everybody.
    #[default]
    Normal,
    /// Before all others, and waits longer for a place.
    High,
    /// Before even those.
    Critical,
}

impl Priority {
    /// All of them, the lowest first.
    pub const ALL: &'static [Self] = &[Self::Low, Self::Normal, Self::High, Self::Critical];

    /// The word for it in documents, metrics and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}
