//! `portway schema`: the JSON Schema of documents, made from the types that read them.

use std::io::Write as _;

use clap::Args;

use crate::exit::Exit;
use crate::terminal::Terminal;

/// Print the JSON Schema of documents, for editors.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  portway schema > portway.schema.json
  portway schema test > cases.schema.json

A document whose first line is
  # yaml-language-server: $schema=portway.schema.json
is then completed and checked by editors that have the YAML language server.")]
pub struct Schema {
    /// Of which files: documents, or cases of `portway test`
    #[arg(value_enum, default_value_t, value_name = "WHAT")]
    what: What,
}

/// Files that have a schema.
#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum What {
    /// Documents.
    #[default]
    Documents,
    /// Cases of `portway test`.
    Test,
}

impl Schema {
    pub(crate) fn run(&self, terminal: &mut Terminal) -> anyhow::Result<Exit> {
        let text = match self.what {
            What::Documents => text(),
            What::Test => indented(&portway_model::cases_json_schema()),
        };
        terminal.out.write_all(text.as_bytes())?;
        Ok(Exit::Done)
    }
}

/// The schema as indented JSON with a line end.
pub fn text() -> String {
    indented(&portway_model::json_schema())
}

fn indented(schema: &serde_json::Value) -> String {
    let mut text = serde_json::to_string_pretty(schema).expect("a schema is plain JSON");
    text.push('\n');
    text
}
