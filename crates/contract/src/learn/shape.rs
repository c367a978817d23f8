//! What values of JSON are like, without the values.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::values::Values;
use super::{NAMES_MAX, PARTS_MAX, Thresholds, is_name};

/// How deep one looks.
const DEPTH_MAX: usize = 8;
/// The most items of one list that are looked at.
const ITEMS_MAX: usize = 100;

/// What is known of values at one place.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Shape {
    count: u64,
    nulls: u64,
    booleans: u64,
    numbers: Option<Values>,
    texts: Option<Values>,
    lists: Option<Box<List>>,
    objects: Option<Box<Object>>,
    /// Not everything that was there was looked at.
    more: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct List {
    items_max: u64,
    items: Shape,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Object {
    count: u64,
    members: BTreeMap<String, Shape>,
    /// There were others, whose names are values or too many.
    more: bool,
}

impl Shape {
    pub(super) fn add(
        &mut self,
        name: &str,
        value: &Value,
        caller: u64,
        depth: usize,
        parts: &mut usize,
    ) {
        self.count += 1;
        match value {
            Value::Null => self.nulls += 1,
            Value::Bool(_) => self.booleans += 1,
            Value::Number(number) => self.numbers.get_or_insert_default().add_number(number),
            Value::String(text) => self.texts.get_or_insert_default().add(name, text, caller),
            Value::Array(_) | Value::Object(_) if depth >= DEPTH_MAX => self.more = true,
            Value::Array(items) => {
                let list = self.lists.get_or_insert_default();
                list.items_max = list.items_max.max(items.len() as u64);
                self.more |= items.len() > ITEMS_MAX;
                for item in items.iter().take(ITEMS_MAX) {
                    list.items.add(name, item, caller, depth + 1, parts);
                }
            }
            Value::Object(members) => {
                let object = self.objects.get_or_insert_default();
                object.count += 1;
                for (name, value) in members {
                    let is_new = !object.members.contains_key(name);
                    let has_room = object.members.len() < NAMES_MAX && *parts < PARTS_MAX;
                    if !is_name(name) || (is_new && !has_room) {
                        object.more = true;
                        continue;
                    }
                    *parts += usize::from(is_new);
                    let member = object.members.entry(name.clone()).or_default();
                    member.add(name, value, caller, depth + 1, parts);
                }
            }
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        self.count += other.count;
        self.nulls += other.nulls;
        self.booleans += other.booleans;
        self.more |= other.more;
        for (own, other) in [(&mut self.numbers, other.numbers), (&mut self.texts, other.texts)] {
            if let Some(values) = other {
                own.get_or_insert_default().merge(values);
            }
        }
        if let Some(list) = other.lists {
            let own = self.lists.get_or_insert_default();
            own.items_max = own.items_max.max(list.items_max);
            own.items.merge(list.items);
        }
        if let Some(object) = other.objects {
            let own = self.objects.get_or_insert_default();
            own.count += object.count;
            own.more |= object.more;
            for (name, shape) in object.members {
                if own.members.len() < NAMES_MAX || own.members.contains_key(&name) {
                    own.members.entry(name).or_default().merge(shape);
                } else {
                    own.more = true;
                }
            }
        }
    }

    /// Forgets what may be somebody's.
    pub(super) fn scrub(&mut self, thresholds: &Thresholds) {
        if let Some(texts) = &mut self.texts {
            texts.scrub();
        }
        if let Some(list) = &mut self.lists {
            list.items.scrub(thresholds);
        }
        if let Some(object) = &mut self.objects {
            let before = object.members.len();
            object.members.retain(|_, shape| shape.count >= thresholds.calls);
            object.more |= object.members.len() < before;
            object.members.values_mut().for_each(|shape| shape.scrub(thresholds));
        }
    }

    /// The schema. It is closed (no other members) where `whole` says that all there was was looked at.
    pub(super) fn schema(&self, whole: bool, thresholds: &Thresholds) -> Value {
        if self.more || self.count == 0 {
            return json!({});
        }
        let mut forms = Vec::new();
        if self.booleans > 0 {
            forms.push(json!({ "type": "boolean" }));
        }
        forms.extend(self.numbers.as_ref().map(Values::number_schema));
        forms.extend(self.texts.as_ref().map(Values::text_schema));
        if let Some(list) = &self.lists {
            let most = list.items_max.saturating_mul(2).max(16).next_power_of_two();
            let items = list.items.schema(whole, thresholds);
            forms.push(json!({ "type": "array", "maxItems": most, "items": items }));
        }
        if let Some(object) = &self.objects {
            forms.push(object.schema(whole, thresholds));
        }
        if self.nulls > 0 {
            forms.push(json!({ "type": "null" }));
        }
        if forms.len() == 1 { forms.remove(0) } else { json!({ "anyOf": forms }) }
    }
}

impl Object {
    fn schema(&self, whole: bool, thresholds: &Thresholds) -> Value {
        let mut schema = Map::new();
        schema.insert("type".to_owned(), json!("object"));
        let often = |shape: &Shape| shape.count >= thresholds.calls;
        let required: Vec<&String> = self
            .members
            .iter()
            .filter(|(_, shape)| shape.count == self.count && often(shape))
            .map(|(name, _)| name)
            .collect();
        if !required.is_empty() {
            schema.insert("required".to_owned(), json!(required));
        }
        let shown = self.members.iter().filter(|(_, shape)| often(shape));
        let properties: Map<String, Value> =
            shown.map(|(name, shape)| (name.clone(), shape.schema(whole, thresholds))).collect();
        let is_closed = whole && !self.more && properties.len() == self.members.len();
        schema.insert("properties".to_owned(), Value::Object(properties));
        if is_closed {
            schema.insert("additionalProperties".to_owned(), json!(false));
        }
        Value::Object(schema)
    }
}
