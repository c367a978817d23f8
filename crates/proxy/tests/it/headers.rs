//! Header fields that would pass for ours, for the backend's secrets, or for two things at once (classes C7,
//! C8, C9).

use portway_testkit::{Backend, Client, Gateway, Received};

use crate::open;

/// A gateway that sets everything it can set: who is calling, and a secret of the backend.
fn setting_all(backend: &Backend) -> Gateway {
    let credentials = ", credentials: [ { header: { name: X-Module-Key, value: { env: KEY } } }, { bearer: { env: TOKEN } } ]";
    let document = open(backend.address(), credentials).replace("auth: public", "auth: [ key ]");
    Gateway::start(
        &(document
            + "apps:\n  phone: { keys: [ { env: A } ], plan: gold }\nplans:\n  gold: { limits: [ 1000/s ] }\n"),
    )
}

fn check(got: &Received, why: &str) {
    assert!(!got.head.to_ascii_lowercase().contains("forged"), "{why}: {}", got.head);
    assert!(!got.trailers.concat().contains("forged"), "{why}: {:?}", got.trailers);
    for (name, value) in [
        ("x-portway-app", "phone"),
        ("x-portway-plan", "gold"),
        ("x-module-key", "secret-of-KEY"),
        ("authorization", "Bearer secret-of-TOKEN"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "a"),
        ("via", "1.1 portway"),
    ] {
        assert_eq!(got.values(name), [value], "{why}: {name}\n{}", got.head);
    }
    assert_eq!(
        (got.values("traceparent").len(), got.values("x-request-id").len()),
        (1, 1),
        "{why}"
    );
    assert_eq!(got.values("host").len(), 1, "{why}");
}

/// Names that the gateway sets, or that only it may have an opinion on.
const SET: &[&str] = &[
    "X-Portway-App",
    "X-Portway-Plan",
    "X-Module-Key",
    "Authorization",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "X-Forwarded-Prefix",
    "X-Forwarded-Server",
    "X-Real-Ip",
    "Forwarded",
    "X-Request-Id",
    "Traceparent",
];

#[test]
fn c7_what_the_gateway_sets_arrives_whatever_connection_names() {
    let backend = Backend::polite();
    let gateway = setting_all(&backend);
    for name in SET.iter().chain(&["Host", "Via", "X-Api-Key", "Content-Length"]) {
        for spelling in [(*name).to_owned(), name.to_lowercase(), name.to_uppercase()] {
            for connection in [
                format!("Connection: {spelling}\r\n"),
                format!("Connection: close, {spelling}\r\nConnection: ,, {spelling} ,\r\n"),
                format!("Connection: keep-alive\r\nconnection: x,{spelling},y\r\n"),
                format!("Proxy-Connection: {spelling}\r\nConnection: {spelling}\r\n"),
            ] {
                let request = format!(
                    "POST /a HTTP/1.1\r\nHost: a\r\nX-Api-Key: secret-of-A\r\n{connection}Content-Length: 1\r\n\r\nx"
                );
                let answer = Client::ask(gateway.address(), request);
                assert_eq!(answer.text(), "ok:x", "{connection}");
                check(&backend.last(), &connection);
                assert_eq!(backend.last().values("connection"), Vec::<&str>::new(), "{connection}");
            }
        }
    }
}

#[test]
fn c8_names_that_a_backend_might_fold_into_ours_do_not_pass() {
    let backend = Backend::polite();
    let gateway = setting_all(&backend);
    let mut client = Client::connect(gateway.address());
    for name in SET {
        let mut spellings = vec![(*name).to_owned(), name.to_lowercase(), name.to_uppercase()];
        for mark in ["_", "."] {
            spellings.push(name.replace('-', mark));
            spellings.push(name.replacen('-', mark, 1));
            spellings.push(name.to_uppercase().replace('-', mark));
        }
        for spelling in spellings {
            let lines = format!("{spelling}: forged\r\n{spelling}: forged, forged\r\n");
            client.send(format!(
                "GET /a HTTP/1.1\r\n{lines}Host: a\r\nX-Api-Key: secret-of-A\r\n{lines}\r\n"
            ));
            let status = client.answer().status;
            if spelling.eq_ignore_ascii_case("authorization") {
                assert_eq!(status, 401, "one credential too many");
            } else {
                assert_eq!(status, 200, "{spelling}");
                check(&backend.last(), &spelling);
            }
            // Behind a body it is no better.
            client.send(format!("POST /a HTTP/1.1\r\nHost: a\r\nX-Api-Key: secret-of-A\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n{spelling}: forged\r\n\r\n"));
            assert_eq!(client.answer().status, 200, "{spelling}");
            check(&backend.last(), &format!("{spelling} as a trailer"));
        }
        for odd in [
            format!("{name} : forged"),
            format!(" {name}: forged"),
            format!("X: y\r\n\t{name}: forged"),
            format!("{name}\0: forged"),
            format!("{name}\u{b}: forged"),
        ] {
            let answer = Client::ask(
                gateway.address(),
                format!("GET /a HTTP/1.1\r\nHost: a\r\nX-Api-Key: secret-of-A\r\n{odd}\r\n\r\n"),
            );
            assert_eq!(answer.status, 400, "{odd:?}");
        }
    }
}

