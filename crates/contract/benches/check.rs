//! What checking costs: the parameters of a typical operation, and a value of one kilobyte against a typical schema.

#![allow(missing_docs, reason = "criterion's macros")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use portway_contract::request::{Head, Wanted, compile};
use portway_contract::schema::{Builder, Dialect, Verdict, intake};
use portway_contract::{Limits, NoFiles, read};
use serde_json::{Value, json};

const CONTRACT: &str = r"
openapi: 3.0.3
info: {title: Shop, version: '1'}
paths:
  /orders/{order}/items:
    get:
      parameters:
      - {name: order, in: path, required: true, schema: {type: integer, minimum: 1}}
      - {name: limit, in: query, schema: {type: integer, minimum: 1, maximum: 100}}
      - {name: sort, in: query, schema: {type: string, enum: [price, name, date]}}
      - {name: q, in: query, schema: {type: string, maxLength: 64}}
      - {name: X-Tenant, in: header, required: true, schema: {type: string, pattern: '^[a-z]{2,16}$'}}
      responses: {'200': {description: ok}}
";

struct Call;

impl Head for Call {
    fn path(&self, _: usize) -> Option<&str> {
        Some("4711")
    }

    fn query(&self) -> &str {
        "limit=20&sort=price&q=blue%20shoes"
    }

    fn header(&self, _: &str, see: &mut dyn FnMut(&[u8])) {
        see(b"acme");
    }
}

fn parameters(c: &mut Criterion) {
    let outcome = read("shop.yaml", CONTRACT.as_bytes(), &NoFiles, &Limits::default());
    let contract = outcome.contract.expect("a contract");
    let (mut all, _) = compile(&contract, |_| Some(Wanted::default()));
    let checks = all.remove(0).expect("checks");
    assert_eq!(checks.head(&Call), []);
    c.bench_function("five parameters", |b| b.iter(|| black_box(&checks).head(black_box(&Call))));
}

/// An order with as many lines as make a kilobyte.
fn order() -> String {
    let line = |n: u32| json!({ "sku": format!("SKU-{n:04}"), "title": "Blue running shoes", "quantity": n, "price": 79.9, "tags": ["new", "sale"] });
    json!({
        "customer": { "name": "Anna Example", "email": "anna@example.com", "vip": true },
        "lines": (1..10).map(line).collect::<Vec<_>>(),
        "note": "leave it at the door, please",
    })
    .to_string()
}

fn body(c: &mut Criterion) {
    let schema: Value = json!({
        "type": "object", "required": ["customer", "lines"], "additionalProperties": false,
        "properties": {
            "customer": { "$ref": "#/$defs/Customer" },
            "lines": { "type": "array", "minItems": 1, "maxItems": 100, "items": { "$ref": "#/$defs/Line" } },
            "note": { "type": "string", "maxLength": 200 },
        },
        "$defs": {
            "Customer": { "type": "object", "required": ["name", "email"], "properties": {
                "name": { "type": "string", "minLength": 1 }, "email": { "type": "string", "pattern": "^[^@]+@[^@]+$" }, "vip": { "type": "boolean" } } },
            "Line": { "type": "object", "required": ["sku", "quantity"], "additionalProperties": false, "properties": {
                "sku": { "type": "string", "pattern": "^SKU-[0-9]{4}$" }, "title": { "type": "string" },
                "quantity": { "type": "integer", "minimum": 1, "maximum": 99 }, "price": { "type": "number", "minimum": 0 },
                "tags": { "type": "array", "items": { "enum": ["new", "sale", "last"] } } } },
        },
    });
    let mut builder = Builder::new(Dialect::Draft202012, &[("contract:///order", &schema)]);
    let id = builder.document(0).expect("a document");
    let (schemas, _) = builder.finish();
    let text = order();
    let bounds = intake::Bounds::default();
    let read = || intake::read(black_box(text.as_bytes()), &bounds).expect("JSON");
    assert_eq!(schemas.check(id, &read(), text.len()), Verdict::Valid);
    assert!((900..1_200).contains(&text.len()), "{}", text.len());
    c.bench_function("one kilobyte, read", |b| b.iter(read));
    let value = read();
    c.bench_function("one kilobyte, checked", |b| {
        b.iter(|| schemas.check(black_box(id), black_box(&value), text.len()))
    });
    c.bench_function("one kilobyte, read and checked", |b| {
        b.iter(|| schemas.check(black_box(id), &read(), text.len()))
    });
}

criterion_group!(checks, parameters, body);
criterion_main!(checks);
