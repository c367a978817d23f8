//! Any bytes as a response; what must hold of them stands beside the crate's tests.
#![no_main]
#![allow(dead_code, reason = "each target uses one body of several")]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/http1/tests/gate/fuzzing.rs"]
mod fuzzing;
#[path = "../../crates/http1/tests/gate/reading.rs"]
mod reading;

fuzz_target!(|data: &[u8]| fuzzing::response(data));
