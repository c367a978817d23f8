//! Where the call log goes: one thread that writes batches to standard output or to a file.
//!
//! Trouble here never reaches a call. While the file cannot be written (full disk, lost directory, a
//! reader that does not read), batches are dropped and counted, and the trouble is reported once, as is
//! its end. A file that was renamed, removed or replaced is opened again within a second, so that both
//! ways of rotating (rename; signal) work. Lines stay whole: where a write broke off in the middle of
//! one, the next begins on a new line.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

/// Batches that may wait for the writer, of all workers together.
const WAITING_BATCHES: usize = 64;
/// How often the file is looked at, and the flag of [`LogSink::reopen`].
const LOOK_EVERY: Duration = Duration::from_millis(1000);
/// Pause before writing again where the other end takes nothing at the moment.
const BUSY_PAUSE: Duration = Duration::from_millis(5);
/// Buffers larger than this are freed instead of being sent back.
const KEPT_BUFFER_BYTES: usize = 256 << 10;

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// A file, appended to; made with mode 0640 if it is not there.
    File(PathBuf),
}

impl LogTarget {
    /// From the setting `log.to`.
    pub fn parse(text: &str) -> Self {
        match text {
            "stdout" | "-" => Self::Stdout,
            path => Self::File(PathBuf::from(path)),
        }
    }
}

/// Lines on their way from a worker.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) bytes: Vec<u8>,
    pub(super) lines: u32,
    /// Where the emptied buffer goes.
    pub(super) home: Option<SyncSender<Vec<u8>>>,
}

#[derive(Debug)]
pub(super) enum Message {
    Batch(Batch),
    /// Everything before this has been written when the answer comes.
    Stop(SyncSender<()>),
}

/// What became of the lines so far, for the metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LogCounts {
    /// Lines written.
    pub written: u64,
    /// Lines dropped: no room on the way to the writer, or the write failed.
    pub dropped: u64,
    /// Writes that failed, and attempts to open the file that did.
    pub errors: u64,
}

#[derive(Debug, Default)]
pub(super) struct LogTallies {
    written: AtomicU64,
    dropped: AtomicU64,
    errors: AtomicU64,
}

impl LogTallies {
    pub(super) fn drop_lines(&self, lines: u64) {
        self.dropped.fetch_add(lines, Relaxed);
    }
}

/// The writer thread, as the rest of the program holds it.
#[derive(Debug)]
pub struct LogSink {
    sender: SyncSender<Message>,
    tallies: Arc<LogTallies>,
    reopen: Arc<AtomicBool>,
}

impl LogSink {
    /// Opens the target and starts the thread.
    ///
    /// # Errors
    /// When the file cannot be opened for appending, or no thread can be started.
    pub fn start(target: LogTarget) -> io::Result<Self> {
        let output = Output::open(target)?;
        Self::start_over(output)
    }

    fn start_over(output: Output) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING_BATCHES);
        let tallies = Arc::new(LogTallies::default());
        let reopen = Arc::new(AtomicBool::new(false));
        let thread = WriterThread {
            receiver,
            output,
            tallies: Arc::clone(&tallies),
            reopen: Arc::clone(&reopen),
            looked: Instant::now(),
            torn: false,
            lost_since_trouble: None,
        };
        std::thread::Builder::new().name("call-log".to_owned()).spawn(move || thread.run())?;
        Ok(Self { sender, tallies, reopen })
    }

    pub(super) fn sender(&self) -> SyncSender<Message> {
        self.sender.clone()
    }

    pub(super) fn tallies(&self) -> Arc<LogTallies> {
        Arc::clone(&self.tallies)
    }

    /// Opens the file again within a second (SIGHUP).
    pub fn reopen(&self) {
        self.reopen.store(true, Relaxed);
    }

    /// What became of the lines so far.
    pub fn counts(&self) -> LogCounts {
        LogCounts {
            written: self.tallies.written.load(Relaxed),
            dropped: self.tallies.dropped.load(Relaxed),
            errors: self.tallies.errors.load(Relaxed),
        }
    }

    /// Waits until everything that was handed over has been written, and ends the thread. Workers drop
    /// their [`super::LineWriter`]s first. Answers whether all was written in time; if not, the thread is
    /// left to itself.
    pub fn stop(self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let (done, finished) = sync_channel(1);
        let mut message = Message::Stop(done);
        loop {
            match self.sender.try_send(message) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(back)) => message = back,
            }
            if Instant::now() >= deadline {
                return false;
            }
            std::thread::sleep(BUSY_PAUSE);
        }
        finished.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok()
    }
}

/// What lines are written to.
struct Output {
    target: LogTarget,
    file: Box<dyn Write + Send>,
    /// Device and inode of an open file, to see whether the name still means it.
    identity: Option<(u64, u64)>,
}

