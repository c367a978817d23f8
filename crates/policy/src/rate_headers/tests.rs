//! Tests of `rate_headers`.
