//! Whole decisions.

use std::sync::atomic::Ordering;

use portway_model as model;
use portway_model::{Auth, LimitBy, Period, Quota, QuotaPeriod};

use super::*;
use crate::test_call::{Fields, Hands, app, call, key_auth, keys, name, per_second, service};
use crate::{Credential, MemoryCounters, MemoryKeys, rate_headers};

/// A world with two apps, of which one may only call `shop`.
struct Stage {
    hands: Hands,
    counters: MemoryCounters,
    keys: MemoryKeys,
}

impl Stage {
    fn new(plan: &model::Plan) -> Self {
        let (phone, watch) = (
            app("phone", Some(plan), Some(&["till", "shop"])),
            app("watch", None, Some(&["till"])),
        );
        Self {
            hands: Hands::default(),
            counters: MemoryCounters::default(),
            keys: keys(&[("phone-key", &phone), ("watch-key", &watch)]),
        }
    }

    fn decide(&self, call: &Call<'_>, rules: &Rules) -> Result<Permit, Refusal> {
        let world = World { clock: &self.hands, counters: &self.counters, keys: &self.keys };
        decide(call, rules, &world, &mut |_| {}).map(permit)
    }
}

fn permit(verdict: Verdict) -> Permit {
    match verdict {
        Verdict::Permit(permit) => permit,
        Verdict::HoldBody { .. } => panic!("nobody asked for the body"),
    }
}

fn keyed() -> Auth {
    key_auth(Some("X-Api-Key"), None, false)
}

#[track_caller]
fn refused(decided: Result<Permit, Refusal>) -> Reason {
    decided.expect_err("refused").reason
}

#[test]
fn phases_are_passed_in_order() {
    let stage = Stage::new(&model::Plan::default());
    let rules = Rules::compile(
        &name("shop"),
        None,
        &service(keyed(), vec![per_second(1, LimitBy::Total)]),
        None,
    );
    let marks = |fields: &Fields| {
        let mut marks = Vec::new();
        let world = World { clock: &stage.hands, counters: &stage.counters, keys: &stage.keys };
        let decided = decide(&call(fields, ""), &rules, &world, &mut |phase| marks.push(phase));
        (
            decided.map(|verdict| permit(verdict).credential()).map_err(|refusal| refusal.reason),
            marks,
        )
    };
    let (phone, watch) =
        (Fields::of(&[("X-Api-Key", "phone-key")]), Fields::of(&[("X-Api-Key", "watch-key")]));
    assert_eq!(marks(&Fields::default()), (Err(Reason::CredentialsMissing), vec![]));
    assert_eq!(marks(&watch), (Err(Reason::AppNotAllowed), vec![Phase::Identify]));
    assert_eq!(
        marks(&phone),
        (Ok(Credential::Header), vec![Phase::Identify, Phase::Permit, Phase::Admit])
    );
    assert_eq!(marks(&phone), (Err(Reason::RateLimited), vec![Phase::Identify, Phase::Permit]));
    // What was refused before admit used up nothing: the limit was for one call, and one got through.
}

