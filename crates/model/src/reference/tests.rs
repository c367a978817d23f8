//! The page in `docs/` is the one made from the types.

use std::path::Path;

use serde_json::Value;

use super::{description, is_short, plain, said_default};
use crate::{json_schema, reference_markdown};

#[test]
fn the_page_in_the_docs_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let made = reference_markdown();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &made).expect("docs/ can be written");
    }
    let stored = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        stored == made,
        "docs/configuration.md is not what the types say: run with UPDATE_DOCS=1"
    );
}

#[test]
fn every_link_leads_somewhere() {
    let page = reference_markdown();
    let headings: Vec<String> =
        page.lines().filter_map(|line| line.strip_prefix("### ")).map(super::anchor).collect();
    for link in page.split("](#").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(headings.iter().any(|heading| heading == link), "#{link} leads nowhere");
    }
}

/// All fields of all maps, with where they stand.
fn fields(schema: &Value, pointer: &str, found: &mut Vec<(String, Value)>) {
    match schema {
        Value::Object(map) => {
            for (key, inner) in map {
                if key == "properties" {
                    for (name, field) in inner.as_object().unwrap() {
                        found.push((format!("{pointer}/{name}"), field.clone()));
                    }
                }
                fields(inner, &format!("{pointer}/{key}"), found);
            }
        }
        Value::Array(items) => items.iter().for_each(|inner| fields(inner, pointer, found)),
        _ => {}
    }
}

#[test]
fn every_field_says_what_it_is_for() {
    let mut found = Vec::new();
    fields(&json_schema(), "", &mut found);
    assert!(found.len() > 80);
    // A form with one key is described as a whole.
    let is_tag = |pointer: &str| pointer.contains("/oneOf/") || pointer.contains("/anyOf/");
    for (pointer, field) in found.iter().filter(|(pointer, _)| !is_tag(pointer)) {
        assert!(description(field).len() > 3, "{pointer}");
    }
}

#[test]
fn the_defaults_in_the_comments_are_the_ones_in_the_code() {
    let mut found = Vec::new();
    fields(&json_schema(), "", &mut found);
    let mut compared = 0;
    for (pointer, field) in &found {
        let text = description(field);
        let said =
            said_default(&text).map(|(_, said)| said.split(", ").next().unwrap_or(said).to_owned());
        match (field.get("default").filter(|default| is_short(default)), said) {
            (Some(default), Some(said)) => {
                compared += 1;
                let default = if default.as_array().is_some_and(Vec::is_empty) {
                    "none".to_owned()
                } else {
                    plain(default)
                };
                assert_eq!(default.split(", ").next().unwrap_or_default(), said, "{pointer}");
            }
            (Some(default), None) => {
                assert!(default.as_array().is_some_and(Vec::is_empty), "{pointer}: {default}")
            }
            _ => {}
        }
    }
    assert!(compared > 30, "{compared}");
}
