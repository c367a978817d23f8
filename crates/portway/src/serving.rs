//! Starting to serve: sockets found or bound, the gateway started on them, the admin listener beside it.
//!
//! Everything that can fail is done before anything is served. Sockets come, in this order, from a
//! process that this one replaces, from systemd, or are bound here.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portway_proxy::telemetry::MetricsForm;
use portway_proxy::{BindFault, Listen, RecentCall, Running, Telling};
use portway_snapshot::{Compiled, Snapshot};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{AbortHandle, JoinHandle};

use crate::admin::{self, Watched};
use crate::explain::walk::About;
use crate::explain::{Ask, Walk, walk};
use crate::export::Exporter;
use crate::handover::{Role, Sockets, Taken};
use crate::reload::Served;
use crate::settings::{Listener, Settings};
use crate::status::{Stage, Status};
use crate::systemd;

/// How long the collector may take for the last spans when the process stops.
const LAST_SPANS: Duration = Duration::from_secs(3);

/// Why the process cannot start.
#[derive(Debug)]
pub struct CannotStart {
    /// What, in words.
    pub what: String,
    /// What can be done about it; empty where nothing can be said.
    pub fix: String,
}

impl fmt::Display for CannotStart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl From<BindFault> for CannotStart {
    fn from(fault: BindFault) -> Self {
        // The sentence says what to do as well, after a semicolon or on its own.
        let what = fault.to_string();
        match what.split_once("; ") {
            Some((what, fix)) => Self { what: what.to_owned(), fix: fix.to_owned() },
            None => Self { what, fix: String::new() },
        }
    }
}

/// A gateway that serves.
#[derive(Clone)]
pub struct Serving {
    running: Running,
    addresses: Arc<[SocketAddr]>,
    admin: Option<Arc<TcpListener>>,
    /// Ends the accepting of the admin listener.
    watching: Option<AbortHandle>,
    /// The sending of spans; taken by who waits for its end.
    exporting: Option<Arc<Mutex<Option<JoinHandle<()>>>>>,
}

/// What starting brings.
pub struct Started {
    /// What serves now.
    pub serving: Serving,
    /// The line to the process whose sockets were taken over.
    pub taken_over: Option<Taken>,
}

/// The run time for everything that is not a call: health checks, names, the admin listener, signals.
///
/// # Errors
/// When the system does not have what it needs.
pub fn control_runtime() -> std::io::Result<Runtime> {
    Builder::new_current_thread()
        .enable_all()
        .thread_name("control")
        .max_blocking_threads(8)
        .build()
}

/// Binds everything, then serves. The caller has entered `runtime`, on which everything runs that is not a call.
/// `files_max` is how many files the process may have open.
///
/// # Errors
/// When a socket, certificate or log file cannot be had.
pub fn start(
    settings: &Settings,
    (telling, exporter): (Telling, Option<Exporter>),
    compiled: Compiled,
    status: &Arc<Status>,
    files_max: u64,
    runtime: &Runtime,
) -> Result<Started, CannotStart> {
    let taken_over = match &settings.handover {
        Some(path) => Taken::from(path)
            .map_err(|fault| CannotStart { what: fault.what, fix: fault.fix.to_owned() })?,
        None => None,
    };
    let (taken_over, sockets) = inherited(taken_over);
    let mut sockets = Inherited { calls: sockets.0, admin: sockets.1 };
    let admin = admin_listener(settings, &mut sockets)?;
    let listeners =
        settings.listeners.iter().map(|listener| listen(listener, &mut sockets)).collect();
    let bound = portway_proxy::bind(
        portway_proxy::Settings {
            listeners,
            workers: settings.workers,
            log: settings.log.clone(),
            drain_timeout: Duration::from_millis(settings.drain_timeout_ms),
            control: runtime.handle().clone(),
            files_max,
            telling,
        },
        compiled,
    )?;
    runtime.block_on(bound.warm_up());
    let addresses = bound.addresses().into();
    let running = bound.run()?;
    let exporting =
        exporter.map(|exporter| Arc::new(Mutex::new(Some(runtime.handle().spawn(exporter.run())))));
    let admin = admin.map(Arc::new);
    let mut serving = Serving { running, addresses, admin, watching: None, exporting };
    serving.watching = serve_admin(&serving, status)?;
    status.enter(Stage::Serving);
    // What was given to us and no listener wants is closed here.
    drop(sockets);
    Ok(Started { serving, taken_over })
}

