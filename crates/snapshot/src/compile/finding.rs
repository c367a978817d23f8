//! What passes find, before it is known where in the text it stands.

use portway_contract::{Contract, schema};
use portway_model::{Diagnostic, Location, Severity};

/// One mistake or oddity.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    severity: Severity,
    code: &'static str,
    pointer: String,
    /// Known for what stands in a contract; otherwise the pointer is looked up in the documents.
    location: Option<Location>,
    message: String,
    fix: String,
}

impl Finding {
    pub(super) fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn error(
        &mut self,
        code: &'static str,
        pointer: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(Severity::Error, code, pointer.into(), message.into(), fix.into());
    }

    pub(super) fn warning(
        &mut self,
        code: &'static str,
        pointer: impl Into<String>,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        self.push(Severity::Warning, code, pointer.into(), message.into(), fix.into());
    }

    fn push(
        &mut self,
        severity: Severity,
        code: &'static str,
        pointer: String,
        message: String,
        fix: String,
    ) {
        self.0.push(Finding { severity, code, pointer, location: None, message, fix });
    }

    /// What was found in a contract, which has files and lines of its own.
    pub(super) fn in_contract(&mut self, found: portway_contract::Diagnostic) {
        let severity = match found.severity {
            portway_contract::Severity::Warning => Severity::Warning,
            portway_contract::Severity::Error => Severity::Error,
        };
        self.0.push(Finding {
            severity,
            code: found.code,
            pointer: found.pointer,
            location: Some(Location { file: found.file, line: found.line, column: found.column }),
            message: found.message,
            fix: found.fix,
        });
    }

    /// A warning about schemas of a contract that cannot be checked as they are written.
    pub(super) fn in_schemas(&mut self, contract: &Contract, found: &schema::Finding) {
        let fix = "correct it, or leave it: what cannot be checked is accepted";
        self.in_document(contract, found, "schema-unchecked", fix);
    }

    /// A warning about an example of a contract that a mock answers with.
    pub(super) fn in_examples(&mut self, contract: &Contract, found: &schema::Finding) {
        let fix = "correct the example or the schema";
        self.in_document(contract, found, "example-breaks-schema", fix);
    }

    fn in_document(
        &mut self,
        contract: &Contract,
        found: &schema::Finding,
        code: &'static str,
        fix: &str,
    ) {
        let file = contract.documents.get(found.document).map_or("", |document| document.file());
        self.0.push(Finding {
            severity: Severity::Warning,
            code,
            pointer: String::new(),
            location: Some(Location { file: file.to_owned(), line: 0, column: 0 }),
            message: found.message.clone(),
            fix: fix.to_owned(),
        });
    }

    /// A warning about an operation of a contract.
    pub(super) fn about_operation(
        &mut self,
        code: &'static str,
        contract: &Contract,
        operation: &portway_contract::Operation,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) {
        let file = contract
            .documents
            .get(operation.document)
            .map_or("", |document| document.file())
            .to_owned();
        self.0.push(Finding {
            severity: Severity::Warning,
            code,
            pointer: operation.pointer.clone(),
            location: Some(Location { file, line: operation.line, column: 0 }),
            message: message.into(),
            fix: fix.into(),
        });
    }

    pub(super) fn extend(&mut self, found: impl Iterator<Item = Finding>) {
        self.0.extend(found);
    }

    pub(super) fn has_errors(&self) -> bool {
        self.0.iter().any(Finding::is_error)
    }

    pub(super) fn into_vec(self) -> Vec<Finding> {
        self.0
    }

    /// With places; errors first, each kind in the order of the text.
    pub(super) fn located(self, locate: &dyn Fn(&str) -> Location) -> Vec<Diagnostic> {
        let mut diagnostics: Vec<Diagnostic> = self
            .0
            .into_iter()
            .map(|finding| Diagnostic {
                severity: finding.severity,
                code: finding.code,
                location: finding.location.unwrap_or_else(|| locate(&finding.pointer)),
                pointer: finding.pointer,
                message: finding.message,
                fix: finding.fix,
            })
            .collect();
        diagnostics.sort_by(|a, b| (a.severity, &a.location).cmp(&(b.severity, &b.location)));
        diagnostics
    }
}

/// The known word that is nearest to an unknown one, if one is near.
pub(super) fn closest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    const LONGEST: usize = 64;
    // The measure is quadratic in the length.
    if word.len() > LONGEST {
        return None;
    }
    let most = (word.len() / 3).clamp(1, 4);
    known
        .filter(|candidate| candidate.len() <= LONGEST)
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word.to_lowercase(), &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, _)| *distance <= most)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
