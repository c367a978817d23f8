//! The table of `docs/paths.md` row by row, and properties against a slow second opinion.

use proptest::prelude::*;

use super::{Canonical, PathFaultKind, canonical_host, canonical_path};

fn canonical(raw: &[u8]) -> Result<String, PathFaultKind> {
    let mut out = String::new();
    canonical_path(raw, &mut out).map(|path| path.as_str().to_owned()).map_err(|fault| fault.kind)
}

fn check(raw: &str, expected: Result<&str, PathFaultKind>) {
    assert_eq!(canonical(raw.as_bytes()), expected.map(str::to_owned), "{raw:?}");
}

#[test]
fn kept() {
    for path in [
        "/",
        "*",
        "/a",
        "/a/",
        "/a/b.c",
        "/.well-known/x",
        "/a;b=1/c;d",
        "/a:b",
        "/a@b,c!$&'()*+=",
        "/a%20b",
        "/%E4%B8%AD%E6%96%87",
        "/50%25",
        "/50%25off",
        "/a%3Bb",
        "/a%3Fb",
        "/tags/%23rust",
        "/a%2Bb",
        "/~user",
        "/...a",
        "/.hidden",
        "/a..b",
        "/a...",
        "/%2541",
        "/.%E4%B8%AD",
    ] {
        let mut out = String::new();
        assert_eq!(canonical_path(path.as_bytes(), &mut out), Ok(Canonical::Same(path)), "{path}");
    }
    check("", Ok("/"));
}

#[test]
fn normalised() {
    check("/%61dmin", Ok("/admin"));
    check("/%7euser", Ok("/~user"));
    check("/a%2dB", Ok("/a-B"));
    check("/a%2ejson", Ok("/a.json"));
    check("/a%c3%a9", Ok("/a%C3%A9"));
    check("/a%3ab", Ok("/a%3Ab"));
    check("/[a]{b}|^`\"<>", Ok("/%5Ba%5D%7Bb%7D%7C%5E%60%22%3C%3E"));
}

#[test]
fn refused() {
    use PathFaultKind as Kind;
    for (kind, paths) in [
        (Kind::NotAbsolute, &["a", "admin/x", "**", "http://x/y", "%2Fa"][..]),
        (
            Kind::DotSegment,
            &[
                "/.",
                "/..",
                "/a/../b",
                "/a/./b",
                "/a/..",
                "/%2e",
                "/%2E%2e/x",
                "/.%2e/",
                "/..;/a",
                "/.;x=1/a",
                "/...",
                "/a/..../b",
                "/..%20/a",
                "/%20../a",
                "/..%3Bx",
                "/..%253Bx",
                "/%EF%BC%8E%EF%BC%8E/a",
                "/..%3F",
                "/..%23",
            ],
        ),
        (Kind::EmptySegment, &["//", "//a", "/a//b", "/a//", "/;", "/;x/admin", "/%3bx/admin"]),
        (Kind::EncodedSeparator, &["/a%2fb", "/a%2Fb", "/a%5cb", "/..%2f", "/a%2f..%2fb"]),
        (Kind::Backslash, &["/a\\b", "/\\a", "/..\\a"]),
        (Kind::Control, &["/a%00", "/a%0d%0a", "/a%7f", "/a\0", "/a\tb", "/a\u{7f}", "/a%C2%85"]),
        (
            Kind::BrokenEscape,
            &["/%", "/a%", "/a%4", "/a%4/b", "/a%zz", "/a%u002e", "/%%", "/a%/61"],
        ),
        (
            Kind::DoubleEscape,
            &[
                "/%252e%252e/a",
                "/a%252fb",
                "/a%255Cb",
                "/a%25252fb",
                "/a%2500",
                "/a%252525252E",
                "/%25%32%65",
            ],
        ),
        (
            Kind::NotUtf8,
            &[
                "/%C0%AF",
                "/%c0%ae",
                "/%E0%80%AF",
                "/%FF",
                "/%ED%A0%80",
                "/%C3",
                "/%C3a",
                "/%E4%B8",
                "/%80",
            ],
        ),
        (Kind::ForeignByte, &["/a b", "/a#b", "/a?b", "/é"]),
    ] {
        for path in paths {
            check(path, Err(kind));
        }
    }
}

/// `%25%32%65` is `%2e` once decoded: the digits of the inner escape are escaped themselves. What comes
/// out must not be an escape that means something.
#[test]
fn escapes_made_of_escapes() {
    for (raw, hidden) in
        [("/%25%32%65", '.'), ("/%2532%65", '.'), ("/a%25%32%66b", '/'), ("/%25%32%35%32%65", '.')]
    {
        match canonical(raw.as_bytes()) {
            Err(kind) => assert_eq!(kind, PathFaultKind::DoubleEscape, "{raw}"),
            Ok(path) => assert!(!fully_decoded(&path).ends_with(hidden), "{raw} -> {path}"),
        }
    }
}

fn fully_decoded(path: &str) -> String {
    let mut text = path.to_owned();
    for _ in 0..8 {
        let bytes: Vec<u8> = portway_policy::query::decoded(text.as_bytes()).collect();
        text = String::from_utf8_lossy(&bytes).into_owned();
    }
    text
}

/// The rules once more, written for clearness: no table, no fast path, a list of what each segment is.
fn reference(raw: &[u8]) -> Option<String> {
    if raw.is_empty() {
        return Some("/".to_owned());
    }
    if raw == b"*" {
        return Some("*".to_owned());
    }
    let text = std::str::from_utf8(raw).ok()?;
    let segments: Vec<&str> = text.strip_prefix('/')?.split('/').collect();
    let mut result = String::new();
    for (index, segment) in segments.iter().enumerate() {
        let canonical = reference_segment(segment)?;
        if canonical.is_empty() && index + 1 < segments.len() {
            return None;
        }
        result.push('/');
        result.push_str(&canonical);
    }
    Some(result)
}

