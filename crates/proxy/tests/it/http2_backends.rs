//! Backends that speak HTTP/2 and do what no library would: go away, refuse, and fall silent.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use portway_testkit::frames::kind;
use portway_testkit::{Answer, Backend, Client, Conversation, Gateway, Http2};

use crate::open;

const REFUSED_STREAM: u32 = 7;
const INTERNAL_ERROR: u32 = 2;
const ENHANCE_YOUR_CALM: u32 = 11;

/// A gateway in front of a backend with HTTP/2, of one worker.
fn before(backend: &Backend, more: &str) -> Gateway {
    let more = format!(
        ", protocol: http2, breaker: {{ failure_percent: 0 }}, passive: {{ failures: 0 }}{more}"
    );
    Gateway::start(&open(backend.address(), &more).replace("workers: 2", "workers: 1"))
}

fn post(gateway: &Gateway) -> Answer {
    let request = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    Client::ask(gateway.address(), request)
}

/// A backend that does something odd with its first connection, and is polite on the others; counts the requests that
/// it was polite to.
fn once_odd(
    odd: impl Fn(&mut Http2, &Conversation) + Send + Sync + 'static,
) -> (Backend, Arc<AtomicUsize>) {
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    let backend = Backend::scripted(move |conversation| {
        let mut http2 = Http2::accept(&conversation.stream);
        if conversation.number == 0 {
            odd(&mut http2, conversation);
        }
        while let Some(stream) = http2.asked() {
            counted.fetch_add(1, Ordering::SeqCst);
            http2.answer(stream, b"ok");
        }
    });
    (backend, count)
}

#[test]
fn what_a_backend_that_goes_away_has_not_looked_at_is_sent_again() {
    // With a budget of nothing: going away is no sign of trouble.
    for budget in [0, 100] {
        // Whether or not the last stream that was served is named (RFC 9113 §6.8).
        for last in [0, 1] {
            let (backend, count) = once_odd(move |http2, _| {
                let first = http2.asked().expect("a request");
                http2.answer(first, b"first");
                let _second = http2.asked().expect("a request");
                http2.go_away(last, 0);
            });
            let gateway = before(&backend, &format!(", retries: {{ budget_percent: {budget} }}"));
            assert_eq!(post(&gateway).text(), "first");
            // Also what must not be done twice: it was not done.
            assert_eq!((post(&gateway).status, post(&gateway).status), (200, 200));
            assert_eq!((count.load(Ordering::SeqCst), backend.connections()), (2, 2));
        }
    }
}

#[test]
fn no_call_is_put_on_a_connection_that_goes_away() {
    let (backend, count) = once_odd(|http2, _| {
        let first = http2.asked().expect("a request");
        http2.go_away(i32::MAX as u32, 0);
        // What was begun is still served.
        http2.answer(first, b"first");
        assert_eq!(http2.asked(), None, "nothing more comes over it");
    });
    let gateway = before(&backend, ", retries: { attempts: 1 }");
    assert_eq!(post(&gateway).text(), "first");
    for _ in 0..3 {
        assert_eq!(post(&gateway).text(), "ok");
    }
    assert_eq!((count.load(Ordering::SeqCst), backend.connections()), (3, 2));
}

#[test]
fn a_reason_for_going_away_changes_nothing_about_what_was_not_looked_at() {
    let (backend, count) = once_odd(|http2, _| {
        let _first = http2.asked().expect("a request");
        http2.go_away(0, ENHANCE_YOUR_CALM);
    });
    let gateway = before(&backend, ", retries: { budget_percent: 100 }");
    assert_eq!(post(&gateway).text(), "ok");
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[test]
fn a_stream_that_was_refused_is_sent_again_and_one_that_broke_only_if_it_does_no_harm() {
    for (code, of_post, of_get) in [(REFUSED_STREAM, 200, 200), (INTERNAL_ERROR, 502, 200)] {
        let (backend, count) = once_odd(move |http2, _| {
            for _ in 0..2 {
                let stream = http2.asked().expect("a request");
                http2.frame(kind::RST_STREAM, 0, stream, code.to_be_bytes());
                // The second attempt of what is sent again.
                if code == REFUSED_STREAM {
                    let stream = http2.asked().expect("a request");
                    http2.answer(stream, b"again");
                }
            }
        });
        let gateway = before(&backend, ", retries: { budget_percent: 100 }");
        assert_eq!(post(&gateway).status, of_post, "{code}");
        assert_eq!(Client::get(gateway.address(), "/a").status, of_get, "{code}");
        assert_eq!(backend.connections(), 1, "a stream is not its connection");
        let polite = if code == REFUSED_STREAM { 0 } else { 1 };
        assert_eq!(count.load(Ordering::SeqCst), polite, "{code}");
    }
}

#[test]
fn a_refusal_costs_the_budget() {
    let (backend, count) = once_odd(|http2, _| {
        while let Some(stream) = http2.asked() {
            http2.frame(kind::RST_STREAM, 0, stream, REFUSED_STREAM.to_be_bytes());
        }
    });
    let gateway = before(&backend, ", retries: { budget_percent: 0 }");
    assert_eq!(post(&gateway).problem(), "backend-closed");
    assert_eq!(post(&gateway).problem(), "backend-closed");
    assert_eq!(count.load(Ordering::SeqCst), 0);
    assert_eq!(gateway.metric("portway_retries_total{result=\"denied\"}"), 2.0);
}

#[test]
fn a_backend_that_falls_silent_without_a_word_is_left() {
    // Reads no more and answers no more, and its connection stays open until the test is over.
    let (over, held) = mpsc::channel::<()>();
    let held = Mutex::new(held);
    let (backend, _) = once_odd(move |http2, _| {
        let first = http2.asked().expect("a request");
        http2.answer(first, b"first");
        let _ = held.lock().expect("not poisoned").recv();
    });
    // Shorter than what tells that nobody is there: no call that is given up says it.
    let more = ", timeouts: { first_byte: 200ms }, retries: { attempts: 1 }";
    let gateway = before(&backend, more);
    assert_eq!(post(&gateway).text(), "first");
    let answer = (0..100).map(|_| post(&gateway)).find(|answer| answer.status == 200);
    assert_eq!(answer.expect("another connection is opened").text(), "ok");
    assert_eq!(backend.connections(), 2);
    // The old one stays out of use.
    assert_eq!(post(&gateway).text(), "ok");
    drop(over);
}
