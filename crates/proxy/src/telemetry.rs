//! What the gateway says of each call: log line, metrics, trace context.
//!
//! Everything here is fed by the engine and never holds it up: a worker writes to memory that only it
//! writes, lines leave it in batches through a bounded channel, and what finds no room is dropped and
//! counted. This folder decides nothing about a call and opens no socket; serving `/metrics` is left to
//! the admin listener.

pub mod fields;
pub mod json;
pub mod line;
pub mod metrics;
pub mod privacy;
mod protobuf;
pub mod record;
pub mod sampling;
pub mod sink;
pub mod span;
pub mod spans;
pub mod stamp;
pub mod trace;
pub mod writer;

pub use fields::{LogFields, Wanted};
pub use metrics::{
    AnswerResult, Bound, Ceilings, Event, Gauge, Metrics, MetricsForm, OutcomeId, SeriesId, Wire,
    WorkerMetrics,
};
pub use metrics::{BackendView, Breaker, EndpointView, SnapshotView, Views};
pub use privacy::{Client, Privacy};
pub use record::{Answerer, CallRecord, LimitShown, PHASE_WORDS, PHASES, Protocol};
pub use sampling::Sampling;
pub use sink::{LogCounts, LogSink, LogTarget};
pub(crate) use spans::Tracer;
pub use spans::{SpanBatch, SpanCounts, SpanSink, SpanTallies, spans};
pub use trace::{Random, RequestId, TraceContext};
pub use writer::LineWriter;
