//! A backend that is not there yet: answers made from the contract.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Duration, shape};

/// Answers come from the contract instead of a backend: its examples, else values made from its schemas.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "mock")]
pub struct Mock {
    /// The status answered where a caller does not prefer another one. Default: the lowest success that the contract describes.
    #[serde(skip_serializing_if = "shape::is_default")]
    #[schemars(range(min = 200, max = 599))]
    pub status: Option<u16>,
    /// How long every answer takes, where a caller does not prefer another time. Default: no time.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub wait: Option<Duration>,
}
