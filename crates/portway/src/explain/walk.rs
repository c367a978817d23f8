//! What came of a call, in words, phase by phase.

use portway_policy::{Phase, Reason};
use portway_proxy::rehearsal::{Counted, Outcome, Picked, Rehearsed, Told};
use portway_snapshot::Explanation;
use serde::{Deserialize, Serialize};

use super::Call;
use super::edits::{self, Edit, HIDDEN, Request};
use super::signature::{self, Signature};
use crate::status;

/// The longest body of an answer that is shown, in bytes.
const ANSWER_BYTES_MAX: usize = 4_096;

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// Route, and why others lost.
    #[serde(flatten)]
    pub explanation: Explanation,
    /// `permitted`, `preflight`, `options`, or the word of the refusal.
    pub decision: String,
    /// Status, where the gateway answers.
    pub status: Option<u16>,
    /// The same in a sentence.
    pub why: String,
    /// Hash of the snapshot that judged.
    pub snapshot: String,
    /// The time it was judged by.
    pub at: String,
    /// Whether a running gateway was asked.
    pub live: bool,
    /// Address of the caller behind trusted proxies.
    pub client: String,
    /// Who calls; `null` where nobody asks.
    pub caller: Option<Caller>,
    /// The phases.
    pub steps: Vec<Step>,
    /// The signature, where there is one.
    pub signature: Option<Signature>,
    /// Limits that were asked, as they stand before the call.
    pub limits: Vec<Limit>,
    /// Gates that were asked.
    pub gates: Vec<Gate>,
    /// What of the contract the call does not keep.
    pub problems: Vec<Problem>,
    /// What is changed on the way.
    pub edits: Vec<Edit>,
    /// Where it goes.
    pub target: Option<Target>,
    /// What arrives there.
    pub request: Option<Request>,
    /// What the gateway answers itself.
    pub answer: Option<Answer>,
}

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The app; `null` if there is none, or none is known.
    pub app: Option<String>,
    /// Its plan.
    pub plan: Option<String>,
    /// The word of the refusal, if the caller is not let in.
    pub refused: Option<String>,
    /// The same in a sentence, with what is not known.
    pub why: String,
}

/// One phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    pub phase: String,
    /// `passed`, `answered`, `refused` or `not reached`.
    pub outcome: String,
    /// What happened.
    pub lines: Vec<String>,
}

/// A limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// As documents have it.
    pub limit: String,
    /// Its name towards callers.
    pub name: String,
    /// The app that it counts for.
    pub app: Option<String>,
    /// The value that it counts for.
    pub value: Option<String>,
    /// Calls that it allows.
    pub allowed: u64,
    /// Calls that it still admits.
    pub remaining: u64,
    /// Seconds until it admits more.
    pub reset_s: u32,
}

/// The most calls at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gate {
    /// The app that it counts for.
    pub app: Option<String>,
    /// Calls under way.
    pub inside: u32,
    /// The most.
    pub max: u32,
}

/// Something of the contract that the call does not keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// `path`, `query`, `header`, `cookie`, `body`.
    #[serde(rename = "in")]
    pub place: String,
    /// The parameter.
    #[serde(default)]
    pub name: String,
    /// Where in it (RFC 6901).
    #[serde(default)]
    pub pointer: String,
    /// The rule.
    #[serde(default)]
    pub rule: String,
    /// In words.
    #[serde(default)]
    pub detail: String,
}

/// Where a call goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// The backend.
    pub backend: String,
    /// The target.
    pub target: String,
    /// Its address, where it is known.
    pub address: Option<String>,
    /// Why this one.
    pub why: String,
    /// All of them: name, address, share, how it does.
    pub candidates: Vec<String>,
}

/// An answer that the gateway gives itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Header fields.
    pub fields: Vec<(String, String)>,
    /// Body, as far as it is shown.
    pub body: String,
}

/// What is known besides the call.
#[derive(Debug, Clone, Copy, Default)]
pub struct About {
    /// Whether a running gateway was asked.
    pub live: bool,
    /// Keys that could not be had.
    pub missing_keys: usize,
}

