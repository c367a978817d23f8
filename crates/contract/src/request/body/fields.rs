//! The fields of a form to one object, which the schema of the form then judges.
//!
//! Texts become values as those of parameters do: by what the schema of a field can be and by its style (`encoding`).
//! Files are no values: of them it is asked that they are there, their media type and their length.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::super::form::Form;
use super::super::{Expected, Pair, decode};
use super::multipart::Part;
use super::nested::{self, Node};
use crate::contract::{Content, Contract, FormField, Location, Style};
use crate::media::{Charset, Language, MediaType, Range, best};
use crate::schema::{Builder, Kinds, Map, Problem, SchemaId, Schemas, Value, intake};

/// The fields that a form may have.
#[derive(Debug)]
pub(super) struct Fields {
    /// The schema of the form; 2.0 has only those of the fields.
    whole: Option<SchemaId>,
    /// Sorted by name.
    named: Box<[Field]>,
}

/// One field.
#[derive(Debug)]
struct Field {
    expected: Expected,
    /// One of them describes it.
    schemas: Box<[SchemaId]>,
    /// Media types that a part may have; empty where nothing is said.
    types: Box<[Range]>,
    /// It is written as JSON (`encoding` says so).
    json: bool,
    /// It may be a file.
    file: bool,
    /// The most bytes of a file.
    file_bytes: Option<u64>,
}

/// What `encoding` says of a field, and 2.0 of its parameter.
struct Written {
    name: String,
    style: Style,
    explode: bool,
    types: Vec<Range>,
    required: bool,
    may_be_empty: bool,
    /// 2.0: it is a file.
    file: bool,
    schema: Option<SchemaId>,
}

/// A form before schemas are compiled.
pub(super) struct Unfinished {
    whole: Option<SchemaId>,
    written: Vec<Written>,
}

impl Unfinished {
    /// From the media type object of a form.
    pub(super) fn of_content(contract: &Contract, content: &Content, whole: SchemaId) -> Self {
        let encoding = contract.node(&content.declared).and_then(|node| node.get("encoding"));
        let all = encoding.and_then(Json::as_object).into_iter().flatten();
        let written = all.take(FIELDS_MAX).map(|(name, encoding)| {
            let text = |member: &str| encoding.get(member).and_then(Json::as_str);
            let style = match text("style") {
                Some("spaceDelimited") => Style::SpaceDelimited,
                Some("pipeDelimited") => Style::PipeDelimited,
                Some("deepObject") => Style::DeepObject,
                _ => Style::Form,
            };
            let explode = encoding.get("explode").and_then(Json::as_bool);
            let has_style = ["style", "explode", "allowReserved"]
                .iter()
                .any(|member| encoding.get(*member).is_some());
            let types = text("contentType").filter(|_| !has_style).unwrap_or_default();
            Written {
                name: name.clone(),
                style,
                explode: explode.unwrap_or(matches!(style, Style::Form | Style::DeepObject)),
                types: types.split(',').filter_map(Range::parse).collect(),
                required: false,
                may_be_empty: false,
                file: false,
                schema: None,
            }
        });
        Self { whole: Some(whole), written: written.collect() }
    }

