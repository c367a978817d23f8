//! What reaches the backend.

use portway_model::{Auth, Credentials, SecretRef};

use super::*;
use crate::test_call::{backend, key_auth, name, service};

fn compile(auth: Auth, credentials: Vec<Credentials>) -> Result<Shape, Vec<String>> {
    let rules = Rules::compile(&name("shop"), None, &service(auth, Vec::new()), None);
    Shape::compile(&backend(credentials), &rules, &|secret| match secret {
        SecretRef::Env(text) if text == "NONE" => Err("the environment has no NONE".to_owned()),
        SecretRef::Env(text) | SecretRef::File(text) => Ok(text.clone()),
    })
}

fn env(secret: &str) -> SecretRef {
    SecretRef::Env(secret.to_owned())
}

fn header(name: &str, secret: &str) -> Credentials {
    Credentials::Header { name: name.to_owned(), value: env(secret) }
}

fn query(name: &str, secret: &str) -> Credentials {
    Credentials::Query { name: name.to_owned(), value: env(secret) }
}

#[test]
fn the_callers_credentials_are_dropped_and_our_own_are_set() {
    let credentials = vec![
        header("X-Inner", "s3cret"),
        Credentials::Bearer(env("t0ken")),
        query("sig n", "a&b=c"),
    ];
    let shape =
        compile(key_auth(Some("X-Api-Key"), Some("key"), true), credentials).expect("compiles");
    let set: Vec<_> = shape.set_headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(set, [("X-Inner", "s3cret"), ("Authorization", "Bearer t0ken")]);
    for name in [
        "x-api-key",
        "X_API_KEY",
        "authorization",
        "AUTHORIZATION",
        "x-inner",
        "x.inner",
        "X_Inner",
    ] {
        assert!(shape.drops_header(name.as_bytes()), "{name}");
    }
    for name in ["accept", "x-inner2", "x-api", ""] {
        assert!(!shape.drops_header(name.as_bytes()), "{name}");
    }
    assert_eq!(shape.set_query, [("sig%20n".into(), "a%26b%3Dc".into())]);
}

#[test]
fn nothing_is_touched_where_nothing_was_asked() {
    let shape = compile(Auth::Public, Vec::new()).expect("compiles");
    assert!(shape.is_empty() && !shape.edits_query());
    // Authorization is the backend's business unless it is a place for our keys.
    let shape = compile(key_auth(Some("X-Api-Key"), None, false), Vec::new()).expect("compiles");
    assert!(!shape.drops_header(b"authorization"));
}

#[test]
fn basic_credentials_are_written_as_the_rfc_has_them() {
    let basic = |user: &str, password: &str| {
        compile(
            Auth::Public,
            vec![Credentials::Basic { user: user.to_owned(), password: env(password) }],
        )
        .map(|shape| shape.set_headers[0].1.to_string())
    };
    // The examples of RFC 7617.
    assert_eq!(
        basic("Aladdin", "open sesame").as_deref(),
        Ok("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==")
    );
    assert_eq!(basic("test", "123£").as_deref(), Ok("Basic dGVzdDoxMjPCow=="));
    assert_eq!(basic("ab", "").as_deref(), Ok("Basic YWI6"));
    assert!(basic("a:b", "c").is_err());
}

#[test]
fn what_does_not_fit_is_told_without_the_secret() {
    let faults = compile(
        Auth::Public,
        vec![
            header("X Inner", "v1"),
            header("X-A", "s3cret\r\nX-B: 1"),
            header("X-C", "  "),
            header("X-D", "NONE"),
            header("X-E", "v2"),
            header("x_e", "v3"),
            Credentials::Bearer(env("s3cret\n\0")),
        ],
    )
    .expect_err("six mistakes");
    assert_eq!(faults.len(), 6, "{faults:#?}");
    assert!(
        faults.iter().all(|fault| !fault.contains("s3cret") && !fault.contains("v3")),
        "{faults:#?}"
    );
}

#[test]
fn values_never_show_in_debug() {
    let shape = compile(Auth::Public, vec![header("X-Inner", "s3cret"), query("sig", "s3cret")])
        .expect("compiles");
    let debug = format!("{shape:?}");
    assert!(
        debug.contains("X-Inner") && debug.contains("sig") && !debug.contains("s3cret"),
        "{debug}"
    );
}

/// With `key` dropped and `sig=1` set.
#[track_caller]
fn check_query(raw: &str, expected: &str) {
    let shape =
        compile(key_auth(None, Some("key"), false), vec![query("sig", "1")]).expect("compiles");
    let mut out = b"?".to_vec();
    shape.write_query(raw, &mut out);
    assert_eq!(String::from_utf8(out).expect("text"), format!("?{expected}"), "{raw}");
}

#[test]
fn queries_keep_what_is_not_dropped_byte_for_byte() {
    check_query("", "sig=1");
    check_query("a=1&b=%2f&&c", "a=1&b=%2f&&c&sig=1");
    check_query("key=x", "sig=1");
    check_query("a=1&key=x&b=2", "a=1&b=2&sig=1");
    check_query("key=x&a=1&KEY=y&k%65y=z&key", "a=1&sig=1");
    check_query("sig=forged&a=1&SIG=forged&s%69g=forged", "a=1&sig=1");
    check_query("a=1;sig=forged;b=2", "a=1;b=2&sig=1");
    check_query("a=1;key;b=2&c", "a=1;b=2&c&sig=1");
    check_query("keys=1&akey=2", "keys=1&akey=2&sig=1");
}
