//! Tests only: whole gateways on free ports, backends that do as they are told, and clients that send
//! whatever bytes they like.
//!
//! Everything here blocks and runs in threads of its own, so that a test reads from top to bottom. A
//! gateway is started through the same doors as the product's.

pub mod backend;
pub mod certificate;
pub mod client;
pub mod frames;
pub mod gateway;
pub mod spans;

pub use backend::{Backend, BlackHole, Conversation, Received};
pub use certificate::Certificates;
pub use client::{Answer, Client, Ended};
pub use frames::{Frame, Http2};
pub use gateway::{Gateway, compiled, sha256_hex};
