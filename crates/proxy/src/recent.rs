//! The calls of the last while, so that one can be asked about by its id.
//!
//! Each worker keeps its own in two rings of fixed size: one of all calls, and one of those that did not go well, which
//! would otherwise be pushed out by the many that do. A call is written down in one place, without an allocation; texts
//! that do not fit are cut. What is kept is what a line of the log shows, and nothing that it would not.
//!
//! The ring is behind a lock that only its worker takes, and whoever asks for a call, for the time of a look at it.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use portway_snapshot::Snapshot;

use crate::telemetry::line::push_line;
use crate::telemetry::stamp::Stamp;
use crate::telemetry::{Answerer, CallRecord, Client, LimitShown, PHASES, Protocol};

/// Calls kept by a worker.
const CALLS: usize = 1_000;
/// Calls kept on top that did not go well.
const FAILED: usize = 500;
/// Snapshots that calls can belong to; those of older ones are forgotten by name.
const SNAPSHOTS: usize = 4;
/// Bytes of all texts of a call.
const TEXT_BYTES: usize = 320;
/// Texts of a call.
const TEXTS: usize = 9;
/// The most bytes of one, but for the last two.
const PART_BYTES: usize = 64;
/// The texts by which a call can be asked for again: method, host and path.
const ASKED: [usize; 3] = [2, 3, 7];

/// The calls of all workers.
#[derive(Default)]
pub(crate) struct Recent {
    workers: Mutex<Vec<Arc<Mutex<Rings>>>>,
}

/// The calls of one worker.
pub(crate) struct Rings {
    all: Ring,
    failed: Ring,
    snapshots: Vec<(u32, Arc<Snapshot>)>,
    /// Number of the newest.
    newest: u32,
}

struct Ring {
    slots: Vec<Slot>,
    most: usize,
    next: usize,
}

/// A call, written down.
#[derive(Clone, Copy)]
struct Slot {
    unix_ms: u64,
    bytes_in: u64,
    bytes_out: u64,
    total_us: u64,
    phases_us: [u32; PHASES],
    /// Service and operation in the snapshot of that number.
    met: (Option<u32>, Option<u32>),
    snapshot: u32,
    client: Client,
    target: Option<SocketAddr>,
    limit: Option<(u64, u32)>,
    outcome: &'static str,
    status: u16,
    source: Answerer,
    protocol: Protocol,
    tries: u8,
    tls: bool,
    reused: bool,
    is_cut: bool,
    ends: [u16; TEXTS],
    text: [u8; TEXT_BYTES],
}

/// A call that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentCall {
    /// The line of the log that it has, or would have.
    pub line: String,
    /// Its method.
    pub method: String,
    /// Its host.
    pub host: String,
    /// Its canonical path, without query; or its route, if that is shown in place of paths.
    pub path: String,
    /// Its route stands for its path.
    pub shows_route: bool,
    /// Its method, host or path was too long to be remembered whole.
    pub is_cut: bool,
    /// The app that called.
    pub app: Option<String>,
    /// The caller, unless addresses are not shown.
    pub client: Option<IpAddr>,
    /// Whether it came through TLS.
    pub tls: bool,
    /// Hash of the snapshot that judged it, if that is still known.
    pub snapshot: Option<String>,
}

impl Recent {
    /// A ring for one more worker.
    pub(crate) fn worker(&self) -> Arc<Mutex<Rings>> {
        let rings = Arc::new(Mutex::new(Rings {
            all: Ring::new(CALLS),
            failed: Ring::new(FAILED),
            snapshots: Vec::with_capacity(SNAPSHOTS + 1),
            newest: 0,
        }));
        lock(&self.workers).push(Arc::clone(&rings));
        rings
    }

    /// The latest call of an id.
    pub(crate) fn find(&self, request_id: &str) -> Option<RecentCall> {
        let workers = lock(&self.workers).clone();
        let mut found: Option<(u64, RecentCall)> = None;
        for worker in workers {
            // Copied, so that the worker waits for no more than the look.
            let copy = {
                let rings = lock(&worker);
                rings.find(request_id).map(|slot| (slot, rings.snapshot(slot.snapshot)))
            };
            if let Some((slot, snapshot)) = copy
                && found.as_ref().is_none_or(|(unix_ms, _)| *unix_ms <= slot.unix_ms)
            {
                found = Some((slot.unix_ms, slot.shown(snapshot.as_deref())));
            }
        }
        found.map(|(_, call)| call)
    }
}

impl Rings {
    /// Writes a call down. `met` are the indices of its service and its operation.
    pub(crate) fn push(
        &mut self,
        call: &CallRecord<'_>,
        outcome: &'static str,
        met: (Option<usize>, Option<usize>),
        snapshot: &Arc<Snapshot>,
    ) {
        if self.snapshots.last().is_none_or(|(_, known)| !Arc::ptr_eq(known, snapshot)) {
            self.meet(snapshot);
        }
        let number = self.newest;
        let slot = self.all.next();
        slot.write(call, outcome, met, number);
        if outcome != "ok" || call.status >= 500 {
            let slot = *slot;
            *self.failed.next() = slot;
        }
    }

    #[cold]
    fn meet(&mut self, snapshot: &Arc<Snapshot>) {
        self.newest = self.newest.wrapping_add(1);
        self.snapshots.push((self.newest, Arc::clone(snapshot)));
        if self.snapshots.len() > SNAPSHOTS {
            self.snapshots.remove(0);
        }
    }

    fn find(&self, request_id: &str) -> Option<Slot> {
        let is_it = |slot: &&Slot| slot.texts()[0] == request_id.as_bytes();
        let found = self.all.slots.iter().filter(is_it).max_by_key(|slot| slot.unix_ms);
        found
            .or_else(|| self.failed.slots.iter().filter(is_it).max_by_key(|slot| slot.unix_ms))
            .copied()
    }

