//! Answers that the gateway gives itself: the only place where a refusal or a failure becomes HTTP.
//!
//! Problem details as in RFC 9457. To the caller goes the word, its title and the request id; never
//! an address, a name of a target, or anything that was in the request.

mod tencent;

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use portway_http1 as http1;
use portway_model::ErrorForm;
use portway_policy::{Detail, Identify, Reason, Refusal, rate_headers};

use crate::exchange::{Stop, Surroundings};
use crate::failure::Fault;
use crate::forward;
use crate::incoming::{Gone, Incoming, Length};
use crate::peer::Peer;
use crate::record::{Open, Record};
use crate::request::Request;
use crate::timer::Timer;
use crate::worker::{Worker, WorkerClock};

/// Seconds after which a call that found its backend, or the gateway, busy may come again: one to this many, so that those
/// who were refused together do not come back together.
const BUSY_RETRY_S: u8 = 3;

/// How a service says no.
#[derive(Clone, Copy)]
pub(crate) struct Voice {
    pub(crate) errors: ErrorForm,
    /// What a 401 asks for.
    pub(crate) challenge: &'static str,
}

impl Default for Voice {
    fn default() -> Self {
        Self { errors: ErrorForm::Problem, challenge: Identify::Public.challenge() }
    }
}

/// An answer made here.
pub(crate) struct Local {
    pub(crate) status: u16,
    /// Whole lines of fields.
    pub(crate) lines: Vec<u8>,
    pub(crate) body: Vec<u8>,
}

impl Local {
    /// An answer without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self { status, lines: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn field(&mut self, name: &str, value: &str) {
        http1::write_field(&mut self.lines, name.as_bytes(), value.as_bytes());
    }

    /// The problem that a stop is, `None` if the answer had begun.
    pub(crate) fn of(stop: &Stop, record: &Record, voice: Voice) -> Option<Self> {
        match stop {
            Stop::Refused(refusal, sentence) => {
                Some(Self::refusal(refusal, *sentence, record, voice))
            }
            Stop::Failed(failure) => Some(Self::failure(failure.fault, record, voice)),
            Stop::Cut(_) | Stop::Late(_) => None,
        }
    }

    fn refusal(refusal: &Refusal, sentence: Option<&str>, record: &Record, voice: Voice) -> Self {
        let reason = refusal.reason;
        let of_signature = match &refusal.detail {
            Detail::Signature(fault) => Some(fault.sentence()),
            Detail::Certificate(fault) => Some(fault.sentence()),
            Detail::None
            | Detail::Limit(_)
            | Detail::Allow(_)
            | Detail::Errors(_)
            | Detail::Accept(_)
            | Detail::Identity => None,
        };
        let sentence = sentence.or(of_signature);
        let mut local = match voice.errors {
            ErrorForm::Problem => {
                Self::problem(reason.status(), reason.word(), reason.title(), sentence, record)
            }
            ErrorForm::Tencent => Self::json(tencent::status(reason), tencent::refusal(refusal)),
        };
        if let (Detail::Errors(errors), ErrorForm::Problem) = (&refusal.detail, voice.errors) {
            local.add_errors(errors);
        }
        if let Detail::Allow(allow) = &refusal.detail {
            local.field("allow", allow);
        }
        match &refusal.detail {
            // RFC 9110 §15.5.16: a 415 says what would be taken.
            Detail::Accept(types) if !types.is_empty() => local.field("accept", types),
            Detail::Identity => local.field("accept-encoding", "identity"),
            _ => {}
        }
        if reason == Reason::ConnectRefused {
            // RFC 9110 §15.5.6: a 405 says what else there is.
            local.field("allow", "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
        }
        if let Detail::Limit(state) = &refusal.detail {
            forward::write_limit(state, &mut local.lines);
        }
        if let Some(seconds) = rate_headers::retry_after_s(refusal) {
            local.field("retry-after", itoa::Buffer::new().format(seconds));
        } else if reason == Reason::Overloaded {
            local.retry_soon(record);
        }
        if matches!(reason, Reason::CredentialsMissing | Reason::CredentialsInvalid) {
            // RFC 9110 §11.6.1: a 401 names a scheme.
            local.field("www-authenticate", voice.challenge);
        }
        local
    }

    /// One more member of a problem: a list that is JSON already.
    fn add_errors(&mut self, errors: &str) {
        let end = self.body.iter().rposition(|byte| *byte == b'}').unwrap_or(self.body.len());
        self.body.truncate(end);
        self.body.extend_from_slice(b",\"errors\":");
        self.body.extend_from_slice(errors.as_bytes());
        self.body.extend_from_slice(b"}\n");
    }

    fn failure(fault: Fault, record: &Record, voice: Voice) -> Self {
        let mut local = match voice.errors {
            ErrorForm::Problem => {
                Self::problem(fault.status(), fault.word(), fault.title(), None, record)
            }
            ErrorForm::Tencent => Self::json(fault.status(), tencent::failure(fault)),
        };
        if fault.status() == 503 {
            local.retry_soon(record);
        }
        local
    }

    fn retry_soon(&mut self, record: &Record) {
        let random = record.request_id.as_bytes().last().copied().unwrap_or_default();
        self.field("retry-after", itoa::Buffer::new().format(1 + random % BUSY_RETRY_S));
    }

    /// A mock could make no answer; `errors` is a list of JSON that says why.
    pub(crate) fn unmade(errors: &str, record: &Record, voice: Voice) -> Self {
        let mut local = Self::failure(Fault::NoExample, record, voice);
        if voice.errors == ErrorForm::Problem {
            local.add_errors(errors);
        }
        local
    }

    /// In place of the application's page of an error.
    pub(crate) fn hidden(status: u16, record: &Record) -> Self {
        let fault = Fault::BackendError;
        Self::problem(status, fault.word(), fault.title(), None, record)
    }

    /// All text in here is ours and needs no escaping.
    fn problem(
        status: u16,
        word: &str,
        title: &str,
        detail: Option<&str>,
        record: &Record,
    ) -> Self {
        let mut body = Vec::with_capacity(256);
        let mut member = |name: &str, value: &str| {
            body.extend_from_slice(if body.is_empty() { b"{\"" } else { b",\"" });
            body.extend_from_slice(name.as_bytes());
            body.extend_from_slice(b"\":\"");
            body.extend_from_slice(value.as_bytes());
            body.push(b'"');
        };
        member("type", &format!("urn:portway:problem:{word}"));
        member("title", title);
        if let Some(detail) = detail {
            member("detail", detail);
        }
        member("code", word);
        member("request_id", record.request_id.as_str());
        body.extend_from_slice(b",\"status\":");
        body.extend_from_slice(itoa::Buffer::new().format(status).as_bytes());
        body.extend_from_slice(b"}\n");
        Self::with_body(status, "application/problem+json", body)
    }

    fn json(status: u16, body: Vec<u8>) -> Self {
        Self::with_body(status, "application/json", body)
    }

    fn with_body(status: u16, content_type: &str, body: Vec<u8>) -> Self {
        let mut local = Self { status, lines: Vec::new(), body };
        local.field("content-type", content_type);
        // An answer that depends on who asks, and when, is not for a cache.
        local.field("cache-control", "no-store");
        local
    }
}

