//! Path and parameters as they are signed: the parameters of the query and of a form together, decoded, in order.

use crate::{SignatureFault, query};

/// The most parameters of a call: what puts them in order is bounded.
const PARAMETERS_MAX: usize = 1_000;

/// Appends `path?name=value&…`. A parameter without a value is its name alone. `+` is a blank, as in forms.
///
/// # Errors
/// When there are too many.
pub(crate) fn write(
    path: &str,
    query: &[u8],
    form: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), SignatureFault> {
    out.extend_from_slice(path.as_bytes());
    let mut parameters: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
    let pairs = query.split(|byte| *byte == b'&').chain(form.split(|byte| *byte == b'&'));
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        if parameters.len() == PARAMETERS_MAX {
            return Err(SignatureFault::TooManyParameters);
        }
        let equals = pair.iter().position(|byte| *byte == b'=');
        let (name, value) = match equals {
            Some(equals) => (&pair[..equals], &pair[equals + 1..]),
            None => (pair, &b""[..]),
        };
        parameters.push((decoded(name), decoded(value)));
    }
    parameters.sort();
    for (index, (name, value)) in parameters.iter().enumerate() {
        out.push(if index == 0 { b'?' } else { b'&' });
        out.extend_from_slice(name);
        if !value.is_empty() {
            out.push(b'=');
            out.extend_from_slice(value);
        }
    }
    Ok(())
}

/// `+` is a blank, `%2B` a plus.
fn decoded(text: &[u8]) -> Vec<u8> {
    let blanks: Vec<u8> =
        text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    query::decoded(&blanks).collect()
}

/// The path that callers sign: without the segment that names an environment.
pub(crate) fn without_environment<'a>(path: &'a str, environments: &[Box<str>]) -> &'a str {
    let rest = path.strip_prefix('/').unwrap_or(path);
    let first = rest.split('/').next().unwrap_or_default();
    if first.is_empty() || !environments.iter().any(|name| **name == *first) {
        return path;
    }
    match &rest[first.len()..] {
        "" => "/",
        behind => behind,
    }
}
