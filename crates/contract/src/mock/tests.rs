//! Answers of mocks: which one, in which media type, and what is said where there is none.

use super::accept::Accept;
use super::prefer::Prefer;
use super::{Asked, Made, Mock, Unanswered, compile};
use crate::{Limits, NoFiles, read};

fn mock(text: &str) -> (Mock, Vec<String>) {
    let outcome = read("t.yaml", text.as_bytes(), &NoFiles, &Limits::default());
    let contract = outcome.contract.unwrap_or_else(|| panic!("{:?}", outcome.diagnostics));
    let (mut all, findings) = compile(&contract, |_| true);
    let messages = findings.into_iter().map(|finding| finding.message).collect();
    (all.remove(0).expect("wanted"), messages)
}

const PETS: &str = r#"
openapi: 3.0.3
info: {title: t, version: '1'}
paths:
  /pets/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses:
        '200':
          description: ok
          headers:
            X-Rate: {schema: {type: integer, minimum: 9}}
            X-Tags: {schema: {type: array, items: {enum: [a]}}}
            Content-Length: {schema: {type: integer}}
            X-Bad: {example: "a\r\nSet-Cookie: b=c"}
          content:
            application/xml: {example: <pet/>}
            application/json:
              schema: {$ref: '#/components/schemas/Pet'}
              examples:
                cat: {$ref: '#/components/examples/Cat'}
                dog: {value: {id: 2, name: Rex}}
                odd: {value: {id: two}}
            text/csv: {schema: {type: object}}
        '201':
          description: made
          content: {application/json: {schema: {$ref: '#/components/schemas/Pet'}}}
        4XX:
          description: no
          content: {application/problem+json: {example: {title: no}}}
        '404': {description: none}
        '503':
          description: xml only
          content: {text/xml: {schema: {type: object}}}
components:
  schemas:
    Pet: {type: object, required: [id], properties: {id: {type: integer}, name: {type: string}}}
  examples:
    Cat: {value: {id: 1, name: Tom}}
"#;

fn ask(mock: &Mock, accept: &str, prefer: &str) -> Result<Made, Unanswered> {
    let mut asked = Asked::default();
    asked.accept.read(accept);
    let mut prefers = Prefer::default();
    prefers.read(prefer);
    asked.code = prefers.code.map(|code| code.parse().unwrap_or(0));
    asked.example = prefers.example.as_deref();
    mock.answer(&asked)
}

