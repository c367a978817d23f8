//! All files of one contract, and how references lead from one to another.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use crate::contract::{Node, ResolveFault};
use crate::document::Document;
use crate::pointer;
use crate::reference::{self, Fragment, Reference, ReferenceFault};

/// The documents of a contract: the one that was read first, then those it refers to.
#[derive(Clone, Debug, Default)]
pub struct Library {
    documents: Vec<Arc<Document>>,
    by_path: HashMap<String, usize>,
}

impl Library {
    /// Adds a document under its path below the root.
    pub(crate) fn add(&mut self, path: String, document: Document) -> usize {
        let index = self.documents.len();
        self.documents.push(Arc::new(document));
        self.by_path.insert(path, index);
        index
    }

    /// The document of that number.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Arc<Document>> {
        self.documents.get(index)
    }

    /// All documents.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Document>> {
        self.documents.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// There are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    pub(crate) fn index_of(&self, path: &str) -> Option<usize> {
        self.by_path.get(path).copied()
    }

    /// Reads a reference that stands in document `base`, its own address taken into account.
    pub(crate) fn read(&self, base: usize, text: &str) -> Result<Reference, ReferenceFault> {
        let Some(document) = self.documents.get(base) else {
            return Err(ReferenceFault::OutsideRoot);
        };
        let local = document.own_address().and_then(|address| text.strip_prefix(address));
        let text = match local {
            Some(rest) if rest.is_empty() || rest.starts_with('#') => rest,
            _ => text,
        };
        reference::parse(document.path(), text)
    }

    /// The node a reference in document `base` names, whether or not it exists there.
    pub(crate) fn target(&self, base: usize, text: &str) -> Result<Node, ResolveFault> {
        if let Some(pointer) = self.bare_name(base, text) {
            return Ok(Node { document: base, pointer });
        }
        let reference =
            self.read(base, text).map_err(|fault| ResolveFault::Unusable(fault.to_string()))?;
        let document = match &reference.file {
            None => base,
            Some(path) => self.index_of(path).ok_or_else(|| {
                ResolveFault::Unusable(format!("the file `{path}` could not be read"))
            })?,
        };
        let pointer = match reference.fragment {
            Fragment::Pointer(pointer) => pointer,
            Fragment::Anchor(name) => self
                .documents
                .get(document)
                .and_then(|document| document.anchor(&name))
                .ok_or_else(|| {
                    ResolveFault::Missing(Node { document, pointer: format!("#{name}") })
                })?
                .to_owned(),
        };
        Ok(Node { document, pointer })
    }

    /// `$ref: Pet`, an early habit: the name of a schema alone.
    pub(crate) fn bare_name(&self, base: usize, text: &str) -> Option<String> {
        if text.is_empty() || text.contains(['#', '/', '.', ':']) {
            return None;
        }
        let root = self.documents.get(base)?.value();
        ["/definitions", "/components/schemas"]
            .into_iter()
            .map(|group| pointer::child(group, text))
            .find(|pointer| pointer::lookup(root, pointer).is_some())
    }

    /// The node of that name. Where its pointer runs through a reference, the reference is followed.
    pub(crate) fn locate(&self, node: Node, steps: usize) -> Result<(Node, &Value), ResolveFault> {
        let mut node = node;
        for _ in 0..=steps {
            let Some(document) = self.documents.get(node.document) else {
                return Err(ResolveFault::Missing(node));
            };
            if let Some(value) = pointer::lookup(document.value(), &node.pointer) {
                return Ok((node, value));
            }
            let (taken, value) = reference::deepest(document.value(), &node.pointer);
            let Some(text) = reference::of(value) else { return Err(ResolveFault::Missing(node)) };
            let mut onward = self.target(node.document, text)?;
            onward.pointer.push_str(&reference::rest_after(&node.pointer, taken));
            // Pointers that grow without end go in a circle.
            if onward.pointer.len() > 64 * 1024 {
                return Err(ResolveFault::Circle(node));
            }
            node = onward;
        }
        Err(ResolveFault::Circle(node))
    }
}

impl std::ops::Index<usize> for Library {
    type Output = Arc<Document>;

    fn index(&self, index: usize) -> &Arc<Document> {
        &self.documents[index]
    }
}
