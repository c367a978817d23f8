//! Documents change under load, and nobody notices but by what they say.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use portway_testkit::{Backend, Client, Ended, Gateway};

use crate::open;

/// A document whose version shows at two places of each request.
fn version(backend: &Backend, number: usize) -> String {
    open(
        backend.address(),
        &format!(
            ", credentials: [ {{ header: {{ name: X-A, value: {{ env: 'v{number}' }} }} }}, {{ header: {{ name: X-B, value: {{ env: 'v{number}' }} }} }} ]"
        ),
    )
}

#[test]
fn no_call_is_lost_or_mixed_while_documents_change() {
    let backend = Backend::scripted(|conversation| {
        while let Some(request) = conversation.read() {
            let (a, b) = (request.values("x-a"), request.values("x-b"));
            let same = a == b && a.len() == 1;
            conversation.answer(if same { b"same" } else { b"mixed" });
        }
    });
    let gateway = Gateway::start(&version(&backend, 0));
    let (stop, calls) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (stop, calls, address) = (Arc::clone(&stop), Arc::clone(&calls), gateway.address());
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                while !stop.load(Ordering::Relaxed) {
                    let answer = client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").answer();
                    assert_eq!((answer.status, answer.text().as_str()), (200, "same"));
                    calls.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for number in 1..=200 {
        gateway.publish(&version(&backend, number));
        let seen = calls.load(Ordering::Relaxed);
        // Every version meets at least one call.
        while calls.load(Ordering::Relaxed) == seen {
            std::thread::yield_now();
        }
    }
    stop.store(true, Ordering::Relaxed);
    callers.into_iter().for_each(|caller| caller.join().expect("no call failed"));
    // Those of the callers may have begun before the last version was there.
    assert_eq!(Client::get(gateway.address(), "/a").text(), "same");
    assert_eq!(backend.last().values("x-a"), ["secret-of-v200"]);
}

#[test]
fn a_drain_lets_calls_end_and_closes_what_rests() {
    let backend = Backend::scripted(|conversation| {
        if conversation.read().is_some() {
            conversation.say(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nfir");
            std::thread::sleep(std::time::Duration::from_millis(300));
            conversation.say(b"st.");
            conversation.wait_for_end();
        }
    });
    let gateway = Gateway::start(&open(backend.address(), ""));
    let mut resting = Client::connect(gateway.address());
    assert_eq!(resting.send("GET /../x HTTP/1.1\r\nHost: a\r\n\r\n").answer().status, 400);
    let mut busy = Client::connect(gateway.address());
    busy.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(busy.bytes(5), b"HTTP/");
    gateway.begin_to_drain();
    assert_eq!(resting.ended(), Ended::Closed);
    let rest = busy.bytes(usize::MAX);
    assert!(rest.ends_with(b"first."), "{}", String::from_utf8_lossy(&rest));
    gateway.drain();
}

#[test]
fn calls_that_a_drain_cuts_are_recorded_all_the_same() {
    let backend = Backend::scripted(|conversation| conversation.wait_for_end());
    let document = open(backend.address(), "").replace("drain_timeout: 2s", "drain_timeout: 100ms");
    let gateway = Gateway::start(&document);
    let mut clients: Vec<Client> = (0..100).map(|_| Client::connect(gateway.address())).collect();
    for client in &mut clients {
        client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    }
    while gateway.metric("portway_calls_in_flight") < 100.0 {
        std::thread::yield_now();
    }
    gateway.drain();
    assert_eq!(gateway.metric("portway_calls_in_flight"), 0.0);
    let log = gateway.log(100);
    assert_eq!(log.matches("\"outcome\":\"draining\"").count(), 100, "{log}");
}
