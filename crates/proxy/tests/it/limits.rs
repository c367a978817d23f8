//! Limits, concurrency and problems over the wire.

use std::sync::mpsc;

use portway_testkit::{Backend, Client, Gateway};

use crate::open;

#[test]
fn a_limit_is_exact_for_callers_at_once_and_over_reloads() {
    const CALLERS: usize = 8;
    let backend = Backend::polite();
    let limited = open(backend.address(), "") + "    limits: [ 100/h ]\n";
    let gateway = Gateway::start(&limited);
    let address = gateway.address();
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                let mut ask = || client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").answer().status;
                (0..25).filter(|_| ask() == 200).count()
            })
        })
        .collect();
    // What is counted stays counted while documents change.
    for _ in 0..20 {
        gateway.publish(&limited);
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let served: usize =
        callers.into_iter().map(|caller| caller.join().expect("no caller failed")).sum();
    assert_eq!((served, backend.received().len()), (100, 100));
    gateway.publish(&limited);
    assert_eq!(Client::get(gateway.address(), "/a").status, 429, "a reload resets nothing");
    gateway.publish(&(open(backend.address(), "") + "    limits: [ 200/h ]\n"));
    assert_eq!(Client::get(gateway.address(), "/a").status, 200, "another limit is another count");
}

#[test]
fn limits_count_by_what_they_name() {
    let backend = Backend::polite();
    for (limit, same, other) in [
        ("1/h per header:X-Tenant", ("/a", "X-Tenant: one\r\n"), ("/a", "X-Tenant: two\r\n")),
        ("1/h per query:tenant", ("/a?tenant=one", ""), ("/a?tenant=two", "")),
        ("1/h per query:tenant", ("/a?tenant=one&x=1", ""), ("/a?tenant=on%66", "")),
    ] {
        let gateway = Gateway::start(
            &(open(backend.address(), "") + &format!("    limits: [ '{limit}' ]\n")),
        );
        let ask = |(target, lines): (&str, &str)| {
            Client::ask(
                gateway.address(),
                format!("GET {target} HTTP/1.1\r\nHost: a\r\n{lines}\r\n"),
            )
        };
        assert_eq!(ask(same).status, 200, "{limit}");
        let refused = ask(same);
        assert_eq!((refused.status, refused.problem().as_str()), (429, "rate-limited"), "{limit}");
        assert!(
            refused.value("retry-after").is_some() && refused.value("ratelimit").is_some(),
            "{}",
            refused.head
        );
        assert_eq!(ask(other).status, 200, "{limit}");
    }
}

#[test]
fn calls_at_once_are_bounded_and_places_are_given_back() {
    let (started, begun) = mpsc::channel();
    let (go_on, waits) = mpsc::channel::<()>();
    let waits = std::sync::Mutex::new(waits);
    let backend = Backend::scripted(move |conversation| {
        while conversation.read().is_some() {
            started.send(()).expect("the test waits");
            let _ = waits.lock().expect("not poisoned").recv();
            conversation.answer(b"done");
        }
    });
    let gateway = Gateway::start(&(open(backend.address(), "") + "    concurrency: 2\n"));
    let mut clients: Vec<Client> = (0..2).map(|_| Client::connect(gateway.address())).collect();
    for client in &mut clients {
        client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
        begun.recv().expect("it came to the backend");
    }
    let answer = Client::get(gateway.address(), "/a");
    assert_eq!((answer.status, answer.problem().as_str()), (503, "too-many-concurrent"));
    // A caller that goes away gives its place back as one that is served does.
    drop(clients.pop());
    let mut third = Client::connect(gateway.address());
    loop {
        let mut client = Client::connect(gateway.address());
        client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
        if begun.recv_timeout(std::time::Duration::from_millis(50)).is_ok() {
            std::mem::swap(&mut third, &mut client);
            break;
        }
        assert_eq!(client.answer().problem(), "too-many-concurrent");
    }
    (0..8).for_each(|_| go_on.send(()).expect("they wait"));
    assert_eq!(third.answer().text(), "done");
    assert_eq!(clients[0].answer().text(), "done");
    assert_eq!(Client::get(gateway.address(), "/a").text(), "done");
}

#[test]
fn every_problem_has_the_same_shape_and_tells_nothing() {
    let backend = Backend::polite();
    let document = open(backend.address(), "")
        .replace("'* /', '* /{rest+}'", "'GET /a', 'POST /b'")
        + &format!(
            "    operations: {{ 'POST /b': {{ auth: [ key ], body_bytes: 4 }} }}\n  down:\n    path: /down\n    routes: [ 'GET /' ]\n    auth: public\n    backend: http://{}\napps:\n  phone: {{ keys: [ {{ env: A }} ] }}\n",
            Backend::nobody()
        );
    let gateway = Gateway::start(&document);
    let key = "X-Api-Key: secret-of-A\r\n";
    for (request, status, code) in [
        ("GET /secret-path HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 404, "not-found"),
        ("DELETE /a HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 405, "method-not-allowed"),
        (
            "POST /b HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".to_owned(),
            401,
            "credentials-missing",
        ),
        (
            "POST /b HTTP/1.1\r\nHost: a\r\nX-Api-Key: secret-of-B\r\nContent-Length: 0\r\n\r\n"
                .to_owned(),
            401,
            "credentials-invalid",
        ),
        (
            format!("POST /b HTTP/1.1\r\nHost: a\r\n{key}Content-Length: 5\r\n\r\nsecre"),
            413,
            "body-too-large",
        ),
        ("GET /down HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 502, "connect-failed"),
        ("GET /a%2fb HTTP/1.1\r\nHost: a\r\n\r\n".to_owned(), 400, "bad-path"),
        ("secret\r\n\r\n".to_owned(), 400, "bad-request"),
        ("GET /a HTTP/3.0\r\nHost: a\r\n\r\n".to_owned(), 505, "version-unsupported"),
        (
            "GET /a HTTP/1.1\r\nHost: a\r\nExpect: secret\r\n\r\n".to_owned(),
            417,
            "expectation-failed",
        ),
    ] {
        let answer = Client::ask(gateway.address(), &request);
        let text = answer.text();
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (status, code),
            "{request:?}: {text}"
        );
        assert_eq!(answer.value("content-type"), Some("application/problem+json"), "{request:?}");
        let id = answer.value("x-request-id").expect("an id");
        for member in [
            format!("\"type\":\"urn:portway:problem:{code}\""),
            format!("\"status\":{status}"),
            format!("\"request_id\":\"{id}\""),
            "\"title\":\"".to_owned(),
        ] {
            assert!(text.contains(&member), "{member}: {text}");
        }
        assert!(!text.contains("secret") && !text.contains("127.0.0.1"), "{text}");
    }
    assert!(backend.received().is_empty());
}
