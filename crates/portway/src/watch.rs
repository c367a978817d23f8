//! Notices that files change, whoever writes them and in whatever way.
//!
//! Editors replace files by renaming, shells write in place, Kubernetes swaps a link to a directory, and
//! network file systems tell nothing at all. So directories are watched, not files; an event only says
//! that it is worth to look, and looking happens from time to time even without one. Whether what is
//! there is different is decided by stamps, elsewhere.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, CreateKind, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

/// How long nothing may happen until a change is taken for complete.
const QUIET: Duration = Duration::from_millis(15);
/// The same while a file that is written in place has not been closed.
const QUIET_WHILE_WRITTEN: Duration = Duration::from_millis(250);
/// When a change is taken for complete although things go on happening.
const SETTLED_AFTER: Duration = Duration::from_millis(500);
/// How often one looks without having been told.
const LOOK_INTERVAL: Duration = Duration::from_secs(2);
/// Events that wait to be looked at. Further ones would say nothing new.
const EVENTS_MAX: usize = 256;

/// Why one should look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Something may have changed.
    Changed,
    /// It was asked for, whether something has changed or not.
    Asked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    /// A file is being written, and not closed yet.
    Written,
    /// Something else happened.
    Happened,
    /// Somebody said something, and noted what.
    Said,
}

/// What was said by those who do not only notice. Kept beside the events, of which there may be too many for one more.
#[derive(Debug, Default)]
struct Said {
    look: AtomicBool,
    end: AtomicBool,
}

/// Watches directories.
pub struct Watch {
    events: Receiver<Event>,
    said: Arc<Said>,
    /// `None` where the system cannot tell of changes; then only looking helps.
    watcher: Option<RecommendedWatcher>,
    watched: BTreeSet<PathBuf>,
}

/// Says to the one who waits that it should look.
#[derive(Debug, Clone)]
pub struct Nudge {
    events: SyncSender<Event>,
    said: Arc<Said>,
}

impl Nudge {
    /// Look, whether something has changed or not.
    pub fn ask(&self) {
        self.said.look.store(true, Ordering::Release);
        self.wake();
    }

    /// There is no need to wait any longer.
    pub fn end(&self) {
        self.said.end.store(true, Ordering::Release);
        self.wake();
    }

    /// If there is no room, there are events enough that wake.
    fn wake(&self) {
        let _ = self.events.try_send(Event::Said);
    }
}

impl Said {
    /// Whether there is nothing to be waited for: who says something has finished writing.
    fn anything(&self) -> bool {
        self.look.load(Ordering::Acquire) || self.end.load(Ordering::Acquire)
    }

    /// What a wait has come to.
    fn cause(&self) -> Option<Cause> {
        if self.end.load(Ordering::Acquire) {
            return None;
        }
        let asked = self.look.swap(false, Ordering::AcqRel);
        Some(if asked { Cause::Asked } else { Cause::Changed })
    }
}

impl Watch {
    /// Watches nothing yet.
    pub fn new() -> (Self, Nudge) {
        let (sender, events) = sync_channel(EVENTS_MAX);
        let told = sender.clone();
        let watcher = notify::recommended_watcher(move |event| tell(&told, event));
        let watcher = watcher
            .inspect_err(|error| tracing::warn!(%error, "changes of files are noticed within two seconds only"))
            .ok();
        let said = Arc::<Said>::default();
        let nudge = Nudge { events: sender, said: Arc::clone(&said) };
        (Self { events, said, watcher, watched: BTreeSet::new() }, nudge)
    }

    /// Watches these directories and no others.
    pub fn follow(&mut self, directories: BTreeSet<PathBuf>) {
        let Some(watcher) = &mut self.watcher else { return };
        for gone in self.watched.difference(&directories) {
            let _ = watcher.unwatch(gone);
        }
        let mut watched = BTreeSet::new();
        for directory in directories {
            // One that was removed and made again has to be watched again, although its name is the same; to watch a
            // directory that is watched changes nothing.
            match watcher.watch(&directory, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    watched.insert(directory);
                }
                Err(error) => {
                    tracing::debug!(directory = %directory.display(), %error, "cannot be watched")
                }
            }
        }
        self.watched = watched;
    }

    /// Waits until it is worth to look; `None` when there is no need any more.
    pub fn wait(&self) -> Option<Cause> {
        match self.events.recv_timeout(LOOK_INTERVAL) {
            Ok(first) => self.settle(first),
            Err(RecvTimeoutError::Timeout) => self.said.cause(),
            Err(RecvTimeoutError::Disconnected) => None,
        }
    }

    /// Waits until what has begun is complete: a document that is half written must not be read.
    fn settle(&self, first: Event) -> Option<Cause> {
        let deadline = Instant::now() + SETTLED_AFTER;
        let mut last = first;
        while !self.said.anything() {
            let quiet = if last == Event::Written { QUIET_WHILE_WRITTEN } else { QUIET };
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(quiet.min(left)) {
                Ok(event) => last = event,
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        self.said.cause()
    }
}

/// Passes on what matters. Reading a file is told, too, and must not make us read again.
fn tell(events: &SyncSender<Event>, event: notify::Result<notify::Event>) {
    let event = match event.map(|event| event.kind) {
        Ok(EventKind::Access(AccessKind::Close(AccessMode::Write))) => Event::Happened,
        Ok(EventKind::Access(_)) => return,
        // A new file has nothing in it yet.
        Ok(EventKind::Create(CreateKind::File) | EventKind::Modify(ModifyKind::Data(_))) => {
            Event::Written
        }
        Ok(_) | Err(_) => Event::Happened,
    };
    match events.try_send(event) {
        Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
    }
}

#[cfg(test)]
mod tests;
