//! The contract that is proposed: OpenAPI 3.1.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::paths::Node;
use super::{Bodies, Calls, FORM, Kinds, Learned, Names, PARTS_MAX, Thresholds, write};

/// Siblings that are alike, at least so many, are one operation with a parameter.
const ALIKE: usize = 12;
/// The most entries of what is listed apart.
const REVIEW_MAX: usize = 200;

/// What stands at the beginning of the file.
const HEAD: &str = "\
# Proposed by Portway from calls that the application answered well. Nothing of it counts until you use it:
# read it, correct it, and name a copy of it as `contract` of the service. `x-portway-review` lists what was seen too
# seldom to be proposed. This file is written again as long as `learn` is on and nobody edits it.
";

pub(super) fn contract(learned: &Learned, service: &str, thresholds: &Thresholds) -> String {
    let mut proposal = Proposal {
        thresholds: *thresholds,
        paths: Map::new(),
        review: Vec::new(),
        ids: BTreeSet::new(),
    };
    let mut root = learned.root.clone();
    fold_alike(&mut root, true);
    proposal.walk(&root, &Trail::default());
    let mut document = Map::new();
    document.insert("openapi".to_owned(), json!("3.1.0"));
    let title = format!("{service} (learned)");
    document.insert("info".to_owned(), json!({ "title": title, "version": "0" }));
    document.insert(
        "x-portway-learned".to_owned(),
        json!({
            "calls": learned.calls,
            "left_out": learned.left_out,
            "too_many": learned.parts >= PARTS_MAX,
        }),
    );
    document.insert("paths".to_owned(), Value::Object(proposal.paths));
    document.insert("x-portway-review".to_owned(), Value::Array(proposal.review));
    let mut text = HEAD.to_owned();
    write::yaml(&Value::Object(document), &mut text);
    text
}

/// Words at one place that lead to the same things are values. At the top, words are what an application consists of.
fn fold_alike(node: &mut Node, is_top: bool) {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    if !is_top {
        for (word, below) in &node.words {
            let likeness = likeness(below);
            match groups.iter_mut().find(|(known, _)| *known == likeness) {
                Some((_, words)) => words.push(word.clone()),
                None => groups.push((likeness, vec![word.clone()])),
            }
        }
    }
    for (_, words) in groups.into_iter().filter(|(_, words)| words.len() >= ALIKE) {
        for word in words {
            if let Some(below) = node.words.remove(&word) {
                let parameter = node.parameter.get_or_insert_default();
                parameter.values.add("", &word, 0);
                parameter.node.merge(below);
            }
        }
    }
    node.words.values_mut().for_each(|below| fold_alike(below, false));
    if let Some(parameter) = &mut node.parameter {
        fold_alike(&mut parameter.node, false);
    }
}

/// What a place leads to: methods, media types, and what is below.
fn likeness(node: &Node) -> String {
    let mut text = String::new();
    for (method, calls) in &node.operations {
        text.push_str(method);
        for kinds in calls.answers.values() {
            kinds.keys().for_each(|media| text.push_str(media));
        }
        text.push(' ');
    }
    for (word, below) in &node.words {
        text.push_str(&format!("/{word}({})", likeness(below)));
    }
    if let Some(parameter) = &node.parameter {
        text.push_str(&format!("/{{}}({})", likeness(&parameter.node)));
    }
    text
}

struct Proposal {
    thresholds: Thresholds,
    paths: Map<String, Value>,
    review: Vec<Value>,
    ids: BTreeSet<String>,
}

/// The way to a place.
#[derive(Clone, Default)]
struct Trail {
    /// With parameters in braces.
    path: String,
    /// The same, with what is seldom left out.
    shown: String,
    parameters: Vec<(String, Value)>,
    /// One of the parameters is a guess from many words.
    is_guess: bool,
}

impl Trail {
    fn word(&self, word: &str, is_enough: bool) -> Self {
        let mut next = self.clone();
        next.path.push_str(&format!("/{word}"));
        // A word that was seen once may be somebody's name or token.
        next.shown.push_str(&if is_enough { format!("/{word}") } else { "/{seldom}".to_owned() });
        next
    }

    fn parameter(&self, schema: Value, is_guess: bool) -> Self {
        let mut next = self.clone();
        let number = self.parameters.len() + 1;
        let name = if number == 1 { "id".to_owned() } else { format!("id{number}") };
        next.path.push_str(&format!("/{{{name}}}"));
        next.shown.push_str(&format!("/{{{name}}}"));
        next.parameters.push((name, schema));
        next.is_guess |= is_guess;
        next
    }
}

impl Proposal {
    /// Goes as deep as paths do.
    fn walk(&mut self, node: &Node, trail: &Trail) {
        for (method, calls) in &node.operations {
            self.operation(method, calls, trail);
        }
        for (word, below) in &node.words {
            self.walk(below, &trail.word(word, below.is_enough(&self.thresholds)));
        }
        if let Some(parameter) = &node.parameter {
            let trail = trail.parameter(parameter.values.schema(), node.folded);
            self.walk(&parameter.node, &trail);
        }
    }

