//! Ten thousand callers that are slow at every step of the protocol (fault row F1, class C21).

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use portway_testkit::frames::{Frame, flag, kind, request};
use portway_testkit::{Backend, Certificates};

use crate::program::{Gateway, directory, portway};
use crate::watch::{Neighbour, memory_bytes, metric, wait_for};
use crate::{is_full, may_open, say, skip, turn};

/// What a connection that is held may cost, on average.
const HELD_BYTES_MAX: u64 = 20 << 10;
/// How long all of them take to connect: they are slow, and no flood (that is F2), but all there at once before the first deadline.
const CONNECTING: Duration = Duration::from_secs(7);
/// From one look at all peers to the next.
const LOOK: Duration = Duration::from_millis(250);
/// How much later than its deadline a peer may be gone on a machine that does other things, too.
const PATIENCE: Duration = Duration::from_secs(20);

const ACCEPTED: &str = "portway_connections_accepted_total";

/// One way of being slow.
struct Manner {
    name: &'static str,
    peers: usize,
    tls: bool,
    says: Vec<u8>,
    /// What is said again at every look.
    drips: Vec<u8>,
    /// The default of the bound that it meets.
    due: Duration,
}

impl Manner {
    fn new(name: &'static str, peers: usize, due_s: u64, says: impl Into<Vec<u8>>) -> Self {
        let due = Duration::from_secs(due_s);
        Self { name, peers, tls: false, says: says.into(), drips: Vec::new(), due }
    }

    fn dripping(mut self, drips: impl Into<Vec<u8>>) -> Self {
        self.drips = drips.into();
        self
    }

    fn tls(mut self) -> Self {
        self.tls = true;
        self
    }
}

/// The first message of a handshake.
fn client_hello() -> Vec<u8> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("there are versions")
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    let name = "shop.test".try_into().expect("a name");
    let mut hello = Vec::new();
    rustls::ClientConnection::new(Arc::new(config), name)
        .and_then(|mut connection| connection.write_tls(&mut hello).map_err(|_| unreachable!()))
        .expect("a hello");
    hello
}

/// The preface of HTTP/2 with a window of one byte for each stream, and frames.
fn http2(frames: &[Frame]) -> Vec<u8> {
    let settings = Frame::new(kind::SETTINGS, 0, 0, [0, 4, 0, 0, 0, 1]).bytes();
    let frames = frames.iter().flat_map(Frame::bytes);
    [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &settings]
        .concat()
        .into_iter()
        .chain(frames)
        .collect()
}

fn manners() -> Vec<Manner> {
    let hello = client_hello();
    let whole = flag::END_HEADERS | flag::END_STREAM;
    let asks = Frame::new(kind::HEADERS, whole, 1, request("GET", "/large"));
    let one_more = Frame::new(kind::WINDOW_UPDATE, 0, 1, [0, 0, 0, 1]).bytes();
    let begins = Frame::new(kind::HEADERS, 0, 1, request("GET", "/"));
    let posts = "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nx";
    let chunks = "POST /upload HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nx";
    // Those that are expensive to begin come first, those that may stay longest too: so all are there at once.
    vec![
        Manner::new("does not read", 200, 30, "GET /large HTTP/1.1\r\nHost: a\r\n\r\n"),
        Manner::new("HTTP/2, a window that opens byte by byte", 200, 30, http2(&[asks]))
            .dripping(one_more),
        Manner::new("half a body", 400, 30, posts),
        Manner::new("half a chunk", 400, 30, chunks),
        Manner::new("TLS, nothing behind the hello", 500, 10, hello.clone()).tls(),
        Manner::new("TLS, half a hello", 500, 10, &hello[..hello.len() / 2]).tls(),
        Manner::new("TLS, says nothing", 1_000, 10, "").tls(),
        Manner::new("HTTP/2, half a head", 500, 10, http2(&[begins])),
        Manner::new("HTTP/2, half a preface", 500, 10, "PRI * HTTP/2.0\r\n\r\nS"),
        Manner::new("a head that drips", 1_500, 10, "GET / HTTP/1.1\r\nHost: a\r\nX: ")
            .dripping("y"),
        Manner::new("half a head", 1_500, 10, "GET / HTTP/1.1\r\nHost: a\r\nX: "),
        Manner::new("says nothing", 2_800, 10, ""),
    ]
}

