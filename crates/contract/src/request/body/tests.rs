//! Bodies of every language: what a contract says of one, a body, what is wrong with it.

use std::fmt::Write;

use proptest::prelude::*;

use super::{Bounds, Wish, multipart, pairs};
use crate::request::decode;
use crate::request::{Head, RequestChecks, Wanted, compile};
use crate::schema::intake;
use crate::{Limits, NoFiles, read};

struct Fields<'a>(&'a [(&'a str, &'a str)]);

impl Head for Fields<'_> {
    fn path(&self, _: usize) -> Option<&str> {
        None
    }

    fn query(&self) -> &str {
        ""
    }

    fn header(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        for (_, value) in self.0.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)) {
            see(value.as_bytes());
        }
    }
}

fn checks(version: &str, operation: &str, bounds: Bounds) -> RequestChecks {
    let version = match version {
        "2.0" => "swagger: '2.0'".to_owned(),
        version => format!("openapi: {version}"),
    };
    let text = format!(
        "{version}\ninfo: {{title: t, version: '1'}}\npaths:\n  /x:\n    post:\n      {operation}\n      responses: {{'200': {{description: ok}}}}\n"
    );
    let outcome = read("api.yaml", text.as_bytes(), &NoFiles, &Limits::default());
    let contract = outcome.contract.expect("a contract");
    let (mut all, findings) = compile(&contract, |_| Some(Wanted { bounds, ..Wanted::default() }));
    assert_eq!(findings, [], "{operation}");
    all.remove(0).expect("checked")
}

/// What is wrong with a body: `pointer rule`, or what is done without a look at it.
fn found(checks: &RequestChecks, fields: &[(&str, &str)], body: &[u8]) -> Vec<String> {
    match checks.wish(&Fields(fields), !body.is_empty()) {
        Wish::Pass => vec!["pass".to_owned()],
        Wish::Unsupported => vec!["unsupported".to_owned()],
        Wish::Encoded => vec!["encoded".to_owned()],
        Wish::Wrong(problem) => vec![format!("head {}", problem.rule)],
        Wish::Hold(plan) => {
            let misfits = checks.body(&plan, body);
            let all = misfits.iter().map(|misfit| &misfit.problem);
            all.map(|problem| format!("{} {}", problem.pointer, problem.rule)).collect()
        }
    }
}

#[track_caller]
fn check(operation: &str, content_type: &str, body: &str, expected: &[&str]) {
    let checks = checks("3.0.3", operation, Bounds::default());
    let found = found(&checks, &[("content-type", content_type)], body.as_bytes());
    assert_eq!(found, expected, "{body}");
}

#[track_caller]
fn old(operation: &str, content_type: &str, body: &str, expected: &[&str]) {
    let checks = checks("2.0", operation, Bounds::default());
    let found = found(&checks, &[("content-type", content_type)], body.as_bytes());
    assert_eq!(found, expected, "{body}");
}

const ORDER: &str = "requestBody: {required: true, content: {application/json: {schema: {type: object, required: [sku, id], \
    properties: {sku: {type: string, maxLength: 4}, count: {type: integer, minimum: 1}, id: {type: integer, readOnly: true}}}}}}";

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

