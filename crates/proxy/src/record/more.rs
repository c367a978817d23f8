//! What few records of calls have: what is remembered for spans, for headers in the log, and of a hidden page.
//!
//! Boxed, so that no other call pays for it.

use std::borrow::Cow;

use portway_http1::{Known, ResponseHead};
use portway_policy::{Headers as _, Phase};

use super::{Record, Scene};
use crate::answer_check::Checked;
use crate::exchange::Stop;
use crate::outgoing::Outgoing;
use crate::telemetry::record::PHASE_WORDS;
use crate::telemetry::span::{Attempt, Segment, SpanParts, Traced};
use crate::telemetry::trace::{new_id, parse_traceparent};
use crate::telemetry::{CallRecord, LogFields, OutcomeId, Tracer, Wanted};
use crate::worker::Worker;

/// Bytes of a header of an answer that are kept for the log, one more than it shows, so that it shows that there were
/// more.
const ANSWER_FIELD_BYTES: usize = crate::telemetry::line::TEXT_BYTES_MAX + 1;

/// What few calls have.
#[derive(Default)]
pub(crate) struct More {
    /// How a hidden page of an error began, where it is to be shown.
    pub(crate) error_page: Box<[u8]>,
    /// What of the contract, or of the rules for requests, it does not keep.
    pub(crate) misfits: Option<Box<str>>,
    /// What came of a check of its answer.
    pub(crate) checked: Option<Checked>,
    /// The headers of the answer that the log asks for, in the order of what it wants; others are empty.
    answer: Vec<Box<[u8]>>,
    /// What is remembered for spans, where the call is sampled. Times are the worker's as yet.
    traced: Option<Traced>,
}

impl More {
    /// A phase has ended. Those of an attempt are within its span.
    pub(super) fn note_phase(&mut self, phase: Phase, began_us: u64, ended_us: u64) {
        let Some(traced) = &mut self.traced else { return };
        let word = match phase {
            Phase::Shape | Phase::Dispatch | Phase::Reshape => return,
            phase => PHASE_WORDS.get((phase as usize).wrapping_sub(1)),
        };
        if let Some(word) = word {
            traced.note(Segment { word, began_us, ended_us });
        }
    }
}

impl Record {
    /// Decides whether the call is sampled, and begins to remember if so.
    pub(super) fn decide_trace(&mut self, tracer: &Tracer, worker: &Worker, trusted: bool) {
        if tracer.sampling.decide(&mut self.trace, trusted, &worker.random) {
            self.more().traced = Some(Traced::default());
        }
    }

    /// What few calls have, made when it is first needed.
    pub(crate) fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    fn traced(&mut self) -> Option<&mut Traced> {
        self.more.as_mut()?.traced.as_mut()
    }

    /// Whether the call is sampled for a collector.
    pub(super) fn is_sampled(&self) -> bool {
        self.more.as_ref().is_some_and(|more| more.traced.is_some())
    }

    /// Whether spans of the call are sent.
    pub(super) fn is_sent(&self, tracer: &Tracer) -> bool {
        self.is_sampled() || tracer.sampling.wants(self.status, self.outcome == OutcomeId::OK)
    }

    /// It was waited for a place at a backend.
    pub(crate) fn waited(&mut self, worker: &Worker) {
        let began_us = self.now_us;
        self.look(worker);
        let ended_us = self.now_us;
        if let Some(traced) = self.traced() {
            traced.note(Segment { word: "wait", began_us, ended_us });
        }
    }

    /// An attempt at a backend begins. Each that is remembered has a span of its own, of which the backend is told.
    pub(crate) fn attempt_begins(&mut self, worker: &Worker) {
        let (tries, target, began_us) = (self.tries, self.target, self.now_us);
        if !self.is_sampled() {
            return;
        }
        if tries > 1 {
            self.trace.renew_span(&worker.random);
        }
        let span_id = self.trace.span_digits();
        if let Some(traced) = self.traced() {
            traced.attempts.push(Attempt {
                span_id,
                target,
                began_us,
                reused: false,
                connected_us: None,
                ended_us: None,
                status: 0,
                fault: "",
            });
        }
    }

    /// A connection was opened for the attempt.
    pub(crate) fn connected(&mut self) {
        let now_us = self.now_us;
        if let Some(attempt) = self.traced().and_then(|traced| traced.attempts.last_mut()) {
            attempt.connected_us = Some(now_us);
        }
    }

