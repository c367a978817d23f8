//! Backends that break (fault row F4): the caller gets a clean error or an answer that is visibly
//! cut, and nobody else ever sees a byte of it.

use portway_testkit::{Backend, Client, Gateway};

use crate::open;

#[test]
fn f4_what_is_not_an_answer_becomes_a_problem() {
    let huge_head = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "a".repeat(10 << 20));
    let storm = "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(1_000);
    for (said, code) in [
        ("", "backend-closed"),
        ("HTTP/1.1 200 O", "backend-closed"),
        ("HTTP/1.1 200 OK\r\nContent-Len", "backend-closed"),
        ("\0\u{1}garbage\r\n\r\n", "backend-invalid"),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "backend-invalid",
        ),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "backend-invalid"),
        ("HTTP/1.1 200 OK\r\nX : 1\r\n\r\n", "backend-invalid"),
        ("HTTP/1.1 200 OK\nContent-Length: 0\n\n", "backend-invalid"),
        (
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nevil",
            "backend-invalid",
        ),
        ("ICY 200 OK\r\n\r\n", "backend-invalid"),
        // A body that is broken as far as it came with the head: nothing was sent to the caller yet.
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "backend-invalid"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n2\r\nlong\r\n0\r\n\r\n",
            "backend-invalid",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nContent-Length: 1\n\r\n",
            "backend-invalid",
        ),
        (&huge_head, "backend-head-too-large"),
        (&storm, "backend-invalid"),
    ] {
        let backend = Backend::closing_after(said);
        let gateway = Gateway::start(&open(backend.address(), ""));
        let mut client = Client::connect(gateway.address());
        client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
        let answer = loop {
            let answer = client.answer();
            if answer.status >= 200 {
                break answer;
            }
        };
        let shown = &said[..said.len().min(60)];
        assert_eq!((answer.status, answer.problem().as_str()), (502, code), "{shown:?}");
        assert_eq!(answer.value("content-type"), Some("application/problem+json"));
        assert!(!answer.text().contains("127.0.0.1"), "no internal address: {}", answer.text());
    }
}

#[test]
fn f4_a_body_that_breaks_is_never_silently_short() {
    for said in [
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\nshort",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshortX\r\n0\r\n\r\n",
    ] {
        let backend = Backend::closing_after(said);
        let gateway = Gateway::start(&open(backend.address(), ""));
        // To a caller of HTTP/1.0 the answer would end with the connection: it is reset instead.
        let requests = ["GET /a HTTP/1.1\r\nHost: a\r\n\r\n", "GET /a HTTP/1.0\r\nHost: a\r\n\r\n"];
        for request in requests {
            let mut client = Client::connect(gateway.address());
            client.send(request);
            // What is broken as far as it came with the head is never begun.
            let is_begun = !said.ends_with("zz\r\n") && !said.ends_with("0\r\n\r\n");
            if !is_begun {
                assert_eq!(client.answer().problem(), "backend-invalid", "{said:?}");
            } else if request.contains("1.0") && said.contains("chunked") {
                assert_eq!(client.ended(), portway_testkit::Ended::Reset, "{said:?}");
            } else {
                // If nothing of the answer had left, there is none.
                assert!(client.answer_if_any().is_none_or(|answer| !answer.whole), "{said:?}");
            }
            let word = if is_begun { "backend-body-broken" } else { "backend-invalid" };
            assert!(gateway.log(1).contains(word), "{said:?}");
        }
    }
}

#[test]
fn f4_a_broken_connection_is_never_used_again() {
    for first in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ] {
        let backend = Backend::scripted(move |conversation| {
            if conversation.read().is_some() {
                conversation.say(first.as_bytes());
                conversation.wait_for_end();
            }
        });
        let gateway =
            Gateway::start(&open(backend.address(), "").replace("workers: 2", "workers: 1"));
        for n in 1..=5 {
            assert_eq!(Client::get(gateway.address(), "/a").text(), "ok", "{first:?}");
            assert_eq!(backend.connections(), n, "{first:?}");
        }
    }
}

#[test]
fn f4_an_answer_before_the_request_was_read_is_passed_on() {
    let backend = Backend::scripted(|conversation| {
        if conversation.read_head().is_some() {
            conversation
                .say(b"HTTP/1.1 413 Too Much\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno");
            conversation.wait_for_end();
        }
    });
    let gateway = Gateway::start(&open(backend.address(), ""));
    let mut client = Client::connect(gateway.address());
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nabc");
    let answer = client.answer();
    assert_eq!((answer.status, answer.text().as_str()), (413, "no"));
}

#[test]
fn nobody_there_is_said() {
    let gateway = Gateway::start(&open(Backend::nobody(), ""));
    let answer = Client::get(gateway.address(), "/a");
    assert_eq!((answer.status, answer.problem().as_str()), (502, "connect-failed"));
    assert!(gateway.log(1).contains("\"outcome\":\"connect-failed\""));
    assert!(gateway.metric("portway_outcomes_total{outcome=\"connect-failed\"}") >= 1.0);
}

#[test]
fn f5_a_target_that_hangs_costs_others_nothing() {
    let hanging = Backend::scripted(|conversation| conversation.wait_for_end());
    let polite = Backend::polite();
    let document = open(hanging.address(), ", timeouts: { first_byte: 300ms }")
        + &format!(
            "  well:\n    path: /well\n    routes: [ 'GET /{{rest+}}' ]\n    auth: public\n    backend: http://{}\n",
            polite.address()
        );
    let gateway = Gateway::start(&document);
    let mut waiting: Vec<Client> = (0..50).map(|_| Client::connect(gateway.address())).collect();
    for client in &mut waiting {
        client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    }
    for _ in 0..50 {
        assert_eq!(Client::get(gateway.address(), "/well/a").status, 200);
    }
    for client in &mut waiting {
        let answer = client.answer();
        assert!(
            matches!(answer.problem().as_str(), "first-byte-timeout" | "no-target"),
            "{}",
            answer.text()
        );
    }
    // The breaker has opened: the next call is answered at once.
    let answer =
        Client::ask(gateway.address(), "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((answer.status, answer.problem().as_str()), (503, "no-target"));
    assert!(answer.value("retry-after").is_some());
}
