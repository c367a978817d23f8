//! A JSON value as YAML that humans like to read. Texts that could be taken for something else stand in quotes, as JSON
//! writes them, which YAML understands.

use serde_json::Value;

/// Deeper than anything that is proposed.
const DEPTH_MAX: usize = 64;

/// Appends a map or list as a block.
pub(super) fn yaml(value: &Value, out: &mut String) {
    block(value, 0, out);
}

fn block(value: &Value, depth: usize, out: &mut String) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                indent(depth, out);
                out.push_str(&scalar(key));
                out.push(':');
                member(value, depth, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                indent(depth, out);
                out.push('-');
                member(item, depth, out);
            }
        }
        other => inline(other, out),
    }
}

/// What stands behind a key or a dash.
fn member(value: &Value, depth: usize, out: &mut String) {
    let is_block = match value {
        Value::Object(map) => !map.is_empty() && depth < DEPTH_MAX,
        Value::Array(items) => {
            depth < DEPTH_MAX && items.iter().any(|item| item.is_object() || item.is_array())
        }
        _ => false,
    };
    if is_block {
        out.push('\n');
        block(value, depth + 1, out);
    } else {
        out.push(' ');
        inline(value, out);
        out.push('\n');
    }
}

fn inline(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => out.push_str(&scalar(text)),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                inline(item, out);
            }
            out.push(']');
        }
        // Flow maps of JSON are flow maps of YAML.
        other => out.push_str(&other.to_string()),
    }
}

fn indent(depth: usize, out: &mut String) {
    (0..depth).for_each(|_| out.push_str("  "));
}

fn scalar(text: &str) -> String {
    const WORDS: &[&str] =
        &["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"];
    let is_plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'/'))
        && !WORDS.contains(&&*text.to_ascii_lowercase());
    if is_plain { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}
