//! TOML, through the crate `toml`. It finds several mistakes at once and knows repeated keys by itself.

use serde_json::{Map, Number, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Parsed, SyntaxFault, sentence};
use crate::place::{Lines, Place};

/// The most mistakes of one text that are told.
const FAULTS_MAX: usize = 100;

pub(super) fn parse(text: &str) -> Result<Parsed, Vec<SyntaxFault>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(Parsed { value: map(table.get_ref()), has_repeated_keys: false });
    }
    let lines = Lines::new(text);
    let fault = |error: &toml::de::Error| SyntaxFault {
        spot: lines.spot(error.span().map_or(0, |span| span.start)),
        message: format!("this is not TOML: {}", sentence(error.message())),
        fix: String::new(),
    };
    Err(errors.iter().take(FAULTS_MAX).map(fault).collect())
}

fn map(table: &DeTable<'_>) -> Value {
    let entries =
        table.iter().map(|(key, inner)| (key.get_ref().to_string(), value(inner.get_ref())));
    Value::Object(entries.collect::<Map<_, _>>())
}

/// The parser bounds the depth.
fn value(value: &DeValue<'_>) -> Value {
    match value {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => integer(number.as_str(), number.radix()),
        DeValue::Float(number) => float(number.as_str()),
        DeValue::Boolean(value) => Value::Bool(*value),
        DeValue::Datetime(time) => Value::String(time.to_string()),
        DeValue::Array(items) => {
            Value::Array(items.iter().map(|item| self::value(item.get_ref())).collect())
        }
        DeValue::Table(table) => map(table),
    }
}

/// A whole number; one that is too large for us stays a text, so that it is refused where it stands.
fn integer(digits: &str, radix: u32) -> Value {
    let digits = digits.strip_prefix('+').unwrap_or(digits);
    let number = u64::from_str_radix(digits, radix).map(Number::from);
    let number = number.or_else(|_| i64::from_str_radix(digits, radix).map(Number::from));
    number.map_or_else(|_| Value::String(digits.to_owned()), Value::Number)
}

fn float(digits: &str) -> Value {
    let number = digits.parse().ok().and_then(Number::from_f64);
    number.map_or_else(|| Value::String(digits.to_owned()), Value::Number)
}

pub(super) fn places(text: &str) -> Place {
    let lines = Lines::new(text);
    match DeTable::parse(text) {
        Ok(table) => map_place(&lines, table.span().start, table.get_ref()),
        Err(_) => Place::scalar(crate::place::Spot::START),
    }
}

fn map_place(lines: &Lines<'_>, start: usize, table: &DeTable<'_>) -> Place {
    let entry = |(key, inner): (&Spanned<std::borrow::Cow<'_, str>>, &Spanned<DeValue<'_>>)| {
        let place = value_place(lines, inner);
        (key.get_ref().to_string(), Place { key: Some(lines.spot(key.span().start)), ..place })
    };
    Place::map(lines.spot(start), table.iter().map(entry).collect())
}

fn value_place(lines: &Lines<'_>, value: &Spanned<DeValue<'_>>) -> Place {
    let start = value.span().start;
    match value.get_ref() {
        DeValue::Table(table) => map_place(lines, start, table),
        DeValue::Array(items) => Place::list(
            lines.spot(start),
            items.iter().map(|item| value_place(lines, item)).collect(),
        ),
        _ => Place::scalar(lines.spot(start)),
    }
}
