//! What a schema says that no value is checked for and that helps to make one: examples, defaults, formats.
//!
//! Kept only where somebody asks for it ([`super::Builder::with_hints`]): a gateway that only checks does not need it.

use serde_json::{Map, Value};

/// What one schema tells who makes a value of it.
#[derive(Debug, Default)]
pub(super) struct Hint {
    /// Values that the contract shows or takes for granted, best first. They may be wrong.
    pub(super) values: Box<[Value]>,
    pub(super) format: Option<Box<str>>,
    /// It stands in requests only.
    pub(super) write_only: bool,
    pub(super) discriminator: Option<Box<Discriminator>>,
}

/// Which member tells the alternatives of `oneOf` or `anyOf` apart, and what it says in each of them.
#[derive(Debug)]
pub(super) struct Discriminator {
    pub(super) property: Box<str>,
    /// By the place in the list of alternatives; empty where nothing is known.
    pub(super) words: Box<[Box<str>]>,
}

/// The longest text or list of a value that is kept, written as JSON, in bytes.
const VALUE_BYTES: usize = 64 << 10;

impl Hint {
    /// What is said; nothing if nothing is.
    pub(super) fn of(members: &Map<String, Value>) -> Option<Self> {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let mut values: Vec<&Value> = Vec::new();
        values.extend(members.get("example").filter(|value| !value.is_null()));
        match members.get("examples") {
            Some(Value::Array(list)) => values.extend(list.first()),
            // An early habit: named, as beside a schema.
            Some(Value::Object(named)) => {
                values.extend(named.values().next().and_then(|one| one.get("value")));
            }
            _ => {}
        }
        // That nothing is there if nobody says so is no example of what may be there.
        values.extend(members.get("default").filter(|value| !is_empty(value)));
        values.extend(members.get("enum").and_then(|list| list.get(0)));
        let values: Box<[Value]> =
            values.into_iter().filter(|value| is_small(value)).cloned().collect();
        let hint = Self {
            values,
            format: text("format").filter(|format| format.len() <= 40).map(Box::from),
            write_only: members.get("writeOnly").and_then(Value::as_bool).unwrap_or(false),
            discriminator: discriminator(members).map(Box::new),
        };
        let says = !hint.values.is_empty()
            || hint.format.is_some()
            || hint.write_only
            || hint.discriminator.is_some();
        says.then_some(hint)
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

fn is_small(value: &Value) -> bool {
    let mut left = VALUE_BYTES;
    let mut waiting = vec![value];
    while let Some(value) = waiting.pop() {
        let cost = match value {
            Value::String(text) => text.len() + 8,
            Value::Object(members) => members.keys().map(|name| name.len() + 8).sum::<usize>() + 8,
            _ => 8,
        };
        let Some(rest) = left.checked_sub(cost) else { return false };
        left = rest;
        match value {
            Value::Array(items) => waiting.extend(items),
            Value::Object(members) => waiting.extend(members.values()),
            _ => {}
        }
    }
    true
}

fn discriminator(members: &Map<String, Value>) -> Option<Discriminator> {
    let object = members.get("discriminator")?.as_object()?;
    let property = object.get("propertyName")?.as_str()?;
    let list = members.get("oneOf").or_else(|| members.get("anyOf"))?.as_array()?;
    let mapping = object.get("mapping").and_then(Value::as_object);
    let word = |branch: &Value| -> Box<str> {
        let Some(reference) = branch.get("$ref").and_then(Value::as_str) else { return "".into() };
        let last = reference.rsplit(['/', '#']).next().unwrap_or_default();
        let is_meant = |target: &Value| {
            target.as_str().is_some_and(|target| target == reference || target == last)
        };
        let mapped = mapping.and_then(|all| all.iter().find(|(_, target)| is_meant(target)));
        mapped.map_or(last, |(word, _)| word.as_str()).into()
    };
    Some(Discriminator { property: property.into(), words: list.iter().map(word).collect() })
}
