//! Backends at run time: which target, is it well, may it take one more call.
//!
//! One [`Upstreams`] for the whole program lives on the control side. It turns the backends of a snapshot into
//! [`BackendState`]s, which keep what must survive a snapshot: connections' owners, health, breakers,
//! budgets, counts. Calls touch only those, from any worker, without locks.
//!
//! A call's way through here: [`BackendState::try_enter`] (or [`enter`](BackendState::enter) when it has to wait),
//! [`pick`](BackendState::pick) among the [`Targets`] of its snapshot, [`Endpoint::begin`], then the exchange with the backend, which
//! is not this folder's business, then [`InFlight::report`], and dropping both guards when the body has ended.
//!
//! Time on the way of a call is a number that the caller passes in; it must come from the same clock that `Upstreams` was
//! given, and never go back.

mod adaptive;
mod balance;
mod breaker;
mod budget;
mod endpoint;
mod gate;
mod health;
mod line;
mod names;
mod resolve;
mod settings;
mod state;
mod view;
mod window;

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portway_model as model;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

pub use balance::hash_key;
pub use breaker::BreakerState;
pub use endpoint::{Condition, Endpoint, EndpointId, InFlight, Outcome};
pub use resolve::{Asked, Family, Found, NotFound, Resolve, Service, SystemResolver};
pub use settings::Settings;
pub use state::{BackendState, Slot, Targets};
pub use view::{BackendCounts, BackendView, EndpointView, NameView};

use crate::telemetry::Event;
use crate::tls::{ClientTls, ClientTlsFiles, ClientTlsStore};
use names::{Names, Question};
use state::{ResolvedTarget, Shared, TargetSource};

/// Milliseconds of a clock that never goes back.
pub type NowMs = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Is told what is to be counted; from any thread.
pub type Count = Arc<dyn Fn(Event) + Send + Sync>;

/// The backends of the running snapshot.
pub struct Upstreams {
    shared: Arc<Shared>,
    names: Names,
    tls: ClientTlsStore,
    states: Mutex<HashMap<Box<str>, Arc<BackendState>>>,
}

/// A backend as the snapshot names it.
#[derive(Debug, Clone)]
pub struct BackendSpec {
    /// Its stable id: state is kept under it.
    pub key: Box<str>,
    /// Its targets.
    pub targets: Vec<TargetSpec>,
    /// What was written about it. Its `targets` and `tls` paths are not read here; those beside this field are.
    pub document: model::Backend,
    /// Files of its TLS, with absolute paths.
    pub tls: ClientTlsFiles,
}

/// One target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetSpec {
    /// Whether TLS is spoken to it.
    pub https: bool,
    /// Whether SRV records name the machines.
    pub srv: bool,
    /// Name or address, an IPv6 address with or without brackets.
    pub host: Box<str>,
    /// Port; SRV records have their own.
    pub port: u16,
    /// Put before every path; empty, or begins with a slash and does not end with one.
    pub base_path: Box<str>,
    /// Share of the traffic in relation to the others; 0 takes none.
    pub weight: u32,
    /// `Host` to send.
    pub host_header: Box<str>,
}

impl Upstreams {
    /// Tasks (look-ups, checks) run on `control`; `now_ms` must be the clock whose numbers calls pass in; `count` is
    /// told of look-ups, checks, ejections and breakers.
    pub fn new(control: Handle, now_ms: NowMs, resolver: Arc<dyn Resolve>, count: Count) -> Self {
        let names = Names::new(resolver, control.clone(), Arc::clone(&now_ms), Arc::clone(&count));
        let checks = Arc::new(Semaphore::new(health::CHECKS_MAX));
        Self {
            shared: Arc::new(Shared { control, now_ms, count, checks }),
            names,
            tls: ClientTlsStore::default(),
            states: Mutex::default(),
        }
    }

