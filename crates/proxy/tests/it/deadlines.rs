//! How long a call has left: what a caller may say, what a backend is told; and a second attempt when the first takes long.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use portway_testkit::{Backend, Client, Gateway, Http2, frames};

use crate::open;

/// The milliseconds in a header that the backend got, and its unit.
fn left(backend: &Backend, name: &str) -> (u64, String) {
    let received = backend.last();
    let values = received.values(name);
    assert_eq!(values.len(), 1, "{name}: {values:?}");
    let digits = values[0].trim_end_matches(|unit: char| !unit.is_ascii_digit());
    (digits.parse().expect("a number"), values[0][digits.len()..].to_owned())
}

#[test]
fn a_backend_is_told_how_long_a_call_has_left() {
    let backend = Backend::polite();
    let more = ", deadline_header: X-Left-Ms";
    let document =
        open(backend.address(), more).replace("auth: public", "auth: public\n    timeout: 20s");
    let gateway = Gateway::start(&document);
    let ask = |more: &str| {
        let request = format!("GET /a HTTP/1.1\r\nHost: a\r\n{more}\r\n");
        assert_eq!(Client::ask(gateway.address(), request).status, 200);
        left(&backend, "x-left-ms")
    };
    let (ms, unit) = ask("");
    assert!((1..=20_000).contains(&ms) && unit.is_empty(), "{ms}{unit}");
    // A caller may have less time, never more; what is no number is none, in whatever spelling it comes.
    assert!(ask("X-Left-Ms: 7000\r\n").0 <= 7_000);
    for more in ["X-Left-Ms: 900000\r\n", "X-Left-Ms: soon\r\n", "X_Left.Ms: 5\r\n"] {
        assert!((7_001..=20_000).contains(&ask(more).0), "{more}");
        assert!(!backend.last().values("x_left.ms").contains(&"5"));
    }
    // Without the setting nothing is said, and what a caller sends passes as it is.
    let gateway = Gateway::start(&open(backend.address(), ""));
    Client::ask(gateway.address(), "GET /a HTTP/1.1\r\nHost: a\r\nX-Left-Ms: 5\r\n\r\n");
    assert_eq!(left(&backend, "x-left-ms"), (5, String::new()));
}

#[test]
fn the_timeout_of_a_grpc_call_is_handed_on_with_what_is_left() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), ""));
    let ask = |kind: &str, timeout: &str| {
        let mut http2 = Http2::connect(gateway.address(), &[]);
        let mut block = frames::request("POST", "/a");
        block.extend(frames::field(b"content-type", kind.as_bytes()));
        block.extend(frames::field(b"grpc-timeout", timeout.as_bytes()));
        let stream = http2.ask(block);
        assert_eq!(http2.outcome(stream).expect("answered").status(), 200);
        left(&backend, "grpc-timeout")
    };
    let (ms, unit) = ask("application/grpc", "30S");
    assert!((1..=30_000).contains(&ms) && unit == "m", "{ms}{unit}");
    // It holds for the whole call, longer than the answer may take to begin.
    let (ms, unit) = ask("application/grpc+proto", "1H");
    assert!((60_000..=3_600_000).contains(&ms) && unit == "m", "{ms}{unit}");
    // Of other calls it is a header like any other.
    assert_eq!(ask("text/plain", "30S"), (30, "S".to_owned()));
}

/// Callers in a hurry do not put a target out.
#[test]
fn a_deadline_of_the_callers_is_no_fault_of_the_backends() {
    let backend = Backend::scripted(|conversation| {
        let Some(request) = conversation.read() else { return };
        if request.values("x-left-ms")[0].parse::<u64>().is_ok_and(|ms| ms > 1_000) {
            conversation.answer(b"in time");
        }
        conversation.wait_for_end();
    });
    let more = ", deadline_header: X-Left-Ms, passive: { failures: 2 }, breaker: { min_calls: 2 }";
    let gateway = Gateway::start(&open(backend.address(), more));
    for _ in 0..6 {
        let request = "GET /a HTTP/1.1\r\nHost: a\r\nX-Left-Ms: 30\r\n\r\n";
        let answer = Client::ask(gateway.address(), request);
        assert_eq!((answer.status, answer.problem().as_str()), (504, "call-timeout"));
    }
    assert_eq!(Client::get(gateway.address(), "/a").status, 200);
}

