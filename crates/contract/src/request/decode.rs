//! Texts of parameters to values, by style (RFC 6570 as OpenAPI uses it, `collectionFormat` of 2.0).
//!
//! Delimiters count only as written, an encoded one is part of a value; where a style has a delimiter that cannot
//! stand in a query unencoded (a space, a pipe), both count.

use std::borrow::Cow;

use serde_json::Number;

use super::form::MemberKinds;
use super::{Expected, Pair};
use crate::contract::Style;
use crate::schema::{Kinds, Map, Value};

/// What a call has of one parameter.
pub(super) enum Given<'g, 'q> {
    /// Still encoded.
    Path(&'g str),
    /// Still encoded, at least one.
    Query(&'g [Pair<'q>]),
    Header(&'g str),
    /// At least one.
    Cookies(&'g [&'g str]),
}

impl Given<'_, '_> {
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Path(text) | Self::Header(text) => text.len(),
            Self::Query(pairs) => pairs.iter().map(|pair| pair.value.len()).sum(),
            Self::Cookies(values) => values.iter().map(|value| value.len()).sum(),
        }
    }

    /// The text, decoded, if there is one only.
    pub(super) fn single(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Path(text) => Some(decoded(text, false)),
            Self::Header(text) => Some(Cow::Borrowed(text)),
            Self::Query([Pair { member: None, value, .. }]) => Some(decoded(value, true)),
            Self::Cookies([value]) => Some(decoded(value, false)),
            _ => None,
        }
    }

    /// One part of the text, decoded as the place has it.
    fn part<'t>(&self, text: &'t str) -> Cow<'t, str> {
        match self {
            Self::Header(_) => Cow::Borrowed(text.trim()),
            Self::Query(_) => decoded(text, true),
            Self::Path(_) | Self::Cookies(_) => decoded(text, false),
        }
    }
}

/// Percent escapes decoded, and `+` as a space where a form is meant. What is not text becomes U+FFFD, which no
/// sensible pattern allows.
pub(super) fn decoded(text: &str, is_form: bool) -> Cow<'_, str> {
    let special = |byte: u8| byte == b'%' || (is_form && byte == b'+');
    if !text.bytes().any(special) {
        return Cow::Borrowed(text);
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|d| u8::try_from(d).ok());
        match (first, after) {
            (b'%', [high, low, after @ ..]) => match (digit(high), digit(low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = after;
                }
                _ => out.push(first),
            },
            (b'+', _) if is_form => out.push(b' '),
            _ => out.push(first),
        }
    }
    Cow::Owned(match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

/// What is wrong with a text that is not sound.
pub(super) const UNSOUND: &str = "must be percent-encoded text in UTF-8, without NUL";

/// Whether everybody decodes a text of a query or a form to the same: its escapes are whole, and text, and none a NUL.
pub(super) fn is_sound(text: &str) -> bool {
    if !text.bytes().any(|byte| byte == b'%' || byte == 0) {
        return true;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        let mut byte = first;
        if first == b'%' {
            let [high, low, after @ ..] = after else { return false };
            let (Some(high), Some(low)) = (digit(*high), digit(*low)) else { return false };
            byte = high << 4 | low;
            rest = after;
        }
        if byte == 0 {
            return false;
        }
        out.push(byte);
    }
    std::str::from_utf8(&out).is_ok()
}

/// `name[member]` in its parts.
pub(super) fn deep(name: &str) -> Option<(&str, &str)> {
    let (base, member) = name.strip_suffix(']')?.split_once('[')?;
    Some((base, member))
}

/// The values of a cookie, in the order given.
pub(super) fn cookies<'c>(fields: &'c [String], name: &str) -> Vec<&'c str> {
    let pairs = fields.iter().flat_map(|field| field.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(known, _)| *known == name)
        .map(|(_, value)| value)
        .collect()
}

