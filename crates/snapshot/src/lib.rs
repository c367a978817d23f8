//! Documents compiled into what the gateway runs.
//!
//! [`compile`] makes a [`Snapshot`] or says all that is wrong; [`Snapshot::route`] finds the operation of a
//! call and [`Snapshot::explain`] tells why it is that one; [`canonical_path`] is the one form of a path that
//! everything else stands on. Nothing in here does IO, and nothing changes after it was made.

pub mod backend;
pub mod canonical;
pub mod checks;
pub mod compile;
mod dispatch;
pub mod explain;
mod hosts;
mod loose;
pub mod mocks;
pub mod router;
pub mod snapshot;
mod text_hash;

pub use backend::{Backend, Target, TargetFault};
pub use canonical::{
    Canonical, HostFault, PathFault, PathFaultKind, canonical_host, canonical_path,
};
pub use checks::{AnswerSample, Checks, RequestRules};
pub use compile::{Compiled, Files, Secrets, compile};
pub use explain::{ExplainRequest, Explanation};
pub use mocks::Mocked;
pub use snapshot::{Learning, Operation, Routed, Service, Snapshot};
