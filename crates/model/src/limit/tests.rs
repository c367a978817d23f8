//! Limits and quotas: what is read, what is refused and why.

use proptest::prelude::*;

use super::{Limit, LimitBy, Period, Quota, QuotaPeriod};

#[track_caller]
fn check(text: &str, expected: &str) {
    let actual = match text.parse::<Limit>() {
        Ok(limit) => limit.to_string(),
        Err(wrong) => format!("{} | {}", wrong.message, wrong.fix),
    };
    assert_eq!(actual, expected);
}

#[test]
fn limits() {
    check("20/s", "20/s");
    check(" 20/s   per  app ", "20/s per app");
    check("1000000000/d per ip", "1000000000/d per ip");
    check("5/m per header:X-Tenant", "5/m per header:X-Tenant");
    check("5/h per path:id", "5/h per path:id");
    check("20/x", r#""20/x" is not a limit: the period is one of s, m, h, d | "#);
    check("20/min", r#""20/min" is not a limit: the period is one of s, m, h, d | write 20/m"#);
    check(
        "20/month",
        r#""20/month" is not a limit: the period is one of s, m, h, d | a month is for quotas, not for limits"#,
    );
    check("+5/s", r#""+5/s" is not a limit: "+5" is not a whole number from 1 to 1000000000 | "#);
    check(
        "1000000001/s",
        r#""1000000001/s" is not a limit: "1000000001" is not a whole number from 1 to 1000000000 | "#,
    );
    check(
        "1/s per",
        r#""1/s per" is not a limit: what it counts per is missing | write for example "per app""#,
    );
    check(
        "1/s per header:a b",
        r#""1/s per header:a b" is not a limit: after COUNT/PERIOD there can only stand "per" and one of app, ip, header:NAME, query:NAME, path:NAME | write for example 20/s or "20/s per app""#,
    );
    check(
        "1/s per heder:x",
        r#""1/s per heder:x" is not a limit: "heder:x" is not something that a limit can count per: it is one of app, ip, header:NAME, query:NAME, path:NAME | did you mean "header"?"#,
    );
    check(
        "",
        r#""" is not a limit: it is written COUNT/PERIOD [per WHAT] | write for example 20/s or "20/s per app""#,
    );
}

#[test]
fn quotas() {
    assert_eq!("1000000/month".parse(), Ok(Quota { count: 1_000_000, period: QuotaPeriod::Month }));
    for text in ["0/day", "1/week", "1", "-1/day", "1/DAY", "9007199254740992/day", "1/day per app"]
    {
        assert!(text.parse::<Quota>().is_err(), "{text}");
    }
}

fn any_by() -> impl Strategy<Value = LimitBy> {
    prop_oneof![
        Just(LimitBy::Total),
        Just(LimitBy::App),
        Just(LimitBy::Ip),
        "[A-Za-z0-9!#$%&'*+.^_`|~-]{1,40}".prop_map(LimitBy::Header),
        "[a-zà-ÿ0-9:._-]{1,40}".prop_map(LimitBy::Query),
        "[a-z0-9_]{1,40}".prop_map(LimitBy::Path),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(
        count in 1..=1_000_000_000_u32,
        period in prop::sample::select(Period::ALL.to_vec()),
        by in any_by(),
    ) {
        let limit = Limit { count, period, by };
        prop_assert_eq!(limit.to_string().parse(), Ok(limit));
    }

    #[test]
    fn quotas_are_read_again(count in 1..1_u64 << 53, is_day: bool) {
        let quota = Quota { count, period: if is_day { QuotaPeriod::Day } else { QuotaPeriod::Month } };
        prop_assert_eq!(quota.to_string().parse(), Ok(quota));
    }

    #[test]
    fn nothing_panics(text in ".{0,80}") {
        let _ = text.parse::<Limit>();
        let _ = text.parse::<Quota>();
    }
}
