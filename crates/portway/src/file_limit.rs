//! How many files (and so connections) the process may have open.
//!
//! The soft limit is a leftover of `select`: many systems still start everything with 1,024 although
//! far more is allowed. It is raised to what is allowed, once, at the start.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Files that are open for other things than connections: documents, logs, the run time's own.
const OWN_FILES: u64 = 64;

/// Raises the limit as far as allowed; the number of files that may be open now.
pub fn raise() -> u64 {
    let before = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: before.maximum, maximum: before.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, wanted) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// A sentence when `connections` callers (each with one connection to a backend) need more files than allowed.
pub fn shortage(files: u64, connections: u32) -> Option<String> {
    let needed = u64::from(connections) * 2 + OWN_FILES;
    (files < needed).then(|| {
        format!(
            "{connections} connections need about {needed} open files, but only {files} are allowed; \
             raise the limit (`LimitNOFILE=` of the unit, `ulimit -n`) or lower `gateway.bounds.connections`"
        )
    })
}

#[cfg(test)]
mod tests;
