//! Answers as the application gives them, and as callers see them.

use portway_model as model;

use super::*;

const INSIDE: Inside<'_> = Inside {
    prefix: "/erp",
    hosts: &["10.0.0.7", "erp.corp.example", "fd00::7"],
    base_paths: &["", "/app", "/app/old", "/app"],
};

fn answers(document: &str) -> Answers {
    compile(document, &INSIDE)
}

fn compile(document: &str, inside: &Inside<'_>) -> Answers {
    let service = format!(
        "portway: 1\nservices:\n  a:\n    routes: [ 'GET /a' ]\n    backend: http://a\n    auth: public\n    answers: {document}\n"
    );
    let file =
        model::SourceFile { name: "a.yaml".to_owned(), format: model::Format::Yaml, text: service };
    let (documents, found) = model::read(&[file], &[]);
    assert!(found.is_empty(), "{found:?}");
    let service = documents.document.services.into_values().next().expect("a service");
    Answers::compile(&service.answers.expect("answers"), inside)
}

fn seen(answers: &Answers, public: &Public<'_>, name: &str, value: &[u8]) -> String {
    let mut out = b"before".to_vec();
    let fate = answers.field(public, name.as_bytes(), value, &mut out);
    let text = String::from_utf8_lossy(&out[6..]).into_owned();
    match fate {
        Fate::Rewritten => text,
        Fate::Keep => {
            assert_eq!(text, "");
            "=".to_owned()
        }
        Fate::Drop => {
            assert_eq!(text, "");
            "-".to_owned()
        }
    }
}

/// `=`: as it came; `-`: dropped.
fn check(document: &str, tls: bool, name: &str, cases: &[(&str, &str)]) {
    let answers = answers(document);
    let public = Public::new(tls, b"api.example.com");
    for (value, expected) in cases {
        assert_eq!(seen(&answers, &public, name, value.as_bytes()), *expected, "{name}: {value}");
    }
}

#[test]
fn fields_that_name_products_are_dropped() {
    for (document, dropped, kept) in [
        (
            "{ mask: on }",
            &[
                "Server",
                "server",
                "X-POWERED-BY",
                "X_Powered_By",
                "x-aspnet-version",
                "X-Runtime",
                "Via",
                "X-Envoy-Upstream-Service-Time",
                "X-Debug-Token-Link",
                "x-backend",
            ][..],
            &[
                "Content-Type",
                "Set-Cookie",
                "ETag",
                "X-Frame-Options",
                "Cache-Control",
                "X-Total",
                "X-Debugger",
                "Serve",
                "",
            ][..],
        ),
        (
            "{ mask: { more_headers: [ X-Pool, X-Erp-* ] } }",
            &["Server", "X-Pool", "X-Erp-Node", "x-erp-"],
            &["X-Pools", "X-Erp"],
        ),
        ("{ mask: { headers: [ X-Pool ] } }", &["x-pool"], &["Server", "Via"]),
        ("{ mask: { headers: [] } }", &[], &["Server"]),
        ("{ cookies: on, security_headers: on }", &[], &["Server", "X-Frame-Options"]),
        (
            "{ security_headers: { override: true } }",
            &["X-Frame-Options", "content-security-policy", "strict-transport-security"],
            &["Server"],
        ),
        (
            "{ security_headers: { override: true, set: { X-Frame-Options: off, X-Own: a } } }",
            &["X-Own"],
            &["X-Frame-Options"],
        ),
    ] {
        let answers = answers(document);
        let public = Public::new(true, b"api.example.com");
        for name in dropped {
            assert_eq!(seen(&answers, &public, name, b"x"), "-", "{document} {name}");
        }
        for name in kept {
            assert_eq!(seen(&answers, &public, name, b"x"), "=", "{document} {name}");
        }
    }
}

