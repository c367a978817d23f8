//! JSON text into a value, within a budget.
//!
//! `serde_json` does the reading. On top of it: nesting is bounded by our own limit instead of its fixed
//! one, memory is charged to the budget, and repeated keys are counted (the last one is kept, as
//! everywhere; where a path or a group of components is repeated, its members are put together).

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::budget::{Budget, Spent};

/// A value and what was noticed while reading it.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) value: Value,
    /// Number of keys that stand more than once in their object.
    pub(crate) repeated_keys: usize,
}

/// Why a text is not JSON within the budget.
#[derive(Debug)]
pub(crate) struct JsonFault {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) message: String,
    pub(crate) spent: Option<Spent>,
}

/// Reads one JSON value that fills the text.
pub(crate) fn parse(text: &str, budget: &mut Budget) -> Result<Parsed, JsonFault> {
    let mut reading = Reading { budget, repeated_keys: 0, spent: None };
    let mut deserializer = serde_json::Deserializer::from_str(text);
    deserializer.disable_recursion_limit();
    let read = Tree { reading: &mut reading, depth: 0 }.deserialize(&mut deserializer);
    match read.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(value) => Ok(Parsed { value, repeated_keys: reading.repeated_keys }),
        Err(error) => Err(JsonFault {
            line: error.line(),
            column: error.column(),
            message: without_place(&error.to_string()),
            spent: reading.spent,
        }),
    }
}

/// `serde_json` ends its messages with the place, which is told apart here.
fn without_place(message: &str) -> String {
    message.rsplit_once(" at line ").map_or(message, |(text, _)| text).to_owned()
}

struct Reading<'b> {
    budget: &'b mut Budget,
    repeated_keys: usize,
    spent: Option<Spent>,
}

impl Reading<'_> {
    fn check<E: serde::de::Error>(&mut self, paid: Result<(), Spent>) -> Result<(), E> {
        paid.map_err(|spent| {
            self.spent = Some(spent);
            E::custom(spent)
        })
    }

    fn scalar<E: serde::de::Error>(&mut self, heap_bytes: usize) -> Result<(), E> {
        let paid = self.budget.scalar(heap_bytes);
        self.check(paid)
    }

    fn enter<E: serde::de::Error>(&mut self, depth: usize) -> Result<(), E> {
        let paid =
            if depth >= self.budget.depth { Err(Spent::Depth) } else { self.budget.scalar(0) };
        self.check(paid)
    }

    fn member<E: serde::de::Error>(&mut self, count: usize, key_bytes: usize) -> Result<(), E> {
        let paid = self.budget.member(count, key_bytes);
        self.check(paid)
    }
}

struct Tree<'r, 'b> {
    reading: &'r mut Reading<'b>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Tree<'_, '_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_, '_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        self.reading.scalar(0)?;
        Ok(Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        self.reading.scalar(0)?;
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.reading.scalar(0)?;
        Ok(value.into())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.reading.scalar(0)?;
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        self.reading.scalar(0)?;
        Ok(value.into())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        self.reading.scalar(value.len())?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<Value, E> {
        self.reading.scalar(value.len())?;
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.reading.enter(self.depth)?;
        let mut items = Vec::new();
        while let Some(item) =
            access.next_element_seed(Tree { reading: self.reading, depth: self.depth + 1 })?
        {
            items.push(item);
        }
        // The tree lives long; what growing over-allocated is given back.
        items.shrink_to_fit();
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        self.reading.enter(self.depth)?;
        let mut members = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            self.reading.member::<A::Error>(members.len() + 1, key.len())?;
            let value =
                access.next_value_seed(Tree { reading: self.reading, depth: self.depth + 1 })?;
            if insert(&mut members, key, value, self.depth) {
                self.reading.repeated_keys += 1;
            }
        }
        Ok(Value::Object(members))
    }
}

/// Puts a member in; says whether the key was there already. `depth` is that of the object.
///
/// The last value wins, but the operations of a path that is written twice are put together, and so
/// are the components of a group that is written twice: losing them silently would lose operations.
pub(crate) fn insert(
    members: &mut Map<String, Value>,
    key: String,
    value: Value,
    depth: usize,
) -> bool {
    match members.entry(key) {
        serde_json::map::Entry::Vacant(entry) => {
            entry.insert(value);
            false
        }
        serde_json::map::Entry::Occupied(mut entry) => {
            let together = (depth == 1 && entry.key().starts_with('/'))
                || (depth == 0 && entry.key() == "paths");
            match (entry.get_mut(), value) {
                (Value::Object(first), Value::Object(second)) if together => first.extend(second),
                (place, value) => *place = value,
            }
            true
        }
    }
}

/// The text with comments and trailing commas blanked out, so that all offsets stay; `None` if there are none.
pub(crate) fn without_comments(text: &str) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let mut changed = false;
    let mut comma = None;
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'"', _) => {
                comma = None;
                at = string_end(&bytes, at);
                continue;
            }
            (b'/', Some(b'/' | b'*')) => {
                let end = comment_end(&bytes, at);
                blank(&mut bytes[at..end]);
                changed = true;
                at = end;
                continue;
            }
            (b',', _) => comma = Some(at),
            (b'}' | b']', _) => {
                if let Some(comma) = comma.take() {
                    bytes[comma] = b' ';
                    changed = true;
                }
            }
            (b' ' | b'\t' | b'\r' | b'\n', _) => {}
            _ => comma = None,
        }
        at += 1;
    }
    if changed { String::from_utf8(bytes).ok() } else { None }
}

/// The offset after the comment that begins at `at`.
fn comment_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at + 2..];
    let length = if bytes[at + 1] == b'/' {
        memchr::memchr(b'\n', rest).unwrap_or(rest.len())
    } else {
        memchr::memmem::find(rest, b"*/").map_or(rest.len(), |end| end + 2)
    };
    at + 2 + length
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// The offset after the string that begins at `at`.
pub(crate) fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(next) = memchr::memchr2(b'"', b'\\', &bytes[at.min(bytes.len())..]) {
        at += next;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

#[cfg(test)]
mod tests;
