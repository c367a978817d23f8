//! How a lenient origin may judge the conditions that tell operations apart.
//!
//! The contract says that `/e/{n}` with an integer is one operation and `/e/{name}` another; the gateway
//! takes `1` for an integer, and an origin may take `+1`, `1.0` or `%2531` for one too. Where the two
//! operations have the same rules nothing is at stake. Where the rules differ, [`crate::snapshot`] asks here
//! whether a lenient reader could have judged otherwise, and refuses such a call.
//!
//! Nothing here is fast: it is asked only for operations of one method and path whose rules differ.

use std::cell::OnceCell;

use portway_contract::{Dispatch, ValueTest};
use portway_policy::query;

use super::{Condition, Facts, Verdict, decoded, is_form_text};
use crate::loose::read;

/// Dashes of a header's name that are tried as underscores one by one; beyond, all at once.
const MOST_DASHES: usize = 5;

/// What pydantic, Spring and others take for a truth value.
const TRUTHS: [&str; 12] =
    ["true", "false", "1", "0", "yes", "no", "on", "off", "t", "f", "y", "n"];

/// Pairs of a query beyond which nothing is said of it: some readers stop there, too.
const MOST_PAIRS: usize = 256;

/// One call, as lenient readers may see it.
pub(crate) struct Lenient<'f> {
    facts: &'f Facts<'f>,
    /// `None` if there are more than [`MOST_PAIRS`].
    pairs: OnceCell<Option<Vec<Pair>>>,
}

impl<'f> Lenient<'f> {
    pub(crate) fn new(facts: &'f Facts<'f>) -> Self {
        Lenient { facts, pairs: OnceCell::new() }
    }

    /// A lenient reader may find that all of them hold.
    pub(crate) fn may_hold(&self, conditions: &[Condition]) -> bool {
        conditions.iter().all(|condition| {
            self.facts.judge(condition) != Verdict::Fails || self.may_hold_one(condition)
        })
    }

    /// They hold, and yet another reader may find that one of them does not.
    pub(crate) fn may_fail(&self, conditions: &[Condition]) -> bool {
        conditions.iter().any(|condition| match &condition.dispatch {
            Dispatch::Query { name, value: Some(value) } => {
                self.any_pair(name, |pair| !pair.has_exactly(value))
            }
            // An empty value is none to some.
            Dispatch::Query { name, value: None } => {
                query::values(self.facts.query, name).all(|value| blank(&fully_decoded(value)))
            }
            Dispatch::Header { name, value } => self.any_spelling(name, |seen| {
                value.as_ref().map_or(seen.is_empty(), |value| seen != value.as_bytes())
            }),
            Dispatch::ContentType { .. } => {
                let mut seen = 0;
                self.facts.headers.each("content-type", &mut |value| {
                    seen += 1 + usize::from(value.contains(&b','));
                });
                seen > 1
            }
            // What the contract's own test takes is taken at its word.
            Dispatch::Path { .. } => false,
        })
    }

    fn may_hold_one(&self, condition: &Condition) -> bool {
        match &condition.dispatch {
            Dispatch::Query { name, value } => {
                let wanted = value.as_ref().map(|value| loose_value(value));
                self.any_pair(name, |pair| {
                    wanted.as_ref().is_none_or(|wanted| pair.may_have(wanted))
                })
            }
            Dispatch::Header { name, value } => self.any_spelling(name, |seen| {
                value.as_ref().is_none_or(|value| {
                    contains(&seen.to_ascii_lowercase(), &value.to_ascii_lowercase())
                })
            }),
            Dispatch::ContentType { any_of } => self.any_spelling("content-type", |seen| {
                any_of.iter().any(|range| may_be_of_type(seen, range))
            }),
            Dispatch::Path { test, .. } => {
                let Some((start, end)) = self.facts.params.get(condition.param) else {
                    return false;
                };
                may_pass(test, &self.facts.path[*start as usize..*end as usize])
            }
        }
    }

