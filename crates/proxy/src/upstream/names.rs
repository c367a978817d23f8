//! Names of backends: looked up again when their TTL is over, and never forgotten.
//!
//! One task per name on the control runtime, shared by all backends that use it. What holds:
//!
//! * The last good answer is kept for as long as the name is used, whatever happens: NXDOMAIN, SERVFAIL, time-outs
//!   and empty answers leave it in place, and the view says that it is stale and why.
//! * A and AAAA are asked apart and both used. A family that fails keeps its last answer; a family that does not exist
//!   any more is dropped as long as the other one answers.
//! * A TTL is held to 1 s – 5 min; after a failure it is tried again after 1 s, 2 s, 4 s … at most 30 s.
//! * Of one name at most 256 addresses are used: the first by number, so that the choice does not change from answer to
//!   answer.
//! * Addresses that are no backend (unspecified, multicast, broadcast, link-local, and the metadata services of
//!   clouds) are refused, and so are loopback addresses, which are whatever else runs beside the gateway, unless
//!   this machine itself says them (its hosts file, or a name of `localhost`). Who means one of them writes the
//!   address instead of a name. A name that has answered with public addresses only may not turn
//!   to private or loopback ones (DNS rebinding): these are refused and counted, and the old ones stay. To
//!   move a name from public to private addresses, restart the gateway.
//!
//! What the addresses are used for is `state`'s business.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};

use super::resolve::{Family, Found, NotFound, Resolve, Service};
use super::{Count, NowMs, view::NameView};
use crate::telemetry::Event;

/// Addresses of one name that are used.
pub(super) const ADDRESSES_MAX: usize = 256;
/// SRV records of one name that are used.
const SERVICES_MAX: usize = 64;
const TTL_S_MIN: u32 = 1;
const TTL_S_MAX: u32 = 300;
const RETRY_S_MAX: u32 = 30;
/// The log hears of trouble with one name at most this often.
const SAID_EVERY_MS: u64 = 60_000;
/// One question, all tries of the resolver included.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(5);

/// What is asked for a target.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Question {
    pub(super) name: Box<str>,
    /// SRV records first, then the addresses of their hosts.
    pub(super) srv: bool,
}

/// One address of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) ip: IpAddr,
    /// From SRV; else the target's own.
    pub(super) port: Option<u16>,
    /// 0 is used first; others only when all before are out.
    pub(super) level: u32,
    /// Share of the record, to be divided by `of`.
    pub(super) weight: u32,
    /// How many addresses share that weight.
    pub(super) of: u32,
}

/// Whoever wants to know of new answers.
pub(super) trait Listener: Send + Sync {
    fn answer_changed(&self);
}

/// One name that is watched. Dropping the last `Arc` ends its task.
pub(super) struct Name {
    question: Question,
    now_ms: NowMs,
    count: Count,
    known: Mutex<Known>,
    listeners: Mutex<Vec<Weak<dyn Listener>>>,
    tried: watch::Sender<bool>,
    task: Mutex<Option<AbortHandle>>,
    lookups: AtomicU64,
    failures: AtomicU64,
    changes: AtomicU64,
    refused: AtomicU64,
}

/// What is known of a name.
#[derive(Debug, Default)]
struct Known {
    /// Whether a round of questions is over.
    tried: bool,
    places: Arc<[Place]>,
    services: Vec<Service>,
    hosts: HashMap<Box<str>, Families>,
    answered_ms: Option<u64>,
    stale_since_ms: Option<u64>,
    error: Option<Box<str>>,
    failures_in_row: u32,
    /// When the log last heard of trouble with it.
    said_ms: Option<u64>,
}

/// Addresses of one host name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Families {
    v4: Vec<IpAddr>,
    v6: Vec<IpAddr>,
}

/// What one round of questions brought.
struct Round {
    /// For SRV names only.
    services: Option<Result<Found<Service>, NotFound>>,
    hosts: Vec<(Box<str>, Answers)>,
}

struct Answers {
    v4: Result<Found<IpAddr>, NotFound>,
    v6: Result<Found<IpAddr>, NotFound>,
}

