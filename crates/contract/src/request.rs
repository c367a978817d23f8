//! What a call must be like to keep its contract: parameters of path, query, headers and cookies, and its body.
//!
//! Made once for each operation, from its parameters and the compiled schemas of its contract. Texts become values
//! by what the schema of a parameter can be (`form`), and by its style (`decode`); what could be read in
//! several ways keeps the contract if one of them does. All problems are told, in bounds; what they say comes
//! from the contract, never from the call. Parameters that the contract does not know are let through.

mod answer;
mod body;
mod decode;
mod form;
mod spelling;

pub use answer::{AnswerChecks, Judgement, compile_answers};
pub use body::{Bounds, Plan, Wish};

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::contract::{Contract, Location, Operation, Parameter, Style};
use crate::schema::{Builder, Finding, PROBLEMS_MAX, Problem, SchemaId, Schemas, Value, intake};
use form::Form;
use spelling::{Fault, Spellings};

/// The head of a call, as far as parameters stand in it.
pub trait Head {
    /// The text of a path parameter, by its place in the template; percent escapes as they came.
    fn path(&self, index: usize) -> Option<&str>;
    /// The query, without its question mark.
    fn query(&self) -> &str;
    /// Every field of that name, in the order received.
    fn header(&self, name: &str, see: &mut dyn FnMut(&[u8]));
}

/// A part of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A parameter that stands there.
    Parameter(Location),
    /// The body.
    Body,
}

impl Place {
    /// The word for it: `path`, `query`, `header`, `cookie`, `body`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Parameter(location) => location.word(),
            Self::Body => "body",
        }
    }
}

/// Something wrong with a call, and with which part of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Which part.
    pub place: Place,
    /// The name of the parameter, as the contract has it; empty for the body.
    pub name: Arc<str>,
    /// What is wrong; its pointer leads within the value of the part.
    pub problem: Problem,
}

impl Misfit {
    /// Something wrong with the body.
    #[must_use]
    pub fn of_body(problem: Problem) -> Self {
        Self { place: Place::Body, name: "".into(), problem }
    }
}

/// What is wanted of the checks of an operation.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Names of headers and query parameters, in lower case, that the gateway adds itself on the way to the backend:
    /// callers cannot be asked for those.
    pub added: HashSet<String>,
    /// Bounds on bodies.
    pub bounds: Bounds,
}

/// What the calls of one operation are checked for.
#[derive(Debug)]
pub struct RequestChecks {
    schemas: Arc<Schemas>,
    parameters: Box<[Expected]>,
    /// Where the pairs of a query go, sorted by name.
    query_names: Box<[QueryName]>,
    spellings: Spellings,
    /// Whether a cookie is among the parameters.
    cookies: bool,
    body: Option<body::Expectation>,
}

/// One parameter.
#[derive(Debug)]
struct Expected {
    name: Arc<str>,
    location: Location,
    required: bool,
    /// An empty text is as good as a value (`allowEmptyValue`).
    may_be_empty: bool,
    style: Style,
    explode: bool,
    /// Place in the path template.
    index: usize,
    schema: Option<SchemaId>,
    form: Form,
    /// Its value is a text of JSON.
    json: bool,
}

/// The checks of an operation before schemas are compiled.
struct Draft {
    parameters: Vec<Unfinished>,
    body: Option<body::Unfinished>,
}

/// A parameter before schemas are compiled, and its schema whether it is checked or not.
type Unfinished = (Expected, Option<SchemaId>);

/// A name that a pair of a query may have.
#[derive(Debug)]
struct QueryName {
    name: Box<str>,
    parameter: u32,
    /// It is a member of the parameter, not the parameter.
    is_member: bool,
}

/// A pair of a query that belongs to a parameter.
struct Pair<'q> {
    parameter: u32,
    /// The name of the member, where the pair is one.
    member: Option<Cow<'q, str>>,
    value: &'q str,
}

/// Headers that are described elsewhere in a contract (OpenAPI 3.0 and later say so), or set by the gateway on the way.
const NOT_CHECKED: &[&str] = &[
    "accept",
    "authorization",
    "content-type",
    "forwarded",
    "traceparent",
    "tracestate",
    "via",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-portway-app",
    "x-portway-plan",
    "x-request-id",
];

