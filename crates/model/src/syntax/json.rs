//! JSON: values through `serde_json`, places through a scanner of our own, since `serde_json` has none.

use std::cell::Cell;

use serde::de::DeserializeSeed;

use super::tree::Seed;
use super::{Parsed, SyntaxFault, sentence};
use crate::place::{Lines, Place, Spot};

pub(super) fn parse(text: &str) -> Result<Parsed, SyntaxFault> {
    let repeated = Cell::new(false);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Seed { has_repeated_keys: &repeated, depth: 0 };
    seed.deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map(|value| Parsed { value, has_repeated_keys: repeated.get() })
        .map_err(|error| fault(text, &error))
}

fn fault(text: &str, error: &serde_json::Error) -> SyntaxFault {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    let line = text.lines().nth(error.line().saturating_sub(1)).unwrap_or_default();
    // The parser counts bytes, and stands behind the byte that it did not like.
    let mut end = error.column().saturating_sub(1).min(line.len());
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    let spot = Spot {
        line: crate::place::narrow(error.line().max(1)),
        column: crate::place::narrow(line[..end].chars().count() + 1),
    };
    SyntaxFault {
        spot,
        message: format!("this is not JSON: {}", sentence(message)),
        fix: String::new(),
    }
}

/// The places of a text that is JSON. In one that is not, the scanner still ends, with some of the places.
pub(super) fn places(text: &str) -> Place {
    let mut scanner = Scanner { bytes: text.as_bytes(), text, lines: Lines::new(text), at: 0 };
    scanner.value(0)
}

struct Scanner<'a> {
    bytes: &'a [u8],
    text: &'a str,
    lines: Lines<'a>,
    at: usize,
}

impl Scanner<'_> {
    fn value(&mut self, depth: usize) -> Place {
        self.skip_space();
        let spot = self.lines.spot(self.at);
        match self.bytes.get(self.at) {
            Some(b'{') if depth <= super::DEPTH_MAX => self.map(spot, depth),
            Some(b'[') if depth <= super::DEPTH_MAX => self.list(spot, depth),
            Some(b'"') => {
                self.string();
                Place::scalar(spot)
            }
            _ => {
                while self.bytes.get(self.at).is_some_and(|byte| !b",]} \t\r\n".contains(byte)) {
                    self.at += 1;
                }
                Place::scalar(spot)
            }
        }
    }

    fn map(&mut self, spot: Spot, depth: usize) -> Place {
        let mut entries = Vec::new();
        self.at += 1;
        loop {
            self.skip_space();
            let key_spot = self.lines.spot(self.at);
            match self.bytes.get(self.at) {
                Some(b'"') => {}
                Some(b',') => {
                    self.at += 1;
                    continue;
                }
                _ => break,
            }
            let key = self.string();
            self.skip_space();
            if self.bytes.get(self.at) == Some(&b':') {
                self.at += 1;
            }
            let place = self.value(depth + 1);
            entries.push((key, Place { key: Some(key_spot), ..place }));
        }
        self.skip(b'}');
        Place::map(spot, entries)
    }

    fn list(&mut self, spot: Spot, depth: usize) -> Place {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.skip_space();
            match self.bytes.get(self.at) {
                None | Some(b']') => break,
                Some(b',') => self.at += 1,
                Some(_) => {
                    let before = self.at;
                    items.push(self.value(depth + 1));
                    if self.at == before {
                        break;
                    }
                }
            }
        }
        self.skip(b']');
        Place::list(spot, items)
    }

    /// Passes over a string and gives what it says.
    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            self.at += if *byte == b'\\' { 2 } else { 1 };
            if *byte == b'"' {
                break;
            }
        }
        self.at = self.at.min(self.bytes.len());
        let written = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_str(written).unwrap_or_else(|_| written.to_owned())
    }

    fn skip_space(&mut self) {
        while self.bytes.get(self.at).is_some_and(|byte| b" \t\r\n".contains(byte)) {
            self.at += 1;
        }
    }

    fn skip(&mut self, byte: u8) {
        if self.bytes.get(self.at) == Some(&byte) {
            self.at += 1;
        }
    }
}