/// All names that are watched.
pub(super) struct Names {
    resolver: Arc<dyn Resolve>,
    control: Handle,
    now_ms: NowMs,
    count: Count,
    watched: Mutex<HashMap<Question, Weak<Name>>>,
}

impl Names {
    pub(super) fn new(
        resolver: Arc<dyn Resolve>,
        control: Handle,
        now_ms: NowMs,
        count: Count,
    ) -> Self {
        Self { resolver, control, now_ms, count, watched: Mutex::default() }
    }

    /// The name, watched from now on at the latest.
    pub(super) fn watch(&self, question: &Question) -> Arc<Name> {
        let mut watched = lock(&self.watched);
        if let Some(name) = watched.get(question).and_then(Weak::upgrade) {
            return name;
        }
        watched.retain(|_, name| name.strong_count() > 0);
        let name = Arc::new(Name::new(
            question.clone(),
            Arc::clone(&self.now_ms),
            Arc::clone(&self.count),
        ));
        let task = self.control.spawn(keep_current(
            Arc::downgrade(&name),
            question.clone(),
            Arc::clone(&self.resolver),
        ));
        *lock(&name.task) = Some(task.abort_handle());
        watched.insert(question.clone(), Arc::downgrade(&name));
        name
    }

    /// Returns when every name has been asked for once, or the time is over.
    pub(super) async fn first_answers(&self, at_most: Duration) {
        let waiting: Vec<_> = lock(&self.watched)
            .values()
            .filter_map(Weak::upgrade)
            .map(|name| name.tried.subscribe())
            .collect();
        let all = async {
            for mut tried in waiting {
                // An error means that the name is not used any more.
                let _ = tried.wait_for(|tried| *tried).await;
            }
        };
        let _ = tokio::time::timeout(at_most, all).await;
    }
}

