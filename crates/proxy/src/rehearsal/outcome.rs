//! What came of a rehearsal, in plain values.

use portway_policy::{Detail, Phase, Reason};
use portway_snapshot::explain::Explanation;

use super::{Rehearsed, Went};
use crate::exchange::{self, Stop, Surroundings};
use crate::failure::Fault;
use crate::record::Record;
use crate::respond::Local;

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It goes to its backend.
    Dispatched,
    /// The gateway answers itself, as it should.
    Answered,
    /// The gateway says no.
    Refused {
        /// In which phase.
        phase: Phase,
        /// The word for why.
        reason: Reason,
        /// A sentence on top of the reason's own, where there is one.
        sentence: Option<&'static str>,
        /// What the reason has with it.
        detail: Detail,
    },
    /// There is no way to its backend.
    Failed(Fault),
}

/// What the gateway answers itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Status.
    pub status: u16,
    /// Whole lines of fields; `Date` and `X-Request-Id` are added to them.
    pub lines: Vec<u8>,
    /// Body.
    pub body: Vec<u8>,
}

impl Told {
    pub(super) fn of(local: Local) -> Self {
        Self { status: local.status, lines: local.lines, body: local.body }
    }
}

/// In which phase a reason refuses.
pub(super) const fn phase_of(reason: Reason) -> Phase {
    match reason {
        Reason::BadRequest
        | Reason::HeadTooLarge
        | Reason::TargetTooLong
        | Reason::TooManyFields
        | Reason::VersionUnsupported
        | Reason::ExpectationFailed
        | Reason::ConnectRefused
        | Reason::HeadTimeout
        | Reason::Misdirected
        | Reason::Draining => Phase::Accept,
        Reason::BadPath
        | Reason::NotFound
        | Reason::MethodNotAllowed
        | Reason::OriginNotAllowed => Phase::Route,
        Reason::CredentialsMissing | Reason::CredentialsInvalid => Phase::Identify,
        Reason::AppNotAllowed => Phase::Permit,
        Reason::RateLimited
        | Reason::QuotaExhausted
        | Reason::TooManyConcurrent
        | Reason::Overloaded => Phase::Admit,
        Reason::ContractBroken
        | Reason::RuleBroken
        | Reason::MediaTypeUnsupported
        | Reason::CodingUnsupported
        | Reason::TooMuchHeld
        | Reason::BodyTimeout
        | Reason::BodyTooLarge => Phase::Check,
        Reason::PreferenceUnknown | Reason::NotAcceptable => Phase::Dispatch,
    }
}

/// Puts together what is known.
pub(super) fn tell(
    around: &Surroundings<'_>,
    record: &Record,
    went: Went,
    explanation: Explanation,
) -> Rehearsed {
    let stage = around.worker.stage.as_ref().expect("rehearsed on a stage");
    let (outcome, told, held_body) = match went {
        Went::Dispatched { held_body } => (Outcome::Dispatched, None, held_body),
        Went::Answered(local) => (Outcome::Answered, Some(Told::of(local)), false),
        Went::Stopped { stop, held_body } => {
            let told = exchange::told(around, record, &stop).map(Told::of);
            (of_stop(stop), told, held_body)
        }
    };
    let (secret_headers, secret_query) = secrets(around, record);
    let noted = std::mem::take(&mut *stage.noted());
    Rehearsed {
        snapshot: around.live.snapshot.hash.clone(),
        unix_ms: stage.unix_ms,
        explanation,
        client: record.client,
        trusted: around.trusted,
        outcome,
        apps: noted.apps,
        assumed: None,
        unknown_ids: noted.unknown_ids,
        signing: noted.signing,
        held_body,
        limits: noted.limits,
        gates: noted.gates,
        problems: noted.problems,
        enforced: noted.enforced,
        picked: None,
        forwarded: None,
        told,
        secret_headers,
        secret_query,
    }
}

pub(super) fn of_stop(stop: Stop) -> Outcome {
    match stop {
        Stop::Refused(refusal, sentence) => {
            let (reason, detail) = (refusal.reason, refusal.detail);
            Outcome::Refused { phase: phase_of(reason), reason, sentence, detail }
        }
        Stop::Late(reason) => {
            let (phase, detail) = (phase_of(reason), Detail::None);
            Outcome::Refused { phase, reason, sentence: None, detail }
        }
        Stop::Failed(failure) => Outcome::Failed(failure.fault),
        Stop::Cut(fault) => Outcome::Failed(fault),
    }
}

/// Names of what carries credentials: the caller's, which are dropped, and the backend's, which are set.
fn secrets(around: &Surroundings<'_>, record: &Record) -> (Vec<String>, Vec<String>) {
    let mut headers: Vec<String> =
        ["authorization", "proxy-authorization", "cookie"].map(str::to_owned).into();
    let mut query = Vec::new();
    if let Some((service, operation)) = record.operation() {
        let shape = &around.live.snapshot.services[service].operations[operation].shape;
        let set = shape.set_headers.iter().map(|(name, _)| name);
        headers.extend(set.chain(&shape.drop_headers).map(|name| name.to_ascii_lowercase()));
        let set = shape.set_query.iter().map(|(name, _)| name);
        query.extend(set.chain(&shape.drop_query).map(|name| name.to_ascii_lowercase()));
    }
    // What is signed is no secret, and is what people look for.
    headers.retain(|name| !matches!(name.as_str(), "signature-input"));
    (headers, query)
}
