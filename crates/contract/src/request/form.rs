//! What a text can stand for, by the schema that its value is for.

use crate::schema::{Kinds, SchemaId, Schemas};

/// The kinds of values that a parameter may be.
#[derive(Debug, Default)]
pub(super) struct Form {
    /// As a value that is neither list nor object.
    pub(super) scalar: Kinds,
    /// Of its items, where it may be a list.
    pub(super) list: Option<Kinds>,
    /// Of its members, where it may be an object.
    pub(super) object: Option<MemberKinds>,
}

/// The kinds of the members of an object.
#[derive(Debug, Default)]
pub(super) struct MemberKinds {
    /// Sorted by name.
    pub(super) named: Box<[(Box<str>, Kinds)]>,
    pub(super) others: Kinds,
}

impl MemberKinds {
    pub(super) fn of(&self, name: &str) -> Kinds {
        match self.named.binary_search_by(|(known, _)| (**known).cmp(name)) {
            Ok(at) => self.named[at].1,
            Err(_) => self.others,
        }
    }
}

impl Form {
    pub(super) fn of(schemas: &Schemas, schema: SchemaId) -> Self {
        let kinds = schemas.kinds(schema);
        // Where nothing is said of lists and objects, a text is no list: nobody could say of what.
        let list = schemas.item_kinds(schema).filter(|_| kinds.array);
        let list = list.or((kinds.array && !kinds.is_any()).then(Kinds::default));
        let named = schemas.member_kinds(schema);
        let object = kinds.object && (!named.is_empty() || !kinds.is_any());
        Self {
            scalar: kinds,
            list,
            object: object.then(|| MemberKinds { named: named.into(), others: Kinds::default() }),
        }
    }
}
