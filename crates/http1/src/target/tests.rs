//! Authorities that are plausible, and those that are not.

use super::Authority;

#[test]
fn authorities() {
    let good: &[(&str, &str, Option<u16>)] = &[
        ("a", "a", None),
        ("a.example:8080", "a.example", Some(8080)),
        ("A_b-c~.", "A_b-c~.", None),
        ("127.0.0.1:0", "127.0.0.1", Some(0)),
        ("[::1]", "[::1]", None),
        ("[2001:db8::1]:65535", "[2001:db8::1]", Some(65535)),
    ];
    for (text, host, port) in good {
        let expected = Some(Authority { host: host.as_bytes(), port: *port });
        assert_eq!(Authority::parse(text.as_bytes()), expected, "{text}");
    }
    let bad = [
        "",
        ":80",
        "a:",
        "a:b",
        "a:65536",
        "a:000080",
        "a:+80",
        "a:8 0",
        "u@a",
        "a/b",
        "a?b",
        "a#b",
        "a\\b",
        "a b",
        "a,b",
        "a%41",
        "a:80:80",
        "::1",
        "[::1",
        "[]",
        "[::1]a",
        "[::1%25a]",
        "[v1.a]",
        "[127.0.0.1]",
        "a\t",
        "a\0",
        "a;b",
        "a\u{e9}",
        "a'b",
        "a(b)",
        "*",
    ];
    for text in bad {
        assert_eq!(Authority::parse(text.as_bytes()), None, "{text:?}");
    }
    assert_eq!(Authority::parse(&[b'a'; 256]), None);
}
