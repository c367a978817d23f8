//! The fields by which a caller learns where it stands: `RateLimit-Policy`, `RateLimit`, `Retry-After`.
//!
//! The first two as in draft-ietf-httpapi-ratelimit-headers (from version 08 on, here 11): structured-field
//! lists of one string with parameters; `q` calls in `w` seconds, `r` remaining, more after `t` seconds.
//! `Retry-After` as in RFC 9110 §10.2.3, in seconds. Only the tightest limit is told.

use crate::{Detail, LimitState, Reason, Refusal};

/// Seconds after which a call that found too many under way may come again.
const CONCURRENCY_RETRY_S: u32 = 1;

/// Writes the value of `RateLimit-Policy`: `"second-app";q=20;w=1`.
pub fn write_policy(state: &LimitState, out: &mut Vec<u8>) {
    write_name(state, out);
    write_number(b";q=", state.limit, out);
    write_number(b";w=", u64::from(state.window_s), out);
}

/// Writes the value of `RateLimit`: `"second-app";r=19;t=1`.
pub fn write_limit(state: &LimitState, out: &mut Vec<u8>) {
    write_name(state, out);
    write_number(b";r=", state.remaining, out);
    write_number(b";t=", u64::from(state.reset_s), out);
}

/// Seconds for `Retry-After`, where a refusal has one: rounded up, so that a call after that time is not refused
/// for what was counted until now.
pub fn retry_after_s(refusal: &Refusal) -> Option<u32> {
    match (&refusal.detail, refusal.reason) {
        (Detail::Limit(state), _) => Some(state.reset_s),
        (_, Reason::TooManyConcurrent | Reason::TooMuchHeld) => Some(CONCURRENCY_RETRY_S),
        _ => None,
    }
}

fn write_name(state: &LimitState, out: &mut Vec<u8>) {
    out.push(b'"');
    for part in state.rule.parts() {
        out.extend_from_slice(part.as_bytes());
    }
    out.push(b'"');
}

/// An Integer of a structured field has at most 15 digits (RFC 9651 §3.3.1).
fn write_number(key: &[u8], number: u64, out: &mut Vec<u8>) {
    const MAX: u64 = 999_999_999_999_999;
    out.extend_from_slice(key);
    out.extend_from_slice(itoa::Buffer::new().format(number.min(MAX)).as_bytes());
}

#[cfg(test)]
mod tests;
