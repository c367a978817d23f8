//! Where in a document something stands: JSON pointers (RFC 6901), and the form in which people read them.

use std::fmt::Write;

use crate::text::is_disturbing;

/// A place in a tree, as a list that is linked from the inside out, so that walking allocates nothing.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> Path<'a> {
    pub(crate) const ROOT: Path<'static> = Path { parent: None, step: Step::Root };

    pub(crate) fn key(&'a self, key: &'a str) -> Path<'a> {
        Path { parent: Some(self), step: Step::Key(key) }
    }

    pub(crate) fn index(&'a self, index: usize) -> Path<'a> {
        Path { parent: Some(self), step: Step::Index(index) }
    }

    /// The JSON pointer of this place.
    pub(crate) fn pointer(&self) -> String {
        let mut out = self.parent.map_or(String::new(), Path::pointer);
        match self.step {
            Step::Root => {}
            Step::Key(key) => push_key(&mut out, key),
            Step::Index(index) => push_index(&mut out, index),
        }
        out
    }
}

/// Adds a key to a JSON pointer.
pub(crate) fn push_key(pointer: &mut String, key: &str) {
    pointer.push('/');
    for c in key.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

/// Adds an index to a JSON pointer.
pub(crate) fn push_index(pointer: &mut String, index: usize) {
    // Writing to a `String` cannot fail.
    let _ = write!(pointer, "/{index}");
}

/// The JSON pointer of a key in the thing that `parent` points to.
pub(crate) fn child(parent: &str, key: &str) -> String {
    let mut pointer = parent.to_owned();
    push_key(&mut pointer, key);
    pointer
}

/// The JSON pointer of an item in the list that `parent` points to.
pub(crate) fn item(parent: &str, index: usize) -> String {
    let mut pointer = parent.to_owned();
    push_index(&mut pointer, index);
    pointer
}

/// The steps of a JSON pointer, unescaped.
pub(crate) fn steps(pointer: &str) -> impl Iterator<Item = String> + '_ {
    pointer.split('/').skip(1).map(|step| step.replace("~1", "/").replace("~0", "~"))
}

/// A pointer as people read it: `services.shop.limits[0]`; "the document" for the whole.
pub(crate) fn dotted(pointer: &str) -> String {
    const STEP_CHARS_MAX: usize = 60;
    let mut out = String::new();
    for step in steps(pointer) {
        if !step.is_empty() && step.bytes().all(|byte| byte.is_ascii_digit()) && !out.is_empty() {
            let _ = write!(out, "[{step}]");
            continue;
        }
        if !out.is_empty() {
            out.push('.');
        }
        let plain = step.chars().all(|c| !is_disturbing(c) && !matches!(c, ' ' | '.' | '"'))
            && !step.is_empty();
        if plain && step.chars().count() <= STEP_CHARS_MAX {
            out.push_str(&step);
        } else {
            out.push_str(&crate::text::quoted(&step));
        }
    }
    if out.is_empty() { "the document".to_owned() } else { out }
}

#[cfg(test)]
mod tests;
