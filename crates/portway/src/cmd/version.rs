//! `portway version`.

use std::io::Write as _;

use clap::Args;
use serde_json::json;

use crate::exit::Exit;
use crate::terminal::Terminal;

/// Print the version.
#[derive(Debug, Args)]
pub struct Version {
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

impl Version {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> anyhow::Result<Exit> {
        let version = env!("CARGO_PKG_VERSION");
        if self.json {
            let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
            terminal
                .json(&json!({ "version": version, "document_format": 1, "target": target }))?;
        } else {
            writeln!(terminal.out, "portway {version}")?;
        }
        Ok(Exit::Done)
    }
}
