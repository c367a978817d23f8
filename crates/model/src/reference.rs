//! The configuration reference, made from the schema: one page of Markdown.
//!
//! Nothing here knows a field. What users read is the doc comments of the types.

use std::collections::HashSet;
use std::fmt::Write;

use serde_json::{Map, Value};

use crate::schema::document_schema;
use crate::settings::{Setting, settings};

/// What stands before the tables.
const INTRODUCTION: &str = include_str!("reference/introduction.md");

/// The reference of all fields as one page of Markdown.
pub fn reference_markdown() -> String {
    let mut page =
        Page { out: INTRODUCTION.to_owned(), seen: HashSet::new(), settings: settings() };
    let root = document_schema();
    page.section("document", root, "");
    let sections =
        [("services", "Service"), ("apps", "App"), ("plans", "Plan"), ("gateway", "Gateway")];
    for (section, name) in sections {
        let pointer = if section == "gateway" { "/gateway" } else { "" };
        let _ = writeln!(page.out, "\n## `{section}`");
        page.definition(name, pointer);
    }
    page.setting_table();
    page.out
}

struct Page {
    out: String,
    /// Definitions that have their section already.
    seen: HashSet<String>,
    settings: Vec<Setting>,
}

impl Page {
    /// A definition and, after it, all that its fields lead to. The depth is that of our own types.
    fn definition(&mut self, name: &str, pointer: &str) {
        if !self.seen.insert(name.to_owned()) {
            return;
        }
        let Some(schema) = document_schema().pointer(&format!("/$defs/{name}")) else { return };
        self.section(&title_of(name), schema, pointer);
        for (field, target) in references(schema) {
            if field.is_empty() || !is_grammar(&target) {
                let pointer =
                    if pointer.is_empty() { String::new() } else { format!("{pointer}/{field}") };
                self.definition(&target, &pointer);
            }
        }
    }

    fn section(&mut self, title: &str, schema: &Value, pointer: &str) {
        let _ = writeln!(self.out, "\n### {}\n", capital(title));
        if let Some(description) = schema.get("description").and_then(Value::as_str) {
            let _ = writeln!(self.out, "{}", description.trim());
        }
        let all = forms(schema);
        if all.len() > 1
            && all.iter().any(|form| form.get("properties").is_none() || is_tagged(form))
        {
            self.out.push('\n');
        }
        for form in all {
            self.form(form, pointer, form.get("oneOf").is_some() || std::ptr::eq(form, schema));
        }
    }

    /// One of the ways to write a thing.
    fn form(&mut self, form: &Value, pointer: &str, is_only: bool) {
        if let Some(properties) = form.get("properties").and_then(Value::as_object) {
            if let Some((tag, inner)) = tagged(form, properties) {
                let _ = writeln!(
                    self.out,
                    "* `{{ {tag}: … }}`, {}: {}",
                    kind(inner),
                    description(form)
                );
                return;
            }
            if !is_only {
                let _ = writeln!(self.out, "\nAs a map:");
            }
            self.table(form, properties, pointer);
        } else if let Some(word) = form.get("const") {
            let _ = writeln!(self.out, "* `{}`: {}", plain(word), description(form));
        } else if let Some(words) = form.get("enum").and_then(Value::as_array) {
            let words: Vec<String> =
                words.iter().map(|word| format!("`{}`", plain(word))).collect();
            let _ = writeln!(self.out, "* {}: {}", words.join(", "), description(form));
        } else if !is_only {
            let _ = writeln!(self.out, "* {}: {}", kind(form), description(form));
        }
    }

    fn table(&mut self, schema: &Value, properties: &Map<String, Value>, pointer: &str) {
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let _ = writeln!(
            self.out,
            "\n| field | value | default | what it is for |\n| --- | --- | --- | --- |"
        );
        let (needed, others): (Vec<_>, Vec<_>) =
            properties.iter().partition(|(name, _)| required.contains(&name.as_str()));
        for (name, field) in needed.into_iter().chain(others) {
            let (text, default) = told(field);
            let default =
                if required.contains(&name.as_str()) { "**needed**".to_owned() } else { default };
            let (text, default) = (cell(&text), cell(&default));
            let _ = write!(self.out, "| `{name}` | {} | {default} | {text}", cell(&kind(field)));
            let own = format!("{pointer}/{name}");
            if let Some(setting) = self.settings.iter().find(|setting| setting.pointer == own) {
                let _ = write!(self.out, " `{}`, `{}`", setting.flag, setting.env);
            }
            let _ = writeln!(self.out, " |");
        }
    }

