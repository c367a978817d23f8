//! Routes as text, and auth in its forms.

use proptest::prelude::*;

use super::{Auth, AuthKind, KeyAuth, RoutePattern};

proptest! {
    #[test]
    fn routes_are_read_again(
        method in prop::sample::select(vec!["GET", "POST", "*", "M-SEARCH"]),
        segments in prop::collection::vec("[a-z0-9._~:-]{0,4}[a-z]", 0..5),
        parameter in prop::option::of("[a-z]{1,5}"),
        tail: bool,
    ) {
        let mut path: String = segments.iter().map(|segment| format!("/{segment}")).collect();
        if let Some(parameter) = parameter {
            path.push_str(&format!("/v{{{parameter}}}.json"));
        }
        path.push_str(if tail { "/{the-rest+}" } else { "/" });
        let route = RoutePattern { method: method.to_owned(), path };
        prop_assert_eq!(route.to_string().parse(), Ok(route));
    }

    #[test]
    fn nothing_panics(text in "\\PC{0,60}", braces in "[{}+/a ]{0,20}") {
        let _ = text.parse::<RoutePattern>();
        let _ = format!("GET /{braces}").parse::<RoutePattern>();
    }
}

#[test]
fn auth_has_a_short_and_a_long_form() {
    let query = KeyAuth { header: None, query: Some("key".to_owned()), bearer: false };
    for (auth, json) in [
        (Auth::Public, r#""public""#),
        (Auth::AnyOf(vec![AuthKind::Key(KeyAuth::default())]), r#"["key"]"#),
        (
            Auth::AnyOf(vec![AuthKind::Key(query)]),
            r#"[{"key":{"header":null,"query":"key","bearer":false}}]"#,
        ),
    ] {
        assert_eq!(serde_json::to_string(&auth).unwrap(), json);
        assert_eq!(serde_json::from_str::<Auth>(json).unwrap(), auth);
    }
    assert!(serde_json::from_str::<Auth>("[]").is_err());
    assert!(serde_json::from_str::<Auth>(r#"["magic"]"#).is_err());
}
