//! HTTP/2 through the gateway: by prior knowledge, by ALPN, on both sides, and under attack.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{Reason, RecvStream};
use http::{HeaderMap, Request, StatusCode};
use portway_testkit::frames::{self, kind};
use portway_testkit::{Backend, Client, Gateway, Http2};
use tokio::net::TcpStream;

use crate::{open, open_with};

/// Runs a test on a runtime of its own, with an end.
fn run(test: impl Future<Output = ()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(30), test).await.expect("the test came to an end");
    });
}

async fn connect(address: SocketAddr) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(address).await.expect("the gateway accepts");
    let (send, connection) = h2::client::handshake(stream).await.expect("a handshake");
    tokio::spawn(connection);
    send.ready().await.expect("ready")
}

async fn body(mut receive: RecvStream) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
    let mut bytes = Vec::new();
    while let Some(piece) = receive.data().await {
        let piece = piece?;
        receive.flow_control().release_capacity(piece.len())?;
        bytes.extend_from_slice(&piece);
    }
    Ok((bytes, receive.trailers().await?))
}

fn get(path: &str) -> Request<()> {
    Request::get(format!("http://api.test{path}")).body(()).expect("a request")
}

#[test]
fn calls_share_a_connection() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), ""));
    run(async {
        let mut send = connect(gateway.address()).await;
        let calls: Vec<_> = (0..100)
            .map(|n| {
                let request =
                    Request::post(format!("http://api.test/{n}")).body(()).expect("a request");
                let (answer, mut stream) = send.send_request(request, false).expect("sent");
                stream.send_data(Bytes::from(format!("{n}")), true).expect("sent");
                answer
            })
            .collect();
        for (n, answer) in calls.into_iter().enumerate() {
            let answer = answer.await.expect("answered");
            assert_eq!(answer.status(), StatusCode::OK);
            let (bytes, _) = body(answer.into_body()).await.expect("a body");
            assert_eq!(bytes, format!("ok:{n}").as_bytes());
        }
    });
    let got = backend.last();
    assert_eq!(got.values("x-forwarded-host"), ["api.test"]);
    assert_eq!(got.values("via"), ["2.0 portway"]);
}

#[test]
fn large_bodies_and_trailers_pass() {
    let body_bytes = 3_000_000;
    let said = format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body_bytes:x}\r\n{}\r\n0\r\nX-Sum: 7\r\n\r\n",
        "y".repeat(body_bytes)
    );
    let backend = Backend::saying(said);
    let gateway = Gateway::start(&open(backend.address(), ""));
    run(async {
        let mut send = connect(gateway.address()).await;
        let request = Request::post("http://api.test/a").body(()).expect("a request");
        let (answer, mut stream) = send.send_request(request, false).expect("sent");
        stream.send_data(Bytes::from(vec![b'x'; 200_000]), false).expect("sent");
        stream
            .send_trailers(HeaderMap::from_iter([(
                http::HeaderName::from_static("x-up"),
                http::HeaderValue::from_static("1"),
            )]))
            .expect("sent");
        let (bytes, trailers) =
            body(answer.await.expect("answered").into_body()).await.expect("a body");
        assert_eq!(bytes.len(), body_bytes);
        assert_eq!(trailers.expect("there are trailers")["x-sum"], "7");
    });
    let got = backend.last();
    assert_eq!((got.body.len(), got.trailers), (200_000, vec!["x-up: 1".to_owned()]));
}

/// A backend of HTTP/2 that echoes with trailers, as gRPC does.
fn grpc_backend() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    listener.set_nonblocking(true).expect("set");
    std::thread::spawn(move || {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).expect("usable");
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut connection = h2::server::handshake(stream).await.expect("a handshake");
                    while let Some(Ok((request, mut respond))) = connection.accept().await {
                        tokio::spawn(async move {
                            let te = request.headers().get("te").cloned();
                            let (bytes, _) = body(request.into_body()).await.expect("a body");
                            let response = http::Response::builder()
                                .header("content-type", "application/grpc")
                                .header(
                                    "x-te",
                                    te.unwrap_or(http::HeaderValue::from_static("none")),
                                )
                                .body(())
                                .expect("a response");
                            let mut send = respond.send_response(response, false).expect("sent");
                            for piece in bytes.chunks(10) {
                                send.send_data(Bytes::copy_from_slice(piece), false).expect("sent");
                            }
                            let mut trailers = HeaderMap::new();
                            trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
                            send.send_trailers(trailers).expect("sent");
                        });
                    }
                });
            }
        });
    });
    address
}

