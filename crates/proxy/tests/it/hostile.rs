//! Backends that mean harm or are beyond help (fault rows F4, F5): the worst of each, beside a caller who
//! must see nothing of it.

use std::time::{Duration, Instant};

use portway_testkit::{Answer, Backend, BlackHole, Client, Conversation, Ended, Gateway};

use crate::open;

type Script = fn(&mut Conversation);

/// A good service beside the bad one.
fn beside(bad: std::net::SocketAddr, more: &str, good: &Backend) -> String {
    open(bad, more).replace("workers: 2", "workers: 1")
        + &format!(
            "  well:\n    path: /well\n    routes: [ 'GET /{{rest+}}' ]\n    auth: public\n    backend: http://{}\n",
            good.address()
        )
}

/// The answer to a call after any interim ones; `None` if the connection was cut before its head.
fn final_answer(client: &mut Client) -> Answer {
    loop {
        let answer = client.answer();
        if answer.status >= 200 {
            return answer;
        }
    }
}

fn storm(conversation: &mut Conversation) {
    if conversation.read().is_some() {
        let many = b"HTTP/1.1 103 Early Hints\r\nX-Evil: 1\r\n\r\n".repeat(1_000);
        let _ = (0..100).all(|_| conversation.say(&many));
    }
}

fn endless_head(conversation: &mut Conversation) {
    if conversation.read().is_some() && conversation.say(b"HTTP/1.1 200 OK\r\n") {
        let line = b"X-Evil: 1\r\n".repeat(100);
        let _ = (0..100_000).all(|_| conversation.say(&line));
    }
}

fn endless_line(conversation: &mut Conversation) {
    if conversation.read().is_some() {
        let _ = (0..1_000).all(|_| conversation.say(&[b'E'; 16 << 10]));
    }
}

fn huge_head(conversation: &mut Conversation) {
    if conversation.read().is_some() {
        conversation
            .say(format!("HTTP/1.1 200 OK\r\nX-Evil: {}\r\n\r\n", "E".repeat(10 << 20)).as_bytes());
    }
}

fn many_fields(conversation: &mut Conversation) {
    if conversation.read().is_some() {
        conversation.say(format!("HTTP/1.1 200 OK\r\n{}\r\n", "E:\r\n".repeat(5_000)).as_bytes());
    }
}

fn reset_at_once(conversation: &mut Conversation) {
    conversation.reset_at_the_end();
    let _ = conversation.read();
}

fn reset_amid_head(conversation: &mut Conversation) {
    conversation.reset_at_the_end();
    if conversation.read().is_some() {
        conversation.say(b"HTTP/1.1 200 OK\r\nX-Evil: ");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn closed_unread(conversation: &mut Conversation) {
    conversation.end();
}

fn garbage(conversation: &mut Conversation) {
    if conversation.read().is_some() {
        let mut seed = 1_u32;
        let noise = std::iter::repeat_with(|| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 24) as u8
        });
        conversation.say(&noise.take(100_000).collect::<Vec<u8>>());
    }
}

fn a_switch(conversation: &mut Conversation) {
    if conversation.read().is_some() {
        conversation.say(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: evil\r\n\r\nEVIL",
        );
        conversation.wait_for_end();
    }
}

