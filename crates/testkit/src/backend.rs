//! A backend that does as it is told, and remembers every byte it got.
//!
//! What a script asserts counts: a panic in one fails the test when the backend is dropped.

use std::any::Any;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use portway_http1::{BodyDecoder, BodyLimits, Decoded, HeadLimits, Progress, parse_request};

/// How long a backend waits for bytes before it takes the test for stuck.
const PATIENCE: Duration = Duration::from_secs(20);
/// How long the end of a test waits for scripts that are not done.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// A request as a backend got it.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// The head, byte for byte.
    pub head: String,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Trailer lines, `name: value`.
    pub trailers: Vec<String>,
}

impl Received {
    /// The values of a header, by its name in any case.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields
            .filter(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    /// The request line.
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }
}

/// A backend on a free port.
pub struct Backend {
    address: SocketAddr,
    stage: Arc<Stage>,
}

/// What the conversations of a backend have in common.
#[derive(Default)]
struct Stage {
    received: Mutex<Vec<Received>>,
    /// What scripts said when they panicked.
    broken: Mutex<Vec<String>>,
    connections: AtomicUsize,
    /// Conversations under way.
    open: AtomicUsize,
    closed: AtomicBool,
}

/// One connection of the gateway, as a script sees it.
pub struct Conversation {
    /// The connection.
    pub stream: TcpStream,
    buffer: Vec<u8>,
    stage: Arc<Stage>,
    /// Counts from 0.
    pub number: usize,
}

impl Backend {
    /// Runs `script` for each connection, in a thread of its own.
    pub fn scripted(script: impl Fn(&mut Conversation) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        Self::on(listener, script)
    }

    /// The same, with room for only a little that was not read yet.
    pub fn with_small_window(script: impl Fn(&mut Conversation) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        // Connections have what their listener has.
        socket2::SockRef::from(&listener).set_recv_buffer_size(4 << 10).expect("an option");
        Self::on(listener, script)
    }

