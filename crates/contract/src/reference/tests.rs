//! References as data: what is joined, what is refused.

use super::*;
use proptest::prelude::*;

#[test]
fn paths_are_joined_and_kept_inside() {
    let check = |base: &str, relative: &str, expected: &str| {
        let got = match join(base, relative) {
            Ok(path) => path,
            Err(fault) => format!("{fault:?}"),
        };
        assert_eq!(got, expected, "{relative} from {base}");
    };
    check("api.yaml", "common.yaml", "common.yaml");
    check("api.yaml", "./a/../common.yaml", "common.yaml");
    check("v1/api.yaml", "../common.yaml", "common.yaml");
    check("v1/api.yaml", "schemas//pet.yaml", "v1/schemas/pet.yaml");
    check("api.yaml", "my%20pet.yaml", "my pet.yaml");
    check("api.yaml", "a:b.yaml/../x", "NotRelative(\"begins with a scheme or drive\")");
    check("api.yaml", "../x.yaml", "OutsideRoot");
    check("v1/api.yaml", "../../x.yaml", "OutsideRoot");
    check("api.yaml", "%2e%2e/x.yaml", "OutsideRoot");
    check("api.yaml", "/etc/passwd", "NotRelative(\"begins with a slash\")");
    check("api.yaml", "%2Fetc/passwd", "NotRelative(\"begins with a slash\")");
    check("api.yaml", "..\\x.yaml", "NotRelative(\"contains a backslash\")");
    check("api.yaml", "a%00.yaml", "NotRelative(\"contains a NUL\")");
    check("api.yaml", "C:/x.yaml", "NotRelative(\"begins with a scheme or drive\")");
    check("api.yaml", "file:///etc/passwd", "NotRelative(\"begins with a scheme or drive\")");
    check("api.yaml", "https://example.com/x.yaml", "Remote");
    check("api.yaml", "HTTP:x", "Remote");
    check("api.yaml", "//example.com/x.yaml", "Remote");
    check("api.yaml", ".", "NotRelative(\"names no file\")");
    check("api.yaml", &"a/".repeat(3000), "TooLong");
}

#[test]
fn references_are_read() {
    let check = |text: &str, file: Option<&str>, fragment: Fragment| {
        assert_eq!(
            parse("v1/api.yaml", text),
            Ok(Reference { file: file.map(str::to_owned), fragment }),
            "{text}"
        );
    };
    let at = |pointer: &str| Fragment::Pointer(pointer.to_owned());
    check("#/components/schemas/Pet", None, at("/components/schemas/Pet"));
    check("#/paths/~1a~1%7Bid%7D/get", None, at("/paths/~1a~1{id}/get"));
    check("pet.yaml", Some("v1/pet.yaml"), at(""));
    check("../pet.yaml#/Pet", Some("pet.yaml"), at("/Pet"));
    check("#", None, at(""));
    check("#Pet", None, Fragment::Anchor("Pet".to_owned()));
    check("#/a%zz%+1", None, at("/a%zz%+1"));
}

proptest! {
    #[test]
    fn nothing_leaves_the_root(base in "([a-c]{1,2}/){0,3}x", relative in "(\\.\\.|\\.|%2e|%2E|%2f|/|[a-c]|%5c|\\\\|:|~|%00){0,12}") {
        if let Ok(path) = join(&base, &relative) {
            prop_assert!(!path.is_empty() && !path.starts_with('/') && !path.contains(['\\', '\0']));
            prop_assert!(path.split('/').all(|part| !part.is_empty() && part != "." && part != ".."));
        }
    }

    #[test]
    fn reading_never_panics(text in "\\PC{0,40}") {
        let _ = parse("a/b", &text);
    }
}