    /// The states for the backends of a snapshot, in the same order. A known key gets the object it had, updated
    /// in place; keys that are not named any more are retired. Reads TLS files; does not wait for look-ups.
    ///
    /// # Errors
    /// One sentence per TLS file that cannot be used. Nothing has changed then.
    pub fn bind(&self, specs: Vec<BackendSpec>) -> Result<Vec<Arc<BackendState>>, Vec<String>> {
        let mut mistakes = Vec::new();
        let mut ready = Vec::with_capacity(specs.len());
        for spec in specs {
            match self.target_tls(&spec) {
                Ok(tls) => ready.push((spec, tls)),
                Err(found) => mistakes.extend(found),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        let mut named = HashMap::with_capacity(ready.len());
        let mut bound = Vec::with_capacity(ready.len());
        for (spec, tls) in ready {
            let settings = Settings::new(&spec.document);
            let targets = spec
                .targets
                .iter()
                .zip(tls)
                .map(|(target, tls)| self.resolved(target, tls))
                .collect();
            let state = states
                .remove(&spec.key)
                .or_else(|| named.get(&spec.key).cloned())
                .unwrap_or_else(|| {
                    BackendState::new(spec.key.clone(), settings.clone(), Arc::clone(&self.shared))
                });
            state.apply(settings, targets);
            named.insert(spec.key, Arc::clone(&state));
            bound.push(state);
        }
        for (_, gone) in std::mem::replace(&mut *states, named) {
            gone.retire();
        }
        Ok(bound)
    }

    /// Returns when every name has been asked for at least once, or the time is over, so that the first calls
    /// after a start find addresses.
    pub async fn first_answers(&self, at_most: Duration) {
        self.names.first_answers(at_most).await;
    }

    /// Every backend at this moment, by key.
    pub fn views(&self) -> Vec<BackendView> {
        let now_ms = (self.shared.now_ms)();
        let states: Vec<Arc<BackendState>> =
            self.states.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        let mut views: Vec<BackendView> = states.iter().map(|state| state.view(now_ms)).collect();
        views.sort_by(|a, b| a.key.cmp(&b.key));
        views
    }

    fn target_tls(&self, spec: &BackendSpec) -> Result<Vec<Option<Arc<ClientTls>>>, Vec<String>> {
        let http2 = spec.document.protocol == model::Protocol::Http2;
        let mut found = Vec::with_capacity(spec.targets.len());
        let mut mistakes = Vec::new();
        for target in &spec.targets {
            if !target.https {
                found.push(None);
                continue;
            }
            let name = spec.document.tls.sni.as_deref().unwrap_or_else(|| name_to_verify(target));
            match self.tls.client(&spec.tls, name, http2) {
                Ok(tls) => found.push(Some(tls)),
                Err(why) => mistakes
                    .extend(why.into_iter().map(|why| format!("backend {}: {why}", spec.key))),
            }
        }
        mistakes.dedup();
        if mistakes.is_empty() { Ok(found) } else { Err(mistakes) }
    }

    fn resolved(&self, target: &TargetSpec, tls: Option<Arc<ClientTls>>) -> ResolvedTarget {
        let source = match bare_host(&target.host).parse::<IpAddr>() {
            Ok(ip) => TargetSource::Literal(ip),
            Err(_) => TargetSource::Name(
                self.names.watch(&Question { name: target.host.clone(), srv: target.srv }),
            ),
        };
        ResolvedTarget {
            source,
            port: target.port,
            weight: target.weight,
            host_header: target.host_header.clone(),
            base_path: target.base_path.clone(),
            tls,
        }
    }
}

impl fmt::Debug for Upstreams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstreams").finish_non_exhaustive()
    }
}

/// The name that a target's certificate must have. For SRV it is the domain that was written, without the leading `_service._proto`
/// labels, and not the host in the record: whoever can forge the record must not choose the name (RFC 6125 §6.2.1).
fn name_to_verify(target: &TargetSpec) -> &str {
    let mut name = bare_host(&target.host);
    if target.srv {
        while let Some((label, rest)) = name.split_once('.')
            && label.starts_with('_')
        {
            name = rest;
        }
    }
    name.strip_suffix('.').unwrap_or(name)
}

/// Without the brackets of an IPv6 address.
fn bare_host(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

#[cfg(test)]
mod tests;
