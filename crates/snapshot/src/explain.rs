//! Why a call goes where it goes: the answer of `portway explain`.
//!
//! Uses the same look-ups as [`Snapshot::route`], so that it cannot tell another story, and then works out
//! in words why the others lost, which costs time that a call would not have. What is told here may be
//! shown: secrets are named, never written.

use std::fmt::{self, Write};

use portway_contract::{PathTemplate, Piece};
use portway_model::{HmacForm, HostHeader, NonceUse, Period, QuotaPeriod};
use portway_policy::rules::{LimitRule, Per, Window};
use portway_policy::{Headers, Hmac, Identify, KeyPlace, Message, Reason};
use serde::{Deserialize, Serialize};

use crate::canonical::{canonical_host, canonical_path};
use crate::router::Captures;
use crate::snapshot::{Operation, Resolved, Service, Snapshot};

/// The most candidates of a kind that are listed.
const MOST_LISTED: usize = 12;

/// A call to explain.
#[derive(Clone, Copy)]
pub struct ExplainRequest<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its host, with or without port.
    pub host: &'a str,
    /// Its path, and a query after `?`, as they would be sent.
    pub target: &'a str,
    /// Its header fields.
    pub headers: &'a dyn Headers,
}

/// Where a call goes and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// Its method.
    pub method: String,
    /// Its host in canonical form; as given if it has none.
    pub host: String,
    /// Its path as given.
    pub path: String,
    /// Its path in canonical form; absent if it is refused.
    pub canonical_path: Option<String>,
    /// What comes of it.
    pub verdict: Verdict,
    /// Services that were considered, the one chosen first.
    pub services: Vec<Candidate>,
    /// Operations of that service that were considered, the one chosen first.
    pub operations: Vec<Candidate>,
    /// What happens next, if an operation was found.
    pub route: Option<Route>,
}

/// What comes of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// `operation`, `preflight`, `options`, or the reason of the refusal (`not-found`).
    pub outcome: String,
    /// Status of the answer, if the gateway gives it.
    pub status: Option<u16>,
    /// Why, in a sentence.
    pub why: String,
}

/// Somebody who could have got the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Name of the service, or id of the operation.
    pub name: String,
    /// Host and prefix, or method and route.
    pub place: String,
    /// Whether it got the call.
    pub chosen: bool,
    /// Why, or why not.
    pub why: String,
}

/// What happens to a call that has an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The service.
    pub service: String,
    /// The operation.
    pub operation: String,
    /// The public template.
    pub route: String,
    /// Path parameters, as they stand in the path.
    pub parameters: Vec<(String, String)>,
    /// Who may call.
    pub auth: String,
    /// Limits of the service and the operation, in the order in which they are asked.
    pub limits: Vec<String>,
    /// The most calls at once.
    pub gates: Vec<String>,
    /// Longest time until the answer's head, in milliseconds.
    pub timeout_ms: u64,
    /// The most bytes of a request's body.
    pub body_bytes: u64,
    /// What is checked against the contract; empty if nothing is.
    pub check: String,
    /// Whether the call may be repeated if it fails.
    pub idempotent: bool,
    /// What the backend gets.
    pub backend: BackendRoute,
}

/// What a backend gets of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendRoute {
    /// Name of the backend.
    pub key: String,
    /// For each target the address that is asked for, and its share.
    pub targets: Vec<(String, u32)>,
    /// What `Host` says.
    pub host: String,
    /// Header fields that the gateway sets; values are not shown.
    pub set_headers: Vec<String>,
    /// Header fields of the caller that do not go there.
    pub drop_headers: Vec<String>,
    /// Query parameters that the gateway sets; values are not shown.
    pub set_query: Vec<String>,
    /// Query parameters of the caller that do not go there.
    pub drop_query: Vec<String>,
}