#[test]
fn json_is_judged_by_its_schema() {
    check(ORDER, JSON, r#"{"sku":"a"}"#, &[]);
    check(ORDER, "application/json; charset=utf-8", r#"{"sku":"a","more":1}"#, &[]);
    check(ORDER, JSON, r#"{"sku":"abcde","count":0}"#, &["/count minimum", "/sku maxLength"]);
    check(ORDER, JSON, "{}", &[" required"]);
    check(ORDER, JSON, "[]", &[" type"]);
    check(ORDER, JSON, "", &["head required"]);
    check(ORDER, JSON, r#"{"sku":"a""#, &[" json"]);
    check(ORDER, JSON, r#"{"sku":"a","sku":"b"}"#, &[" duplicate"]);
    check(ORDER, JSON, "\u{feff}{}", &[" json"]);
    check(ORDER, JSON, r#"{"sku":"a","id":7}"#, &[]);
    let text = "requestBody: {content: {application/*: {schema: {type: integer}}, '*/*': {}}}";
    check(text, "application/vnd.x+json", "\"1\"", &[" type"]);
    check(text, "application/xml", "<a/>", &["pass"]);
    check(text, "image/png", "x", &["pass"]);
    check(text, JSON, "", &["pass"]);
}

#[test]
fn two_point_zero_forbids_to_send_what_is_read_only() {
    let operation = "parameters: [{name: b, in: body, required: true, schema: {type: object, required: [id, sku], \
        properties: {id: {type: integer, readOnly: true}, sku: {type: string}}}}]";
    old(operation, JSON, r#"{"sku":"a"}"#, &[]);
    old(operation, JSON, r#"{"sku":"a","id":7}"#, &["/id readOnly"]);
    old(operation, "text/plain", "a", &["unsupported"]);
}

#[test]
fn only_what_is_described_is_taken() {
    check(ORDER, "text/plain", "{}", &["unsupported"]);
    check(ORDER, "application/jsonx", "{}", &["unsupported"]);
    check(ORDER, "nonsense", "{}", &["unsupported"]);
    check(ORDER, "application/json; charset=utf-16", "{}", &["unsupported"]);
    check("requestBody: {content: {}}", "text/plain", "x", &["pass"]);
    check("summary: nothing is said of a body", "text/plain", "x", &["pass"]);
    let any = "requestBody: {content: {'*/*': {}}}";
    let both = "requestBody: {content: {application/json: {schema: {type: integer}}, '*/*': {}}}";
    for operation in [any, both] {
        check(operation, "nonsense", "x", &["unsupported"]);
        check(operation, "application/json; charset", "x", &["unsupported"]);
        check(operation, "image/png", "x", &["pass"]);
        let checks = checks("3.0.3", operation, Bounds::default());
        let twice = [("content-type", JSON), ("content-type", JSON)];
        assert_eq!(found(&checks, &twice, b"x"), ["unsupported"]);
    }
    let untyped = |operation| found(&checks("3.0.3", operation, Bounds::default()), &[], b"x");
    assert_eq!(untyped(any), ["pass"]);
    assert_eq!(untyped(both), ["unsupported"]);
    let own = "requestBody: {content: {'*/*': {schema: {type: integer}}}}";
    assert_eq!(untyped(own), ["unsupported"]);
    let checks = checks("3.1.0", ORDER, Bounds::default());
    let judged = |fields: &[(&str, &str)]| found(&checks, fields, b"{\"sku\":\"a\"}");
    assert_eq!(judged(&[]), ["unsupported"]);
    assert_eq!(judged(&[("content-type", JSON), ("content-type", JSON)]), ["unsupported"]);
    for coding in ["gzip", "identity, br", "Identity,x"] {
        let fields = [("content-type", JSON), ("content-encoding", coding)];
        assert_eq!(judged(&fields), ["encoded"], "{coding}");
    }
    let plain = [("content-type", JSON), ("content-encoding", "identity")];
    assert!(judged(&plain).is_empty());
    assert_eq!(checks.accept(), JSON);
}

#[test]
fn bounds_hold_before_any_schema() {
    let values = intake::Bounds {
        depth: 2,
        members: 2,
        items: 2,
        values: 6,
        text_bytes: 4,
        number_bytes: 8,
    };
    let bounds = Bounds { values, fields: 2, held_bytes: None };
    let operation = "requestBody: {content: {application/json: {schema: {}}, application/x-www-form-urlencoded: {schema: {type: object}}, \
        multipart/form-data: {schema: {type: object}}, text/plain: {schema: {type: string}}}}";
    let checks = checks("3.1.0", operation, bounds);
    let check = |content_type: &str, body: &str, expected: &[&str]| {
        let found = found(&checks, &[("content-type", content_type)], body.as_bytes());
        assert_eq!(found, expected, "{body}");
    };
    check(JSON, "[[1]]", &[]);
    check(JSON, "[[[1]]]", &["/0/0 depth"]);
    check(JSON, r#"{"a":1,"b":2,"c":3}"#, &[" members"]);
    check(JSON, "[1,2,3]", &[" items"]);
    check(JSON, "[[1,2],[3,4]]", &["/1/1 values"]);
    check(JSON, r#"["abcde"]"#, &["/0 length"]);
    check(JSON, "1.0000000", &[" length"]);
    check(FORM, "a=1&b=2", &[]);
    check(FORM, "a=1&b=2&c=3", &[" fields"]);
    check(FORM, "a=abcde", &["/a length"]);
    check("text/plain", "abcde", &[" length"]);
    let part = "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n";
    let three = format!("{part}{part}{part}--x--");
    check("multipart/form-data; boundary=x", &three, &[" fields"]);
}

#[test]
fn forms_are_judged_as_one_object() {
    let form = "requestBody: {content: {application/x-www-form-urlencoded: {schema: {type: object, required: [n], additionalProperties: false, \
        properties: {n: {type: integer, maximum: 9}, s: {type: string}, l: {type: array, items: {type: integer}}, c: {type: array, items: {type: string}}, \
        o: {type: object, properties: {a: {type: integer}, b: {type: array, items: {type: boolean}}}}}}, \
        encoding: {c: {style: form, explode: false}}}}}";
    check(form, FORM, "n=1&s=x+y&l=1&l=2&c=a,b", &[]);
    check(form, FORM, "n=10&s=5", &["/n maximum"]);
    check(form, FORM, "s=5", &[" required"]);
    check(form, FORM, "n=x", &["/n type"]);
    check(form, FORM, "n=1&n=2", &["/n style"]);
    check(form, FORM, "n=1&l=1&l=x", &["/l/1 type"]);
    check(form, FORM, "n=1&z=1", &["/z additionalProperties"]);
    check(form, FORM, "%6e=1", &[]);
    check(form, FORM, "n=1&o=%7B%22a%22:1%7D", &[]);
    check(form, FORM, "n=1&o=%7B%22a%22:%22x%22%7D", &["/o/a type"]);
    check(form, FORM, "n=1&o=%7B%22a%22:1,%22a%22:2%7D", &["/o duplicate"]);
    check(form, FORM, "n=1&o[a]=1&o[b][]=true&o[b][]=false", &[]);
    check(form, FORM, "n=1&o[a]=x&o[b][0]=1", &["/o/a type", "/o/b/0 type"]);
    check(form, FORM, "n=1&o[a]=1&o[a]=2", &["/o style"]);
    check(form, FORM, "n=1&l[]=1&l[]=2", &[]);
    check(form, FORM, "n=1&l[0]=1&l[1]=x", &["/l/1 type"]);
    check(form, FORM, "n=1&l[0]=1&l=2", &["/l style"]);
    check(form, FORM, "n=1&q[a]=1", &["/q additionalProperties"]);
    // Nobody agrees on what this is.
    check(form, FORM, "n=1&l[][a]=1", &[]);
    check(form, FORM, "n[][a]=1", &["/n style"]);
    check(form, FORM, "n[][]=1", &["/n style"]);
    for value in ["%zz", "a%00b", "%ff"] {
        check(form, FORM, &format!("n=1&s={value}"), &["/s encoding"]);
    }
    check(form, FORM, "n=1&s[][x]=evil", &["/s style"]);
    let checks = checks("3.0.3", form, Bounds::default());
    assert_eq!(found(&checks, &[("content-type", FORM)], b"n=\xff"), [" charset"]);
    let typed = "requestBody: {content: {application/x-www-form-urlencoded: {schema: {type: object, additionalProperties: {type: string}}}}}";
    check(typed, FORM, "a=5&b=true&c", &[]);
}

#[test]
fn forms_of_two_point_zero_are_judged_field_by_field() {
    let form = "consumes: [application/x-www-form-urlencoded, multipart/form-data]\n      parameters: [{name: n, in: formData, type: integer, required: true, maximum: 9}, \
        {name: l, in: formData, type: array, items: {type: integer}, collectionFormat: pipes}, {name: e, in: formData, type: integer, allowEmptyValue: true}, \
        {name: f, in: formData, type: file}]";
    old(form, FORM, "n=1&l=1|2&e=&unknown=1", &[]);
    old(form, FORM, "l=1|x", &["/l/1 type", "/n required"]);
    old(form, FORM, "n=10&e=x", &["/e type", "/n maximum"]);
    let file = "--x\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n1\r\n--x\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\n\0\r\n--x--\r\n";
    old(form, "multipart/form-data; boundary=x", file, &[]);
}

/// A form of parts, each a header behind `Content-Disposition: form-data; ` and its data.
fn parts(parts: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (header, data) in parts {
        text.push_str(&format!(
            "--x\r\nContent-Disposition: form-data; {header}\r\n\r\n{data}\r\n"
        ));
    }
    text + "--x--\r\n"
}

#[test]
fn parts_are_judged_by_their_media_types() {
    let form = "requestBody: {content: {multipart/form-data: {schema: {type: object, required: [meta, file], additionalProperties: false, \
        properties: {meta: {type: object, properties: {a: {type: integer}}}, file: {type: string, format: binary, maxLength: 4}, note: {type: string, maxLength: 4}, \
        tags: {type: array, items: {type: integer}}, pictures: {type: array, items: {type: string, format: binary}}}}, \
        encoding: {file: {contentType: 'image/png, image/*'}}}}}";
    let check = |list: &[(&str, &str)], expected: &[&str]| {
        check(form, "multipart/form-data; boundary=\"x\"", &parts(list), expected);
    };
    let meta = ("name=meta\r\nContent-Type: application/json", r#"{"a":1}"#);
    let file = ("name=file; filename=\"a.png\"\r\nContent-Type: image/png", "\u{1}");
    check(&[meta, file], &[]);
    check(&[("name=meta", r#"{"a":"x"}"#), file], &["/meta/a type"]);
    check(
        &[("name=meta; filename=blob\r\nContent-Type: application/json", "[1"), file],
        &["/meta/1 json"],
    );
    check(&[meta], &[" required"]);
    check(
        &[meta, ("name=file; filename=a\r\nContent-Type: text/html", "x")],
        &["/file contentType"],
    );
    check(&[meta, ("name=file", "x")], &["/file contentType"]);
    check(&[meta, ("name=file\r\nContent-Type: image/gif", "12345")], &["/file maxLength"]);
    check(&[meta, file, ("name=note", "50%+")], &[]);
    check(&[meta, file, ("name=note", "abcde")], &["/note maxLength"]);
    check(&[meta, file, ("name=note; filename=n", "abcde")], &["/note file"]);
    check(&[meta, file, ("name=note", "a"), ("name=note", "b")], &["/note style"]);
    check(&[meta, file, ("name=tags", "1"), ("name=tags", "x")], &["/tags/1 type"]);
    let picture = ("name=pictures; filename=p", "x");
    check(&[meta, file, picture, picture], &[]);
    check(&[meta, file, ("name=more", "1")], &["/more additionalProperties"]);
    check(&[meta, file, file], &["/file style"]);
}

#[test]
fn parts_that_are_not_named_are_files_only_where_they_may_be() {
    let check = |others: &str, part: &str, expected: &[&str]| {
        let form = format!(
            "requestBody: {{content: {{multipart/form-data: {{schema: {{type: object, additionalProperties: {others}}}}}}}}}"
        );
        let body = parts(&[(part, "evil")]);
        check(&form, "multipart/form-data; boundary=x", &body, expected);
    };
    for part in ["name=z\r\nContent-Type: image/png", "name=z; filename=f"] {
        check("{type: integer}", part, &["/z file"]);
        check("{type: string, maxLength: 3}", part, &["/z file"]);
        check("{type: string, format: binary}", part, &[]);
        check("{type: array, items: {type: string, format: binary}}", part, &[]);
        check("{}", part, &[]);
        check("true", part, &[]);
        check("false", part, &["/z additionalProperties"]);
    }
}

#[test]
fn parts_are_taken_apart_strictly() {
    use multipart::Fault;
    let check = |body: &str, expected: Result<&[(&str, &str)], Fault>| {
        let read = multipart::parts(body.as_bytes(), "x", 3);
        let read = read.map(|parts| {
            let shown = |part: &multipart::Part<'_>| {
                (part.name.clone(), String::from_utf8_lossy(part.data).into_owned())
            };
            parts.iter().map(shown).collect::<Vec<_>>()
        });
        let owned = |list: &[(&str, &str)]| {
            list.iter().map(|(name, data)| ((*name).to_owned(), (*data).to_owned())).collect()
        };
        assert_eq!(read, expected.map(owned), "{body:?}");
    };
    let head = "--x\r\nContent-Disposition: form-data; name=a\r\n\r\n";
    check(&format!("{head}1\r\n--x--"), Ok(&[("a", "1")]));
    check(&format!("\r\n{head}\r\n--x--\r\n"), Ok(&[("a", "")]));
    check(&format!("{head}\n--x\r\n--x--"), Err(Fault::Delimiter));
    check(&format!("{head}1\r--x\r\n--x--"), Err(Fault::Delimiter));
    check(&format!("{head}1--x--\r\n--y\r\n--x--"), Ok(&[("a", "1--x--\r\n--y")]));
    check("--x--", Ok(&[]));
    check("", Err(Fault::Boundary));
    check("--y\r\n", Err(Fault::Boundary));
    check(&format!("hello\r\n{head}1\r\n--x--"), Err(Fault::Boundary));
    check(&format!("{head}1\r\n--x--more"), Err(Fault::Behind));
    check(&format!("{head}1\r\n--x--\r\n{head}"), Err(Fault::Behind));
    check(&format!("{head}1\r\n--xy\r\n--x--"), Err(Fault::Delimiter));
    check(&format!("{head}1\r\n--x \r\n--x--"), Err(Fault::Delimiter));
    check(&format!("{head}--x--"), Err(Fault::Delimiter));
    check(&format!("{head}1"), Err(Fault::End));
    check(&format!("{head}1\r\n--x\r\n"), Err(Fault::End));
    check(&format!("{}{head}1\r\n--x--", format!("{head}1\r\n").repeat(3)), Err(Fault::TooMany));
    check("--x\r\n\r\n1\r\n--x--", Err(Fault::End));
    check("--x\r\n\r\n1\r\n\r\n--x--", Err(Fault::Delimiter));
    let header = |lines: &str, expected| {
        check(&format!("--x\r\n{lines}\r\n\r\n1\r\n--x--"), expected);
    };
    header("content-disposition:form-data;name=\"a\\\"\\b\"", Ok(&[("a\"\\b", "1")]));
    header("Content-Disposition: form-data; name=\"ä\"; filename*=UTF-8''b", Ok(&[("ä", "1")]));
    header("Content-Disposition: form-data; name=a; name=b", Err(Fault::Disposition));
    header("Content-Disposition: form-data; name*=UTF-8''a; name=b", Err(Fault::Disposition));
    header("Content-Disposition: form-data; name=\"a", Err(Fault::Disposition));
    header("Content-Disposition: form-data", Err(Fault::Disposition));
    header("Content-Disposition: attachment; name=a", Err(Fault::Disposition));
    header("Content-Type: text/plain", Err(Fault::Disposition));
    let good = "Content-Disposition: form-data; name=a";
    header(&format!("{good}\r\n{good}"), Err(Fault::HeaderLine));
    header(&format!("{good}\r\n folded"), Err(Fault::HeaderLine));
    header(&format!("{good}\nX: y"), Err(Fault::HeaderLine));
    header(&format!("{good}\r\nX y: z"), Err(Fault::HeaderLine));
    header(&format!("{good}\r\nContent-Transfer-Encoding: base64"), Err(Fault::Encoding));
    header(&format!("{good}\r\nContent-Transfer-Encoding: binary"), Ok(&[("a", "1")]));
    header(&format!("{good}\r\nX: {}", "y".repeat(64 << 10)), Err(Fault::Header));
}

#[test]
fn boundaries_are_sane() {
    let form = "requestBody: {content: {multipart/form-data: {schema: {type: object}}}}";
    for content_type in [
        "multipart/form-data".to_owned(),
        "multipart/form-data; boundary=".to_owned(),
        "multipart/form-data; boundary=\"a \"".to_owned(),
        "multipart/form-data; boundary=\"a\\\"b\"".to_owned(),
        format!("multipart/form-data; boundary={}", "a".repeat(71)),
    ] {
        let checks = checks("3.0.3", form, Bounds::default());
        let found = found(&checks, &[("content-type", &content_type)], b"--a--");
        assert!(
            found == ["head multipart"] || found == ["unsupported"],
            "{content_type}: {found:?}"
        );
    }
}

#[test]
fn texts_are_judged_by_what_they_stand_for() {
    let text = |schema: &str| format!("requestBody: {{content: {{text/*: {{schema: {schema}}}}}}}");
    check(&text("{type: string, maxLength: 3}"), "text/plain", "abcd", &[" maxLength"]);
    check(&text("{type: string, maxLength: 3}"), "text/csv", "123", &[]);
    check(&text("{type: integer, maximum: 3}"), "text/plain", "4", &[" maximum"]);
    check(&text("{type: integer, maximum: 3}"), "text/plain", "x", &[" type"]);
    check(&text("{type: object}"), "text/plain", "x", &["pass"]);
    check(&text("{type: string, maxLength: 1}"), "text/xml", "<a/>", &["pass"]);
    check(&text("{type: string}"), "text/plain; charset=koi8-r", "x", &["unsupported"]);
    let checks = checks("3.0.3", &text("{type: string, maxLength: 1}"), Bounds::default());
    let judged = |content_type: &str| found(&checks, &[("content-type", content_type)], b"\xe4");
    assert_eq!(judged("text/plain"), [" charset"]);
    assert!(judged("text/plain; charset=ISO-8859-1").is_empty());
}

#[test]
fn reading_does_not_demand_a_body_of_a_get() {
    let text = "openapi: 3.0.3\ninfo: {title: t, version: '1'}\npaths:\n  /x:\n    get:\n      \
        requestBody: {required: true, content: {application/json: {schema: {type: integer}}}}\n      responses: {}\n";
    let outcome = read("api.yaml", text.as_bytes(), &NoFiles, &Limits::default());
    let contract = outcome.contract.expect("a contract");
    let (mut all, _) = compile(&contract, |_| Some(Wanted::default()));
    let checks = all.remove(0).expect("checked");
    assert_eq!(found(&checks, &[], b""), ["pass"]);
    assert_eq!(found(&checks, &[("content-type", JSON)], b"true"), [" type"]);
}

/// A text as a form has it, by the rules of the URL standard (application/x-www-form-urlencoded serializing).
fn serialized(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'*' | b'-' | b'.' | b'_' => out.push(byte.into()),
            byte if byte.is_ascii_alphanumeric() => out.push(byte.into()),
            byte => write!(out, "%{byte:02X}").expect("text"),
        }
    }
    out
}

/// Parts as a reader that looks for every line by itself finds them; nothing if there is anything odd.
fn naive_parts(body: &str) -> Option<Vec<(String, String)>> {
    let mut lines = body.split("\r\n");
    if lines.next() != Some("--x") {
        return None;
    }
    let mut found = Vec::new();
    loop {
        let header = lines.next()?;
        let name =
            header.strip_prefix("Content-Disposition: form-data; name=\"")?.strip_suffix('"')?;
        if lines.next() != Some("") {
            return None;
        }
        let mut data: Vec<&str> = Vec::new();
        let end = loop {
            match lines.next()? {
                end @ ("--x" | "--x--") => break end,
                line => data.push(line),
            }
        };
        found.push((name.to_owned(), data.join("\r\n")));
        if end == "--x--" {
            let rest: Vec<&str> = lines.collect();
            return matches!(&*rest, [] | [""]).then_some(found);
        }
    }
}

proptest! {
    #[test]
    fn forms_are_read_back_as_they_were_written(
        written in prop::collection::vec(("\\PC{0,8}", "\\PC{0,8}"), 0..6)
    ) {
        let text: Vec<String> = written
            .iter()
            .map(|(name, value)| format!("{}={}", serialized(name), serialized(value)))
            .collect();
        let text = text.join("&");
        let read = pairs(&text, 10).expect("few");
        let read: Vec<(String, String)> = read
            .into_iter()
            .map(|(name, value)| (name.into_owned(), decode::decoded(value, true).into_owned()))
            .collect();
        prop_assert_eq!(read, written);
    }

    #[test]
    fn parts_are_read_back_as_they_were_written(
        written in prop::collection::vec(("[a-z ;=]{1,8}", "[-x\r\n\\PC]{0,12}"), 0..4)
    ) {
        let mut text = String::new();
        for (name, data) in &written {
            write!(text, "--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{data}\r\n").expect("text");
        }
        text.push_str("--x--\r\n");
        let read = multipart::parts(text.as_bytes(), "x", 10);
        let names_boundary = written.iter().any(|(_, data)| data.contains("--x"));
        match read {
            Ok(parts) => {
                let read: Vec<(String, String)> = parts
                    .into_iter()
                    .map(|part| (part.name, String::from_utf8_lossy(part.data).into_owned()))
                    .collect();
                prop_assert_eq!(read, written);
            }
            Err(fault) => prop_assert!(names_boundary, "{:?}", fault),
        }
    }

    /// What both take, both take for the same parts; a naive reader takes more, never something else.
    #[test]
    fn a_naive_reader_finds_the_same_parts(pieces in prop::collection::vec(prop::sample::select(vec![
        "--x", "--x--", "--", "x", "\r\n", "\n", "\r", "", "a", "Content-Disposition: form-data; name=\"n\"", "\r\n\r\n", "\r\n--x\r\n", "\r\n--x--",
    ]), 0..14)) {
        let text = format!("--x\r\nContent-Disposition: form-data; name=\"m\"\r\n\r\n{}\r\n--x--\r\n", pieces.concat());
        if let Ok(parts) = multipart::parts(text.as_bytes(), "x", 10) {
            let read: Vec<(String, String)> = parts
                .into_iter()
                .map(|part| (part.name, String::from_utf8_lossy(part.data).into_owned()))
                .collect();
            prop_assert_eq!(Some(read), naive_parts(&text));
        }
    }
}
