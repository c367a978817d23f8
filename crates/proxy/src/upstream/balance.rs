//! Which endpoint a call goes to.
//!
//! A [`Table`] is immutable and made anew when the set of endpoints changes; picking reads it without a lock
//! or an allocation. Endpoints stand in levels (SRV priorities; everything else is level 0): a level is used
//! only while no endpoint of the levels before it takes calls.
//!
//! Weighted round robin walks a schedule that is worked out beforehand: over one cycle every endpoint gets
//! exactly its share, spread as evenly as may be. An endpoint that is out, or in slow start, loses its turn and
//! the next *turn* is drawn, so the others share what it leaves by their weights, rather than its neighbour
//! inheriting it all.
//!
//! What "well" means is `endpoint`'s; this file only asks.

use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use pingora_ketama::{Bucket, Continuum};

use super::endpoint::{Endpoint, EndpointId};

/// How an endpoint is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    RoundRobin,
    LeastRequest,
    Hash,
}

/// One endpoint with its place in the table.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) endpoint: Arc<Endpoint>,
    /// In relation to the other members of the level. Never 0.
    pub(super) weight: u64,
    pub(super) level: u32,
    /// What its place on the hash ring is made of: stable across gateways and certificate changes.
    pub(super) place: u64,
}

/// All endpoints of a backend, ready to be picked from.
pub(super) struct Table {
    levels: Box<[Level]>,
    pub(super) slow_start_ms: u64,
    choice: Choice,
}

struct Level {
    members: Box<[Seat]>,
    schedule: Box<[u16]>,
    ring: Option<Ring>,
}

/// Where keys belong. A search of the whole ring for each call would cost more than everything else here, so keys fall
/// into slots, and the owner of each slot is looked up beforehand.
struct Ring {
    points: Continuum,
    /// Member by slot.
    owners: Box<[u16]>,
}

/// A member as picking reads it.
struct Seat {
    endpoint: Arc<Endpoint>,
    weight: u64,
}

/// Turns of one cycle at most. Shares are exact while the weights, divided by their common divisor, add up
/// to no more than this, and rounded to 1/16384 beyond.
const SCHEDULE_MAX: u64 = 16_384;

/// Weight units on a hash ring at most (160 points each).
const RING_UNITS_MAX: u64 = 1_024;

/// Slots of a hash ring. Never to depend on anything: another number moves every key.
const RING_SLOTS: u64 = 16_384;

/// Points that are walked on over when the owner of a key is out. Neighbouring points often have the same owner; this many
/// find another one that is well.
const POINTS_MAX: usize = 64;

/// Turns drawn before the level is gone through one by one.
const TURNS_MAX: u32 = 32;

impl Table {
    /// A table of no endpoints.
    pub(super) fn empty() -> Self {
        Self { levels: Box::default(), slow_start_ms: 0, choice: Choice::RoundRobin }
    }

    /// Members in any order; those of one level compete, levels take over from one another in order.
    pub(super) fn new(mut members: Vec<Member>, choice: Choice, slow_start_ms: u64) -> Self {
        members.sort_by_key(|member| (member.level, member.place, member.endpoint.id));
        let levels = members
            .chunk_by(|a, b| a.level == b.level)
            .map(|members| Level::new(members, choice))
            .collect();
        Self { levels, slow_start_ms, choice }
    }

    /// Every endpoint in it, with its level and weight.
    pub(super) fn endpoints(&self) -> impl Iterator<Item = (&Arc<Endpoint>, usize, u64)> {
        self.levels.iter().enumerate().flat_map(|(level, of)| {
            of.members.iter().map(move |seat| (&seat.endpoint, level, seat.weight))
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.levels.is_empty()
    }

    /// An endpoint that takes the call: preferably none of `tried`, else one of them again (a backend with one target
    /// is retried there). `None` if all are out.
    pub(super) fn pick(
        &self,
        hash: Option<u64>,
        tried: &[EndpointId],
        cursor: &AtomicU64,
        now_ms: u64,
    ) -> Option<&Arc<Endpoint>> {
        let ask = Ask { tried, cursor, now_ms, slow_start_ms: self.slow_start_ms, peeks: false };
        let found = self.levels.iter().find_map(|level| level.pick(self.choice, hash, &ask));
        if found.is_some() || tried.is_empty() {
            return found;
        }
        let again = Ask { tried: &[], ..ask };
        self.levels.iter().find_map(|level| level.pick(self.choice, hash, &again))
    }
}

impl Table {
    /// The endpoint that the next call would go to. Changes nothing: no turn is taken, and no breaker is probed.
    pub(super) fn peek(
        &self,
        hash: Option<u64>,
        cursor: &AtomicU64,
        now_ms: u64,
    ) -> Option<&Arc<Endpoint>> {
        let cursor = &AtomicU64::new(cursor.load(Ordering::Relaxed));
        let slow_start_ms = self.slow_start_ms;
        let ask = Ask { tried: &[], cursor, now_ms, slow_start_ms, peeks: true };
        self.levels.iter().find_map(|level| level.pick(self.choice, hash, &ask))
    }
}

/// What a pick is to go by.
struct Ask<'a> {
    tried: &'a [EndpointId],
    cursor: &'a AtomicU64,
    now_ms: u64,
    slow_start_ms: u64,
    /// Only asked, not for a call.
    peeks: bool,
}

impl Ask<'_> {
    fn turn(&self) -> u64 {
        self.cursor.fetch_add(1, Ordering::Relaxed)
    }