/// Every value that the text can stand for, likeliest first, until `see` is content with one.
pub(super) fn values(
    expected: &Expected,
    given: &Given<'_, '_>,
    see: &mut dyn FnMut(Value<'static>) -> bool,
) {
    if let Some(text) = scalar_text(expected, given)
        && scalars(&text, expected.form.scalar, see)
    {
        return;
    }
    if let Some(items) = expected.form.list
        && let Some(texts) = list_texts(expected, given)
    {
        let list = texts.iter().map(|text| likeliest(text, items)).collect();
        if see(Value::Array(list)) {
            return;
        }
    }
    if let Some(members) = &expected.form.object
        && let Some(object) = object(expected, given, members)
    {
        see(Value::Object(object));
    }
}

/// The text as a value that is neither list nor object, if it can be one.
fn scalar_text<'g>(expected: &Expected, given: &'g Given<'_, '_>) -> Option<Cow<'g, str>> {
    let kinds = expected.form.scalar;
    let possible = kinds.null || kinds.boolean || kinds.number || kinds.string;
    if !possible {
        return None;
    }
    match (given, expected.style) {
        (Given::Path(text), Style::Label) => Some(decoded(text.strip_prefix('.')?, false)),
        (Given::Path(text), Style::Matrix) => {
            let rest = text.strip_prefix(';')?.strip_prefix(&*expected.name)?;
            Some(decoded(rest.strip_prefix('=').unwrap_or(rest), false))
        }
        _ => given.single(),
    }
}

/// The values of one text, likeliest first. Says whether `see` was content.
pub(super) fn scalars(
    text: &str,
    kinds: Kinds,
    see: &mut dyn FnMut(Value<'static>) -> bool,
) -> bool {
    let likely = likeliest(text, kinds);
    let is_text = likely.is_string();
    if see(likely) {
        return true;
    }
    !is_text && kinds.string && see(Value::text(text.to_owned()))
}

/// The value that a text stands for, if values may be of these kinds. A text that is nothing else is itself, also
/// where none is allowed: that is then what is wrong with it.
pub(super) fn likeliest(text: &str, kinds: Kinds) -> Value<'static> {
    if kinds.number
        && let Some(number) = number(text)
    {
        return Value::Number(number);
    }
    match text {
        "true" if kinds.boolean => Value::Bool(true),
        "false" if kinds.boolean => Value::Bool(false),
        "" | "null" if kinds.null && !kinds.string => Value::Null,
        _ => Value::text(text.to_owned()),
    }
}

/// A number as JSON writes it.
fn number(text: &str) -> Option<Number> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain && (1..=18).contains(&digits.len()) {
        let canonical = digits.len() == 1 || !digits.starts_with('0');
        return canonical.then(|| text.parse::<i64>().ok().map(Number::from)).flatten();
    }
    if !digits.starts_with(|first: char| first.is_ascii_digit()) || text.len() > 400 {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// The items of a list.
fn list_texts<'g>(expected: &Expected, given: &'g Given<'_, '_>) -> Option<Vec<Cow<'g, str>>> {
    let split = |text: &'g str, at: &str| -> Vec<Cow<'g, str>> {
        if text.is_empty() {
            return Vec::new();
        }
        text.split(at).map(|part| given.part(part)).collect()
    };
    match given {
        Given::Path(text) => match expected.style {
            Style::Label => {
                Some(split(text.strip_prefix('.')?, if expected.explode { "." } else { "," }))
            }
            Style::Matrix if expected.explode => {
                let mut items = Vec::new();
                for part in text.strip_prefix(';')?.split(';') {
                    let (name, value) = part.split_once('=').unwrap_or((part, ""));
                    if name != &*expected.name {
                        return None;
                    }
                    items.push(given.part(value));
                }
                Some(items)
            }
            Style::Matrix => {
                let rest = text.strip_prefix(';')?.strip_prefix(&*expected.name)?;
                Some(split(rest.strip_prefix('=').unwrap_or(rest), ","))
            }
            style => Some(delimited(text, style, given)),
        },
        Given::Header(text) => Some(delimited(text, expected.style, given)),
        Given::Cookies(values) if expected.explode => {
            Some(values.iter().map(|value| given.part(value)).collect())
        }
        Given::Cookies([value]) => Some(delimited(value, expected.style, given)),
        Given::Cookies(_) => None,
        Given::Query(pairs) if pairs.iter().any(|pair| pair.member.is_some()) => None,
        Given::Query(pairs) if expected.explode => {
            Some(pairs.iter().map(|pair| given.part(pair.value)).collect())
        }
        Given::Query([pair]) => Some(delimited(pair.value, expected.style, given)),
        Given::Query(_) => None,
    }
}

