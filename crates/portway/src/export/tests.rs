//! Collectors of every kind, and what becomes of spans with them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver as Answers, Sender, channel};

use portway_proxy::telemetry::SpanCounts;
use portway_proxy::tls::{ClientTlsFiles, ClientTlsStore};
use portway_testkit::{Backend, Certificates, Gateway};

use super::*;

/// What a collector does with a connection: it is given each request's head and body, and the bytes go back.
/// `None` closes it.
type Script = Box<dyn Fn(usize) -> Option<Vec<u8>> + Send>;

fn answer(status: &str, fields: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// A collector that does as it is told; tells of each request it got.
fn collector(script: Script) -> (SocketAddr, Answers<(String, usize)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (told, requests) = channel();
    std::thread::spawn(move || {
        let mut number = 0;
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            while let Some(request) = read_request(&mut stream) {
                let _ = Sender::send(&told, request);
                let said = script(number);
                number += 1;
                match said {
                    Some(bytes) if stream.write_all(&bytes).is_ok() => {}
                    _ => break,
                }
            }
        }
    });
    (address, requests)
}

/// Head and length of the body; nothing at the end of the connection.
fn read_request(stream: &mut std::net::TcpStream) -> Option<(String, usize)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1)?.lines().next()?.parse().ok()?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some((head, length))
}

fn hasty(address: SocketAddr) -> Collector {
    Collector {
        host: address.ip().to_string(),
        port: address.port(),
        authority: HeaderValue::from_str(&address.to_string()).unwrap(),
        path: "/v1/traces".to_owned(),
        headers: vec![(HeaderName::from_static("x-token"), HeaderValue::from_static("t0p"))],
        tls: None,
        resource: vec![("service.name".to_owned(), "portway".to_owned())],
        pace: Pace {
            gather: Duration::from_millis(1),
            pause: Duration::from_millis(1),
            timeout: Duration::from_secs(5),
        },
    }
}

/// Sends `batches` of three spans each, one after the other was dealt with, and counts.
fn send(collector: Collector, batches: usize) -> SpanCounts {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (sender, receiver) = tokio::sync::mpsc::channel(64);
        let tallies = Arc::new(SpanTallies::default());
        let mut exporter = Exporter::new(collector, receiver, Arc::clone(&tallies));
        drop(sender);
        for _ in 0..batches {
            exporter
                .deliver(SpanBatch { bytes: b"\x12\x00\x12\x00\x12\x00".to_vec(), spans: 3 })
                .await;
        }
        exporter.run().await;
        tallies.counts()
    })
}

fn check(script: Script, batches: usize, expected: SpanCounts) -> Vec<(String, usize)> {
    let (address, requests) = collector(script);
    assert_eq!(send(hasty(address), batches), expected);
    requests.try_iter().collect()
}

const NONE: SpanCounts =
    SpanCounts { sent: 0, dropped: 0, refused: 0, requests_ok: 0, requests_failed: 0 };

#[test]
fn a_collector_that_takes_them() {
    let expected = SpanCounts { sent: 6, requests_ok: 2, ..NONE };
    let got = check(Box::new(|_| Some(answer("200 OK", "", b""))), 2, expected);
    assert_eq!(got.len(), 2);
    let head = &got[0].0;
    assert!(head.starts_with("post /v1/traces http/1.1\r\n"), "{head}");
    assert!(head.contains("content-type: application/x-protobuf\r\n"), "{head}");
    assert!(head.contains("x-token: t0p\r\n") && head.contains("user-agent: portway/"), "{head}");
}

#[test]
fn one_that_takes_some_of_them() {
    // partial_success { rejected_spans: 2 error_message: "no" }
    let body = b"\x0a\x06\x08\x02\x12\x02no";
    let expected = SpanCounts { sent: 1, refused: 2, requests_ok: 1, ..NONE };
    check(Box::new(|_| Some(answer("200 OK", "", body))), 1, expected);
}

#[test]
fn one_that_is_busy_for_a_while() {
    let script = |number| {
        Some(match number {
            0 => answer("503 Busy", "Retry-After: 0\r\n", b""),
            1 => answer("429 Slow", "", b""),
            _ => answer("200 OK", "", b""),
        })
    };
    let expected = SpanCounts { sent: 3, requests_ok: 1, requests_failed: 2, ..NONE };
    assert_eq!(check(Box::new(script), 1, expected).len(), 3);
}

#[test]
fn f15_one_that_is_busy_for_ever() {
    let expected = SpanCounts { dropped: 3, requests_failed: u64::from(ATTEMPTS_MAX), ..NONE };
    check(Box::new(|_| Some(answer("503 Busy", "", b""))), 1, expected);
}

#[test]
fn f15_one_that_fails_or_refuses_is_not_asked_again() {
    for status in ["500 Oops", "400 Bad", "401 Who", "404 Where", "413 Much"] {
        let expected = SpanCounts { refused: 3, requests_failed: 1, ..NONE };
        let script = move |_| Some(answer(status, "", b""));
        assert_eq!(check(Box::new(script), 1, expected).len(), 1, "{status}");
    }
}

#[test]
fn f15_redirects_are_not_followed() {
    let (elsewhere, asked) = collector(Box::new(|_| Some(answer("200 OK", "", b""))));
    for status in ["301 Moved", "302 Found", "307 Other", "308 Moved"] {
        let location = format!("Location: http://{elsewhere}/v1/traces\r\n");
        let script = move |_| Some(answer(status, &location, b""));
        let expected = SpanCounts { refused: 3, requests_failed: 1, ..NONE };
        check(Box::new(script), 1, expected);
    }
    assert_eq!(asked.try_iter().count(), 0);
}

