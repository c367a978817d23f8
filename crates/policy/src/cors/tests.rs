//! Origins, and what browsers are told.

use super::*;

fn cors(origins: &[&str]) -> model::Cors {
    model::Cors {
        origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
        methods: None,
        headers: None,
        expose: Vec::new(),
        credentials: false,
        max_age: None,
    }
}

#[track_caller]
fn check(origins: &[&str], origin: &str, allowed: bool) {
    let cors = Cors::compile(&cors(origins));
    let answer = cors.answer(Some(origin.as_bytes()));
    assert_eq!(answer.allow_origin.is_some(), allowed, "{origins:?} {origin}");
    assert_eq!(
        cors.preflight(origin.as_bytes(), None, "GET").is_some(),
        allowed,
        "{origins:?} {origin}"
    );
}

#[test]
fn origins_are_whole() {
    let exact = &["https://shop.example", "http://localhost:3000"];
    check(exact, "https://shop.example", true);
    check(exact, "HTTPS://SHOP.example", true);
    check(exact, "http://localhost:3000", true);
    check(exact, "http://shop.example", false);
    check(exact, "https://shop.example:443", false);
    check(exact, "https://shop.example.evil.example", false);
    check(exact, "https://shop.example/", false);
    check(exact, "http://localhost", false);
    check(exact, "null", false);
    check(exact, "", false);
    check(&["null"], "null", true);
}

#[test]
fn wildcards_take_labels_and_nothing_else() {
    let below = &["https://*.example.com", "http://*.test:8080"];
    check(below, "https://a.example.com", true);
    check(below, "https://a.b-c.Example.com", true);
    check(below, "http://x.test:8080", true);
    check(below, "https://example.com", false);
    check(below, "https://.example.com", false);
    check(below, "https://a..example.com", false);
    check(below, "https://evilexample.com", false);
    check(below, "http://a.example.com", false);
    check(below, "https://a.example.com:444", false);
    check(below, "https://evil.org/.example.com", false);
    check(below, "https://evil.org:1.example.com", false);
    check(below, "https://user@a.example.com", false);
    check(below, "https://a.example.com.evil.org", false);
    check(below, "http://x.test", false);
    check(below, "https://\u{e9}.example.com", false);
    check(below, "https://", false);
}

#[test]
fn caches_never_mix_origins() {
    let some = Cors::compile(&cors(&["https://a.example"]));
    for origin in [None, Some(&b"https://a.example"[..]), Some(b"https://b.example"), Some(b"\xff")]
    {
        assert!(some.answer(origin).vary_origin);
    }
    let any =
        Cors::compile(&model::Cors { credentials: true, ..cors(&["https://a.example", "*"]) });
    let answer = any.answer(Some(b"https://b.example"));
    assert_eq!((answer.allow_origin, answer.vary_origin), (Some("*"), false));
    assert!(!answer.allow_credentials, "credentials never stand with *");
}

#[test]
fn an_answer_has_its_fields() {
    let document = model::Cors {
        credentials: true,
        expose: vec!["X-Total".to_owned(), "ETag".to_owned()],
        ..cors(&["https://a.example"])
    };
    let cors = Cors::compile(&document);
    let fields = |origin: &'static str| {
        let mut fields = Vec::new();
        cors.answer(Some(origin.as_bytes()))
            .each(|name, value| fields.push(format!("{name}: {value}")));
        fields
    };
    assert_eq!(
        fields("https://a.example"),
        [
            "Access-Control-Allow-Origin: https://a.example",
            "Access-Control-Allow-Credentials: true",
            "Access-Control-Expose-Headers: X-Total, ETag",
            "Vary: Origin",
        ]
    );
    assert_eq!(fields("https://b.example"), ["Vary: Origin"]);
}

#[test]
fn a_preflight_is_told_what_is_allowed() {
    let get = |preflight: &Preflight, name: &str| {
        preflight.fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    };
    let open = Cors::compile(&cors(&["*"]));
    let preflight = open
        .preflight(b"https://a.example", Some(b"X-Api-Key, content-type"), "GET, POST")
        .expect("any");
    assert_eq!(get(&preflight, "Access-Control-Allow-Origin").as_deref(), Some("*"));
    assert_eq!(get(&preflight, "Access-Control-Allow-Methods").as_deref(), Some("GET, POST"));
    assert_eq!(
        get(&preflight, "Access-Control-Allow-Headers").as_deref(),
        Some("X-Api-Key, content-type")
    );
    assert_eq!(get(&preflight, "Access-Control-Max-Age").as_deref(), Some("600"));
    assert_eq!(get(&preflight, "Access-Control-Allow-Credentials"), None);
    for odd in ["x\r\ny: z", "", "a b", "a,,b", &"x".repeat(5_000)] {
        let preflight =
            open.preflight(b"https://a.example", Some(odd.as_bytes()), "GET").expect("any");
        assert_eq!(get(&preflight, "Access-Control-Allow-Headers"), None, "{odd:?}");
    }
    let document = model::Cors {
        methods: Some(vec!["GET".to_owned()]),
        headers: Some(vec!["X-Api-Key".to_owned()]),
        credentials: true,
        max_age: Some(model::Duration::from_ms(5_000)),
        ..cors(&["https://a.example"])
    };
    let preflight = Cors::compile(&document)
        .preflight(b"https://a.example", Some(b"x-other"), "GET, POST")
        .expect("its origin");
    assert_eq!(get(&preflight, "Access-Control-Allow-Methods").as_deref(), Some("GET"));
    assert_eq!(get(&preflight, "Access-Control-Allow-Headers").as_deref(), Some("X-Api-Key"));
    assert_eq!(get(&preflight, "Access-Control-Allow-Credentials").as_deref(), Some("true"));
    assert_eq!(get(&preflight, "Access-Control-Max-Age").as_deref(), Some("5"));
}
