//! What is said to whoever started the command: plain text, coloured only on a terminal.
//!
//! Output goes through here so that a closed pipe (`portway check | head`) ends the command quietly
//! instead of with a panic, and so that no text from a document can move the cursor.

use std::fmt;
use std::io::{self, Write};

use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use portway_model::Diagnostic;

/// Standard output and standard error of a command.
pub struct Terminal {
    /// What was asked for.
    pub out: AutoStream<io::Stdout>,
    /// What went wrong, and what is going on.
    pub err: AutoStream<io::Stderr>,
}

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum Colour {
    /// On terminals, unless `NO_COLOR` is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Something that went wrong.
pub const BAD: Style = AnsiColor::Red.on_default().bold();
/// Something that is as it should be.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// A word that matters.
pub const STRONG: Style = Style::new().bold();
/// A word that matters less.
pub const FAINT: Style = Style::new().dimmed();

impl Terminal {
    /// The process's own streams.
    pub fn new(colour: Colour) -> Self {
        let choice = match colour {
            Colour::Auto => ColorChoice::Auto,
            Colour::Always => ColorChoice::Always,
            Colour::Never => ColorChoice::Never,
        };
        Self {
            out: AutoStream::new(io::stdout(), choice),
            err: AutoStream::new(io::stderr(), choice),
        }
    }

    /// Writes `value` as JSON and a line end to standard output.
    ///
    /// # Errors
    /// When standard output cannot be written.
    pub fn json<T: serde::Serialize>(&mut self, value: &T) -> io::Result<()> {
        serde_json::to_writer(&mut self.out, value)?;
        writeln!(self.out)
    }

    /// Says that something keeps the command from doing what it was asked, and what would help.
    ///
    /// # Errors
    /// When standard error cannot be written.
    pub fn sorry(&mut self, what: impl fmt::Display, fix: &str) -> io::Result<()> {
        writeln!(self.err, "{BAD}error{BAD:#}: {}", Harmless(&what.to_string()))?;
        if !fix.is_empty() {
            writeln!(self.err, "    fix: {}", Harmless(fix))?;
        }
        Ok(())
    }
}

/// Writes diagnostics for people.
///
/// `line_of` gives the line that one is about as it may be shown: a secret may have been written where none
/// belongs.
///
/// # Errors
/// When `out` cannot be written.
pub fn write_diagnostics(
    out: &mut dyn Write,
    diagnostics: &[Diagnostic],
    line_of: &dyn Fn(&Diagnostic) -> Option<String>,
) -> io::Result<()> {
    for diagnostic in diagnostics {
        // Where there are no colours, the stream takes them out.
        let text = harmless(diagnostic).render(line_of(diagnostic).as_deref(), true);
        out.write_all(text.as_bytes())?;
    }
    Ok(())
}

/// The same without anything from a contract that could disturb a terminal.
fn harmless(diagnostic: &Diagnostic) -> Diagnostic {
    let mut diagnostic = diagnostic.clone();
    for text in [&mut diagnostic.location.file, &mut diagnostic.message, &mut diagnostic.fix] {
        *text = Harmless(text).to_string();
    }
    diagnostic
}

/// How many errors and warnings there are, in words.
pub fn tally(diagnostics: &[Diagnostic]) -> String {
    let summary = portway_model::summary(diagnostics);
    if summary.is_empty() { "no mistakes".to_owned() } else { summary }
}

/// `1 error`, `2 errors`.
pub fn count(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// Text from outside, with everything in it that could disturb a terminal made visible.
pub struct Harmless<'a>(pub &'a str);

impl fmt::Display for Harmless<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            if c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            {
                write!(f, "{}", c.escape_unicode())?;
            } else {
                fmt::Write::write_char(f, c)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
