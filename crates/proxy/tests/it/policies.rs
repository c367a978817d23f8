//! Keys, limits, CORS and routing over the wire.

use portway_testkit::{Backend, Client, Gateway, sha256_hex};

/// A document with a keyed service and two apps.
fn keyed(backend: &Backend, more: &str, apps: &str) -> String {
    format!(
        "gateway: {{ workers: 2, drain_timeout: 1s }}\nservices:\n  app:\n    routes: [ 'GET /a', 'POST /a' ]\n    \
         auth: [ {{ key: {{ header: X-Api-Key, query: key, bearer: true }} }} ]\n    backend: http://{}\n{more}\napps:\n{apps}",
        backend.address()
    )
}

fn get(gateway: &Gateway, target: &str, lines: &str) -> portway_testkit::Answer {
    Client::ask(gateway.address(), format!("GET {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n"))
}

#[test]
fn keys_are_taken_at_their_places_and_nowhere_else() {
    let backend = Backend::polite();
    let apps = format!("  phone: {{ keys: [ {{ sha256: {} }} ] }}\n", sha256_hex("k1"));
    let gateway = Gateway::start(&keyed(&backend, "", &apps));
    for (target, lines, status) in [
        ("/a", "X-Api-Key: k1\r\n", 200),
        ("/a", "x-api-key:k1\r\n", 200),
        ("/a", "Authorization: Bearer k1\r\n", 200),
        ("/a?key=k1", "", 200),
        ("/a?key=k%31", "", 200),
        ("/a", "", 401),
        ("/a", "X-Api-Key: k2\r\n", 401),
        ("/a", "X-Api-Key: \r\n", 401),
        ("/a", "X-Api-Key: k1, k1\r\n", 401),
        ("/a", "X-Api-Key: k1\r\nX-Api-Key: k2\r\n", 401),
        ("/a", "X-Api-Key: k2\r\nX-Api-Key: k1\r\n", 401),
        ("/a?key=k2", "X-Api-Key: k1\r\n", 401),
        ("/a", "Authorization: Basic k1\r\n", 401),
        ("/a", "Cookie: X-Api-Key=k1\r\n", 401),
        ("/a?other=k1", "", 401),
    ] {
        let answer = get(&gateway, target, lines);
        assert_eq!(answer.status, status, "{target} {lines}");
        if status == 200 {
            let got = backend.last();
            assert!(!got.head.contains("k1") && !got.head.contains("k%31"), "{}", got.head);
            assert_eq!(got.values("x-portway-app"), ["phone"]);
        } else {
            assert!(answer.value("www-authenticate").is_some());
        }
    }
}

#[test]
fn a_key_that_is_withdrawn_is_refused_on_open_connections_too() {
    let backend = Backend::polite();
    let apps = "  phone: { keys: [ { env: A }, { env: B } ] }\n";
    let gateway = Gateway::start(&keyed(&backend, "", apps));
    let mut client = Client::connect(gateway.address());
    let request = "GET /a HTTP/1.1\r\nHost: a\r\nX-Api-Key: secret-of-A\r\n\r\n";
    assert_eq!(client.send(request).answer().status, 200);
    gateway.publish(&keyed(&backend, "", "  phone: { keys: [ { env: B } ] }\n"));
    assert_eq!(client.send(request).answer().status, 401);
    gateway.publish(&keyed(&backend, "", "  phone: { keys: [ { env: A } ], disabled: true }\n"));
    assert_eq!(client.send(request).answer().status, 401);
}

