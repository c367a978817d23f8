//! Named values: parameters of a query, and cookies.

use std::borrow::Cow;

use portway_model as model;
use portway_model::Permission;
use regex::{Regex, RegexBuilder};

use super::{Breach, Breaches, PATTERN_BYTES, RuleFault};
use crate::Headers;

/// What a value must be like.
#[derive(Debug)]
pub(super) struct Rule {
    pattern: Option<Regex>,
    max_length: usize,
    required: bool,
    repeatable: bool,
}

impl Rule {
    pub(super) fn compile(
        path: &[&str],
        document: &model::ValueRule,
        faults: &mut Vec<RuleFault>,
    ) -> Self {
        let pattern = document.pattern.as_deref().and_then(|written| match whole(written) {
            Ok(pattern) => Some(pattern),
            Err(message) => {
                let path = path.iter().chain(&["pattern"]).map(|part| (*part).to_owned());
                faults.push(RuleFault { path: path.collect(), message });
                None
            }
        });
        Self {
            pattern,
            max_length: document.max_length.map_or(usize::MAX, |most| most as usize),
            required: document.required,
            repeatable: document.repeated == Permission::Allow,
        }
    }

    /// Judges one value.
    pub(super) fn judge(
        &self,
        place: &'static str,
        name: &str,
        value: &str,
        breaches: &mut Breaches,
    ) {
        if value.len() > self.max_length && value.chars().count() > self.max_length {
            let detail = format!("must have at most {} characters", self.max_length);
            breaches.add(Breach::of(place, name, "max_length", detail));
        } else if self.pattern.as_ref().is_some_and(|pattern| !pattern.is_match(value)) {
            breaches.add(Breach::of(place, name, "pattern", "must match the pattern"));
        }
    }

    /// Judges how often there was one.
    pub(super) fn judge_count(
        &self,
        place: &'static str,
        name: &str,
        count: usize,
        breaches: &mut Breaches,
    ) {
        if count == 0 && self.required {
            breaches.add(Breach::of(place, name, "required", "must be given"));
        } else if count > 1 && !self.repeatable {
            breaches.add(Breach::of(place, name, "repeated", "must be given once"));
        }
    }
}

/// A pattern that a whole value must match.
fn whole(written: &str) -> Result<Regex, String> {
    let build = |pattern: &str| {
        RegexBuilder::new(pattern).size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES).build()
    };
    // By itself first, so that nothing in it can reach out of the brackets.
    build(written).and_then(|_| build(&format!(r"\A(?:{written})\z"))).map_err(
        |fault| match fault {
            regex::Error::CompiledTooBig(_) => "the pattern is too large".to_owned(),
            fault => {
                let text = fault.to_string();
                let why = text.lines().last().unwrap_or_default();
                format!(
                    "the pattern cannot be read: {}",
                    why.strip_prefix("error: ").unwrap_or(why)
                )
            }
        },
    )
}

/// The rules for one place.
#[derive(Debug)]
pub(super) struct Pairs {
    /// By name.
    rules: Box<[(Box<str>, Rule)]>,
    /// Names with a rule, as the most careless application reads them; sorted.
    folded: Box<[Box<str>]>,
    /// Names that may not be there, the same way.
    denied: Box<[Box<str>]>,
    /// Whether others may be there.
    is_open: bool,
}

impl Pairs {
    pub(super) fn compile(
        place: &str,
        document: &model::PairRules,
        faults: &mut Vec<RuleFault>,
    ) -> Self {
        let sorted = |names: &mut dyn Iterator<Item = &String>| {
            let mut names: Vec<Box<str>> = names.map(|name| folded(name).into()).collect();
            names.sort_unstable();
            names.dedup();
            names.into_boxed_slice()
        };
        // A map of a document is in the order of its names.
        let rules = document.rules.iter().map(|(name, rule)| {
            (name.as_str().into(), Rule::compile(&[place, "rules", name], rule, faults))
        });
        Self {
            rules: rules.collect(),
            folded: sorted(&mut document.rules.keys()),
            denied: sorted(&mut document.denied.iter()),
            is_open: document.unknown == Permission::Allow,
        }
    }

