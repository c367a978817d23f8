//! The end of a process (fault row F13): told to stop, it tells everybody to go and ends in time; killed, it is there
//! again at once, from its files.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portway_testkit::frames::{Http2, request};
use portway_testkit::{Backend, Client, Ended};

use crate::program::{Gateway, backend, directory, portway, try_get};
use crate::{is_full, say};

const ASK: &str = "GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const AGREE: &[u8] = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
/// `Close`, 1001, from a server and from a caller that masks with nothing.
const GOING_AWAY: [u8; 4] = [0x88, 2, 0x03, 0xe9];
const REPLY: [u8; 8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9];

/// What the backend of a WebSocket was sent in the end.
struct Sockets {
    backend: Backend,
    heard: Receiver<Vec<u8>>,
}

/// Backends of WebSockets: each agrees, begins a message, ends it when it is told anything, and says whatever it is
/// told after that to the test.
fn sockets() -> Sockets {
    let (sender, heard) = channel();
    let backend = Backend::scripted(move |conversation| {
        if conversation.read_head().is_some() {
            conversation.say(AGREE);
            // Five bytes are announced, two are sent.
            conversation.say(b"\x82\x05he");
            if conversation.read_some().is_some() {
                // And the next message, which is too late.
                conversation.say(b"llo\x82\x04late");
            }
            let _ = sender.send(conversation.read_some().unwrap_or_default());
        }
    });
    Sockets { backend, heard }
}

fn document(quick: SocketAddr, slow: SocketAddr, socket: SocketAddr, drain: &str) -> String {
    format!(
        "portway: 1\ngateway: {{ listen: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\", drain_timeout: {drain} }}\nservices:\n  \
         quick: {{ path: /quick, routes: [\"GET /\"], backend: \"http://{quick}\", auth: public }}\n  \
         slow: {{ path: /slow, routes: [\"GET /\"], backend: \"http://{slow}\", auth: public }}\n  \
         socket: {{ path: /socket, routes: [\"GET /\"], backend: \"http://{socket}\", auth: public }}\n"
    )
}

/// A caller of a WebSocket that has got the beginning of a message.
fn amid_a_message(address: SocketAddr) -> Client {
    let mut client = Client::connect(address);
    client.send(ASK);
    assert_eq!(client.answer_to_upgrade().status, 101);
    assert_eq!(client.bytes(4), b"\x82\x05he");
    client
}

fn until_asked(backend: &Backend) {
    let begun = Instant::now();
    while backend.received().is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the call does not arrive");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn f13_a_stop_tells_everybody_to_go_and_cuts_nobody() {
    let (release, released) = channel::<()>();
    let released = std::sync::Mutex::new(released);
    let slow = Backend::scripted(move |conversation| {
        if conversation.read().is_some() {
            let _ = released.lock().expect("not poisoned").recv();
            conversation.answer(b"at last");
        }
    });
    let sockets = sockets();
    let text = document(backend("hello"), slow.address(), sockets.backend.address(), "30s");
    let directory = directory(&[("portway.yaml", &text)]);
    let mut gateway = Gateway::start(portway(directory.path(), &["run"]));
    let address = gateway.address;

    let mut idle = Client::connect(address);
    assert_eq!(idle.send("GET /quick HTTP/1.1\r\nHost: a\r\n\r\n").answer().text(), "hello");
    let mut waiting = Client::connect(address);
    waiting.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    let mut http2 = Http2::connect(address, &[]);
    let stream = http2.ask(request("GET", "/quick"));
    assert_eq!(http2.outcome(stream).map(|frame| frame.status()), Some(200));
    let mut socket = amid_a_message(address);
    until_asked(&slow);

    let stopped = Instant::now();
    gateway.signal("TERM");
    gateway.wait_for("stopping");
    assert_eq!(idle.ended(), Ended::Closed);
    assert_eq!(http2.goodbye(), Some(0), "GOAWAY, without an error");
    // The message that has begun is whole before the caller is told.
    socket.send([0x81, 0x80, 0, 0, 0, 0]);
    assert_eq!(socket.bytes(3), b"llo");
    assert_eq!(socket.bytes(4), GOING_AWAY);
    socket.send(REPLY);
    let heard = sockets.heard.recv_timeout(Duration::from_secs(20)).expect("the backend hears it");
    assert!(heard.ends_with(&REPLY), "{heard:?}");
    assert_eq!(socket.ended(), Ended::Closed);

    release.send(()).expect("it waits");
    let answer = waiting.answer();
    assert_eq!((answer.status, answer.text().as_str()), (200, "at last"));
    assert_eq!(answer.value("connection"), Some("close"));
    assert_eq!(gateway.end(), 0);
    say(format_args!("f13: a stop took {:.1?}", stopped.elapsed()));
}

#[test]
fn f13_who_does_not_go_is_cut_in_time() {
    let silent = Backend::scripted(|conversation| {
        conversation.read();
        conversation.wait_for_end();
    });
    let sockets = sockets();
    let text = document(backend("hello"), silent.address(), sockets.backend.address(), "1s");
    let directory = directory(&[("portway.yaml", &text)]);
    let mut gateway = Gateway::start(portway(directory.path(), &["run"]));
    let mut waiting = Client::connect(gateway.address);
    waiting.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
    until_asked(&silent);
    let mut socket = amid_a_message(gateway.address);
    let stopped = Instant::now();
    gateway.signal("TERM");
    assert_eq!(gateway.end(), 0);
    let took = stopped.elapsed();
    say(format_args!("f13: with those who do not go a stop took {took:.1?}, a second is allowed"));
    assert!(took >= Duration::from_millis(900), "it waited for nobody: {took:?}");
    assert!(!is_full() || took < Duration::from_secs(2), "{took:?}");
    assert_ne!(waiting.ended(), Ended::Open);
    assert_ne!(socket.ended(), Ended::Open);
}

/// A supervisor starts it again as soon as it is gone.
#[test]
fn f13_killed_it_serves_again_within_a_second() {
    let kills = if is_full() { 500 } else { 10 };
    let place = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = place.local_addr().expect("it has one");
    drop(place);
    let text = format!(
        "portway: 1\ngateway: {{ listen: [\"{address}\"], admin: \"off\", log: {{ to: calls.log }} }}\nservices:\n  a: {{ routes: [\"GET /\"], backend: \"http://{}\", auth: public }}\n",
        backend("hello")
    );
    let directory = directory(&[("portway.yaml", &text)]);
    let mut worst = Duration::ZERO;
    let mut gateway = Gateway::start(portway(directory.path(), &["run"]));
    for kill in 0..kills {
        // What is under way is lost, and nothing else.
        let mut caller = Client::connect(address);
        assert_eq!(caller.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n").answer().status, 200);
        caller.send("GET / HTTP/1.1\r\n");
        gateway.signal("KILL");
        let killed = Instant::now();
        gateway.child.wait().expect("it ends");
        gateway = Gateway::start(portway(directory.path(), &["run"]));
        while !matches!(try_get(address, "/", &[]), Ok((200, _))) {
            assert!(killed.elapsed() < Duration::from_secs(30), "kill {kill}: it does not serve");
            std::thread::sleep(Duration::from_millis(2));
        }
        worst = worst.max(killed.elapsed());
        assert_ne!(caller.ended(), Ended::Open);
    }
    say(format_args!("f13: killed {kills} times, serving again after at most {worst:.1?}"));
    assert!(!is_full() || worst < Duration::from_secs(1), "{worst:?}");
}
