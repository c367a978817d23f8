//! Names of fields, and of what must not be one.

use super::*;

fn check(text: &str, expected: Option<LogField<'_>>) {
    assert_eq!(LogField::parse(text), expected, "{text}");
}

#[test]
fn fields() {
    check("time", Some(LogField::Known(0)));
    check("error_page", Some(LogField::Known(LOG_FIELDS.len() - 1)));
    check("header:User-Agent", Some(LogField::Header("User-Agent")));
    check("answer:Content-Type", Some(LogField::Answer("Content-Type")));
    check("query:page[size]", Some(LogField::Query("page[size]")));
    check("header:", None);
    check("header:a b", None);
    check("header:a\"b", None);
    check("query:a\nb", None);
    check("query:a\"b", None);
    check("body:x", None);
    check("Time", None);
    check("", None);
    check(&format!("header:{}", "x".repeat(65)), None);
}

#[test]
fn credentials() {
    for name in [
        "Authorization",
        "proxy-authorization",
        "Cookie",
        "Set-Cookie",
        "X-Api-Key",
        "x_api_key",
        "access_token",
        "X-Auth-Token",
        "client_secret",
        "password",
        "sessionid",
        "X-Signature",
        "key",
        "code",
        "sig",
        "X-Amz-Credential",
        "id_token",
        "X-CSRF-Token",
        "WWW-Authenticate",
    ] {
        assert!(carries_credentials(name), "{name}");
    }
    for name in
        ["User-Agent", "Accept", "X-Tenant", "page", "lang", "Content-Type", "X-Keyboard", "encode"]
    {
        assert!(!carries_credentials(name), "{name}");
    }
}
