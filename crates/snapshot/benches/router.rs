//! What finding a route costs: canonical path, host and prefix, operation; with one service and with a thousand.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use portway_contract::{LoadFault, Loader};
use portway_model::{AppKey, Format, SecretRef, SourceFile};
use portway_policy::{Headers, ParamSpans};
use portway_snapshot::{Files, Secrets, Snapshot, canonical_host, canonical_path, compile};

struct Nothing;

impl Loader for Nothing {
    fn load(&self, _: &str) -> Result<Vec<u8>, LoadFault> {
        Err(LoadFault::NotFound)
    }
}

impl Files for Nothing {
    fn fingerprint(&self, _: &str) -> Option<u64> {
        None
    }
}

impl Secrets for Nothing {
    fn resolve(&self, _: &SecretRef) -> Result<String, String> {
        Err("there are no secrets".to_owned())
    }

    fn key_sha256(&self, _: &AppKey) -> Result<[u8; 32], String> {
        Err("there are no keys".to_owned())
    }
}

impl Headers for Nothing {
    fn first(&self, _: &str) -> Option<&[u8]> {
        None
    }

    fn each(&self, _: &str, _: &mut dyn FnMut(&[u8])) {}
}

/// Services of a hundred operations each: twenty resources, five operations on each.
fn snapshot(services: usize) -> Snapshot {
    let mut text = "portway: 1\nservices:\n".to_owned();
    for number in 0..services {
        text.push_str(&format!("  s{number}:\n    path: /s{number}\n    backend: http://10.0.0.1\n    auth: public\n    routes:\n"));
        for resource in 0..20 {
            for route in [
                "GET /RES",
                "POST /RES",
                "GET /RES/{id}",
                "DELETE /RES/{id}",
                "GET /RES/{id}/lines/{line}",
            ] {
                text.push_str(&format!(
                    "      - {}\n",
                    route.replace("RES", &format!("resource{resource}"))
                ));
            }
        }
    }
    let file = SourceFile { name: "bench.yaml".to_owned(), text, format: Format::Yaml };
    let (documents, diagnostics) = portway_model::read(&[file], &[]);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    compile(&documents, &Nothing, &Nothing, None).0.expect("the document is right").snapshot
}

fn paths(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("canonical_path");
    for (name, path) in [
        ("40_plain_bytes", "/shop/orders/0192f0c1-7d2e/lines/42/items"),
        ("40_bytes_upper_case_and_dots", "/shop/orders/0192F0C1-7D2E/files/Photo.jpg"),
        ("escapes", "/shop/orders/a%20b/%E4%B8%AD%E6%96%87/%7euser"),
    ] {
        let mut out = String::with_capacity(256);
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                canonical_path(black_box(path.as_bytes()), &mut out)
                    .expect("it is a path")
                    .as_str()
                    .len()
            });
        });
    }
    group.finish();
    criterion.bench_function("canonical_host", |bencher| {
        let mut out = String::with_capacity(64);
        bencher.iter(|| {
            canonical_host(black_box(b"api.example.com:8443"), &mut out)
                .expect("it is a host")
                .len()
        });
    });
}

fn routes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("route");
    for services in [1, 1_000] {
        let snapshot = snapshot(services);
        let last = services - 1;
        for (name, path) in [
            ("literal", format!("/s{last}/resource7")),
            ("parameter", format!("/s{last}/resource7/0192f0c1-7d2e")),
            ("two_parameters", format!("/s{last}/resource7/0192f0c1-7d2e/lines/42")),
            ("upper_case", format!("/s{last}/resource7/0192F0C1-7D2E/lines/X")),
            ("not_found", format!("/s{last}/resource7/a/b/c")),
        ] {
            let mut params = ParamSpans::default();
            group.bench_function(format!("{name}/{services}"), |bencher| {
                bencher.iter(|| {
                    black_box(snapshot.route(
                        "api.example.com",
                        black_box(&path),
                        "",
                        "GET",
                        &Nothing,
                        &mut params,
                    ));
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, paths, routes);
criterion_main!(benches);
