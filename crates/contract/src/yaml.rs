//! YAML text into a value, within a budget, without recursion.
//!
//! The events come from `granit-parser`; scalars are resolved by the core schema of YAML 1.2, with the
//! two habits of YAML 1.1 that would surprise left out: `no` is a text, `012` is a text. Merge keys
//! (`<<`) are applied. Only what JSON can say comes out: keys are texts, infinities are texts, tags other
//! than the core ones are ignored. Aliases are copied, and every copy is paid for.

use std::collections::HashMap;

use granit_parser::{ErrorKind, Event, Options, Parser, ScalarStyle, Tag};
use serde_json::{Map, Number, Value};

use crate::budget::{Budget, Spent};
use crate::json::insert;

/// A value and what was noticed while reading it.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) value: Value,
    /// Number of keys that stand more than once in their mapping.
    pub(crate) repeated_keys: usize,
    /// Byte offsets of aliases that name nothing; each is read as null.
    pub(crate) unknown_aliases: Vec<usize>,
    /// There is a second document in the file, which is not read.
    pub(crate) more_documents: bool,
    /// Line and column where the indentation is not what YAML asks for, though the meaning is clear.
    pub(crate) indentation: Option<(usize, usize)>,
}

/// Why a text is not YAML within the budget.
#[derive(Debug)]
pub(crate) struct YamlFault {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) message: String,
    pub(crate) spent: Option<Spent>,
}

/// The parser's settings: bounds of ours, comments left out, unknown aliases not fatal.
pub(crate) fn options(depth: usize) -> Options {
    granit_parser::options! {
        emit_unresolved_aliases: true,
        emit_comments: false,
        flow_nesting_limit: depth,
        block_nesting_limit: depth,
        // Longer than YAML allows: JSON with long keys is read this way too.
        simple_key_max_lookahead: 16 * 1024,
    }
}

/// Reads the first document of the text: by the letter of YAML, else as leniently as common readers do.
pub(crate) fn parse(
    text: &str,
    budget: &mut Budget,
    alias_nodes: usize,
) -> Result<Parsed, YamlFault> {
    let before = budget.clone();
    let mut strict = options(budget.depth);
    strict.strict_indentation = true;
    match parse_by(text, strict, budget, alias_nodes) {
        Err(fault) if fault.spent.is_none() => {
            *budget = before;
            let lenient = options(budget.depth);
            let mut parsed = parse_by(text, lenient, budget, alias_nodes)?;
            parsed.indentation = Some((fault.line, fault.column));
            Ok(parsed)
        }
        other => other,
    }
}

fn parse_by(
    text: &str,
    options: Options,
    budget: &mut Budget,
    alias_nodes: usize,
) -> Result<Parsed, YamlFault> {
    let mut builder = Builder {
        budget,
        alias_nodes_left: alias_nodes,
        stack: Vec::new(),
        anchors: HashMap::new(),
        done: None,
        repeated_keys: 0,
        unknown_aliases: Vec::new(),
    };
    let mut more_documents = false;
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = match next {
            Ok(next) => next,
            // What follows the first document cannot spoil it.
            Err(_) if builder.done.is_some() => break,
            Err(fault) => {
                let mark = fault.marker();
                let spent = matches!(fault.kind(), ErrorKind::RecursionLimitExceeded)
                    .then_some(Spent::Depth);
                return Err(YamlFault {
                    line: mark.line(),
                    column: mark.col() + 1,
                    message: fault.info(),
                    spent,
                });
            }
        };
        if matches!(event, Event::DocumentStart(..)) && builder.done.is_some() {
            more_documents = true;
            break;
        }
        let offset = span.start.byte_offset().unwrap_or(0);
        if let Err(spent) = builder.take(event, offset) {
            return Err(YamlFault {
                line: span.start.line(),
                column: span.start.col() + 1,
                message: spent.to_string(),
                spent: Some(spent),
            });
        }
    }
    Ok(Parsed {
        value: builder.done.unwrap_or(Value::Null),
        repeated_keys: builder.repeated_keys,
        unknown_aliases: builder.unknown_aliases,
        more_documents,
        indentation: None,
    })
}

/// A collection whose end has not come yet.
struct Open {
    holds: Holds,
    anchor: usize,
}

enum Holds {
    Sequence(Vec<Value>),
    Mapping {
        members: Map<String, Value>,
        /// The key whose value is awaited.
        key: Option<Key>,
        /// Values of `<<`, applied when the mapping ends: written keys win over merged ones.
        merges: Vec<Value>,
    },
}

