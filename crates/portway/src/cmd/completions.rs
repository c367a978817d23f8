//! `portway completions`: a script that makes a shell complete our commands.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Exit;
use crate::terminal::Terminal;

/// Print a completion script for a shell.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  portway completions bash > /etc/bash_completion.d/portway")]
pub struct Completions {
    /// Which shell
    pub shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> anyhow::Result<Exit> {
        // Into memory first: the generator panics when it cannot write.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "portway", &mut script);
        std::io::Write::write_all(&mut terminal.out, &script)?;
        Ok(Exit::Done)
    }
}