    fn may_use(&self, endpoint: &Endpoint) -> bool {
        !self.tried.contains(&endpoint.id) && endpoint.is_usable(self.now_ms)
    }

    fn admits(&self, endpoint: &Endpoint) -> bool {
        if self.peeks {
            return self.may_use(endpoint);
        }
        !self.tried.contains(&endpoint.id) && endpoint.admit(self.now_ms)
    }

    fn takes_turn(&self, endpoint: &Endpoint) -> bool {
        self.peeks || endpoint.takes_turn(self.ramp_permille(endpoint))
    }

    fn ramp_permille(&self, endpoint: &Endpoint) -> u64 {
        endpoint.ramp_permille(self.slow_start_ms, self.now_ms)
    }
}

impl Level {
    fn new(members: &[Member], choice: Choice) -> Self {
        let weights: Vec<u64> = members.iter().map(|member| member.weight).collect();
        Self {
            schedule: if choice == Choice::RoundRobin {
                schedule(&weights)
            } else {
                Box::default()
            },
            ring: (choice == Choice::Hash).then(|| ring(members)),
            members: members
                .iter()
                .map(|member| Seat {
                    endpoint: Arc::clone(&member.endpoint),
                    weight: member.weight,
                })
                .collect(),
        }
    }

    fn pick(&self, choice: Choice, hash: Option<u64>, ask: &Ask<'_>) -> Option<&Arc<Endpoint>> {
        match (choice, &self.ring, hash) {
            (Choice::Hash, Some(ring), Some(hash)) => self.by_hash(ring, hash, ask),
            // A call without the header, cookie or parameter goes anywhere.
            (Choice::Hash, Some(ring), None) => self.by_hash(ring, mix(ask.turn()), ask),
            (Choice::LeastRequest, _, _) => self.of_two(ask),
            (Choice::RoundRobin | Choice::Hash, _, _) => self.in_turn(ask),
        }
    }

    fn in_turn(&self, ask: &Ask<'_>) -> Option<&Arc<Endpoint>> {
        let turns = self.schedule.len() as u64;
        if turns == 0 {
            return None;
        }
        for _ in 0..TURNS_MAX {
            let at = self.schedule[(ask.turn() % turns) as usize];
            let endpoint = &self.members[usize::from(at)].endpoint;
            if ask.may_use(endpoint) && ask.takes_turn(endpoint) && ask.admits(endpoint) {
                return Some(endpoint);
            }
        }
        self.any(ask)
    }

    /// The power of two choices: of two drawn at random, the one with fewer calls for its weight.
    fn of_two(&self, ask: &Ask<'_>) -> Option<&Arc<Endpoint>> {
        let count = self.members.len() as u64;
        if count < 2 {
            return self.any(ask);
        }
        for _ in 0..TURNS_MAX {
            let drawn = mix(ask.turn());
            let one = (drawn >> 32) % count;
            // One of the others, so that the two always differ.
            let other = (one + 1 + (drawn & 0xffff_ffff) % (count - 1)) % count;
            let (one, other) = (&self.members[one as usize], &self.members[other as usize]);
            let chosen = match (ask.may_use(&one.endpoint), ask.may_use(&other.endpoint)) {
                (true, true) if lighter(other, one, ask) => other,
                (true, _) => one,
                (false, true) => other,
                (false, false) => continue,
            };
            if ask.admits(&chosen.endpoint) {
                return Some(&chosen.endpoint);
            }
        }
        self.any(ask)
    }

    fn by_hash(&self, ring: &Ring, hash: u64, ask: &Ask<'_>) -> Option<&Arc<Endpoint>> {
        // The same keys stay with a growing endpoint: each key has its own threshold.
        let threshold = mix(hash) % 1_000;
        let takes = |at: usize| {
            let endpoint = &self.members[at].endpoint;
            let ramped = ask.ramp_permille(endpoint) > threshold;
            (ramped && ask.admits(endpoint)).then_some(endpoint)
        };
        let slot = hash % RING_SLOTS;
        if let Some(endpoint) = takes(usize::from(ring.owners[slot as usize])) {
            return Some(endpoint);
        }
        if let Some(endpoint) = ring.after(slot).take(POINTS_MAX).find_map(takes) {
            return Some(endpoint);
        }
        self.any(ask)
    }

