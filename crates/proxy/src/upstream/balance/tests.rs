//! Tests of choosing: exact shares, stability of hashing, and what happens when some are out.

use std::collections::HashMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

use proptest::prelude::*;

use super::{Choice, Member, SCHEDULE_MAX, Table, gcd, hash_key, mix, schedule};
use crate::upstream::endpoint::{Endpoint, EndpointId, EndpointParts};

fn endpoint(number: u64) -> Arc<Endpoint> {
    let parts = EndpointParts {
        id: EndpointId(number),
        address: ([10, 0, (number >> 8) as u8, number as u8], 80).into(),
        tls: None,
        host_header: "test".into(),
        base_path: "".into(),
        http2: false,
    };
    Arc::new(Endpoint::new(parts, Weak::new()))
}

/// One member per `(number, weight, level)`.
fn members(of: &[(u64, u64, u32)]) -> Vec<Member> {
    of.iter()
        .map(|(number, weight, level)| Member {
            endpoint: endpoint(*number),
            weight: *weight,
            level: *level,
            place: hash_key(&number.to_le_bytes()),
        })
        .collect()
}

fn table(choice: Choice, of: &[(u64, u64, u32)]) -> Table {
    Table::new(members(of), choice, 0)
}

fn get(table: &Table, number: u64) -> Arc<Endpoint> {
    let found = table.endpoints().find(|(endpoint, ..)| endpoint.id.0 == number);
    Arc::clone(found.unwrap().0)
}

/// How often each endpoint is picked.
fn counts(
    table: &Table,
    picks: u64,
    hash: impl Fn(u64) -> Option<u64>,
    now_ms: u64,
) -> HashMap<u64, u64> {
    let cursor = AtomicU64::new(0);
    let mut counts = HashMap::new();
    for pick in 0..picks {
        let picked = table.pick(hash(pick), &[], &cursor, now_ms).unwrap();
        *counts.entry(picked.id.0).or_default() += 1;
    }
    counts
}

fn check_shares(weights: &[u64], cycle: u64, expected: &[u64]) {
    let of: Vec<_> =
        weights.iter().enumerate().map(|(at, weight)| (at as u64, *weight, 0)).collect();
    let counts = counts(&table(Choice::RoundRobin, &of), cycle, |_| None, 0);
    let got: Vec<u64> =
        (0..weights.len() as u64).map(|at| counts.get(&at).copied().unwrap_or(0)).collect();
    assert_eq!(got, expected, "{weights:?}");
}

#[test]
fn shares_are_exact_over_a_cycle() {
    check_shares(&[1], 10, &[10]);
    check_shares(&[1, 1, 1], 3, &[1, 1, 1]);
    check_shares(&[5, 1, 1], 7, &[5, 1, 1]);
    check_shares(&[500, 100, 100], 7, &[5, 1, 1]);
    check_shares(&[1_000, 999], 1_999, &[1_000, 999]);
    check_shares(&[1_000, 1], 1_001, &[1_000, 1]);
    check_shares(&[720_720, 360_360, 360_360], 4, &[2, 1, 1]);
}

#[test]
fn turns_are_spread() {
    assert_eq!(*schedule(&[1, 1]), [0, 1]);
    assert_eq!(*schedule(&[3, 1]), [0, 0, 1, 0]);
    assert_eq!(*schedule(&[4, 2, 1]), [0, 1, 0, 2, 0, 1, 0]);
    assert!(schedule(&[]).is_empty());
}

