//! How many files (and so connections) the process may have open.
//!
//! The soft limit is a leftover of `select`: many systems still start everything with 1,024 although
//! far more is allowed. It is raised to what is allowed, once, at the start.

use portway_proxy::connections_let_in;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit as far as allowed; the number of files that may be open now.
pub fn raise() -> u64 {
    let before = getrlimit(Resource::Nofile);
    let wanted = Rlimit { current: before.maximum, maximum: before.maximum };
    if let Err(error) = setrlimit(Resource::Nofile, wanted) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// A sentence when fewer callers are let in than `connections`, because too few files are allowed.
pub fn shortage(files: u64, connections: u32) -> Option<String> {
    let let_in = connections_let_in(connections, files);
    (let_in < u64::from(connections)).then(|| {
        format!(
            "only {let_in} connections are let in instead of {connections}, because only {files} open files are allowed; \
             raise the limit (`LimitNOFILE=` of the unit, `ulimit -n`) or lower `gateway.bounds.connections`"
        )
    })
}

#[cfg(test)]
mod tests;