impl Snapshot {
    /// Where a call goes and why.
    pub fn explain(&self, request: &ExplainRequest<'_>) -> Explanation {
        let (path, query) = request.target.split_once('?').unwrap_or((request.target, ""));
        let mut explanation = Explanation {
            method: request.method.to_owned(),
            host: request.host.to_owned(),
            path: path.to_owned(),
            canonical_path: None,
            verdict: refused(Reason::BadRequest, "the host is not a name or an address"),
            services: Vec::new(),
            operations: Vec::new(),
            route: None,
        };
        let (mut host_out, mut path_out) = (String::new(), String::new());
        let Ok(host) = canonical_host(request.host.as_bytes(), &mut host_out) else {
            return explanation;
        };
        explanation.host = host.to_owned();
        let path = match canonical_path(path.as_bytes(), &mut path_out) {
            Ok(path) => path.as_str(),
            Err(fault) => {
                explanation.verdict = refused(Reason::BadPath, &fault.to_string());
                return explanation;
            }
        };
        explanation.canonical_path = Some(path.to_owned());
        let chosen = self.hosts.find(host, path);
        explanation.services = self.service_candidates(host, path, chosen);
        let Some(service) = chosen.map(|index| &self.services[index]) else {
            explanation.verdict = refused(Reason::NotFound, "no service has this host and path");
            return explanation;
        };
        let mut captures = Captures::new();
        let resolved = service.resolve(path, query, request.method, request.headers, &mut captures);
        explanation.verdict = service.verdict(resolved);
        explanation.operations = service.operation_candidates(path, request.method, resolved);
        if let Resolved::Operation { operation, .. } = resolved {
            explanation.route = Some(service.route_of(
                &service.operations[operation],
                path,
                query,
                host,
                &captures,
            ));
        }
        explanation
    }

    fn service_candidates(&self, host: &str, path: &str, chosen: Option<usize>) -> Vec<Candidate> {
        let mut candidates = Vec::new();
        for (index, service) in self.services.iter().enumerate() {
            let by_host = service.hosts.is_empty()
                || service.hosts.iter().any(|known| host_fits(known, host));
            let by_path =
                path == &*service.prefix || path.starts_with(&format!("{}/", service.prefix));
            let why = match (chosen == Some(index), by_host, by_path) {
                (true, ..) => "the most exact host and, on it, the longest prefix",
                (_, true, true) => "another has a more exact host or a longer prefix",
                (_, true, false) => "the path does not begin with its prefix",
                (_, false, true) => "it has other hosts",
                (_, false, false) => continue,
            };
            // Every service without hosts could be listed for a wrong prefix; those that fit matter more.
            let rank = (chosen != Some(index), !(by_host && by_path), !by_path);
            candidates.push((rank, candidate(service.name.as_str(), service.place(), rank.0, why)));
        }
        listed(candidates)
    }
}

fn candidate(name: &str, place: String, lost: bool, why: &str) -> Candidate {
    Candidate { name: name.to_owned(), place, chosen: !lost, why: why.to_owned() }
}

/// The best, each in the order they came.
fn listed<R: Ord>(mut candidates: Vec<(R, Candidate)>) -> Vec<Candidate> {
    candidates.sort_by(|a, b| a.0.cmp(&b.0));
    candidates.truncate(MOST_LISTED);
    candidates.into_iter().map(|(_, candidate)| candidate).collect()
}

fn host_fits(known: &str, host: &str) -> bool {
    match known.strip_prefix('*') {
        Some(suffix) => host.len() > suffix.len() && host.ends_with(suffix),
        None => known == host,
    }
}

fn refused(reason: Reason, why: &str) -> Verdict {
    Verdict {
        outcome: reason.word().to_owned(),
        status: Some(reason.status()),
        why: why.to_owned(),
    }
}

impl Service {
    fn place(&self) -> String {
        let hosts =
            if self.hosts.is_empty() { "every host".to_owned() } else { self.hosts.join(", ") };
        format!("{hosts} {}/", self.prefix)
    }

