//! What the backend gets to see, byte for byte.

use portway_testkit::{Backend, Client, Gateway};

use crate::{open, open_with};

/// Sends a `GET` with these header lines and gives what the backend received.
fn received(gateway: &Gateway, backend: &Backend, lines: &str) -> portway_testkit::Received {
    let answer =
        Client::ask(gateway.address(), format!("GET /a HTTP/1.1\r\nHost: api.test\r\n{lines}\r\n"));
    assert_eq!(answer.status, 200, "{lines}: {}", answer.text());
    backend.last()
}

#[test]
fn the_head_is_what_it_should_be() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), ""));
    let got = received(&gateway, &backend, "Accept: */*\r\nX-One: 1\r\n");
    let mut lines: Vec<&str> = got.head.lines().collect();
    lines.retain(|line| !line.starts_with("x-request-id") && !line.starts_with("traceparent"));
    let host = format!("host: {}", backend.address());
    assert_eq!(
        lines,
        [
            "GET /a HTTP/1.1",
            &host,
            "Accept: */*",
            "X-One: 1",
            "X-Forwarded-For: 127.0.0.1",
            "X-Forwarded-Proto: http",
            "X-Forwarded-Host: api.test",
            "Forwarded: for=127.0.0.1;host=\"api.test\";proto=http",
            "Via: 1.1 portway",
            "",
        ]
    );
}

#[test]
fn c7_fields_of_a_connection_and_those_it_names_stay_behind() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), ""));
    let lines = "Connection: keep-alive, X-Mine, authorization\r\nconnection: x-forwarded-for, HOST\r\nKeep-Alive: 5\r\n\
                 Proxy-Connection: x\r\nProxy-Authorization: x\r\nTE: trailers\r\nTrailer: x\r\nX-Mine: 1\r\nAuthorization: x\r\nX-Kept: 1\r\n";
    let got = received(&gateway, &backend, lines);
    for name in [
        "connection",
        "keep-alive",
        "proxy-connection",
        "proxy-authorization",
        "te",
        "trailer",
        "x-mine",
        "authorization",
    ] {
        assert_eq!(got.values(name), Vec::<&str>::new(), "{name}");
    }
    assert_eq!(got.values("x-kept"), ["1"]);
    // What the gateway sets arrives whatever the caller nominates.
    assert_eq!(got.values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(got.values("host").len(), 1);
}

#[test]
fn c8_headers_of_the_gateway_cannot_be_forged_in_any_spelling() {
    let backend = Backend::polite();
    let document = open(backend.address(), "").replace("auth: public", "auth: [ key ]")
        + "apps:\n  phone: { keys: [ { env: PHONE } ] }\n";
    let gateway = Gateway::start(&document);
    let ours = [
        "x-portway-app",
        "x-forwarded-for",
        "x-forwarded-proto",
        "x-forwarded-host",
        "forwarded",
        "x-real-ip",
        "x-request-id",
        "traceparent",
    ];
    let mut lines = "X-Api-Key: secret-of-PHONE\r\n".to_owned();
    for name in ours {
        for spelling in [
            name.to_owned(),
            name.to_uppercase(),
            name.replace('-', "_"),
            name.replace('-', "."),
            name.replacen('-', "_", 1),
        ] {
            lines += &format!("{spelling}: forged\r\n");
        }
    }
    for name in [
        "Content_Length",
        "Transfer_Encoding",
        "Transfer.Encoding",
        "Content.Length",
        "X-Portway-Admin",
    ] {
        lines += &format!("{name}: forged\r\n");
    }
    let got = received(&gateway, &backend, &lines);
    assert!(!got.head.contains("forged"), "{}", got.head);
    assert_eq!(got.values("x-portway-app"), ["phone"]);
    assert_eq!(got.values("x-api-key"), Vec::<&str>::new(), "the caller's key stays here");
    // Nor by trailers.
    let request = "POST /a HTTP/1.1\r\nHost: api.test\r\nX-Api-Key: secret-of-PHONE\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Portway-App: forged\r\nx_portway_app: forged\r\nX-Fine: 1\r\nAuthorization: forged\r\n\r\n";
    assert_eq!(Client::ask(gateway.address(), request).status, 200);
    assert_eq!(backend.last().trailers, ["X-Fine: 1"]);
}