#[test]
fn limits_of_service_operation_and_plan_all_count() {
    let plan = model::Plan {
        limits: vec![per_second(5, LimitBy::Total)],
        quota: Some(Quota { count: 8, period: QuotaPeriod::Day }),
        concurrency: None,
        ..Default::default()
    };
    let stage = Stage::new(&plan);
    let operation =
        model::OperationPolicy { limits: vec![per_second(3, LimitBy::App)], ..Default::default() };
    let document = service(keyed(), vec![per_second(100, LimitBy::Total)]);
    let create = Rules::compile(&name("shop"), Some("create"), &document, Some(&operation));
    let list = Rules::compile(&name("shop"), Some("list"), &document, None);
    let fields = Fields::of(&[("X-Api-Key", "phone-key")]);
    let call = call(&fields, "");
    for remaining in [2, 1, 0] {
        let permit = stage.decide(&call, &create).expect("three are allowed");
        let limit = permit.limit().expect("a limit");
        assert_eq!((limit.rule.to_string().as_str(), limit.remaining), ("second-app", remaining));
    }
    assert_eq!(refused(stage.decide(&call, &create)), Reason::RateLimited);
    // The plan has five a second: two more of another operation.
    assert_eq!(
        stage.decide(&call, &list).expect("fourth").limit().map(|limit| limit.remaining),
        Some(1)
    );
    assert_eq!(
        stage.decide(&call, &list).expect("fifth").limit().map(|limit| limit.remaining),
        Some(0)
    );
    assert_eq!(refused(stage.decide(&call, &list)), Reason::RateLimited);
    stage.hands.now_us.store(1_000_000, Ordering::Relaxed);
    for _ in 0..3 {
        assert!(stage.decide(&call, &list).is_ok());
    }
    let refusal = stage.decide(&call, &list).expect_err("eight a day");
    assert_eq!(refusal.reason, Reason::QuotaExhausted);
    assert_eq!(rate_headers::retry_after_s(&refusal), Some(86_400));
}

#[test]
fn gates_hold_calls_until_their_permits_are_dropped() {
    let plan = model::Plan { concurrency: Some(2), ..model::Plan::default() };
    let stage = Stage::new(&plan);
    let document = model::Service {
        concurrency: Some(4),
        ..service(keyed(), vec![per_second(100, LimitBy::Total)])
    };
    let operation = model::OperationPolicy { concurrency: Some(1), ..Default::default() };
    let narrow = Rules::compile(&name("shop"), Some("narrow"), &document, Some(&operation));
    let wide = Rules::compile(&name("shop"), Some("wide"), &document, None);
    let fields = Fields::of(&[("X-Api-Key", "phone-key")]);
    let call = call(&fields, "");
    let one = stage.decide(&call, &narrow).expect("the operation's only place");
    assert_eq!(refused(stage.decide(&call, &narrow)), Reason::TooManyConcurrent);
    let two = stage.decide(&call, &wide).expect("the app's second place");
    let refusal = stage.decide(&call, &wide).expect_err("the app has two places");
    assert_eq!(refusal, Refusal::new(Reason::TooManyConcurrent));
    assert_eq!(rate_headers::retry_after_s(&refusal), Some(1));
    drop(one);
    let again = stage.decide(&call, &narrow).expect("free again");
    assert_eq!(
        again.limit().map(|limit| limit.remaining),
        Some(97),
        "calls refused at a gate were not counted"
    );
    drop((two, again));
    assert!(stage.counters.gates().is_empty());
}

#[test]
fn a_refused_limit_leaves_the_gates() {
    let stage = Stage::new(&model::Plan::default());
    let document = model::Service {
        concurrency: Some(1),
        ..service(Auth::Public, vec![per_second(1, LimitBy::Ip)])
    };
    let rules = Rules::compile(&name("open"), None, &document, None);
    let fields = Fields::default();
    drop(stage.decide(&call(&fields, ""), &rules).expect("the first call"));
    assert_eq!(refused(stage.decide(&call(&fields, ""), &rules)), Reason::RateLimited);
    assert!(stage.counters.gates().is_empty());
}

/// With a limit of one a second by `by`: whether the second call is counted together with the first.
#[track_caller]
fn check_together(by: &LimitBy, first: &Call<'_>, second: &Call<'_>, together: bool) {
    let stage = Stage::new(&model::Plan::default());
    let rules = Rules::compile(
        &name("open"),
        None,
        &service(Auth::Public, vec![per_second(1, by.clone())]),
        None,
    );
    stage.decide(first, &rules).expect("the first call");
    assert_eq!(stage.decide(second, &rules).is_err(), together, "{by:?}");
}

