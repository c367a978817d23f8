//! A backend that does as it is told, and remembers every byte it got.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portway_http1::{BodyDecoder, BodyLimits, Decoded, HeadLimits, Progress, parse_request};

/// How long a backend waits for bytes before it takes the test for stuck.
const PATIENCE: Duration = Duration::from_secs(20);

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
    received: Arc<Mutex<Vec<Received>>>,
    connections: Arc<AtomicUsize>,
}

/// One connection of the gateway, as a script sees it.
pub struct Conversation {
    /// The connection.
    pub stream: TcpStream,
    buffer: Vec<u8>,
    received: Arc<Mutex<Vec<Received>>>,
    /// Counts from 0.
    pub number: usize,
}

impl Backend {
    /// Runs `script` for each connection, in a thread of its own.
    pub fn scripted(script: impl Fn(&mut Conversation) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let received = Arc::<Mutex<Vec<Received>>>::default();
        let connections = Arc::<AtomicUsize>::default();
        let script = Arc::new(script);
        let (kept, counted) = (Arc::clone(&received), Arc::clone(&connections));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
                let number = counted.fetch_add(1, Ordering::SeqCst);
                let (script, received) = (Arc::clone(&script), Arc::clone(&kept));
                std::thread::spawn(move || {
                    script(&mut Conversation { stream, buffer: Vec::new(), received, number });
                });
            }
        });
        Self { address, received, connections }
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
        self.received.lock().expect("not poisoned").clone()
    }

    /// The last request.
    pub fn last(&self) -> Received {
        self.received().pop().expect("the backend got a request")
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
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
        self.received.lock().expect("not poisoned").push(received.clone());
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

    /// Ends the sending side.
    pub fn end(&mut self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}
