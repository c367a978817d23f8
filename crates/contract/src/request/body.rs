//! What the body of a call must be like to keep its contract.
//!
//! First by the head alone ([`Expectation::wish`]): whether there is a body, whether its media type is one that the contract
//! takes, whether it can be looked into at all. Only a body that a schema can judge is asked for, and is judged as a
//! whole ([`Expectation::judge`]): JSON, forms, forms of several parts, text. Bounds hold before any schema sees a value.

mod fields;
pub(crate) mod multipart;
mod nested;

use std::borrow::Cow;

use crate::contract::{Content, Contract, FormField, Operation, Response};
use crate::media::{Charset, Language, MediaType, Range, best};
use crate::schema::{Builder, Kinds, PROBLEMS_MAX, Problem, SchemaId, Schemas, Value, intake};

use super::{Head, decode};
use fields::Fields;

/// Bounds on bodies, before any schema sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Of what is JSON, and of single values elsewhere.
    pub values: intake::Bounds,
    /// Fields of a form.
    pub fields: usize,
    /// Bytes of a body that is held for its check; `None` for what is usual for its media type.
    pub held_bytes: Option<u64>,
}

impl Bounds {
    /// Bytes that are held of a body that is a document: JSON, a form, text. Forms of several parts carry files, and
    /// are held as far as the operation takes bodies.
    pub const HELD_BYTES: u64 = 1 << 20;
}

impl Default for Bounds {
    fn default() -> Self {
        Self { values: intake::Bounds::default(), fields: 1_000, held_bytes: None }
    }
}

/// What is to be done with a body, by the head of its call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Nothing: there is none, or nothing is asked of it that could be judged.
    Pass,
    /// The call is wrong without a look at the body.
    Wrong(Problem),
    /// Its media type is none that the contract takes.
    Unsupported,
    /// It is compressed, so that nobody can look into it.
    Encoded,
    /// It is to be judged.
    Hold(Plan),
}

/// How a body is judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    content: usize,
    language: Language,
    charset: Charset,
    boundary: String,
    /// Bytes that are held, `None` for as many as the operation takes.
    pub most_bytes: Option<u64>,
}

/// What is expected of the bodies of an operation.
#[derive(Debug)]
pub(super) struct Expectation {
    required: bool,
    contents: Box<[Described]>,
    /// The media types that are taken, for an `Accept`.
    accept: Box<str>,
    bounds: Bounds,
}

/// One media type.
#[derive(Debug)]
struct Described {
    range: Option<Range>,
    schema: Option<SchemaId>,
    /// What a text can stand for.
    kinds: Kinds,
    fields: Option<Fields>,
}

/// An expectation before schemas are compiled.
pub(super) struct Unfinished {
    required: bool,
    contents: Vec<(Option<Range>, Option<SchemaId>, Option<fields::Unfinished>)>,
    bounds: Bounds,
}

/// The most bytes of a list of media types.
const ACCEPT_BYTES_MAX: usize = 1_000;

impl Unfinished {
    /// Nothing where the contract says nothing of a body.
    pub(super) fn of<'c>(
        contract: &'c Contract,
        operation: &'c Operation,
        builder: &mut Builder<'c>,
        bounds: Bounds,
    ) -> Option<Self> {
        let body = operation.request_body.as_ref()?;
        if body.content.is_empty() {
            return None;
        }
        // What a body of these means is not defined (RFC 9110 sections 9.3.1 and 9.3.2), and nobody can be made to send one.
        let is_odd = matches!(operation.method.as_str(), "GET" | "HEAD");
        Some(Self {
            required: body.required && !is_odd,
            contents: contents(contract, (&body.content, &body.form), builder),
            bounds,
        })
    }

    /// Of an answer. One whose body is described has a body.
    pub(super) fn of_answer<'c>(
        contract: &'c Contract,
        response: &'c Response,
        builder: &mut Builder<'c>,
        bounds: Bounds,
    ) -> Option<Self> {
        let contents = contents(contract, (&response.content, &[]), builder);
        let required = contents.iter().any(|(_, schema, _)| schema.is_some());
        (!contents.is_empty()).then_some(Self { required, contents, bounds })
    }

    pub(super) fn finish(self, schemas: &Schemas) -> Expectation {
        let mut accept = String::new();
        for range in self.contents.iter().filter_map(|(range, ..)| range.as_ref()) {
            let name = range.name();
            if accept.split(", ").any(|known| known == name) {
                continue;
            }
            if accept.len() + name.len() > ACCEPT_BYTES_MAX {
                break;
            }
            if !accept.is_empty() {
                accept.push_str(", ");
            }
            accept.push_str(name);
        }
        let described =
            |(range, schema, fields): (_, Option<SchemaId>, Option<fields::Unfinished>)| {
                Described {
                    range,
                    schema,
                    kinds: schema.map(|schema| schemas.kinds(schema)).unwrap_or_default(),
                    fields: fields.map(|fields| fields.finish(schemas)),
                }
            };
        Expectation {
            required: self.required,
            contents: self.contents.into_iter().map(described).collect(),
            accept: accept.into(),
            bounds: self.bounds,
        }
    }
}

