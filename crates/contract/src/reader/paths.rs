//! Paths: which operations there are, and what their path keys mean.
//!
//! Real path keys are more than paths: they lack the first slash, carry queries that select an
//! operation (`/?Action=Run`), fragments that keep keys apart (`/#X-Amz-Target=…`), whole addresses,
//! unbalanced braces. What can be meant is made of them; each repair is a warning.

use serde_json::Value;

use super::{At, Reader};
use crate::contract::{Node, SpecVersion};
use crate::template::{MAX_PATH_BYTES, PathTemplate, TemplateFault};

/// An operation before it is read: where it is, and the path item around it.
pub(super) struct PathOperation<'l> {
    pub(super) method: String,
    pub(super) key: PathKey,
    pub(super) at: At<'l>,
    /// The path item, then what its `$ref` leads to.
    pub(super) items: Vec<At<'l>>,
}

/// A path key taken apart.
#[derive(Clone, Debug)]
pub(super) struct PathKey {
    /// The path alone.
    pub(super) path: String,
    /// `a=b&c` of `?a=b&c`.
    pub(super) query: Option<String>,
    /// What follows `#`.
    pub(super) fragment: Option<String>,
    /// The key in the document.
    pub(super) node: Node,
}

/// Methods with a member of their own in a path item, in the order operations are listed.
const METHODS: [&str; 9] =
    ["get", "head", "post", "put", "patch", "delete", "options", "trace", "query"];

/// The member names an operation.
pub(crate) fn is_method(member: &str) -> bool {
    METHODS.iter().any(|method| member.eq_ignore_ascii_case(method))
}

