//! The command line: one struct for each command, and what is common to all.
//!
//! What a command does is in `cmd/`; here is only how it is written and explained.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::cmd;
use crate::exit::Exit;
use crate::terminal::{Colour, Terminal};

const AFTER_HELP: &str = "\
Examples:
  portway demo                                            # see it work, without any file
  portway init --contract shop.yaml --backend http://localhost:9000
  portway check                                           # every mistake in portway.yaml
  portway run                                             # serve portway.yaml
  portway explain 'GET /shop/orders/7' -H 'x-api-key: …'  # why a call goes where it goes
  portway test cases.yaml                                 # whether calls are judged as expected

Exit codes:
  0  done, or stopped as asked
  1  the documents or contracts have mistakes
  2  the command line is wrong, or a file on it cannot be read
  3  cannot start: an address is taken or not allowed, a certificate cannot be read
  4  demo --exercise: an answer was not as promised; test: a call was judged otherwise than expected
  5  run: a thread that carries calls has died; the process let the calls of the others end, and ended to be started anew";

/// An API gateway in one binary: contracts in, a guarded, observed API out.
#[derive(Debug, Parser)]
#[command(name = "portway", version, after_help = AFTER_HELP, propagate_version = false, max_term_width = 110)]
pub struct Cli {
    /// When to colour the output
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Colour,
    /// What the program tells of itself on standard error: error, warn, info, debug or trace
    #[arg(long, global = true, env = crate::logging::LEVEL_VARIABLE, default_value = "info", value_name = "LEVEL")]
    pub log_level: String,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start a gateway with three sample modules behind it, and print calls to try
    Demo(cmd::demo::Demo),
    /// Write a first document for a contract and a backend
    Init(cmd::init::Init),
    /// Say every mistake in documents, with its place and how to mend it
    Check(cmd::check::Check),
    /// Serve; edits to the documents are live at once
    Run(cmd::run::Run),
    /// Say what is in OpenAPI contracts, and what is odd about them
    Contract(cmd::contract::Contract),
    /// Print the JSON Schema of documents, for editors
    Schema(cmd::schema::Schema),
    /// Say what becomes of a call and why
    Explain(cmd::explain::Explain),
    /// Say whether calls are judged as expected
    Test(cmd::test::Test),
    /// Print the version
    Version(cmd::version::Version),
    /// Print a completion script for a shell
    Completions(cmd::completions::Completions),
}

/// Where the documents are.
#[derive(Debug, Clone, Args)]
pub struct Documents {
    /// Documents; a directory stands for the portway.yaml (.yml, .json, .toml) in it [default: portway.yaml]
    #[arg(value_name = "FILE|DIR")]
    pub paths: Vec<OsString>,
}

/// Reads the command line, does what it says, and turns the outcome into an exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are not mistakes; both know where they belong.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(Exit::Usage as u8));
        }
    };
    let mut terminal = Terminal::new(cli.color);
    if let Err(why) = crate::logging::start(&cli.log_level, cli.color) {
        let _ = terminal.sorry(why, "use error, warn, info, debug or trace");
        return Exit::Usage.into();
    }
    match dispatch(&cli, &mut terminal) {
        Ok(exit) => exit.into(),
        Err(error) if is_closed_pipe(&error) => Exit::Done.into(),
        Err(error) => {
            let _ = terminal.sorry(format!("{error:#}"), "");
            Exit::CannotStart.into()
        }
    }
}

fn dispatch(cli: &Cli, terminal: &mut Terminal) -> anyhow::Result<Exit> {
    match &cli.command {
        Command::Demo(demo) => demo.run(terminal),
        Command::Init(init) => init.run(terminal),
        Command::Check(check) => check.run(terminal),
        Command::Run(run) => run.run(terminal),
        Command::Contract(contract) => contract.run(terminal),
        Command::Schema(schema) => schema.run(terminal),
        Command::Explain(explain) => explain.run(terminal),
        Command::Test(test) => test.run(terminal),
        Command::Version(version) => version.run(terminal),
        Command::Completions(completions) => completions.run(terminal),
    }
}

/// Whoever read our output has had enough (`portway schema | head`).
fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}

#[cfg(test)]
mod tests;
