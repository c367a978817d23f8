//! From the parsed documents to the contract: lenient views, one file per part.
//!
//! Nothing here fails. What is not as it should be is reported by `check` (form) or here (meaning), and
//! left out or repaired so that everything else still stands.

use std::cell::Cell;

use serde_json::{Map, Value};

use crate::contract::{Contract, Node, Operation, SpecVersion, Tag};
use crate::findings::Findings;
use crate::library::Library;
use crate::limits::Limits;
use crate::load::Sources;
use crate::pointer;
use crate::reference;
use crate::version::Version;

mod names;
mod operation;
mod parameters;
mod paths;
mod routes;
mod security;
mod servers;

pub(crate) use paths::is_method;

/// A value and its name.
#[derive(Clone, Debug)]
pub(crate) struct At<'l> {
    pub(crate) node: Node,
    pub(crate) value: &'l Value,
}

impl<'l> At<'l> {
    fn root(library: &'l Library) -> At<'l> {
        At { node: Node { document: 0, pointer: String::new() }, value: library[0].value() }
    }

    fn child(&self, key: &str) -> Option<At<'l>> {
        let value = self.value.as_object()?.get(key)?;
        Some(At { node: self.node_of(key), value })
    }

    fn node_of(&self, key: &str) -> Node {
        Node { document: self.node.document, pointer: pointer::child(&self.node.pointer, key) }
    }

    fn members(&self) -> impl Iterator<Item = (&'l str, At<'l>)> {
        let node = self.node.clone();
        self.value.as_object().into_iter().flatten().map(move |(key, value)| {
            let node =
                Node { document: node.document, pointer: pointer::child(&node.pointer, key) };
            (key.as_str(), At { node, value })
        })
    }

    fn items(&self) -> impl Iterator<Item = At<'l>> {
        let node = self.node.clone();
        self.value.as_array().into_iter().flatten().enumerate().map(move |(index, value)| {
            let node = Node {
                document: node.document,
                pointer: pointer::child(&node.pointer, &index.to_string()),
            };
            At { node, value }
        })
    }

    fn text(&self, key: &str) -> Option<String> {
        text(self.value.get(key)?)
    }

    fn flag(&self, key: &str) -> bool {
        match self.value.get(key) {
            Some(Value::Bool(flag)) => *flag,
            // Hand-written documents quote booleans now and then.
            Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
            _ => false,
        }
    }
}

/// Longest text that is copied out of a document, in bytes. What is longer is cut: references let one
/// text be copied many times. The whole stands in the document.
const TEXT_BYTES: usize = 64 * 1024;

/// A text, or a scalar that should have been one.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text[..text.floor_char_boundary(TEXT_BYTES)].to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// A text that says something.
fn words(value: Option<&Value>) -> Option<String> {
    value.and_then(text).filter(|text| !text.trim().is_empty())
}

/// Patterns of path parameters that are compiled for one contract; compiling is slow.
const PATTERNS: usize = 2_000;

/// What the parts of the reader share.
pub(crate) struct Reader<'l, 'f> {
    library: &'l Library,
    version: SpecVersion,
    limits: &'l Limits,
    findings: &'f mut Findings,
    /// Memory left for what is copied out of the documents, in bytes.
    bytes_left: usize,
    /// Patterns of path parameters that may still be compiled.
    patterns_left: Cell<usize>,
}

impl<'l> Reader<'l, '_> {
    /// The value itself, or what its reference leads to. Dangling references were reported on loading.
    fn follow(&self, at: At<'l>) -> Option<At<'l>> {
        if reference::of(at.value).is_none() {
            return Some(at);
        }
        let (node, value) =
            reference::resolve(self.library, at.node, self.limits.reference_steps).ok()?;
        Some(At { node, value })
    }
}

/// Reads the contract.
pub(crate) fn read(
    file: &str,
    sources: &Sources<'_>,
    version: Version,
    limits: &Limits,
    findings: &mut Findings,
) -> Contract {
    let library = &sources.library;
    let root = At::root(library);
    if let Some(oddity) = version.oddity {
        let node =
            if oddity.member.is_empty() { root.node.clone() } else { root.node_of(oddity.member) };
        findings.warn(oddity.code, node, oddity.message, oddity.fix);
    }
    let mut reader = Reader {
        library,
        version: version.version,
        limits,
        findings,
        bytes_left: sources.budget.left_bytes,
        patterns_left: Cell::new(PATTERNS),
    };
    let info = root.child("info");
    let security_schemes = reader.security_schemes(&root);
    let security = reader.requirements(&root);
    let servers = reader.root_servers(&root);
    let drafts = reader.paths(&root);
    let mut operations = reader.operations(drafts, &root, security.as_ref());
    reader.check_requirements(&operations, security.as_ref(), &security_schemes, &root);
    names::give(&mut operations, reader.findings);
    let routes = routes::gather(&mut operations, &mut reader);
    let operations: Vec<Operation> = operations.into_iter().map(|draft| draft.operation).collect();
    if operations.is_empty() {
        reader.nothing_to_route(&root);
    }
    let of_info = |member: &str| info.as_ref().and_then(|info| info.text(member));
    Contract {
        file: file.to_owned(),
        version: version.version,
        version_written: version.written,
        title: of_info("title").unwrap_or_default(),
        info_version: of_info("version").unwrap_or_default(),
        description: info
            .as_ref()
            .and_then(|info| info.value.get("description")?.as_str().map(str::to_owned)),
        servers,
        operations,
        routes,
        security_schemes,
        security,
        tags: tags(&root),
        webhooks: webhooks(&root),
        documents: library.clone(),
        extensions: extensions(root.value),
    }
}

impl Reader<'_, '_> {
    /// A document without operations is legal, but nothing can be routed by it.
    fn nothing_to_route(&mut self, root: &At<'_>) {
        let node = root.child("paths").map_or_else(|| root.node.clone(), |paths| paths.node);
        let message = if root.value.get("paths").is_some() {
            "`paths` holds no operation, so nothing can be routed"
        } else if root.value.get("webhooks").is_some() || root.value.get("components").is_some() {
            "the document has no `paths`, so nothing can be routed"
        } else {
            "the document has neither `paths` nor `webhooks` nor `components`, so it describes nothing"
        };
        self.findings.warn(
            "no-operations",
            node,
            message,
            "describe at least one operation under `paths`",
        );
    }
}

fn tags(root: &At<'_>) -> Vec<Tag> {
    let Some(tags) = root.child("tags") else { return Vec::new() };
    tags.items()
        .filter_map(|tag| {
            let name = tag.text("name").or_else(|| text(tag.value))?;
            Some(Tag { name, description: words(tag.value.get("description")) })
        })
        .collect()
}

/// Operations under `webhooks` and the earlier `x-webhooks`.
fn webhooks(root: &At<'_>) -> usize {
    ["webhooks", "x-webhooks"]
        .into_iter()
        .filter_map(|member| root.value.get(member)?.as_object())
        .flat_map(Map::values)
        .filter_map(Value::as_object)
        .flat_map(Map::iter)
        .filter(|(method, operation)| is_method(method) && operation.is_object())
        .count()
}

/// The members that speak to Portway.
fn extensions(value: &Value) -> Vec<(String, Value)> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, _)| key.starts_with("x-portway-"))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
