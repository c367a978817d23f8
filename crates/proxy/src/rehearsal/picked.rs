//! Where a call of a rehearsal would go, and what would arrive there.

use portway_snapshot::{Backend, Operation};

use super::outcome::of_stop;
use super::{Outcome, Rehearsed, Told, asks_for_upgrade};
use crate::deadline::{Deadline, Left};
use crate::dispatch::{self, Spot};
use crate::exchange::{self, Decision, Stop, Surroundings};
use crate::mock;
use crate::record::Record;
use crate::upstream::BackendState;

/// Where a call would go.
#[derive(Debug, Clone)]
pub struct Picked {
    /// Name of the backend.
    pub backend: String,
    /// How it chooses among its targets.
    pub balance: portway_model::Balance,
    /// What the balance hashes of the call, hashed.
    pub hash: Option<u64>,
    /// The address, where one is known.
    pub address: Option<std::net::SocketAddr>,
    /// What the target is called: its host, with a port that is not the usual one.
    pub target: String,
    /// All of them.
    pub candidates: Vec<Candidate>,
    /// Calls under way and calls that wait, where there is a state; and the most that may be under way.
    pub load: Option<(u32, u32, u32)>,
}

/// One target, or one address of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// What the target is called.
    pub target: String,
    /// Its address, where it is known.
    pub address: Option<std::net::SocketAddr>,
    /// Its share of the traffic.
    pub weight: f64,
    /// `well`, `down`, `ejected`, `open` or `probing`, where it is known.
    pub condition: Option<&'static str>,
    /// Calls under way there.
    pub in_flight: Option<u32>,
}

/// Chooses the target and has the head written.
pub(super) fn forward(
    around: &Surroundings<'_>,
    decision: &Decision,
    record: &mut Record,
    connected: bool,
    rehearsed: &mut Rehearsed,
) {
    let service = &around.live.snapshot.services[decision.service];
    let operation = &service.operations[decision.operation];
    let backend = service.backend(operation);
    if let Some(mocked) = operation.mock.as_deref() {
        let told = match mock::rehearse(around, decision, mocked, record) {
            Ok((local, fault)) => {
                if let Some(fault) = fault {
                    rehearsed.outcome = Outcome::Failed(fault);
                }
                Some(local)
            }
            Err(stop) => {
                let told = exchange::told(around, record, &stop);
                rehearsed.outcome = of_stop(stop);
                told
            }
        };
        rehearsed.told = told.map(Told::of);
        rehearsed.picked = Some(Picked {
            backend: backend.key.to_string(),
            balance: backend.document.balance.clone(),
            hash: None,
            address: None,
            target: "mock".to_owned(),
            candidates: Vec::new(),
            load: None,
        });
        return;
    }
    let state = around.live.services[decision.service].backends.get(usize::from(operation.backend));
    match state.filter(|_| connected) {
        Some(state) => connected_to(around, (decision, record), backend, state, rehearsed),
        None => unconnected(around, (decision, record), backend, rehearsed),
    }
}

/// As the state of a running gateway has it.
fn connected_to(
    around: &Surroundings<'_>,
    (decision, record): (&Decision, &Record),
    backend: &Backend,
    state: &BackendState,
    rehearsed: &mut Rehearsed,
) {
    let live = &around.live.services[decision.service];
    let operation = &around.live.snapshot.services[decision.service].operations[decision.operation];
    let at = usize::from(operation.backend);
    let now_ms = around.worker.clock.now_ms();
    let view = state.view(now_ms);
    let candidates = view.endpoints.iter().map(|endpoint| Candidate {
        target: endpoint.host.to_string(),
        address: Some(endpoint.address),
        weight: endpoint.share,
        condition: Some(endpoint.condition.word()),
        in_flight: Some(endpoint.in_flight),
    });
    let mut picked = Picked {
        backend: backend.key.to_string(),
        balance: backend.document.balance.clone(),
        hash: decision.hash,
        address: None,
        target: String::new(),
        candidates: candidates.collect(),
        load: Some((view.in_flight, view.queued, view.in_flight_max)),
    };
    match state.peek(&live.targets[at], decision.hash, now_ms) {
        Ok(endpoint) => {
            picked.address = Some(endpoint.address);
            picked.target = endpoint.host_header.to_string();
            let spot = Spot {
                host: &live.settings[at].host,
                host_header: &endpoint.host_header,
                base_path: &endpoint.base_path,
                upgrade: asks_for_upgrade(around, endpoint.http2),
                left: left(around, operation, record, live.settings[at].deadline_header.as_deref()),
            };
            write(around, decision, record, &spot, rehearsed);
        }
        Err(failure) => {
            rehearsed.outcome = Outcome::Failed(failure.fault);
            let told = exchange::told(around, record, &Stop::Failed(failure));
            rehearsed.told = told.map(Told::of);
        }
    }
    rehearsed.picked = Some(picked);
}

/// As the documents have it: how targets do is not known, so that the first stands for all.
fn unconnected(
    around: &Surroundings<'_>,
    (decision, record): (&Decision, &Record),
    backend: &Backend,
    rehearsed: &mut Rehearsed,
) {
    let candidates = backend.targets.iter().map(|target| Candidate {
        target: target.host_header.to_string(),
        address: None,
        weight: f64::from(target.weight),
        condition: None,
        in_flight: None,
    });
    let operation = &around.live.snapshot.services[decision.service].operations[decision.operation];
    let first = backend.targets.iter().find(|target| target.weight > 0);
    let Some(target) = first.or_else(|| backend.targets.first()) else { return };
    let spot = Spot {
        host: &backend.document.host,
        host_header: &target.host_header,
        base_path: &target.base_path,
        upgrade: asks_for_upgrade(around, {
            backend.document.protocol == portway_model::Protocol::Http2
        }),
        left: left(around, operation, record, backend.document.deadline_header.as_deref()),
    };
    rehearsed.picked = Some(Picked {
        backend: backend.key.to_string(),
        balance: backend.document.balance.clone(),
        hash: decision.hash,
        address: None,
        target: target.host_header.to_string(),
        candidates: candidates.collect(),
        load: None,
    });
    write(around, decision, record, &spot, rehearsed);
}

/// What the backend is told of the time that is left, if the call is sent as soon as it came.
fn left<'a>(
    around: &Surroundings<'_>,
    operation: &Operation,
    record: &Record,
    header: Option<&'a str>,
) -> Option<Left<'a>> {
    let started_ms = record.started_us / 1_000;
    Deadline::of(around.request, header, (started_ms, operation.timeout_ms))
        .left(header, started_ms)
}

fn write(
    around: &Surroundings<'_>,
    decision: &Decision,
    record: &Record,
    spot: &Spot<'_>,
    rehearsed: &mut Rehearsed,
) {
    let mut head = Vec::new();
    dispatch::write_request(around, decision, spot, record, &mut head);
    rehearsed.forwarded = Some(head);
}