#[test]
fn c10_only_trusted_proxies_are_believed() {
    let said = "X-Forwarded-For: 203.0.113.9, 10.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Request-Id: from-outside\r\nForwarded: for=203.0.113.9\r\n";
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), ""));
    let got = received(&gateway, &backend, said);
    assert_eq!(got.values("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(got.values("x-forwarded-proto"), ["http"]);
    assert_eq!(got.values("forwarded").len(), 1);
    assert_ne!(got.values("x-request-id"), ["from-outside"]);
    let trusting = open_with(backend.address(), "trusted_proxies: [ 127.0.0.0/8, 10.0.0.0/8 ]", "");
    let gateway = Gateway::start(&trusting);
    let got = received(&gateway, &backend, said);
    assert_eq!(got.values("x-forwarded-for"), ["203.0.113.9, 10.0.0.1, 127.0.0.1"]);
    assert_eq!(got.values("x-forwarded-proto"), ["https"]);
    assert_eq!(got.values("x-request-id"), ["from-outside"]);
    assert!(gateway.log(1).contains("\"client\":\"203.0.113.9\""));
}

#[test]
fn the_backends_credentials_replace_the_callers() {
    let cases = [
        ("{ bearer: { env: TOKEN } }", "authorization", "Bearer secret-of-TOKEN"),
        (
            "{ basic: { user: me, password: { env: PW } } }",
            "authorization",
            "Basic bWU6c2VjcmV0LW9mLVBX",
        ),
        (
            "{ header: { name: X-Module-Key, value: { env: KEY } } }",
            "x-module-key",
            "secret-of-KEY",
        ),
    ];
    for (credentials, name, value) in cases {
        let backend = Backend::polite();
        let document = open(backend.address(), &format!(", credentials: [ {credentials} ]"));
        let gateway = Gateway::start(&document);
        let got =
            received(&gateway, &backend, "Authorization: Bearer mine\r\nX-Module-Key: mine\r\n");
        assert_eq!(got.values(name), [value], "{credentials}");
        assert!(!gateway.log(1).contains("secret-of"));
    }
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(
        backend.address(),
        ", credentials: [ { query: { name: key, value: { env: KEY } } } ]",
    ));
    Client::ask(gateway.address(), "GET /a?x=1&key=mine&KEY=mine HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(backend.last().line(), "GET /a?x=1&key=secret-of-KEY HTTP/1.1");
}

#[test]
fn host_and_base_path_are_as_written() {
    let backend = Backend::polite();
    let address = backend.address();
    for (host, expected) in [
        ("target", address.to_string()),
        ("caller", "api.test".to_owned()),
        ("inner.test", "inner.test".to_owned()),
    ] {
        let gateway = Gateway::start(&open(address, &format!(", host: {host}")));
        assert_eq!(received(&gateway, &backend, "").values("host"), [expected]);
    }
    let document = open(address, "")
        .replace(&format!("http://{address}"), &format!("http://{address}/v2/"))
        + "    path: /shop\n";
    let gateway = Gateway::start(&document);
    for (path, inner) in [("/shop/a/b", "/v2/a/b"), ("/shop", "/v2/"), ("/shop/", "/v2/")] {
        assert_eq!(Client::get(gateway.address(), path).status, 200, "{path}");
        assert_eq!(backend.last().line(), format!("GET {inner} HTTP/1.1"));
    }
    assert_eq!(Client::get(gateway.address(), "/shopping").status, 404);
}

#[test]
fn a_trace_is_continued_or_begun() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), ""));
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let got = received(
        &gateway,
        &backend,
        &format!("traceparent: 00-{trace}-b7ad6b7169203331-01\r\ntracestate: a=b\r\n"),
    );
    let sent = got.values("traceparent")[0].to_owned();
    assert!(sent.contains(trace) && !sent.contains("b7ad6b7169203331"), "{sent}");
    assert_eq!(got.values("tracestate"), ["a=b"]);
    // All fields are one list, which passes whole or not at all.
    for (lines, passed) in [
        ("tracestate: a=b\r\ntracestate: c=d\r\n", &["a=b", "c=d"][..]),
        ("tracestate: a=b\r\ntracestate: a=d\r\n", &[]),
        ("tracestate: a=b\r\ntracestate: nothing\r\n", &[]),
    ] {
        let parent = format!("traceparent: 00-{trace}-b7ad6b7169203331-01\r\n");
        let got = received(&gateway, &backend, &(parent + lines));
        assert_eq!(got.values("tracestate"), passed, "{lines}");
    }
    let got = received(
        &gateway,
        &backend,
        "traceparent: 00-00000000000000000000000000000000-b7ad6b7169203331-01\r\ntracestate: a=b\r\n",
    );
    assert!(!got.values("traceparent")[0].contains("000000000000"));
    assert!(got.values("tracestate").is_empty());
}