    fn operation(&mut self, method: &str, calls: &Calls, trail: &Trail) {
        let seen = &calls.seen;
        let callers = seen.callers.count();
        // Whoever tries many names alone makes no operation.
        let is_alone = trail.is_guess && callers < self.thresholds.callers;
        if is_alone || !seen.is_enough(&self.thresholds) {
            if self.review.len() < REVIEW_MAX {
                let what = format!("{method} {}", trail.shown);
                self.review.push(json!({ "call": what, "calls": seen.calls, "callers": callers }));
            }
            return;
        }
        let mut operation = Map::new();
        operation.insert("operationId".to_owned(), json!(self.id(method, &trail.path)));
        let mut parameters: Vec<Value> = trail
            .parameters
            .iter()
            .map(|(name, schema)| {
                json!({ "name": name, "in": "path", "required": true, "schema": schema })
            })
            .collect();
        parameters.extend(self.query(&calls.query, seen.calls));
        if !parameters.is_empty() {
            operation.insert("parameters".to_owned(), Value::Array(parameters));
        }
        if calls.with_body > 0 {
            let content = self.content(&calls.bodies, true);
            let is_required = calls.with_body == seen.calls;
            let body = json!({ "required": is_required, "content": content });
            operation.insert("requestBody".to_owned(), body);
        }
        operation.insert("responses".to_owned(), self.answers(calls));
        operation.insert("x-portway-learned".to_owned(), learned(calls));
        let item = self.paths.entry(&trail.path).or_insert_with(|| json!({}));
        if let Value::Object(item) = item {
            item.insert(method.to_ascii_lowercase(), Value::Object(operation));
        }
    }

    /// A name for an operation, like `getOrdersById`; each once.
    fn id(&mut self, method: &str, path: &str) -> String {
        let mut id = method.to_ascii_lowercase();
        for part in path.split(|c: char| !c.is_ascii_alphanumeric() && c != '{') {
            let (by, part) = match part.strip_prefix('{') {
                Some(name) => ("By", name),
                None => ("", part),
            };
            id.push_str(by);
            let mut chars = part.chars();
            id.extend(chars.next().map(|first| first.to_ascii_uppercase()));
            id.extend(chars);
        }
        let mut name = id.clone();
        let mut number = 1;
        while !self.ids.insert(name.clone()) {
            number += 1;
            name = format!("{id}{number}");
        }
        name
    }

    fn query(&self, names: &Names, calls: u64) -> Vec<Value> {
        let often = names.known.iter().filter(|(_, named)| named.calls >= self.thresholds.calls);
        often
            .map(|(name, named)| {
                let one = named.values.schema();
                let schema =
                    if named.repeated { json!({ "type": "array", "items": one }) } else { one };
                let is_required = named.calls == calls;
                json!({ "name": name, "in": "query", "required": is_required, "schema": schema })
            })
            .collect()
    }

    fn content(&self, kinds: &Kinds, of_request: bool) -> Value {
        let shown = kinds.iter().filter(|(media, _)| !media.is_empty());
        let content = shown.map(|(media, bodies)| {
            let schema = self.schema(media, bodies, of_request);
            (media.clone(), schema.map_or_else(|| json!({}), |schema| json!({ "schema": schema })))
        });
        Value::Object(content.collect())
    }

    fn schema(&self, media: &str, bodies: &Bodies, of_request: bool) -> Option<Value> {
        // What was not read may have been different.
        let whole = of_request && bodies.read == bodies.count;
        if media == FORM {
            return bodies.form.as_ref().map(|names| self.form(names, bodies.read, whole));
        }
        bodies.json.as_ref().map(|shape| shape.schema(whole, &self.thresholds))
    }

    fn form(&self, names: &Names, forms: u64, whole: bool) -> Value {
        let often = || names.known.iter().filter(|(_, named)| named.calls >= self.thresholds.calls);
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        let required = often().filter(|(_, named)| named.calls == forms);
        let required: Vec<&String> = required.map(|(name, _)| name).collect();
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        let properties: Map<String, Value> = often()
            .map(|(name, named)| {
                let one = named.values.schema();
                let one =
                    if named.repeated { json!({ "type": "array", "items": one }) } else { one };
                (name.clone(), one)
            })
            .collect();
        if whole && !names.more && properties.len() == names.known.len() {
            schema.insert("additionalProperties".to_owned(), json!(false));
        }
        schema.insert("properties".to_owned(), Value::Object(properties));
        Value::Object(schema)
    }

    fn answers(&self, calls: &Calls) -> Value {
        let mut answers = Map::new();
        for (status, kinds) in &calls.answers {
            let count: u64 = kinds.values().map(|bodies| bodies.count).sum();
            let times = if count == 1 { "once".to_owned() } else { format!("{count} times") };
            let mut answer = Map::new();
            answer.insert("description".to_owned(), json!(format!("Seen {times}.")));
            let content = self.content(kinds, false);
            if content.as_object().is_some_and(|content| !content.is_empty()) {
                answer.insert("content".to_owned(), content);
            }
            answers.insert(status.to_string(), Value::Object(answer));
        }
        Value::Object(answers)
    }
}

/// Who calls, how often, how much.
fn learned(calls: &Calls) -> Value {
    let seen = &calls.seen;
    let most = |kinds: &mut dyn Iterator<Item = &Bodies>| {
        kinds.map(|bodies| bodies.bytes_max).max().unwrap_or(0)
    };
    json!({
        "calls": seen.calls,
        "callers": seen.callers.count(),
        "apps": calls.apps,
        "anonymous": calls.anonymous,
        "first_seen": date(seen.first_s),
        "last_seen": date(seen.last_s),
        "request_bytes_max": most(&mut calls.bodies.values()),
        "answer_bytes_max": most(&mut calls.answers.values().flat_map(|kinds| kinds.values())),
        "too_many": calls.more || calls.query.more,
    })
}

/// The day of a moment, in UTC (days to civil, after Howard Hinnant).
fn date(unix_s: u64) -> String {
    let days = i64::try_from(unix_s / 86_400).unwrap_or(0) + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}
