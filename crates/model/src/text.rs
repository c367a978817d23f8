//! What all things written as one short text have in common: how they are read, written and described.
//!
//! A type that is written as text has `FromStr` (the one grammar) and `Display` (its normal form); the
//! macro here makes serde and JSON Schema follow those two. It assumes that both agree: what `Display`
//! writes, `FromStr` reads.

use std::fmt;

/// Why a text is not the small thing that it should be, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong and why: `"20/x" is not a limit: the period is one of s, m, h, d`.
    pub message: String,
    /// How to mend it; empty where nothing can be said.
    pub fix: String,
}

impl Malformed {
    /// A mistake in `text`, which should be `what` (with its article).
    pub(crate) fn new(
        text: &str,
        what: &str,
        why: impl fmt::Display,
        fix: impl Into<String>,
    ) -> Self {
        Self { message: format!("{} is not {what}: {why}", quoted(text)), fix: fix.into() }
    }
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Malformed {}

/// The most characters of a foreign text that stand in a message.
const QUOTED_CHARS_MAX: usize = 60;

/// `text` in quotation marks for a message: bounded, and with nothing in it that could disturb a terminal.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(QUOTED_CHARS_MAX * 4) + 2);
    out.push('"');
    for (index, c) in text.chars().enumerate() {
        if index == QUOTED_CHARS_MAX {
            out.push('…');
            break;
        }
        if is_disturbing(c) { out.extend(c.escape_unicode()) } else { out.push(c) }
    }
    out.push('"');
    out
}

/// Whether a character could move the cursor, colour the screen or turn the direction of writing.
pub(crate) fn is_disturbing(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

/// A whole number in decimal digits, without sign, separators or spaces.
pub(crate) fn whole_number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Whether a text is a token of HTTP (RFC 9110 section 5.6.2): the name of a header or a method.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// Gives a type with `FromStr` and `Display` its serde and JSON Schema forms: a string.
///
/// `format` is what the checker of documents knows the type by; `pattern` lets editors check it too.
macro_rules! written_as_text {
    ($type:ident, format: $format:literal, pattern: $pattern:expr, description: $description:literal,
     examples: $examples:tt $(,)?) => {
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct TextVisitor;
                impl serde::de::Visitor<'_> for TextVisitor {
                    type Value = $type;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        write!(f, "a text such as {}", serde_json::json!($examples[0]))
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(TextVisitor)
            }
        }

        impl schemars::JsonSchema for $type {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "description": $description,
                    "type": "string",
                    "format": $format,
                    "pattern": $pattern,
                    "examples": $examples,
                })
            }
        }
    };
}
pub(crate) use written_as_text;
