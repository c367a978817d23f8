//! The room that bodies may take which are held at once, of all callers together.
//!
//! What is counted is memory, not what was sent: the two differ where a buffer grows ahead.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What is taken of it, by all workers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Room(Arc<AtomicU64>);

/// What one body takes; given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    room: Room,
    bytes: u64,
}

impl Room {
    pub(crate) fn share(&self) -> Share {
        Share { room: self.clone(), bytes: 0 }
    }
}

impl Share {
    /// Takes as much as makes it `bytes`, if that leaves all together within `most`; else nothing changes.
    pub(crate) fn grow(&mut self, bytes: usize, most: u64) -> bool {
        let more = (bytes as u64).saturating_sub(self.bytes);
        let before = self.room.0.fetch_add(more, Ordering::Relaxed);
        let fits = before.saturating_add(more) <= most;
        if fits {
            self.bytes += more;
        } else {
            self.room.0.fetch_sub(more, Ordering::Relaxed);
        }
        fits
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.room.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