enum Key {
    Text(String),
    Merge,
}

struct Builder<'b> {
    budget: &'b mut Budget,
    alias_nodes_left: usize,
    stack: Vec<Open>,
    anchors: HashMap<usize, (Value, usize)>,
    done: Option<Value>,
    repeated_keys: usize,
    unknown_aliases: Vec<usize>,
}

impl Builder<'_> {
    fn take(&mut self, event: Event<'_>, offset: usize) -> Result<(), Spent> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let merge = text == "<<" && style == ScalarStyle::Plain;
                if self.awaits_key() {
                    return self.key(text.into_owned(), merge);
                }
                self.budget.scalar(text.len())?;
                let value = scalar(text.into_owned(), style, tag.as_deref());
                self.anchored(anchor, &value)?;
                self.put(value)
            }
            Event::SequenceStart(_, anchor, _) => self.open(Holds::Sequence(Vec::new()), anchor),
            Event::MappingStart(_, anchor, _) => self.open(
                Holds::Mapping { members: Map::new(), key: None, merges: Vec::new() },
                anchor,
            ),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, offset),
            Event::UnresolvedAlias(_) => self.unknown(offset),
            _ => Ok(()),
        }
    }

    fn awaits_key(&self) -> bool {
        matches!(self.stack.last(), Some(Open { holds: Holds::Mapping { key: None, .. }, .. }))
    }

    fn key(&mut self, text: String, merge: bool) -> Result<(), Spent> {
        if let Some(Open { holds: Holds::Mapping { members, key, .. }, .. }) = self.stack.last_mut()
        {
            self.budget.member(members.len() + 1, text.len())?;
            *key = Some(if merge { Key::Merge } else { Key::Text(text) });
        }
        Ok(())
    }

    fn open(&mut self, holds: Holds, anchor: usize) -> Result<(), Spent> {
        if self.stack.len() >= self.budget.depth {
            return Err(Spent::Depth);
        }
        self.budget.scalar(0)?;
        self.stack.push(Open { holds, anchor });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Spent> {
        let Some(open) = self.stack.pop() else { return Ok(()) };
        let value = match open.holds {
            Holds::Sequence(mut items) => {
                items.shrink_to_fit();
                Value::Array(items)
            }
            Holds::Mapping { mut members, merges, .. } => {
                for merge in merges {
                    apply_merge(&mut members, merge);
                }
                Value::Object(members)
            }
        };
        self.anchored(open.anchor, &value)?;
        self.put(value)
    }

    /// Remembers an anchored value; the copy is paid for like any other.
    fn anchored(&mut self, anchor: usize, value: &Value) -> Result<(), Spent> {
        if anchor != 0 {
            let nodes = self.copy_cost(value)?;
            self.anchors.insert(anchor, (value.clone(), nodes));
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, offset: usize) -> Result<(), Spent> {
        match self.anchors.get(&anchor) {
            Some((value, _)) if self.awaits_key() => {
                let text = key_text(value);
                self.key(text, false)
            }
            Some((_, nodes)) if *nodes > self.alias_nodes_left => Err(Spent::Aliases),
            Some((value, _)) => {
                let value = value.clone();
                if self.stack.len() + depth_of(&value, self.budget.depth) > self.budget.depth {
                    return Err(Spent::Depth);
                }
                self.copy_cost(&value)?;
                self.put(value)
            }
            // An alias to a collection that is still open: a tree cannot hold itself.
            None => self.unknown(offset),
        }
    }

    fn unknown(&mut self, offset: usize) -> Result<(), Spent> {
        if self.unknown_aliases.len() < 100 {
            self.unknown_aliases.push(offset);
        }
        if self.awaits_key() { self.key(String::new(), false) } else { self.put(Value::Null) }
    }

    /// Pays for a copy of a value; gives its number of nodes.
    fn copy_cost(&mut self, value: &Value) -> Result<usize, Spent> {
        let mut nodes = 0usize;
        let mut waiting = vec![value];
        while let Some(value) = waiting.pop() {
            nodes += 1;
            self.alias_nodes_left = self.alias_nodes_left.checked_sub(1).ok_or(Spent::Aliases)?;
            match value {
                Value::String(text) => self.budget.scalar(text.len())?,
                Value::Array(items) => {
                    self.budget.scalar(0)?;
                    waiting.extend(items);
                }
                Value::Object(members) => {
                    self.budget.scalar(0)?;
                    for (count, (key, value)) in members.iter().enumerate() {
                        self.budget.member(count + 1, key.len())?;
                        waiting.push(value);
                    }
                }
                _ => self.budget.scalar(0)?,
            }
        }
        Ok(nodes)
    }

    /// Puts a finished value where it belongs.
    fn put(&mut self, value: Value) -> Result<(), Spent> {
        let depth = self.stack.len().saturating_sub(1);
        let Some(open) = self.stack.last_mut() else {
            if self.done.is_none() {
                self.done = Some(value);
            }
            return Ok(());
        };
        match &mut open.holds {
            Holds::Sequence(items) => items.push(value),
            Holds::Mapping { members, key, merges } => match key.take() {
                Some(Key::Merge) => merges.push(value),
                Some(Key::Text(text)) => {
                    if insert(members, text, value, depth) {
                        self.repeated_keys += 1;
                    }
                }
                // A collection as a key: its JSON stands for it.
                None => {
                    let text = key_text(&value);
                    return self.key(text, false);
                }
            },
        }
        Ok(())
    }
}

/// The text of a value that stands as a key, kept short.
fn key_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => "?".to_owned(),
        other => other.to_string(),
    }
}

