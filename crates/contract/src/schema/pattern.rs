//! Patterns of schemas (ECMA-262) as regular expressions of the engine used here.
//!
//! That engine is linear in the text whatever the pattern is, so look-around and back references do not exist in it:
//! a pattern that has them is not checked, which a finding says. What is written differently in the two
//! is translated; what ECMA-262 only tolerates (a lone brace) is taken for what it means there.

use std::collections::HashMap;

use regex::{Regex, RegexBuilder};

/// The most memory that one compiled pattern may have, in bytes.
const PATTERN_BYTES: usize = 1 << 20;
/// The longest pattern that is read, in bytes.
const TEXT_BYTES: usize = 8 << 10;

/// Patterns, compiled once each however often they stand in a contract.
#[derive(Default)]
pub(super) struct Patterns(HashMap<String, Option<Regex>>);

impl Patterns {
    /// The pattern; nothing if it cannot be checked.
    pub(super) fn compiled(&mut self, text: &str) -> Option<Regex> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        let made = compile(text);
        self.0.insert(text.to_owned(), made.clone());
        made
    }
}

fn compile(text: &str) -> Option<Regex> {
    if text.len() > TEXT_BYTES {
        return None;
    }
    RegexBuilder::new(&translated(text))
        .size_limit(PATTERN_BYTES)
        .dfa_size_limit(PATTERN_BYTES)
        .nest_limit(50)
        .build()
        .ok()
}

/// Without their brackets, so that they fit into classes too.
const DIGITS: &str = "0-9";
const WORDS: &str = "A-Za-z0-9_";
const SPACES: &str = r"\t\n\x0B\x0C\r \x{A0}\x{1680}\x{2000}-\x{200A}\x{2028}\x{2029}\x{202F}\x{205F}\x{3000}\x{FEFF}";

/// The pattern in the words of the engine.
fn translated(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text.chars();
    let mut in_class = false;
    while let Some(character) = rest.next() {
        match character {
            '\\' => escape(&mut rest, in_class, &mut out),
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                let after = rest.as_str();
                if let Some(next) = after.strip_prefix("^]") {
                    // ECMA-262: anything at all.
                    out.push_str(r"\s\S");
                    in_class = false;
                    out.push(']');
                    rest = next.chars();
                } else if let Some(next) = after.strip_prefix('^') {
                    out.push('^');
                    rest = next.chars();
                }
            }
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            // Operators of classes that only the engine has.
            '[' | '&' | '~' if in_class => {
                out.push('\\');
                out.push(character);
            }
            '{' if !in_class && !is_repetition(rest.as_str()) => out.push_str(r"\{"),
            '}' if !in_class && !closes_repetition(&out) => out.push_str(r"\}"),
            other => out.push(other),
        }
    }
    out
}

fn escape(rest: &mut std::str::Chars<'_>, in_class: bool, out: &mut String) {
    let Some(escaped) = rest.next() else {
        out.push('\\');
        return;
    };
    let class = |out: &mut String, not: bool, members: &str| match (in_class, not) {
        (true, false) => out.push_str(members),
        (_, not) => {
            out.push_str(if not { "[^" } else { "[" });
            out.push_str(members);
            out.push(']');
        }
    };
    match escaped {
        'd' | 'D' => class(out, escaped == 'D', DIGITS),
        'w' | 'W' => class(out, escaped == 'W', WORDS),
        's' | 'S' => class(out, escaped == 'S', SPACES),
        'b' if !in_class => out.push_str(r"(?-u:\b)"),
        'b' => out.push_str(r"\x08"),
        'B' => out.push_str(r"(?-u:\B)"),
        '0' => out.push_str(r"\x00"),
        'c' => match rest.clone().next().filter(char::is_ascii_alphabetic) {
            Some(letter) => {
                rest.next();
                out.push_str(&format!("\\x{:02X}", letter as u32 % 32));
            }
            None => out.push_str(r"\\c"),
        },
        // Letters that mean something in both, and back references, which the engine then refuses.
        'p' | 'P' | 'u' | 'x' | 'n' | 'r' | 't' | 'f' | 'v' | 'k' | '1'..='9' => {
            out.push('\\');
            out.push(escaped);
            // The braces of `\p{…}` and `\u{…}` are no repetition.
            if let Some(inner) = rest.as_str().strip_prefix('{')
                && let Some((name, after)) = inner.split_once('}')
            {
                out.push_str(&format!("{{{name}}}"));
                *rest = after.chars();
            }
        }
        other if other.is_ascii_punctuation() => {
            out.push('\\');
            out.push(other);
        }
        // ECMA-262 takes an escape without meaning for the character itself.
        other => out.push(other),
    }
}

/// What stands after a `{`: `3}`, `3,}` or `3,5}`.
fn is_repetition(rest: &str) -> bool {
    let Some((inner, _)) = rest.split_once('}') else { return false };
    let (low, high) = inner.split_once(',').unwrap_or((inner, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    !low.is_empty() && digits(low) && digits(high)
}

/// What was written so far ends inside a `{`, or in the braces of an escape.
fn closes_repetition(out: &str) -> bool {
    let Some(open) = out.rfind('{') else { return false };
    let escaped = out[..open].bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1;
    !escaped && !out[open..].contains('}')
}

#[cfg(test)]
mod tests;
