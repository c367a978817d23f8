//! Tests of names with a resolver whose answers are written down, on a clock that is moved.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicUsize;

use super::super::resolve::Asked;
use super::*;

/// What a question of the script is answered with.
#[derive(Clone)]
pub(in crate::upstream) enum Says {
    Addresses(Vec<IpAddr>, u32),
    /// What the hosts file has.
    Local(Vec<IpAddr>),
    Services(Vec<Service>, u32),
    Absent,
    Failed,
    /// Never answers.
    Silent,
}

/// Answers by name and type (`a`, `aaaa`, `srv`), in order; the last one again and again. What is not in it is absent.
#[derive(Default)]
pub(in crate::upstream) struct Script {
    says: Mutex<HashMap<(String, &'static str), VecDeque<Says>>>,
    pub(in crate::upstream) asked: AtomicUsize,
}

impl Script {
    pub(in crate::upstream) fn new(says: &[(&str, &'static str, &[Says])]) -> Arc<Self> {
        let script = Self::default();
        for (name, of, answers) in says {
            lock(&script.says).insert(((*name).to_owned(), of), answers.iter().cloned().collect());
        }
        Arc::new(script)
    }

    fn next(&self, name: &str, of: &'static str) -> Says {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut says = lock(&self.says);
        let Some(answers) = says.get_mut(&(name.to_owned(), of)) else { return Says::Absent };
        if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() }
    }
}

impl Resolve for Script {
    fn addresses<'a>(&'a self, name: &'a str, family: Family) -> Asked<'a, IpAddr> {
        Box::pin(async move {
            match self.next(name, if family == Family::V4 { "a" } else { "aaaa" }) {
                Says::Addresses(records, ttl_s) => Ok(Found { records, ttl_s, is_local: false }),
                Says::Local(records) => Ok(Found { records, ttl_s: 10, is_local: true }),
                Says::Failed => Err(NotFound::Failed("SERVFAIL".into())),
                Says::Silent => std::future::pending().await,
                Says::Absent | Says::Services(..) => Err(NotFound::Absent),
            }
        })
    }

