//! What is proposed, and what is never written.

use serde_json::{Value, json};

use super::*;
use crate::NoFiles;

/// A call that was answered with JSON.
fn get(target: &str, caller: u64) -> Observation {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    Observation {
        method: "GET".to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        caller,
        status: 200,
        unix_s: 1_764_000_000,
        answer: Some(Payload { media: "application/json".to_owned(), bytes: 2, sample: None }),
        ..Observation::default()
    }
}

fn post(target: &str, media: &str, body: &str, caller: u64) -> Observation {
    let sample = Some(body.as_bytes().to_vec());
    let request = Payload { media: media.to_owned(), bytes: body.len() as u64, sample };
    Observation { method: "POST".to_owned(), request: Some(request), ..get(target, caller) }
}

fn learn(calls: impl IntoIterator<Item = Observation>) -> Learned {
    let mut learned = Learned::new();
    calls.into_iter().for_each(|call| learned.observe(&call));
    learned
}

/// What is proposed, read by the reader of contracts, which must find nothing wrong.
fn proposed(learned: &Learned) -> Value {
    let text = learned.propose("shop", &Thresholds::default());
    let outcome = crate::read("learned.yaml", text.as_bytes(), &NoFiles, &crate::Limits::default());
    let told = outcome.diagnostics.iter().filter(|found| found.code != "no-operations");
    assert_eq!(told.count(), 0, "{:#?}\n{text}", outcome.diagnostics);
    let contract = outcome.contract.expect("a contract");
    contract.documents[0].value().clone()
}

fn paths(learned: &Learned) -> Vec<String> {
    let document = proposed(learned);
    document["paths"].as_object().expect("a map").keys().cloned().collect()
}

/// `calls` of the same, by different callers.
fn often(call: &Observation) -> impl Iterator<Item = Observation> + use<> {
    let call = call.clone();
    (0..10).map(move |caller| Observation { caller, ..call.clone() })
}

#[test]
fn segments_that_are_values_become_parameters() {
    for (targets, expected) in [
        (&["/orders/1", "/orders/22"][..], &["/orders/{id}"][..]),
        (&["/orders/1", "/orders/search"], &["/orders/search", "/orders/{id}"]),
        (&["/a/0d1e0f4e-7f6a-4c55-9d43-111111111111/items/7"], &["/a/{id}/items/{id2}"]),
        (&["/day/2026-11-24"], &["/day/{id}"]),
        (&["/file/9f86d081884c7d659a2feaa0"], &["/file/{id}"]),
        (&["/of/anna@example.com", "/of/ORD-2026-17"], &["/of/{id}"]),
        (&["/of/d%C3%BCnn"], &["/of/{id}"]),
        (&["/v1/list", "/v2/list.json"], &["/v1/list", "/v2/list.json"]),
        (&["/", "/list/"], &["/", "/list/"]),
    ] {
        let calls = targets.iter().flat_map(|target| often(&get(target, 0)));
        assert_eq!(paths(&learn(calls)), expected, "{targets:?}");
    }
}

#[test]
fn many_words_at_one_place_are_values() {
    let name =
        |n: u64| format!("{}{}", char::from(b'a' + (n % 26) as u8), "b".repeat((n / 26) as usize));
    // Each seen once.
    let rare = learn((0..100).map(|n| get(&format!("/items/{}", name(n)), n)));
    assert_eq!(paths(&rare), ["/items/{id}"]);
    // Each seen often, and all alike.
    let alike = learn((0..20).flat_map(|n| often(&get(&format!("/items/{}", name(n)), n))));
    assert_eq!(paths(&alike), ["/items/{id}"]);
    // What an application consists of stays.
    let top = learn((0..20).flat_map(|n| often(&get(&format!("/{}", name(n)), n))));
    assert_eq!(paths(&top).len(), 20);
    // One who tries many names alone makes no operation.
    let scanned = learn((0..100).map(|n| get(&format!("/{}", name(n)), 1)));
    assert_eq!(paths(&scanned), [""; 0]);
}

#[test]
fn only_good_answers_that_were_seen_often_are_proposed() {
    let nothing =
        learn((0..100).map(|n| Observation { status: 404, ..get(&format!("/{n}/x?a=1"), n) }));
    assert_eq!((nothing.parts, nothing.left_out), (0, 100));
    let bad = [404, 403, 500, 199].map(|status| Observation { status, ..get("/admin", 1) });
    let odd = Observation { method: "PURGE".to_owned(), ..get("/x", 1) };
    let learned = learn(
        bad.iter().flat_map(often).chain(often(&odd)).chain([get("/once", 1), get("/two", 1)]),
    );
    let document = proposed(&learned);
    assert_eq!(document["paths"], json!({}));
    assert_eq!(
        document["x-portway-review"],
        json!([
            { "call": "GET /{seldom}", "calls": 1, "callers": 1 },
            { "call": "GET /{seldom}", "calls": 1, "callers": 1 },
        ])
    );
    assert_eq!(document["x-portway-learned"]["left_out"], 50);
    let by_two = learn([get("/two", 1), get("/two", 2)]);
    assert_eq!(paths(&by_two), ["/two"]);
    let by_one = learn((0..3).map(|_| get("/three", 1)));
    assert_eq!(paths(&by_one), ["/three"]);
}

