//! The router of one service: path and method to operation.
//!
//! It assumes a canonical path ([`crate::canonical`]) whose public prefix is known, and templates whose
//! conflicts were refused when the documents were compiled. Choosing the service is [`crate::hosts`]'
//! business, judging conditions on query and headers [`crate::dispatch`]'s.
//!
//! # The order
//! Two templates that match one path are compared segment by segment from the left; the first
//! difference decides:
//!
//! 1. a literal segment;
//! 2. a segment of several pieces (`{id}.json`): more literal bytes first, then fewer parameters, then
//!    the byte order of its shape;
//! 3. a single parameter;
//! 4. a tail (`{rest+}`).
//!
//! A trailing slash is a segment of its own. This order is total: two templates that are equal in it
//! have the same shape, and that is an error when they have a method in common. The path decides
//! before the method: a path that has a better template without the method asked for is answered with
//! 405, never by a lesser template, so that a wide pattern cannot take over what a narrow one guards.
//!
//! # Cost
//! The templates form a tree, and a walk over it visits each node at most once, whatever the path. It
//! does not allocate, and its recursion is as deep as the deepest template, [`MAX_SEGMENTS`] at most.

use std::collections::BTreeMap;

use memchr::memchr;
use memchr::memmem;
use portway_contract::template::{PathTemplate, Piece};

use crate::dispatch::Condition;
use crate::loose::{Loose, is_own_loose};
use crate::text_hash::hash;

/// The most segments of a template.
pub const MAX_SEGMENTS: usize = 64;

/// The most parameters of a template.
pub const MAX_PARAMETERS: usize = 16;

const NONE: u32 = u32::MAX;

/// One template and method, to be built into a [`Router`].
pub(crate) struct Entry<'a> {
    pub(crate) template: &'a PathTemplate,
    /// Upper case, or `*`.
    pub(crate) method: &'a str,
    /// Index of the operation; `None` for one that is hidden, which keeps its place so that no wider
    /// template takes its calls.
    pub(crate) operation: Option<u32>,
    /// What else must hold. Of entries with one shape and method the first that holds is taken.
    pub(crate) conditions: Vec<Condition>,
}

/// The templates of one service, as a tree in flat tables.
#[derive(Debug)]
pub(crate) struct Router {
    text: Box<str>,
    nodes: Box<[Node]>,
    literals: Box<[LiteralEdge]>,
    mixed: Box<[MixedEdge]>,
    pieces: Box<[MixedPiece]>,
    leaves: Box<[Leaf]>,
    methods: Box<[MethodEntry]>,
    candidates: Box<[Candidate]>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    length: u32,
}

#[derive(Debug)]
struct Node {
    literals: Span,
    mixed: Span,
    /// Node behind a single parameter.
    param: u32,
    /// Leaf of a tail.
    tail: u32,
    /// Leaf of a path that ends with this segment.
    leaf: u32,
    /// Leaf of a path that ends with a slash after this segment.
    slash: u32,
}

#[derive(Debug)]
struct LiteralEdge {
    /// What the edges of a node are sorted by: a hash of the loose form.
    hash: u32,
    /// The loose form.
    key: Span,
    text: Span,
    child: u32,
}

#[derive(Debug)]
struct MixedEdge {
    pieces: Span,
    child: u32,
}

#[derive(Debug)]
enum MixedPiece {
    Literal { text: Span, loose: Span },
    Parameter,
}

/// What stands at the end of a template.
#[derive(Debug)]
struct Leaf {
    methods: Span,
    allow: Span,
}

#[derive(Debug)]
struct MethodEntry {
    method: Span,
    candidates: Span,
}

/// One operation of a method and path.
#[derive(Debug)]
pub(crate) struct Candidate {
    operation: u32,
    conditions: Box<[Condition]>,
}

impl Candidate {
    /// Index of the operation; `None` if it is hidden.
    pub(crate) fn operation(&self) -> Option<usize> {
        (self.operation != NONE).then_some(self.operation as usize)
    }

    pub(crate) fn conditions(&self) -> &[Condition] {
        &self.conditions
    }
}

/// Where the parameters of a match stand in the path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Captures {
    spans: [(u32, u32); MAX_PARAMETERS],
    count: usize,
}

impl Captures {
    pub(crate) const fn new() -> Self {
        Captures { spans: [(0, 0); MAX_PARAMETERS], count: 0 }
    }

    pub(crate) fn as_slice(&self) -> &[(u32, u32)] {
        &self.spans[..self.count]
    }

    fn push(&mut self, start: usize, end: usize) {
        if let Some(span) = self.spans.get_mut(self.count) {
            *span = (start as u32, end as u32);
            self.count += 1;
        }
    }
}

/// A path that matched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Match {
    /// The leaf, for [`Router::candidates`] and [`Router::allow`].
    pub(crate) leaf: u32,
    /// A laxer reader may see another path in it: look again with [`Router::find_loosely`].
    pub(crate) near: bool,
}

