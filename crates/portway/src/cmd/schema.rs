//! `portway schema`: the JSON Schema of documents, made from the types that read them.

use std::io::Write as _;

use clap::Args;

use crate::exit::Exit;
use crate::terminal::Terminal;

/// Print the JSON Schema of documents, for editors.
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  portway schema > portway.schema.json

A document whose first line is
  # yaml-language-server: $schema=portway.schema.json
is then completed and checked by editors that have the YAML language server.")]
pub struct Schema {}

impl Schema {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> anyhow::Result<Exit> {
        terminal.out.write_all(text().as_bytes())?;
        Ok(Exit::Done)
    }
}

/// The schema as indented JSON with a line end.
pub fn text() -> String {
    let mut text = serde_json::to_string_pretty(&portway_model::json_schema())
        .expect("a schema is plain JSON");
    text.push('\n');
    text
}