#[test]
fn limits_hold_over_threads_and_reloads_and_are_told() {
    let backend = Backend::polite();
    let apps = "  phone: { keys: [ { env: A } ] }\n  tablet: { keys: [ { env: B } ] }\n";
    let limited = keyed(&backend, "    limits: [ \"5/h per app\" ]\n", apps);
    let gateway = Gateway::start(&limited);
    let key = |app: &str| format!("X-Api-Key: secret-of-{app}\r\n");
    let mut statuses = Vec::new();
    for n in 0..8 {
        if n == 3 {
            gateway.publish(&limited);
        }
        let answer = get(&gateway, "/a", &key("A"));
        if answer.status == 429 {
            assert_eq!(answer.problem(), "rate-limited");
            let wait: u32 = answer.value("retry-after").expect("told").parse().expect("seconds");
            assert!((3_500..=3_600).contains(&wait), "{wait}");
        } else {
            assert_eq!(answer.value("ratelimit-policy"), Some("\"hour-app\";q=5;w=3600"));
            let left = format!("\"hour-app\";r={};t=", 4 - n);
            assert!(
                answer.value("ratelimit").is_some_and(|value| value.starts_with(&left)),
                "{}",
                answer.head
            );
        }
        statuses.push(answer.status);
    }
    assert_eq!(statuses, [200, 200, 200, 200, 200, 429, 429, 429]);
    assert_eq!(get(&gateway, "/a", &key("B")).status, 200, "another app has its own");
}

#[test]
fn plans_quotas_and_services_of_an_app_count() {
    let backend = Backend::polite();
    let apps = "  phone: { keys: [ { env: A } ], plan: small }\n  other: { keys: [ { env: B } ], services: [] }\nplans:\n  small: { quota: 3/month }\n";
    let gateway = Gateway::start(&keyed(&backend, "", apps));
    let statuses: Vec<u16> =
        (0..5).map(|_| get(&gateway, "/a", "X-Api-Key: secret-of-A\r\n").status).collect();
    assert_eq!(statuses, [200, 200, 200, 429, 429]);
    assert_eq!(get(&gateway, "/a", "X-Api-Key: secret-of-A\r\n").problem(), "quota-exhausted");
    assert_eq!(backend.last().values("x-portway-plan"), ["small"]);
    let answer = get(&gateway, "/a", "X-Api-Key: secret-of-B\r\n");
    assert_eq!((answer.status, answer.problem().as_str()), (403, "app-not-allowed"));
}