#[test]
fn references_to_internal_hosts_become_public() {
    let mask = "{ mask: { hosts: [ '*.internal', 192.168.0.0/16, 'fd01::/16', sso.example ] } }";
    for name in ["Location", "content-location"] {
        check(
            mask,
            true,
            name,
            &[
                // The targets, whatever port, scheme, case and user.
                ("http://10.0.0.7:8000/login?a=b#c", "https://api.example.com/erp/login?a=b#c"),
                ("http://10.0.0.7", "https://api.example.com/erp"),
                ("http://10.0.0.7?x", "https://api.example.com/erp?x"),
                ("HTTP://ERP.corp.EXAMPLE.:80/x", "https://api.example.com/erp/x"),
                ("https://me:pw@erp.corp.example/x", "https://api.example.com/erp/x"),
                ("http://[fd00::7]:80/x", "https://api.example.com/erp/x"),
                ("http://[::ffff:10.0.0.7]/x", "https://api.example.com/erp/x"),
                ("ws://10.0.0.7/x", "wss://api.example.com/erp/x"),
                ("//10.0.0.7/x", "https://api.example.com/erp/x"),
                (r"http:\\10.0.0.7\x", r"https://api.example.com/erp\x"),
                ("http:10.0.0.7/x", "https://api.example.com/erp/x"),
                ("http:////10.0.0.7/x", "https://api.example.com/erp/x"),
                // Base paths of targets, the longest first.
                ("http://10.0.0.7/app/x", "https://api.example.com/erp/x"),
                ("http://10.0.0.7/app", "https://api.example.com/erp"),
                ("http://10.0.0.7/app/old/x", "https://api.example.com/erp/x"),
                ("http://10.0.0.7/apple", "https://api.example.com/erp/apple"),
                ("http://10.0.0.7/erp/x", "https://api.example.com/erp/x"),
                // Named in the document, and loopback.
                ("http://a.b.internal/x", "https://api.example.com/erp/x"),
                ("http://192.168.3.4/x", "https://api.example.com/erp/x"),
                ("http://[fd01::1]/x", "https://api.example.com/erp/x"),
                ("http://sso.example/x", "https://api.example.com/erp/x"),
                ("http://localhost:3000/x", "https://api.example.com/erp/x"),
                ("http://127.9.9.9/x", "https://api.example.com/erp/x"),
                ("http://[::1]/x", "https://api.example.com/erp/x"),
                // Others.
                ("https://shop.example/x", "="),
                ("https://api.example.com/other/x", "="),
                ("https://internal/x", "="),
                ("https://10.0.0.70/x", "="),
                ("https://10.0.0.7.example/x", "="),
                ("https://sso.example@shop.example/", "="),
                ("https://xinternal/", "="),
                ("mailto:a@10.0.0.7", "="),
                ("javascript:1", "="),
                ("login", "="),
                ("../x", "="),
                ("?x", "="),
                ("", "="),
                ("http://", "="),
                ("http:", "="),
                ("//", "="),
                (":", "="),
                ("http://[::1", "="),
                ("http://10.0.0.7\t/x", "="),
                // From the application's root.
                ("/login", "/erp/login"),
                ("/", "/erp/"),
                ("/app/login", "/erp/login"),
                ("/erp/login", "="),
                ("/erp", "="),
                ("/erp?x", "="),
                ("/erpx", "/erp/erpx"),
            ],
        );
    }
    check(
        mask,
        false,
        "Location",
        &[
            ("https://10.0.0.7/x", "http://api.example.com/erp/x"),
            ("wss://10.0.0.7/x", "ws://api.example.com/erp/x"),
        ],
    );
    check("{ cookies: on }", false, "Location", &[("http://10.0.0.7/x", "="), ("/x", "=")]);
}

