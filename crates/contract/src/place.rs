//! Where nodes stand: lines and columns for JSON pointers, found by going over the text once more.
//!
//! Parsed trees carry no places, because most documents need few of them and trees are big. Given a set
//! of pointers, [`find`] walks the text with a streaming scanner (JSON by hand, YAML by parser events)
//! and notes where each stands; a pointer that leads nowhere gets the place of its nearest ancestor.
//! The texts have been parsed before, so on anything unexpected the scan just stops.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Parser};

use crate::document::Format;
use crate::json::string_end;
use crate::pointer;
use crate::yaml;

/// A line and a column in characters, both from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// The places of the nodes that `pointers` name, in their order.
pub(crate) fn find(text: &str, format: Format, depth: usize, pointers: &[&str]) -> Vec<Place> {
    let mut finder = Finder::new(pointers);
    scan(text, format, depth, &mut finder);
    let offsets: Vec<usize> = pointers.iter().map(|pointer| finder.offset(pointer)).collect();
    places(text, &offsets)
}

/// A key that stands more than once: the pointer of its object's member, and where it stands again.
pub(crate) struct Repeated {
    pub(crate) pointer: String,
    pub(crate) place: Place,
}

/// The first `limit` keys that stand more than once in their object.
pub(crate) fn repeated_keys(
    text: &str,
    format: Format,
    depth: usize,
    limit: usize,
) -> Vec<Repeated> {
    let mut watcher = Watcher { levels: Vec::new(), key: String::new(), found: Vec::new(), limit };
    scan(text, format, depth, &mut watcher);
    let offsets: Vec<usize> = watcher.found.iter().map(|(_, offset)| *offset).collect();
    let places = places(text, &offsets);
    watcher
        .found
        .into_iter()
        .zip(places)
        .map(|((pointer, _), place)| Repeated { pointer, place })
        .collect()
}

/// Byte offsets as lines and columns, in one pass over the text.
pub(crate) fn places(text: &str, offsets: &[usize]) -> Vec<Place> {
    let mut order: Vec<usize> = (0..offsets.len()).collect();
    order.sort_by_key(|index| offsets[*index]);
    let mut places = vec![Place::default(); offsets.len()];
    let mut line = 1u32;
    let mut column = 1u32;
    // Counting goes on from the last offset, so that one long line stays linear.
    let mut counted_to = 0;
    for index in order {
        let mut offset = offsets[index].min(text.len());
        while !text.is_char_boundary(offset) {
            offset -= 1;
        }
        let between = &text.as_bytes()[counted_to..offset];
        let newlines = memchr::memchr_iter(b'\n', between).count();
        if let Some(last) = memchr::memrchr(b'\n', between) {
            line = line.saturating_add(u32::try_from(newlines).unwrap_or(u32::MAX));
            column = 1;
            counted_to += last + 1;
        }
        let characters = text[counted_to..offset].chars().count();
        column = column.saturating_add(u32::try_from(characters).unwrap_or(u32::MAX));
        counted_to = offset;
        places[index] = Place { line, column };
    }
    places
}

/// What a scan tells, in the order of the text.
trait Sink {
    /// An object or array begins; `false` leaves out what is in it.
    fn open(&mut self, object: bool, at: usize) -> bool;
    /// The object or array that was opened last, and not left out, ends.
    fn close(&mut self);
    /// A key of the open object.
    fn key(&mut self, key: &str, at: usize);
    /// A value that is neither object nor array.
    fn scalar(&mut self, at: usize);
    /// Nothing more is wanted.
    fn done(&self) -> bool;
}

fn scan(text: &str, format: Format, depth: usize, sink: &mut impl Sink) {
    match format {
        Format::Json => scan_json(text, sink),
        Format::Yaml => scan_yaml(text, depth, sink),
    }
}