type WithAddresses = Vec<(SocketAddr, TcpListener)>;

/// Sockets that were there before us and are not in use yet.
struct Inherited {
    calls: WithAddresses,
    admin: WithAddresses,
}

/// Takes the sockets out of what was taken over; without that, those of systemd.
fn inherited(taken: Option<Taken>) -> (Option<Taken>, (WithAddresses, WithAddresses)) {
    let Some(mut taken) = taken else { return (None, (systemd::sockets(), Vec::new())) };
    let (mut calls, mut admin) = (Vec::new(), Vec::new());
    for (role, address, listener) in std::mem::take(&mut taken.sockets) {
        match role {
            Role::Calls => calls.push((address, listener)),
            Role::Admin => admin.push((address, listener)),
        }
    }
    (Some(taken), (calls, admin))
}

/// The sockets of `address` out of `from`.
fn take(from: &mut WithAddresses, address: SocketAddr) -> Vec<TcpListener> {
    let (fitting, others) = std::mem::take(from).into_iter().partition(|(at, _)| *at == address);
    *from = others;
    let fitting: WithAddresses = fitting;
    fitting.into_iter().map(|(_, listener)| listener).collect()
}

fn listen(listener: &Listener, sockets: &mut Inherited) -> Listen {
    Listen {
        address: listener.address,
        tls: listener.tls.clone(),
        proxy_protocol: listener.proxy_protocol,
        inherited: take(&mut sockets.calls, listener.address),
    }
}

fn admin_listener(
    settings: &Settings,
    sockets: &mut Inherited,
) -> Result<Option<TcpListener>, CannotStart> {
    let Some(address) = settings.admin else { return Ok(None) };
    if let Some(listener) = take(&mut sockets.admin, address).pop() {
        return Ok(Some(listener));
    }
    TcpListener::bind(address).map(Some).map_err(|error| CannotStart {
        what: format!("gateway.admin: {address}: {error}"),
        fix: match error.kind() {
            std::io::ErrorKind::AddrInUse => {
                "stop what listens there, or choose another address (--admin, `off` for none)"
                    .to_owned()
            }
            _ => String::new(),
        },
    })
}

fn serve_admin(
    serving: &Serving,
    status: &Arc<Status>,
) -> Result<Option<AbortHandle>, CannotStart> {
    let Some(listener) = &serving.admin else { return Ok(None) };
    let served = listener
        .try_clone()
        .and_then(|listener| admin::serve(listener, Arc::clone(status), Arc::new(serving.clone())));
    match served {
        Ok((address, watching)) => {
            tracing::info!("watched on {address}");
            Ok(Some(watching))
        }
        Err(error) => {
            Err(CannotStart { what: format!("gateway.admin: {error}"), fix: String::new() })
        }
    }
}

impl Serving {
    /// Where callers come in.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Leaves the admin listener to the process that has taken it over: whoever asks there whether the gateway is
    /// ready must not be answered by the one that ends.
    pub fn leave_admin(&self) {
        if let Some(watching) = &self.watching {
            watching.abort();
        }
    }

    /// Comes back, saying why, once a worker has died.
    pub async fn lost_worker(&self) -> String {
        self.running.lost_worker().await
    }

    /// Whether every worker has moved since this was asked before.
    pub fn workers_move(&self) -> bool {
        self.running.workers_move()
    }

    /// Stops accepting, lets calls end, cuts those that do not.
    pub async fn drain(&self) {
        self.running.drain().await;
        self.last_spans().await;
    }

    /// Waits a moment for the last spans to be sent. The workers have ended, so that no more come.
    async fn last_spans(&self) {
        let exporting = self
            .exporting
            .as_ref()
            .and_then(|exporting| exporting.lock().unwrap_or_else(PoisonError::into_inner).take());
        let Some(mut exporting) = exporting else { return };
        if tokio::time::timeout(LAST_SPANS, &mut exporting).await.is_err() {
            exporting.abort();
            tracing::warn!("the collector did not take the last spans in time");
        }
    }

