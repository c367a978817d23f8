//! Everything that a caller could make grow or wait has an end (fault row F1, classes C19, C21).

use std::time::Duration;

use portway_testkit::{Backend, Client, Ended, Gateway};

use crate::{open, open_with};

#[test]
fn sizes_are_bounded_and_each_bound_is_counted() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open_with(
        backend.address(),
        "bounds: { head_bytes: 4KiB, head_fields: 20, target_bytes: 1KiB, body_bytes: 1000 }",
        "",
    ));
    let long = "a".repeat(2_000);
    for (request, status, code, metric) in [
        (
            format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n"),
            414,
            "target-too-long",
            "target_bytes",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\nY: {long}\r\nZ: {long}\r\n\r\n"),
            431,
            "head-too-large",
            "head_bytes",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: 1\r\n".repeat(30)),
            431,
            "too-many-fields",
            "head_fields",
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n".to_owned(),
            413,
            "body-too-large",
            "body_bytes",
        ),
        (
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n{}\r\n0\r\n\r\n",
                "x".repeat(1_001)
            ),
            413,
            "body-too-large",
            "body_bytes",
        ),
    ] {
        let mut client = Client::connect(gateway.address());
        let answer = client.send(&request).answer();
        let shown = &request[..request.len().min(50)];
        assert_eq!((answer.status, answer.problem().as_str()), (status, code), "{shown}");
        assert_eq!(client.ended(), Ended::Closed, "{shown}");
        assert!(
            gateway.metric(&format!("portway_bounds_reached_total{{bound=\"{metric}\"}}")) >= 1.0
        );
    }
    let answer = Client::ask(
        gateway.address(),
        format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{}", "x".repeat(1_000)),
    );
    assert_eq!(answer.status, 200);
}

#[test]
fn f1_slow_peers_are_gone_by_their_deadline() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open_with(
        backend.address(),
        "bounds: { head_timeout: 200ms, body_timeout: 200ms, idle_timeout: 200ms }",
        "",
    ));
    for (sent, status) in [
        ("", None),
        ("GET / HT", Some(408)),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\n", Some(408)),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc", Some(408)),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", Some(408)),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", None),
        ("PRI * HT", Some(408)),
    ] {
        let mut client = Client::connect(gateway.address());
        client.send(sent);
        if let Some(status) = status {
            assert_eq!(client.answer().status, status, "{sent:?}");
        }
        assert_ne!(client.ended(), Ended::Open, "{sent:?}");
    }
    // Between two calls.
    let mut client = Client::connect(gateway.address());
    assert_eq!(client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").answer().status, 200);
    assert_eq!(client.ended(), Ended::Closed);
}

#[test]
fn f1_a_reader_that_does_not_read_is_cut() {
    let backend = Backend::saying(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 30000000\r\n\r\n{}",
        "x".repeat(30_000_000)
    ));
    let gateway =
        Gateway::start(&open_with(backend.address(), "bounds: { write_timeout: 300ms }", ""));
    let mut client = Client::connect(gateway.address());
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(gateway.log(1).contains("caller-too-slow"));
    assert!(!client.answer().whole);
}

#[test]
fn deadlines_towards_a_backend_hold() {
    let hanging = Backend::scripted(|conversation| conversation.wait_for_end());
    let pausing = Backend::scripted(|conversation| {
        if conversation.read().is_some() {
            conversation.say(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
            conversation.wait_for_end();
        }
    });
    let gateway = Gateway::start(&open(
        hanging.address(),
        ", timeouts: { first_byte: 200ms }, retries: { attempts: 1 }",
    ));
    let answer = Client::get(gateway.address(), "/a");
    assert_eq!((answer.status, answer.problem().as_str()), (504, "first-byte-timeout"));
    gateway.publish(&(open(hanging.address(), "") + "    timeout: 200ms\n"));
    let answer = Client::get(gateway.address(), "/a");
    assert_eq!((answer.status, answer.problem().as_str()), (504, "call-timeout"));
    gateway.publish(&open(pausing.address(), ", timeouts: { idle: 200ms }"));
    assert!(!Client::get(gateway.address(), "/a").whole);
    assert!(gateway.log(3).contains("backend-body-timeout"));
}

#[test]
fn connections_are_bounded_in_all_and_by_address() {
    let backend = Backend::polite();
    for bounds in ["connections: 64", "connections_per_address: 64"] {
        let gateway =
            Gateway::start(&open_with(backend.address(), &format!("bounds: {{ {bounds} }}"), ""));
        let mut clients: Vec<Client> =
            (0..64).map(|_| Client::connect(gateway.address())).collect();
        for client in &mut clients {
            assert_eq!(client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").answer().status, 200);
        }
        let mut refused = Client::connect(gateway.address());
        assert_ne!(refused.ended(), Ended::Open, "{bounds}");
        let name = bounds.split(':').next().expect("a name");
        assert!(
            gateway.metric(&format!("portway_bounds_reached_total{{bound=\"{name}\"}}")) >= 1.0
        );
        // A place that is given up can be taken again.
        drop(clients);
        let mut served = false;
        for _ in 0..100 {
            let mut client = Client::connect(gateway.address());
            client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            served = client.is_open_after(Duration::from_millis(100));
            if served {
                break;
            }
        }
        assert!(served, "{bounds}");
    }
}

#[test]
fn a_queue_is_bounded_and_answers_say_so() {
    let hanging = Backend::scripted(|conversation| conversation.wait_for_end());
    let more = ", concurrency: { max: 1, queue: 1, queue_timeout: 200ms }, timeouts: { first_byte: 2s }, retries: { attempts: 1 }";
    let gateway = Gateway::start(&open(hanging.address(), more));
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(gateway.address())).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    let mut codes: Vec<String> =
        clients.iter_mut().map(|client| client.answer().problem()).collect();
    codes.sort();
    assert_eq!(codes, ["first-byte-timeout", "queue-full", "queue-timeout"]);
}

#[test]
fn what_goes_wrong_with_a_body_after_its_answer_has_begun_is_called_by_its_name() {
    for (sent, outcome) in [
        ("zz\r\n", "bad-request"),
        ("5\r\nabcdefg\r\n", "bad-request"),
        ("fff\r\n", "body-too-large"),
        // Nothing more, from anybody.
        ("", "body-timeout"),
    ] {
        let backend = Backend::scripted(|conversation| {
            if conversation.read_head().is_some() {
                let begun = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n";
                conversation.say(begun.as_bytes());
                conversation.wait_for_end();
            }
        });
        let bounds = "bounds: { body_bytes: 1000 }";
        let idle = if outcome == "body-timeout" { "300ms" } else { "1m" };
        let more = format!(
            ", timeouts: {{ idle: {idle} }}, breaker: {{ failure_percent: 1, min_calls: 1 }}"
        );
        let gateway = Gateway::start(&open_with(backend.address(), bounds, &more));
        let mut client = Client::connect(gateway.address());
        client.send("POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        let begun = client.bytes(12);
        assert_eq!(begun, b"HTTP/1.1 200");
        client.send(sent);
        assert_eq!(client.ended(), Ended::Reset, "{sent:?}");
        let line = gateway.log(1);
        assert!(
            line.contains(&format!("\"outcome\":\"{outcome}\",\"source\":\"gateway\"")),
            "{line}"
        );
        assert!(line.contains("\"status\":200"), "{line}");
        // It is not the doing of the target.
        assert_eq!(gateway.metric("portway_endpoint_up"), 1.0, "{sent:?}");
    }
}
