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