fn scan_json(text: &str, sink: &mut impl Sink) {
    let bytes = text.as_bytes();
    let mut open: Vec<bool> = Vec::new();
    let mut awaits_key = false;
    let mut at = 0;
    while at < bytes.len() && !sink.done() {
        match bytes[at] {
            b'{' | b'[' => {
                let object = bytes[at] == b'{';
                if sink.open(object, at) {
                    open.push(object);
                    awaits_key = object;
                    at += 1;
                } else {
                    at = container_end(bytes, at);
                }
            }
            b'}' | b']' => {
                if open.pop().is_none() {
                    return;
                }
                sink.close();
                awaits_key = false;
                at += 1;
            }
            b',' => {
                awaits_key = open.last().copied().unwrap_or(false);
                at += 1;
            }
            b'"' => {
                let end = string_end(bytes, at);
                if awaits_key {
                    sink.key(&key_text(&text[at..end]), at);
                    awaits_key = false;
                } else {
                    sink.scalar(at);
                }
                at = end;
            }
            b' ' | b'\n' | b'\r' | b'\t' | b':' => at += 1,
            _ => {
                sink.scalar(at);
                at += bytes[at..]
                    .iter()
                    .take_while(|byte| !b",]} \n\r\t".contains(byte))
                    .count()
                    .max(1);
            }
        }
    }
}

