//! Attempts after the first (fault row F6).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portway_testkit::{Backend, Client, Gateway};

use crate::open;

/// A backend that closes the connection after each request without an answer, and counts requests.
fn silent() -> (Backend, Arc<AtomicUsize>) {
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    let backend = Backend::scripted(move |conversation| {
        if conversation.read().is_some() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (backend, count)
}

#[test]
fn f6_what_was_sent_is_not_repeated_unless_it_does_no_harm() {
    for (method, attempts) in
        [("GET", 3), ("PUT", 3), ("DELETE", 3), ("POST", 1), ("PATCH", 1), ("PURGE", 1)]
    {
        let (backend, count) = silent();
        let gateway = Gateway::start(&open(backend.address(), ""));
        let answer = Client::ask(
            gateway.address(),
            format!("{method} /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
        );
        assert_eq!(answer.problem(), "backend-closed", "{method}");
        assert_eq!(count.load(Ordering::SeqCst), attempts, "{method}");
    }
    // A body that was taken from the caller cannot be sent twice.
    let (backend, count) = silent();
    let gateway = Gateway::start(&open(backend.address(), ""));
    Client::ask(gateway.address(), "PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn f6_a_target_that_is_down_is_gone_round() {
    let polite = Backend::polite();
    let document = open(polite.address(), "").replace(
        &format!("'http://{}'", polite.address()),
        &format!("[ 'http://{}', 'http://{}' ]", Backend::nobody(), polite.address()),
    );
    let gateway = Gateway::start(&document);
    let call = || {
        let request = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
        Client::ask(gateway.address(), request).status
    };
    // Nothing was sent to it, so even a POST goes elsewhere, as long as the budget lasts.
    assert_eq!([call(), call(), call()], [200, 200, 200]);
    // After some failures in a row it is out, and costs nothing any more.
    let tail: Vec<u16> = (0..30).map(|_| call()).skip(20).collect();
    assert_eq!(tail, [200; 10]);
}

#[test]
fn f6_extra_attempts_stay_within_the_budget() {
    let (backend, count) = silent();
    // No breaker and no ejection: the budget alone must hold.
    let more = ", breaker: { failure_percent: 0 }, passive: { failures: 0 }";
    let gateway = Gateway::start(&open(backend.address(), more));
    const CALLS: usize = 200;
    for _ in 0..CALLS {
        assert_eq!(Client::get(gateway.address(), "/a").status, 502);
    }
    let attempts = count.load(Ordering::SeqCst);
    // A fifth of the calls, and the few that a quiet service may always have.
    assert!(attempts <= CALLS + CALLS / 5 + 3, "{attempts} attempts of {CALLS} calls");
    assert!(attempts > CALLS, "some were tried again");
}

#[test]
fn bad_answers_are_tried_again_elsewhere() {
    let bad = Backend::saying("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    let polite = Backend::polite();
    let document = open(polite.address(), "").replace(
        &format!("'http://{}'", polite.address()),
        &format!("[ 'http://{}', 'http://{}' ]", bad.address(), polite.address()),
    );
    let gateway = Gateway::start(&document);
    for _ in 0..3 {
        assert_eq!(Client::get(gateway.address(), "/a").status, 200);
    }
    assert!(gateway.metric("portway_retries_total{result=\"made\"}") >= 1.0);
}

#[test]
fn a_connection_that_died_at_rest_costs_no_call() {
    let backend = Backend::scripted(|conversation| {
        if conversation.read().is_some() {
            conversation.answer(b"ok");
        }
    });
    let gateway = Gateway::start(&open(backend.address(), "").replace("workers: 2", "workers: 1"));
    for _ in 0..20 {
        assert_eq!(Client::get(gateway.address(), "/a").status, 200);
        // Time for the end to arrive. What is sent before it is tried again, but only within the budget.
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}
