//! Callers of every kind, each on a thread of its own, and the backends that they meet.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use portway_testkit::frames::{Http2, block};
use portway_testkit::{Answer, Client, Ended};

pub(crate) const KEY: &str = "a-key-that-is-long-enough";

/// From one call to the next of one caller.
const PACE: Duration = Duration::from_millis(3);

/// What all of them have seen.
#[derive(Default)]
pub(crate) struct Seen {
    stop: AtomicBool,
    pub(crate) calls: AtomicU64,
    pub(crate) wrong: Mutex<Vec<String>>,
}

pub(crate) struct Callers {
    pub(crate) seen: Arc<Seen>,
    threads: Vec<JoinHandle<()>>,
}

impl Seen {
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Notes a call; `expected` are the statuses that it may have.
    fn call(&self, who: &str, status: u16, text: &str, expected: &[u16]) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        if !expected.contains(&status) || (status == 200 && text != "hello") {
            self.wrong.lock().expect("not poisoned").push(format!("{who}: {status} {text}"));
        }
        std::thread::sleep(PACE);
    }
}

impl Callers {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let seen = Arc::<Seen>::default();
        let kinds: [fn(SocketAddr, &Seen); 8] =
            [kept, fresh, over_http2, over_sockets, refused, leaving, slow, unlucky];
        let threads = kinds.into_iter().map(|kind| {
            let seen = Arc::clone(&seen);
            std::thread::spawn(move || kind(address, &seen))
        });
        let threads = threads.collect();
        Self { seen, threads }
    }

    pub(crate) fn end(self) {
        self.seen.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a caller does not panic");
        }
    }
}

fn good() -> String {
    format!("GET /good HTTP/1.1\r\nHost: a\r\nX-Api-Key: {KEY}\r\n\r\n")
}

/// One call on a connection of its own; 0 and nothing if there is no answer.
fn ask(address: SocketAddr, text: &str) -> Answer {
    Client::connect(address).send(text).answer_if_any().unwrap_or_default()
}

/// On one connection, a hundred calls long.
fn kept(address: SocketAddr, seen: &Seen) {
    while seen.goes_on() {
        let mut client = Client::connect(address);
        for _ in 0..100 {
            let answer = client.send(good()).answer();
            seen.call("kept", answer.status, &answer.text(), &[200]);
            if !seen.goes_on() {
                return;
            }
        }
    }
}

/// On a new connection each, with bodies.
fn fresh(address: SocketAddr, seen: &Seen) {
    while seen.goes_on() {
        let answer = ask(address, &good());
        seen.call("fresh", answer.status, &answer.text(), &[200]);
    }
}

fn over_http2(address: SocketAddr, seen: &Seen) {
    let head = block(&[
        (b":method", b"GET"),
        (b":scheme", b"http"),
        (b":authority", b"a"),
        (b":path", b"/good"),
        (b"x-api-key", KEY.as_bytes()),
    ]);
    while seen.goes_on() {
        let mut client = Http2::connect(address, &[]);
        for _ in 0..100 {
            let stream = client.ask(head.clone());
            let status = client.outcome(stream).map_or(0, |frame| frame.status());
            seen.call("HTTP/2", status, "hello", &[200]);
            if !seen.goes_on() {
                return;
            }
        }
    }
}