#[test]
fn c9_two_values_where_one_would_do_are_refused() {
    let backend = Backend::polite();
    let document = open(backend.address(), "").replace(
        "auth: public",
        "auth: [ { key: { header: X-Api-Key, query: key, bearer: true } } ]",
    );
    let gateway = Gateway::start(&(document + "apps:\n  phone: { keys: [ { env: A } ] }\n"));
    let good = "secret-of-A";
    for (target, lines) in [
        ("/a", format!("X-Api-Key: {good}\r\nX-Api-Key: wrong\r\n")),
        ("/a", format!("X-Api-Key: wrong\r\nX-Api-Key: {good}\r\n")),
        ("/a", format!("X-Api-Key: {good}, wrong\r\n")),
        ("/a", format!("X-Api-Key: wrong,{good}\r\n")),
        ("/a", format!("X-Api-Key: {good}\r\nx-api-key: wrong\r\n")),
        ("/a", format!("X-Api-Key: {good}\r\nX-Api-Key:\r\n")),
        ("/a", format!("Authorization: Bearer {good}\r\nAuthorization: Bearer wrong\r\n")),
        ("/a", format!("Authorization: Bearer wrong\r\nAuthorization: Bearer {good}\r\n")),
        ("/a", format!("Authorization: Bearer {good}, Bearer wrong\r\n")),
        ("/a", format!("Authorization: Bearer {good}\r\nX-Api-Key: wrong\r\n")),
        ("/a?key=secret-of-A&key=wrong", String::new()),
        ("/a?key=wrong&key=secret-of-A", String::new()),
        ("/a?key=wrong&k%65y=secret-of-A", String::new()),
        ("/a?key=secret-of-A", "X-Api-Key: wrong\r\n".to_owned()),
        ("/a?key=wrong", format!("X-Api-Key: {good}\r\n")),
        ("/a?key=secret-of-A;key=wrong", String::new()),
    ] {
        let answer = Client::ask(
            gateway.address(),
            format!("GET {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n"),
        );
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (401, "credentials-invalid"),
            "{target} {lines}"
        );
    }
    assert!(backend.received().is_empty());
    let log = gateway.log(16);
    assert!(!log.contains("secret-of") && !log.contains("wrong"), "{log}");
}

#[test]
fn pages_of_other_origins_can_read_every_answer_and_are_told_once() {
    let backend = Backend::saying(
        "HTTP/1.1 200 OK\r\nAccess-Control-Allow-Origin: *\r\nAccess-Control-Allow-Credentials: false\r\nVary: Accept\r\nContent-Length: 2\r\n\r\nok",
    );
    let document = open(backend.address(), "").replace("auth: public", "auth: [ key ]")
        + "    cors: { origins: [ 'https://shop.test' ] }\n    limits: [ 2/h ]\napps:\n  phone: { keys: [ { env: A } ] }\n";
    let gateway = Gateway::start(&document);
    let ask = |origin: &str, key: &str| {
        Client::ask(
            gateway.address(),
            format!("GET /a HTTP/1.1\r\nHost: a\r\nOrigin: {origin}\r\nX-Api-Key: {key}\r\n\r\n"),
        )
    };
    let count = |answer: &portway_testkit::Answer, name: &str| {
        answer.head.to_ascii_lowercase().matches(&format!("{name}:")).count()
    };
    for (key, status) in
        [("secret-of-A", 200), ("wrong", 401), ("secret-of-A", 200), ("secret-of-A", 429)]
    {
        let answer = ask("https://shop.test", key);
        assert_eq!(answer.status, status);
        assert_eq!(
            answer.value("access-control-allow-origin"),
            Some("https://shop.test"),
            "{status}: {}",
            answer.head
        );
        assert_eq!(count(&answer, "access-control-allow-origin"), 1, "{}", answer.head);
        assert!(answer.head.to_ascii_lowercase().contains("vary: origin"), "{}", answer.head);
    }
    let answer = ask("https://evil.test", "wrong");
    assert_eq!(
        (answer.status, answer.value("access-control-allow-origin")),
        (401, None),
        "{}",
        answer.head
    );
}

