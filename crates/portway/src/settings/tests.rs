//! Who overrules whom, and what is refused.

use portway_model::{ByteSize, ListenerDocument};

use super::*;

fn given(pointer: &str, value: &str, origin: &str) -> Override {
    Override { pointer: pointer.to_owned(), value: value.to_owned(), origin: origin.to_owned() }
}

fn matches(line: &[&str]) -> ArgMatches {
    with_flags(Command::new("run")).try_get_matches_from([&["run"], line].concat()).unwrap()
}

#[test]
fn flags_come_after_the_environment() {
    let variable = |name: &str| (name == "PORTWAY_WORKERS").then(|| "2".to_owned());
    let matches = matches(&["--workers", "3", "--bounds-head-bytes", "8KiB"]);
    let overrides = overrides_from(variable, Some(&matches));
    let texts: Vec<(&str, &str, &str)> = overrides
        .iter()
        .map(|given| (given.pointer.as_str(), given.value.as_str(), given.origin.as_str()))
        .collect();
    assert_eq!(
        texts,
        [
            ("/gateway/workers", "2", "environment variable PORTWAY_WORKERS"),
            ("/gateway/bounds/head_bytes", "8KiB", "flag --bounds-head-bytes"),
            ("/gateway/workers", "3", "flag --workers"),
        ]
    );
    let (documents, found) = portway_model::read(&[], &overrides);
    assert_eq!(found, []);
    let gateway = documents.document.gateway.unwrap();
    assert_eq!(
        (gateway.workers, gateway.bounds.head_bytes),
        (Some(3), ByteSize::from_bytes(8 << 10))
    );
}

#[test]
fn every_setting_has_a_flag_and_a_variable_of_its_own() {
    let mut names: Vec<&str> =
        TABLE.iter().flat_map(|setting| [setting.flag.as_str(), setting.env.as_str()]).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert!(count > 40 && names.len() == count, "{count} {}", names.len());
    with_flags(Command::new("run")).debug_assert();
}

#[test]
fn an_open_admin_listener_is_a_matter_of_the_document() {
    let resolve = |admin: &str, overrides: &[Override]| {
        let gateway = Gateway { admin: admin.to_owned(), ..Gateway::default() };
        Settings::resolve(&gateway, overrides, Path::new("/")).map(|settings| settings.admin)
    };
    let open = Some("0.0.0.0:9901".parse().unwrap());
    assert_eq!(resolve("0.0.0.0:9901", &[]), Ok(open));
    let flag = given(ADMIN, "0.0.0.0:9901", "flag --admin");
    let fault = resolve("0.0.0.0:9901", &[flag]).unwrap_err();
    assert!(fault.what.contains("flag --admin") && fault.what.contains("loopback"), "{fault:?}");
    let loopback = given(ADMIN, "127.0.0.1:1", "flag --admin");
    assert!(resolve("127.0.0.1:1", std::slice::from_ref(&loopback)).is_ok());
    assert_eq!(resolve("off", &[loopback]), Ok(None));
    assert!(resolve("localhost:9901", &[]).is_err());
}

#[test]
fn files_are_relative_to_the_documents() {
    let mut gateway = Gateway { handover: Some("run/handover".to_owned()), ..Gateway::default() };
    gateway.log.to = "calls.log".to_owned();
    gateway.listen = vec![ListenerDocument {
        address: "[::1]:8443".to_owned(),
        tls: Some(TlsDocument {
            clients: None,
            certificates: vec![portway_model::Certificate {
                cert: "a.pem".to_owned(),
                key: "/keys/a.key".to_owned(),
            }],
            min_version: "1.3".to_owned(),
        }),
        proxy_protocol: true,
    }];
    let settings = Settings::resolve(&gateway, &[], Path::new("/etc/portway")).unwrap();
    assert_eq!(settings.handover.as_deref(), Some(Path::new("/etc/portway/run/handover")));
    assert_eq!(settings.log, Some(LogTarget::File("/etc/portway/calls.log".into())));
    let tls = settings.listeners[0].tls.as_ref().unwrap();
    assert_eq!(tls.certificates[0].cert, Path::new("/etc/portway/a.pem"));
    assert_eq!(tls.certificates[0].key, Path::new("/keys/a.key"));
    assert_eq!(tls.min_version, MinVersion::Tls13);
    gateway.log.calls = LogFormat::Off;
    assert_eq!(Settings::resolve(&gateway, &[], Path::new("/")).unwrap().log, None);
}

#[test]
fn variables_that_are_no_settings_are_told() {
    use std::os::unix::ffi::OsStringExt as _;
    let used = BTreeSet::from(["PORTWAY_SHOP_KEY".to_owned()]);
    let check = |name: &str, value: Vec<u8>, expected: Option<(Severity, &str)>| {
        let variables = [(OsString::from(name), OsString::from_vec(value))];
        let found = environment_mistakes_of(variables.into_iter(), &used);
        let found = found.first().map(|found| {
            assert_eq!(found.location.file, format!("environment variable {name}"));
            (found.severity, found.fix.as_str())
        });
        assert_eq!(found, expected, "{name}");
    };
    let one = || b"1".to_vec();
    check("PORTWAY_BOUNDS_HEAD_BYTES", one(), None);
    check("PORTWAY_SHOP_KEY", one(), None);
    check("PORTWAY_LOG", one(), None);
    check("PORTWAY_SERVICE_HOST", one(), None);
    check("PORTWAY_PORT_8080_TCP_ADDR", one(), None);
    check("HOME", vec![0xff], None);
    let near = "did you mean PORTWAY_BOUNDS_HEAD_BYTES?";
    check("PORTWAY_BOUNDS_HEAD_BYTE", one(), Some((Severity::Warning, near)));
    let far = "`portway run --help` names those that there are";
    check("PORTWAY_QUITE_ANOTHER_THING", one(), Some((Severity::Warning, far)));
    let utf8 = "give it a text in UTF-8, or remove it";
    check("PORTWAY_WORKERS", vec![0xff], Some((Severity::Error, utf8)));
}