/// Compiles the checks of the operations of a contract, all over the same schemas.
/// One is given for each operation, `None` for one that is not checked.
#[must_use]
pub fn compile(
    contract: &Contract,
    wanted: impl Fn(&Operation) -> Option<Wanted>,
) -> (Vec<Option<RequestChecks>>, Vec<Finding>) {
    let mut builder = Builder::of_contract(contract);
    let mut made: Vec<Option<Draft>> = Vec::new();
    for operation in &contract.operations {
        made.push(wanted(operation).map(|Wanted { added, bounds }| {
            let kept =
                operation.parameters.iter().filter(|parameter| is_checked(parameter, &added));
            Draft {
                parameters: kept
                    .map(|parameter| expected(contract, operation, parameter, &mut builder))
                    .collect(),
                body: body::Unfinished::of(contract, operation, &mut builder, bounds),
            }
        }));
    }
    let (schemas, mut findings) = builder.finish();
    let schemas = Arc::new(schemas);
    let mut all = Vec::with_capacity(made.len());
    for (operation, list) in contract.operations.iter().zip(made) {
        all.push(list.map(|draft| finished(draft, operation, &schemas, &mut findings)));
    }
    (all, findings)
}

/// The most findings that are kept.
const FINDINGS_MAX: usize = 200;

/// A parameter that nothing could be the value of: a slip in the contract, which callers cannot mend.
fn contradiction(operation: &Operation, expected: &Expected) -> Finding {
    let (place, name) = (expected.location.word(), &expected.name);
    let message = format!(
        "the {place} parameter `{name}` of `{}` can have no value, because its type and its other rules contradict each other, so its value is not checked",
        operation.id
    );
    Finding { document: operation.document, message }
}

fn is_checked(parameter: &Parameter, added: &HashSet<String>) -> bool {
    let name = parameter.name.to_ascii_lowercase();
    match parameter.location {
        Location::QueryString => false,
        Location::Header => !NOT_CHECKED.contains(&&*name) && !added.contains(&name),
        Location::Query => !added.contains(&name),
        Location::Path | Location::Cookie => true,
    }
}

fn expected<'c>(
    contract: &'c Contract,
    operation: &Operation,
    parameter: &Parameter,
    builder: &mut Builder<'c>,
) -> Unfinished {
    let schema = parameter.schema.as_ref().and_then(|place| builder.place(contract, place));
    let declared = parameter.declared.as_ref().and_then(|place| contract.node(place));
    let flag = |name: &str| declared.and_then(|value| value.get(name)).and_then(Json::as_bool);
    let index = operation.template.parameters().position(|name| name == parameter.name);
    let is_json = parameter.media_type.as_deref().is_some_and(is_json);
    // What is written in another media type is text for its backend.
    let readable = parameter.media_type.is_none() || is_json;
    let expected = Expected {
        name: parameter.name.as_str().into(),
        location: parameter.location,
        required: parameter.required,
        may_be_empty: flag("allowEmptyValue").unwrap_or(false),
        style: parameter.style,
        explode: parameter.explode,
        index: index.unwrap_or(usize::MAX),
        schema: schema.filter(|_| readable),
        form: Form::default(),
        json: is_json,
    };
    (expected, schema)
}

/// Whether a media type is JSON: `application/json`, or anything that ends with `+json`.
fn is_json(media_type: &str) -> bool {
    let name = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    name == "application/json" || name.ends_with("+json")
}

