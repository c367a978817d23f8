//! What is wrong with a value, told without anything of the value but where it is.

use std::fmt::Write;

use super::{Check, Types, Value, Verdict};
use crate::pointer;

/// The most problems that are told of one call; what comes after is left out.
pub const PROBLEMS_MAX: usize = 32;

/// The longest pointer that is told, in bytes; a longer one ends at the last whole step before it.
pub(super) const POINTER_BYTES: usize = 512;

/// Something wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where in the value: a JSON pointer (RFC 6901), empty for all of it.
    pub pointer: String,
    /// The rule that is broken, by its keyword in the contract.
    pub rule: &'static str,
    /// What the rule asks, as part of a sentence about the value. Only words of the contract.
    pub detail: String,
}

impl Problem {
    /// About a member of the whole.
    pub(crate) fn at(name: &str, rule: &'static str, detail: String) -> Self {
        let mut pointer = String::new();
        pointer::push(&mut pointer, name);
        if pointer.len() > POINTER_BYTES {
            pointer.clear();
        }
        Self { pointer, rule, detail }
    }

    /// About the whole.
    pub(crate) fn whole(rule: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: String::new(), rule, detail: detail.into() }
    }

    /// The same of a member of the whole.
    pub(crate) fn below(mut self, name: &str) -> Self {
        let mut pointer = Self::at(name, self.rule, String::new()).pointer;
        if !pointer.is_empty() && pointer.len() + self.pointer.len() <= POINTER_BYTES {
            pointer.push_str(&self.pointer);
        }
        self.pointer = pointer;
        self
    }

    /// Those of a verdict.
    pub(crate) fn of_verdict(verdict: Verdict) -> Vec<Self> {
        match verdict {
            Verdict::Valid => Vec::new(),
            Verdict::Invalid(problems) => problems,
            Verdict::TooComplex => vec![Self::whole("complexity", "would cost too much to check")],
        }
    }
}

impl Check {
    /// The keyword.
    pub(super) fn rule(&self) -> &'static str {
        match self {
            Self::Const(_) => "const",
            Self::Enum { .. } => "enum",
            Self::MultipleOf(_) => "multipleOf",
            Self::Least { exclusive: false, .. } => "minimum",
            Self::Least { .. } => "exclusiveMinimum",
            Self::Most { exclusive: false, .. } => "maximum",
            Self::Most { .. } => "exclusiveMaximum",
            Self::TextLeast(_) => "minLength",
            Self::TextMost(_) => "maxLength",
            Self::Pattern(_) => "pattern",
            Self::ItemsLeast(_) => "minItems",
            Self::ItemsMost(_) => "maxItems",
            Self::Unique => "uniqueItems",
            Self::Items { rest_rule, .. } => rest_rule,
            Self::Contains { .. } => "contains",
            Self::MembersLeast(_) => "minProperties",
            Self::MembersMost(_) => "maxProperties",
            Self::Required(_) => "required",
            Self::Members(_) => "additionalProperties",
            Self::Names(_) => "propertyNames",
            Self::NeedsMembers(_) => "dependentRequired",
            Self::NeedsSchema(_) => "dependentSchemas",
            Self::Ref(_) => "$ref",
            Self::Dynamic { .. } => "$dynamicRef",
            Self::All(_) => "allOf",
            Self::Any(_) => "anyOf",
            Self::One(_) => "oneOf",
            Self::Not(_) => "not",
            Self::If { .. } => "if",
            Self::OtherItems(_) => "unevaluatedItems",
            Self::OtherMembers(_) => "unevaluatedProperties",
            Self::Unsent(_, rule) => rule,
        }
    }

    /// What it asks.
    pub(super) fn demand(&self) -> String {
        match self {
            Self::Const(value) => format!("must be {}", shown(value)),
            Self::Enum { texts, others } => demand_enum(texts, others),
            Self::MultipleOf(step) => format!("must be a multiple of {step}"),
            Self::Least { bound, exclusive: false } => format!("must be at least {bound}"),
            Self::Least { bound, .. } => format!("must be more than {bound}"),
            Self::Most { bound, exclusive: false } => format!("must be at most {bound}"),
            Self::Most { bound, .. } => format!("must be less than {bound}"),
            Self::TextLeast(length) => format!("must have at least {length} characters"),
            Self::TextMost(length) => format!("must have at most {length} characters"),
            Self::Pattern(_) => "must match the pattern of the contract".to_owned(),
            Self::ItemsLeast(count) => format!("must have at least {count} items"),
            Self::ItemsMost(count) => format!("must have at most {count} items"),
            Self::Unique => "must not have two equal items".to_owned(),
            Self::Contains { least, most: None, .. } => {
                format!("must contain at least {least} items that the contract describes")
            }
            Self::Contains { least, most: Some(most), .. } => {
                format!("must contain {least} to {most} items that the contract describes")
            }
            Self::MembersLeast(count) => format!("must have at least {count} members"),
            Self::MembersMost(count) => format!("must have at most {count} members"),
            Self::Any(list) => format!("must fit at least one of {} alternatives", list.len()),
            Self::One(list) => format!("must fit exactly one of {} alternatives", list.len()),
            Self::Not(_) => "must not be what the contract excludes here".to_owned(),
            _ => "is not what the contract describes".to_owned(),
        }
    }
}

fn demand_enum(texts: &[Box<str>], others: &[Value<'_>]) -> String {
    let mut words = String::from("must be one of ");
    let all =
        texts.iter().map(|text| format!("{text:?}")).chain(others.iter().map(|value| shown(value)));
    for (index, value) in all.enumerate() {
        if words.len() > 200 {
            words.push_str(", …");
            break;
        }
        if index > 0 {
            words.push_str(", ");
        }
        words.push_str(&value);
    }
    words
}

/// A value of the contract, shortened.
fn shown(value: &Value<'_>) -> String {
    let text = value.to_json().to_string();
    match text.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl Types {
    /// What the types ask.
    pub(super) fn demand(self) -> String {
        let mut words = String::from("must be of type ");
        let mut first = true;
        for (types, word) in Self::ALL {
            // An integer is a number; saying both says nothing.
            let said = types == Self::INTEGER && self.has(Self::NUMBER);
            if self.has(types) && !said {
                let _ = write!(words, "{}{word}", if first { "" } else { " or " });
                first = false;
            }
        }
        words
    }
}