impl<'l> Reader<'l, '_> {
    /// All operations of `paths` and of Azure's `x-ms-paths`.
    pub(super) fn paths(&mut self, root: &At<'l>) -> Vec<PathOperation<'l>> {
        let mut found = Vec::new();
        for member in ["paths", "x-ms-paths"] {
            let Some(paths) = root.child(member) else { continue };
            let Some(paths) = self.follow(paths) else { continue };
            for (key, item) in paths.members() {
                if key.len() > MAX_PATH_BYTES {
                    self.findings.warn_once("path-too-long", "", || paths.node.clone(), || {
                        (
                            format!("a path has {} bytes, more than {MAX_PATH_BYTES}; it was left out", key.len()),
                            "shorten the path".to_owned(),
                        )
                    });
                } else if !key.starts_with("x-") {
                    self.path_item(key, item, &mut found);
                }
                if found.len() >= self.limits.operations {
                    self.too_many(&paths);
                    found.truncate(self.limits.operations);
                    return found;
                }
            }
        }
        found
    }

    fn too_many(&mut self, paths: &At<'l>) {
        let message = format!(
            "there are more than {} operations; the rest was left out",
            self.limits.operations
        );
        self.findings.warn(
            "too-many-operations",
            paths.node.clone(),
            message,
            "split the document",
        );
    }

    fn path_item(&mut self, key: &str, item: At<'l>, found: &mut Vec<PathOperation<'l>>) {
        // Other forms are reported by `check`; they hold no operations.
        if !item.value.is_object() {
            return;
        }
        let key = self.path_key(key, item.node.clone());
        let mut items = vec![item.clone()];
        if crate::reference::of(item.value).is_some()
            && let Some(target) = self.follow(item)
        {
            items.push(target);
        }
        for method in METHODS {
            if let Some(at) = items.iter().find_map(|item| self.method(item, method)) {
                found.push(PathOperation {
                    method: method.to_ascii_uppercase(),
                    key: key.clone(),
                    at,
                    items: items.clone(),
                });
            }
        }
        let more: Vec<(String, At<'l>)> = items
            .iter()
            .filter_map(|item| item.child("additionalOperations"))
            .flat_map(|more| {
                more.members().map(|(method, at)| (method.to_owned(), at)).collect::<Vec<_>>()
            })
            .collect();
        for (method, at) in more {
            if let Some(method) = self.additional_method(&method, &at)
                && !found.iter().any(|other| other.method == method && other.key.node == key.node)
            {
                found.push(PathOperation { method, key: key.clone(), at, items: items.clone() });
            }
        }
    }

    /// The operation under a method's member, in whatever case that is written.
    fn method(&mut self, item: &At<'l>, method: &str) -> Option<At<'l>> {
        let (written, at) = match item.child(method) {
            Some(at) => (method.to_owned(), at),
            None => item
                .value
                .as_object()?
                .iter()
                .find(|(member, _)| member.eq_ignore_ascii_case(method))
                .map(|(member, value)| {
                    (member.clone(), At { node: item.node_of(member), value })
                })?,
        };
        if written != method {
            let message = format!("the method is written `{written}`; it was read as `{method}`");
            self.findings.warn(
                "method-case",
                at.node.clone(),
                message,
                format!("write `{method}`"),
            );
        }
        if method == "query" && self.version < SpecVersion::V3_2 {
            self.findings.warn(
                "method-version",
                at.node.clone(),
                format!("`query` operations came with OpenAPI 3.2, this document is {}; it was read all the same", self.version),
                "write `openapi: \"3.2.0\"`",
            );
        }
        let at = self.follow(at)?;
        at.value.is_object().then_some(at)
    }

    /// A method of `additionalOperations`; `None`, with a finding, if it cannot be one.
    fn additional_method(&mut self, method: &str, at: &At<'l>) -> Option<String> {
        let is_token = !method.is_empty()
            && method.len() <= 64
            && method
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        if is_token && at.value.is_object() {
            return Some(method.to_ascii_uppercase());
        }
        self.findings.warn(
            "method-unknown",
            at.node.clone(),
            format!("`{method}` cannot be read as an operation and was left out"),
            "name a method that HTTP allows, and describe an operation under it",
        );
        None
    }

    /// Takes a path key apart and reports what is odd about it.
    fn path_key(&mut self, written: &str, node: Node) -> PathKey {
        let trimmed = written.trim();
        let (path, query, fragment) = split(trimmed);
        let mut path = match path.split_once("://") {
            Some((scheme, rest))
                if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") =>
            {
                self.findings.warn(
                    "path-address",
                    node.clone(),
                    format!("the path `{written}` is a whole address; only its path part was kept"),
                    "write the path alone, and the address under `servers`",
                );
                rest.find('/').map_or_else(|| "/".to_owned(), |slash| rest[slash..].to_owned())
            }
            _ => path.to_owned(),
        };
        if !path.starts_with('/') {
            path.insert(0, '/');
            self.findings.warn(
                "path-slash",
                node.clone(),
                format!("the path `{written}` does not begin with `/`; it was read as `{path}`"),
                format!("write `{path}`"),
            );
        }
        if let Some(query) = query {
            let message = format!(
                "the path `{written}` holds a query; `{query}` was read as a condition on the call's query"
            );
            self.findings.warn_once(
                "path-query",
                "",
                || node.clone(),
                || (message, "describe the query as parameters".to_owned()),
            );
        }
        if let Some(fragment) = fragment {
            let message = format!(
                "the path `{written}` holds a fragment, which calls never carry; `{fragment}` was read as a hint to what tells the operation apart"
            );
            self.findings.warn_once(
                "path-fragment",
                "",
                || node.clone(),
                || (message, "describe what tells the operations apart as parameters".to_owned()),
            );
        }
        PathKey {
            path,
            query: query.map(str::to_owned),
            fragment: fragment.map(str::to_owned),
            node,
        }
    }

    /// The template of a path, repaired where it can be; the names of declared path parameters help.
    /// `None`, with a finding, if no call can ever match it.
    pub(super) fn template(&mut self, key: &PathKey, declared: &[&str]) -> Option<PathTemplate> {
        let mut path = colon_parameters(&key.path, declared);
        let mut repaired = path != key.path;
        // Each repair removes one fault, and a path has a bounded number of them.
        for _ in 0..64 {
            let fault = match PathTemplate::parse(&path) {
                Ok(template) => {
                    if repaired {
                        self.findings.warn(
                            "path-repaired",
                            key.node.clone(),
                            format!(
                                "the path `{}` is malformed; it was read as `{template}`",
                                key.path
                            ),
                            format!("write `{template}`"),
                        );
                    }
                    return Some(template);
                }
                Err(fault) => fault,
            };
            match repair(&path, &fault) {
                Some(better) => path = better,
                None => {
                    self.unroutable(key, &fault);
                    return None;
                }
            }
            repaired = true;
        }
        self.unroutable(key, &TemplateFault::TooManyParameters);
        None
    }

    fn unroutable(&mut self, key: &PathKey, fault: &TemplateFault) {
        self.findings.warn(
            "path-unroutable",
            key.node.clone(),
            format!("no call can be matched to the path `{}`: {fault}", key.path),
            "correct the path",
        );
    }
}

/// A path key as path, query and fragment. Marks inside braces belong to the parameter (`{id?}`).
fn split(key: &str) -> (&str, Option<&str>, Option<&str>) {
    let mut depth = 0usize;
    let mut end = key.len();
    for (at, byte) in key.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b'?' | b'#' if depth == 0 => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    let (path, rest) = key.split_at(end);
    let (query, fragment) = match rest.split_once('#') {
        Some((query, fragment)) => (query, Some(fragment)),
        None => (rest, None),
    };
    let query = query.strip_prefix('?').filter(|query| !query.is_empty());
    (path, query, fragment.filter(|fragment| !fragment.is_empty()))
}

/// `/users/:id` with a declared path parameter `id` is `/users/{id}` in another dialect.
fn colon_parameters(path: &str, declared: &[&str]) -> String {
    if !path.contains("/:") {
        return path.to_owned();
    }
    let segments: Vec<String> = path
        .split('/')
        .map(|segment| match segment.strip_prefix(':') {
            Some(name) if declared.contains(&name) => format!("{{{name}}}"),
            _ => segment.to_owned(),
        })
        .collect();
    segments.join("/")
}

/// The path without that fault, if there is a likely meaning.
fn repair(path: &str, fault: &TemplateFault) -> Option<String> {
    let insert = |at: usize, text: &str| {
        let mut better = path.to_owned();
        better.insert_str(at, text);
        better
    };
    match *fault {
        TemplateFault::NoLeadingSlash => Some(insert(0, "/")),
        TemplateFault::Unclosed(at) => {
            let name = &path[at + 1..];
            let end = name.find(['/', '{', '}', ':']).unwrap_or(name.len());
            // A name there, or it is a brace that stands for itself.
            if is_name(&name[..end]) {
                Some(insert(at + 1 + end, "}"))
            } else {
                Some(replace(path, at, "%7B"))
            }
        }
        TemplateFault::Unopened(at) => {
            let start = path[..at].rfind(['/', '}', '{']).map_or(0, |slash| slash + 1);
            if is_name(&path[start..at]) {
                Some(insert(start, "{"))
            } else {
                Some(replace(path, at, "%7D"))
            }
        }
        TemplateFault::NoName(at) => {
            Some(insert(at + 1, &format!("parameter{}", path[..at].matches('{').count() + 1)))
        }
        TemplateFault::TailNotLast(at) => {
            let end = path[at..].find('}')? + at;
            let braced = crate::template::Braced::read(&path[at + 1..end]);
            Some(format!("{}{{{}}}{}", &path[..at], braced.name, &path[end + 1..]))
        }
        TemplateFault::BadCharacter(at) if path.as_bytes().get(at) == Some(&b'%') => {
            Some(replace(path, at, "%25"))
        }
        TemplateFault::TooLong
        | TemplateFault::TooManyParameters
        | TemplateFault::NotOnlyAPath(_)
        | TemplateFault::DotSegment(_)
        | TemplateFault::BadCharacter(_) => None,
    }
}

/// Something that a parameter could be called.
fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

fn replace(path: &str, at: usize, text: &str) -> String {
    format!("{}{text}{}", &path[..at], &path[at + 1..])
}

/// The value of a parameter's single allowed text, if its schema has exactly one.
pub(super) fn only_value(schema: &Value) -> Option<String> {
    if let Some(value) = schema.get("const") {
        return super::text(value);
    }
    match schema.get("enum").and_then(Value::as_array).map(Vec::as_slice) {
        Some([only]) => super::text(only),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
