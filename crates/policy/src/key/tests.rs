//! Keys at all places, and attacks on each.

use proptest::prelude::*;

use super::*;
use crate::MemoryCounters;
use crate::test_call::{Fields, Hands, app, call, key_auth, keys};

const GOOD: &str = "good-key";
const OTHER: &str = "other-key";

/// With `auth`, a call with these fields and this query is from the app expected.
#[track_caller]
fn check(
    auth: &Auth,
    fields: &[(&'static str, &str)],
    query: &str,
    expected: Result<(&str, Credential), Reason>,
) {
    let (phone, watch) = (app("phone", None, None), app("watch", None, None));
    let keys = keys(&[
        (GOOD, &phone),
        (OTHER, &watch),
        ("a,b", &phone),
        ("sp ace", &phone),
        ("pl+us", &phone),
    ]);
    let fields_given = Fields::of(fields);
    let found = identify(&Identify::compile(auth), &call(&fields_given, query), &keys);
    let found =
        found.map(|(app, credential)| (app.map(|app| app.name.as_str().to_owned()), credential));
    let expected = expected.map(|(app, credential)| (Some(app.to_owned()), credential));
    assert_eq!(found, expected, "{fields:?} {query}");
}

fn identify(
    identify: &Identify,
    call: &Call<'_>,
    keys: &dyn Keys,
) -> Result<(Option<Arc<App>>, Credential), Reason> {
    let (clock, counters) = (Hands::default(), MemoryCounters::default());
    match identify.identify(call, &World { clock: &clock, counters: &counters, keys }) {
        Ok(Identified::Caller(app, credential)) => Ok((app, credential)),
        Ok(Identified::HoldBody(_)) => panic!("nobody asked for the body"),
        Err(refusal) => Err(refusal.reason),
    }
}

const MISSING: Result<(&str, Credential), Reason> = Err(Reason::CredentialsMissing);
const INVALID: Result<(&str, Credential), Reason> = Err(Reason::CredentialsInvalid);

#[test]
fn a_key_in_a_header() {
    let auth = key_auth(Some("X-Api-Key"), None, false);
    let phone = Ok(("phone", Credential::Header));
    check(&auth, &[("X-Api-Key", GOOD)], "", phone);
    check(&auth, &[("x-api-KEY", GOOD)], "", phone);
    check(&auth, &[("X-Api-Key", " good-key\t")], "", phone);
    check(&auth, &[("X-Api-Key", OTHER)], "", Ok(("watch", Credential::Header)));
    check(&auth, &[], "", MISSING);
    check(&auth, &[("X-Api-Key", "")], "", INVALID);
    check(&auth, &[("X-Api-Key", "   ")], "", INVALID);
    check(&auth, &[("X-Api-Key", "wrong")], "", INVALID);
    check(&auth, &[("X-Api-Key", "Good-Key")], "", INVALID);
    check(&auth, &[("X-Api-Key", "good-key\0")], "", INVALID);
    check(&auth, &[("X-Api-Key", &"k".repeat(513))], "", INVALID);
    // Names that only look like it are no place.
    check(&auth, &[("X_Api_Key", GOOD), ("X.Api.Key", GOOD), ("X-Api-Keys", GOOD)], "", MISSING);
    // Other places are not looked at.
    check(
        &auth,
        &[("Authorization", "Bearer good-key")],
        "x-api-key=good-key&X-Api-Key=good-key",
        MISSING,
    );
}

#[test]
fn a_header_given_twice_or_listed_never_counts() {
    let auth = key_auth(Some("X-Api-Key"), None, false);
    for second in [GOOD, OTHER, "wrong", ""] {
        check(&auth, &[("X-Api-Key", GOOD), ("X-Api-Key", second)], "", INVALID);
        check(&auth, &[("X-Api-Key", second), ("x-api-key", GOOD)], "", INVALID);
    }
    check(&auth, &[("X-Api-Key", "good-key,wrong")], "", INVALID);
    check(&auth, &[("X-Api-Key", "good-key, good-key")], "", INVALID);
    // A key that has a comma in it is a key like any other.
    check(&auth, &[("X-Api-Key", "a,b")], "", Ok(("phone", Credential::Header)));
}

#[test]
fn a_key_as_bearer() {
    let auth = key_auth(None, None, true);
    let phone = Ok(("phone", Credential::Bearer));
    check(&auth, &[("Authorization", "Bearer good-key")], "", phone);
    check(&auth, &[("authorization", "bEARER   good-key ")], "", phone);
    check(&auth, &[("Authorization", "Bearer sp ace")], "", phone);
    check(&auth, &[("Authorization", "Bearer")], "", INVALID);
    check(&auth, &[("Authorization", "Bearer ")], "", INVALID);
    check(&auth, &[("Authorization", "Bearer Bearer good-key")], "", INVALID);
    check(&auth, &[("Authorization", "Bearer good-key,")], "", INVALID);
    check(
        &auth,
        &[("Authorization", "Bearer good-key"), ("Authorization", "Basic eDp5")],
        "",
        INVALID,
    );
    // Not the bearer scheme: no credential of ours.
    check(&auth, &[("Authorization", "good-key")], "", MISSING);
    check(&auth, &[("Authorization", "Bearergood-key")], "", MISSING);
    check(&auth, &[("Authorization", "Bearer\tgood-key")], "", MISSING);
    check(&auth, &[("Authorization", "Basic eDp5")], "", MISSING);
    check(&auth, &[("Authorization", "")], "", MISSING);
    check(&auth, &[("Proxy-Authorization", "Bearer good-key")], "", MISSING);
}

#[test]
fn a_key_in_the_query() {
    let auth = key_auth(None, Some("api_key"), false);
    let phone = Ok(("phone", Credential::Query));
    check(&auth, &[], "api_key=good-key", phone);
    check(&auth, &[], "a=1&api%5Fkey=%67ood%2dkey&b=2", phone);
    check(&auth, &[], "api_key=sp%20ace", phone);
    check(&auth, &[], "api_key=pl%2Bus", phone);
    check(&auth, &[], "api_key=pl+us", phone);
    check(&auth, &[], "api_key=sp+ace", INVALID);
    check(&auth, &[], "api_key=", INVALID);
    check(&auth, &[], "api_key", INVALID);
    check(&auth, &[], "api_key=good-key&api_key=good-key", INVALID);
    check(&auth, &[], "api_key=good-key&api%5fkey=wrong", INVALID);
    check(&auth, &[], "api_key=good-key%00", INVALID);
    check(&auth, &[], "api_key=%2567ood-key", INVALID);
    check(&auth, &[], "api_key=good-key;a=1", INVALID);
    check(&auth, &[], &format!("api_key={}", "%41".repeat(513)), INVALID);
    check(&auth, &[], "API_KEY=good-key&api_key%20=good-key&a;api_key=good-key", MISSING);
}

#[test]
fn several_places_must_agree() {
    let auth = key_auth(Some("X-Api-Key"), Some("key"), true);
    let phone = Ok(("phone", Credential::Header));
    check(
        &auth,
        &[("X-Api-Key", GOOD), ("Authorization", "Bearer good-key")],
        "key=good-key",
        phone,
    );
    check(
        &auth,
        &[("Authorization", "Bearer good-key")],
        "key=good-key",
        Ok(("phone", Credential::Bearer)),
    );
    // One passes, one fails, in every order of places.
    check(&auth, &[("X-Api-Key", GOOD), ("Authorization", "Bearer wrong")], "", INVALID);
    check(&auth, &[("X-Api-Key", "wrong"), ("Authorization", "Bearer good-key")], "", INVALID);
    check(&auth, &[("X-Api-Key", GOOD)], "key=wrong", INVALID);
    check(&auth, &[("X-Api-Key", GOOD)], "key=", INVALID);
    check(&auth, &[("X-Api-Key", "")], "key=good-key", INVALID);
    // Two right keys of two apps: nobody knows who is calling.
    check(&auth, &[("X-Api-Key", GOOD)], "key=other-key", INVALID);
    // Another scheme says nothing about keys.
    check(&auth, &[("X-Api-Key", GOOD), ("Authorization", "Basic eDp5")], "", phone);
}

#[test]
fn any_of_several_kinds_suffices() {
    let (Auth::AnyOf(mut kinds), Auth::AnyOf(others)) =
        (key_auth(Some("X-Api-Key"), None, false), key_auth(Some("X-Old-Key"), None, true))
    else {
        panic!("both are lists");
    };
    kinds.extend(others);
    let auth = Auth::AnyOf(kinds);
    check(&auth, &[("X-Api-Key", GOOD)], "", Ok(("phone", Credential::Header)));
    check(&auth, &[("X-Old-Key", OTHER)], "", Ok(("watch", Credential::Header)));
    check(&auth, &[("X-Old-Key", OTHER), ("X-Api-Key", GOOD)], "", INVALID);
    let twice =
        Auth::AnyOf(vec![AuthKind::Key(KeyAuth::default()), AuthKind::Key(KeyAuth::default())]);
    assert_eq!(Identify::compile(&twice).places().len(), 2, "a place stands there once");
}

#[test]
fn public_asks_nobody() {
    let fields = Fields::of(&[("X-Api-Key", "wrong")]);
    let keys = keys(&[]);
    let found = identify(&Identify::compile(&Auth::Public), &call(&fields, "api_key=x"), &keys)
        .expect("public");
    assert!(found.0.is_none());
    assert_eq!(found.1, Credential::None);
}

#[test]
fn a_list_without_a_place_lets_nobody_in() {
    let auth = key_auth(None, None, false);
    check(
        &auth,
        &[("X-Api-Key", GOOD), ("Authorization", "Bearer good-key")],
        "api_key=good-key",
        MISSING,
    );
}

proptest! {
    #[test]
    fn nothing_from_outside_panics_or_is_let_in(
        header in prop::collection::vec(any::<u8>(), 0..64),
        authorization in prop::collection::vec(any::<u8>(), 0..64),
        query in "[a-z%&=;+0-9]{0,64}",
    ) {
        let phone = app("phone", None, None);
        let keys = keys(&[(GOOD, &phone)]);
        let fields = Fields(vec![("X-Api-Key", header), ("Authorization", authorization)]);
        let by_key = Identify::compile(&key_auth(Some("X-Api-Key"), Some("k"), true));
        prop_assert!(identify(&by_key, &call(&fields, &query), &keys).is_err());
    }
}
