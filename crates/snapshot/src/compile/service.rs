//! One service: its document to a [`Service`], on its own.

use std::collections::BTreeMap;
use std::sync::Arc;

use portway_contract::learn::Thresholds;
use portway_contract::{Loader, reference};
use portway_model as model;
use portway_model::{Document, Gateway, Name, SecretRef};
use portway_policy::{Answers, Cors, Inside, Rules, Shape, sha256};

use super::checks;
use super::finding::{Finding, Findings};
use super::mocks;
use super::operations::{self, Route, Routes};
use super::sources::{Recorder, Source};
use super::{Files, Secrets, hash, place, requests};
use crate::backend::{Backend, Target};
use crate::canonical::{Canonical, canonical_host, canonical_path};
use crate::hosts::MAX_PREFIX_SEGMENTS;
use crate::router::{Entry, Router};
use crate::snapshot::{Learning, Operation, Service, Snapshot};

const DEFAULT_TIMEOUT_MS: u64 = 60_000;
const DEFAULT_HEAD_BYTES: usize = 64 << 10;

/// What a service was compiled from: equal means that compiling again would give the same.
#[derive(Debug)]
pub(crate) struct Origin {
    document: model::Service,
    folder: Folder,
    body_bytes: u64,
    secrets: [u8; 32],
    sources: Vec<Source>,
    /// Hash of document and files, without secrets.
    pub(super) digest: [u8; 32],
    /// Warnings, which are told again each time.
    pub(crate) findings: Vec<Finding>,
}

/// A compiled service, or what is wrong with it.
pub(super) type Outcome = (Option<Arc<Service>>, Vec<Finding>);

/// Everything that compiling one service needs, so that it can be done on any thread.
pub(super) struct Job<'a> {
    name: &'a Name,
    document: &'a model::Service,
    folder: Folder,
    /// Default bound of a request's body.
    body_bytes: u64,
    secrets: Resolved,
}

/// Where the file stands that a service is written in.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Folder {
    /// As the user knows it, with a slash at its end; empty for the working directory.
    shown: String,
    /// Below the folder of the first document, with a slash at its end; empty for that folder itself.
    below_root: String,
}

impl Folder {
    fn new(root_file: &str, file: &str) -> Folder {
        let folder = |file: &str| {
            file.rsplit_once(['/', '\\']).map_or(String::new(), |(folder, _)| format!("{folder}/"))
        };
        let (root, shown) = (folder(root_file), folder(file));
        let below_root = shown.strip_prefix(&root).unwrap_or_default().to_owned();
        Folder { shown, below_root }
    }

    /// The same reference, relative to the folder of the first document.
    fn rebase(&self, reference: &SecretRef) -> SecretRef {
        match reference {
            SecretRef::File(path) if !path.starts_with('/') => {
                SecretRef::File(format!("{}{path}", self.below_root))
            }
            other => other.clone(),
        }
    }
}

/// Secrets of one service. No `Debug`.
struct Resolved {
    values: Vec<(SecretRef, Result<String, String>)>,
    /// SHA-256 of all of it, to see whether one has changed.
    digest: [u8; 32],
}

impl Resolved {
    fn new(document: &model::Service, folder: &Folder, secrets: &dyn Secrets) -> Resolved {
        let mut values: Vec<(SecretRef, Result<String, String>)> = Vec::new();
        for credentials in backends(document).flat_map(|backend| &backend.credentials) {
            let reference = match credentials {
                model::Credentials::Header { value, .. }
                | model::Credentials::Query { value, .. } => value,
                model::Credentials::Basic { password, .. } => password,
                model::Credentials::Bearer(token) => token,
            };
            if !values.iter().any(|(known, _)| known == reference) {
                values.push((reference.clone(), secrets.resolve(&folder.rebase(reference))));
            }
        }
        let mut all = Vec::new();
        for (_, value) in &values {
            all.extend_from_slice(&match value {
                Ok(secret) => sha256(secret.as_bytes()),
                Err(why) => sha256(format!("\0{why}").as_bytes()),
            });
        }
        Resolved { values, digest: sha256(&all) }
    }

