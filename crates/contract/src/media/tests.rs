//! Media types as they come, and the ranges that they fit.

use super::{Charset, Language, MediaType, Range, best};

#[test]
fn media_types_are_read_strictly() {
    let check = |text: &str, expected: Option<(&str, &[(&str, &str)])>| {
        let read = MediaType::parse(text);
        let shown = read.as_ref().map(|media| {
            let parameters = media.parameters.iter().map(|(name, value)| (&**name, &**value));
            (&*media.name, parameters.collect::<Vec<_>>())
        });
        assert_eq!(shown, expected.map(|(name, list)| (name, list.to_vec())), "{text}");
    };
    check("application/json", Some(("application/json", &[])));
    check("Application/JSON ; Charset=UTF-8", Some(("application/json", &[("charset", "UTF-8")])));
    check("a/b;c=\"d;e\\\"f\" ; g=h;", Some(("a/b", &[("c", "d;e\"f"), ("g", "h")])));
    check("a/b; x=\"C:\\dir\\\\f\"", Some(("a/b", &[("x", "C:\\dir\\f")])));
    for text in [
        "",
        "json",
        "a/b/c",
        "a/",
        "/b",
        "a b/c",
        "a/b; c",
        "a/b; c=",
        "a/b; c=d e",
        "a/b; c=\"d",
        "a/b; c=\"d\"e",
        "a/b; c=d; C=e",
        "a/b, c/d",
        "a/b; =c",
    ] {
        check(text, None);
    }
    assert!(MediaType::parse(&format!("a/b{}", ";x=y".repeat(100))).is_none());
}

#[test]
fn languages_and_charsets_are_known() {
    let check = |text: &str, language: Language, charset: Charset| {
        let media = MediaType::parse(text).expect("a media type");
        assert_eq!((media.language(), media.charset()), (language, charset), "{text}");
    };
    check("application/json", Language::Json, Charset::Utf8);
    check("application/problem+json; charset=utf8", Language::Json, Charset::Utf8);
    check("application/json; charset=UTF-16", Language::Json, Charset::Other);
    check("application/x-www-form-urlencoded", Language::Form, Charset::Utf8);
    check("multipart/form-data; boundary=x", Language::Multipart, Charset::Utf8);
    check("multipart/mixed; boundary=x", Language::Other, Charset::Utf8);
    check("text/plain; charset=ISO-8859-1", Language::Text, Charset::Latin1);
    check("text/xml", Language::Other, Charset::Utf8);
    check("image/svg+xml", Language::Other, Charset::Utf8);
    check("application/octet-stream", Language::Other, Charset::Utf8);
}

#[test]
fn the_best_range_is_taken() {
    let check = |ranges: &[&str], text: &str, expected: Option<usize>| {
        let ranges: Vec<_> = ranges.iter().map(|range| Range::parse(range)).collect();
        let media = MediaType::parse(text).expect("a media type");
        assert_eq!(best(ranges.iter().map(Option::as_ref), &media), expected, "{text}");
    };
    check(&["*/*", "application/*", "application/json"], "application/json; a=b", Some(2));
    check(&["*/*", "application/*", "application/json"], "application/xml", Some(1));
    check(&["*/*", "application/*", "application/json"], "text/plain", Some(0));
    check(&["application/json"], "application/vnd.api+json", None);
    check(&["application/json"], "application/jsonp", None);
    check(&["Application/JSON; charset=utf-8"], "application/json", Some(0));
    check(&["a/b; v=1", "a/b; v=2"], "a/b; V=2", Some(1));
    check(&["a/b; v=1", "a/b; v=2"], "a/b; v=3", Some(0));
    check(&["a/b; v=1", "a/b"], "a/b; v=3", Some(1));
    check(&["json", "a/b; !", "*"], "a/b", Some(1));
    check(&["json", "*"], "a/b", Some(1));
    check(&["a/*", "a/*+json"], "a/vnd.b+json", Some(1));
    check(&["a/*+json"], "a/json", None);
    check(&["a/*+json"], "b/c+json", None);
    check(&[], "a/b", None);
}
