//! Connections to backends that are at rest, per worker and endpoint.
//!
//! The one used last is taken first, so that the others grow old and are closed. Assumes that only
//! connections whose last answer was whole, and which have nothing unread, are given back.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;
use std::sync::Arc;

use crate::outgoing::Http2Connection;
use crate::stream::Stream;
use crate::upstream::{Endpoint, EndpointId};

/// Connections at rest that a worker keeps for one endpoint.
const KEPT_MAX: usize = 1_024;

#[derive(Default)]
pub(crate) struct Pool(RefCell<HashMap<EndpointId, Shelf, BuildHasherDefault<AsIs>>>);

/// Ids of endpoints are hashes already.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, id: u64) {
        self.0 = id;
    }
}

struct Shelf {
    endpoint: Arc<Endpoint>,
    idle: Vec<Idle>,
    /// Connections that many calls share, busy or not.
    shared: Vec<Shared>,
}

struct Shared {
    connection: Rc<Http2Connection>,
    keep_alive_ms: u64,
}

struct Idle {
    stream: Stream,
    until_ms: u64,
}

impl Shelf {
    fn new(endpoint: &Arc<Endpoint>) -> Self {
        Self { endpoint: Arc::clone(endpoint), idle: Vec::new(), shared: Vec::new() }
    }
}

impl Pool {
    /// A connection that is fit for use.
    pub(crate) fn take(&self, id: EndpointId, now_ms: u64) -> Option<Stream> {
        let mut shelves = self.0.borrow_mut();
        let shelf = shelves.get_mut(&id)?;
        while let Some(mut idle) = shelf.idle.pop() {
            if idle.until_ms > now_ms && idle.stream.is_quiet() {
                return Some(idle.stream);
            }
        }
        None
    }

    /// Keeps a connection until `until_ms`.
    pub(crate) fn give(&self, endpoint: &Arc<Endpoint>, stream: Stream, until_ms: u64) {
        if !endpoint.is_current() {
            return;
        }
        let mut shelves = self.0.borrow_mut();
        let shelf = shelves.entry(endpoint.id).or_insert_with(|| Shelf::new(endpoint));
        if shelf.idle.len() < KEPT_MAX {
            shelf.idle.push(Idle { stream, until_ms });
        }
    }

    /// A shared connection that takes one more call.
    pub(crate) fn shared(&self, id: EndpointId, now_ms: u64) -> Option<Rc<Http2Connection>> {
        let shelves = self.0.borrow();
        let mut shared = shelves.get(&id)?.shared.iter();
        shared
            .find(|shared| shared.connection.has_room(now_ms))
            .map(|shared| Rc::clone(&shared.connection))
    }

    /// Keeps a connection to be shared until it has been idle for `keep_alive_ms`.
    pub(crate) fn share(
        &self,
        endpoint: &Arc<Endpoint>,
        connection: &Rc<Http2Connection>,
        keep_alive_ms: u64,
    ) {
        let mut shelves = self.0.borrow_mut();
        let shelf = shelves.entry(endpoint.id).or_insert_with(|| Shelf::new(endpoint));
        shelf.shared.push(Shared { connection: Rc::clone(connection), keep_alive_ms });
    }

    /// Closes what is too old, was closed by its peer, or belongs to an endpoint that is gone.
    pub(crate) fn sweep(&self, now_ms: u64) {
        self.0.borrow_mut().retain(|_, shelf| {
            let current = shelf.endpoint.is_current();
            shelf
                .idle
                .retain_mut(|idle| current && idle.until_ms > now_ms && idle.stream.is_quiet());
            shelf.shared.retain(|shared| {
                let connection = &shared.connection;
                let old = connection.is_idle()
                    && now_ms > connection.idle_since_ms.get().saturating_add(shared.keep_alive_ms);
                current && !connection.is_closed() && !old
            });
            !(shelf.idle.is_empty() && shelf.shared.is_empty())
        });
    }

    /// Connections at rest.
    pub(crate) fn len(&self) -> usize {
        let at_rest = |shelf: &Shelf| {
            let shared = shelf.shared.iter().filter(|shared| shared.connection.is_idle());
            shelf.idle.len() + shared.count()
        };
        self.0.borrow().values().map(at_rest).sum()
    }

    /// Closes all.
    pub(crate) fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}
