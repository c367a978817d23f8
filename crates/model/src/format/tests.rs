//! The small grammars: what each takes and what it refuses.

use super::check;

#[track_caller]
fn judge(format: &str, good: &[&str], bad: &[&str]) {
    for text in good {
        assert_eq!(check(format, text), Ok(()), "{format}");
    }
    for text in bad {
        assert!(check(format, text).is_err(), "{format} takes {text:?}");
    }
}

#[test]
fn grammars() {
    judge(
        "portway-url",
        &[
            "http://a",
            "https://a.b:8443/base/",
            "http://10.0.0.7:8000",
            "http://[::1]:80",
            "http+srv://_http._tcp.shop.internal",
        ],
        &[
            "a",
            "http://",
            "http://a:0",
            "http://a:65536",
            "http://u@a",
            "http://a?b",
            "http://a#b",
            "http://a b",
            "//a",
            "http+srv://a:1",
            "http://a/%0a\n",
        ],
    );
    judge(
        "portway-host",
        &["a", "*.a.b", "1.2.3.4", "[::1]", "a.b."],
        &["", "*", "a*", "*.*.a", "a:1", "a/b", "http://a", "a..b", "-a", "a b"],
    );
    judge(
        "portway-prefix",
        &["/", "/shop", "/shop/", "/a/b.c"],
        &["", "shop", "/a//b", "//", "/a?b", "/{a}", "/a/../b", "/*", "/a b"],
    );
    judge(
        "portway-address",
        &["0.0.0.0:80", "[::]:80", "127.0.0.1:0"],
        &["", "80", ":80", "*:80", "localhost:80", "::1", "1.2.3.4", "1.2.3.4:99999"],
    );
    judge("portway-admin", &["off", "127.0.0.1:9901"], &["no", "", "on", "9901"]);
    judge(
        "portway-network",
        &["10.0.0.0/8", "10.0.0.1", "::1", "fd00::/8"],
        &["10.0.0.1/8", "10.0.0.0/33", "a", ""],
    );
    judge(
        "portway-sha256",
        &[&"aB".repeat(32)],
        &["", &"a".repeat(63), &"g".repeat(64), &"é".repeat(32)],
    );
    judge("portway-san-dns", &["a", "A.b"], &["", "*.a", "a.", "ü.b", "a:1"]);
    judge("portway-san-uri", &["spiffe://a/b"], &["", "a", "a b:c"]);
    judge("portway-san-email", &["a@b"], &["", "a", "a@*.b"]);
    judge("portway-san-ip", &["1.2.3.4", "::1"], &["", "1.2.3", "1.2.3.4/8"]);
    judge(
        "portway-origin",
        &["*", "https://a", "https://*.a.b", "http://a:8080", "app://a"],
        &["", "a", "https://a/", "https://A", "https://", "HTTPS://a"],
    );
    judge("portway-header", &["X-Key", "x"], &["", "X Key", "X:", "Ü"]);
    judge("portway-method", &["GET", "M-SEARCH"], &["get", "", "G T"]);
    judge(
        "portway-component",
        &["@method", "@target-uri", "Date"],
        &["", "@status", "@query-param", "a b"],
    );
    judge("portway-key-id", &["AKID1.a_b-c", "x"], &["", "a b", "a\"b", "ü", &"a".repeat(129)]);
    judge("portway-variable", &["A", "_a1"], &["", "1a", "a-b", "a b", "$A"]);
    judge("portway-sni", &["a.b"], &["", "1.2.3.4", "*.a", "a:1"]);
    judge(
        "portway-host-header",
        &["target", "caller", "a.b:80", "[::1]:80"],
        &["", "a b", "a:0", "http://a"],
    );
    judge(
        "portway-route",
        &["GET /", "* /{rest+}", "GET /a:{b}.json"],
        &["", "GET", "/a", "GET /{a}{b}", "GET /{a}/{a}", "G\u{7f}T /"],
    );
}

#[test]
fn secrets_are_not_repeated() {
    for (format, text) in [
        ("portway-sha256", "hunter2"),
        ("portway-variable", "hunter 2"),
        ("portway-key-id", "hunter 2"),
        ("portway-url", "ftp://hunter2:hunter2@a"),
        ("portway-url", "hunter2@a"),
    ] {
        let wrong = check(format, text).unwrap_err();
        assert!(!format!("{wrong:?}").contains("hunter"), "{wrong:?}");
    }
}
