//! Whether values have the shape that the schema asks for: every mistake of it, not only the first.
//!
//! The schema is the one made from the types (`schema.rs`), so there is no second list of fields. Only
//! the keywords that it uses are understood. Semantics (a plan that does not exist, say) are judged
//! later, in `check.rs`.

use serde_json::{Map, Value};

use crate::finding::Finding;
use crate::path::{Path, dotted};
use crate::sources::LITERALS_MAX;
use crate::text::quoted;
use crate::{format, suggest};

mod words;

use words::{describe, kind_of, list_of};

/// After this many mistakes nobody reads on, and a hostile document could have millions.
pub(crate) const FINDINGS_MAX: usize = 1_000;

/// What was found in one document.
pub(crate) struct Conform<'s> {
    schema: &'s Value,
    pub(crate) findings: Vec<Finding>,
    /// Literals that stand where only references to secrets may, so that no line that has them is shown.
    pub(crate) literals: Vec<String>,
}

/// Where the walk is.
#[derive(Clone, Copy)]
struct Frame<'a> {
    path: &'a Path<'a>,
    /// What the thing around is called: `service`.
    noun: &'a str,
    /// What the thing itself is called, if it has a name.
    title: Option<&'a str>,
    /// Whether only a reference to a secret may stand here, and never a literal.
    secret: bool,
    /// Whether a value that is wrong here may be a secret, and is not to be shown.
    hidden: bool,
}

/// Checks a whole document.
pub(crate) fn conform<'s>(schema: &'s Value, document: &Value) -> Conform<'s> {
    let mut conform = Conform { schema, findings: Vec::new(), literals: Vec::new() };
    let frame =
        Frame { path: &Path::ROOT, noun: "document", title: None, secret: false, hidden: false };
    conform.check(schema, document, frame);
    conform
}

