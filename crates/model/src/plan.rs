//! A usage plan: what an app that has it may use.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Limit, Quota};

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
}
