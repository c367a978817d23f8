//! Rules that calls must keep before an application gets them, with a contract or without.
//!
//! What stands in the head is judged at once ([`Requests::head`]), and everything that is wrong is told. Bodies are
//! judged in passing ([`BodyWatch`]), a piece at a time, with a small memory that does not grow with what is sent. What
//! is told names parameters and fields, never a value.
//!
//! Texts are judged as they are meant: percent escapes are decoded once, as every reader of queries does, and what is
//! not UTF-8 then, or has an escape that is none, is refused. A spelling that some application takes for a
//! parameter with a rule (`ID`, `id[]`, `id%00`) is refused, so that no rule can be walked around.

mod inflate;
mod media;
mod multipart;
mod pairs;
mod watch;

use std::sync::Arc;

use portway_model as model;
use portway_model::{Coding, Permission};

use crate::hygiene::same_folded;
use crate::{Body, Call, Reason};
use media::Media;
use multipart::PartRules;
use pairs::{Pairs, Rule};
pub use watch::BodyWatch;

/// The most breaches that are told of one call.
pub const BREACHES_MAX: usize = 32;
/// The most characters of a name that a caller chose.
const NAME_CHARS: usize = 64;
/// Bytes that a compiled pattern may have.
const PATTERN_BYTES: usize = 1 << 20;

/// Fields by which frameworks take another method or path than the request's.
const OVERRIDES: &[&str] = &[
    "X-HTTP-Method",
    "X-HTTP-Method-Override",
    "X-Method-Override",
    "X-Original-URL",
    "X-Rewrite-URL",
];

const OVERRIDE: &str = "may not ask for another method or path";

/// Which rule a call breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breach {
    /// `query`, `header`, `cookie`, `body` or `part`.
    pub place: &'static str,
    /// The name of the parameter, field or part; bounded.
    pub name: Box<str>,
    /// Whether that name is the document's. If not, the caller chose it, and it belongs in no log.
    pub known: bool,
    /// The rule.
    pub rule: &'static str,
    /// What it asks.
    pub detail: Box<str>,
    /// What the call is refused for.
    pub reason: Reason,
}

impl Breach {
    /// Of a name that stands in the document, or of no name.
    fn of(
        place: &'static str,
        name: &str,
        rule: &'static str,
        detail: impl Into<Box<str>>,
    ) -> Self {
        let detail = detail.into();
        Self { place, name: name.into(), known: true, rule, detail, reason: Reason::RuleBroken }
    }

    /// Of a name that the caller chose.
    fn named(place: &'static str, name: &str, rule: &'static str, detail: &'static str) -> Self {
        let name: String = name.chars().take(NAME_CHARS).collect();
        Self { known: false, ..Self::of(place, &name, rule, detail) }
    }

    fn because(self, reason: Reason) -> Self {
        Self { reason, ..self }
    }
}

/// What of a document cannot be compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleFault {
    /// Names from the block down to what is wrong.
    pub path: Vec<String>,
    /// What is wrong.
    pub message: String,
}

/// The rules of a service or an operation, compiled.
#[derive(Debug)]
pub struct Requests {
    media: Option<Box<[Media]>>,
    query_bytes: u64,
    query_parameters: usize,
    header_bytes: u64,
    query: Option<Pairs>,
    cookies: Option<Pairs>,
    headers: Box<[(Box<str>, Rule)]>,
    headers_denied: Box<[Box<str>]>,
    may_override: bool,
    codings: Box<[Coding]>,
    inflated_bytes: u64,
    ratio: u64,
    uploads: Option<Arc<PartRules>>,
}

impl Requests {
    /// From the document; or everything that is wrong with it.
    pub fn compile(document: &model::Requests) -> Result<Self, Vec<RuleFault>> {
        let mut faults = Vec::new();
        let most = |size: Option<model::ByteSize>| size.map_or(u64::MAX, model::ByteSize::as_bytes);
        let compression = document.compression.as_ref();
        let (rules, denied) = headers(document.headers.as_ref(), &mut faults);
        let mut pairs = |name: &str, rules: &Option<model::PairRules>| {
            rules.as_ref().map(|rules| Pairs::compile(name, rules, &mut faults))
        };
        let compiled = Self {
            media: document.content_types.as_deref().map(media::compile),
            query_bytes: most(document.query_bytes),
            query_parameters: document.query_parameters.map_or(usize::MAX, |most| most as usize),
            header_bytes: most(document.header_bytes),
            query: pairs("query", &document.query),
            cookies: pairs("cookies", &document.cookies),
            headers: rules,
            headers_denied: denied,
            may_override: document.overrides == Permission::Allow,
            codings: compression.map_or_else(Box::default, |own| own.codings.as_slice().into()),
            inflated_bytes: most(compression.and_then(|own| own.inflated_bytes)),
            ratio: compression.map_or(1, |own| u64::from(own.ratio)),
            uploads: document.uploads.as_ref().map(|own| Arc::new(PartRules::compile(own))),
        };
        if faults.is_empty() { Ok(compiled) } else { Err(faults) }
    }

