//! What is wrong with documents that have the right shape.

pub(crate) mod host;
