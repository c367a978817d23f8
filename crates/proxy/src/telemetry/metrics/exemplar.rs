//! An example for each bucket of a histogram: the latest sampled call in it.
//!
//! Only sampled calls come here. The worker writes and a scrape reads under a lock that neither waits for long,
//! and the worker not at all: it leaves out an example rather than wait.

use std::sync::{Mutex, PoisonError};

use super::block::BUCKETS;

/// A call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Exemplar {
    /// Its trace, as hexadecimal digits.
    pub(super) trace_id: [u8; 32],
    pub(super) total_us: u64,
    /// When it ended, milliseconds since 1970.
    pub(super) unix_ms: u64,
}

impl Exemplar {
    pub(super) fn trace_id(&self) -> &str {
        std::str::from_utf8(&self.trace_id).unwrap_or_default()
    }
}

/// Those of one service and worker, by bucket.
#[derive(Debug, Default)]
pub(super) struct Exemplars(Mutex<[Option<Exemplar>; BUCKETS]>);

impl Exemplars {
    pub(super) fn put(&self, bucket: usize, exemplar: Exemplar) {
        if let Ok(mut all) = self.0.try_lock() {
            all[bucket] = Some(exemplar);
        }
    }

    pub(super) fn all(&self) -> [Option<Exemplar>; BUCKETS] {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The latest of each bucket, of all workers.
pub(super) fn latest<'a>(
    of_workers: impl Iterator<Item = &'a Exemplars>,
) -> [Option<Exemplar>; BUCKETS] {
    of_workers.fold([None; BUCKETS], |mut latest, exemplars| {
        for (so_far, new) in latest.iter_mut().zip(exemplars.all()) {
            if new.map(|new| new.unix_ms) > so_far.map(|so_far| so_far.unix_ms) {
                *so_far = new;
            }
        }
        latest
    })
}
