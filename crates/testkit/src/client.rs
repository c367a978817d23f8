//! A client that sends whatever bytes it likes and reads answers strictly.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use portway_http1::{
    BodyDecoder, BodyLimits, Decoded, Framing, HeadLimits, Progress, RequestKind, parse_response,
};

/// How long a client waits for bytes before it takes the test for failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// An answer.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// The head, byte for byte.
    pub head: String,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Trailer lines, `name: value`.
    pub trailers: Vec<String>,
    /// Whether the body had ended as its head said, or by the end of a connection that had to end.
    pub whole: bool,
}

impl Answer {
    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The first value of a header.
    pub fn value(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The code of a problem, empty if it is none.
    pub fn problem(&self) -> String {
        let text = self.text();
        let code = text.split("\"code\":\"").nth(1).and_then(|rest| rest.split('"').next());
        code.unwrap_or_default().to_owned()
    }
}

/// How a connection is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The gateway closed it.
    Closed,
    /// It was reset.
    Reset,
    /// It is open.
    Open,
}

/// One connection.
pub struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    /// Connects.
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the gateway accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Self { stream, buffer: Vec::new() }
    }

    /// Connects, with room for only a little that is not read yet.
    pub fn with_small_window(address: SocketAddr) -> Self {
        let socket = socket2::Socket::new(
            socket2::Domain::for_address(address),
            socket2::Type::STREAM,
            None,
        )
        .expect("a socket");
        socket.set_recv_buffer_size(4 << 10).expect("an option");
        socket.connect(&address.into()).expect("the gateway accepts");
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Self { stream, buffer: Vec::new() }
    }

    /// Ends the sending side.
    pub fn end(&mut self) -> &mut Self {
        let _ = self.stream.shutdown(std::net::Shutdown::Write);
        self
    }

    /// Sends as many of the same bytes as the gateway takes, up to `most`; says how many it took until
    /// it took none for `patience`.
    pub fn send_until_stuck(&mut self, bytes: &[u8], most: usize, patience: Duration) -> usize {
        self.stream.set_write_timeout(Some(patience)).expect("a time-out");
        let mut sent = 0;
        while sent < most {
            match self.stream.write(bytes) {
                Ok(count) => sent += count,
                Err(_) => break,
            }
        }
        self.stream.set_write_timeout(None).expect("a time-out");
        sent
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        // A gateway that has refused may have closed already; the answer tells.
        let _ = self.stream.write_all(bytes.as_ref());
        self
    }

    /// Reads the next answer to a request that was not `HEAD`, interim ones included.
    pub fn answer(&mut self) -> Answer {
        self.read(RequestKind::Other)
    }

    /// Reads the next answer, unless the connection ends before its head is whole.
    pub fn answer_if_any(&mut self) -> Option<Answer> {
        while !self.buffer.windows(4).any(|four| four == b"\r\n\r\n") {
            if !self.fill() {
                return None;
            }
        }
        Some(self.answer())
    }

    /// Reads the next answer, if one begins before the connection ends.
    pub fn answer_or_end(&mut self) -> Option<Answer> {
        (!self.buffer.is_empty() || self.fill()).then(|| self.answer())
    }

    /// Reads the next answer to a `HEAD`.
    pub fn answer_to_head(&mut self) -> Answer {
        self.read(RequestKind::Head)
    }

    /// Reads the next answer to a request that asked for another protocol.
    pub fn answer_to_upgrade(&mut self) -> Answer {
        self.read(RequestKind::Upgrade)
    }

    fn read(&mut self, kind: RequestKind) -> Answer {
        let mut fields = Vec::new();
        let mut progress = Progress::default();
        let head = loop {
            let parsed = parse_response(
                &self.buffer,
                &mut fields,
                kind,
                &HeadLimits { head_bytes: 1 << 20, ..HeadLimits::default() },
                &mut progress,
            );
            match parsed.expect("what the gateway answers is valid") {
                Some(head) => break head,
                None if self.fill() => {}
                None => panic!("no answer: {:?}", String::from_utf8_lossy(&self.buffer)),
            }
        };
        let text: Vec<u8> = self.buffer.drain(..head.len).collect();
        let mut answer = Answer {
            status: head.status,
            head: String::from_utf8_lossy(&text).into_owned(),
            ..Answer::default()
        };
        self.read_body(head.framing, &mut answer);
        answer
    }

    fn read_body(&mut self, framing: Framing, answer: &mut Answer) {
        let mut decoder = BodyDecoder::new(framing, BodyLimits::default());
        loop {
            match decoder.decode(&self.buffer).expect("a valid body") {
                Decoded::Data { start, end, consumed } => {
                    answer.body.extend_from_slice(&self.buffer[start..end]);
                    self.buffer.drain(..consumed);
                }
                Decoded::NeedMore { consumed } => {
                    self.buffer.drain(..consumed);
                    if !self.fill() {
                        answer.whole = decoder.on_eof().is_ok();
                        return;
                    }
                }
                Decoded::Trailers { consumed } | Decoded::End { consumed } => {
                    self.buffer.drain(..consumed);
                    break;
                }
            }
        }
        let (bytes, fields) = decoder.trailers();
        let line = |field: &portway_http1::Field| {
            let (name, value) = (field.name.of(bytes), field.value.of(bytes));
            format!("{}: {}", String::from_utf8_lossy(name), String::from_utf8_lossy(value))
        };
        answer.trailers = fields.iter().map(line).collect();
        answer.whole = true;
    }

    /// Reads once; false at the end or a reset.
    fn fill(&mut self) -> bool {
        let mut piece = [0; 16 << 10];
        match self.stream.read(&mut piece) {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.buffer.extend_from_slice(&piece[..count]);
                true
            }
        }
    }

    /// Reads bytes as they are until there are `count`.
    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        while self.buffer.len() < count && self.fill() {}
        self.buffer.drain(..count.min(self.buffer.len())).collect()
    }

    /// Whether the gateway ends the connection, within patience; what still comes is thrown away.
    pub fn ended(&mut self) -> Ended {
        let mut piece = [0; 16 << 10];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return Ended::Closed,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return Ended::Reset,
                Err(_) => return Ended::Open,
            }
        }
    }

    /// Whether the connection is still open; waits only for `patience`.
    pub fn is_open_after(&mut self, patience: Duration) -> bool {
        self.stream.set_read_timeout(Some(patience)).expect("a time-out");
        let ended = self.ended();
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        ended == Ended::Open
    }

    /// Sends a request and reads its answer over a connection of its own.
    pub fn ask(address: SocketAddr, bytes: impl AsRef<[u8]>) -> Answer {
        Self::connect(address).send(bytes).answer()
    }

    /// `GET` of a path over a connection of its own.
    pub fn get(address: SocketAddr, path: &str) -> Answer {
        Self::ask(address, format!("GET {path} HTTP/1.1\r\nHost: api.test\r\n\r\n"))
    }
}