    fn setting_table(&mut self) {
        self.out.push_str(concat!(
            "\n## Environment variables and flags\n\n",
            "Every setting of the gateway can be given from outside of the files. A flag overrules an environment\n",
            "variable, which overrules the file. Lists have commas between their items.\n\n",
            "| setting | environment variable | flag |\n| --- | --- | --- |\n",
        ));
        for setting in &self.settings {
            let name = crate::path::dotted(&setting.pointer);
            let _ = writeln!(self.out, "| `{name}` | `{}` | `{}` |", setting.env, setting.flag);
        }
    }
}

/// The ways to write a thing; itself if there is only one.
fn forms(schema: &Value) -> Vec<&Value> {
    match schema.get("anyOf").or_else(|| schema.get("oneOf")).and_then(Value::as_array) {
        Some(forms) => forms.iter().collect(),
        None => vec![schema],
    }
}

/// The one key of a form such as `{ hash: … }`, and what stands in it.
fn tagged<'a>(form: &Value, properties: &'a Map<String, Value>) -> Option<(&'a String, &'a Value)> {
    let required = form.get("required")?.as_array()?;
    if properties.len() == 1 && required.len() == 1 { properties.iter().next() } else { None }
}

fn is_tagged(form: &Value) -> bool {
    form.get("properties")
        .and_then(Value::as_object)
        .is_some_and(|properties| tagged(form, properties).is_some())
}

/// What a value is, with links to the sections of this page.
fn kind(schema: &Value) -> String {
    if let Some(name) = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| reference.rsplit('/').next())
    {
        let title = title_of(name);
        return format!("[{title}](#{})", anchor(&title));
    }
    if let Some(Value::Array(forms)) = schema.get("anyOf") {
        return forms.iter().map(kind).collect::<Vec<_>>().join(" or ");
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words
            .iter()
            .map(|word| format!("`{}`", plain(word)))
            .collect::<Vec<_>>()
            .join(", ");
    }
    if let Some(word) = schema.get("const") {
        return format!("`{}`", plain(word));
    }
    match schema.get("type") {
        Some(Value::Array(kinds)) => {
            let kinds = kinds.iter().filter_map(Value::as_str);
            kinds
                .map(|kind| if kind == "null" { "`null`" } else { simple(kind) })
                .collect::<Vec<_>>()
                .join(" or ")
        }
        Some(Value::String(kind)) if kind == "array" => {
            format!("list of {}", schema.get("items").map_or("anything".to_owned(), several))
        }
        Some(Value::String(kind)) if kind == "object" => map_kind(schema),
        Some(Value::String(kind)) if kind == "integer" => format!("whole number{}", range(schema)),
        Some(Value::String(_))
            if schema.get("format").and_then(Value::as_str) == Some("portway-file") =>
        {
            "file name".to_owned()
        }
        Some(Value::String(kind)) => simple(kind).to_owned(),
        _ => "anything".to_owned(),
    }
}

/// What the items of a list are.
fn several(items: &Value) -> String {
    match kind(items).as_str() {
        "text" => "texts".to_owned(),
        "file name" => "file names".to_owned(),
        other => other
            .strip_prefix("whole number")
            .map_or_else(|| other.to_owned(), |rest| format!("whole numbers{rest}")),
    }
}

fn map_kind(schema: &Value) -> String {
    match (schema.get("properties"), schema.get("additionalProperties")) {
        (None, Some(values @ Value::Object(_))) => format!("map from names to {}", kind(values)),
        (Some(Value::Object(fields)), _) => {
            let fields: Vec<String> =
                fields.iter().map(|(name, field)| format!("`{name}` ({})", kind(field))).collect();
            format!("a map with {}", fields.join(" and "))
        }
        _ => "map".to_owned(),
    }
}

fn simple(kind: &str) -> &str {
    match kind {
        "string" => "text",
        "boolean" => "`true` or `false`",
        other => other,
    }
}

fn range(schema: &Value) -> String {
    let maximum = schema
        .get("maximum")
        .and_then(Value::as_u64)
        .filter(|maximum| *maximum < u64::from(u32::MAX));
    match (schema.get("minimum").and_then(Value::as_u64), maximum) {
        (Some(minimum), Some(maximum)) => format!(", {minimum}–{maximum}"),
        (Some(minimum), None) if minimum > 0 => format!(", at least {minimum}"),
        (None, Some(maximum)) => format!(", at most {maximum}"),
        _ => String::new(),
    }
}

