//! Addresses joined as the examples of RFC 3986 section 5.4 have them.

use super::join;

fn check(base: &str, reference: &str, expected: &str) {
    assert_eq!(join(base, reference), expected, "{reference} from {base}");
}

#[test]
fn references_are_joined_as_the_rfc_says() {
    const BASE: &str = "http://a/b/c/d;p?q";
    for (reference, expected) in [
        ("g:h", "g:h"),
        ("g", "http://a/b/c/g"),
        ("./g", "http://a/b/c/g"),
        ("g/", "http://a/b/c/g/"),
        ("/g", "http://a/g"),
        ("//g", "http://g"),
        ("?y", "http://a/b/c/d;p?y"),
        ("g?y", "http://a/b/c/g?y"),
        ("", "http://a/b/c/d;p?q"),
        (".", "http://a/b/c/"),
        ("..", "http://a/b/"),
        ("../g", "http://a/b/g"),
        ("../..", "http://a/"),
        ("../../g", "http://a/g"),
        ("../../../g", "http://a/g"),
        ("/./g", "http://a/g"),
        ("g/../h", "http://a/b/c/h"),
    ] {
        check(BASE, reference, expected);
    }
    check("urn:uuid:1", "", "urn:uuid:1");
    check("http://a", "g", "http://a/g");
    check("contract:///api/openapi.yaml", "../shared/pet.yaml", "contract:///shared/pet.yaml");
}