    /// Whether it is so of a pair with this name, or nobody knows.
    fn any_pair(&self, name: &str, is: impl Fn(&Pair) -> bool) -> bool {
        let name = loose_name(name);
        match self.pairs.get_or_init(|| pairs(self.facts.query)) {
            Some(pairs) => pairs.iter().any(|pair| pair.name == name && is(pair)),
            None => true,
        }
    }

    /// Header fields of a name, dashes read as underscores as CGI does.
    fn any_spelling(&self, name: &str, is: impl Fn(&[u8]) -> bool) -> bool {
        let dashes: Vec<usize> =
            name.bytes().enumerate().filter(|(_, byte)| *byte == b'-').map(|(at, _)| at).collect();
        let all = (1_usize << dashes.len().min(MOST_DASHES)) - 1;
        let mut found = false;
        for chosen in 0..=all {
            let spelt: String = name
                .char_indices()
                .map(|(at, letter)| {
                    let place = dashes.iter().position(|dash| *dash == at);
                    let is_swapped = place.is_some_and(|place| {
                        chosen >> place.min(MOST_DASHES) & 1 == 1
                            || (place >= MOST_DASHES && chosen == all)
                    });
                    if is_swapped { '_' } else { letter }
                })
                .collect();
            self.facts.headers.each(&spelt, &mut |value| found |= is(value.trim_ascii()));
        }
        found
    }
}

/// A pair as some reader of queries may see it.
struct Pair {
    /// As [`loose_name`] has it.
    name: String,
    /// As it stands there, encoded.
    value: String,
    /// As [`loose_value`] has it.
    loose: String,
}

/// The pairs of a query by all readings: split at `&`, at `;` too, before or after decoding. `None` if there are
/// more than [`MOST_PAIRS`].
fn pairs(query: &str) -> Option<Vec<Pair>> {
    let whole = fully_decoded(query);
    let readings =
        query.split('&').chain(query.split(['&', ';'])).chain(whole.split(['&', ';', '?']));
    let mut pairs: Vec<Pair> = Vec::new();
    for (count, part) in readings.enumerate() {
        if count >= 3 * MOST_PAIRS {
            return None;
        }
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        pairs.push(Pair {
            name: loose_name(&fully_decoded(name)),
            value: value.to_owned(),
            loose: loose_value(&fully_decoded(value)),
        });
    }
    Some(pairs)
}

impl Pair {
    /// Every reader sees this value.
    fn has_exactly(&self, wanted: &str) -> bool {
        is_form_text(self.value.as_bytes(), wanted) || self.value == wanted
    }

    /// Some reader may see this value, which is in its loose form.
    fn may_have(&self, wanted: &str) -> bool {
        let is_number = !wanted.is_empty() && wanted.bytes().all(|byte| byte.is_ascii_digit());
        let seen = &self.loose;
        seen == wanted || (is_number && leading_number(seen) == leading_number(wanted))
    }
}

/// A parameter's name as PHP and case-folding readers have it: `X`, `x[]`, `x.y` and `x y` fall together with
/// `x`, `x` and `x_y`.
fn loose_name(name: &str) -> String {
    let cut = name.split(['\0', '[']).next().unwrap_or_default();
    cut.trim_matches(|letter: char| letter == '+' || is_nothing(letter))
        .chars()
        .filter(|letter| !letter.is_control())
        .map(|letter| if matches!(letter, '.' | ' ' | '+' | '-') { '_' } else { letter })
        .flat_map(narrow)
        .collect()
}

fn loose_value(value: &str) -> String {
    let cut = value.split('\0').next().unwrap_or_default();
    let text: String = cut.chars().map(|letter| if letter == '+' { ' ' } else { letter }).collect();
    let text: String = text.chars().filter(|letter| !letter.is_control()).collect();
    text.trim_matches(is_nothing).trim_matches(['"', '\'']).chars().flat_map(narrow).collect()
}

/// The digits that a text begins with, without zeros before them.
fn leading_number(text: &str) -> Option<&str> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| text[..end].trim_start_matches('0'))
}