    fn get(&self, reference: &SecretRef) -> Result<String, String> {
        match self.values.iter().find(|(known, _)| known == reference) {
            Some((_, value)) => value.clone(),
            None => Err("the secret was not asked for".to_owned()),
        }
    }
}

/// The service's own backend and those of operations.
fn backends(document: &model::Service) -> impl Iterator<Item = &model::Backend> {
    std::iter::once(&document.backend)
        .chain(document.operations.values().filter_map(|policy| policy.backend.as_ref()))
}

/// A job for each service, in the order of names.
pub(super) fn jobs<'a>(
    document: &'a Document,
    gateway: &Gateway,
    file_of: &dyn Fn(&str) -> String,
    secrets: &dyn Secrets,
) -> Vec<Job<'a>> {
    let body_bytes = gateway.bounds.body_bytes.as_bytes();
    let root_file = file_of("");
    document
        .services
        .iter()
        .map(|(name, document)| {
            let folder = Folder::new(&root_file, &file_of(&place::service(name)));
            let secrets = Resolved::new(document, &folder, secrets);
            Job { name, document, folder, body_bytes, secrets }
        })
        .collect()
}

impl Job<'_> {
    /// The service of the previous snapshot, if this one would be the same.
    pub(super) fn unchanged(&self, previous: &Snapshot, files: &dyn Files) -> Option<Arc<Service>> {
        let at = previous.services.binary_search_by(|service| service.name.cmp(self.name)).ok()?;
        let service = &previous.services[at];
        let origin = &service.origin;
        let is_same = origin.body_bytes == self.body_bytes
            && origin.secrets == self.secrets.digest
            && origin.folder == self.folder
            && origin.document == *self.document
            && origin
                .sources
                .iter()
                .all(|source| files.fingerprint(&source.path) == source.fingerprint);
        is_same.then(|| Arc::clone(service))
    }

    /// Compiles it. There is a service if and only if there are no errors; warnings are then with it.
    pub(super) fn compile(&self, files: &dyn Files) -> Outcome {
        let mut findings = Findings::default();
        let prefix = prefix(self.name, self.document, &mut findings);
        let hosts = hosts(self.name, self.document, &mut findings);
        let recorder = Recorder::new(files);
        let routes = self.routes(&recorder, &mut findings);
        operations::check_policies(self.name, self.document, &routes, &mut findings);
        let mut parts = Parts::new(self, &prefix, &routes, &mut findings);
        checks::compile(self.document, &routes, &mut parts.operations, &mut findings);
        mocks::compile(&parts.backends, &routes, &mut parts.operations, &mut findings);
        let learn = self.learning(&mut findings);
        requests::compile(self.name, self.document, &mut parts.operations, &mut findings);
        let sources = recorder.into_sources();
        if findings.has_errors() {
            return (None, findings.into_vec());
        }
        let digests: Vec<_> =
            sources.iter().map(|source| (source.path.clone(), source.digest)).collect();
        let origin = Origin {
            document: self.document.clone(),
            folder: self.folder.clone(),
            body_bytes: self.body_bytes,
            secrets: self.secrets.digest,
            digest: hash::of_service(self.name.as_str(), self.document, &digests),
            sources,
            findings: findings.into_vec(),
        };
        // Where they are only checked nothing of them changes.
        let own = self.document.answers.as_ref().filter(|own| own.changes_something());
        let answers = own.map(|own| answers(own, &prefix, &parts.backends));
        let service = Service {
            name: self.name.clone(),
            hosts,
            prefix,
            operations: parts.operations,
            backends: parts.backends,
            cors: self.document.cors.as_ref().map(Cors::compile),
            errors: self.document.errors,
            answers,
            learn,
            router: parts.router,
            origin,
        };
        (Some(Arc::new(service)), Vec::new())
    }

    fn learning(&self, findings: &mut Findings) -> Option<Learning> {
        let document = self.document.learn.as_ref()?;
        let own = self.document.contract.as_ref();
        let contract = own.and_then(|own| reference::join(&self.folder.below_root, own).ok());
        match reference::join(&self.folder.below_root, &document.file) {
            Ok(file) if contract.as_deref() == Some(&*file) => {
                findings.error(
                    "learned-contract",
                    place::member(&place::service(self.name), "learn"),
                    format!("`{file}` is the contract, which would then follow whatever is called"),
                    "learn into another file, and copy from it what you have reviewed",
                );
                None
            }
            Ok(file) => Some(Learning {
                file: file.into(),
                thresholds: Thresholds {
                    calls: u64::from(document.min_calls),
                    callers: u64::from(document.min_callers),
                },
                every_ms: document.every.as_ms().max(1_000),
            }),
            Err(fault) => {
                findings.error(
                    "learned-out-of-reach",
                    place::member(&place::service(self.name), "learn"),
                    format!("`{}` cannot be written: {fault}", document.file),
                    "name a file below the directory of the documents, relative to it",
                );
                None
            }
        }
    }

    fn routes(&self, recorder: &Recorder<'_>, findings: &mut Findings) -> Routes {
        let Some(written) = &self.document.contract else {
            return operations::of_patterns(self.name, &self.document.routes, findings);
        };
        let pointer = place::member(&place::service(self.name), "contract");
        let path = match reference::join(&self.folder.below_root, written) {
            Ok(path) => path,
            Err(fault) => {
                findings.error(
                    "contract-out-of-reach",
                    pointer,
                    format!("the contract `{written}` cannot be read: {fault}"),
                    "name a file below the directory of the documents, relative to it",
                );
                return Routes::default();
            }
        };
        match recorder.load(&path) {
            Ok(bytes) => {
                let shown = format!("{}{written}", self.folder.shown);
                operations::of_contract(self.name, &shown, &path, &bytes, recorder, findings)
            }
            Err(fault) => {
                findings.error(
                    "contract-unreadable",
                    pointer,
                    format!("the contract `{written}` cannot be read: {fault}"),
                    "check its name; it is relative to the directory of the documents",
                );
                Routes::default()
            }
        }
    }
}

