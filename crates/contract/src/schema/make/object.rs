//! Objects: what must be there, then what may be there.

use serde_json::{Map, Value};

use super::super::SchemaId;
use super::facts::Facts;
use super::{Maker, Manner, OPTIONAL_DEPTH, OPTIONAL_VALUES, pattern};

/// Members without a name of their own that are made to have enough.
const EXTRAS_MAX: u64 = 200;

impl<'s> Maker<'s> {
    pub(super) fn object(
        &mut self,
        facts: &Facts<'s>,
        manner: Manner,
        depth: usize,
        turn: usize,
    ) -> Option<Value> {
        self.within(facts, |maker| maker.object_members(facts, manner, depth, turn))
            .map(Value::Object)
    }

    fn object_members(
        &mut self,
        facts: &Facts<'s>,
        manner: Manner,
        depth: usize,
        turn: usize,
    ) -> Option<Map<String, Value>> {
        let mut members = Map::new();
        for name in &facts.required {
            let value = self.member(facts, name, depth, turn)?;
            members.insert((*name).to_owned(), value);
        }
        if manner.full && depth < OPTIONAL_DEPTH {
            self.optional_members(facts, &mut members, depth, turn);
        }
        let is_map = facts.members.iter().all(|rules| rules.named.is_empty());
        if manner.full && is_map && members.is_empty() && depth < OPTIONAL_DEPTH {
            self.extra(facts, &mut members, depth, true);
        }
        if facts.members_least > members.len() as u64 + EXTRAS_MAX {
            return self.give_up();
        }
        for _ in 0..EXTRAS_MAX {
            if members.len() as u64 >= facts.members_least {
                break;
            }
            self.extra(facts, &mut members, depth, false);
        }
        Some(members)
    }

    fn optional_members(
        &mut self,
        facts: &Facts<'s>,
        members: &mut Map<String, Value>,
        depth: usize,
        turn: usize,
    ) {
        let named = facts.members.iter().flat_map(|rules| &rules.named);
        for (name, id) in named {
            let is_full = members.len() as u64 >= facts.members_most;
            if is_full || self.values > OPTIONAL_VALUES || !self.pay(1) {
                return;
            }
            let id = self.named(*id);
            let hint = self.schemas.hints.get(&id.0);
            let brings_rules = facts.needs_schemas.iter().any(|(trigger, _)| *trigger == &**name);
            if members.contains_key(&**name)
                || brings_rules
                || hint.is_some_and(|hint| hint.write_only)
                || self.active.contains(&id)
            {
                continue;
            }
            if let Some(value) = self.member(facts, name, depth, turn) {
                members.insert(name.to_string(), value);
            }
        }
    }

    fn member(
        &mut self,
        facts: &Facts<'s>,
        name: &str,
        depth: usize,
        turn: usize,
    ) -> Option<Value> {
        let ids = self.member_ids(facts, name)?;
        if let Some((_, word)) = facts.preset.iter().find(|(property, _)| *property == name) {
            let value = Value::String((*word).to_owned());
            if self.all_fit(&ids, &value) {
                return Some(value);
            }
        }
        self.make(&ids, depth + 1, turn)
    }

    /// The schemas of a member; nothing if there may be none of that name.
    fn member_ids(&mut self, facts: &Facts<'s>, name: &str) -> Option<Vec<SchemaId>> {
        let mut ids = Vec::new();
        for rules in &facts.members {
            if !self.pay(1 + rules.patterns.len()) {
                return None;
            }
            let before = ids.len();
            ids.extend(rules.named(name));
            let patterns = rules.patterns.iter().filter(|(pattern, _)| pattern.is_match(name));
            ids.extend(patterns.map(|(_, id)| *id));
            if ids.len() == before && !rules.unknown_patterns {
                ids.extend(rules.others);
            }
        }
        ids.sort_unstable_by_key(|id| id.0);
        ids.dedup();
        let is_never = ids.iter().any(|id| self.schemas.node(*id).never);
        (!is_never).then_some(ids)
    }

    /// A member that has no name in the contract. Where there need be none, only if something is said of its value.
    fn extra(
        &mut self,
        facts: &Facts<'s>,
        members: &mut Map<String, Value>,
        depth: usize,
        is_optional: bool,
    ) {
        let Some(name) = self.extra_name(facts, members, depth) else { return };
        let Some(ids) = self.member_ids(facts, &name) else { return };
        let is_repeated = ids.iter().any(|id| self.active.contains(&self.named(*id)));
        if is_optional && (ids.is_empty() || is_repeated) {
            return;
        }
        if let Some(value) = self.make(&ids, depth + 1, 0) {
            members.insert(name, value);
        }
    }

    fn extra_name(
        &mut self,
        facts: &Facts<'s>,
        members: &Map<String, Value>,
        depth: usize,
    ) -> Option<String> {
        let number = members.len();
        if !facts.names.is_empty() {
            let names = facts.names.clone();
            for turn in number..number + 4 {
                if let Some(Value::String(name)) = self.make(&names, depth + 1, turn)
                    && !members.contains_key(&name)
                {
                    return Some(name);
                }
            }
            return None;
        }
        let patterns = facts.members.iter().flat_map(|rules| &rules.patterns);
        for (regex, _) in patterns {
            let name = pattern::text(regex.as_str(), 0, number)?;
            if regex.is_match(&name) && !members.contains_key(&name) {
                return Some(name);
            }
        }
        Some(if number == 0 { "key".to_owned() } else { format!("key{}", number + 1) })
    }
}
