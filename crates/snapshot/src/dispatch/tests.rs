//! Verdicts on conditions.

use portway_contract::{Dispatch, ValueTest};
use portway_policy::Headers;

use super::{Condition, Facts, Verdict};

struct List(Vec<(&'static str, &'static str)>);

impl Headers for List {
    fn first(&self, name: &str) -> Option<&[u8]> {
        self.0
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_bytes())
    }

    fn each(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        for (_, value) in self.0.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)) {
            see(value.as_bytes());
        }
    }
}

fn judge(
    dispatch: Dispatch,
    query: &str,
    headers: &[(&'static str, &'static str)],
    param: &str,
) -> Verdict {
    let headers = List(headers.to_vec());
    let facts = Facts { path: param, query, headers: &headers, params: &[(0, param.len() as u32)] };
    facts.judge_all(&[Condition { dispatch, param: 0 }])
}

#[test]
fn query() {
    let action = |value: Option<&str>| Dispatch::Query {
        name: "Action".to_owned(),
        value: value.map(str::to_owned),
    };
    for (query, value, expected) in [
        ("Action=Run", Some("Run"), Verdict::Holds),
        ("x=1&Act%69on=R%75n", Some("Run"), Verdict::Holds),
        ("Action=Run+it", Some("Run it"), Verdict::Holds),
        ("Action=Run%2Bit", Some("Run+it"), Verdict::Holds),
        ("Action=Stop", Some("Run"), Verdict::Fails),
        ("action=Run", Some("Run"), Verdict::Fails),
        ("", Some("Run"), Verdict::Fails),
        ("Action", None, Verdict::Holds),
        ("Action=Run&Action=Run", Some("Run"), Verdict::Holds),
        ("Action=Run&Action=Stop", Some("Run"), Verdict::Unclear),
        ("Action=Stop&Action=Run", Some("Run"), Verdict::Unclear),
    ] {
        assert_eq!(judge(action(value), query, &[], ""), expected, "{query}");
    }
}

#[test]
fn headers() {
    let target = |value: Option<&str>| Dispatch::Header {
        name: "X-Target".to_owned(),
        value: value.map(str::to_owned),
    };
    assert_eq!(judge(target(Some("A.B")), "", &[("x-target", " A.B ")], ""), Verdict::Holds);
    assert_eq!(judge(target(Some("A.B")), "", &[("x-target", "a.b")], ""), Verdict::Fails);
    assert_eq!(judge(target(None), "", &[("x-target", "q")], ""), Verdict::Holds);
    assert_eq!(
        judge(target(Some("A")), "", &[("x-target", "A"), ("X-Target", "B")], ""),
        Verdict::Unclear
    );
    let json =
        Dispatch::ContentType { any_of: vec!["application/json".to_owned(), "image/*".to_owned()] };
    for (value, expected) in [
        ("application/json; charset=utf-8", Verdict::Holds),
        ("Application/JSON", Verdict::Holds),
        ("image/png", Verdict::Holds),
        ("image/", Verdict::Fails),
        ("text/plain", Verdict::Fails),
    ] {
        assert_eq!(judge(json.clone(), "", &[("content-type", value)], ""), expected, "{value}");
    }
}

#[test]
fn path() {
    let is = |test| Dispatch::Path { name: "id".to_owned(), test };
    assert_eq!(judge(is(ValueTest::Integer), "", &[], "42"), Verdict::Holds);
    assert_eq!(judge(is(ValueTest::Integer), "", &[], "x"), Verdict::Fails);
    assert_eq!(
        judge(is(ValueTest::OneOf(vec!["a b".to_owned()])), "", &[], "a%20b"),
        Verdict::Holds
    );
}
