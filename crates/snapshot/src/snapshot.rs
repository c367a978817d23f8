//! What the gateway runs: every document compiled, immutable, swapped whole.
//!
//! A snapshot acts and never serialises. It is one `Arc` for each service, so that a change to one service
//! makes that one anew and shares the others. It assumes canonical hosts and paths. What is happening now
//! (pools, health, counters) is kept elsewhere, by the stable names that stand in here.

use std::cell::LazyCell;
use std::sync::Arc;

use ipnet::IpNet;
use portway_contract::learn::Thresholds;
use portway_model::{Bounds, ErrorForm, Name};
use portway_policy::{Answers, Cors, Headers, ParamSpans, Rules, Shape};

use crate::backend::Backend;
use crate::checks::{AnswerSample, Checks, RequestRules};
use crate::compile::Origin;
use crate::dispatch::lenient::Lenient;
use crate::dispatch::{Facts, Verdict};
use crate::hosts::Hosts;
use crate::mocks::Mocked;
use crate::router::{Candidate, Captures, Match, Router};

/// All services and what is common to them.
#[derive(Debug)]
pub struct Snapshot {
    /// Hash of what it was made of, documents and contracts, in hexadecimal. Two snapshots of one hash
    /// behave alike, but for secrets, which are not in it.
    pub hash: String,
    /// The services, by name.
    pub services: Vec<Arc<Service>>,
    /// Proxies whose word about the caller's address is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Bounds on everything a caller could make grow.
    pub bounds: Bounds,
    pub(crate) hosts: Hosts,
}

/// A service.
#[derive(Debug)]
pub struct Service {
    /// Its name.
    pub name: Name,
    /// Public host names, lower case; `*.example.com` is every name below. Empty: every host.
    pub hosts: Vec<Box<str>>,
    /// Public prefix without a slash at its end; empty for `/`.
    pub prefix: Box<str>,
    /// Its operations, in the order of the contract or of the routes. Hidden ones are not among them.
    pub operations: Vec<Operation>,
    /// Where calls go; the first is the service's own.
    pub backends: Vec<Arc<Backend>>,
    /// Cross-origin calls.
    pub cors: Option<Cors>,
    /// How the gateway's own refusals are written.
    pub errors: ErrorForm,
    /// What callers get to see of its answers. `None`: everything, as it is.
    pub answers: Option<Answers>,
    /// How its calls are learned; `None` if they are not.
    pub learn: Option<Learning>,
    pub(crate) router: Router,
    /// What it was compiled from.
    pub(crate) origin: Origin,
}

/// How a service is learned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Learning {
    /// The file that the proposal is written to, below the folder of the first document.
    pub file: Box<str>,
    /// When something is proposed.
    pub thresholds: Thresholds,
    /// How often it is written, in milliseconds.
    pub every_ms: u64,
}

/// An operation.
#[derive(Debug)]
pub struct Operation {
    /// Its `operationId`, or a stable name made for it; the route as written where there is no contract.
    pub id: Box<str>,
    /// Upper case; `*` for any.
    pub method: Box<str>,
    /// Public template, prefix included: the word for it in logs and metrics.
    pub route: Box<str>,
    /// Names of the parameters, in the order of their places.
    pub param_names: Box<[Box<str>]>,
    /// Who may call it, and how often.
    pub rules: Arc<Rules>,
    /// What the backend is to see.
    pub shape: Arc<Shape>,
    /// Index into [`Service::backends`].
    pub backend: u16,
    /// Longest time from the call's head to the answer's head, in milliseconds.
    pub timeout_ms: u64,
    /// The most bytes of a request's body.
    pub body_bytes: u64,
    /// What its calls are checked for; `None` where nothing is.
    pub checks: Option<Box<Checks>>,
    /// What answers its calls, if not a backend.
    pub mock: Option<Box<Mocked>>,
    /// What a sample of its answers is checked for.
    pub answer_sample: Option<Box<AnswerSample>>,
    /// Rules that its calls keep whatever the contract says; `None` where there are none.
    pub requests: Option<RequestRules>,
    /// It may be repeated: its method is idempotent (RFC 9110 §9.2.2), or its document says so.
    pub idempotent: bool,
}

impl Operation {
    /// Whether header fields of its calls are judged. They are judged before a trailer comes, so that none may pass.
    pub fn judges_headers(&self) -> bool {
        self.requests.is_some()
            || self.checks.as_ref().is_some_and(|checks| checks.request.judges_headers())
    }
}

