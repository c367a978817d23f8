//! A backend at run time: the one object that calls of several workers meet at.
//!
//! It is made when a backend is first named, and updated in place when its document changes, so that a new snapshot
//! resets no count, no breaker and no connection. Only the list that targets are picked from ([`Targets`]) is another one
//! then: calls of the snapshot before go on with theirs, and never meet a target of the next. What a call does here (enter, pick, report) takes no lock.
//! Everything that changes the set of endpoints goes through [`BackendState::rebuild`], under one lock,
//! on the control side.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use portway_model as model;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use super::adaptive::Adaptive;
use super::balance::{Member, Table, hash_key};
use super::breaker::BreakerRule;
use super::budget::Budget;
use super::endpoint::{Endpoint, EndpointId, EndpointParts};
use super::gate::{self, Gate, Patience};
use super::names::{Listener, Name};
use super::settings::Settings;
use super::view::{BackendCounts, BackendView, EndpointView};
use super::{Count, NowMs, health};
use crate::failure::{Failure, Fault};
use crate::telemetry::Event;
use crate::tls::ClientTls;

/// Endpoints of one backend at most, over all its names; further ones are left out.
const ENDPOINTS_MAX: usize = 4_096;
/// How long an address that is no longer named is remembered, so that a name that flaps forgets no breaker.
const LINGER_MS: u64 = 60_000;
/// Remembered addresses at most.
const LINGER_MAX: usize = 512;

/// A target whose address is found, or can be.
#[derive(Clone)]
pub(super) struct ResolvedTarget {
    pub(super) source: TargetSource,
    pub(super) port: u16,
    pub(super) weight: u32,
    pub(super) host_header: Box<str>,
    pub(super) base_path: Box<str>,
    pub(super) tls: Option<Arc<ClientTls>>,
}

#[derive(Clone)]
pub(super) enum TargetSource {
    Literal(IpAddr),
    Name(Arc<Name>),
}

/// What checks and look-ups of all backends share.
pub(super) struct Shared {
    pub(super) control: Handle,
    pub(super) now_ms: NowMs,
    pub(super) count: Count,
    pub(super) checks: Arc<Semaphore>,
}

/// One backend at run time.
pub struct BackendState {
    key: Box<str>,
    settings: ArcSwap<Settings>,
    targets: ArcSwap<Targets>,
    gate: Arc<Gate>,
    adaptive: Box<Adaptive>,
    cursor: AtomicU64,
    budget: Budget,
    /// Whether it has names, and none of them ever answered.
    unresolved: AtomicBool,
    control: Mutex<Control>,
    ejecting: Mutex<()>,
    counts: Counts,
    shared: Arc<Shared>,
    me: Weak<Self>,
}

/// The targets that one version of a document names, with the addresses that they have now.
pub struct Targets {
    table: ArcSwap<Table>,
}

impl Targets {
    fn from(table: Arc<Table>) -> Self {
        Self { table: ArcSwap::new(table) }
    }
}

impl std::fmt::Debug for Targets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Targets").finish_non_exhaustive()
    }
}

/// What only the control side touches.
#[derive(Default)]
struct Control {
    targets: Vec<ResolvedTarget>,
    endpoints: HashMap<EndpointId, Kept>,
    retired: bool,
}

/// An endpoint, named or remembered.
struct Kept {
    endpoint: Arc<Endpoint>,
    check: Option<Check>,
    /// Since when its address is not named any more.
    gone_ms: Option<u64>,
}

/// The task that checks an endpoint; dropping it ends it.
struct Check(AbortHandle);

