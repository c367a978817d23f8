//! One answer: which of those described, in which media type, and its bytes.

use std::fmt::Write as _;

use serde_json::Value;

use super::accept::Accept;
use super::{Answer, Content, Example, Kind, Mock};
use crate::contract::StatusKey;
use crate::schema::Unmade;

/// The most bytes of a header's value.
const HEADER_BYTES: usize = 1_000;
/// Names that a refusal lists.
const LISTED: usize = 30;

/// What the caller would like.
#[derive(Debug, Default)]
pub struct Asked<'a> {
    /// Media types.
    pub accept: Accept<'a>,
    /// A status.
    pub code: Option<u16>,
    /// The name of an example.
    pub example: Option<&'a str>,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub struct Made {
    /// 200–599.
    pub status: u16,
    /// Names and values. Nothing in them could end a line.
    pub headers: Vec<(String, String)>,
    /// Of the body; `None` if there is none.
    pub media_type: Option<String>,
    /// What is sent after the head.
    pub body: Vec<u8>,
}

/// Why there is no answer, with words for the caller. They come from the contract.
#[derive(Debug, PartialEq, Eq)]
pub enum Unanswered {
    /// No such status: what there is.
    NoSuchCode(String),
    /// No such example: what there is.
    NoSuchExample(String),
    /// None of the media types: what there is.
    NotAcceptable(String),
    /// The contract does not say enough, or asks too much.
    CannotMake(String),
}

impl Mock {
    /// The answer to a question.
    ///
    /// # Errors
    /// What the caller asked for is not there, or nothing can be made.
    pub fn answer(&self, asked: &Asked<'_>) -> Result<Made, Unanswered> {
        let (status, answer) = match (asked.code, asked.example) {
            (Some(code), _) => (code, self.of_code(code)?),
            (None, Some(name)) => self.of_example(name)?,
            (None, None) => self.usual(),
        };
        let Some(answer) = answer else {
            return Ok(Made { status, headers: Vec::new(), media_type: None, body: Vec::new() });
        };
        let headers = self.headers(answer);
        if matches!(status, 204 | 205 | 304) || answer.contents.is_empty() {
            if asked.example.is_some() {
                return Err(self.no_such_example(Some(answer)));
            }
            return Ok(Made { status, headers, media_type: None, body: Vec::new() });
        }
        let (content, body) = self.body(answer, asked)?;
        Ok(Made { status, headers, media_type: Some(content.media_type.to_string()), body })
    }

    /// The lowest success that is described, else what is said of all others, else the first. 204 where nothing is.
    fn usual(&self) -> (u16, Option<&Answer>) {
        let is_final = |status: u16| (200..600).contains(&status);
        let all = || {
            let known = self.answers.iter().map(|(key, answer)| (lowest(*key), answer));
            known.filter(|(status, _)| is_final(*status))
        };
        let success = all().filter(|(status, _)| *status < 300).min_by_key(|(status, _)| *status);
        match success.or_else(|| all().next()) {
            None => (204, None),
            Some((DEFAULT, answer)) => (200, Some(answer)),
            Some((status, answer)) => (status, Some(answer)),
        }
    }

    fn of_code(&self, code: u16) -> Result<Option<&Answer>, Unanswered> {
        let by = |wanted: StatusKey| {
            self.answers.iter().find(|(key, _)| *key == wanted).map(|(_, answer)| answer)
        };
        let class = StatusKey::Class(u8::try_from(code / 100).unwrap_or(0));
        let found =
            by(StatusKey::Code(code)).or_else(|| by(class)).or_else(|| by(StatusKey::Default));
        match found {
            Some(answer) if (200..600).contains(&code) => Ok(Some(answer)),
            _ => Err(Unanswered::NoSuchCode(self.codes())),
        }
    }

    /// What a refusal says of the statuses that there are.
    fn codes(&self) -> String {
        let all = self.answers.iter().map(|(key, _)| key.to_string());
        format!("the contract describes {}", listed(all, "no answer"))
    }

