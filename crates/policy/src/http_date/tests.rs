//! Dates that are right, odd and wrong.

use super::parse;

#[test]
fn dates_as_they_are_and_as_clients_write_them() {
    for (text, seconds) in [
        ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
        ("Mon, 19 Mar 2018 12:08:40 GMT", Some(1_521_461_320)),
        ("Thu, 11 Mar 2021 08:29:58 GMT", Some(1_615_451_398)),
        ("Thu, 29 Feb 2024 23:59:59 GMT", Some(1_709_251_199)),
        ("Tue, 03 Sept 2024 00:00:00 GMT", Some(1_725_321_600)),
        ("Tue, 3 Sep 2024 00:00:00 GMT", Some(1_725_321_600)),
        ("Mon, 03 Sep 2024 00:00:00 GMT", Some(1_725_321_600)),
        ("Wed, 31 Dec 1969 23:59:59 GMT", Some(-1)),
        ("", None),
        ("Thu, 30 Feb 2024 00:00:00 GMT", None),
        ("Thu, 29 Feb 2023 00:00:00 GMT", None),
        ("Thu, 29 Feb 1900 00:00:00 GMT", None),
        ("Thu, 00 Jan 1970 00:00:00 GMT", None),
        ("Thu, 01 Jan 1970 24:00:00 GMT", None),
        ("Thu, 01 Jan 1970 00:60:00 GMT", None),
        ("Thu, 01 Jan 1970 00:00 GMT", None),
        ("Thu, 01 Jan 1970 00:00:00:00 GMT", None),
        ("Thu, 01 Jan 1970 00:00:00", None),
        ("Thu, 01 Jan 1970 00:00:00 CST", None),
        ("Thu, 01 Jan 1970 00:00:00 GMT ", None),
        ("Thu, 01 Jan 1970  00:00:00 GMT", None),
        ("Thu, 01 jan 1970 00:00:00 GMT", None),
        ("Thu, 01 Jan +970 00:00:00 GMT", None),
        ("Thu, 01 Jan 70 00:00:00 GMT", None),
        ("Thursday, 01-Jan-70 00:00:00 GMT", None),
        ("1970-01-01T00:00:00Z", None),
        ("Th\u{fc}, 01 Jan 1970 00:00:00 GMT", None),
    ] {
        assert_eq!(parse(text.as_bytes()), seconds, "{text}");
    }
    let mut long = b"Thu, 01 Jan 1970 00:00:00 GMT".to_vec();
    long.resize(1 << 20, b' ');
    assert_eq!(parse(&long), None);
    assert_eq!(parse(b"Thu, 01 Jan 1970 00:00:00 GM\xff"), None);
}
