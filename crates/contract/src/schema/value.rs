//! Values of JSON as they are checked: texts are borrowed from what was read where they can be, and the members of an
//! object are one list, so that a value takes little more room than its text and is made with few allocations.

use std::borrow::Cow;

use serde_json::Number;

/// A value.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the types of JSON")]
pub enum Value<'t> {
    Null,
    Bool(bool),
    Number(Number),
    String(Cow<'t, str>),
    Array(Vec<Value<'t>>),
    Object(Map<'t>),
}

/// The members of an object, sorted by name, none twice.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map<'t>(Vec<(Cow<'t, str>, Value<'t>)>);

impl Value<'_> {
    /// A text.
    pub(crate) fn text(text: String) -> Self {
        Self::String(Cow::Owned(text))
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(text) = self { Some(text) } else { None }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    pub(crate) fn is_string(&self) -> bool {
        matches!(self, Self::String(_))
    }

    pub(crate) fn is_array(&self) -> bool {
        matches!(self, Self::Array(_))
    }
}

impl<'t> FromIterator<Value<'t>> for Value<'t> {
    fn from_iter<I: IntoIterator<Item = Value<'t>>>(items: I) -> Self {
        Self::Array(items.into_iter().collect())
    }
}

impl<'t> From<&'t serde_json::Value> for Value<'t> {
    /// Recurses as deep as the value, whose depth is bounded where it is read.
    fn from(value: &'t serde_json::Value) -> Self {
        use serde_json::Value as Json;
        match value {
            Json::Null => Self::Null,
            Json::Bool(value) => Self::Bool(*value),
            Json::Number(number) => Self::Number(number.clone()),
            Json::String(text) => Self::String(Cow::Borrowed(text)),
            Json::Array(items) => items.iter().map(Self::from).collect(),
            Json::Object(members) => {
                let mut own = Map::default();
                for (name, value) in members {
                    own.push(Cow::Borrowed(name), value.into());
                }
                own.sort();
                Self::Object(own)
            }
        }
    }
}

impl Value<'_> {
    /// The same, borrowed from nowhere.
    pub(crate) fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(value),
            Self::Number(number) => Value::Number(number),
            Self::String(text) => Value::text(text.into_owned()),
            Self::Array(items) => items.into_iter().map(Value::into_owned).collect(),
            Self::Object(Map(members)) => {
                let members = members.into_iter();
                let own = members
                    .map(|(name, value)| (Cow::Owned(name.into_owned()), value.into_owned()));
                Value::Object(Map(own.collect()))
            }
        }
    }

    /// As JSON writes it.
    #[must_use]
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Null => serde_json::Value::Null,
            Self::Bool(value) => (*value).into(),
            Self::Number(number) => number.clone().into(),
            Self::String(text) => (&**text).into(),
            Self::Array(items) => items.iter().map(Value::to_json).collect(),
            Self::Object(members) => {
                members.iter().map(|(name, value)| (name.to_owned(), value.to_json())).collect()
            }
        }
    }
}

impl<'t> Map<'t> {
    /// How many members there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Every member, by name.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Value<'t>)> {
        self.0.iter().map(|(name, value)| (&**name, value))
    }

    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(name))
    }

    /// The member of a name.
    pub(crate) fn get(&self, name: &str) -> Option<&Value<'t>> {
        self.place(name).ok().map(|at| &self.0[at].1)
    }

    /// The name itself and the member.
    pub(crate) fn get_key_value(&self, name: &str) -> Option<(&str, &Value<'t>)> {
        self.place(name).ok().map(|at| (&*self.0[at].0, &self.0[at].1))
    }

    pub(crate) fn contains_key(&self, name: &str) -> bool {
        self.place(name).is_ok()
    }

    /// Puts a member in its place. Says `false`, and leaves things as they are, if there is one of its name.
    pub(crate) fn insert(&mut self, name: Cow<'t, str>, value: Value<'t>) -> bool {
        match self.place(&name) {
            Ok(_) => false,
            Err(at) => {
                self.0.insert(at, (name, value));
                true
            }
        }
    }

    /// Adds a member at the end; `sort` comes after the last one.
    pub(super) fn push(&mut self, name: Cow<'t, str>, value: Value<'t>) {
        self.0.push((name, value));
    }

    /// Brings members into order. Says `false` if one is there twice.
    pub(super) fn sort(&mut self) -> bool {
        // What was made room for and is not needed adds up where objects are small and many.
        if self.0.capacity() > 2 * self.0.len() {
            self.0.shrink_to_fit();
        }
        if self.0.windows(2).all(|two| two[0].0 < two[1].0) {
            return true;
        }
        self.0.sort_unstable_by(|left, right| left.0.cmp(&right.0));
        self.0.windows(2).all(|two| two[0].0 != two[1].0)
    }
}
