//! Other protocols over a connection of HTTP (class C1): only once the backend has agreed, never further.

use std::time::Duration;

use portway_testkit::{Backend, Client, Ended, Gateway};

use crate::{open, open_with};

const ASK: &str = "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const AGREE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A backend that agrees and says everything back.
fn echo() -> Backend {
    Backend::scripted(|conversation| {
        if conversation.read_head().is_some() {
            conversation.say(AGREE);
            while let Some(bytes) = conversation.read_some() {
                conversation.say(&bytes);
            }
        }
    })
}

#[test]
fn c1_nothing_is_relayed_before_the_backend_has_agreed() {
    let backend = Backend::scripted(|conversation| {
        if conversation.read_head().is_some() {
            std::thread::sleep(Duration::from_millis(100));
            assert_eq!(conversation.unread(), b"", "bytes came before the 101");
            conversation.say(AGREE);
            assert_eq!(conversation.read_some().as_deref(), Some(&b"ahead"[..]));
            conversation.say(b"got it");
        }
    });
    let gateway = Gateway::start(&open(backend.address(), ""));
    let mut client = Client::connect(gateway.address());
    client.send(format!("{ASK}ahead"));
    let answer = client.answer_to_upgrade();
    assert_eq!((answer.status, answer.value("upgrade")), (101, Some("websocket")));
    assert_eq!(answer.value("sec-websocket-accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    assert_eq!(client.bytes(6), b"got it");
    assert_eq!(client.ended(), Ended::Closed);
}

#[test]
fn c1_whatever_else_the_backend_answers_the_next_bytes_are_a_request() {
    for said in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nok",
    ] {
        let backend = Backend::saying(said);
        let gateway = Gateway::start(&open(backend.address(), ""));
        let mut client = Client::connect(gateway.address());
        // The second asks for what the rules refuse: if it were relayed, the backend would see it.
        client.send(format!("{ASK}GET /x/../admin HTTP/1.1\r\nHost: a\r\n\r\n"));
        let answer = client.answer_to_upgrade();
        assert_eq!((answer.text().as_str(), answer.value("upgrade")), ("ok", None), "{said:?}");
        assert_eq!(client.answer().problem(), "bad-path", "{said:?}");
        assert_eq!(backend.received().len(), 1, "{said:?}");
    }
}

#[test]
fn c1_a_switch_that_was_not_asked_for_ends_the_connection_of_the_backend() {
    for ask in [
        "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx",
        "GET /a HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA\r\n\r\n",
        "GET /a HTTP/1.0\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    ] {
        let backend = Backend::scripted(|conversation| {
            if conversation.read().is_some() {
                conversation.say(AGREE);
                conversation.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL");
                conversation.wait_for_end();
            }
        });
        let gateway = Gateway::start(&open(backend.address(), ", retries: { attempts: 1 }"));
        for n in 1..=2 {
            let answer = Client::ask(gateway.address(), ask);
            assert_eq!(
                (answer.status, answer.problem().as_str()),
                (502, "backend-invalid"),
                "{ask}"
            );
            assert_eq!(backend.connections(), n, "{ask}");
        }
    }
}

#[test]
fn c1_a_connection_that_was_switched_is_never_used_for_another_call() {
    let backend = echo();
    let gateway = Gateway::start(&open(backend.address(), "").replace("workers: 2", "workers: 1"));
    for n in 1..=3 {
        let mut client = Client::connect(gateway.address());
        assert_eq!(client.send(ASK).answer_to_upgrade().status, 101);
        // A request in here is bytes like any other.
        let inside = "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(client.send(inside).bytes(inside.len()), inside.as_bytes());
        client.end();
        assert_eq!(client.ended(), Ended::Closed);
        assert_eq!(backend.connections(), n);
    }
}

#[test]
fn c1_connect_is_refused_and_nothing_behind_it_is_taken_for_its_tunnel() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), ""));
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";
    let last = "GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    let length = hidden.len();
    for (target, fields, body) in [
        ("a:443", String::new(), String::new()),
        ("a:443", "Connection: Upgrade\r\nUpgrade: websocket\r\n".to_owned(), String::new()),
        ("a:443", format!("Content-Length: {length}\r\n"), hidden.to_owned()),
        (
            "a:443",
            "Transfer-Encoding: chunked\r\n".to_owned(),
            format!("{length:x}\r\n{hidden}\r\n0\r\n\r\n"),
        ),
        ("/a", String::new(), String::new()),
        ("http://a/a", String::new(), String::new()),
    ] {
        let host = target.strip_prefix('/').map_or(target, |_| "a");
        let host = if target.starts_with("http") { "a" } else { host };
        let mut client = Client::connect(gateway.address());
        client
            .send(format!("CONNECT {target} HTTP/1.1\r\nHost: {host}\r\n{fields}\r\n{body}{last}"));
        let answer = client.answer();
        assert!(matches!(answer.status, 400 | 405), "{target} {fields}: {}", answer.status);
        // The next answer is for the next request, or the connection has ended.
        if let Some(answer) = client.answer_or_end() {
            assert_eq!(answer.text(), "ok:", "{target} {fields}");
        }
        assert_ne!(client.ended(), Ended::Open, "{target} {fields}");
    }
    let received = backend.received();
    assert!(received.iter().all(|got| got.line() == "GET /last HTTP/1.1"), "{received:#?}");
}

#[test]
fn a_relay_passes_each_end_on_and_lets_the_other_side_finish() {
    let backend = Backend::scripted(|conversation| {
        if conversation.read_head().is_some() {
            conversation.say(AGREE);
            let mut heard = Vec::new();
            while let Some(bytes) = conversation.read_some() {
                heard.extend_from_slice(&bytes);
            }
            conversation.say(format!("heard {}", heard.len()).as_bytes());
        }
    });
    let gateway = Gateway::start(&open(backend.address(), ""));
    let mut client = Client::connect(gateway.address());
    assert_eq!(client.send(ASK).answer_to_upgrade().status, 101);
    client.send(vec![7; 1_000_000]).end();
    assert_eq!(client.bytes(usize::MAX), b"heard 1000000");
    assert!(gateway.log(1).contains("\"status\":101"));
}

#[test]
fn c21_a_switch_has_deadlines_too() {
    let silent = Backend::scripted(|conversation| conversation.wait_for_end());
    let more = ", timeouts: { first_byte: 200ms, idle: 200ms }, retries: { attempts: 1 }";
    let gateway = Gateway::start(&open(silent.address(), more));
    let mut client = Client::connect(gateway.address());
    assert_eq!(client.send(ASK).answer_to_upgrade().problem(), "first-byte-timeout");
    // Once switched, nothing moves.
    let agreeing = echo();
    gateway.publish(&open(agreeing.address(), more));
    let mut client = Client::connect(gateway.address());
    assert_eq!(client.send(ASK).answer_to_upgrade().status, 101);
    assert_ne!(client.ended(), Ended::Open);
    // Something moves, but for too long.
    let gateway =
        Gateway::start(&open_with(agreeing.address(), "bounds: { call_timeout: 300ms }", ""));
    let mut client = Client::connect(gateway.address());
    assert_eq!(client.send(ASK).answer_to_upgrade().status, 101);
    while !client.send("x").bytes(1).is_empty() {
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(gateway.log(1).contains("call-timeout"));
}
