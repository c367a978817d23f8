//! What is wrong with a document: where, what, why, and how to mend it.

use std::fmt;

use serde::Serialize;

/// One mistake or oddity in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether the document can be used all the same.
    pub severity: Severity,
    /// Stable word for it, in kebab-case: `unknown-field`.
    pub code: &'static str,
    /// Where it stands.
    pub location: Location,
    /// JSON pointer (RFC 6901) of the thing in the document, empty for the whole.
    pub pointer: String,
    /// One sentence, lower case, no full stop: what is wrong and why.
    pub message: String,
    /// How to mend it; empty where nothing can be said.
    pub fix: String,
}

/// A place in a text. Line and column count from 1; 0 means that it is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Location {
    /// File as the user named it, or what the value came from (`environment variable PORTWAY_ADMIN`).
    pub file: String,
    /// Line.
    pub line: u32,
    /// Column, in characters.
    pub column: u32,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The document does not load.
    Error,
    /// It loads, but probably does not do what was meant.
    Warning,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => write!(f, "{}", self.file),
            (line, 0) => write!(f, "{}:{line}", self.file),
            (line, column) => write!(f, "{}:{line}:{column}", self.file),
        }
    }
}
