//! What is shown of a request, and how it differs.

use super::*;
use crate::explain::Ask;

fn call(line: &str, headers: &[&str]) -> Call {
    let headers = headers.iter().map(|field| (*field).to_owned()).collect();
    Ask { call: line.to_owned(), headers, ..Ask::default() }.read().expect("a call")
}

#[test]
fn credentials_in_a_query_are_hidden() {
    let secret = ["key".to_owned()];
    let cases = [
        ("/a", "/a"),
        ("/a?key=1", "/a?key=…"),
        ("/a?b=1&KEY=2;%6bey=3&c", "/a?b=1&KEY=…;%6bey=…&c"),
        ("/a?key", "/a?key=…"),
        ("/a?", "/a?"),
    ];
    for (target, expected) in cases {
        assert_eq!(hide_query(target, &secret), expected, "{target}");
    }
}

#[test]
fn differences_are_told_without_credentials() {
    let call = call("/s/a?key=1&x=2", &["X-Api-Key: k", "Accept: a", "X-Forwarded-For: evil"]);
    let head =
        b"GET /a?x=2&t=secret HTTP/1.1\r\nhost: b\r\nAccept: a\r\nX-Forwarded-For: 127.0.0.1\r\n\
        x-request-id: 1\r\nAuthorization: Bearer t\r\n\r\n";
    let (headers, query) =
        (["x-api-key".to_owned(), "authorization".to_owned()], ["key".to_owned(), "t".to_owned()]);
    let got = parse(head, 0).hidden(&headers, &query, &call);
    assert_eq!(got.target, "/a?x=2&t=…");
    assert_eq!(got.values("Authorization").collect::<Vec<_>>(), [HIDDEN]);
    let edits: Vec<String> = differences(&call, &got, &query)
        .into_iter()
        .map(|edit| {
            format!("{} {} {} {}", edit.part, edit.what, edit.name, edit.value.unwrap_or_default())
        })
        .collect();
    assert_eq!(
        edits,
        [
            "path changed /s/a /a",
            "query removed key ",
            "query set t …",
            "header removed X-Api-Key ",
            "header changed host b",
            "header changed X-Forwarded-For 127.0.0.1",
            "header set x-request-id (new for each call)",
            "header set Authorization …",
        ]
    );
}