/// Nor do callers that have no time at all, or whose time is over before there is a connection.
#[test]
fn a_connection_that_a_caller_does_not_wait_for_is_no_fault_of_the_backends() {
    let more = ", deadline_header: X-Left-Ms, passive: { failures: 2 }, breaker: { min_calls: 2 }";
    let ask = |gateway: &Gateway, left: &str| {
        let request = format!("GET /a HTTP/1.1\r\nHost: a\r\nX-Left-Ms: {left}\r\n\r\n");
        let answer = Client::ask(gateway.address(), request);
        assert_eq!((answer.status, answer.problem().as_str()), (504, "call-timeout"), "{left}");
    };
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), more));
    (0..6).for_each(|_| ask(&gateway, "0"));
    assert_eq!(backend.connections(), 0);
    let mut http2 = Http2::connect(gateway.address(), &[]);
    for _ in 0..6 {
        let mut block = frames::request("POST", "/a");
        block.extend(frames::field(b"content-type", b"application/grpc"));
        block.extend(frames::field(b"grpc-timeout", b"0n"));
        let stream = http2.ask(block);
        http2.outcome(stream).expect("answered");
    }
    assert_eq!(backend.connections(), 0);
    assert_eq!(Client::get(gateway.address(), "/a").status, 200);
    // Of TLS it never says anything.
    let backend = Backend::scripted(|conversation| {
        conversation.read_some();
        conversation.wait_for_end();
    });
    let document = open(backend.address(), more).replace("http://", "https://");
    let gateway = Gateway::start(&document);
    (0..6).for_each(|_| ask(&gateway, "30"));
}

/// Answers by the number of the request: how many have come is counted.
fn counting(
    answer: impl Fn(usize, &AtomicUsize) -> bool + Send + Sync + 'static,
) -> (Backend, Arc<AtomicUsize>) {
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    let backend = Backend::scripted(move |conversation| {
        while conversation.read().is_some() {
            let number = counted.fetch_add(1, Ordering::SeqCst);
            if !answer(number, &counted) {
                return conversation.wait_for_end();
            }
            conversation.answer(format!("answer {number}").as_bytes());
        }
    });
    (backend, count)
}

fn hedging(backend: &Backend, more: &str) -> Gateway {
    let more = format!(", hedge: {{ after: 20ms }}{more}");
    Gateway::start(&open(backend.address(), &more))
}

fn hedges(gateway: &Gateway) -> (f64, f64) {
    let metric = |result| gateway.metric(&format!("portway_hedges_total{{result=\"{result}\"}}"));
    (metric("made"), metric("won"))
}

const ALL: &str = ", retries: { budget_percent: 100 }";

#[test]
fn the_second_attempt_answers_where_the_first_does_not() {
    let (backend, count) = counting(|number, _| number > 0);
    let gateway = hedging(&backend, ALL);
    let answer = Client::get(gateway.address(), "/a");
    assert_eq!((answer.status, answer.text().as_str()), (200, "answer 1"));
    assert_eq!((hedges(&gateway), count.load(Ordering::SeqCst)), ((1.0, 1.0), 2));
    // The place at the backend is given back, and the next call is served.
    assert_eq!(Client::get(gateway.address(), "/a").text(), "answer 2");
    let patience = Instant::now() + Duration::from_secs(20);
    while gateway.metric("portway_endpoint_calls_in_flight") > 0.0 {
        assert!(Instant::now() < patience, "what is given up is no longer under way");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn the_first_attempt_counts_if_it_answers_first() {
    let (backend, _) = counting(|number, count| {
        let patience = Instant::now() + Duration::from_secs(20);
        while number == 0 && count.load(Ordering::SeqCst) < 2 && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(2));
        }
        number == 0
    });
    let gateway = hedging(&backend, ALL);
    assert_eq!(Client::get(gateway.address(), "/a").text(), "answer 0");
    assert_eq!(hedges(&gateway), (1.0, 0.0));
}

