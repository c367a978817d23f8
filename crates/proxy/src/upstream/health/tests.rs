//! Tests of active checks: what an answer says, streaks, and checks over real sockets.

use std::sync::{Arc, Weak};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::upstream::endpoint::{EndpointId, EndpointParts};

fn endpoint(address: SocketAddr, base_path: &str) -> Arc<Endpoint> {
    let parts = EndpointParts {
        id: EndpointId(1),
        address,
        tls: None,
        host_header: "shop.test".into(),
        base_path: base_path.into(),
        http2: false,
    };
    Arc::new(Endpoint::new(parts, Weak::new()))
}

fn active(probe: model::Probe) -> model::Active {
    let ms = model::Duration::from_ms;
    model::Active {
        probe,
        interval: ms(100),
        timeout: ms(200),
        unhealthy_after: 3,
        healthy_after: 2,
    }
}

#[test]
fn what_an_answer_says() {
    for (head, expected) in [
        ("", None),
        ("HTTP/1.1 20", None),
        ("HTTP/1.1 200 OK", None),
        ("HTTP/1.1 200 OK\r\n", Some(true)),
        ("HTTP/1.0 204\r\n", Some(true)),
        ("HTTP/1.1 399 \r\n", Some(true)),
        ("HTTP/1.1 400 Bad\r\n", Some(false)),
        ("HTTP/1.1 503 No\r\n", Some(false)),
        ("HTTP/1.1 2000 OK\r\n", Some(false)),
        ("HTTP/1.1 +20 OK\r\n", Some(false)),
        ("HTTP/1.1 20\r\n", Some(false)),
        ("HTTP/2 200\r\n", Some(false)),
        ("\r\n", Some(false)),
        ("SSH-2.0-OpenSSH\r\n", Some(false)),
        ("HTTP/1.1 100 Continue\r\n", None),
        ("HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\n", Some(true)),
        ("HTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 500 No\r\n", Some(false)),
    ] {
        assert_eq!(verdict(head.as_bytes()), expected, "{head:?}");
    }
}

#[test]
fn only_several_in_a_row_change_something() {
    let active = active(model::Probe::Tcp);
    let mut streak = Streak::default();
    let said: Vec<_> = [false, false, true, false, false, false, true, false, true, true]
        .into_iter()
        .map(|well| streak.add(well, &active))
        .collect();
    let expected = [None, None, None, None, None, Some(true), None, None, None, Some(false)];
    assert_eq!(said, expected);
}

#[test]
fn intervals_vary_by_a_tenth() {
    for draw in 0..10_000 {
        let interval_ms = jittered(5_000, mix(draw));
        assert!((4_500..=5_500).contains(&interval_ms), "{interval_ms}");
    }
    assert!(jittered(1, 7) <= 1);
}

#[test]
fn the_request_cannot_be_split() {
    let endpoint = endpoint(([127, 0, 0, 1], 80).into(), "/base");
    let request = request(&endpoint, "health?x=1\r\nevil: yes\r\n\r\nGET /");
    let text = String::from_utf8(request.to_vec()).unwrap();
    assert!(
        text.starts_with("GET /base/health?x=1evil:yesGET/ HTTP/1.1\r\nhost: shop.test\r\n"),
        "{text}"
    );
    assert_eq!(text.matches("\r\n\r\n").count(), 1);
}

/// Serves each connection `answer`, and gives back what the first one asked.
async fn server(answer: &'static [u8]) -> (SocketAddr, tokio::task::JoinHandle<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 1_024];
        let length = stream.read(&mut asked).await.unwrap();
        stream.write_all(answer).await.unwrap();
        asked.truncate(length);
        asked
    });
    (address, task)
}

#[tokio::test]
async fn checks_ask_the_path_with_the_host() {
    let (address, asked) = server(b"HTTP/1.1 200 OK\r\n\r\n").await;
    let plan = Plan::new(&endpoint(address, "/v1"), &active(model::Probe::Http("/health".into())));
    assert!(plan.check().await);
    assert!(asked.await.unwrap().starts_with(b"GET /v1/health HTTP/1.1\r\nhost: shop.test\r\n"));
}

#[tokio::test]
async fn bad_answers_endless_heads_and_closed_ports_fail() {
    for answer in [b"HTTP/1.1 500 No\r\n\r\n".as_slice(), b"", b"garbage\r\n", &[b'x'; 20_000]] {
        let (address, _asked) = server(answer).await;
        let plan = Plan::new(&endpoint(address, ""), &active(model::Probe::Http("/".into())));
        assert!(!plan.check().await, "{} bytes", answer.len());
    }
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert!(!Plan::new(&endpoint(closed, ""), &active(model::Probe::Tcp)).check().await);
}

#[tokio::test]
async fn a_connection_is_enough_for_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let plan = Plan::new(&endpoint(listener.local_addr().unwrap(), ""), &active(model::Probe::Tcp));
    assert!(plan.check().await);
}
