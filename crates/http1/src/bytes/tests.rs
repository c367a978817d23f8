//! The fast scans agree with the plain definitions on every byte at every alignment.

use super::{control_at, is_field_value, is_target, is_token, token_end, trimmed};

#[test]
fn control_scan_agrees_with_its_definition() {
    for length in 1..56 {
        for place in 0..length {
            for byte in 0..=255u8 {
                let mut text = vec![b'a'; length];
                text[place] = byte;
                let control = (byte < 0x20 && byte != b'\t') || byte == 0x7f;
                let expected = if control { place } else { length };
                assert_eq!(control_at(&text, 0), expected, "byte {byte:#x} at {place}/{length}");
                assert_eq!(control_at(&text, place), expected);
            }
        }
    }
    // a lower mark's borrow must not hide behind a higher one
    assert_eq!(control_at(b"\x80\xff\x20\x1f\x7f\x00ab", 0), 3);
}

#[test]
fn tokens_are_rfc_9110_tokens() {
    for byte in 0..=255u8 {
        let expected = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        assert_eq!(is_token(&[byte]), expected, "{byte:#x}");
    }
    assert!(!is_token(b""));
    assert!(!is_token(b"a b"));
}

#[test]
fn token_scan_agrees_with_its_definition() {
    for fill in *b"aZ0-~" {
        for length in 1..28 {
            for place in 0..length {
                for byte in 0..=255u8 {
                    let mut text = vec![fill; length];
                    text[place] = byte;
                    let token = byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
                    let expected = if token { length } else { place };
                    let fill = char::from(fill);
                    assert_eq!(
                        token_end(&text, 0),
                        expected,
                        "{byte:#x} at {place}/{length} of {fill}"
                    );
                    assert_eq!(token_end(&text, place), expected);
                }
            }
        }
    }
}

#[test]
fn values_have_no_controls_and_no_padding() {
    for good in [&b""[..], b"a", b"a\tb c", b"\xff\x80"] {
        assert!(is_field_value(good), "{good:?}");
    }
    for bad in [&b" a"[..], b"a ", b"\ta", b"a\r\nb", b"a\0", b"\x7f", b"\n"] {
        assert!(!is_field_value(bad), "{bad:?}");
    }
}

#[test]
fn targets_are_visible_ascii() {
    assert!(is_target(b"/a?b={|}[]^\\%20;,"));
    for bad in [&b""[..], b"/ ", b"/#", b"/\"", b"/<", b"/>", b"/`", b"/\x80", b"/\x7f"] {
        assert!(!is_target(bad), "{bad:?}");
    }
}

#[test]
fn trimming_takes_spaces_and_tabs_only() {
    assert_eq!(trimmed(b" \t a b \t"), b"a b");
    assert_eq!(trimmed(b" \t "), b"");
    assert_eq!(trimmed(b"\ra\n"), b"\ra\n");
}