    /// From the parameters of a 2.0 form.
    pub(super) fn of_old<'c>(
        contract: &'c Contract,
        fields: &[FormField],
        builder: &mut Builder<'c>,
    ) -> Self {
        let written = fields.iter().take(FIELDS_MAX).map(|field| {
            let declared = contract.node(&field.schema);
            let member = |name: &str| declared.and_then(|node| node.get(name));
            let (style, explode) = match member("collectionFormat").and_then(Json::as_str) {
                Some("multi") => (Style::Form, true),
                Some("ssv") => (Style::SpaceDelimited, false),
                Some("tsv") => (Style::TabDelimited, false),
                Some("pipes") => (Style::PipeDelimited, false),
                _ => (Style::Form, false),
            };
            Written {
                name: field.name.clone(),
                style,
                explode,
                types: Vec::new(),
                required: field.required,
                may_be_empty: member("allowEmptyValue").and_then(Json::as_bool).unwrap_or(false),
                file: field.file,
                schema: builder.place(contract, &field.schema),
            }
        });
        Self { whole: None, written: written.collect() }
    }

    pub(super) fn finish(self, schemas: &Schemas) -> Fields {
        let mut named = Vec::new();
        let Self { whole, mut written } = self;
        if let Some(whole) = whole {
            // Every property is a field, whether `encoding` says something of it or not.
            for (name, _) in schemas.member_kinds(whole) {
                if !written.iter().any(|known| *known.name == *name) {
                    written.push(Written::plain(name.into()));
                }
            }
        }
        for written in written {
            let described: Vec<SchemaId> = match (whole, written.schema) {
                (_, Some(schema)) => vec![schema],
                (Some(whole), None) => schemas.of_member(&[whole], &written.name),
                (None, None) => Vec::new(),
            };
            named.push(Field::new(written, described, schemas));
        }
        named.sort_by(|left, right| left.expected.name.cmp(&right.expected.name));
        named.dedup_by(|later, first| later.expected.name == first.expected.name);
        Fields { whole, named: named.into() }
    }
}

/// The most fields of a contract's form that are looked at.
const FIELDS_MAX: usize = 1_000;

impl Written {
    /// A field of which nothing is said.
    fn plain(name: String) -> Self {
        Self {
            name,
            style: Style::Form,
            explode: true,
            types: Vec::new(),
            required: false,
            may_be_empty: false,
            file: false,
            schema: None,
        }
    }
}

impl Field {
    fn new(written: Written, described: Vec<SchemaId>, schemas: &Schemas) -> Self {
        let form = form(schemas, &described);
        let items = schemas.of_items(&described);
        let is_binary = |ids: &[SchemaId]| ids.iter().any(|id| schemas.is_binary(*id));
        let is_json = |range: &Range| range.may_be(Language::Json);
        let json = !written.types.is_empty() && written.types.iter().all(is_json);
        let others = written
            .types
            .iter()
            .any(|range| !range.may_be(Language::Json) && !range.may_be(Language::Text));
        Self {
            json,
            file: written.file
                || form.scalar.is_any()
                || others
                || is_binary(&described)
                || is_binary(&items),
            file_bytes: described.iter().chain(&items).find_map(|id| schemas.longest_text(*id)),
            expected: Expected {
                name: written.name.into(),
                location: Location::Query,
                required: written.required,
                may_be_empty: written.may_be_empty,
                style: written.style,
                explode: written.explode,
                index: usize::MAX,
                schema: described.first().copied(),
                form,
                json,
            },
            schemas: described.into(),
            types: written.types.into(),
        }
    }
}

/// What a text for one of the schemas can stand for.
fn form(schemas: &Schemas, described: &[SchemaId]) -> Form {
    let mut forms = described.iter().map(|id| Form::of(schemas, *id));
    let Some(mut all) = forms.next() else {
        return Form { scalar: Kinds::default(), list: None, object: None };
    };
    for form in forms {
        all.scalar = all.scalar.or(form.scalar);
        all.list = match (all.list, form.list) {
            (Some(own), Some(other)) => Some(own.or(other)),
            (own, other) => own.or(other),
        };
        all.object = all.object.or(form.object);
    }
    all
}

/// What a form says of one of its fields.
#[derive(Default)]
struct Sent<'b> {
    /// Still encoded, as a query has them.
    texts: Vec<Cow<'b, str>>,
    /// Where the name has brackets.
    nested: Option<Node<'b>>,
    /// Parts that are JSON by their media type.
    json: Vec<&'b [u8]>,
    /// Parts that are not looked into.
    files: usize,
    /// Its brackets say something that nobody agrees on.
    odd: bool,
}

