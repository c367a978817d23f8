//! Tests of `limit`.
