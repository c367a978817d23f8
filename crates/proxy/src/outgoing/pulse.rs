//! Whether anybody is at the other end of a connection that many calls share.
//!
//! A network that drops packets without a word leaves a connection that looks open: every call would be put on it and
//! wait for its time to run out. So a call that is put on a connection on which nothing has come for a while brings a
//! `PING` along (RFC 9113 §6.7). While that is not answered by anything, further calls go elsewhere; when it was not
//! for long, the connection is given up with the calls on it. Knows no socket; time is a number that is passed in.
//!
//! A `PING` goes out with a call only, never by itself, and not more than a few before an answer comes: some servers
//! take more for an attack.

use std::cell::{Cell, RefCell};
use std::task::Waker;

/// Nothing has come for so long: the next call asks.
pub(super) const QUIET_MS: u64 = 1_000;
/// Asked so long ago without an answer: no further call is put on it.
pub(super) const DOUBT_MS: u64 = 1_000;
/// Asked so long ago without an answer: nobody is there.
pub(super) const GONE_MS: u64 = 10_000;
/// Questions until an answer to a call has come.
const ASKED_MAX: u32 = 2;

/// Signs of life of one connection.
pub(super) struct Pulse {
    /// When something last came.
    heard_ms: Cell<u64>,
    /// Since when an answer is awaited; `u64::MAX` if none is.
    asked_ms: Cell<u64>,
    /// Whether the question is still to be put.
    to_ask: Cell<bool>,
    /// Questions since an answer to a call came.
    asked: Cell<u32>,
    /// Wakes whoever puts the question.
    waker: RefCell<Option<Waker>>,
}

impl Pulse {
    pub(super) fn new(now_ms: u64) -> Self {
        Self {
            heard_ms: Cell::new(now_ms),
            asked_ms: Cell::new(u64::MAX),
            to_ask: Cell::new(false),
            asked: Cell::new(0),
            waker: RefCell::default(),
        }
    }

    /// Bytes have come, whatever they mean.
    pub(super) fn hear(&self, now_ms: u64) {
        self.heard_ms.set(now_ms);
        self.asked_ms.set(u64::MAX);
    }

    /// A part of an answer to a call has come.
    pub(super) fn answered(&self) {
        self.asked.set(0);
    }

    /// The question could not be put.
    pub(super) fn could_not_ask(&self) {
        self.asked_ms.set(u64::MAX);
    }

    /// A call is put on the connection.
    pub(super) fn begin(&self, now_ms: u64) {
        let is_quiet = now_ms >= self.heard_ms.get().saturating_add(QUIET_MS);
        if !is_quiet || self.asked_ms.get() != u64::MAX || self.asked.get() == ASKED_MAX {
            return;
        }
        self.asked_ms.set(now_ms);
        self.asked.set(self.asked.get() + 1);
        self.to_ask.set(true);
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// Whether a question is to be put now; once for each.
    pub(super) fn take_question(&self) -> bool {
        self.to_ask.take()
    }

    /// Who is woken when a question is to be put.
    pub(super) fn set_waker(&self, waker: &Waker) {
        let mut known = self.waker.borrow_mut();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// Whether nothing has come since `since_ms`.
    pub(super) fn is_silent_since(&self, since_ms: u64) -> bool {
        self.heard_ms.get() <= since_ms
    }

    /// Whether an answer is overdue, so that calls had better go elsewhere.
    pub(super) fn is_doubtful(&self, now_ms: u64) -> bool {
        now_ms >= self.asked_ms.get().saturating_add(DOUBT_MS)
    }

    /// When the connection is given up if nothing comes; `u64::MAX` if nothing is awaited.
    pub(super) fn gone_ms(&self) -> u64 {
        self.asked_ms.get().saturating_add(GONE_MS)
    }
}

#[cfg(test)]
mod tests;
