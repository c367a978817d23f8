//! The words of the checker: what a value is, what it should be.

use serde_json::Value;

use crate::text::quoted;

/// What the inside of a reference to a secret is called, to tell it from the secret.
pub(super) const REFERENCE: &str = "reference to a secret";

/// The noun with its article, if it takes one.
pub(super) fn article(noun: &str) -> String {
    let first = noun.split(' ').next().unwrap_or_default();
    let is_uncountable = first.ends_with('s')
        || first.chars().next().is_none_or(char::is_uppercase)
        || first == "concurrency";
    match noun.chars().next() {
        _ if is_uncountable => noun.to_owned(),
        Some('a' | 'e' | 'i' | 'o' | 'u') => format!("an {noun}"),
        _ => format!("a {noun}"),
    }
}

/// What a word would have to be: `a kind of auth`; "known here" where the thing has no name.
pub(super) fn known_as(title: Option<&str>) -> String {
    title.map_or("known here".to_owned(), article)
}

/// The sentence that says which words there are, and what else may stand there.
pub(super) fn choice(alternatives: &[&Value], words: &[&str]) -> String {
    let others = alternatives
        .iter()
        .any(|schema| fixed(schema).next().is_none() && super::tag(schema).is_none());
    match words {
        _ if others => format!("it should be {}", describe(alternatives)),
        [only] => format!("the only one is {only}"),
        _ => format!("it is {}", list_of(words)),
    }
}

/// What a value is.
pub(super) fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// The words that a schema takes, if it takes only certain ones.
pub(super) fn fixed(schema: &Value) -> impl Iterator<Item = &str> {
    let only = schema.get("const").and_then(Value::as_str);
    let several = schema.get("enum").and_then(Value::as_array);
    only.into_iter().chain(several.into_iter().flatten().filter_map(Value::as_str))
}

/// What a value should be, for all alternatives together.
pub(super) fn describe(alternatives: &[&Value]) -> String {
    let mut parts: Vec<String> = Vec::new();
    let words: Vec<&str> = alternatives.iter().flat_map(|schema| fixed(schema)).collect();
    if !words.is_empty() {
        parts.push(list_of(&words));
    }
    let tags: Vec<&str> = alternatives.iter().filter_map(|schema| super::tag(schema)).collect();
    if super::is_tagged(alternatives) {
        parts.push(format!("a map with {}", list_of(&tags)));
    }
    for schema in alternatives {
        let part = match kind(schema) {
            _ if fixed(schema).next().is_some() => continue,
            "string" => text(schema),
            "integer" => "a whole number".to_owned(),
            "number" => "a number".to_owned(),
            "boolean" => "true or false".to_owned(),
            "array" => "a list".to_owned(),
            "object" if super::is_tagged(alternatives) => continue,
            "object" => "a map".to_owned(),
            _ => continue,
        };
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    parts.join(" or ")
}

fn kind(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(kind)) => kind,
        Some(Value::Array(kinds)) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or_default()
        }
        _ => "",
    }
}

fn text(schema: &Value) -> String {
    match schema.pointer("/examples/0").and_then(Value::as_str) {
        None if schema.get("format").and_then(Value::as_str) == Some("portway-file") => {
            "the name of a file".to_owned()
        }
        Some(example) => format!("a text such as \"{example}\""),
        None => "a text".to_owned(),
    }
}

/// `one of a, b, c`, or the only one.
pub(super) fn list_of(words: &[&str]) -> String {
    match words {
        [only] => only.to_string(),
        _ => format!("one of {}", words.join(", ")),
    }
}

/// `a, b and c`.
pub(super) fn all_of(words: &[&str]) -> String {
    match words {
        [] => "none".to_owned(),
        [only] => only.to_string(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// How a value of another kind could be written so that it fits.
pub(super) fn conversion(alternatives: &[&Value], value: &Value) -> String {
    let takes = |wanted: &str| alternatives.iter().any(|schema| kind(schema) == wanted);
    let is_switch = alternatives.iter().any(|schema| schema.get("const") == Some(&"on".into()));
    match value {
        Value::Bool(true) if is_switch => "write on".to_owned(),
        Value::Bool(false) if is_switch => "leave it out".to_owned(),
        Value::Number(_) | Value::Bool(_) if takes("string") => {
            format!("write \"{value}\", in quotes")
        }
        Value::String(text) if takes("boolean") => match text.to_ascii_lowercase().as_str() {
            "yes" | "on" | "y" | "true" => "write true".to_owned(),
            "no" | "off" | "n" | "false" => "write false".to_owned(),
            _ => String::new(),
        },
        Value::String(text) if takes("integer") => {
            match crate::text::whole_number(&text.replace('_', "")) {
                Some(number) => format!("write {number}, without quotes"),
                None => String::new(),
            }
        }
        Value::Number(number) if takes("integer") && number.is_f64() => {
            "write it without a fraction".to_owned()
        }
        Value::String(text) if takes("array") => format!("write [ {} ]", quoted(text)),
        Value::Object(_) if takes("array") => {
            "put a \"-\" before it, or brackets around it, to make it a list of one".to_owned()
        }
        _ => String::new(),
    }
}
