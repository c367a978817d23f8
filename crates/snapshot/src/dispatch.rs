//! Judging the conditions that tell operations of one method and path apart.
//!
//! The conditions come from the contract ([`portway_contract::Dispatch`]). A value that stands in the call
//! twice and differs is not judged at all: which of the two a backend reads is its own affair, so such a
//! call is not clearly any of the operations. How else a call could be judged is [`lenient`]'s business.

pub(crate) mod lenient;

use std::borrow::Cow;

use portway_contract::Dispatch;
use portway_policy::Headers;
use portway_policy::query;

/// One condition, with its path parameter as a number.
#[derive(Debug, Clone)]
pub(crate) struct Condition {
    pub(crate) dispatch: Dispatch,
    /// Which parameter of the template a [`Dispatch::Path`] looks at.
    pub(crate) param: usize,
}

/// What a condition says of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Holds,
    Fails,
    /// The value stands in the call more than once, and differs.
    Unclear,
}

/// What conditions look at.
pub(crate) struct Facts<'a> {
    pub(crate) path: &'a str,
    pub(crate) query: &'a str,
    pub(crate) headers: &'a dyn Headers,
    /// Places of the path parameters in `path`.
    pub(crate) params: &'a [(u32, u32)],
}

impl Facts<'_> {
    /// The verdict on all of them: the first that does not hold.
    pub(crate) fn judge_all(&self, conditions: &[Condition]) -> Verdict {
        conditions
            .iter()
            .map(|condition| self.judge(condition))
            .find(|&v| v != Verdict::Holds)
            .unwrap_or(Verdict::Holds)
    }

    fn judge(&self, condition: &Condition) -> Verdict {
        match &condition.dispatch {
            Dispatch::Query { name, value } => self.judge_query(name, value.as_deref()),
            Dispatch::Header { name, value } => self.judge_header(name, |seen| {
                value.as_ref().is_none_or(|value| seen == value.as_bytes())
            }),
            Dispatch::ContentType { any_of } => self.judge_header("content-type", |seen| {
                any_of.iter().any(|range| is_of_type(seen, range))
            }),
            Dispatch::Path { test, .. } => {
                let Some((start, end)) = self.params.get(condition.param) else {
                    return Verdict::Fails;
                };
                let text = decoded(&self.path[*start as usize..*end as usize]);
                if test.passes(&text) { Verdict::Holds } else { Verdict::Fails }
            }
        }
    }

    fn judge_query(&self, name: &str, wanted: Option<&str>) -> Verdict {
        let mut tally = Tally::default();
        for value in query::values(self.query, name) {
            tally.count(wanted.is_none_or(|wanted| is_form_text(value.as_bytes(), wanted)));
        }
        tally.verdict()
    }

    fn judge_header(&self, name: &str, mut is_wanted: impl FnMut(&[u8]) -> bool) -> Verdict {
        let mut tally = Tally::default();
        self.headers.each(name, &mut |value| tally.count(is_wanted(value.trim_ascii())));
        tally.verdict()
    }
}

/// How many values were as wanted, and how many not.
#[derive(Default)]
struct Tally {
    wanted: usize,
    other: usize,
}

impl Tally {
    fn count(&mut self, is_wanted: bool) {
        if is_wanted {
            self.wanted += 1;
        } else {
            self.other += 1;
        }
    }

    fn verdict(&self) -> Verdict {
        match (self.wanted, self.other) {
            (0, _) => Verdict::Fails,
            (_, 0) => Verdict::Holds,
            _ => Verdict::Unclear,
        }
    }
}

/// Whether an encoded query value stands for a text; `+` is a space, as in forms.
fn is_form_text(encoded: &[u8], text: &str) -> bool {
    let plus = |part: &[u8]| part.contains(&b'+');
    if !plus(encoded) {
        return query::decoded(encoded).eq(text.bytes());
    }
    // `+` before decoding only: an escaped one means itself.
    let mut parts = encoded.split(|byte| *byte == b'+');
    let first = parts.next().unwrap_or_default();
    query::decoded(first)
        .chain(parts.flat_map(|part| std::iter::once(b' ').chain(query::decoded(part))))
        .eq(text.bytes())
}

/// Whether a `Content-Type` (RFC 9110 §8.3) is of a media type or range (`image/*`), parameters aside.
fn is_of_type(value: &[u8], range: &str) -> bool {
    let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    if range == "*/*" {
        return true;
    }
    match range.strip_suffix('*') {
        Some(lead) => {
            media_type.len() > lead.len()
                && media_type[..lead.len()].eq_ignore_ascii_case(lead.as_bytes())
        }
        None => media_type.eq_ignore_ascii_case(range.as_bytes()),
    }
}

/// A path parameter as text. Only one with escapes is copied.
fn decoded(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes: Vec<u8> = query::decoded(text.as_bytes()).collect();
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests;
