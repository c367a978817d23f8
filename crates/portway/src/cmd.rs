//! The commands, one file each: what it is given, what it does, with which code it ends.

pub mod check;
pub mod completions;
pub mod contract;
pub mod demo;
pub mod explain;
pub mod init;
pub mod run;
pub mod schema;
pub mod test;
pub mod version;

use portway_model::{Diagnostic, Location, Severity};

/// A finding of the `contract` room in the form in which all are shown.
fn from_contract(found: &portway_contract::Diagnostic) -> Diagnostic {
    Diagnostic {
        severity: match found.severity {
            portway_contract::Severity::Error => Severity::Error,
            portway_contract::Severity::Warning => Severity::Warning,
        },
        code: found.code,
        location: Location { file: found.file.clone(), line: found.line, column: found.column },
        pointer: found.pointer.clone(),
        message: found.message.clone(),
        fix: found.fix.clone(),
    }
}
