//! Places of pointers in JSON and YAML texts.

use super::*;

fn check(text: &str, format: Format, pointer: &str, line: u32, column: u32) {
    let found = find(text, format, 64, &[pointer, ""]);
    assert_eq!(found[0], Place { line, column }, "{pointer} in {text}");
}

#[test]
fn json_nodes_have_places() {
    let text = "{\n  \"a\": [1, {\"b/c\": \"x\\\"}\"}],\n  \"\\u0064\": {\"é\": 1, \"e\": 2}\n}";
    check(text, Format::Json, "", 1, 1);
    check(text, Format::Json, "/a", 2, 3);
    check(text, Format::Json, "/a/0", 2, 9);
    check(text, Format::Json, "/a/1", 2, 12);
    check(text, Format::Json, "/a/1/b~1c", 2, 13);
    check(text, Format::Json, "/d", 3, 3);
    check(text, Format::Json, "/d/é", 3, 14);
    check(text, Format::Json, "/d/e", 3, 22);
    check(text, Format::Json, "/d/nothing/there", 3, 3);
    check(text, Format::Json, "/a/1/b~1c/x", 2, 13);
}

#[test]
fn yaml_nodes_have_places() {
    let text = "a:\n  - 1\n  - b: x\n    c: {d: 1}\n? [x, y]\n: z\ne: &f [1]\ng: *f\n";
    check(text, Format::Yaml, "/a", 1, 1);
    check(text, Format::Yaml, "/a/0", 2, 5);
    check(text, Format::Yaml, "/a/1", 3, 5);
    check(text, Format::Yaml, "/a/1/c", 4, 5);
    check(text, Format::Yaml, "/a/1/c/d", 4, 9);
    check(text, Format::Yaml, "/e/0", 7, 8);
    check(text, Format::Yaml, "/g/0", 8, 1);
}

#[test]
fn broken_texts_do_not_panic() {
    for text in ["", "{", "\"", "{\"a", "{\"a\\", "]", "{\"a\":tru", "[1,,", "{\"a\":\"\\", ":"] {
        let _ = find(text, Format::Json, 64, &["/a/b", "/0"]);
        let _ = find(text, Format::Yaml, 64, &["/a/b", "/0"]);
    }
}

#[test]
fn repeated_keys_are_found() {
    let check = |text: &str, format: Format, expected: &[(&str, u32)]| {
        let found = repeated_keys(text, format, 64, 10);
        let found: Vec<_> =
            found.iter().map(|repeated| (repeated.pointer.as_str(), repeated.place.line)).collect();
        assert_eq!(found, expected, "{text}");
    };
    check(
        "{\"a\":{\"b\":1,\n\"b\":2},\"c\":[{\"d\":1},{\"d\":1,\n\"d\":1}]}",
        Format::Json,
        &[("/a/b", 2), ("/c/1/d", 3)],
    );
    check("a:\n  /x: 1\n  /x: 2\nb: {c: 1, c: 2}\n", Format::Yaml, &[("/a/~1x", 3), ("/b/c", 4)]);
}

#[test]
fn many_offsets_in_one_long_line() {
    let text = "é".repeat(1000);
    let offsets: Vec<usize> = (0..1000).rev().map(|n| n * 2).collect();
    let found = places(&text, &offsets);
    assert_eq!((found[0].column, found[999].column), (1000, 1));
}
