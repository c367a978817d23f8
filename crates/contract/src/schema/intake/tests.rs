//! Texts of JSON at the bounds of their reading.

use serde_json::Value;

use super::{Bounds, read};

const SMALL: Bounds =
    Bounds { depth: 3, members: 2, items: 3, values: 8, text_bytes: 4, number_bytes: 12 };

fn check(text: &str, expected: Result<&str, (&str, &str)>) {
    let read = read(text.as_bytes(), &SMALL)
        .map(|value| value.to_json())
        .map_err(|problem| (problem.pointer, problem.rule));
    let expected = expected
        .map(|text| serde_json::from_str::<Value>(text).expect("a value"))
        .map_err(|(pointer, rule)| (pointer.to_owned(), rule));
    assert_eq!(read, expected, "{text}");
}

#[test]
fn texts_are_read_within_their_bounds() {
    check(r#"{"a": [1, 2.5, null]}"#, Ok(r#"{"a": [1, 2.5, null]}"#));
    check("[[[]]]", Ok("[[[]]]"));
    check("[[[[]]]]", Err(("/0/0/0", "depth")));
    check(r#"{"a":{"b":{"c":{}}}}"#, Err(("/a/b/c", "depth")));
    check(r#"{"a":1,"b":2,"c":3}"#, Err(("", "members")));
    check(r#"{"x":{"a":1,"a":2}}"#, Err(("/x", "duplicate")));
    check(r#"{"x":{"a":1,"\u0061":2}}"#, Err(("/x", "duplicate")));
    check("[1,2,3,4]", Err(("", "items")));
    check("[[1,2,3],[1,2,3]]", Err(("/1/2", "values")));
    check(r#"["abcd"]"#, Ok(r#"["abcd"]"#));
    check(r#"["abcde"]"#, Err(("/0", "length")));
    check(r#"{"abcde":1}"#, Err(("", "length")));
    check("", Err(("", "json")));
    check("[1,]", Err(("/1", "json")));
    check("1 2", Err(("", "json")));
    check("NaN", Err(("", "json")));
    check("\"\u{1}\"", Err(("", "json")));
    check("[1.25e+0000001]", Err(("", "length")));
    check("-12345678901", Ok("-12345678901"));
    check("123456789012345678901", Err(("", "length")));
    check("{\"\\\"1\": 1.5}", Ok("{\"\\\"1\": 1.5}"));
    check("1e999", Err(("", "json")));
}

#[test]
fn nothing_makes_it_recurse_without_end() {
    let bounds = Bounds { depth: usize::MAX, ..Bounds::default() };
    for text in ["[".repeat(1_000_000), r#"{"a":"#.repeat(1_000_000)] {
        assert_eq!(read(text.as_bytes(), &bounds).expect_err("too deep").rule, "depth");
    }
    assert!(read(&[b'"', 0xff, b'"'], &bounds).is_err());
}
