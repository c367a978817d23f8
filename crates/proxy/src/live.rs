//! What is live: a snapshot, and the state that belongs to it, swapped together.
//!
//! State (backends, counters, series of metrics) is found again by stable names when a snapshot is
//! published, once; a call reaches it by index.

use std::path::Path;
use std::sync::Arc;

use portway_http1::HeadLimits;
use portway_policy::MemoryKeys;
use portway_snapshot::{Compiled, Service, Snapshot};

use crate::request::Version;
use crate::telemetry::Metrics;
use crate::telemetry::SeriesId;
use crate::tls::ClientTlsFiles;
use crate::upstream::{BackendSpec, BackendState, Settings, TargetSpec, Targets, Upstreams};

/// What every call holds from its beginning to its end.
pub(crate) struct Live {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) keys: MemoryKeys,
    pub(crate) services: Vec<LiveService>,
    pub(crate) bounds: LiveBounds,
}

/// State of one service.
pub(crate) struct LiveService {
    /// By the index that an operation names.
    pub(crate) backends: Vec<Arc<BackendState>>,
    /// Their targets, alike.
    pub(crate) targets: Vec<Arc<Targets>>,
    /// Their settings, alike.
    pub(crate) settings: Vec<Arc<Settings>>,
    /// By the index of an operation.
    pub(crate) series: Arc<[SeriesId]>,
    /// Of calls that met no operation.
    pub(crate) unmatched: SeriesId,
}

/// The bounds in the units in which they are used.
#[derive(Clone, Copy)]
pub(crate) struct LiveBounds {
    pub(crate) head: HeadLimits,
    pub(crate) head_ms: u64,
    /// Of all bodies that are held.
    pub(crate) held_bytes: u64,
    pub(crate) body_ms: u64,
    pub(crate) write_ms: u64,
    pub(crate) idle_ms: u64,
    pub(crate) call_ms: u64,
    pub(crate) connections: u64,
    pub(crate) connections_per_address: u32,
    pub(crate) http2: Http2Bounds,
    /// 0: any.
    pub(crate) lag_ms: u64,
}

/// Bounds of HTTP/2 connections.
#[derive(Clone, Copy)]
pub(crate) struct Http2Bounds {
    pub(crate) streams: u32,
    pub(crate) resets: u32,
    pub(crate) connection_head_bytes: u64,
    pub(crate) stall_ms: u64,
}

impl Live {
    /// Joins a snapshot with the state that there is, making what is new. What `previous` knows of a service that
    /// both have is taken over.
    ///
    /// # Errors
    /// One sentence for each file of TLS that cannot be used.
    pub(crate) fn new(
        compiled: Compiled,
        parts: &Parts<'_>,
        previous: Option<&Self>,
    ) -> Result<Self, Vec<String>> {
        let Compiled { snapshot, keys, .. } = compiled;
        let specs = snapshot.services.iter().flat_map(|service| service.backends.iter());
        let states = parts.upstreams.bind(specs.map(|backend| spec(backend)).collect())?;
        let mut states = states.into_iter();
        let mut state_of = |service: &Arc<Service>| {
            let name = service.name.as_str();
            let backends: Vec<_> = states.by_ref().take(service.backends.len()).collect();
            LiveService {
                targets: backends.iter().map(|state| state.targets()).collect(),
                settings: backends.iter().map(|state| Arc::clone(&state.settings())).collect(),
                backends,
                series: match previous.and_then(|previous| previous.same(service)) {
                    Some(known) => Arc::clone(&known.series),
                    None => service
                        .operations
                        .iter()
                        .map(|op| parts.metrics.series(name, &op.id))
                        .collect(),
                },
                unmatched: parts.metrics.series(name, ""),
            }
        };
        let services = snapshot.services.iter().map(&mut state_of).collect();
        let bounds = LiveBounds::new(&snapshot.bounds, parts.files_max);
        Ok(Self { snapshot: Arc::new(snapshot), keys, services, bounds })
    }

