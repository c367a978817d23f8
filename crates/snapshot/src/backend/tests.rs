//! Addresses taken apart.

use super::{Target, TargetFault};

fn check(url: &str, expected: Result<(bool, bool, &str, u16, &str, &str), TargetFault>) {
    let target = Target::parse(url, 1);
    let found = target.as_ref().map(|target| {
        (
            target.https,
            target.srv,
            &*target.host,
            target.port,
            &*target.base_path,
            &*target.host_header,
        )
    });
    assert_eq!(found, expected.as_ref().copied(), "{url}");
}

#[test]
fn good() {
    check("http://10.0.0.7:8000", Ok((false, false, "10.0.0.7", 8000, "", "10.0.0.7:8000")));
    check("http://Shop.Internal/", Ok((false, false, "shop.internal", 80, "", "shop.internal")));
    check("https://shop/api/v1/", Ok((true, false, "shop", 443, "/api/v1", "shop")));
    check("https://shop:443", Ok((true, false, "shop", 443, "", "shop")));
    check("http://[::1]:81/x", Ok((false, false, "::1", 81, "/x", "[::1]:81")));
    check(
        "http+srv://_http._tcp.shop.internal",
        Ok((false, true, "_http._tcp.shop.internal", 80, "", "_http._tcp.shop.internal")),
    );
}

#[test]
fn bad() {
    for (url, fault) in [
        ("shop:80", TargetFault::Scheme),
        ("ftp://shop", TargetFault::Scheme),
        ("http://", TargetFault::Host),
        ("http://a b", TargetFault::Host),
        ("http://[::1", TargetFault::Host),
        ("http://[zz]", TargetFault::Host),
        ("http://user:pw@shop", TargetFault::User),
        ("http://shop:0", TargetFault::Port),
        ("http://shop:99999", TargetFault::Port),
        ("http://shop:+1", TargetFault::Port),
        ("http://shop?x", TargetFault::Query),
        ("http://shop/#x", TargetFault::Query),
        ("http://shop/a/../b", TargetFault::Path),
    ] {
        check(url, Err(fault));
    }
}
