//! Tests of an endpoint alone; with its backend's rules it is tested in `state`.

use std::sync::{Arc, Weak};

use super::{Condition, Endpoint, EndpointId, EndpointParts, Outcome, Verdict};
use crate::failure::{Fault, Source};

fn endpoint() -> Arc<Endpoint> {
    let parts = EndpointParts {
        id: EndpointId(1),
        address: ([127, 0, 0, 1], 80).into(),
        tls: None,
        host_header: "test".into(),
        base_path: "".into(),
        http2: false,
    };
    Arc::new(Endpoint::new(parts, Weak::new()))
}

#[test]
fn only_what_the_backend_did_is_held_against_it() {
    for fault in Fault::ALL {
        let verdict = Outcome::Failed(*fault).verdict();
        if fault.source() != Source::Backend {
            assert_eq!(verdict, Verdict::Nothing, "{fault:?}");
        }
    }
    assert_eq!(Outcome::Abandoned.verdict(), Verdict::Nothing);
    assert_eq!(Outcome::Failed(Fault::ConnectTimeout).verdict(), Verdict::Ill);
    assert_eq!(Outcome::AnsweredBad.verdict(), Verdict::Poor);
}

#[test]
fn calls_under_way_are_counted() {
    let endpoint = endpoint();
    let one = Arc::clone(&endpoint).begin();
    let mut two = Arc::clone(&endpoint).begin();
    assert_eq!(endpoint.in_flight(), 2);
    two.report(Outcome::Answered, 0);
    assert_eq!(endpoint.in_flight(), 2, "a verdict does not end a call");
    drop((one, two));
    assert_eq!(endpoint.in_flight(), 0);
    assert_eq!(endpoint.counts(), (1, 0));
}

#[test]
fn ejections_grow_and_calm_down() {
    let endpoint = endpoint();
    let mut now_ms = 1_000;
    for times in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10, 10] {
        endpoint.eject(10_000, now_ms);
        assert_eq!(endpoint.ejected_until_ms(), now_ms + times * 10_000);
        assert_eq!(endpoint.condition(now_ms), Condition::Ejected);
        now_ms = endpoint.ejected_until_ms();
        assert_eq!(endpoint.condition(now_ms), Condition::Well);
        now_ms += 1;
    }
    // Well for as long as it was out.
    now_ms += 100_000;
    endpoint.eject(10_000, now_ms);
    assert_eq!(endpoint.ejected_until_ms(), now_ms + 10_000);
}

#[test]
fn the_ramp_is_a_line_from_a_tenth() {
    let endpoint = endpoint();
    assert_eq!(endpoint.ramp_permille(10_000, 0), 1_000, "never added late: no ramp");
    endpoint.start_ramp(1_000);
    for (now_ms, permille) in
        [(0, 100), (1_000, 100), (6_000, 550), (10_999, 999), (11_000, 1_000), (90_000, 1_000)]
    {
        assert_eq!(endpoint.ramp_permille(10_000, now_ms), permille, "at {now_ms}");
    }
    assert_eq!(endpoint.ramp_permille(0, 1_000), 1_000);
    for permille in [100, 250, 550, 999] {
        let taken = (0..1_000).filter(|_| endpoint.takes_turn(permille)).count() as u64;
        assert!(taken.abs_diff(permille) <= 1, "{taken} of 1000 turns at {permille}");
    }
}