    fn verdict(&self, resolved: Resolved) -> Verdict {
        let answered = |outcome: &str, why: &str| Verdict {
            outcome: outcome.to_owned(),
            status: Some(204),
            why: why.to_owned(),
        };
        match resolved {
            Resolved::Operation { operation, .. } => Verdict {
                outcome: "operation".to_owned(),
                status: None,
                why: format!(
                    "it is the operation `{}` of the service `{}`",
                    self.operations[operation].id, self.name
                ),
            },
            Resolved::Preflight { .. } => {
                answered("preflight", "the gateway answers CORS preflights of this service")
            }
            Resolved::Options { leaf } => answered(
                "options",
                &format!(
                    "no operation answers OPTIONS, so the gateway does; Allow: {}",
                    self.router.allow(leaf)
                ),
            ),
            Resolved::MethodNotAllowed { leaf } => refused(
                Reason::MethodNotAllowed,
                &format!("the path has other methods; Allow: {}", self.router.allow(leaf)),
            ),
            Resolved::Unclear => refused(
                Reason::BadPath,
                "a query parameter or header that tells operations apart is there twice and differs",
            ),
            Resolved::JudgedOtherwise { otherwise } => refused(
                Reason::BadPath,
                &format!(
                    "a backend that reads parameters leniently would take it for {}, which has other rules",
                    otherwise.map_or("an operation that is hidden".to_owned(), |index| {
                        format!("`{}`", self.operations[index].id)
                    })
                ),
            ),
            Resolved::ReadOtherwise { otherwise } => refused(
                Reason::BadPath,
                &format!(
                    "a backend that folds case, cuts off parameters or decodes twice would take it for `{}`, which has \
                     other rules",
                    self.route_at(otherwise).unwrap_or("an operation that is hidden")
                ),
            ),
            Resolved::Hidden => refused(Reason::NotFound, "the operation is hidden"),
            Resolved::NoCondition { .. } => refused(
                Reason::NotFound,
                "the path fits, but none of its operations' conditions holds",
            ),
            Resolved::NoPath => {
                refused(Reason::NotFound, "the service has no operation with this path")
            }
        }
    }

    fn route_at(&self, leaf: u32) -> Option<&str> {
        let operation = self.router.operations(leaf).next()?;
        Some(&self.operations[operation].route)
    }

    fn operation_candidates(&self, path: &str, method: &str, resolved: Resolved) -> Vec<Candidate> {
        let chosen = match resolved {
            Resolved::Operation { operation, leaf } => Some((operation, leaf)),
            _ => None,
        };
        let winner = chosen.map(|(operation, _)| &self.operations[operation]);
        let mut candidates = Vec::new();
        for (index, operation) in self.operations.iter().enumerate() {
            let Ok(template) = PathTemplate::parse(&operation.route) else { continue };
            let is_chosen = chosen.is_some_and(|(chosen, _)| chosen == index);
            let fits = template.captures(path).is_some();
            let why = if is_chosen {
                "method and path fit best".to_owned()
            } else if fits
                && chosen.is_some_and(|(_, leaf)| {
                    self.router.operations(leaf).any(|other| other == index)
                })
            {
                "same path, but another method or another condition".to_owned()
            } else if fits {
                match winner.and_then(|winner| PathTemplate::parse(&winner.route).ok()) {
                    Some(winner) => why_lesser(&winner, &template),
                    None if *operation.method == *method || *operation.method == *"*" => {
                        "the path fits, but a more specific path decides".to_owned()
                    }
                    None => format!("the path fits, but the method is {}", operation.method),
                }
            } else {
                why_not(&template, path)
            };
            let matched = matching_segments(&template, path);
            let rank =
                (!is_chosen, !fits, *operation.method != *method, std::cmp::Reverse(matched));
            let place = format!("{} {}", operation.method, operation.route);
            candidates.push((rank, candidate(&operation.id, place, !is_chosen, &why)));
        }
        listed(candidates)
    }

    fn route_of(
        &self,
        operation: &Operation,
        path: &str,
        query: &str,
        host: &str,
        captures: &Captures,
    ) -> Route {
        let texts = captures
            .as_slice()
            .iter()
            .map(|(start, end)| path[*start as usize..*end as usize].to_owned());
        let rules = &operation.rules;
        Route {
            service: self.name.to_string(),
            operation: operation.id.to_string(),
            route: operation.route.to_string(),
            parameters: operation.param_names.iter().map(ToString::to_string).zip(texts).collect(),
            auth: auth(&rules.identify),
            limits: rules.limits.iter().map(limit_text).collect(),
            gates: rules.gates.iter().map(|gate| format!("{} at once", gate.max)).collect(),
            timeout_ms: operation.timeout_ms,
            body_bytes: operation.body_bytes,
            check: checked(operation),
            idempotent: operation.idempotent,
            backend: self.backend_route(operation, path, query, host),
        }
    }