    fn services<'a>(&'a self, name: &'a str) -> Asked<'a, Service> {
        Box::pin(async move {
            match self.next(name, "srv") {
                Says::Services(records, ttl_s) => Ok(Found { records, ttl_s, is_local: false }),
                Says::Failed => Err(NotFound::Failed("SERVFAIL".into())),
                Says::Silent => std::future::pending().await,
                Says::Absent | Says::Addresses(..) | Says::Local(_) => Err(NotFound::Absent),
            }
        })
    }
}

/// The clock of the paused runtime.
pub(in crate::upstream) fn test_clock() -> NowMs {
    let start = tokio::time::Instant::now();
    Arc::new(move || start.elapsed().as_millis() as u64)
}

fn names(script: &Arc<Script>) -> Names {
    let resolver: Arc<dyn Resolve> = Arc::clone(script) as _;
    Names::new(resolver, Handle::current(), test_clock(), Arc::new(|_| {}))
}

fn host(name: &str) -> Question {
    Question { name: name.into(), srv: false }
}

pub(in crate::upstream) fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

pub(in crate::upstream) fn a(texts: &[&str]) -> Says {
    Says::Addresses(ips(texts), 10)
}

/// Lets time pass, in steps, so that everything due in between happens.
async fn pass(ms: u64) {
    tokio::time::sleep(Duration::from_millis(ms)).await;
    tokio::task::yield_now().await;
}

/// After each number of seconds, the addresses in use and whether they are stale.
async fn check(answers: &[(&str, &'static str, &[Says])], expected: &[(u64, &[&str], bool)]) {
    let script = Script::new(answers);
    let names = names(&script);
    let name = names.watch(&host("shop.test"));
    let mut at_s = 0;
    for (then_s, addresses, stale) in expected {
        pass((then_s - at_s) * 1_000 + 10).await;
        at_s = *then_s;
        let view = name.view();
        assert_eq!(view.addresses, ips(addresses), "after {then_s} s: {view:?}");
        assert_eq!(view.stale_since_ms.is_some(), *stale, "after {then_s} s: {view:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn asked_again_when_the_ttl_is_over() {
    let answers = [a(&["10.0.0.1"]), a(&["10.0.0.2"])];
    check(
        &[("shop.test", "a", &answers)],
        &[(0, &["10.0.0.1"], false), (9, &["10.0.0.1"], false), (11, &["10.0.0.2"], false)],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn both_families_are_used() {
    let v6 = [a(&["fd00::1"])];
    check(
        &[("shop.test", "a", &[a(&["10.0.0.2", "10.0.0.1"])]), ("shop.test", "aaaa", &v6)],
        &[(0, &["10.0.0.1", "10.0.0.2", "fd00::1"], false)],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_last_good_answer_outlives_every_failure() {
    for failure in [Says::Absent, Says::Failed, Says::Silent, Says::Addresses(Vec::new(), 1)] {
        let answers = [a(&["10.0.0.1"]), failure];
        check(
            &[("shop.test", "a", &answers)],
            &[(0, &["10.0.0.1"], false), (16, &["10.0.0.1"], true), (100_000, &["10.0.0.1"], true)],
        )
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_failed_family_keeps_its_own_and_an_absent_one_goes() {
    let v4 = [a(&["10.0.0.1"])];
    let failing = [a(&["fd00::1"]), Says::Failed];
    check(
        &[("shop.test", "a", &v4), ("shop.test", "aaaa", &failing)],
        &[(11, &["10.0.0.1", "fd00::1"], true)],
    )
    .await;
    let gone = [a(&["fd00::1"]), Says::Absent];
    check(&[("shop.test", "a", &v4), ("shop.test", "aaaa", &gone)], &[(11, &["10.0.0.1"], false)])
        .await;
    let only_v6_fails = [Says::Failed];
    check(
        &[("shop.test", "a", &v4), ("shop.test", "aaaa", &only_v6_fails)],
        &[(11, &["10.0.0.1"], true)],
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn failures_are_tried_again_soon_and_then_less_often() {
    let script = Script::new(&[("shop.test", "a", &[Says::Failed])]);
    let names = names(&script);
    let name = names.watch(&host("shop.test"));
    pass(10).await;
    let mut lookups = Vec::new();
    for _ in 0..6 {
        lookups.push(name.view().lookups);
        pass(10_000).await;
    }
    // At 0, 1, 3, 7, 15, 31, then every 30 seconds.
    assert_eq!(lookups, [1, 4, 5, 5, 6, 6]);
    assert!(!name.is_known());
    assert_eq!(name.view().error.as_deref(), Some("SERVFAIL"));
}

#[tokio::test(start_paused = true)]
async fn a_ttl_is_held_between_a_second_and_five_minutes() {
    for (ttl_s, expected) in [(0, 61), (1, 61), (u32::MAX, 1)] {
        let answers = [Says::Addresses(ips(&["10.0.0.1"]), ttl_s)];
        let script = Script::new(&[("shop.test", "a", &answers)]);
        let names = names(&script);
        let name = names.watch(&host("shop.test"));
        pass(60_100).await;
        assert_eq!(name.view().lookups, expected, "TTL {ttl_s}");
        pass(300_000).await;
        assert!(name.view().lookups > expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_name_that_flaps_every_second_is_followed() {
    let flap: Vec<Says> = (0..40)
        .map(|turn| Says::Addresses(ips(&[if turn % 2 == 0 { "10.0.0.1" } else { "10.0.0.2" }]), 0))
        .collect();
    let script = Script::new(&[("shop.test", "a", &flap)]);
    let names = names(&script);
    let name = names.watch(&host("shop.test"));
    pass(30_010).await;
    let view = name.view();
    assert_eq!((view.lookups, view.changes, view.addresses.len()), (31, 31, 1));
}

#[tokio::test(start_paused = true)]
async fn of_a_thousand_addresses_the_same_256_are_used() {
    let mut all: Vec<IpAddr> =
        (0..1_000_u32).map(|n| IpAddr::from((0x0a00_0000 + n).to_be_bytes())).collect();
    let forwards = Says::Addresses(all.clone(), 1);
    all.reverse();
    let script = Script::new(&[("shop.test", "a", &[forwards, Says::Addresses(all, 1)])]);
    let names = names(&script);
    let name = names.watch(&host("shop.test"));
    pass(10).await;
    let first = name.view();
    assert_eq!(first.addresses.len(), ADDRESSES_MAX);
    pass(5_000).await;
    let later = name.view();
    assert_eq!(later.addresses, first.addresses);
    assert_eq!(later.changes, 1, "an answer in another order is no change");
}

#[tokio::test(start_paused = true)]
async fn addresses_that_are_no_backend_are_refused() {
    let answers = [a(&["169.254.169.254", "0.0.0.0", "224.0.0.1", "255.255.255.255", "10.0.0.1"])];
    check(&[("shop.test", "a", &answers)], &[(0, &["10.0.0.1"], false)]).await;
    let answers = [a(&["fe80::1", "::", "ff02::1", "::ffff:169.254.169.254", "fd00::1"])];
    check(&[("shop.test", "aaaa", &answers)], &[(0, &["fd00::1"], false)]).await;
    let answers = [a(&["169.254.169.254"])];
    check(&[("shop.test", "a", &answers)], &[(0, &[], false)]).await;
}

/// Addresses that the network may not give to a name; a private one beside them is used all the same.
#[tokio::test(start_paused = true)]
async fn f8_addresses_of_the_machine_and_of_metadata_services_are_refused() {
    for refused in [
        "127.0.0.1",
        "127.8.8.8",
        "0.0.0.0",
        "0.1.2.3",
        "169.254.169.254",
        "169.254.0.23",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
    ] {
        check(
            &[("shop.test", "a", &[a(&[refused, "10.0.0.1"])])],
            &[(0, &["10.0.0.1"], false), (30, &["10.0.0.1"], false)],
        )
        .await;
        check(&[("shop.test", "a", &[a(&[refused])])], &[(0, &[], false), (30, &[], false)]).await;
        // Once there was a good answer, that one stays.
        let rebinds = [a(&["10.0.0.1"]), a(&[refused])];
        check(&[("shop.test", "a", &rebinds)], &[(30, &["10.0.0.1"], true)]).await;
    }
    for refused in [
        "::1",
        "::",
        "fe80::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "fd00:ec2::254",
        "fd20:ce::254",
    ] {
        check(
            &[("shop.test", "aaaa", &[a(&[refused, "fd00::1"])])],
            &[(0, &["fd00::1"], false), (30, &["fd00::1"], false)],
        )
        .await;
    }
    // SRV records with an address for a host are no way round it.
    let services = [Says::Services(vec![service(0, 0, 80, "127.0.0.1.")], 1)];
    let script = Script::new(&[("_http._tcp.shop.test", "srv", &services)]);
    let names = names(&script);
    let name = names.watch(&Question { name: "_http._tcp.shop.test".into(), srv: true });
    pass(10).await;
    assert_eq!((name.places().len(), name.view().refused), (0, 1));
    assert!(name.view().error.is_some_and(|error| error.contains("`localhost`")));
}

#[tokio::test(start_paused = true)]
async fn what_the_machine_itself_says_may_be_the_machine() {
    check(
        &[("shop.test", "a", &[Says::Local(ips(&["127.0.1.1"]))])],
        &[(0, &["127.0.1.1"], false), (30, &["127.0.1.1"], false)],
    )
    .await;
    let metadata = [Says::Local(ips(&["169.254.169.254"]))];
    check(&[("shop.test", "a", &metadata)], &[(0, &[], false)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_public_name_cannot_turn_private() {
    for private in ["10.0.0.1", "127.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1"] {
        let answers = [
            a(&["93.184.216.34"]),
            a(&[private]),
            a(&["93.184.216.35", private]),
            a(&["93.184.216.36"]),
        ];
        check(
            &[("shop.test", "a", &answers)],
            &[
                (0, &["93.184.216.34"], false),
                (10, &["93.184.216.34"], true),
                (11, &["93.184.216.35"], false),
                (22, &["93.184.216.36"], false),
            ],
        )
        .await;
    }
    // A private name may become public, and stays held to that.
    let answers = [a(&["10.0.0.1"]), a(&["93.184.216.34"]), a(&["10.0.0.1"])];
    check(
        &[("shop.test", "a", &answers)],
        &[(10, &["93.184.216.34"], false), (20, &["93.184.216.34"], true)],
    )
    .await;
    for private in ["::1", "fd00::1", "::ffff:10.0.0.1"] {
        let answers = [a(&["2606:2800:220:1::1"]), a(&[private])];
        check(&[("shop.test", "aaaa", &answers)], &[(11, &["2606:2800:220:1::1"], true)]).await;
    }
}

fn service(priority: u16, weight: u16, port: u16, host: &str) -> Service {
    Service { priority, weight, port, host: host.into() }
}

#[tokio::test(start_paused = true)]
async fn srv_records_give_ports_levels_and_shares() {
    let services = [
        service(20, 0, 9_000, "backup.test."),
        service(10, 3, 8_001, "one.test."),
        service(10, 0, 8_002, "two.test."),
    ];
    let script = Script::new(&[
        ("_http._tcp.shop.test", "srv", &[Says::Services(services.to_vec(), 60)]),
        ("one.test.", "a", &[a(&["10.0.0.1", "10.0.0.2"])]),
        ("two.test.", "a", &[a(&["10.0.0.3"])]),
        ("backup.test.", "a", &[a(&["10.0.0.9"])]),
    ]);
    let names = names(&script);
    let name = names.watch(&Question { name: "_http._tcp.shop.test".into(), srv: true });
    pass(10).await;
    let places: Vec<_> = name
        .places()
        .iter()
        .map(|place| {
            (place.ip.to_string(), place.port.unwrap(), place.level, place.weight, place.of)
        })
        .collect();
    let of = |ip: &str, port, level, weight, of| (ip.to_owned(), port, level, weight, of);
    assert_eq!(
        places,
        [
            of("10.0.0.1", 8_001, 0, 300, 2),
            of("10.0.0.2", 8_001, 0, 300, 2),
            of("10.0.0.3", 8_002, 0, 1, 1),
            of("10.0.0.9", 9_000, 1, 1, 1),
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn srv_records_and_their_hosts_are_kept_like_any_answer() {
    let services = Says::Services(vec![service(0, 0, 80, "one.test.")], 1);
    let script = Script::new(&[
        ("_http._tcp.shop.test", "srv", &[services, Says::Failed]),
        ("one.test.", "a", &[a(&["10.0.0.1"]), Says::Absent, a(&["10.0.0.2"])]),
    ]);
    let names = names(&script);
    let name = names.watch(&Question { name: "_http._tcp.shop.test".into(), srv: true });
    pass(10).await;
    assert!(name.view().stale_since_ms.is_none());
    pass(1_000).await;
    assert_eq!(name.view().addresses, ips(&["10.0.0.1"]));
    assert!(name.view().stale_since_ms.is_some());
    // The hosts of the records that are known are asked for though the records themselves fail.
    pass(5_000).await;
    assert_eq!(name.view().addresses, ips(&["10.0.0.2"]));
}

#[tokio::test(start_paused = true)]
async fn a_name_is_asked_for_once_and_forgotten_with_its_last_user() {
    let script = Script::new(&[("shop.test", "a", &[Says::Addresses(ips(&["10.0.0.1"]), 1)])]);
    let names = names(&script);
    let (one, two) = (names.watch(&host("shop.test")), names.watch(&host("shop.test")));
    assert!(Arc::ptr_eq(&one, &two));
    pass(10).await;
    assert_eq!(script.asked.load(Ordering::Relaxed), 2);
    drop((one, two));
    pass(60_000).await;
    assert_eq!(script.asked.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn first_answers_are_awaited_within_bounds() {
    let script = Script::new(&[
        ("slow.test", "a", &[Says::Silent]),
        ("shop.test", "a", &[a(&["10.0.0.1"])]),
    ]);
    let names = names(&script);
    let shop = names.watch(&host("shop.test"));
    names.first_answers(Duration::from_secs(2)).await;
    assert!(shop.is_known());
    let slow = names.watch(&host("slow.test"));
    let began = tokio::time::Instant::now();
    names.first_answers(Duration::from_secs(2)).await;
    assert_eq!(began.elapsed(), Duration::from_secs(2));
    assert!(!slow.is_known());
}
