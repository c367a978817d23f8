//! The examples of RFC 9421 (appendix B) for the algorithms that are taken, signatures made by Python's `hmac`, and
//! attacks on each part of them.

use portway_model::{Duration, SignatureAuth};

use super::*;
use crate::test_call::{Fields, Hands, app, call, keys};
use crate::{Detail, Identified, Identify, MemoryCounters, MemoryKeys, Reason};

/// When the examples of the RFC were signed.
const CREATED_S: u64 = 1_618_884_473;
const SECRET: &str =
    "uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==";
const ED25519_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAJrQLj5P/89iXES9+vFgrIy29clF9CC/oPPsw3c5D0bs=\n-----END PUBLIC KEY-----\n";
const P256_PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEqIVYZVLCrPZHGHjP17CTW0/+D9Lf\n\
    w0EkjqF7xB4FivAxzic30tMM4GF+hR6Dxh71Z50VGGdldkkDXZCnTNnoXQ==\n-----END PUBLIC KEY-----\n";
const BODY: &[u8] = b"{\"hello\": \"world\"}";
const SHA512: &str = "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";
const SHA256: &str = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";

/// A call as a caller makes it. The default is the request of the RFC's examples.
#[derive(Clone)]
struct Given {
    components: Option<&'static [&'static str]>,
    nonce: NonceUse,
    max_age_s: u64,
    now_s: u64,
    scheme: Scheme,
    method: &'static str,
    authority: &'static str,
    path: &'static str,
    query: &'static str,
    fields: Vec<(&'static str, String)>,
    input: String,
    signature: String,
    body: Option<&'static [u8]>,
}

fn field(name: &'static str, value: &str) -> (&'static str, String) {
    (name, value.to_owned())
}