    fn snapshot(&self, number: u32) -> Option<Arc<Snapshot>> {
        let known = self.snapshots.iter().find(|(known, _)| *known == number);
        known.map(|(_, snapshot)| Arc::clone(snapshot))
    }
}

impl Ring {
    /// Its memory is the system's until calls are written to it.
    fn new(most: usize) -> Self {
        Self { slots: Vec::with_capacity(most), most, next: 0 }
    }

    /// The place of the next call: a new one, or that of the oldest.
    #[inline]
    fn next(&mut self) -> &mut Slot {
        let at = self.next;
        self.next = if at + 1 == self.most { 0 } else { at + 1 };
        if at == self.slots.len() {
            self.slots.push(Slot::EMPTY);
        }
        &mut self.slots[at]
    }
}

impl Slot {
    const EMPTY: Self = Self {
        unix_ms: 0,
        bytes_in: 0,
        bytes_out: 0,
        total_us: 0,
        phases_us: [0; PHASES],
        met: (None, None),
        snapshot: 0,
        client: Client::Hidden,
        target: None,
        limit: None,
        outcome: "",
        status: 0,
        source: Answerer::Gateway,
        protocol: Protocol::Http1,
        tries: 0,
        tls: false,
        reused: false,
        is_cut: false,
        ends: [0; TEXTS],
        text: [0; TEXT_BYTES],
    };

    fn write(
        &mut self,
        call: &CallRecord<'_>,
        outcome: &'static str,
        (service, operation): (Option<usize>, Option<usize>),
        snapshot: u32,
    ) {
        let index = |index: Option<usize>| index.map(|index| index as u32);
        self.unix_ms = call.unix_ms;
        self.bytes_in = call.bytes_in;
        self.bytes_out = call.bytes_out;
        self.total_us = call.total_us;
        self.phases_us = call.phases_us;
        self.met = (index(service), index(operation));
        self.snapshot = snapshot;
        self.client = call.client;
        self.target = call.target;
        self.limit = call.limit.map(|limit| (limit.remaining, limit.reset_s));
        self.outcome = outcome;
        self.status = call.status;
        self.source = call.source;
        self.protocol = call.protocol;
        self.tries = call.tries;
        self.tls = call.tls;
        self.reused = call.reused;
        let limit = call.limit.map_or("", |limit| limit.name);
        let (mut at, mut is_cut) = (0, false);
        let mut add = |index: usize, part: &[u8], most: usize| {
            // Most calls have no text in half of the places.
            if !part.is_empty() {
                let length = part.len().min(most).min(TEXT_BYTES - at);
                is_cut |= length < part.len() && ASKED.contains(&index);
                self.text[at..at + length].copy_from_slice(&part[..length]);
                at += length;
            }
            self.ends[index] = at as u16;
        };
        add(0, call.request_id, PART_BYTES);
        add(1, call.trace_id, PART_BYTES);
        add(2, call.method, PART_BYTES);
        add(3, call.host, PART_BYTES);
        add(4, call.app.as_bytes(), PART_BYTES);
        add(5, call.plan.as_bytes(), PART_BYTES);
        add(6, limit.as_bytes(), PART_BYTES);
        add(7, call.path, TEXT_BYTES);
        add(8, call.misfits.as_bytes(), TEXT_BYTES);
        self.is_cut = is_cut;
    }

    fn texts(&self) -> [&[u8]; TEXTS] {
        let mut start = 0;
        self.ends.map(|end| {
            let text = &self.text[start..usize::from(end)];
            start = usize::from(end);
            text
        })
    }

    fn shown(&self, snapshot: Option<&Snapshot>) -> RecentCall {
        let [id, trace, method, host, app, plan, limit, path, misfits] = self.texts();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let [app, plan, limit, misfits] = [app, plan, limit, misfits].map(text);
        let address = match self.client {
            Client::Address(address) => Some(address),
            Client::Hash(_) | Client::Hidden => None,
        };
        let nobody = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
        let mut call = CallRecord::new(self.unix_ms, address.unwrap_or(nobody));
        call.client = self.client;
        (call.request_id, call.trace_id) = (id, trace);
        (call.method, call.host, call.path) = (method, host, path);
        (call.app, call.plan, call.misfits) = (&app, &plan, &misfits);
        let at = |index: Option<u32>| index.map(|index| index as usize);
        let service = snapshot.zip(at(self.met.0));
        let service = service.and_then(|(snapshot, at)| snapshot.services.get(at));
        if let Some(service) = service {
            call.service = service.name.as_str();
            if let Some(operation) = at(self.met.1).and_then(|at| service.operations.get(at)) {
                (call.operation, call.route) = (&operation.id, &operation.route);
            }
        }
        (call.status, call.outcome, call.source) = (self.status, self.outcome, self.source);
        (call.protocol, call.tls) = (self.protocol, self.tls);
        (call.bytes_in, call.bytes_out, call.total_us) =
            (self.bytes_in, self.bytes_out, self.total_us);
        (call.phases_us, call.tries) = (self.phases_us, self.tries);
        (call.target, call.reused) = (self.target, self.reused);
        call.limit =
            self.limit.map(|(remaining, reset_s)| LimitShown { name: &limit, remaining, reset_s });
        let mut line = Vec::new();
        push_line(&mut line, &call, &mut Stamp::default());
        RecentCall {
            line: text(line.trim_ascii_end()),
            method: text(method),
            host: text(host),
            path: text(path),
            shows_route: false,
            is_cut: self.is_cut,
            client: address,
            tls: self.tls,
            snapshot: snapshot.map(|snapshot| snapshot.hash.clone()),
            app: Some(app).filter(|app| !app.is_empty()),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