/// Puts what came of a call into words.
pub fn walk(call: &Call, rehearsed: &Rehearsed, about: About) -> Walk {
    let now = std::time::UNIX_EPOCH + std::time::Duration::from_millis(rehearsed.unix_ms);
    let mut explanation = rehearsed.explanation.clone();
    let reached = reached(&rehearsed.outcome);
    let (decision, status, why) = verdict(rehearsed, &explanation);
    explanation.path = edits::hide_query(&explanation.path, &rehearsed.secret_query);
    let request = rehearsed.forwarded.as_deref().map(|head| {
        edits::parse(head, call.body.as_ref().map_or(0, Vec::len)).hidden(
            &rehearsed.secret_headers,
            &rehearsed.secret_query,
            call,
        )
    });
    let edits = request.as_ref().map(|got| edits::differences(call, got, &rehearsed.secret_query));
    let signing = rehearsed.signing.as_ref();
    let signature = signing.map(|signing| {
        let (ids, yours) = (&rehearsed.unknown_ids, call.signed.as_deref());
        signature::describe(signing, ids, rehearsed.unix_ms, yours)
    });
    let caller = caller(rehearsed, &explanation, reached, about.missing_keys);
    let mut walk = Walk {
        decision,
        status,
        why,
        snapshot: rehearsed.snapshot.clone(),
        at: status::rfc3339(now),
        live: about.live,
        client: rehearsed.client.to_string(),
        caller,
        steps: Vec::new(),
        signature,
        limits: rehearsed.limits.iter().map(|one| limit(one, rehearsed)).collect(),
        gates: gates(rehearsed),
        problems: if reached >= Phase::Check { problems(rehearsed) } else { Vec::new() },
        edits: edits.unwrap_or_default(),
        target: rehearsed.picked.as_ref().map(target),
        request,
        answer: rehearsed.told.as_ref().map(answer),
        explanation,
    };
    walk.steps = steps(&walk, call, rehearsed, reached);
    walk
}

/// The phase in which the call stopped; `Dispatch` where it goes to its backend.
fn reached(outcome: &Outcome) -> Phase {
    match outcome {
        Outcome::Dispatched | Outcome::Failed(_) => Phase::Dispatch,
        Outcome::Answered => Phase::Route,
        Outcome::Refused { phase, .. } => *phase,
    }
}

fn verdict(rehearsed: &Rehearsed, explanation: &Explanation) -> (String, Option<u16>, String) {
    let status = rehearsed.told.as_ref().map(|told| told.status);
    match &rehearsed.outcome {
        Outcome::Dispatched if rehearsed.told.is_some() => {
            ("permitted".to_owned(), status, "the mock answers from the contract".to_owned())
        }
        Outcome::Dispatched => {
            ("permitted".to_owned(), None, "the call goes to its backend".to_owned())
        }
        Outcome::Answered => {
            (explanation.verdict.outcome.clone(), status, explanation.verdict.why.clone())
        }
        Outcome::Refused { reason, sentence, detail, phase } => {
            let why = match (detail, sentence) {
                (portway_policy::Detail::Signature(fault), _) => signature::sentence(fault),
                (_, Some(sentence)) => (*sentence).to_owned(),
                _ if *phase == Phase::Route && explanation.verdict.status.is_some() => {
                    explanation.verdict.why.clone()
                }
                _ => reason.title().to_owned(),
            };
            (reason.word().to_owned(), status, why)
        }
        Outcome::Failed(fault) => (fault.word().to_owned(), status, fault.title().to_owned()),
    }
}

