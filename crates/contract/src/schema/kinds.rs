//! What kinds of values a schema can be about: an estimate from its types and those of what it is made of, for
//! texts that have to become values before a schema can judge them. It may allow too much, never too
//! little, but where it gives up and allows everything.

use super::{Check, SchemaId, Schemas, Types};

/// Kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the types of JSON")]
pub struct Kinds {
    pub null: bool,
    pub boolean: bool,
    pub number: bool,
    pub string: bool,
    pub array: bool,
    pub object: bool,
}

impl Default for Kinds {
    /// All.
    fn default() -> Self {
        Types::ANY.into()
    }
}

impl From<Types> for Kinds {
    fn from(types: Types) -> Self {
        Self {
            null: types.has(Types::NULL),
            boolean: types.has(Types::BOOLEAN),
            number: types.has(Types::NUMBER) || types.has(Types::INTEGER),
            string: types.has(Types::STRING),
            array: types.has(Types::ARRAY),
            object: types.has(Types::OBJECT),
        }
    }
}

impl Kinds {
    /// No value at all: what the schema says contradicts itself (`type: integer` with an `enum` of texts).
    #[must_use]
    pub fn is_none(self) -> bool {
        self == Types(0).into()
    }

    /// What is of the kinds of either.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            null: self.null || other.null,
            boolean: self.boolean || other.boolean,
            number: self.number || other.number,
            string: self.string || other.string,
            array: self.array || other.array,
            object: self.object || other.object,
        }
    }

    /// Nothing is said.
    #[must_use]
    pub fn is_any(self) -> bool {
        self == Self::default()
    }
}

/// How far is looked through references and combinations.
const DEPTH: usize = 6;
/// The most schemas that are looked at.
const LOOKS: usize = 200;

impl Schemas {
    /// Of a schema.
    #[must_use]
    pub fn kinds(&self, id: SchemaId) -> Kinds {
        self.types(id, DEPTH, &mut 0).into()
    }

    fn types(&self, id: SchemaId, depth: usize, looks: &mut usize) -> Types {
        let node = self.node(id);
        *looks += 1;
        if depth == 0 || *looks > LOOKS {
            return Types::ANY;
        }
        let mut types = node.types;
        for check in &node.checks {
            let narrowed = match check {
                Check::Ref(id) | Check::Dynamic { otherwise: id, .. } => {
                    self.types(*id, depth - 1, looks)
                }
                Check::All(list) => list
                    .iter()
                    .fold(Types::ANY, |all, id| Types(all.0 & self.types(*id, depth - 1, looks).0)),
                Check::Any(list) | Check::One(list) => list
                    .iter()
                    .fold(Types(0), |all, id| all.with(self.types(*id, depth - 1, looks))),
                Check::Enum { texts, others } => {
                    let texts = if texts.is_empty() { Types(0) } else { Types::STRING };
                    others.iter().fold(texts, |all, value| all.with(Types::of(value)))
                }
                Check::Const(value) => Types::of(value),
                _ => continue,
            };
            // A number is an integer as well, if nothing else is said.
            let widened =
                if narrowed.has(Types::NUMBER) { narrowed.with(Types::INTEGER) } else { narrowed };
            types = Types(types.0 & widened.0);
        }
        if node.nullable { types.with(Types::NULL) } else { types }
    }

    /// Of the items of a list, if the schema or what it is made of says something about them.
    #[must_use]
    pub fn item_kinds(&self, id: SchemaId) -> Option<Kinds> {
        let mut found: Option<Types> = None;
        self.visit(id, DEPTH, &mut 0, &mut |check| {
            if let Check::Items { first, rest, .. } = check {
                for id in first.iter().chain(rest) {
                    let types = self.types(*id, DEPTH, &mut 0);
                    found = Some(found.map_or(types, |found| found.with(types)));
                }
            }
        });
        found.map(Kinds::from)
    }

    /// Of the members of an object that have names, sorted by them.
    #[must_use]
    pub fn member_kinds(&self, id: SchemaId) -> Vec<(Box<str>, Kinds)> {
        let mut found: std::collections::BTreeMap<Box<str>, Types> =
            std::collections::BTreeMap::new();
        self.visit(id, DEPTH, &mut 0, &mut |check| {
            if let Check::Members(members) = check {
                for (name, id) in &members.named {
                    let types = self.types(*id, DEPTH, &mut 0);
                    let known = found.entry(name.clone()).or_insert(types);
                    *known = known.with(types);
                }
            }
        });
        found.into_iter().map(|(name, types)| (name, types.into())).collect()
    }

    /// The schemas of a member of an object that these describe, in whichever of them.
    pub(crate) fn of_member(&self, ids: &[SchemaId], name: &str) -> Vec<SchemaId> {
        let (mut named, mut others) = (Vec::new(), Vec::new());
        self.visit_all(ids, &mut |check| {
            if let Check::Members(members) = check {
                match members.named(name) {
                    Some(id) => named.push(id),
                    None => others.extend(members.others),
                }
            }
        });
        if named.is_empty() { others } else { named }
    }

    /// The schemas of the items of a list that these describe.
    pub(crate) fn of_items(&self, ids: &[SchemaId]) -> Vec<SchemaId> {
        let mut found = Vec::new();
        self.visit_all(ids, &mut |check| {
            if let Check::Items { first, rest, .. } = check {
                found.extend(first.iter().chain(rest).copied());
            }
        });
        found
    }

    /// Whether a schema, or one that it is made of, says that its values are bytes.
    pub(crate) fn is_binary(&self, id: SchemaId) -> bool {
        let mut found = self.node(id).binary;
        self.visit(id, DEPTH, &mut 0, &mut |check| {
            let each = |ids: &[SchemaId]| ids.iter().any(|id| self.node(*id).binary);
            found |= match check {
                Check::Ref(id) | Check::Dynamic { otherwise: id, .. } => each(&[*id]),
                Check::All(list) | Check::Any(list) | Check::One(list) => each(list),
                _ => false,
            };
        });
        found
    }

    /// The most characters of a text, where a schema says so.
    pub(crate) fn longest_text(&self, id: SchemaId) -> Option<u64> {
        let mut found: Option<u64> = None;
        self.visit(id, DEPTH, &mut 0, &mut |check| {
            if let Check::TextMost(most) = check {
                found = Some(found.map_or(*most, |known| known.min(*most)));
            }
        });
        found
    }

    fn visit_all(&self, ids: &[SchemaId], see: &mut dyn FnMut(&Check)) {
        let mut looks = 0;
        for id in ids {
            self.visit(*id, DEPTH, &mut looks, see);
        }
    }

    /// Everything that a schema and those it is made of say of the same value.
    fn visit(&self, id: SchemaId, depth: usize, looks: &mut usize, see: &mut dyn FnMut(&Check)) {
        *looks += 1;
        if depth == 0 || *looks > LOOKS {
            return;
        }
        for check in &self.node(id).checks {
            see(check);
            match check {
                Check::Ref(id) | Check::Dynamic { otherwise: id, .. } => {
                    self.visit(*id, depth - 1, looks, see);
                }
                Check::All(list) | Check::Any(list) | Check::One(list) => {
                    list.iter().for_each(|id| self.visit(*id, depth - 1, looks, see));
                }
                _ => {}
            }
        }
    }
}
