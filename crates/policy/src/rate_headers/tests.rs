//! The fields, byte for byte.

use portway_model::{LimitBy, Period, Quota, QuotaPeriod};

use super::*;
use crate::test_call::name;
use crate::{Kind, LimitRule, Plan};

fn state(rule: &LimitRule, limit: u64, remaining: u64, reset_s: u32, window_s: u32) -> LimitState {
    LimitState { kind: Kind::Rate, rule: rule.name, limit, remaining, reset_s, window_s }
}

#[track_caller]
fn check(state: &LimitState, policy: &str, limit: &str) {
    let mut out = Vec::new();
    write_policy(state, &mut out);
    out.push(b'|');
    write_limit(state, &mut out);
    assert_eq!(String::from_utf8(out).expect("text"), format!("{policy}|{limit}"));
}

#[test]
fn fields_are_written_as_the_draft_has_them() {
    let plan = portway_model::Plan {
        limits: vec![portway_model::Limit { count: 20, period: Period::Second, by: LimitBy::Ip }],
        quota: Some(Quota { count: 1, period: QuotaPeriod::Month }),
        concurrency: None,
        ..Default::default()
    };
    let rules = Plan::compile(&name("gold"), &plan).limits;
    check(
        &state(&rules[0], 20, 19, 1, 1),
        r#""plan-second-ip";q=20;w=1"#,
        r#""plan-second-ip";r=19;t=1"#,
    );
    check(
        &state(&rules[1], 1, 0, 5, 2_678_400),
        r#""plan-month";q=1;w=2678400"#,
        r#""plan-month";r=0;t=5"#,
    );
    check(
        &state(&rules[1], u64::MAX, u64::MAX, u32::MAX, u32::MAX),
        r#""plan-month";q=999999999999999;w=4294967295"#,
        r#""plan-month";r=999999999999999;t=4294967295"#,
    );
}

#[test]
fn only_what_may_be_tried_again_says_when() {
    for reason in Reason::ALL {
        let may_repeat = [Reason::TooManyConcurrent, Reason::TooMuchHeld].contains(reason);
        let expected = may_repeat.then_some(1);
        assert_eq!(retry_after_s(&Refusal::new(*reason)), expected, "{reason:?}");
    }
}
