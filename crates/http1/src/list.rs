//! Comma-separated lists in field values (RFC 9110 §5.6.1).

use crate::bytes::trimmed;

/// The elements of a list-valued field, without the white space around them. Empty elements are
/// skipped, as a recipient must. A comma inside a quoted string does not separate; a string that
/// is never closed lasts to the end of the value.
pub fn list_items(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = value;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let end = element_end(rest);
            let item = trimmed(&rest[..end]);
            rest = rest.get(end + 1..).unwrap_or_default();
            if !item.is_empty() {
                return Some(item);
            }
        }
        None
    })
}

fn element_end(value: &[u8]) -> usize {
    let mut quoted = false;
    let mut escaped = false;
    for (index, byte) in value.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => return index,
            _ => {}
        }
    }
    value.len()
}

#[cfg(test)]
mod tests;