/// Decoded as often as it is encoded.
fn fully_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let (value, next) = read(bytes, at);
        out.push(value);
        at = next;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn is_nothing(letter: char) -> bool {
    letter.is_whitespace() || letter.is_control()
}

fn blank(text: &str) -> bool {
    text.chars().all(|letter| is_nothing(letter) || letter == '+')
}

/// In lower case; full-width forms as what they are wide forms of.
fn narrow(letter: char) -> impl Iterator<Item = char> {
    let plain = match u32::from(letter) {
        wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xff01 + 0x21).unwrap_or(letter),
        _ => letter,
    };
    plain.to_lowercase()
}

fn contains(text: &[u8], part: &str) -> bool {
    part.is_empty() || memchr::memmem::find(text, part.as_bytes()).is_some()
}

/// A type somewhere in the field, or one that has the wanted one for its syntax (`application/x+json`).
fn may_be_of_type(value: &[u8], range: &str) -> bool {
    let value = value.to_ascii_lowercase();
    let suffix = range.split_once('/').map_or("", |(_, subtype)| subtype);
    match range.strip_suffix('*') {
        Some(lead) => contains(&value, lead),
        None => contains(&value, range) || contains(&value, &format!("+{suffix}")),
    }
}

/// A lenient reader may find that a text of the path, still encoded, is what a test wants.
fn may_pass(test: &ValueTest, encoded: &str) -> bool {
    let whole = fully_decoded(encoded);
    let text: String = whole.trim_matches(is_nothing).chars().flat_map(narrow).collect();
    // Path parameters, a query or a fragment behind it, and a dot at its end.
    let cut = text.split([';', '?', '#', '\0']).next().unwrap_or_default();
    let cut = cut.trim_matches(|letter| is_nothing(letter) || matches!(letter, '.' | '+'));
    match test {
        ValueTest::Integer => begins_with_digit(&text),
        ValueTest::Number => {
            let bare = text.trim_start_matches(is_sign);
            begins_with_digit(&text) || bare.starts_with("inf") || bare.starts_with("nan")
        }
        ValueTest::Boolean => TRUTHS.contains(&cut),
        ValueTest::Uuid => may_be_uuid(cut),
        ValueTest::Date => begins_with_digit(&text),
        ValueTest::OneOf(values) => values.iter().any(|value| {
            let wanted: String = value.trim_matches(is_nothing).chars().flat_map(narrow).collect();
            let stem = cut.rsplit_once('.').map_or(cut, |(stem, _)| stem);
            [text.as_str(), cut, stem].contains(&wanted.as_str())
        }),
        ValueTest::Pattern(_) => {
            let once = decoded(encoded);
            let upper = cut.to_uppercase();
            let stem = cut.rsplit_once('.').map_or(cut, |(stem, _)| stem);
            let as_sent = once.split([';', '?', '#', '\0']).next().unwrap_or_default();
            let as_sent = as_sent.trim_matches(|letter| is_nothing(letter) || letter == '.');
            [whole.as_str(), &text, cut, &upper, stem, as_sent, whole.trim()]
                .iter()
                .any(|reading| test.passes(reading))
        }
    }
}

/// After signs and spaces: who converts as C, JavaScript or PHP do sees a number.
fn begins_with_digit(text: &str) -> bool {
    text.trim_start_matches(is_sign).starts_with(char::is_numeric)
}

fn is_sign(letter: char) -> bool {
    is_nothing(letter) || matches!(letter, '+' | '-' | '.' | '\u{2212}' | '"' | '\'')
}

/// Without dashes, in braces, as a URN, or in five groups of any length, as some libraries take it.
fn may_be_uuid(text: &str) -> bool {
    let text = text.strip_prefix("urn:").unwrap_or(text);
    let text = text.strip_prefix("uuid:").unwrap_or(text);
    let text = text.trim_matches(['{', '}', '(', ')', '"']);
    let is_hex = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let bare = text.replace('-', "");
    (bare.len() == 32 && is_hex(&bare))
        || (text.split('-').count() == 5 && text.split('-').all(is_hex))
}