fn caller(
    rehearsed: &Rehearsed,
    explanation: &Explanation,
    reached: Phase,
    missing: usize,
) -> Option<Caller> {
    let route = explanation.route.as_ref()?;
    if route.auth.starts_with("public") || reached < Phase::Identify {
        return None;
    }
    let refused = match &rehearsed.outcome {
        Outcome::Refused { reason, phase: Phase::Identify | Phase::Permit, .. } => Some(*reason),
        _ => None,
    };
    let is_identified = reached > Phase::Identify;
    let app = rehearsed.apps.last().filter(|_| is_identified);
    let what = if rehearsed.signing.is_some() { "signature" } else { "key" };
    let why = match (app, refused) {
        (Some(app), Some(Reason::AppNotAllowed)) => format!(
            "the {what} is that of the app `{}`, which may not call the service `{}`",
            app.name, route.service
        ),
        (Some(app), _) if rehearsed.assumed.is_some() => {
            format!("taken to be the app `{}`", app.name)
        }
        (Some(app), _) => format!("the {what} is that of the app `{}`", app.name),
        (None, Some(Reason::CredentialsMissing)) => format!("the call brings no {what}"),
        (None, Some(_)) => not_known(rehearsed, what, missing),
        (None, None) => "nobody in particular".to_owned(),
    };
    Some(Caller {
        app: app.map(|app| app.name.to_string()),
        plan: app.and_then(|app| Some(app.plan.as_ref()?.name.to_string())),
        refused: refused.map(|reason| reason.word().to_owned()),
        why,
    })
}

/// Why nobody is known to call, where something was brought.
fn not_known(rehearsed: &Rehearsed, what: &str, missing: usize) -> String {
    let unknown = match missing {
        0 => String::new(),
        1 => "; one key cannot be had here, and might be this one".to_owned(),
        count => format!("; {count} keys cannot be had here, and one of them might be this one"),
    };
    if what == "key" {
        return format!("the key is none that is known, or more than one{unknown}");
    }
    let fault = match &rehearsed.outcome {
        Outcome::Refused { detail: portway_policy::Detail::Signature(fault), .. } => {
            signature::sentence(fault)
        }
        _ => "The call brings more than one credential.".to_owned(),
    };
    match (rehearsed.unknown_ids.first(), rehearsed.apps.last()) {
        (Some(_), _) => format!("{fault} No app has the id that it names{unknown}"),
        (None, Some(app)) => format!("{fault} The id is that of the app `{}`{unknown}", app.name),
        (None, None) => format!("{fault}{unknown}"),
    }
}

fn limit(counted: &Counted, rehearsed: &Rehearsed) -> Limit {
    let is_secret = match &counted.per {
        Some(("header", name)) => rehearsed.secret_headers.contains(&name.to_ascii_lowercase()),
        Some(("query", name)) => rehearsed.secret_query.contains(&name.to_ascii_lowercase()),
        _ => false,
    };
    let value = match (&counted.value, &counted.per) {
        (Some(_), _) if is_secret => Some(HIDDEN.to_owned()),
        (None, Some(_)) => Some("(none)".to_owned()),
        (value, _) => value.clone(),
    };
    Limit {
        limit: counted.text.clone(),
        name: counted.name.clone(),
        app: counted.app.clone(),
        value,
        allowed: counted.state.limit,
        remaining: counted.state.remaining,
        reset_s: counted.state.reset_s,
    }
}

fn gates(rehearsed: &Rehearsed) -> Vec<Gate> {
    let gates = rehearsed.gates.iter();
    gates.map(|gate| Gate { app: gate.app.clone(), inside: gate.inside, max: gate.max }).collect()
}

/// What of the contract is not kept: as the refusal tells it, or as the head was found.
fn problems(rehearsed: &Rehearsed) -> Vec<Problem> {
    if let Outcome::Refused { detail: portway_policy::Detail::Errors(errors), .. } =
        &rehearsed.outcome
        && let Ok(problems) = serde_json::from_str(errors)
    {
        return problems;
    }
    let misfits = rehearsed.problems.iter().flatten();
    misfits
        .map(|misfit| Problem {
            place: misfit.place.word().to_owned(),
            name: misfit.name.to_string(),
            pointer: misfit.problem.pointer.clone(),
            rule: misfit.problem.rule.to_owned(),
            detail: misfit.problem.detail.clone(),
        })
        .collect()
}

