//! Learning what an application is asked for, so that a contract can be proposed.

use std::fmt;

use schemars::{JsonSchema, Schema, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::{Duration, shape};

/// Watches the calls of a service that its application answers well, and proposes a contract from them. Written as the name of a file, or as a map.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schemars(transform = file_or_map)]
#[schemars(title = "learning")]
pub struct Learn {
    /// The file that the proposal is written to, relative to the document; its directory must be there. What is remembered stands beside it, in a file that ends with `.state`. Once somebody has edited it, the proposal goes beside it: `shop.proposed.yaml` for `shop.yaml`.
    #[schemars(extend("format" = "portway-file"))]
    pub file: String,
    /// So many calls of an operation are enough to propose it. Default 3.
    #[serde(default = "Learn::default_calls", skip_serializing_if = "Learn::is_default_calls")]
    #[schemars(range(min = 1))]
    pub min_calls: u32,
    /// So many callers are enough, too. Default 2.
    #[serde(default = "Learn::default_callers", skip_serializing_if = "Learn::is_default_callers")]
    #[schemars(range(min = 1))]
    pub min_callers: u32,
    /// How often it is written, if there is something new. Default 30s.
    #[serde(default = "Learn::default_every", skip_serializing_if = "Learn::is_default_every")]
    pub every: Duration,
}

impl Learn {
    fn default_calls() -> u32 {
        3
    }

    fn is_default_calls(value: &u32) -> bool {
        *value == Self::default_calls()
    }

    fn default_callers() -> u32 {
        2
    }

    fn is_default_callers(value: &u32) -> bool {
        *value == Self::default_callers()
    }

    fn default_every() -> Duration {
        Duration::from_ms(30_000)
    }

    fn is_default_every(value: &Duration) -> bool {
        *value == Self::default_every()
    }

    fn of_file(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            min_calls: Self::default_calls(),
            min_callers: Self::default_callers(),
            every: Self::default_every(),
        }
    }
}

impl Serialize for Learn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if *self == Self::of_file(&self.file) {
            serializer.serialize_str(&self.file)
        } else {
            Self::serialize(self, serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Learn {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;
        impl<'de> Visitor<'de> for Forms {
            type Value = Learn;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a file, or a map")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Learn, E> {
                Ok(Learn::of_file(text))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Learn, A::Error> {
                Learn::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(Forms)
    }
}

fn file_or_map(schema: &mut Schema) {
    let file = json_schema!({
        "description": "The file that the proposal is written to.",
        "type": "string",
        "format": "portway-file",
    });
    shape::also(schema, vec![file]);
}
