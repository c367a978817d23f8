//! The phase `check`: calls that do not keep the contract are refused with all that is wrong, or reported.
//!
//! The head is judged first, and what can be said of the body by it. Only then a body is read, if the contract has
//! something to say of it, and judged before the backend sees anything of the call. The answer says which part of the
//! call is wrong and which rule it breaks. All words of it are the contract's but the names of members in pointers, which
//! are the caller's own and are written as JSON.

use std::sync::Arc;

use portway_contract::Location;
use portway_contract::request::{Misfit, Place, Plan, Wish};
use portway_contract::schema::Problem;
use portway_http1::Framing;
use portway_policy::{Body, Call, Detail, Phase, Reason, Refusal};
use portway_snapshot::Checks;

use crate::exchange::{Decision, Stop, Surroundings};
use crate::hold::{Extent, Spool, hold};
use crate::incoming::Incoming;
use crate::record::Record;
use crate::telemetry::Event;
use crate::timer::Timer;
use crate::worker::Worker;

/// The longest description in a log line, in bytes; what is more is left out there.
const SHOWN_BYTES: usize = 240;

/// What is said of a body that is larger than is held of it.
const TOO_LARGE: &str =
    "A body of this media type is checked before it goes on, and has more bytes than are checked.";

/// Checks the head of a call, and its body if that is there. If the body has still to be read, says how it is
/// then checked.
pub(crate) fn head(
    checks: &Checks,
    call: &Call<'_>,
    record: &mut Record,
    worker: &Worker,
) -> Result<Option<Box<Plan>>, Stop> {
    let mut misfits = checks.head(call);
    record.mark(Phase::Check, worker);
    let wish = checks.wish(call);
    if misfits.is_empty() && wish == Wish::Pass {
        return Ok(None);
    }
    let plan = match wish {
        Wish::Pass => None,
        Wish::Wrong(problem) => {
            misfits.push(Misfit::of_body(problem));
            None
        }
        wish @ (Wish::Unsupported | Wish::Encoded) => {
            unreadable(checks, &wish, &mut misfits, record, worker)?;
            None
        }
        Wish::Hold(plan) => Some(plan),
    };
    if !misfits.is_empty() {
        broken(checks, &misfits, record, worker)?;
    }
    match (plan, call.body) {
        (Some(plan), Body::Held(bytes)) => {
            judge(checks, &plan, Some(bytes), record, worker)?;
            Ok(None)
        }
        (plan, _) => Ok(plan.map(Box::new)),
    }
}

/// A body that cannot be looked into. Where nothing else is wrong, the answer says what could be.
#[cold]
fn unreadable(
    checks: &Checks,
    wish: &Wish,
    misfits: &mut Vec<Misfit>,
    record: &mut Record,
    worker: &Worker,
) -> Result<(), Stop> {
    let is_encoded = *wish == Wish::Encoded;
    let detail = if is_encoded { Detail::Identity } else { Detail::Accept(checks.accept().into()) };
    if checks.enforced && misfits.is_empty() {
        let shown = if is_encoded {
            "header:Content-Encoding contentEncoding"
        } else {
            "header:Content-Type contentType"
        };
        record.more().misfits = Some(shown.into());
        worker.metrics.add(Event::BreachRefused);
        return Err(Stop::from(Refusal { reason: Reason::MediaTypeUnsupported, detail }));
    }
    if is_encoded && !checks.enforced {
        worker.metrics.add(Event::BodyUnchecked);
        return Ok(());
    }
    let (name, rule, detail) = if is_encoded {
        ("Content-Encoding", "contentEncoding", "must be identity".to_owned())
    } else {
        ("Content-Type", "contentType", format!("must be one of {}", checks.accept()))
    };
    misfits.push(Misfit {
        place: Place::Parameter(Location::Header),
        name: Arc::from(name),
        problem: Problem { pointer: String::new(), rule, detail },
    });
    Ok(())
}

