//! From settings to a collector.

use portway_model::{AppKey, Traces};

use super::*;

struct Table;

impl Secrets for Table {
    fn resolve(&self, reference: &SecretRef) -> Result<String, String> {
        match reference {
            SecretRef::Env(name) if name == "TOKEN" => Ok("s3cret".to_owned()),
            SecretRef::Env(name) if name == "TORN" => Ok("s3cret\ntorn".to_owned()),
            SecretRef::Env(name) | SecretRef::File(name) => Err(format!("{name} is not set")),
        }
    }
    fn key_sha256(&self, _: &AppKey) -> Result<[u8; 32], String> {
        Err("there are no keys".to_owned())
    }
}

fn made(to: &str, token: Option<&str>) -> Result<Collector, SettingFault> {
    let mut traces = Traces { to: Some(to.to_owned()), ..Traces::default() };
    if let Some(name) = token {
        traces.headers.insert("X-Token".to_owned(), SecretRef::Env(name.to_owned()));
    }
    traces.resource.insert("service.name".to_owned(), "edge".to_owned());
    collector(to, &traces, &Table, Path::new("/"))
}

fn check(to: &str, host: &str, port: u16, path: &str) {
    let made = made(to, None).unwrap_or_else(|why| panic!("{to}: {why:?}"));
    assert_eq!((&*made.host, made.port, &*made.path), (host, port, path), "{to}");
}

#[test]
fn addresses() {
    check("http://collector:4318", "collector", 4318, "/v1/traces");
    check("http://collector:4318/", "collector", 4318, "/v1/traces");
    check("http://collector", "collector", 80, "/v1/traces");
    check("http://collector/otlp/v1/traces", "collector", 80, "/otlp/v1/traces");
    check("http://[::1]:4318", "::1", 4318, "/v1/traces");
    check("http://[::1]", "::1", 80, "/v1/traces");
    check("https://collector.example.com", "collector.example.com", 443, "/v1/traces");
}

#[test]
fn headers_are_secrets() {
    let collector = made("http://collector", Some("TOKEN")).unwrap();
    assert!(collector.headers[0].1.is_sensitive());
    assert!(!format!("{collector:?}").contains("s3cret"), "{collector:?}");
    for name in ["NOWHERE", "TORN"] {
        let fault = made("http://collector", Some(name)).unwrap_err();
        let said = format!("{} {}", fault.what, fault.fix);
        assert!(
            said.contains("gateway.traces.headers.X-Token") && !said.contains("s3cret"),
            "{said}"
        );
    }
}

#[test]
fn attributes_of_the_document_come_first() {
    let resource = made("http://collector", None).unwrap().resource;
    let names: Vec<&str> = resource
        .iter()
        .filter(|(name, _)| name == "service.name")
        .map(|(_, value)| &**value)
        .collect();
    assert_eq!(names, ["edge"]);
    assert!(resource.iter().any(|(name, _)| name == "service.version"));
}

#[test]
fn an_authority_that_is_not_there() {
    let traces = Traces { ca: Some("nowhere.pem".to_owned()), ..Traces::default() };
    let fault = collector("https://collector", &traces, &Table, Path::new("/")).unwrap_err();
    assert!(fault.what.contains("nowhere.pem"), "{}", fault.what);
}
