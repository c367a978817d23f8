//! Values made that a schema describes: the reverse of checking.
//!
//! What all the schemas of one place ask is gathered (`facts`), a value is put together that does it, and where that
//! alone is no proof (`oneOf`, `not`, `if`, …) the checker is asked; if it says no, the next alternative is tried.
//! The whole value is checked at the end, always, so nothing that is given breaks its schema. The same schema
//! always gives the same value.
//!
//! Bounded whatever the schema is: steps (those of the checker count), depth, values and bytes. Optional members are
//! left out where a schema meets itself again, and where a value has become large.

mod facts;
mod list;
mod number;
mod object;
mod pattern;
mod text;

use serde_json::{Number, Value};

use super::{Check, SchemaId, Schemas, Types};
use facts::{Choices, Facts};

/// Work for one value: schemas looked at and applied, bytes written.
const STEPS: u64 = 600_000;
/// Nesting of what is made.
const DEPTH_MAX: usize = 24;
/// Below this, only what must be there.
const OPTIONAL_DEPTH: usize = 7;
/// After so many values, only what must be there.
const OPTIONAL_VALUES: usize = 400;
/// The most values that are made, also of those thrown away.
const VALUES_MAX: usize = 20_000;
/// The longest text, in bytes.
const TEXT_BYTES: usize = 64 << 10;
/// All texts together, in bytes.
const BYTES_MAX: usize = 1 << 20;
/// Combinations of alternatives that are tried for one place.
const ATTEMPTS: usize = 48;

/// Why no value was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmade {
    /// The schema asks for more than is ever made: too many items, too long a text, too deep, too many alternatives.
    TooMuch,
    /// Nothing was found that keeps the schema. It may contradict itself, or be too clever for this.
    NotFound,
}

impl Schemas {
    /// Makes a value that the schema accepts.
    ///
    /// # Errors
    /// None was found, or it would be too much.
    pub fn make(&self, id: SchemaId) -> Result<Value, Unmade> {
        let mut maker = Maker {
            schemas: self,
            steps: STEPS,
            values: 0,
            bytes: 0,
            active: Vec::new(),
            too_much: false,
        };
        let made = maker.make(&[id], 0, 0);
        // By the very check that answers of a backend would have to pass.
        match made.filter(|value| maker.fits(id, value)) {
            Some(value) => Ok(value),
            None if maker.too_much || maker.steps == 0 => Err(Unmade::TooMuch),
            None => Err(Unmade::NotFound),
        }
    }

    /// Whether a value is what the schema describes, within bounds.
    #[must_use]
    pub fn accepts(&self, id: SchemaId, value: &Value) -> bool {
        let mut steps = STEPS;
        self.fits(id, &value.into(), &mut steps)
    }
}

/// How a value is put together, where there are several ways.
#[derive(Clone, Copy)]
struct Manner {
    /// With what may be there, too.
    full: bool,
    /// Which of several types, numbers and texts.
    variant: usize,
}

/// The ways in the order to try them.
const MANNERS: [Manner; 6] = [
    Manner { full: true, variant: 0 },
    Manner { full: false, variant: 0 },
    Manner { full: true, variant: 1 },
    Manner { full: false, variant: 1 },
    Manner { full: false, variant: 2 },
    Manner { full: false, variant: 3 },
];

struct Maker<'s> {
    schemas: &'s Schemas,
    steps: u64,
    values: usize,
    bytes: usize,
    /// Schemas of the objects and arrays that are being made, outermost first.
    active: Vec<SchemaId>,
    too_much: bool,
}

impl<'s> Maker<'s> {
    fn pay(&mut self, steps: usize) -> bool {
        let left = self.steps.checked_sub(steps as u64);
        self.steps = left.unwrap_or(0);
        left.is_some()
    }

    fn fits(&mut self, id: SchemaId, value: &Value) -> bool {
        self.schemas.fits(id, &value.into(), &mut self.steps)
    }

    fn all_fit(&mut self, ids: &[SchemaId], value: &Value) -> bool {
        let value = value.into();
        ids.iter().all(|id| self.schemas.fits(*id, &value, &mut self.steps))
    }

    /// Makes what is inside of a value, with the schemas of that value as those that are being made.
    fn within<T>(&mut self, facts: &Facts<'s>, make: impl FnOnce(&mut Self) -> T) -> T {
        let outside = self.active.len();
        self.active.extend(&facts.met);
        let made = make(self);
        self.active.truncate(outside);
        made
    }