impl Drop for Check {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[derive(Default)]
struct Counts {
    ejections: AtomicU64,
    ejections_withheld: AtomicU64,
    breaker_openings: AtomicU64,
    check_failures: AtomicU64,
    retries: AtomicU64,
    retries_refused: AtomicU64,
    no_target: AtomicU64,
    dns_failed: AtomicU64,
}

/// A place at a backend; dropping it gives it to the next call.
#[derive(Debug)]
pub struct Slot {
    place: gate::Place,
}

impl Slot {
    /// The answer's head has come: the place counts no longer among those that await one.
    pub fn answered(&mut self) {
        self.place.answered();
    }
}

/// How often a waiting call looks whether the limit may be changed: it may be the only one that could.
const LOOK: Duration = Duration::from_millis(25);

impl BackendState {
    pub(super) fn new(key: Box<str>, settings: Settings, shared: Arc<Shared>) -> Arc<Self> {
        let gate = Arc::new(Gate::new(settings.calls_max, settings.queue_max));
        let (is_on, max, queue) = (settings.is_adaptive, settings.calls_max, settings.queue_max);
        Arc::new_cyclic(|me| Self {
            key,
            adaptive: Box::new(Adaptive::new(is_on, max, queue, &gate)),
            gate,
            settings: ArcSwap::from_pointee(settings),
            targets: ArcSwap::from_pointee(Targets::from(Arc::new(Table::empty()))),
            cursor: AtomicU64::new(0),
            budget: Budget::default(),
            unresolved: AtomicBool::new(false),
            control: Mutex::default(),
            ejecting: Mutex::default(),
            counts: Counts::default(),
            shared,
            me: Weak::clone(me),
        })
    }

    /// Its stable id.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// A place, if one is free and nobody waits for one. Does not wait and does not allocate. Operations are told apart by
    /// any number that stays theirs.
    pub fn try_enter(self: &Arc<Self>, operation: usize) -> Option<Slot> {
        self.gate.try_enter(self.adaptive.counts(operation)).map(|place| Slot { place })
    }

    /// Whether calls wait for a place.
    pub fn is_crowded(&self) -> bool {
        self.gate.waiting() > 0
    }

    /// Whether it cannot keep up with the calls that it gets.
    pub fn is_overloaded(&self) -> bool {
        self.adaptive.is_held()
    }

    /// Whether calls wait for a place that is held by calls whose answers have begun, too.
    pub fn is_full(&self) -> bool {
        self.gate.is_full()
    }

    /// A place, after waiting by priority and in order of arrival for at most `concurrency.queue_timeout`, and only as long as an
    /// answer takes if there is a line at the backend already. Dropping the future leaves the queue.
    ///
    /// # Errors
    /// `QueueFull` at once when as many wait as may; `QueueTimeout` when the time is over.
    pub async fn enter(self: &Arc<Self>, priority: model::Priority) -> Result<Slot, Failure> {
        let since_ms = (self.shared.now_ms)();
        self.adaptive.note_met(since_ms, &self.gate);
        let timeout_ms = self.settings.load().queue_timeout_ms;
        let shortened =
            self.adaptive.patience_ms(since_ms).filter(|_| priority <= model::Priority::Normal);
        let most = Duration::from_millis(shortened.map_or(timeout_ms, |ms| ms.min(timeout_ms)));
        let look = if self.adaptive.is_on() { LOOK } else { most };
        let patience = Patience { most, look, since_ms };
        let look = || self.adaptive.note_met((self.shared.now_ms)(), &self.gate);
        let place = self.gate.enter(priority, patience, look).await?;
        Ok(Slot { place })
    }

    /// Tells when an answer to an operation was asked for, and when it came or was not waited for any longer; and how long answers
    /// wait here until somebody looks at them. Whether that is to be measured.
    pub fn observe(&self, operation: usize, times: (u64, u64, u64)) -> bool {
        self.adaptive.observe(operation, times, &self.gate)
    }

    /// The targets of the document that was bound last; to be held with its snapshot.
    pub fn targets(&self) -> Arc<Targets> {
        self.targets.load_full()
    }

