//! Tests of what a record shows.

use super::host_of;

#[test]
fn a_host_is_shown_without_its_port() {
    for (authority, host) in [
        ("api.test", "api.test"),
        ("API.test:8080", "API.test"),
        ("api.test:", "api.test"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[2001:db8::1]", "[2001:db8::1]"),
        ("[2001:db8::1]:443", "[2001:db8::1]"),
        ("", ""),
    ] {
        assert_eq!(host_of(authority.as_bytes()), host.as_bytes(), "{authority}");
    }
}
