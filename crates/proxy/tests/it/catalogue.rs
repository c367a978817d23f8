//! What the catalogue of errors and the metrics promise is produced, each word over the wire.

use std::time::{Duration, Instant};

use portway_policy::Reason;
use portway_proxy::failure::Fault;
use portway_proxy::telemetry::Bound;
use portway_testkit::frames;
use portway_testkit::{Backend, Client, Gateway, Http2};

use crate::{open, open_with};

/// Waits until a metric has a value.
fn await_metric(gateway: &Gateway, start: &str, least: f64) {
    let patience = Instant::now() + Duration::from_secs(20);
    while gateway.metric(start) < least {
        assert!(Instant::now() < patience, "{start}:\n{}", gateway.metrics());
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn await_no_call(gateway: &Gateway) {
    let patience = Instant::now() + Duration::from_secs(20);
    while gateway.metric("portway_calls_in_flight") > 0.0 {
        assert!(Instant::now() < patience, "{}", gateway.metrics());
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Every word stands in a test of this folder, where something comes of it. A word that nothing produces belongs neither
/// in the code nor in a document.
#[test]
fn every_word_is_met_by_a_test() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests");
    let read = |folder: &str| -> String {
        let files = std::fs::read_dir(folder).expect("a folder").flatten();
        files.filter_map(|file| std::fs::read_to_string(file.path()).ok()).collect()
    };
    let tests = read(&format!("{folder}/it")) + &read(&format!("{folder}/attacks"));
    let reasons = Reason::ALL.iter().map(|reason| reason.word());
    // A panic is not to be had from outside.
    let faults = Fault::ALL.iter().filter(|fault| **fault != Fault::Internal);
    let bounds = Bound::ALL.iter().map(|bound| bound.word());
    for word in reasons.chain(faults.map(|fault| fault.word())).chain(bounds) {
        assert!(tests.contains(&format!("\"{word}")), "no test meets {word}");
    }
}

#[test]
fn a_head_that_stops_is_answered() {
    let backend = Backend::polite();
    let bounds = "bounds: { head_timeout: 200ms }";
    let gateway = Gateway::start(&open_with(backend.address(), bounds, ""));
    let mut client = Client::connect(gateway.address());
    let answer = client.send("GET /a HTTP/1.1\r\nHost").answer();
    assert_eq!((answer.status, answer.problem().as_str()), (408, "head-timeout"));
}

#[test]
fn a_body_that_stops_is_answered_and_counted() {
    let backend = Backend::polite();
    let bounds = "bounds: { body_timeout: 200ms }";
    let gateway = Gateway::start(&open_with(backend.address(), bounds, ""));
    let mut client = Client::connect(gateway.address());
    let answer = client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx").answer();
    assert_eq!((answer.status, answer.problem().as_str()), (408, "body-timeout"));
    assert_eq!(gateway.metric("portway_bounds_reached_total{bound=\"body_timeout\"}"), 1.0);
}

#[test]
fn a_name_without_an_address_is_said() {
    let nobody = Backend::nobody();
    let document = open(nobody, "").replace(&nobody.to_string(), "nobody.invalid:80");
    let gateway = Gateway::start(&document);
    let answer = Client::get(gateway.address(), "/a");
    assert_eq!((answer.status, answer.problem().as_str()), (502, "dns-failed"));
    await_metric(&gateway, "portway_lookups_total{result=\"failed\"}", 1.0);
}

#[test]
fn look_ups_and_checks_are_counted() {
    let backend = Backend::polite();
    let more = ", active: { probe: tcp, interval: 100ms }";
    let document = open(backend.address(), more).replace("127.0.0.1", "localhost");
    let gateway = Gateway::start(&document);
    await_metric(&gateway, "portway_lookups_total{result=\"ok\"}", 1.0);
    await_metric(&gateway, "portway_checks_total{result=\"ok\"}", 1.0);
    let gateway = Gateway::start(&open(Backend::nobody(), more));
    await_metric(&gateway, "portway_checks_total{result=\"failed\"}", 1.0);
}

#[test]
fn ejections_and_breakers_are_counted() {
    let backend = Backend::polite();
    let two = format!("[ 'http://{}', 'http://{}' ]", Backend::nobody(), backend.address());
    let document =
        open(backend.address(), "").replace(&format!("'http://{}'", backend.address()), &two);
    let gateway = Gateway::start(&document);
    for _ in 0..20 {
        assert_eq!(Client::get(gateway.address(), "/a").status, 200);
    }
    assert_eq!(gateway.metric("portway_ejections_total"), 1.0);
    let more = ", breaker: { failure_percent: 1, min_calls: 1 }";
    let gateway = Gateway::start(&open(Backend::nobody(), more));
    assert_eq!(Client::get(gateway.address(), "/a").status, 502);
    assert_eq!(gateway.metric("portway_breaker_openings_total"), 1.0);
}

#[test]
fn connections_of_one_address_are_bounded_and_counted() {
    let backend = Backend::polite();
    let bounds = "bounds: { connections_per_address: 2 }";
    let gateway = Gateway::start(&open_with(backend.address(), bounds, ""));
    let ask = |client: &mut Client| client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").answer();
    let mut held: Vec<Client> = (0..2).map(|_| Client::connect(gateway.address())).collect();
    held.iter_mut().for_each(|client| assert_eq!(ask(client).status, 200));
    let _turned = Client::connect(gateway.address());
    await_metric(&gateway, "portway_bounds_reached_total{bound=\"connections_per_address\"}", 1.0);
}

#[test]
fn streams_beyond_the_bound_are_refused_and_counted() {
    let backend = Backend::scripted(|conversation| conversation.wait_for_end());
    let bounds = "bounds: { http2: { streams: 2 } }";
    let gateway = Gateway::start(&open_with(backend.address(), bounds, ""));
    let mut caller = Http2::connect(gateway.address(), &[]);
    // A caller that has not heard of the bound yet, or does not care.
    let streams: Vec<u32> = (0..4).map(|_| caller.ask(frames::request("GET", "/a"))).collect();
    for stream in &streams[2..] {
        let refused = caller.outcome(*stream).expect("an end");
        assert_eq!((refused.kind, refused.code()), (frames::kind::RST_STREAM, 7));
    }
    await_metric(&gateway, "portway_bounds_reached_total{bound=\"http2.streams\"}", 2.0);
    assert_eq!(gateway.metric("portway_http2_resets_total{by=\"gateway\"}"), 2.0);
}

#[test]
fn resets_beyond_the_bound_are_counted() {
    let backend = Backend::scripted(|conversation| conversation.wait_for_end());
    let bounds = "bounds: { http2: { resets: 10 } }";
    let gateway = Gateway::start(&open_with(backend.address(), bounds, ""));
    // All at once, which `h2` sees, and one after the other.
    for (count, waits) in [(1.0, false), (2.0, true)] {
        let mut caller = Http2::connect(gateway.address(), &[]);
        for n in 1..=11 {
            let stream = caller.ask(frames::request("GET", "/a"));
            if waits {
                await_metric(&gateway, "portway_calls_in_flight", 1.0);
            }
            caller.frame(frames::kind::RST_STREAM, 0, stream, 8_u32.to_be_bytes());
            if waits && n <= 10 {
                await_no_call(&gateway);
            }
        }
        assert_eq!(caller.goodbye(), Some(11));
        await_metric(&gateway, "portway_bounds_reached_total{bound=\"http2.resets\"}", count);
    }
}

#[test]
fn upgraded_connections_are_shown_as_such() {
    let agree = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n";
    let backend = Backend::scripted(move |conversation| {
        if conversation.read_head().is_some() {
            conversation.say(agree.as_bytes());
            conversation.wait_for_end();
        }
    });
    let gateway = Gateway::start(&open(backend.address(), ""));
    let shown = |protocol: &str| {
        let text = gateway.metrics();
        let line = text.lines().find(|line| {
            line.starts_with("portway_connections{") && line.contains(&format!("\"{protocol}\""))
        });
        line.and_then(|line| line.rsplit(' ').next()?.parse::<u32>().ok())
    };
    let mut client = Client::connect(gateway.address());
    client.send("GET /a HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
    assert_eq!(client.answer_to_upgrade().status, 101);
    let until = |protocol: &str, count: u32| {
        let patience = Instant::now() + Duration::from_secs(20);
        while shown(protocol) != Some(count) {
            assert!(Instant::now() < patience, "{}", gateway.metrics());
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    until("upgraded", 1);
    assert_eq!(shown("http/1"), Some(0));
    drop(client);
    until("upgraded", 0);
    until("http/1", 0);
}

#[test]
fn a_caller_that_leaves_before_its_answer_is_shown_as_such() {
    let backend = Backend::scripted(|conversation| conversation.wait_for_end());
    let gateway = Gateway::start(&open(backend.address(), ""));
    let mut client = Client::connect(gateway.address());
    client.send("GET /a HTTP/1.1\r\nHost: api.test:8080\r\n\r\n");
    await_metric(&gateway, "portway_calls_in_flight", 1.0);
    drop(client);
    let line = gateway.log(1);
    let shown = "\"status\":499,\"outcome\":\"caller-gone\",\"source\":\"caller\"";
    assert!(line.contains(shown) && line.contains("\"host\":\"api.test\""), "{line}");
    assert_eq!(gateway.metric("portway_calls_total{service=\"app\",class=\"4xx\"}"), 1.0);
}

#[test]
fn a_body_that_there_is_no_room_to_hold_is_refused_and_counted() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&format!(
        "gateway: {{ workers: 1, drain_timeout: 1s, bounds: {{ held_bytes: 100 }} }}\nservices:\n  app: {{ routes: [ 'POST /' ], auth: [hmac], backend: 'http://{}' }}\napps:\n  phone: {{ hmac: [ {{ id: one, secret: {{ env: A }} }} ] }}\n",
        backend.address()
    ));
    let now = httpdate::fmt_http_date(std::time::SystemTime::now());
    let call = |length: usize| {
        Client::ask(
            gateway.address(),
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nX-Date: {now}\r\nAuthorization: hmac id=\"one\", algorithm=\"hmac-sha256\", headers=\"x-date\", signature=\"{}=\"\r\nContent-Length: {length}\r\n\r\n{}",
                "A".repeat(43),
                "x".repeat(length)
            ),
        )
    };
    // What fits is held and judged; what does not is refused, and gives back what it took.
    for _ in 0..3 {
        assert_eq!(call(90).status, 401);
        let answer = call(101);
        assert_eq!((answer.status, answer.problem().as_str()), (503, "too-much-held"));
    }
    assert_eq!(gateway.metric("portway_bounds_reached_total{bound=\"held_bytes\"}"), 3.0);
}
