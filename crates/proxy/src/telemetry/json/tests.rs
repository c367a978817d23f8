//! What is written can always be read as JSON, and disturbs no terminal.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(text: &[u8], expected: &str) {
    let mut out = Vec::new();
    push_escaped(&mut out, text);
    assert_eq!(std::str::from_utf8(&out).unwrap(), expected);
}

#[test]
fn plain_text_is_kept() {
    check(b"", "");
    check(b"/shop/orders/7", "/shop/orders/7");
    check("/größe/日本/🦀".as_bytes(), "/größe/日本/🦀");
}

#[test]
fn what_ends_a_string_or_a_line_is_escaped() {
    check(b"a\"b\\c", "a\\\"b\\\\c");
    check(b"one\r\n{\"status\":200}", "one\\r\\n{\\\"status\\\":200}");
    check(b"tab\tnul\0", "tab\\tnul\\u0000");
    check("a\u{2028}b\u{2029}c\u{85}d".as_bytes(), "a\\u2028b\\u2029c\\u0085d");
}

#[test]
fn what_steers_a_terminal_is_escaped() {
    check(b"\x1b[31mred\x1b[0m", "\\u001b[31mred\\u001b[0m");
    check("\u{9b}31m".as_bytes(), "\\u009b31m");
    check(b"\x7f", "\\u007f");
    check("a\u{202e}b\u{2066}c".as_bytes(), "a\\u202eb\\u2066c");
}

#[test]
fn bytes_that_are_not_utf8_become_the_replacement() {
    check(b"a\xffb", "a\u{FFFD}b");
    check(b"\xc3", "\u{FFFD}");
    check(b"\xed\xa0\x80", "\u{FFFD}\u{FFFD}\u{FFFD}");
    check(b"\x9b31m", "\u{FFFD}31m");
}

#[test]
fn every_byte_is_found_at_every_place_of_every_length() {
    for byte in 0..=255_u8 {
        let plain = matches!(byte, 0x20..=0x7E) && byte != b'"' && byte != b'\\';
        for length in 1..27 {
            for place in 0..length {
                let mut text = vec![b'a'; length];
                text[place] = byte;
                assert_eq!(is_plain(&text), plain, "byte {byte:#x} at {place} of {length}");
            }
        }
    }
    assert!(is_plain(b""));
}

#[test]
fn long_text_is_cut_between_characters() {
    let mut out = Vec::new();
    push_bounded(&mut out, "aaaé".as_bytes(), 4);
    assert_eq!(std::str::from_utf8(&out).unwrap(), "aaa…");
    out.clear();
    push_bounded(&mut out, "aa🦀".as_bytes(), 5);
    assert_eq!(std::str::from_utf8(&out).unwrap(), "aa…");
    out.clear();
    push_bounded(&mut out, &[0x80; 9], 5);
    assert!(std::str::from_utf8(&out).unwrap().ends_with('…'));
}

proptest! {
    #[test]
    fn any_bytes_read_back_as_their_lossy_text(text in proptest::collection::vec(any::<u8>(), 0..80)) {
        let mut out = vec![b'"'];
        push_escaped(&mut out, &text);
        out.push(b'"');
        let read: String = serde_json::from_slice(&out).unwrap();
        prop_assert_eq!(read, String::from_utf8_lossy(&text));
        prop_assert!(!out.iter().any(|b| *b < 0x20 || *b == 0x7F));
    }
}
