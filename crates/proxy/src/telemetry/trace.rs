//! Ids that follow a call: W3C trace context (Recommendation of 2021-11-23, the `random` flag of level 2
//! kept) and the request id.
//!
//! A valid `traceparent` is continued: same trace, a new span id for the call to the backend. A missing,
//! repeated or invalid one starts a new trace, which is marked as sampled, as the first service of a
//! trace would mark it by OpenTelemetry's defaults; its `tracestate` is dropped then. Where spans are sent to a
//! collector, `sampling.rs` decides on the mark.
//!
//! Request ids: a caller could choose an id to be taken for another call, so an `X-Request-Id` is kept
//! from trusted proxies only; everybody else's is replaced by ours, which the caller gets to see.
//!
//! Ids are for finding things, not secrets: the generator is fast, not unguessable.

use std::cell::Cell;

/// Bytes of a `traceparent` of version 00.
pub const TRACEPARENT_BYTES: usize = 55;
/// Bytes of a request id of ours.
pub const REQUEST_ID_BYTES: usize = 32;
/// Bytes of a request id that is kept.
pub const REQUEST_ID_BYTES_MAX: usize = 64;
/// Members of a `tracestate` (§3.3.1.1).
const TRACESTATE_MEMBERS_MAX: usize = 32;
/// Bytes of a `tracestate` that is passed on. At least 512 must be (§3.3.1.5).
const TRACESTATE_BYTES_MAX: usize = 4096;

const SAMPLED: u8 = 0x01;
const RANDOM: u8 = 0x02;

/// A generator of one worker: xoshiro256++ (Blackman and Vigna, 2019), seeded by the system.
#[derive(Debug)]
pub struct Random(Cell<[u64; 4]>);

impl Random {
    /// Seeded by the system's random numbers.
    pub fn from_system() -> Self {
        let mut seed = [0_u8; 32];
        if aws_lc_rs::rand::fill(&mut seed).is_err() {
            // Hash maps are seeded by the system too: enough for ids, should the better source fail.
            for word in seed.as_chunks_mut::<8>().0 {
                *word = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0)
                    .to_le_bytes();
            }
        }
        Self::from_seed(seed)
    }

    /// From a known seed, for tests.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(seed.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        // The one state from which the generator never leaves.
        if words == [0; 4] {
            words = [1, 2, 3, 4];
        }
        Self(Cell::new(words))
    }

    /// The next number.
    pub fn next_u64(&self) -> u64 {
        let [mut a, mut b, mut c, mut d] = self.0.get();
        let result = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let t = b << 17;
        c ^= a;
        d ^= b;
        b ^= c;
        a ^= d;
        c ^= t;
        d = d.rotate_left(45);
        self.0.set([a, b, c, d]);
        result
    }
}

/// Lower-case hex digits of a number: its half bytes are spread over sixteen bytes and all become
/// digits at once.
const fn hex8(number: u64) -> [u8; 16] {
    const fn every(byte: u8) -> u128 {
        u128::from_ne_bytes([byte; 16])
    }
    let mut x = number as u128;
    x = (x | x << 32) & 0x0000_0000_FFFF_FFFF_0000_0000_FFFF_FFFF;
    x = (x | x << 16) & 0x0000_FFFF_0000_FFFF_0000_FFFF_0000_FFFF;
    x = (x | x << 8) & 0x00FF_00FF_00FF_00FF_00FF_00FF_00FF_00FF;
    x = (x | x << 4) & every(0x0F);
    // 1 where the digit is a letter.
    let letters = (x + every(0x06)) >> 4 & every(0x01);
    (x + every(b'0') + letters * (b'a' - b'0' - 10) as u128).to_be_bytes()
}

/// An id of a span, as digits.
pub fn new_id(random: &Random) -> [u8; 16] {
    hex8(random.next_u64() | 1)
}

fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("ids are ASCII: they were made here or checked")
}

/// Where a call stands in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: [u8; 32],
    span_id: [u8; 16],
    flags: u8,
    continued: bool,
}

impl TraceContext {
    /// From the caller's `traceparent` fields: exactly one valid one is continued.
    pub fn of(headers: &dyn portway_policy::Headers, random: &Random) -> Self {
        let mut first = None;
        let mut fields = 0;
        headers.each("traceparent", &mut |value| {
            if fields == 0 {
                first = parse_traceparent(value);
            }
            fields += 1;
        });
        Self::continued(if fields == 1 { first } else { None }, random)
    }

