//! Routes: operations with one method whose paths match the same calls, and what tells them apart.
//!
//! Rivals are told apart by what their path keys ask (`?Action=…`), then by the look of their path
//! parameters, then by required query parameters and headers, then by the type of their bodies. The
//! last candidate of each kind takes what no other claimed, so that a sloppy call is answered by the
//! contract's check and not by "not found". Rivals that nothing tells apart are one route: a call
//! reaches it, and is counted for the first.

use std::collections::{BTreeMap, BTreeSet};

use regex::RegexBuilder;
use serde_json::Value;

use super::operation::Draft;
use super::paths::only_value;
use super::{Reader, text};
use crate::contract::{Location, Parameter, Route};
use crate::dispatch::{Dispatch, ValueTest};
use crate::template::Braced;

/// Largest compiled pattern of a path parameter, in bytes.
const PATTERN_BYTES: usize = 256 << 10;
/// Candidates of one route that are told apart; beyond that only what path keys ask counts.
const MOST_RIVALS: usize = 64;

/// Gathers the routable operations into routes and gives rivals the conditions that tell them apart.
pub(super) fn gather(drafts: &mut [Draft<'_>], reader: &mut Reader<'_, '_>) -> Vec<Route> {
    let mut groups: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
    for (index, draft) in drafts.iter().enumerate().filter(|(_, draft)| draft.operation.routable) {
        let operation = &draft.operation;
        groups
            .entry((operation.template.shape(), operation.method.clone()))
            .or_default()
            .push(index);
    }
    groups
        .into_iter()
        .map(|((shape, method), members)| {
            let candidates =
                if members.len() == 1 { members } else { order(drafts, &members, reader) };
            Route { method, shape, candidates }
        })
        .collect()
}

/// The members of one group in the order to try, told apart.
fn order(drafts: &mut [Draft<'_>], members: &[usize], reader: &mut Reader<'_, '_>) -> Vec<usize> {
    let mut kinds: BTreeMap<Vec<String>, Vec<usize>> = BTreeMap::new();
    for index in members {
        let mut firm: Vec<String> =
            drafts[*index].operation.dispatch.iter().map(ToString::to_string).collect();
        firm.sort();
        kinds.entry(firm).or_default().push(*index);
    }
    let mut ranked: Vec<(u32, usize, usize)> = Vec::new();
    for rivals in kinds.into_values() {
        let (ordered, rank) = tell_apart(drafts, &rivals, reader);
        ranked.extend(ordered.into_iter().enumerate().map(|(place, index)| (rank, place, index)));
    }
    // Kinds that ask more come first; within a kind the order stands.
    ranked.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)).then(a.2.cmp(&b.2)));
    ranked.into_iter().map(|(_, _, index)| index).collect()
}