    fn of_example(&self, name: &str) -> Result<(u16, Option<&Answer>), Unanswered> {
        let has = |answer: &Answer| {
            let mut all = answer.contents.iter().flat_map(|content| &content.examples);
            all.any(|example| *example.name == *name)
        };
        let (status, usual) = self.usual();
        if usual.is_some_and(has) {
            return Ok((status, usual));
        }
        let other = self.answers.iter().find(|(key, answer)| lowest(*key) >= 200 && has(answer));
        match other {
            Some((StatusKey::Default, answer)) => Ok((200, Some(answer))),
            Some((key, answer)) => Ok((lowest(*key), Some(answer))),
            None => Err(self.no_such_example(None)),
        }
    }

    fn no_such_example(&self, of: Option<&Answer>) -> Unanswered {
        let answers = self.answers.iter().map(|(_, answer)| answer);
        let mut names: Vec<String> = answers
            .filter(|answer| of.is_none_or(|of| std::ptr::eq(of, *answer)))
            .flat_map(|answer| &answer.contents)
            .flat_map(|content| &content.examples)
            .filter(|example| !example.name.is_empty())
            .map(|example| example.name.to_string())
            .collect();
        names.sort();
        names.dedup();
        let of = if of.is_some() { "this answer" } else { "this operation" };
        let names = listed(names.into_iter(), "no example with a name");
        Unanswered::NoSuchExample(format!("the contract gives {of} {names}"))
    }

    fn body<'a>(
        &self,
        answer: &'a Answer,
        asked: &Asked<'_>,
    ) -> Result<(&'a Content, Vec<u8>), Unanswered> {
        let named = |content: &&Content| {
            asked.example.is_none_or(|name| content.examples.iter().any(|one| *one.name == *name))
        };
        let mut offered: Vec<&Content> = answer.contents.iter().filter(named).collect();
        if offered.is_empty() && asked.example.is_some() {
            return Err(self.no_such_example(Some(answer)));
        }
        // Of those that the caller likes alike, JSON first.
        offered.sort_by_key(|content| content.kind != Kind::Json);
        let able: Vec<&Content> =
            offered.iter().copied().filter(|content| self.is_able(content)).collect();
        if able.is_empty() {
            let types = listed(offered.iter().map(|one| one.media_type.to_string()), "nothing");
            return Err(Unanswered::CannotMake(format!(
                "the contract gives no example of {types}, and none can be made from a schema"
            )));
        }
        let chosen = asked.accept.best(able.iter().map(|content| &*content.media_type));
        let Some(chosen) = chosen else {
            let types = able.iter().map(|content| content.media_type.to_string());
            return Err(Unanswered::NotAcceptable(format!(
                "this answer can be had as {}",
                listed(types, "nothing")
            )));
        };
        let content = able[chosen];
        let body = self.bytes(content, asked.example)?;
        Ok((content, body))
    }

    /// Whether bytes can be made of this media type at all.
    fn is_able(&self, content: &Content) -> bool {
        if content.examples.iter().any(|example| bytes_of(content, example).is_some()) {
            return true;
        }
        match (content.kind, content.schema) {
            (Kind::Json | Kind::Lines | Kind::Events | Kind::Form, _) => true,
            (Kind::Xml, _) => false,
            (Kind::Other, None) => true,
            (Kind::Other, Some(schema)) => {
                let kinds = self.schemas.kinds(schema);
                kinds.string || kinds.number || kinds.boolean
            }
        }
    }

    fn bytes(&self, content: &Content, name: Option<&str>) -> Result<Vec<u8>, Unanswered> {
        let mut examples = content
            .examples
            .iter()
            .filter(|example| name.is_none_or(|name| *example.name == *name));
        if let Some(bytes) = examples.find_map(|example| {
            self.unwrapped(content, example).or_else(|| bytes_of(content, example))
        }) {
            return Ok(bytes);
        }
        let Some(schema) = content.schema else {
            return Ok(if content.kind == Kind::Json { b"{}".to_vec() } else { Vec::new() });
        };
        let unmade = |why: Unmade| {
            let why = match why {
                Unmade::TooMuch => "asks for more than is made",
                Unmade::NotFound => "is met by nothing that was found",
            };
            Unanswered::CannotMake(format!(
                "the contract gives no example of {}, and its schema {why}",
                content.media_type
            ))
        };
        let value = self.schemas.make(schema).map_err(unmade)?;
        written(content, &value).ok_or_else(|| {
            Unanswered::CannotMake(format!(
                "the contract gives no example of {}, and what its schema describes cannot be written in it",
                content.media_type
            ))
        })
    }

    /// JSON that an author wrote as a text (`example: '{"id": 1}'`), where the schema is not for texts.
    fn unwrapped(&self, content: &Content, example: &Example) -> Option<Vec<u8>> {
        let Value::String(text) = &*example.value else { return None };
        let schema = content.schema.filter(|_| content.kind == Kind::Json)?;
        if self.schemas.kinds(schema).string || !text.trim_start().starts_with(['{', '[']) {
            return None;
        }
        serde_json::from_str::<serde::de::IgnoredAny>(text).ok()?;
        Some(text.clone().into_bytes())
    }

    fn headers(&self, answer: &Answer) -> Vec<(String, String)> {
        let mut made = Vec::new();
        for header in &answer.headers {
            let value = match (&header.example, header.schema) {
                (Some(example), _) => header_text(example),
                (None, Some(schema)) => {
                    self.schemas.make(schema).ok().and_then(|value| header_text(&value))
                }
                (None, None) => None,
            };
            made.extend(value.map(|value| (header.name.to_string(), value)));
        }
        made
    }
}

