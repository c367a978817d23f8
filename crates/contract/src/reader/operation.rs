//! Operations: everything an operation says, and what it takes over from its path item and document.

use serde_json::Value;

use super::parameters::Declared;
use super::paths::{PathKey, PathOperation};
use super::{At, Reader, extensions, text, words};
use crate::contract::{
    Body, Content, FormField, Node, Operation, Response, SecurityRequirement, SpecVersion,
    StatusKey,
};
use crate::dispatch::Dispatch;
use crate::pointer;
use crate::template::PathTemplate;

/// Longest media type or header name that is kept, in bytes.
const NAME_BYTES: usize = 256;
/// Media types of one body that are kept.
const MOST_CONTENTS: usize = 100;
/// Headers of one response that are kept.
const MOST_HEADERS: usize = 200;

/// An operation that is not finished: its name and its rivals are not known yet.
pub(super) struct Draft<'l> {
    pub(super) operation: Operation,
    pub(super) at: At<'l>,
    pub(super) key: PathKey,
    /// It says itself what it asks of callers.
    pub(super) own_security: bool,
    /// Conditions that are asked only if rivals must be told apart.
    pub(super) soft: Vec<Dispatch>,
}

impl<'l> Reader<'l, '_> {
    /// Reads all operations.
    pub(super) fn operations(
        &mut self,
        found: Vec<PathOperation<'l>>,
        root: &At<'l>,
        security: Option<&Vec<SecurityRequirement>>,
    ) -> Vec<Draft<'l>> {
        let mut drafts = Vec::with_capacity(found.len());
        for operation in found {
            let draft = self.operation(operation, root, security);
            let Some(left) = self.bytes_left.checked_sub(weight_bytes(&draft.operation)) else {
                self.findings.warn(
                    "too-large",
                    draft.at.node.clone(),
                    "the operations take more memory than they may from here on; the rest was left out",
                    "split the document, or raise the limit if it is trusted",
                );
                break;
            };
            self.bytes_left = left;
            drafts.push(draft);
        }
        drafts
    }

    fn operation(
        &mut self,
        found: PathOperation<'l>,
        root: &At<'l>,
        security: Option<&Vec<SecurityRequirement>>,
    ) -> Draft<'l> {
        let PathOperation { method, key, at, items } = found;
        // What stands nearer to the operation counts more: the target of the item's reference, the item, the operation.
        let lists: Vec<At<'l>> = items
            .iter()
            .rev()
            .chain([&at])
            .filter_map(|item| item.child("parameters"))
            .filter_map(|list| self.follow(list))
            .collect();
        let Declared { mut parameters, of_body } = self.declared(&lists);
        let path_names: Vec<String> = parameters
            .iter()
            .filter(|parameter| parameter.location == crate::contract::Location::Path)
            .map(|parameter| parameter.name.clone())
            .collect();
        let path_names: Vec<&str> = path_names.iter().map(String::as_str).collect();
        let mut template = self.template(&key, &path_names);
        let conditions = self.conditions(&key, template.as_ref(), &mut parameters);
        if let Some(template) = &mut template {
            self.settle_neighbours(template, &parameters);
            self.agree(template, &key, &at, &mut parameters);
        }
        let request_body =
            if of_body.is_empty() { self.body(&at) } else { self.old_body(&of_body, &at, root) };
        let own = self.requirements(&at);
        let mut servers = self.servers(&at);
        if servers.is_empty() {
            servers = items
                .iter()
                .map(|item| self.servers(item))
                .find(|servers| !servers.is_empty())
                .unwrap_or_default();
        }
        let written = at.text("operationId").filter(|id| !id.trim().is_empty());
        let operation = Operation {
            id_written: written.is_some(),
            id: written.unwrap_or_default(),
            name: String::new(),
            routable: template.is_some() && self.is_routable_method(&method, &at),
            method,
            path: key.path.clone(),
            template: template.unwrap_or(PathTemplate { segments: Vec::new(), tail: false }),
            dispatch: conditions.firm,
            pointer: at.node.pointer.clone(),
            document: at.node.document,
            line: 0,
            summary: words(at.value.get("summary")),
            description: words(at.value.get("description")),
            tags: at
                .value
                .get("tags")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(text)
                .collect(),
            deprecated: at.flag("deprecated"),
            parameters,
            request_body,
            responses: self.responses(&at, root),
            security: own.clone().or_else(|| security.cloned()),
            servers,
            same_as: None,
            extensions: extensions(at.value),
        };
        Draft { operation, at, key, own_security: own.is_some(), soft: conditions.soft }
    }

    /// `CONNECT` asks a proxy for a tunnel and never reaches an API.
    fn is_routable_method(&mut self, method: &str, at: &At<'l>) -> bool {
        let routable = method != "CONNECT";
        if !routable {
            self.findings.warn(
                "method-unroutable",
                at.node.clone(),
                "`CONNECT` asks for a tunnel and is never routed to an API",
                "describe the operation under another method",
            );
        }
        routable
    }

    fn body(&mut self, at: &At<'l>) -> Option<Body> {
        let body = self.follow(at.child("requestBody")?)?;
        if !body.value.is_object() {
            return None;
        }
        Some(Body {
            required: body.flag("required"),
            description: words(body.value.get("description")),
            content: self.content(&body),
            form: Vec::new(),
        })
    }

    fn content(&mut self, at: &At<'l>) -> Vec<Content> {
        let Some(content) = at.child("content") else { return Vec::new() };
        let members: Vec<(&str, At<'l>)> = content.members().collect();
        members
            .into_iter()
            .filter(|(media_type, _)| {
                !media_type.starts_with("x-") && media_type.len() <= NAME_BYTES
            })
            .take(MOST_CONTENTS)
            .filter_map(|(media_type, media)| {
                let media = self.follow(media)?;
                Some(Content {
                    media_type: media_type.to_owned(),
                    schema: media.child("schema").map(|schema| schema.node),
                    item_schema: media.child("itemSchema").map(|schema| schema.node),
                    declared: media.node,
                })
            })
            .collect()
    }

    /// The body of a 2.0 operation: one parameter, or the fields of a form.
    fn old_body(&mut self, of_body: &[At<'l>], at: &At<'l>, root: &At<'l>) -> Option<Body> {
        if self.version != SpecVersion::V2_0 {
            self.findings.warn_once("parameter-of-body", "", || of_body[0].node.clone(), || {
                (
                    format!("`in: body` and `in: formData` belong to 2.0, this document is {}; they were read as the body", self.version),
                    "describe the body under `requestBody`".to_owned(),
                )
            });
        }
        let consumes = media_types("consumes", at, root);
        if let Some(body) =
            of_body.iter().rev().find(|parameter| parameter.text("in").as_deref() == Some("body"))
        {
            let schema = body.child("schema").map(|schema| schema.node);
            let types =
                if consumes.is_empty() { vec!["application/json".to_owned()] } else { consumes };
            return Some(Body {
                required: body.flag("required"),
                description: words(body.value.get("description")),
                content: of_types(types, schema.as_ref(), &body.node),
                form: Vec::new(),
            });
        }
        let form: Vec<FormField> = of_body
            .iter()
            .filter_map(|field| {
                Some(FormField {
                    name: field.text("name")?,
                    required: field.flag("required"),
                    file: field.text("type").as_deref() == Some("file"),
                    schema: field.node.clone(),
                })
            })
            .collect();
        let usual = if form.iter().any(|field| field.file) {
            "multipart/form-data"
        } else {
            "application/x-www-form-urlencoded"
        };
        let types: Vec<String> =
            consumes.into_iter().filter(|media_type| is_form(media_type)).collect();
        let types = if types.is_empty() { vec![usual.to_owned()] } else { types };
        Some(Body {
            required: form.iter().any(|field| field.required),
            description: None,
            content: of_types(types, None, &at.node),
            form,
        })
    }

    fn responses(&mut self, at: &At<'l>, root: &At<'l>) -> Vec<(StatusKey, Response)> {
        let Some(responses) = at.child("responses").and_then(|responses| self.follow(responses))
        else {
            return Vec::new();
        };
        let members: Vec<(&str, At<'l>)> = responses.members().collect();
        let mut found = Vec::new();
        for (key, response) in members {
            if key.starts_with("x-") || key == "$ref" {
                continue;
            }
            let Some(status) = status_key(key) else {
                self.findings.warn_once(
                    "status-key",
                    key,
                    || response.node.clone(),
                    || {
                        (
                            format!("`{key}` is not a status; this response was left out"),
                            "use a status (`200`), a range (`4XX`) or `default`".to_owned(),
                        )
                    },
                );
                continue;
            };
            let Some(response) = self.follow(response) else { continue };
            if response.value.is_object() {
                found.push((status, self.response(response, at, root)));
            }
        }
        found.sort_by_key(|(status, _)| *status);
        found
    }

    fn response(&mut self, response: At<'l>, at: &At<'l>, root: &At<'l>) -> Response {
        let content = if self.version == SpecVersion::V2_0 {
            match response.child("schema") {
                Some(schema) => {
                    let produces = media_types("produces", at, root);
                    let types = if produces.is_empty() {
                        vec!["application/json".to_owned()]
                    } else {
                        produces
                    };
                    of_types(types, Some(&schema.node), &response.node)
                }
                None => Vec::new(),
            }
        } else {
            self.content(&response)
        };
        let headers = response
            .value
            .get("headers")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(name, _)| name.clone())
            .filter(|name| name.len() <= NAME_BYTES)
            .take(MOST_HEADERS)
            .collect();
        Response {
            description: response.text("description").unwrap_or_default(),
            content,
            headers,
            declared: response.node,
        }
    }
}

/// Rough memory of an operation, in bytes: references let a small document describe very many.
fn weight_bytes(operation: &Operation) -> usize {
    const PART: usize = 256;
    let text = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let contents = |contents: &[Content]| {
        contents.iter().map(|content| PART + 2 * content.media_type.len()).sum::<usize>()
    };
    let servers: usize = operation
        .servers
        .iter()
        .map(|server| PART + 3 * server.url_written.len() + PART * server.variables.len())
        .sum();
    let security: usize = operation
        .security
        .iter()
        .flatten()
        .map(|requirement| {
            PART + requirement
                .schemes
                .iter()
                .map(|(name, scopes)| PART + name.len() + PART * scopes.len())
                .sum::<usize>()
        })
        .sum();
    let parameters: usize = operation
        .parameters
        .iter()
        .map(|parameter| PART + parameter.name.len() + text(&parameter.description))
        .sum();
    let responses: usize = operation
        .responses
        .iter()
        .map(|(_, response)| {
            PART + response.description.len()
                + contents(&response.content)
                + 64 * response.headers.len()
        })
        .sum();
    let body = operation.request_body.as_ref().map_or(0, |body| {
        PART + text(&body.description) + contents(&body.content) + PART * body.form.len()
    });
    let texts = text(&operation.summary)
        + text(&operation.description)
        + operation.path.len() * 4
        + operation.id.len() * 3;
    let tags: usize = operation.tags.iter().map(|tag| 32 + tag.len()).sum();
    1024 + texts + tags + parameters + body + responses + servers + security
}

/// `consumes` or `produces` of the operation, else of the document.
fn media_types(member: &str, at: &At<'_>, root: &At<'_>) -> Vec<String> {
    let own = at.value.get(member).or_else(|| root.value.get(member));
    own.and_then(Value::as_array).into_iter().flatten().filter_map(text).take(64).collect()
}

fn of_types(types: Vec<String>, schema: Option<&Node>, declared: &Node) -> Vec<Content> {
    types
        .into_iter()
        .map(|media_type| Content {
            media_type,
            schema: schema.cloned(),
            item_schema: None,
            declared: declared.clone(),
        })
        .collect()
}

fn is_form(media_type: &str) -> bool {
    media_type.starts_with("multipart/")
        || media_type.starts_with("application/x-www-form-urlencoded")
}

/// `200`, `2XX`, `default`; upper and lower case alike.
fn status_key(key: &str) -> Option<StatusKey> {
    if key.eq_ignore_ascii_case("default") {
        return Some(StatusKey::Default);
    }
    let bytes = key.as_bytes();
    let [first @ b'1'..=b'5', second, third] = bytes else {
        // Vendors use statuses beyond 599.
        return (bytes.len() == 3 && bytes.iter().all(u8::is_ascii_digit))
            .then(|| key.parse().ok().filter(|code| *code >= 600).map(StatusKey::Code))
            .flatten();
    };
    if second.eq_ignore_ascii_case(&b'X') && third.eq_ignore_ascii_case(&b'X') {
        return Some(StatusKey::Class(first - b'0'));
    }
    key.parse().ok().map(StatusKey::Code)
}

/// The pointer of the operation's own member, for findings.
pub(super) fn member_of(operation: &Operation, member: &str) -> Node {
    Node { document: operation.document, pointer: pointer::child(&operation.pointer, member) }
}

#[cfg(test)]
mod tests {
    //! Keys of responses.

    use super::*;

    #[test]
    fn status_keys_are_read() {
        let check =
            |key: &str, expected: Option<StatusKey>| assert_eq!(status_key(key), expected, "{key}");
        check("200", Some(StatusKey::Code(200)));
        check("2XX", Some(StatusKey::Class(2)));
        check("4xx", Some(StatusKey::Class(4)));
        check("default", Some(StatusKey::Default));
        check("999", Some(StatusKey::Code(999)));
        check("099", None);
        check("20X", None);
        check("20", None);
        check("", None);
        check("+20", None);
    }
}