    /// Joins a snapshot with state that goes nowhere: files of TLS are not read.
    pub(crate) fn unconnected(compiled: Compiled, parts: &Parts<'_>) -> Self {
        let Compiled { snapshot, keys, .. } = compiled;
        let backends = snapshot.services.iter().flat_map(|service| service.backends.iter());
        let specs = backends.map(|backend| plain_spec(backend)).collect();
        let mut states = parts.upstreams.bind(specs).unwrap_or_default().into_iter();
        let state_of = |service: &Arc<Service>| {
            let backends: Vec<_> = states.by_ref().take(service.backends.len()).collect();
            LiveService {
                targets: backends.iter().map(|state| state.targets()).collect(),
                settings: backends.iter().map(|state| Arc::clone(&state.settings())).collect(),
                backends,
                series: service.operations.iter().map(|_| parts.metrics.series("", "")).collect(),
                unmatched: parts.metrics.series("", ""),
            }
        };
        let services = snapshot.services.iter().map(state_of).collect();
        let bounds = LiveBounds::new(&snapshot.bounds, parts.files_max);
        Self { snapshot: Arc::new(snapshot), keys, services, bounds }
    }

    /// What is known of a service, if it is the very same.
    fn same(&self, service: &Arc<Service>) -> Option<&LiveService> {
        let services = &self.snapshot.services;
        let at = services.binary_search_by(|known| known.name.cmp(&service.name)).ok()?;
        Arc::ptr_eq(&services[at], service).then(|| &self.services[at])
    }
}

/// Where state is kept.
pub(crate) struct Parts<'a> {
    pub(crate) upstreams: &'a Upstreams,
    pub(crate) metrics: &'a Metrics,
    pub(crate) files_max: u64,
}

/// A backend as its state is told of it.
fn spec(backend: &portway_snapshot::Backend) -> BackendSpec {
    let target = |target: &portway_snapshot::Target| TargetSpec {
        https: target.https,
        srv: target.srv,
        host: target.host.clone(),
        port: target.port,
        base_path: target.base_path.clone(),
        weight: target.weight,
        host_header: target.host_header.clone(),
    };
    let file =
        |path: &Option<String>| path.as_ref().map(|path| Path::new(&*backend.files).join(path));
    BackendSpec {
        key: backend.key.clone(),
        targets: backend.targets.iter().map(target).collect(),
        document: backend.document.clone(),
        tls: ClientTlsFiles {
            ca: file(&backend.document.tls.ca),
            cert: file(&backend.document.tls.cert),
            key: file(&backend.document.tls.key),
        },
    }
}

/// The same without TLS, so that nothing has to be read.
fn plain_spec(backend: &portway_snapshot::Backend) -> BackendSpec {
    let mut spec = spec(backend);
    spec.targets.iter_mut().for_each(|target| target.https = false);
    spec
}

/// How many of `connections` callers are let in where the process may have `files_max` files open: each may need a
/// connection to a backend as well, and some files are for everything else.
pub fn connections_let_in(connections: u32, files_max: u64) -> u64 {
    const OTHER_FILES: u64 = 256;
    const LET_IN_MIN: u64 = 64;
    let files = files_max.saturating_sub(OTHER_FILES) / 2;
    u64::from(connections).min(files.max(LET_IN_MIN))
}

impl LiveBounds {
    /// The longest that a caller may not take anything of an answer.
    pub(crate) fn write_ms_over(&self, version: Version) -> u64 {
        match version {
            // A stream that does not move holds a place that others may want.
            Version::Http2 => self.write_ms.min(self.http2.stall_ms),
            Version::Http10 | Version::Http11 => self.write_ms,
        }
    }

    fn new(bounds: &portway_model::Bounds, files_max: u64) -> Self {
        let bytes =
            |size: portway_model::ByteSize| usize::try_from(size.as_bytes()).unwrap_or(usize::MAX);
        Self {
            head: HeadLimits {
                head_bytes: bytes(bounds.head_bytes),
                fields: bounds.head_fields as usize,
                target_bytes: bytes(bounds.target_bytes),
            },
            head_ms: bounds.head_timeout.as_ms(),
            held_bytes: bounds.held_bytes.as_bytes(),
            body_ms: bounds.body_timeout.as_ms(),
            write_ms: bounds.write_timeout.as_ms(),
            idle_ms: bounds.idle_timeout.as_ms(),
            call_ms: bounds.call_timeout.as_ms(),
            connections: connections_let_in(bounds.connections, files_max),
            connections_per_address: bounds.connections_per_address,
            http2: Http2Bounds {
                streams: bounds.http2.streams,
                resets: bounds.http2.resets,
                connection_head_bytes: bounds.http2.connection_head_bytes.as_bytes(),
                stall_ms: bounds.http2.stall_timeout.as_ms(),
            },
            lag_ms: bounds.lag.as_ms(),
        }
    }
}
