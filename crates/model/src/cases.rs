//! Cases: calls, and what is to become of each. What `portway test` reads.
//!
//! A file of cases is no document: it says nothing about what is served. It is read with the same care, and every mistake
//! in it has a place.

use std::collections::BTreeMap;
use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::conform::conform;
use crate::place::At;
use crate::read::{SourceFile, located, unit_of};
use crate::schema::cases_schema;
use crate::sources::Unit;
use crate::{Diagnostic, Duration, Location, Severity, syntax};

/// A file of cases.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "file of cases")]
pub struct Cases {
    /// The time of the first case (RFC 3339, `2026-11-24T08:00:00Z`). Without it, the time at which the test runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Whether what one case has used up of limits and quotas is used up for those that come after it. Without it every
    /// case begins with limits that are unused.
    #[serde(default)]
    pub counted: bool,
    /// The cases, in the order in which they are run.
    pub cases: Vec<Case>,
}

/// One call, and what is to become of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "case")]
pub struct Case {
    /// What it shows; told when it fails.
    pub name: String,
    /// How much later than the case before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Duration>,
    /// How many times the call is made; what is expected is expected of the last.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub repeat: u32,
    /// The call.
    pub request: CaseRequest,
    /// What is to become of it. What is not named here is not looked at.
    pub expect: Expected,
}

const fn once() -> u32 {
    1
}

const fn is_once(repeat: &u32) -> bool {
    *repeat == 1
}

/// A call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "request of a case")]
pub struct CaseRequest {
    /// Its method.
    #[serde(default = "get")]
    pub method: String,
    /// Its path, or a whole URL: `/shop/orders/7`, `https://api.example.com/shop/orders?page=2`.
    pub url: String,
    /// Its header fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, CaseText>,
    /// Its body, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The app that calls, whatever credentials the call has. It needs a key in the documents, and the operation has to take
    /// keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// When (RFC 3339). The cases behind this one go on from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The address that it comes from. Without it the loopback address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub from: Option<IpAddr>,
}

fn get() -> String {
    "GET".to_owned()
}

/// A text, or the environment variable that holds it: for keys, which stand in no file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum CaseText {
    /// The text.
    Text(String),
    /// Where it is.
    Variable(CaseVariable),
}

/// An environment variable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "environment variable")]
pub struct CaseVariable {
    /// Its name.
    pub env: String,
}

/// What is to become of a call.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "what is expected")]
pub struct Expected {
    /// `permitted`, the word of a refusal (`credentials-missing`, `rate-limited`, …), `preflight`, or `options`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// The status of an answer that the gateway gives itself. A call that goes to its backend has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// The operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The app that calls; `none` for nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<String>,
    /// What of the contract the call does not keep, all of it, in any order: `query:limit maximum`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problems: Option<Vec<String>>,
    /// The request that the backend gets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<ExpectedRequest>,
}

/// What the backend is to get.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "request of a backend")]
pub struct ExpectedRequest {
    /// Its path, with the path of the target before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Its query, whole; empty for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Header fields: a text is the value; `true` says that it is there, `false` that it is not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, ExpectedField>,
}

/// What is expected of a header field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum ExpectedField {
    /// Whether it is there.
    Present(bool),
    /// Its value.
    Value(String),
}

/// Cases, and where they stand.
pub struct ReadCases {
    /// The cases.
    pub cases: Cases,
    unit: Unit,
}

impl std::fmt::Debug for ReadCases {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReadCases").field("cases", &self.cases.cases.len()).finish_non_exhaustive()
    }
}

impl ReadCases {
    /// Where the thing stands that a pointer (RFC 6901) points to: `/cases/0/expect/status`.
    pub fn locate(&self, pointer: &str) -> Location {
        self.unit.locate(pointer, At::Thing)
    }
}

/// Reads a file of cases.
///
/// # Errors
/// All that is wrong with it.
pub fn read_cases(file: &SourceFile) -> Result<ReadCases, Vec<Diagnostic>> {
    let unit = unit_of(file);
    let parsed = syntax::parse(&file.text, file.format).map_err(|faults| {
        let diagnostic = |fault: syntax::SyntaxFault| Diagnostic {
            severity: Severity::Error,
            code: "syntax",
            location: unit.at(fault.spot),
            pointer: String::new(),
            message: fault.message,
            fix: fault.fix,
        };
        faults.into_iter().map(diagnostic).collect::<Vec<_>>()
    })?;
    let mistake = |code, message: String, fix: &str| {
        vec![Diagnostic {
            severity: Severity::Error,
            code,
            location: unit.locate("", At::Thing),
            pointer: String::new(),
            message,
            fix: fix.to_owned(),
        }]
    };
    if parsed.has_repeated_keys {
        let fix = "keep one of the two";
        return Err(mistake("repeated-key", "a name stands twice in one map".to_owned(), fix));
    }
    let value: Value = parsed.value;
    let found = conform(cases_schema(), &value).findings;
    if !found.is_empty() {
        let place = |finding: crate::finding::Finding| {
            let location = unit.locate(&finding.pointer, finding.at);
            located(finding, location)
        };
        return Err(found.into_iter().map(place).collect());
    }
    match serde_json::from_value(value) {
        Ok(cases) => Ok(ReadCases { cases, unit }),
        Err(error) => Err(mistake("unreadable", error.to_string(), "correct what is named")),
    }
}

#[cfg(test)]
mod tests;