    /// What is wrong with the head of a call, at most [`BREACHES_MAX`]; nothing if it keeps the rules. `fields` are all
    /// its header fields, `own` the parameters of the query that are the gateway's.
    pub fn head<'f>(
        &self,
        call: &Call<'_>,
        fields: impl Iterator<Item = (&'f [u8], &'f [u8])>,
        own: &[impl AsRef<str>],
    ) -> Vec<Breach> {
        let mut breaches = Breaches(Vec::new());
        self.coding(call).err().into_iter().for_each(|breach| breaches.add(breach));
        self.content_type(call).into_iter().for_each(|breach| breaches.add(breach));
        self.sizes(call, &mut breaches);
        fields.for_each(|(name, value)| self.field(name, value, &mut breaches));
        if !self.may_override && pairs::has_method(call.query) {
            breaches.add(Breach::of("query", "_method", "overrides", OVERRIDE));
        }
        self.header_rules(call, &mut breaches);
        if let Some(rules) = &self.query {
            rules.judge_query(call.query, own, &mut breaches);
        }
        if let Some(rules) = &self.cookies {
            rules.judge_cookies(call.headers, &mut breaches);
        }
        breaches.0
    }

    /// Who watches the body of a call, if anything of it is to be watched. `body_bytes` is the most that it may have.
    pub fn watch(&self, call: &Call<'_>, body_bytes: u64) -> Option<BodyWatch> {
        if matches!(call.body, Body::None) {
            return None;
        }
        let coding = self.coding(call).ok()?;
        let parts = self.uploads.as_ref().and_then(|rules| {
            let mut value = None;
            call.headers.each("content-type", &mut |field| {
                value.get_or_insert_with(|| field.to_vec());
            });
            value.filter(|value| media::is_multipart(value)).map(|value| (Arc::clone(rules), value))
        });
        if coding.is_none() && parts.is_none() {
            return None;
        }
        let most = if self.inflated_bytes == u64::MAX { body_bytes } else { self.inflated_bytes };
        Some(BodyWatch::new(coding, (most, self.ratio), parts))
    }

    /// How the body is coded; `None` if it is not.
    fn coding(&self, call: &Call<'_>) -> Result<Option<Coding>, Breach> {
        let refused = |detail: &'static str| {
            Err(Breach::of("header", "Content-Encoding", "coding", detail)
                .because(Reason::CodingUnsupported))
        };
        let mut coding = None;
        let (mut count, mut is_known) = (0_usize, true);
        call.headers.each("content-encoding", &mut |value| {
            for word in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                if word.is_empty() || word.eq_ignore_ascii_case(b"identity") {
                    continue;
                }
                count += 1;
                let known = [(&b"gzip"[..], Coding::Gzip), (b"deflate", Coding::Deflate)];
                coding = known
                    .into_iter()
                    .find(|(name, _)| word.eq_ignore_ascii_case(name))
                    .map(|(_, coding)| coding)
                    .filter(|coding| self.codings.contains(coding));
                is_known &= coding.is_some();
            }
        });
        match (count, is_known) {
            (0, _) => Ok(None),
            (1, true) => Ok(coding),
            (1, false) => refused(match self.codings.as_ref() {
                [] => "must be left out: no compressed bodies are taken here",
                [Coding::Gzip] => "must be gzip, or left out",
                [Coding::Deflate] => "must be deflate, or left out",
                _ => "must be gzip or deflate, or left out",
            }),
            _ => refused("must name one coding only"),
        }
    }

    fn content_type(&self, call: &Call<'_>) -> Option<Breach> {
        let mut values: Vec<Vec<u8>> = Vec::new();
        call.headers.each("content-type", &mut |value| {
            if values.len() < 2 {
                values.push(value.to_vec());
            }
        });
        let refused = |rule: &'static str, detail: &'static str| {
            Some(
                Breach::of("header", "Content-Type", rule, detail)
                    .because(Reason::MediaTypeUnsupported),
            )
        };
        match (values.as_slice(), &self.media) {
            ([], None) => None,
            ([], _) if matches!(call.body, Body::None) => None,
            ([], _) => refused("content_types", "must be given with a body"),
            ([value], Some(media)) if !media::is_one_of(value, media) => {
                refused("content_types", "must be one of the media types that are taken here")
            }
            ([value], Some(_)) if !media::has_plain_charset(value) => {
                refused("charset", "must be UTF-8 or another charset that contains ASCII")
            }
            // Or it is read in two ways, and what rules say of a type is walked around.
            ([value], _) if !media::is_clear(value) => refused(
                "media_type",
                "must be one media type, with parameters that are well formed",
            ),
            ([_], _) => None,
            _ => refused("repeated", "must be given once"),
        }
    }

    fn sizes(&self, call: &Call<'_>, breaches: &mut Breaches) {
        if call.query.len() as u64 > self.query_bytes {
            let detail = format!("must have at most {} bytes", self.query_bytes);
            breaches.add(Breach::of("query", "", "query_bytes", detail));
        }
        if self.query_parameters < usize::MAX
            && call.query.split('&').filter(|pair| !pair.is_empty()).count() > self.query_parameters
        {
            let detail = format!("must have at most {} parameters", self.query_parameters);
            breaches.add(Breach::of("query", "", "query_parameters", detail));
        }
    }

    /// Judges what counts for a field whatever its rule. Names are compared as applications may read them.
    fn field(&self, name: &[u8], value: &[u8], breaches: &mut Breaches) {
        if value.len() as u64 > self.header_bytes {
            let name = String::from_utf8_lossy(name);
            breaches.add(Breach::named("header", &name, "header_bytes", "has too many bytes"));
        }
        let is_one = |known: &str| same_folded(known.as_bytes(), name);
        if !self.may_override
            && let Some(name) = OVERRIDES.iter().find(|known| is_one(known))
        {
            breaches.add(Breach::of("header", name, "overrides", OVERRIDE));
        }
        if let Some(name) = self.headers_denied.iter().find(|known| is_one(known)) {
            breaches.add(Breach::of("header", name, "denied", "may not be given"));
        }
        let ruled = self.headers.iter().find(|(known, _)| is_one(known));
        if let Some((own, _)) = ruled.filter(|(own, _)| !own.as_bytes().eq_ignore_ascii_case(name))
        {
            breaches.add(Breach::of("header", own, "spelling", "must be spelt so"));
        }
    }

    fn header_rules(&self, call: &Call<'_>, breaches: &mut Breaches) {
        for (name, rule) in &self.headers {
            let mut count = 0;
            call.headers.each(name, &mut |value| {
                count += 1;
                match std::str::from_utf8(value) {
                    Ok(value) => rule.judge("header", name, value, breaches),
                    Err(_) => breaches.add(Breach::of("header", name, "encoding", "must be UTF-8")),
                }
            });
            rule.judge_count("header", name, count, breaches);
        }
    }
}

/// What was found, in bounds.
struct Breaches(Vec<Breach>);

impl Breaches {
    fn add(&mut self, breach: Breach) {
        if self.0.len() < BREACHES_MAX {
            self.0.push(breach);
        }
    }
}

type Headers = (Box<[(Box<str>, Rule)]>, Box<[Box<str>]>);

fn headers(document: Option<&model::HeaderRules>, faults: &mut Vec<RuleFault>) -> Headers {
    let Some(document) = document else { return Headers::default() };
    let mut rules = Vec::with_capacity(document.rules.len());
    for (name, rule) in &document.rules {
        let path = ["headers", "rules", name];
        if !is_field_name(name) {
            let message = "this is not the name of a header field".to_owned();
            faults.push(RuleFault { path: path.map(str::to_owned).into(), message });
        }
        rules.push((name.as_str().into(), Rule::compile(&path, rule, faults)));
    }
    (rules.into(), document.denied.iter().map(|name| name.as_str().into()).collect())
}

/// RFC 9110 §5.1, §5.6.2.
fn is_field_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}

#[cfg(test)]
mod tests;
