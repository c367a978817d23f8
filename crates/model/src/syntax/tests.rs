//! The three formats: values, places, and what is refused before it costs anything.

use std::time::{Duration, Instant};

use super::{Format, Parsed, parse, places};
use crate::place::{At, Spot};

#[test]
fn the_three_formats_give_the_same_values() {
    let yaml = "a: [1, -2, 1.5, true, 'x', { b: \"ü\" }]\nc: {}\n";
    let json = r#"{"a":[1,-2,1.5,true,"x",{"b":"\u00fc"}],"c":{}}"#;
    let toml = "a = [1, -2, 1.5, true, \"x\", { b = \"ü\" }]\n[c]\n";
    let values = [(yaml, Format::Yaml), (json, Format::Json), (toml, Format::Toml)]
        .map(|(text, format)| parse(text, format).unwrap().value);
    assert_eq!(values[0], values[1]);
    assert_eq!(values[0], values[2]);
}

#[test]
fn yaml_guesses_nothing() {
    let Parsed { value, .. } =
        parse("[no, on, 012, 1_000, 0x10, .inf, 2026-01-01, ~, 1e3]", Format::Yaml).unwrap();
    assert_eq!(
        value.to_string(),
        r#"["no","on","012","1_000",16,".inf","2026-01-01",null,1000.0]"#
    );
}

#[track_caller]
fn place(text: &str, format: Format, pointer: &str, at: At, line: u32, column: u32) {
    assert_eq!(places(text, format).find(pointer, at), Spot { line, column }, "{pointer}");
}

#[test]
fn places_are_those_of_keys_and_plain_values() {
    let yaml = "a:\n  b: [ x, 'y' ]\n  ü: { c: 1 }\n";
    place(yaml, Format::Yaml, "/a", At::Thing, 1, 1);
    place(yaml, Format::Yaml, "/a/b", At::Thing, 2, 3);
    place(yaml, Format::Yaml, "/a/b/1", At::Thing, 2, 11);
    place(yaml, Format::Yaml, "/a/ü/c", At::Thing, 3, 11);
    place(yaml, Format::Yaml, "/a/ü/c", At::Key, 3, 8);
    place(yaml, Format::Yaml, "/a/ü/c/nothing", At::Thing, 3, 8);
    place(yaml, Format::Yaml, "/nothing/at/all", At::Thing, 1, 1);
    let json = "{ \"a\": {\n  \"\\u00fc\": [ 1, \"x\" ], \"ü2\": { \"c/d\": null } } }";
    place(json, Format::Json, "/a", At::Thing, 1, 3);
    place(json, Format::Json, "/a/ü/1", At::Thing, 2, 18);
    place(json, Format::Json, "/a/ü2/c~1d", At::Thing, 2, 40);
    let toml = "[a]\nb = [ 1, 2 ]\n[a.c]\nd = 'x'\n";
    place(toml, Format::Toml, "/a/b/1", At::Thing, 2, 10);
    place(toml, Format::Toml, "/a/c", At::Thing, 3, 4);
    place(toml, Format::Toml, "/a/c/d", At::Thing, 4, 5);
}

#[test]
fn repeated_keys_are_seen() {
    for (text, format) in [
        ("a: 1\na: 2\nb: { c: 1, c: 1, c: 1 }\n", Format::Yaml),
        ("{\"a\":1,\n\"a\":2,\"b\":{\"c\":1,\"c\":1,\"c\":1}}", Format::Json),
    ] {
        assert!(parse(text, format).unwrap().has_repeated_keys);
        let repeated = places(text, format).repeated();
        let pointers: Vec<&str> =
            repeated.iter().map(|repeated| repeated.pointer.as_str()).collect();
        assert_eq!(pointers, ["/a", "/b/c", "/b/c"]);
    }
    assert!(!parse("a: 1\nb: { a: 1 }\n", Format::Yaml).unwrap().has_repeated_keys);
}

/// Hostile texts, with what they try.
fn hostile() -> Vec<(&'static str, String)> {
    let bomb = |open: &str, close: &str| {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let parts = vec![format!("*a{}", level - 1); 10].join(", ");
            text.push_str(&format!("a{level}: &a{level} {open}{parts}{close}\n"));
        }
        text
    };
    vec![
        ("alias bomb", bomb("[", "]")),
        ("merge bomb", {
            let mut text = "a0: &a0 { k: v }\n".to_owned();
            for level in 1..40 {
                text.push_str(&format!(
                    "a{level}: &a{level} {{ <<: [ *a{0}, *a{0}, *a{0} ], k{level}: v }}\n",
                    level - 1
                ));
            }
            text
        }),
        ("deep flow lists", "[".repeat(10 << 20)),
        ("deep flow maps", "{a: ".repeat(1 << 20)),
        ("deep json maps", "{\"a\":".repeat(1 << 20)),
        ("deep block lists", "- ".repeat(100_000)),
        ("deep block maps", (0..3_000).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect()),
        ("deep toml keys", format!("{} = 1", "a.".repeat(100_000) + "a")),
        ("deep toml lists", format!("a = {}", "[".repeat(100_000))),
        ("tabs", "\t".repeat(1 << 20)),
        ("a tab before a key", "a:\n\tb: 1\n".to_owned()),
        ("nul", "a: \0\n".to_owned()),
        ("only nul", "\0".repeat(1 << 20)),
        ("quote without end", format!("a: \"{}", "x".repeat(4 << 20))),
        ("key without end", "x".repeat(4 << 20)),
        ("question marks", "? ".repeat(200_000)),
        ("anchors", (0..200_000).map(|index| format!("- &a{index} x\n")).collect()),
        ("comments", "#\n".repeat(2 << 20)),
        ("documents", "---\n".repeat(1 << 20)),
        ("directives", "%YAML 1.2\n".repeat(100_000)),
        ("tags", "!".repeat(1 << 20)),
        ("colons", ":".repeat(1 << 20)),
        ("commas", format!("[{}", ",".repeat(1 << 20))),
        ("block scalar", format!("a: |\n{}", "  x\n".repeat(1 << 18))),
        ("self alias", "a: &a [ *a ]\n".to_owned()),
        ("huge number", format!("a: {}", "9".repeat(1 << 20))),
        ("null key", "? \n: 1\n".to_owned()),
        ("map as key", "? { a: 1 }\n: 2\n".to_owned()),
        ("too large", " ".repeat(super::TEXT_BYTES_MAX + 1)),
    ]
}

#[test]
fn hostile_texts_are_refused_or_read_fast() {
    // Generous: debug builds on a busy machine.
    const TIME_MAX: Duration = Duration::from_secs(20);
    for (what, text) in hostile() {
        for format in [Format::Yaml, Format::Json, Format::Toml] {
            let start = Instant::now();
            let is_read = parse(&text, format).is_ok();
            if is_read {
                places(&text, format).repeated();
            }
            let time = start.elapsed();
            if time > Duration::from_millis(500) {
                println!("{what} as {format:?}: {time:?}, read: {is_read}");
            }
            assert!(time < TIME_MAX, "{what} as {format:?}: {time:?}");
        }
    }
}

#[test]
fn the_worst_are_refused() {
    for (what, text) in hostile() {
        let is_bomb = [
            "alias bomb",
            "deep flow lists",
            "deep flow maps",
            "deep block lists",
            "deep block maps",
            "nul",
            "self alias",
            "too large",
            "documents",
        ]
        .contains(&what);
        if is_bomb {
            assert!(parse(&text, Format::Yaml).is_err(), "{what}");
        }
    }
}
