//! Tests of which targets are the admin listener.

use super::*;

fn check(admin: &str, url: &str, expected: bool) {
    let target = Target::parse(url, 1).expect("a target");
    assert_eq!(is_admin(&target, admin.parse().expect("an address")), expected, "{url} {admin}");
}

#[test]
fn every_way_to_write_the_own_address() {
    for url in [
        "http://127.0.0.1:9901",
        "https://127.0.0.1:9901/metrics",
        "http://127.9.9.9:9901",
        "http://localhost:9901",
        "http://LOCALHOST.:9901",
        "http://any.localhost:9901",
        "http://[::1]:9901",
        "http://[::ffff:127.0.0.1]:9901",
        "http://0.0.0.0:9901",
        "http://[::]:9901",
    ] {
        for admin in ["127.0.0.1:9901", "[::1]:9901", "0.0.0.0:9901", "[::]:9901"] {
            check(admin, url, true);
        }
        check("127.0.0.1:9902", url, false);
        check("10.0.0.1:9901", url, false);
    }
    check("10.0.0.1:9901", "http://10.0.0.1:9901", true);
    check("10.0.0.1:9901", "http://[::ffff:10.0.0.1]:9901", true);
    check("127.0.0.1:9901", "http://10.0.0.1:9901", false);
    check("127.0.0.1:9901", "http://shop.test:9901", false);
    check("127.0.0.1:80", "http://127.0.0.1", true);
}
