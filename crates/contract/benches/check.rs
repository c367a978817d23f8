//! What checking costs: the parameters of a typical operation, and a value of one kilobyte against a typical schema.

#![allow(missing_docs, reason = "criterion's macros")]

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use portway_contract::request::{Head, Wanted, Wish, compile};
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

const BODIES: &str = r"
openapi: 3.0.3
info: {title: Shop, version: '1'}
paths:
  /orders:
    post:
      requestBody:
        required: true
        content:
          application/json: {schema: {$ref: '#/components/schemas/Order'}}
          application/x-www-form-urlencoded: {schema: {$ref: '#/components/schemas/Contact'}}
          multipart/form-data: {schema: {$ref: '#/components/schemas/Contact'}}
      responses: {'200': {description: ok}}
components:
  schemas:
    Order:
      type: object
      required: [customer, lines]
      additionalProperties: false
      properties:
        customer: {$ref: '#/components/schemas/Customer'}
        lines: {type: array, minItems: 1, maxItems: 100, items: {$ref: '#/components/schemas/Line'}}
        note: {type: string, maxLength: 200}
    Customer:
      type: object
      required: [name, email]
      properties:
        name: {type: string, minLength: 1}
        email: {type: string, pattern: '^[^@]+@[^@]+$'}
        vip: {type: boolean}
    Line:
      type: object
      required: [sku, quantity]
      additionalProperties: false
      properties:
        sku: {type: string, pattern: '^SKU-[0-9]{4}$'}
        title: {type: string}
        quantity: {type: integer, minimum: 1, maximum: 99}
        price: {type: number, minimum: 0}
        tags: {type: array, items: {enum: [new, sale, last]}}
    Contact:
      type: object
      required: [name]
      properties:
        name: {type: string, maxLength: 64}
        age: {type: integer, minimum: 0}
        topics: {type: array, items: {type: string}}
        message: {type: string, maxLength: 2000}
";

/// A head with a media type in it.
struct Typed(&'static str);

impl Head for Typed {
    fn path(&self, _: usize) -> Option<&str> {
        None
    }

    fn query(&self) -> &str {
        ""
    }

    fn header(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        if name == "content-type" {
            see(self.0.as_bytes());
        }
    }
}

/// Bodies of a kilobyte, from the head to the verdict.
fn bodies(c: &mut Criterion) {
    let outcome = read("shop.yaml", BODIES.as_bytes(), &NoFiles, &Limits::default());
    let contract = outcome.contract.expect("a contract");
    let (mut all, _) = compile(&contract, |_| Some(Wanted::default()));
    let checks = all.remove(0).expect("checks");
    let message = "a few words that somebody wrote, ".repeat(28);
    let form =
        format!("name=Anna+Example&age=41&topics=a&topics=b&message={}", message.replace(' ', "+"));
    let mut parts = String::new();
    for (name, value) in [
        ("name", "Anna Example"),
        ("age", "41"),
        ("topics", "a"),
        ("topics", "b"),
        ("message", &message),
    ] {
        parts.push_str(&format!(
            "--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    parts.push_str("--x--\r\n");
    for (row, media, body) in [
        ("JSON of a kilobyte, judged", "application/json", order()),
        ("form of a kilobyte, judged", "application/x-www-form-urlencoded", form),
        ("parts of a kilobyte, judged", "multipart/form-data; boundary=x", parts),
    ] {
        let judge = || {
            let Wish::Hold(plan) = checks.wish(black_box(&Typed(media)), true) else {
                panic!("a plan")
            };
            checks.body(&plan, black_box(body.as_bytes()))
        };
        assert_eq!(judge(), []);
        c.bench_function(row, |b| b.iter(judge));
    }
}

criterion_group!(checks, parameters, body, bodies);
criterion_main!(checks);
