//! Tests of what stands in `upstream.rs` itself; the rest is tested beside it.

use super::{TargetSpec, bare_host, name_to_verify};

fn check_name(host: &str, srv: bool, expected: &str) {
    let target = TargetSpec {
        https: true,
        srv,
        host: host.into(),
        port: 443,
        base_path: "".into(),
        weight: 1,
        host_header: host.into(),
    };
    assert_eq!(name_to_verify(&target), expected, "{host}");
}

#[test]
fn the_name_that_is_verified_is_the_one_that_was_written() {
    check_name("shop.test", false, "shop.test");
    check_name("shop.test.", false, "shop.test");
    check_name("_http._tcp.shop.test", true, "shop.test");
    check_name("_http._tcp.shop.test", false, "_http._tcp.shop.test");
    check_name("[::1]", false, "::1");
    check_name("_only", true, "_only");
}

#[test]
fn brackets_are_taken_off_in_pairs() {
    assert_eq!(bare_host("[::1]"), "::1");
    assert_eq!(bare_host("::1"), "::1");
    assert_eq!(bare_host("[::1"), "[::1");
}
