//! Spans on their way from the workers to whoever sends them to a collector.
//!
//! A worker writes spans into memory of its own, and they leave it in batches through a bounded channel. It
//! never waits: a batch that finds no room is dropped and counted. Sending is left to the program.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::record::CallRecord;
use super::sampling::Sampling;
use super::span::{SpanParts, push_spans};
use super::trace::Random;

/// Batches that may wait, of all workers together.
const WAITING_BATCHES: usize = 256;
/// A batch leaves when it has this many bytes; the spans of one call more are within it.
pub const SPAN_BATCH_BYTES: usize = 32 << 10;

/// Spans of some calls.
#[derive(Debug)]
pub struct SpanBatch {
    /// Fields `spans` of `ScopeSpans`, one after the other.
    pub bytes: Vec<u8>,
    /// How many.
    pub spans: u64,
}

/// What became of spans.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SpanCounts {
    /// A collector took them.
    pub sent: u64,
    /// Dropped here: no room, or given up.
    pub dropped: u64,
    /// A collector refused them.
    pub refused: u64,
    /// Requests to a collector that were answered well.
    pub requests_ok: u64,
    /// Requests that were not.
    pub requests_failed: u64,
}

/// The same, being counted.
#[derive(Debug, Default)]
pub struct SpanTallies {
    sent: AtomicU64,
    dropped: AtomicU64,
    refused: AtomicU64,
    requests_ok: AtomicU64,
    requests_failed: AtomicU64,
}

impl SpanTallies {
    /// A request was answered well: so many spans were taken, and so many refused.
    pub fn taken(&self, sent: u64, refused: u64) {
        self.sent.fetch_add(sent, Relaxed);
        self.refused.fetch_add(refused, Relaxed);
        self.requests_ok.fetch_add(1, Relaxed);
    }

    /// A request failed.
    pub fn request_failed(&self) {
        self.requests_failed.fetch_add(1, Relaxed);
    }

    /// A collector does not want these spans, whenever they are sent.
    pub fn refused(&self, spans: u64) {
        self.refused.fetch_add(spans, Relaxed);
    }

    /// Spans were dropped here.
    pub fn dropped(&self, spans: u64) {
        self.dropped.fetch_add(spans, Relaxed);
    }

    /// So far.
    pub fn counts(&self) -> SpanCounts {
        SpanCounts {
            sent: self.sent.load(Relaxed),
            dropped: self.dropped.load(Relaxed),
            refused: self.refused.load(Relaxed),
            requests_ok: self.requests_ok.load(Relaxed),
            requests_failed: self.requests_failed.load(Relaxed),
        }
    }
}

/// Where workers put spans.
#[derive(Debug, Clone)]
pub struct SpanSink {
    sampling: Sampling,
    sender: Sender<SpanBatch>,
    tallies: Arc<SpanTallies>,
}

/// Both ends of the way. The receiver ends when every worker has.
pub fn spans(sampling: Sampling) -> (SpanSink, Receiver<SpanBatch>) {
    let (sender, receiver) = channel(WAITING_BATCHES);
    (SpanSink { sampling, sender, tallies: Arc::default() }, receiver)
}

impl SpanSink {
    /// What became of spans.
    pub fn tallies(&self) -> Arc<SpanTallies> {
        Arc::clone(&self.tallies)
    }
}

/// Writes the spans of one worker.
#[derive(Debug)]
pub(crate) struct SpanWriter {
    sink: SpanSink,
    bytes: Vec<u8>,
    spans: u64,
}

impl SpanWriter {
    pub(crate) fn new(sink: SpanSink) -> Self {
        Self { sink, bytes: Vec::new(), spans: 0 }
    }

    /// Adds the spans of a call.
    pub(crate) fn write(&mut self, call: &CallRecord<'_>, parts: &SpanParts<'_>, random: &Random) {
        let count = push_spans(&mut self.bytes, call, parts, || random.next_u64());
        self.spans += u64::from(count);
        if self.bytes.len() >= SPAN_BATCH_BYTES {
            self.flush();
        }
    }

    /// Sends what was gathered on its way.
    pub(crate) fn flush(&mut self) {
        if self.spans == 0 {
            return;
        }
        let spans = std::mem::take(&mut self.spans);
        let batch = SpanBatch { bytes: std::mem::take(&mut self.bytes), spans };
        if self.sink.sender.try_send(batch).is_err() {
            self.sink.tallies.dropped(spans);
        }
    }
}

impl Drop for SpanWriter {
    fn drop(&mut self) {
        self.flush();
    }
}

/// The end of one worker: whether a call is sampled, and its spans.
#[derive(Debug)]
pub(crate) struct Tracer {
    pub(crate) sampling: Sampling,
    pub(crate) writer: std::cell::RefCell<SpanWriter>,
}

impl Tracer {
    pub(crate) fn new(sink: SpanSink) -> Self {
        Self { sampling: sink.sampling, writer: std::cell::RefCell::new(SpanWriter::new(sink)) }
    }
}
