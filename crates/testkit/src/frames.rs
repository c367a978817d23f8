//! HTTP/2 written by hand, for what no library would send (RFC 9113, RFC 7541).

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long a caller waits for a frame before it takes the test for failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Kinds of frames (RFC 9113 §6).
pub mod kind {
    #![allow(missing_docs, reason = "the names are those of the RFC")]
    pub const DATA: u8 = 0;
    pub const HEADERS: u8 = 1;
    pub const PRIORITY: u8 = 2;
    pub const RST_STREAM: u8 = 3;
    pub const SETTINGS: u8 = 4;
    pub const PING: u8 = 6;
    pub const GOAWAY: u8 = 7;
    pub const WINDOW_UPDATE: u8 = 8;
    pub const CONTINUATION: u8 = 9;
}

/// Flags of frames.
pub mod flag {
    #![allow(missing_docs, reason = "the names are those of the RFC")]
    pub const ACK: u8 = 1;
    pub const END_STREAM: u8 = 1;
    pub const END_HEADERS: u8 = 4;
}

/// One frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// See [`kind`].
    pub kind: u8,
    /// See [`flag`].
    pub flags: u8,
    /// The stream, 0 for the connection.
    pub stream: u32,
    /// What follows the head.
    pub payload: Vec<u8>,
}

impl Frame {
    /// A frame.
    pub fn new(kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> Self {
        Self { kind, flags, stream, payload: payload.into() }
    }

    /// As it goes over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("a short payload").to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], self.kind, self.flags];
        bytes.extend_from_slice(&self.stream.to_be_bytes());
        bytes.extend_from_slice(&self.payload);
        bytes
    }

    /// The code of a `RST_STREAM` or `GOAWAY`.
    pub fn code(&self) -> u32 {
        let at = if self.kind == kind::GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().expect("four bytes"))
    }

    /// The status in a head that begins with it, 0 if there is none.
    pub fn status(&self) -> u16 {
        // A change of the table's size may stand in front.
        let block = self.payload.iter().position(|byte| byte & 0xE0 != 0x20);
        let block = &self.payload[block.unwrap_or(0)..];
        match block {
            [indexed @ 0x88..=0x8E, ..] => {
                [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)]
            }
            // A literal with the name of entry 8.
            [0x48 | 0x18 | 0x08, length, text @ ..] => {
                let text = &text[..usize::from(length & 0x7F).min(text.len())];
                if length & 0x80 == 0 { number(text) } else { number(&digits(text)) }
            }
            _ => 0,
        }
    }
}

fn number(text: &[u8]) -> u16 {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Digits in the Huffman code of RFC 7541 §B: 0 to 2 have five bits, the others six.
fn digits(text: &[u8]) -> Vec<u8> {
    let bits: Vec<u8> =
        text.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).collect();
    let value = |bits: &[u8]| bits.iter().fold(0, |value, bit| value << 1 | bit);
    let (mut at, mut digits) = (0, Vec::new());
    while at + 5 <= bits.len() {
        let five = value(&bits[at..at + 5]);
        if five <= 2 {
            digits.push(b'0' + five);
            at += 5;
        } else if let Some(six) = bits.get(at..at + 6).map(value)
            && (0x19..=0x1F).contains(&six)
        {
            digits.push(b'0' + six - 0x19 + 3);
            at += 6;
        } else {
            break;
        }
    }
    digits
}

/// A field as a literal that is not indexed, byte for byte.
pub fn field(name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut block = vec![0];
    for text in [name, value] {
        length(text.len(), 0, 7, &mut block);
        block.extend_from_slice(text);
    }
    block
}

/// A number with a prefix of so many bits (RFC 7541 §5.1).
fn length(mut number: usize, first: u8, bits: u32, block: &mut Vec<u8>) {
    let most = (1 << bits) - 1;
    if number < most {
        block.push(first | number as u8);
        return;
    }
    block.push(first | most as u8);
    number -= most;
    while number >= 0x80 {
        block.push(number as u8 | 0x80);
        number >>= 7;
    }
    block.push(number as u8);
}

/// The fields of a block.
pub fn block(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| field(name, value)).collect()
}

/// The block of a plain request.
pub fn request(method: &str, path: &str) -> Vec<u8> {
    block(&[
        (b":method", method.as_bytes()),
        (b":scheme", b"http"),
        (b":authority", b"api.test"),
        (b":path", path.as_bytes()),
    ])
}

/// One connection.
pub struct Http2 {
    stream: TcpStream,
    buffer: Vec<u8>,
    next: u32,
}

impl Http2 {
    /// Connects and sends the preface with these settings, by number.
    pub fn connect(address: SocketAddr, settings: &[(u16, u32)]) -> Self {
        let stream = TcpStream::connect(address).expect("the gateway accepts");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_nodelay(true).expect("an option");
        let mut this = Self { stream, buffer: Vec::new(), next: 1 };
        // Without a table, heads can be read here.
        let mut payload = vec![0, 1, 0, 0, 0, 0];
        for (name, value) in settings {
            payload.extend_from_slice(&name.to_be_bytes());
            payload.extend_from_slice(&value.to_be_bytes());
        }
        this.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        this.frame(kind::SETTINGS, 0, 0, payload);
        this
    }

