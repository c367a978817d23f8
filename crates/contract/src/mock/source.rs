//! What a contract has of answers, gathered: media types, examples, schemas, headers.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Answer, Content, Example, Header, Kind};
use crate::contract::{Contract, Node, Operation, Response, SpecVersion, StatusKey};
use crate::pointer;
use crate::schema::Builder;

/// Examples of one body that are kept.
const EXAMPLES_MAX: usize = 100;
/// Headers of one answer that are made.
const HEADERS_MAX: usize = 50;

/// Headers that frame a message, belong to one hop, or are the gateway's own.
const NOT_MADE: &[&str] = &[
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "keep-alive",
    "preference-applied",
    "proxy-connection",
    "ratelimit",
    "ratelimit-policy",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-request-id",
];

/// Reads answers. An example that is referred to from many places is kept once.
pub(super) struct Source<'c> {
    contract: &'c Contract,
    values: HashMap<*const Value, Arc<Value>>,
}

impl<'c> Source<'c> {
    pub(super) fn new(contract: &'c Contract) -> Self {
        Self { contract, values: HashMap::new() }
    }

    pub(super) fn answers(
        &mut self,
        operation: &'c Operation,
        builder: &mut Builder<'c>,
    ) -> Box<[(StatusKey, Answer)]> {
        let answers = operation.responses.iter().map(|(status, response)| {
            let contents = self.contents(response, builder);
            (*status, Answer { contents, headers: self.headers(response, builder) })
        });
        answers.collect()
    }

    fn contents(&mut self, response: &Response, builder: &mut Builder<'c>) -> Box<[Content]> {
        let mut contents = Vec::new();
        for content in &response.content {
            let Some((media_type, kind)) = sent_as(&content.media_type) else { continue };
            let (place, of_items) = match (&content.schema, &content.item_schema) {
                (Some(schema), _) => (Some(schema), false),
                (None, Some(item)) => (Some(item), true),
                (None, None) => (None, false),
            };
            let examples = if self.contract.version == SpecVersion::V2_0 {
                self.old_examples(&response.declared, &content.media_type)
            } else {
                self.examples(&content.declared)
            };
            contents.push(Content {
                media_type: media_type.into(),
                kind,
                examples,
                schema: place.and_then(|place| builder.place(self.contract, place)),
                of_items,
            });
        }
        if self.contract.version == SpecVersion::V2_0 {
            self.only_by_example(response, &mut contents);
        }
        contents.into()
    }

    /// 2.0: media types that nobody produces and that have an example.
    fn only_by_example(&mut self, response: &Response, contents: &mut Vec<Content>) {
        let node = child(&response.declared, "examples");
        let Ok((_, Value::Object(all))) = self.contract.resolve(&node) else { return };
        for (name, value) in all.iter().take(EXAMPLES_MAX) {
            let is_known = response.content.iter().any(|content| content.media_type == *name);
            if is_known || !name.contains('/') {
                continue;
            }
            if let Some((media_type, kind)) = sent_as(name) {
                contents.push(Content {
                    media_type: media_type.into(),
                    kind,
                    examples: Box::new([self.example("", value, false)]),
                    schema: None,
                    of_items: false,
                });
            }
        }
    }

    fn old_examples(&mut self, response: &Node, media_type: &str) -> Box<[Example]> {
        let node = child(&child(response, "examples"), media_type);
        match self.contract.resolve(&node) {
            Ok((_, value)) => Box::new([self.example("", value, false)]),
            Err(_) => Box::default(),
        }
    }

    /// `example` and `examples` of a media type or a header.
    fn examples(&mut self, declared: &Node) -> Box<[Example]> {
        let mut found = Vec::new();
        if let Some(value) =
            self.contract.node(declared).and_then(|declared| declared.get("example"))
        {
            found.push(self.example("", value, false));
        }
        let node = child(declared, "examples");
        let Ok((node, Value::Object(named))) = self.contract.resolve(&node) else {
            return found.into();
        };
        for name in named.keys().take(EXAMPLES_MAX) {
            let Ok((_, example)) = self.contract.resolve(&child(&node, name)) else { continue };
            // A value that lies elsewhere (`externalValue`) is not fetched.
            let value = example.get("value").or_else(|| example.get("dataValue"));
            match (value, example.get("serializedValue")) {
                (Some(value), _) => found.push(self.example(name, value, false)),
                (None, Some(written)) => found.push(self.example(name, written, true)),
                (None, None) => {}
            }
        }
        found.into()
    }

    fn example(&mut self, name: &str, value: &'c Value, is_written: bool) -> Example {
        Example { name: name.into(), value: self.kept(value), is_written }
    }

    /// Documents do not move, so a place in memory is a place in a document.
    fn kept(&mut self, value: &'c Value) -> Arc<Value> {
        let known = self.values.entry(std::ptr::from_ref(value));
        Arc::clone(known.or_insert_with(|| Arc::new(value.clone())))
    }

    fn headers(&mut self, response: &Response, builder: &mut Builder<'c>) -> Box<[Header]> {
        let mut headers = Vec::new();
        let group = child(&response.declared, "headers");
        for name in &response.headers {
            if headers.len() >= HEADERS_MAX || !is_made(name) {
                continue;
            }
            let Ok((node, declared)) = self.contract.resolve(&child(&group, name)) else {
                continue;
            };
            let schema = if self.contract.version == SpecVersion::V2_0 {
                // The header is its own schema.
                builder.place(self.contract, &node)
            } else {
                declared
                    .get("schema")
                    .and_then(|_| builder.place(self.contract, &child(&node, "schema")))
            };
            let examples = self.examples(&node);
            let example = examples.first().map(|example| Arc::clone(&example.value));
            headers.push(Header { name: name.as_str().into(), example, schema });
        }
        headers.into()
    }
}

fn is_made(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let is_token = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    // What pages of other origins may do is the service's to say.
    is_token && !NOT_MADE.contains(&&*lower) && !lower.starts_with("access-control-")
}

fn child(node: &Node, token: &str) -> Node {
    Node { document: node.document, pointer: pointer::child(&node.pointer, token) }
}

/// The media type that is sent, and how. Nothing for a range that nobody could choose from.
fn sent_as(written: &str) -> Option<(String, Kind)> {
    let essence = written.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let sent = match &*essence {
        "*/*" | "application/*" | "" | "*" => "application/json",
        "text/*" => "text/plain",
        range if range.ends_with("/*") => return None,
        _ => written.trim(),
    };
    let is_text = sent.len() <= 200 && sent.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if !is_text || !sent.contains('/') {
        // `json`, an early habit.
        return (essence == "json").then(|| ("application/json".to_owned(), Kind::Json));
    }
    Some((sent.to_owned(), kind(sent)))
}

fn kind(media_type: &str) -> Kind {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match &*essence {
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/json-lines"
        | "application/x-jsonlines"
        | "application/stream+json"
        | "application/x-json-stream" => Kind::Lines,
        "text/event-stream" => Kind::Events,
        "application/x-www-form-urlencoded" => Kind::Form,
        "application/json" | "text/json" | "application/x-json" => Kind::Json,
        "application/xml" | "text/xml" => Kind::Xml,
        other if other.ends_with("+json") => Kind::Json,
        other if other.ends_with("+xml") => Kind::Xml,
        _ => Kind::Other,
    }
}
