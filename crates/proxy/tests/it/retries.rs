//! Attempts after the first (fault row F6).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use portway_testkit::{Backend, Client, Gateway};

use crate::open;

/// One worker, so that the next call finds the connection of the last; nothing but the budget holds attempts back.
fn alone(backend: &Backend, more: &str) -> String {
    let more = format!(", breaker: {{ failure_percent: 0 }}, passive: {{ failures: 0 }}{more}");
    open(backend.address(), &more).replace("workers: 2", "workers: 1")
}

fn post(gateway: &Gateway) -> portway_testkit::Answer {
    let request = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    Client::ask(gateway.address(), request)
}

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
        let gateway = Gateway::start(&alone(&backend, ""));
        // Ten calls earn two more attempts.
        (1..10).for_each(|_| drop(post(&gateway)));
        assert_eq!(count.load(Ordering::SeqCst), 9);
        let answer = Client::ask(
            gateway.address(),
            format!("{method} /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
        );
        assert_eq!(answer.problem(), "backend-closed", "{method}");
        assert_eq!(count.load(Ordering::SeqCst), 9 + attempts, "{method}");
    }
    // A body that was taken from the caller cannot be sent twice.
    let (backend, count) = silent();
    let gateway = Gateway::start(&alone(&backend, ", retries: { budget_percent: 100 }"));
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
    // Nothing was sent to it, so even a POST goes elsewhere; what nobody got is not counted against the budget.
    assert_eq!([call(), call(), call()], [200, 200, 200]);
    // After some failures in a row it is out, and costs nothing any more.
    let tail: Vec<u16> = (0..30).map(|_| call()).skip(20).collect();
    assert_eq!(tail, [200; 10]);
}

#[test]
fn f6_extra_attempts_stay_within_the_budget() {
    let (backend, count) = silent();
    let gateway = Gateway::start(&alone(&backend, ""));
    for calls in 1..=100 {
        assert_eq!(Client::get(gateway.address(), "/a").status, 502);
        // A fifth of the calls at every moment, also while there were few.
        assert_eq!(count.load(Ordering::SeqCst), calls + calls / 5);
    }
}

#[test]
fn bad_answers_are_tried_again_elsewhere() {
    let bad = Backend::saying("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
    let polite = Backend::polite();
    let document = open(polite.address(), "").replace(
        &format!("'http://{}'", polite.address()),
        &format!("[ 'http://{}', 'http://{}' ]", bad.address(), polite.address()),
    );
    let document = document.replace("targets:", "retries: { budget_percent: 100 }, targets:");
    let gateway = Gateway::start(&document);
    for _ in 0..3 {
        assert_eq!(Client::get(gateway.address(), "/a").status, 200);
    }
    assert!(gateway.metric("portway_retries_total{result=\"made\"}") >= 1.0);
}

#[test]
fn what_came_of_an_attempt_stands_when_there_is_nowhere_else_to_go() {
    // One failure opens the breaker of the only target.
    let more = ", breaker: { failure_percent: 1, min_calls: 1 }, retries: { budget_percent: 100 }";
    let busy =
        Backend::saying("HTTP/1.1 503 Busy\r\nX-Why: lunch\r\nContent-Length: 4\r\n\r\nbusy");
    let gateway = Gateway::start(&open(busy.address(), more));
    let answer = Client::get(gateway.address(), "/a");
    assert_eq!((answer.status, answer.text().as_str()), (503, "busy"));
    assert_eq!(answer.value("x-why"), Some("lunch"));
    // It answers, if badly, and there is no other: its breaker stays closed, so that other operations are served.
    assert_eq!(Client::get(gateway.address(), "/b").text(), "busy");

    let (gone, count) = silent();
    let gateway = Gateway::start(&open(gone.address(), more));
    assert_eq!(Client::get(gateway.address(), "/a").problem(), "backend-closed");
    assert_eq!(count.load(Ordering::SeqCst), 1);
    let line = gateway.log(1);
    assert!(line.contains("\"tries\":1") && line.contains("\"outcome\":\"backend-closed\""));
}

/// Answers the first request of each connection and ends it at the second, as if it had been closed between the two.
fn forgetful() -> (Backend, Arc<AtomicUsize>) {
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    let backend = Backend::scripted(move |conversation| {
        if conversation.read().is_some() {
            conversation.answer(b"ok");
            if conversation.read().is_some() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    (backend, count)
}

#[test]
fn a_connection_that_died_at_rest_costs_no_call_and_nothing_of_the_budget() {
    let (backend, ended) = forgetful();
    let gateway = Gateway::start(&alone(&backend, ", retries: { budget_percent: 0 }"));
    for calls in 1..=20 {
        let answer = Client::get(gateway.address(), "/a");
        assert_eq!((answer.status, answer.text().as_str()), (200, "ok"));
        // Once, and over a connection of its own.
        assert_eq!((ended.load(Ordering::SeqCst), backend.connections()), (calls - 1, calls));
    }
    assert_eq!(gateway.metric("portway_retries_total{result=\"denied\"}"), 0.0);
    // Nobody knows whether the backend has seen it.
    assert_eq!(post(&gateway).problem(), "backend-closed");
}

#[test]
fn a_backend_that_died_gets_no_call_twice_for_it() {
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    let backend = Backend::scripted(move |conversation| {
        while conversation.read().is_some() && counted.fetch_add(1, Ordering::SeqCst) < 1 {
            conversation.answer(b"ok");
        }
    });
    let gateway = Gateway::start(&alone(&backend, ", retries: { budget_percent: 0 }"));
    assert_eq!(Client::get(gateway.address(), "/a").status, 200);
    // The connection of the first call was closed, so a new one is tried. That one is no excuse.
    assert_eq!(Client::get(gateway.address(), "/a").problem(), "backend-closed");
    assert_eq!(count.load(Ordering::SeqCst), 3);
    assert_eq!(Client::get(gateway.address(), "/a").problem(), "backend-closed");
    assert_eq!(count.load(Ordering::SeqCst), 4);
}

#[test]
fn half_an_answer_is_no_sign_of_a_connection_that_was_closed_at_rest() {
    let backend = Backend::scripted(|conversation| {
        if conversation.read().is_some() {
            conversation.answer(b"ok");
            if conversation.read().is_some() {
                conversation.say(b"HTTP/1.1 2");
            }
        }
    });
    let gateway = Gateway::start(&alone(&backend, ", retries: { budget_percent: 0 }"));
    assert_eq!(Client::get(gateway.address(), "/a").status, 200);
    assert_eq!(Client::get(gateway.address(), "/a").problem(), "backend-closed");
    assert_eq!(backend.connections(), 1);
}
