//! Answers made from the contract, in place of a backend's.
//!
//! Whatever decides a call has decided it before: this begins where a backend would be asked, and takes the same leave.
//! The body of the call is read and thrown away, as a backend would read it. Waiting costs a timer, and ends when
//! the caller goes or the call has had its time. What the answer says comes from the contract and, of the call, only
//! from what it has in common with the contract.

use std::future::poll_fn;
use std::ops::ControlFlow;
use std::task::Poll;

use portway_contract::mock::prefer::Prefer;
use portway_contract::mock::{Asked, Made, Unanswered};
use portway_policy::{Detail, Headers as _, Phase, Reason, Refusal};
use portway_snapshot::{Mocked, Operation};

use crate::exchange::{self, Decision, Stop, Surroundings};
use crate::failure::{Failure, Fault};
use crate::forward;
use crate::hold::read;
use crate::incoming::Incoming;
use crate::record::Record;
use crate::respond::Local;
use crate::telemetry::Event;
use crate::timer::Timer;

/// Answers a call.
pub(crate) async fn answer(
    around: &Surroundings<'_>,
    decision: &Decision,
    mocked: &Mocked,
    incoming: &mut Incoming,
    timer: &mut Timer,
    record: &mut Record,
) -> Result<(), Stop> {
    let service = &around.live.snapshot.services[decision.service];
    let operation = &service.operations[decision.operation];
    record.answered_by_mock();
    read_body(around, operation, incoming, timer, record).await?;
    let prefer = preferences(around);
    let wait_ms = prefer.wait_ms.unwrap_or(mocked.wait_ms);
    if wait_ms > 0 {
        wait(around, operation, wait_ms, incoming, timer, record).await?;
    }
    let made = make(around, mocked, &prefer);
    record.mark_now(Phase::Dispatch, around.worker);
    let (local, _) = tell(around, decision, made, &prefer, record)?;
    exchange::send(around, &local, incoming, timer, record).await
}

/// What a call would be answered, at once: the body is not looked at, and nobody waits.
pub(crate) fn rehearse(
    around: &Surroundings<'_>,
    decision: &Decision,
    mocked: &Mocked,
    record: &mut Record,
) -> Result<(Local, Option<Fault>), Stop> {
    let operation = &around.live.snapshot.services[decision.service].operations[decision.operation];
    record.answered_by_mock();
    let prefer = preferences(around);
    if prefer.wait_ms.unwrap_or(mocked.wait_ms) > operation.timeout_ms {
        return Err(Stop::Failed(Failure::last(Fault::CallTimeout)));
    }
    let made = make(around, mocked, &prefer);
    tell(around, decision, made, &prefer, record)
}

/// The answer as it is sent, with what is wrong if the contract has none.
fn tell(
    around: &Surroundings<'_>,
    decision: &Decision,
    made: Result<Made, Unanswered>,
    prefer: &Prefer,
    record: &mut Record,
) -> Result<(Local, Option<Fault>), Stop> {
    let service = &around.live.snapshot.services[decision.service];
    let metrics = &around.worker.metrics;
    let mut fault = None;
    let mut local = match made {
        Ok(made) => {
            metrics.add(Event::MockAnswered);
            written(made, prefer)
        }
        Err(Unanswered::CannotMake(why)) => {
            metrics.add(Event::MockUnmade);
            fault = Some(Fault::NoExample);
            record.stopped(&Stop::Failed(Failure::last(Fault::NoExample)));
            let voice = exchange::voice(around, record);
            Local::unmade(&errors("responses", &why), record, voice)
        }
        Err(refused) => return Err(refusal(refused)),
    };
    if let Some(limit) = decision.permit.limit() {
        forward::write_limit(limit, &mut local.lines);
    }
    exchange::allow_origin(around, service.cors.as_ref(), &mut local);
    exchange::guard_local(around, record, &mut local);
    Ok((local, fault))
}

/// Reads what the caller sends, to its end, and lets go of it.
async fn read_body(
    around: &Surroundings<'_>,
    operation: &Operation,
    incoming: &mut Incoming,
    timer: &mut Timer,
    record: &mut Record,
) -> Result<(), Stop> {
    if !around.request.has_body() {
        return Ok(());
    }
    read(around, operation.timeout_ms, incoming, timer, record, |incoming| {
        incoming.consume(incoming.body().len());
        Ok(ControlFlow::Continue(()))
    })
    .await
    .map(drop)
}