    /// From the one `traceparent` field of the caller, if there is exactly one.
    pub fn from_field(traceparent: Option<&[u8]>, random: &Random) -> Self {
        Self::continued(traceparent.and_then(parse_traceparent), random)
    }

    fn continued(incoming: Option<Incoming>, random: &Random) -> Self {
        let span_id = new_id(random);
        match incoming {
            Some(Incoming { trace_id, flags, .. }) => {
                Self { trace_id, span_id, flags, continued: true }
            }
            None => {
                let mut trace_id = [0; 32];
                trace_id[..16].copy_from_slice(&hex8(random.next_u64()));
                // All zeros is no id.
                trace_id[16..].copy_from_slice(&hex8(random.next_u64() | 1));
                Self { trace_id, span_id, flags: SAMPLED | RANDOM, continued: false }
            }
        }
    }

    /// The trace, 32 hex digits.
    pub const fn trace_id(&self) -> &[u8; 32] {
        &self.trace_id
    }

    /// The span of the call to the backend, 16 hex digits.
    pub const fn span_id(&self) -> &[u8; 16] {
        &self.span_id
    }

    /// Whether the caller's trace goes on; only then its `tracestate` is passed on.
    pub const fn is_continued(&self) -> bool {
        self.continued
    }

    /// Whether the trace is marked as sampled.
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// Marks the trace as sampled or not, for everybody further on (§3.2.2.5.1).
    pub const fn set_sampled(&mut self, sampled: bool) {
        self.flags = self.flags & !SAMPLED | if sampled { SAMPLED } else { 0 };
    }

    /// The last 56 bits of the trace's id, which are random where the trace began here.
    pub fn draw(&self) -> u64 {
        let digits = &self.trace_id[18..];
        digits
            .iter()
            .fold(0, |sum, digit| sum << 4 | u64::from((*digit as char).to_digit(16).unwrap_or(0)))
    }

    /// The flags, as they are sent on.
    pub const fn flags(&self) -> u8 {
        self.flags
    }

    /// The id of the span of the call to the backend, as digits.
    pub const fn span_digits(&self) -> [u8; 16] {
        self.span_id
    }

    /// Gives the call to the backend a span of its own: it is tried again.
    pub fn renew_span(&mut self, random: &Random) {
        self.span_id = new_id(random);
    }

    /// The `traceparent` for the backend.
    pub fn traceparent(&self) -> [u8; TRACEPARENT_BYTES] {
        let mut out = *b"00-00000000000000000000000000000000-0000000000000000-00";
        out[3..35].copy_from_slice(&self.trace_id);
        out[36..52].copy_from_slice(&self.span_id);
        out[54] = b'0' + self.flags;
        out
    }
}

/// A valid `traceparent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Incoming {
    /// The trace, as hex digits.
    pub trace_id: [u8; 32],
    /// The span of the caller, as hex digits.
    pub parent_id: [u8; 16],
    /// `sampled` and `random`; others are not known and not passed on (§3.2.2.5).
    pub flags: u8,
}

/// Reads a `traceparent` (§3.2). Nothing if it is not valid. Versions to come are read as far as the
/// Recommendation says: the four parts of version 00, and anything after a further dash.
pub fn parse_traceparent(field: &[u8]) -> Option<Incoming> {
    let (head, rest) = field.split_first_chunk::<TRACEPARENT_BYTES>()?;
    let [v0, v1, b'-', ..] = head else { return None };
    let future = match (v0, v1) {
        (b'0', b'0') => false,
        (b'f', b'f') => return None,
        (v0, v1) => is_hex(&[*v0, *v1]).then_some(true)?,
    };
    if !(rest.is_empty() || future && rest[0] == b'-') || head[35] != b'-' || head[52] != b'-' {
        return None;
    }
    let trace_id: [u8; 32] = head[3..35].try_into().expect("32 bytes");
    let parent_id: [u8; 16] = head[36..52].try_into().expect("16 bytes");
    let usable =
        |id: &[u8]| is_hex(id) & (id.iter().fold(0, |any, digit| any | (digit ^ b'0')) != 0);
    if !usable(&trace_id) || !usable(&parent_id) || !is_hex(&head[53..]) {
        return None;
    }
    let low = (head[54] as char).to_digit(16)? as u8;
    // Of a version to come, only `sampled` is known to mean the same (§3.2.4).
    let flags = low & if future { SAMPLED } else { SAMPLED | RANDOM };
    Some(Incoming { trace_id, parent_id, flags })
}

