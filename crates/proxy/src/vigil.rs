//! Whether the workers live: each beats while it runs, and is missed when it ends without having been told to.
//!
//! A worker that is gone or stands still leaves callers waiting in the queue of its socket, which nobody else sees.
//! What is to be done about it is decided elsewhere.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

/// The watch over all workers.
pub(crate) struct Vigil {
    workers: Box<[Watched]>,
    lost: watch::Sender<Option<String>>,
}

#[derive(Default)]
struct Watched {
    beats: AtomicU64,
    /// How many there were when somebody looked.
    seen: AtomicU64,
}

/// A worker's own end of it. If it is dropped before the worker may end, the worker is lost.
pub(crate) struct Pulse {
    vigil: Arc<Vigil>,
    index: usize,
    may_end: bool,
}

impl Vigil {
    pub(crate) fn over(workers: usize) -> Self {
        let workers = (0..workers).map(|_| Watched::default()).collect();
        Self { workers, lost: watch::Sender::new(None) }
    }

    /// Comes back with a sentence about the first worker that was lost.
    pub(crate) async fn lost(&self) -> String {
        let mut lost = self.lost.subscribe();
        match lost.wait_for(Option::is_some).await.ok().and_then(|lost| lost.clone()) {
            Some(why) => why,
            // The sender lives as long as this.
            None => std::future::pending().await,
        }
    }

    /// Whether every worker has beaten since this was asked the last time, and none is lost.
    pub(crate) fn all_move(&self) -> bool {
        let mut all = self.lost.borrow().is_none();
        for worker in &self.workers {
            let beats = worker.beats.load(Ordering::Relaxed);
            all &= worker.seen.swap(beats, Ordering::Relaxed) != beats;
        }
        all
    }
}

impl Pulse {
    pub(crate) fn new(vigil: Arc<Vigil>, index: usize) -> Self {
        Self { vigil, index, may_end: false }
    }

    pub(crate) fn beat(&self) {
        self.vigil.workers[self.index].beats.fetch_add(1, Ordering::Relaxed);
    }

    /// The worker ends as it was told.
    pub(crate) fn may_end(&mut self) {
        self.may_end = true;
    }
}

impl Drop for Pulse {
    fn drop(&mut self) {
        if self.may_end {
            return;
        }
        let how = if std::thread::panicking() { "panicked" } else { "stopped accepting" };
        let why = format!("worker {} {how}", self.index);
        tracing::error!("{why}");
        self.vigil.lost.send_if_modified(|lost| lost.is_none() && lost.replace(why).is_none());
    }
}

#[cfg(test)]
mod tests;
