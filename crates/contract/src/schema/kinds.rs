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
