//! What choosing a target costs a call: entering, picking, beginning, reporting and leaving, uncontended.
//!
//! `cargo bench -p portway-proxy --bench upstream`. The aim is 150 ns together, without an allocation or a lock.

use std::hint::black_box;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use portway_model as model;
use portway_proxy::tls::ClientTlsFiles;
use portway_proxy::upstream::{
    Asked, BackendSpec, BackendState, Family, NotFound, Outcome, Resolve, Service, TargetSpec,
    Targets, Upstreams, hash_key,
};

/// Knows no name; every target of these benches is an address.
struct Nobody;

impl Resolve for Nobody {
    fn addresses<'a>(&'a self, _: &'a str, _: Family) -> Asked<'a, std::net::IpAddr> {
        Box::pin(std::future::ready(Err(NotFound::Absent)))
    }

    fn services<'a>(&'a self, _: &'a str) -> Asked<'a, Service> {
        Box::pin(std::future::ready(Err(NotFound::Absent)))
    }
}

fn backend(balance: model::Balance, targets: usize) -> Arc<BackendState> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let upstreams = Upstreams::new(
        runtime.handle().clone(),
        Arc::new(|| 0),
        Arc::new(Nobody),
        Arc::new(|_| {}),
    );
    let target = |number: usize| TargetSpec {
        https: false,
        srv: false,
        host: format!("10.0.0.{number}").into_boxed_str(),
        port: 80,
        base_path: "".into(),
        weight: 1 + number as u32 % 3,
        host_header: "bench".into(),
    };
    let document = model::Backend { balance, ..model::Backend::new(Vec::new()) };
    let spec = BackendSpec {
        key: "bench".into(),
        targets: (1..=targets).map(target).collect(),
        document,
        tls: ClientTlsFiles::default(),
    };
    upstreams.bind(vec![spec]).expect("no files").remove(0)
}

fn call(state: &Arc<BackendState>, targets: &Targets, hash: Option<u64>, now_ms: u64) {
    let slot = state.try_enter(0).expect("nobody else is there");
    state.deposit(&state.settings(), now_ms);
    let endpoint = state.pick(targets, hash, now_ms).expect("every target is well");
    let mut in_flight = endpoint.begin();
    in_flight.report(Outcome::Answered, now_ms);
    black_box((slot, in_flight));
}

fn benches(criterion: &mut Criterion) {
    let hashed = || model::Balance::Hash(model::HashOn::Address);
    for (name, balance, targets) in [
        ("call/round robin of 1", model::Balance::RoundRobin, 1),
        ("call/round robin of 10", model::Balance::RoundRobin, 10),
        ("call/least request of 10", model::Balance::LeastRequest, 10),
        ("call/hash of 10", hashed(), 10),
        ("call/round robin of 200", model::Balance::RoundRobin, 200),
        ("call/hash of 200", hashed(), 200),
    ] {
        let state = backend(balance, targets);
        let targets = state.targets();
        let mut now_ms = 1_000;
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                now_ms += 1;
                call(&state, &targets, Some(now_ms), now_ms / 64);
            });
        });
    }
    criterion.bench_function("hash_key of 36 bytes", |bencher| {
        bencher.iter(|| hash_key(black_box(b"0d9f7a52-3c1e-4f68-9a47-1f2e3d4c5b6a")));
    });
}

criterion_group!(upstream, benches);
criterion_main!(upstream);