    /// Takes a connection of the gateway as its backend: reads the preface and sends settings.
    ///
    /// # Panics
    /// If something else than HTTP/2 comes.
    pub fn accept(stream: &TcpStream) -> Self {
        const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let mut stream = stream.try_clone().expect("a socket");
        stream.set_nodelay(true).expect("an option");
        let mut preface = [0; PREFACE.len()];
        stream.read_exact(&mut preface).expect("the gateway sends a preface");
        assert_eq!(preface, *PREFACE);
        let mut this = Self { stream, buffer: Vec::new(), next: 2 };
        this.frame(kind::SETTINGS, 0, 0, []);
        this
    }

    /// The stream of the next request; `None` when the connection has ended. Answers settings and pings on the way.
    pub fn asked(&mut self) -> Option<u32> {
        loop {
            let frame = self.next_frame()?;
            match frame.kind {
                kind::SETTINGS if frame.flags & flag::ACK == 0 => {
                    self.frame(kind::SETTINGS, flag::ACK, 0, []);
                }
                kind::PING if frame.flags & flag::ACK == 0 => {
                    self.frame(kind::PING, flag::ACK, 0, frame.payload);
                }
                kind::HEADERS => return Some(frame.stream),
                _ => {}
            }
        }
    }

    /// Answers a request with 200 and a body.
    pub fn answer(&mut self, stream: u32, body: &[u8]) {
        const STATUS_200: [u8; 1] = [0x88];
        self.frame(kind::HEADERS, flag::END_HEADERS, stream, STATUS_200);
        self.frame(kind::DATA, flag::END_STREAM, stream, body);
    }

    /// Says that nothing beyond a stream is looked at.
    pub fn go_away(&mut self, last: u32, code: u32) {
        let payload = [last.to_be_bytes(), code.to_be_bytes()].concat();
        self.frame(kind::GOAWAY, 0, 0, payload);
    }

    /// Sends bytes as they are; false once the gateway has gone.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// Sends a frame; false once the gateway has gone.
    pub fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: impl Into<Vec<u8>>) -> bool {
        self.send(Frame::new(kind, flags, stream, payload).bytes())
    }

    /// The number of a new stream.
    pub fn stream(&mut self) -> u32 {
        self.next += 2;
        self.next - 2
    }

    /// Sends a request without a body from its block; says its stream.
    pub fn ask(&mut self, block: impl Into<Vec<u8>>) -> u32 {
        let stream = self.stream();
        self.frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, stream, block);
        stream
    }

    /// The next frame; `None` when the connection has ended, or nothing came within patience.
    pub fn next_frame(&mut self) -> Option<Frame> {
        loop {
            if self.buffer.len() >= 9 {
                let length =
                    u32::from_be_bytes([0, self.buffer[0], self.buffer[1], self.buffer[2]]);
                let end = 9 + length as usize;
                if self.buffer.len() >= end {
                    let bytes: Vec<u8> = self.buffer.drain(..end).collect();
                    let stream = u32::from_be_bytes(bytes[5..9].try_into().expect("four bytes"));
                    return Some(Frame::new(bytes[3], bytes[4], stream, &bytes[9..]));
                }
            }
            let mut piece = [0; 16 << 10];
            match self.stream.read(&mut piece) {
                Ok(0) | Err(_) => return None,
                Ok(count) => self.buffer.extend_from_slice(&piece[..count]),
            }
        }
    }

    /// The next frame that ends a stream, or begins its answer; acknowledges settings on the way.
    pub fn outcome(&mut self, stream: u32) -> Option<Frame> {
        loop {
            let frame = self.next_frame()?;
            match frame.kind {
                kind::SETTINGS if frame.flags & flag::ACK == 0 => {
                    self.frame(kind::SETTINGS, flag::ACK, 0, []);
                }
                kind::GOAWAY => return Some(frame),
                kind::HEADERS | kind::RST_STREAM if frame.stream == stream => return Some(frame),
                _ => {}
            }
        }
    }

    /// The code of the `GOAWAY` that ends the connection, which must end.
    pub fn goodbye(&mut self) -> Option<u32> {
        let mut code = None;
        while let Some(frame) = self.next_frame() {
            if frame.kind == kind::GOAWAY {
                code = Some(frame.code());
            }
        }
        code
    }

    /// Whether nothing comes for so long although the connection is open.
    pub fn is_silent_for(&mut self, patience: Duration) -> bool {
        self.stream.set_read_timeout(Some(patience)).expect("a time-out");
        let mut piece = [0; 1];
        let read = self.stream.peek(&mut piece);
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        matches!(read, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }

    /// How long the gateway may take to take what is sent; sending fails then.
    pub fn set_write_patience(&mut self, patience: Duration) {
        self.stream.set_write_timeout(Some(patience)).expect("a time-out");
    }
}
