//! When a call must have an answer, and how the backend is told.
//!
//! The operation's `timeout` holds for every call. A caller that has less time can say so: in `grpc-timeout`, if it is a
//! gRPC call, else in the header that the backend's document names. What is handed on is what is left when the request is sent.

use portway_http1::{self as http1, Known, Method};
use portway_policy::Headers;
use portway_policy::hygiene::same_folded;

use crate::request::{Request, Version};

/// When a call must have an answer, in milliseconds of the worker's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline {
    pub(crate) due_ms: u64,
    /// How much later it is what the caller said of a gRPC call. No more than that is kept: it is part of every connection's size.
    later_ms: u32,
    is_of_caller: bool,
    is_grpc: bool,
}

/// What the backend is told: a header, and what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Left<'a> {
    name: &'a str,
    ms: u64,
    unit: &'static str,
}

const GRPC_TIMEOUT: &str = "grpc-timeout";
/// It has at most eight digits.
const GRPC_MOST: u64 = 99_999_999;

impl Deadline {
    /// Of a call that came at a moment and has so long, to a backend that may be told in a header.
    pub(crate) fn of(
        request: &Request,
        header: Option<&str>,
        (started_ms, timeout_ms): (u64, u64),
    ) -> Self {
        let due_ms = started_ms + timeout_ms;
        let is_grpc = request.version == Version::Http2
            && request.method == Method::Post
            && request
                .known(Known::ContentType)
                .is_some_and(|kind| kind.starts_with(b"application/grpc"));
        let said_ms = if is_grpc {
            request.first(GRPC_TIMEOUT).and_then(grpc_ms)
        } else {
            header.and_then(|name| request.first(name)).and_then(number)
        };
        let Some(said_ms) = said_ms else {
            return Self { due_ms, later_ms: 0, is_of_caller: false, is_grpc: false };
        };
        let caller_ms = started_ms.saturating_add(said_ms);
        Self {
            due_ms: due_ms.min(caller_ms),
            later_ms: u32::try_from(caller_ms.saturating_sub(due_ms)).unwrap_or(u32::MAX),
            is_of_caller: caller_ms <= due_ms,
            is_grpc,
        }
    }

    /// Whether it is the caller's, and not the operation's.
    pub(crate) const fn is_of_caller(&self) -> bool {
        self.is_of_caller
    }

    /// What the backend is told now.
    pub(crate) fn left<'a>(&self, header: Option<&'a str>, now_ms: u64) -> Option<Left<'a>> {
        let ms = self.due_ms.saturating_sub(now_ms);
        if self.is_grpc {
            // It holds for the whole call; the operation's only until the answer begins.
            let caller_ms = self.due_ms.saturating_add(u64::from(self.later_ms));
            let ms = caller_ms.saturating_sub(now_ms).min(GRPC_MOST);
            return Some(Left { name: GRPC_TIMEOUT, ms, unit: "m" });
        }
        header.map(|name| Left { name, ms, unit: "" })
    }
}

impl Left<'_> {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.name.as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(itoa::Buffer::new().format(self.ms).as_bytes());
        out.extend_from_slice(self.unit.as_bytes());
        out.extend_from_slice(http1::HEAD_END);
    }

    /// Whether a caller's field could be taken for it.
    pub(crate) fn replaces(&self, name: &[u8]) -> bool {
        same_folded(self.name.as_bytes(), name)
    }
}

/// The milliseconds of a `grpc-timeout`, rounded up: at most eight digits and a unit.
fn grpc_ms(text: &[u8]) -> Option<u64> {
    let (unit, digits) = text.split_last()?;
    let count = number(digits).filter(|_| digits.len() <= 8)?;
    Some(match unit {
        b'H' => count * 3_600_000,
        b'M' => count * 60_000,
        b'S' => count * 1_000,
        b'm' => count,
        b'u' => count.div_ceil(1_000),
        b'n' => count.div_ceil(1_000_000),
        _ => return None,
    })
}

/// A number of milliseconds; further digits than a year has are as good as none.
fn number(digits: &[u8]) -> Option<u64> {
    let is_number = (1..=12).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests;
