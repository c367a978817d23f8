//! Edits of the documents under traffic: no call fails, none sees two versions, and a broken edit changes nothing.
//!
//! Every version shows at three places of each call: in the path and in the `Host` that the backend gets, and in a field
//! of the answer that the gateway itself adds. Callers over HTTP/1.1, HTTP/2 and WebSocket compare them all the time.
//!
//! Usually a hundred edits are made, each as soon as the one before is live. With `PORTWAY_EDITS=3000` (`make edits`) that
//! many are made, ten a second whether they are live or not, and figures are printed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper::body::Bytes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};
use tokio_tungstenite::tungstenite::{Message, client};

use crate::program::{Gateway, directory, get, portway, write};

/// How long something may take that takes no time on a machine that does nothing else.
const PATIENCE: Duration = Duration::from_secs(60);
/// From edit to edit, when they come at a rate.
const PACE: Duration = Duration::from_millis(100);
/// One edit of so many is broken.
const BROKEN_EVERY: usize = 10;
const EDITS: usize = 100;

/// A document of a version. Every tenth cannot be used, for one of three reasons.
fn document(backend: SocketAddr, version: usize) -> String {
    let text = format!(
        "portway: 1\nservices:\n  a:\n    routes: [ 'GET /call', 'GET /socket' ]\n    auth: public\n    cors: {{ origins: [ '*' ], expose: [ v{version} ] }}\n    backend: {{ targets: 'http://{backend}/v{version}', host: v{version} }}\n"
    );
    match version / BROKEN_EVERY % 3 {
        _ if !is_broken(version) => text,
        0 => text.replace("auth: public", "auth: pubic"),
        1 => text.replace("cors: {", "cors: ["),
        _ => text.replace("routes: [ 'GET /call', 'GET /socket' ]", "contract: absent.yaml"),
    }
}

fn is_broken(version: usize) -> bool {
    version % BROKEN_EVERY == BROKEN_EVERY - 1
}

/// What the callers have seen.
#[derive(Default)]
struct Seen {
    stop: AtomicBool,
    calls: [AtomicUsize; 4],
    newest: AtomicUsize,
    mixed: AtomicUsize,
    wrong: Mutex<Vec<String>>,
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// The ways in which calls are made.
#[derive(Debug, Clone, Copy)]
enum Way {
    Http1,
    Http2,
    /// A WebSocket is opened.
    Opened,
    /// A message comes back over one that is open.
    Echoed,
}

impl Seen {
    fn failed(&self, way: Way, why: &dyn std::fmt::Display) {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{way:?}: {why}"));
    }

    /// Whether callers go on.
    fn goes_on(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// Notes a call whose version shows in what the backend got (`/v7/call v7`) and in the answer's field (`v7`).
    /// `last` is the version that the same caller has seen before.
    fn call(&self, way: Way, got: &str, field: Option<&str>, last: &mut usize) {
        self.calls[way as usize].fetch_add(1, Ordering::Relaxed);
        let (path, host) = got.split_once(' ').unwrap_or_default();
        let in_path = path.split('/').nth(1).unwrap_or_default();
        if in_path != host || Some(host) != field {
            self.mixed.fetch_add(1, Ordering::Relaxed);
            return self.failed(way, &format_args!("{got:?} with {field:?}"));
        }
        match host.trim_start_matches('v').parse() {
            Ok(version) if !is_broken(version) && version >= *last => {
                *last = version;
                self.newest.fetch_max(version, Ordering::Relaxed);
            }
            _ => self.failed(way, &format_args!("{host} after v{last}")),
        }
    }

    /// Waits until callers have seen a version; false if that takes too long.
    fn wait_for(&self, version: usize, until: Instant) -> bool {
        while self.newest.load(Ordering::Relaxed) < version {
            if Instant::now() > until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        true
    }
}

/// A backend that answers with the path and the `Host` that it got, and says WebSocket messages back.
fn backend() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("it has an address");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answer_all(stream));
        }
    });
    address
}

/// Answers one request after the other, until the other side has had enough.
fn answer_all(stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut writer = stream.try_clone().ok()?;
    let mut reader = BufReader::new(stream);
    loop {
        let head = head(&mut reader)?;
        let path = head.first()?.split(' ').nth(1)?.to_owned();
        let got = format!("{path} {}", value(&head, "host")?);
        // Each answer at once: parts of it would wait for each other's acknowledgement.
        if let Some(key) = value(&head, "sec-websocket-key") {
            let accept = derive_accept_key(key.as_bytes());
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            writer.write_all(answer.as_bytes()).ok()?;
            return echo(WebSocket::from_raw_socket(writer, Role::Server, None), got);
        }
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{got}", got.len());
        writer.write_all(answer.as_bytes()).ok()?;
    }
}

/// Says first what it got, and then every message back.
fn echo(mut socket: WebSocket<TcpStream>, got: String) -> Option<()> {
    socket.send(Message::text(got)).ok()?;
    loop {
        let message = socket.read().ok()?;
        if !message.is_close() {
            socket.send(message).ok()?;
        }
    }
}