fn depth_of(value: &Value, enough: usize) -> usize {
    let mut deepest = 0;
    let mut waiting = vec![(value, 1)];
    while let Some((value, depth)) = waiting.pop() {
        deepest = deepest.max(depth);
        if deepest > enough {
            return deepest;
        }
        match value {
            Value::Array(items) => waiting.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(members) => {
                waiting.extend(members.values().map(|item| (item, depth + 1)))
            }
            _ => {}
        }
    }
    deepest
}

/// Members of the merged mapping (or mappings, the first wins) that the mapping does not have itself.
fn apply_merge(members: &mut Map<String, Value>, merge: Value) {
    match merge {
        Value::Object(merged) => {
            for (key, value) in merged {
                members.entry(key).or_insert(value);
            }
        }
        Value::Array(list) => {
            for item in list {
                if item.is_object() {
                    apply_merge(members, item);
                }
            }
        }
        _ => {}
    }
}

/// A scalar by the core schema, or by its tag.
fn scalar(text: String, style: ScalarStyle, tag: Option<&Tag>) -> Value {
    match tag.and_then(Tag::core_suffix) {
        Some("str") => return Value::String(text),
        Some("null") => return Value::Null,
        Some("bool" | "int" | "float") => return plain(text),
        _ => {}
    }
    if style == ScalarStyle::Plain { plain(text) } else { Value::String(text) }
}

/// A plain scalar by the core schema of YAML 1.2 (§10.3.2).
fn plain(text: String) -> Value {
    match text.as_bytes() {
        b"" | b"~" | b"null" | b"Null" | b"NULL" => Value::Null,
        b"true" | b"True" | b"TRUE" => Value::Bool(true),
        b"false" | b"False" | b"FALSE" => Value::Bool(false),
        [b'0'..=b'9' | b'+' | b'-' | b'.', ..] => match number(&text) {
            Some(number) => Value::Number(number),
            None => Value::String(text),
        },
        _ => Value::String(text),
    }
}

fn number(text: &str) -> Option<Number> {
    let radix = |digits: &str, radix| u64::from_str_radix(digits, radix).ok().map(Number::from);
    if let Some(digits) = text.strip_prefix("0x") {
        return if digits.starts_with('+') { None } else { radix(digits, 16) };
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return if digits.starts_with('+') { None } else { radix(digits, 8) };
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let leading_zero =
        unsigned.len() > 1 && unsigned.starts_with('0') && unsigned.as_bytes()[1].is_ascii_digit();
    if leading_zero || !is_decimal(unsigned) {
        return None;
    }
    if unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        if let Ok(whole) = text.strip_prefix('+').unwrap_or(text).parse::<u64>() {
            return Some(whole.into());
        }
        if let Ok(whole) = text.parse::<i64>() {
            return Some(whole.into());
        }
    }
    text.parse::<f64>().ok().and_then(Number::from_f64)
}

/// `[0-9]*` with at most one dot, at least one digit, and an optional exponent.
fn is_decimal(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let digits = mantissa.bytes().filter(u8::is_ascii_digit).count();
    let dots = mantissa.bytes().filter(|byte| *byte == b'.').count();
    let exponent_fits = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    digits > 0 && dots <= 1 && digits + dots == mantissa.len() && exponent_fits
}

#[cfg(test)]
mod tests;
