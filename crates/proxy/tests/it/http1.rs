//! HTTP/1.1 through the gateway as it should be.

use portway_testkit::{Backend, Client, Ended, Gateway};

use crate::open;

const HOST: &str = "Host: api.test\r\n";

#[test]
fn methods_and_bodies_pass() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), ""));
    for (request, body) in [
        ("GET /a?b=1&c HTTP/1.1\r\nHost: api.test\r\n\r\n".to_owned(), "ok:"),
        (format!("POST /a HTTP/1.1\r\n{HOST}Content-Length: 3\r\n\r\nabc"), "ok:abc"),
        (
            format!(
                "PUT /a HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n"
            ),
            "ok:abc",
        ),
        (format!("PURGE /a HTTP/1.1\r\n{HOST}\r\n"), "ok:"),
        (format!("DELETE /a HTTP/1.1\r\n{HOST}Content-Length: 0\r\n\r\n"), "ok:"),
        (format!("GET http://api.test/a HTTP/1.1\r\n{HOST}\r\n"), "ok:"),
    ] {
        let answer = Client::ask(gateway.address(), &request);
        assert_eq!((answer.status, answer.text().as_str()), (200, body), "{request}");
        assert!(answer.value("x-request-id").is_some());
    }
    let lines: Vec<String> = backend.received().iter().map(|got| got.line().to_owned()).collect();
    assert_eq!(lines[0], "GET /a?b=1&c HTTP/1.1");
    assert_eq!(lines[3], "PURGE /a HTTP/1.1");
    assert_eq!(lines[5], "GET /a HTTP/1.1");
}

#[test]
fn connections_are_kept_on_both_sides() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), "").replace("workers: 2", "workers: 1"));
    let mut client = Client::connect(gateway.address());
    for _ in 0..20 {
        assert_eq!(client.send(format!("GET /a HTTP/1.1\r\n{HOST}\r\n")).answer().status, 200);
    }
    assert_eq!(backend.connections(), 1);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), ""));
    let mut client = Client::connect(gateway.address());
    let requests =
        (0..50).map(|n| format!("POST /{n} HTTP/1.1\r\n{HOST}Content-Length: 2\r\n\r\n{n:02}"));
    client.send(requests.collect::<String>());
    for n in 0..50 {
        assert_eq!(client.answer().text(), format!("ok:{n:02}"));
    }
}

#[test]
fn a_request_may_arrive_byte_by_byte() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), ""));
    let mut client = Client::connect(gateway.address());
    for byte in
        format!("POST /a HTTP/1.1\r\n{HOST}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
            .bytes()
    {
        client.send([byte]);
    }
    assert_eq!(client.answer().text(), "ok:abc");
}

#[test]
fn http_1_0_is_answered_as_it_can_read() {
    let backend = Backend::saying(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    let gateway = Gateway::start(&open(backend.address(), ""));
    for request in [
        "GET /a HTTP/1.0\r\n\r\n",
        "GET /a HTTP/1.0\r\nHost: api.test\r\nConnection: keep-alive\r\n\r\n",
    ] {
        let mut client = Client::connect(gateway.address());
        let answer = client.send(request).answer();
        assert_eq!(
            (answer.text().as_str(), answer.value("transfer-encoding")),
            ("hello", None),
            "{request}"
        );
        assert_eq!(client.ended(), Ended::Closed);
    }
    let polite = Backend::polite();
    gateway.publish(&open(polite.address(), ""));
    let mut client = Client::connect(gateway.address());
    for _ in 0..2 {
        let answer =
            client.send("GET /a HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n").answer();
        assert_eq!((answer.status, answer.value("connection")), (200, Some("keep-alive")));
    }
}

#[test]
fn a_call_without_a_host_is_not_sent_on_without_one() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), ", host: caller"));
    for (request, host) in [
        ("GET /a HTTP/1.0\r\nHost: shop.test\r\n\r\n", "shop.test".to_owned()),
        ("GET /a HTTP/1.0\r\n\r\n", backend.address().to_string()),
    ] {
        assert_eq!(Client::ask(gateway.address(), request).status, 200);
        assert_eq!(backend.last().values("host"), [host.as_str()], "{request}");
    }
}