    fn backend_route(
        &self,
        operation: &Operation,
        path: &str,
        query: &str,
        host: &str,
    ) -> BackendRoute {
        let backend = self.backend(operation);
        let shape = &operation.shape;
        let names = |list: &[Box<str>]| list.iter().map(ToString::to_string).collect();
        let set =
            |list: &[(Box<str>, Box<str>)]| list.iter().map(|(name, _)| name.to_string()).collect();
        let mark = if query.is_empty() { "" } else { "?…" };
        let address = |target: &crate::Target| {
            let scheme = if target.https { "https" } else { "http" };
            let srv = if target.srv { "+srv" } else { "" };
            format!(
                "{scheme}{srv}://{}{}{}{mark}",
                target.host_header,
                target.base_path,
                self.inner_path(path)
            )
        };
        BackendRoute {
            key: backend.key.to_string(),
            targets: match operation.mock {
                Some(_) => vec![("mock: an answer made from the contract".to_owned(), 1)],
                None => {
                    let all = backend.targets.iter();
                    all.map(|target| (address(target), target.weight)).collect()
                }
            },
            host: match &backend.document.host {
                _ if operation.mock.is_some() => String::new(),
                HostHeader::Target => "the target's".to_owned(),
                HostHeader::Caller => host.to_owned(),
                HostHeader::Name(name) => name.clone(),
            },
            set_headers: set(&shape.set_headers),
            drop_headers: names(&shape.drop_headers),
            set_query: set(&shape.set_query),
            drop_query: names(&shape.drop_query),
        }
    }
}

/// What a segment is, in the order of the router.
fn kind(template: &PathTemplate, index: usize) -> (u8, &'static str) {
    match template.segments.get(index).map(Vec::as_slice) {
        None => (4, "nothing"),
        Some([Piece::Parameter(_)]) if template.tail && index + 1 == template.segments.len() => {
            (3, "a tail")
        }
        Some([Piece::Parameter(_)]) => (2, "a parameter"),
        Some([] | [Piece::Literal(_)]) => (0, "a literal"),
        Some(_) => (1, "a segment of several pieces"),
    }
}

fn why_lesser(winner: &PathTemplate, other: &PathTemplate) -> String {
    let most = winner.segments.len().max(other.segments.len());
    for index in 0..most {
        let (a, b) = (kind(winner, index), kind(other, index));
        if a.0 != b.0 {
            return format!("in segment {} {} goes before {}", index + 1, a.1, b.1);
        }
    }
    "the chosen one has more literal text".to_owned()
}

/// How many segments from the left fit, tried one by one with the template's own matcher.
fn matching_segments(template: &PathTemplate, path: &str) -> usize {
    let parts = path.strip_prefix('/').unwrap_or(path).split('/');
    let fits = |(segment, part): &(&Vec<Piece>, &str)| {
        let one = PathTemplate { segments: vec![(*segment).clone()], tail: false };
        one.captures(&format!("/{part}")).is_some()
    };
    template.segments.iter().zip(parts).take_while(fits).count()
}

fn why_not(template: &PathTemplate, path: &str) -> String {
    let parts = path.strip_prefix('/').unwrap_or(path).split('/').count();
    let fitting = matching_segments(template, path);
    if fitting == template.segments.len() && parts > fitting {
        return format!("the path goes on after segment {fitting}");
    }
    if fitting == parts {
        return format!("the path ends after segment {fitting}");
    }
    format!("segment {} does not fit", fitting + 1)
}

fn auth(identify: &Identify) -> String {
    match identify {
        Identify::Public => "public: everybody".to_owned(),
        Identify::Key(places) => key(places),
        Identify::Signed(signed) => {
            let keys = (!signed.places.is_empty()).then(|| key(&signed.places));
            let kinds = keys.into_iter().chain(signed.hmac.as_ref().map(hmac));
            let certificate = signed.certificate.then(|| "mtls: client certificate".to_owned());
            let kinds = kinds.chain(signed.message.as_ref().map(message)).chain(certificate);
            kinds.collect::<Vec<_>>().join("; ")
        }
    }
}

fn key(places: &[KeyPlace]) -> String {
    let places: Vec<String> = places
        .iter()
        .map(|place| match place {
            KeyPlace::Header(name) => format!("header {name}"),
            KeyPlace::Bearer => "Authorization: Bearer".to_owned(),
            KeyPlace::Query(name) => format!("query parameter {name}"),
        })
        .collect();
    format!("key: {}", places.join(", "))
}

