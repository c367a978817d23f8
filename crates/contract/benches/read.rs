//! How long it takes to read a document of about one megabyte, as JSON and as YAML.

#![allow(missing_docs, reason = "criterion's macros")]

use std::fmt::Write;
use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use portway_contract::{Limits, NoFiles, PathTemplate, read};

/// A document with that many operations and as many schemas, in the manner of generated ones.
fn document(operations: usize) -> String {
    let mut paths = String::new();
    let mut schemas = String::new();
    for n in 0..operations {
        let comma = if n == 0 { "" } else { ",\n" };
        let _ = write!(
            paths,
            r##"{comma}"/things{n}/{{id}}": {{"get": {{"operationId": "getThing{n}", "summary": "Gets one thing", "tags": ["things"],
  "parameters": [{{"name": "id", "in": "path", "required": true, "schema": {{"type": "string"}}}},
    {{"name": "page", "in": "query", "schema": {{"type": "integer", "minimum": 1}}}}],
  "responses": {{"200": {{"description": "ok", "content": {{"application/json": {{"schema": {{"$ref": "#/components/schemas/Thing{n}"}}}}}}}},
    "default": {{"description": "An error"}}}}}}}}"##
        );
        let _ = write!(
            schemas,
            r#"{comma}"Thing{n}": {{"type": "object", "required": ["id"], "properties": {{"#
        );
        for field in 0..12 {
            let comma = if field == 0 { "" } else { ", " };
            let _ = write!(
                schemas,
                r#"{comma}"field{field}": {{"type": "string", "description": "What field {field} is for"}}"#
            );
        }
        schemas.push_str("}}");
    }
    format!(
        r#"{{"openapi": "3.0.3", "info": {{"title": "Things", "version": "1"}}, "paths": {{{paths}}}, "components": {{"schemas": {{{schemas}}}}}}}"#
    )
}

fn reading(criterion: &mut Criterion) {
    let json = document(700);
    // The same text is YAML, if its first character does not say JSON.
    let yaml = format!("# as YAML\n{json}");
    let mut group = criterion.benchmark_group("read");
    group.sample_size(20);
    for (name, text) in [("json", &json), ("yaml", &yaml)] {
        group.throughput(Throughput::Bytes(text.len() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                read("things.json", black_box(text.as_bytes()), &NoFiles, &Limits::default())
            });
        });
    }
    group.finish();
    criterion.bench_function("template", |bencher| {
        bencher.iter(|| PathTemplate::parse(black_box("/orders/{orderId}/lines/{line}.{format}")));
    });
}

criterion_group!(benches, reading);
criterion_main!(benches);