/// Stands for `default` where statuses are compared: after all successes that are named.
const DEFAULT: u16 = 299;

/// The lowest status of a key.
fn lowest(key: StatusKey) -> u16 {
    match key {
        StatusKey::Code(code) => code,
        StatusKey::Class(class) => u16::from(class) * 100,
        StatusKey::Default => DEFAULT,
    }
}

/// `200, 404 and default`.
fn listed(all: impl Iterator<Item = String>, none: &str) -> String {
    let shown: Vec<String> = all
        .take(LISTED)
        .map(|one| one.chars().filter(|character| !character.is_control()).take(60).collect())
        .collect();
    match shown.as_slice() {
        [] => none.to_owned(),
        [only] => only.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}

/// An example as it is sent; nothing if it cannot be written in the media type.
fn bytes_of(content: &Content, example: &Example) -> Option<Vec<u8>> {
    match &*example.value {
        Value::String(text) if example.is_written || content.kind != Kind::Json => {
            Some(text.clone().into_bytes())
        }
        value => written(content, value),
    }
}

/// A value in a media type.
fn written(content: &Content, value: &Value) -> Option<Vec<u8>> {
    match content.kind {
        Kind::Json => Some(value.to_string().into_bytes()),
        Kind::Lines | Kind::Events => {
            let one = std::slice::from_ref(value);
            let items = match value {
                Value::Array(items) if !content.of_items => items,
                _ => one,
            };
            let mut out = String::new();
            for item in items {
                let _ = match content.kind {
                    Kind::Events => write!(out, "data: {item}\n\n"),
                    _ => writeln!(out, "{item}"),
                };
            }
            Some(out.into_bytes())
        }
        Kind::Form => {
            let mut out = String::new();
            for (name, value) in value.as_object()? {
                let value = scalar(value).unwrap_or_else(|| value.to_string());
                let separator = if out.is_empty() { "" } else { "&" };
                let _ = write!(out, "{separator}{}={}", encoded(name), encoded(&value));
            }
            Some(out.into_bytes())
        }
        Kind::Xml | Kind::Other => scalar(value).map(String::into_bytes),
    }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// The value of a header (`simple` style); nothing if it could not stand in one.
fn header_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::Array(items) => items.iter().map(scalar).collect::<Option<Vec<String>>>()?.join(","),
        Value::Object(members) => {
            let pairs =
                members.iter().map(|(name, value)| Some(format!("{name},{}", scalar(value)?)));
            pairs.collect::<Option<Vec<String>>>()?.join(",")
        }
        value => scalar(value)?,
    };
    let is_fine =
        text.len() <= HEADER_BYTES && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    is_fine.then(|| text.trim().to_owned())
}