fn nonce(nonce: NonceUse) -> &'static str {
    match nonce {
        NonceUse::Off => "off",
        NonceUse::Optional => "optional",
        NonceUse::Required => "required",
    }
}

fn message(message: &Message) -> String {
    let (components, nonce) = (message.components.join(" "), nonce(message.nonce));
    format!("signature: over {components}, at most {} s old, nonce {nonce}", message.max_age_s)
}

fn hmac(hmac: &Hmac) -> String {
    let form = match hmac.form {
        HmacForm::App => "app",
        HmacForm::KeyPair => "key_pair",
    };
    let nonce = nonce(hmac.nonce);
    format!("hmac: form {form}, nonce {nonce}")
}

/// A limit as documents have it: `20/s per app`.
pub fn limit_text(rule: &LimitRule) -> String {
    let (count, period) = match rule.window {
        Window::Sliding { count, period } => (
            u64::from(count),
            match period {
                Period::Second => "s",
                Period::Minute => "m",
                Period::Hour => "h",
                Period::Day => "d",
            },
        ),
        Window::Calendar { count, period } => (
            count,
            match period {
                QuotaPeriod::Day => "day",
                QuotaPeriod::Month => "month",
            },
        ),
    };
    let per = match &rule.per {
        Per::All if rule.by_app => " per app".to_owned(),
        Per::All => String::new(),
        Per::Ip => " per ip".to_owned(),
        Per::Header(name) => format!(" per header:{name}"),
        Per::Query(name) => format!(" per query:{name}"),
        Per::Path(name) => format!(" per path:{name}"),
    };
    format!("{count}/{period}{per}")
}

impl fmt::Display for Explanation {
    /// For people, several lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} {}{}", self.method, self.host, self.path)?;
        match &self.canonical_path {
            Some(path) if *path == self.path => writeln!(f, "  path       canonical as it is")?,
            Some(path) => writeln!(f, "  path       canonical form: {path}")?,
            None => {}
        }
        let status = self.verdict.status.map_or(String::new(), |status| format!(" ({status})"));
        writeln!(f, "  verdict    {}{status}: {}", self.verdict.outcome, self.verdict.why)?;
        for (title, list) in [("services", &self.services), ("operations", &self.operations)] {
            for (index, candidate) in list.iter().enumerate() {
                let title = if index == 0 { title } else { "" };
                let mark = if candidate.chosen { '*' } else { '-' };
                writeln!(
                    f,
                    "  {title:<10} {mark} {} ({}): {}",
                    candidate.name, candidate.place, candidate.why
                )?;
            }
        }
        match &self.route {
            Some(route) => route.fmt(f),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |title: &str, text: &str| match text {
            "" => Ok(()),
            text => writeln!(f, "  {title:<10} {text}"),
        };
        let mut parameters = String::new();
        for (name, value) in &self.parameters {
            write!(parameters, "{}{name}={value}", if parameters.is_empty() { "" } else { ", " })?;
        }
        line("parameters", &parameters)?;
        line("auth", &self.auth)?;
        line("limits", &self.limits.join(", "))?;
        line("gates", &self.gates.join(", "))?;
        line("timeout", &format!("{} ms", self.timeout_ms))?;
        line("body", &format!("at most {} bytes", self.body_bytes))?;
        line("check", &self.check)?;
        line("repeatable", if self.idempotent { "yes" } else { "no" })?;
        line("backend", &self.backend.key)?;
        for (address, weight) in &self.backend.targets {
            line("target", &format!("{address} (weight {weight})"))?;
        }
        line("host", &self.backend.host)?;
        line("sets", &joined(&self.backend.set_headers, &self.backend.set_query))?;
        line("drops", &joined(&self.backend.drop_headers, &self.backend.drop_query))
    }
}

/// What is checked against the contract.
fn checked(operation: &Operation) -> String {
    let calls = operation.checks.as_ref().map(|checks| checks.words());
    let answers = operation.answer_sample.as_ref();
    let answers = answers.map(|sample| format!("{} of the answers are reported on", sample.share));
    calls.into_iter().chain(answers).collect::<Vec<_>>().join("; ")
}

/// Names of headers, then of query parameters.
fn joined(headers: &[String], query: &[String]) -> String {
    let query = query.iter().map(|name| format!("?{name}"));
    headers.iter().cloned().chain(query).collect::<Vec<_>>().join(", ")
}
