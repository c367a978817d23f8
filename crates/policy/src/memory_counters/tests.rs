//! Tests of `memory_counters`.