/// Without a way out before the end, so that many bytes are looked at together.
fn is_hex(text: &[u8]) -> bool {
    text.iter()
        .fold(true, |all, digit| all & (digit.is_ascii_digit() | matches!(digit, b'a'..=b'f')))
}

/// Whether a `tracestate` can be passed on (§3.3): a list of `key=value` whose keys are unique. All fields of a request
/// are one list, and it is passed on whole or not at all: a vendor that finds its own entry missing takes
/// the trace for another's.
pub fn is_tracestate<'a>(fields: impl Iterator<Item = &'a [u8]> + Clone) -> bool {
    // A field more costs a comma at the least.
    let bytes: usize = fields.clone().map(|field| field.len() + 1).sum();
    if bytes > TRACESTATE_BYTES_MAX + 1 {
        return false;
    }
    let mut keys: [&[u8]; TRACESTATE_MEMBERS_MAX] = [&[]; TRACESTATE_MEMBERS_MAX];
    let mut count = 0;
    let members = fields.flat_map(|field| field.split(|byte| *byte == b','));
    for member in members.map(trim).filter(|member| !member.is_empty()) {
        let Some(equals) = memchr::memchr(b'=', member) else { return false };
        let (key, value) = (&member[..equals], &member[equals + 1..]);
        // At most 32 members, so looking through those before is bounded.
        if count == TRACESTATE_MEMBERS_MAX
            || !is_key(key)
            || !is_value(value)
            || keys[..count].contains(&key)
        {
            return false;
        }
        keys[count] = key;
        count += 1;
    }
    count > 0
}

fn trim(text: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = text.iter().position(|byte| !is_space(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !is_space(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// §3.3.1.3.1: `simple-key` or `tenant@system`.
fn is_key(key: &[u8]) -> bool {
    let allowed = |text: &[u8]| {
        text.iter().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/'))
    };
    match memchr::memchr(b'@', key) {
        None => key.len() <= 256 && key.first().is_some_and(u8::is_ascii_lowercase) && allowed(key),
        Some(at) => {
            let (tenant, system) = (&key[..at], &key[at + 1..]);
            tenant.len() <= 241
                && tenant.first().is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
                && allowed(tenant)
                && system.len() <= 14
                && system.first().is_some_and(u8::is_ascii_lowercase)
                && allowed(system)
        }
    }
}

/// §3.3.1.3.2: printable ASCII without comma and equals, not ending with a space.
fn is_value(value: &[u8]) -> bool {
    matches!(value.len(), 1..=256)
        && value.iter().all(|b| matches!(b, 0x20..=0x7E) && !matches!(b, b',' | b'='))
        && value.last() != Some(&b' ')
}

/// The id of one call, as callers, backends and the log see it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId {
    text: [u8; REQUEST_ID_BYTES_MAX],
    length: u8,
}

impl RequestId {
    /// The caller's id if it comes from a trusted proxy and is sane; else one of ours.
    pub fn choose(of_trusted_proxy: Option<&[u8]>, unix_ms: u64, random: &Random) -> Self {
        match of_trusted_proxy {
            Some(text) if is_request_id(text) => Self::from_checked(text),
            _ => Self::make(unix_ms, random),
        }
    }

    /// An id of ours: 12 hex digits of the time in milliseconds, so that ids sort by time, and 20 random.
    pub fn make(unix_ms: u64, random: &Random) -> Self {
        let mut text = [0; REQUEST_ID_BYTES];
        text[..16].copy_from_slice(&hex8(unix_ms << 16 | random.next_u64() >> 48));
        text[16..].copy_from_slice(&hex8(random.next_u64()));
        Self::from_checked(&text)
    }

    fn from_checked(checked: &[u8]) -> Self {
        let mut text = [0; REQUEST_ID_BYTES_MAX];
        text[..checked.len()].copy_from_slice(checked);
        Self { text, length: checked.len() as u8 }
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        ascii(&self.text[..usize::from(self.length)])
    }

    /// The id, for a header.
    pub fn as_bytes(&self) -> &[u8] {
        &self.text[..usize::from(self.length)]
    }
}

impl std::fmt::Debug for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RequestId").field(&self.as_str()).finish()
    }
}

/// Whether an id can stand in a header, a log and a page without being quoted: 1–64 letters, digits and
/// `-_.~+/=:@`.
pub fn is_request_id(text: &[u8]) -> bool {
    matches!(text.len(), 1..=REQUEST_ID_BYTES_MAX)
        && text.iter().all(|b| {
            b.is_ascii_alphanumeric()
                || matches!(b, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'=' | b':' | b'@')
        })
}

#[cfg(test)]
mod tests;
