//! Rules that are about more than one member, or about what a member's text says.

use std::collections::HashSet;

use regex_syntax::ast::ErrorKind;
use serde_json::{Map, Value};

use super::Walk;
use super::grammar::Part;
use crate::contract::SpecVersion;
use crate::walk::Step;

/// Longest pattern that is checked, in bytes.
const PATTERN_BYTES: usize = 4 * 1024;

/// Looks at one part as a whole.
pub(super) fn check<'l>(walk: &mut Walk<'l, '_>, part: Part, members: &'l Map<String, Value>) {
    match part {
        Part::Schema => schema(walk, members),
        Part::Parameter => parameter(walk, members),
        Part::Header => {
            either(walk, part, members, "schema", "content");
            either(walk, part, members, "example", "examples");
        }
        Part::MediaType => either(walk, part, members, "example", "examples"),
        Part::Example => either(walk, part, members, "value", "externalValue"),
        Part::Link => link(walk, members),
        Part::License => either(walk, part, members, "identifier", "url"),
        Part::ServerVariable => server_variable(walk, members),
        Part::SecurityScheme => security_scheme(walk, members),
        Part::OAuthFlows | Part::Components | Part::Paths => {}
        Part::Responses => responses(walk, members),
        Part::Root => tags(walk, members),
        _ => {}
    }
}

/// Two members that exclude each other.
fn either<'l>(
    walk: &mut Walk<'l, '_>,
    part: Part,
    members: &'l Map<String, Value>,
    first: &str,
    second: &'static str,
) {
    if members.contains_key(first) && members.contains_key(second) {
        walk.below(Step::Key(second), |walk| {
            walk.say("members-exclusive", &format!("{part:?} {first}"), || {
                (
                    format!(
                        "{} has both `{first}` and `{second}`, which exclude each other",
                        part.words()
                    ),
                    format!("keep either `{first}` or `{second}`"),
                )
            });
        });
    }
}

fn missing(walk: &mut Walk<'_, '_>, what: &str, name: &str) {
    walk.say("member-missing", &format!("{what} {name}"), || {
        (format!("{what} must have `{name}`"), format!("add `{name}`"))
    });
}

fn schema<'l>(walk: &mut Walk<'l, '_>, members: &'l Map<String, Value>) {
    if let Some(Value::Array(required)) = members.get("required") {
        let mut seen = HashSet::new();
        if let Some(twice) =
            required.iter().filter_map(Value::as_str).find(|name| !seen.insert(*name))
        {
            walk.below(Step::Key("required"), |walk| {
                walk.say("required-repeated", "", || {
                    (
                        format!("`required` lists `{twice}` more than once"),
                        "list it once".to_owned(),
                    )
                });
            });
        }
    }
    if let Some(Value::String(pattern)) = members.get("pattern") {
        walk.below(Step::Key("pattern"), |walk| check_pattern(walk, pattern));
    }
    if let Some(Value::String(kind)) = members.get("type") {
        schema_type(walk, members, kind);
    }
    if let Some(Value::Array(values)) = members.get("enum")
        && values.is_empty()
    {
        walk.below(Step::Key("enum"), |walk| {
            walk.say("enum-empty", "", || {
                (
                    "`enum` is empty, so that no value is allowed".to_owned(),
                    "list the values, or leave it out".to_owned(),
                )
            });
        });
    }
}

fn schema_type<'l>(walk: &mut Walk<'l, '_>, members: &'l Map<String, Value>, kind: &'l str) {
    let known = match kind {
        "string" | "number" | "integer" | "boolean" | "array" | "object" => true,
        "null" => walk.version >= SpecVersion::V3_1,
        "file" => walk.version == SpecVersion::V2_0,
        _ => false,
    };
    if !known {
        walk.below(Step::Key("type"), |walk| {
            walk.say("value-unknown", &format!("schema type {kind}"), || {
                (
                    format!("`{kind}` is not a type of a schema"),
                    "use one of: string, number, integer, boolean, array, object".to_owned(),
                )
            });
        });
    }
    if kind == "array" && !members.contains_key("items") && walk.version < SpecVersion::V3_1 {
        missing(walk, "a schema of type array", "items");
    }
}