proptest! {
    #[test]
    fn every_cycle_gives_exact_and_even_shares(weights in prop::collection::vec(1_u64..=1_000, 1..12)) {
        let order = schedule(&weights);
        let divisor = weights.iter().copied().fold(0, gcd);
        let total: u64 = weights.iter().map(|weight| weight / divisor).sum();
        prop_assert_eq!(order.len() as u64, total);
        let mut seen = vec![0_u64; weights.len()];
        for (turn, at) in order.iter().enumerate() {
            seen[usize::from(*at)] += 1;
            for (at, weight) in weights.iter().enumerate() {
                let due = (turn + 1) as f64 * (weight / divisor) as f64 / total as f64;
                prop_assert!((seen[at] as f64 - due).abs() < 2.0, "{:?} after {} turns: {:?}", weights, turn + 1, seen);
            }
        }
        for (seen, weight) in seen.iter().zip(&weights) {
            prop_assert_eq!(*seen, weight / divisor);
        }
    }

    #[test]
    fn large_sums_are_rounded_to_the_bound(weights in prop::collection::vec(1_u64..=1_000_000_000, 2..300)) {
        let order = schedule(&weights);
        prop_assert!(order.len() as u64 <= SCHEDULE_MAX + 300);
        let mut seen = vec![0_u64; weights.len()];
        order.iter().for_each(|at| seen[usize::from(*at)] += 1);
        let total: u64 = weights.iter().sum();
        for (seen, weight) in seen.iter().zip(&weights) {
            prop_assert!(*seen >= 1);
            let exact = *weight as f64 / total as f64;
            prop_assert!((*seen as f64 / order.len() as f64 - exact).abs() < 2.0 / 16_384.0 + exact * 0.02);
        }
    }

    #[test]
    fn removing_one_of_n_moves_only_its_keys(count in 3_u64..20, removed in 0_u64..20) {
        let removed = removed % count;
        let all: Vec<_> = (0..count).map(|number| (number, 1, 0)).collect();
        let without: Vec<_> = all.iter().copied().filter(|(number, ..)| *number != removed).collect();
        let (before, after) = (table(Choice::Hash, &all), table(Choice::Hash, &without));
        let cursor = AtomicU64::new(0);
        let keys = 2_000_u64;
        let mut moved = 0;
        for key in 0..keys {
            let hash = Some(hash_key(&key.to_le_bytes()));
            let from = before.pick(hash, &[], &cursor, 0).unwrap().id.0;
            let to = after.pick(hash, &[], &cursor, 0).unwrap().id.0;
            prop_assert!(from == to || from == removed, "key {} moved from {} to {}", key, from, to);
            moved += u64::from(from != to);
        }
        prop_assert!(moved * count <= keys * 2, "{} of {} keys moved with {} targets", moved, keys, count);
    }
}

#[test]
fn threads_share_one_cycle() {
    let table = table(Choice::RoundRobin, &[(0, 3, 0), (1, 2, 0), (2, 1, 0)]);
    let cursor = AtomicU64::new(0);
    let picked: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    (0..3_000)
                        .map(|_| table.pick(None, &[], &cursor, 0).unwrap().id.0)
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let of = |number| picked.iter().filter(|picked| **picked == number).count();
    assert_eq!([of(0), of(1), of(2)], [6_000, 4_000, 2_000]);
}

#[test]
fn what_one_that_is_out_leaves_is_shared_by_weight() {
    let table = table(Choice::RoundRobin, &[(0, 1, 0), (1, 1, 0), (2, 1, 0), (3, 2, 0)]);
    get(&table, 0).set_down(true, 0);
    let counts = counts(&table, 4_000, |_| None, 0);
    assert_eq!(counts.get(&0), None);
    assert!(
        (980..=1_020).contains(&counts[&1]) && (980..=1_020).contains(&counts[&2]),
        "{counts:?}"
    );
}

#[test]
fn one_that_is_well_among_many_is_found() {
    for choice in [Choice::RoundRobin, Choice::LeastRequest, Choice::Hash] {
        let of: Vec<_> = (0..300).map(|number| (number, 1, 0)).collect();
        let table = table(choice, &of);
        (0..300).filter(|number| *number != 217).for_each(|number| {
            get(&table, number).set_down(true, 0);
        });
        let counts = counts(&table, 100, |pick| Some(mix(pick)), 0);
        assert_eq!(counts, HashMap::from([(217, 100)]), "{choice:?}");
        get(&table, 217).set_down(true, 0);
        assert!(table.pick(Some(1), &[], &AtomicU64::new(0), 0).is_none());
    }
}

#[test]
fn least_request_prefers_fewer_calls_for_the_weight() {
    let table = table(Choice::LeastRequest, &[(0, 1, 0), (1, 4, 0)]);
    let cursor = AtomicU64::new(0);
    let mut calls = Vec::new();
    for _ in 0..50 {
        calls.push(table.pick(None, &[], &cursor, 0).unwrap().clone().begin());
    }
    let in_flight = [get(&table, 0).in_flight(), get(&table, 1).in_flight()];
    assert_eq!(in_flight, [10, 40]);
}

