//! Templates into the flat tables of a [`Router`].
//!
//! Assumes what compiling has checked: segments and parameters within their bounds, empty segments at
//! the end only, no two entries of one shape and method without conditions.

use super::{
    BTreeMap, Candidate, Entry, Leaf, LiteralEdge, Loose, MethodEntry, MixedEdge, MixedPiece, NONE,
    Node, Piece, Router, Span, key_hash,
};
use crate::dispatch::Condition;

/// Sorts segments of several pieces: most literal bytes, fewest parameters, then the shape's bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct MixedKey {
    literal_bytes: std::cmp::Reverse<usize>,
    parameters: usize,
    /// Literals as they are, `None` for a parameter.
    shape: Vec<Option<String>>,
}

#[derive(Default)]
struct Branch<'a> {
    /// By loose form and text.
    literals: BTreeMap<(Vec<u8>, String), Branch<'a>>,
    mixed: BTreeMap<MixedKey, Branch<'a>>,
    param: Option<Box<Branch<'a>>>,
    tail: Methods<'a>,
    leaf: Methods<'a>,
    slash: Methods<'a>,
}

type Methods<'a> = BTreeMap<&'a str, Vec<(Option<u32>, Vec<Condition>)>>;

impl Router {
    /// Builds the router of a service.
    pub(crate) fn build(entries: Vec<Entry<'_>>) -> Router {
        let mut root = Branch::default();
        for entry in entries {
            insert(&mut root, entry);
        }
        let mut tables = Tables::default();
        tables.node(root);
        tables.finish()
    }
}

fn insert<'a>(root: &mut Branch<'a>, entry: Entry<'a>) {
    let mut branch = root;
    let last = entry.template.segments.len().saturating_sub(1);
    for (index, segment) in entry.template.segments.iter().enumerate() {
        if segment.is_empty() && index == last {
            branch.slash.entry(entry.method).or_default().push((entry.operation, entry.conditions));
            return;
        }
        if index == last && entry.template.tail {
            branch.tail.entry(entry.method).or_default().push((entry.operation, entry.conditions));
            return;
        }
        branch = child(branch, segment);
    }
    branch.leaf.entry(entry.method).or_default().push((entry.operation, entry.conditions));
}

fn child<'b, 'a>(branch: &'b mut Branch<'a>, segment: &[Piece]) -> &'b mut Branch<'a> {
    match segment {
        [Piece::Parameter(_)] => branch.param.get_or_insert_default(),
        [] => branch.literals.entry((Vec::new(), String::new())).or_default(),
        [Piece::Literal(text)] => {
            branch.literals.entry((loose_key(text), text.clone())).or_default()
        }
        pieces => branch.mixed.entry(mixed_key(pieces)).or_default(),
    }
}

/// A literal that is too long for a loose form is near to nothing but itself.
fn loose_key(text: &str) -> Vec<u8> {
    Loose::of(text).map_or_else(|| text.as_bytes().to_vec(), |loose| loose.as_bytes().to_vec())
}

fn mixed_key(pieces: &[Piece]) -> MixedKey {
    let shape: Vec<Option<String>> = pieces
        .iter()
        .map(|piece| match piece {
            Piece::Literal(text) => Some(text.clone()),
            Piece::Parameter(_) => None,
        })
        .collect();
    MixedKey {
        literal_bytes: std::cmp::Reverse(shape.iter().flatten().map(String::len).sum()),
        parameters: shape.iter().filter(|piece| piece.is_none()).count(),
        shape,
    }
}

#[derive(Default)]
struct Tables {
    text: String,
    interned: BTreeMap<String, Span>,
    nodes: Vec<Node>,
    literals: Vec<LiteralEdge>,
    mixed: Vec<MixedEdge>,
    pieces: Vec<MixedPiece>,
    leaves: Vec<Leaf>,
    methods: Vec<MethodEntry>,
    candidates: Vec<Candidate>,
}