/// Answers a request whose head is refused, of which nothing is known but why.
pub(crate) async fn reject(
    worker: &Rc<Worker>,
    peer: &Peer,
    incoming: &mut Incoming,
    reject: http1::Reject,
    timer: &mut Timer,
) {
    unheard(worker, peer, incoming, Stop::rejected(reject), timer).await;
}

/// Answers a request whose head did not arrive in time.
pub(crate) async fn late(
    worker: &Rc<Worker>,
    peer: &Peer,
    incoming: &mut Incoming,
    timer: &mut Timer,
) {
    unheard(worker, peer, incoming, Stop::refused(Reason::HeadTimeout), timer).await;
}

async fn unheard(
    worker: &Rc<Worker>,
    peer: &Peer,
    incoming: &mut Incoming,
    stop: Stop,
    timer: &mut Timer,
) {
    let live = worker.live();
    let request = Request::unheard(matches!(incoming, Incoming::Http2(_)));
    let around = Surroundings { worker, peer, live: &live, request: &request, trusted: false };
    let mut open = Open::begin(&around);
    let record = &mut open.record;
    record.stopped(&stop);
    worker.count_bound(&stop, request.version);
    if let Some(local) = Local::of(&stop, record, Voice::default()) {
        let due = (&mut *timer, worker.clock, live.bounds.write_ms_over(request.version));
        if let Err(fault) = send(&local, incoming, record, false, due).await {
            worker.count_bound(&Stop::Cut(fault), request.version);
            incoming.cut();
        }
    }
    open.close();
}

/// Sends an answer made here.
pub(crate) async fn send(
    local: &Local,
    incoming: &mut Incoming,
    record: &mut Record,
    is_head: bool,
    (timer, clock, write_ms): (&mut Timer, WorkerClock, u64),
) -> Result<(), Fault> {
    incoming.leave_body();
    record.status = local.status;
    // What a 304 has no body of has a length that is not known here.
    let length = match local.status {
        204 | 304 => Length::None,
        _ => Length::Known(local.body.len() as u64),
    };
    let lines = |out: &mut Vec<u8>| {
        out.extend_from_slice(&local.lines);
        // RFC 9110 §6.6.1: whoever makes an answer says when.
        let date = httpdate::fmt_http_date(std::time::SystemTime::now());
        http1::write_field(out, b"date", date.as_bytes());
        forward::write_gateway_fields(&record.request_id, None, out);
    };
    incoming.answer(local.status, length, lines).map_err(|Gone| Fault::CallerGone)?;
    let body = if is_head { &[][..] } else { &local.body[..] };
    timer.set(clock.now_ms() + write_ms);
    let mut at = 0;
    let mut finished = false;
    let sent = poll_fn(|cx| {
        let mut step = || {
            while at < body.len() {
                match incoming.poll_send(cx, &body[at..]) {
                    Poll::Ready(count) => at += count?,
                    Poll::Pending => return Poll::Pending,
                }
            }
            if !finished {
                finished = true;
                incoming.finish(std::iter::empty())?;
            }
            incoming.poll_flush(cx)
        };
        match step() {
            Poll::Ready(sent) => Poll::Ready(sent.map_err(|Gone| Fault::CallerGone)),
            Poll::Pending => timer.poll(cx).map(|()| Err(Fault::CallerTooSlow)),
        }
    })
    .await;
    record.bytes_out = at as u64;
    sent
}
