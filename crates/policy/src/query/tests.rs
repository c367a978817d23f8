//! Odd queries.

use super::*;

#[track_caller]
fn check(query: &str, name: &str, expected: &[&str]) {
    assert_eq!(values(query, name).collect::<Vec<_>>(), expected, "{query}");
}

#[test]
fn values_are_found_by_their_decoded_name() {
    check("", "key", &[]);
    check("key", "key", &[""]);
    check("key=", "key", &[""]);
    check("key=1&key=2", "key", &["1", "2"]);
    check("a=1&key=x=y&b", "key", &["x=y"]);
    check("%6bey=1&k%65y=2", "key", &["1", "2"]);
    check("KEY=1", "key", &[]);
    check("key%00=1&akey=1&key2=1&&=&", "key", &[]);
    check("k%6=1", "k%6", &["1"]);
    check("a=1;key=2", "key", &[]);
    check("?key=1", "key", &[]);
}

#[test]
fn broken_encoding_stands_for_itself() {
    for (encoded, expected) in [
        ("%41%4a%4A", "AJJ"),
        ("%", "%"),
        ("%4", "%4"),
        ("%zz", "%zz"),
        ("%%41", "%A"),
        ("a+b", "a+b"),
        ("%25%32%35", "%25"),
    ] {
        assert_eq!(
            decoded(encoded.as_bytes()).collect::<Vec<_>>(),
            expected.as_bytes(),
            "{encoded}"
        );
    }
}

#[test]
fn decoding_is_bounded_by_the_room_given() {
    let mut room = [0; 3];
    assert_eq!(decode_into(b"%61%62%63", &mut room), Some(&b"abc"[..]));
    assert_eq!(decode_into(b"abcd", &mut room), None);
    assert_eq!(decode_into(b"", &mut room), Some(&b""[..]));
}

#[test]
fn what_was_encoded_is_decoded_to_the_same() {
    for text in ["", "plain-._~9", "a b&c=d;e+f%g#h", "/?@:", "ключ", "\u{0}\r\n"] {
        let encoded = encode(text);
        assert!(
            encoded.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)),
            "{encoded}"
        );
        assert_eq!(decoded(encoded.as_bytes()).collect::<Vec<_>>(), text.as_bytes(), "{encoded}");
    }
}
