//! Schema resources: which addresses and names the schemas of the documents give themselves.
//!
//! `$id`, `$anchor` and `$dynamicAnchor` count only where a schema stands, never in examples or constants, so
//! the walk goes by keywords. It is iterative; a place is visited once.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::Dialect;
use super::address;
use crate::library::Library;

/// A schema, and where it was found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot<'a> {
    pub(super) document: usize,
    pub(super) resource: u32,
    pub(super) value: &'a Value,
}

impl<'a> Spot<'a> {
    /// The place in memory is the place in the document: documents do not change.
    pub(super) fn key(&self) -> *const Value {
        self.value
    }

    pub(super) fn with(self, value: &'a Value) -> Self {
        Self { value, ..self }
    }
}

/// A schema with an address of its own, or a whole document.
pub(super) struct Resource<'a> {
    pub(super) address: String,
    pub(super) root: Spot<'a>,
    pub(super) anchors: HashMap<&'a str, Spot<'a>>,
    pub(super) dynamic: HashMap<&'a str, Spot<'a>>,
}

/// All resources.
pub(super) struct Index<'a> {
    pub(super) dialect: Dialect,
    pub(super) resources: Vec<Resource<'a>>,
    /// The resources that are whole documents, by their numbers.
    documents: Vec<u32>,
    by_address: HashMap<String, u32>,
    resource_of: HashMap<*const Value, u32>,
    library: Option<&'a Library>,
}

/// Keywords whose value is a schema.
const ONE: &[&str] = &[
    "additionalItems",
    "additionalProperties",
    "contains",
    "contentSchema",
    "else",
    "if",
    "items",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
];
/// Keywords whose value is a list of schemas.
const LIST: &[&str] = &["allOf", "anyOf", "items", "oneOf", "prefixItems"];
/// Keywords whose value is a map of schemas.
const MAP: &[&str] = &[
    "$defs",
    "definitions",
    "dependencies",
    "dependentSchemas",
    "patternProperties",
    "properties",
];

impl<'a> Index<'a> {
    pub(super) fn new(dialect: Dialect, library: Option<&'a Library>) -> Self {
        Self {
            dialect,
            resources: Vec::new(),
            documents: Vec::new(),
            by_address: HashMap::new(),
            resource_of: HashMap::new(),
            library,
        }
    }

