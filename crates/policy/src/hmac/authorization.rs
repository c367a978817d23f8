//! The `Authorization` header of a signed call, taken apart.
//!
//! `hmac id="…", algorithm="…", headers="…", signature="…"`: four parameters, each once, in any order, each in
//! quotation marks. There are no escapes, since none of the four can have a quotation mark in it.

use crate::SignatureFault;

/// The scheme.
const SCHEME: &[u8] = b"hmac";

/// What the caller says that it signed, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorization<'a> {
    /// Id of the key pair.
    pub id: &'a [u8],
    /// Name of the algorithm.
    pub algorithm: &'a [u8],
    /// Names of headers with blanks between them.
    pub headers: &'a [u8],
    /// Base64 of the signature.
    pub signature: &'a [u8],
}

/// What stands behind the scheme; nothing for another scheme. The scheme has no case (RFC 9110 §11.1).
pub fn parameters(value: &[u8]) -> Option<&[u8]> {
    let scheme = value.get(..SCHEME.len())?;
    let rest = &value[SCHEME.len()..];
    let ends = rest.first().is_none_or(|byte| *byte == b' ');
    (ends && scheme.eq_ignore_ascii_case(SCHEME)).then_some(rest)
}

/// Takes the parameters apart.
///
/// # Errors
/// What is wrong with them.
pub fn parse(parameters: &[u8]) -> Result<Authorization<'_>, SignatureFault> {
    let [mut id, mut algorithm, mut headers, mut signature] = [None::<&[u8]>; 4];
    let mut rest = parameters.trim_ascii();
    while !rest.is_empty() {
        let (name, value, behind) = parameter(rest).ok_or(SignatureFault::Format)?;
        let place = match name {
            b"id" => &mut id,
            b"algorithm" => &mut algorithm,
            b"headers" => &mut headers,
            b"signature" => &mut signature,
            _ => return Err(SignatureFault::Format),
        };
        if place.replace(value).is_some() {
            return Err(SignatureFault::Format);
        }
        rest = behind;
    }
    let given = |value: Option<_>| value.filter(|value: &&[u8]| !value.is_empty());
    let (Some(id), Some(signature)) = (given(id), given(signature)) else {
        return Err(SignatureFault::IdOrSignatureMissing);
    };
    let (Some(algorithm), Some(headers)) = (given(algorithm), given(headers)) else {
        return Err(SignatureFault::FieldsMissing);
    };
    Ok(Authorization { id, algorithm, headers, signature })
}

/// Name and value of the first parameter, and what follows behind its comma.
fn parameter(text: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let equals = text.iter().position(|byte| *byte == b'=')?;
    let (name, value) = (&text[..equals], &text[equals + 1..]);
    let value = value.strip_prefix(b"\"")?;
    let end = value.iter().position(|byte| *byte == b'"')?;
    let behind = value[end + 1..].trim_ascii_start();
    let value = &value[..end];
    if behind.is_empty() {
        return Some((name, value, behind));
    }
    let behind = behind.strip_prefix(b",")?.trim_ascii_start();
    // A comma with nothing behind it was meant to be followed by something.
    (!behind.is_empty()).then_some((name, value, behind))
}
