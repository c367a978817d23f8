//! A worker's end of the log: lines are gathered and leave in batches.
//!
//! It belongs to one thread. It never waits: a batch that finds the channel full is dropped and counted.
//! In steady state it allocates nothing, since the sink sends emptied buffers back.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use super::fields::LogFields;
use super::line::{push_chosen, push_line};
use super::record::CallRecord;
use super::sink::{Batch, LogSink, LogTallies, Message};
use super::stamp::Stamp;

/// A batch leaves when it has this many bytes.
pub const BATCH_BYTES: usize = 32 << 10;

/// Buffers that one worker has on the way at most come back to it; more are freed.
const HOME_BUFFERS: usize = 4;

/// Writes the lines of one worker.
#[derive(Debug)]
pub struct LineWriter {
    bytes: Vec<u8>,
    lines: u32,
    stamp: Stamp,
    sink: SyncSender<Message>,
    tallies: Arc<LogTallies>,
    home: SyncSender<Vec<u8>>,
    emptied: Receiver<Vec<u8>>,
}

impl LineWriter {
    /// A writer for the thread that calls this.
    pub fn new(sink: &LogSink) -> Self {
        let (home, emptied) = sync_channel(HOME_BUFFERS);
        Self {
            bytes: Vec::new(),
            lines: 0,
            stamp: Stamp::default(),
            sink: sink.sender(),
            tallies: sink.tallies(),
            home,
            emptied,
        }
    }

    /// A writer whose lines nobody reads.
    pub(crate) fn to_nobody() -> Self {
        let ((sink, _), (home, emptied)) = (sync_channel(0), sync_channel(0));
        let (bytes, stamp, tallies) = (Vec::new(), Stamp::default(), Arc::default());
        Self { bytes, lines: 0, stamp, sink, tallies, home, emptied }
    }

    /// Adds the line of a call.
    pub fn write(&mut self, call: &CallRecord<'_>) {
        push_line(&mut self.bytes, call, &mut self.stamp);
        self.lines += 1;
        if self.bytes.len() >= BATCH_BYTES {
            self.flush();
        }
    }

    /// Adds the line of a call, of the fields that a document has chosen.
    pub fn write_chosen(&mut self, call: &CallRecord<'_>, fields: &LogFields) {
        push_chosen(&mut self.bytes, call, &mut self.stamp, fields);
        self.lines += 1;
        if self.bytes.len() >= BATCH_BYTES {
            self.flush();
        }
    }

    /// Sends what was gathered on its way. The worker calls this a few times a second, so that lines
    /// also appear where there are few calls.
    pub fn flush(&mut self) {
        if self.lines == 0 {
            return;
        }
        let batch = Batch {
            bytes: std::mem::take(&mut self.bytes),
            lines: self.lines,
            home: Some(self.home.clone()),
        };
        self.lines = 0;
        match self.sink.try_send(Message::Batch(batch)) {
            Ok(()) => self.bytes = self.emptied.try_recv().unwrap_or_default(),
            Err(TrySendError::Full(message) | TrySendError::Disconnected(message)) => {
                self.take_back(message)
            }
        }
    }

    #[cold]
    fn take_back(&mut self, message: Message) {
        if let Message::Batch(batch) = message {
            self.tallies.drop_lines(u64::from(batch.lines));
            self.bytes = batch.bytes;
            self.bytes.clear();
        }
    }
}

impl Drop for LineWriter {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
impl LineWriter {
    /// Whether the next line can be written without an allocation.
    pub(super) fn has_room(&self) -> bool {
        self.bytes.capacity() > 0
    }
}
