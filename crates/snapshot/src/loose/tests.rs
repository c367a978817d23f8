//! Loose forms of segments.

use super::{Loose, MAX_LOOSE_BYTES, is_own_loose};

fn check(segment: &str, expected: &str) {
    let loose = Loose::of(segment).unwrap();
    assert_eq!(std::str::from_utf8(loose.as_bytes()).unwrap(), expected, "{segment}");
}

#[test]
fn readings_fall_together() {
    for spelling in [
        "admin",
        "Admin",
        "ADMIN",
        "admin;x=1",
        "admin;",
        "admin.",
        "admin..",
        "admin%20",
        "%20admin",
        "admin+",
        "%2561dmin",
        "%252561dmin",
        "admin%3Bx",
        "admin%253bx",
        "admin%3Fx",
        "admin%23",
        "admin.json",
        "admin.html",
        "%EF%BD%81dmin",
        "%EF%BC%A1dmin",
    ] {
        check(spelling, "admin");
    }
}

#[test]
fn what_differs_stays_different() {
    check("admins", "admins");
    check("admin.css", "admin.css");
    check(".json", ".json");
    check("admin-x", "admin-x");
    check("%E4%B8%AD", "中");
    check("%20", "");
    check("100%25", "100%");
    check("50%25off", "50%off");
}

#[test]
fn where_a_path_may_end() {
    assert!(Loose::of("a%3Fb").unwrap().ends_path);
    assert!(Loose::of("a%2523b").unwrap().ends_path);
    assert!(!Loose::of("a;b").unwrap().ends_path);
}

#[test]
fn length_is_bounded() {
    assert!(Loose::of(&"x".repeat(MAX_LOOSE_BYTES)).is_some());
    assert!(Loose::of(&"x".repeat(MAX_LOOSE_BYTES + 1)).is_none());
}

#[test]
fn own_loose_means_just_that() {
    for path in ["/a/b-c/d_e~f", "/", "/a@b:c,d"] {
        assert!(is_own_loose(path));
        for segment in path.split('/') {
            check(segment, segment);
        }
    }
    for path in ["/A", "/a.b", "/a%20", "/a;b", "/a+"] {
        assert!(!is_own_loose(path), "{path}");
    }
}