#[test]
fn f15_one_that_says_ten_megabytes() {
    let large = vec![b'x'; 10 << 20];
    let script = move |_| Some(answer("200 OK", "", &large));
    let expected = SpanCounts { sent: 6, requests_ok: 2, ..NONE };
    check(Box::new(script), 2, expected);
}

#[test]
fn f15_one_that_says_no_http() {
    for said in [&b"\x16\x03\x01\x02\x00"[..], b"HTTP/1.1 banana\r\n\r\n", b"220 smtp ready\r\n"] {
        let script = move |_| Some(said.to_vec());
        let (address, _requests) = collector(Box::new(script));
        let mut collector = hasty(address);
        collector.pace.timeout = Duration::from_millis(200);
        let counts = send(collector, 1);
        assert_eq!((counts.sent, counts.dropped), (0, 3), "{said:?}");
    }
}

#[test]
fn f15_one_with_an_endless_head() {
    let script = |_| {
        let line = [b"x: ".as_slice(), &[b'y'; 1000], b"\r\n"].concat();
        Some([b"HTTP/1.1 200 OK\r\n".to_vec(), line.repeat(10_000)].concat())
    };
    let (address, _requests) = collector(Box::new(script));
    let counts = send(hasty(address), 1);
    assert_eq!((counts.sent, counts.dropped), (0, 3));
}

#[test]
fn f15_one_that_hangs() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut collector = hasty(listener.local_addr().unwrap());
    collector.pace.timeout = Duration::from_millis(20);
    let counts = send(collector, 1);
    assert_eq!(
        (counts.sent, counts.dropped, counts.requests_failed),
        (0, 3, u64::from(ATTEMPTS_MAX))
    );
}

#[test]
fn f15_nobody_listens() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let counts = send(hasty(address), 1);
    assert_eq!((counts.sent, counts.dropped), (0, 3));
}

#[test]
fn one_that_closes_its_connections_between_requests() {
    // It answers one request on each connection and closes it without a word.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            if read_request(&mut stream).is_some() {
                let _ = stream.write_all(&answer("200 OK", "", b""));
            }
        }
    });
    let counts = send(hasty(address), 3);
    assert_eq!((counts.sent, counts.dropped), (9, 0));
}

/// The collector is a gateway that ends TLS, and a backend behind it.
#[test]
fn over_tls_it_must_prove_who_it_is() {
    let certificates = Certificates::new();
    certificates.write("collector", &["localhost"]);
    certificates.write("other", &["localhost"]);
    let file = |name: &str| certificates.path(name).display().to_string();
    let backend = Backend::polite();
    let front = Gateway::start(&format!(
        "gateway:\n  log: {{ calls: off }}\n  listen: [ {{ address: '127.0.0.1:0', tls: {{ certificates: [ {{ cert: '{}', key: '{}' }} ] }} }} ]\n\
         services:\n  collector: {{ routes: [ 'POST /v1/traces' ], auth: public, backend: 'http://{}' }}\n",
        file("collector.crt"),
        file("collector.key"),
        backend.address()
    ));
    for (ca, sent) in [("collector.crt", 3), ("other.crt", 0)] {
        let files = ClientTlsFiles { ca: Some(certificates.path(ca)), ..ClientTlsFiles::default() };
        let mut collector = hasty(front.address());
        collector.tls = Some(ClientTlsStore::default().client(&files, "localhost", false).unwrap());
        collector.host = "localhost".to_owned();
        let authority = format!("localhost:{}", front.address().port());
        collector.authority = HeaderValue::from_str(&authority).unwrap();
        let counts = send(collector, 1);
        assert_eq!((counts.sent, counts.dropped), (sent, 3 - sent), "{ca}");
    }
    assert_eq!(backend.received().len(), 1);
}

#[test]
fn pauses_that_are_asked_for_are_bounded() {
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, HeaderValue::from_static("99999999999"));
    let Sent::Later(Some(asked), _) = judge(StatusCode::SERVICE_UNAVAILABLE, &headers, b"") else {
        panic!("it may be tried again");
    };
    assert!(asked.min(PAUSE_MAX) == PAUSE_MAX);
    headers.insert(RETRY_AFTER, HeaderValue::from_static("Wed, 21 Oct 2026 07:28:00 GMT"));
    let judged = judge(StatusCode::SERVICE_UNAVAILABLE, &headers, b"");
    assert!(matches!(judged, Sent::Later(None, _)), "a date is not read; our own pause holds");
}

#[test]
fn hostile_answers_are_read_to_no_harm() {
    for (answer, expected) in [
        (&b""[..], 0),
        (b"\x0a", 0),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 0),
        (b"\x0a\x02\x08\x05", 5),
        (b"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", u64::MAX),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 0),
        (b"{\"partialSuccess\":{}}", 0),
    ] {
        assert_eq!(rejected_spans(answer), expected, "{answer:?}");
    }
}

#[test]
fn spans_are_gathered_into_one_request() {
    let (address, requests) = collector(Box::new(|_| Some(answer("200 OK", "", b""))));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let counts = runtime.block_on(async {
        let (sender, receiver) = tokio::sync::mpsc::channel(64);
        for _ in 0..10 {
            sender.try_send(SpanBatch { bytes: b"\x12\x00".to_vec(), spans: 1 }).unwrap();
        }
        drop(sender);
        let tallies = Arc::new(SpanTallies::default());
        Exporter::new(hasty(address), receiver, Arc::clone(&tallies)).run().await;
        tallies.counts()
    });
    assert_eq!(counts, SpanCounts { sent: 10, requests_ok: 1, ..NONE });
    assert_eq!(requests.try_iter().count(), 1);
}