/// Everything that a form says.
pub(super) struct Reading<'b, 'f> {
    fields: &'f Fields,
    schemas: &'f Schemas,
    bounds: &'f intake::Bounds,
    /// By name.
    sent: BTreeMap<String, Sent<'b>>,
    problems: Vec<Problem>,
    /// Bytes of the body.
    bytes: usize,
}

impl Fields {
    fn get(&self, name: &str) -> Option<&Field> {
        let at = self.named.binary_search_by(|known| (*known.expected.name).cmp(name)).ok()?;
        Some(&self.named[at])
    }

    /// Judges the pairs of a form.
    pub(super) fn judge_pairs<'b>(
        &self,
        pairs: Vec<(Cow<'b, str>, &'b str)>,
        (schemas, bounds, bytes): (&Schemas, &intake::Bounds, usize),
    ) -> Vec<Problem> {
        let mut form = Reading::new(self, (schemas, bounds, bytes));
        for (name, value) in pairs {
            if !decode::is_sound(value) {
                form.wrong(&name, "encoding", decode::UNSOUND.to_owned());
                continue;
            }
            form.text(&name, Cow::Borrowed(value));
        }
        form.judge()
    }

    /// Judges the parts of a form.
    pub(super) fn judge_parts(
        &self,
        parts: &[Part<'_>],
        (schemas, bounds, bytes): (&Schemas, &intake::Bounds, usize),
    ) -> Vec<Problem> {
        let mut form = Reading::new(self, (schemas, bounds, bytes));
        for part in parts {
            form.part(part);
        }
        form.judge()
    }
}

impl<'b, 'f> Reading<'b, 'f> {
    fn new(
        fields: &'f Fields,
        (schemas, bounds, bytes): (&'f Schemas, &'f intake::Bounds, usize),
    ) -> Self {
        Self { fields, schemas, bounds, sent: BTreeMap::default(), problems: Vec::new(), bytes }
    }

    fn wrong(&mut self, name: &str, rule: &'static str, detail: String) {
        self.problems.push(Problem::at(name, rule, detail));
    }

    /// A text, encoded as in a query.
    fn text(&mut self, name: &str, value: Cow<'b, str>) {
        if value.len() > self.bounds.text_bytes {
            let detail = format!("is longer than {} bytes", self.bounds.text_bytes);
            return self.wrong(name, "length", detail);
        }
        let steps = if self.fields.get(name).is_some() { None } else { nested::steps(name) };
        let Some((base, steps)) = steps else {
            self.sent.entry(name.to_owned()).or_default().texts.push(value);
            return;
        };
        let sent = self.sent.entry(base.to_owned()).or_default();
        let text = match value {
            Cow::Borrowed(value) => decode::decoded(value, true),
            Cow::Owned(value) => Cow::Owned(decode::decoded(&value, true).into_owned()),
        };
        let is_agreed = sent.nested.get_or_insert_with(Node::default).put(&steps, text);
        sent.odd |= !is_agreed;
    }

    fn part(&mut self, part: &Part<'b>) {
        let name = part.name.as_str();
        let media = match part.content_type {
            // RFC 7578 section 4.4.
            None => MediaType::parse("text/plain"),
            Some(text) => MediaType::parse(text),
        };
        let Some(media) = media else {
            return self.wrong(name, "contentType", "must have a media type".to_owned());
        };
        let fields = self.fields;
        let field = fields.get(name);
        if let Some(field) = field
            && !field.types.is_empty()
            && best(field.types.iter().map(Some), &media).is_none()
        {
            let names: Vec<&str> = field.types.iter().map(Range::name).collect();
            let detail = format!("must be of the media type {}", names.join(" or "));
            self.sent.entry(name.to_owned()).or_default().files += 1;
            return self.wrong(name, "contentType", detail);
        }
        let may_be_file = match field {
            Some(field) => field.file,
            None => self.unknown_may_be_file(name),
        };
        let language = media.language();
        if language == Language::Json && !(part.is_file && may_be_file) {
            return self.sent.entry(name.to_owned()).or_default().json.push(part.data);
        }
        let is_text = language == Language::Text && media.charset() == Charset::Utf8;
        if part.is_file || !is_text {
            self.sent.entry(name.to_owned()).or_default().files += 1;
            if !may_be_file {
                let detail = "must be a field of text, not a file".to_owned();
                return self.wrong(name, "file", detail);
            }
            let most = field.and_then(|field| field.file_bytes);
            if let Some(most) = most.filter(|most| part.data.len() as u64 > *most) {
                self.wrong(name, "maxLength", format!("must have at most {most} bytes"));
            }
            return;
        }
        match std::str::from_utf8(part.data) {
            Ok(text) => self.text(name, encoded(text)),
            Err(_) if may_be_file => self.sent.entry(name.to_owned()).or_default().files += 1,
            Err(_) => self.wrong(name, "charset", "must be text in UTF-8".to_owned()),
        }
    }