#[test]
fn a_path_never_becomes_a_host() {
    let inside = Inside { prefix: "", hosts: &["10.0.0.7"], base_paths: &["/app"] };
    let answers = compile("{ mask: on }", &inside);
    for (authority, value, expected) in [
        ("a.example", "/app//evil.example/x", "/.//evil.example/x"),
        ("a.example", r"/app/\evil.example/x", r"/./\evil.example/x"),
        ("a.example", "/app/\t/evil.example/x", "="),
        ("a.example", "/app", "/"),
        ("a.example", "/app?x", "/?x"),
        ("a.example", "/x", "="),
        ("a.example", "http://10.0.0.7//evil.example/", "http://a.example//evil.example/"),
        // A caller that named no host gets a path.
        ("", "http://10.0.0.7/x", "/x"),
        ("", "http://10.0.0.7", "/"),
        ("", "http://10.0.0.7//evil.example/", "/.//evil.example/"),
        // Nothing that a caller says can end a piece of a field.
        ("a\"b", "http://10.0.0.7/x", "/x"),
        ("a>b", "http://10.0.0.7/x", "/x"),
    ] {
        let public = Public::new(false, authority.as_bytes());
        assert_eq!(seen(&answers, &public, "Location", value.as_bytes()), expected, "{value}");
    }
    let long = "a".repeat(301);
    assert_eq!(
        seen(&answers, &Public::new(true, long.as_bytes()), "Location", b"http://10.0.0.7/"),
        "/"
    );
}

#[test]
fn the_public_host_is_not_internal_where_it_is_the_callers() {
    let inside =
        Inside { prefix: "/erp", hosts: &["api.example.com", "10.0.0.5"], base_paths: &[] };
    let answers = compile("{ mask: on }", &inside);
    for (authority, value) in [
        ("API.example.com:8443", "http://api.example.com/x"),
        ("10.0.0.5", "http://10.0.0.5:80/x"),
        ("localhost", "http://localhost/"),
    ] {
        let public = Public::new(true, authority.as_bytes());
        assert_eq!(seen(&answers, &public, "Location", value.as_bytes()), "=", "{value}");
    }
}

#[test]
fn refreshes_and_links_are_read_as_browsers_read_them() {
    check(
        "{ mask: on }",
        false,
        "Refresh",
        &[
            ("5; url=http://10.0.0.7/x", "5; url=http://api.example.com/erp/x"),
            ("0;URL = 'http://10.0.0.7/x' ; more", "0;URL = 'http://api.example.com/erp/x' ; more"),
            ("0, \"http://10.0.0.7/x", "0, \"http://api.example.com/erp/x"),
            ("0; /x", "0; /erp/x"),
            ("5", "="),
            ("5;", "="),
            ("5; url", "="),
            ("5; url=", "="),
            ("5; url=''", "="),
            ("5; url=https://shop.example/", "="),
        ],
    );
    check(
        "{ mask: on }",
        false,
        "Link",
        &[
            (
                "<http://10.0.0.7/s.css>; rel=preload",
                "<http://api.example.com/erp/s.css>; rel=preload",
            ),
            (
                "</s.css>; rel=preload, <https://cdn.example/x>",
                "</erp/s.css>; rel=preload, <https://cdn.example/x>",
            ),
            ("<a>; title=\"<http://10.0.0.7/>\"", "="),
            (
                "<a>; title=\"\\\"<http://10.0.0.7/>\"; anchor=\"http://10.0.0.7/#x\"",
                "<a>; title=\"\\\"<http://10.0.0.7/>\"; anchor=\"http://api.example.com/erp/#x\"",
            ),
            ("<http://10.0.0.7/x", "<http://api.example.com/erp/x"),
            ("<", "="),
            ("\"", "="),
            ("\"\\", "="),
            ("", "="),
            (&"<//10.0.0.7>,".repeat(65), "-"),
        ],
    );
}

