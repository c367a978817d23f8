//! Measures growth: `cargo run --release -p portway-snapshot --example scale [SERVICES [OPERATIONS]]`.
//!
//! Compiles services with contracts, then the same again with one of them changed, and prints times, memory
//! for each operation (difference of the resident set) and the cost of a route.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measuring program has a clock and a place to write to; the room has not"
)]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use portway_contract::{LoadFault, Loader};
use portway_model::{AppKey, Documents, Format, SecretRef, SourceFile};
use portway_policy::{Headers, ParamSpans};
use portway_snapshot::{Files, Secrets, Snapshot, compile};

/// Contracts made when they are asked for, so that they take no memory; with a version for each.
struct Contracts {
    operations: usize,
    versions: BTreeMap<String, u64>,
}

impl Loader for Contracts {
    fn load(&self, path: &str) -> Result<Vec<u8>, LoadFault> {
        Ok(contract(path, self.operations, self.fingerprint(path).unwrap_or_default()).into_bytes())
    }
}

impl Files for Contracts {
    fn fingerprint(&self, path: &str) -> Option<u64> {
        Some(self.versions.get(path).copied().unwrap_or(1))
    }
}

struct NoSecrets;

impl Secrets for NoSecrets {
    fn resolve(&self, _: &SecretRef) -> Result<String, String> {
        Err("there are no secrets".to_owned())
    }

    fn key_sha256(&self, _: &AppKey) -> Result<[u8; 32], String> {
        Err("there are no keys".to_owned())
    }
}

struct NoHeaders;

impl Headers for NoHeaders {
    fn first(&self, _: &str) -> Option<&[u8]> {
        None
    }

    fn each(&self, _: &str, _: &mut dyn FnMut(&[u8])) {}
}

/// Resources with five operations each.
fn contract(name: &str, operations: usize, version: u64) -> String {
    const OPERATIONS: [(&str, &str, &str); 3] =
        [("", "get", "list"), ("/{id}", "get", "read"), ("/{id}/lines/{line}", "get", "readLine")];
    let answers = "responses: { '200': { description: fine } }";
    let mut text =
        format!("openapi: 3.1.0\ninfo: {{ title: {name}, version: '{version}' }}\npaths:\n");
    for resource in 0..operations.div_ceil(5) {
        for (path, method, verb) in OPERATIONS {
            text.push_str(&format!("  /resource{resource}{path}:\n"));
            let names =
                ["id", "line"].into_iter().filter(|name| path.contains(&format!("{{{name}}}")));
            let parameters: Vec<String> = names
                .map(|name| {
                    format!(
                        "{{ name: {name}, in: path, required: true, schema: {{ type: string }} }}"
                    )
                })
                .collect();
            text.push_str(&format!("    parameters: [ {} ]\n", parameters.join(", ")));
            text.push_str(&format!(
                "    {method}: {{ operationId: {verb}Resource{resource}, {answers} }}\n"
            ));
            match verb {
                "list" => text.push_str(&format!(
                    "    post: {{ operationId: createResource{resource}, {answers} }}\n"
                )),
                "read" => text.push_str(&format!(
                    "    delete: {{ operationId: deleteResource{resource}, {answers} }}\n"
                )),
                _ => {}
            }
        }
    }
    text
}

fn documents(services: usize, timeout: &str) -> Documents {
    let mut text = "portway: 1\nservices:\n".to_owned();
    for number in 0..services {
        let timeout = if number == services / 2 { timeout } else { "3s" };
        text.push_str(&format!(
            "  s{number}: {{ contract: contracts/s{number}.yaml, path: /s{number}, backend: \"http://10.0.0.1:8000\", auth: [key], limits: [ \"200/s\", \"20/s per app\" ], timeout: {timeout} }}\n"
        ));
    }
    let file = SourceFile { name: "scale.yaml".to_owned(), text, format: Format::Yaml };
    let (documents, diagnostics) = portway_model::read(&[file], &[]);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    documents
}

/// Processor time of this thread in milliseconds: on a machine that others use too, the figure that stays.
fn cpu_ms() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or_default() / 1e6
}

fn resident_kib() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

/// Time spent.
struct Spent {
    wall_ms: f64,
    cpu_ms: f64,
}

impl std::fmt::Display for Spent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.1} ms ({:.1} ms of the main thread's processor time)",
            self.wall_ms, self.cpu_ms
        )
    }
}

fn compiled(
    documents: &Documents,
    files: &Contracts,
    previous: Option<&Snapshot>,
) -> (Snapshot, Spent, usize) {
    let (start, cpu) = (Instant::now(), cpu_ms());
    let (compiled, diagnostics) = compile(documents, files, &NoSecrets, previous);
    let ms = Spent { wall_ms: start.elapsed().as_secs_f64() * 1e3, cpu_ms: cpu_ms() - cpu };
    let compiled = compiled.unwrap_or_else(|| panic!("{diagnostics:#?}"));
    (compiled.snapshot, ms, compiled.compiled_anew)
}

fn route_ns(snapshot: &Snapshot, service: usize) -> f64 {
    const CALLS: u32 = 2_000_000;
    let path = format!("/s{service}/resource7/0192f0c1-7d2e/lines/42");
    let mut params = ParamSpans::default();
    let start = cpu_ms();
    for _ in 0..CALLS {
        black_box(snapshot.route(
            "api.example.com",
            black_box(&path),
            "",
            "GET",
            &NoHeaders,
            &mut params,
        ));
    }
    (cpu_ms() - start) * 1e6 / f64::from(CALLS)
}

fn main() {
    let mut numbers = std::env::args().skip(1).map(|text| text.parse::<usize>().expect("a number"));
    let services = numbers.next().unwrap_or(1_000);
    let operations = numbers.next().unwrap_or(100);
    let mut files = Contracts { operations, versions: BTreeMap::new() };
    let (one, ..) = compiled(&documents(1, "3s"), &files, None);
    let written = documents(services, "3s");
    let before = resident_kib();
    let (snapshot, ms, _) = compiled(&written, &files, None);
    let after = resident_kib();
    let count: usize = snapshot.services.iter().map(|service| service.operations.len()).sum();
    println!("{services} services, {count} operations: compiled in {ms}");
    println!(
        "memory: {} bytes for each operation (resident set), {} of them routing tables",
        (after.saturating_sub(before) << 10) / count,
        snapshot.router_bytes() / count
    );
    let (start, cpu) = (Instant::now(), cpu_ms());
    let changed = documents(services, "4s");
    let spent = Spent { wall_ms: start.elapsed().as_secs_f64() * 1e3, cpu_ms: cpu_ms() - cpu };
    println!("the documents read again in {spent}");
    let (_, ms, anew) = compiled(&changed, &files, Some(&snapshot));
    println!("one document changed: {anew} compiled anew in {ms}");
    files.versions.insert(format!("contracts/s{}.yaml", services / 3), 2);
    let (next, ms, anew) = compiled(&changed, &files, Some(&snapshot));
    println!("one document and one contract changed: {anew} compiled anew in {ms}");
    println!(
        "a route: {:.0} ns of processor time with 1 service, {:.0} ns with {services}",
        route_ns(&one, 0),
        route_ns(&next, services - 1)
    );
}