/// Rivals whose path keys ask the same: gives them further conditions and an order. Also the rank of
/// what they all ask.
fn tell_apart(
    drafts: &mut [Draft<'_>],
    rivals: &[usize],
    reader: &mut Reader<'_, '_>,
) -> (Vec<usize>, u32) {
    let rank = drafts[rivals[0]].operation.dispatch.iter().map(Dispatch::rank).sum();
    if rivals.len() == 1 {
        return (rivals.to_vec(), rank);
    }
    let mut further: Vec<Vec<Dispatch>> = vec![Vec::new(); rivals.len()];
    if rivals.len() <= MOST_RIVALS {
        add_path_tests(drafts, rivals, reader, &mut further);
        add_required(drafts, rivals, reader, &mut further);
        add_content_types(drafts, rivals, &mut further);
    }
    let mut order: Vec<usize> = (0..rivals.len()).collect();
    order.sort_by_cached_key(|at| {
        let rank: u32 = further[*at].iter().map(Dispatch::rank).sum();
        (std::cmp::Reverse(rank), content_types(drafts, rivals[*at]).len(), *at)
    });
    let mut kept: Vec<usize> = Vec::new();
    let mut same: Vec<(usize, usize)> = Vec::new();
    for at in order {
        match kept.iter().find(|other| further[**other] == further[at]) {
            Some(first) => same.push((at, *first)),
            None => kept.push(at),
        }
    }
    // The last takes what no other claimed.
    if let Some(last) = kept.last() {
        further[*last].clear();
    }
    for (at, first) in &same {
        further[*at] = further[*first].clone();
        merge(drafts, rivals[*at], rivals[*first], reader);
    }
    for (at, conditions) in further.into_iter().enumerate() {
        drafts[rivals[at]].operation.dispatch.extend(conditions);
    }
    let ordered =
        kept.into_iter().chain(same.into_iter().map(|(at, _)| at)).map(|at| rivals[at]).collect();
    (ordered, rank)
}

/// Nothing tells `later` from `first`.
fn merge(drafts: &mut [Draft<'_>], later: usize, first: usize, reader: &mut Reader<'_, '_>) {
    let other = &drafts[first].operation;
    let this = &drafts[later].operation;
    let message = format!(
        "calls of `{}` (`{} {}`) cannot be told apart from those of `{}` (`{}`): both are one route, every call counts as `{}`, and none ever as `{}`, which is routable only in that its calls are answered",
        this.id, this.method, this.path, other.id, other.path, other.id, this.id
    );
    let node = drafts[later].at.node.clone();
    reader.findings.warn(
        "same-route",
        node,
        message,
        "give one of them another path, or a `pattern`, `format` or required parameter that the other does not have",
    );
    drafts[later].operation.same_as = Some(first);
}

/// Tests on path parameters, position by position, where not all rivals have the same.
fn add_path_tests(
    drafts: &[Draft<'_>],
    rivals: &[usize],
    reader: &Reader<'_, '_>,
    further: &mut [Vec<Dispatch>],
) {
    let tests: Vec<Vec<(String, Option<ValueTest>)>> =
        rivals.iter().map(|index| path_tests(&drafts[*index], reader)).collect();
    for position in 0..tests[0].len() {
        let at_position =
            |rival: usize| tests[rival].get(position).and_then(|(_, test)| test.as_ref());
        let all_same = (1..rivals.len()).all(|rival| at_position(rival) == at_position(0));
        if all_same {
            continue;
        }
        for (rival, conditions) in further.iter_mut().enumerate() {
            if let Some((name, Some(test))) = tests[rival].get(position) {
                conditions.push(Dispatch::Path { name: name.clone(), test: test.clone() });
            }
        }
    }
}

/// The parameters of an operation's path in order, with what their texts must look like.
fn path_tests(draft: &Draft<'_>, reader: &Reader<'_, '_>) -> Vec<(String, Option<ValueTest>)> {
    let operation = &draft.operation;
    operation
        .template
        .parameters()
        .map(|name| {
            let declared = operation.parameters.iter().find(|parameter| {
                parameter.location == Location::Path && Braced::read(&parameter.name).name == name
            });
            let test = constraint(&operation.path, name, reader)
                .or_else(|| value_test(reader.schema_of(declared?)?, reader));
            (name.to_owned(), test)
        })
        .collect()
}

/// The constraint in the path itself: `{id:[0-9]+}`, `{id:int}`.
fn constraint(path: &str, name: &str, reader: &Reader<'_, '_>) -> Option<ValueTest> {
    let inner = path
        .split('{')
        .skip(1)
        .find(|part| Braced::read(part.split('}').next().unwrap_or("")).name == name)?;
    let constraint = inner.rsplit_once('}')?.0.split_once(':')?.1;
    match constraint {
        "int" | "long" | "integer" => Some(ValueTest::Integer),
        "guid" | "uuid" => Some(ValueTest::Uuid),
        "bool" => Some(ValueTest::Boolean),
        "float" | "double" | "decimal" => Some(ValueTest::Number),
        pattern => full_match(pattern, reader),
    }
}

/// What a schema asks of a text in a path; `None` if it takes nearly anything.
fn value_test(schema: &Value, reader: &Reader<'_, '_>) -> Option<ValueTest> {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let values: Vec<String> = values.iter().filter_map(text).take(1_000).collect();
        return (!values.is_empty()).then_some(ValueTest::OneOf(values));
    }
    if let Some(value) = only_value(schema) {
        return Some(ValueTest::OneOf(vec![value]));
    }
    let format = schema.get("format").and_then(Value::as_str).unwrap_or("");
    let kind = match schema.get("type") {
        Some(Value::String(kind)) => kind.as_str(),
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("")
        }
        _ => "",
    };
    match (kind, format) {
        ("integer", _) | ("number", "int32" | "int64") => Some(ValueTest::Integer),
        ("number", _) => Some(ValueTest::Number),
        ("boolean", _) => Some(ValueTest::Boolean),
        (_, "uuid" | "guid") => Some(ValueTest::Uuid),
        (_, "date") => Some(ValueTest::Date),
        _ => schema
            .get("pattern")
            .and_then(Value::as_str)
            .and_then(|pattern| full_match(pattern, reader)),
    }
}

/// The pattern as a test of the whole text; `None` if it is not one, or takes nearly anything.
fn full_match(pattern: &str, reader: &Reader<'_, '_>) -> Option<ValueTest> {
    let left = reader.patterns_left.get().checked_sub(1)?;
    reader.patterns_left.set(left);
    let pattern = format!("^(?:{pattern})$");
    let pattern = RegexBuilder::new(&pattern).size_limit(PATTERN_BYTES).build().ok()?;
    let takes_anything = ["x", "0", "a b~%", "Zz.9-_é"].iter().all(|probe| pattern.is_match(probe));
    (!takes_anything).then_some(ValueTest::Pattern(pattern))
}

/// Required query parameters and headers that not all rivals require.
fn add_required(
    drafts: &[Draft<'_>],
    rivals: &[usize],
    reader: &Reader<'_, '_>,
    further: &mut [Vec<Dispatch>],
) {
    let asked: Vec<BTreeMap<String, Dispatch>> = rivals
        .iter()
        .map(|index| {
            let draft = &drafts[*index];
            let required = draft
                .operation
                .parameters
                .iter()
                .filter_map(|parameter| required(parameter, reader));
            draft
                .soft
                .iter()
                .cloned()
                .chain(required)
                .map(|condition| (condition.to_string(), condition))
                .collect()
        })
        .collect();
    let common: BTreeSet<&String> = asked[0]
        .keys()
        .filter(|words| asked.iter().all(|conditions| conditions.contains_key(*words)))
        .collect();
    for (rival, conditions) in further.iter_mut().enumerate() {
        let own = asked[rival].iter().filter(|(words, _)| !common.contains(words));
        conditions.extend(own.map(|(_, condition)| condition.clone()));
    }
}

/// The condition that a required parameter is there.
fn required(parameter: &Parameter, reader: &Reader<'_, '_>) -> Option<Dispatch> {
    if !parameter.required {
        return None;
    }
    let value = reader.schema_of(parameter).and_then(only_value);
    let name = parameter.name.clone();
    match parameter.location {
        Location::Query => Some(Dispatch::Query { name, value }),
        Location::Header => Some(Dispatch::Header { name, value }),
        Location::Path | Location::QueryString | Location::Cookie => None,
    }
}

/// Types of bodies, where not all rivals take the same.
fn add_content_types(drafts: &[Draft<'_>], rivals: &[usize], further: &mut [Vec<Dispatch>]) {
    let types: Vec<Vec<String>> =
        rivals.iter().map(|index| content_types(drafts, *index)).collect();
    if types.iter().all(|others| *others == types[0]) {
        return;
    }
    for (own, conditions) in types.into_iter().zip(further) {
        if !own.is_empty() {
            conditions.push(Dispatch::ContentType { any_of: own });
        }
    }
}

fn content_types(drafts: &[Draft<'_>], index: usize) -> Vec<String> {
    let content = drafts[index].operation.request_body.iter().flat_map(|body| &body.content);
    let types: BTreeSet<String> = content
        .map(|content| {
            content.media_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
        })
        .collect();
    types.into_iter().collect()
}