impl Name {
    fn new(question: Question, now_ms: NowMs, count: Count) -> Self {
        Self {
            question,
            now_ms,
            count,
            known: Mutex::default(),
            listeners: Mutex::default(),
            tried: watch::Sender::new(false),
            task: Mutex::default(),
            lookups: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            changes: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// The last good answer; empty if there never was one.
    pub(super) fn places(&self) -> Arc<[Place]> {
        Arc::clone(&lock(&self.known).places)
    }

    /// Whether there ever was an answer.
    pub(super) fn is_known(&self) -> bool {
        lock(&self.known).answered_ms.is_some()
    }

    /// Whether the first round of questions is over, whatever it brought.
    pub(super) fn is_tried(&self) -> bool {
        lock(&self.known).tried
    }

    /// Tells this one of new answers, and of the end of the first round, for as long as it lives.
    pub(super) fn listen(&self, listener: Weak<dyn Listener>) {
        let mut listeners = lock(&self.listeners);
        listeners.retain(|known| known.strong_count() > 0 && !known.ptr_eq(&listener));
        listeners.push(listener);
    }

    /// Tells this one no more.
    pub(super) fn ignore(&self, listener: &Weak<dyn Listener>) {
        lock(&self.listeners).retain(|known| !known.ptr_eq(listener));
    }

    /// For pages and metrics.
    pub(super) fn view(&self) -> NameView {
        let known = lock(&self.known);
        NameView {
            name: self.question.name.clone(),
            srv: self.question.srv,
            addresses: known.places.iter().map(|place| place.ip).collect(),
            answered_ms: known.answered_ms,
            stale_since_ms: known.stale_since_ms,
            error: known.error.clone(),
            lookups: self.lookups.load(Ordering::Relaxed),
            failures: self.failures.load(Ordering::Relaxed),
            changes: self.changes.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
        }
    }

    /// Takes a round in and says after how many seconds to ask again.
    fn take(&self, round: Round) -> u32 {
        self.lookups.fetch_add(1, Ordering::Relaxed);
        let now_ms = (self.now_ms)();
        let (first, changed, wait_s) = {
            let mut known = lock(&self.known);
            let before = Arc::clone(&known.places);
            let taken = known.take(round, self.question.srv, now_ms);
            self.refused.fetch_add(taken.refused, Ordering::Relaxed);
            let failed = known.stale_since_ms.is_some() || known.answered_ms.is_none();
            if failed {
                self.failures.fetch_add(1, Ordering::Relaxed);
                known.say(&self.question.name, now_ms);
            }
            (self.count)(if failed { Event::LookupFailed } else { Event::LookupOk });
            (!std::mem::replace(&mut known.tried, true), known.places != before, taken.wait_s)
        };
        if changed {
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
        // Those who wait for the first round are told of its end, whatever it brought.
        if first || changed {
            let listeners: Vec<_> =
                lock(&self.listeners).iter().filter_map(Weak::upgrade).collect();
            for listener in listeners {
                listener.answer_changed();
            }
        }
        // Last, so that who waits for it finds what was made of the answer.
        self.tried.send_replace(true);
        wait_s
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        if let Some(task) = lock(&self.task).take() {
            task.abort();
        }
    }
}

/// What taking a round in led to.
struct Taken {
    wait_s: u32,
    refused: u64,
}

impl Known {
    /// Tells the log of trouble, now and then.
    fn say(&mut self, name: &str, now_ms: u64) {
        if self.said_ms.is_some_and(|said_ms| now_ms.saturating_sub(said_ms) < SAID_EVERY_MS) {
            return;
        }
        self.said_ms = Some(now_ms);
        let why = self.error.as_deref().unwrap_or_default();
        let kept = self.places.len();
        tracing::warn!(
            name,
            kept,
            "a backend's name cannot be looked up; the addresses known so far stay: {why}"
        );
    }

    fn take(&mut self, round: Round, srv: bool, now_ms: u64) -> Taken {
        let mut ttl_s = TTL_S_MAX;
        let mut refused = 0;
        let mut error = None;
        match round.services {
            Some(Ok(found)) => {
                ttl_s = ttl_s.min(found.ttl_s);
                self.services = found.records;
            }
            Some(Err(why)) => error = Some(why),
            None => {}
        }
        for (host, answers) in round.hosts {
            let old = self.hosts.entry(host).or_default();
            let merged = merge(old, answers);
            *old = merged.families;
            ttl_s = ttl_s.min(merged.ttl_s);
            refused += merged.refused;
            error = error.or(merged.error);
        }
        if srv {
            let named = &self.services;
            self.hosts.retain(|host, _| named.iter().any(|service| service.host == *host));
        }
        let places = if srv {
            places_of_services(&self.services, &self.hosts)
        } else {
            places_of_host(&self.hosts)
        };
        if !places.is_empty() && *places != *self.places {
            self.places = places.into();
        }
        if error.is_none() && !self.places.is_empty() {
            self.answered_ms = Some(now_ms);
            self.stale_since_ms = None;
            self.error = None;
            self.failures_in_row = 0;
            return Taken { wait_s: ttl_s.clamp(TTL_S_MIN, TTL_S_MAX), refused };
        }
        // Part of an answer is one: it is used, and the rest is asked for again soon.
        if self.answered_ms.is_none() && !self.places.is_empty() {
            self.answered_ms = Some(now_ms);
        }
        if self.answered_ms.is_some() {
            self.stale_since_ms.get_or_insert(now_ms);
        }
        self.error =
            Some(error.map_or_else(|| "no address".into(), |why| why.to_string().into_boxed_str()));
        let wait_s = (1 << self.failures_in_row.min(5)).min(RETRY_S_MAX);
        self.failures_in_row = self.failures_in_row.saturating_add(1);
        Taken { wait_s, refused }
    }
}

struct Merged {
    families: Families,
    ttl_s: u32,
    refused: u64,
    error: Option<NotFound>,
}

/// The addresses to go on with: see the file's head.
fn merge(old: &Families, answers: Answers) -> Merged {
    let was_public = !old.is_empty() && old.iter().all(|ip| !is_private(meant(*ip)));
    let mut refused = 0;
    let mut ttl_s = TTL_S_MAX;
    let mut error = None;
    let mut absent = 0;
    let mut family = |answer: Result<Found<IpAddr>, NotFound>, old: &Vec<IpAddr>| match answer {
        Ok(found) => {
            let mut kept = Vec::with_capacity(found.records.len());
            let mut last_refused = None;
            for ip in found.records {
                match objection(ip, found.is_local, was_public) {
                    None => kept.push(ip),
                    Some(why) => {
                        refused += 1;
                        last_refused = Some((ip, why));
                    }
                }
            }
            if let (true, Some((ip, why))) = (kept.is_empty(), last_refused) {
                error = Some(NotFound::Failed(format!("{ip} was refused: {why}").into()));
                return old.clone();
            }
            ttl_s = ttl_s.min(found.ttl_s);
            kept.sort_unstable();
            kept.dedup();
            kept
        }
        Err(NotFound::Absent) => {
            absent += 1;
            Vec::new()
        }
        Err(failed) => {
            error = Some(failed);
            old.clone()
        }
    };
    let families = Families { v4: family(answers.v4, &old.v4), v6: family(answers.v6, &old.v6) };
    if families.is_empty() {
        let error =
            Some(if absent == 2 { NotFound::Absent } else { error.unwrap_or(NotFound::Absent) });
        return Merged { families: old.clone(), ttl_s, refused, error };
    }
    Merged { families, ttl_s, refused, error }
}

impl Families {
    fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    fn iter(&self) -> impl Iterator<Item = &IpAddr> {
        self.v4.iter().chain(&self.v6)
    }
}

/// Why an address that a name was answered with is not used. `was_public`: the name had public addresses only until
/// now.
fn objection(ip: IpAddr, is_local: bool, was_public: bool) -> Option<&'static str> {
    let meant = meant(ip);
    if is_nobody(meant) {
        return Some("no backend can have this address");
    }
    if is_metadata(meant) {
        return Some(
            "it is where a cloud keeps credentials; write the address itself as the target if it is meant",
        );
    }
    if meant.is_loopback() && !is_local {
        return Some(
            "it is this machine, said by the network; write `localhost` or the address itself as the target if it is meant",
        );
    }
    let rebinds = was_public && is_private(meant);
    rebinds.then_some(
        "the name had public addresses only, and this one is private; restart if it has moved",
    )
}

/// The IPv4 address that an IPv6 address stands for, if it does: mapped (RFC 4291), or translated on its way
/// (RFC 6052, the well-known prefix).
fn meant(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(v6) => match v6.segments() {
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
                Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)).into()
            }
            _ => v6.into(),
        },
        v4 => v4,
    }
}

