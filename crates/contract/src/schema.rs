//! Values checked against the schemas of a contract.
//!
//! Schemas are compiled once, when a contract is loaded, into one arena: each place of a document that is a schema
//! is one entry in it however often it is referred to, so cost and memory grow with the documents and not
//! with the operations. References lead within the documents that the contract's [`crate::Loader`] gave,
//! and nowhere else. The dialect follows the version of OpenAPI ([`Dialect`]).
//!
//! Checking is bounded whatever the schema and the value are: a number of steps that grows with the value
//! (a recursive `oneOf` would else cost time exponential in the depth of what a caller sends), a depth, and
//! a number of problems. Patterns run on an engine that is linear in the text. `format` is not checked.

mod address;
mod compile;
mod hints;
mod index;
pub mod intake;
mod kinds;
mod make;
mod number;
mod pattern;
mod problem;
mod same;
mod validate;
mod value;

pub use compile::{Builder, Finding};
pub use kinds::Kinds;
pub use make::Unmade;
pub use problem::{PROBLEMS_MAX, Problem};
pub use validate::Verdict;
pub use value::{Map, Value};

use regex::Regex;
use serde_json::Number;

use crate::contract::SpecVersion;

/// The language that schemas are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// JSON Schema draft 4.
    Draft4,
    /// The Schema Objects of OpenAPI 2.0 and 3.0: draft 4 with `nullable`, without `id`; what is `readOnly` is
    /// not required of a request.
    OpenApi30,
    /// JSON Schema 2020-12, of OpenAPI 3.1 and 3.2.
    Draft202012,
}

impl From<SpecVersion> for Dialect {
    fn from(version: SpecVersion) -> Self {
        match version {
            SpecVersion::V2_0 | SpecVersion::V3_0 => Self::OpenApi30,
            SpecVersion::V3_1 | SpecVersion::V3_2 => Self::Draft202012,
        }
    }
}

/// Which messages schemas are compiled for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// What is `readOnly` is not required; 2.0 forbids to send it.
    #[default]
    Request,
    /// What is `writeOnly` is not required, and should not be sent.
    Answer,
}

/// The name of a compiled schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SchemaId(u32);

/// The compiled schemas of one contract.
#[derive(Debug, Default)]
pub struct Schemas {
    nodes: Vec<Node>,
    /// By resource and name.
    dynamic_anchors: std::collections::HashMap<(u32, Box<str>), SchemaId>,
    /// What helps to make values, by schema; empty where nobody does.
    hints: std::collections::HashMap<u32, hints::Hint>,
}

/// Types that a value may have, as bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Types(u8);

impl Types {
    const NULL: Self = Self(1);
    const BOOLEAN: Self = Self(2);
    const INTEGER: Self = Self(4);
    const NUMBER: Self = Self(8);
    const STRING: Self = Self(16);
    const ARRAY: Self = Self(32);
    const OBJECT: Self = Self(64);
    const ANY: Self = Self(127);

    /// In the order of their words.
    const ALL: [(Self, &'static str); 7] = [
        (Self::NULL, "null"),
        (Self::BOOLEAN, "boolean"),
        (Self::INTEGER, "integer"),
        (Self::NUMBER, "number"),
        (Self::STRING, "string"),
        (Self::ARRAY, "array"),
        (Self::OBJECT, "object"),
    ];

    /// The types that a value is of.
    fn of(value: &Value<'_>) -> Self {
        match value {
            Value::Null => Self::NULL,
            Value::Bool(_) => Self::BOOLEAN,
            Value::Number(number) if number::is_integer(number) => {
                Self(Self::INTEGER.0 | Self::NUMBER.0)
            }
            Value::Number(_) => Self::NUMBER,
            Value::String(_) => Self::STRING,
            Value::Array(_) => Self::ARRAY,
            Value::Object(_) => Self::OBJECT,
        }
    }

    fn has(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// One schema, compiled.
#[derive(Debug)]
struct Node {
    types: Types,
    /// `null` is accepted whatever else is said.
    nullable: bool,
    /// The schema `false`.
    never: bool,
    /// It has `unevaluatedItems` or `unevaluatedProperties`.
    collects: bool,
    /// Its values are bytes, not text (`format: binary`, `contentMediaType`).
    binary: bool,
    /// The schema resource that it belongs to, for `$dynamicRef`.
    resource: u32,
    checks: Box<[Check]>,
}

/// A keyword, or those that belong together.
#[derive(Debug)]
enum Check {
    Const(Value<'static>),
    Enum {
        texts: Box<[Box<str>]>,
        others: Box<[Value<'static>]>,
    },
    MultipleOf(Number),
    Least {
        bound: Number,
        exclusive: bool,
    },
    Most {
        bound: Number,
        exclusive: bool,
    },
    TextLeast(u64),
    TextMost(u64),
    Pattern(Regex),
    ItemsLeast(u64),
    ItemsMost(u64),
    Unique,
    Items {
        first: Box<[SchemaId]>,
        rest: Option<SchemaId>,
        rest_rule: &'static str,
    },
    Contains {
        schema: SchemaId,
        least: u64,
        most: Option<u64>,
    },
    MembersLeast(u64),
    MembersMost(u64),
    Required(Box<[Box<str>]>),
    Members(Box<Members>),
    Names(SchemaId),
    NeedsMembers(Box<[Needs]>),
    NeedsSchema(Box<[(Box<str>, SchemaId)]>),
    Ref(SchemaId),
    Dynamic {
        anchor: Box<str>,
        otherwise: SchemaId,
    },
    All(Box<[SchemaId]>),
    Any(Box<[SchemaId]>),
    One(Box<[SchemaId]>),
    Not(SchemaId),
    If {
        test: SchemaId,
        then: Option<SchemaId>,
        otherwise: Option<SchemaId>,
    },
    OtherItems(SchemaId),
    OtherMembers(SchemaId),
    /// Members that messages of this direction do not have, and the keyword that says so.
    Unsent(Box<[Box<str>]>, &'static str),
}

/// A member, and those that must be there if it is.
type Needs = (Box<str>, Box<[Box<str>]>);

/// `properties`, `patternProperties` and `additionalProperties`.
#[derive(Debug)]
struct Members {
    /// Sorted by name.
    named: Box<[(Box<str>, SchemaId)]>,
    patterns: Box<[(Regex, SchemaId)]>,
    /// A pattern could not be compiled, so nobody knows which members are additional.
    unknown_patterns: bool,
    others: Option<SchemaId>,
}

impl Members {
    fn named(&self, name: &str) -> Option<SchemaId> {
        let at = self.named.binary_search_by(|(known, _)| (**known).cmp(name)).ok()?;
        Some(self.named[at].1)
    }
}

impl Schemas {
    fn node(&self, id: SchemaId) -> &Node {
        &self.nodes[id.0 as usize]
    }

    /// How many schemas there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }
}

#[cfg(test)]
mod tests;
