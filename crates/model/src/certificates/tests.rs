//! Which names are the same, and which are nobody's.

use super::AppCertificate::{self, Dns, Email, Ip, Sha256, Uri};

fn check(kind: fn(String) -> AppCertificate, text: &str, canonical: Option<&str>) {
    let found = kind(text.to_owned()).canonical();
    assert_eq!(found, canonical.map(|text| kind(text.to_owned())), "{text:?}");
}

#[test]
fn names_have_one_form_or_none() {
    check(Dns, "billing.example", Some("billing.example"));
    check(Dns, "BILLING.Example", Some("billing.example"));
    for none in [
        "",
        "*.example",
        "*",
        "billing.example.",
        "a..b",
        "a\0.example",
        "bücher.example",
        "a b",
        "a/b",
    ] {
        check(Dns, none, None);
    }
    check(Dns, &["a".repeat(63).as_str(); 4].join("."), None);
    check(Uri, "spiffe://example.org/a", Some("spiffe://example.org/a"));
    check(Uri, "SPIFFE://Example.org/A", Some("SPIFFE://Example.org/A"));
    for none in ["", "a", ":", "1a:b", "spiffe://a/\0", "spiffe://a b", "spiffe://ü", "a:"] {
        check(Uri, none, None);
    }
    check(Uri, &format!("a:{}", "b".repeat(2_048)), None);
    check(Email, "Ops@Example.ORG", Some("Ops@example.org"));
    for none in ["", "a", "@a", "a@", "a@b@c", "a@*.b", "a@b.", "a\0@b", "\"a\"@b"] {
        check(Email, none, None);
    }
    check(Ip, "192.0.2.7", Some("192.0.2.7"));
    check(Ip, "2001:DB8:0::1", Some("2001:db8::1"));
    for none in ["", "192.0.2", "192.0.2.07", "::1%eth0", "10.0.0.0/8"] {
        check(Ip, none, None);
    }
    check(Sha256, &"aB".repeat(32), Some(&"ab".repeat(32)));
    for none in ["", &"a".repeat(63), &"a".repeat(65), &"é".repeat(32)] {
        check(Sha256, none, None);
    }
}
