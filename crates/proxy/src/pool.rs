//! Connections to backends that are at rest, per worker and endpoint.
//!
//! The one used last is taken first, so that the others grow old and are closed. Assumes that only
//! connections whose last answer was whole, and which have nothing unread, are given back.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::stream::Stream;
use crate::upstream::{Endpoint, EndpointId};

/// Connections at rest that a worker keeps for one endpoint.
const KEPT_MAX: usize = 1_024;

#[derive(Default)]
pub(crate) struct Pool(RefCell<HashMap<EndpointId, Shelf>>);

struct Shelf {
    endpoint: Arc<Endpoint>,
    idle: Vec<Idle>,
}

struct Idle {
    stream: Stream,
    until_ms: u64,
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
        let shelf = shelves
            .entry(endpoint.id)
            .or_insert_with(|| Shelf { endpoint: Arc::clone(endpoint), idle: Vec::new() });
        if shelf.idle.len() < KEPT_MAX {
            shelf.idle.push(Idle { stream, until_ms });
        }
    }

    /// Closes what is too old, was closed by its peer, or belongs to an endpoint that is gone.
    pub(crate) fn sweep(&self, now_ms: u64) {
        self.0.borrow_mut().retain(|_, shelf| {
            let current = shelf.endpoint.is_current();
            shelf.idle.retain_mut(|idle| current && idle.until_ms > now_ms && idle.stream.is_quiet());
            current && !shelf.idle.is_empty()
        });
    }

    /// Connections at rest.
    pub(crate) fn len(&self) -> usize {
        self.0.borrow().values().map(|shelf| shelf.idle.len()).sum()
    }

    /// Closes all.
    pub(crate) fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}