#[test]
fn c7_what_is_of_the_backends_connection_stays_behind_in_answers() {
    let backend = Backend::saying(
        "HTTP/1.1 200 Fine\r\nConnection: keep-alive, X-Inner\r\nconnection: X-Other\r\nX-Inner: 1\r\nx-other: 1\r\nKeep-Alive: 5\r\n\
         Proxy-Authenticate: Basic\r\nProxy-Connection: x\r\nTrailer: X-Sum\r\nTE: x\r\nUpgrade: h2c\r\nX-Request-Id: theirs\r\n\
         Transfer-Encoding: chunked\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Kept:  spaced \r\n\r\n\
         2\r\nok\r\n0\r\nX-Sum: 1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nSet-Cookie: c=3\r\nConnection: close\r\n\r\n",
    );
    let gateway = Gateway::start(&open(backend.address(), ""));
    let mut client = Client::connect(gateway.address());
    for _ in 0..2 {
        let answer = client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").answer();
        let head = answer.head.to_ascii_lowercase();
        for name in [
            "connection",
            "keep-alive",
            "proxy-authenticate",
            "proxy-connection",
            "trailer",
            "te",
            "upgrade",
            "x-inner",
            "x-other",
        ] {
            assert!(!head.contains(&format!("\r\n{name}:")), "{name}: {head}");
        }
        assert!(!head.contains("theirs") && head.matches("x-request-id:").count() == 1, "{head}");
        assert_eq!(
            (head.matches("set-cookie:").count(), answer.value("x-kept")),
            (2, Some("spaced"))
        );
        assert_eq!((answer.text().as_str(), answer.whole), ("ok", true));
        assert!(answer.trailers.contains(&"X-Sum: 1".to_owned()), "{:?}", answer.trailers);
        for forbidden in ["content-length", "transfer-encoding", "set-cookie", "connection"] {
            assert!(
                !answer.trailers.concat().to_ascii_lowercase().contains(forbidden),
                "{:?}",
                answer.trailers
            );
        }
    }
}

#[test]
fn hosts_lead_to_services_however_they_are_written() {
    let backends: Vec<Backend> = ["shop", "wild", "any"]
        .into_iter()
        .map(|name| {
            Backend::saying(format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}",
                name.len()
            ))
        })
        .collect();
    let service = |name: &str, hosts: &str, backend: &Backend| {
        format!(
            "  {name}:\n    hosts: [ {hosts} ]\n    routes: [ 'GET /a' ]\n    auth: public\n    backend: http://{}\n",
            backend.address()
        )
    };
    let document = "services:\n".to_owned()
        + &service("shop", "shop.test", &backends[0])
        + &service("wild", "'*.shop.test'", &backends[1])
        + &service("local", "'127.0.0.1'", &backends[2]);
    let gateway = Gateway::start(&document);
    for (host, status, said) in [
        ("shop.test", 200, "shop"),
        ("SHOP.Test", 200, "shop"),
        ("shop.test:8080", 200, "shop"),
        ("shop.test.", 200, "shop"),
        ("eu.shop.test", 200, "wild"),
        ("a.b.shop.test:1", 200, "wild"),
        ("127.0.0.1", 200, "any"),
        ("127.0.0.1:80", 200, "any"),
        ("evilshop.test", 404, ""),
        ("shop.test.evil", 404, ""),
        ("shop", 404, ""),
        ("[::1]", 404, ""),
        ("", 400, ""),
        (".shop.test", 400, ""),
        ("shop..test", 400, ""),
        ("shop.test:x", 400, ""),
        ("shop.test:99999", 400, ""),
        ("user@shop.test", 400, ""),
        ("shop.test/a", 400, ""),
        ("shop.test, evil.test", 400, ""),
        ("shop.test evil.test", 400, ""),
        ("shop%2etest", 400, ""),
        ("[shop.test]", 400, ""),
    ] {
        let answer =
            Client::ask(gateway.address(), format!("GET /a HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let refused = status == 400 && answer.status == 404;
        assert!(answer.status == status || refused, "{host}: {}", answer.status);
        assert!(status != 200 || answer.text() == said, "{host}: {}", answer.text());
    }
}
