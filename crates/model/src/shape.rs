//! Forms that derives do not know: a thing that may be written short (a text, a list) or as a map.

use schemars::Schema;
use serde_json::{Map, Value};

/// Whether a value is the default, so that it need not be written.
pub(crate) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Lets a schema, whose map form (or forms) was derived, also take the short forms.
///
/// The description stays with the whole. What was derived becomes one of the alternatives, or, where it
/// has alternatives itself, they are put beside the short ones.
pub(crate) fn also(schema: &mut Schema, short_forms: Vec<Schema>) {
    let mut whole = Map::new();
    let derived = schema.ensure_object();
    for key in ["title", "description"] {
        if let Some(text) = derived.remove(key) {
            whole.insert(key.to_owned(), text);
        }
    }
    let mut forms: Vec<Value> = short_forms.into_iter().map(Value::from).collect();
    match derived.remove("oneOf") {
        Some(Value::Array(alternatives)) => forms.extend(alternatives),
        _ => forms.push(Value::Object(std::mem::take(derived))),
    }
    whole.insert("anyOf".to_owned(), Value::Array(forms));
    *schema = whole.into();
}