    /// Any that takes the call, slow start or not, from a place that differs from call to call.
    fn any(&self, ask: &Ask<'_>) -> Option<&Arc<Endpoint>> {
        let count = self.members.len();
        let start = (mix(ask.turn()) % count.max(1) as u64) as usize;
        let (before, after) = self.members.split_at(start.min(count));
        after.iter().chain(before).map(|seat| &seat.endpoint).find(|endpoint| ask.admits(endpoint))
    }
}

/// Whether `a` has fewer calls for its weight than `b`, this call included.
fn lighter(a: &Seat, b: &Seat, ask: &Ask<'_>) -> bool {
    let share =
        |seat: &Seat| u128::from(seat.weight) * u128::from(ask.ramp_permille(&seat.endpoint));
    let load = |seat: &Seat| u128::from(seat.endpoint.in_flight()) + 1;
    load(a) * share(b) < load(b) * share(a)
}

/// The order of turns in which member `i` has `weights[i]` parts of all.
///
/// Each member's k-th turn is due at (2k + 1) / 2w of the cycle; turns are taken as they fall due. So
/// every member gets exactly its number, evenly spaced.
fn schedule(weights: &[u64]) -> Box<[u16]> {
    let turns = turns(weights);
    let mut due = std::collections::BinaryHeap::with_capacity(turns.len());
    // Denominator common to all: compare (2k + 1) * total / 2w as a fraction, exactly, in 128 bits.
    let key = |done: u64, of: u64| u128::from(2 * done + 1) * (1 << 64) / u128::from(of);
    for (at, &of) in turns.iter().enumerate().filter(|(_, of)| **of > 0) {
        due.push(std::cmp::Reverse((key(0, of), at, 0_u64)));
    }
    let mut order = Vec::with_capacity(turns.iter().sum::<u64>() as usize);
    while let Some(std::cmp::Reverse((_, at, done))) = due.pop() {
        order.push(at as u16);
        if done + 1 < turns[at] {
            due.push(std::cmp::Reverse((key(done + 1, turns[at]), at, done + 1)));
        }
    }
    order.into_boxed_slice()
}

/// How many turns of a cycle each gets: the weights without their common divisor, scaled if they are too many.
fn turns(weights: &[u64]) -> Vec<u64> {
    let divisor = weights.iter().copied().fold(0, gcd).max(1);
    let reduced: Vec<u64> = weights.iter().map(|weight| weight / divisor).collect();
    let sum: u128 = reduced.iter().map(|weight| u128::from(*weight)).sum();
    if sum <= u128::from(SCHEDULE_MAX) {
        return reduced;
    }
    let scaled = |weight: u64| (u128::from(weight) * u128::from(SCHEDULE_MAX) + sum / 2) / sum;
    reduced.iter().map(|weight| (scaled(*weight) as u64).max(u64::from(*weight > 0))).collect()
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// The ring of a level. Its nodes are not addresses but places: two targets may share an address (and differ in base path),
/// and the same address under two names is one. The member's number rides in the scope id, which the ring
/// does not hash.
fn ring(members: &[Member]) -> Ring {
    let base = members.iter().map(|member| member.weight).fold(0, gcd).max(1);
    let total: u64 = members.iter().map(|member| member.weight / base).sum();
    // Halved until they fit: a change elsewhere then rarely changes how many points a member has.
    let shift = (0..64).find(|shift| total >> shift <= RING_UNITS_MAX).unwrap_or(63);
    let buckets: Vec<Bucket> = members
        .iter()
        .enumerate()
        .map(|(at, member)| {
            let place = Ipv6Addr::from_bits(u128::from(member.place));
            let node = SocketAddr::V6(SocketAddrV6::new(place, 0, 0, at as u32));
            Bucket::new(node, ((member.weight / base) >> shift).max(1) as u32)
        })
        .collect();
    let mut ring = Ring { points: Continuum::new(&buckets), owners: Box::default() };
    ring.owners = (0..RING_SLOTS).map(|slot| ring.after(slot).next().unwrap_or(0) as u16).collect();
    ring
}

impl Ring {
    /// The members that a slot belongs to, from its own on.
    fn after(&self, slot: u64) -> impl Iterator<Item = usize> {
        let mut at = self.points.node_idx(&mix(slot).to_le_bytes());
        std::iter::from_fn(move || match self.points.get_addr(&mut at) {
            Some(SocketAddr::V6(node)) => Some(node.scope_id() as usize),
            Some(SocketAddr::V4(_)) | None => None,
        })
    }
}

/// Spreads the bits of a number (the finaliser of SplitMix64).
pub(super) const fn mix(number: u64) -> u64 {
    let mut z = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The hash of what a backend's `hash` balancing looks at. The same in every process and version, so that
/// several gateways send a key to the same target. FNV-1a with a finaliser; not for secrets.
pub fn hash_key(key: &[u8]) -> u64 {
    let fnv = key.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    mix(fnv)
}

#[cfg(test)]
mod tests;
