//! A secret by reference. The secret itself never stands in a document, a log or an error.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a secret is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(extend("x-portway-secret" = true))]
#[schemars(title = "secret reference")]
pub enum SecretRef {
    /// Name of an environment variable.
    Env(
        #[schemars(extend("format" = "portway-variable", "pattern" = "^[A-Za-z_][A-Za-z0-9_]*$"))]
        String,
    ),
    /// A file, relative to the document; white space at its end is cut off.
    File(#[schemars(extend("format" = "portway-file"))] String),
}