fn delimited<'g>(text: &'g str, style: Style, given: &'g Given<'_, '_>) -> Vec<Cow<'g, str>> {
    if text.is_empty() {
        return Vec::new();
    }
    let (plain, encoded, other) = match style {
        Style::SpaceDelimited => (' ', "%20", '+'),
        Style::PipeDelimited => ('|', "%7C", '|'),
        Style::TabDelimited => ('\t', "%09", '\t'),
        _ => (',', "", ','),
    };
    let mut parts = Vec::new();
    for part in text.split([plain, other]) {
        match encoded {
            "" => parts.push(given.part(part)),
            _ => {
                let lower = encoded.to_ascii_lowercase();
                let pieces = part.split(encoded).flat_map(|piece| piece.split(lower.as_str()));
                parts.extend(pieces.map(|piece| given.part(piece)));
            }
        }
    }
    parts
}

/// The members of an object; nothing if the text is none, or has one twice.
fn object(expected: &Expected, given: &Given<'_, '_>, kinds: &MemberKinds) -> Option<Map<'static>> {
    let pairs = match given {
        Given::Query(pairs) if pairs.iter().any(|pair| pair.member.is_some()) => {
            let mut own = Vec::with_capacity(pairs.len());
            for pair in *pairs {
                own.push((Cow::Borrowed(pair.member.as_deref()?), given.part(pair.value)));
            }
            own
        }
        Given::Query([pair]) => written(expected, pair.value, given)?,
        Given::Cookies([value]) => written(expected, value, given)?,
        Given::Query(_) | Given::Cookies(_) => return None,
        Given::Path(text) | Given::Header(text) => written(expected, text, given)?,
    };
    let mut object = Map::default();
    for (name, text) in pairs {
        let value = likeliest(&text, kinds.of(&name));
        if !object.insert(Cow::Owned(name.into_owned()), value) {
            return None;
        }
    }
    Some(object)
}

type NameAndText<'g> = (Cow<'g, str>, Cow<'g, str>);

/// An object that is written in one text.
fn written<'g>(
    expected: &Expected,
    text: &'g str,
    given: &'g Given<'_, '_>,
) -> Option<Vec<NameAndText<'g>>> {
    let is_path = matches!(given, Given::Path(_));
    let (text, between) = match expected.style {
        Style::Label if is_path => (text.strip_prefix('.')?, '.'),
        Style::Matrix if is_path && expected.explode => (text.strip_prefix(';')?, ';'),
        Style::Matrix if is_path => {
            let rest = text.strip_prefix(';')?.strip_prefix(&*expected.name)?;
            (rest.strip_prefix('=').unwrap_or(rest), ',')
        }
        _ => (text, ','),
    };
    // In a query or cookie an exploded object has pairs of its own.
    if expected.explode && matches!(given, Given::Path(_) | Given::Header(_)) {
        let parts = text.split(between).filter(|part| !part.is_empty());
        return parts
            .map(|part| part.split_once('='))
            .map(|pair| pair.map(|(name, value)| (given.part(name), given.part(value))))
            .collect();
    }
    let parts = match expected.style {
        Style::Label | Style::Matrix if text.is_empty() => Vec::new(),
        Style::Label | Style::Matrix => text.split(',').map(|part| given.part(part)).collect(),
        style => delimited(text, style, given),
    };
    let mut parts = parts.into_iter();
    let mut pairs = Vec::new();
    while let Some(name) = parts.next() {
        pairs.push((name, parts.next()?));
    }
    Some(pairs)
}
