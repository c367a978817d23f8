//! Answers of every status: what a contract says of them, an answer, what is wrong with it.

use super::compile_answers;
use crate::request::{Bounds, Head};
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

const RESPONSES: &str = "responses: {'200': {description: ok, headers: {X-Count: {required: true, schema: {type: integer}}, X-List: {schema: {type: array, items: {type: integer}, maxItems: 2}}, \
    Content-Type: {required: true, schema: {enum: [never]}}}, \
    content: {application/json: {schema: {type: object, required: [id, name, secret], properties: {id: {type: integer, readOnly: true}, name: {type: string}, secret: {type: string, writeOnly: true}}}}}}, \
    2XX: {description: other}, default: {$ref: '#/components/responses/Wrong'}}";

/// The answer as `wanted`, what is wrong with it: `in name pointer rule`, or that its status is not described.
#[track_caller]
fn check(
    version: &str,
    responses: &str,
    (status, fields, body): (u16, &[(&str, &str)], &str),
    expected: &[&str],
) {
    let head =
        if version == "2.0" { "swagger: '2.0'".to_owned() } else { format!("openapi: {version}") };
    let text = format!(
        "{head}\ninfo: {{title: t, version: '1'}}\npaths:\n  /x:\n    get:\n      {responses}\n\
         components: {{responses: {{Wrong: {{description: w, content: {{application/problem+json: {{schema: {{type: object, required: [title]}}}}}}}}}}}}\n"
    );
    let outcome = read("api.yaml", text.as_bytes(), &NoFiles, &Limits::default());
    let contract = outcome.contract.expect("a contract");
    let (mut all, findings) = compile_answers(&contract, |_| Some(Bounds::default()));
    assert_eq!(findings, []);
    let checks = all.remove(0).expect("checked");
    let Some(judgement) = checks.head(status, &Fields(fields), Some(!body.is_empty())) else {
        assert_eq!(expected, ["status"]);
        return;
    };
    let mut misfits = judgement.misfits.clone();
    misfits.extend(checks.body(&judgement, body.as_bytes()));
    let mut found: Vec<String> = misfits
        .iter()
        .map(|misfit| {
            let problem = &misfit.problem;
            format!("{} {} {} {}", misfit.place.word(), misfit.name, problem.pointer, problem.rule)
        })
        .collect();
    if judgement.unreadable {
        found.push("unreadable".to_owned());
    }
    assert_eq!(found, expected, "{status} {body}");
}

#[test]
fn answers_are_judged_by_what_is_described_for_their_status() {
    let json = [("content-type", "application/json"), ("x-count", "1")];
    let ours = |answer: (u16, &[(&str, &str)], &str), expected: &[&str]| {
        check("3.0.3", RESPONSES, answer, expected);
    };
    ours((200, &json, r#"{"id":1,"name":"a"}"#), &[]);
    // What is only for answers is required of them; what is only for calls is not, and should not be there.
    ours((200, &json, r#"{"name":"a"}"#), &["body   required"]);
    ours((200, &json, r#"{"id":1,"name":"a","secret":"s"}"#), &["body  /secret writeOnly"]);
    ours((200, &json, ""), &["body   required"]);
    ours(
        (200, &[("content-type", "text/html"), ("x-count", "x"), ("x-list", "1, 2, 3")], "<p>"),
        &["header X-Count  type", "header X-List  maxItems", "header Content-Type  contentType"],
    );
    ours(
        (200, &[("content-type", "application/json")], "{"),
        &["header X-Count  required", "body   json"],
    );
    let coded =
        [("content-type", "application/json"), ("x-count", "1"), ("content-encoding", "gzip")];
    ours((200, &coded, "x"), &["unreadable"]);
    // Nothing is said of its body.
    ours((201, &[], "anything"), &[]);
    ours((500, &[("content-type", "application/problem+json")], "{}"), &["body   required"]);
    ours((404, &[("content-type", "application/problem+json")], r#"{"title":"t"}"#), &[]);
    let few = "responses: {'200': {description: ok}, 4xx: {description: wrong}}";
    check("3.0.3", few, (200, &[], "x"), &[]);
    check("3.0.3", few, (404, &[], "x"), &[]);
    check("3.0.3", few, (201, &[], "x"), &["status"]);
    check("3.0.3", few, (500, &[], "x"), &["status"]);
}

#[test]
fn answers_of_two_point_zero_are_judged_too() {
    let old = "produces: [application/json]\n      responses: {'200': {description: ok, headers: {X-Count: {type: integer}}, \
        schema: {type: object, required: [id], properties: {id: {type: integer, readOnly: true}}}}}";
    let json = [("content-type", "application/json"), ("x-count", "x")];
    check("2.0", old, (200, &json, r#"{"id":1}"#), &["header X-Count  type"]);
    check("2.0", old, (200, &json[..1], "{}"), &["body   required"]);
}

#[test]
fn answers_without_a_body_are_judged_by_their_heads() {
    let text = format!(
        "openapi: 3.0.3\ninfo: {{title: t, version: '1'}}\npaths:\n  /x:\n    get:\n      {RESPONSES}\n"
    );
    let outcome = read("api.yaml", text.as_bytes(), &NoFiles, &Limits::default());
    let contract = outcome.contract.expect("a contract");
    let (mut all, _) = compile_answers(&contract, |_| Some(Bounds::default()));
    let checks = all.remove(0).expect("checked");
    let judgement = checks.head(200, &Fields(&[]), None).expect("described");
    let names: Vec<&str> = judgement.misfits.iter().map(|misfit| &*misfit.name).collect();
    assert_eq!(names, ["X-Count"]);
    assert_eq!(judgement.plan, None);
}
