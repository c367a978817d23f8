//! What callers send to make it hold much.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use portway_testkit::frames::{Frame, block, field, flag, kind, request};
use portway_testkit::{Certificates, Gateway};

use super::scale::{Crowd, turn};

const CONNECTIONS: usize = 200;

/// A backend that answers each request with 100 MB, as far as they are taken.
fn much() -> SocketAddr {
    backend(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n", true)
}

/// A backend that takes connections and neither reads nor says anything.
fn deaf() -> SocketAddr {
    backend(b"", false)
}

/// A backend that agrees to switch and then reads nothing.
fn switching() -> SocketAddr {
    backend(
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        false,
    )
}

/// One thread for all its connections, which keeps a socket for each and nothing else: says this once something was
/// heard, and then more and more.
fn backend(says: &'static [u8], goes_on: bool) -> SocketAddr {
    static MORE: [u8; 16 << 10] = [b'x'; 16 << 10];
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.set_nonblocking(true).expect("a mode");
    let address = listener.local_addr().expect("it has one");
    std::thread::spawn(move || {
        let (mut silent, mut talking) = (Vec::<TcpStream>::new(), Vec::<TcpStream>::new());
        loop {
            while let Ok((stream, _)) = listener.accept() {
                stream.set_nonblocking(true).expect("a mode");
                silent.push(stream);
            }
            if !says.is_empty() {
                let heard = silent.extract_if(.., |stream| stream.read(&mut [0; 4_096]).is_ok());
                talking.extend(heard.map(|mut stream| {
                    let _ = stream.write(says);
                    stream
                }));
            }
            if goes_on {
                talking.retain_mut(|stream| match stream.write(&MORE) {
                    Ok(_) => true,
                    Err(error) => error.kind() == ErrorKind::WouldBlock,
                });
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    address
}

fn gateway(backend: SocketAddr, auth: &str, listen: &str) -> Gateway {
    Gateway::start(&format!(
        "gateway: {{ workers: 1, log: {{ calls: json }}, drain_timeout: 1s, {listen} }}\n\
         services:\n  app:\n    routes: [ '* /', '* /{{rest+}}' ]\n    auth: {auth}\n    backend: {{ targets: 'http://{backend}' }}\n\
         apps:\n  phone: {{ hmac: [ {{ id: one, secret: {{ env: A }} }} ] }}\n"
    ))
}

fn check(name: &str, backend: SocketAddr, bytes: &[u8]) {
    check_many(name, backend, CONNECTIONS, bytes);
}

fn check_many(name: &str, backend: SocketAddr, connections: usize, bytes: &[u8]) {
    let _turn = turn();
    let gateway = gateway(backend, "public", "");
    let mut crowd = Crowd::new(gateway.address(), connections);
    crowd.send(bytes);
    crowd.weigh(&gateway, name);
}

/// Over HTTP/2, where a connection has so many streams.
fn check_http2(name: &str, backend: SocketAddr, connections: usize, streams: u64, bytes: &[u8]) {
    let _turn = turn();
    let gateway = gateway(backend, "public", "");
    let mut crowd = Crowd::new(gateway.address(), connections).with_streams(streams);
    crowd.send(bytes);
    crowd.weigh(&gateway, &format!("HTTP/2, {name}"));
}

#[test]
fn requests_in_a_row_of_which_no_answer_is_read() {
    check("requests in a row", much(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n".repeat(500).as_bytes());
}

#[test]
fn heads_that_do_not_end() {
    let fields: String = (0..99).map(|n| format!("X-{n}: {}\r\n", "y".repeat(300))).collect();
    check(
        "a head without end",
        deaf(),
        format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}").as_bytes(),
    );
    check("heads of one byte", deaf(), b"G");
}

#[test]
fn bodies_that_nobody_reads() {
    let head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16777216\r\n\r\n";
    check("a body that is announced", deaf(), head.as_bytes());
    check(
        "a body that is not read",
        deaf(),
        [head.as_bytes(), &[b'x'; 200_000]].concat().as_slice(),
    );
    let chunks = "1\r\nx\r\n".repeat(20_000);
    check(
        "chunks of one byte",
        deaf(),
        format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}")
            .as_bytes(),
    );
}

#[test]
fn answers_that_nobody_reads() {
    check("large answers", much(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

#[test]
fn bodies_that_are_held() {
    for (name, announced, sent) in [
        ("little of much", 1_000_000, 1),
        ("most of much", 1_000_000, 100_000),
        ("all but one", 4_000, 3_999),
    ] {
        let _turn = turn();
        let gateway = gateway(deaf(), "[hmac]", "");
        let mut crowd = Crowd::new(gateway.address(), CONNECTIONS);
        crowd.send(
            format!(
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\nX-Date: {}\r\nAuthorization: hmac id=\"one\", algorithm=\"hmac-sha256\", headers=\"x-date\", signature=\"{}=\"\r\nContent-Length: {announced}\r\n\r\n{}",
                now(),
                "A".repeat(43),
                "x".repeat(sent)
            )
            .as_bytes(),
        );
        crowd.weigh(&gateway, &format!("held bodies, {name}"));
    }
}

fn now() -> String {
    let mut date = std::process::Command::new("date");
    let output = date.env("LC_ALL", "C").args(["-u", "+%a, %d %b %Y %H:%M:%S GMT"]).output();
    String::from_utf8(output.expect("date is there").stdout).expect("text").trim().to_owned()
}

#[test]
fn sockets_that_nobody_reads() {
    let ask = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    check("WebSockets", switching(), &[&ask[..], &[0x82; 100_000]].concat());
    check("WebSockets that say nothing", switching(), ask);
}

#[test]
fn handshakes_that_end_in_the_middle() {
    let _turn = turn();
    let folder = Certificates::new();
    folder.write("shop", &["shop.test"]);
    let listen = format!(
        "listen: [ {{ address: '127.0.0.1:0', tls: {{ certificates: [ {{ cert: '{}', key: '{}' }} ] }} }} ]",
        folder.path("shop.crt").display(),
        folder.path("shop.key").display()
    );
    let gateway = gateway(deaf(), "public", &listen);
    for (name, bytes) in [
        // A record of a handshake with a length that does not come; one piece after the other.
        ("one byte", vec![0x16]),
        ("a record that is announced", vec![0x16, 3, 1, 0x40, 0, 1, 0, 0x3f, 0xfc, 3, 3]),
        (
            "a hello of 16 KiB",
            [&[0x16, 3, 1, 0x40, 0, 1, 0, 0xff, 0xfc, 3, 3][..], &[0; 16_000]].concat(),
        ),
        ("records of one byte", [0x16, 3, 1, 0, 1, 1].repeat(1_000)),
    ] {
        let mut crowd = Crowd::new(gateway.address(), CONNECTIONS);
        crowd.send(&bytes);
        crowd.weigh(&gateway, &format!("TLS, {name}"));
    }
}

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A connection over HTTP/2 whose window is shut from the beginning or not, and then these frames.
fn http2(window: u32, frames: &[Frame]) -> Vec<u8> {
    let mut settings = vec![0, 4];
    settings.extend(window.to_be_bytes());
    let mut bytes = PREFACE.to_vec();
    bytes.extend(Frame::new(kind::SETTINGS, 0, 0, settings).bytes());
    bytes.extend(frames.iter().flat_map(Frame::bytes));
    bytes
}

fn streams(count: u32, block: &[u8], flags: u8) -> Vec<Frame> {
    let numbers = (0..count).map(|n| 2 * n + 1);
    numbers.map(|stream| Frame::new(kind::HEADERS, flags, stream, block)).collect()
}

const WHOLE: u8 = flag::END_HEADERS | flag::END_STREAM;

#[test]
fn http2_windows_that_stay_shut() {
    for (name, window) in
        [("windows shut", 0), ("windows of a byte", 1), ("windows of 64 KiB", 65_535)]
    {
        let frames = streams(100, &request("GET", "/"), WHOLE);
        check_http2(name, much(), 10, 100, &http2(window, &frames));
    }
}

#[test]
fn http2_heads_that_are_larger_than_they_were_sent() {
    // One field goes into the table; the others refer to it, a byte each.
    let mut first = request("GET", "/");
    // Indexed literally, 3,000 bytes: length with a prefix of seven bits.
    first.push(0x40);
    first.extend([1, b'x']);
    first.extend([0x7f, (3_000_u32 - 127) as u8 | 0x80, ((3_000_u32 - 127) >> 7) as u8]);
    first.extend([b'y'; 3_000]);
    let mut again = request("GET", "/");
    again.extend([0xbe; 90]);
    let mut frames = vec![Frame::new(kind::HEADERS, WHOLE, 1, first)];
    frames.extend((1..100).map(|n| Frame::new(kind::HEADERS, WHOLE, 2 * n + 1, again.clone())));
    check_http2("fields of the table", deaf(), 50, 100, &http2(0, &frames));
    // Tiny fields and crumbs of cookies, each of which takes more to keep than to send.
    for (name, one) in [("tiny fields", field(b"a", b"")), ("crumbs", field(b"cookie", b"a"))] {
        let block = [request("GET", "/"), one.repeat(90)].concat();
        check_http2(name, deaf(), 20, 100, &http2(0, &streams(100, &block, WHOLE)));
    }
}

#[test]
fn http2_heads_that_do_not_end() {
    let mut frames = streams(1, &request("GET", "/"), flag::END_STREAM);
    let more = block(&[(b"x", &[b'y'; 4_000])]);
    frames.extend((0..3).map(|_| Frame::new(kind::CONTINUATION, 0, 1, more.clone())));
    check_http2("CONTINUATION", deaf(), CONNECTIONS, 1, &http2(0, &frames));
}

#[test]
fn http2_bodies_in_tiny_frames() {
    let mut frames = streams(10, &request("POST", "/"), flag::END_HEADERS);
    for turn in 0..2_000_u32 {
        frames.push(Frame::new(kind::DATA, 0, 2 * (turn % 10) + 1, [b'x']));
    }
    check_http2("DATA of one byte", deaf(), 50, 10, &http2(65_535, &frames));
    let mut frames = streams(100, &request("POST", "/"), flag::END_HEADERS);
    frames.extend((0..100).map(|n| Frame::new(kind::DATA, 0, 2 * n + 1, [b'x'; 600])));
    check_http2("uploads that are not read", deaf(), 10, 100, &http2(65_535, &frames));
}
