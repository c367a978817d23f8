//! What `portway contract` says about a document: its version, what can be routed, what is odd, how long it took.
//!
//! Measuring the time and printing are left to the caller.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::Outcome;
use crate::diagnostic::{Diagnostic, Severity};

/// The summary of one reading, which serialises to what `--json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// The document, as the caller named it.
    pub file: String,
    /// The version as written (`3.0.1`); empty if the document could not be read.
    pub version: String,
    /// Number of operations.
    pub operations: usize,
    /// Number of operations that a router can match.
    pub routable: usize,
    /// All findings, errors included, by file and place.
    pub warnings: Vec<Diagnostic>,
    /// How long reading took, in milliseconds.
    pub ms: f64,
}

impl Report {
    /// Sums up what came of reading `file`.
    #[must_use]
    pub fn new(file: &str, outcome: &Outcome, took: Duration) -> Report {
        let contract = outcome.contract.as_ref();
        let version = contract.map_or_else(String::new, |contract| {
            if contract.version_written.is_empty() {
                contract.version.to_string()
            } else {
                contract.version_written.clone()
            }
        });
        Report {
            file: file.to_owned(),
            version,
            operations: contract.map_or(0, |contract| contract.operations.len()),
            routable: contract.map_or(0, crate::Contract::routable),
            warnings: outcome.diagnostics.clone(),
            ms: (took.as_secs_f64() * 1e6).round() / 1e3,
        }
    }

    /// The document could not be used at all.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.warnings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

impl fmt::Display for Report {
    /// One line of summary, then one line for each finding with its fix below.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.failed() {
            writeln!(f, "{}: not usable, {:.0} ms", self.file, self.ms)?;
        } else {
            let plural = |count: usize| if count == 1 { "" } else { "s" };
            writeln!(
                f,
                "{}: OpenAPI {}, {} operation{}, {} routable, {} warning{}, {:.0} ms",
                self.file,
                self.version,
                self.operations,
                plural(self.operations),
                self.routable,
                self.warnings.len(),
                plural(self.warnings.len()),
                self.ms
            )?;
        }
        for finding in &self.warnings {
            let severity = match finding.severity {
                Severity::Warning => "warning",
                Severity::Error => "error",
            };
            write!(f, "  {}", finding.file)?;
            if finding.line > 0 {
                write!(f, ":{}:{}", finding.line, finding.column)?;
            }
            writeln!(f, ": {severity}[{}]: {}", finding.code, finding.message)?;
            if !finding.fix.is_empty() {
                writeln!(f, "      fix: {}", finding.fix)?;
            }
        }
        Ok(())
    }
}