fn reference_segment(segment: &str) -> Option<String> {
    let mut tokens: Vec<(u8, bool)> = Vec::new();
    let mut chars = segment.chars();
    while let Some(c) = chars.next() {
        if c == '%' {
            let digits: String = chars.by_ref().take(2).collect();
            if digits.len() != 2 || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
                return None;
            }
            tokens.push((u8::from_str_radix(&digits, 16).ok()?, true));
        } else {
            tokens.push((u8::try_from(c).ok().filter(u8::is_ascii_graphic)?, false));
        }
    }
    if tokens.iter().any(|&(byte, escaped)| {
        matches!(byte, b'\\' | b'/')
            || byte < 0x20
            || byte == 0x7f
            || (!escaped && matches!(byte, b'#' | b'?'))
    }) {
        return None;
    }
    let decoded: Vec<u8> = tokens.iter().map(|token| token.0).collect();
    let decoded = String::from_utf8(decoded).ok()?;
    if decoded.chars().any(|c| c.is_control()) {
        return None;
    }
    // An escape that is left in the decoded text: what it stands for, however deep.
    let mut deeper = decoded.clone();
    while let Some(at) = deeper.find("%25") {
        deeper.replace_range(at..at + 3, "%");
    }
    for (at, _) in deeper.match_indices('%') {
        if let Some(value) =
            deeper.get(at + 1..at + 3).and_then(|digits| u8::from_str_radix(digits, 16).ok())
            && !deeper[at + 1..].starts_with('+')
            && (matches!(value, b'.' | b'/' | b'\\' | 0x7f) || value < 0x20)
        {
            return None;
        }
    }
    if decoded.starts_with(';') {
        return None;
    }
    let mut result = String::new();
    for (byte, escaped) in tokens {
        let c = char::from(byte);
        if c.is_ascii_alphanumeric()
            || "-._~".contains(c)
            || (!escaped && "!$&'()*+,;=:@".contains(c))
        {
            result.push(c);
        } else {
            result.push_str(&format!("%{byte:02X}"));
        }
    }
    let shown = result.replace("%EF%BC%8E", ".");
    let after_spaces = shown.replace("%20", " ").trim_start_matches(' ').replace(' ', "%20");
    let after_dots = after_spaces.trim_start_matches('.');
    let cut = after_dots.is_empty()
        || after_dots.starts_with(';')
        || (after_dots.starts_with('%') && after_dots.as_bytes()[1] < b'8');
    if after_dots.len() < after_spaces.len() && cut { None } else { Some(result) }
}

/// Paths of parts that meet often where it hurts.
fn odd_path() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        8 => "[a-zA-Z0-9]{1,3}",
        6 => Just("/".to_owned()),
        3 => Just(".".to_owned()),
        2 => Just(";".to_owned()),
        3 => "%[0-9a-fA-F]{2}",
        2 => Just("%2".to_owned()),
        2 => Just("%25".to_owned()),
        2 => Just("%2e".to_owned()),
        1 => Just("%EF%BC%8E".to_owned()),
        1 => Just("%E4%B8%AD".to_owned()),
        1 => Just("%C3".to_owned()),
        1 => Just("%20".to_owned()),
        1 => "[!-~]",
        1 => "\\PC",
    ];
    prop::collection::vec(part, 0..12).prop_map(|parts| format!("/{}", parts.concat()).into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn agrees_with_the_reference(raw in odd_path()) {
        prop_assert_eq!(canonical(&raw).ok(), reference(&raw), "{}", String::from_utf8_lossy(&raw));
    }

    #[test]
    fn agrees_with_the_reference_on_any_bytes(raw in prop::collection::vec(any::<u8>(), 0..24)) {
        prop_assert_eq!(canonical(&raw).ok(), reference(&raw));
    }

    #[test]
    fn is_idempotent(raw in odd_path()) {
        if let Ok(path) = canonical(&raw) {
            let mut out = String::new();
            prop_assert_eq!(canonical_path(path.as_bytes(), &mut out), Ok(Canonical::Same(&path)));
        }
    }

    #[test]
    fn never_grows_more_than_threefold(raw in odd_path()) {
        if let Ok(path) = canonical(&raw) {
            prop_assert!(path.len() <= 3 * raw.len() && path.is_ascii());
        }
    }
}

#[test]
fn hosts() {
    let mut out = String::new();
    for (raw, expected) in [
        ("example.com", Some("example.com")),
        ("Example.COM:8080", Some("example.com")),
        ("example.com.", Some("example.com")),
        ("EXAMPLE.com.:80", Some("example.com")),
        ("a_b-c", Some("a_b-c")),
        ("10.0.0.1:1", Some("10.0.0.1")),
        ("[::1]:8080", Some("[::1]")),
        ("[2001:DB8::1]", Some("[2001:db8::1]")),
        ("", None),
        (".", None),
        ("a..b", None),
        (".a", None),
        ("a b", None),
        ("a:b", None),
        ("a:123456", None),
        ("[::1", None),
        ("a/b", None),
        ("a@b", None),
        ("a%41", None),
        ("é", None),
    ] {
        assert_eq!(canonical_host(raw.as_bytes(), &mut out).ok(), expected, "{raw:?}");
    }
    assert!(canonical_host("a".repeat(256).as_bytes(), &mut out).is_err());
}