    fn on(
        listener: TcpListener,
        script: impl Fn(&mut Conversation) + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().expect("it is bound");
        let stage = Arc::<Stage>::default();
        let (script, shared) = (Arc::new(script), Arc::clone(&stage));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if shared.closed.load(Ordering::SeqCst) {
                    return;
                }
                stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
                let number = shared.connections.fetch_add(1, Ordering::SeqCst);
                shared.open.fetch_add(1, Ordering::SeqCst);
                let (script, stage) = (Arc::clone(&script), Arc::clone(&shared));
                std::thread::spawn(move || {
                    let mut conversation =
                        Conversation { stream, buffer: Vec::new(), stage, number };
                    let played = catch_unwind(AssertUnwindSafe(|| script(&mut conversation)));
                    let stage = Arc::clone(&conversation.stage);
                    drop(conversation);
                    if let Err(panic) = played {
                        stage.broken.lock().expect("not poisoned").push(text_of(&*panic));
                    }
                    stage.open.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, stage }
    }

    /// Answers every request with 200 and its body behind `ok:`.
    pub fn polite() -> Self {
        Self::scripted(|conversation| {
            while let Some(request) = conversation.read() {
                conversation.answer(&[b"ok:", request.body.as_slice()].concat());
            }
        })
    }

    /// Answers every request with the same bytes, and keeps the connection.
    pub fn saying(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::scripted(move |conversation| {
            while conversation.read().is_some() {
                conversation.say(&bytes);
            }
        })
    }

    /// Answers the first request of each connection with these bytes and closes it.
    pub fn closing_after(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Self::scripted(move |conversation| {
            if conversation.read().is_some() {
                conversation.say(&bytes);
            }
        })
    }

    /// An address where nobody listens.
    pub fn nobody() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("it is bound")
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Every request so far.
    pub fn received(&self) -> Vec<Received> {
        self.stage.received.lock().expect("not poisoned").clone()
    }

    /// The requests after the first so many.
    pub fn received_after(&self, count: usize) -> Vec<Received> {
        self.stage.received.lock().expect("not poisoned")[count..].to_vec()
    }

    /// The last request.
    pub fn last(&self) -> Received {
        let received = self.stage.received.lock().expect("not poisoned");
        received.last().cloned().expect("the backend got a request")
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.stage.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.stage.closed.store(true, Ordering::SeqCst);
        // Wakes the thread that accepts, so that it ends.
        drop(TcpStream::connect(self.address));
        let patience = Instant::now() + LAST_WORDS;
        while self.stage.open.load(Ordering::SeqCst) > 0 && Instant::now() < patience {
            std::thread::sleep(Duration::from_millis(1));
        }
        let broken = self.stage.broken.lock().expect("not poisoned");
        if !std::thread::panicking() {
            assert!(broken.is_empty(), "scripts of a backend failed: {broken:#?}");
        }
    }
}

fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

/// An address that swallows every attempt to connect.
pub struct BlackHole {
    address: SocketAddr,
    _listener: socket2::Socket,
    _waiting: Vec<TcpStream>,
}

impl BlackHole {
    /// A listener that never accepts and whose queue is full.
    pub fn new() -> Self {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .expect("a socket");
        let any: SocketAddr = ([127, 0, 0, 1], 0).into();
        socket.bind(&any.into()).expect("a free port");
        socket.listen(0).expect("it listens");
        let address = socket.local_addr().ok().and_then(|address| address.as_socket());
        let address = address.expect("it is bound");
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            waiting.push(stream);
        }
        Self { address, _listener: socket, _waiting: waiting }
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Default for BlackHole {
    fn default() -> Self {
        Self::new()
    }
}

impl Conversation {
    /// Reads a whole request; `None` when the gateway has closed the connection.
    pub fn read(&mut self) -> Option<Received> {
        let mut received = self.read_head()?;
        let mut fields = Vec::new();
        let head = received.head.clone().into_bytes();
        let parsed =
            parse_request(&head, &mut fields, &HeadLimits::default(), &mut Progress::default());
        let head = parsed.expect("what the gateway sends is valid").expect("and whole");
        let mut decoder = BodyDecoder::new(head.framing, BodyLimits::default());
        loop {
            let consumed = match decoder.decode(&self.buffer).expect("a valid body") {
                Decoded::Data { start, end, consumed } => {
                    received.body.extend_from_slice(&self.buffer[start..end]);
                    consumed
                }
                Decoded::NeedMore { consumed } => {
                    self.buffer.drain(..consumed);
                    self.fill()?;
                    continue;
                }
                Decoded::Trailers { consumed } | Decoded::End { consumed } => {
                    self.buffer.drain(..consumed);
                    break;
                }
            };
            self.buffer.drain(..consumed);
        }
        let (bytes, fields) = decoder.trailers();
        let line = |field: &portway_http1::Field| {
            let (name, value) = (field.name.of(bytes), field.value.of(bytes));
            format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
        };
        received.trailers = fields.iter().map(line).collect();
        self.stage.received.lock().expect("not poisoned").push(received.clone());
        Some(received)
    }

    /// Reads a head only.
    pub fn read_head(&mut self) -> Option<Received> {
        loop {
            if let Some(at) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..at + 4).collect();
                let head = String::from_utf8_lossy(&head).into_owned();
                return Some(Received { head, ..Received::default() });
            }
            self.fill()?;
        }
    }

    /// Reads at least one byte of what follows.
    pub fn read_some(&mut self) -> Option<Vec<u8>> {
        if self.buffer.is_empty() {
            self.fill()?;
        }
        Some(std::mem::take(&mut self.buffer))
    }

    fn fill(&mut self) -> Option<()> {
        let mut piece = [0; 16 << 10];
        match self.stream.read(&mut piece) {
            Ok(0) | Err(_) => None,
            Ok(count) => {
                self.buffer.extend_from_slice(&piece[..count]);
                Some(())
            }
        }
    }

    /// Writes bytes as they are. A gateway that has gone is no fault of the test.
    pub fn say(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// A plain answer.
    pub fn answer(&mut self, body: &[u8]) {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        self.say(&[head.as_bytes(), body].concat());
    }

    /// Waits until the gateway closes the connection.
    pub fn wait_for_end(&mut self) {
        while self.fill().is_some() {}
    }

    /// What has arrived and was not read, without waiting.
    pub fn unread(&mut self) -> Vec<u8> {
        self.stream.set_nonblocking(true).expect("a mode");
        while self.fill().is_some() {}
        self.stream.set_nonblocking(false).expect("a mode");
        std::mem::take(&mut self.buffer)
    }

    /// Makes the end of this conversation a reset.
    pub fn reset_at_the_end(&mut self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(Duration::ZERO)).expect("an option");
    }

    /// Ends the sending side.
    pub fn end(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}