impl Output {
    fn open(target: LogTarget) -> io::Result<Self> {
        let file = match &target {
            // The handle's own buffer would only copy: batches are written whole.
            LogTarget::Stdout => File::from(io::stdout().as_fd().try_clone_to_owned()?),
            LogTarget::File(path) => {
                OpenOptions::new().append(true).create(true).mode(0o640).open(path)?
            }
        };
        let identity = match &target {
            LogTarget::Stdout => None,
            LogTarget::File(_) => Some(identity(&file.metadata()?)),
        };
        Ok(Self { target, file: Box::new(file), identity })
    }

    /// Whether the name means another file by now, or none.
    fn is_stale(&self) -> bool {
        match (&self.target, self.identity) {
            (LogTarget::File(path), Some(open)) => {
                std::fs::metadata(path).map_or(true, |metadata| identity(&metadata) != open)
            }
            _ => false,
        }
    }
}

fn identity(metadata: &std::fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

struct WriterThread {
    receiver: Receiver<Message>,
    output: Output,
    tallies: Arc<LogTallies>,
    reopen: Arc<AtomicBool>,
    looked: Instant,
    /// The last write broke off in the middle of a line.
    torn: bool,
    /// Lines lost since trouble began; none: no trouble.
    lost_since_trouble: Option<u64>,
}

impl WriterThread {
    fn run(mut self) {
        loop {
            match self.receiver.recv_timeout(LOOK_EVERY) {
                Ok(Message::Batch(batch)) => self.write(batch),
                Ok(Message::Stop(done)) => {
                    // Nobody waits any more if this fails.
                    let _ = done.send(());
                    return;
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.looked.elapsed() >= LOOK_EVERY {
                self.look();
            }
        }
    }

    /// Opens the file again if it was asked for or if the name means another file.
    fn look(&mut self) {
        self.looked = Instant::now();
        if !self.reopen.swap(false, Relaxed) && !self.output.is_stale() {
            return;
        }
        match Output::open(self.output.target.clone()) {
            Ok(output) => {
                self.torn &= output.identity.is_some() && output.identity == self.output.identity;
                self.output = output;
            }
            Err(error) => self.trouble(&error, 0),
        }
    }

    fn write(&mut self, batch: Batch) {
        let Batch { mut bytes, lines, home } = batch;
        match self.write_all(&bytes) {
            Ok(()) => self.wrote(u64::from(lines)),
            Err((error, done)) => {
                let lost = memchr::memchr_iter(b'\n', &bytes[done..]).count() as u64;
                self.tallies.written.fetch_add(u64::from(lines).saturating_sub(lost), Relaxed);
                self.trouble(&error, lost);
            }
        }
        bytes.clear();
        if let Some(home) = home
            && bytes.capacity() <= KEPT_BUFFER_BYTES
        {
            // A worker that has enough buffers, or is gone, does not take it: it is freed.
            drop(home.try_send(bytes));
        }
    }

    /// Writes all, or says how many bytes were written before it failed.
    fn write_all(&mut self, bytes: &[u8]) -> Result<(), (io::Error, usize)> {
        if self.torn {
            self.put(b"\n").map_err(|error| (error.0, 0))?;
            self.torn = false;
        }
        let outcome = self.put(bytes);
        if let Err((_, done)) = &outcome {
            self.torn = *done > 0 && bytes[done - 1] != b'\n';
        }
        outcome
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), (io::Error, usize)> {
        let mut done = 0;
        while done < bytes.len() {
            match self.output.file.write(&bytes[done..]) {
                Ok(0) => return Err((io::ErrorKind::WriteZero.into(), done)),
                Ok(count) => done += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    std::thread::sleep(BUSY_PAUSE)
                }
                Err(error) => return Err((error, done)),
            }
        }
        Ok(())
    }

    fn wrote(&mut self, lines: u64) {
        self.tallies.written.fetch_add(lines, Relaxed);
        if let Some(lost) = self.lost_since_trouble.take() {
            tracing::info!(lost, "the call log is written again");
        }
    }

    /// Counts; reports the first time only, since a full disk fails with every batch.
    fn trouble(&mut self, error: &io::Error, lost: u64) {
        self.tallies.errors.fetch_add(1, Relaxed);
        self.tallies.dropped.fetch_add(lost, Relaxed);
        if self.lost_since_trouble.is_none() {
            tracing::error!(%error, target_file = ?self.output.target, "the call log cannot be written; calls are not affected, lines are dropped and counted");
        }
        *self.lost_since_trouble.get_or_insert(0) += lost;
    }
}

#[cfg(test)]
mod tests;
