//! Peers that are slow on purpose (fault row F1, class C21), at every step of the protocol, and floods of
//! them (F2).

use std::time::{Duration, Instant};

use portway_testkit::{Backend, Client, Ended, Gateway};

use crate::{open, open_with};

/// Short enough to be met, long enough for a busy machine to serve whoever is not slow.
const BOUNDS: &str = "bounds: { head_timeout: 400ms, body_timeout: 400ms, idle_timeout: 400ms, write_timeout: 400ms }";

/// Sends a byte every few milliseconds until the gateway has had enough; says for how long.
fn drip(client: &mut Client, bytes: &[u8], pause: Duration) -> Duration {
    let begun = Instant::now();
    for byte in bytes.iter().cycle() {
        client.send([*byte]);
        if !client.is_open_after(pause) || begun.elapsed() > Duration::from_secs(10) {
            break;
        }
    }
    begun.elapsed()
}

#[test]
fn f1_a_head_that_drips_is_measured_as_a_whole() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open_with(backend.address(), BOUNDS, ""));
    for begun in [
        "G",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET /second HTTP/1.1\r\n",
    ] {
        let mut client = Client::connect(gateway.address());
        client.send(begun);
        let took = drip(
            &mut client,
            if begun == "G" { b"E" } else { b"X: 1\r\n" },
            Duration::from_millis(50),
        );
        assert!(took < Duration::from_secs(3), "{begun:?}: {took:?}");
    }
    assert!(gateway.metric("portway_bounds_reached_total{bound=\"head_timeout\"}") >= 3.0);
}

#[test]
fn f1_a_body_may_be_slow_but_not_for_longer_than_the_call() {
    let backend = Backend::polite();
    let gateway =
        Gateway::start(&(open_with(backend.address(), BOUNDS, "") + "    timeout: 600ms\n"));
    let mut client = Client::connect(gateway.address());
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
    let took = drip(&mut client, b"x", Duration::from_millis(50));
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert!(gateway.log(1).contains("body-timeout"), "it is the caller's fault");
    // Slow, but well within: it is served.
    let mut client = Client::connect(gateway.address());
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n");
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(20));
        client.send("x");
    }
    assert_eq!(client.answer().text(), "ok:xxxxx");
}

#[test]
fn f1_a_reader_that_sips_is_served_and_one_that_stops_is_not() {
    let body = "x".repeat(8 << 20);
    let backend =
        Backend::saying(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    let gateway = Gateway::start(&open_with(backend.address(), BOUNDS, ""));
    let mut sipping = Client::connect(gateway.address());
    sipping.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    for _ in 0..30 {
        assert_eq!(sipping.bytes(256 << 10).len(), 256 << 10);
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(sipping);
    let mut stopped = Client::with_small_window(gateway.address());
    stopped.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(gateway.log(2).contains("caller-too-slow"));
    assert!(!stopped.answer().whole);
    assert!(gateway.metric("portway_bounds_reached_total{bound=\"write_timeout\"}") >= 1.0);
}

#[test]
fn f1_a_thousand_slow_peers_hold_nobody_up_and_are_gone_in_time() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open_with(backend.address(), BOUNDS, ""));
    let parts = [
        "",
        "G",
        "GET / HTTP/1.1\r\nHost: a\r\nX: ",
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nx",
        "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nx",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ];
    let mut slow: Vec<Client> = Vec::new();
    for n in 0..1_000 {
        let mut client = Client::connect(gateway.address());
        client.send(parts[n % parts.len()]);
        slow.push(client);
        if n % 20 == 0 {
            assert_eq!(Client::get(gateway.address(), "/a").status, 200);
        }
    }
    let begun = Instant::now();
    while gateway.connections() > 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(5),
            "{} are still here",
            gateway.connections()
        );
        assert_eq!(Client::get(gateway.address(), "/a").status, 200);
        std::thread::sleep(Duration::from_millis(20));
    }
    for (n, client) in slow.iter_mut().enumerate() {
        assert_ne!(client.ended(), Ended::Open, "{:?}", parts[n % parts.len()]);
    }
}

