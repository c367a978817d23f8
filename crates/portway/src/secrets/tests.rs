//! What is found where, and that no message tells it.

use super::*;

#[test]
fn secrets_from_variables_and_files() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("good"), "s3cret \r\n").unwrap();
    std::fs::write(directory.path().join("empty"), "\n").unwrap();
    std::fs::write(directory.path().join("binary"), b"s3cret\xff").unwrap();
    std::fs::write(directory.path().join("big"), "s3cret".repeat(20_000)).unwrap();
    let secrets = ProcessSecrets::new(directory.path())
        .with("GIVEN", "s3cret".to_owned())
        .with("NOTHING", String::new());
    let absolute = directory.path().join("good").to_str().unwrap().to_owned();
    for good in
        [SecretRef::Env("GIVEN".into()), SecretRef::File("good".into()), SecretRef::File(absolute)]
    {
        assert_eq!(secrets.resolve(&good).as_deref(), Ok("s3cret"), "{good:?}");
    }
    let bad = [
        SecretRef::Env("NOTHING".into()),
        SecretRef::Env("PORTWAY_TEST_NOT_SET".into()),
        SecretRef::File("empty".into()),
        SecretRef::File("binary".into()),
        SecretRef::File("big".into()),
        SecretRef::File("absent".into()),
        SecretRef::File(".".into()),
    ];
    for bad in bad {
        let why = secrets.resolve(&bad).unwrap_err();
        assert!(!why.contains("s3cret"), "{why}");
    }
}

#[test]
fn keys_as_hashes() {
    let secrets = ProcessSecrets::new(Path::new(".")).with("KEY", "k-123456".to_owned());
    let expected = portway_policy::sha256(b"k-123456");
    let hex: String = expected.iter().map(|byte| format!("{byte:02X}")).collect();
    assert_eq!(secrets.key_sha256(&AppKey::Env("KEY".into())), Ok(expected));
    assert_eq!(secrets.key_sha256(&AppKey::Sha256(hex.clone())), Ok(expected));
    for bad in [&hex[1..], "", "g".repeat(64).as_str(), "é".repeat(32).as_str()] {
        assert!(secrets.key_sha256(&AppKey::Sha256(bad.to_owned())).is_err(), "{bad}");
    }
}

#[test]
fn keys_that_no_header_can_carry_are_refused_and_short_ones_are_weak() {
    let check = |key: &str, is_usable: bool, is_weak: bool| {
        let secrets = ProcessSecrets::new(Path::new(".")).with("KEY", key.to_owned());
        let name = AppKey::Env("KEY".into());
        let hash = secrets.key_sha256(&name);
        assert_eq!(hash.is_ok(), is_usable, "{key:?}");
        assert!(hash.err().is_none_or(|why| !why.contains(key)), "{key:?} is shown");
        let weakness = secrets.weakness(&name);
        assert_eq!(weakness.is_some(), is_weak, "{key:?}");
        assert!(weakness.is_none_or(|why| !why.contains(key)), "{key:?} is shown");
    };
    check("k-0123456789abcdef", true, false);
    check("k-short", true, true);
    check("k-0123456789\nabcdef", false, false);
    check("k-0123456789abcdef\n", false, false);
    check(" k-0123456789abcdef", false, false);
    check("k-0123456789\x7fabcdef", false, false);
    let hashed = AppKey::Sha256("0".repeat(64));
    assert_eq!(ProcessSecrets::new(Path::new(".")).weakness(&hashed), None);
}