    /// The endpoint for a call, among the targets of its snapshot: by the backend's balance.
    ///
    /// Endpoints that are down, ejected or have an open breaker get no calls, also when all are: a backend whose every
    /// breaker is open is given its rest rather than the full load, and since passive ejection always leaves one in place, this
    /// happens only when the breakers or the active checks say so of each one. A half-open breaker
    /// makes the picked call its probe, so a pick is to be followed by [`Endpoint::begin`] at once.
    ///
    /// # Errors
    /// `DnsFailed` when the backend has names only and none ever had an address; else `NoTarget`.
    pub fn pick(
        &self,
        targets: &Targets,
        hash: Option<u64>,
        now_ms: u64,
    ) -> Result<Arc<Endpoint>, Failure> {
        let table = targets.table.load();
        match table.pick(hash, &[], &self.cursor, now_ms) {
            Some(endpoint) => Ok(Arc::clone(endpoint)),
            None => Err(self.no_target(&table)),
        }
    }

    /// The endpoint that the next call would go to, as [`pick`](Self::pick) has it; changes nothing.
    ///
    /// # Errors
    /// As for a call.
    pub fn peek(
        &self,
        targets: &Targets,
        hash: Option<u64>,
        now_ms: u64,
    ) -> Result<Arc<Endpoint>, Failure> {
        let table = targets.table.load();
        let is_unresolved = table.is_empty() && self.unresolved.load(Ordering::Relaxed);
        let fault = if is_unresolved { Fault::DnsFailed } else { Fault::NoTarget };
        let picked = table.peek(hash, &self.cursor, now_ms).map(Arc::clone);
        picked.ok_or_else(|| Failure::last(fault))
    }

    /// The endpoint for a further attempt, preferably none of `tried`; `None` if all are out, so that what came of
    /// the first attempt stands.
    pub fn pick_again(
        &self,
        targets: &Targets,
        hash: Option<u64>,
        tried: &[EndpointId],
        now_ms: u64,
    ) -> Option<Arc<Endpoint>> {
        targets.table.load().pick(hash, tried, &self.cursor, now_ms).map(Arc::clone)
    }

    fn no_target(&self, table: &Table) -> Failure {
        if table.is_empty() && self.unresolved.load(Ordering::Relaxed) {
            self.counts.dns_failed.fetch_add(1, Ordering::Relaxed);
            return Failure::last(Fault::DnsFailed);
        }
        self.counts.no_target.fetch_add(1, Ordering::Relaxed);
        Failure::last(Fault::NoTarget)
    }

    /// The settings as they are now; to be held for one call at most.
    pub fn settings(&self) -> Guard<Arc<Settings>> {
        self.settings.load()
    }

    /// Counts one call for the retry budget, by the settings that the call has. Once per call, not per attempt.
    pub fn deposit(&self, settings: &Settings, now_ms: u64) {
        self.budget.deposit(settings.budget_percent, now_ms);
    }

    /// Takes one extra attempt from the budget, if there is one. Whether the call itself may be repeated is the
    /// failure's and the method's business.
    pub fn may_retry(&self, now_ms: u64) -> bool {
        let may = self.budget.take(self.settings.load().budget_percent, now_ms);
        let count = if may { &self.counts.retries } else { &self.counts.retries_refused };
        count.fetch_add(1, Ordering::Relaxed);
        may
    }

    /// The backend at this moment.
    pub fn view(&self, now_ms: u64) -> BackendView {
        let table = self.table();
        let mut totals: HashMap<usize, u64> = HashMap::new();
        for (_, level, weight) in table.endpoints() {
            *totals.entry(level).or_default() += weight;
        }
        let endpoints = table
            .endpoints()
            .map(|(endpoint, level, weight)| {
                let share = weight as f64 / totals[&level] as f64;
                endpoint_view(endpoint, level, share, table.slow_start_ms, now_ms)
            })
            .collect();
        let (recent_calls, recent_retries) = self.budget.spent(now_ms);
        BackendView {
            key: self.key.clone(),
            in_flight: self.gate.inside(),
            in_flight_max: self.settings.load().calls_max,
            awaiting: self.gate.awaiting(),
            awaiting_max: self.gate.awaiting_max(),
            is_limited: self.adaptive.is_held(),
            queued: self.gate.waiting(),
            endpoints,
            names: names_of(&self.control().targets).iter().map(|name| name.view()).collect(),
            recent_calls,
            recent_retries,
            counts: self.counts(),
        }
    }

