//! Which app a certificate stands for, alone and beside other credentials.

use portway_model::{Auth, AuthKind, KeyAuth, MtlsAuth, SignatureAuth};

use super::*;
use crate::memory_counters::MemoryCounters;
use crate::test_call::{Fields, Hands, app, call};
use crate::{Identify, MemoryKeys, Shape, World};

fn dns(name: &str) -> AppCertificate {
    AppCertificate::Dns(name.to_owned())
}

/// `billing` by name and SHA-256, `ops` by name; both have keys called like them.
fn table() -> MemoryKeys {
    let (billing, ops) = (app("billing", None, None), app("ops", None, None));
    let marks = [
        (mark(&dns("billing.example")).expect("a name"), Arc::clone(&billing)),
        (mark(&AppCertificate::Sha256("AB".repeat(32))).expect("a hash"), Arc::clone(&billing)),
        (
            mark(&AppCertificate::Uri("spiffe://x/ops".to_owned())).expect("a name"),
            Arc::clone(&ops),
        ),
    ];
    MemoryKeys::new([(sha256(b"billing"), billing), (sha256(b"ops"), ops)]).with_certificates(marks)
}

fn kinds(kinds: &[&str]) -> Identify {
    let kind = |kind: &&str| match *kind {
        "mtls" => AuthKind::Mtls(MtlsAuth {}),
        "key" => AuthKind::Key(KeyAuth::default()),
        _ => AuthKind::Signature(SignatureAuth::default()),
    };
    Identify::compile(&Auth::AnyOf(kinds.iter().map(kind).collect()))
}

/// Whom `auth` sees, by a certificate with this SHA-256 and these names and perhaps a key.
fn check(
    auth: &[&str],
    certificate: Option<([u8; 32], &[AppCertificate])>,
    key: Option<&str>,
    expected: Result<(&str, Credential), &str>,
) {
    let fields = Fields::of(&key.map(|key| ("x-api-key", key)).into_iter().collect::<Vec<_>>());
    let certificate = certificate.map(|(sha256, names)| Certificate::new(sha256, names));
    let call = Call { certificate: certificate.as_ref(), ..call(&fields, "") };
    let (keys, counters, clock) = (table(), MemoryCounters::default(), Hands::default());
    let world = World { clock: &clock, counters: &counters, keys: &keys };
    let found = match kinds(auth).identify(&call, &world) {
        Ok(Identified::Caller(Some(app), credential)) => Ok((app.name.to_string(), credential)),
        Ok(other) => panic!("{other:?}"),
        Err(refusal) => Err(match refusal.detail {
            Detail::Certificate(fault) => format!("{fault:?}"),
            Detail::Signature(_) => format!("signature {}", refusal.reason.word()),
            _ => refusal.reason.word().to_owned(),
        }),
    };
    let found = found.as_ref().map(|(app, credential)| (app.as_str(), *credential));
    assert_eq!(found.map_err(String::as_str), expected, "{auth:?} {key:?}");
}

const NONE: [u8; 32] = [0; 32];
const KNOWN: [u8; 32] = [0xab; 32];

#[test]
fn a_certificate_stands_for_one_app() {
    let by_certificate = Ok(("billing", Credential::Certificate));
    let only = &["mtls"][..];
    check(only, None, None, Err("Missing"));
    check(only, None, Some("billing"), Err("Missing"));
    check(only, Some((NONE, &[])), None, Err("Unknown"));
    check(only, Some((NONE, &[dns("billing.example")])), None, by_certificate);
    check(
        only,
        Some((NONE, &[dns("other.example"), dns("Billing.EXAMPLE")])),
        None,
        by_certificate,
    );
    check(only, Some((KNOWN, &[])), None, by_certificate);
    check(only, Some((KNOWN, &[dns("billing.example")])), None, by_certificate);
    let ops = AppCertificate::Uri("spiffe://x/ops".to_owned());
    check(only, Some((KNOWN, std::slice::from_ref(&ops))), None, Err("Ambiguous"));
    check(only, Some((NONE, &[dns("billing.example"), ops])), None, Err("Ambiguous"));
}

#[test]
fn what_only_looks_like_a_name_counts_for_nobody() {
    for name in [
        "*.example",
        "*",
        "billing.example.",
        "billing.example\0",
        "billing.example\0.evil.test",
        "bılling.example",
        "a.billing.example",
        "example",
        "",
    ] {
        check(&["mtls"], Some((NONE, &[dns(name)])), None, Err("Unknown"));
    }
    // The right text in the wrong kind of name; and a name that is written like a SHA-256.
    for name in [
        AppCertificate::Email("billing.example".to_owned()),
        AppCertificate::Uri("dns:billing.example".to_owned()),
        AppCertificate::Uri("spiffe://x/OPS".to_owned()),
        AppCertificate::Sha256("ab".repeat(32)),
        AppCertificate::Dns("ab".repeat(32)),
    ] {
        check(&["mtls"], Some((NONE, &[name])), None, Err("Unknown"));
    }
    // Of a certificate with very many names none counts.
    let many: Vec<_> = (0..=NAMES_MAX).map(|_| dns("billing.example")).collect();
    check(&["mtls"], Some((NONE, &many)), None, Err("Unknown"));
    check(
        &["mtls"],
        Some((NONE, &many[..NAMES_MAX])),
        None,
        Ok(("billing", Credential::Certificate)),
    );
    check(&["mtls"], Some((KNOWN, &many)), None, Ok(("billing", Credential::Certificate)));
}

#[test]
fn two_credentials_are_those_of_one_app() {
    let both = &["key", "mtls"][..];
    let names = [dns("billing.example")];
    let billing = Some((NONE, &names[..]));
    check(both, billing, None, Ok(("billing", Credential::Certificate)));
    check(both, billing, Some("billing"), Ok(("billing", Credential::Header)));
    check(both, billing, Some("ops"), Err("credentials-invalid"));
    check(both, billing, Some("wrong"), Err("credentials-invalid"));
    check(both, None, Some("ops"), Ok(("ops", Credential::Header)));
    check(both, Some((NONE, &[])), Some("ops"), Ok(("ops", Credential::Header)));
    check(both, None, None, Err("Missing"));
    let signed = &["signature", "mtls"][..];
    check(signed, None, None, Err("signature credentials-missing"));
    check(signed, billing, None, Ok(("billing", Credential::Certificate)));
    // A mark is no key, whoever sends it as one.
    check(both, None, Some("dns:billing.example"), Err("credentials-invalid"));
    // Without the kind, a certificate says nothing.
    check(&["key"], billing, None, Err("credentials-missing"));
}

#[test]
fn headers_about_certificates_are_dropped_where_certificates_count() {
    let shape = |auth: &[&str]| {
        let document = crate::test_call::service(Auth::Public, Vec::new());
        let mut rules = crate::Rules::compile(&crate::test_call::name("a"), None, &document, None);
        rules.identify = kinds(auth);
        Shape::compile(&document.backend, &rules, &|_| Err(String::new())).expect("no credentials")
    };
    for name in
        ["X-Forwarded-Client-Cert", "x_forwarded_client_cert", "client-cert", "SSL_CLIENT_VERIFY"]
    {
        assert!(shape(&["mtls"]).drops_header(name.as_bytes()), "{name}");
        assert!(!shape(&["key"]).drops_header(name.as_bytes()), "{name}");
    }
    assert!(!shape(&["mtls"]).drops_header(b"authorization"));
}