fn schema_of(document: &Value, path: &str, name: &str) -> (Value, bool) {
    let parameters = document["paths"][path]["get"]["parameters"].as_array().expect("a list");
    let found = parameters.iter().find(|parameter| parameter["name"] == name);
    let found = found.unwrap_or_else(|| panic!("no {name} in {parameters:?}"));
    (found["schema"].clone(), found["required"] == true)
}

#[test]
fn parameters_have_types_and_lengths() {
    let calls = (0..10_u64).map(|n| {
        let sort = ["asc", "desc"][(n % 2) as usize];
        let maybe = if n < 5 { "&x=1" } else { "" };
        let q = ["red+shirt", "b%C3%BCcher", "a-1"][(n % 3) as usize];
        get(
            &format!("/list?page={}&size=-5&sort={sort}{maybe}&q={q}&on=true&price=1.5&tag=a&tag=b&from=2026-01-0{n}", n * 7),
            n / 2,
        )
    });
    let document = proposed(&learn(calls));
    for (name, schema, required) in [
        ("page", json!({ "type": "integer", "minimum": 0, "maximum": 999 }), true),
        ("size", json!({ "type": "integer", "maximum": 99 }), true),
        ("sort", json!({ "type": "string", "enum": ["asc", "desc"] }), true),
        ("x", json!({ "type": "integer", "minimum": 0, "maximum": 99 }), false),
        (
            "q",
            json!({ "type": "string", "minLength": 1, "maxLength": 32, "pattern": r"^[A-Za-z0-9\p{L}\p{M}\s\-]*$" }),
            true,
        ),
        ("on", json!({ "type": "boolean" }), true),
        ("price", json!({ "type": "number" }), true),
        (
            "tag",
            json!({ "type": "array", "items": { "type": "string", "enum": ["a", "b"] } }),
            true,
        ),
        (
            "from",
            json!({ "type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$" }),
            true,
        ),
    ] {
        assert_eq!(schema_of(&document, "/list", name), (schema, required), "{name}");
    }
}

#[test]
fn one_caller_alone_does_not_widen_what_is_usual() {
    let usual = || (0..12).map(|n| get(&format!("/item/{n}?q=ab&on=true"), n));
    let attacks = || {
        ["-1", "99999999", "1 OR 1=1", "x1234", "%27", "..%2f..%2fetc"]
            .into_iter()
            .flat_map(|value| ["id", "q", "on"].map(|place| (place, value)))
            .map(|(place, value)| match place {
                "id" => get(&format!("/item/{}?q=ab&on=true", value.replace(' ', "%20")), 77),
                "q" => get(&format!("/item/1?q={value}--%3Cscript%3E&on=true"), 77),
                _ => get(&format!("/item/1?q=ab&on={value}"), 77),
            })
    };
    let schemas = |learned: &Learned| {
        let document = proposed(learned);
        ["id", "q", "on"].map(|name| {
            let (mut schema, _) = schema_of(&document, "/item/{id}", name);
            let odd = schema.as_object_mut().expect("a map").remove("x-portway-odd");
            (schema, odd.and_then(|odd| odd.as_u64()))
        })
    };
    let before = schemas(&learn(usual()));
    let after = schemas(&learn(usual().chain(attacks())));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((&before.0, before.1, after.1), (&after.0, None, Some(6)));
    }
    // Two callers are right.
    let too = attacks().map(|call| Observation { caller: 78, ..call });
    let agreed = schemas(&learn(usual().chain(attacks()).chain(too)));
    assert_eq!(agreed[0].0["type"], "string");
    // Of one who is the only one, everything counts.
    let alone = schemas(&learn((0..4).map(|_| get("/item/7?q=%27&on=a%3Db", 1))));
    assert_eq!((&alone[1].0["type"], alone[1].1), (&json!("string"), None));
}

