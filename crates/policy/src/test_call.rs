//! Calls, services and keys for this room's tests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use portway_model as model;

use crate::{App, Body, Call, Clock, Headers, MemoryKeys, ParamSpans, Plan, Scheme, sha256};

/// Header fields as a list.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(pub(crate) Vec<(&'static str, Vec<u8>)>);

impl Fields {
    pub(crate) fn of(fields: &[(&'static str, &str)]) -> Self {
        Self(fields.iter().map(|(name, value)| (*name, value.as_bytes().to_vec())).collect())
    }
}

impl Headers for Fields {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_slice())
    }

    fn each(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        for (_, value) in self.0.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)) {
            see(value);
        }
    }
}

static NO_PARAMS: ParamSpans = ParamSpans::EMPTY;

/// `GET /orders/7` with these fields and this query.
pub(crate) fn call<'a>(fields: &'a Fields, query: &'a str) -> Call<'a> {
    Call {
        method: "GET",
        scheme: Scheme::Https,
        host: "shop.example",
        authority: b"shop.example",
        path: "/orders/7",
        query,
        headers: fields,
        body: Body::None,
        client: [192, 0, 2, 1].into(),
        param_names: &[],
        params: &NO_PARAMS,
    }
}

/// A clock that a test moves.
#[derive(Debug, Default)]
pub(crate) struct Hands {
    pub(crate) now_us: AtomicU64,
    pub(crate) unix_ms: AtomicU64,
}

impl Clock for Hands {
    fn now_us(&self) -> u64 {
        self.now_us.load(Ordering::Relaxed)
    }

    fn unix_ms(&self) -> u64 {
        self.unix_ms.load(Ordering::Relaxed)
    }
}

pub(crate) fn name(text: &str) -> model::Name {
    model::Name::new(text).expect("a name")
}

pub(crate) fn app(text: &str, plan: Option<&model::Plan>, services: Option<&[&str]>) -> Arc<App> {
    let document = model::App {
        services: services.map(|services| services.iter().map(|service| name(service)).collect()),
        ..model::App::default()
    };
    let plan = plan.map(|plan| Arc::new(Plan::compile(&name("gold"), plan)));
    Arc::new(App::new(name(text), &document, plan))
}

pub(crate) fn keys(apps: &[(&str, &Arc<App>)]) -> MemoryKeys {
    MemoryKeys::new(apps.iter().map(|(key, app)| (sha256(key.as_bytes()), Arc::clone(app))))
}

pub(crate) fn backend(credentials: Vec<model::Credentials>) -> model::Backend {
    model::Backend { credentials, ..model::Backend::new(Vec::new()) }
}

pub(crate) fn service(auth: model::Auth, limits: Vec<model::Limit>) -> model::Service {
    model::Service {
        contract: None,
        routes: Vec::new(),
        path: "/".to_owned(),
        hosts: Vec::new(),
        backend: backend(Vec::new()),
        auth,
        limits,
        concurrency: None,
        timeout: None,
        body_bytes: None,
        check: None,
        cors: None,
        errors: model::ErrorForm::default(),
        answers: None,
        operations: std::collections::BTreeMap::new(),
    }
}

pub(crate) fn key_auth(header: Option<&str>, query: Option<&str>, bearer: bool) -> model::Auth {
    let (header, query) = (header.map(str::to_owned), query.map(str::to_owned));
    model::Auth::AnyOf(vec![model::AuthKind::Key(model::KeyAuth { header, query, bearer })])
}

pub(crate) fn per_second(count: u32, by: model::LimitBy) -> model::Limit {
    model::Limit { count, period: model::Period::Second, by }
}