/// The definitions that a schema leads to, each with the field it is reached by.
fn references(schema: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect_references(schema, "", &mut found);
    found
}

fn collect_references(schema: &Value, field: &str, found: &mut Vec<(String, String)>) {
    match schema {
        Value::Object(map) => {
            if let Some(name) = map
                .get("$ref")
                .and_then(Value::as_str)
                .and_then(|reference| reference.rsplit('/').next())
            {
                found.push((field.to_owned(), name.to_owned()));
            }
            for (key, inner) in map {
                match (key.as_str(), inner) {
                    ("properties", Value::Object(fields)) => {
                        fields
                            .iter()
                            .for_each(|(name, inner)| collect_references(inner, name, found));
                    }
                    ("default" | "examples", _) => {}
                    _ => collect_references(inner, field, found),
                }
            }
        }
        Value::Array(items) => {
            items.iter().for_each(|inner| collect_references(inner, field, found))
        }
        _ => {}
    }
}

/// Whether a definition is a text with a grammar, which the introduction explains.
fn is_grammar(name: &str) -> bool {
    ["Name", "Limit", "Quota", "Duration", "ByteSize", "RoutePattern", "Share"].contains(&name)
}

fn title_of(name: &str) -> String {
    match name {
        "ByteSize" => "size".to_owned(),
        "Share" => "share".to_owned(),
        "RoutePattern" => "route".to_owned(),
        "HostHeader" => "host header".to_owned(),
        _ => {
            let title =
                document_schema().pointer(&format!("/$defs/{name}/title")).and_then(Value::as_str);
            title.map_or_else(|| name.to_lowercase(), ToOwned::to_owned)
        }
    }
}

/// The anchor that Markdown renderers make of a heading.
fn anchor(title: &str) -> String {
    title
        .to_lowercase()
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
        .map(|c| if c == ' ' { '-' } else { c })
        .collect()
}

fn capital(title: &str) -> String {
    let mut chars = title.chars();
    chars.next().map_or(String::new(), |first| first.to_uppercase().chain(chars).collect())
}

fn description(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().replace('\n', " ")
}

/// The description of a field without its default, and the default: that of the schema, or, where the type
/// has none, what the description says.
fn told(field: &Value) -> (String, String) {
    let text = description(field);
    let said = said_default(&text).map(|(range, said)| (range, said.to_owned()));
    let is_told =
        |default: &&Value| is_short(default) && !default.as_array().is_some_and(Vec::is_empty);
    let default = field.get("default").filter(is_told).map(plain);
    match (default, said) {
        (Some(default), Some((range, said))) if said == default => {
            (without(&text, range), format!("`{default}`"))
        }
        (Some(default), _) => (text, format!("`{default}`")),
        (None, Some((range, said))) => {
            let is_code = !said.contains(' ')
                && said.starts_with(|c: char| c.is_ascii_digit() || c == '/')
                || said == "false"
                || said == "true";
            (without(&text, range), if is_code { format!("`{said}`") } else { said })
        }
        (None, None) => (text, String::new()),
    }
}

fn without(text: &str, range: std::ops::Range<usize>) -> String {
    format!("{}{}", text[..range.start].trim_end(), &text[range.end..])
}

/// The sentence `Default X.` or `Default: X.` of a description: where it stands, and X without code marks.
fn said_default(text: &str) -> Option<(std::ops::Range<usize>, &str)> {
    let start = text.find("Default")?;
    let said = text[start..]
        .strip_prefix("Default: ")
        .or_else(|| text[start..].strip_prefix("Default "))?;
    let end = said.find(". ").or_else(|| said.strip_suffix('.').map(str::len))?;
    let said_start = text.len() - said.len();
    let inner = said[..end].trim();
    let inner = inner.strip_prefix('`').and_then(|inner| inner.strip_suffix('`')).unwrap_or(inner);
    Some((start..said_start + end + 1, inner))
}

/// A value as one would write it in YAML.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(plain).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn is_short(value: &Value) -> bool {
    match value {
        Value::Object(_) | Value::Null => false,
        Value::Array(items) => items.iter().all(is_short),
        _ => true,
    }
}

/// A text that can stand in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests;
