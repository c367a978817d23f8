//! What the control sees of what is gathered.

use super::*;

#[test]
fn logarithms_are_those_of_microseconds() {
    for (us, expected) in [(0, 0.0), (1, 0.0), (2, 1.0), (3, 1.5), (1_024, 10.0), (u64::MAX, 32.0)]
    {
        let logarithm = logarithm(us) as f32 / PARTS;
        assert!((logarithm - expected).abs() < 0.01, "{us}: {logarithm}");
    }
}

#[test]
fn tallies_are_unpacked_as_they_were_packed() {
    let sum = [1_000, 2_000, 4_000].map(|us| 1 << COUNT_SHIFT | logarithm(us)).iter().sum();
    let tally = unpack(sum);
    assert_eq!(tally.count, 3);
    assert!((tally.mean - 2_000_f32.log2()).abs() < 0.1, "{}", tally.mean);
    assert_eq!(unpack(0).count, 0);
}