#[test]
fn grpc_passes_from_end_to_end_and_http_1_meets_http_2() {
    let address = grpc_backend();
    let gateway = Gateway::start(&open(address, ", protocol: http2"));
    run(async {
        let mut send = connect(gateway.address()).await;
        for _ in 0..5 {
            let request = Request::post("http://api.test/pkg.Service/Call")
                .header("content-type", "application/grpc")
                .header("te", "trailers")
                .body(())
                .expect("a request");
            let (answer, mut stream) = send.send_request(request, false).expect("sent");
            stream.send_data(Bytes::from(vec![b'm'; 1_000]), true).expect("sent");
            let answer = answer.await.expect("answered");
            assert_eq!(answer.headers()["x-te"], "trailers");
            let (bytes, trailers) = body(answer.into_body()).await.expect("a body");
            assert_eq!(bytes.len(), 1_000);
            assert_eq!(trailers.expect("there are trailers")["grpc-status"], "0");
        }
    });
    let answer = Client::ask(
        gateway.address(),
        "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    );
    assert_eq!((answer.status, answer.text().as_str()), (200, "abc"));
    assert_eq!(answer.trailers, ["grpc-status: 0"]);
}

#[test]
fn refusals_and_bounds_are_answered() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open_with(
        backend.address(),
        "bounds: { body_bytes: 1000, head_fields: 20, target_bytes: 1KiB }",
        "",
    ));
    run(async {
        let mut send = connect(gateway.address()).await;
        let long = "a".repeat(2_000);
        let mut many = get("/a");
        for n in 0..30 {
            let crumb = http::HeaderValue::from_str(&format!("c{n}=1")).expect("a value");
            many.headers_mut().append("cookie", crumb);
        }
        let mut disagreeing = get("/a");
        disagreeing.headers_mut().insert("host", http::HeaderValue::from_static("other.test"));
        for (request, status) in [
            (get("/%2e%2e/a"), 400),
            (get(&format!("/{long}")), 414),
            (many, 431),
            (disagreeing, 400),
        ] {
            let (answer, _) = send.send_request(request, true).expect("sent");
            assert_eq!(answer.await.expect("answered").status().as_u16(), status);
        }
        let request = Request::post("http://api.test/a").body(()).expect("a request");
        let (answer, mut stream) = send.send_request(request, false).expect("sent");
        stream.send_data(Bytes::from(vec![b'x'; 1_001]), true).expect("sent");
        assert_eq!(answer.await.expect("answered").status().as_u16(), 413);
    });
    assert!(backend.received().is_empty());
}

#[test]
fn a_caller_that_resets_ends_its_call() {
    let backend = Backend::scripted(|conversation| {
        conversation.read();
        conversation.wait_for_end();
    });
    let gateway = Gateway::start(&open(backend.address(), ""));
    run(async {
        let mut send = connect(gateway.address()).await;
        let (answer, mut stream) = send.send_request(get("/a"), true).expect("sent");
        tokio::time::sleep(Duration::from_millis(100)).await;
        stream.send_reset(Reason::CANCEL);
        drop(answer);
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    });
    assert!(gateway.log(1).contains("caller-gone"));
}

#[test]
fn f3_rapid_resets_end_the_connection_and_nobody_elses() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&open(backend.address(), ""));
    run(async {
        let send = connect(gateway.address()).await;
        let mut refused = false;
        for _ in 0..2_000 {
            let Ok(mut ready) = send.clone().ready().await else {
                refused = true;
                break;
            };
            let Ok((_answer, mut stream)) = ready.send_request(get("/a"), true) else {
                refused = true;
                break;
            };
            stream.send_reset(Reason::CANCEL);
            tokio::task::yield_now().await;
        }
        // What was sent may still be on its way to the gateway, or its answer on the way back.
        let mut waits = 0..1_000;
        while !refused && waits.next().is_some() {
            refused = send.clone().ready().await.is_err();
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(refused, "the connection was closed");
        let mut other = connect(gateway.address()).await;
        let (answer, _) = other.send_request(get("/a"), true).expect("sent");
        assert_eq!(answer.await.expect("answered").status(), StatusCode::OK);
    });
}