#[test]
fn answers_of_every_framing_pass() {
    for (said, status, body, trailers) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, "ok", vec![]),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\nContent-Length: 9\r\n\r\n",
            200,
            "ok",
            vec!["X-Sum: 1"],
        ),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204, "", vec![]),
        ("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 10\r\n\r\n", 304, "", vec![]),
        ("HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n", 500, "", vec![]),
        ("HTTP/1.1 299 Odd\r\nContent-Length: 1\r\n\r\nx", 299, "x", vec![]),
    ] {
        let backend = Backend::saying(said);
        let gateway = Gateway::start(&open(backend.address(), ""));
        let mut client = Client::connect(gateway.address());
        for _ in 0..2 {
            let answer = client.send(format!("GET /a HTTP/1.1\r\n{HOST}\r\n")).answer();
            assert_eq!(
                (answer.status, answer.text().as_str(), answer.whole),
                (status, body, true),
                "{said}"
            );
            assert_eq!(answer.trailers, trailers, "{said}");
        }
    }
}

#[test]
fn an_answer_that_ends_with_its_connection_is_whole() {
    let backend = Backend::closing_after("HTTP/1.1 200 OK\r\n\r\nuntil the end");
    let gateway = Gateway::start(&open(backend.address(), ""));
    let mut client = Client::connect(gateway.address());
    for _ in 0..2 {
        let answer = client.send(format!("GET /a HTTP/1.1\r\n{HOST}\r\n")).answer();
        assert_eq!((answer.text().as_str(), answer.whole), ("until the end", true));
    }
}

#[test]
fn a_head_has_no_body_but_says_how_long_it_would_be() {
    let backend = Backend::saying("HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n");
    let gateway = Gateway::start(&open(backend.address(), ""));
    let mut client = Client::connect(gateway.address());
    for _ in 0..2 {
        let answer = client.send(format!("HEAD /a HTTP/1.1\r\n{HOST}\r\n")).answer_to_head();
        assert_eq!((answer.status, answer.value("content-length")), (200, Some("12345")));
    }
}

#[test]
fn interim_answers_are_passed_on() {
    let backend = Backend::scripted(|conversation| {
        let Some(head) = conversation.read_head() else { return };
        assert_eq!(head.values("expect"), ["100-continue"]);
        conversation
            .say(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n");
        assert_eq!(conversation.read_some().as_deref(), Some(&b"abc"[..]));
        conversation.answer(b"done");
    });
    let gateway = Gateway::start(&open(backend.address(), ""));
    let mut client = Client::connect(gateway.address());
    client.send(format!(
        "POST /a HTTP/1.1\r\n{HOST}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n"
    ));
    let hints = client.answer();
    assert_eq!((hints.status, hints.value("link")), (103, Some("</a>")));
    assert_eq!(client.answer().status, 100);
    assert_eq!(client.send("abc").answer().text(), "done");
}

#[test]
fn c3_after_an_early_answer_the_next_one_is_for_the_next_request() {
    let backend = Backend::polite();
    let document = open(backend.address(), "").replace("auth: public", "auth: [ key ]");
    let gateway = Gateway::start(&document);
    // All of the body is here: the connection can go on.
    let mut client = Client::connect(gateway.address());
    client.send(format!("POST /a HTTP/1.1\r\n{HOST}Content-Length: 35\r\n\r\nGET /evil HTTP/1.1\r\nHost: api.test\r\n\r\n"));
    client.send(format!("GET /b HTTP/1.1\r\n{HOST}\r\n"));
    assert_eq!(client.answer().status, 401);
    assert_eq!(
        client.ended(),
        Ended::Closed,
        "35 bytes are less than what was sent: the rest is not a request"
    );
    // Some of it is missing: the connection ends.
    let mut client = Client::connect(gateway.address());
    client.send(format!("POST /a HTTP/1.1\r\n{HOST}Content-Length: 100000\r\n\r\nabc"));
    let answer = client.answer();
    assert_eq!((answer.status, answer.value("connection")), (401, Some("close")));
    client.send(format!("GET /b HTTP/1.1\r\n{HOST}\r\n"));
    assert_eq!(client.ended(), Ended::Closed);
    assert!(backend.received().is_empty());
}

#[test]
fn large_bodies_pass_both_ways() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), ""));
    let body: Vec<u8> = (0..5_000_000_u32).map(|n| (n % 251) as u8).collect();
    let mut client = Client::connect(gateway.address());
    let mut request =
        format!("POST /a HTTP/1.1\r\n{HOST}Content-Length: {}\r\n\r\n", body.len()).into_bytes();
    request.extend_from_slice(&body);
    let answer = client.send(&request).answer();
    assert_eq!(answer.body.len(), body.len() + 3);
    assert!(answer.body[3..] == body[..]);
}

