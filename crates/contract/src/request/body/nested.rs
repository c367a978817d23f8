//! Names in brackets: `item[price][amount]`, `tags[]`, `lines[0][sku]`, as forms of many frameworks have them.
//!
//! No version of OpenAPI says what they mean beyond one level of `deepObject`; what frameworks agree on is read, the
//! rest is left alone. Iterative where pairs come in; what recurses is bounded in depth.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::decode::likeliest;
use crate::schema::{Map, SchemaId, Schemas, Value};

/// The deepest nesting; deeper names are no names in brackets.
const DEPTH_MAX: usize = 16;

/// What a name in brackets leads to.
#[derive(Debug, Default)]
pub(super) struct Node<'f> {
    texts: Vec<Cow<'f, str>>,
    /// Those of `[]`.
    pushed: Vec<Cow<'f, str>>,
    members: BTreeMap<String, Node<'f>>,
}

/// The name before the brackets and the names in them; nothing if it is another name.
pub(super) fn steps(name: &str) -> Option<(&str, Vec<&str>)> {
    let at = name.find('[').filter(|at| *at > 0)?;
    let inner = name[at..].strip_prefix('[')?.strip_suffix(']')?;
    let steps: Vec<&str> = inner.split("][").take(DEPTH_MAX + 1).collect();
    let is_sound = steps.len() <= DEPTH_MAX && steps.iter().all(|step| !step.contains(['[', ']']));
    is_sound.then(|| (&name[..at], steps))
}

impl<'f> Node<'f> {
    /// Puts a text where the steps lead. Says whether they are ones that frameworks agree on.
    pub(super) fn put(&mut self, steps: &[&str], text: Cow<'f, str>) -> bool {
        let mut node = self;
        for (index, step) in steps.iter().enumerate() {
            if step.is_empty() {
                let is_last = index + 1 == steps.len();
                if is_last {
                    node.pushed.push(text);
                }
                return is_last;
            }
            node = node.members.entry((*step).to_owned()).or_default();
        }
        node.texts.push(text);
        true
    }

    /// The value that is meant, if values may be what the schemas describe; nothing if it is two things at once.
    pub(super) fn value(
        &self,
        schemas: &Schemas,
        described: &[SchemaId],
    ) -> Option<Value<'static>> {
        let kinds_of = |ids: &[SchemaId]| {
            let all = ids.iter().map(|id| schemas.kinds(*id));
            all.reduce(crate::schema::Kinds::or).unwrap_or_default()
        };
        let kinds = kinds_of(described);
        let items = || schemas.of_items(described);
        match (&*self.texts, &*self.pushed, self.members.is_empty()) {
            ([text], [], true) => Some(best(text, schemas, described)),
            ([], [], false) => {
                let numbers = || (0..self.members.len()).all(|at| self.at(at).is_some());
                if kinds.array && (!kinds.object || kinds.is_any()) && numbers() {
                    let described = items();
                    let all = (0..self.members.len()).filter_map(|at| self.at(at));
                    return all.map(|node| node.value(schemas, &described)).collect::<Option<_>>();
                }
                let mut object = Map::default();
                for (name, node) in &self.members {
                    let described = schemas.of_member(described, name);
                    object.insert(Cow::Owned(name.clone()), node.value(schemas, &described)?);
                }
                Some(Value::Object(object))
            }
            ([], texts, true) | (texts, [], true) if !texts.is_empty() && kinds.array => {
                let described = items();
                let all = texts.iter().map(|text| best(text, schemas, &described));
                Some(Value::Array(all.collect()))
            }
            _ => None,
        }
    }

    fn at(&self, index: usize) -> Option<&Self> {
        self.members.get(&index.to_string())
    }
}

/// The value that a text stands for: the likeliest of those that are described.
pub(super) fn best(text: &str, schemas: &Schemas, described: &[SchemaId]) -> Value<'static> {
    let all = described.iter().map(|id| schemas.kinds(*id));
    let kinds = all.reduce(crate::schema::Kinds::or).unwrap_or_default();
    let first = likeliest(text, kinds);
    if first.is_string() || schemas.any_fits(described, &first, text.len()) || !kinds.string {
        return first;
    }
    Value::text(text.to_owned())
}