type Unread = (Option<Range>, Option<SchemaId>, Option<fields::Unfinished>);

fn contents<'c>(
    contract: &'c Contract,
    (contents, form): (&'c [Content], &'c [FormField]),
    builder: &mut Builder<'c>,
) -> Vec<Unread> {
    let mut all = Vec::with_capacity(contents.len());
    for content in contents {
        let range = Range::parse(&content.media_type);
        let schema = content.schema.as_ref().and_then(|place| builder.place(contract, place));
        let may_be_form = range
            .as_ref()
            .is_some_and(|range| range.may_be(Language::Form) || range.may_be(Language::Multipart));
        let fields = match schema {
            _ if !may_be_form => None,
            Some(schema) => Some(fields::Unfinished::of_content(contract, content, schema)),
            None if form.is_empty() => None,
            None => Some(fields::Unfinished::of_old(contract, form, builder)),
        };
        all.push((range, schema, fields));
    }
    all
}

impl Expectation {
    /// The media types that are taken, as a list for an `Accept`.
    pub(super) fn accept(&self) -> &str {
        &self.accept
    }

    /// Whether any body of the operation is looked into.
    pub(super) fn judges(&self) -> bool {
        self.contents.iter().any(|content| content.schema.is_some() || content.fields.is_some())
    }

    /// Whether bodies of every media type are taken.
    fn takes_all(&self) -> bool {
        let mut ranges = self.contents.iter().flat_map(|content| &content.range);
        ranges.any(|range| range.name() == "*/*")
    }