#[test]
fn methods_paths_and_preflights_are_answered_here() {
    let backend = Backend::polite();
    let cors = "    cors: { origins: [ 'https://shop.test', 'https://*.shop.test' ], credentials: true, expose: [ X-Total ] }\n";
    let document = keyed(&backend, cors, "  phone: { keys: [ { env: A } ] }\n");
    let gateway = Gateway::start(&document);
    let ask = |text: &str| Client::ask(gateway.address(), text);
    let answer = ask("PUT /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((answer.status, answer.value("allow")), (405, Some("GET, HEAD, OPTIONS, POST")));
    assert_eq!(ask("GET / HTTP/1.1\r\nHost: a\r\n\r\n").problem(), "not-found");
    let answer = ask("OPTIONS /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((answer.status, answer.value("allow")), (204, Some("GET, HEAD, OPTIONS, POST")));
    let preflight = |origin: &str| {
        ask(&format!(
            "OPTIONS /a HTTP/1.1\r\nHost: a\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: x-api-key\r\n\r\n"
        ))
    };
    let answer = preflight("https://eu.shop.test");
    assert_eq!(
        (answer.status, answer.value("access-control-allow-origin")),
        (204, Some("https://eu.shop.test"))
    );
    assert_eq!(answer.value("access-control-allow-headers"), Some("x-api-key"));
    let answer = preflight("https://evil.test");
    assert_eq!((answer.status, answer.problem().as_str()), (403, "origin-not-allowed"));
    let answer = ask(
        "GET /a HTTP/1.1\r\nHost: a\r\nOrigin: https://shop.test\r\nX-Api-Key: secret-of-A\r\n\r\n",
    );
    assert_eq!(answer.value("access-control-allow-origin"), Some("https://shop.test"));
    assert_eq!(
        (answer.value("access-control-expose-headers"), answer.value("vary")),
        (Some("X-Total"), Some("Origin"))
    );
    assert_eq!(backend.received().len(), 1, "the backend saw only the one that was meant for it");
}

#[test]
fn c5_no_spelling_of_a_path_gets_round_its_rules() {
    let backend = Backend::polite();
    let document = format!(
        "services:\n  app:\n    routes: [ 'GET /admin', 'GET /admin/{{rest+}}', 'GET /{{rest+}}' ]\n    auth: public\n    backend: http://{}\n    operations:\n      'GET /admin': {{ auth: [ key ] }}\n      'GET /admin/{{rest+}}': {{ auth: [ key ] }}\n",
        backend.address()
    );
    let gateway = Gateway::start(&document);
    let mut client = Client::connect(gateway.address());
    let pieces = [
        "",
        "/",
        "//",
        "/./",
        "/x/../",
        "/%2e/",
        "/x/%2e%2e/",
        "/;/",
        "/.;/",
        "/..;/",
        "/%2f",
        "/\\",
        "/%5c",
        "/%252e%252e/",
        "/%00/",
        "/.%2e/",
    ];
    let names = [
        "admin",
        "%61dmin",
        "adm%69n",
        "admin;x=1",
        "admin%20",
        "admin.",
        "ADMIN",
        "admin/",
        "admin//",
        "admin/.",
        "admin/x/..",
        "admin%2f",
        "admin%00",
        "admin%3b",
        "admin?x",
        "admin%3fx",
        "admin%23",
        "./admin",
        "x/../admin",
        "%2e/admin",
        "admin%252f",
        "%2561dmin",
        "admin/%2e%2e/admin",
        "admin\\",
        "admin;",
        "admin/;/",
    ];
    let mut tried = 0;
    for piece in pieces {
        for name in names {
            let target =
                if piece.starts_with('/') { format!("{piece}{name}") } else { format!("/{name}") };
            let before = backend.received().len();
            let answer = client.send(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n")).answer();
            tried += 1;
            if answer.value("connection") == Some("close") {
                client = Client::connect(gateway.address());
            }
            if answer.status == 200 {
                assert_eq!(backend.received().len(), before + 1);
                let line = backend.last().line().to_owned();
                let path = line
                    .split(' ')
                    .nth(1)
                    .expect("a path")
                    .split('?')
                    .next()
                    .expect("a path")
                    .to_owned();
                // What got through means /admin to no backend, however it decodes.
                let decoded = path.replace("%61", "a").replace("%69", "i").to_ascii_lowercase();
                let meant =
                    decoded.trim_end_matches('/').split(';').next().unwrap_or_default().to_owned();
                assert_ne!(meant, "/admin", "{target} was forwarded as {line}");
            }
        }
    }
    assert!(tried >= 400, "{tried}");
}

#[test]
fn what_the_gateway_says_of_origins_and_limits_is_said_once() {
    let backend = Backend::saying(
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nAccess-Control-Allow-Origin: *\r\nRateLimit: \"x\";r=1\r\nX-Kept: 1\r\n\r\n",
    );
    let more = "    limits: [ 5/h ]\n    cors: { origins: [ 'https://shop.test' ] }\n";
    let gateway = Gateway::start(&keyed(&backend, more, "  phone: { keys: [ { env: A } ] }\n"));
    for (origin, allowed) in [("https://shop.test", 1), ("https://evil.test", 0)] {
        let answer =
            get(&gateway, "/a", &format!("Origin: {origin}\r\nX-Api-Key: secret-of-A\r\n"));
        let head = answer.head.to_ascii_lowercase();
        assert_eq!(head.matches("access-control-allow-origin").count(), allowed, "{head}");
        assert_eq!(head.matches("\r\nratelimit:").count(), 1, "{head}");
        assert_eq!(answer.value("x-kept"), Some("1"));
    }
}
