//! Decisions about traces that begin here and of callers.

use super::*;

fn sampling(sample: &str, follow: FollowedParent) -> Sampling {
    Sampling::new(&Traces { sample: sample.parse().unwrap(), follow, ..Traces::default() })
}

const SAMPLED: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const NOT_SAMPLED: &[u8] = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

fn check(traceparent: Option<&[u8]>, sampling: Sampling, trusted: bool, expected: bool) {
    let random = Random::from_seed([7; 32]);
    let mut trace = TraceContext::from_field(traceparent, &random);
    assert_eq!(
        sampling.decide(&mut trace, trusted, &random),
        expected,
        "{traceparent:?} {sampling:?} {trusted}"
    );
    let flags = trace.traceparent()[54] - b'0';
    assert_eq!(flags & 1, u8::from(expected), "what is sent on says the same");
}

#[test]
fn a_parent_is_followed_where_it_is_believed() {
    use FollowedParent::{Everyone, Nobody, Proxies};
    for (follow, trusted, followed) in [
        (Proxies, true, true),
        (Proxies, false, false),
        (Everyone, false, true),
        (Nobody, true, false),
    ] {
        check(Some(SAMPLED), sampling("0%", follow), trusted, followed);
        check(Some(NOT_SAMPLED), sampling("100%", follow), trusted, !followed);
    }
    check(None, sampling("0%", Everyone), true, false);
    check(None, sampling("100%", Everyone), true, true);
}

#[test]
fn a_share_is_about_that_share() {
    let random = Random::from_seed([1; 32]);
    let sampling = sampling("10%", FollowedParent::Proxies);
    for traceparent in [None, Some(SAMPLED)] {
        let count = (0..10_000)
            .filter(|_| {
                let mut trace = TraceContext::from_field(traceparent, &random);
                sampling.decide(&mut trace, false, &random)
            })
            .count();
        assert!((900..1_100).contains(&count), "{count} of 10,000");
    }
}

#[test]
fn the_id_decides_where_the_trace_begins() {
    let sampling = sampling("50%", FollowedParent::Proxies);
    let random = Random::from_seed([3; 32]);
    for _ in 0..100 {
        let mut trace = TraceContext::from_field(None, &random);
        let is_sampled = sampling.decide(&mut trace, false, &random);
        let last =
            u64::from_str_radix(std::str::from_utf8(&trace.trace_id()[18..]).unwrap(), 16).unwrap();
        assert_eq!(is_sampled, last >= 1 << 55);
    }
}

#[test]
fn errors() {
    let with = |errors| Sampling::new(&Traces { errors, ..Traces::default() });
    for (errors, expected) in [
        (TraceErrors::Off, [false, false, false]),
        (TraceErrors::Failures, [false, false, true]),
        (TraceErrors::All, [false, true, true]),
    ] {
        let sampling = with(errors);
        let found = [(200, true), (429, false), (503, false)]
            .map(|(status, ok)| sampling.wants(status, ok));
        assert_eq!(found, expected, "{errors:?}");
    }
    assert!(with(TraceErrors::Failures).wants(500, true), "a backend's own 500");
    assert!(!with(TraceErrors::All).wants(404, true), "a backend's own 404 is an answer");
}