    /// Adds a document under its address. Documents are numbered in this order.
    pub(super) fn add_document(&mut self, address: &str, value: &'a Value) -> Spot<'a> {
        let root = Spot { document: self.documents.len(), resource: self.next(), value };
        self.documents.push(root.resource);
        self.add_resource(address::split(address).0.to_owned(), root);
        self.walk(root);
        root
    }

    fn next(&self) -> u32 {
        u32::try_from(self.resources.len()).unwrap_or(u32::MAX)
    }

    fn add_resource(&mut self, address: String, root: Spot<'a>) {
        self.by_address.entry(address.clone()).or_insert(root.resource);
        self.resources.push(Resource {
            address,
            root,
            anchors: HashMap::new(),
            dynamic: HashMap::new(),
        });
    }

    /// The same place, with the resource that it is known to belong to.
    pub(super) fn placed(&mut self, spot: Spot<'a>) -> Spot<'a> {
        if let Some(&resource) = self.resource_of.get(&spot.key()) {
            return Spot { resource, ..spot };
        }
        self.walk(spot);
        Spot {
            resource: self.resource_of.get(&spot.key()).copied().unwrap_or(spot.resource),
            ..spot
        }
    }

    /// Visits a schema and all below it.
    fn walk(&mut self, start: Spot<'a>) {
        let mut waiting = vec![start];
        while let Some(spot) = waiting.pop() {
            if self.resource_of.contains_key(&spot.key()) {
                continue;
            }
            let Value::Object(members) = spot.value else {
                self.resource_of.insert(spot.key(), spot.resource);
                continue;
            };
            let resource = self.name(spot, members);
            self.resource_of.insert(spot.key(), resource);
            let spot = Spot { resource, ..spot };
            each_child(members, |child| waiting.push(spot.with(child)));
        }
    }

    /// Notes the names that a schema gives itself. Its resource, which may be a new one.
    fn name(&mut self, spot: Spot<'a>, members: &'a Map<String, Value>) -> u32 {
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        let id = match self.dialect {
            Dialect::Draft4 if !members.contains_key("$ref") => text("id"),
            Dialect::Draft202012 => text("$id"),
            _ => None,
        };
        let mut spot = spot;
        if let Some(id) = id {
            let (address, fragment) = address::split(id);
            if address.is_empty() {
                let anchors = &mut self.resources[spot.resource as usize].anchors;
                anchors.entry(fragment).or_insert(spot);
            } else {
                let base = &self.resources[spot.resource as usize].address;
                let address = address::join(base, address);
                spot.resource = self.next();
                self.add_resource(address, spot);
            }
        }
        if self.dialect == Dialect::Draft202012 {
            let resource = &mut self.resources[spot.resource as usize];
            if let Some(name) = text("$anchor") {
                resource.anchors.entry(name).or_insert(spot);
            }
            if let Some(name) = text("$dynamicAnchor") {
                resource.anchors.entry(name).or_insert(spot);
                resource.dynamic.entry(name).or_insert(spot);
            }
        }
        spot.resource
    }

    /// What a reference names.
    ///
    /// # Errors
    /// Why it names nothing, as a sentence.
    pub(super) fn target(&mut self, from: Spot<'a>, text: &str) -> Result<Spot<'a>, String> {
        let (address, fragment) = address::split(text);
        let base = &self.resources[from.resource as usize].address;
        let whole = address::join(base, address);
        let found = self.by_address.get(&whole).copied();
        if let Some(spot) = found.and_then(|resource| self.in_resource(resource, fragment)) {
            return Ok(self.placed(spot));
        }
        let unknown = || format!("the reference `{text}` leads to nothing that was loaded");
        let library = self.library.ok_or_else(unknown)?;
        let node = library.target(from.document, text).map_err(|_| unknown())?;
        let (node, value) = library.locate(node, 64).map_err(|_| unknown())?;
        let resource = self.document(node.document).ok_or_else(unknown)?;
        Ok(self.placed(Spot { document: node.document, resource, value }))
    }

    fn in_resource(&self, resource: u32, fragment: &str) -> Option<Spot<'a>> {
        // A document whose root gives itself another address has its names under that one.
        let root = self.resources[resource as usize].root;
        let resource = self.resource_of.get(&root.key()).copied().unwrap_or(resource);
        let resource = &self.resources[resource as usize];
        if fragment.is_empty() {
            return Some(resource.root);
        }
        let decoded = percent_decoded(fragment)?;
        if decoded.starts_with('/') {
            let value = crate::pointer::lookup(resource.root.value, &decoded)?;
            return Some(resource.root.with(value));
        }
        resource.anchors.get(&*decoded).copied()
    }

    /// The resource that is a whole document.
    pub(super) fn document(&self, number: usize) -> Option<u32> {
        self.documents.get(number).copied()
    }

    /// Whether the metaschema that a resource names leaves validation out (2020-12 core, section 8.1.2).
    pub(super) fn only_annotates(&self, resource: u32) -> bool {
        if self.dialect != Dialect::Draft202012 {
            return false;
        }
        let root = self.resources[resource as usize].root.value;
        let Some(metaschema) = root.get("$schema").and_then(Value::as_str) else { return false };
        let Some(&known) = self.by_address.get(address::split(metaschema).0) else { return false };
        let vocabulary = self.resources[known as usize].root.value.get("$vocabulary");
        vocabulary.and_then(Value::as_object).is_some_and(|vocabulary| {
            !vocabulary.contains_key("https://json-schema.org/draft/2020-12/vocab/validation")
        })
    }
}

fn each_child<'a>(members: &'a Map<String, Value>, mut see: impl FnMut(&'a Value)) {
    for (name, value) in members {
        let name = name.as_str();
        match value {
            Value::Object(map) if MAP.contains(&name) => map.values().for_each(&mut see),
            Value::Array(list) if LIST.contains(&name) => list.iter().for_each(&mut see),
            Value::Object(_) if ONE.contains(&name) => see(value),
            _ => {}
        }
    }
}

/// Percent escapes decoded; nothing if the result is not text.
fn percent_decoded(text: &str) -> Option<String> {
    if !text.contains('%') {
        return Some(text.to_owned());
    }
    String::from_utf8(percent_bytes(text)).ok()
}

fn percent_bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        rest = after;
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        if first == b'%'
            && let [high, low, after @ ..] = after
            && let (Some(high), Some(low)) = (digit(high), digit(low))
        {
            out.push(u8::try_from(high << 4 | low).unwrap_or(b'%'));
            rest = after;
        } else {
            out.push(first);
        }
    }
    out
}
