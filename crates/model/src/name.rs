//! A checked name.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use crate::text::{Malformed, written_as_text};

/// Name of a service, app or plan: 1–63 letters, digits, `-` and `_`, beginning with a letter or digit.
/// Such a name can stand in a log line, a metric label, a header and a path without being quoted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

/// The most characters of a name: what a DNS label may have, so that a name can become one.
const NAME_CHARS_MAX: usize = 63;

impl Name {
    /// Checks a text.
    ///
    /// # Errors
    /// When it is empty, too long, or has another character.
    pub fn new(text: impl Into<Box<str>>) -> Result<Self, Malformed> {
        let text = text.into();
        match fault(&text) {
            None => Ok(Self(text)),
            Some(why) => Err(Malformed::new(&text, "a name", why, suggestion(&text))),
        }
    }

    /// The same as [`Name::new`] from borrowed text.
    ///
    /// # Errors
    /// As for [`Name::new`].
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        Self::new(text)
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a text is not a name, if it is not.
fn fault(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("it is empty".to_owned());
    }
    if let Some(c) = text.chars().find(|c| !is_name_char(*c)) {
        let c = if crate::text::is_disturbing(c) {
            c.escape_unicode().to_string()
        } else {
            c.to_string()
        };
        return Some(format!("a name has letters a–z, digits, \"-\" and \"_\" only, not {c:?}"));
    }
    if !text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Some("a name begins with a letter or a digit".to_owned());
    }
    (text.len() > NAME_CHARS_MAX).then(|| format!("a name has at most {NAME_CHARS_MAX} characters"))
}

fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-' || c == '_'
}

/// The name that was probably meant, as the sentence of a fix.
fn suggestion(text: &str) -> String {
    let meant: String =
        text.chars().take(NAME_CHARS_MAX).map(|c| if is_name_char(c) { c } else { '-' }).collect();
    let meant = meant.trim_matches(['-', '_']);
    if meant.is_empty() { String::new() } else { format!("call it \"{meant}\", for example") }
}

impl FromStr for Name {
    type Err = Malformed;
    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::new(text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// So that a map keyed by names can be asked with text.
impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}

written_as_text!(Name,
    format: "portway-name",
    pattern: "^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$",
    description: "A name: 1–63 letters, digits, `-` and `_`, beginning with a letter or digit.",
    examples: ["shop"],
);

#[cfg(test)]
mod tests;
