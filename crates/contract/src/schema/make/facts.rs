//! What all the schemas of one place ask of its value, gathered into one.
//!
//! References and `allOf` are followed; of alternatives one is taken, by [`Choices`]. Schemas that only the checker
//! can judge (`not`, `if`, …) make the facts unsure: then a value is not given before it was asked.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::{Number, Value};

use super::super::{Check, Members, Needs, SchemaId, Types};
use super::Maker;

/// Which alternatives are taken, in the order in which they are met.
#[derive(Default)]
pub(super) struct Choices {
    /// The one taken, and how many there are.
    taken: Vec<(usize, usize)>,
    at: usize,
}

impl Choices {
    fn take(&mut self, count: usize) -> usize {
        if self.at == self.taken.len() {
            self.taken.push((0, count));
        }
        let (taken, _) = self.taken[self.at];
        self.at += 1;
        taken.min(count.saturating_sub(1))
    }

    /// Goes on to the next combination. Says whether there is one.
    pub(super) fn next(&mut self) -> bool {
        self.taken.truncate(self.at);
        self.at = 0;
        while let Some((taken, count)) = self.taken.pop() {
            if taken + 1 < count {
                self.taken.push((taken + 1, count));
                return true;
            }
        }
        false
    }
}

/// What must hold of one value.
pub(super) struct Facts<'s> {
    pub(super) types: Types,
    pub(super) never: bool,
    /// Keeping all that stands below is no proof: the checker has to be asked.
    pub(super) unsure: bool,
    /// All schemas that must accept the value; what they refer to is not repeated.
    pub(super) ids: Vec<SchemaId>,
    /// Those and all that they are made of.
    pub(super) met: Vec<SchemaId>,
    /// Examples and defaults.
    pub(super) shown: Vec<&'s Value>,
    pub(super) lists: Vec<&'s Check>,
    pub(super) formats: Vec<&'s str>,
    pub(super) least: Vec<(&'s Number, bool)>,
    pub(super) most: Vec<(&'s Number, bool)>,
    pub(super) steps: Vec<&'s Number>,
    pub(super) text_least: u64,
    pub(super) text_most: u64,
    pub(super) patterns: Vec<&'s Regex>,
    pub(super) items_least: u64,
    pub(super) items_most: u64,
    pub(super) unique: bool,
    pub(super) items: Vec<(&'s [SchemaId], Option<SchemaId>)>,
    pub(super) contains: Vec<(SchemaId, u64)>,
    pub(super) members: Vec<&'s Members>,
    pub(super) members_least: u64,
    pub(super) members_most: u64,
    pub(super) required: BTreeSet<&'s str>,
    pub(super) names: Vec<SchemaId>,
    pub(super) needs: Vec<&'s Needs>,
    pub(super) needs_schemas: Vec<(&'s str, SchemaId)>,
    /// Members whose value is known: what a discriminator says.
    pub(super) preset: Vec<(&'s str, &'s str)>,
}

impl Facts<'_> {
    fn new(roots: &[SchemaId]) -> Self {
        Self {
            types: Types::ANY,
            never: false,
            unsure: roots.len() > 1,
            ids: roots.to_vec(),
            met: Vec::new(),
            shown: Vec::new(),
            lists: Vec::new(),
            formats: Vec::new(),
            least: Vec::new(),
            most: Vec::new(),
            steps: Vec::new(),
            text_least: 0,
            text_most: u64::MAX,
            patterns: Vec::new(),
            items_least: 0,
            items_most: u64::MAX,
            unique: false,
            items: Vec::new(),
            contains: Vec::new(),
            members: Vec::new(),
            members_least: 0,
            members_most: u64::MAX,
            required: BTreeSet::new(),
            names: Vec::new(),
            needs: Vec::new(),
            needs_schemas: Vec::new(),
            preset: Vec::new(),
        }
    }

    pub(super) fn is_of_object(&self) -> bool {
        !self.members.is_empty() || !self.required.is_empty() || self.members_least > 0
    }

    pub(super) fn is_of_list(&self) -> bool {
        !self.items.is_empty() || !self.contains.is_empty() || self.items_least > 0 || self.unique
    }

    pub(super) fn is_of_text(&self) -> bool {
        !self.patterns.is_empty()
            || self.text_least > 0
            || self.text_most < u64::MAX
            || !self.formats.is_empty()
    }

    pub(super) fn is_of_number(&self) -> bool {
        !self.least.is_empty() || !self.most.is_empty() || !self.steps.is_empty()
    }
}

impl<'s> Maker<'s> {
    /// Gathers what these schemas ask, with the alternatives that are chosen. Nothing if there are no steps left.
    pub(super) fn facts(&mut self, roots: &[SchemaId], choices: &mut Choices) -> Option<Facts<'s>> {
        let mut facts = Facts::new(roots);
        let mut waiting: Vec<SchemaId> = roots.iter().rev().copied().collect();
        loop {
            while let Some(id) = waiting.pop() {
                if !self.pay(1 + facts.met.len() / 16) {
                    return self.give_up();
                }
                if !facts.met.contains(&id) {
                    facts.met.push(id);
                    self.schema(id, &mut facts, &mut waiting, choices);
                }
            }
            // What comes with members that are there in any case.
            let required = &facts.required;
            let due = facts.needs_schemas.iter().position(|(name, _)| required.contains(name));
            if let Some(at) = due {
                waiting.push(facts.needs_schemas.swap_remove(at).1);
                continue;
            }
            let before = facts.required.len();
            for (name, needed) in &facts.needs {
                if facts.required.contains(&**name) {
                    facts.required.extend(needed.iter().map(|name| &**name));
                }
            }
            if facts.required.len() == before {
                return Some(facts);
            }
        }
    }

    fn schema(
        &mut self,
        id: SchemaId,
        facts: &mut Facts<'s>,
        waiting: &mut Vec<SchemaId>,
        choices: &mut Choices,
    ) {
        let schemas = self.schemas;
        let node = schemas.node(id);
        facts.never |= node.never;
        let types = node.types;
        // A number is an integer as well, if nothing else is said.
        let types = if types.has(Types::NUMBER) { types.with(Types::INTEGER) } else { types };
        facts.types = Types(facts.types.0 & types.0);
        let hint = schemas.hints.get(&id.0);
        if let Some(hint) = hint {
            facts.shown.extend(&hint.values);
            facts.formats.extend(hint.format.as_deref());
        }
        for check in &node.checks {
            match check {
                Check::Ref(id) => waiting.push(*id),
                Check::Dynamic { otherwise, .. } => {
                    facts.unsure = true;
                    waiting.push(*otherwise);
                }
                Check::All(list) => waiting.extend(list.iter().rev()),
                Check::Any(list) | Check::One(list) => {
                    if list.is_empty() {
                        facts.never = true;
                        continue;
                    }
                    facts.unsure |= matches!(check, Check::One(_));
                    let order = self.order(list);
                    let at = order[choices.take(list.len())];
                    waiting.push(list[at]);
                    facts.ids.push(list[at]);
                    let discriminator = hint.and_then(|hint| hint.discriminator.as_deref());
                    if let Some(discriminator) = discriminator
                        && let Some(word) = discriminator.words.get(at)
                        && !word.is_empty()
                    {
                        facts.preset.push((&discriminator.property, word));
                    }
                }
                Check::If { test, then, otherwise } => {
                    facts.unsure = true;
                    if choices.take(2) == 0 {
                        waiting.push(*test);
                        waiting.extend(then);
                    } else {
                        waiting.extend(otherwise);
                    }
                }
                Check::Not(_) | Check::OtherItems(_) | Check::OtherMembers(_) => {
                    facts.unsure = true;
                }
                other => facts.note(other),
            }
        }
    }

    /// The order in which alternatives are tried: first those that are something, and no repetition of what is being
    /// made.
    fn order(&mut self, list: &[SchemaId]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..list.len()).collect();
        if self.pay(list.len()) {
            order.sort_by_key(|at| {
                let id = self.named(list[*at]);
                (self.schemas.node(id).types == Types::NULL, self.active.contains(&id))
            });
        }
        order
    }

    /// The schema that a chain of references ends at.
    pub(super) fn named(&self, id: SchemaId) -> SchemaId {
        let mut id = id;
        for _ in 0..16 {
            match &*self.schemas.node(id).checks {
                [Check::Ref(target)] => id = *target,
                _ => break,
            }
        }
        id
    }
}