    /// Whether a field that the contract does not name may be a file, by what is said of such fields.
    fn unknown_may_be_file(&self, name: &str) -> bool {
        let Some(whole) = self.fields.whole else { return true };
        let schemas = self.schemas;
        let described = schemas.of_member(&[whole], name);
        let is_file = |ids: &[SchemaId]| {
            ids.iter().any(|id| {
                let kinds = schemas.kinds(*id);
                // What is forbidden as a whole is told as that.
                kinds.is_any() || kinds.is_none() || schemas.is_binary(*id)
            })
        };
        described.is_empty() || is_file(&described) || is_file(&schemas.of_items(&described))
    }

    /// What is wrong with the form.
    fn judge(mut self) -> Vec<Problem> {
        let mut object = Map::default();
        let mut opaque = Vec::new();
        let sent = std::mem::take(&mut self.sent);
        for (name, sent) in sent {
            let field = self.fields.get(&name);
            let value = self.value(&name, field, &sent);
            if value.is_none() {
                opaque.push(name.clone());
            }
            object.insert(Cow::Owned(name), value.unwrap_or(Value::Null));
        }
        let Self { fields, schemas, mut problems, bytes, .. } = self;
        if let Some(whole) = fields.whole {
            let verdict = schemas.check_but(whole, &Value::Object(object), bytes, &opaque);
            problems.extend(Problem::of_verdict(verdict));
            return problems;
        }
        for field in &fields.named {
            let name = &*field.expected.name;
            let Some(value) = object.get(name) else {
                if field.expected.required {
                    problems.push(Problem::at(name, "required", "must be given".to_owned()));
                }
                continue;
            };
            let is_empty = field.expected.may_be_empty && value.as_str() == Some("");
            if let Some(schema) = field.expected.schema
                && !is_empty
                && !opaque.iter().any(|opaque| opaque == name)
            {
                let own = Problem::of_verdict(schemas.check(schema, value, bytes));
                problems.extend(own.into_iter().map(|problem| problem.below(name)));
            }
        }
        problems
    }