#[test]
fn the_answer_is_what_the_contract_shows() {
    let (mock, findings) = mock(PETS);
    let check = |accept: &str, prefer: &str, status: u16, media_type: &str, body: &str| {
        let made =
            ask(&mock, accept, prefer).unwrap_or_else(|why| panic!("{accept} {prefer}: {why:?}"));
        assert_eq!(made.status, status, "{accept} {prefer}");
        assert_eq!(made.media_type.as_deref().unwrap_or_default(), media_type, "{accept} {prefer}");
        assert_eq!(String::from_utf8(made.body).expect("text"), body, "{accept} {prefer}");
    };
    let (json, tom) = ("application/json", r#"{"id":1,"name":"Tom"}"#);
    check("", "", 200, json, tom);
    check("*/*", "", 200, json, tom);
    check("text/html, */*;q=0.1", "", 200, json, tom);
    check("application/xml", "", 200, "application/xml", "<pet/>");
    check("application/*;q=0.5, application/json;q=0.1", "", 200, "application/xml", "<pet/>");
    check("", "example=dog", 200, json, r#"{"id":2,"name":"Rex"}"#);
    check("", "example=\"dog\", code=200", 200, json, r#"{"id":2,"name":"Rex"}"#);
    check("", "code=201", 201, json, r#"{"id":1,"name":"string"}"#);
    check("", "code=404", 404, "", "");
    check("", "code=409", 409, "application/problem+json", r#"{"title":"no"}"#);
    let headers = ask(&mock, "", "").expect("made").headers;
    assert_eq!(
        headers,
        [("X-Rate".to_owned(), "9".to_owned()), ("X-Tags".to_owned(), "a".to_owned())]
    );
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(findings[0].contains("example `odd`") && findings[0].contains("/id"), "{findings:?}");
}

#[test]
fn what_there_is_is_said_where_something_else_was_asked() {
    let (mock, _) = mock(PETS);
    let said = |accept: &str, prefer: &str| ask(&mock, accept, prefer).expect_err("nothing");
    let codes =
        Unanswered::NoSuchCode("the contract describes 200, 201, 404, 503 and 4XX".to_owned());
    assert_eq!(said("", "code=302"), codes);
    assert_eq!(said("", "code=abc"), codes);
    assert_eq!(said("", "code=99999"), codes);
    assert_eq!(
        said("", "example=bird"),
        Unanswered::NoSuchExample("the contract gives this operation cat, dog and odd".to_owned())
    );
    assert_eq!(
        said("", "example=dog, code=201"),
        Unanswered::NoSuchExample(
            "the contract gives this answer no example with a name".to_owned()
        )
    );
    assert_eq!(
        said("image/png", ""),
        Unanswered::NotAcceptable(
            "this answer can be had as application/json and application/xml".to_owned()
        )
    );
    assert!(
        matches!(said("", "code=503"), Unanswered::CannotMake(why) if why.contains("text/xml"))
    );
}

#[test]
fn the_usual_status_is_the_lowest_success() {
    let check = |responses: &str, status: u16| {
        let text = format!(
            "openapi: 3.0.3\ninfo: {{title: t, version: '1'}}\npaths: {{/a: {{get: {{responses: {responses}}}}}}}\n"
        );
        let (mock, _) = mock(&text);
        assert_eq!(ask(&mock, "", "").expect("made").status, status, "{responses}");
    };
    check("{'404': {description: n}, '202': {description: y}, '201': {description: y}}", 201);
    check("{default: {description: y}, '404': {description: n}}", 200);
    check("{'2XX': {description: y}}", 200);
    check("{'302': {description: y}, '404': {description: n}}", 302);
    check("{'4XX': {description: y}}", 400);
    check("{}", 204);
}

#[test]
fn old_contracts_have_examples_by_media_type() {
    let (mock, _) = mock(
        "swagger: '2.0'\ninfo: {title: t, version: '1'}\nproduces: [application/json]\npaths: {/a: {get: {responses: {'200': {description: ok, schema: {type: object}, headers: {X-A: {type: integer}}, examples: {application/json: {a: 1}, text/plain: hello}}}}}}\n",
    );
    let made = ask(&mock, "", "").expect("made");
    assert_eq!(made.body, br#"{"a":1}"#);
    assert_eq!(made.headers, [("X-A".to_owned(), "1".to_owned())]);
    assert_eq!(ask(&mock, "text/plain", "").expect("made").body, b"hello");
}

#[test]
fn bodies_are_written_in_their_media_type() {
    let check = |content: &str, body: &str| {
        let text = format!(
            "openapi: 3.1.0\ninfo: {{title: t, version: '1'}}\npaths: {{/a: {{get: {{responses: {{'200': {{description: d, content: {content}}}}}}}}}}}\n"
        );
        let (mock, _) = mock(&text);
        let made = ask(&mock, "", "").unwrap_or_else(|why| panic!("{content}: {why:?}"));
        assert_eq!(String::from_utf8(made.body).expect("text"), body, "{content}");
    };
    check("{'*/*': {schema: {type: boolean}}}", "true");
    check("{application/json: {}}", "{}");
    check("{application/json: {example: 'hi', schema: {type: string}}}", "\"hi\"");
    check(r#"{application/json: {example: '{"a": 1}', schema: {type: object}}}"#, r#"{"a": 1}"#);
    check("{text/plain: {schema: {type: string}}}", "string");
    check("{text/plain: {schema: {type: integer}}}", "1");
    check("{application/pdf: {}}", "");
    check(
        "{application/x-ndjson: {schema: {type: array, items: {type: integer}, minItems: 2}}}",
        "1\n1\n",
    );
    check(
        "{text/event-stream: {schema: {type: object, properties: {a: {const: 1}}}}}",
        "data: {\"a\":1}\n\n",
    );
    check(
        "{application/x-www-form-urlencoded: {schema: {properties: {a: {const: 'x y'}, b: {type: integer}}}}}",
        "a=x%20y&b=1",
    );
    check("{text/xml: {example: <a/>}, application/xml: {schema: {type: object}}}", "<a/>");
}

#[test]
fn preferences_are_read_as_the_rfc_says() {
    let check = |fields: &[&str], code: &str, example: &str, wait_ms: Option<u64>| {
        let mut prefer = Prefer::default();
        fields.iter().for_each(|field| prefer.read(field));
        assert_eq!(prefer.code.as_deref().unwrap_or_default(), code, "{fields:?}");
        assert_eq!(prefer.example.as_deref().unwrap_or_default(), example, "{fields:?}");
        assert_eq!(prefer.wait_ms, wait_ms, "{fields:?}");
    };
    check(&["code=404"], "404", "", None);
    check(&["Code=\"404\""], "404", "", None);
    check(&["respond-async, code = 404 ; x=y, example=a"], "404", "a", None);
    check(&["code=404", "code=500, example=\"b c\""], "404", "b c", None);
    check(&["example=\"a \\\"b\\\", c\";z"], "", "a \"b\", c", None);
    check(&["wait=2"], "", "", Some(2_000));
    check(&["wait=0.25"], "", "", Some(250));
    check(&["wait=86400"], "", "", Some(30_000));
    check(&["wait=99999999999999999999999"], "", "", Some(30_000));
    check(&["wait=-1, wait=1e9, wait=, wait=x"], "", "", None);
    check(&["", ",,,", "=", "code", "code=", "code=\"\"", "code=\"x", ";;", "\""], "", "", None);
}

#[test]
fn media_types_are_weighed() {
    let offered = ["application/json", "application/xml", "text/plain;charset=utf-8"];
    let check = |fields: &[&str], expected: Option<usize>| {
        let mut accept = Accept::default();
        fields.iter().for_each(|field| accept.read(field));
        assert_eq!(accept.best(offered.iter().copied()), expected, "{fields:?}");
    };
    check(&[], Some(0));
    check(&[""], Some(0));
    check(&["*/*"], Some(0));
    check(&["application/xml"], Some(1));
    check(&["APPLICATION/XML"], Some(1));
    check(&["text/*"], Some(2));
    check(&["text/plain"], Some(2));
    check(&["text/plain;charset=UTF-8"], Some(2));
    check(&["application/json;q=0.2", "application/xml;q=0.9"], Some(1));
    check(&["*/*, application/json;q=0"], Some(1));
    check(&["application/json;version=2"], Some(0));
    check(&["image/png"], None);
    check(&["*/*;q=0"], None);
    check(&["nonsense"], None);
    check(&["application/json;q=2, text/plain;q=0.001"], Some(2));
}
