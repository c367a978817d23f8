//! Any bytes as the three places of a key, and what must hold of them. Used by the fuzz target and by the test
//! that runs its corpus.

use std::sync::Arc;

use portway_model as model;
use portway_policy::{
    App, Call, Headers, Identify, KeyPlace, MemoryKeys, ParamSpans, Scheme, Shape, query, sha256,
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
        path: "/",
        query,
        headers: &fields,
        client: [127, 0, 0, 1].into(),
        param_names: &[],
        params: &ParamSpans::EMPTY,
    };
    let identified = Identify::Key(Box::new(places)).identify(&call, &keys).is_ok();
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