fn is_nobody(ip: IpAddr) -> bool {
    match ip {
        // All of 0.0.0.0/8 is "this host" (RFC 1122), which systems take for themselves.
        IpAddr::V4(v4) => v4.octets()[0] == 0 || v4.is_multicast() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unspecified() || v6.is_multicast(),
    }
}

/// Link-local, where most clouds have their metadata service, and the addresses of those that have it elsewhere.
fn is_metadata(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            v4.is_link_local()
                || matches!(
                    v4.octets(),
                    [100, 100, 100, 200] | [168, 63, 129, 16] | [192, 0, 0, 192]
                )
        }
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local()
                || matches!(
                    v6.segments(),
                    [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] | [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254]
                )
        }
    }
}

/// Loopback, RFC 1918, RFC 6598 (shared) and RFC 4193 (unique local) addresses.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            v4.is_private() || v4.is_loopback() || (a == 100 && (64..128).contains(&b))
        }
        IpAddr::V6(v6) => v6 == Ipv6Addr::LOCALHOST || v6.is_unique_local(),
    }
}

fn places_of_host(hosts: &HashMap<Box<str>, Families>) -> Vec<Place> {
    let mut ips: Vec<IpAddr> =
        hosts.values().flat_map(|families| families.iter().copied()).collect();
    ips.truncate(ADDRESSES_MAX);
    let of = ips.len() as u32;
    ips.into_iter().map(|ip| Place { ip, port: None, level: 0, weight: 1, of }).collect()
}

