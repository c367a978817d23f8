//! The places of all things in one text.
//!
//! A tree of its own, made only when something has to be located: a text that is right never pays for it.

use crate::path;

/// Line and column, counted from 1, columns in characters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Spot {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Spot {
    pub(crate) const START: Self = Self { line: 1, column: 1 };
}

/// Where one thing stands, and all that is in it.
#[derive(Debug, Default)]
pub(crate) struct Place {
    /// Where its key begins, if it is in a map.
    pub(crate) key: Option<Spot>,
    /// Where it begins itself.
    pub(crate) value: Spot,
    pub(crate) inner: Inner,
}

/// What is in a thing.
#[derive(Debug, Default)]
pub(crate) enum Inner {
    #[default]
    Nothing,
    List(Vec<Place>),
    /// Sorted by key; of equal keys, the first in the text comes first.
    Map(Vec<(String, Place)>),
}

/// Which part of a thing a mistake is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum At {
    /// Its key.
    Key,
    /// The value of a plain thing, the key of one that has others in it.
    Thing,
}

/// A key that stands in one map more than once.
#[derive(Debug)]
pub(crate) struct Repeated {
    pub(crate) pointer: String,
    pub(crate) first: Spot,
    pub(crate) again: Spot,
}

impl Place {
    /// A map, of entries in the order of the text.
    pub(crate) fn map(value: Spot, mut entries: Vec<(String, Self)>) -> Self {
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        Self { key: None, value, inner: Inner::Map(entries) }
    }

    pub(crate) fn list(value: Spot, items: Vec<Self>) -> Self {
        Self { key: None, value, inner: Inner::List(items) }
    }

    pub(crate) fn scalar(value: Spot) -> Self {
        Self { key: None, value, inner: Inner::Nothing }
    }

    /// Where the thing that `pointer` points to stands, or else the nearest thing around it.
    pub(crate) fn find(&self, pointer: &str, at: At) -> Spot {
        let mut place = self;
        for step in path::steps(pointer) {
            match place.inner(&step) {
                Some(inner) => place = inner,
                // The thing itself is not there; what is around it is best told by its name.
                None => return place.spot(At::Key),
            }
        }
        place.spot(at)
    }

    fn inner(&self, step: &str) -> Option<&Self> {
        match &self.inner {
            Inner::Nothing => None,
            Inner::List(items) => items.get(step.parse::<usize>().ok()?),
            Inner::Map(entries) => {
                let first = entries.partition_point(|(key, _)| key.as_str() < step);
                entries.get(first).filter(|(key, _)| key == step).map(|(_, place)| place)
            }
        }
    }

    fn spot(&self, at: At) -> Spot {
        match (at, &self.inner) {
            (At::Thing, Inner::Nothing) => self.value,
            _ => self.key.unwrap_or(self.value),
        }
    }

    /// All keys that stand in one map more than once.
    pub(crate) fn repeated(&self) -> Vec<Repeated> {
        let mut found = Vec::new();
        self.collect_repeated("", &mut found);
        found
    }

    fn collect_repeated(&self, pointer: &str, found: &mut Vec<Repeated>) {
        match &self.inner {
            Inner::Nothing => {}
            Inner::List(items) => {
                for (index, inner) in items.iter().enumerate() {
                    inner.collect_repeated(&path::item(pointer, index), found);
                }
            }
            Inner::Map(entries) => {
                let mut first: Option<&(String, Self)> = None;
                for entry in entries {
                    let inner_pointer = path::child(pointer, &entry.0);
                    match first {
                        Some((key, place)) if *key == entry.0 => found.push(Repeated {
                            pointer: inner_pointer,
                            first: place.spot(At::Key),
                            again: entry.1.spot(At::Key),
                        }),
                        _ => {
                            entry.1.collect_repeated(&inner_pointer, found);
                            first = Some(entry);
                        }
                    }
                }
            }
        }
    }
}

/// From byte offsets to spots.
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, starts: line_starts(text) }
    }

    /// The spot of a byte offset. Offsets beyond the end mean the end.
    pub(crate) fn spot(&self, offset: usize) -> Spot {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let index = self.starts.partition_point(|start| *start <= offset).saturating_sub(1);
        let start = self.starts.get(index).copied().unwrap_or(0);
        // A document of one very long line: counting its characters for each thing in it would be quadratic.
        const COUNTED_BYTES_MAX: usize = 64 << 10;
        let before = &self.text[start..offset];
        let chars =
            if before.len() > COUNTED_BYTES_MAX { before.len() } else { before.chars().count() };
        Spot { line: narrow(index + 1), column: narrow(chars + 1) }
    }
}

/// The byte offsets at which lines begin.
pub(crate) fn line_starts(text: &str) -> Vec<usize> {
    std::iter::once(0)
        .chain(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1))
        .collect()
}

/// Lines and columns beyond four thousand million are told as that.
pub(crate) fn narrow(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
