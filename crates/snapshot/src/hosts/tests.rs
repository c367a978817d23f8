//! Hosts and prefixes against a naive matcher.

use proptest::prelude::*;

use super::Hosts;

type Service = (Vec<Box<str>>, String);

fn build(services: &[Service]) -> Hosts {
    Hosts::build(services.iter().map(|(hosts, prefix)| (&hosts[..], prefix.as_str())))
}

/// All services that take a call, each summed up as (kind of host, length of its wildcard, length of its prefix).
fn naive(services: &[Service], host: &str, path: &str) -> Option<usize> {
    let rank = |(hosts, prefix): &Service| {
        let fits = path == prefix || path.starts_with(&format!("{prefix}/"));
        let by_host = hosts
            .iter()
            .filter_map(|known| match known.strip_prefix('*') {
                Some(suffix) => (host.len() > suffix.len() && host.ends_with(suffix))
                    .then_some((1, suffix.len())),
                None => (**known == *host).then_some((2, 0)),
            })
            .max();
        let by_host = if hosts.is_empty() { Some((0, 0)) } else { by_host };
        by_host.filter(|_| fits).map(|host| (host, prefix.len()))
    };
    services
        .iter()
        .enumerate()
        .filter_map(|(at, service)| Some((rank(service)?, at)))
        .max()
        .map(|(_, at)| at)
}

fn service(hosts: &[&str], prefix: &str) -> Service {
    (hosts.iter().map(|host| Box::from(*host)).collect(), prefix.to_owned())
}

#[test]
fn the_order() {
    let services = [
        service(&[], ""),
        service(&[], "/a"),
        service(&["x.example.com"], "/a/b"),
        service(&["*.example.com"], "/a"),
        service(&["*.com"], ""),
    ];
    let hosts = build(&services);
    for (host, path, expected) in [
        ("other", "/", Some(0)),
        ("other", "/a", Some(1)),
        ("other", "/a/", Some(1)),
        ("other", "/ab", Some(0)),
        ("x.example.com", "/a/b/c", Some(2)),
        ("x.example.com", "/a/bc", Some(3)),
        ("x.example.com", "/q", Some(4)),
        ("example.com", "/a", Some(4)),
        ("y.x.example.com", "/a", Some(3)),
        ("com", "/", Some(0)),
        ("", "/a", Some(1)),
    ] {
        assert_eq!(hosts.find(host, path), expected, "{host}{path}");
        assert_eq!(naive(&services, host, path), expected, "{host}{path}");
    }
    assert_eq!(Hosts::default().find("x", "/"), None);
}

fn host() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]", 1..4).prop_map(|labels| labels.join("."))
}

fn prefix() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]{1,2}", 0..4)
        .prop_map(|parts| parts.iter().map(|part| format!("/{part}")).collect())
}

proptest! {
    #[test]
    fn agrees_with_the_naive_matcher(
        services in prop::collection::btree_set((prop_oneof![Just(String::new()), host(), host().prop_map(|host| format!("*.{host}"))], prefix()), 0..40),
        asked in prop::collection::vec((host(), prefix()), 1..20),
    ) {
        let services: Vec<Service> = services
            .into_iter()
            .map(|(host, prefix)| (if host.is_empty() { vec![] } else { vec![host.into()] }, prefix))
            .collect();
        let hosts = build(&services);
        for (host, path) in &asked {
            let path = if path.is_empty() { "/" } else { path };
            prop_assert_eq!(hosts.find(host, path), naive(&services, host, path), "{}{}", host, path);
        }
    }
}
