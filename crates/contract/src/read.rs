//! The story of a reading: parse, recognise, load what is referred to, check, read, place.

use crate::Outcome;
use crate::contract::{Contract, Node};
use crate::diagnostic::{Diagnostic, Severity};
use crate::findings::{Finding, Findings};
use crate::limits::Limits;
use crate::load::{self, Sources};
use crate::loader::Loader;
use crate::{check, place, reader, version};

/// Reads a document that stands directly in the loader's root. `name` is used in messages; its last
/// part is the document's own name below the root.
#[must_use]
pub fn read(name: &str, bytes: &[u8], loader: &dyn Loader, limits: &Limits) -> Outcome {
    let path = name.rsplit(['/', '\\']).next().unwrap_or(name).to_owned();
    read_within(name, &path, bytes, loader, limits)
}

/// Reads a document that stands at `path` below the loader's root; references may climb up to the root.
/// `name` is used in messages.
#[must_use]
pub fn read_within(
    name: &str,
    path: &str,
    bytes: &[u8],
    loader: &dyn Loader,
    limits: &Limits,
) -> Outcome {
    let mut findings = Findings::new(limits.diagnostics);
    let Some(mut sources) = load::root(name, path, bytes, limits, &mut findings) else {
        return Outcome { contract: None, diagnostics: unplaced(name, findings) };
    };
    let version = match version::identify(sources.library[0].value()) {
        Ok(version) => version,
        Err(fault) => {
            findings.push(Finding {
                severity: Severity::Error,
                code: fault.code,
                node: Node { document: 0, pointer: String::new() },
                place: Some((1, 1)),
                message: fault.message,
                fix: fault.fix,
                count: 1,
            });
            return Outcome { contract: None, diagnostics: unplaced(name, findings) };
        }
    };
    load::referenced(&mut sources, loader, limits, &mut findings);
    check::check(&sources.library, version.version, &mut findings);
    let mut contract = reader::read(name, &sources, version, limits, &mut findings);
    let diagnostics = placed(&sources, &mut contract, findings, limits);
    Outcome { contract: Some(contract), diagnostics }
}

/// Findings about a document that could not be parsed carry their places already.
fn unplaced(name: &str, findings: Findings) -> Vec<Diagnostic> {
    findings
        .take()
        .0
        .into_iter()
        .map(|finding| diagnostic(name, finding, place::Place::default()))
        .collect()
}

/// Gives operations their lines, and findings their lines and columns.
fn placed(
    sources: &Sources<'_>,
    contract: &mut Contract,
    findings: Findings,
    limits: &Limits,
) -> Vec<Diagnostic> {
    let (findings, left_out) = findings.take();
    let mut places = vec![place::Place::default(); findings.len()];
    for (index, document) in sources.library.iter().enumerate() {
        let of_operations: Vec<usize> = (0..contract.operations.len())
            .filter(|at| contract.operations[*at].document == index)
            .collect();
        let of_findings: Vec<usize> =
            (0..findings.len()).filter(|at| findings[*at].node.document == index).collect();
        let mut pointers: Vec<&str> = Vec::with_capacity(of_operations.len() + of_findings.len());
        pointers.extend(of_operations.iter().map(|at| contract.operations[*at].pointer.as_str()));
        pointers.extend(of_findings.iter().map(|at| findings[*at].node.pointer.as_str()));
        if pointers.is_empty() {
            continue;
        }
        let found = place::find(&sources.texts[index], document.format(), limits.depth, &pointers);
        for (at, place) in of_findings.iter().zip(&found[of_operations.len()..]) {
            places[*at] = *place;
        }
        for (at, place) in of_operations.iter().zip(&found) {
            contract.operations[*at].line = place.line;
        }
    }
    let mut diagnostics: Vec<Diagnostic> = findings
        .into_iter()
        .zip(places)
        .map(|(finding, place)| {
            let file = sources
                .library
                .get(finding.node.document)
                .map_or("", |document| document.file())
                .to_owned();
            diagnostic(&file, finding, place)
        })
        .collect();
    diagnostics.sort_by(|a, b| {
        (&a.file, a.line, a.column, a.code).cmp(&(&b.file, b.line, b.column, b.code))
    });
    if left_out > 0 {
        diagnostics.push(Diagnostic {
            severity: Severity::Warning,
            code: "more-findings",
            file: contract.file.clone(),
            line: 0,
            column: 0,
            pointer: String::new(),
            message: format!("there are {left_out} more findings, which are not listed"),
            fix: "correct those that are listed first".to_owned(),
        });
    }
    diagnostics
}

fn diagnostic(file: &str, finding: Finding, found: place::Place) -> Diagnostic {
    let (line, column) = finding.place.unwrap_or((found.line, found.column));
    let message = if finding.count > 1 {
        format!("{} (and {} more like this)", finding.message, finding.count - 1)
    } else {
        finding.message
    };
    Diagnostic {
        severity: finding.severity,
        code: finding.code,
        file: file.to_owned(),
        line,
        column,
        pointer: finding.node.pointer,
        message,
        fix: finding.fix,
    }
}