fn two_lengths(conversation: &mut Conversation) {
    if conversation.read().is_some() {
        conversation.say(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 0\r\n\r\nEVIL");
        conversation.wait_for_end();
    }
}

#[test]
fn f4_whatever_a_backend_says_instead_of_an_answer_the_caller_gets_a_clean_error() {
    let scripts: [(&str, Script, &[&str]); 13] = [
        ("100,000 interim answers", storm, &["backend-invalid"]),
        ("a head without end", endless_head, &["backend-head-too-large"]),
        ("a line without end", endless_line, &["backend-head-too-large", "backend-invalid"]),
        ("a head of 10 MB", huge_head, &["backend-head-too-large"]),
        ("5,000 fields", many_fields, &["backend-head-too-large"]),
        ("a reset before the head", reset_at_once, &["backend-closed"]),
        ("a reset within the head", reset_amid_head, &["backend-closed"]),
        ("an end before the request was read", closed_unread, &["backend-closed"]),
        ("noise", garbage, &["backend-invalid"]),
        ("a 101 that nobody asked for", a_switch, &["backend-invalid"]),
        ("two lengths", two_lengths, &["backend-invalid"]),
        (
            "an older protocol",
            |it| {
                if it.read().is_some() {
                    it.say(b"HTTP/0.9 200 OK\r\n\r\nEVIL");
                }
            },
            &["backend-invalid"],
        ),
        (
            "a frame of HTTP/2",
            |it| {
                if it.read().is_some() {
                    it.say(b"\0\0\0\x04\0\0\0\0\0");
                }
            },
            &["backend-invalid", "backend-closed"],
        ),
    ];
    let good = Backend::polite();
    for (name, script, codes) in scripts {
        let bad = Backend::scripted(script);
        let gateway = Gateway::start(&beside(bad.address(), "", &good));
        for n in 1..=3 {
            let mut client = Client::connect(gateway.address());
            client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
            let answer = final_answer(&mut client);
            assert!(codes.contains(&answer.problem().as_str()), "{name}: {}", answer.text());
            assert_eq!(
                (answer.status, answer.value("content-type")),
                (502, Some("application/problem+json")),
                "{name}"
            );
            assert!(!answer.head.contains("Evil") && !answer.text().contains("EVIL"), "{name}");
            // Neither this caller's next call nor anybody else's meets a byte of it.
            client.send("GET /well/a HTTP/1.1\r\nHost: a\r\n\r\n");
            assert_eq!(client.answer().text(), "ok:", "{name}");
            assert_eq!(Client::get(gateway.address(), "/well/a").text(), "ok:", "{name}");
            assert_eq!(bad.connections(), n, "{name}: a broken connection was used again");
        }
    }
}

#[test]
fn f4_a_body_that_goes_wrong_is_visibly_cut_and_its_connection_is_gone() {
    let scripts: [(&str, Script); 8] = [
        ("too short", |it| {
            if it.read().is_some() {
                it.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
            }
        }),
        ("a reset", |it| {
            it.reset_at_the_end();
            if it.read().is_some() {
                it.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc");
                std::thread::sleep(Duration::from_millis(50));
            }
        }),
        ("chunks without their end", |it| {
            if it.read().is_some() {
                it.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
            }
        }),
        ("a chunk extension of 1 MB", |it| {
            if it.read().is_some() {
                it.say(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n3;{}\r\nabc\r\n0\r\n\r\n", "E".repeat(1 << 20)).as_bytes());
                it.wait_for_end();
            }
        }),
        ("trailers of 1 MB", |it| {
            if it.read().is_some() {
                it.say(format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Evil: {}\r\n\r\n", "E".repeat(1 << 20)).as_bytes());
                it.wait_for_end();
            }
        }),
        ("a size that is none", |it| {
            if it.read().is_some() {
                it.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0x3\r\nabc\r\n0\r\n\r\n");
                it.wait_for_end();
            }
        }),
        ("a size beyond counting", |it| {
            if it.read().is_some() {
                it.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n10000000000000000\r\nabc\r\n0\r\n\r\n");
                it.wait_for_end();
            }
        }),
        ("trailers that are none", |it| {
            if it.read().is_some() {
                it.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nno field\r\n\r\n");
                it.wait_for_end();
            }
        }),
    ];
    let good = Backend::polite();
    for (name, script) in scripts {
        let bad = Backend::scripted(script);
        let gateway = Gateway::start(&beside(bad.address(), "", &good));
        for n in 1..=3 {
            let mut client = Client::connect(gateway.address());
            client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\nGET /well/a HTTP/1.1\r\nHost: a\r\n\r\n");
            // If nothing of it had gone out, there is no answer at all.
            if let Some(answer) = client.answer_or_end() {
                assert!(answer.status == 502 || !answer.whole, "{name}: {answer:?}");
                assert!(!answer.text().contains("EE"), "{name}");
                assert!(answer.status == 502 || client.ended() != Ended::Open, "{name}");
            }
            assert_eq!(Client::get(gateway.address(), "/well/a").text(), "ok:", "{name}");
            assert_eq!(bad.connections(), n, "{name}: a broken connection was used again");
        }
    }
}

#[test]
fn f4_a_body_without_end_ends_with_the_call() {
    let bad = Backend::scripted(|conversation| {
        if conversation.read().is_some() && conversation.say(b"HTTP/1.1 200 OK\r\n\r\n") {
            while conversation.say(&[b'.'; 1 << 10]) {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let gateway =
        Gateway::start(&crate::open_with(bad.address(), "bounds: { call_timeout: 300ms }", ""));
    let mut client = Client::connect(gateway.address());
    assert!(!client.send("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").answer().whole);
    assert!(gateway.log(1).contains("call-timeout"));
    assert!(gateway.metric("portway_bounds_reached_total{bound=\"call_timeout\"}") >= 1.0);
}

#[test]
fn f4_what_comes_unasked_on_a_connection_at_rest_is_nobodys_answer() {
    let (asked, at_rest) = std::sync::mpsc::channel();
    let at_rest = std::sync::Mutex::new(at_rest);
    let (said, is_said) = std::sync::mpsc::channel();
    let bad = Backend::scripted(move |conversation| {
        if conversation.read().is_some() {
            conversation.answer(b"ok");
            // The caller has its answer, and the connection is at rest.
            let _ = at_rest.lock().expect("not poisoned").recv();
            conversation.answer(b"EVIL");
            let _ = said.send(());
            conversation.wait_for_end();
        }
    });
    let gateway = Gateway::start(&open(bad.address(), "").replace("workers: 2", "workers: 1"));
    for n in 1..=4 {
        assert_eq!(Client::get(gateway.address(), "/a").text(), "ok");
        assert_eq!(bad.connections(), n);
        // What was said lies at the gateway before the next call does.
        asked.send(()).expect("the backend waits");
        is_said.recv().expect("it was said");
    }
}

#[test]
fn f5_a_target_that_swallows_connections_is_given_up_in_time() {
    let hole = BlackHole::new();
    let good = Backend::polite();
    let gateway = Gateway::start(&beside(hole.address(), ", timeouts: { connect: 200ms }", &good));
    let answer = Client::get(gateway.address(), "/a");
    assert_eq!((answer.status, answer.problem().as_str()), (504, "connect-timeout"));
    // While one worker waits for it, others are served by the same worker.
    let mut waiting: Vec<Client> = (0..20).map(|_| Client::connect(gateway.address())).collect();
    for client in &mut waiting {
        client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    }
    for _ in 0..50 {
        assert_eq!(Client::get(gateway.address(), "/well/a").status, 200);
    }
    for client in &mut waiting {
        assert!(matches!(client.answer().problem().as_str(), "connect-timeout" | "no-target"));
    }
    // With a second target calls go round the hole, of whatever method: nothing was sent.
    let document = beside(hole.address(), ", timeouts: { connect: 200ms }", &good).replace(
        &format!("'http://{}'", hole.address()),
        &format!("[ 'http://{}', 'http://{}' ]", hole.address(), good.address()),
    );
    gateway.publish(&document);
    for _ in 0..4 {
        let request = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(Client::ask(gateway.address(), request).text(), "ok:abc");
    }
}

#[test]
fn f5_a_breaker_opens_and_closes_again_when_the_backend_is_well() {
    let ill = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let state = std::sync::Arc::clone(&ill);
    let backend = Backend::scripted(move |conversation| {
        while conversation.read().is_some() {
            if state.load(std::sync::atomic::Ordering::SeqCst) {
                return;
            }
            conversation.answer(b"well");
        }
    });
    let more = ", breaker: { min_calls: 10, open: 200ms, probes: 1 }, passive: { failures: 0 }, retries: { attempts: 1 }";
    let gateway = Gateway::start(&open(backend.address(), more));
    for _ in 0..10 {
        assert_eq!(Client::get(gateway.address(), "/a").problem(), "backend-closed");
    }
    let seen = backend.received().len();
    let answer = Client::get(gateway.address(), "/a");
    assert_eq!((answer.status, answer.problem().as_str()), (503, "no-target"));
    assert_eq!(backend.received().len(), seen, "an open breaker keeps calls away");
    ill.store(false, std::sync::atomic::Ordering::SeqCst);
    let begun = Instant::now();
    while Client::get(gateway.address(), "/a").status != 200 {
        assert!(begun.elapsed() < Duration::from_secs(5), "it recovers within five seconds");
        std::thread::sleep(Duration::from_millis(20));
    }
    for _ in 0..20 {
        assert_eq!(Client::get(gateway.address(), "/a").status, 200);
    }
}

#[test]
fn f5_a_backend_that_has_closed_one_side_still_answers() {
    let backend = Backend::scripted(|conversation| {
        if conversation.read().is_some() {
            conversation.say(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            conversation.end();
            conversation.wait_for_end();
        }
    });
    let gateway = Gateway::start(&open(backend.address(), "").replace("workers: 2", "workers: 1"));
    for _ in 0..5 {
        let request = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n";
        assert_eq!(Client::ask(gateway.address(), request).text(), "ok");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn f5_a_backend_that_reads_nothing_more_holds_nothing_up_for_ever() {
    let frozen = Backend::scripted(|conversation| {
        if conversation.read_head().is_some() {
            std::thread::sleep(Duration::from_millis(1_500));
        }
    });
    let bounds = "bounds: { body_timeout: 300ms, body_bytes: 1GiB }";
    let gateway = Gateway::start(&crate::open_with(frozen.address(), bounds, ""));
    let mut client = Client::connect(gateway.address());
    client.send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n\r\n");
    client.send_until_stuck(&[b'x'; 1 << 16], 100 << 20, Duration::from_millis(200));
    assert_eq!(client.answer().status, 504);
    assert_ne!(client.ended(), Ended::Open);
}
