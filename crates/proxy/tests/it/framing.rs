//! Where a message ends: bodies that are left behind, that come late, or that press (classes C2, C3, C19).

use std::sync::mpsc;
use std::time::Duration;

use portway_testkit::{Answer, Backend, Client, Ended, Gateway};

use crate::{open, open_with};

/// What a caller might hide in a body.
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

/// A document that answers by itself in every way: without a key, over a limit, not at all.
fn refusing(backend: &Backend) -> String {
    let at = backend.address();
    format!(
        "gateway: {{ workers: 1, drain_timeout: 1s }}\nservices:\n  \
         keyed: {{ path: /keyed, routes: [ 'POST /' ], auth: [ key ], backend: 'http://{at}' }}\n  \
         limited: {{ path: /limited, routes: [ 'POST /' ], auth: public, limits: [ 1/h ], backend: 'http://{at}' }}\n  \
         small: {{ path: /small, routes: [ 'POST /' ], auth: public, body_bytes: 8, backend: 'http://{at}' }}\n  \
         gone: {{ path: /gone, routes: [ 'POST /' ], auth: public, backend: 'http://{}' }}\n  \
         open: {{ path: /open, routes: [ 'GET /' ], auth: public, backend: 'http://{at}' }}\n",
        Backend::nobody()
    )
}

#[test]
fn c3_whoever_answers_early_never_takes_a_body_for_a_request() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&refusing(&backend));
    let limited = "POST /limited HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(Client::ask(gateway.address(), limited).status, 200);
    let known = backend.received().len();
    let bodies = [
        (format!("Content-Length: {}\r\n\r\n{HIDDEN}", HIDDEN.len()), true),
        (
            format!(
                "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{HIDDEN}\r\n0\r\n\r\n",
                HIDDEN.len()
            ),
            true,
        ),
        (format!("Content-Length: 100000\r\n\r\n{HIDDEN}"), false),
        (format!("Transfer-Encoding: chunked\r\n\r\nffff\r\n{HIDDEN}"), false),
        (format!("Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{HIDDEN}\r\n", HIDDEN.len()), false),
        (format!("Transfer-Encoding: chunked\r\n\r\nzz\r\n{HIDDEN}"), false),
        ("Content-Length: 50\r\nExpect: 100-continue\r\n\r\n".to_owned(), false),
    ];
    for (target, status) in [
        ("/keyed", 401),
        ("/limited", 429),
        ("/small", 413),
        ("/gone", 502),
        ("/nowhere", 404),
        ("/open", 405),
        ("/../x", 400),
    ] {
        for (body, whole) in &bodies {
            let mut client = Client::connect(gateway.address());
            client.send(format!("POST {target} HTTP/1.1\r\nHost: a\r\n{body}"));
            let answer = client.answer();
            let broken = matches!(answer.status, 400 | 408 | 413) && !whole;
            assert!(answer.status == status || broken, "{target} {body:?}: {}", answer.status);
            client.send("GET /open HTTP/1.1\r\nHost: a\r\nX-Second: 1\r\n\r\n");
            // The next answer is for the next request, or there is none.
            if answer.value("connection") == Some("close") {
                assert_eq!(client.ended(), Ended::Closed, "{target} {body:?}");
            } else {
                assert!(*whole, "{target} {body:?}: kept with a body that is not whole");
                assert_eq!(client.answer().text(), "ok:", "{target} {body:?}");
            }
        }
    }
    for request in &backend.received()[known..] {
        assert!(
            request.line() == "GET / HTTP/1.1" && request.values("x-second") == ["1"],
            "{}",
            request.head
        );
    }
}

#[test]
fn c3_a_backend_that_answers_early_is_not_sent_the_next_call_on_that_connection() {
    let backend = Backend::scripted(|conversation| {
        if conversation.read_head().is_some() {
            conversation.answer(b"early");
            conversation.wait_for_end();
        }
    });
    let gateway = Gateway::start(&open(backend.address(), "").replace("workers: 2", "workers: 1"));
    for n in 1..=3 {
        let mut client = Client::connect(gateway.address());
        client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc");
        assert_eq!(client.answer().text(), "early");
        client.send(HIDDEN);
        assert_eq!(client.ended(), Ended::Closed);
        assert_eq!(backend.connections(), n);
    }
}

#[test]
fn c2_every_framing_meets_the_same_rules() {
    let backend = Backend::polite();
    let document = open(backend.address(), "").replace("auth: public", "auth: [ key ]");
    let gateway = Gateway::start(&(document + "apps:\n  phone: { keys: [ { env: A } ] }\n"));
    let bodies = [
        ("Content-Length: 3\r\n\r\nabc", "ok:abc"),
        ("Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", "ok:abc"),
        ("Transfer-Encoding: CHUNKED\r\n\r\n003\r\nabc\r\n0\r\nX: 1\r\n\r\n", "ok:abc"),
        ("Content-Length: 0\r\n\r\n", "ok:"),
        ("\r\n", "ok:"),
    ];
    for (body, answered) in bodies {
        for version in ["1.1", "1.0"] {
            if version == "1.0" && body.contains("Transfer") {
                continue;
            }
            let ask = |key: &str| {
                let request =
                    format!("POST /a HTTP/{version}\r\nHost: a\r\nX-Api-Key: {key}\r\n{body}");
                Client::ask(gateway.address(), request)
            };
            assert_eq!(ask("wrong").status, 401, "{version} {body:?}");
            assert_eq!(ask("secret-of-A").text(), answered, "{version} {body:?}");
        }
    }
    assert_eq!(backend.received().len(), 8);
}