impl<'s> Conform<'s> {
    fn add(&mut self, finding: Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding);
        }
    }

    /// Notes a literal that must never be shown.
    fn keep(&mut self, literal: &str) {
        if self.literals.len() < LITERALS_MAX {
            self.literals.push(literal.to_owned());
        }
    }

    /// Follows `$ref`.
    fn resolve(&self, mut schema: &'s Value) -> &'s Value {
        const REFERENCES_MAX: usize = 8;
        for _ in 0..REFERENCES_MAX {
            let Some(reference) = schema.get("$ref").and_then(Value::as_str) else { break };
            match self.schema.pointer(reference.trim_start_matches('#')) {
                Some(target) => schema = target,
                None => break,
            }
        }
        schema
    }

    /// All alternatives of a schema, resolved; itself if it has none.
    fn alternatives(&self, schema: &'s Value) -> Vec<&'s Value> {
        let schema = self.resolve(schema);
        match schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
            Some(inner) => inner.iter().flat_map(|schema| self.alternatives(schema)).collect(),
            None => vec![schema],
        }
    }

    fn check(&mut self, schema: &'s Value, value: &Value, frame: Frame<'_>) {
        let schema = self.resolve(schema);
        let title = schema.get("title").and_then(Value::as_str);
        let frame = Frame {
            noun: title.unwrap_or(frame.noun),
            title,
            secret: frame.secret || schema.get("x-portway-secret").is_some(),
            hidden: frame.hidden
                || schema.get("x-portway-secret").is_some()
                || schema.get("x-portway-hidden").is_some(),
            path: frame.path,
        };
        if frame.secret && self.is_literal(value, frame) {
            return;
        }
        let is_simple =
            !schema.get("anyOf").or_else(|| schema.get("oneOf")).is_some_and(Value::is_array);
        // Most things have one form only, and large documents have many things.
        if is_simple && accepts(schema, value) {
            return self.check_form(schema, value, frame);
        }
        self.check_forms(schema, value, frame);
    }

    /// A thing of the right kind that has one form.
    fn check_form(&mut self, schema: &'s Value, value: &Value, frame: Frame<'_>) {
        match value {
            Value::String(text) => self.check_text(&[schema], &[schema], text, frame),
            Value::Object(map) => self.check_map(schema, map, frame),
            Value::Array(items) => self.check_list(schema, items, frame),
            Value::Number(_) => self.check_number(schema, value, frame),
            Value::Bool(_) | Value::Null => {}
        }
    }

    /// A thing that has several forms, or is of the wrong kind.
    fn check_forms(&mut self, schema: &'s Value, value: &Value, frame: Frame<'_>) {
        let alternatives = self.alternatives(schema);
        let fitting: Vec<&Value> =
            alternatives.iter().copied().filter(|schema| accepts(schema, value)).collect();
        match (value, fitting.as_slice()) {
            (Value::Null, []) => self.no_value(&alternatives, frame),
            (_, []) => self.wrong_kind(&alternatives, value, frame),
            (Value::String(text), _) => self.check_text(&alternatives, &fitting, text, frame),
            (Value::Object(map), fitting) if is_tagged(&alternatives) => {
                self.check_tagged(fitting, map, frame);
            }
            (_, [schema, ..]) => self.check_form(schema, value, frame),
        }
    }

    /// Refuses a literal where a reference to a secret belongs, and sees that it is never shown.
    fn is_literal(&mut self, value: &Value, frame: Frame<'_>) -> bool {
        match value {
            Value::Object(map) => {
                // `{hunter2}` is a map with an empty value, and `{ value: hunter2 }` has it inside.
                for (key, inner) in map {
                    match inner {
                        Value::Null => self.keep(key),
                        Value::String(text)
                            if key == "file"
                                || key == "env"
                                    && format::check("portway-variable", text).is_ok() => {}
                        inner => self.hide(inner),
                    }
                }
                false
            }
            // Inside of the reference: the name of a variable, of a file, or a hash.
            Value::String(_) if frame.noun == words::REFERENCE => false,
            Value::Array(_) | Value::Null => false,
            literal => {
                self.hide(literal);
                let message = format!(
                    "{} is a literal, but a secret never stands in a document",
                    dotted(&frame.path.pointer())
                );
                let fix = if matches!(frame.noun, "app" | "key of an app") {
                    "write { env: NAME } and put the key into that environment variable, { file: PATH }, or { sha256: HASH }"
                } else {
                    "write { env: NAME } and put the secret into that environment variable, or { file: PATH }"
                };
                self.add(Finding::error("secret-literal", frame.path.pointer(), message).fix(fix));
                true
            }
        }
    }

    fn hide(&mut self, value: &Value) {
        match value {
            Value::Null | Value::Bool(_) => {}
            Value::String(text) => self.keep(text),
            Value::Number(number) => self.keep(&number.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.hide(item)),
            Value::Object(map) => map.values().for_each(|inner| self.hide(inner)),
        }
    }

    fn no_value(&mut self, alternatives: &[&'s Value], frame: Frame<'_>) {
        let pointer = frame.path.pointer();
        let fix = match alternatives {
            [only]
                if accepts(only, &Value::Object(Map::new())) && only.get("required").is_none() =>
            {
                "write {} for an empty one, or remove it".to_owned()
            }
            _ => format!("give it {}, or remove it", describe(alternatives)),
        };
        self.add(
            Finding::error("no-value", &pointer, format!("{} has no value", dotted(&pointer)))
                .at_key()
                .fix(fix),
        );
    }

    fn wrong_kind(&mut self, alternatives: &[&'s Value], value: &Value, frame: Frame<'_>) {
        if frame.hidden {
            self.hide(value);
        }
        let pointer = frame.path.pointer();
        let name = dotted(&pointer);
        // A number where a text with a grammar belongs: the grammar knows best what is missing (`3` → `3s`).
        let formats =
            alternatives.iter().filter_map(|schema| schema.get("format").and_then(Value::as_str));
        if let (Value::Number(number), false) = (value, frame.hidden) {
            for format in formats.filter(|format| format.starts_with("portway-")) {
                if let Err(wrong) = format::check(format, &number.to_string()) {
                    self.add(
                        Finding::error("bad-text", pointer, format!("{name}: {}", wrong.message))
                            .fix(wrong.fix),
                    );
                    return;
                }
            }
        }
        let message =
            format!("{name} is {}, but should be {}", kind_of(value), describe(alternatives));
        let fix = if frame.hidden { String::new() } else { words::conversion(alternatives, value) };
        self.add(Finding::error("wrong-type", pointer, message).fix(fix));
    }

    fn check_text(
        &mut self,
        all: &[&'s Value],
        fitting: &[&'s Value],
        text: &str,
        frame: Frame<'_>,
    ) {
        let words: Vec<&str> = fitting.iter().flat_map(|schema| words::fixed(schema)).collect();
        if words.contains(&text) {
            return;
        }
        let free = fitting.iter().find(|schema| words::fixed(schema).next().is_none());
        let Some(schema) = free else { return self.unknown_word(all, words, text, frame) };
        let format = schema.get("format").and_then(Value::as_str).unwrap_or_default();
        if let Err(wrong) = format::check(format, text) {
            if let Some(user) = format::user_part(text).filter(|_| format == "portway-url") {
                self.keep(user);
            }
            let pointer = frame.path.pointer();
            let message = format!("{}: {}", dotted(&pointer), wrong.message);
            self.add(Finding::error("bad-text", pointer, message).fix(wrong.fix));
        }
    }

    /// A word where only certain words may stand.
    fn unknown_word(
        &mut self,
        all: &[&'s Value],
        mut words: Vec<&'s str>,
        text: &str,
        frame: Frame<'_>,
    ) {
        let pointer = frame.path.pointer();
        let name = dotted(&pointer);
        let tags: Vec<&str> = if is_tagged(all) {
            all.iter().filter_map(|schema| tag(schema)).collect()
        } else {
            Vec::new()
        };
        if tags.contains(&text) {
            let message = format!("{name}: \"{text}\" needs details");
            let fix = format!("write {{ {text}: … }}");
            return self.add(Finding::error("missing-details", pointer, message).fix(fix));
        }
        words.extend(tags.iter().copied().filter(|tag| !words.contains(tag)).collect::<Vec<_>>());
        if frame.hidden {
            self.keep(text);
        }
        let shown = if frame.hidden { "this".to_owned() } else { quoted(text) };
        let message = format!(
            "{name}: {shown} is not {}: {}",
            words::known_as(frame.title),
            words::choice(all, &words)
        );
        let finding = Finding::error("unknown-word", pointer, message).did_you_mean(text, words);
        let hint = all.iter().find_map(|schema| schema.get("x-portway-hints")?.get(text)?.as_str());
        self.add(match hint {
            Some(hint) => finding.fix(hint),
            None => finding,
        });
    }

    /// A map that has exactly one of several keys, each with its own details.
    fn check_tagged(&mut self, fitting: &[&'s Value], map: &Map<String, Value>, frame: Frame<'_>) {
        let pointer = frame.path.pointer();
        let tags: Vec<&str> = fitting.iter().filter_map(|schema| tag(schema)).collect();
        if map.is_empty() {
            let message =
                format!("{} is empty, but should have {}", dotted(&pointer), list_of(&tags));
            return self.add(Finding::error("missing-field", pointer, message));
        }
        for (key, value) in map {
            let path = frame.path.key(key);
            let known = fitting.iter().find(|schema| tag(schema) == Some(key));
            let Some(schema) = known.and_then(|schema| schema.get("properties")?.get(key)) else {
                // `{hunter2}` is a map with a key and no value.
                let is_shown = !(frame.hidden && value.is_null());
                if frame.hidden {
                    self.hide(value);
                }
                let shown = if is_shown { quoted(key) } else { "this".to_owned() };
                let place = if is_shown { path.pointer() } else { pointer.clone() };
                let message = format!(
                    "{}: {shown} is not {}: {}",
                    dotted(&pointer),
                    words::known_as(frame.title),
                    words::choice(fitting, &tags)
                );
                self.add(
                    Finding::error("unknown-word", place, message)
                        .at_key()
                        .did_you_mean(key, tags.iter().copied()),
                );
                continue;
            };
            let noun = if frame.secret { words::REFERENCE } else { frame.noun };
            self.check(schema, value, Frame { path: &path, noun, ..frame });
        }
        if map.len() > 1 && map.keys().all(|key| tags.contains(&key.as_str())) {
            let keys: Vec<&str> = map.keys().map(String::as_str).collect();
            let message = format!(
                "{} has {} at once, but can only have one of them",
                dotted(&pointer),
                words::all_of(&keys)
            );
            self.add(Finding::error("too-many-fields", pointer, message));
        }
    }

    fn check_map(&mut self, schema: &'s Value, map: &Map<String, Value>, frame: Frame<'_>) {
        let properties = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        let mut suggested = Vec::new();
        for (key, value) in map {
            let path = frame.path.key(key);
            let frame = Frame { path: &path, ..frame };
            match (properties.and_then(|properties| properties.get(key)), others) {
                (Some(schema), _) => self.check(schema, value, frame),
                (None, Some(schema @ Value::Object(_))) => {
                    self.check_key(schema, key, frame);
                    self.check(schema, value, frame);
                }
                (None, Some(Value::Bool(false))) => {
                    if frame.hidden {
                        self.hide(value);
                    }
                    suggested.extend(self.unknown_field(properties, map, key, frame));
                }
                (None, _) => {}
            }
        }
        let required = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str);
        for name in required.filter(|name| !map.contains_key(*name) && !suggested.contains(name)) {
            self.missing_field(properties, name, frame);
        }
        // One of several has to be there; the first is the usual one.
        let either = schema.get("x-portway-either").and_then(Value::as_array);
        let either: Vec<&str> = either.into_iter().flatten().filter_map(Value::as_str).collect();
        let has = |name: &&str| map.contains_key(*name) || suggested.contains(name);
        if let Some(usual) = either.first().filter(|_| !either.iter().any(has)) {
            self.missing_field(properties, usual, frame);
        }
    }

    /// Names of services, apps and plans.
    fn check_key(&mut self, values: &'s Value, key: &str, frame: Frame<'_>) {
        let Some(format) = values.get("x-portway-key").and_then(Value::as_str) else { return };
        if let Err(wrong) = format::check(format, key) {
            self.add(
                Finding::error("bad-name", frame.path.pointer(), wrong.message)
                    .at_key()
                    .fix(wrong.fix),
            );
        }
    }

    /// Tells of a field that does not exist; gives the one that was probably meant.
    fn unknown_field(
        &mut self,
        properties: Option<&'s Map<String, Value>>,
        map: &Map<String, Value>,
        key: &str,
        frame: Frame<'_>,
    ) -> Option<&'s str> {
        let known: Vec<&str> =
            properties.into_iter().flat_map(Map::keys).map(String::as_str).collect();
        let pointer = frame.path.pointer();
        let message =
            format!("{} is not a field of {}", dotted(&pointer), words::article(frame.noun));
        let meant = suggest::closest(key, known.iter().copied());
        let fix = match meant {
            Some(meant) if map.contains_key(meant) => {
                format!("did you mean \"{meant}\"? That stands there already")
            }
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("its fields are {}", words::all_of(&known)),
        };
        self.add(Finding::error("unknown-field", pointer, message).at_key().fix(fix));
        meant
    }

    fn missing_field(
        &mut self,
        properties: Option<&'s Map<String, Value>>,
        name: &str,
        frame: Frame<'_>,
    ) {
        let pointer = frame.path.pointer();
        let schema = properties.and_then(|properties| properties.get(name));
        let told =
            schema.and_then(|schema| schema.get("x-portway-missing")).and_then(Value::as_str);
        let fix = match (told, schema) {
            (Some(fix), _) => fix.to_owned(),
            (None, Some(schema)) => {
                format!("add \"{name}\": {}", describe(&self.alternatives(schema)))
            }
            (None, None) => format!("add \"{name}\""),
        };
        let message = format!(
            "{} has no \"{name}\", which {} needs",
            dotted(&pointer),
            words::article(frame.noun)
        );
        self.add(Finding::error("missing-field", pointer, message).at_key().fix(fix));
    }

    fn check_list(&mut self, schema: &'s Value, items: &[Value], frame: Frame<'_>) {
        let items_min = schema.get("minItems").and_then(Value::as_u64).unwrap_or(0);
        if (items.len() as u64) < items_min {
            let pointer = frame.path.pointer();
            let message = format!("{} is empty, but needs at least one", dotted(&pointer));
            let fix = schema.get("x-portway-empty").and_then(Value::as_str).unwrap_or_default();
            self.add(Finding::error("empty-list", pointer, message).fix(fix));
        }
        let Some(schema) = schema.get("items") else { return };
        for (index, value) in items.iter().enumerate() {
            let path = frame.path.index(index);
            self.check(schema, value, Frame { path: &path, ..frame });
        }
    }

    fn check_number(&mut self, schema: &'s Value, value: &Value, frame: Frame<'_>) {
        let number = value.as_f64().unwrap_or(f64::NAN);
        let minimum = schema.get("minimum").and_then(Value::as_f64);
        let maximum = schema.get("maximum").and_then(Value::as_f64);
        let is_const = schema.get("const").is_none_or(|only| only == value);
        if is_const
            && minimum.is_none_or(|minimum| number >= minimum)
            && maximum.is_none_or(|maximum| number <= maximum)
        {
            return;
        }
        let pointer = frame.path.pointer();
        let range = match (minimum, maximum) {
            (Some(minimum), Some(maximum)) if maximum >= f64::from(u32::MAX) => {
                format!("at least {minimum}")
            }
            (Some(minimum), Some(maximum)) => format!("from {minimum} to {maximum}"),
            (Some(minimum), None) => format!("at least {minimum}"),
            (None, Some(maximum)) => format!("at most {maximum}"),
            (None, None) => schema.get("const").map_or(String::new(), Value::to_string),
        };
        let message = format!("{} is {value}, but should be {range}", dotted(&pointer));
        self.add(Finding::error("out-of-range", pointer, message));
    }
}

/// Whether a value is of the kind that a schema without alternatives asks for.
fn accepts(schema: &Value, value: &Value) -> bool {
    let fits = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    match schema.get("type") {
        Some(Value::String(kind)) => fits(kind),
        Some(Value::Array(kinds)) => kinds.iter().filter_map(Value::as_str).any(fits),
        // Without a type: words by `const`, and what takes everything.
        _ => schema.get("const").is_none_or(|only| only.is_string() == value.is_string()),
    }
}

/// The one key of an alternative such as `{ env: … }`.
fn tag(schema: &Value) -> Option<&str> {
    let properties = schema.get("properties")?.as_object()?;
    let required = schema.get("required")?.as_array()?;
    match (properties.len(), required.as_slice()) {
        (1, [only]) => only.as_str(),
        _ => None,
    }
}

/// Whether the map forms of these alternatives are told apart by their one key.
fn is_tagged(alternatives: &[&Value]) -> bool {
    let mut maps =
        alternatives.iter().filter(|schema| schema.get("properties").is_some()).peekable();
    maps.peek().is_some() && maps.all(|schema| tag(schema).is_some()) && alternatives.len() > 1
}
