//! What is wrong with a document: where, what, why, and how to mend it; and how a terminal shows it.

use std::collections::HashSet;
use std::fmt;
use std::fmt::Write;

use serde::Serialize;

use crate::text::is_disturbing;

/// One mistake or oddity in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Whether the document can be used all the same.
    pub severity: Severity,
    /// Stable word for it, in kebab-case: `unknown-field`.
    pub code: &'static str,
    /// Where it stands.
    pub location: Location,
    /// JSON pointer (RFC 6901) of the thing in the document, empty for the whole.
    pub pointer: String,
    /// One sentence, lower case, no full stop: what is wrong and why.
    pub message: String,
    /// How to mend it; empty where nothing can be said.
    pub fix: String,
}

/// A place in a text. Line and column count from 1; 0 means that it is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Location {
    /// File as the user named it, or what the value came from (`environment variable PORTWAY_ADMIN`).
    pub file: String,
    /// Line.
    pub line: u32,
    /// Column, in characters.
    pub column: u32,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The document does not load.
    Error,
    /// It loads, but probably does not do what was meant.
    Warning,
}

impl Severity {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => write!(f, "{}", self.file),
            (line, 0) => write!(f, "{}:{line}", self.file),
            (line, column) => write!(f, "{}:{line}:{column}", self.file),
        }
    }
}

/// The colours of a terminal, or none.
struct Paint {
    loud: &'static str,
    bold: &'static str,
    frame: &'static str,
    off: &'static str,
}

impl Paint {
    fn new(severity: Severity, color: bool) -> Self {
        let loud = match severity {
            Severity::Error => "\x1b[1;31m",
            Severity::Warning => "\x1b[1;33m",
        };
        if color {
            Self { loud, bold: "\x1b[1m", frame: "\x1b[1;34m", off: "\x1b[0m" }
        } else {
            Self { loud: "", bold: "", frame: "", off: "" }
        }
    }
}

impl Diagnostic {
    /// Several lines for people: what is wrong, where, the line itself if given, and the fix. Ends with a
    /// line break.
    ///
    /// `source_line` should come from [`crate::Sources::line_text`], which hides secrets.
    pub fn render(&self, source_line: Option<&str>, color: bool) -> String {
        let Paint { loud, bold, frame, off } = Paint::new(self.severity, color);
        let number =
            if self.location.line == 0 { String::new() } else { self.location.line.to_string() };
        let margin = " ".repeat(number.len());
        let mut out =
            format!("{loud}{}[{}]{off}{bold}: {}{off}\n", self.severity, self.code, self.message);
        let mut line = |text: fmt::Arguments<'_>| {
            // Writing to a `String` cannot fail.
            let _ = writeln!(out, "{text}");
        };
        if !self.location.file.is_empty() {
            line(format_args!("{margin}{frame}-->{off} {}", self.location));
        }
        if let (Some(source_line), false) = (source_line, number.is_empty()) {
            let (shown, before, width) = excerpt(source_line, self.location.column);
            line(format_args!("{margin} {frame}|{off}"));
            line(format_args!("{frame}{number} |{off} {shown}"));
            line(format_args!(
                "{margin} {frame}|{off} {}{loud}{}{off}",
                " ".repeat(before),
                "^".repeat(width)
            ));
        }
        if !self.fix.is_empty() {
            line(format_args!("{margin} {frame}={off} {bold}fix{off}: {}", self.fix));
        }
        out
    }
}

/// `2 errors, 1 warning in 3 files`; empty if there is nothing to say.
pub fn summary(diagnostics: &[Diagnostic]) -> String {
    let count =
        |severity| diagnostics.iter().filter(|diagnostic| diagnostic.severity == severity).count();
    let counted = [(count(Severity::Error), "error"), (count(Severity::Warning), "warning")];
    let counted: Vec<String> = counted
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, noun)| plural(count, noun))
        .collect();
    let files: HashSet<&str> = diagnostics
        .iter()
        .filter(|diagnostic| diagnostic.location.line > 0)
        .map(|diagnostic| diagnostic.location.file.as_str())
        .collect();
    match (counted.is_empty(), files.len()) {
        (true, _) => String::new(),
        (false, 0) => counted.join(", "),
        (false, files) => format!("{} in {}", counted.join(", "), plural(files, "file")),
    }
}

fn plural(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The part of a line around a column (from 1), how many characters stand before the place in it, and how
/// many belong to the place.
fn excerpt(line: &str, column: u32) -> (String, usize, usize) {
    const CHARS_MAX: usize = 120;
    const CHARS_BEFORE: usize = 60;
    let at = (column as usize).saturating_sub(1);
    let start = if at > CHARS_MAX - 20 { at - CHARS_BEFORE } else { 0 };
    let mut chars = line.chars().skip(start);
    let shown: Vec<char> = chars.by_ref().take(CHARS_MAX).map(harmless).collect();
    let before = (at - start).min(shown.len());
    let width = word_width(&shown[before..]);
    let (head, tail) =
        (if start > 0 { "…" } else { "" }, if chars.next().is_some() { "…" } else { "" });
    let text: String = shown.into_iter().collect();
    (format!("{head}{}{tail}", text.trim_end()), before + usize::from(start > 0), width)
}

/// Every character as wide as one column, and none that could disturb the terminal.
fn harmless(c: char) -> char {
    match c {
        '\t' => ' ',
        c if is_disturbing(c) => '\u{fffd}',
        c => c,
    }
}

/// How many characters the thing has that begins here: a quoted text, or a word.
fn word_width(rest: &[char]) -> usize {
    let quote = rest.first().copied().filter(|c| matches!(c, '"' | '\''));
    let width = match quote {
        Some(quote) => rest.iter().skip(1).position(|c| *c == quote).map_or(1, |end| end + 2),
        None => {
            let is_end = |index: usize, c: char| {
                c.is_whitespace()
                    || matches!(c, ',' | ']' | '}' | '=')
                    || (c == ':' && rest.get(index + 1).is_none_or(|next| next.is_whitespace()))
            };
            rest.iter().enumerate().position(|(index, c)| is_end(index, *c)).unwrap_or(rest.len())
        }
    };
    width.max(1)
}

#[cfg(test)]
mod tests;