impl Tables {
    /// Lays a branch down and returns its index. Recursion is as deep as the deepest template.
    fn node(&mut self, branch: Branch<'_>) -> u32 {
        let index = self.nodes.len() as u32;
        let nothing = Span { start: 0, length: 0 };
        self.nodes.push(Node {
            literals: nothing,
            mixed: nothing,
            param: NONE,
            tail: NONE,
            leaf: NONE,
            slash: NONE,
        });
        let (leaf, slash, tail) =
            (self.leaf(branch.leaf), self.leaf(branch.slash), self.leaf(branch.tail));
        // Children first: the edges of one node must lie side by side.
        let mut literals: Vec<LiteralEdge> = branch
            .literals
            .into_iter()
            .map(|((key, text), child)| LiteralEdge {
                hash: key_hash(&key),
                key: self.loose_text(&key, &text),
                text: self.intern(&text),
                child: self.node(child),
            })
            .collect();
        literals.sort_by_key(|edge| edge.hash);
        let mixed: Vec<MixedEdge> = branch
            .mixed
            .into_iter()
            .map(|(key, child)| MixedEdge { pieces: self.pieces(&key), child: self.node(child) })
            .collect();
        let param = branch.param.map_or(NONE, |child| self.node(*child));
        let literals = append(&mut self.literals, literals);
        let mixed = append(&mut self.mixed, mixed);
        self.nodes[index as usize] = Node { literals, mixed, param, tail, leaf, slash };
        index
    }

    fn pieces(&mut self, key: &MixedKey) -> Span {
        let pieces: Vec<MixedPiece> = key
            .shape
            .iter()
            .map(|piece| match piece {
                None => MixedPiece::Parameter,
                Some(text) => MixedPiece::Literal {
                    text: self.intern(text),
                    loose: self.intern(&text.to_ascii_lowercase()),
                },
            })
            .collect();
        append(&mut self.pieces, pieces)
    }

    fn leaf(&mut self, methods: Methods<'_>) -> u32 {
        if methods.is_empty() {
            return NONE;
        }
        let allow = self.intern(&allow(&methods));
        let methods: Vec<MethodEntry> = methods
            .into_iter()
            .map(|(method, candidates)| {
                let candidates = candidates
                    .into_iter()
                    .map(|(operation, conditions)| Candidate {
                        operation: operation.unwrap_or(NONE),
                        conditions: conditions.into_boxed_slice(),
                    })
                    .collect();
                MethodEntry {
                    method: self.intern(method),
                    candidates: append(&mut self.candidates, candidates),
                }
            })
            .collect();
        let methods = append(&mut self.methods, methods);
        self.leaves.push(Leaf { methods, allow });
        self.leaves.len() as u32 - 1
    }

    /// The loose form as text. Literals are canonical, so what their escapes stand for is text too.
    fn loose_text(&mut self, key: &[u8], text: &str) -> Span {
        match std::str::from_utf8(key) {
            Ok(key) => self.intern(key),
            Err(_) => self.intern(text),
        }
    }

    fn intern(&mut self, text: &str) -> Span {
        if let Some(span) = self.interned.get(text) {
            return *span;
        }
        let span = Span { start: self.text.len() as u32, length: text.len() as u32 };
        self.text.push_str(text);
        self.interned.insert(text.to_owned(), span);
        span
    }

    fn finish(self) -> Router {
        Router {
            text: self.text.into_boxed_str(),
            nodes: self.nodes.into_boxed_slice(),
            literals: self.literals.into_boxed_slice(),
            mixed: self.mixed.into_boxed_slice(),
            pieces: self.pieces.into_boxed_slice(),
            leaves: self.leaves.into_boxed_slice(),
            methods: self.methods.into_boxed_slice(),
            candidates: self.candidates.into_boxed_slice(),
        }
    }
}

fn append<T>(table: &mut Vec<T>, items: Vec<T>) -> Span {
    let span = Span { start: table.len() as u32, length: items.len() as u32 };
    table.extend(items);
    span
}

/// `Allow` (RFC 9110 §10.2.1): what can be called, `HEAD` where there is `GET`, and `OPTIONS`, which the
/// gateway answers itself where no operation does. Hidden operations are not told.
fn allow(methods: &Methods<'_>) -> String {
    let visible = |candidates: &Vec<(Option<u32>, Vec<Condition>)>| {
        candidates.iter().any(|(operation, _)| operation.is_some())
    };
    let mut names: Vec<&str> = methods
        .iter()
        .filter(|(_, candidates)| visible(candidates))
        .map(|(method, _)| *method)
        .collect();
    if names.is_empty() {
        return String::new();
    }
    if names.contains(&"*") {
        names = vec!["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
    }
    if names.contains(&"GET") && !names.contains(&"HEAD") && !methods.contains_key("HEAD") {
        names.push("HEAD");
    }
    if !names.contains(&"OPTIONS") {
        names.push("OPTIONS");
    }
    names.sort_unstable();
    names.join(", ")
}
