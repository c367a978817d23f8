//! What the policies of a call cost: all together, and their parts.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use criterion::{Criterion, criterion_group, criterion_main};
use portway_model as model;
use portway_policy::{
    App, Body, Call, Clock, Counters, Gates, Headers, MemoryCounters, MemoryKeys, ParamSpans, Plan,
    Rules, Scheme, Value, Want, World, decide, is_ours, sha256,
};

const KEY: &str = "pw_5f2b1c9e7a4d4e0fb8c6a1d2e3f40516";

struct Fields(Vec<(&'static str, &'static str)>);

impl Headers for Fields {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_bytes())
    }

    fn each(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        for (_, value) in self.0.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)) {
            see(value.as_bytes());
        }
    }
}

/// Time that goes on by a microsecond with each look.
struct Steps(AtomicU64);

impl Clock for Steps {
    fn now_us(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }

    fn unix_ms(&self) -> u64 {
        1_700_000_000_000
    }
}

fn name(text: &str) -> model::Name {
    model::Name::new(text).expect("a name")
}

fn limit(count: u32, by: model::LimitBy) -> model::Limit {
    model::Limit { count, period: model::Period::Second, by }
}

fn rules(auth: model::Auth, limits: Vec<model::Limit>) -> Rules {
    let backend = model::Backend::new(Vec::new());
    let service = model::Service {
        contract: None,
        routes: Vec::new(),
        path: "/".to_owned(),
        hosts: Vec::new(),
        backend,
        auth,
        limits,
        concurrency: None,
        timeout: None,
        body_bytes: None,
        check: None,
        cors: None,
        errors: model::ErrorForm::default(),
        answers: None,
        operations: Default::default(),
    };
    Rules::compile(&name("shop"), Some("getOrder"), &service, None)
}

fn keyed() -> model::Auth {
    model::Auth::AnyOf(vec![model::AuthKind::Key(model::KeyAuth::default())])
}

fn benches(c: &mut Criterion) {
    let headers = Fields(vec![
        ("Host", "shop.example"),
        ("User-Agent", "bench/1.0"),
        ("Accept", "application/json"),
        ("X-Api-Key", KEY),
    ]);
    let call = Call {
        method: "GET",
        scheme: Scheme::Http,
        host: "shop.example",
        authority: b"shop.example",
        path: "/shop/orders/7",
        query: "",
        headers: &headers,
        body: Body::None,
        client: [192, 0, 2, 1].into(),
        param_names: &[],
        params: &ParamSpans::default(),
    };
    let plan = model::Plan {
        limits: vec![limit(900_000_000, model::LimitBy::App)],
        ..model::Plan::default()
    };
    let plan = Arc::new(Plan::compile(&name("gold"), &plan));
    let app = Arc::new(App::new(name("phone"), &model::App::default(), Some(plan)));
    let keys = MemoryKeys::new([(sha256(KEY.as_bytes()), app)]);
    let counters = MemoryCounters::default();
    let clock = Steps(AtomicU64::new(0));
    let world = World { clock: &clock, counters: &counters, keys: &keys };

    let public = rules(model::Auth::Public, Vec::new());
    c.bench_function("decide/public", |b| {
        b.iter(|| decide(black_box(&call), &public, &world, &mut |_| {}))
    });
    let one = rules(keyed(), Vec::new());
    c.bench_function("decide/key and one limit", |b| {
        b.iter(|| decide(black_box(&call), &one, &world, &mut |_| {}));
    });
    let per_ip = limit(900_000_000, model::LimitBy::Ip);
    let three = rules(keyed(), vec![limit(900_000_000, model::LimitBy::Total), per_ip]);
    c.bench_function("decide/key and three limits", |b| {
        b.iter(|| decide(black_box(&call), &three, &world, &mut |_| {}));
    });

    let want = Want { rule: &three.limits[0], app: None, value: Value::network(call.client) };
    let mut now_us = 0_u64;
    c.bench_function("take/one", |b| {
        b.iter(|| {
            now_us += 1;
            counters.take(black_box(&[want]), now_us, 0)
        });
    });
    let header = model::LimitBy::Header("X-Tenant".to_owned());
    let tight = rules(model::Auth::Public, vec![limit(20, header)]);
    let tight = Want { rule: &tight.limits[0], ..want };
    c.bench_function("take/refused", |b| b.iter(|| counters.take(black_box(&[tight]), now_us, 0)));

    let gates = Gates::default();
    c.bench_function("gate", |b| b.iter(|| gates.enter(black_box(7), 100)));
    c.bench_function("sha256", |b| b.iter(|| sha256(black_box(KEY.as_bytes()))));
    c.bench_function("is_ours", |b| b.iter(|| is_ours(black_box(b"x-forwarded-for"))));
}

criterion_group!(policy, benches);
criterion_main!(policy);
