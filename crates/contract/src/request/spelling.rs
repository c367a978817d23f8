//! Parameters of a query under other names than their own, which many frameworks take for the same: `id[$ne]`, `ID`,
//! `user.id` for `user_id`. What goes by such a name would reach the application unchecked.

use std::sync::Arc;

use super::{Expected, Misfit, Place, decode};
use crate::contract::{Location, Style};
use crate::schema::{PROBLEMS_MAX, Problem};

/// The names of the parameters of a query as they are compared.
#[derive(Debug, Default)]
pub(super) struct Spellings {
    /// Folded, sorted, with the place of the parameter.
    folded: Box<[(Box<str>, u32)]>,
}

/// What a name that is not declared is meant for.
pub(super) enum Meant {
    /// Something that the contract does not know.
    Nothing,
    /// One more item of this list (`tags[]`).
    Item(u32),
    /// This parameter, though its name is another one.
    Respelt(u32),
}

/// A parameter that is there under another name, or in no sound encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    parameter: u32,
    rule: &'static str,
}

/// The most brackets of a name that are looked at.
const BRACKETS_MAX: usize = 8;

impl Spellings {
    pub(super) fn of(parameters: &[Expected]) -> Self {
        let checked = (0_u32..).zip(parameters).filter(|(_, expected)| {
            // Where nothing is asked of a value, no name evades that.
            let asks = expected.schema.is_some() && !expected.form.scalar.is_any();
            expected.location == Location::Query && (asks || expected.json)
        });
        let mut folded: Vec<(Box<str>, u32)> = checked
            .map(|(number, expected)| {
                let name = expected.name.strip_suffix("[]").unwrap_or(&expected.name);
                (fold(name).into(), number)
            })
            .collect();
        folded.sort();
        folded.dedup_by(|later, first| later.0 == first.0);
        Self { folded: folded.into() }
    }

    /// What a name is meant for that is no declared one.
    pub(super) fn meant(&self, name: &str, parameters: &[Expected]) -> Meant {
        if self.folded.is_empty() {
            return Meant::Nothing;
        }
        let folded = fold(name);
        // The whole, and what stands before each bracket: a declared name may have brackets of its own.
        let brackets = folded.match_indices('[').take(BRACKETS_MAX).map(|(at, _)| at);
        let mut ends = std::iter::once(folded.len()).chain(brackets);
        let Some(number) = ends.find_map(|end| self.get(&folded[..end])) else {
            return Meant::Nothing;
        };
        let Some(expected) = parameters.get(number as usize) else { return Meant::Nothing };
        let is_list = expected.form.list.is_some()
            && expected.explode
            && expected.style == Style::Form
            && !expected.json;
        let step = name.strip_prefix(&*expected.name).and_then(|rest| rest.strip_prefix('['));
        let is_item = step
            .and_then(|rest| rest.strip_suffix(']'))
            .is_some_and(|step| step.bytes().all(|byte| byte.is_ascii_digit()));
        if is_list && is_item { Meant::Item(number) } else { Meant::Respelt(number) }
    }

    fn get(&self, folded: &str) -> Option<u32> {
        let at = self.folded.binary_search_by(|(known, _)| (**known).cmp(folded)).ok()?;
        Some(self.folded[at].1)
    }
}

/// A name as the most lenient framework compares it.
fn fold(name: &str) -> String {
    let letter = |letter: char| match letter {
        '.' | '-' | ' ' => '_',
        letter => letter.to_ascii_lowercase(),
    };
    name.trim_start_matches(' ').chars().map(letter).collect()
}

impl Fault {
    /// Notes that a parameter is there under another name, once for each.
    pub(super) fn respelt(faults: &mut Vec<Self>, parameter: u32) {
        Self { parameter, rule: "spelling" }.note(faults);
    }

    /// Notes that a parameter is there in an encoding that is none.
    pub(super) fn unsound(faults: &mut Vec<Self>, parameter: u32) {
        Self { parameter, rule: "encoding" }.note(faults);
    }

    fn note(self, faults: &mut Vec<Self>) {
        if faults.len() < PROBLEMS_MAX && !faults.contains(&self) {
            faults.push(self);
        }
    }

    pub(super) fn misfit(self, parameters: &[Expected]) -> Misfit {
        let expected = parameters.get(self.parameter as usize);
        let detail = match self.rule {
            "encoding" => decode::UNSOUND,
            _ => "must be spelt as in the contract",
        };
        Misfit {
            place: Place::Parameter(Location::Query),
            name: expected.map(|expected| Arc::clone(&expected.name)).unwrap_or_default(),
            problem: Problem::whole(self.rule, detail),
        }
    }
}
