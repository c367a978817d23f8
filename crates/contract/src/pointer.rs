//! JSON pointers (RFC 6901): escaping, joining, looking up.

use serde_json::Value;

/// Appends one token to a pointer, escaped.
pub fn push(pointer: &mut String, token: &str) {
    pointer.push('/');
    for character in token.chars() {
        match character {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            other => pointer.push(other),
        }
    }
}

/// The pointer with one more token.
#[must_use]
pub fn child(pointer: &str, token: &str) -> String {
    let mut longer = String::with_capacity(pointer.len() + token.len() + 1);
    longer.push_str(pointer);
    push(&mut longer, token);
    longer
}

/// The tokens of a pointer, unescaped; `None` if it is neither empty nor begins with `/`.
#[must_use]
pub fn tokens(pointer: &str) -> Option<Vec<String>> {
    if pointer.is_empty() {
        return Some(Vec::new());
    }
    Some(pointer.strip_prefix('/')?.split('/').map(unescape).collect())
}

/// A token as it was before escaping; a lone `~` stays as it is.
#[must_use]
pub fn unescape(token: &str) -> String {
    if token.contains('~') { token.replace("~1", "/").replace("~0", "~") } else { token.to_owned() }
}

/// The node a pointer names.
#[must_use]
pub fn lookup<'v>(root: &'v Value, pointer: &str) -> Option<&'v Value> {
    if pointer.is_empty() {
        return Some(root);
    }
    let mut value = root;
    for token in pointer.strip_prefix('/')?.split('/') {
        value = step(value, token)?;
    }
    Some(value)
}

/// The child that an escaped token names; an array index has no sign and no leading zero.
fn step<'v>(value: &'v Value, token: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) if token.contains('~') => members.get(&unescape(token)),
        Value::Object(members) => members.get(token),
        Value::Array(items) => {
            let canonical = token == "0" || !token.starts_with(['0', '+', '-']);
            if canonical { items.get(token.parse::<usize>().ok()?) } else { None }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
