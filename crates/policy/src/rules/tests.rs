//! What documents become.

use super::*;
use crate::test_call::{key_auth, name, per_second, service};
use model::{Auth, Limit};

fn limit(count: u32, period: Period, by: LimitBy) -> Limit {
    Limit { count, period, by }
}

fn ids(service_name: &str, operation: Option<&str>, limits: Vec<Limit>) -> Vec<u64> {
    let policy = model::OperationPolicy { limits, ..model::OperationPolicy::default() };
    let document = service(Auth::Public, Vec::new());
    let rules = Rules::compile(&name(service_name), operation, &document, Some(&policy));
    rules.limits.iter().map(|rule| rule.id).collect()
}

#[test]
fn ids_follow_what_is_counted_and_not_how_many() {
    let base = || vec![per_second(5, LimitBy::Ip)];
    let known = ids("shop", Some("list"), base());
    assert_eq!(known, ids("shop", Some("list"), vec![per_second(9, LimitBy::Ip)]));
    // The same on every machine and in every version: whoever changes this loses users' counts at an upgrade.
    assert_eq!(known, [12503253844564523562]);
    for other in [
        ids("shop", Some("read"), base()),
        ids("till", Some("list"), base()),
        ids("shop", Some("list"), vec![limit(5, Period::Minute, LimitBy::Ip)]),
        ids("shop", Some("list"), vec![per_second(5, LimitBy::App)]),
        ids("shop", Some("list"), vec![per_second(5, LimitBy::Header("ip".to_owned()))]),
        ids("shop", Some("list"), vec![per_second(5, LimitBy::Total)]),
    ] {
        assert_ne!(known, other);
    }
    let header =
        |text: &str| ids("shop", None, vec![per_second(5, LimitBy::Header(text.to_owned()))]);
    assert_eq!(header("X-Tenant"), header("x-tenant"));
    let query =
        |text: &str| ids("shop", None, vec![per_second(5, LimitBy::Query(text.to_owned()))]);
    assert_ne!(query("User"), query("user"));
}

#[test]
fn of_two_alike_the_smaller_holds() {
    let rules = Rules::compile(
        &name("shop"),
        None,
        &service(
            Auth::Public,
            vec![
                per_second(9, LimitBy::App),
                per_second(5, LimitBy::App),
                per_second(7, LimitBy::App),
            ],
        ),
        None,
    );
    assert_eq!(rules.limits.len(), 1);
    assert_eq!(rules.limits[0].window, Window::Sliding { count: 5, period: Period::Second });
}

#[test]
fn what_all_share_is_asked_last() {
    let limits = vec![
        per_second(9, LimitBy::Total),
        per_second(5, LimitBy::App),
        limit(7, Period::Hour, LimitBy::Ip),
    ];
    let rules = Rules::compile(&name("shop"), None, &service(Auth::Public, limits), None);
    let names: Vec<_> = rules.limits.iter().map(|rule| rule.name.to_string()).collect();
    assert_eq!(names, ["second-app", "hour-ip", "second"]);
}

#[test]
fn everything_in_a_plan_is_per_app() {
    let document = model::Plan {
        limits: vec![
            per_second(9, LimitBy::Total),
            per_second(5, LimitBy::App),
            limit(7, Period::Day, LimitBy::Ip),
            limit(7, Period::Minute, LimitBy::Query("q".to_owned())),
        ],
        quota: Some(model::Quota { count: 10, period: QuotaPeriod::Month }),
        concurrency: Some(3),
        ..Default::default()
    };
    let plan = Plan::compile(&name("gold"), &document);
    assert!(plan.limits.iter().all(|rule| rule.by_app));
    let names: Vec<_> = plan.limits.iter().map(|rule| rule.name.to_string()).collect();
    assert_eq!(names, ["plan-second", "plan-24h-ip", "plan-minute-query", "plan-month"]);
    assert_eq!(plan.limits[0].window, Window::Sliding { count: 5, period: Period::Second });
    // An app that changes its plan keeps its counts.
    let silver = Plan::compile(&name("silver"), &document);
    assert_eq!((&plan.limits, plan.gate), (&silver.limits, silver.gate));
}

#[test]
fn operations_replace_auth_and_add_the_rest() {
    let document = model::Service {
        concurrency: Some(10),
        ..service(key_auth(Some("X-Key"), None, false), vec![per_second(9, LimitBy::Total)])
    };
    let policy = model::OperationPolicy {
        auth: Some(Auth::Public),
        limits: vec![per_second(9, LimitBy::Total)],
        concurrency: Some(2),
        ..model::OperationPolicy::default()
    };
    let own = Rules::compile(&name("shop"), Some("list"), &document, Some(&policy));
    let plain = Rules::compile(&name("shop"), Some("read"), &document, None);
    assert_eq!((own.identify.places().len(), plain.identify.places().len()), (0, 1));
    assert_eq!((own.limits.len(), plain.limits.len()), (2, 1));
    assert_eq!(own.gates.iter().map(|gate| gate.max).collect::<Vec<_>>(), [10, 2]);
    assert_eq!(own.gates[0], plain.gates[0]);
    // Operations that have nothing of their own share their service's rules, whatever they are called.
    assert_eq!(plain, Rules::compile(&name("shop"), Some("other"), &document, None));
}
