//! Answers of applications against their contract: a sample of them, copied while they pass and judged when the caller
//! has the whole of them. Nothing is held back, and nothing changes for the caller; what is wrong is counted and logged.

use portway_contract::request::{Bounds, Head, Judgement};
use portway_http1::{Framing, Method, ResponseHead};
use portway_snapshot::AnswerSample;

use crate::check::shown;
use crate::exchange::{Decision, Surroundings};
use crate::hold::Lease;
use crate::outgoing::Outgoing;
use crate::record::Record;
use crate::telemetry::AnswerResult;

/// An answer that is being checked.
pub(crate) struct Sample {
    judgement: Judgement,
    copy: Vec<u8>,
    most_bytes: usize,
    most_held_bytes: u64,
    lease: Lease,
    /// The copy is not all there.
    broken_off: bool,
}

/// What came of a check, for the record of the call.
pub(crate) struct Checked {
    pub(crate) result: AnswerResult,
    /// What is wrong, for the log.
    pub(crate) misfits: Box<str>,
}

/// The head of an answer.
struct AnswerHead<'a>(&'a [u8], &'a [portway_http1::Field]);

impl Head for AnswerHead<'_> {
    fn path(&self, _: usize) -> Option<&str> {
        None
    }

    fn query(&self) -> &str {
        ""
    }

    fn header(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        for field in self.1 {
            if field.name.of(self.0).eq_ignore_ascii_case(name.as_bytes()) {
                see(field.value.of(self.0));
            }
        }
    }
}

/// Begins to check an answer, if it is one of the sample.
pub(crate) fn begin(
    sample: &AnswerSample,
    around: &Surroundings<'_>,
    outgoing: &mut Outgoing,
    head: &ResponseHead,
    record: &mut Record,
) -> Option<Box<Sample>> {
    // A 304 has the head of another answer.
    if !sample.share.takes(around.worker.random.next_u64()) || head.status == 304 {
        return None;
    }
    let can_have_body = around.request.method != Method::Head && !matches!(head.status, 204 | 205);
    let has_body = !matches!(head.framing, Framing::None | Framing::Length(0));
    let (bytes, fields) = outgoing.answer();
    let fields = AnswerHead(bytes, fields);
    let judged = sample.checks.head(head.status, &fields, can_have_body.then_some(has_body));
    let Some(judgement) = judged else {
        let misfits = "status".into();
        record.more().checked = Some(Checked { result: AnswerResult::Undescribed, misfits });
        return None;
    };
    let most_bytes = judgement.plan.as_ref().and_then(|plan| plan.most_bytes);
    let most_bytes = most_bytes.unwrap_or(Bounds::HELD_BYTES);
    let is_larger = matches!(head.framing, Framing::Length(length) if length > most_bytes);
    Some(Box::new(Sample {
        broken_off: judgement.unreadable || (judgement.plan.is_some() && is_larger),
        judgement,
        copy: Vec::new(),
        most_bytes: usize::try_from(most_bytes).unwrap_or(usize::MAX),
        most_held_bytes: around.live.bounds.held_bytes,
        lease: Lease::new(around.worker),
    }))
}

impl Sample {
    /// Copies what passes.
    pub(crate) fn passes(&mut self, data: &[u8]) {
        if self.broken_off || self.judgement.plan.is_none() {
            return;
        }
        let needed = self.copy.len() + data.len();
        if needed > self.copy.capacity() {
            let capacity = needed.max(2 * self.copy.capacity());
            if needed > self.most_bytes || !self.lease.grow(capacity, self.most_held_bytes) {
                self.broken_off = true;
                self.copy = Vec::new();
                self.lease.set(0);
                return;
            }
            self.copy.reserve_exact(capacity - self.copy.len());
        }
        self.copy.extend_from_slice(data);
    }

    /// Judges what has passed. The caller has it all.
    pub(crate) fn end(self, around: &Surroundings<'_>, decision: &Decision, record: &mut Record) {
        // What follows is no part of the call.
        record.end(around.worker);
        let operation =
            &around.live.snapshot.services[decision.service].operations[decision.operation];
        let Some(sample) = &operation.answer_sample else { return };
        let mut misfits = self.judgement.misfits.clone();
        if !self.broken_off {
            misfits.extend(sample.checks.body(&self.judgement, &self.copy));
        }
        let result = match misfits.is_empty() {
            false => AnswerResult::Broken,
            true if self.broken_off => AnswerResult::Unchecked,
            true => AnswerResult::Kept,
        };
        record.more().checked = Some(Checked { result, misfits: shown("", &misfits) });
    }
}