#[test]
fn bodies_have_shapes() {
    let body = |n: u64| {
        format!(
            r#"{{"items":[{{"sku":"A-{n}","count":{n}}}],"note":{},"express":true}}"#,
            if n == 0 { "null" } else { "\"x y\"" }
        )
    };
    let json_calls = (0..6).map(|n| post("/orders", "application/json", &body(n), n));
    let form_calls =
        (0..6).map(|n| post("/login", FORM, &format!("user=anna&remember={}", n % 2 == 0), n));
    let document = proposed(&learn(json_calls.chain(form_calls)));
    let content = |path: &str, media: &str| {
        document["paths"][path]["post"]["requestBody"]["content"][media]["schema"].clone()
    };
    let sku = json!({ "type": "string", "minLength": 1, "maxLength": 16, "pattern": r"^[A-Za-z0-9\-]*$" });
    let item = json!({
        "type": "object", "additionalProperties": false, "required": ["count", "sku"],
        "properties": { "sku": sku, "count": { "type": "integer", "minimum": 0, "maximum": 99 } },
    });
    let note =
        json!({ "type": "string", "minLength": 1, "maxLength": 16, "pattern": r"^[A-Za-z\s]*$" });
    assert_eq!(
        content("/orders", "application/json"),
        json!({
            "type": "object", "additionalProperties": false, "required": ["express", "items", "note"],
            "properties": {
                "items": { "type": "array", "maxItems": 16, "items": item },
                "note": { "anyOf": [note, { "type": "null" }] },
                "express": { "type": "boolean" },
            },
        })
    );
    assert_eq!(
        content("/login", FORM),
        json!({
            "type": "object", "additionalProperties": false, "required": ["remember", "user"],
            "properties": {
                "user": { "type": "string", "minLength": 1, "maxLength": 16, "pattern": "^[A-Za-z]*$" },
                "remember": { "type": "boolean" },
            },
        })
    );
    let learned = &document["paths"]["/orders"]["post"]["x-portway-learned"];
    assert_eq!((learned["calls"].as_u64(), learned["callers"].as_u64()), (Some(6), Some(6)));
    assert_eq!(learned["last_seen"], "2025-11-24");
}

#[test]
fn nobodys_values_are_written() {
    const SECRETS: &[&str] = &[
        "anna",
        "Schmidt",
        "anna.schmidt@example.com",
        "hunter2",
        "4111111111111111",
        "10115",
        "DE8937",
        "eyJhbGciOiJIUzI1NiJ9",
        "s3cr3tT0kenAbCd",
        "Hauptstrasse",
        "+49301234",
        "onlyonce",
    ];
    let mut calls = Vec::new();
    for (n, secret) in SECRETS.iter().enumerate() {
        let encoded = secret.replace('@', "%40").replace('+', "%2B");
        for caller in 0..2 {
            calls.push(get(&format!("/find?q={encoded}&name={encoded}&n={n}"), caller));
            calls.push(get(&format!("/by/{encoded}/x"), 7));
            calls.push(get(&format!("/find?{encoded}=1"), caller));
            let body = json!({ "customer_name": secret, "list": [secret], *secret: 1, "map": { *secret: secret } });
            calls.push(post("/save", "application/json", &body.to_string(), caller));
            calls.push(post("/form", FORM, &format!("mail={encoded}&{encoded}=x"), caller));
        }
    }
    // Even one that is there all the time, for the name of its parameter says what it is.
    for caller in 0..10 {
        calls.push(get("/me?user=anna&last_name=Schmidt", caller));
    }
    let learned = learn(calls);
    let text = learned.propose("shop", &Thresholds::default());
    let kept = learned.to_remember(&Thresholds::default());
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} in\n{text}");
        assert!(!kept.contains(secret), "{secret} in\n{kept}");
    }
    proposed(&learned);
}

#[test]
fn what_is_remembered_goes_on_after_a_restart() {
    let first: Vec<Observation> =
        (0..10).map(|n| get(&format!("/orders/{n}?sort=asc"), n)).collect();
    let thresholds = Thresholds::default();
    let before = learn(first.clone());
    let kept = before.to_remember(&thresholds);
    let mut after = Learned::remembered(&kept).expect("it can be read");
    assert_eq!(after.propose("shop", &thresholds), before.propose("shop", &thresholds));
    first.iter().for_each(|call| after.observe(call));
    assert_eq!(proposed(&after)["paths"]["/orders/{id}"]["get"]["x-portway-learned"]["calls"], 20);
    for broken in ["", "{}", "[]", &kept.replace("\"version\":1", "\"version\":2")] {
        assert_eq!(Learned::remembered(broken), None);
    }
}

#[test]
fn hostile_traffic_makes_nothing_grow_without_end() {
    let mut learned = Learned::new();
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    for n in 0..30_000_u64 {
        // Words that are no values by themselves.
        let word: String = (0..6).map(|at| char::from(b'a' + (n >> (at * 3) & 7) as u8)).collect();
        learned.observe(&get(&format!("/{word}/{word}?{word}={word}"), n));
        learned.observe(&get(&format!("/app?{word}=1"), n));
        if n % 100 == 0 {
            learned.observe(&get(&format!("/{}", "a/".repeat(200)), n));
            learned.observe(&post("/deep", "application/json", &deep, n));
            learned.observe(&post("/x", &format!("text/{word}"), "", n));
            let body = format!("{{\"{word}\":{{\"{word}\":\"{word}\"}}}}");
            learned.observe(&post("/json", "application/json", &body, n));
        }
    }
    assert!(learned.parts <= PARTS_MAX + 1, "{}", learned.parts);
    let text = learned.propose("shop", &Thresholds::default());
    let kept = learned.to_remember(&Thresholds::default());
    assert!(text.len() < 1 << 20 && kept.len() < 4 << 20, "{} {}", text.len(), kept.len());
    proposed(&learned);
}
