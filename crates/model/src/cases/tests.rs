//! Files of cases, right and wrong.

use super::*;
use crate::Format;

fn read(text: &str) -> Result<ReadCases, Vec<Diagnostic>> {
    read_cases(&SourceFile {
        name: "c.yaml".to_owned(),
        text: text.to_owned(),
        format: Format::Yaml,
    })
}

#[test]
fn cases_are_read_with_their_places() {
    let text = "\
cases:
  - name: first
    request: { url: /a, headers: { x-key: { env: KEY }, b: c } }
    expect: { status: 401 }
  - name: second
    repeat: 3
    after: 1s
    request: { method: POST, url: /b, from: 192.0.2.1 }
    expect:
      decision: permitted
      backend: { path: /x, headers: { a: b, c: false, d: true } }
";
    let read = read(text).expect("it is right");
    let [first, second] = &read.cases.cases[..] else { panic!("two cases") };
    assert_eq!((first.request.method.as_str(), first.repeat), ("GET", 1));
    assert_eq!(
        first.request.headers["x-key"],
        CaseText::Variable(CaseVariable { env: "KEY".to_owned() })
    );
    assert_eq!((second.repeat, second.after.map(|after| after.as_ms())), (3, Some(1_000)));
    let headers = &second.expect.backend.as_ref().expect("there is one").headers;
    assert_eq!(headers["c"], ExpectedField::Present(false));
    assert_eq!(headers["a"], ExpectedField::Value("b".to_owned()));
    assert_eq!(read.locate("/cases/1/expect/decision").line, 10);
}

#[test]
fn mistakes_have_a_place() {
    let cases = [
        ("cases: [ { name: a, request: { url: / }, expect: { stauts: 4 } } ]", "stauts", 1),
        ("cases:\n  - { name: a, reqest: { url: / }, expect: {} }", "reqest", 2),
        ("cases:\n  - { name: a, request: {}, expect: {} }", "url", 2),
        ("cases: 3", "cases", 1),
        ("cases: []\ncases: []", "twice", 1),
        ("cases: [", "", 0),
        ("cases:\n  - { name: a, request: { url: / }, expect: { status: many } }", "status", 2),
    ];
    for (text, part, line) in cases {
        let found = read(text).expect_err(text);
        let told: Vec<String> =
            found.iter().map(|found| format!("{} {}", found.message, found.pointer)).collect();
        assert!(told.iter().any(|told| told.contains(part)), "{text}: {told:?}");
        assert!(line == 0 || found[0].location.line == line, "{text}: {:?}", found[0].location);
    }
}
