//! WebSocket frames (RFC 6455 §5.2) as far as a gateway needs them that passes bytes on unread: where one ends, so that
//! a caller can be told to go (`Close`, 1001) between two of them when the gateway drains.
//!
//! What the frames carry, and whether they are right, is between the two ends.

use crate::worker::Worker;

/// A `Close` from a server: final, without a mask, two bytes: 1001, "going away" (RFC 6455 §7.4.1).
const GOING_AWAY: [u8; 4] = [0x88, 2, 0x03, 0xe9];
const CLOSE: u8 = 8;
/// Two bytes, a length of eight, a mask of four.
const HEAD_BYTES_MAX: usize = 14;

/// Follows the frames that one side sends.
#[derive(Debug, Default)]
struct Frames {
    head: [u8; HEAD_BYTES_MAX],
    /// Bytes of a head that is not whole yet.
    have: usize,
    /// Bytes that are still to come of the payload.
    left: u64,
    /// Whether this side has said `Close`.
    closed: bool,
}

impl Frames {
    fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let here =
                    usize::try_from(self.left).map_or(bytes.len(), |left| left.min(bytes.len()));
                self.left -= here as u64;
                bytes = &bytes[here..];
                continue;
            }
            self.head[self.have] = *first;
            self.have += 1;
            bytes = rest;
            if self.have == self.head_bytes() {
                self.left = self.payload_bytes();
                self.closed |= self.head[0] & 0x0f == CLOSE;
                self.have = 0;
            }
        }
    }

    /// How long the head is that has begun, as far as can be said.
    fn head_bytes(&self) -> usize {
        if self.have < 2 {
            return 2;
        }
        let mask = if self.head[1] & 0x80 != 0 { 4 } else { 0 };
        2 + self.length_bytes() + mask
    }

    fn length_bytes(&self) -> usize {
        match self.head[1] & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        }
    }

    fn payload_bytes(&self) -> u64 {
        let long = &self.head[2..2 + self.length_bytes()];
        if long.is_empty() {
            return u64::from(self.head[1] & 0x7f);
        }
        long.iter().fold(0, |length, byte| length << 8 | u64::from(*byte))
    }

    /// How many of the bytes to come certainly belong to the frame that has begun; 0 between two frames.
    fn to_end(&self) -> u64 {
        if self.left == 0 { u64::from(self.have > 0) } else { self.left }
    }
}

/// Tells the caller of a WebSocket to go once the gateway drains.
pub(crate) struct Farewell<'a> {
    worker: &'a Worker,
    frames: Frames,
    said: bool,
}

impl<'a> Farewell<'a> {
    /// For a connection that was switched to `protocol`; nothing is known of others.
    pub(crate) fn of(protocol: &[u8], worker: &'a Worker) -> Option<Self> {
        protocol.eq_ignore_ascii_case(b"websocket").then(|| Self {
            worker,
            frames: Frames::default(),
            said: false,
        })
    }

    /// What is to be said to the caller now.
    pub(crate) fn words(&mut self) -> Option<&'static [u8]> {
        let is_time = self.worker.is_draining()
            && !self.said
            && !self.frames.closed
            && self.frames.to_end() == 0;
        self.said |= is_time;
        is_time.then_some(&GOING_AWAY)
    }

    /// How many of so many bytes of the backend may be passed on; `None` when all that it says is too late.
    pub(crate) fn may_pass(&self, bytes: usize) -> Option<usize> {
        if self.said {
            return None;
        }
        if !self.worker.is_draining() || self.frames.closed {
            return Some(bytes);
        }
        Some(usize::try_from(self.frames.to_end()).map_or(bytes, |end| end.min(bytes)))
    }

    /// These were passed on.
    pub(crate) fn passed(&mut self, bytes: &[u8]) {
        self.frames.pass(bytes);
    }
}

#[cfg(test)]
mod tests;