/// Patterns are ECMA-262; what our own engine does not know of them (look-around, back references) is let be.
fn check_pattern(walk: &mut Walk<'_, '_>, pattern: &str) {
    if pattern.len() > PATTERN_BYTES {
        return;
    }
    let Err(fault) =
        regex_syntax::ast::parse::ParserBuilder::new().nest_limit(100).build().parse(pattern)
    else {
        return;
    };
    let is_certain = matches!(
        fault.kind(),
        ErrorKind::ClassUnclosed
            | ErrorKind::GroupUnclosed
            | ErrorKind::GroupUnopened
            | ErrorKind::RepetitionMissing
    );
    // In a class or after a backslash ECMA-262 reads brackets as themselves where our engine does not.
    if is_certain && !pattern.contains("[[") && !pattern.contains("(?") {
        walk.say("pattern", "", || {
            (
                format!("`{pattern}` is not a regular expression: a bracket is not closed, or nothing is repeated"),
                "correct the pattern (ECMA-262)".to_owned(),
            )
        });
    }
}

fn parameter<'l>(walk: &mut Walk<'l, '_>, members: &'l Map<String, Value>) {
    let location = members.get("in").and_then(Value::as_str).unwrap_or("");
    if location == "path" && members.get("required") != Some(&Value::Bool(true)) {
        walk.say("path-parameter-optional", "", || {
            (
                "a path parameter is always required; it was read as required".to_owned(),
                "write `required: true`".to_owned(),
            )
        });
    }
    if walk.version == SpecVersion::V2_0 {
        let needed = match location {
            "body" => "schema",
            "" => return,
            _ => "type",
        };
        if !members.contains_key(needed) {
            missing(walk, "a parameter", needed);
        }
        return;
    }
    either(walk, Part::Parameter, members, "schema", "content");
    either(walk, Part::Parameter, members, "example", "examples");
    if !members.contains_key("schema") && !members.contains_key("content") {
        missing(walk, "a parameter", "schema");
    }
}

fn link<'l>(walk: &mut Walk<'l, '_>, members: &'l Map<String, Value>) {
    either(walk, Part::Link, members, "operationRef", "operationId");
    if !members.contains_key("operationRef") && !members.contains_key("operationId") {
        missing(walk, "a link", "operationId");
    }
}

fn server_variable<'l>(walk: &mut Walk<'l, '_>, members: &'l Map<String, Value>) {
    let Some(Value::Array(values)) = members.get("enum") else { return };
    if walk.version < SpecVersion::V3_1 {
        return;
    }
    let fits = members.get("default").is_none_or(|default| values.contains(default));
    if values.is_empty() || !fits {
        walk.below(Step::Key("enum"), |walk| {
            walk.say("server-variable", "", || {
                (
                    "the default of a server variable must be one of the values of its `enum`"
                        .to_owned(),
                    "add the default to `enum`".to_owned(),
                )
            });
        });
    }
}

fn security_scheme(walk: &mut Walk<'_, '_>, members: &Map<String, Value>) {
    let needed: &[&str] = match members.get("type").and_then(Value::as_str) {
        Some("apiKey") => &["name", "in"],
        Some("http") => &["scheme"],
        Some("oauth2") if walk.version == SpecVersion::V2_0 => &["flow", "scopes"],
        Some("oauth2") => &["flows"],
        Some("openIdConnect") => &["openIdConnectUrl"],
        _ => &[],
    };
    for name in needed {
        if !members.contains_key(*name) {
            missing(walk, "a security scheme of this type", name);
        }
    }
}

fn responses(walk: &mut Walk<'_, '_>, members: &Map<String, Value>) {
    if members.keys().all(|key| key.starts_with("x-")) {
        walk.say("responses-empty", "", || {
            (
                "an operation must describe at least one response".to_owned(),
                "describe what is answered".to_owned(),
            )
        });
    }
}

fn tags<'l>(walk: &mut Walk<'l, '_>, members: &'l Map<String, Value>) {
    let Some(Value::Array(tags)) = members.get("tags") else { return };
    let mut seen = HashSet::new();
    for (index, tag) in tags.iter().enumerate() {
        let Some(name) = tag.get("name").and_then(Value::as_str) else { continue };
        if !seen.insert(name) {
            walk.below(Step::Key("tags"), |walk| {
                walk.below(Step::Index(index), |walk| {
                    walk.say("tag-repeated", "", || {
                        (
                            format!("the tag `{name}` is described more than once"),
                            "describe it once".to_owned(),
                        )
                    });
                });
            });
        }
    }
}
