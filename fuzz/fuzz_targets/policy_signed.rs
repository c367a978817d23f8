//! Any bytes as a signed call; what must hold of them stands beside the crate's tests.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/policy/tests/corpus/fuzzing.rs"]
mod fuzzing;

fuzz_target!(|data: &[u8]| fuzzing::signed(data));
