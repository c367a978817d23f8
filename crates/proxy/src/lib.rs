//! Bytes in, bytes out: listeners, TLS, the engine over `http1` and `h2`, the exchange, targets, pools,
//! balancing, health, retries, and the record of each call.
//!
//! One single-threaded runtime per core carries calls; nothing on the way of a call crosses cores.
//! Health checks, name look-ups and everything else that is not a call run on the control runtime.
//! This room assumes a compiled `Snapshot`; it knows no SQL, no functions and no management API.

pub mod failure;
pub mod telemetry;
pub mod upstream;