fn target(picked: &Picked) -> Target {
    let address = picked.address.map(|address| address.to_string());
    let balance = match &picked.balance {
        portway_model::Balance::RoundRobin => "in turn, by weight".to_owned(),
        portway_model::Balance::LeastRequest => {
            "of two drawn at random, the one with fewer calls under way".to_owned()
        }
        portway_model::Balance::Hash(on) => {
            let on = match on {
                portway_model::HashOn::Header(name) => format!("the header {name}"),
                portway_model::HashOn::Cookie(name) => format!("the cookie {name}"),
                portway_model::HashOn::Address => "the caller's address".to_owned(),
                portway_model::HashOn::Parameter(name) => format!("the parameter {name}"),
            };
            format!("by a hash of {on}")
        }
    };
    let why = match (&address, picked.candidates.len()) {
        (_, 1) => "it is the only one".to_owned(),
        (Some(_), _) => format!("{balance}: the next one, if no other call comes between"),
        (None, _) if picked.load.is_none() => {
            format!("{balance}; which one is for the running gateway to say, this is the first")
        }
        (None, _) => format!("{balance}, and none takes calls"),
    };
    let candidates = picked.candidates.iter().map(|one| {
        let address = one.address.map(|address| format!(" at {address}")).unwrap_or_default();
        let share = match one.condition {
            Some(_) => format!("{:.0} % of the calls", one.weight * 100.0),
            None => format!("weight {}", one.weight),
        };
        let state = one.condition.map(|word| format!(", {word}")).unwrap_or_default();
        let calls = one.in_flight.map(|count| format!(", {count} under way")).unwrap_or_default();
        format!("{}{address}: {share}{state}{calls}", one.target)
    });
    Target {
        backend: picked.backend.clone(),
        target: picked.target.clone(),
        address,
        why,
        candidates: candidates.collect(),
    }
}

fn answer(told: &Told) -> Answer {
    let lines = String::from_utf8_lossy(&told.lines);
    let fields = lines.split("\r\n").filter_map(|line| line.split_once(':'));
    let body = &told.body[..told.body.len().min(ANSWER_BYTES_MAX)];
    Answer {
        status: told.status,
        fields: fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect(),
        body: String::from_utf8_lossy(body).into_owned(),
    }
}

fn steps(walk: &Walk, call: &Call, rehearsed: &Rehearsed, reached: Phase) -> Vec<Step> {
    let phases = [
        Phase::Accept,
        Phase::Route,
        Phase::Identify,
        Phase::Permit,
        Phase::Admit,
        Phase::Check,
        Phase::Shape,
        Phase::Dispatch,
    ];
    let is_here = |phase| phase == reached;
    phases
        .into_iter()
        .map(|phase| {
            let outcome = match &rehearsed.outcome {
                _ if phase > reached => "not reached",
                Outcome::Refused { .. } if is_here(phase) => "refused",
                Outcome::Failed(_) if is_here(phase) => "refused",
                Outcome::Answered if is_here(phase) => "answered",
                _ => "passed",
            };
            let mut lines =
                if phase > reached { Vec::new() } else { told(phase, walk, call, rehearsed) };
            if is_here(phase) && outcome != "passed" {
                let status = walk.status.map(|status| format!(" {status}")).unwrap_or_default();
                lines.push(format!("{}{status}: {}", walk.decision, walk.why));
            }
            Step { phase: phase.word().to_owned(), outcome: outcome.to_owned(), lines }
        })
        .collect()
}

