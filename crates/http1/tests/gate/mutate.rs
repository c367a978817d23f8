//! Seeded changes to messages: the same ones in every run, so that a failure can be found again.

/// A small generator (xorshift64*), good enough to choose what to break.
pub(crate) struct Random(u64);

impl Random {
    /// Starts from a seed.
    pub(crate) fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize) % bound.max(1)
    }
}

const BYTES: &[u8] = b"\r\n\0 \t:,;=\"/?#@%*+-_.019aAzZ\x0b\x0c\x1b\x7f\x80\xff";

const TEXTS: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"Content-Length: 3\r\n",
    b"Content-Length: 0\r\n",
    b"content-length:3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n",
    b"Host: b\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"Connection: upgrade\r\nUpgrade: websocket\r\n",
    b"Expect: 100-continue\r\n",
    b"0\r\n\r\n",
    b"3\r\nabc\r\n",
    b"X-Sum: 1\r\n",
    b" folded\r\n",
    b", chunked",
    b"chunked",
    b"HTTP/1.0",
    b"HTTP/1.1",
    b"http://a",
    b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n",
];

/// One to four changes.
pub(crate) fn mutated(bytes: &[u8], random: &mut Random) -> Vec<u8> {
    let mut out = bytes.to_vec();
    for _ in 0..=random.below(4) {
        change(&mut out, random);
    }
    out
}

fn change(out: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(out.len() + 1);
    let byte = BYTES[random.below(BYTES.len())];
    match random.below(9) {
        0 => out.insert(at, byte),
        1 if at < out.len() => out[at] = byte,
        2 if at < out.len() => {
            out.remove(at);
        }
        3 => {
            let end = (at + random.below(12)).min(out.len());
            out.drain(at..end);
        }
        4 => {
            let text = TEXTS[random.below(TEXTS.len())];
            out.splice(at..at, text.iter().copied());
        }
        5 => {
            // a dictionary line where a line begins
            let at = line_start(out, at);
            let text = TEXTS[random.below(TEXTS.len())];
            out.splice(at..at, text.iter().copied());
        }
        6 => {
            let start = line_start(out, at);
            let end = next_line(out, start);
            let line = out[start..end].to_vec();
            let to = line_start(out, random.below(out.len() + 1));
            out.splice(to..to, line);
        }
        7 if at < out.len() && out[at].is_ascii_alphabetic() => out[at] ^= 0x20,
        8 if random.below(4) == 0 => out.truncate(at),
        _ if at < out.len() => out[at] = out[at].wrapping_add(1),
        _ => {}
    }
}

fn line_start(bytes: &[u8], at: usize) -> usize {
    bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |before| before + 1)
}

fn next_line(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |end| at + end + 1)
}
