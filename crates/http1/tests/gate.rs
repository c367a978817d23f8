//! The gate that this crate must pass before anything stands on it: the corpus with its verdicts,
//! every cut of every message, hyper's second opinion, properties, and the fuzz corpus.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop where it stands")]

#[path = "gate/corpus.rs"]
mod corpus;
#[path = "gate/differential.rs"]
mod differential;
#[path = "gate/fuzz_corpus.rs"]
mod fuzz_corpus;
#[path = "gate/fuzzing.rs"]
mod fuzzing;
#[path = "gate/mutate.rs"]
mod mutate;
#[path = "gate/properties.rs"]
mod properties;
#[path = "gate/reading.rs"]
mod reading;
#[path = "gate/verdicts.rs"]
mod verdicts;
