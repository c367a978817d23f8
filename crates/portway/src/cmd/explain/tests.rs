//! How calls may be written.

use super::*;

#[test]
fn calls_as_people_write_them() {
    let cases = [
        ("GET /a/b?x=1", ("GET", None, "/a/b?x=1")),
        ("/a", ("GET", None, "/a")),
        ("  post   /a ", ("post", None, "/a")),
        ("PUT https://api.example.com:8443/a?b#c", ("PUT", Some("api.example.com:8443"), "/a?b")),
        ("http://host", ("GET", Some("host"), "/")),
        ("http://host?x", ("GET", Some("host"), "/?x")),
    ];
    for (text, (method, host, target)) in cases {
        let expected =
            Call { method: method.into(), host: host.map(Into::into), target: target.into() };
        assert_eq!(parse_call(text).unwrap(), expected, "{text}");
    }
    assert!(parse_call("GET a").is_err());
    assert!(parse_headers(&["nonsense".into()]).is_err());
}
