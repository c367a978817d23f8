//! How calls may be written.

use super::*;

fn line(text: &str) -> Result<Line, String> {
    parse_line(text)
}

#[test]
fn calls_as_people_write_them() {
    let cases = [
        ("GET /a/b?x=1", ("GET", None, "/a/b?x=1", false)),
        ("/a", ("GET", None, "/a", false)),
        ("  post   /a ", ("post", None, "/a", false)),
        (
            "PUT https://api.example.com:8443/a?b#c",
            ("PUT", Some("api.example.com:8443"), "/a?b", true),
        ),
        ("http://host", ("GET", Some("host"), "/", false)),
        ("http://host?x", ("GET", Some("host"), "/?x", false)),
        ("http://host#x", ("GET", Some("host"), "/", false)),
        ("OPTIONS *", ("OPTIONS", None, "*", false)),
    ];
    for (text, (method, host, target, tls)) in cases {
        let expected =
            Line { method: method.into(), host: host.map(Into::into), target: target.into(), tls };
        assert_eq!(line(text).as_ref(), Ok(&expected), "{text}");
    }
    for text in ["GET a", "GET", "GET *", "GET /a\r\nX: y", ""] {
        assert!(line(text).is_err(), "{text:?}");
    }
}

#[test]
fn heads_are_written_as_they_were_given() {
    let ask = |headers: &[&str], body: Option<&str>| {
        let ask = Ask {
            call: "POST /a".to_owned(),
            headers: headers.iter().map(|field| (*field).to_owned()).collect(),
            body: body.map(str::to_owned),
            ..Ask::default()
        };
        ask.read().map(|call| String::from_utf8(call.head).expect("text"))
    };
    let cases: [(&[&str], Option<&str>, &str); 4] = [
        (&[], None, "POST /a HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        (&["host: x.example", "A:b"], None, "POST /a HTTP/1.1\r\nHost: x.example\r\nA: b\r\n\r\n"),
        (&[], Some("xyz"), "POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n"),
        (
            &["Transfer-Encoding: chunked"],
            Some("xyz"),
            "POST /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
    ];
    for (headers, body, expected) in cases {
        assert_eq!(ask(headers, body).as_deref(), Ok(expected));
    }
    for field in ["nonsense", ": x", "A: b\r\nC: d"] {
        assert!(ask(&[field], None).is_err(), "{field:?}");
    }
    let large = format!("A: {}", "x".repeat(HEAD_BYTES_MAX));
    assert!(ask(&[&large], None).is_err());
}

#[test]
fn a_host_that_is_given_wins() {
    let cases: [(&[&str], &str); 4] = [
        (&[], "Host: url.example\r\n"),
        (&["Host: given.example"], "Host: given.example\r\n"),
        (&["A: b", "host: given.example"], "Host: given.example\r\nA: b\r\n"),
        (&["Host: one", "Host: two"], "Host: one\r\nHost: two\r\n"),
    ];
    for (headers, expected) in cases {
        let ask = Ask {
            call: "http://url.example/a".to_owned(),
            headers: headers.iter().map(|field| (*field).to_owned()).collect(),
            ..Ask::default()
        };
        let head = ask.read().map(|call| String::from_utf8(call.head).expect("text"));
        assert_eq!(head, Ok(format!("GET /a HTTP/1.1\r\n{expected}\r\n")), "{headers:?}");
    }
}

#[test]
fn a_length_is_that_of_the_body() {
    for (length, body, is_right) in [
        ("3", Some("xyz"), true),
        ("0", None, true),
        ("4", Some("xyz"), false),
        ("3", None, false),
        // What is no length is refused by the gateway.
        ("many", Some("xyz"), true),
    ] {
        let ask = Ask {
            call: "POST /a".to_owned(),
            headers: vec![format!("content-length: {length}")],
            body: body.map(str::to_owned),
            ..Ask::default()
        };
        let read = ask.read();
        assert_eq!(read.is_ok(), is_right, "{length} {body:?}");
        assert!(is_right || read.is_err_and(|why| why.contains(&format!("says {length} and"))));
    }
}

#[test]
fn asks_have_no_unknown_members() {
    assert!(serde_json::from_str::<Ask>(r#"{"call":"/","app":"phone"}"#).is_ok());
    assert!(serde_json::from_str::<Ask>(r#"{"call":"/","ap":"phone"}"#).is_err());
}
