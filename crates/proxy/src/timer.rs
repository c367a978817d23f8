//! One deadline per task, cheap to move.
//!
//! Every call moves its connection's deadline several times and almost never reaches it. So moving
//! it later only writes a number; the runtime's timer is touched when the deadline moves before the
//! instant that it is armed for, or when that instant has come.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// A deadline in milliseconds on the worker's clock, and the runtime timer behind it.
pub(crate) struct Timer {
    base: Instant,
    due_ms: u64,
    armed_ms: u64,
    registered: bool,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Timer {
    /// `base` is where the worker's clock counts from.
    pub(crate) fn new(base: Instant) -> Self {
        Self { base, due_ms: u64::MAX, armed_ms: u64::MAX, registered: false, sleep: None }
    }

    /// Moves the deadline.
    pub(crate) fn set(&mut self, due_ms: u64) {
        self.due_ms = due_ms;
    }

    /// Ready when the deadline has passed. Called after everything else was pending.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.due_ms == u64::MAX {
            return Poll::Pending;
        }
        loop {
            if self.sleep.is_none() || self.due_ms < self.armed_ms {
                self.arm();
            }
            let sleep = self.sleep.as_mut().expect("armed above");
            if self.registered && !sleep.is_elapsed() {
                return Poll::Pending;
            }
            if sleep.as_mut().poll(cx).is_pending() {
                self.registered = true;
                return Poll::Pending;
            }
            if self.armed_ms >= self.due_ms {
                // Fired: the next deadline arms it anew.
                self.armed_ms = u64::MAX;
                return Poll::Ready(());
            }
            self.arm();
        }
    }

    fn arm(&mut self) {
        let at = self.base + Duration::from_millis(self.due_ms);
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(at),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(at))),
        }
        self.armed_ms = self.due_ms;
        self.registered = false;
    }
}

#[cfg(test)]
mod tests;