fn finished(
    draft: Draft,
    operation: &Operation,
    schemas: &Arc<Schemas>,
    findings: &mut Vec<Finding>,
) -> RequestChecks {
    let Draft { parameters: list, body } = draft;
    let mut parameters = Vec::with_capacity(list.len());
    let mut query_names = Vec::new();
    for (mut expected, schema) in list {
        // A path parameter that the template does not have stands nowhere.
        if expected.location == Location::Path && expected.index == usize::MAX {
            continue;
        }
        expected.form = schema.map(|schema| Form::of(schemas, schema)).unwrap_or_default();
        if expected.form.scalar.is_none() {
            expected.schema = None;
            if findings.len() < FINDINGS_MAX {
                findings.push(contradiction(operation, &expected));
            }
        }
        let number = u32::try_from(parameters.len()).unwrap_or(u32::MAX);
        if expected.location == Location::Query {
            query_names.push(QueryName {
                name: (&*expected.name).into(),
                parameter: number,
                is_member: false,
            });
            if let (Style::Form, true, Some(members)) =
                (expected.style, expected.explode, &expected.form.object)
            {
                query_names.extend(members.named.iter().map(|(name, _)| QueryName {
                    name: name.clone(),
                    parameter: number,
                    is_member: true,
                }));
            }
        }
        parameters.push(expected);
    }
    // Of equal names the parameter itself comes first.
    query_names.sort_by(|left, right| {
        left.name.cmp(&right.name).then(left.is_member.cmp(&right.is_member))
    });
    query_names.dedup_by(|later, first| later.name == first.name);
    RequestChecks {
        spellings: Spellings::of(&parameters),
        schemas: Arc::clone(schemas),
        cookies: parameters.iter().any(|expected| expected.location == Location::Cookie),
        parameters: parameters.into(),
        query_names: query_names.into(),
        body: body.map(|body| body.finish(schemas)),
    }
}

