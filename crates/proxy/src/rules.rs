//! The phase `check`, for the rules that a service has for requests: what breaks one is refused or reported.
//!
//! The head is judged at once. A body is watched while it passes: nothing of it goes on before it was looked at, so that
//! what is refused in its middle never reaches the backend, which sees a request that breaks off.

use std::task::Poll;

use portway_policy::{BodyWatch, Breach, Call, Detail, Phase, Reason, Refusal};
use portway_snapshot::Operation;

use crate::body::{Broken, Part};
use crate::exchange::Stop;
use crate::learn::Copies;
use crate::record::Record;
use crate::request::Request;
use crate::telemetry::Event;
use crate::worker::Worker;

/// The longest description in a log line, in bytes; what is more is left out there.
const SHOWN_BYTES: usize = 240;

/// What is looked for in a call that is on its way.
pub(crate) struct Watched {
    watch: Option<BodyWatch>,
    /// Where the service is learned.
    copies: Option<Box<Copies>>,
    enforced: bool,
    /// How much of what the caller's side shows was looked at before.
    seen: usize,
    found: Option<Breach>,
}

/// Judges the head of a call, and gives what is to watch its body. One that was held is judged here.
#[inline(never)]
pub(crate) fn head(
    operation: &Operation,
    call: &Call<'_>,
    request: &Request,
    learns: bool,
    (record, worker): (&mut Record, &Worker),
) -> Result<Option<Box<Watched>>, Stop> {
    let mut copies = learns.then(Box::<Copies>::default);
    if let (portway_policy::Body::Held(body), Some(copies)) = (call.body, &mut copies) {
        copies.request(body);
    }
    let Some(requests) = &operation.requests else {
        return Ok(copies.map(|copies| Box::new(Watched::new(None, Some(copies), false))));
    };
    let fields = request.fields().iter();
    let fields = fields.map(|field| (request.text(field.name), request.text(field.value)));
    let mut breaches = requests.rules.head(call, fields, &operation.shape.drop_query);
    let mut watch = requests.rules.watch(call, operation.body_bytes);
    if let (portway_policy::Body::Held(body), Some(own)) = (call.body, &mut watch) {
        breaches.extend(own.take(body).and_then(|()| own.end()).err());
        watch = None;
    }
    record.mark(Phase::Check, worker);
    if !breaches.is_empty() {
        note(&breaches, requests.enforced, record, worker);
        if requests.enforced {
            return Err(Stop::from(refusal(&breaches)));
        }
    }
    let is_needed = watch.is_some() || copies.is_some();
    Ok(is_needed.then(|| Box::new(Watched::new(watch, copies, requests.enforced))))
}

impl Watched {
    fn new(watch: Option<BodyWatch>, copies: Option<Box<Copies>>, enforced: bool) -> Self {
        Self { watch, copies, enforced, seen: 0, found: None }
    }

    /// Copies of the bodies, where the service is learned.
    pub(crate) fn copies(&mut self) -> Option<&mut Copies> {
        self.copies.as_deref_mut()
    }

    /// Looks at what the caller's side shows, `data`, before it is taken.
    #[inline(never)]
    pub(crate) fn look(&mut self, part: Part, data: &[u8]) -> Poll<Result<Part, Broken>> {
        let looked = match part {
            Part::End => self.watch.as_mut().map_or(Ok(()), BodyWatch::end),
            Part::Data => {
                let new = data.get(self.seen..).unwrap_or_default();
                self.seen = data.len();
                if let Some(copies) = &mut self.copies {
                    copies.request(new);
                }
                self.watch.as_mut().map_or(Ok(()), |watch| watch.take(new))
            }
        };
        if let Err(breach) = looked {
            let refusal = self.enforced.then(|| Box::new(refusal(std::slice::from_ref(&breach))));
            self.found.get_or_insert(breach);
            if let Some(refusal) = refusal {
                return Poll::Ready(Err(Broken::Refused(refusal)));
            }
        }
        Poll::Ready(Ok(part))
    }

    /// So much was taken.
    pub(crate) fn consumed(&mut self, count: usize) {
        self.seen = self.seen.saturating_sub(count);
    }
}

/// Notes what was found in a body, when its call is over; gives what was copied for learning.
pub(crate) fn conclude(
    watched: Watched,
    record: &mut Record,
    worker: &Worker,
) -> Option<Box<Copies>> {
    if let Some(breach) = &watched.found {
        note(std::slice::from_ref(breach), watched.enforced, record, worker);
    }
    watched.copies
}

/// Counts a call, and notes for its log line what it breaks.
fn note(breaches: &[Breach], enforced: bool, record: &mut Record, worker: &Worker) {
    worker.metrics.add(if enforced { Event::RuleRefused } else { Event::RuleReported });
    record.breaks(&shown(breaches));
}

fn refusal(breaches: &[Breach]) -> Refusal {
    let list = breaches.iter().map(|breach| {
        serde_json::json!({
            "in": breach.place,
            "name": &*breach.name,
            "pointer": "",
            "rule": breach.rule,
            "detail": &*breach.detail,
        })
    });
    let errors = serde_json::Value::Array(list.collect()).to_string();
    let reason = breaches.first().map_or(Reason::RuleBroken, |breach| breach.reason);
    Refusal { reason, detail: Detail::Errors(errors.into()) }
}

/// What is wrong, for the log: `query:id pattern, header spelling`. Names that callers chose are left out.
fn shown(breaches: &[Breach]) -> String {
    let mut text = String::new();
    for breach in breaches {
        let name = if breach.known { &*breach.name } else { "" };
        let colon = if name.is_empty() { "" } else { ":" };
        let one = format!("{}{colon}{name} {}", breach.place, breach.rule);
        if text.split(", ").any(|known| known == one) {
            continue;
        }
        if text.len() + one.len() > SHOWN_BYTES {
            text.push_str(if text.is_empty() { breach.rule } else { ", …" });
            break;
        }
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&one);
    }
    text
}