/// The offset after the object or array that begins at `at`.
fn container_end(bytes: &[u8], at: usize) -> usize {
    let mut depth = 0usize;
    let mut at = at;
    while at < bytes.len() {
        match bytes[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + 1;
                }
            }
            b'"' => {
                at = string_end(bytes, at);
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

fn key_text(quoted: &str) -> Cow<'_, str> {
    let inner = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(quoted);
    if inner.contains('\\') {
        serde_json::from_str::<String>(quoted).map_or(Cow::Borrowed(inner), Cow::Owned)
    } else {
        Cow::Borrowed(inner)
    }
}

fn scan_yaml(text: &str, depth: usize, sink: &mut impl Sink) {
    /// What an open collection awaits next.
    #[derive(Clone, Copy, PartialEq)]
    enum Awaits {
        Item,
        Key,
        Value,
    }
    let mut open: Vec<Awaits> = Vec::new();
    let mut left_out = 0usize;
    let mut documents = 0;
    for next in Parser::new_from_str_with_options(text, yaml::options(depth)) {
        let Ok((event, span)) = next else { return };
        if sink.done() {
            return;
        }
        let at = span.start.byte_offset().unwrap_or(0);
        match event {
            Event::DocumentStart(..) => {
                documents += 1;
                if documents > 1 {
                    return;
                }
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if left_out > 0 {
                    left_out -= 1;
                    continue;
                }
                open.pop();
                sink.close();
                continue;
            }
            Event::Scalar(..) | Event::Alias(_) | Event::UnresolvedAlias(_) if left_out > 0 => {
                continue;
            }
            Event::SequenceStart(..) | Event::MappingStart(..) if left_out > 0 => {
                left_out += 1;
                continue;
            }
            _ => {}
        }
        let awaits = open.last().copied();
        let is_key = awaits == Some(Awaits::Key);
        match &event {
            Event::Scalar(text, ..) if is_key => sink.key(text, at),
            Event::Scalar(..) | Event::Alias(_) | Event::UnresolvedAlias(_) if !is_key => {
                sink.scalar(at)
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => sink.key("", at),
            Event::SequenceStart(..) | Event::MappingStart(..) => {
                let object = matches!(event, Event::MappingStart(..));
                if is_key {
                    sink.key("?", at);
                    left_out = 1;
                } else if !sink.open(object, at) {
                    left_out = 1;
                }
            }
            _ => continue,
        }
        if let Some(top) = open.last_mut() {
            *top = match *top {
                Awaits::Key => Awaits::Value,
                Awaits::Value => Awaits::Key,
                Awaits::Item => Awaits::Item,
            };
        }
        if left_out == 0 {
            match event {
                Event::MappingStart(..) => open.push(Awaits::Key),
                Event::SequenceStart(..) => open.push(Awaits::Item),
                _ => {}
            }
        }
    }
}

/// Looks for the nodes of a set of pointers, held as a tree of tokens.
struct Finder {
    nodes: Vec<Wanted>,
    levels: Vec<Level>,
    /// The wanted node that the key just read leads to.
    pending: Option<usize>,
    left: usize,
}

#[derive(Default)]
struct Wanted {
    children: HashMap<String, usize>,
    offset: Option<usize>,
}

struct Level {
    node: usize,
    object: bool,
    next_index: usize,
}

impl Finder {
    fn new(pointers: &[&str]) -> Finder {
        let mut finder =
            Finder { nodes: vec![Wanted::default()], levels: Vec::new(), pending: None, left: 1 };
        for pointer in pointers {
            let mut node = 0;
            for token in pointer::tokens(pointer).unwrap_or_default() {
                let fresh = finder.nodes.len();
                let next = *finder.nodes[node].children.entry(token).or_insert(fresh);
                if next == fresh {
                    finder.nodes.push(Wanted::default());
                    finder.left += 1;
                }
                node = next;
            }
        }
        finder
    }

    fn offset(&self, pointer: &str) -> usize {
        let mut node = 0;
        let mut offset = self.nodes[0].offset;
        for token in pointer::tokens(pointer).unwrap_or_default() {
            let Some(next) = self.nodes[node].children.get(&token) else { break };
            node = *next;
            offset = self.nodes[node].offset.or(offset);
        }
        offset.unwrap_or(0)
    }

    fn note(&mut self, node: usize, at: usize) {
        if self.nodes[node].offset.is_none() {
            self.left -= 1;
        }
        // A key that stands twice has the place of its last, which is the one that counts.
        self.nodes[node].offset = Some(at);
    }

    /// The wanted node that the value beginning at `at` is, if it is one.
    fn value(&mut self, at: usize) -> Option<usize> {
        let Some(level) = self.levels.last_mut() else {
            self.note(0, at);
            return Some(0);
        };
        if level.object {
            return self.pending.take();
        }
        let index = level.next_index;
        level.next_index += 1;
        let wanted = &self.nodes[level.node];
        if wanted.children.is_empty() {
            return None;
        }
        let node = *wanted.children.get(index.to_string().as_str())?;
        self.note(node, at);
        Some(node)
    }
}

impl Sink for Finder {
    fn open(&mut self, object: bool, at: usize) -> bool {
        match self.value(at) {
            Some(node) if !self.nodes[node].children.is_empty() => {
                self.levels.push(Level { node, object, next_index: 0 });
                true
            }
            _ => false,
        }
    }

    fn close(&mut self) {
        self.levels.pop();
        self.pending = None;
    }

    fn key(&mut self, key: &str, at: usize) {
        self.pending =
            self.levels.last().and_then(|level| self.nodes[level.node].children.get(key).copied());
        if let Some(node) = self.pending {
            self.note(node, at);
        }
    }

    fn scalar(&mut self, at: usize) {
        self.value(at);
    }

    fn done(&self) -> bool {
        self.left == 0
    }
}

/// Looks for keys that stand more than once.
struct Watcher {
    levels: Vec<Watched>,
    key: String,
    found: Vec<(String, usize)>,
    limit: usize,
}

struct Watched {
    object: bool,
    seen: HashSet<String>,
    /// The token that leads from here to what is open below.
    token: String,
    next_index: usize,
}

impl Watcher {
    fn pointer_to(&self, key: &str) -> String {
        let mut text = String::new();
        for level in self.levels.iter().take(self.levels.len().saturating_sub(1)) {
            pointer::push(&mut text, &level.token);
        }
        pointer::push(&mut text, key);
        text
    }

    fn step(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            if level.object {
                level.token.clone_from(&self.key);
            } else {
                level.token = level.next_index.to_string();
                level.next_index += 1;
            }
        }
    }
}

impl Sink for Watcher {
    fn open(&mut self, object: bool, _at: usize) -> bool {
        self.step();
        self.levels.push(Watched {
            object,
            seen: HashSet::new(),
            token: String::new(),
            next_index: 0,
        });
        true
    }

    fn close(&mut self) {
        self.levels.pop();
    }

    fn key(&mut self, key: &str, at: usize) {
        self.key.clear();
        self.key.push_str(key);
        let fresh = self.levels.last_mut().is_none_or(|level| level.seen.insert(key.to_owned()));
        if !fresh && key != "<<" {
            self.found.push((self.pointer_to(key), at));
        }
    }

    fn scalar(&mut self, _at: usize) {
        self.step();
    }

    fn done(&self) -> bool {
        self.found.len() >= self.limit
    }
}

#[cfg(test)]
mod tests;