fn places_of_services(services: &[Service], hosts: &HashMap<Box<str>, Families>) -> Vec<Place> {
    let mut services: Vec<&Service> = services.iter().collect();
    services.sort_by_key(|service| (service.priority, &service.host, service.port));
    let mut places = Vec::new();
    for (level, group) in services.chunk_by(|a, b| a.priority == b.priority).enumerate() {
        let all_zero = group.iter().all(|service| service.weight == 0);
        for service in group {
            let Some(families) = hosts.get(&service.host) else { continue };
            // RFC 2782: a weight of 0 among others is a very small share; all 0 are alike.
            let weight = if all_zero { 1 } else { (u32::from(service.weight) * 100).max(1) };
            let of = families.iter().count() as u32;
            places.extend(families.iter().map(|ip| Place {
                ip: *ip,
                port: Some(service.port),
                level: level as u32,
                weight,
                of,
            }));
        }
    }
    places.truncate(ADDRESSES_MAX);
    places
}

/// Asks for a name for as long as somebody uses it. Holds the name only between questions.
async fn keep_current(name: Weak<Name>, question: Question, resolver: Arc<dyn Resolve>) {
    loop {
        let known_services = match name.upgrade() {
            Some(name) => lock(&name.known).services.clone(),
            None => return,
        };
        let round = ask(&question, known_services, &resolver).await;
        let Some(wait_s) = name.upgrade().map(|name| name.take(round)) else { return };
        tokio::time::sleep(Duration::from_secs(u64::from(wait_s))).await;
    }
}

async fn ask(
    question: &Question,
    known_services: Vec<Service>,
    resolver: &Arc<dyn Resolve>,
) -> Round {
    if !question.srv {
        let answers = addresses(&question.name, resolver).await;
        return Round { services: None, hosts: vec![(question.name.clone(), answers)] };
    }
    let mut services = in_time(resolver.services(&question.name)).await;
    if let Ok(found) = &mut services {
        found
            .records
            .sort_by(|a, b| (a.priority, &a.host, a.port).cmp(&(b.priority, &b.host, b.port)));
        found.records.truncate(SERVICES_MAX);
    }
    let of = services.as_ref().map_or(&known_services, |found| &found.records);
    let mut hosts: Vec<Box<str>> = of.iter().map(|service| service.host.clone()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let mut questions = JoinSet::new();
    for host in hosts {
        let resolver = Arc::clone(resolver);
        questions.spawn(async move {
            let answers = match host.trim_end_matches('.').parse::<IpAddr>() {
                // Not allowed by RFC 2782, and met in the field.
                Ok(ip) => literal(ip),
                Err(_) => addresses(&host, &resolver).await,
            };
            (host, answers)
        });
    }
    Round { services: Some(services), hosts: questions.join_all().await }
}

fn literal(ip: IpAddr) -> Answers {
    let found = Ok(Found { records: vec![ip], ttl_s: TTL_S_MAX, is_local: false });
    let absent = Err(NotFound::Absent);
    if ip.is_ipv4() { Answers { v4: found, v6: absent } } else { Answers { v4: absent, v6: found } }
}

async fn addresses(host: &str, resolver: &Arc<dyn Resolve>) -> Answers {
    let v4 = in_time(resolver.addresses(host, Family::V4));
    let v6 = in_time(resolver.addresses(host, Family::V6));
    let (v4, v6) = tokio::join!(v4, v6);
    Answers { v4, v6 }
}

async fn in_time<T>(asked: super::resolve::Asked<'_, T>) -> Result<Found<T>, NotFound> {
    match tokio::time::timeout(QUESTION_TIMEOUT, asked).await {
        Ok(Ok(found)) if found.records.is_empty() => Err(NotFound::Absent),
        Ok(answer) => answer,
        Err(_) => Err(NotFound::Failed("time-out".into())),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What these locks guard is whole after every statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
pub(in crate::upstream) mod tests;