#[test]
fn cookies_get_what_they_lack() {
    check(
        "{ cookies: { readable: [ csrf ], except: [ theme ] } }",
        true,
        "Set-Cookie",
        &[
            ("a=b", "a=b; Secure; HttpOnly; SameSite=Lax"),
            (
                "a=b; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT",
                "a=b; Path=/; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Secure; HttpOnly; SameSite=Lax",
            ),
            ("a=b;secure ;\tHTTPONLY; sameSite = none", "="),
            ("a=b; Secure=false; HttpOnly=; SameSite=odd", "="),
            ("a=b; SameSite=None", "a=b; SameSite=None; Secure; HttpOnly"),
            ("a=b; SameSite=Strict; Secure", "a=b; SameSite=Strict; Secure; HttpOnly"),
            ("a=b; ", "a=b; ; Secure; HttpOnly; SameSite=Lax"),
            // Quotes do not hide a semicolon, and names are not values.
            ("a=\"x; Secure; HttpOnly; SameSite=Lax\"", "="),
            (
                "Secure=HttpOnly; Path=/SameSite",
                "Secure=HttpOnly; Path=/SameSite; Secure; HttpOnly; SameSite=Lax",
            ),
            ("__Host-a=b; Path=/", "__Host-a=b; Path=/; Secure; HttpOnly; SameSite=Lax"),
            ("__Secure-a=b; Secure; HttpOnly; SameSite=None", "="),
            ("csrf=b", "csrf=b; Secure; SameSite=Lax"),
            (" csrf =b", " csrf =b; Secure; SameSite=Lax"),
            ("CSRF=b", "CSRF=b; Secure; HttpOnly; SameSite=Lax"),
            ("theme=dark", "="),
            ("token", "token; Secure; HttpOnly; SameSite=Lax"),
            ("=", "="),
            ("", "="),
            ("; Secure", "="),
        ],
    );
    check(
        "{ cookies: on }",
        false,
        "Set-Cookie",
        &[
            ("a=b", "a=b; HttpOnly; SameSite=Lax"),
            ("__Secure-a=b; Secure", "__Secure-a=b; Secure; HttpOnly; SameSite=Lax"),
        ],
    );
    check(
        "{ cookies: { secure: always, http_only: false, same_site: strict } }",
        false,
        "Set-Cookie",
        &[("a=b", "a=b; Secure; SameSite=Strict")],
    );
    check(
        "{ cookies: { secure: never, same_site: off } }",
        true,
        "Set-Cookie",
        &[("a=b", "a=b; HttpOnly")],
    );
    check("{ mask: on }", true, "Set-Cookie", &[("a=b", "=")]);
    // A value that browsers ignore because it is too long is none.
    let long = format!("a=b; SameSite={}; Secure; HttpOnly", "x".repeat(1_025));
    let expected = format!("{long}; SameSite=Lax");
    check("{ cookies: on }", true, "Set-Cookie", &[(&long, &expected)]);
}

#[test]
fn cookies_of_internal_hosts_become_public() {
    check(
        "{ mask: { hosts: [ '*.internal' ] } }",
        true,
        "Set-Cookie",
        &[
            ("a=b; Domain=erp.corp.example; Secure", "a=b; Secure"),
            ("a=b; domain=.CORP.example", "a=b"),
            ("a=b; Domain=internal; Domain=x.internal", "a=b"),
            ("a=b; Domain=10.0.0.7", "a=b"),
            ("a=b; Domain=example.com; Secure", "="),
            ("a=b; Domain=api.example.com", "="),
            ("a=b; Domain=shop.example", "="),
            ("a=b; Domain=", "="),
            ("a=b; Domain", "="),
            ("a=b; Path=/", "a=b; Path=/erp"),
            ("a=b; path = /app/x ; Secure", "a=b; Path=/erp/x; Secure"),
            ("a=b; Path=/app", "a=b; Path=/erp"),
            ("a=b; Path=/erp/x", "="),
            ("a=b; Path=x", "="),
            ("a=b; Path=", "="),
            ("__Host-a=b; Path=/; Secure", "="),
            ("__HOST-a=b; Path=/; Secure", "="),
            ("__Host-Http-a=b; Path=/; Secure", "="),
            ("__Secure-a=b; Path=/; Secure", "__Secure-a=b; Path=/erp; Secure"),
        ],
    );
    check(
        "{ mask: on, cookies: on }",
        true,
        "Set-Cookie",
        &[("a=b; Domain=10.0.0.7; Path=/", "a=b; Path=/erp; Secure; HttpOnly; SameSite=Lax")],
    );
}