/// The request of the RFC's examples with this signature.
fn rfc(input: &str, signature: &str) -> Given {
    Given {
        components: None,
        nonce: NonceUse::Optional,
        max_age_s: 300,
        now_s: CREATED_S,
        scheme: Scheme::Https,
        method: "POST",
        authority: "example.com",
        path: "/foo",
        query: "param=Value&Pet=dog",
        fields: vec![
            field("Host", "example.com"),
            field("Date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            field("Content-Type", "application/json"),
            field("Content-Digest", SHA512),
            field("Content-Length", "18"),
        ],
        input: input.to_owned(),
        signature: format!("{}=:{signature}:", input.split('=').next().unwrap_or_default()),
        body: Some(BODY),
    }
}

/// The same, with everything covered that is wanted by default.
fn full(parameters: &str, signature: &str) -> Given {
    let list = r#"("@method" "@authority" "@path" "@query" "content-digest")"#;
    rfc(&format!("sig={list};{parameters}"), signature)
}

const PARAMETERS: &str = r#"created=1618884473;keyid="test-shared-secret""#;
const FULL: &str = "NIZ/G/N3aCilwmcL+gkU52gW9xDWrI9l89LieLI/UZo=";

fn good() -> Given {
    full(PARAMETERS, FULL)
}

/// A `GET` without a body.
fn get(list: &str, query: &'static str, signature: &str) -> Given {
    Given {
        method: "GET",
        query,
        fields: vec![field("Host", "example.com")],
        body: None,
        ..rfc(&format!("sig=({list});{PARAMETERS}"), signature)
    }
}

#[derive(Debug, PartialEq)]
enum Came {
    Phone,
    Fault(SignatureFault),
    Refused(Reason),
}

struct Stage {
    counters: MemoryCounters,
    keys: MemoryKeys,
}

impl Stage {
    fn new() -> Self {
        let phone = app("phone", None, None);
        let verifier =
            |algorithm, text| Verifier::new(Arc::clone(&phone), algorithm, text).expect("a key");
        let keys = keys(&[("k1", &phone)]).with_verifiers([
            ("test-shared-secret".into(), verifier(SigningAlgorithm::HmacSha256, SECRET)),
            ("test-key-ed25519".into(), verifier(SigningAlgorithm::Ed25519, ED25519_PEM)),
            ("test-key-ecc-p256".into(), verifier(SigningAlgorithm::EcdsaP256Sha256, P256_PEM)),
        ]);
        Self { counters: MemoryCounters::default(), keys }
    }

    /// Asks once, and again with the body if that is wanted. Says whether it was.
    fn ask(&self, given: &Given) -> (Came, bool) {
        let mut fields = Fields::default();
        for (name, value) in &given.fields {
            fields.0.push((name, value.clone().into_bytes()));
        }
        for (name, value) in [("Signature-Input", &given.input), ("Signature", &given.signature)] {
            if !value.is_empty() {
                fields.0.push((name, value.clone().into_bytes()));
            }
        }
        let hands = Hands::default();
        hands.unix_ms.store(given.now_s * 1_000, std::sync::atomic::Ordering::Relaxed);
        let world = World { clock: &hands, counters: &self.counters, keys: &self.keys };
        let document = SignatureAuth {
            components: given
                .components
                .map(|names| names.iter().map(|name| (*name).to_owned()).collect()),
            max_age: Some(Duration::from_ms(given.max_age_s * 1_000)),
            nonce: given.nonce,
            held_bytes: None,
        };
        let kinds = vec![
            model::AuthKind::Signature(document),
            model::AuthKind::Hmac(model::HmacAuth::default()),
            model::AuthKind::Key(model::KeyAuth::default()),
        ];
        let identify = Identify::compile(&model::Auth::AnyOf(kinds));
        let mut asked = Call {
            method: given.method,
            scheme: given.scheme,
            authority: given.authority.as_bytes(),
            path: given.path,
            body: if given.body.is_some() { Body::Unread } else { Body::None },
            ..call(&fields, given.query)
        };
        let first = identify.identify(&asked, &world);
        let wanted = matches!(first, Ok(Identified::HoldBody(_)));
        let last = if wanted {
            asked.body = Body::Held(given.body.expect("only a body that is there is asked for"));
            identify.identify(&asked, &world)
        } else {
            first
        };
        let came = match last {
            Ok(Identified::Caller(app, _)) => {
                assert_eq!(app.expect("an app").name, "phone");
                Came::Phone
            }
            Ok(Identified::HoldBody(_)) => panic!("asked for the body twice"),
            Err(Refusal { reason, detail: Detail::Signature(fault) }) => {
                assert_eq!(reason, fault.reason());
                Came::Fault(*fault)
            }
            Err(refusal) => Came::Refused(refusal.reason),
        };
        (came, wanted)
    }
}

#[track_caller]
fn right(given: &Given, wants_body: bool) {
    assert_eq!(Stage::new().ask(given), (Came::Phone, wants_body));
}

#[track_caller]
fn fault(given: &Given, expected: SignatureFault) {
    assert_eq!(Stage::new().ask(given).0, Came::Fault(expected));
}

const MISMATCH: SignatureFault = SignatureFault::Mismatch { signed: None };

#[test]
fn examples_of_the_rfc() {
    // B.2.5: HMAC.
    let b25 = Given {
        components: Some(&["date", "@authority", "content-type"]),
        ..rfc(
            r#"sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret""#,
            "pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=",
        )
    };
    right(&b25, false);
    // B.2.6: Ed25519.
    let b26 = Given {
        components: Some(&["@method", "@path", "content-length"]),
        ..rfc(
            r#"sig-b26=("date" "@method" "@path" "@authority" "content-type" "content-length");created=1618884473;keyid="test-key-ed25519""#,
            "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw==",
        )
    };
    right(&b26, false);
    // B.3: ECDSA, over what a proxy that ends TLS tells of its client.
    let certificate = ":MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBBdXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAxMTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIwADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMCBsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1wbGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMjeSkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk=:";
    let mut b3 = Given {
        components: Some(&["@path", "@query", "@method", "@authority", "client-cert"]),
        authority: "service.internal.example",
        ..rfc(
            r#"ttrp=("@path" "@query" "@method" "@authority" "client-cert");created=1618884473;keyid="test-key-ecc-p256""#,
            "xVMHVpawaAC/0SbHrKRs9i8I3eOs5RtTMGCWXm/9nvZzoHsIg6Mce9315T6xoklyy0yzhD9ah4JHRwMLOgmizw==",
        )
    };
    b3.fields.push(field("Client-Cert", certificate));
    right(&b3, false);
    // B.4: a request that may be changed on the way in some places, and in others not.
    let fields = [
        field("Host", "example.org"),
        field("Date", "Fri, 15 Jul 2022 14:24:55 GMT"),
        field("Accept", "application/json"),
        field("Accept", "*/*"),
    ];
    let b4 = Given {
        components: Some(&["@method", "@path", "@authority", "accept"]),
        method: "GET",
        authority: "example.org",
        path: "/demo",
        query: "name1=Value1&Name2=value2",
        fields: fields.to_vec(),
        body: None,
        ..rfc(
            r#"transform=("@method" "@path" "@authority" "accept");created=1618884473;keyid="test-key-ed25519""#,
            "ZT1kooQsEHpZ0I1IjCqtQppOmIqlJPeo7DHR3SoMn0s5JZ1eRGS0A+vyYP9t/LXlh5QMFFQ6cpLt2m0pmj3NDA==",
        )
    };
    right(&b4, false);
    right(&Given { query: "Name2=value2&param=added", ..b4.clone() }, false);
    let joined = vec![field("Accept", "application/json, */*"), field("Host", "example.org")];
    right(&Given { fields: joined, ..b4.clone() }, false);
    let swapped = vec![field("Accept", "*/*"), field("Accept", "application/json")];
    fault(&Given { fields: swapped, ..b4.clone() }, MISMATCH);
    fault(&Given { method: "POST", ..b4.clone() }, MISMATCH);
    fault(&Given { authority: "example.com", ..b4 }, MISMATCH);
    // None of them covers what is wanted by default.
    let wanted = |name: &str| SignatureFault::NotCovered(name.into());
    fault(&Given { components: None, ..b25 }, wanted("@method"));
    fault(&Given { components: None, ..b26 }, wanted("@query"));
    fault(&Given { components: None, ..b3 }, wanted("content-digest"));
}

#[test]
fn what_is_covered_and_how_it_is_written() {
    right(&good(), true);
    for (digest, signature) in [
        (SHA256.to_owned(), "CdudzGAhrQXKfQZDSzoRgI1diI4wFH1NCevufX1W4/Q="),
        (format!("{SHA512}, {SHA256}"), "jEsNw6ZWp4stSOleAF7RexX1eLtT0FXdGuckhwNgJg8="),
    ] {
        let mut given = full(PARAMETERS, signature);
        given.fields[3] = ("Content-Digest", digest);
        right(&given, true);
    }
    // Two fields are one.
    let mut given = full(PARAMETERS, "jEsNw6ZWp4stSOleAF7RexX1eLtT0FXdGuckhwNgJg8=");
    given.fields.push(field("content-digest", SHA256));
    right(&given, true);
    right(
        &full(
            &format!("{PARAMETERS};alg=\"hmac-sha256\""),
            "1FLJDJZHIuAjfOdCz1aHF0Lt+cehqibM058XI74zoVE=",
        ),
        true,
    );
    // Blanks that the grammar allows do not count.
    let mut given = good();
    given.input =
        given.input.replace("(\"@method\" ", "(  \"@method\"   ").replace(";keyid", ";  keyid");
    right(&given, true);
    let target_uri =
        get(r#""@method" "@target-uri""#, "", "q1V8wMjSf/hKHbTrnOOufs9wIO+kwhRMw2ZUz54oSdI=");
    right(&target_uri, false);
    fault(&Given { scheme: Scheme::Http, ..target_uri.clone() }, MISMATCH);
    let parts = get(
        r#""@method" "@authority" "@path" "@query""#,
        "",
        "WImj39cGOiPW0yjLF5UH+FW4Vtceyw1OQv9UjHsR5TM=",
    );
    right(&parts, false);
    for authority in ["example.com:443", "EXAMPLE.com"] {
        right(&Given { authority, ..parts.clone() }, false);
    }
    fault(&Given { authority: "example.com:80", ..parts.clone() }, MISMATCH);
    fault(&Given { query: "a", ..parts }, MISMATCH);
    let all = r#""@method" "@authority" "@path" "@query" "@scheme" "@request-target" "host""#;
    let all = get(all, "a=b", "/GMo7e62qH0RP3V3ppqqd6NPh/SWEguUqkmrzu84XMQ=");
    right(&all, false);
    // Over HTTP/2 there is no `Host`.
    right(&Given { fields: Vec::new(), ..all }, false);
    let mut empty = get(
        r#""@method" "@authority" "@path" "@query" "content-digest""#,
        "",
        "yXlnPLtAyEc/pv4wwdh97dFSp64qc2eg/w1bDBLrZWY=",
    );
    empty
        .fields
        .push(field("Content-Digest", "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"));
    right(&empty, false);
    right(&Given { body: Some(b""), ..empty.clone() }, true);
    fault(&Given { body: Some(b"x"), ..empty }, SignatureFault::Digest);
}

#[test]
fn a_call_that_was_changed_is_refused() {
    for (changed, expected) in [
        (Given { method: "PUT", ..good() }, MISMATCH),
        (Given { authority: "example.org", ..good() }, MISMATCH),
        (Given { path: "/foo/", ..good() }, MISMATCH),
        (Given { query: "param=Value&Pet=cat", ..good() }, MISMATCH),
        (Given { body: Some(b"{\"hello\": \"World\"}"), ..good() }, SignatureFault::Digest),
        (Given { body: Some(&BODY[1..]), ..good() }, SignatureFault::Digest),
        (Given { body: Some(b""), ..good() }, SignatureFault::Digest),
        (Given { body: None, ..good() }, SignatureFault::Digest),
    ] {
        fault(&changed, expected);
    }
    // A digest that fits another body is judged before that is read.
    let mut other = good();
    other.fields[3] = field("Content-Digest", SHA256);
    assert_eq!(Stage::new().ask(&other), (Came::Fault(MISMATCH), false));
    // A digest that nobody knows is none.
    let mut md5 = full(PARAMETERS, "nNZbCioElevU6DJQ6dRQIMDG6dSMq30LaYXOiUjV2wU=");
    md5.fields[3] = field("Content-Digest", "md5=:Sd/dVLAcvNLSq16eXua5uQ==:");
    fault(&md5, SignatureFault::Digest);
    let mut gone = good();
    gone.fields.remove(3);
    fault(&gone, SignatureFault::HeaderMissing("content-digest".into()));
}

#[test]
fn signatures_that_cover_too_little() {
    let few = get(r#""@method""#, "", "aFj02eZTB+TE0A17Xa+TpAiN+NRHGQm6+GXOEPpav+Y=");
    fault(&few, SignatureFault::NotCovered("@authority".into()));
    right(&Given { components: Some(&["@method"]), ..few }, false);
    let none = get("", "", "WXuH0LwiSFhNQTT68uMA2kNBq6lt5zxLSyYE4bXw/sY=");
    fault(&none, SignatureFault::NotCovered("@method".into()));
    let bodiless = r#""@method" "@authority" "@path" "@query""#;
    let bodiless = get(bodiless, "", "WImj39cGOiPW0yjLF5UH+FW4Vtceyw1OQv9UjHsR5TM=");
    fault(
        &Given { body: Some(b""), ..bodiless },
        SignatureFault::NotCovered("content-digest".into()),
    );
}

#[test]
fn a_signature_has_its_time() {
    for (away_s, is_right) in [(0, true), (300, true), (-60, true), (301, false), (-61, false)] {
        let now_s = CREATED_S.checked_add_signed(away_s).expect("a time");
        let expected = if is_right { Came::Phone } else { Came::Fault(SignatureFault::NotInTime) };
        assert_eq!(Stage::new().ask(&Given { now_s, ..good() }).0, expected, "{away_s}");
    }
    let expiring = full(
        &format!("{PARAMETERS};expires=1618884500"),
        "S559fE79GUeVyY6ewhbGM5UH1dAvTMRZH00NMls7pdg=",
    );
    right(&Given { now_s: 1_618_884_499, ..expiring.clone() }, true);
    fault(&Given { now_s: 1_618_884_500, ..expiring }, SignatureFault::NotInTime);
}

#[test]
fn attacks_on_the_fields() {
    use SignatureFault as Fault;
    let with = |from: &str, to: &str| {
        let mut given = good();
        assert!(given.input.contains(from), "{from}");
        given.input = given.input.replace(from, to);
        given
    };
    for (given, expected) in [
        (Given { input: String::new(), ..good() }, Fault::InputInvalid),
        (Given { signature: String::new(), ..good() }, Fault::InputInvalid),
        (Given { input: String::new(), signature: String::new(), ..good() }, Fault::Missing),
        (Given { signature: "sig=:AAAA:".to_owned(), ..good() }, MISMATCH),
        (Given { signature: "sig=::".to_owned(), ..good() }, MISMATCH),
        (Given { signature: "sig=\"AAAA\"".to_owned(), ..good() }, Fault::InputInvalid),
        (Given { signature: "sig=(:AAAA:)".to_owned(), ..good() }, Fault::InputInvalid),
        (Given { signature: format!("gis=:{FULL}:"), ..good() }, Fault::InputInvalid),
        (
            Given { signature: format!("sig=:{FULL}:, more=:{FULL}:"), ..good() },
            Fault::InputInvalid,
        ),
        (Given { signature: format!("sig=:{}:", &FULL[4..]), ..good() }, MISMATCH),
        (with("sig=", "sig=(), sag="), Fault::InputInvalid),
        (with("sig=(", "sig=(("), Fault::InputInvalid),
        (with("(\"@method\"", "(\"@method\" \"@method\""), Fault::InputInvalid),
        (with("\"@method\"", "@method"), Fault::InputInvalid),
        (with("\"@method\"", "1"), Fault::InputInvalid),
        (with("\"@method\" \"@authority\"", "\"@authority\" \"@method\""), MISMATCH),
        (
            with("\"content-digest\"", "\"Content-Digest\""),
            Fault::NotCovered("content-digest".into()),
        ),
        (with("\"@path\"", "\"@path\" \"Date\""), Fault::InputInvalid),
        (with("\"@path\"", "\"@path\" \"da te\""), Fault::InputInvalid),
        (with("\"@path\"", "\"@path\" \"x-none\""), Fault::HeaderMissing("x-none".into())),
        (with("\"@path\"", "\"@path\" \"date\""), MISMATCH),
        (with("\"@path\"", "\"@path\";req"), Fault::ComponentUnknown("@path".into())),
        (
            with("\"content-digest\"", "\"content-digest\";bs"),
            Fault::ComponentUnknown("content-digest".into()),
        ),
        (with("\"@path\"", "\"@path\" \"@status\""), Fault::ComponentUnknown("@status".into())),
        (
            with("\"@path\"", "\"@path\" \"@query-param\";name=\"a\""),
            Fault::ComponentUnknown("@query-param".into()),
        ),
        (with("created=1618884473;", ""), Fault::InputInvalid),
        (with("created=1618884473", "created=\"1618884473\""), Fault::InputInvalid),
        (with("created=1618884473", "created=1618884473.0"), Fault::InputInvalid),
        (with("created=1618884473", "created=1618884474"), MISMATCH),
        (with("created=1618884473", "created=-1618884473"), Fault::NotInTime),
        (with("created=1618884473", "created=999999999999999"), Fault::NotInTime),
        (with(";keyid=\"test-shared-secret\"", ""), Fault::InputInvalid),
        (with("\"test-shared-secret\"", "test-shared-secret"), Fault::InputInvalid),
        (with("\"test-shared-secret\"", "\"nobody\""), MISMATCH),
        // Another kind of key than the one that signed.
        (with("\"test-shared-secret\"", "\"test-key-ed25519\""), MISMATCH),
        (with("\"test-shared-secret\"", "\"test-key-ecc-p256\""), MISMATCH),
        // The algorithm is the key's, whatever the caller says; also when that is signed.
        (with(";keyid", ";alg=\"none\";keyid"), MISMATCH),
        (
            full(
                &format!("{PARAMETERS};alg=\"ed25519\""),
                "6si54cXZqYQ/c8bgF/5asfWco58FdT+MwZ33M+sK1LI=",
            ),
            MISMATCH,
        ),
    ] {
        let (came, wants_body) = Stage::new().ask(&given);
        assert_eq!(
            (came, wants_body),
            (Came::Fault(expected), false),
            "{} {}",
            given.input,
            given.signature
        );
    }
    let many: String = (0..33).map(|n| format!("\"h{n}\" ")).collect();
    fault(&with("\"content-digest\"", &format!("\"content-digest\" {many}")), Fault::InputInvalid);
    // A line feed cannot come in, since no field has one; nor can what is no text.
    let mut odd = good();
    odd.fields[3] = field("Content-Digest", "sha-256=:\u{fc}:");
    fault(&odd, Fault::HeaderMissing("content-digest".into()));
    // A signature beside a key, or beside another signature.
    for (name, value) in
        [("X-Api-Key", "k1"), ("Authorization", "Bearer k1"), ("Authorization", "hmac id=\"a\"")]
    {
        let mut both = good();
        both.fields.push(field(name, value));
        assert_eq!(Stage::new().ask(&both).0, Came::Refused(Reason::CredentialsInvalid), "{name}");
    }
}

#[test]
fn a_nonce_is_taken_once() {
    let with = full(
        &format!("{PARAMETERS};nonce=\"n-1\""),
        "0K2HvHbb5aS32yh+HiL9QgYbe4rgk2LuvXXB0vDZDlk=",
    );
    for (nonce, given, first, second) in [
        (NonceUse::Off, &with, Came::Phone, Came::Phone),
        (NonceUse::Optional, &with, Came::Phone, Came::Fault(SignatureFault::NonceUsed)),
        (NonceUse::Required, &with, Came::Phone, Came::Fault(SignatureFault::NonceUsed)),
        (NonceUse::Optional, &good(), Came::Phone, Came::Phone),
        (
            NonceUse::Required,
            &good(),
            Came::Fault(SignatureFault::NonceMissing),
            Came::Fault(SignatureFault::NonceMissing),
        ),
    ] {
        let stage = Stage::new();
        let given = Given { nonce, ..given.clone() };
        assert_eq!(stage.ask(&given).0, first, "{nonce:?}");
        assert_eq!(stage.ask(&Given { now_s: CREATED_S + 300, ..given }).0, second, "{nonce:?}");
    }
    // A body that is not the one that was signed uses no nonce up.
    let stage = Stage::new();
    let wrong = stage.ask(&Given { body: Some(b"x"), ..with.clone() }).0;
    assert_eq!(wrong, Came::Fault(SignatureFault::Digest));
    assert_eq!(stage.ask(&with).0, Came::Phone);
}

#[test]
fn keys_that_are_none() {
    let phone = app("phone", None, None);
    for (algorithm, text) in [
        (SigningAlgorithm::HmacSha256, ""),
        (SigningAlgorithm::HmacSha256, "hunter2 hunter2"),
        (SigningAlgorithm::HmacSha256, "aHVudGVyMg=="),
        (SigningAlgorithm::Ed25519, SECRET),
        (SigningAlgorithm::Ed25519, P256_PEM),
        (SigningAlgorithm::EcdsaP256Sha256, ED25519_PEM),
        (
            SigningAlgorithm::EcdsaP256Sha256,
            "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----\n",
        ),
    ] {
        let why = Verifier::new(Arc::clone(&phone), algorithm, text).expect_err(text);
        assert!(!why.contains("hunter2"));
    }
    let verifier = Verifier::new(phone, SigningAlgorithm::HmacSha256, SECRET).expect("a key");
    assert!(!format!("{verifier:?}").contains("uzvJ"));
}