#[test]
fn f3_a_window_that_stays_shut_costs_a_deadline_and_little_memory() {
    let said =
        format!("HTTP/1.1 200 OK\r\nContent-Length: 5000000\r\n\r\n{}", "x".repeat(5_000_000));
    let backend = Backend::saying(said);
    let gateway = Gateway::start(&open_with(
        backend.address(),
        "bounds: { http2: { stall_timeout: 300ms } }",
        "",
    ));
    run(async {
        let mut send = connect(gateway.address()).await;
        let (answer, _) = send.send_request(get("/a"), true).expect("sent");
        let mut receive = answer.await.expect("answered").into_body();
        // Takes what the window holds and gives nothing back.
        let end = loop {
            match receive.data().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        assert_eq!(end.expect("it was cut").reason(), Some(Reason::INTERNAL_ERROR));
    });
    assert!(gateway.log(1).contains("caller-too-slow"));
}

#[test]
fn a_drain_says_goaway_and_lets_streams_end() {
    let backend = Backend::scripted(|conversation| {
        if conversation.read().is_some() {
            std::thread::sleep(Duration::from_millis(300));
            conversation.answer(b"late");
        }
    });
    let gateway = Gateway::start(&open(backend.address(), ""));
    run(async {
        let mut send = connect(gateway.address()).await;
        let (answer, _) = send.send_request(get("/a"), true).expect("sent");
        tokio::time::sleep(Duration::from_millis(50)).await;
        gateway.begin_to_drain();
        let (bytes, _) = body(answer.await.expect("answered").into_body()).await.expect("a body");
        assert_eq!(bytes, b"late");
        // No further call is taken.
        for _ in 0..100 {
            let Ok(mut ready) = send.clone().ready().await else { return };
            if let Ok((answer, _)) = ready.send_request(get("/b"), true) {
                assert!(answer.await.is_err());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the connection is still open");
    });
}

#[test]
fn f3_a_short_answer_waits_for_the_callers_window_and_not_for_ever() {
    let backend = Backend::saying("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour");
    let bounds = "bounds: { http2: { stall_timeout: 300ms } }";
    let gateway = Gateway::start(&open_with(backend.address(), bounds, ""));
    // One of the backend's, one of the gateway's own.
    for path in ["/a", "/%00"] {
        // An initial window of nothing (RFC 9113 §6.5.2).
        let mut caller = Http2::connect(gateway.address(), &[(4, 0)]);
        let stream = caller.ask(frames::request("GET", path));
        assert_eq!(caller.outcome(stream).map(|frame| frame.kind), Some(kind::HEADERS), "{path}");
        let cut = caller.outcome(stream).expect("it is not left to wait");
        assert_eq!((cut.kind, cut.code()), (kind::RST_STREAM, 2), "{path}");
    }
    assert!(gateway.log(2).contains("\"outcome\":\"caller-too-slow\""));
    assert_eq!(gateway.metric("portway_bounds_reached_total{bound=\"http2.stall_timeout\"}"), 2.0);
}

#[test]
fn an_answer_that_is_broken_from_the_start_is_a_502_and_not_a_reset() {
    let broken = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n";
    let backend = Backend::saying(broken);
    let gateway = Gateway::start(&open(backend.address(), ""));
    let mut caller = Http2::connect(gateway.address(), &[]);
    let stream = caller.ask(frames::request("GET", "/a"));
    assert_eq!(caller.outcome(stream).map(|frame| frame.status()), Some(502));
}

#[test]
fn parameters_are_checked_over_http2_too() {
    let backend = Backend::polite();
    let gateway = Gateway::start(&crate::checks::document(&backend, ""));
    let address = gateway.address();
    run(async move {
        let mut send = connect(address).await;
        let request = Request::get(format!("http://{address}/orders/x?limit=1000"))
            .header("authorization", "Bearer k1")
            .header("cookie", "a=1")
            .header("cookie", "session=abcde");
        let request = request.body(()).expect("a request");
        let (response, _) = send.send_request(request, true).expect("sent");
        let response = response.await.expect("an answer");
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        let (bytes, _) = body(response.into_body()).await.expect("a body");
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.contains("contract-broken"), "{text}");
        for wrong in [r#""name":"order""#, r#""name":"limit""#, r#""name":"session""#] {
            assert!(text.contains(wrong), "{text}");
        }
    });
}