/// Where a call leads.
#[derive(Debug, Clone, Copy)]
pub enum Routed<'s> {
    /// To an operation.
    Operation {
        /// Its service.
        service: &'s Arc<Service>,
        /// Index of the service in [`Snapshot::services`].
        service_index: usize,
        /// The operation.
        operation: &'s Operation,
    },
    /// A CORS preflight of a service that has CORS.
    Preflight {
        /// The service.
        service: &'s Arc<Service>,
        /// The methods of the path.
        allow: &'s str,
    },
    /// `OPTIONS` where no operation answers it.
    Options {
        /// The service.
        service: &'s Arc<Service>,
        /// The methods of the path.
        allow: &'s str,
    },
    /// The path has other methods.
    MethodNotAllowed {
        /// The service.
        service: &'s Arc<Service>,
        /// The methods of the path.
        allow: &'s str,
    },
    /// A careless origin could take the call for another operation, which has other rules. Answered with
    /// 400 `bad-path`.
    Ambiguous {
        /// The service.
        service: &'s Arc<Service>,
    },
    /// Nowhere.
    NotFound {
        /// The service that has the host and prefix, if there is one.
        service: Option<&'s Arc<Service>>,
    },
}

impl Snapshot {
    /// Where a call leads. `host` and `path` are canonical, `query` is without `?`. `params` are the places of
    /// the operation's parameters in `path`. Allocates nothing.
    ///
    /// `HEAD` is answered by the operation of `GET` where there is none of its own. `OPTIONS` is a preflight
    /// if it has `Origin` and `Access-Control-Request-Method` and the service has CORS.
    #[inline]
    pub fn route(
        &self,
        host: &str,
        path: &str,
        query: &str,
        method: &str,
        headers: &dyn Headers,
        params: &mut ParamSpans,
    ) -> Routed<'_> {
        params.clear();
        // The target of a server-wide `OPTIONS` is a path of no service.
        let found = if path == "*" { None } else { self.hosts.find(host, path) };
        let Some(service_index) = found else {
            return Routed::NotFound { service: None };
        };
        let service = &self.services[service_index];
        let mut captures = Captures::new();
        match service.resolve(path, query, method, headers, &mut captures) {
            Resolved::Operation { operation, .. } => {
                for (start, end) in captures.as_slice() {
                    params.push(*start as usize, *end as usize);
                }
                Routed::Operation {
                    service,
                    service_index,
                    operation: &service.operations[operation],
                }
            }
            Resolved::Preflight { leaf } => {
                Routed::Preflight { service, allow: service.router.allow(leaf) }
            }
            Resolved::Options { leaf } => {
                Routed::Options { service, allow: service.router.allow(leaf) }
            }
            Resolved::MethodNotAllowed { leaf } => {
                Routed::MethodNotAllowed { service, allow: service.router.allow(leaf) }
            }
            Resolved::Unclear
            | Resolved::JudgedOtherwise { .. }
            | Resolved::ReadOtherwise { .. } => Routed::Ambiguous { service },
            Resolved::Hidden | Resolved::NoCondition { .. } | Resolved::NoPath => {
                Routed::NotFound { service: Some(service) }
            }
        }
    }

    /// Bytes that the routing tables hold on the heap.
    pub fn router_bytes(&self) -> usize {
        self.services.iter().map(|service| service.router.heap_bytes()).sum()
    }
}

/// How a service resolves a call; finer than [`Routed`], for explaining.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resolved {
    Operation {
        operation: usize,
        leaf: u32,
    },
    Preflight {
        leaf: u32,
    },
    Options {
        leaf: u32,
    },
    MethodNotAllowed {
        leaf: u32,
    },
    /// A value that tells operations apart stands in the call twice and differs.
    Unclear,
    /// The conditions of one operation hold, and a lenient reader may find those of another to hold. `None`
    /// for one that is hidden.
    JudgedOtherwise {
        otherwise: Option<usize>,
    },
    /// The path leads to one leaf and may be read as leading to the other.
    ReadOtherwise {
        otherwise: u32,
    },
    Hidden,
    NoCondition {
        leaf: u32,
    },
    NoPath,
}

