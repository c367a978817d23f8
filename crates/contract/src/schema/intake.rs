//! JSON from callers read into values, bounded while it is read.
//!
//! One pass: depth, members, items and lengths are judged as the text is parsed, before any schema sees a value and
//! before a value that is too much has been built. A member given twice is refused, since a backend may
//! take the other one.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::Number;

use super::problem::{POINTER_BYTES, Problem};
use super::{Map, Value};
use crate::pointer;

/// Bounds on one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Nesting of objects and arrays; at most 120.
    pub depth: usize,
    /// Members of one object.
    pub members: usize,
    /// Items of one array.
    pub items: usize,
    /// Objects, arrays, texts, numbers, … in all.
    pub values: usize,
    /// Bytes of one text or name.
    pub text_bytes: usize,
    /// Bytes of one number.
    pub number_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            depth: 64,
            members: 1_000,
            items: 100_000,
            values: 200_000,
            text_bytes: 8 << 20,
            number_bytes: 400,
        }
    }
}

/// Reads a text.
///
/// # Errors
/// The one problem that ended the reading.
pub fn read<'t>(text: &'t [u8], bounds: &Bounds) -> Result<Value<'t>, Problem> {
    let tally = Tally {
        bounds: Bounds { depth: bounds.depth.min(120), ..*bounds },
        values: Cell::new(0),
        fault: Cell::new(None),
        has_long: Cell::new(false),
        way: RefCell::new(Vec::new()),
    };
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = Reading { tally: &tally, depth: 0 }.deserialize(&mut reader);
    match read.and_then(|value| reader.end().map(|()| value)) {
        Ok(_) if tally.has_long.get() && longest_number(text) > bounds.number_bytes => {
            tally.fault.set(Some(Fault::Number));
            Err(tally.problem())
        }
        Ok(value) => Ok(value),
        Err(_) => Err(tally.problem()),
    }
}

/// The bytes of the longest number in a text of JSON.
fn longest_number(text: &[u8]) -> usize {
    let (mut longest, mut at) = (0, 0);
    while at < text.len() {
        match text[at] {
            b'"' => at = crate::json::string_end(text, at),
            b'-' | b'0'..=b'9' => {
                let is_part = |byte: &&u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
                let length = text[at..].iter().take_while(is_part).count();
                longest = longest.max(length);
                at += length;
            }
            _ => at += 1,
        }
    }
    longest
}

/// Why a text is refused.
#[derive(Clone, Copy)]
enum Fault {
    Depth,
    Members,
    Items,
    Values,
    Text,
    Number,
    Twice,
}

struct Tally {
    bounds: Bounds,
    values: Cell<usize>,
    fault: Cell<Option<Fault>>,
    /// There is a number that is not one of 64 bits; only such ones can be long.
    has_long: Cell<bool>,
    /// Steps to where it ended, innermost first.
    way: RefCell<Vec<String>>,
}

impl Tally {
    fn refuse<E: Error>(&self, fault: Fault) -> E {
        self.fault.set(Some(fault));
        E::custom("refused")
    }

    fn step(&self, step: impl FnOnce() -> String) {
        self.way.borrow_mut().push(step());
    }

    fn problem(self) -> Problem {
        let mut pointer = String::new();
        for step in self.way.into_inner().iter().rev() {
            let before = pointer.len();
            pointer::push(&mut pointer, step);
            if pointer.len() > POINTER_BYTES {
                pointer.truncate(before);
                break;
            }
        }
        let bounds = &self.bounds;
        let (rule, detail) = match self.fault.get() {
            None => ("json", "is not valid JSON (RFC 8259)".to_owned()),
            Some(Fault::Depth) => {
                ("depth", format!("is nested deeper than {} levels", bounds.depth))
            }
            Some(Fault::Members) => {
                ("members", format!("has more than {} members", bounds.members))
            }
            Some(Fault::Items) => ("items", format!("has more than {} items", bounds.items)),
            Some(Fault::Values) => ("values", format!("makes more than {} values", bounds.values)),
            Some(Fault::Text) => ("length", format!("is longer than {} bytes", bounds.text_bytes)),
            Some(Fault::Number) => {
                ("length", format!("has a number of more than {} bytes", bounds.number_bytes))
            }
            Some(Fault::Twice) => ("duplicate", "has a member twice".to_owned()),
        };
        Problem { pointer, rule, detail }
    }
}

#[derive(Clone, Copy)]
struct Reading<'t> {
    tally: &'t Tally,
    depth: usize,
}

impl Reading<'_> {
    fn text<E: Error>(&self, text: &str) -> Result<(), E> {
        if text.len() > self.tally.bounds.text_bytes {
            return Err(self.tally.refuse(Fault::Text));
        }
        Ok(())
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= self.tally.bounds.depth {
            return Err(self.tally.refuse(Fault::Depth));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }
}

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        let count = self.tally.values.get() + 1;
        if count > self.tally.bounds.values {
            return Err(self.tally.refuse(Fault::Values));
        }
        self.tally.values.set(count);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Value<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value<'de>, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value<'de>, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value<'de>, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value<'de>, E> {
        self.tally.has_long.set(true);
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Value<'de>, E> {
        self.text(text)?;
        Ok(Value::text(text.to_owned()))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Value<'de>, E> {
        self.text(text)?;
        Ok(Value::String(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut items = Vec::new();
        loop {
            match list.next_element_seed(inner) {
                Ok(Some(_)) if items.len() >= self.tally.bounds.items => {
                    return Err(self.tally.refuse(Fault::Items));
                }
                Ok(Some(item)) => items.push(item),
                Ok(None) => {
                    if items.capacity() > 2 * items.len() {
                        items.shrink_to_fit();
                    }
                    return Ok(Value::Array(items));
                }
                Err(error) => {
                    self.tally.step(|| items.len().to_string());
                    return Err(error);
                }
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut members = Map::default();
        while let Some(name) = map.next_key_seed(Name)? {
            self.text(&name)?;
            if members.len() >= self.tally.bounds.members {
                return Err(self.tally.refuse(Fault::Members));
            }
            match map.next_value_seed(inner) {
                Ok(value) => members.push(name, value),
                Err(error) => {
                    self.tally.step(|| name.into_owned());
                    return Err(error);
                }
            }
        }
        if !members.sort() {
            return Err(self.tally.refuse(Fault::Twice));
        }
        Ok(Value::Object(members))
    }
}

/// The name of a member.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }
}

#[cfg(test)]
mod tests;
