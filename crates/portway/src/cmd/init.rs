//! `portway init`: a first document for a contract and a backend.
//!
//! It writes what `check` accepts, about twelve lines, and never overwrites anything.

use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use portway_model::Name;

use crate::exit::Exit;
use crate::files::Root;
use crate::terminal::{GOOD, Terminal};

/// Write a first document for a contract and a backend.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  portway init --contract shop.yaml --backend http://localhost:9000"
)]
pub struct Init {
    /// The OpenAPI contract, in the directory of the document or below it
    #[arg(long, value_name = "FILE")]
    pub contract: PathBuf,
    /// Where the calls go
    #[arg(long, value_name = "URL")]
    pub backend: String,
    /// The service's name [default: that of the contract's file]
    #[arg(long, value_name = "NAME")]
    pub name: Option<Name>,
    /// The document to write; it must not be there yet
    #[arg(long, value_name = "FILE", default_value = "portway.yaml")]
    pub out: PathBuf,
}

/// The name of the schema that is written beside the document, so that editors complete and check it
/// without asking the network.
const SCHEMA: &str = "portway.schema.json";

impl Init {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> anyhow::Result<Exit> {
        let directory = match self.out.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let contract = match below(directory, &self.contract) {
            Ok(contract) => contract,
            Err(why) => {
                terminal.sorry(
                    format!("{}: {why}", self.contract.display()),
                    "put the contract beside the document, or below it",
                )?;
                return Ok(Exit::Usage);
            }
        };
        if let Err(fault) = portway_snapshot::Target::parse(&self.backend, 1) {
            terminal.sorry(
                format!("--backend {}: {fault}", self.backend),
                "write an address such as http://localhost:9000",
            )?;
            return Ok(Exit::Usage);
        }
        let name = match &self.name {
            Some(name) => name.clone(),
            None => name_of(&contract),
        };
        if let Err(error) = write_new(&self.out, &document(&name, &contract, &self.backend)) {
            let fix = match error.kind() {
                io::ErrorKind::AlreadyExists => {
                    "name another file with --out; nothing is ever overwritten"
                }
                _ => "",
            };
            terminal.sorry(format!("{}: {error}", self.out.display()), fix)?;
            return Ok(Exit::Usage);
        }
        // A schema that is there already, perhaps of another version, is left alone.
        let _ = write_new(&directory.join(SCHEMA), &super::schema::text());
        self.say_what_next(terminal, &name)?;
        Ok(Exit::Done)
    }

    fn say_what_next(&self, terminal: &mut Terminal, name: &Name) -> io::Result<()> {
        let file = if self.out == Path::new("portway.yaml") {
            String::new()
        } else {
            format!(" {}", self.out.display())
        };
        let out = &mut terminal.out;
        writeln!(out, "{GOOD}written{GOOD:#}: {}", self.out.display())?;
        writeln!(out, "Next:")?;
        writeln!(
            out,
            "  export {}=$(openssl rand -hex 16)   # the key of the first app",
            variable(name)
        )?;
        writeln!(out, "  portway check{file}")?;
        writeln!(out, "  portway run{file}")
    }
}

/// What is written. Names and paths are quoted as YAML needs it, by writing them as JSON strings.
fn document(name: &Name, contract: &str, backend: &str) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    format!(
        "\
# yaml-language-server: $schema={SCHEMA}
portway: 1
services:
  {name}:
    contract: {contract}
    path: /{name}
    backend: {backend}
    auth: [key]          # or `public`: everybody may call
    limits: [\"200/s\", \"20/s per app\"]
apps:
  first: {{ keys: [{{ env: {variable} }}] }}
",
        name = name,
        contract = quoted(contract),
        backend = quoted(backend),
        variable = variable(name),
    )
}

/// The environment variable for the key of the first app: `SHOP_KEY`.
fn variable(name: &Name) -> String {
    let upper: String = name
        .as_str()
        .chars()
        .map(|c| if c == '-' { '_' } else { c.to_ascii_uppercase() })
        .collect();
    // The name of a variable does not begin with a digit.
    if upper.starts_with(|c: char| c.is_ascii_digit()) {
        format!("KEY_{upper}")
    } else {
        format!("{upper}_KEY")
    }
}

/// The file's name without its ending, as far as it can be a name.
fn name_of(contract: &str) -> Name {
    let file = contract.rsplit('/').next().unwrap_or(contract);
    let stem = file.split('.').next().unwrap_or(file);
    let text: String = stem
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(63)
        .collect();
    Name::parse(text.trim_matches('-'))
        .unwrap_or_else(|_| Name::parse("api").expect("a plain word is a name"))
}

/// The contract's path relative to the document's directory, which it must not leave.
fn below(directory: &Path, contract: &Path) -> Result<String, String> {
    let root = Root::open(directory).map_err(|error| error.to_string())?;
    let real = contract.canonicalize().map_err(|error| error.to_string())?;
    if !real.is_file() {
        return Err("it is not a file".to_owned());
    }
    let relative = real
        .strip_prefix(root.path())
        .map_err(|_| "it is outside the document's directory".to_owned())?;
    relative.to_str().map(str::to_owned).ok_or_else(|| "its path is not UTF-8".to_owned())
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).open(path)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests;