impl<'s> Facts<'s> {
    /// A keyword that is about the value itself.
    fn note(&mut self, check: &'s Check) {
        match check {
            Check::Const(_) | Check::Enum { .. } => self.lists.push(check),
            Check::MultipleOf(step) => self.steps.push(step),
            Check::Least { bound, exclusive } => self.least.push((bound, *exclusive)),
            Check::Most { bound, exclusive } => self.most.push((bound, *exclusive)),
            Check::TextLeast(least) => self.text_least = self.text_least.max(*least),
            Check::TextMost(most) => self.text_most = self.text_most.min(*most),
            Check::Pattern(pattern) => self.patterns.push(pattern),
            Check::ItemsLeast(least) => self.items_least = self.items_least.max(*least),
            Check::ItemsMost(most) => self.items_most = self.items_most.min(*most),
            Check::Unique => {
                self.unique = true;
                self.unsure = true;
            }
            Check::Items { first, rest, .. } => self.items.push((first, *rest)),
            Check::Contains { schema, least, .. } => {
                self.unsure = true;
                self.contains.push((*schema, *least));
            }
            Check::MembersLeast(least) => {
                self.unsure = true;
                self.members_least = self.members_least.max(*least);
            }
            Check::MembersMost(most) => {
                self.unsure = true;
                self.members_most = self.members_most.min(*most);
            }
            Check::Required(names) => self.required.extend(names.iter().map(|name| &**name)),
            Check::Members(members) => self.members.push(members),
            Check::Names(id) => {
                self.unsure = true;
                self.names.push(*id);
            }
            Check::NeedsMembers(all) => {
                self.unsure = true;
                self.needs.extend(all);
            }
            Check::NeedsSchema(all) => {
                self.unsure = true;
                self.needs_schemas.extend(all.iter().map(|(name, id)| (&**name, *id)));
            }
            // Looked at where they stand.
            Check::Ref(_)
            | Check::Dynamic { .. }
            | Check::All(_)
            | Check::Any(_)
            | Check::One(_)
            | Check::Not(_)
            | Check::If { .. }
            | Check::OtherItems(_)
            | Check::OtherMembers(_)
            | Check::Unsent(..) => {}
        }
    }
}
