//! `portway check`: every mistake in documents, with its place and how to mend it.

use std::io::{self, Write as _};

use clap::Args;
use portway_snapshot::Secrets;
use serde_json::json;

use crate::cli;
use crate::documents::{Library, Looked, Reading};
use crate::exit::Exit;
use crate::reload;
use crate::secrets::{AbsentSecrets, ProcessSecrets};
use crate::settings::{self, Settings};
use crate::telling;
use crate::terminal::{self, GOOD, Terminal};

/// Say every mistake in documents, with its place and how to mend it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway check                        # portway.yaml, and what it includes
  portway check conf/ --json
  portway check --secrets conf/        # also look whether every secret can be had

Contracts are read and checked, too. Settings from PORTWAY_* variables count as they do for `run`.")]
pub struct Check {
    #[command(flatten)]
    documents: cli::Documents,
    /// As one JSON object
    #[arg(long)]
    json: bool,
    /// Also resolve the secrets, which `run` will need: variables are set, files and private keys are there
    #[arg(long)]
    secrets: bool,
}

impl Check {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> anyhow::Result<Exit> {
        let library = match Library::find(&self.documents) {
            Ok(library) => library,
            Err(unreadable) => {
                terminal.sorry(&unreadable.what, unreadable.fix)?;
                return Ok(Exit::Usage);
            }
        };
        let secrets: Box<dyn Secrets> = if self.secrets {
            Box::new(ProcessSecrets::new(library.root().path()))
        } else {
            Box::new(AbsentSecrets)
        };
        let looked = if self.secrets { Looked::All } else { Looked::Certificates };
        let overrides = settings::overrides(None);
        let mut reading = library.compile(&overrides, &*secrets, looked, None);
        for found in settings::environment_mistakes(&reading.variables) {
            reading.add(found);
        }
        let resolved = Settings::resolve(&reading.gateway, &overrides, library.root().path());
        let prepared = resolved.and_then(|settings| {
            telling::prepare(&settings, &*secrets, library.root().path()).map(drop)
        });
        if let Err(fault) = prepared {
            reading.add(fault.into());
        }
        let exit = if reading.has_errors() { Exit::Mistakes } else { Exit::Done };
        let written =
            if self.json { write_json(terminal, &reading) } else { write_text(terminal, &reading) };
        // Whoever has read enough (`| head -1`) is told the verdict all the same.
        match written {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
            _ => Ok(exit),
        }
    }
}

/// What is served, in numbers.
fn sizes(reading: &Reading) -> Option<(usize, usize)> {
    let services = &reading.compiled.as_ref()?.snapshot.services;
    Some((services.len(), services.iter().map(|service| service.operations.len()).sum()))
}

fn write_json(terminal: &mut Terminal, reading: &Reading) -> io::Result<()> {
    let (services, operations) = sizes(reading).unzip();
    terminal.json(&json!({
        "ok": !reading.has_errors(),
        "hash": reading.compiled.as_ref().map(|compiled| &compiled.snapshot.hash),
        "services": services,
        "operations": operations,
        "diagnostics": reading.diagnostics,
    }))
}

fn write_text(terminal: &mut Terminal, reading: &Reading) -> io::Result<()> {
    let line_of = |found: &portway_model::Diagnostic| reading.sources.line_text(&found.location);
    terminal::write_diagnostics(&mut terminal.out, &reading.diagnostics, &line_of)?;
    let tally = terminal::tally(&reading.diagnostics);
    match (sizes(reading), &reading.compiled) {
        (Some((services, operations)), Some(compiled)) => writeln!(
            terminal.out,
            "{GOOD}ok{GOOD:#}: {}, {}, {tally}; snapshot {}",
            terminal::count(services, "service"),
            terminal::count(operations, "operation"),
            reload::short(&compiled.snapshot.hash)
        ),
        _ => writeln!(terminal.out, "{tally}"),
    }
}
