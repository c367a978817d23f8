//! Gates: how many calls are under way at once.
//!
//! Exact under threads. Only gates with somebody inside are remembered, so memory is bounded by the calls
//! under way, whatever the number of apps.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

/// Parts of the table, so that cores seldom wait for each other.
const SHARDS: usize = 64;

type Table = Mutex<HashMap<u64, u32, BuildHasherDefault<Identity>>>;

/// All gates.
#[derive(Debug)]
pub struct Gates {
    shards: Box<[Arc<Table>]>,
}

impl Default for Gates {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| Arc::default()).collect() }
    }
}

impl Gates {
    /// Enters the gate with this id if fewer than `max` are inside. The id is a hash that nobody outside can
    /// choose.
    pub fn enter(&self, id: u64, max: u32) -> Option<Gate> {
        let shard = &self.shards[(id >> 58) as usize % SHARDS];
        let mut table = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let inside = table.entry(id).or_insert(0);
        if *inside >= max {
            if *inside == 0 {
                table.remove(&id);
            }
            return None;
        }
        *inside += 1;
        drop(table);
        Some(Gate { table: Arc::clone(shard), id })
    }

    /// How many are inside the gate with this id.
    pub fn inside(&self, id: u64) -> u32 {
        let shard = &self.shards[(id >> 58) as usize % SHARDS];
        let table = shard.lock().unwrap_or_else(PoisonError::into_inner);
        table.get(&id).copied().unwrap_or(0)
    }

    /// Gates with somebody inside.
    pub fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).len())
            .sum()
    }

    /// Whether nobody is inside any gate.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A place behind a gate. Dropping it leaves.
#[derive(Debug)]
pub struct Gate {
    table: Arc<Table>,
    id: u64,
}

impl Drop for Gate {
    fn drop(&mut self) {
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(inside) = table.get_mut(&self.id) {
            *inside -= 1;
            if *inside == 0 {
                table.remove(&self.id);
            }
        }
    }
}

/// The keys are hashes already.
#[derive(Debug, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests;
