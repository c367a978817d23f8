//! Reads OpenAPI documents and reports on each: `contract_report [--json] [--quiet] FILE…`, or a list of files on
//! standard input. `--quiet` prints only documents that are not wholly routable, and the sums.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a command")]

use std::fs;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use portway_contract::{Limits, LoadFault, Loader, Report, read};

/// Files below the folder of the document. Good enough for measuring; symbolic links are followed.
struct Folder(PathBuf);

impl Loader for Folder {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadFault> {
        fs::read(self.0.join(path)).map_err(|fault| match fault.kind() {
            io::ErrorKind::NotFound => LoadFault::NotFound,
            _ => LoadFault::Other(fault.to_string()),
        })
    }
}

fn main() -> ExitCode {
    let (flags, mut files): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|arg| arg.starts_with("--"));
    let json = flags.iter().any(|flag| flag == "--json");
    let quiet = flags.iter().any(|flag| flag == "--quiet");
    if files.is_empty() {
        files = io::stdin()
            .lock()
            .lines()
            .map_while(Result::ok)
            .filter(|line| !line.trim().is_empty())
            .collect();
    }
    let (mut whole, mut operations, mut routable, mut failed) = (0, 0, 0, 0);
    let mut out = io::stdout().lock();
    for file in &files {
        let Ok(bytes) = fs::read(file) else {
            eprintln!("{file}: cannot be read");
            failed += 1;
            continue;
        };
        let folder = Folder(Path::new(file).parent().unwrap_or(Path::new(".")).to_owned());
        let start = Instant::now();
        let outcome = read(file, &bytes, &folder, &Limits::default());
        let report = Report::new(file, &outcome, start.elapsed());
        operations += report.operations;
        routable += report.routable;
        let is_whole = !report.failed() && report.operations == report.routable;
        whole += usize::from(is_whole);
        failed += usize::from(report.failed());
        let printed = if json {
            serde_json::to_string(&report)
                .map_or_else(|fault| fault.to_string(), |text| text + "\n")
        } else if quiet && is_whole {
            String::new()
        } else {
            report.to_string()
        };
        if out.write_all(printed.as_bytes()).is_err() {
            return ExitCode::FAILURE;
        }
    }
    eprintln!(
        "{} documents: {whole} wholly routable, {failed} not usable; {routable} of {operations} operations routable",
        files.len()
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