impl Router {
    /// The best template for a path, whose part from `from` on begins with `/` or is empty.
    #[inline]
    pub(crate) fn find(&self, path: &str, from: usize, captures: &mut Captures) -> Option<Match> {
        captures.count = 0;
        let own_loose = is_own_loose(&path[from..]);
        let mut walk =
            Walk { router: self, path, captures, near: false, own_loose, loosely: false };
        let leaf = walk.begin(from)?;
        Some(Match { leaf, near: walk.near })
    }

    /// The leaf that a reader might find who folds case, cuts parameters off, decodes twice or takes a
    /// slash at the end for nothing.
    #[cold]
    pub(crate) fn find_loosely(&self, path: &str, from: usize) -> Option<u32> {
        let own_loose = is_own_loose(&path[from..]);
        let mut captures = Captures::new();
        Walk { router: self, path, captures: &mut captures, near: false, own_loose, loosely: true }
            .begin(from)
    }

    /// The operations of a leaf for a method, in the order to try; `HEAD` is answered by `GET`'s where
    /// it has none of its own, and `*` takes what is left but `TRACE`: a backend that sends back what it received
    /// would show the caller the gateway's credentials (RFC 9110 §9.3.8). `None`: the method is not allowed there.
    pub(crate) fn candidates(&self, leaf: u32, method: &str) -> Option<&[Candidate]> {
        let entries = slice(&self.methods, self.leaves[leaf as usize].methods);
        let named =
            |name: &str| entries.iter().find(|entry| self.bytes(entry.method) == name.as_bytes());
        let entry = named(method)
            .or_else(|| if method == "HEAD" { named("GET") } else { None })
            .or_else(|| if method == "TRACE" { None } else { named("*") })?;
        Some(slice(&self.candidates, entry.candidates))
    }

    /// What stands in `Allow` for a leaf; empty if all its operations are hidden.
    pub(crate) fn allow(&self, leaf: u32) -> &str {
        self.text(self.leaves[leaf as usize].allow)
    }

    /// The operations of a leaf that are not hidden.
    pub(crate) fn operations(&self, leaf: u32) -> impl Iterator<Item = usize> {
        slice(&self.methods, self.leaves[leaf as usize].methods)
            .iter()
            .flat_map(|entry| slice(&self.candidates, entry.candidates))
            .filter_map(Candidate::operation)
    }

    /// Bytes on the heap, conditions not counted.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.text.len()
            + size_of_val(&*self.nodes)
            + size_of_val(&*self.literals)
            + size_of_val(&*self.mixed)
            + size_of_val(&*self.pieces)
            + size_of_val(&*self.leaves)
            + size_of_val(&*self.methods)
            + size_of_val(&*self.candidates)
    }

    fn text(&self, span: Span) -> &str {
        &self.text[span.start as usize..(span.start + span.length) as usize]
    }

    #[inline]
    fn bytes(&self, span: Span) -> &[u8] {
        &self.text.as_bytes()[span.start as usize..(span.start + span.length) as usize]
    }
}

fn slice<T>(table: &[T], span: Span) -> &[T] {
    &table[span.start as usize..(span.start + span.length) as usize]
}

/// One search for a path.
struct Walk<'r, 'p, 'c> {
    router: &'r Router,
    path: &'p str,
    captures: &'c mut Captures,
    near: bool,
    /// Every segment is its own loose form.
    own_loose: bool,
    /// Near segments are taken for equal.
    loosely: bool,
}