impl Service {
    /// The path that the backend is asked for, before its own base path: without the public prefix.
    #[inline]
    pub fn inner_path<'p>(&self, path: &'p str) -> &'p str {
        match path.get(self.prefix.len()..) {
            None | Some("") => "/",
            Some(inner) => inner,
        }
    }

    /// The backend of an operation.
    pub fn backend(&self, operation: &Operation) -> &Arc<Backend> {
        &self.backends[usize::from(operation.backend)]
    }

    #[inline]
    pub(crate) fn resolve(
        &self,
        path: &str,
        query: &str,
        method: &str,
        headers: &dyn Headers,
        captures: &mut Captures,
    ) -> Resolved {
        let Some(found) = self.router.find(path, self.prefix.len(), captures) else {
            return Resolved::NoPath;
        };
        let leaf = found.leaf;
        if method == "OPTIONS" && self.router.allow(leaf).is_empty() {
            return Resolved::Hidden;
        }
        if method == "OPTIONS" && self.cors.is_some() && is_preflight(headers) {
            return Resolved::Preflight { leaf };
        }
        let Some(candidates) = self.router.candidates(leaf, method) else {
            return match method {
                _ if self.router.allow(leaf).is_empty() => Resolved::Hidden,
                "OPTIONS" => Resolved::Options { leaf },
                _ => Resolved::MethodNotAllowed { leaf },
            };
        };
        let facts = Facts { path, query, headers, params: captures.as_slice() };
        match choose(candidates, &facts) {
            Choice::Unclear => Resolved::Unclear,
            Choice::None => Resolved::NoCondition { leaf },
            Choice::Hidden => Resolved::Hidden,
            Choice::Operation(operation) => {
                if let Some(otherwise) = self.judged_otherwise(candidates, operation, &facts) {
                    return Resolved::JudgedOtherwise { otherwise };
                }
                match self.read_otherwise(found, path, method, operation) {
                    None => Resolved::Operation { operation, leaf },
                    Some(otherwise) => Resolved::ReadOtherwise { otherwise },
                }
            }
        }
    }

    /// The candidate with other rules that a lenient origin may take the call for.
    fn judged_otherwise(
        &self,
        candidates: &[Candidate],
        operation: usize,
        facts: &Facts<'_>,
    ) -> Option<Option<usize>> {
        if candidates.len() < 2 {
            return None;
        }
        let chosen = candidates.iter().position(|one| one.operation() == Some(operation))?;
        let conditions = candidates[chosen].conditions();
        let rules = &self.operations[operation].rules;
        let is_same = |other: usize| {
            let others = &self.operations[other].rules;
            Arc::ptr_eq(others, rules) || others == rules
        };
        let lenient = Lenient::new(facts);
        let may_fail = LazyCell::new(|| lenient.may_fail(conditions));
        candidates
            .iter()
            .enumerate()
            .filter(|(at, other)| *at != chosen && !other.operation().is_some_and(is_same))
            .find(|(at, other)| {
                let is_tried_before = *at < chosen;
                (is_tried_before || *may_fail) && lenient.may_hold(other.conditions())
            })
            .map(|(_, other)| other.operation())
    }

    /// The leaf that a careless origin may read in a path, if it is another one than the match and has
    /// operations that this call has not been judged by.
    fn read_otherwise(
        &self,
        found: Match,
        path: &str,
        method: &str,
        operation: usize,
    ) -> Option<u32> {
        if !found.near {
            return None;
        }
        let leaf =
            self.router.find_loosely(path, self.prefix.len()).filter(|&leaf| leaf != found.leaf)?;
        let rules = &self.operations[operation].rules;
        let is_same = |candidate: &Candidate| {
            candidate
                .operation()
                .is_some_and(|other| Arc::ptr_eq(&self.operations[other].rules, rules))
        };
        match self.router.candidates(leaf, method) {
            Some(candidates) if candidates.iter().all(is_same) => None,
            _ => Some(leaf),
        }
    }
}

enum Choice {
    Operation(usize),
    Hidden,
    Unclear,
    None,
}

fn choose(candidates: &[Candidate], facts: &Facts<'_>) -> Choice {
    for candidate in candidates {
        match facts.judge_all(candidate.conditions()) {
            Verdict::Holds => {
                return candidate.operation().map_or(Choice::Hidden, Choice::Operation);
            }
            Verdict::Unclear => return Choice::Unclear,
            Verdict::Fails => {}
        }
    }
    Choice::None
}

/// WHATWG Fetch, "CORS-preflight request".
fn is_preflight(headers: &dyn Headers) -> bool {
    headers.first("origin").is_some() && headers.first("access-control-request-method").is_some()
}