/// One slow caller.
struct Peer {
    stream: TcpStream,
    manner: usize,
    begun: Instant,
    heard: Vec<u8>,
    gone: Option<Duration>,
}

impl Peer {
    fn new(address: SocketAddr, manner: usize, says: &[u8]) -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None);
        let socket = socket.expect("a socket");
        // Little room, so that one that does not read is noticed at once.
        socket.set_recv_buffer_size(4 << 10).expect("an option");
        socket.connect(&address.into()).expect("the gateway accepts");
        let mut stream = TcpStream::from(socket);
        stream.write_all(says).expect("there is room");
        stream.set_nonblocking(true).expect("a mode");
        Self { stream, manner, begun: Instant::now(), heard: Vec::new(), gone: None }
    }

    /// Drips, and sees whether the gateway has had enough of it.
    fn look(&mut self, manner: &Manner) {
        let mut has_ended =
            !manner.drips.is_empty() && self.stream.write_all(&manner.drips).is_err();
        // Whoever does not read is told by a probe that takes nothing.
        let mut piece = [0; 512];
        let is_reader = manner.name != "does not read";
        loop {
            let read = if is_reader {
                self.stream.read(&mut piece)
            } else {
                self.stream.take_error().map_or(Ok(0), |error| error.map_or(Ok(1), Err))
            };
            match read {
                Ok(0) => has_ended = true,
                Ok(count) if is_reader => {
                    self.heard.extend_from_slice(&piece[..count]);
                    continue;
                }
                Ok(_) => {}
                Err(error) => {
                    has_ended |=
                        !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted);
                }
            }
            break;
        }
        // A stream that was reset is gone although its connection is there.
        if has_ended || (manner.name.starts_with("HTTP/2") && has_reset(&self.heard)) {
            self.gone = Some(self.begun.elapsed());
        }
    }
}

fn has_reset(mut heard: &[u8]) -> bool {
    while let [a, b, c, found, ..] = heard {
        if matches!(*found, kind::RST_STREAM | kind::GOAWAY) {
            return true;
        }
        let end = 9 + u32::from_be_bytes([0, *a, *b, *c]) as usize;
        heard = heard.get(end..).unwrap_or_default();
    }
    false
}

fn document(backends: [SocketAddr; 3], folder: &Certificates) -> String {
    let [small, large, upload] = backends;
    let (cert, key) = (folder.path("shop.crt"), folder.path("shop.key"));
    format!(
        "portway: 1\ngateway:\n  admin: \"127.0.0.1:0\"\n  listen:\n    - \"127.0.0.1:0\"\n    - {{ address: \"127.0.0.1:0\", tls: {{ certificates: [ {{ cert: '{}', key: '{}' }} ] }} }}\nservices:\n  \
         small: {{ routes: [\"GET /\"], backend: \"http://{small}\", auth: public }}\n  \
         large: {{ path: /large, routes: [\"GET /\"], backend: \"http://{large}\", auth: public }}\n  \
         upload: {{ path: /upload, routes: [\"POST /\"], backend: \"http://{upload}\", auth: public }}\n",
        cert.display(),
        key.display()
    )
}