impl RequestChecks {
    /// Nothing is checked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty() && self.body.is_none()
    }

    /// Whether a header field is among the parameters.
    #[must_use]
    pub fn judges_headers(&self) -> bool {
        self.parameters.iter().any(|parameter| parameter.location == Location::Header)
    }

    /// Whether bodies are looked into.
    #[must_use]
    pub fn judges_bodies(&self) -> bool {
        self.body.as_ref().is_some_and(body::Expectation::judges)
    }

    /// The media types of bodies that the contract takes, as a list for an `Accept`.
    #[must_use]
    pub fn accept(&self) -> &str {
        self.body.as_ref().map_or("", body::Expectation::accept)
    }

    /// What is to be done with the body of a call, by its head.
    #[must_use]
    pub fn wish(&self, head: &dyn Head, has_body: bool) -> Wish {
        self.body.as_ref().map_or(Wish::Pass, |body| body.wish(head, has_body))
    }

    /// Checks the body of a call, as `wish` planned it. What is wrong, at most [`PROBLEMS_MAX`].
    #[must_use]
    pub fn body(&self, plan: &Plan, bytes: &[u8]) -> Vec<Misfit> {
        let Some(body) = &self.body else { return Vec::new() };
        body.judge(plan, bytes, &self.schemas).into_iter().map(Misfit::of_body).collect()
    }

    /// Checks the parameters of a call. What is wrong, at most [`PROBLEMS_MAX`]; nothing if it keeps the contract.
    #[must_use]
    pub fn head(&self, head: &dyn Head) -> Vec<Misfit> {
        let mut faults = Vec::new();
        let pairs = match self.query_names.is_empty() {
            true => Vec::new(),
            false => self.pairs(head.query(), &mut faults),
        };
        let mut cookies = Vec::new();
        if self.cookies {
            head.header("cookie", &mut |value| {
                cookies.push(String::from_utf8_lossy(value).into_owned());
            });
        }
        let mut misfits: Vec<Misfit> =
            faults.iter().map(|fault| fault.misfit(&self.parameters)).collect();
        // One text for all headers: most calls have several to be looked at.
        let mut text = String::new();
        for (number, expected) in (0_u32..).zip(&self.parameters) {
            if misfits.len() >= PROBLEMS_MAX {
                break;
            }
            match expected.location {
                Location::Path => {
                    let text = head.path(expected.index);
                    self.one(expected, text.map(decode::Given::Path), &mut misfits);
                }
                Location::Query => {
                    let first = pairs.partition_point(|pair| pair.parameter < number);
                    let own = &pairs[first..];
                    let count = own.iter().take_while(|pair| pair.parameter == number).count();
                    let own = &own[..count];
                    let given = (count > 0).then_some(decode::Given::Query(own));
                    self.one(expected, given, &mut misfits);
                }
                Location::Header => {
                    text.clear();
                    let mut fields = 0_u32;
                    head.header(&expected.name, &mut |value| {
                        // Several fields are one list (RFC 9110 section 5.3).
                        if fields > 0 {
                            text.push(',');
                        }
                        fields = fields.saturating_add(1);
                        text.push_str(String::from_utf8_lossy(value).trim());
                    });
                    let given = (fields > 0).then_some(decode::Given::Header(&text));
                    self.one(expected, given, &mut misfits);
                }
                Location::Cookie => {
                    let values = decode::cookies(&cookies, &expected.name);
                    let given = (!values.is_empty()).then_some(decode::Given::Cookies(&values));
                    self.one(expected, given, &mut misfits);
                }
                Location::QueryString => {}
            }
        }
        misfits
    }

    /// The pairs of a query that belong to parameters, by parameter, in the order given.
    fn pairs<'q>(&self, query: &'q str, faults: &mut Vec<Fault>) -> Vec<Pair<'q>> {
        let mut pairs: Vec<Pair<'q>> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode::decoded(name, true);
            if let Some(known) = self.query_name(&name) {
                let member = known.is_member.then_some(name);
                pairs.push(Pair { parameter: known.parameter, member, value });
            } else if let Some((base, member)) = decode::deep(&name)
                && let Some(known) = self.query_name(base)
                && self.parameters[known.parameter as usize].style == Style::DeepObject
            {
                let member = Some(Cow::Owned(member.to_owned()));
                pairs.push(Pair { parameter: known.parameter, member, value });
            } else {
                match self.spellings.meant(&name, &self.parameters) {
                    spelling::Meant::Item(parameter) => {
                        pairs.push(Pair { parameter, member: None, value });
                    }
                    spelling::Meant::Respelt(parameter) => Fault::respelt(faults, parameter),
                    spelling::Meant::Nothing => {}
                }
            }
        }
        for pair in pairs.iter().filter(|pair| !decode::is_sound(pair.value)) {
            let expected = self.parameters.get(pair.parameter as usize);
            if expected.is_some_and(|expected| expected.schema.is_some()) {
                Fault::unsound(faults, pair.parameter);
            }
        }
        pairs.sort_by_key(|pair| pair.parameter);
        pairs
    }

    fn query_name(&self, name: &str) -> Option<&QueryName> {
        let at = self.query_names.binary_search_by(|known| (*known.name).cmp(name)).ok()?;
        Some(&self.query_names[at])
    }

    fn one(
        &self,
        expected: &Expected,
        given: Option<decode::Given<'_, '_>>,
        misfits: &mut Vec<Misfit>,
    ) {
        let mut wrong = |problem| {
            if misfits.len() < PROBLEMS_MAX {
                let name = Arc::clone(&expected.name);
                misfits.push(Misfit { place: Place::Parameter(expected.location), name, problem });
            }
        };
        let whole = |rule, detail: &str| Problem {
            pointer: String::new(),
            rule,
            detail: detail.to_owned(),
        };
        let Some(given) = given else {
            if expected.required {
                wrong(whole("required", "must be given"));
            }
            return;
        };
        let Some(schema) = expected.schema else { return };
        let bytes = given.bytes();
        if bytes == 0 && expected.may_be_empty {
            return;
        }
        if expected.json {
            let Some(text) = given.single() else {
                return wrong(whole("once", "must be given once"));
            };
            match intake::read(text.as_bytes(), &intake::Bounds::default()) {
                Ok(value) => self.judge(schema, &value, bytes).into_iter().for_each(wrong),
                Err(problem) => wrong(problem),
            }
            return;
        }
        let mut first: Option<Vec<Problem>> = None;
        let mut fits = false;
        decode::values(expected, &given, &mut |value| {
            let problems = self.judge(schema, &value, bytes);
            fits = problems.is_empty();
            first.get_or_insert(problems);
            fits
        });
        match first {
            _ if fits => {}
            Some(problems) => problems.into_iter().for_each(wrong),
            None => wrong(whole("style", "must be given once, and in the style of the contract")),
        }
    }

    fn judge(&self, schema: SchemaId, value: &Value<'_>, bytes: usize) -> Vec<Problem> {
        Problem::of_verdict(self.schemas.check(schema, value, bytes))
    }
}

#[cfg(test)]
mod tests;