    pub(super) fn judge_query(
        &self,
        query: &str,
        own: &[impl AsRef<str>],
        breaches: &mut Breaches,
    ) {
        const ENCODING: &str = "must be UTF-8 with escapes of two hexadecimal digits";
        if query.contains(';') {
            let detail = "must have \"&\" between parameters, and %3B for a semicolon in a value";
            breaches.add(Breach::of("query", "", "separator", detail));
        }
        let mut counts = vec![0; self.rules.len()];
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(name) = decoded(name) else {
                breaches.add(Breach::of("query", "", "encoding", ENCODING));
                continue;
            };
            if own.iter().any(|own| own.as_ref() == name) {
                continue;
            }
            match decoded(value) {
                Some(value) => self.judge_pair("query", &name, &value, &mut counts, breaches),
                None => breaches.add(Breach::named("query", &name, "encoding", ENCODING)),
            }
        }
        self.judge_counts("query", &counts, breaches);
    }

    /// Cookies are judged as they stand (RFC 6265 knows no escapes).
    pub(super) fn judge_cookies(&self, headers: &dyn Headers, breaches: &mut Breaches) {
        let mut counts = vec![0; self.rules.len()];
        let (mut has_comma, mut is_unclear) = (false, false);
        headers.each("cookie", &mut |field| {
            let Ok(field) = std::str::from_utf8(field) else {
                return breaches.add(Breach::of("cookie", "", "encoding", "must be UTF-8"));
            };
            has_comma |= field.contains(',');
            for pair in field.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                is_unclear |= !hides_commas(name, value.trim());
                self.judge_pair("cookie", name.trim(), value.trim(), &mut counts, breaches);
            }
        });
        // Some applications part cookies there (RFC 2965). All quotes count, since one that is open reaches further.
        if has_comma && is_unclear {
            let detail = "must have \";\" between cookies, and a comma only in a value in quotes";
            breaches.add(Breach::of("cookie", "", "separator", detail));
        }
        self.judge_counts("cookie", &counts, breaches);
    }

    fn judge_pair(
        &self,
        place: &'static str,
        name: &str,
        value: &str,
        counts: &mut [usize],
        breaches: &mut Breaches,
    ) {
        let simple = folded(name);
        let is_in =
            |names: &[Box<str>]| names.binary_search_by(|known| (**known).cmp(&simple)).is_ok();
        if is_in(&self.denied) {
            breaches.add(Breach::named(place, name, "denied", "may not be given"));
        } else if let Ok(at) = self.rules.binary_search_by(|(known, _)| (**known).cmp(name)) {
            counts[at] += 1;
            let (name, rule) = &self.rules[at];
            rule.judge(place, name, value, breaches);
        } else if is_in(&self.folded) {
            let detail = "is another spelling of a parameter that has a rule";
            breaches.add(Breach::named(place, name, "spelling", detail));
        } else if !self.is_open {
            breaches.add(Breach::named(place, name, "unknown", "is none that is taken here"));
        }
    }

    fn judge_counts(&self, place: &'static str, counts: &[usize], breaches: &mut Breaches) {
        for ((name, rule), count) in self.rules.iter().zip(counts) {
            rule.judge_count(place, name, *count, breaches);
        }
    }
}

/// Whether a cookie has no comma but in quotes that all readers take alike.
fn hides_commas(name: &str, value: &str) -> bool {
    let quoted = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    !name.contains([',', '"'])
        && match quoted {
            Some(inside) => !inside.contains(['"', '\\']),
            None => !value.contains([',', '"']),
        }
}

/// A name as the most careless application reads it: without regard to case, to what an array's index says, and to the
/// signs that some turn into `_`; nothing counts that is not printed.
fn folded(name: &str) -> String {
    let end = name.char_indices().skip(1).find(|(_, c)| *c == '[').map_or(name.len(), |(at, _)| at);
    let kept = name[..end].trim().chars().filter(|c| !c.is_control());
    kept.map(|c| if matches!(c, '.' | ' ' | '-' | '[') { '_' } else { c })
        .flat_map(char::to_lowercase)
        .collect()
}

/// A text of a query as it is meant; nothing if that cannot be said.
pub(super) fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(Cow::Borrowed(text));
    }
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? << 4 | digit()?).ok().filter(|byte| *byte != 0)?
            }
            byte => byte,
        });
    }
    String::from_utf8(out).ok().map(Cow::Owned)
}

/// Whether a query has a parameter that frameworks take another method from, in any spelling that some application
/// takes for it.
pub(super) fn has_method(query: &str) -> bool {
    query.split(['&', ';']).any(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        let name: Vec<u8> = crate::query::decoded(name.replace('+', " ").as_bytes()).collect();
        folded(&String::from_utf8_lossy(&name)) == "_method"
    })
}