/// Reads the body of a call, checks it, and lets it go on from here. Says whether it was read: one that is known to be
/// more than is checked is left to come as it does, where it may.
pub(crate) async fn body(
    around: &Surroundings<'_>,
    decision: &Decision,
    plan: Box<Plan>,
    incoming: &mut Incoming,
    timer: &mut Timer,
    record: &mut Record,
) -> Result<bool, Stop> {
    let operation = &around.live.snapshot.services[decision.service].operations[decision.operation];
    let checks = operation.checks.as_ref().expect("a plan is of the checks of its operation");
    let most_bytes = plan.most_bytes.unwrap_or(u64::MAX);
    if let Framing::Length(length) = around.request.framing
        && length > most_bytes
        && !checks.enforced
    {
        around.worker.metrics.add(Event::BodyUnchecked);
        return Ok(false);
    }
    let extent = Extent {
        service: decision.service,
        operation: decision.operation,
        most_bytes,
        may_pass: !checks.enforced,
    };
    let spool = hold(around, extent, incoming, timer, record).await.map_err(|stop| match stop {
        Stop::Refused(refusal, _)
            if refusal.reason == Reason::BodyTooLarge && most_bytes < operation.body_bytes =>
        {
            Stop::Refused(refusal, Some(TOO_LARGE))
        }
        stop => stop,
    })?;
    judge(checks, &plan, Spool::whole(&spool), record, around.worker)?;
    record.mark(Phase::Check, around.worker);
    incoming.hold_body(spool);
    Ok(true)
}

/// Judges a body that is all there, by what was planned for it.
pub(crate) fn given(
    around: &Surroundings<'_>,
    plan: &Plan,
    body: &[u8],
    record: &mut Record,
) -> Result<(), Stop> {
    let (service, operation) = record.operation().expect("a plan is of an operation");
    let operation = &around.live.snapshot.services[service].operations[operation];
    let checks = operation.checks.as_ref().expect("a plan is of the checks of its operation");
    judge(checks, plan, Some(body), record, around.worker)
}

/// Judges a body; one that is not all there, or is more than is checked, goes on unchecked.
fn judge(
    checks: &Checks,
    plan: &Plan,
    bytes: Option<&[u8]>,
    record: &mut Record,
    worker: &Worker,
) -> Result<(), Stop> {
    let most_bytes = plan.most_bytes.unwrap_or(u64::MAX);
    match bytes {
        Some(bytes) if bytes.len() as u64 <= most_bytes => {
            let misfits = checks.body(plan, bytes);
            if misfits.is_empty() { Ok(()) } else { broken(checks, &misfits, record, worker) }
        }
        // It was held for its signature.
        Some(_) if checks.enforced => {
            Err(Stop::Refused(Refusal::new(Reason::BodyTooLarge), Some(TOO_LARGE)))
        }
        _ => {
            worker.metrics.add(Event::BodyUnchecked);
            Ok(())
        }
    }
}

/// A call that does not keep the contract.
#[cold]
fn broken(
    checks: &Checks,
    misfits: &[Misfit],
    record: &mut Record,
    worker: &Worker,
) -> Result<(), Stop> {
    let before = record.more().misfits.take();
    let is_known = before.is_some();
    record.more().misfits = Some(shown(before.as_deref().unwrap_or_default(), misfits));
    if !checks.enforced {
        // Once for a call of which both head and body are wrong.
        if !is_known {
            worker.metrics.add(Event::BreachReported);
        }
        return Ok(());
    }
    worker.metrics.add(Event::BreachRefused);
    let detail = Detail::Errors(errors(misfits));
    Err(Stop::Refused(Refusal { reason: Reason::ContractBroken, detail }, None))
}

/// What is wrong, for the answer: a list of JSON.
fn errors(misfits: &[Misfit]) -> Box<str> {
    let list = misfits.iter().map(|misfit| {
        let problem = &misfit.problem;
        let mut error = serde_json::json!({
            "in": misfit.place.word(),
            "pointer": problem.pointer,
            "rule": problem.rule,
            "detail": problem.detail,
        });
        if misfit.place != Place::Body {
            error["name"] = (*misfit.name).into();
        }
        error
    });
    serde_json::Value::Array(list.collect()).to_string().into()
}

/// What is wrong, for the log, behind what was `known` before: `query:limit maximum, body required`. Pointers can have
/// names in them that the caller chose, so they are left out.
pub(crate) fn shown(known: &str, misfits: &[Misfit]) -> Box<str> {
    let mut text = String::from(known);
    for misfit in misfits {
        let problem = &misfit.problem;
        let place = misfit.place.word();
        let one = match misfit.place {
            Place::Body => format!("{place} {}", problem.rule),
            Place::Parameter(_) => format!("{place}:{} {}", misfit.name, problem.rule),
        };
        if text.split(", ").any(|known| known == one) {
            continue;
        }
        if text.len() + one.len() > SHOWN_BYTES {
            text.push_str(if text.is_empty() { problem.rule } else { ", …" });
            break;
        }
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&one);
    }
    text.into()
}