    fn counts(&self) -> BackendCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let refused = self.gate.refused();
        let (queue_full, queue_timeouts) =
            refused.iter().fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1));
        BackendCounts {
            ejections: read(&self.counts.ejections),
            ejections_withheld: read(&self.counts.ejections_withheld),
            breaker_openings: read(&self.counts.breaker_openings),
            check_failures: read(&self.counts.check_failures),
            retries: read(&self.counts.retries),
            retries_refused: read(&self.counts.retries_refused),
            queue_full,
            queue_timeouts,
            refused: refused.map(|(full, late)| full + late),
            no_target: read(&self.counts.no_target),
            dns_failed: read(&self.counts.dns_failed),
        }
    }

    // ---- called by endpoints ----

    pub(super) fn breaker_rule(&self) -> BreakerRule {
        self.settings.load().breaker
    }

    pub(super) fn note_breaker_opened(&self, endpoint: &Endpoint) {
        self.counts.breaker_openings.fetch_add(1, Ordering::Relaxed);
        (self.shared.count)(Event::BreakerOpened);
        tracing::warn!(backend = %self.key, address = %endpoint.address, "breaker opened: too many of the latest calls failed");
    }

    pub(super) fn note_breaker_closed(&self, endpoint: &Endpoint) {
        tracing::info!(backend = %self.key, address = %endpoint.address, "breaker closed: the probes succeeded");
    }

    /// Whether another target would take calls now.
    pub(super) fn has_other(&self, endpoint: &Endpoint, now_ms: u64) -> bool {
        let table = self.table();
        table.endpoints().any(|(other, ..)| other.id != endpoint.id && other.is_usable(now_ms))
    }

    /// Ejects an endpoint after failures in a row, unless that would leave too few.
    pub(super) fn consider_ejection(&self, endpoint: &Endpoint, failures_in_row: u32, now_ms: u64) {
        let settings = self.settings.load();
        let passive = &settings.passive;
        if passive.failures == 0 || failures_in_row < passive.failures {
            return;
        }
        let _one_at_a_time = self.ejecting.lock().unwrap_or_else(PoisonError::into_inner);
        if endpoint.is_ejected(now_ms) {
            return;
        }
        let table = self.table();
        let (mut all, mut out, mut others_usable) = (0_u64, 0_u64, 0_u64);
        for (other, ..) in table.endpoints() {
            all += 1;
            out += u64::from(other.is_ejected(now_ms));
            others_usable += u64::from(other.id != endpoint.id && other.is_usable(now_ms));
        }
        if others_usable == 0 || (out + 1) * 100 > all * u64::from(passive.max_percent) {
            self.counts.ejections_withheld.fetch_add(1, Ordering::Relaxed);
            return;
        }
        endpoint.eject(passive.eject.as_ms(), now_ms);
        self.counts.ejections.fetch_add(1, Ordering::Relaxed);
        (self.shared.count)(Event::Ejected);
        tracing::warn!(backend = %self.key, address = %endpoint.address, failures_in_row, "target ejected for a while");
    }

    // ---- called by checks ----

    pub(super) fn note_check(&self, well: bool) {
        if !well {
            self.counts.check_failures.fetch_add(1, Ordering::Relaxed);
        }
        (self.shared.count)(if well { Event::CheckOk } else { Event::CheckFailed });
    }

    pub(super) fn note_checked(&self, endpoint: &Endpoint, down: bool) {
        if down {
            tracing::warn!(backend = %self.key, address = %endpoint.address, "target is down: its checks fail");
        } else {
            tracing::info!(backend = %self.key, address = %endpoint.address, "target is back: its checks succeed");
        }
    }

    // ---- the control side ----

    /// Takes a new document and targets over. Costs next to nothing where they are what they were: most are, of a
    /// thousand backends.
    pub(super) fn apply(&self, settings: Settings, targets: Vec<ResolvedTarget>) {
        let before = self.settings.load_full();
        let mut control = self.control();
        if *before == settings && are_same(&control.targets, &targets) && !control.retired {
            return;
        }
        let (max, queue) = (settings.calls_max, settings.queue_max);
        self.gate.resize(max, queue);
        self.adaptive.resize(settings.is_adaptive, max, queue, &self.gate);
        let changed_checks = before.active != settings.active;
        let (passive_off, breaker_off) =
            (settings.passive.failures == 0, settings.breaker.failure_percent == 0);
        self.settings.store(Arc::new(settings));
        let listener = self.listener();
        for name in names_of(&control.targets) {
            name.ignore(&listener);
        }
        // What is live goes on with the list that it has.
        self.targets.store(Arc::new(Targets::from(self.table())));
        control.targets = targets;
        control.retired = false;
        for name in names_of(&control.targets) {
            name.listen(Weak::clone(&listener));
        }
        for kept in control.endpoints.values_mut() {
            if changed_checks {
                kept.check = None;
                kept.endpoint.set_down(false, (self.shared.now_ms)());
            }
            if passive_off {
                kept.endpoint.reset_ejection();
            }
            if breaker_off {
                kept.endpoint.reset_breaker();
            }
        }
        self.rebuild(&mut control);
    }

    /// The backend is no longer named: tasks stop and pools drop its connections. Calls that still hold it may
    /// finish, and may even be tried again.
    pub(super) fn retire(&self) {
        let listener = self.listener();
        let mut control = self.control();
        control.retired = true;
        for name in names_of(&control.targets) {
            name.ignore(&listener);
        }
        control.targets.clear();
        for kept in std::mem::take(&mut control.endpoints).into_values() {
            kept.endpoint.retire();
        }
    }

    /// Makes the table anew from the targets and what their names say now.
    ///
    /// While a name that just came in has not been asked for once, a backend that has endpoints keeps them as they are, so that
    /// a document that names another host loses no call; that takes as long as one look-up, at most.
    fn rebuild(&self, control: &mut Control) {
        let now_ms = (self.shared.now_ms)();
        let settings = self.settings.load_full();
        let names = names_of(&control.targets);
        if names.iter().any(|name| !name.is_tried()) && !self.table().is_empty() {
            return;
        }
        self.unresolved.store(names.iter().any(|name| !name.is_known()), Ordering::Relaxed);
        let wanted = self.wanted(&control.targets, settings.protocol == model::Protocol::Http2);
        let fresh = self.table().is_empty();
        let mut members: HashMap<EndpointId, Member> = HashMap::with_capacity(wanted.len());
        for place in wanted {
            let id = place.parts.id;
            let (level, weight, place_hash) = (place.level, place.weight, place.place);
            // Two targets may name the same address; together they have one share.
            if let Some(member) = members.get_mut(&id) {
                member.weight += weight;
                member.level = member.level.min(level);
                continue;
            }
            let endpoint = self.keep(&mut control.endpoints, place.parts, !fresh, now_ms);
            members.insert(id, Member { endpoint, weight, level, place: place_hash });
        }
        for (id, kept) in &mut control.endpoints {
            if members.contains_key(id) {
                self.ensure_check(kept, settings.active.as_ref());
            } else if kept.gone_ms.is_none() {
                kept.gone_ms = Some(now_ms);
                kept.check = None;
                kept.endpoint.retire();
            }
        }
        forget_long_gone(&mut control.endpoints, now_ms);
        let table =
            Table::new(members.into_values().collect(), settings.balance, settings.slow_start_ms);
        self.targets.load().table.store(Arc::new(table));
    }

    /// Whom the targets of the document that was bound last come to.
    fn table(&self) -> Arc<Table> {
        self.targets.load().table.load_full()
    }

    /// The endpoint for an address: the one that is known, or a new one.
    fn keep(
        &self,
        known: &mut HashMap<EndpointId, Kept>,
        parts: EndpointParts,
        ramps: bool,
        now_ms: u64,
    ) -> Arc<Endpoint> {
        let id = parts.id;
        let kept = known.entry(id).or_insert_with(|| {
            let endpoint = Arc::new(Endpoint::new(parts, Weak::clone(&self.me)));
            if ramps {
                endpoint.start_ramp(now_ms);
            }
            Kept { endpoint, check: None, gone_ms: None }
        });
        if kept.gone_ms.take().is_some() {
            kept.endpoint.revive(now_ms);
        }
        Arc::clone(&kept.endpoint)
    }

    fn ensure_check(&self, kept: &mut Kept, active: Option<&model::Active>) {
        let Some(active) = active.filter(|_| kept.check.is_none()) else { return };
        let task = self.shared.control.spawn(health::keep_checking(
            Arc::downgrade(&kept.endpoint),
            Weak::clone(&self.me),
            active.clone(),
            Arc::clone(&self.shared.checks),
            Arc::clone(&self.shared.now_ms),
        ));
        kept.check = Some(Check(task.abort_handle()));
    }

    /// Every address that the targets have now.
    fn wanted(&self, targets: &[ResolvedTarget], http2: bool) -> Vec<Wanted> {
        let answers: Vec<Vec<Address>> = targets.iter().map(addresses_of).collect();
        let parts = answers.iter().flatten().map(|address| address.of).fold(1, common_multiple);
        let mut wanted = Vec::new();
        for (target, addresses) in targets.iter().zip(answers) {
            for address in addresses {
                // A target's weight is shared by its addresses.
                let weight =
                    u64::from(target.weight) * address.weight * (parts / address.of).max(1);
                if weight > 0 && wanted.len() < ENDPOINTS_MAX {
                    wanted.push(self.want(target, &address, weight, http2));
                }
            }
        }
        wanted
    }

    fn want(&self, target: &ResolvedTarget, address: &Address, weight: u64, http2: bool) -> Wanted {
        let at = address.at.to_string();
        let place = hash_key(join(&[&at, &target.host_header, &target.base_path]).as_bytes());
        let tls_identity = target.tls.as_ref().map_or("", |tls| tls.identity());
        let protocol = if http2 { "h2" } else { "h1" };
        let id = EndpointId(crate::tls::short_hash(
            join(&[&self.key, &at, &target.host_header, &target.base_path, tls_identity, protocol])
                .as_bytes(),
        ));
        let parts = EndpointParts {
            id,
            address: address.at,
            tls: target.tls.clone(),
            host_header: target.host_header.clone(),
            base_path: target.base_path.clone(),
            http2,
        };
        Wanted { parts, level: address.level, weight, place }
    }

    fn listener(&self) -> Weak<dyn Listener> {
        let me: Weak<Self> = Weak::clone(&self.me);
        me
    }

    fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for BackendState {
    fn answer_changed(&self) {
        let mut control = self.control();
        if !control.retired {
            self.rebuild(&mut control);
        }
    }
}