/// The prefix without its last slash; empty for `/`.
pub(super) fn prefix(name: &Name, document: &model::Service, findings: &mut Findings) -> Box<str> {
    let mut out = String::new();
    let pointer = || place::member(&place::service(name), "path");
    match canonical_path(document.path.as_bytes(), &mut out) {
        Ok(Canonical::Same("*")) | Err(_) => findings.error(
            "bad-prefix",
            pointer(),
            format!("`{}` is not a path in canonical form, so no call could have it", document.path),
            "write it like `/shop`: beginning with a slash, without dots, doubled slashes or escapes",
        ),
        Ok(_) if document.path.contains(['{', '}']) => findings.error(
            "bad-prefix",
            pointer(),
            format!("the prefix `{}` has a parameter in it", document.path),
            "only routes have parameters; put the parameter into each route of the service",
        ),
        Ok(path) if path.as_str().matches('/').count() > MAX_PREFIX_SEGMENTS => findings.error(
            "bad-prefix",
            pointer(),
            format!("the prefix has more than {MAX_PREFIX_SEGMENTS} segments"),
            "use a shorter one",
        ),
        Ok(path) => {
            let path = path.as_str();
            return path.strip_suffix('/').unwrap_or(path).into();
        }
    }
    Box::from("")
}

/// The hosts in canonical form.
pub(super) fn hosts(
    name: &Name,
    document: &model::Service,
    findings: &mut Findings,
) -> Vec<Box<str>> {
    let base = place::member(&place::service(name), "hosts");
    let mut hosts: Vec<Box<str>> = Vec::with_capacity(document.hosts.len());
    for (index, written) in document.hosts.iter().enumerate() {
        let Some(host) = host(written) else {
            findings.error(
                "bad-host",
                place::list(&base, index),
                format!("`{written}` is not a host"),
                "write a name such as `api.example.com`, or `*.example.com` for every name below; no port",
            );
            continue;
        };
        // One that stands there twice was told when the documents were read.
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

fn host(written: &str) -> Option<Box<str>> {
    let (star, name) = match written.strip_prefix("*.") {
        Some(name) => ("*.", name),
        None => ("", written),
    };
    // A port in a document is a mistake, while in a call it is cut off.
    if name.contains(':') && !name.starts_with('[') {
        return None;
    }
    let mut out = String::new();
    let host = canonical_host(name.as_bytes(), &mut out).ok()?;
    Some(format!("{star}{host}").into())
}

/// The policy for answers, which hides where the backends are.
fn answers(document: &model::Answers, prefix: &str, backends: &[Arc<Backend>]) -> Answers {
    let targets = || backends.iter().flat_map(|backend| &backend.targets);
    let mut hosts: Vec<&str> = targets().map(|target| &*target.host).collect();
    // What the application takes for its own name.
    hosts.extend(backends.iter().filter_map(|backend| match &backend.document.host {
        model::HostHeader::Name(name) => Some(without_port(name)),
        model::HostHeader::Target | model::HostHeader::Caller => None,
    }));
    let base_paths: Vec<&str> = targets().map(|target| &*target.base_path).collect();
    Answers::compile(document, &Inside { prefix, hosts: &hosts, base_paths: &base_paths })
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    }
}

/// What is made for the operations of one service.
struct Parts {
    operations: Vec<Operation>,
    backends: Vec<Arc<Backend>>,
    router: Router,
}

/// Things that operations share, while they are made.
struct Shared<'a> {
    job: &'a Job<'a>,
    rules: Arc<Rules>,
    /// By backend, with the rules they go with.
    shapes: Vec<(usize, Arc<Rules>, Arc<Shape>)>,
    backends: Vec<Arc<Backend>>,
}