#[test]
fn what_may_not_be_repeated_or_paid_for_is_not_sent_twice() {
    for (request, more) in [
        ("POST /a HTTP/1.1\r\nHost: a\r\n\r\n", ALL),
        ("PUT /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx", ALL),
        ("GET /a HTTP/1.1\r\nHost: a\r\n\r\n", ", retries: { budget_percent: 0 }"),
        // There is no second place.
        (
            "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
            ", concurrency: { max: 1 }, retries: { budget_percent: 100, attempts: 1 }",
        ),
    ] {
        let (backend, count) = counting(|_, _| false);
        let gateway = hedging(&backend, &format!("{more}, timeouts: {{ first_byte: 300ms }}"));
        assert_eq!(Client::ask(gateway.address(), request).problem(), "first-byte-timeout");
        assert_eq!(hedges(&gateway), (0.0, 0.0), "{request}");
        assert!(count.load(Ordering::SeqCst) <= 1, "{request}");
    }
}

/// The first attempt is closed as soon as there is a second, which is never answered; others are. How many have come is
/// counted, and the end of the first with them.
fn failing() -> (Backend, Arc<AtomicUsize>) {
    let count = Arc::<AtomicUsize>::default();
    let counted = Arc::clone(&count);
    let backend = Backend::scripted(move |conversation| {
        while conversation.read().is_some() {
            match counted.fetch_add(1, Ordering::SeqCst) {
                0 => {
                    await_count(&counted, 2);
                    conversation.end();
                    counted.fetch_add(1, Ordering::SeqCst);
                    return;
                }
                1 => return conversation.wait_for_end(),
                _ => conversation.answer(b"served"),
            }
        }
    });
    (backend, count)
}

fn await_count(count: &AtomicUsize, least: usize) {
    let patience = Instant::now() + Duration::from_secs(20);
    while count.load(Ordering::SeqCst) < least && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn what_the_first_attempt_came_to_stands_if_the_second_does_not_answer_either() {
    let (backend, _) = failing();
    let gateway = hedging(&backend, ", retries: { budget_percent: 100, attempts: 1 }");
    let answer = Client::get(gateway.address(), "/a");
    assert_eq!((answer.status, answer.problem().as_str()), (502, "backend-closed"));
    assert_eq!(hedges(&gateway), (1.0, 0.0));
}

#[test]
fn a_caller_that_leaves_is_noticed_while_only_the_second_attempt_is_under_way() {
    let (backend, count) = failing();
    let more = ", hedge: { after: 2s }, retries: { budget_percent: 100, attempts: 1 }";
    let gateway = Gateway::start(&open(backend.address(), more));
    let mut client = Client::connect(gateway.address());
    client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    await_count(&count, 3);
    drop(client);
    let log = gateway.log(1);
    assert!(log.contains("caller-gone"), "{log}");
}

/// Two failures would open the breaker; the second attempt's is none.
#[test]
fn a_deadline_of_the_callers_is_no_fault_of_the_second_target_either() {
    let (backend, _) = failing();
    let more = ", deadline_header: X-Left-Ms, hedge: { after: 300ms }, breaker: { min_calls: 2 }, \
                retries: { budget_percent: 100, attempts: 1 }";
    let gateway = Gateway::start(&open(backend.address(), more));
    let request = "GET /a HTTP/1.1\r\nHost: a\r\nX-Left-Ms: 500\r\n\r\n";
    assert!(Client::ask(gateway.address(), request).status >= 500);
    assert_ne!(Client::get(gateway.address(), "/b").problem(), "no-target");
}
