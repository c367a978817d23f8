//! From text to a tree of plain values, in the three text formats.
//!
//! Everything here may come from a stranger: size, depth and the expansion of aliases are bounded, and
//! nothing panics. What the values mean is not judged here.

mod json;
mod toml;
mod tree;
mod yaml;

use serde_json::Value;

use crate::place::{Place, Spot};

/// The form of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// YAML 1.2.
    Yaml,
    /// JSON (RFC 8259).
    Json,
    /// TOML 1.1.
    Toml,
}

impl Format {
    /// The format that the end of a file's name stands for; YAML where it says nothing.
    pub fn of_file(name: &str) -> Self {
        let end = name.rsplit_once('.').map_or("", |(_, end)| end);
        if end.eq_ignore_ascii_case("json") {
            Self::Json
        } else if end.eq_ignore_ascii_case("toml") {
            Self::Toml
        } else {
            Self::Yaml
        }
    }
}

/// The most bytes of one text.
pub const TEXT_BYTES_MAX: usize = 64 << 20;

/// The deepest nesting of one text. Portway's own documents need twelve.
const DEPTH_MAX: usize = 48;

/// What a text holds.
#[derive(Clone)]
pub(crate) struct Parsed {
    /// Its values; of a key that stands twice in one map, the first.
    pub(crate) value: Value,
    /// Whether some key stands twice in one map.
    pub(crate) has_repeated_keys: bool,
}

/// Why a text cannot be read at all.
#[derive(Debug)]
pub(crate) struct SyntaxFault {
    pub(crate) spot: Spot,
    pub(crate) message: String,
    pub(crate) fix: String,
}

/// Reads a text. Fails with at least one fault.
pub(crate) fn parse(text: &str, format: Format) -> Result<Parsed, Vec<SyntaxFault>> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(vec![SyntaxFault {
            spot: Spot::START,
            message: format!("the document has more than {} MiB", TEXT_BYTES_MAX >> 20),
            fix: "spread it over several files with \"include\"".to_owned(),
        }]);
    }
    let text = without_mark(text);
    match format {
        Format::Yaml => yaml::parse(text).map_err(|fault| vec![fault]),
        Format::Json => json::parse(text).map_err(|fault| vec![fault]),
        Format::Toml => toml::parse(text),
    }
}

/// The places of everything in a text that [`parse`] has read.
pub(crate) fn places(text: &str, format: Format) -> Place {
    let text = without_mark(text);
    match format {
        Format::Yaml => yaml::places(text),
        Format::Json => json::places(text),
        Format::Toml => toml::places(text),
    }
}

/// The text without the byte order mark that some editors put at its beginning.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// A sentence of a parser, as one of ours: one line, bounded, harmless on a terminal.
fn sentence(text: &str) -> String {
    const CHARS_MAX: usize = 200;
    let mut out = String::new();
    for (index, c) in text.trim().trim_end_matches('.').chars().enumerate() {
        match c {
            _ if index == CHARS_MAX => {
                out.push('…');
                break;
            }
            '\n' => out.push_str("; "),
            c if crate::text::is_disturbing(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests;