    /// The attempt has an answer, or none.
    pub(crate) fn attempt_ended(&mut self, attempted: &Result<ResponseHead, Stop>) {
        let (now_us, reused) = (self.now_us, self.reused);
        let Some(attempt) = self.traced().and_then(|traced| traced.attempts.last_mut()) else {
            return;
        };
        attempt.reused = reused;
        match attempted {
            // Ended by the end of the body, unless there is another attempt.
            Ok(head) => attempt.status = head.status,
            Err(stop) => {
                attempt.ended_us = Some(now_us);
                attempt.fault = match stop {
                    Stop::Failed(failure) => failure.fault.word(),
                    Stop::Cut(fault) => fault.word(),
                    Stop::Refused(refusal, _) => refusal.reason.word(),
                    Stop::Late(reason) => reason.word(),
                };
            }
        }
    }

    /// Another attempt follows: the one before is over.
    pub(crate) fn attempt_given_up(&mut self) {
        let now_us = self.now_us;
        if let Some(attempt) = self.traced().and_then(|traced| traced.attempts.last_mut()) {
            attempt.ended_us.get_or_insert(now_us);
        }
    }

    /// Keeps the headers of the answer that the log asks for.
    pub(crate) fn keep_answer(&mut self, worker: &Worker, outgoing: &mut Outgoing) {
        let fields = worker.shared.log_fields.as_ref().filter(|fields| fields.wants_answer());
        let Some(wanted) = fields.map(LogFields::wanted) else { return };
        let (bytes, given) = outgoing.answer();
        let value_of = |wanted: &Wanted| {
            let Wanted::Answer(name) = wanted else { return &b""[..] };
            let found = given
                .iter()
                .find(|field| field.name.of(bytes).eq_ignore_ascii_case(name.as_bytes()));
            found.map_or(&b""[..], |field| field.value.of(bytes))
        };
        self.more().answer = wanted
            .iter()
            .map(value_of)
            .map(|value| Box::from(&value[..value.len().min(ANSWER_FIELD_BYTES)]))
            .collect();
    }

    /// The line of the call with the fields that the document has chosen.
    pub(super) fn write_chosen<'a>(
        &'a self,
        call: &mut CallRecord<'a>,
        fields: &LogFields,
        scene: &Scene<'a>,
    ) {
        let Scene { worker, request, .. } = *scene;
        let query = request.query_str();
        let of_answer = self.more.as_ref().map_or(&[][..], |more| &more.answer);
        let values: Vec<Cow<'_, [u8]>> = fields
            .wanted()
            .iter()
            .enumerate()
            .map(|(place, wanted)| match wanted {
                Wanted::Header(name) => Cow::Borrowed(request.first(name).unwrap_or_default()),
                Wanted::Query(name) => {
                    let value =
                        portway_policy::query::values(query, name).next().unwrap_or_default();
                    Cow::Owned(
                        portway_policy::query::decoded(value.as_bytes())
                            .take(ANSWER_FIELD_BYTES)
                            .collect(),
                    )
                }
                Wanted::Answer(_) => {
                    Cow::Borrowed(of_answer.get(place).map_or(&[][..], |value| value))
                }
            })
            .collect();
        let gathered: Vec<&[u8]> = values.iter().map(|value| &**value).collect();
        let mut call = call.clone();
        call.gathered = &gathered;
        worker.log.borrow_mut().write_chosen(&call, fields);
    }

    /// The spans of the call.
    pub(super) fn write_spans(&self, call: &CallRecord<'_>, tracer: &Tracer, scene: &Scene<'_>) {
        let Scene { worker, request, .. } = *scene;
        let offset_us = worker.unix_us_at(0);
        let mut traced = self.more.as_ref().and_then(|more| more.traced.clone());
        for attempt in traced.iter_mut().flat_map(|traced| &mut traced.attempts) {
            attempt.began_us += offset_us;
            attempt.connected_us = attempt.connected_us.map(|at| at + offset_us);
            attempt.ended_us = attempt.ended_us.map(|at| at + offset_us);
        }
        for segment in traced.iter_mut().flat_map(|traced| &mut traced.segments) {
            segment.began_us += offset_us;
            segment.ended_us += offset_us;
        }
        let parent = self.trace.is_continued().then(|| request.only(Known::Traceparent)).flatten();
        let parts = SpanParts {
            // Where no attempt has a span of its own, the backend was told of the call's.
            server_id: match &traced {
                Some(_) => new_id(&worker.random),
                None => self.trace.span_digits(),
            },
            parent_id: parent.and_then(parse_traceparent).map(|parent| parent.parent_id),
            flags: self.trace.flags(),
            began_us: self.started_us + offset_us,
            traced: traced.as_ref(),
        };
        tracer.writer.borrow_mut().write(call, &parts, &worker.random);
    }
}
