//! Tests of a backend at run time: ejection, breaker, levels and reloads, with the clock moved by hand.

use std::sync::atomic::AtomicU64;

use super::*;
use crate::upstream::names::tests::{Says, Script, a, ips};
use crate::upstream::{BackendSpec, Condition, InFlight, Outcome, TargetSpec, Upstreams};

/// Backends with a clock.
struct Stage {
    upstreams: Upstreams,
    clock: Arc<AtomicU64>,
    counted: Arc<Mutex<Vec<Event>>>,
}

impl Stage {
    /// On a clock that stands still until it is moved.
    fn new(script: Arc<Script>) -> Self {
        let clock = Arc::new(AtomicU64::new(1_000));
        let now_ms: NowMs = Arc::new({
            let clock = Arc::clone(&clock);
            move || clock.load(Ordering::Relaxed)
        });
        let counted = Arc::<Mutex<Vec<Event>>>::default();
        let count: Count = Arc::new({
            let counted = Arc::clone(&counted);
            move |event| counted.lock().unwrap().push(event)
        });
        Self { upstreams: Upstreams::new(Handle::current(), now_ms, script, count), clock, counted }
    }

    fn now_ms(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    fn after(&self, ms: u64) {
        self.clock.fetch_add(ms, Ordering::Relaxed);
    }

    fn bind(&self, document: &model::Backend) -> Arc<BackendState> {
        self.upstreams.bind(vec![spec("shop", document)]).unwrap().remove(0)
    }

    fn call(
        &self,
        state: &BackendState,
        outcome: impl Fn(&Endpoint) -> Outcome,
    ) -> Option<EndpointId> {
        let endpoint = state.pick(&state.targets(), None, self.now_ms()).ok()?;
        let mut call = Arc::clone(&endpoint).begin();
        call.report(outcome(&endpoint), self.now_ms());
        Some(endpoint.id)
    }

    fn conditions(&self, state: &BackendState) -> Vec<Condition> {
        let mut endpoints = state.view(self.now_ms()).endpoints;
        endpoints.sort_by_key(|endpoint| endpoint.address);
        endpoints.iter().map(|endpoint| endpoint.condition).collect()
    }
}

const FAILED: Outcome = Outcome::Failed(Fault::ConnectFailed);

/// A backend of plain targets, each `host:port`.
fn document(targets: &[&str]) -> model::Backend {
    let target = |url: &&str| model::Target { url: (*url).to_owned(), weight: 1 };
    model::Backend::new(targets.iter().map(target).collect())
}

fn spec(key: &str, document: &model::Backend) -> BackendSpec {
    let target = |target: &model::Target| {
        let (host, port) = target.url.rsplit_once(':').unwrap();
        TargetSpec {
            https: false,
            srv: host.starts_with('_'),
            host: host.into(),
            port: port.parse().unwrap(),
            base_path: "".into(),
            weight: target.weight,
            host_header: target.url.as_str().into(),
        }
    };
    BackendSpec {
        key: key.into(),
        targets: document.targets.iter().map(target).collect(),
        document: document.clone(),
        tls: crate::tls::ClientTlsFiles::default(),
    }
}

fn nobody() -> Arc<Script> {
    Script::new(&[])
}

/// Fails at the address that ends so.
fn ill(last: &str) -> impl Fn(&Endpoint) -> Outcome {
    let last = last.to_owned();
    move |endpoint| {
        if endpoint.address.ip().to_string().ends_with(&last) { FAILED } else { Outcome::Answered }
    }
}

#[tokio::test]
async fn failures_in_a_row_eject_one_and_it_comes_back() {
    let stage = Stage::new(nobody());
    let state = stage.bind(&document(&["10.0.0.1:80", "10.0.0.2:80"]));
    // Four each in turn, then five.
    for _ in 0..8 {
        stage.call(&state, ill(".1"));
    }
    assert_eq!(stage.conditions(&state), [Condition::Well; 2]);
    stage.call(&state, ill(".1"));
    stage.call(&state, ill(".1"));
    assert_eq!(stage.conditions(&state), [Condition::Ejected, Condition::Well]);
    assert_eq!(state.view(stage.now_ms()).counts.ejections, 1);
    stage.after(9_999);
    assert_eq!(stage.conditions(&state), [Condition::Ejected, Condition::Well]);
    stage.after(1);
    assert_eq!(stage.conditions(&state), [Condition::Well; 2]);
    // Again at once: longer.
    for _ in 0..11 {
        stage.call(&state, ill(".1"));
    }
    let view = state.view(stage.now_ms());
    let until: Vec<_> =
        view.endpoints.iter().filter_map(|endpoint| endpoint.ejected_until_ms).collect();
    assert_eq!(until, [stage.now_ms() + 20_000]);
}

#[tokio::test]
async fn a_success_breaks_the_row() {
    let stage = Stage::new(nobody());
    let state = stage.bind(&document(&["10.0.0.1:80", "10.0.0.2:80"]));
    for round in 0..40 {
        stage.call(&state, |_| if round % 10 < 8 { FAILED } else { Outcome::Answered });
        stage.after(1_000);
    }
    assert_eq!(state.view(stage.now_ms()).counts.ejections, 0);
}

#[tokio::test]
async fn never_more_than_the_stated_part_is_ejected_and_one_stays() {
    for (targets, max_percent, expected) in
        [(1, 100, 0), (2, 50, 1), (3, 50, 1), (4, 50, 2), (4, 100, 3), (10, 30, 3), (4, 0, 0)]
    {
        let stage = Stage::new(nobody());
        let urls: Vec<String> = (1..=targets).map(|n| format!("10.0.0.{n}:80")).collect();
        let mut document = document(&urls.iter().map(String::as_str).collect::<Vec<_>>());
        document.passive.max_percent = max_percent;
        document.breaker.failure_percent = 0;
        let state = stage.bind(&document);
        for _ in 0..targets * 20 {
            stage.call(&state, |_| FAILED);
        }
        let ejected = stage
            .conditions(&state)
            .iter()
            .filter(|condition| **condition == Condition::Ejected)
            .count();
        assert_eq!(ejected, expected, "{targets} targets, {max_percent} %");
        assert!(state.pick(&state.targets(), None, stage.now_ms()).is_ok());
    }
}

#[tokio::test]
async fn poor_answers_open_the_breaker_but_eject_nobody() {
    let stage = Stage::new(nobody());
    let state = stage.bind(&document(&["10.0.0.1:80", "10.0.0.2:80"]));
    // Two are poor: one is opened, and the other is the last that is left.
    for _ in 0..80 {
        stage.call(&state, |_| Outcome::AnsweredBad);
    }
    let mut conditions = stage.conditions(&state);
    conditions.sort_by_key(|condition| condition.word());
    assert_eq!(conditions, [Condition::Open, Condition::Well]);
    let counts = state.view(stage.now_ms()).counts;
    assert_eq!((counts.ejections, counts.breaker_openings), (0, 1));
}

#[tokio::test]
async fn with_every_breaker_open_there_is_no_target() {
    let stage = Stage::new(nobody());
    let state = stage.bind(&document(&["10.0.0.1:80"]));
    for _ in 0..20 {
        stage.call(&state, |_| FAILED);
    }
    assert_eq!(
        state.pick(&state.targets(), None, stage.now_ms()).unwrap_err(),
        Failure::last(Fault::NoTarget)
    );
    assert_eq!(state.view(stage.now_ms()).counts.no_target, 1);
    // After the rest: one probe at a time, three of them.
    stage.after(5_000);
    for _ in 0..3 {
        let probe = state.pick(&state.targets(), None, stage.now_ms()).unwrap();
        let mut probe = probe.begin();
        assert!(state.pick(&state.targets(), None, stage.now_ms()).is_err());
        probe.report(Outcome::Answered, stage.now_ms());
    }
    assert_eq!(stage.conditions(&state), [Condition::Well]);
}

#[tokio::test]
async fn what_happens_to_targets_is_counted() {
    let stage = Stage::new(nobody());
    let mut document = document(&["10.0.0.1:80", "10.0.0.2:80"]);
    document.breaker.min_calls = 10;
    let state = stage.bind(&document);
    for _ in 0..40 {
        stage.call(&state, |_| FAILED);
    }
    let counted = |event| stage.counted.lock().unwrap().iter().filter(|e| **e == event).count();
    let counts = state.view(stage.now_ms()).counts;
    assert!(counts.ejections > 0 && counts.breaker_openings > 0);
    assert_eq!(counted(Event::Ejected) as u64, counts.ejections);
    assert_eq!(counted(Event::BreakerOpened) as u64, counts.breaker_openings);
}

#[tokio::test]
async fn a_probe_whose_caller_goes_away_is_no_verdict() {
    let stage = Stage::new(nobody());
    let state = stage.bind(&document(&["10.0.0.1:80"]));
    for _ in 0..20 {
        stage.call(&state, |_| FAILED);
    }
    stage.after(5_000);
    drop(state.pick(&state.targets(), None, stage.now_ms()).unwrap().begin());
    state
        .pick(&state.targets(), None, stage.now_ms())
        .unwrap()
        .begin()
        .report(Outcome::Abandoned, stage.now_ms());
    assert_eq!(stage.conditions(&state), [Condition::Probing]);
    assert!(state.pick(&state.targets(), None, stage.now_ms()).is_ok());
}

#[tokio::test]
async fn calls_from_before_do_not_keep_a_healed_target_out() {
    let stage = Stage::new(nobody());
    let state = stage.bind(&document(&["10.0.0.1:80"]));
    // Forty calls hang in a black hole; the first twenty time out and open the breaker.
    let mut calls: Vec<InFlight> = (0..40)
        .map(|_| state.pick(&state.targets(), None, stage.now_ms()).unwrap().begin())
        .collect();
    stage.after(3_000);
    let late = calls.split_off(20);
    calls
        .iter_mut()
        .for_each(|call| call.report(Outcome::Failed(Fault::ConnectTimeout), stage.now_ms()));
    assert_eq!(stage.conditions(&state), [Condition::Open]);
    // It heals; three probes succeed, while the others time out one after the other.
    stage.after(5_000);
    let mut late = late.into_iter();
    for _ in 0..3 {
        let mut probe = state.pick(&state.targets(), None, stage.now_ms()).unwrap().begin();
        late.by_ref().take(5).for_each(|mut call| {
            call.report(Outcome::Failed(Fault::FirstByteTimeout), stage.now_ms())
        });
        probe.report(Outcome::Answered, stage.now_ms());
    }
    late.for_each(|mut call| call.report(Outcome::Failed(Fault::FirstByteTimeout), stage.now_ms()));
    assert_eq!(stage.conditions(&state), [Condition::Well]);
}

#[tokio::test]
async fn a_black_hole_is_out_within_ten_seconds_and_back_within_five() {
    let stage = Stage::new(nobody());
    let state = stage.bind(&document(&["10.0.0.1:80"]));
    // Ten calls a second, each of which times out after three seconds.
    let mut under_way: std::collections::VecDeque<(u64, InFlight)> =
        std::collections::VecDeque::new();
    let mut opened_ms = None;
    for _ in 0..100 {
        if let Ok(endpoint) = state.pick(&state.targets(), None, stage.now_ms()) {
            under_way.push_back((stage.now_ms() + 3_000, endpoint.begin()));
        }
        while under_way.front().is_some_and(|(due_ms, _)| *due_ms <= stage.now_ms()) {
            let (_, mut call) = under_way.pop_front().unwrap();
            call.report(Outcome::Failed(Fault::ConnectTimeout), stage.now_ms());
        }
        if stage.conditions(&state) == [Condition::Open] {
            opened_ms.get_or_insert(stage.now_ms() - 1_000);
        }
        stage.after(100);
    }
    assert!(opened_ms.unwrap() <= 10_000, "{opened_ms:?}");
    under_way.clear();
    let healed_ms = stage.now_ms();
    while stage.conditions(&state) != [Condition::Well] {
        stage.call(&state, |_| Outcome::Answered);
        stage.after(100);
    }
    assert!(stage.now_ms() - healed_ms <= 5_000 + 500);
}

#[tokio::test]
async fn a_known_key_keeps_its_state_and_its_endpoints() {
    let stage = Stage::new(nobody());
    let mut document = document(&["10.0.0.1:80", "10.0.0.2:80"]);
    let state = stage.bind(&document);
    for _ in 0..11 {
        stage.call(&state, ill(".1"));
    }
    let slot = state.try_enter(0).unwrap();
    document.targets.push(model::Target { url: "10.0.0.3:80".to_owned(), weight: 1 });
    document.timeouts.connect = model::Duration::from_ms(7);
    let again = stage.bind(&document);
    assert!(Arc::ptr_eq(&state, &again));
    assert_eq!(stage.conditions(&again), [Condition::Ejected, Condition::Well, Condition::Well]);
    assert_eq!(again.settings().connect_timeout_ms, 7);
    assert_eq!(again.view(0).in_flight, 1);
    drop(slot);
    assert_eq!(again.view(0).in_flight, 0);
}

#[tokio::test]
async fn what_is_no_longer_named_is_retired_and_still_serves_those_who_hold_it() {
    let stage = Stage::new(nobody());
    let state = stage.bind(&document(&["10.0.0.1:80", "10.0.0.2:80"]));
    let one = state.pick(&state.targets(), None, 0).unwrap();
    let other = state.pick(&state.targets(), None, 0).unwrap();
    let kept =
        if one.address.ip().to_string() == "10.0.0.1" { (&one, &other) } else { (&other, &one) };
    stage.bind(&document(&["10.0.0.1:80"]));
    assert!(kept.0.is_current() && !kept.1.is_current());
    // Back within a minute: the same endpoint.
    stage.bind(&document(&["10.0.0.1:80", "10.0.0.2:80"]));
    assert!(kept.1.is_current());
    stage.upstreams.bind(Vec::new()).unwrap();
    assert!(!one.is_current() && !other.is_current());
    assert!(
        state.pick(&state.targets(), None, 0).is_ok(),
        "a call that began before may be tried again"
    );
    assert!(stage.upstreams.views().is_empty());
}

#[tokio::test]
async fn a_snapshot_keeps_the_targets_that_it_was_bound_with() {
    let stage = Stage::new(nobody());
    let address = |state: &BackendState, targets: &Targets| {
        state.pick(targets, None, 0).unwrap().address.ip().to_string()
    };
    let state = stage.bind(&document(&["10.0.0.1:80"]));
    let before = state.targets();
    stage.bind(&document(&["10.0.0.9:80"]));
    let now = state.targets();
    assert_eq!(address(&state, &before), "10.0.0.1");
    assert_eq!(address(&state, &now), "10.0.0.9");
    // What was published for another reason shares what names come to later.
    stage.bind(&document(&["10.0.0.9:80"]));
    assert!(Arc::ptr_eq(&now, &state.targets()));
}

#[tokio::test]
async fn rules_that_are_switched_off_let_everything_back_in() {
    let stage = Stage::new(nobody());
    let mut document = document(&["10.0.0.1:80", "10.0.0.2:80"]);
    let state = stage.bind(&document);
    for _ in 0..100 {
        stage.call(&state, |_| FAILED);
    }
    assert!(!stage.conditions(&state).contains(&Condition::Well));
    document.passive.failures = 0;
    document.breaker.failure_percent = 0;
    stage.bind(&document);
    assert_eq!(stage.conditions(&state), [Condition::Well; 2]);
    for _ in 0..100 {
        stage.call(&state, |_| FAILED);
    }
    assert_eq!(stage.conditions(&state), [Condition::Well; 2]);
}

#[tokio::test]
async fn weights_hold_over_names_and_addresses() {
    let script = Script::new(&[("shop.test", "a", &[a(&["10.0.0.1", "10.0.0.2", "10.0.0.3"])])]);
    let stage = Stage::new(script);
    let mut document = document(&["shop.test:80", "10.0.1.1:80", "10.0.2.1:80"]);
    document.targets[0].weight = 2;
    document.targets[2].weight = 0;
    let state = stage.bind(&document);
    stage.upstreams.first_answers(Duration::from_secs(1)).await;
    let mut shares: Vec<_> = state
        .view(0)
        .endpoints
        .iter()
        .map(|endpoint| (endpoint.address.to_string(), (endpoint.share * 9.0).round() as u32))
        .collect();
    shares.sort();
    let expected = [("10.0.0.1:80", 2), ("10.0.0.2:80", 2), ("10.0.0.3:80", 2), ("10.0.1.1:80", 3)];
    assert_eq!(shares, expected.map(|(address, share)| (address.to_owned(), share)));
}

#[tokio::test(start_paused = true)]
async fn a_name_that_never_answered_is_another_fault_than_no_target() {
    let script = Script::new(&[("shop.test", "a", &[Says::Failed, a(&["10.0.0.1"])])]);
    let stage = Stage::new(script);
    let state = stage.bind(&document(&["shop.test:80"]));
    stage.upstreams.first_answers(Duration::from_secs(1)).await;
    assert_eq!(state.pick(&state.targets(), None, 0).unwrap_err(), Failure::last(Fault::DnsFailed));
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(state.pick(&state.targets(), None, 0).unwrap().address.to_string(), "10.0.0.1:80");
    let view = state.view(0);
    assert_eq!(view.counts.dns_failed, 1);
    assert_eq!((view.names[0].lookups, view.names[0].failures), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn the_old_targets_serve_until_a_new_name_was_asked_for() {
    let script = Script::new(&[
        ("new.test", "a", &[a(&["10.0.0.2"])]),
        ("slow.test", "a", &[Says::Silent, a(&["10.0.0.3"])]),
    ]);
    let stage = Stage::new(script);
    let state = stage.bind(&document(&["10.0.0.1:80"]));
    let at = |state: &BackendState| {
        state.pick(&state.targets(), None, 0).map(|endpoint| endpoint.address.ip().to_string())
    };
    stage.bind(&document(&["new.test:80"]));
    assert_eq!(at(&state), Ok("10.0.0.1".to_owned()));
    stage.upstreams.first_answers(Duration::from_secs(1)).await;
    assert_eq!(at(&state), Ok("10.0.0.2".to_owned()));
    stage.bind(&document(&["slow.test:80"]));
    tokio::time::sleep(Duration::from_millis(4_900)).await;
    assert_eq!(at(&state), Ok("10.0.0.2".to_owned()));
    // A name that does not answer is not hidden by the old one for ever.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(at(&state), Err(Failure::last(Fault::DnsFailed)));
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    assert_eq!(at(&state), Ok("10.0.0.3".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_flaps_keeps_its_breaker() {
    let flap = [
        Says::Addresses(ips(&["10.0.0.1"]), 1),
        Says::Addresses(ips(&["10.0.0.2"]), 1),
        Says::Addresses(ips(&["10.0.0.1"]), 1),
    ];
    let stage = Stage::new(Script::new(&[("shop.test", "a", &flap)]));
    let state = stage.bind(&document(&["shop.test:80"]));
    stage.upstreams.first_answers(Duration::from_secs(1)).await;
    for _ in 0..20 {
        stage.call(&state, |_| FAILED);
    }
    assert_eq!(stage.conditions(&state), [Condition::Open]);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(stage.conditions(&state), [Condition::Well]);
    assert_eq!(state.view(0).endpoints[0].address.to_string(), "10.0.0.2:80");
    tokio::time::sleep(Duration::from_millis(1_000)).await;
    assert_eq!(stage.conditions(&state), [Condition::Open]);
}

#[tokio::test(start_paused = true)]
async fn failing_checks_take_a_target_out_and_its_recovery_ramps() {
    let stage = Stage::new(nobody());
    let open = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = open.local_addr().unwrap().to_string();
    let mut document = document(&[&address]);
    let ms = model::Duration::from_ms;
    document.active = Some(model::Active {
        probe: model::Probe::Tcp,
        interval: ms(1_000),
        timeout: ms(500),
        unhealthy_after: 2,
        healthy_after: 2,
    });
    document.slow_start = Some(ms(10_000));
    let state = stage.bind(&document);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(stage.conditions(&state), [Condition::Well]);
    drop(open);
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(stage.conditions(&state), [Condition::Down]);
    assert!(state.view(0).counts.check_failures >= 2);
    assert!(state.pick(&state.targets(), None, stage.now_ms()).is_err());
    let _open = tokio::net::TcpListener::bind(&address).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(stage.conditions(&state), [Condition::Well]);
    assert!((state.view(stage.now_ms()).endpoints[0].ramp - 0.1).abs() < 0.001);
    // Without checks nothing is down.
    document.active = None;
    stage.bind(&document);
    assert_eq!(stage.conditions(&state), [Condition::Well]);
}

#[tokio::test]
async fn added_targets_ramp_and_the_first_ones_do_not() {
    let stage = Stage::new(nobody());
    let mut document = document(&["10.0.0.1:80"]);
    document.slow_start = Some(model::Duration::from_ms(10_000));
    stage.bind(&document);
    document.targets.push(model::Target { url: "10.0.0.2:80".to_owned(), weight: 1 });
    let state = stage.bind(&document);
    let mut ramps: Vec<f64> =
        state.view(stage.now_ms()).endpoints.iter().map(|endpoint| endpoint.ramp).collect();
    ramps.sort_by(f64::total_cmp);
    assert_eq!(ramps, [0.1, 1.0]);
}

#[tokio::test]
async fn ids_tell_apart_what_must_not_share_connections() {
    let stage = Stage::new(nobody());
    let document = document(&["10.0.0.1:80"]);
    let mut http2 = document.clone();
    http2.protocol = model::Protocol::Http2;
    let specs = vec![spec("one", &document), spec("two", &document), spec("three", &http2)];
    let states = stage.upstreams.bind(specs).unwrap();
    let ids: std::collections::HashSet<_> =
        states.iter().map(|state| state.pick(&state.targets(), None, 0).unwrap().id).collect();
    assert_eq!(ids.len(), 3);
    let again = Stage::new(nobody()).bind(&document);
    let shop = stage.bind(&document);
    assert_eq!(
        again.pick(&again.targets(), None, 0).unwrap().id,
        shop.pick(&shop.targets(), None, 0).unwrap().id,
        "the same in every process"
    );
}

#[test]
fn multiples_stay_small() {
    for (a, b, expected) in
        [(1, 1, 1), (1, 7, 7), (4, 6, 12), (16, 9, 144), (720_720, 17, 720_720), (251, 256, 64_256)]
    {
        assert_eq!(common_multiple(a, b), expected);
    }
}
