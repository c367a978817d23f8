//! A backend that fails for everybody at once (fault row F6): what the gateway adds to its trouble.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portway_testkit::{Backend, Client, Gateway};

use crate::open;

/// Nothing but the budget holds attempts back.
const UNGUARDED: &str = ", breaker: { failure_percent: 0 }, passive: { failures: 0 }";

/// A backend that answers 503 to so many of a hundred requests, and counts requests by method.
fn failing(percent: usize) -> (Backend, Arc<[AtomicUsize; 2]>) {
    let counts = Arc::<[AtomicUsize; 2]>::default();
    let counted = Arc::clone(&counts);
    let backend = Backend::scripted(move |conversation| {
        while let Some(request) = conversation.read() {
            let kind = usize::from(request.line().starts_with("POST"));
            let number = counted[kind].fetch_add(1, Ordering::SeqCst);
            // Spread evenly: 37 and 100 have no divisor in common.
            if number * 37 % 100 < percent {
                conversation.say(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
            } else {
                conversation.answer(b"ok");
            }
        }
    });
    (backend, counts)
}

#[test]
fn f6_a_storm_of_failures_is_not_made_worse_than_the_budget_allows() {
    const CALLERS: usize = 4;
    const CALLS: usize = 100;
    for percent in [100, 50] {
        let (backend, counts) = failing(percent);
        let gateway = Gateway::start(&open(backend.address(), UNGUARDED));
        let address = gateway.address();
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                std::thread::spawn(move || {
                    let mut client = Client::connect(address);
                    for _ in 0..CALLS {
                        let get = client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").answer();
                        assert!(matches!(get.status, 200 | 503), "{}", get.status);
                        let post = client
                            .send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx")
                            .answer();
                        assert!(matches!(post.status, 200 | 503), "{}", post.status);
                    }
                })
            })
            .collect();
        callers.into_iter().for_each(|caller| caller.join().expect("no caller failed"));
        let [gets, posts] = [&counts[0], &counts[1]].map(|count| count.load(Ordering::SeqCst));
        assert_eq!(
            posts,
            CALLERS * CALLS,
            "what was sent and does harm is never sent again ({percent} %)"
        );
        let extra = gets - CALLERS * CALLS;
        let allowed = 2 * CALLERS * CALLS / 5;
        assert!(
            extra <= allowed,
            "{extra} extra attempts where {allowed} are allowed ({percent} %)"
        );
        assert!(extra > 0, "some were tried again ({percent} %)");
        assert!(gateway.metric("portway_retries_total{result=\"denied\"}") > 0.0, "{percent} %");
    }
}

#[test]
fn f6_no_call_is_tried_more_than_three_times_nor_twice_at_one_target() {
    let seen = Arc::<Mutex<Vec<usize>>>::default();
    let backends: Vec<Backend> = (0..5)
        .map(|number| {
            let seen = Arc::clone(&seen);
            Backend::scripted(move |conversation| {
                while conversation.read().is_some() {
                    seen.lock().expect("not poisoned").push(number);
                    conversation.say(b"HTTP/1.1 502 Bad\r\nContent-Length: 0\r\n\r\n");
                }
            })
        })
        .collect();
    let targets: Vec<String> =
        backends.iter().map(|backend| format!("'http://{}'", backend.address())).collect();
    let one = format!("'http://{}'", backends[0].address());
    let document = open(backends[0].address(), UNGUARDED)
        .replace(&one, &format!("[ {} ]", targets.join(", ")));
    let gateway = Gateway::start(&document);
    let request = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
    for calls in 1..=10 {
        assert_eq!(Client::ask(gateway.address(), request).status, 502);
        assert_eq!(seen.lock().expect("not poisoned").len(), calls);
    }
    seen.lock().expect("not poisoned").clear();
    assert_eq!(Client::get(gateway.address(), "/a").status, 502);
    let mut tried = std::mem::take(&mut *seen.lock().expect("not poisoned"));
    assert_eq!(tried.len(), 3, "{tried:?}");
    tried.sort_unstable();
    tried.dedup();
    assert_eq!(tried.len(), 3, "each attempt went to another target");
}

#[test]
fn f6_all_attempts_share_one_deadline() {
    let silent = Backend::scripted(|conversation| conversation.wait_for_end());
    let more = ", timeouts: { first_byte: 300ms }, retries: { budget_percent: 100 }";
    let gateway = Gateway::start(&(open(silent.address(), more) + "    timeout: 500ms\n"));
    let begun = Instant::now();
    let answer = Client::get(gateway.address(), "/a");
    assert_eq!((answer.status, answer.problem().as_str()), (504, "call-timeout"));
    // Three attempts would have taken 900 ms.
    assert!(begun.elapsed() < Duration::from_millis(850), "{:?}", begun.elapsed());
    assert_eq!(silent.connections(), 2);
}

#[test]
fn f6_operations_may_say_that_repeating_them_does_no_harm() {
    let (backend, counts) = failing(100);
    let more = ", retries: { budget_percent: 100 }";
    let document =
        open(backend.address(), more).replace("'* /', ", "'POST /again', 'POST /once', ");
    let gateway =
        Gateway::start(&(document + "    operations: { 'POST /again': { idempotent: true } }\n"));
    let post = |path: &str| {
        Client::ask(
            gateway.address(),
            format!("POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"),
        )
        .status
    };
    assert_eq!(post("/once"), 503);
    assert_eq!(counts[1].load(Ordering::SeqCst), 1);
    assert_eq!(post("/again"), 503);
    assert_eq!(counts[1].load(Ordering::SeqCst), 4);
}