#[test]
fn calls_count_for_their_value() {
    let (a, b) = (Fields::of(&[("X-Tenant", "a")]), Fields::of(&[("x-tenant", "b")]));
    let (padded, twice) =
        (Fields::of(&[("X-TENANT", " a ")]), Fields::of(&[("X-Tenant", "b"), ("X-Tenant", "a")]));
    let (none, again) = (Fields::default(), Fields::of(&[("X-Tenant", "c"), ("X-Tenant", "d")]));
    let tenant = || LimitBy::Header("X-Tenant".to_owned());
    check_together(&tenant(), &call(&a, ""), &call(&a, ""), true);
    check_together(&tenant(), &call(&a, ""), &call(&padded, ""), true);
    check_together(&tenant(), &call(&a, ""), &call(&b, ""), false);
    check_together(&tenant(), &call(&a, ""), &call(&none, ""), false);
    check_together(&tenant(), &call(&none, ""), &call(&none, ""), true);
    // Given twice it could be read either way: such calls count with those that have none.
    check_together(&tenant(), &call(&twice, ""), &call(&again, ""), true);
    check_together(&tenant(), &call(&none, ""), &call(&twice, ""), true);
    let user = || LimitBy::Query("user".to_owned());
    check_together(&user(), &call(&none, "user=ab"), &call(&none, "x=1&us%65r=%61b"), true);
    check_together(&user(), &call(&none, "user=ab"), &call(&none, "user=ac"), false);
    check_together(&user(), &call(&none, ""), &call(&none, "user=a&user=b"), true);
    check_together(&user(), &call(&none, ""), &call(&none, "user="), false);
    check_together(&LimitBy::Total, &call(&a, "x"), &call(&b, "y"), true);
    check_together(&LimitBy::App, &call(&a, "x"), &call(&b, "y"), true);
}

#[test]
fn calls_count_for_their_network_and_path() {
    let fields = Fields::default();
    let from =
        |address: &str| Call { client: address.parse().expect("an address"), ..call(&fields, "") };
    check_together(&LimitBy::Ip, &from("192.0.2.1"), &from("::ffff:192.0.2.1"), true);
    check_together(&LimitBy::Ip, &from("192.0.2.1"), &from("192.0.2.2"), false);
    check_together(&LimitBy::Ip, &from("2001:db8::1"), &from("2001:db8::2"), true);
    check_together(&LimitBy::Ip, &from("2001:db8::1"), &from("2001:db8:0:1::1"), false);
    let (mut seven, mut eight) = (crate::ParamSpans::default(), crate::ParamSpans::default());
    assert!(seven.push(8, 9) && eight.push(1, 7));
    let names: [Box<str>; 1] = ["id".into()];
    let with = |params| Call { param_names: &names, params, ..call(&fields, "") };
    check_together(&LimitBy::Path("id".to_owned()), &with(&seven), &with(&seven), true);
    check_together(&LimitBy::Path("id".to_owned()), &with(&seven), &with(&eight), false);
    check_together(&LimitBy::Path("no".to_owned()), &with(&seven), &with(&eight), true);
}

#[test]
fn more_limits_than_the_usual_room() {
    let stage = Stage::new(&model::Plan::default());
    let limits: Vec<_> = (0..40)
        .map(|number| model::Limit {
            count: 100 - number,
            period: Period::Hour,
            by: LimitBy::Header(format!("X-{number}")),
        })
        .collect();
    let rules = Rules::compile(&name("open"), None, &service(Auth::Public, limits), None);
    let permit = stage.decide(&call(&Fields::default(), ""), &rules).expect("the first call");
    assert_eq!(permit.limit().map(|limit| (limit.limit, limit.remaining)), Some((61, 60)));
    assert!(permit.app().is_none());
}

#[test]
fn an_operation_may_have_its_own_auth() {
    let stage = Stage::new(&model::Plan::default());
    let open = model::OperationPolicy { auth: Some(Auth::Public), ..Default::default() };
    let document = service(keyed(), Vec::new());
    let rules = Rules::compile(&name("shop"), Some("health"), &document, Some(&open));
    assert!(rules.is_empty());
    assert!(stage.decide(&call(&Fields::default(), ""), &rules).is_ok());
}