/// What the caller would like, of all its `Prefer` fields.
fn preferences(around: &Surroundings<'_>) -> Prefer {
    let mut prefer = Prefer::default();
    around.request.each("prefer", &mut |value| {
        if let Ok(field) = std::str::from_utf8(value) {
            prefer.read(field);
        }
    });
    prefer
}

/// Waits, no longer than the call may take: a backend that is as slow would be given up, too.
async fn wait(
    around: &Surroundings<'_>,
    operation: &Operation,
    wait_ms: u64,
    incoming: &mut Incoming,
    timer: &mut Timer,
    record: &mut Record,
) -> Result<(), Stop> {
    let due_ms = record.started_us / 1_000 + operation.timeout_ms;
    let until_ms = around.worker.clock.now_ms().saturating_add(wait_ms);
    let is_too_long = until_ms > due_ms;
    timer.set(until_ms.min(due_ms));
    let stayed = poll_fn(|cx| {
        if incoming.poll_gone(cx).is_ready() {
            return Poll::Ready(false);
        }
        timer.poll(cx).map(|()| true)
    })
    .await;
    record.look(around.worker);
    match stayed {
        false => Err(Stop::Cut(Fault::CallerGone)),
        true if is_too_long => Err(Stop::Failed(Failure::last(Fault::CallTimeout))),
        true => Ok(()),
    }
}

fn make(around: &Surroundings<'_>, mocked: &Mocked, prefer: &Prefer) -> Result<Made, Unanswered> {
    let mut fields = Vec::new();
    around.request.each("accept", &mut |value| {
        fields.push(String::from_utf8_lossy(value).into_owned());
    });
    let mut asked = Asked {
        // What is no number is a status that nothing has.
        code: prefer.code.as_ref().map(|code| code.parse().unwrap_or(0)),
        example: prefer.example.as_deref(),
        ..Asked::default()
    };
    if asked.code.is_none() && asked.example.is_none() {
        asked.code = mocked.status;
    }
    fields.iter().for_each(|field| asked.accept.read(field));
    mocked.mock.answer(&asked)
}

fn written(made: Made, prefer: &Prefer) -> Local {
    let mut local = Local { status: made.status, lines: Vec::new(), body: made.body };
    if let Some(media_type) = &made.media_type {
        local.field("content-type", media_type);
    }
    for (name, value) in &made.headers {
        local.field(name, value);
    }
    if let Some(applied) = applied(prefer) {
        local.field("preference-applied", &applied);
    }
    local.field("vary", "accept, prefer");
    local
}

/// What of the preferences counted (RFC 7240 section 3).
fn applied(prefer: &Prefer) -> Option<String> {
    let mut all = Vec::new();
    all.extend(prefer.code.as_ref().map(|code| format!("code={code}")));
    let example = prefer.example.as_deref();
    let is_plain = |name: &&str| {
        name.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\')
    };
    all.extend(example.filter(is_plain).map(|name| format!("example=\"{name}\"")));
    all.extend(prefer.wait_ms.map(|ms| match (ms / 1_000, ms % 1_000) {
        (seconds, 0) => format!("wait={seconds}"),
        (seconds, rest) => format!("wait={seconds}.{rest:03}"),
    }));
    (!all.is_empty()).then(|| all.join(", "))
}

fn refusal(why: Unanswered) -> Stop {
    let (reason, name, detail) = match why {
        Unanswered::NoSuchCode(detail) | Unanswered::NoSuchExample(detail) => {
            (Reason::PreferenceUnknown, "Prefer", detail)
        }
        Unanswered::NotAcceptable(detail) | Unanswered::CannotMake(detail) => {
            (Reason::NotAcceptable, "Accept", detail)
        }
    };
    let detail = Detail::Errors(errors(name, &detail));
    Stop::Refused(Refusal { reason, detail }, None)
}

/// For the answer: a list of JSON with what there is.
fn errors(name: &str, detail: &str) -> Box<str> {
    let place = if name == "responses" { "contract" } else { "header" };
    serde_json::json!([{ "in": place, "name": name, "detail": detail }]).to_string().into()
}