impl std::fmt::Debug for BackendState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BackendState").field("key", &self.key).finish_non_exhaustive()
    }
}

/// An endpoint that there should be.
struct Wanted {
    parts: EndpointParts,
    level: u32,
    weight: u64,
    place: u64,
}

/// One address of a target.
struct Address {
    at: SocketAddr,
    level: u32,
    weight: u64,
    /// How many addresses share that weight.
    of: u64,
}

fn addresses_of(target: &ResolvedTarget) -> Vec<Address> {
    match &target.source {
        TargetSource::Literal(ip) => {
            vec![Address { at: SocketAddr::new(*ip, target.port), level: 0, weight: 1, of: 1 }]
        }
        TargetSource::Name(name) => name
            .places()
            .iter()
            .map(|place| Address {
                at: SocketAddr::new(place.ip, place.port.unwrap_or(target.port)),
                level: place.level,
                weight: u64::from(place.weight),
                of: u64::from(place.of.max(1)),
            })
            .collect(),
    }
}

/// The least common multiple, or where that grows too large a number that most small ones divide.
fn common_multiple(a: u64, b: u64) -> u64 {
    const LARGE: u64 = 720_720;
    let (mut x, mut y) = (a, b);
    while y != 0 {
        (x, y) = (y, x % y);
    }
    let multiple = a / x.max(1) * b;
    if multiple > LARGE { LARGE } else { multiple }
}

