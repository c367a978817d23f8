//! The tree of paths: segments that are values become parameters.
//!
//! A segment is a value if it looks like one (numbers, UUIDs, dates, hashes, mail addresses, whatever is encoded or
//! long), or if it is one of many at its place that were seen once or twice. A word that is seen often stays.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::values::{Kind, Values};
use super::{Calls, PARTS_MAX, Thresholds};

/// The most segments of a path.
pub(super) const SEGMENTS_MAX: usize = 16;
/// So many words that were seen seldom at one place are values.
const SELDOM_MAX: usize = 24;
/// The most words at one place.
const WORDS_MAX: usize = 200;
/// What is seldom.
const SELDOM: u64 = 2;

/// A place in the tree.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Node {
    /// Calls that came through.
    pub(super) calls: u64,
    pub(super) words: BTreeMap<String, Node>,
    pub(super) parameter: Option<Box<Parameter>>,
    /// By method.
    pub(super) operations: BTreeMap<String, Calls>,
    /// Words were taken for values because there were so many.
    pub(super) folded: bool,
}

/// A segment that is a value, and what comes behind it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Parameter {
    pub(super) values: Values,
    pub(super) node: Node,
}

impl Node {
    /// The place of a path, made if there is room; nothing if not.
    pub(super) fn place(
        &mut self,
        path: &str,
        caller: u64,
        parts: &mut usize,
    ) -> Option<&mut Self> {
        let path = path.strip_prefix('/')?;
        if path.split('/').count() > SEGMENTS_MAX {
            return None;
        }
        let mut node = self;
        node.calls += 1;
        for segment in path.split('/') {
            node = node.step(segment, caller, parts)?;
            node.calls += 1;
        }
        Some(node)
    }

    fn step(&mut self, segment: &str, caller: u64, parts: &mut usize) -> Option<&mut Self> {
        let is_word = Kind::of(segment).is_none();
        let is_known = self.words.contains_key(segment);
        if is_word && !is_known {
            self.fold_if_many();
        }
        if is_word && (is_known || !self.folded) {
            if !is_known {
                if *parts >= PARTS_MAX {
                    return None;
                }
                *parts += 1;
            }
            return Some(self.words.entry(segment.to_owned()).or_default());
        }
        if self.parameter.is_none() {
            if *parts >= PARTS_MAX {
                return None;
            }
            *parts += 1;
        }
        let parameter = self.parameter.get_or_insert_default();
        parameter.values.add("", &super::decoded(&segment.replace('+', "%2B")), caller);
        Some(&mut parameter.node)
    }

    /// Many words that were seen seldom are values.
    fn fold_if_many(&mut self) {
        let is_seldom = |node: &Self| node.calls <= SELDOM;
        let seldom = self.words.values().filter(|node| is_seldom(node)).count();
        if seldom < SELDOM_MAX && self.words.len() < WORDS_MAX {
            return;
        }
        self.folded = true;
        let words = std::mem::take(&mut self.words);
        let (values, words): (Vec<_>, Vec<_>) =
            words.into_iter().partition(|(_, node)| is_seldom(node));
        self.words = words.into_iter().collect();
        let parameter = self.parameter.get_or_insert_default();
        for (word, node) in values {
            parameter.values.add("", &word, 0);
            parameter.node.merge(node);
        }
    }

    /// Goes no deeper than paths do.
    pub(super) fn merge(&mut self, other: Self) {
        self.calls += other.calls;
        self.folded |= other.folded;
        for (word, node) in other.words {
            self.words.entry(word).or_default().merge(node);
        }
        if let Some(parameter) = other.parameter {
            let own = self.parameter.get_or_insert_default();
            own.values.merge(parameter.values);
            own.node.merge(parameter.node);
        }
        for (method, calls) in other.operations {
            self.operations.entry(method).or_default().merge(calls);
        }
    }

    /// Forgets words that may be somebody's, and what is behind them.
    pub(super) fn scrub(&mut self, thresholds: &Thresholds) {
        self.words.retain(|_, node| node.is_enough(thresholds));
        self.words.values_mut().for_each(|node| node.scrub(thresholds));
        if let Some(parameter) = &mut self.parameter {
            parameter.values.scrub();
            parameter.node.scrub(thresholds);
        }
        self.operations.values_mut().for_each(|calls| calls.scrub(thresholds));
    }

    /// Whether anything at or below this place was seen often enough.
    pub(super) fn is_enough(&self, thresholds: &Thresholds) -> bool {
        self.operations.values().any(|calls| calls.seen.is_enough(thresholds))
            || self.words.values().any(|node| node.is_enough(thresholds))
            || self.parameter.as_ref().is_some_and(|own| own.node.is_enough(thresholds))
    }
}