#[test]
fn bytes_that_are_no_text_pass_or_are_replaced_whole() {
    let answers = answers("{ mask: on, cookies: on, security_headers: on }");
    let public = Public::new(true, b"api.example.com");
    for name in ["Location", "Content-Location", "Refresh", "Link", "Set-Cookie"] {
        for first in 0..=u8::MAX {
            for pattern in [
                &b"X"[..],
                b"a=X",
                b"a=b;X",
                b"a=b; Path=X; Domain=X",
                b"<X>,<X",
                b"0;url=X",
                b"http://X/",
                b"//X",
                b"/X",
                b"http://10.0.0.7/X",
                b"X//10.0.0.7/",
            ] {
                let value: Vec<u8> =
                    pattern.iter().map(|byte| if *byte == b'X' { first } else { *byte }).collect();
                let mut out = Vec::new();
                answers.field(&public, name.as_bytes(), &value, &mut out);
                let breaks = |bytes: &[u8]| {
                    bytes.iter().filter(|byte| matches!(byte, b'\r' | b'\n' | 0)).count()
                };
                assert!(breaks(&out) <= breaks(&value), "{name} {value:?} {out:?}");
            }
        }
    }
}

#[test]
fn errors_are_hidden_where_it_was_asked() {
    for (document, status, expected) in [
        ("{ hide_errors: on }", 500, Some(0)),
        ("{ hide_errors: on }", 599, Some(0)),
        ("{ hide_errors: { log_bytes: 1KiB } }", 503, Some(1_024)),
        ("{ hide_errors: on }", 499, None),
        ("{ hide_errors: on }", 600, None),
        ("{ hide_errors: on }", 200, None),
        ("{ mask: on, cookies: on, security_headers: on }", 500, None),
    ] {
        assert_eq!(answers(document).hides(status), expected, "{document} {status}");
    }
}

fn added(document: &str, tls: bool, has: &[&str]) -> Vec<String> {
    let mut lines = Vec::new();
    let has = |name: &[u8]| has.iter().any(|own| own.as_bytes().eq_ignore_ascii_case(name));
    answers(document).added(tls, has, |name, value| lines.push(format!("{name}: {value}")));
    lines
}

#[test]
fn pages_are_guarded_unless_the_application_does_so() {
    let all: Vec<String> = model::SecurityHeaders::DEFAULTS
        .iter()
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    assert_eq!(added("{ security_headers: on }", true, &[]), all);
    assert_eq!(added("{ security_headers: on }", false, &[]), all[1..]);
    let own: Vec<&str> = model::SecurityHeaders::DEFAULTS.iter().map(|(name, _)| *name).collect();
    assert!(added("{ security_headers: on }", true, &own).is_empty());
    assert_eq!(added("{ security_headers: { override: true } }", true, &own), all);
    assert!(added("{ mask: on, cookies: on }", true, &[]).is_empty());
    let changed = added(
        "{ security_headers: { set: { x-frame-options: DENY, Referrer-Policy: off, X-Own: '1' } } }",
        false,
        &["x-content-type-options"],
    );
    let start: Vec<_> = changed.iter().map(|line| line.split(':').next().unwrap_or("")).collect();
    assert_eq!(
        start,
        [
            "Content-Security-Policy",
            "Permissions-Policy",
            "Cross-Origin-Opener-Policy",
            "Cross-Origin-Resource-Policy",
            "X-Own",
            "x-frame-options"
        ]
    );
    assert_eq!(changed[5], "x-frame-options: DENY");
}