#[test]
fn a_key_stays_and_moves_only_while_its_target_is_out() {
    let of: Vec<_> = (0..5).map(|number| (number, 1, 0)).collect();
    let table = table(Choice::Hash, &of);
    let cursor = AtomicU64::new(0);
    let pick =
        |key: u64| table.pick(Some(hash_key(&key.to_le_bytes())), &[], &cursor, 0).unwrap().id.0;
    let before: Vec<u64> = (0..500).map(pick).collect();
    get(&table, 3).set_down(true, 0);
    let during: Vec<u64> = (0..500).map(pick).collect();
    get(&table, 3).set_down(false, 0);
    let after: Vec<u64> = (0..500).map(pick).collect();
    assert_eq!(before, after);
    for (before, during) in before.iter().zip(&during) {
        assert!(*during != 3 && (before == during || *before == 3));
    }
    let heirs: std::collections::HashSet<_> = before
        .iter()
        .zip(&during)
        .filter(|(before, _)| **before == 3)
        .map(|(_, during)| during)
        .collect();
    assert!(heirs.len() > 1, "its keys spread over the others");
}

#[test]
fn hashed_shares_follow_the_weights() {
    let table = table(Choice::Hash, &[(0, 100, 0), (1, 300, 0)]);
    let counts = counts(&table, 20_000, |pick| Some(hash_key(&pick.to_le_bytes())), 0);
    assert!((4_000..6_000).contains(&counts[&0]), "{counts:?}");
}

#[test]
fn hashes_are_the_same_in_every_version() {
    // Several gateways, perhaps of different versions, must agree.
    assert_eq!(hash_key(b""), mix(0xcbf2_9ce4_8422_2325));
    let table = table(Choice::Hash, &[(0, 1, 0), (1, 1, 0), (2, 1, 0)]);
    let cursor = AtomicU64::new(0);
    let picked: Vec<u64> = ["alice", "bob", "carol", "dave", "eve", "frank"]
        .map(|key| table.pick(Some(hash_key(key.as_bytes())), &[], &cursor, 0).unwrap().id.0)
        .to_vec();
    assert_eq!(picked, [2, 2, 2, 1, 0, 1]);
}

#[test]
fn a_later_level_takes_over_only_when_all_before_are_out() {
    let table = table(Choice::RoundRobin, &[(0, 1, 0), (1, 1, 0), (2, 1, 1)]);
    assert_eq!(counts(&table, 100, |_| None, 0).len(), 2);
    get(&table, 0).set_down(true, 0);
    assert_eq!(counts(&table, 100, |_| None, 0), HashMap::from([(1, 100)]));
    get(&table, 1).set_down(true, 0);
    assert_eq!(counts(&table, 100, |_| None, 0), HashMap::from([(2, 100)]));
    get(&table, 0).set_down(false, 0);
    assert_eq!(counts(&table, 100, |_| None, 0), HashMap::from([(0, 100)]));
}

#[test]
fn a_retry_goes_elsewhere_if_there_is_an_elsewhere() {
    let cursor = AtomicU64::new(0);
    for choice in [Choice::RoundRobin, Choice::LeastRequest, Choice::Hash] {
        let two = table(choice, &[(0, 1, 0), (1, 1, 0)]);
        for turn in 0..50 {
            let picked = two.pick(Some(mix(turn)), &[EndpointId(0)], &cursor, 0).unwrap();
            assert_eq!(picked.id.0, 1, "{choice:?}");
        }
        let one = table(choice, &[(0, 1, 0)]);
        assert_eq!(one.pick(Some(0), &[EndpointId(0)], &cursor, 0).unwrap().id.0, 0, "{choice:?}");
    }
}

#[test]
fn slow_start_grows_in_a_line() {
    for choice in [Choice::RoundRobin, Choice::Hash] {
        let table = Table::new(members(&[(0, 1, 0), (1, 1, 0)]), choice, 10_000);
        get(&table, 1).start_ramp(1_000);
        // Of two alike, one with a share of x gets x / (1 + x) of the calls (by turns), or x / 2 (by keys).
        for (now_ms, x) in [(1_000, 0.1), (6_000, 0.55), (11_000, 1.0)] {
            let counts = counts(&table, 10_000, |pick| Some(hash_key(&pick.to_le_bytes())), now_ms);
            let expected = if choice == Choice::Hash { x / 2.0 } else { x / (1.0 + x) } * 10_000.0;
            let got = counts[&1] as f64;
            assert!(
                (got - expected).abs() < 700.0,
                "{choice:?} at {now_ms}: {got}, expected {expected}"
            );
        }
    }
}

#[test]
fn a_table_of_nothing_gives_nothing() {
    assert!(Table::empty().pick(None, &[], &AtomicU64::new(0), 0).is_none());
    assert!(table(Choice::Hash, &[]).pick(Some(1), &[], &AtomicU64::new(0), 0).is_none());
}
