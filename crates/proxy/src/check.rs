//! The phase `check`: calls that do not keep the contract are refused with all that is wrong, or reported.
//!
//! The answer says which part of the call is wrong and which rule it breaks. All words of it are the contract's but
//! the names of members in pointers, which are the caller's own and are written as JSON.

use portway_contract::request::Misfit;
use portway_policy::{Call, Detail, Phase, Reason, Refusal};
use portway_snapshot::Checks;

use crate::exchange::Stop;
use crate::record::Record;
use crate::telemetry::Event;
use crate::worker::Worker;

/// The longest description in a log line, in bytes; what is more is left out there.
const SHOWN_BYTES: usize = 240;

/// Checks the head of a call.
pub(crate) fn head(
    checks: &Checks,
    call: &Call<'_>,
    record: &mut Record,
    worker: &Worker,
) -> Result<(), Stop> {
    let misfits = checks.head(call);
    record.mark(Phase::Check, worker);
    if misfits.is_empty() { Ok(()) } else { broken(checks, &misfits, record, worker) }
}

/// A call that does not keep the contract.
#[cold]
fn broken(
    checks: &Checks,
    misfits: &[Misfit],
    record: &mut Record,
    worker: &Worker,
) -> Result<(), Stop> {
    record.breaks(&shown(misfits));
    if !checks.enforced {
        worker.metrics.add(Event::BreachReported);
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
        serde_json::json!({
            "in": misfit.place.word(),
            "name": &*misfit.name,
            "pointer": problem.pointer,
            "rule": problem.rule,
            "detail": problem.detail,
        })
    });
    serde_json::Value::Array(list.collect()).to_string().into()
}

/// What is wrong, for the log: `query:limit maximum, header:X-Tag type`. Pointers can have names in them that the
/// caller chose, so they are left out.
fn shown(misfits: &[Misfit]) -> Box<str> {
    let mut text = String::new();
    for misfit in misfits {
        let problem = &misfit.problem;
        let place = misfit.place.word();
        let one = format!("{place}:{} {}", misfit.name, problem.rule);
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
