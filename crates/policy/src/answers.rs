//! What callers get to see of an application's answers.
//!
//! Fields that name products are dropped, references to internal hosts become references to the public address
//! of the call, cookies get the attributes that they lack, and the fields are added by which browsers guard a
//! page. Everything is decided for one field at a time, on bytes as they came: a value is kept as it is, written
//! anew as one value, or dropped; never split.
//!
//! Assumes that names and values are those of a parsed head, so that there is no line break in them. Left to
//! others: which fields belong to a connection, and bodies.

use portway_model as model;

use crate::hygiene::same_folded;

mod cookie;
mod hosts;
mod reference;

use hosts::Hosts;

/// The most bytes of a public host with its port: no longer one is written into an answer.
const AUTHORITY_BYTES_MAX: usize = 300;

/// The policy of a service for its answers, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answers {
    mask: Option<Mask>,
    cookies: Option<model::Cookies>,
    security: Option<Security>,
    /// Bytes of a hidden page that the log shows; `None` where none is hidden.
    hidden_log_bytes: Option<usize>,
}

/// What is hidden.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mask {
    /// Names that are dropped; with a star at the end, beginnings.
    headers: Vec<Box<str>>,
    hosts: Hosts,
    /// Public prefix without a slash at its end.
    prefix: Box<str>,
    /// Base paths of the targets, longest first, none empty.
    bases: Vec<Box<str>>,
}

/// Fields by which browsers guard a page.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Security {
    fields: Vec<(Box<str>, Box<str>)>,
    overrides: bool,
}

/// Where the application is, which nobody is to know.
#[derive(Debug, Clone, Copy)]
pub struct Inside<'a> {
    /// Public prefix of the service without a slash at its end.
    pub prefix: &'a str,
    /// Hosts of its targets, and what it is told that its own name is; without ports.
    pub hosts: &'a [&'a str],
    /// Base paths of its targets.
    pub base_paths: &'a [&'a str],
}

/// How the caller sees the gateway.
#[derive(Debug, Clone, Copy)]
pub struct Public<'a> {
    /// Whether the caller came over TLS, to us or to a trusted proxy.
    pub tls: bool,
    /// Host and port that it asked for. Empty if it said none.
    pub authority: &'a [u8],
}

/// What becomes of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It passes as it is.
    Keep,
    /// It does not pass.
    Drop,
    /// It passes with the value that was written.
    Rewritten,
}

impl<'a> Public<'a> {
    /// From what the caller said. A host that is too long, or has signs that could end a piece of a field, is taken
    /// for none.
    pub fn new(tls: bool, authority: &'a [u8]) -> Self {
        let fits = authority.len() <= AUTHORITY_BYTES_MAX
            && authority
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:[]".contains(byte));
        Self { tls, authority: if fits { authority } else { b"" } }
    }

    fn host(&self) -> &'a [u8] {
        reference::host_of(self.authority)
    }
}

impl Answers {
    /// From the document.
    pub fn compile(document: &model::Answers, inside: &Inside<'_>) -> Self {
        Self {
            mask: document.mask.as_ref().map(|mask| Mask::compile(mask, inside)),
            cookies: document.cookies.clone(),
            security: document.security_headers.as_ref().map(Security::compile),
            hidden_log_bytes: document.hide_errors.as_ref().map(log_bytes),
        }
    }

    /// What becomes of a field of an answer. For [`Fate::Rewritten`], its new value was appended to `out`;
    /// otherwise nothing was.
    pub fn field(&self, public: &Public<'_>, name: &[u8], value: &[u8], out: &mut Vec<u8>) -> Fate {
        let start = out.len();
        let fate = self.decide(public, name, value, out);
        if fate != Fate::Rewritten {
            out.truncate(start);
        }
        fate
    }