/// What happened in a phase.
fn told(phase: Phase, walk: &Walk, call: &Call, rehearsed: &Rehearsed) -> Vec<String> {
    match phase {
        Phase::Accept => {
            let tls = if call.tls { "TLS" } else { "no TLS" };
            let behind = if rehearsed.trusted { ", behind a trusted proxy" } else { "" };
            vec![format!("from {}{behind}, {tls}", walk.client)]
        }
        Phase::Route => match &walk.explanation.route {
            Some(route) => {
                vec![format!("service {}, operation {}", route.service, route.operation)]
            }
            None => Vec::new(),
        },
        Phase::Identify => match &walk.caller {
            None => vec!["public: nobody is asked".to_owned()],
            Some(caller) => {
                let body = rehearsed.held_body.then(|| "the body was needed to tell".to_owned());
                std::iter::once(caller.why.clone()).chain(body).collect()
            }
        },
        Phase::Permit => match rehearsed.apps.last().filter(|_| walk.caller.is_some()) {
            None => vec!["everybody may".to_owned()],
            Some(app) => match &app.services {
                None => vec![format!("`{}` may call every service that takes keys", app.name)],
                Some(services) => {
                    let names: Vec<&str> = services.iter().map(|name| name.as_str()).collect();
                    vec![format!("`{}` may call {}", app.name, names.join(", "))]
                }
            },
        },
        Phase::Admit => admitted(walk),
        Phase::Check => checked(walk, rehearsed),
        Phase::Shape => walk.edits.iter().map(edit_line).collect(),
        Phase::Dispatch => match &walk.target {
            None => Vec::new(),
            Some(target) => {
                let mut lines = vec![match &target.address {
                    Some(address) => format!("{} at {address}: {}", target.target, target.why),
                    None => format!("{}: {}", target.target, target.why),
                }];
                if let Some((in_flight, queued, max)) =
                    rehearsed.picked.as_ref().and_then(|picked| picked.load)
                {
                    lines.push(format!(
                        "the backend `{}` has {in_flight} of {max} calls under way, {queued} wait",
                        target.backend
                    ));
                }
                lines
            }
        },
        Phase::Reshape | Phase::Record => Vec::new(),
    }
}

fn admitted(walk: &Walk) -> Vec<String> {
    let whose = |app: &Option<String>, value: &Option<String>| {
        let app = app.as_ref().map(|app| format!("the app `{app}`"));
        let parts: Vec<String> = app.into_iter().chain(value.clone()).collect();
        if parts.is_empty() { String::new() } else { format!(" for {}", parts.join(" and ")) }
    };
    let mut lines: Vec<String> = Vec::new();
    for gate in &walk.gates {
        let whose = whose(&gate.app, &None);
        lines.push(format!("{} at once{whose}: {} under way", gate.max, gate.inside));
    }
    for limit in &walk.limits {
        let whose = whose(&limit.app, &limit.value);
        let full = match limit.remaining {
            0 => format!("used up, again in {} s", limit.reset_s),
            remaining => format!("{remaining} of {} left", limit.allowed),
        };
        lines.push(format!("{}{whose}: {full}", limit.limit));
    }
    if lines.is_empty() {
        lines.push("no limits".to_owned());
    } else if !walk.live {
        lines.push(
            "counted from nothing here; a running gateway knows its counts (--live)".to_owned(),
        );
    }
    lines
}

fn checked(walk: &Walk, rehearsed: &Rehearsed) -> Vec<String> {
    let mut lines = Vec::new();
    if rehearsed.problems.is_none() && walk.problems.is_empty() {
        lines.push("nothing is checked".to_owned());
        return lines;
    }
    for problem in &walk.problems {
        let pointer = if problem.pointer.is_empty() { "" } else { " at " };
        lines.push(format!(
            "{} {}{pointer}{}: {} ({})",
            problem.place, problem.name, problem.pointer, problem.detail, problem.rule
        ));
    }
    if walk.problems.is_empty() {
        lines.push("it keeps the contract".to_owned());
    } else if !rehearsed.enforced {
        lines.push("only reported: the service does not enforce its contract".to_owned());
    }
    lines
}

fn edit_line(edit: &Edit) -> String {
    let value = edit.value.as_deref().unwrap_or_default();
    match (edit.part.as_str(), edit.what.as_str()) {
        ("path", _) => format!("path {} becomes {value}", edit.name),
        (part, "removed") => format!("{part} {} removed", edit.name),
        (part, what) => format!("{part} {} {what}: {value}", edit.name),
    }
}
