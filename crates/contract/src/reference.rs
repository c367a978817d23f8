//! References (`$ref`) and file paths: reading them, joining them, keeping them inside.
//!
//! [`join`] is purely lexical: it refuses whatever could leave the root by its spelling (`..`, absolute
//! paths, drive letters, URL schemes, backslashes, NUL). Symbolic links are the loader's business.

use std::fmt;

use serde_json::Value;

use crate::contract::{Node, ResolveFault};
use crate::library::Library;
use crate::pointer;

/// Longest reference that is read, in bytes.
pub const MAX_REFERENCE_BYTES: usize = 4 * 1024;

/// A reference, read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The file it points into: `None` for the one it stands in, else a path below the root.
    pub file: Option<String>,
    /// The node in that file.
    pub fragment: Fragment,
}

/// What follows the `#`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fragment {
    /// A JSON pointer, percent escapes decoded; empty for the whole file.
    Pointer(String),
    /// A plain name: the `$anchor` of a schema.
    Anchor(String),
}

/// Why a reference or path is not usable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReferenceFault {
    /// It leads to another machine.
    Remote,
    /// It leads out of the root.
    OutsideRoot,
    /// It is not a relative path: an absolute path, another scheme, a backslash or a NUL is in it.
    NotRelative(&'static str),
    /// It is longer than [`MAX_REFERENCE_BYTES`].
    TooLong,
}

impl fmt::Display for ReferenceFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReferenceFault::Remote => {
                f.write_str("it leads to another machine, and nothing is fetched from the network")
            }
            ReferenceFault::OutsideRoot => {
                f.write_str("it leads out of the directory that may be read")
            }
            ReferenceFault::NotRelative(what) => write!(f, "it is not a relative path: it {what}"),
            ReferenceFault::TooLong => write!(f, "it is longer than {MAX_REFERENCE_BYTES} bytes"),
        }
    }
}

impl std::error::Error for ReferenceFault {}

/// Reads a reference that stands in the file `base` (a path below the root).
///
/// # Errors
/// [`ReferenceFault`] if its file part may not be followed.
pub fn parse(base: &str, text: &str) -> Result<Reference, ReferenceFault> {
    if text.len() > MAX_REFERENCE_BYTES {
        return Err(ReferenceFault::TooLong);
    }
    let text = text.trim();
    let (file, fragment) = text.split_once('#').unwrap_or((text, ""));
    let file = if file.is_empty() { None } else { Some(join(base, file)?) };
    let decoded = percent_decode(fragment);
    let fragment = if decoded.is_empty() || decoded.starts_with('/') {
        Fragment::Pointer(decoded)
    } else {
        Fragment::Anchor(decoded)
    };
    Ok(Reference { file, fragment })
}

/// Joins a relative reference to the folder of `base`, both below the root, and normalises it.
///
/// # Errors
/// [`ReferenceFault`] for anything that is not a relative path staying below the root.
pub fn join(base: &str, relative: &str) -> Result<String, ReferenceFault> {
    if relative.len() > MAX_REFERENCE_BYTES {
        return Err(ReferenceFault::TooLong);
    }
    refuse_scheme(relative)?;
    let decoded = percent_decode(relative);
    refuse_scheme(&decoded)?;
    if decoded.contains('\0') {
        return Err(ReferenceFault::NotRelative("contains a NUL"));
    }
    if decoded.contains('\\') {
        return Err(ReferenceFault::NotRelative("contains a backslash"));
    }
    let folder = base.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(decoded.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop().ok_or(ReferenceFault::OutsideRoot)?;
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() {
        return Err(ReferenceFault::NotRelative("names no file"));
    }
    Ok(parts.join("/"))
}

fn refuse_scheme(text: &str) -> Result<(), ReferenceFault> {
    if text.starts_with("//") {
        return Err(ReferenceFault::Remote);
    }
    if text.starts_with('/') {
        return Err(ReferenceFault::NotRelative("begins with a slash"));
    }
    let Some((scheme, _)) = text.split_once(':') else { return Ok(()) };
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    if !is_scheme {
        return Ok(());
    }
    if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") {
        return Err(ReferenceFault::Remote);
    }
    Err(ReferenceFault::NotRelative("begins with a scheme or drive"))
}

/// Percent escapes decoded; what is not one, or would not be UTF-8, stays as it is.
fn percent_decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escape = (bytes[at] == b'%')
            .then(|| bytes.get(at + 1..at + 3))
            .flatten()
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .filter(|digits| !digits.starts_with('+'))
            .and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match escape {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| text.to_owned())
}

/// The text of a reference object; `None` if the value is not one.
#[must_use]
pub fn of(value: &Value) -> Option<&str> {
    value.as_object()?.get("$ref")?.as_str()
}

/// Follows references from a node until a node that is none.
pub(crate) fn resolve(
    library: &Library,
    node: Node,
    steps: usize,
) -> Result<(Node, &Value), ResolveFault> {
    let start = node.clone();
    let mut node = node;
    for _ in 0..=steps {
        let (found, value) = library.locate(node, steps)?;
        match of(value) {
            None => return Ok((found, value)),
            Some(text) => node = library.target(found.document, text)?,
        }
    }
    Err(ResolveFault::Circle(start))
}

/// One token further down, for walking pointers across references.
pub(crate) fn rest_after(pointer: &str, taken: usize) -> String {
    pointer.split('/').skip(taken + 1).fold(String::new(), |mut rest, token| {
        rest.push('/');
        rest.push_str(token);
        rest
    })
}

/// The deepest part of a pointer that exists, as the number of its tokens, with the value there.
pub(crate) fn deepest<'v>(root: &'v Value, pointer: &str) -> (usize, &'v Value) {
    let mut value = root;
    let mut taken = 0;
    for token in pointer.split('/').skip(1) {
        let mut step = String::with_capacity(token.len() + 1);
        step.push('/');
        step.push_str(token);
        match pointer::lookup(value, &step) {
            Some(next) => value = next,
            None => break,
        }
        taken += 1;
    }
    (taken, value)
}

#[cfg(test)]
mod tests;
