//! Any bytes as the first of a connection; what must hold of them stands beside the crate's tests.
#![no_main]
#![allow(dead_code, reason = "each target uses one body of several")]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/proxy/tests/hostile/fuzzing.rs"]
mod fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::proxy_protocol(data));