/// Holds all places of a backend with callers that move next to nothing, and asks as somebody else.
fn check_that_others_get_in(hold: impl Fn(&Gateway) -> Client, gateway: &Gateway) {
    const PLACES: usize = 4;
    let _held: Vec<Client> = (0..PLACES).map(|_| hold(gateway)).collect();
    for _ in 0..PLACES {
        assert_eq!(Client::get(gateway.address(), "/other").status, 200);
    }
}

#[test]
fn f1_callers_that_do_not_move_keep_no_place_that_others_wait_for() {
    let body = "x".repeat(8 << 20);
    let large = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let backend = Backend::scripted(move |conversation| {
        while let Some(received) = conversation.read() {
            if received.line().starts_with("GET /large") {
                conversation.say(large.as_bytes());
                return;
            }
            conversation.answer(b"ok");
        }
    });
    // All bounds as they are by default: half a minute and more.
    let more = ", concurrency: { max: 4, queue: 8, queue_timeout: 20s }";
    let gateway = Gateway::start(&open(backend.address(), more));
    let silent = |gateway: &Gateway| {
        let mut client = Client::connect(gateway.address());
        client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx");
        client
    };
    check_that_others_get_in(silent, &gateway);
    let unread = |gateway: &Gateway| {
        let mut client = Client::with_small_window(gateway.address());
        client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n");
        client
    };
    check_that_others_get_in(unread, &gateway);
    // All of them, since those that were cut may be written down after those that came in their place.
    let log = gateway.log(16);
    assert!(log.contains("body-timeout") && log.contains("caller-too-slow"), "{log}");
}

#[test]
fn c21_a_proxy_header_has_a_deadline() {
    let backend = Backend::polite();
    let listen = format!(
        "{BOUNDS}, trusted_proxies: [ 127.0.0.0/8 ], listen: [ {{ address: '127.0.0.1:0', proxy_protocol: true }} ]"
    );
    let gateway = Gateway::start(&open_with(backend.address(), &listen, ""));
    for begun in [&b""[..], b"PROXY TCP4 1.2.3.4", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\xff"] {
        let mut client = Client::connect(gateway.address());
        client.send(begun);
        assert_ne!(client.ended(), Ended::Open, "{begun:?}");
        let mut client = Client::connect(gateway.address());
        client.send(begun);
        let took = drip(&mut client, b"1", Duration::from_millis(50));
        assert!(took < Duration::from_secs(3), "{begun:?}: {took:?}");
    }
    let request = "PROXY TCP4 203.0.113.7 1.2.3.4 5 6\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(Client::ask(gateway.address(), request).status, 200);
    assert_eq!(backend.last().values("x-forwarded-for"), ["203.0.113.7"]);
}

#[test]
fn f2_a_flood_of_connections_leaves_the_gateway_serving() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open_with(backend.address(), "bounds: { connections: 200 }", ""));
    let begun = Instant::now();
    for wave in 0..20 {
        let flood: Vec<Client> = (0..100).map(|_| Client::connect(gateway.address())).collect();
        drop(flood);
        if wave % 5 == 0 {
            assert_eq!(Client::get(gateway.address(), "/a").status, 200);
        }
    }
    while gateway.connections() > 0 {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{} are still here",
            gateway.connections()
        );
        std::thread::sleep(Duration::from_millis(5));
    }
    // More than there is room for: some are turned away and counted, and there is room again later.
    let mut held: Vec<Client> = (0..300).map(|_| Client::connect(gateway.address())).collect();
    let turned = held
        .iter_mut()
        .map(|client| usize::from(!client.is_open_after(Duration::from_millis(20))))
        .sum::<usize>();
    assert!(turned >= 100, "{turned}");
    assert!(gateway.metric("portway_bounds_reached_total{bound=\"connections\"}") >= 100.0);
    drop(held);
    while gateway.connections() > 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(Client::get(gateway.address(), "/a").status, 200);
}
