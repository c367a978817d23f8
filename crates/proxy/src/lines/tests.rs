//! Lines as maps, with names that are known and others.

use super::*;

#[test]
fn every_name_becomes_itself() {
    for known in Known::all() {
        let map = to_map(format!("{}: x\r\n", known.name().to_uppercase()).as_bytes());
        assert_eq!(map.get(known.name()).map(HeaderValue::as_bytes), Some(&b"x"[..]));
        assert_eq!(map[known.name()].is_sensitive(), known == Known::XRequestId);
    }
}

#[test]
fn lines_keep_their_order_and_what_is_no_field_is_left_out() {
    let map = to_map(
        b"Set-Cookie: a=1\r\nX-Odd:  two  words \r\nset-cookie:b=2\r\nb\xffd: x\r\nEmpty:\r\n",
    );
    let fields: Vec<_> =
        map.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    assert_eq!(
        fields,
        [
            ("set-cookie", &b"a=1"[..]),
            ("set-cookie", b"b=2"),
            ("x-odd", b"two  words"),
            ("empty", b"")
        ]
    );
}