/// Texts one after the other with something between that none of them contains.
fn join(texts: &[&str]) -> String {
    texts.join("\0")
}

/// Whether two lists of targets come to the same endpoints with the same shares.
fn are_same(some: &[ResolvedTarget], others: &[ResolvedTarget]) -> bool {
    let identity = |target: &ResolvedTarget| {
        let tls = target.tls.as_ref().map(|tls| tls.identity().to_owned());
        (target.port, target.weight, tls)
    };
    let same_source = |one: &TargetSource, other: &TargetSource| match (one, other) {
        (TargetSource::Literal(one), TargetSource::Literal(other)) => one == other,
        (TargetSource::Name(one), TargetSource::Name(other)) => Arc::ptr_eq(one, other),
        _ => false,
    };
    some.len() == others.len()
        && some.iter().zip(others).all(|(one, other)| {
            same_source(&one.source, &other.source)
                && one.host_header == other.host_header
                && one.base_path == other.base_path
                && identity(one) == identity(other)
        })
}

fn names_of(targets: &[ResolvedTarget]) -> Vec<&Arc<Name>> {
    let mut names: Vec<&Arc<Name>> = Vec::new();
    for target in targets {
        if let TargetSource::Name(name) = &target.source
            && !names.iter().any(|known| Arc::ptr_eq(known, name))
        {
            names.push(name);
        }
    }
    names
}

