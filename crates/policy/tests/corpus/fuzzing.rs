//! Any bytes as the three places of a key, and what must hold of them. Used by the fuzz target and by the test
//! that runs its corpus.

#![allow(dead_code, reason = "each fuzz target uses a part of it")]

use std::sync::Arc;

use portway_model as model;
use portway_policy::{
    App, Body, Call, Clock, Headers, Identified, Identify, KeyPlace, MemoryCounters, MemoryKeys,
    ParamSpans, Scheme, Shape, Signer, Verifier, World, hmac, query, sha256,
};

const KEY: &[u8] = b"k1";

struct Fields<'a> {
    key: &'a [u8],
    authorization: &'a [u8],
}

impl Headers for Fields<'_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        let value =
            if name.eq_ignore_ascii_case("authorization") { self.authorization } else { self.key };
        (!value.is_empty()).then_some(value)
    }

    fn each(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        if let Some(value) = self.first(name) {
            see(value);
        }
    }
}

/// A clock that stands at 2021-03-11 08:29:58 UTC.
struct Still;

impl Clock for Still {
    fn now_us(&self) -> u64 {
        0
    }
    fn unix_ms(&self) -> u64 {
        1_615_451_398_000
    }
}

/// Fields in lines.
struct Lines<'a>(Vec<(&'a str, &'a [u8])>);

impl Headers for Lines<'_> {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    fn each(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        let named = self.0.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.for_each(|(_, value)| see(value));
    }
}

/// First line: query. Then fields, to an empty line. Rest: body. Nobody has the secret, so nobody is let in; what is
/// taken apart lies in what was given.
pub(crate) fn signed(data: &[u8]) {
    let mut rest = data;
    let mut line = || {
        let end = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        line
    };
    let Ok(query) = std::str::from_utf8(line()) else { return };
    let mut fields = Vec::new();
    loop {
        let field = line();
        let Some(colon) = field.iter().position(|byte| *byte == b':') else { break };
        let Ok(name) = std::str::from_utf8(&field[..colon]) else { return };
        fields.push((name, field[colon + 1..].trim_ascii()));
    }
    let headers = Lines(fields);
    let authorization = headers.first("authorization").unwrap_or_default();
    if let Some(parameters) = hmac::authorization::parameters(authorization)
        && let Ok(said) = hmac::authorization::parse(parameters)
    {
        for part in [said.id, said.algorithm, said.headers, said.signature] {
            assert!(!part.is_empty() && !part.contains(&b'"'));
        }
    }
    let app = App { name: model::Name::new("phone").expect("a name"), plan: None, services: None };
    let signer = Signer::new(Arc::new(app), "a secret that no input has");
    let verifier = Verifier::new(
        Arc::clone(&signer.app),
        model::SigningAlgorithm::HmacSha256,
        "bm9ib2R5IGhhcyB0aGlzIHNlY3JldA==",
    );
    let keys = MemoryKeys::default()
        .with_signers([("AKID1".into(), signer)])
        .with_verifiers([("k1".into(), verifier.expect("a key"))]);
    let counters = MemoryCounters::new(1);
    let world = World { clock: &Still, counters: &counters, keys: &keys };
    for form in [model::HmacForm::App, model::HmacForm::KeyPair] {
        let nonce = model::NonceUse::Optional;
        let document = model::HmacAuth { form, nonce, ..model::HmacAuth::default() };
        let signature = model::SignatureAuth {
            components: Some(vec!["@method".to_owned()]),
            ..model::SignatureAuth::default()
        };
        let kinds = vec![model::AuthKind::Hmac(document), model::AuthKind::Signature(signature)];
        let auth = model::Auth::AnyOf(kinds);
        let identify = Identify::compile(&auth);
        for body in [Body::None, Body::Unread, Body::Held(rest)] {
            let call = Call {
                method: "POST",
                scheme: Scheme::Http,
                host: "",
                authority: b"",
                path: "/release/a",
                query,
                headers: &headers,
                certificate: None,
                body,
                client: [127, 0, 0, 1].into(),
                param_names: &[],
                params: &ParamSpans::EMPTY,
            };
            match identify.identify(&call, &world) {
                Ok(Identified::Caller(..)) => panic!("nobody signed this"),
                Ok(Identified::HoldBody(_)) => assert!(matches!(body, Body::Unread)),
                Err(refusal) => assert_eq!(refusal.reason.status(), 401),
            }
        }
    }
}

/// First line: header. Second: `Authorization`. Rest: query.
pub(crate) fn key(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let fields = Fields { key: line(), authorization: line() };
    let Ok(query) = std::str::from_utf8(line()) else { return };
    let places =
        [KeyPlace::Header("X-Api-Key".into()), KeyPlace::Bearer, KeyPlace::Query("key".into())];
    let app = App { name: model::Name::new("phone").expect("a name"), plan: None, services: None };
    let keys = MemoryKeys::new([(sha256(KEY), Arc::new(app))]);
    let call = Call {
        method: "GET",
        scheme: Scheme::Http,
        host: "",
        authority: b"",
        path: "/",
        query,
        headers: &fields,
        certificate: None,
        body: Body::None,
        client: [127, 0, 0, 1].into(),
        param_names: &[],
        params: &ParamSpans::EMPTY,
    };
    let counters = MemoryCounters::new(1);
    let world = World { clock: &Still, counters: &counters, keys: &keys };
    let identified = Identify::Key(Box::new(places)).identify(&call, &world).is_ok();
    assert_eq!(
        identified,
        should_be_identified(&fields, query),
        "{:?}",
        data.escape_ascii().to_string()
    );
    nothing_is_left(query);
}

/// The rule in its plainest form: something was shown, all of it is the key, and no place was filled twice.
fn should_be_identified(fields: &Fields<'_>, query: &str) -> bool {
    let mut shown: Vec<Vec<u8>> = Vec::new();
    if !fields.key.is_empty() {
        shown.push(fields.key.trim_ascii().to_vec());
    }
    let authorization = fields.authorization.trim_ascii();
    let (scheme, token) = match authorization.iter().position(|byte| *byte == b' ') {
        Some(space) => authorization.split_at(space),
        None => (authorization, &b""[..]),
    };
    if scheme.eq_ignore_ascii_case(b"bearer") {
        shown.push(token.trim_ascii().to_vec());
    }
    let in_query: Vec<_> = query::values(query, "key").collect();
    shown.extend(in_query.iter().map(|value| query::decoded(value.as_bytes()).collect()));
    in_query.len() <= 1 && !shown.is_empty() && shown.iter().all(|key| key == KEY)
}

/// What goes to the backend has no parameter of the name that was dropped.
fn nothing_is_left(query: &str) {
    let shape = Shape { drop_query: vec!["key".into()], ..Shape::default() };
    let mut out = Vec::new();
    shape.write_query(query, &mut out);
    let out = String::from_utf8(out).expect("parts of text between ASCII are text");
    assert_eq!(query::values(&out, "key").count(), 0, "{query:?} became {out:?}");
    assert!(out.len() <= query.len());
}