impl Parts {
    fn new(job: &Job<'_>, prefix: &str, routes: &Routes, findings: &mut Findings) -> Parts {
        let pointer = place::member(&place::service(job.name), "backend");
        let own =
            backend(job.name.as_str(), &job.document.backend, &job.folder, &pointer, findings);
        let rules = Arc::new(Rules::compile(job.name, None, job.document, None));
        let mut shared = Shared { job, rules, shapes: Vec::new(), backends: vec![Arc::new(own)] };
        let mut operations = Vec::with_capacity(routes.list.len());
        let mut entries = Vec::with_capacity(routes.list.len());
        // A service without a single operation still has its secrets checked.
        let own_rules = Arc::clone(&shared.rules);
        shared.shape(0, &own_rules, &pointer, findings);
        let mut own_backends: BTreeMap<&str, u16> = BTreeMap::new();
        for route in &routes.list {
            let policy = job.document.operations.get(&*route.id);
            let hidden = policy.is_some_and(|policy| policy.hidden);
            if !hidden {
                let operation =
                    shared.operation(prefix, route, policy, &mut own_backends, findings);
                operations.push(operation);
            }
            entries.push(Entry {
                template: &route.template,
                method: &route.method,
                operation: (!hidden).then(|| operations.len() as u32 - 1),
                conditions: route.conditions.clone(),
            });
        }
        Parts { operations, backends: shared.backends, router: Router::build(entries) }
    }
}