#[test]
fn c2_chunks_that_others_read_differently_never_get_through() {
    let backend = Backend::scripted(|conversation| {
        // What is forwarded of such a body may be its good beginning, never more and never its end.
        assert!(conversation.read().is_none(), "a broken body was passed on as a whole one");
    });
    let gateway = Gateway::start(&open(backend.address(), ""));
    for body in [
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        " 3\r\nabc\r\n0\r\n\r\n",
        "-1\r\nabc\r\n0\r\n\r\n",
        "10000000000000003\r\nabc\r\n0\r\n\r\n",
        "fffffffffffffffd\r\nabc\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "\r\n3\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nX : 1\r\n\r\n",
        "3\r\nabc\r\n0\r\n X: 1\r\n\r\n",
        "3\r\nabc\r\n0\r\n\n",
        "3\r\nabc\r\n0\n\r\n",
    ] {
        let mut client = Client::connect(gateway.address());
        client.send(format!(
            "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{body}{HIDDEN}"
        ));
        assert!(matches!(client.answer().status, 400 | 413), "{body:?}");
        assert_eq!(client.ended(), Ended::Closed, "{body:?}");
    }
}

#[test]
fn c19_what_a_backend_does_not_read_is_not_taken_from_the_caller() {
    let (go_on, waits) = mpsc::channel::<()>();
    let waits = std::sync::Mutex::new(waits);
    let backend = Backend::scripted(move |conversation| {
        if conversation.read_head().is_some() {
            let _ = waits.lock().expect("one conversation").recv();
            conversation.answer(b"enough");
        }
    });
    let gateway = Gateway::start(&open_with(backend.address(), "bounds: { body_bytes: 4GiB }", ""));
    let mut client = Client::connect(gateway.address());
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000000\r\n\r\n");
    let sent = client.send_until_stuck(&[b'x'; 1 << 16], 200 << 20, Duration::from_millis(500));
    assert!(sent < 32 << 20, "{sent} bytes were taken for a backend that reads none");
    go_on.send(()).expect("it waits");
    assert_eq!(client.answer().text(), "enough");
}

#[test]
fn c19_what_a_caller_does_not_read_is_not_taken_from_the_backend() {
    let (said, how_much) = mpsc::channel();
    let backend = Backend::scripted(move |conversation| {
        if conversation.read().is_some() {
            conversation.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            let chunk = format!("10000\r\n{}\r\n", "x".repeat(0x10000));
            let mut sent = 0_usize;
            conversation.stream.set_write_timeout(Some(Duration::from_millis(500))).expect("set");
            while sent < 200 << 20 && conversation.say(chunk.as_bytes()) {
                sent += chunk.len();
            }
            said.send(sent).expect("the test waits");
        }
    });
    let gateway = Gateway::start(&open(backend.address(), ""));
    let mut client = Client::with_small_window(gateway.address());
    client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    let sent = how_much.recv().expect("told");
    assert!(sent < 32 << 20, "{sent} bytes were taken for a caller that reads none");
}

#[test]
fn answers_to_http_1_0_have_no_interim_ones_and_no_chunks() {
    let backend = Backend::saying(
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: 1\r\n\r\n",
    );
    let gateway = Gateway::start(&open(backend.address(), ""));
    let answer: Answer = Client::ask(gateway.address(), "GET /a HTTP/1.0\r\nHost: a\r\n\r\n");
    assert_eq!((answer.status, answer.text().as_str(), answer.whole), (200, "ok", true));
}

#[test]
fn answers_without_a_body_leave_the_connection_in_step() {
    for (said, status) in [
        ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 204),
        ("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", 304),
        ("HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", 205),
    ] {
        let backend = Backend::scripted(move |conversation| {
            while let Some(request) = conversation.read() {
                if request.line().contains("/empty") {
                    conversation.say(said.as_bytes());
                } else {
                    conversation.answer(b"next");
                }
            }
        });
        let gateway = Gateway::start(&open(backend.address(), ""));
        let mut client = Client::connect(gateway.address());
        for _ in 0..2 {
            client.send(
                "GET /empty HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n",
            );
            let answer = client.answer();
            assert!(answer.status == status || answer.status == 502, "{said:?}: {}", answer.status);
            assert_eq!(client.answer().text(), "next", "{said:?}");
        }
    }
}

#[test]
fn a_head_request_may_be_answered_with_any_framing() {
    for said in [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\n",
    ] {
        let backend = Backend::scripted(move |conversation| {
            while let Some(request) = conversation.read() {
                if request.line().starts_with("HEAD") {
                    conversation.say(said.as_bytes());
                } else {
                    conversation.answer(b"next");
                }
            }
        });
        let gateway = Gateway::start(&open(backend.address(), ""));
        let mut client = Client::connect(gateway.address());
        for _ in 0..2 {
            client.send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n");
            assert!(matches!(client.answer_to_head().status, 200 | 404), "{said:?}");
            assert_eq!(client.answer().text(), "next", "{said:?}");
        }
    }
}