    fn decide(&self, public: &Public<'_>, name: &[u8], value: &[u8], out: &mut Vec<u8>) -> Fate {
        if self.drops(name) {
            return Fate::Drop;
        }
        if name.eq_ignore_ascii_case(b"set-cookie") {
            return cookie::rewrite(self.mask.as_ref(), self.cookies.as_ref(), public, value, out);
        }
        let Some(mask) = &self.mask else { return Fate::Keep };
        if [&b"location"[..], b"content-location"].iter().any(|of| name.eq_ignore_ascii_case(of)) {
            let is_rewritten = mask.reference(public, value, out);
            if is_rewritten { Fate::Rewritten } else { Fate::Keep }
        } else if name.eq_ignore_ascii_case(b"refresh") {
            mask.refresh(public, value, out)
        } else if name.eq_ignore_ascii_case(b"link") {
            mask.link(public, value, out)
        } else {
            Fate::Keep
        }
    }

    /// Whether a field of an answer, or of its trailers, does not pass whatever its value is.
    pub fn drops(&self, name: &[u8]) -> bool {
        self.mask.as_ref().is_some_and(|mask| mask.drops(name))
            || self.security.as_ref().is_some_and(|security| {
                security.overrides
                    && security.fields.iter().any(|(own, _)| same_folded(own.as_bytes(), name))
            })
    }

    /// Whether the application's answer of this status is replaced by a problem; then, how many of its first bytes
    /// the log shows.
    pub fn hides(&self, status: u16) -> Option<usize> {
        self.hidden_log_bytes.filter(|_| (500..=599).contains(&status))
    }

    /// The fields to add, name and value. `has` says whether the answer has a field of that name by itself.
    pub fn added(&self, tls: bool, has: impl Fn(&[u8]) -> bool, mut see: impl FnMut(&str, &str)) {
        let Some(security) = &self.security else { return };
        for (name, value) in &security.fields {
            let is_due = tls || !name.eq_ignore_ascii_case(model::SecurityHeaders::OVER_TLS);
            if is_due && (security.overrides || !has(name.as_bytes())) {
                see(name, value);
            }
        }
    }
}

fn log_bytes(document: &model::HideErrors) -> usize {
    let bytes = document.log_bytes.as_bytes().min(model::HideErrors::LOG_BYTES_MAX);
    usize::try_from(bytes).unwrap_or(0)
}

impl Mask {
    fn compile(document: &model::Mask, inside: &Inside<'_>) -> Self {
        let mut headers: Vec<Box<str>> = match &document.headers {
            Some(own) => own.iter().map(|name| name.as_str().into()).collect(),
            None => model::Mask::HEADERS.iter().map(|name| Box::from(*name)).collect(),
        };
        headers.extend(document.more_headers.iter().map(|name| Box::from(name.as_str())));
        let mut bases: Vec<Box<str>> = Vec::new();
        for base in inside.base_paths.iter().filter(|base| !base.is_empty()) {
            if !bases.iter().any(|known| **known == **base) {
                bases.push(Box::from(*base));
            }
        }
        bases.sort_by_key(|base| std::cmp::Reverse(base.len()));
        Self {
            headers,
            hosts: Hosts::compile(inside.hosts, &document.hosts),
            prefix: inside.prefix.into(),
            bases,
        }
    }

    fn drops(&self, name: &[u8]) -> bool {
        self.headers.iter().any(|dropped| match dropped.strip_suffix('*') {
            Some(start) => {
                name.get(..start.len()).is_some_and(|front| same_folded(front, start.as_bytes()))
            }
            None => same_folded(dropped.as_bytes(), name),
        })
    }
}

impl Security {
    fn compile(document: &model::SecurityHeaders) -> Self {
        let own =
            |name: &str| document.set.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let defaults = model::SecurityHeaders::DEFAULTS.iter();
        let kept = defaults.filter(|(name, _)| own(name).is_none());
        let mut fields: Vec<(Box<str>, Box<str>)> =
            kept.map(|(name, value)| (Box::from(*name), Box::from(*value))).collect();
        for (name, value) in document.set.iter().filter(|(_, value)| *value != "off") {
            fields.push((name.as_str().into(), value.as_str().into()));
        }
        Self { fields, overrides: document.overrides }
    }
}

#[cfg(test)]
mod tests;
