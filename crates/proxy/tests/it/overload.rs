//! More calls than can be served: whose are, and what the others are told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portway_testkit::{Backend, Client, Gateway};

/// A backend that answers a call only when it is told to.
struct Held {
    backend: Backend,
    let_go: Sender<()>,
}

impl Held {
    fn new() -> Self {
        let (let_go, told): (Sender<()>, Receiver<()>) = channel();
        let told = Mutex::new(told);
        let backend = Backend::scripted(move |conversation| {
            while conversation.read().is_some() {
                let go = told.lock().expect("none panicked").recv();
                if go.is_err() {
                    return;
                }
                conversation.answer(b"served");
            }
        });
        Self { backend, let_go }
    }
}

fn await_metric(gateway: &Gateway, start: &str, value: f64) {
    let patience = Instant::now() + Duration::from_secs(20);
    while gateway.metric(start) != value {
        assert!(Instant::now() < patience, "{start}:\n{}", gateway.metrics());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// One place at the backend and one in the queue: calls of a higher plan go first, and take the place of others.
#[test]
fn the_plan_says_who_waits_and_who_goes_first() {
    let held = Held::new();
    let key = portway_testkit::sha256_hex;
    let document = format!(
        "portway: 1\ngateway: {{ listen: [\"127.0.0.1:0\"] }}\nservices:\n  a:\n    path: /\n    routes: [\"GET /{{x}}\"]\n    \
         auth: [key]\n    backend: {{ targets: \"http://{}\", concurrency: {{ max: 1, queue: 1, queue_timeout: 20s }} }}\n\
         apps:\n  low: {{ keys: [ {{ sha256: {} }} ], plan: low }}\n  high: {{ keys: [ {{ sha256: {} }} ], plan: high }}\n\
         plans:\n  low: {{ priority: low }}\n  high: {{ priority: high }}\n",
        held.backend.address(),
        key("the-low-key-of-this-test"),
        key("the-high-key-of-this-test"),
    );
    let gateway = Gateway::start(&document);
    let call = |key: &str| {
        let mut client = Client::connect(gateway.address());
        client.send(format!("GET /x HTTP/1.1\r\nHost: a\r\nX-Api-Key: {key}\r\n\r\n"));
        client
    };
    let (low, high) = ("the-low-key-of-this-test", "the-high-key-of-this-test");
    let mut served = call(low);
    await_metric(&gateway, "portway_backend_calls_in_flight", 1.0);
    let mut displaced = call(low);
    await_metric(&gateway, "portway_backend_queue", 1.0);
    let mut first = call(high);
    let answer = displaced.answer();
    assert_eq!((answer.status, answer.problem().as_str()), (503, "queue-full"));
    let seconds: u32 = answer.value("retry-after").expect("told").parse().expect("seconds");
    assert!((1..=3).contains(&seconds), "{seconds}");
    // The connection goes on.
    displaced.send(format!("GET /x HTTP/1.1\r\nHost: a\r\nX-Api-Key: {low}\r\n\r\n"));
    assert_eq!(displaced.answer().problem(), "queue-full");
    for client in [&mut served, &mut first] {
        held.let_go.send(()).expect("it listens");
        assert_eq!(client.answer().status, 200);
    }
    let refused = |priority| {
        gateway.metric(&format!(
            "portway_backend_refused_total{{backend=\"a\",priority=\"{priority}\"}}"
        ))
    };
    assert_eq!((refused("low"), refused("normal"), refused("high")), (2.0, 0.0, 0.0));
    assert_eq!(gateway.metric("portway_backend_calls_awaiting_limit"), 1.0);
}

/// As long as a worker has more to do than time, calls without a plan are refused. Each of these costs milliseconds, however
/// fast the machine: what waits for its turn waits for the calls of all others.
#[test]
fn a_worker_that_lags_refuses_calls() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&format!(
        "gateway: {{ workers: 1, bounds: {{ lag: 1ms }} }}\nservices:\n  app:\n    contract: tests/data/bodies.yaml\n    \
         auth: public\n    backend: {{ targets: \"http://{}\", concurrency: {{ adaptive: false }} }}\n",
        backend.address()
    ));
    let body = format!("{{\"sku\":\"a\",\"list\":[0{}]}}", ",0".repeat(90_000));
    let call = format!(
        "POST /orders HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (address, seen) = (gateway.address(), Arc::<AtomicBool>::default());
    let patience = Instant::now() + Duration::from_secs(120);
    std::thread::scope(|scope| {
        for _ in 0..32 {
            let (seen, call) = (Arc::clone(&seen), &call);
            scope.spawn(move || {
                let mut client = Client::connect(address);
                while !seen.load(Ordering::Relaxed) && Instant::now() < patience {
                    // Refused before its body is read, a call ends its connection.
                    let answer = client.send(call).answer();
                    if answer.status == 503 {
                        assert_eq!(answer.problem(), "overloaded");
                        assert!(answer.value("retry-after").is_some());
                        seen.store(true, Ordering::Relaxed);
                        return;
                    }
                    assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
                }
            });
        }
    });
    assert!(seen.load(Ordering::Relaxed), "nobody was refused");
    assert!(gateway.metric("portway_bounds_reached_total{bound=\"lag\"}") >= 1.0);
    // It is over as soon as they are gone.
    let patience = Instant::now() + Duration::from_secs(60);
    while Client::get(address, "/orders").status == 503 {
        assert!(Instant::now() < patience, "it is served again");
    }
}