    /// More than is ever made: nothing comes of it.
    fn give_up<T>(&mut self) -> Option<T> {
        self.too_much = true;
        None
    }

    /// A value that all these schemas accept. `turn` asks for another one than the same call with another number
    /// gives, where there are several.
    fn make(&mut self, roots: &[SchemaId], depth: usize, turn: usize) -> Option<Value> {
        self.values += 1;
        if depth > DEPTH_MAX || self.values > VALUES_MAX {
            return self.give_up();
        }
        let mut choices = Choices::default();
        for _ in 0..ATTEMPTS {
            let facts = self.facts(roots, &mut choices)?;
            // Where only the members say what must hold, another way to put it together makes no difference.
            let manners = if facts.unsure { &MANNERS[..] } else { &MANNERS[..2] };
            for manner in manners {
                let value = self.candidate(&facts, *manner, depth, turn);
                if let Some(value) = value
                    && (!facts.unsure || self.all_fit(&facts.ids, &value))
                {
                    return Some(value);
                }
                if self.steps == 0 || self.values > VALUES_MAX {
                    return self.give_up();
                }
            }
            if !choices.next() {
                return None;
            }
        }
        self.give_up()
    }

    fn candidate(
        &mut self,
        facts: &Facts<'s>,
        manner: Manner,
        depth: usize,
        turn: usize,
    ) -> Option<Value> {
        if facts.never {
            return None;
        }
        let turn = turn + manner.variant;
        if turn == 0 && manner.full {
            for value in &facts.shown {
                if self.all_fit(&facts.ids, value) {
                    return Some((*value).clone());
                }
            }
        }
        if !facts.lists.is_empty() {
            return self.enumerated(facts, turn);
        }
        let kinds = kinds(facts);
        for place in 0..kinds.len() {
            let kind = kinds[(place + manner.variant) % kinds.len()];
            let made = match kind {
                Types::OBJECT => self.object(facts, manner, depth, turn),
                Types::ARRAY => self.list(facts, manner, depth, turn),
                Types::STRING => self.text(facts, turn).map(Value::String),
                Types::INTEGER => number::make(facts, true, turn).map(Value::Number),
                Types::NUMBER => number::make(facts, false, turn).map(Value::Number),
                Types::BOOLEAN => Some(Value::Bool(turn.is_multiple_of(2))),
                _ => Some(Value::Null),
            };
            if made.is_some() {
                return made;
            }
        }
        None
    }

    /// One of those that are listed.
    fn enumerated(&mut self, facts: &Facts<'s>, turn: usize) -> Option<Value> {
        let mut fitting = Vec::new();
        for check in &facts.lists {
            let listed: Vec<Value> = match check {
                Check::Const(value) => vec![value.to_json()],
                Check::Enum { texts, others } => {
                    let texts = texts.iter().map(|text| Value::String(text.to_string()));
                    texts.chain(others.iter().map(|value| value.to_json())).collect()
                }
                _ => continue,
            };
            for value in listed {
                if fitting.len() > turn {
                    break;
                }
                if self.pay(1) && self.all_fit(&facts.ids, &value) {
                    fitting.push(value);
                }
            }
            if !fitting.is_empty() {
                break;
            }
        }
        let count = fitting.len();
        (count > 0).then(|| fitting.swap_remove(turn % count))
    }
}

/// The types to try, the likeliest first.
fn kinds(facts: &Facts<'_>) -> Vec<Types> {
    let types = facts.types;
    let mut kinds = Vec::new();
    let mut add = |kind: Types, is_meant: bool| {
        if is_meant && types.has(kind) && !kinds.contains(&kind) {
            kinds.push(kind);
        }
    };
    let of_number = facts.is_of_number();
    add(Types::OBJECT, facts.is_of_object());
    add(Types::ARRAY, facts.is_of_list());
    add(Types::STRING, facts.is_of_text());
    add(Types::NUMBER, of_number);
    add(Types::INTEGER, of_number && !types.has(Types::NUMBER));
    add(Types::STRING, types == Types::ANY);
    for kind in [Types::OBJECT, Types::ARRAY, Types::STRING, Types::NUMBER] {
        add(kind, true);
    }
    add(Types::INTEGER, !types.has(Types::NUMBER));
    add(Types::BOOLEAN, true);
    add(Types::NULL, true);
    kinds
}

/// A whole number as JSON.
fn whole(number: i128) -> Option<Number> {
    match (i64::try_from(number), u64::try_from(number)) {
        (Ok(number), _) => Some(number.into()),
        (_, Ok(number)) => Some(number.into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