/// The lines of a head; `None` at the end of the connection.
fn head(reader: &mut impl BufRead) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        match line.trim_end() {
            "" => return Some(lines),
            text => lines.push(text.to_owned()),
        }
    }
}

/// The value of a field of a head.
fn value<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    head.iter().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then_some(value.trim())
    })
}

const TAG: &str = "access-control-expose-headers";

/// Calls over one connection that is kept from the first to the last.
fn http1(address: SocketAddr, seen: &Seen) -> std::io::Result<()> {
    let mut writer = connect(address)?;
    let mut reader = BufReader::new(writer.try_clone()?);
    let mut last = 0;
    while seen.goes_on() {
        writer.write_all(b"GET /call HTTP/1.1\r\nHost: a\r\nOrigin: http://b\r\n\r\n")?;
        let head = head(&mut reader).ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let length = value(&head, "content-length").and_then(|length| length.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body)?;
        if !head[0].starts_with("HTTP/1.1 200") {
            return Err(std::io::Error::other(format!("{head:?}")));
        }
        seen.call(Way::Http1, &String::from_utf8_lossy(&body), value(&head, TAG), &mut last);
    }
    Ok(())
}

fn connect(address: SocketAddr) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Calls over one connection of HTTP/2, several at once.
async fn http2(address: SocketAddr, seen: &Seen) -> Outcome {
    let stream = TokioIo::new(tokio::net::TcpStream::connect(address).await?);
    let (sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await?;
    let driving = tokio::spawn(connection);
    let caller = || async {
        let (mut sender, mut last) = (sender.clone(), 0);
        while seen.goes_on() {
            let request = Request::get(format!("http://{address}/call"))
                .header("origin", "http://b")
                .body(Empty::<Bytes>::new())?;
            let (head, body) = sender.send_request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            if head.status != 200 {
                return Err(format!("{}: {body:?}", head.status).into());
            }
            let tag = head.headers.get(TAG).and_then(|value| value.to_str().ok());
            seen.call(Way::Http2, &String::from_utf8_lossy(&body), tag, &mut last);
        }
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    tokio::try_join!(caller(), caller(), caller())?;
    driving.abort();
    Ok(())
}

/// Opens a WebSocket and looks at its version.
fn open(
    address: SocketAddr,
    seen: &Seen,
    last: &mut usize,
) -> Result<WebSocket<TcpStream>, Box<dyn std::error::Error>> {
    let request = Request::get(format!("ws://{address}/socket"))
        .header("host", "a")
        .header("origin", "http://b")
        .header("connection", "upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")
        .body(())?;
    let (mut socket, _) = client(request, connect(address)?)?;
    let got = socket.read()?;
    let got = got.to_text()?;
    // A WebSocket's answer has no fields of the gateway's that show a version.
    seen.call(Way::Opened, got, got.rsplit(' ').next(), last);
    Ok(socket)
}

/// A message there and back.
fn exchange(socket: &mut WebSocket<TcpStream>, number: usize, seen: &Seen) -> Outcome {
    let sent = format!("message {number}");
    socket.send(Message::text(sent.clone()))?;
    let came = socket.read()?;
    if came.to_text()? != sent {
        return Err(format!("{came} came back for {sent}").into());
    }
    seen.calls[Way::Echoed as usize].fetch_add(1, Ordering::Relaxed);
    Ok(())
}

/// Messages over one WebSocket that stays open, and over others that are opened all the time.
fn websocket(address: SocketAddr, seen: &Seen) -> Outcome {
    let mut last = 0;
    let mut kept = open(address, seen, &mut last)?;
    for number in 0.. {
        exchange(&mut kept, number, seen)?;
        if number % 20 == 0 {
            let mut brief = open(address, seen, &mut last)?;
            exchange(&mut brief, number, seen)?;
            brief.close(None)?;
        }
        if !seen.goes_on() {
            return Ok(());
        }
    }
    Ok(())
}

/// Starts callers of every kind.
fn callers(address: SocketAddr, seen: &Arc<Seen>) -> Vec<JoinHandle<()>> {
    let start = |way: Way, work: fn(SocketAddr, &Seen) -> Outcome| {
        let seen = Arc::clone(seen);
        std::thread::spawn(move || {
            if let Err(error) = work(address, &seen) {
                seen.failed(way, &error);
            }
        })
    };
    vec![
        start(Way::Http1, |address, seen| Ok(http1(address, seen)?)),
        start(Way::Http1, |address, seen| Ok(http1(address, seen)?)),
        start(Way::Http2, |address, seen| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(http2(address, seen))
        }),
        start(Way::Echoed, websocket),
    ]
}

/// Edits a document, in place and by renaming in turn.
fn edit(directory: &Path, backend: SocketAddr, version: usize) {
    let text = document(backend, version);
    if version.is_multiple_of(2) {
        write(directory, "services/a.yaml", &text);
    } else {
        write(directory, "services/.a.yaml.new", &text);
        let renamed = std::fs::rename(
            directory.join("services/.a.yaml.new"),
            directory.join("services/a.yaml"),
        );
        renamed.expect("it can be renamed");
    }
}

/// Whether the last reading found mistakes.
fn is_refused(admin: SocketAddr) -> bool {
    let (_, snapshot) = get(admin, "/snapshot", &[]);
    snapshot.contains("\"ok\":false") && snapshot.contains("services/a.yaml")
}

/// One edit after the other, each as soon as the one before is live, or is known to be broken.
fn edit_in_turn(directory: &Path, backend: SocketAddr, admin: SocketAddr, seen: &Seen) {
    for version in 1..=EDITS {
        edit(directory, backend, version);
        let until = Instant::now() + PATIENCE;
        if is_broken(version) {
            while !is_refused(admin) {
                assert!(Instant::now() < until, "broken edit {version} is not told");
                std::thread::sleep(Duration::from_millis(1));
            }
        } else {
            assert!(seen.wait_for(version, until), "edit {version} is not live: {:?}", seen.wrong);
        }
    }
}

/// Edits at a rate; says how many were live, and how soon.
fn edit_at_a_rate(
    edits: usize,
    (directory, backend, admin): (&Path, SocketAddr, SocketAddr),
    seen: &Seen,
) -> String {
    let started = Instant::now();
    let (mut live_after, mut refused, mut broken) = (Vec::new(), 0, 0);
    for version in 1..=edits {
        let slot = started + PACE * u32::try_from(version).expect("a number of edits");
        let edited = Instant::now();
        edit(directory, backend, version);
        if is_broken(version) {
            broken += 1;
            std::thread::sleep(slot.saturating_duration_since(Instant::now()));
            refused += usize::from(is_refused(admin));
        } else if seen.wait_for(version, slot) {
            live_after.push(edited.elapsed());
        }
        std::thread::sleep(slot.saturating_duration_since(Instant::now()));
    }
    live_after.sort();
    let at = |part: usize| live_after.get(live_after.len().saturating_sub(1) * part / 100);
    format!(
        "{edits} edits in {:.1?}: {} of {} good ones seen by a caller before the next edit (median {:.1?}, 99 % {:.1?}, slowest {:.1?}), {refused} of {broken} broken ones seen in /snapshot before the next",
        started.elapsed(),
        live_after.len(),
        edits - broken,
        at(50).copied().unwrap_or_default(),
        at(99).copied().unwrap_or_default(),
        at(100).copied().unwrap_or_default(),
    )
}

#[test]
fn edits_lose_no_call_and_mix_no_versions() {
    let backend = backend();
    let files = directory(&[
        (
            "portway.yaml",
            "portway: 1\ninclude: [ 'services/*.yaml' ]\ngateway: { listen: ['127.0.0.1:0'], admin: '127.0.0.1:0', workers: 2, log: { calls: 'off' } }\n",
        ),
        ("services/a.yaml", &document(backend, 0)),
    ]);
    let mut gateway = Gateway::start(portway(files.path(), &["run"]));
    let admin = gateway.admin.expect("it has an admin listener");
    let seen = Arc::<Seen>::default();
    let callers = callers(gateway.address, &seen);
    let figures = match std::env::var("PORTWAY_EDITS").ok().map(|edits| edits.parse()) {
        Some(edits) => {
            let edits = edits.expect("PORTWAY_EDITS is a number");
            let figures = edit_at_a_rate(edits, (files.path(), backend, admin), &seen);
            edit(files.path(), backend, edits + BROKEN_EVERY / 2);
            figures
        }
        None => {
            edit_in_turn(files.path(), backend, admin, &seen);
            edit(files.path(), backend, EDITS + BROKEN_EVERY / 2);
            format!("{EDITS} edits in turn")
        }
    };
    let newest = seen.newest.load(Ordering::Relaxed);
    assert!(seen.wait_for(newest + 1, Instant::now() + PATIENCE), "the last edit is not live");
    seen.stop.store(true, Ordering::Relaxed);
    callers.into_iter().for_each(|caller| caller.join().expect("it does not panic"));
    let wrong = seen.wrong.lock().unwrap_or_else(PoisonError::into_inner);
    let [http1, http2, opened, echoed] =
        [0, 1, 2, 3].map(|way: usize| seen.calls[way].load(Ordering::Relaxed));
    println!(
        "{figures}; calls: {http1} over HTTP/1.1, {http2} over HTTP/2, {opened} WebSockets opened, {echoed} messages echoed; {} failed, of which {} mixed",
        wrong.len(),
        seen.mixed.load(Ordering::Relaxed),
    );
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!([http1, http2, opened, echoed].iter().all(|calls| *calls > 0));
    gateway.signal("TERM");
    assert_eq!(gateway.end(), 0);
}