    /// What was seen of the calls of services that are learned.
    pub fn take_seen(&self) -> Vec<(portway_model::Name, portway_contract::learn::Observation)> {
        self.running.take_seen()
    }

    /// Counts what came of writing what was learned.
    pub fn learned(&self, is_written: bool) {
        self.running.learned(is_written);
    }

    /// What serves, as far as it says what is learned.
    pub fn learned_snapshot(&self) -> Arc<Snapshot> {
        self.running.snapshot()
    }

    /// Ends at once.
    pub fn cut(&self) {
        self.running.cut();
    }

    /// Duplicates of all listening sockets, to be given away.
    ///
    /// # Errors
    /// When the system gives no more descriptors.
    pub fn sockets(&self) -> std::io::Result<Sockets> {
        let mut sockets: Sockets = self
            .running
            .listeners_for_handover()?
            .into_iter()
            .map(|(_, fds)| (Role::Calls, fds))
            .collect();
        if let Some(listener) = &self.admin {
            sockets.push((Role::Admin, vec![OwnedFd::from(listener.try_clone()?)]));
        }
        Ok(sockets)
    }
}

impl Served for Serving {
    fn snapshot(&self) -> Arc<Snapshot> {
        self.running.snapshot()
    }

    fn publish(&self, compiled: Compiled) -> Result<(), Vec<String>> {
        self.running.publish(compiled)
    }

    fn rejected(&self) {
        self.running.rejected();
    }

    fn reload_certificates(&self) -> Vec<Result<String, String>> {
        self.running.reload_certificates()
    }

    fn reopen_log(&self) {
        self.running.reopen_log();
    }
}

impl Watched for Serving {
    fn metrics_text(&self, form: MetricsForm) -> String {
        self.running.metrics_text(form)
    }

    fn snapshot(&self) -> Value {
        let snapshot = self.running.snapshot();
        let services: Vec<Value> = snapshot
            .services
            .iter()
            .map(|service| {
                json!({
                    "name": service.name,
                    "hosts": service.hosts,
                    "path": if service.prefix.is_empty() { "/" } else { &service.prefix },
                    "operations": service.operations.len(),
                })
            })
            .collect();
        json!({
            "hash": snapshot.hash,
            "services": services,
            "backends": self.running.backends().iter().map(backend).collect::<Vec<_>>(),
            "connections": self.running.connections(),
        })
    }

    fn explain(&self, ask: &Ask) -> Result<Walk, String> {
        let call = ask.read()?;
        let rehearsed =
            self.running.rehearse(&call.asked()).map_err(|cannot| cannot.to_string())?;
        Ok(walk(&call, &rehearsed, About { live: true, missing_keys: 0 }))
    }

    fn recent_call(&self, request_id: &str) -> Option<RecentCall> {
        self.running.recent_call(request_id)
    }
}

/// A backend as it is now.
fn backend(view: &portway_proxy::upstream::BackendView) -> Value {
    let endpoints = view.endpoints.iter().map(|endpoint| {
        json!({
            "address": endpoint.address,
            "host": endpoint.host,
            "condition": format!("{:?}", endpoint.condition).to_lowercase(),
            "breaker": format!("{:?}", endpoint.breaker).to_lowercase(),
            "in_flight": endpoint.in_flight,
            "calls": endpoint.calls,
            "failures": endpoint.failures,
        })
    });
    let names = view.names.iter().map(|name| {
        json!({
            "name": name.name,
            "addresses": name.addresses,
            "stale": name.stale_since_ms.is_some(),
            "error": name.error,
            "failures": name.failures,
        })
    });
    json!({
        "key": view.key,
        "in_flight": view.in_flight,
        "in_flight_max": view.in_flight_max,
        "awaiting": view.awaiting,
        "awaiting_max": view.awaiting_max,
        "overloaded": view.is_limited,
        "queued": view.queued,
        "recent_calls": view.recent_calls,
        "recent_retries": view.recent_retries,
        "endpoints": endpoints.collect::<Vec<_>>(),
        "names": names.collect::<Vec<_>>(),
    })
}