#[test]
fn f1_ten_thousand_slow_peers_hold_nobody_up_and_are_gone_in_time() {
    let _turn = turn();
    let manners = manners();
    let many = manners.iter().map(|manner| manner.peers).sum::<usize>();
    assert_eq!(many, 10_000);
    // The gateway takes one connection for two files that it may open, since each could have one to a backend.
    let at_once = if may_open(24_000) {
        many
    } else if may_open(20_000) {
        9_800
    } else {
        return skip("10,000 connections need 20,000 open files, and fewer are allowed");
    };
    let body = "x".repeat(8 << 20);
    let large =
        Backend::saying(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    let upload = Backend::scripted(|conversation| {
        // As patient as can be: what ends the wait is the gateway.
        conversation.stream.set_read_timeout(None).expect("an option");
        while conversation.read().is_some() {
            conversation.answer(b"ok");
        }
    });
    let folder = Certificates::new();
    folder.write("shop", &["shop.test"]);
    let text =
        document([crate::program::backend("hello"), large.address(), upload.address()], &folder);
    let directory = directory(&[("portway.yaml", &text)]);
    let gateway = Gateway::start(portway(directory.path(), &["run"]));
    let listening = gateway.log.iter().filter_map(|line| line.split_once("listening on "));
    let listening: Vec<SocketAddr> =
        listening.filter_map(|(_, rest)| rest.split(' ').next()?.parse().ok()).collect();
    let [plain, tls] = listening[..] else { panic!("two listeners: {:?}", gateway.log) };

    // With the metrics asked for all the time, as later.
    let quiet = Neighbour::start(plain, "/");
    let quiet_until = Instant::now() + if is_full() { 4 * CONNECTING } else { CONNECTING } / 4;
    wait_for(&gateway, ACCEPTED, |_| Instant::now() >= quiet_until);
    let quiet = quiet.end();
    let before_bytes = memory_bytes(&gateway);
    let before = metric(&gateway, ACCEPTED);
    let neighbour = Neighbour::start(plain, "/");
    // The peers are not to take from the gateway and its neighbour the time that they would not take on machines of their own.
    let own = rustix::process::getpriority_process(None).expect("a number");
    rustix::process::setpriority_process(None, own.max(15)).expect("one may be more modest");
    let setting_up = Instant::now();
    let mut next = manners.iter().enumerate().flat_map(|(number, manner)| {
        let address = if manner.tls { tls } else { plain };
        (0..manner.peers).map(move |_| Peer::new(address, number, &manner.says))
    });
    let mut peers = Vec::with_capacity(many);
    for peer in next.by_ref().take(at_once) {
        peers.push(peer);
        if peers.len() % 100 == 0 {
            let planned = CONNECTING * u32::try_from(peers.len()).expect("few") / 10_000;
            std::thread::sleep(planned.saturating_sub(setting_up.elapsed()));
        }
    }
    let connected = setting_up.elapsed();
    // All are there at once, if they come within the shortest deadline.
    wait_for(&gateway, ACCEPTED, |count| count - before >= at_once as f64);
    say(format_args!(
        "f1: connected after {connected:.1?}, accepted after {:.1?}",
        setting_up.elapsed()
    ));
    let held = metric(&gateway, "portway_connections{") as u64;
    let held_bytes = memory_bytes(&gateway).saturating_sub(before_bytes) / held;

    let last = manners.iter().map(|manner| manner.due).max().expect("there are manners");
    let begun = Instant::now();
    while peers.iter().any(|peer| peer.gone.is_none()) && begun.elapsed() < last + PATIENCE {
        // Those that had to wait take the places of those that are gone.
        let here = peers.iter().filter(|peer| peer.gone.is_none()).count();
        peers.extend(next.by_ref().take(at_once.saturating_sub(here)));
        for peer in peers.iter_mut().filter(|peer| peer.gone.is_none()) {
            peer.look(&manners[peer.manner]);
        }
        std::thread::sleep(LOOK);
    }
    let busy = neighbour.end();

    say(format_args!("f1: quiet: {quiet}"));
    say(format_args!("f1: with {many} slow peers: {busy}"));
    say(format_args!("f1: {held} connections at once, {held_bytes} bytes each"));
    for (number, manner) in manners.iter().enumerate() {
        let of_manner = || peers.iter().filter(|peer| peer.manner == number);
        let late = of_manner().filter_map(|peer| peer.gone).max().unwrap_or_default();
        say(format_args!(
            "f1: {}: {} of them, due after {:?}, the last gone after {late:.1?}",
            manner.name, manner.peers, manner.due
        ));
        assert!(
            of_manner().all(|peer| peer.gone.is_some()),
            "{}: some are still here",
            manner.name
        );
        let patience = if is_full() { Duration::from_secs(1) + 2 * LOOK } else { PATIENCE };
        assert!(late <= manner.due + patience, "{}: {late:?}", manner.name);
    }
    // What is not optimised is larger.
    assert!(cfg!(debug_assertions) || held_bytes <= HELD_BYTES_MAX, "{held_bytes} bytes for each");
    if is_full() {
        assert!(held >= at_once as u64, "{held} connections were held at once");
        assert!(busy.p99_micros() <= 2 * quiet.p99_micros(), "{busy}; quiet: {quiet}");
    }
    drop(peers);
    wait_for(&gateway, "portway_calls_in_flight", |calls| calls == 0.0);
}