#[test]
fn an_upgrade_becomes_a_relay_only_after_the_backends_101() {
    let backend = Backend::scripted(|conversation| {
        let Some(head) = conversation.read_head() else { return };
        assert_eq!(
            (head.values("upgrade"), head.values("connection")),
            (vec!["echo"], vec!["upgrade"])
        );
        conversation.say(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello");
        while let Some(bytes) = conversation.read_some() {
            conversation.say(&bytes);
        }
    });
    let gateway = Gateway::start(&open(backend.address(), ""));
    let mut client = Client::connect(gateway.address());
    client.send(format!(
        "GET /a HTTP/1.1\r\n{HOST}Connection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\n"
    ));
    let answer = client.answer_to_upgrade();
    assert_eq!((answer.status, answer.value("upgrade")), (101, Some("echo")));
    assert_eq!(client.bytes(5), b"hello");
    for piece in [&b"abc"[..], &[0, 255, 13, 10], &[7; 100_000]] {
        assert_eq!(client.send(piece).bytes(piece.len()), piece);
    }
}

#[test]
fn c1_what_follows_an_upgrade_that_is_refused_is_a_request() {
    for said in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 2\r\n\r\nok",
    ] {
        let backend = Backend::saying(said);
        let gateway = Gateway::start(&open(backend.address(), ""));
        let mut client = Client::connect(gateway.address());
        client.send(format!(
            "GET /a HTTP/1.1\r\n{HOST}Connection: Upgrade\r\nUpgrade: echo\r\n\r\nGET /../admin HTTP/1.1\r\n{HOST}\r\n"
        ));
        assert_eq!(client.answer_to_upgrade().text(), "ok");
        assert_eq!(client.answer().problem(), "bad-path");
        assert_eq!(backend.received().len(), 1);
    }
}

#[test]
fn c1_upgrades_that_would_hide_requests_are_not_passed_on() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), ""));
    for fields in [
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n",
        "Connection: upgrade\r\nUpgrade: websocket, h2c\r\n",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n",
        "Upgrade: websocket\r\n",
    ] {
        let body = if fields.contains("Length") { "x" } else { "" };
        let answer =
            Client::ask(gateway.address(), format!("GET /a HTTP/1.1\r\n{HOST}{fields}\r\n{body}"));
        assert_eq!(answer.status, 200, "{fields}");
        let got = backend.last();
        assert_eq!(
            (got.values("upgrade").len(), got.values("http2-settings").len()),
            (0, 0),
            "{fields}"
        );
    }
    let answer = Client::ask(
        gateway.address(),
        "CONNECT api.test:443 HTTP/1.1\r\nHost: api.test:443\r\n\r\n",
    );
    assert_eq!((answer.status, answer.problem().as_str()), (405, "connect-refused"));
}

#[test]
fn c2_ambiguous_framing_never_reaches_the_backend() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), ""));
    for head in [
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n",
        "POST /a HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nX: 1\r\n folded\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nX: 1\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nHost: b\r\n",
        "POST /a HTTP/1.1\r\n",
        "POST /a HTTP/1.1\r\nHost: a/b\r\n",
        "POST http://b/a HTTP/1.1\r\nHost: a\r\n",
        "POST /a HTTP/2.0\r\nHost: a\r\n",
    ] {
        let mut client = Client::connect(gateway.address());
        let answer = client.send(format!("{head}\r\n1\r\nx\r\n0\r\n\r\n")).answer();
        assert!(matches!(answer.status, 400 | 501 | 505), "{head}: {}", answer.status);
        assert_eq!(client.ended(), Ended::Closed, "{head}");
    }
    assert!(backend.received().is_empty());
}
