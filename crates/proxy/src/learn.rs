//! What is seen of the calls of a service that is learned.
//!
//! A call costs little: what is seen is copied, within bounds, when it is over, and put into a queue of its worker that
//! the control side empties. A queue that is full takes no more, and counts. Nothing is judged here.

use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError, TryLockError};

use portway_contract::learn::{Observation, Payload};
use portway_http1::Known;
use portway_model::Name;

use crate::exchange::Surroundings;
use crate::outgoing::Outgoing;
use crate::record::Record;
use crate::telemetry::Event;

/// The most calls that wait to be looked at.
const QUEUE_MAX: usize = 1_024;
/// The most bytes that are copied of a body. A larger one is not looked into.
const SAMPLE_BYTES: usize = 16 << 10;
/// The most bytes of bodies that wait.
const QUEUE_BYTES: usize = 4 << 20;
/// The most bytes of a media type.
const MEDIA_BYTES: usize = 100;

/// What waits to be looked at, of all workers.
pub(crate) struct Seen {
    queue: Mutex<Queue>,
    /// Makes numbers of callers that lead back to nobody.
    salt: RandomState,
}

#[derive(Default)]
struct Queue {
    calls: Vec<(Name, Observation)>,
    bytes: usize,
}

impl Default for Seen {
    fn default() -> Self {
        Self { queue: Mutex::default(), salt: RandomState::new() }
    }
}

impl Seen {
    /// Everything that waits, with the names of the services.
    pub(crate) fn take(&self) -> Vec<(Name, Observation)> {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        queue.bytes = 0;
        std::mem::take(&mut queue.calls)
    }

    /// A call never waits for this. Whether it was taken.
    fn push(&self, service: &Name, seen: Observation) -> bool {
        let size = |payload: &Option<Payload>| {
            payload.as_ref().and_then(|own| own.sample.as_ref()).map_or(0, Vec::len)
        };
        let bytes = size(&seen.request) + size(&seen.answer) + seen.path.len() + seen.query.len();
        let queue = match self.queue.try_lock() {
            Ok(queue) => Some(queue),
            Err(TryLockError::Poisoned(queue)) => Some(queue.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        match queue {
            Some(mut queue)
                if queue.calls.len() < QUEUE_MAX && queue.bytes + bytes <= QUEUE_BYTES =>
            {
                queue.bytes += bytes;
                queue.calls.push((service.clone(), seen));
                true
            }
            _ => false,
        }
    }
}

/// Copies of the bodies of one call.
#[derive(Default)]
pub(crate) struct Copies {
    request: Copy,
    answer: Copy,
    /// The media type of the answer.
    answer_media: String,
}

/// A body as far as it is kept.
#[derive(Default)]
struct Copy {
    bytes: Vec<u8>,
    /// There was more than is kept.
    is_cut: bool,
}

impl Copy {
    fn add(&mut self, data: &[u8]) {
        if self.is_cut || self.bytes.len() + data.len() > SAMPLE_BYTES {
            *self = Self { bytes: Vec::new(), is_cut: true };
        } else {
            self.bytes.extend_from_slice(data);
        }
    }

    fn whole(self, media: &str) -> Option<Vec<u8>> {
        let is_readable = media.ends_with("json") || media == "application/x-www-form-urlencoded";
        (is_readable && !self.is_cut).then_some(self.bytes)
    }
}

impl Copies {
    pub(crate) fn request(&mut self, data: &[u8]) {
        self.request.add(data);
    }

    pub(crate) fn answer(&mut self, data: &[u8]) {
        self.answer.add(data);
    }
}

/// Notes the head of an answer.
#[inline(never)]
pub(crate) fn note_answer(copies: &mut Copies, outgoing: &mut Outgoing) {
    let (bytes, fields) = outgoing.answer();
    let field = fields.iter().find(|field| field.known == Known::ContentType);
    copies.answer_media = field.map(|field| media(field.value.of(bytes))).unwrap_or_default();
    let is_coded = fields.iter().any(|field| field.known == Known::ContentEncoding);
    copies.answer.is_cut |= is_coded;
}

/// A media type without its parameters, lower case.
fn media(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == b';').unwrap_or(value.len());
    let value = value[..end.min(MEDIA_BYTES)].trim_ascii();
    String::from_utf8_lossy(value).to_ascii_lowercase()
}

/// The call is over: what was seen of it waits to be looked at.
#[inline(never)]
pub(crate) fn conclude(around: &Surroundings<'_>, copies: Option<Box<Copies>>, record: &Record) {
    let Some(copies) = copies else { return };
    let Some((service, _)) = record.operation() else { return };
    let service = &around.live.snapshot.services[service];
    if !record.is_answered() || !(200..400).contains(&record.status) {
        return;
    }
    let request = around.request;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let path = record.rewritten_path.clone().unwrap_or_else(|| text(request.text(request.path)));
    let Copies { request: sent, answer, answer_media } = *copies;
    let is_coded = request.known(Known::ContentEncoding).is_some();
    let sent_media = request.known(Known::ContentType).map(media).unwrap_or_default();
    let sent = request.has_body().then(|| Payload {
        bytes: record.bytes_in,
        sample: if is_coded { None } else { sent.whole(&sent_media) },
        media: sent_media,
    });
    let answer = (record.bytes_out > 0).then(|| Payload {
        bytes: record.bytes_out,
        sample: answer.whole(&answer_media),
        media: answer_media,
    });
    let seen = &around.worker.shared.seen;
    let app = record.app.as_ref().map(|app| app.name.to_string());
    let caller = match &app {
        Some(app) => seen.salt.hash_one(app),
        None => seen.salt.hash_one(record.client),
    };
    let is_taken = seen.push(
        &service.name,
        Observation {
            method: request.method_str().to_owned(),
            path: service.inner_path(&path).to_owned(),
            query: own_query(around, record),
            caller,
            app,
            status: record.status,
            unix_s: around.worker.unix_ms_at(record.started_us) / 1_000,
            request: sent,
            answer,
        },
    );
    if !is_taken {
        around.worker.metrics.add(Event::LearnSkipped);
    }
}

/// The query without what the gateway takes out of it, such as keys.
fn own_query(around: &Surroundings<'_>, record: &Record) -> String {
    let query = around.request.query_str();
    let Some((service, operation)) = record.operation() else { return String::new() };
    let shape = &around.live.snapshot.services[service].operations[operation].shape;
    if !shape.edits_query() {
        return query.to_owned();
    }
    let dropped = portway_policy::Shape {
        drop_query: shape.drop_query.clone(),
        ..portway_policy::Shape::default()
    };
    let mut out = Vec::new();
    dropped.write_query(query, &mut out);
    String::from_utf8_lossy(&out).into_owned()
}
