//! YAML, through `serde-saphyr` with strict options. Nothing else in the workspace knows that crate.
//!
//! Its defaults follow YAML 1.1, where `no` is false and `012` is twelve; here only `true` and `false`
//! are truth values and such numbers stay texts, so that a mistake is told instead of guessed away.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{DefaultMessageFormatter, MessageFormatter, Options, Spanned};

use super::tree::Seed;
use super::{DEPTH_MAX, Parsed, SyntaxFault, sentence};
use crate::place::{Place, Spot};

/// The most events that all aliases of a text together may be expanded to.
const ALIAS_EVENTS_MAX: usize = 200_000;
/// The most nodes of a text: about two million lines.
const NODES_MAX: usize = 8_000_000;

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH_MAX,
            flow_nesting_limit: DEPTH_MAX,
            max_nodes: NODES_MAX,
            max_events: NODES_MAX * 2,
            max_documents: 1,
            max_aliases: 10_000,
            max_anchors: 10_000,
            max_recorded_anchor_events: ALIAS_EVENTS_MAX * 5,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: ALIAS_EVENTS_MAX,
            max_replay_stack_depth: 16,
        },
        emit_comments: false,
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Merge,
        legacy_octal_numbers: false,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        strict_booleans: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    }
}

pub(super) fn parse(text: &str) -> Result<Parsed, SyntaxFault> {
    let repeated = Cell::new(false);
    let seed = Seed { has_repeated_keys: &repeated, depth: 0 };
    let value =
        serde_saphyr::with_deserializer_from_str_with_options(text, options(), |deserializer| {
            seed.deserialize(deserializer)
        })
        .map_err(|error| fault(text, &error))?;
    Ok(Parsed { value, has_repeated_keys: repeated.get() })
}

fn fault(text: &str, error: &serde_saphyr::Error) -> SyntaxFault {
    let spot = error.location().map_or(Spot::START, spot);
    let line = text.lines().nth(spot.line.saturating_sub(1) as usize).unwrap_or_default();
    let indent = &line[..line.len() - line.trim_start().len()];
    let fix =
        if indent.contains('\t') { "indent with spaces: YAML does not take tabs" } else { "" };
    let message = match error.without_snippet() {
        serde_saphyr::Error::Budget { breach, .. } => breached(breach).to_owned(),
        error => {
            format!(
                "this is not YAML: {}",
                sentence(&DefaultMessageFormatter.format_message(error))
            )
        }
    };
    SyntaxFault { spot, message, fix: fix.to_owned() }
}

/// What is too much, in words for people.
fn breached(breach: &BudgetBreach) -> &'static str {
    match breach {
        BudgetBreach::Documents { .. } => "a second document begins here, but a file has only one",
        BudgetBreach::Depth { .. } => "this is nested too deeply",
        BudgetBreach::Aliases { .. }
        | BudgetBreach::Anchors { .. }
        | BudgetBreach::AliasAnchorRatio { .. }
        | BudgetBreach::RecordedAnchorEvents { .. }
        | BudgetBreach::RecordedAnchorBytes { .. }
        | BudgetBreach::MergeKeys { .. } => "anchors and aliases make this too large",
        _ => "this is too large",
    }
}

fn spot(location: serde_saphyr::Location) -> Spot {
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    Spot { line: narrow(location.line()).max(1), column: narrow(location.column()).max(1) }
}

pub(super) fn places(text: &str) -> Place {
    match serde_saphyr::from_str_with_options::<Spanned<Node>>(text, options()) {
        Ok(root) => root.value.place(spot(root.referenced), None),
        Err(_) => Place::scalar(Spot::START),
    }
}

/// The skeleton of a text: where everything stands, without what it says.
enum Node {
    Scalar,
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<String>, Spanned<Node>)>),
}

impl Node {
    fn place(self, value: Spot, key: Option<Spot>) -> Place {
        let place = match self {
            Self::Scalar => Place::scalar(value),
            Self::List(items) => Place::list(
                value,
                items
                    .into_iter()
                    .map(|item| item.value.place(spot(item.referenced), None))
                    .collect(),
            ),
            Self::Map(entries) => {
                let entries = entries.into_iter().map(|(key, inner)| {
                    let place =
                        inner.value.place(spot(inner.referenced), Some(spot(key.referenced)));
                    (key.value, place)
                });
                Place::map(value, entries.collect())
            }
        };
        Place { key, ..place }
    }
}

impl<'de> serde::Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NodeVisitor;
        impl<'de> Visitor<'de> for NodeVisitor {
            type Value = Node;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }
            fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
            fn visit_i128<E>(self, _: i128) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
            fn visit_u128<E>(self, _: u128) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
            fn visit_str<E>(self, _: &str) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
            fn visit_none<E>(self) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
            fn visit_unit<E>(self) -> Result<Node, E> {
                Ok(Node::Scalar)
            }
            fn visit_some<D: Deserializer<'de>>(self, inner: D) -> Result<Node, D::Error> {
                inner.deserialize_any(self)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = list.next_element()? {
                    items.push(item);
                }
                Ok(Node::List(items))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Node::Map(entries))
            }
        }
        deserializer.deserialize_any(NodeVisitor)
    }
}
