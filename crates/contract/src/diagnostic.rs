//! What is said about a document: every finding with its place, its reason and what to do.
//!
//! Assumes that a finding names a node by JSON pointer; the line and column are filled in once, at the
//! end of reading, by `place`. Printing is left to whoever shows diagnostics.

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The document was read; something in it is odd, was repaired, or costs one operation.
    Warning,
    /// The document cannot be used at all.
    Error,
}

/// One finding about a document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Stable, kebab-case name of the kind of finding; never changes its meaning.
    pub code: &'static str,
    /// The file it stands in, as named by the caller or by the reference that led there.
    pub file: String,
    /// Line, from 1; 0 when the place is not known.
    pub line: u32,
    /// Column in characters, from 1; 0 when the place is not known.
    pub column: u32,
    /// JSON pointer (RFC 6901) of the node; empty for the whole document.
    pub pointer: String,
    /// What is wrong and what was done about it, in one sentence.
    pub message: String,
    /// What the author of the document can do.
    pub fix: String,
}

impl std::fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(
            f,
            "{}:{}:{}: {severity}[{}]: {}",
            self.file, self.line, self.column, self.code, self.message
        )?;
        if !self.fix.is_empty() {
            write!(f, " — {}", self.fix)?;
        }
        Ok(())
    }
}
