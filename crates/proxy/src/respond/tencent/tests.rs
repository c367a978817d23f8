//! The texts, byte for byte.

use super::*;

#[track_caller]
fn check(fault: SignatureFault, expected: &str) {
    let body = refusal(&Refusal::from(fault));
    assert_eq!(String::from_utf8(body).expect("text"), format!("{{\"message\":\"{expected}\"}}"));
}

#[test]
fn texts_of_signatures() {
    use SignatureFault as Fault;
    for (fault, text) in [
        (
            Fault::Missing,
            "HMAC signature cannot be verified, a validate authorization header is required",
        ),
        (Fault::Format, "HMAC authorization format error."),
        (Fault::FieldsMissing, "HMAC authorization headers is invalidate."),
        (Fault::IdOrSignatureMissing, "HMAC id or signature missing."),
        (Fault::Algorithm("hmac-md5".into()), "HMAC algorithm hmac-md5 not supported."),
        (Fault::Repeated, "HMAC do not support multiple HTTP header."),
        (
            Fault::HeaderMissing("source".into()),
            "HMAC signature cannot be verified, a valid source header is required.",
        ),
        (
            Fault::DateInvalid,
            "HMAC signature cannot be verified, a valid x-date header is required for HMAC Authentication.",
        ),
        (
            Fault::NoDate,
            "HMAC signature cannot be verified, a valid date or x-date header is required.",
        ),
        (
            Fault::OutOfDate,
            "HMAC signature cannot be verified, the x-date header is out of date for HMAC Authentication.",
        ),
        (Fault::Mismatch { signed: None }, "HMAC signature does not match."),
        // The documented answer.
        (
            Fault::Mismatch {
                signed: Some(
                    b"source: apigw test\nx-date: Thu, 11 Mar 2021 08:49:30 GMT\nPOST\napplication/json\n\
                      application/x-www-form-urlencoded\n\n/?p=test"
                        .as_slice()
                        .into(),
                ),
            },
            r"HMAC signature does not match, Server StringToSign:source: apigw test#x-date: Thu, 11 Mar 2021 08:49:30 GMT#POST#application\/json#application\/x-www-form-urlencoded##\/?p=test",
        ),
        // What is not text, and what would end the text.
        (
            Fault::Mismatch { signed: Some(b"a\"b\\\x00\xff\x7f".as_slice().into()) },
            "HMAC signature does not match, Server StringToSign:a\\\"b\\\\\\u0000\u{fffd}\\u007f",
        ),
    ] {
        check(fault, text);
    }
}

#[test]
fn texts_of_the_rest() {
    let text = |reason: Reason| String::from_utf8(refusal(&reason.into())).expect("text");
    assert_eq!(text(Reason::RateLimited), r#"{"message":"API rate limit exceeded."}"#);
    assert_eq!(text(Reason::QuotaExhausted), r#"{"message":"API quota exceeded."}"#);
    assert_eq!(text(Reason::AppNotAllowed), r#"{"message":"HMAC apikey is invalid for API."}"#);
    assert_eq!(text(Reason::NotFound), r#"{"message":"There is no such resource."}"#);
    assert_eq!((status(Reason::AppNotAllowed), status(Reason::RateLimited)), (401, 429));
    assert_eq!(failure(Fault::ConnectFailed), br#"{"message":"Bad Gateway."}"#);
}