/// Something is said back, and then the caller goes without a word.
fn over_sockets(address: SocketAddr, seen: &Seen) {
    while seen.goes_on() {
        let mut client = Client::connect(address);
        client.send("GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        let status = client.answer_to_upgrade().status;
        if status == 101 {
            client.send(b"\x81\x05hello");
            let back = client.bytes(7);
            seen.call("socket", status, &String::from_utf8_lossy(&back), &[101]);
        } else {
            seen.call("socket", status, "", &[101]);
        }
    }
}

/// Calls that are not to be let through.
fn refused(address: SocketAddr, seen: &Seen) {
    let calls = [
        ("GET /good HTTP/1.1\r\nHost: a\r\n\r\n", 401),
        ("GET /good HTTP/1.1\r\nHost: a\r\nX-Api-Key: wrong\r\n\r\n", 401),
        ("GET /nowhere HTTP/1.1\r\nHost: a\r\n\r\n", 404),
        ("DELETE /ill HTTP/1.1\r\nHost: a\r\n\r\n", 405),
        ("GET /good/%2e%2e HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
    ];
    for (text, status) in calls.iter().cycle() {
        if !seen.goes_on() {
            return;
        }
        seen.call("refused", ask(address, text).status, "", &[*status]);
    }
}

/// Callers that go in the middle of a head, of a body, of an answer, and of a stream.
fn leaving(address: SocketAddr, seen: &Seen) {
    let texts = [
        "GET /go".to_owned(),
        format!(
            "POST /good HTTP/1.1\r\nHost: a\r\nX-Api-Key: {KEY}\r\nContent-Length: 100\r\n\r\nten bytes."
        ),
        good(),
    ];
    for text in texts.iter().cycle() {
        if !seen.goes_on() {
            return;
        }
        let mut stream = TcpStream::connect(address).expect("it accepts");
        let _ = stream.write_all(text.as_bytes());
        drop(stream);
        let mut client = Http2::connect(address, &[]);
        client.ask(portway_testkit::frames::request("GET", "/ill"));
        drop(client);
        std::thread::sleep(PACE);
    }
}

/// Heads that never end: each is told so in time.
fn slow(address: SocketAddr, seen: &Seen) {
    while seen.goes_on() {
        let begun = Instant::now();
        let mut clients: Vec<Client> = (0..20).map(|_| Client::connect(address)).collect();
        while seen.goes_on() && begun.elapsed() < Duration::from_secs(5) {
            for client in &mut clients {
                client.send("G");
            }
            std::thread::sleep(Duration::from_millis(500));
        }
        if seen.goes_on() {
            for mut client in clients {
                let status = client.answer_if_any().map_or(408, |answer| answer.status);
                seen.call("slow", status, "", &[408]);
                assert_ne!(client.ended(), Ended::Open);
            }
        }
    }
}

/// A backend that fails in every way: the answer is its own, or says that it failed, or is visibly cut, at the latest
/// where it begins (0).
fn unlucky(address: SocketAddr, seen: &Seen) {
    while seen.goes_on() {
        let answer = ask(address, "GET /ill HTTP/1.1\r\nHost: a\r\n\r\n");
        let status = if answer.status == 200 && !answer.whole { 502 } else { answer.status };
        seen.call("ill", status, &answer.text(), &[0, 200, 500, 502, 503]);
    }
}

/// A backend that fails in turn: well, an error, closed, no answer at all, a body that is cut.
pub(crate) fn ill_backend() -> SocketAddr {
    const SAYS: [&str; 5] = [
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno",
        "",
        "this is no answer\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello",
    ];
    let turn = AtomicUsize::new(0);
    serve(move |mut stream| {
        let _ = stream.read(&mut [0; 4_096]);
        let says = SAYS[turn.fetch_add(1, Ordering::Relaxed) % SAYS.len()];
        let _ = stream.write_all(says.as_bytes());
    })
}

/// A backend that says everything back.
pub(crate) fn socket_backend() -> SocketAddr {
    serve(|mut stream| {
        let mut piece = [0; 4_096];
        let _ = stream.read(&mut piece);
        let _ = stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
        while let Ok(count @ 1..) = stream.read(&mut piece) {
            if stream.write_all(&piece[..count]).is_err() {
                return;
            }
        }
    })
}

fn serve(script: impl Fn(TcpStream) + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has one");
    let script = Arc::new(script);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let script = Arc::clone(&script);
            std::thread::spawn(move || script(stream));
        }
    });
    address
}