fn forget_long_gone(endpoints: &mut HashMap<EndpointId, Kept>, now_ms: u64) {
    endpoints.retain(|_, kept| {
        kept.gone_ms.is_none_or(|gone_ms| now_ms.saturating_sub(gone_ms) < LINGER_MS)
    });
    let mut gone: Vec<(u64, EndpointId)> = endpoints
        .iter()
        .filter_map(|(id, kept)| kept.gone_ms.map(|gone_ms| (gone_ms, *id)))
        .collect();
    if gone.len() <= LINGER_MAX {
        return;
    }
    gone.sort_unstable();
    for (_, id) in &gone[..gone.len() - LINGER_MAX] {
        endpoints.remove(id);
    }
}

fn endpoint_view(
    endpoint: &Endpoint,
    level: usize,
    share: f64,
    slow_start_ms: u64,
    now_ms: u64,
) -> EndpointView {
    let (calls, failures) = endpoint.counts();
    EndpointView {
        id: endpoint.id,
        address: endpoint.address,
        host: endpoint.host_header.clone(),
        level,
        share,
        condition: endpoint.condition(now_ms),
        ejected_until_ms: endpoint.is_ejected(now_ms).then(|| endpoint.ejected_until_ms()),
        breaker: endpoint.breaker_state(now_ms),
        ramp: endpoint.ramp_permille(slow_start_ms, now_ms) as f64 / 1_000.0,
        in_flight: endpoint.in_flight(),
        calls,
        failures,
    }
}

#[cfg(test)]
mod tests;