    /// What is to be done with the body of a call.
    pub(super) fn wish(&self, head: &dyn Head, has_body: bool) -> Wish {
        if !has_body {
            return if self.required { Wish::Wrong(missing()) } else { Wish::Pass };
        }
        let (mut fields, mut media) = (0_u32, None);
        head.header("content-type", &mut |value| {
            fields = fields.saturating_add(1);
            media = std::str::from_utf8(value).ok().and_then(MediaType::parse);
        });
        // A backend may well guess the type of a body without one, so that none passes where one would be judged.
        if fields == 0 && self.takes_all() && !self.judges() {
            return Wish::Pass;
        }
        let Some(media) = media.filter(|_| fields == 1) else { return Wish::Unsupported };
        let ranges = self.contents.iter().map(|content| content.range.as_ref());
        let Some(content) = best(ranges, &media) else { return Wish::Unsupported };
        let plan = match self.plan(content, &media) {
            Ok(Some(plan)) => plan,
            Ok(None) => return Wish::Pass,
            Err(wish) => return wish,
        };
        let mut is_encoded = false;
        head.header("content-encoding", &mut |value| {
            let mut codings = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
            is_encoded |= codings
                .any(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"));
        });
        if is_encoded { Wish::Encoded } else { Wish::Hold(plan) }
    }

    /// How a body of a media type is judged, if it can be.
    fn plan(&self, index: usize, media: &MediaType) -> Result<Option<Plan>, Wish> {
        let content = &self.contents[index];
        let language = media.language();
        let charset = media.charset();
        let is_judged = match language {
            Language::Json => content.schema.is_some(),
            Language::Form | Language::Multipart => content.fields.is_some(),
            // A schema of an object cannot be meant for the text itself.
            Language::Text => {
                let kinds = content.kinds;
                content.schema.is_some()
                    && (kinds.string || kinds.number || kinds.boolean || kinds.null)
            }
            Language::Other => false,
        };
        if !is_judged {
            return Ok(None);
        }
        let is_known = match language {
            Language::Text => charset != Charset::Other,
            _ => charset == Charset::Utf8,
        };
        if !is_known {
            return Err(Wish::Unsupported);
        }
        let boundary = media.parameter("boundary").unwrap_or_default();
        if language == Language::Multipart && !multipart::is_boundary(boundary) {
            let detail = "must come with a boundary in Content-Type";
            return Err(Wish::Wrong(Problem::whole("multipart", detail)));
        }
        let usual = (language != Language::Multipart).then_some(Bounds::HELD_BYTES);
        Ok(Some(Plan {
            content: index,
            language,
            charset,
            boundary: boundary.to_owned(),
            most_bytes: self.bounds.held_bytes.or(usual),
        }))
    }

    /// What is wrong with a body, at most [`PROBLEMS_MAX`] problems.
    pub(super) fn judge(&self, plan: &Plan, body: &[u8], schemas: &Schemas) -> Vec<Problem> {
        if body.is_empty() {
            return if self.required { vec![missing()] } else { Vec::new() };
        }
        let Some(content) = self.contents.get(plan.content) else { return Vec::new() };
        let mut problems = match plan.language {
            Language::Json => match intake::read(body, &self.bounds.values) {
                Ok(value) => content.against(&value, body.len(), schemas),
                Err(problem) => vec![problem],
            },
            Language::Text => self.text(content, plan.charset, body, schemas),
            Language::Form => self.form(content, body, schemas),
            Language::Multipart => self.parts(content, plan, body, schemas),
            Language::Other => Vec::new(),
        };
        problems.truncate(PROBLEMS_MAX);
        problems
    }

    fn text(
        &self,
        content: &Described,
        charset: Charset,
        body: &[u8],
        schemas: &Schemas,
    ) -> Vec<Problem> {
        let text: Cow<'_, str> = match charset {
            Charset::Latin1 => body.iter().map(|byte| char::from(*byte)).collect(),
            _ => match std::str::from_utf8(body) {
                Ok(text) => text.into(),
                Err(_) => return vec![Problem::whole("charset", "must be text in UTF-8")],
            },
        };
        if text.len() > self.bounds.values.text_bytes {
            let detail = format!("is longer than {} bytes", self.bounds.values.text_bytes);
            return vec![Problem::whole("length", detail)];
        }
        let mut first = None;
        decode::scalars(&text, content.kinds, &mut |value| {
            let problems = content.against(&value, body.len(), schemas);
            let fits = problems.is_empty();
            if fits {
                first = Some(problems);
            } else {
                first.get_or_insert(problems);
            }
            fits
        });
        first.unwrap_or_default()
    }

    fn form(&self, content: &Described, body: &[u8], schemas: &Schemas) -> Vec<Problem> {
        let Ok(text) = std::str::from_utf8(body) else {
            return vec![Problem::whole("charset", "must be text in UTF-8")];
        };
        let (Some(fields), Some(pairs)) = (&content.fields, pairs(text, self.bounds.fields)) else {
            let detail = format!("has more than {} fields", self.bounds.fields);
            return vec![Problem::whole("fields", detail)];
        };
        fields.judge_pairs(pairs, (schemas, &self.bounds.values, body.len()))
    }

    fn parts(
        &self,
        content: &Described,
        plan: &Plan,
        body: &[u8],
        schemas: &Schemas,
    ) -> Vec<Problem> {
        match (&content.fields, multipart::parts(body, &plan.boundary, self.bounds.fields)) {
            (Some(fields), Ok(parts)) => {
                fields.judge_parts(&parts, (schemas, &self.bounds.values, body.len()))
            }
            (_, Err(fault)) => vec![Problem::whole(fault.rule(), fault.sentence())],
            (None, _) => Vec::new(),
        }
    }
}

impl Described {
    fn against(&self, value: &Value<'_>, bytes: usize, schemas: &Schemas) -> Vec<Problem> {
        match self.schema {
            Some(schema) => Problem::of_verdict(schemas.check(schema, value, bytes)),
            None => Vec::new(),
        }
    }
}

fn missing() -> Problem {
    Problem::whole("required", "must be given")
}

/// The pairs of a form in the order given: names decoded, values as they came. Nothing if there are more than `most`.
pub(crate) fn pairs(text: &str, most: usize) -> Option<Vec<(Cow<'_, str>, &str)>> {
    let mut all = Vec::new();
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        if all.len() >= most {
            return None;
        }
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        all.push((decode::decoded(name, true), value));
    }
    Some(all)
}

#[cfg(test)]
mod tests;