impl<'a> Shared<'a> {
    fn operation<'r>(
        &mut self,
        prefix: &str,
        route: &'r Route,
        policy: Option<&'a model::OperationPolicy>,
        own_backends: &mut BTreeMap<&'r str, u16>,
        findings: &mut Findings,
    ) -> Operation {
        let document = self.job.document;
        let pointer =
            place::member(&place::member(&place::service(self.job.name), "operations"), &route.id);
        let rules = self.rules_of(&route.id, policy);
        let own = policy.and_then(|policy| policy.backend.as_ref());
        let (backend, pointer) = match own {
            None => (0, place::member(&place::service(self.job.name), "backend")),
            Some(own) => {
                let pointer = place::member(&pointer, "backend");
                let index = *own_backends.entry(&route.id).or_insert_with(|| {
                    let key = format!("{}/{}", self.job.name, route.id);
                    self.backends.push(Arc::new(backend(
                        &key,
                        own,
                        &self.job.folder,
                        &pointer,
                        findings,
                    )));
                    u16::try_from(self.backends.len() - 1).unwrap_or(0)
                });
                (index, pointer)
            }
        };
        let shape = self.shape(usize::from(backend), &rules, &pointer, findings);
        let timeout = policy.and_then(|policy| policy.timeout).or(document.timeout);
        let body_bytes = policy.and_then(|policy| policy.body_bytes).or(document.body_bytes);
        Operation {
            id: route.id.clone(),
            method: route.method.clone(),
            route: format!("{prefix}{}", route.template).into(),
            param_names: route.template.parameters().map(Box::from).collect(),
            rules,
            shape,
            backend,
            timeout_ms: timeout.map_or(DEFAULT_TIMEOUT_MS, model::Duration::as_ms),
            body_bytes: body_bytes.map_or(self.job.body_bytes, model::ByteSize::as_bytes),
            checks: None,
            mock: None,
            answer_sample: None,
            requests: None,
            idempotent: policy
                .and_then(|policy| policy.idempotent)
                .unwrap_or_else(|| is_idempotent(&route.method)),
        }
    }

    /// The service's rules, unless the operation has something of its own.
    fn rules_of(&self, id: &str, policy: Option<&model::OperationPolicy>) -> Arc<Rules> {
        if policy.is_none() {
            return Arc::clone(&self.rules);
        }
        let rules = Rules::compile(self.job.name, Some(id), self.job.document, policy);
        if rules == *self.rules { Arc::clone(&self.rules) } else { Arc::new(rules) }
    }

    fn shape(
        &mut self,
        backend: usize,
        rules: &Arc<Rules>,
        pointer: &str,
        findings: &mut Findings,
    ) -> Arc<Shape> {
        let known = |(at, with, _): &&(usize, Arc<Rules>, Arc<Shape>)| {
            *at == backend && (Arc::ptr_eq(with, rules) || with.identify == rules.identify)
        };
        if let Some((_, _, shape)) = self.shapes.iter().find(known) {
            return Arc::clone(shape);
        }
        let document = &self.backends[backend].document;
        let shape =
            match Shape::compile(document, rules, &|reference| self.job.secrets.get(reference)) {
                Ok(shape) => shape,
                Err(faults) => {
                    for fault in faults {
                        findings.error(
                            "unusable-credentials",
                            place::member(pointer, "credentials"),
                            format!("the backend's credentials cannot be used: {fault}"),
                            "set the variable or file that is named, or correct its name",
                        );
                    }
                    Shape::default()
                }
            };
        let shape = Arc::new(shape);
        self.shapes.push((backend, Arc::clone(rules), Arc::clone(&shape)));
        shape
    }
}

fn backend(
    key: &str,
    document: &model::Backend,
    folder: &Folder,
    pointer: &str,
    findings: &mut Findings,
) -> Backend {
    let mut targets = Vec::with_capacity(document.targets.len());
    for target in &document.targets {
        match Target::parse(&target.url, target.weight) {
            Ok(target) => targets.push(target),
            Err(fault) => findings.error(
                "bad-target",
                pointer,
                format!("`{}` is not an address of a backend: {fault}", shown(&target.url)),
                "write it like `http://10.0.0.7:8000` or `https://orders.internal/api`",
            ),
        }
    }
    Backend {
        key: key.into(),
        targets,
        head_bytes: document.head_bytes.map_or(DEFAULT_HEAD_BYTES, |size| {
            usize::try_from(size.as_bytes()).unwrap_or(usize::MAX)
        }),
        document: document.clone(),
        files: folder.shown.as_str().into(),
    }
}

/// An address for a message: what stands before `@` may be a password.
fn shown(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://…@{host}"),
        _ => url.to_owned(),
    }
}

/// RFC 9110 §9.2.2.
fn is_idempotent(method: &str) -> bool {
    matches!(method, "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE" | "TRACE")
}