    /// The value of a field; nothing where none can be told, because of what was said of it or because it is a file.
    fn value(&mut self, name: &str, field: Option<&Field>, sent: &Sent<'b>) -> Option<Value<'b>> {
        let once = "must be given once, and in the style of the contract";
        let ways = usize::from(!sent.texts.is_empty())
            + usize::from(sent.nested.is_some())
            + usize::from(!sent.json.is_empty())
            + usize::from(sent.files > 0);
        if ways > 1 {
            self.wrong(name, "style", once.to_owned());
            return None;
        }
        let others: Vec<SchemaId>;
        let described: &[SchemaId] = match (field, self.fields.whole) {
            (Some(field), _) => &field.schemas,
            (None, Some(whole)) => {
                others = self.schemas.of_member(&[whole], name);
                &others
            }
            (None, None) => &[],
        };
        let kinds = described.iter().map(|id| self.schemas.kinds(*id)).reduce(Kinds::or);
        let may_be_list = kinds.unwrap_or_default().array;
        // Nobody agrees on what of a list or an object this is, but that it is no single value.
        if sent.odd && kinds.is_some_and(|kinds| !kinds.array && !kinds.object) {
            self.wrong(name, "style", once.to_owned());
            return None;
        }
        if sent.files > 0 || sent.odd {
            let is_single = kinds.is_some_and(|kinds| !kinds.array);
            if sent.files > 1 && is_single {
                self.wrong(name, "style", once.to_owned());
            }
            return None;
        }
        if let Some(nested) = &sent.nested {
            let value = nested.value(self.schemas, described);
            if value.is_none() {
                self.wrong(name, "style", once.to_owned());
            }
            return value;
        }
        if !sent.json.is_empty() {
            return self.json(name, &sent.json, may_be_list);
        }
        let found = match field {
            Some(field) => self.written(field, &sent.texts),
            None => self.unknown(&sent.texts, described, may_be_list),
        };
        match found {
            Ok(value) => Some(value),
            Err(problem) => {
                match problem {
                    Some(problem) => self.problems.push(problem.below(name)),
                    None => self.wrong(name, "style", once.to_owned()),
                }
                None
            }
        }
    }

    /// Parts that are JSON.
    fn json(&mut self, name: &str, parts: &[&'b [u8]], may_be_list: bool) -> Option<Value<'b>> {
        let mut values = Vec::with_capacity(parts.len());
        for part in parts {
            match intake::read(part, self.bounds) {
                Ok(value) => values.push(value),
                Err(problem) => {
                    self.problems.push(problem.below(name));
                    return None;
                }
            }
        }
        match values.len() {
            // One part may be the list, or its only item.
            1 if !may_be_list || values[0].is_array() => values.pop(),
            _ if may_be_list => Some(Value::Array(values)),
            _ => {
                self.wrong(name, "style", "must be given once".to_owned());
                None
            }
        }
    }

    /// A field of the contract, in texts.
    fn written(&self, field: &Field, texts: &[Cow<'b, str>]) -> Result<Value<'b>, Option<Problem>> {
        let kinds = field.expected.form.scalar;
        if let [text] = texts
            && (field.json || kinds.object || kinds.array)
        {
            let text = decode::decoded(text, true);
            let is_like = text.trim_start().starts_with(['{', '[']);
            match intake::read(text.as_bytes(), self.bounds) {
                Ok(value) if field.json || is_like => return Ok(value.into_owned()),
                Err(problem) if field.json || (is_like && problem.rule != "json") => {
                    return Err(Some(problem));
                }
                _ => {}
            }
        }
        let pairs: Vec<Pair<'_>> =
            texts.iter().map(|value| Pair { parameter: 0, member: None, value }).collect();
        let mut first = None;
        let mut fitting = None;
        decode::values(&field.expected, &decode::Given::Query(&pairs), &mut |value| {
            let fits = self.schemas.any_fits(&field.schemas, &value, self.bytes);
            if fits {
                fitting = Some(value);
            } else {
                first.get_or_insert(value);
            }
            fits
        });
        fitting.or(first).ok_or(None)
    }

    /// A field that the contract does not name.
    fn unknown(
        &self,
        texts: &[Cow<'b, str>],
        described: &[SchemaId],
        may_be_list: bool,
    ) -> Result<Value<'b>, Option<Problem>> {
        let one = |text: &Cow<'b, str>, described: &[SchemaId]| {
            nested::best(&decode::decoded(text, true), self.schemas, described)
        };
        match texts {
            [text] => Ok(one(text, described)),
            texts if may_be_list => {
                let items = self.schemas.of_items(described);
                Ok(Value::Array(texts.iter().map(|text| one(text, &items)).collect()))
            }
            _ => Err(None),
        }
    }
}

/// A text as a query would have it, so that it is read the same way.
fn encoded(text: &str) -> Cow<'_, str> {
    if !text.contains(['%', '+']) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace('%', "%25").replace('+', "%2B"))
}
