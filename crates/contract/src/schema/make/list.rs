//! Arrays.

use serde_json::Value;

use super::super::SchemaId;
use super::facts::Facts;
use super::{Maker, Manner, OPTIONAL_DEPTH, OPTIONAL_VALUES};

/// The most items that are made.
const ITEMS_MAX: u64 = 1_000;
/// How often another item is made in place of one that is there already.
const TURNS_MAX: usize = 4;

impl<'s> Maker<'s> {
    pub(super) fn list(
        &mut self,
        facts: &Facts<'s>,
        manner: Manner,
        depth: usize,
        turn: usize,
    ) -> Option<Value> {
        self.within(facts, |maker| maker.items(facts, manner, depth, turn)).map(Value::Array)
    }

    fn items(
        &mut self,
        facts: &Facts<'s>,
        manner: Manner,
        depth: usize,
        turn: usize,
    ) -> Option<Vec<Value>> {
        // What must be among the items comes after those that have a place of their own.
        let places = facts.items.iter().map(|(first, _)| first.len()).max().unwrap_or(0);
        if facts.contains.iter().any(|(_, least)| *least > ITEMS_MAX) {
            return self.give_up();
        }
        let within: Vec<SchemaId> = facts
            .contains
            .iter()
            .flat_map(|(id, least)| (0..*least).map(|_| *id))
            .take(ITEMS_MAX as usize)
            .collect();
        let is_tight = (places + within.len()) as u64 > facts.items_most;
        let skipped = if within.is_empty() || is_tight { 0 } else { places };
        let must = facts.items_least.max((skipped + within.len()) as u64);
        if must > ITEMS_MAX {
            return self.give_up();
        }
        let wanted = if manner.full { must.max(1).max(places as u64) } else { must };
        let count = wanted.min(facts.items_most);
        let mut items: Vec<Value> = Vec::new();
        for index in 0..usize::try_from(count).ok()? {
            let is_optional = index as u64 >= must;
            let Some(mut ids) = self.item_ids(facts, index) else { break };
            ids.extend(index.checked_sub(skipped).and_then(|at| within.get(at)));
            if is_optional && !self.is_welcome(&ids, depth) {
                break;
            }
            match self.item(facts, &ids, &items, depth, turn) {
                Some(item) => items.push(item),
                None if is_optional => break,
                None => return None,
            }
        }
        (items.len() as u64 >= must).then_some(items)
    }

    fn is_welcome(&self, ids: &[SchemaId], depth: usize) -> bool {
        depth < OPTIONAL_DEPTH
            && self.values < OPTIONAL_VALUES
            && !ids.iter().any(|id| self.active.contains(&self.named(*id)))
    }

    /// The schemas of the item of that number; nothing if there may be none.
    fn item_ids(&mut self, facts: &Facts<'s>, index: usize) -> Option<Vec<SchemaId>> {
        let mut ids = Vec::new();
        for (first, rest) in &facts.items {
            ids.extend(first.get(index).copied().or(*rest));
        }
        let is_never = ids.iter().any(|id| self.schemas.node(*id).never);
        (!is_never && self.pay(1)).then_some(ids)
    }

    fn item(
        &mut self,
        facts: &Facts<'s>,
        ids: &[SchemaId],
        before: &[Value],
        depth: usize,
        turn: usize,
    ) -> Option<Value> {
        if !facts.unique {
            return self.make(ids, depth + 1, turn);
        }
        for offset in 0..TURNS_MAX {
            let item = self.make(ids, depth + 1, turn + before.len() + offset)?;
            if !self.pay(before.len()) {
                return self.give_up();
            }
            if !before.contains(&item) {
                return Some(item);
            }
        }
        None
    }
}