impl Walk<'_, '_, '_> {
    fn begin(&mut self, from: usize) -> Option<u32> {
        // The prefix alone and the prefix with a slash are both the service's `/`.
        if self.path.len() <= from + 1 {
            return some(self.router.nodes[0].slash);
        }
        self.segment(0, from + 1)
    }

    /// The segment that begins at `start`, below `node`.
    fn segment(&mut self, node: u32, start: usize) -> Option<u32> {
        let router = self.router;
        let node = &router.nodes[node as usize];
        if start == self.path.len() {
            return self.ending(node.slash, node.leaf);
        }
        let rest = &self.path.as_bytes()[start..];
        let end = memchr(b'/', rest).map_or(self.path.len(), |length| start + length);
        let kept = self.captures.count;
        if let Some(leaf) = self.vanishing(node, start, end) {
            return Some(leaf);
        }
        if node.literals.length > 0
            && let Some(leaf) = self.literal(node, start, end)
        {
            return Some(leaf);
        }
        for edge in slice(&router.mixed, node.mixed) {
            if self.pieces(edge, start, end)
                && let Some(leaf) = self.after(edge.child, end)
            {
                return Some(leaf);
            }
            self.captures.count = kept;
        }
        if node.param != NONE && end > start {
            self.captures.push(start, end);
            if let Some(leaf) = self.after(node.param, end) {
                return Some(leaf);
            }
            self.captures.count = kept;
        }
        let leaf = some(node.tail)?;
        self.captures.push(start, self.path.len());
        Some(leaf)
    }

    /// What follows a segment that ended at `end`.
    fn after(&mut self, node: u32, end: usize) -> Option<u32> {
        if end < self.path.len() {
            return self.segment(node, end + 1);
        }
        self.end_at(node)
    }

    fn end_at(&mut self, node: u32) -> Option<u32> {
        let node = &self.router.nodes[node as usize];
        self.ending(node.leaf, node.slash)
    }

    /// The end of the path: the leaf that fits, or in a loose walk the one that differs by a slash.
    fn ending(&mut self, fits: u32, differs: u32) -> Option<u32> {
        if fits != NONE {
            return Some(fits);
        }
        if differs != NONE {
            self.near = true;
            if self.loosely {
                return Some(differs);
            }
        }
        None
    }

    /// A segment that a careless reader may see nothing of (`%20`, `%23x`): the path ends before it.
    fn vanishing(&mut self, node: &Node, start: usize, end: usize) -> Option<u32> {
        if self.own_loose || (node.slash == NONE && node.leaf == NONE) {
            return None;
        }
        let loose = Loose::of(&self.path[start..end])?;
        if !loose.as_bytes().is_empty() || !(loose.ends_path || end == self.path.len()) {
            return None;
        }
        self.near = true;
        if self.loosely { self.ending(node.slash, node.leaf) } else { None }
    }

    fn literal(&mut self, node: &Node, start: usize, end: usize) -> Option<u32> {
        let router = self.router;
        let segment = &self.path[start..end];
        let loose = if self.own_loose { None } else { Loose::of(segment) };
        let key = loose.as_ref().map_or(segment.as_bytes(), Loose::as_bytes);
        let edges = slice(&router.literals, node.literals);
        let hash = key_hash(key);
        let first = edges.partition_point(|edge| edge.hash < hash);
        let same_hash = edges[first..].iter().take_while(|edge| edge.hash == hash);
        let same_key = || same_hash.clone().filter(|edge| router.bytes(edge.key) == key);
        if let Some(edge) = same_key().find(|edge| router.bytes(edge.text) == segment.as_bytes())
            && let Some(leaf) = self.after(edge.child, end)
        {
            return Some(leaf);
        }
        let ends_path = loose.as_ref().is_some_and(|loose| loose.ends_path);
        for edge in same_key().filter(|edge| router.bytes(edge.text) != segment.as_bytes()) {
            self.near = true;
            if self.loosely
                && let Some(leaf) =
                    if ends_path { self.end_at(edge.child) } else { self.after(edge.child, end) }
            {
                return Some(leaf);
            }
        }
        None
    }

    /// Whether the segment is made of these pieces; pushes the parameters.
    fn pieces(&mut self, edge: &MixedEdge, start: usize, end: usize) -> bool {
        let pieces = slice(&self.router.pieces, edge.pieces);
        let segment = &self.path[start..end];
        let captures = &mut *self.captures;
        if fits(self.router, pieces, segment.as_bytes(), false, |from, to| {
            captures.push(start + from, start + to)
        }) {
            return true;
        }
        if self.own_loose {
            return false;
        }
        let near = Loose::of(segment)
            .is_some_and(|loose| fits(self.router, pieces, loose.as_bytes(), true, |_, _| {}));
        self.near |= near;
        near && self.loosely
    }
}

/// Segments are looked up by this: comparing numbers is cheaper than comparing texts, and one text is compared
/// at the end.
fn key_hash(key: &[u8]) -> u32 {
    hash(key) as u32
}

fn some(index: u32) -> Option<u32> {
    (index != NONE).then_some(index)
}

/// Whether a segment is made of these pieces. Each parameter takes at least one character and, but for
/// the last, as little as it can; the last literal stands at the end. Linear in the segment for each
/// literal, no backtracking.
fn fits(
    router: &Router,
    pieces: &[MixedPiece],
    segment: &[u8],
    loosely: bool,
    mut capture: impl FnMut(usize, usize),
) -> bool {
    let literal = |piece: &MixedPiece| match piece {
        MixedPiece::Literal { text, loose } => {
            Some(router.bytes(if loosely { *loose } else { *text }))
        }
        MixedPiece::Parameter => None,
    };
    let mut at = 0;
    let mut index = 0;
    while let Some(piece) = pieces.get(index) {
        if let Some(text) = literal(piece) {
            if !segment[at..].starts_with(text) {
                return false;
            }
            at += text.len();
            index += 1;
            continue;
        }
        if at >= segment.len() {
            return false;
        }
        // An escape is one character.
        let least = at + if segment[at] == b'%' { 3.min(segment.len() - at) } else { 1 };
        let end = match pieces.get(index + 1) {
            None => segment.len(),
            Some(next) => match literal(next) {
                None => least,
                Some(text) if index + 2 == pieces.len() => {
                    match segment.len().checked_sub(text.len()) {
                        Some(end) if end >= least => end,
                        _ => return false,
                    }
                }
                Some(text) => match memmem::find(&segment[least..], text) {
                    Some(length) => least + length,
                    None => return false,
                },
            },
        };
        capture(at, end);
        at = end;
        index += 1;
    }
    at == segment.len()
}

mod build;

#[cfg(test)]
mod tests;
