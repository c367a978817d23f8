//! `portway contract`: what is in OpenAPI documents, and what is odd about them.

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::path::Path;
use std::time::Instant;

use clap::Args;
use portway_contract::{Contract as Read, Diagnostic, Limits, Loader as _, Severity};
use serde::Serialize;

use crate::exit::Exit;
use crate::files::Root;
use crate::terminal::{self, Harmless, Terminal};

/// Say what is in OpenAPI contracts, and what is odd about them.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway contract contracts/*.yaml
  portway contract --json shop.yaml | jq .routable

References to other files are followed within the directory of each contract (--root for a wider one).")]
pub struct Contract {
    /// OpenAPI 2.0, 3.0, 3.1 or 3.2, as JSON or YAML
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<OsString>,
    /// One JSON object a line
    #[arg(long)]
    pub json: bool,
    /// The directory that references may not leave [default: that of each contract]
    #[arg(long, value_name = "DIR")]
    pub root: Option<OsString>,
}

/// What is said of one contract. The fields are a promise to whoever reads the JSON.
#[derive(Debug, Serialize)]
struct Report {
    file: String,
    /// As written; `null` if it is no OpenAPI document.
    version: Option<String>,
    operations: usize,
    routable: usize,
    warnings: Vec<Diagnostic>,
    /// Why it cannot be used at all; empty if it can.
    errors: Vec<Diagnostic>,
    ms: u64,
}

impl Contract {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> anyhow::Result<Exit> {
        let mut exit = Exit::Done;
        for file in &self.files {
            let report = match report(Path::new(file), self.root.as_deref().map(Path::new)) {
                Ok(report) => report,
                Err(why) => {
                    exit = Exit::Usage;
                    if !self.json {
                        terminal.sorry(format!("{}: {why}", file.display()), "")?;
                        continue;
                    }
                    unreadable(Path::new(file), why)
                }
            };
            if !report.errors.is_empty() && exit == Exit::Done {
                exit = Exit::Mistakes;
            }
            let written =
                if self.json { terminal.json(&report) } else { write_report(terminal, &report) };
            // Whoever has read enough (`| head -1`) is told the verdict on all files all the same.
            if let Err(error) = written
                && error.kind() != io::ErrorKind::BrokenPipe
            {
                return Err(error.into());
            }
        }
        Ok(exit)
    }
}

/// What is said of a file that cannot be read, to whoever asked for one object a file.
fn unreadable(file: &Path, why: String) -> Report {
    let file = file.display().to_string();
    let told = Diagnostic {
        severity: Severity::Error,
        code: "contract-unreadable",
        file: file.clone(),
        pointer: String::new(),
        line: 0,
        column: 0,
        message: why,
        fix: String::new(),
    };
    Report {
        file,
        version: None,
        operations: 0,
        routable: 0,
        warnings: Vec::new(),
        errors: vec![told],
        ms: 0,
    }
}

fn report(file: &Path, root: Option<&Path>) -> Result<Report, String> {
    let name = file.display().to_string();
    let started = Instant::now();
    let (root, path) = place(file, root)?;
    let bytes = root.load(&path).map_err(|fault| fault.to_string())?;
    let outcome = portway_contract::read_within(&name, &path, &bytes, &root, &Limits::default());
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (errors, warnings) =
        outcome.diagnostics.into_iter().partition(|found| found.severity == Severity::Error);
    let contract = outcome.contract.as_ref();
    Ok(Report {
        file: name,
        version: contract.map(|contract| contract.version_written.clone()),
        operations: contract.map_or(0, |contract| contract.operations.len()),
        routable: contract.map_or(0, routable),
        warnings,
        errors,
        ms,
    })
}

/// The directory that may be read, and where the file is in it.
fn place(file: &Path, root: Option<&Path>) -> Result<(Root, String), String> {
    let parent = match file.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let name = file.file_name().ok_or("it is not a file")?;
    let root = Root::open(root.unwrap_or(parent)).map_err(|error| error.to_string())?;
    // The last part is left as it is: whether a link may be followed is for the root to say.
    let real = parent.canonicalize().map_err(|error| error.to_string())?.join(name);
    let relative = real.strip_prefix(root.path()).map_err(|_| "it is outside --root".to_owned())?;
    let relative = relative.to_str().ok_or("its path is not UTF-8")?.to_owned();
    Ok((root, relative))
}

fn routable(contract: &Read) -> usize {
    contract.operations.iter().filter(|operation| operation.routable).count()
}

fn write_report(terminal: &mut Terminal, report: &Report) -> io::Result<()> {
    let found =
        report.errors.iter().chain(&report.warnings).map(super::from_contract).collect::<Vec<_>>();
    terminal::write_diagnostics(&mut terminal.out, &found, &|_| None)?;
    let file = Harmless(&report.file);
    match &report.version {
        Some(version) => writeln!(
            terminal.out,
            "{file}: OpenAPI {}, {}, {} routable, {}, {} ms",
            Harmless(version),
            terminal::count(report.operations, "operation"),
            report.routable,
            terminal::count(report.warnings.len(), "warning"),
            report.ms
        ),
        None => writeln!(terminal.out, "{file}: not usable, {} ms", report.ms),
    }
}
