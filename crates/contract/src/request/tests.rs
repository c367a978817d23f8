//! Parameters of every place and style: a parameter of a contract, a text, what is wrong with it.

use std::collections::HashSet;

use super::{Finding, Head, RequestChecks, Wanted, compile};
use crate::{Limits, NoFiles, read};

/// A head of text: the value of `{p}`, a query, and header fields.
#[derive(Clone, Copy, Default)]
struct Text<'a> {
    path: &'a str,
    query: &'a str,
    headers: &'a [(&'a str, &'a str)],
}

impl Head for Text<'_> {
    fn path(&self, index: usize) -> Option<&str> {
        (index == 0).then_some(self.path)
    }

    fn query(&self) -> &str {
        self.query
    }

    fn header(&self, name: &str, see: &mut dyn FnMut(&[u8])) {
        for (known, value) in self.headers {
            if known.eq_ignore_ascii_case(name) {
                see(value.as_bytes());
            }
        }
    }
}

fn checks(version: &str, parameters: &str) -> RequestChecks {
    let (checks, findings) = compiled(version, parameters);
    assert_eq!(findings, [], "{parameters}");
    checks
}

fn compiled(version: &str, parameters: &str) -> (RequestChecks, Vec<Finding>) {
    let version = match version {
        "2.0" => "swagger: '2.0'".to_owned(),
        version => format!("openapi: {version}"),
    };
    let text = format!(
        "{version}\ninfo: {{title: t, version: '1'}}\npaths:\n  /x/{{p}}:\n    get:\n      parameters: {parameters}\n      \
         responses: {{'200': {{description: ok}}}}\n"
    );
    let outcome = read("api.yaml", text.as_bytes(), &NoFiles, &Limits::default());
    let contract = outcome.contract.expect("a contract");
    let added = HashSet::from(["x-added".to_owned()]);
    let (mut all, findings) =
        compile(&contract, |_| Some(Wanted { added: added.clone(), ..Wanted::default() }));
    (all.remove(0).expect("checked"), findings)
}

fn check(version: &str, parameter: &str, head: Text<'_>, expected: &[&str]) {
    let parameters = format!("[{parameter}]");
    let found: Vec<String> = checks(version, &parameters)
        .head(&head)
        .into_iter()
        .map(|misfit| {
            let problem = misfit.problem;
            format!("{} {}{} {}", misfit.place.word(), misfit.name, problem.pointer, problem.rule)
        })
        .collect();
    assert_eq!(
        found, expected,
        "{parameter} with {:?} {:?} {:?}",
        head.path, head.query, head.headers
    );
}

fn path(parameter: &str, text: &str, expected: &[&str]) {
    let parameter = format!("{{name: p, in: path, required: true, {parameter}}}");
    check("3.1.0", &parameter, Text { path: text, ..Text::default() }, expected);
}

fn query(parameter: &str, query: &str, expected: &[&str]) {
    let parameter = format!("{{name: q, in: query, {parameter}}}");
    check("3.1.0", &parameter, Text { query, ..Text::default() }, expected);
}

fn old_query(parameter: &str, query: &str, expected: &[&str]) {
    let parameter = format!("{{name: q, in: query, {parameter}}}");
    check("2.0", &parameter, Text { query, ..Text::default() }, expected);
}

fn header(parameter: &str, values: &[&str], expected: &[&str]) {
    let parameter = format!("{{name: X-H, in: header, {parameter}}}");
    let headers: Vec<_> = values.iter().map(|value| ("x-h", *value)).collect();
    check("3.1.0", &parameter, Text { headers: &headers, ..Text::default() }, expected);
}

fn cookie(parameter: &str, values: &[&str], expected: &[&str]) {
    let parameter = format!("{{name: c, in: cookie, {parameter}}}");
    let headers: Vec<_> = values.iter().map(|value| ("cookie", *value)).collect();
    check("3.1.0", &parameter, Text { headers: &headers, ..Text::default() }, expected);
}

const LIST: &str = "schema: {type: array, maxItems: 2, items: {type: integer}}";
const OBJECT: &str = "schema: {type: object, additionalProperties: false, required: [r], \
                      properties: {r: {type: integer}, g: {type: string}}}";

#[test]
fn values_are_read_by_their_types() {
    let integer = "schema: {type: integer, minimum: 1, maximum: 100}";
    query(integer, "q=5", &[]);
    query(integer, "q=0", &["query q minimum"]);
    query(integer, "q=abc", &["query q type"]);
    query(integer, "q=", &["query q type"]);
    query(integer, "q", &["query q type"]);
    query(integer, "q=007", &["query q type"]);
    query(integer, "q=+5", &["query q type"]);
    query(integer, "q=1.5", &["query q type"]);
    query(integer, "q=5.0", &[]);
    query(integer, "q=%35", &[]);
    query(integer, "%71=0", &["query q minimum"]);
    query(integer, "q=5&q=6", &["query q style"]);
    query(integer, "", &[]);
    query(integer, "other=x&&=&", &[]);
    query(&format!("required: true, {integer}"), "a=1", &["query q required"]);
    query("schema: {type: boolean}", "q=true", &[]);
    query("schema: {type: boolean}", "q=yes", &["query q type"]);
    query("schema: {type: string}", "q=5", &[]);
    query("schema: {type: string, pattern: '^a b$'}", "q=a+b", &[]);
    query("schema: {type: string, pattern: '^a b$'}", "q=a%20b", &[]);
    query("schema: {type: string, maxLength: 1}", "q=%C3%A9", &[]);
    query("schema: {type: [integer, string]}", "q=x", &[]);
    query("schema: {type: ['null', integer]}", "q=", &[]);
    query("schema: {enum: [1, 2]}", "q=2", &[]);
    query("schema: {enum: [1, 2]}", "q=3", &["query q enum"]);
    query("schema: {enum: ['1', b]}", "q=1", &[]);
    query("schema: {anyOf: [{type: integer, maximum: 9}, {enum: [all]}]}", "q=all", &[]);
    query("schema: {}", "q=anything", &[]);
    query("allowEmptyValue: true, schema: {type: integer}", "q=", &[]);
    query("schema: {type: integer}", "q=99999999999999999999", &[]);
    query("schema: {type: integer}", &format!("q={}", "9".repeat(5_000)), &["query q type"]);
}

#[test]
fn paths_have_three_styles() {
    path("schema: {type: integer}", "12", &[]);
    path("schema: {type: integer}", "x", &["path p type"]);
    path(LIST, "1,2", &[]);
    path(LIST, "1,2,3", &["path p maxItems"]);
    path(LIST, "1%2C2", &["path p/0 type"]);
    path(OBJECT, "r,1,g,x", &[]);
    path(OBJECT, "r,1,g", &["path p style"]);
    path(&format!("explode: true, {OBJECT}"), "r=1,g=x", &[]);
    path(
        &format!("explode: true, {OBJECT}"),
        "r=x,z=1",
        &["path p/r type", "path p/z additionalProperties"],
    );
    path("style: label, schema: {type: integer}", ".5", &[]);
    path("style: label, schema: {type: integer}", "5", &["path p style"]);
    path(&format!("style: label, {LIST}"), ".1,2", &[]);
    path(&format!("style: label, explode: true, {LIST}"), ".1.2.3", &["path p maxItems"]);
    path(&format!("style: label, explode: true, {OBJECT}"), ".r=1.g=x", &[]);
    path(&format!("style: label, {OBJECT}"), ".r,1", &[]);
    path("style: matrix, schema: {type: integer}", ";p=5", &[]);
    path("style: matrix, schema: {type: integer}", ";q=5", &["path p style"]);
    path(&format!("style: matrix, {LIST}"), ";p=1,2", &[]);
    path(&format!("style: matrix, explode: true, {LIST}"), ";p=1;p=2;p=3", &["path p maxItems"]);
    path(&format!("style: matrix, explode: true, {OBJECT}"), ";r=1;g=x", &[]);
    path(&format!("style: matrix, {OBJECT}"), ";p=r,1,g,x", &[]);
}

#[test]
fn queries_have_four_styles() {
    query(LIST, "q=1&q=2", &[]);
    query(LIST, "q=1&other=x&q=x", &["query q/1 type"]);
    query(LIST, "q=1", &[]);
    query(&format!("explode: false, {LIST}"), "q=1,2,3", &["query q maxItems"]);
    query(&format!("explode: false, {LIST}"), "q=1%2C2", &["query q/0 type"]);
    query(&format!("explode: false, {LIST}"), "q=1&q=2", &["query q style"]);
    query(&format!("style: spaceDelimited, explode: false, {LIST}"), "q=1%202", &[]);
    query(
        &format!("style: spaceDelimited, explode: false, {LIST}"),
        "q=1+2+3",
        &["query q maxItems"],
    );
    query(&format!("style: pipeDelimited, explode: false, {LIST}"), "q=1|2", &[]);
    query(
        &format!("style: pipeDelimited, explode: false, {LIST}"),
        "q=1%7c2%7C3",
        &["query q maxItems"],
    );
    query(OBJECT, "r=1&g=x&z=1", &[]);
    query(OBJECT, "g=x", &["query q required"]);
    query(OBJECT, "r=x", &["query q/r type"]);
    query(&format!("explode: false, {OBJECT}"), "q=r,1,g,x", &[]);
    query(&format!("explode: false, {OBJECT}"), "q=r,1,z,x", &["query q/z additionalProperties"]);
    query(&format!("style: deepObject, {OBJECT}"), "q[r]=1&q%5Bg%5D=x", &[]);
    query(
        &format!("style: deepObject, {OBJECT}"),
        "q[r]=1&q[z]=x",
        &["query q/z additionalProperties"],
    );
    query(&format!("style: deepObject, required: true, {OBJECT}"), "r=1", &["query q required"]);
    query(&format!("style: deepObject, {OBJECT}"), "q[r]=1&q[r]=2", &["query q style"]);
}

#[test]
fn swagger_2_has_collection_formats() {
    const LIST: &str = "type: array, maxItems: 2, items: {type: integer}";
    old_query(
        "type: integer, minimum: 3, exclusiveMinimum: true",
        "q=3",
        &["query q exclusiveMinimum"],
    );
    old_query("type: integer, required: true", "", &["query q required"]);
    old_query(LIST, "q=1,2", &[]);
    old_query(&format!("collectionFormat: csv, {LIST}"), "q=1,2,3", &["query q maxItems"]);
    old_query(
        &format!("collectionFormat: multi, {LIST}"),
        "q=1&q=2&q=x",
        &["query q/2 type", "query q maxItems"],
    );
    old_query(&format!("collectionFormat: ssv, {LIST}"), "q=1%202", &[]);
    old_query(&format!("collectionFormat: tsv, {LIST}"), "q=1%092", &[]);
    old_query(&format!("collectionFormat: pipes, {LIST}"), "q=1|2|3", &["query q maxItems"]);
}

#[test]
fn headers_and_cookies() {
    header("schema: {type: integer}", &["5"], &[]);
    header("schema: {type: integer}", &["x"], &["header X-H type"]);
    header("required: true, schema: {type: integer}", &[], &["header X-H required"]);
    header(LIST, &["1, 2"], &[]);
    header(LIST, &["1", "2, 3"], &["header X-H maxItems"]);
    header(&format!("explode: true, {OBJECT}"), &["r=1,g=x"], &[]);
    header(OBJECT, &["r,x"], &["header X-H/r type"]);
    header("schema: {type: string, pattern: '^%41$'}", &["%41"], &[]);
    cookie("schema: {type: integer}", &["a=1; c=5"], &[]);
    cookie("schema: {type: integer}", &["c=x"], &["cookie c type"]);
    cookie("schema: {type: integer}", &["c=5; c=6"], &["cookie c style"]);
    cookie("required: true, schema: {}", &["cc=1"], &["cookie c required"]);
    cookie(&format!("explode: false, {LIST}"), &["c=1,2,3"], &["cookie c maxItems"]);
}

#[test]
fn a_parameter_goes_by_its_own_name_only() {
    let named = |name: &str, rest: &str, query: &str, expected: &[&str]| {
        let parameter = format!("{{name: '{name}', in: query, {rest}}}");
        check("3.1.0", &parameter, Text { query, ..Text::default() }, expected);
    };
    let integer = "schema: {type: integer}";
    let respelt = ["query user_id spelling"];
    for query in [
        "user_id[$ne]=1",
        "user_id=1&user_id[]=evil",
        "user_id%5B%5D=1",
        "USER_ID=1",
        "user.id=1",
        "user-id=1",
        "user%20id=1",
        "+user_id=1",
        "user_id[=1",
        "user_id[a][b][c]=1&User_Id=1",
    ] {
        named("user_id", integer, query, &respelt);
    }
    named("user_id", integer, "user_id=1&user_ids=x&userid=x&user=x&id[user_id]=x", &[]);
    named("user_id", "schema: {}", "USER_ID=x", &[]);
    named("q", &format!("style: deepObject, {OBJECT}"), "q[r]=1&q[r=zz", &["query q spelling"]);
    // What frameworks take for items is checked as such.
    named("q", LIST, "q[]=1&q[1]=2", &[]);
    named("q", LIST, "q[]=1&q[]=x", &["query q/1 type"]);
    named("q", LIST, "q[][a]=1", &["query q spelling"]);
    named("q[]", LIST, "q[]=1&q[]=2", &[]);
    named("q[]", LIST, "q=x", &["query q[] spelling"]);
    named("page[size]", integer, "page[size]=1&page[number]=x&page=x", &[]);
    named("page[size]", integer, "page[Size]=x", &["query page[size] spelling"]);
    named("page[size]", integer, "page[size][]=x", &["query page[size] spelling"]);
    let both = "{name: a, in: query, schema: {type: integer}}, {name: A, in: query, schema: {type: boolean}}";
    check("3.1.0", both, Text { query: "a=1&A=true", ..Text::default() }, &[]);
}

#[test]
fn what_is_decoded_in_several_ways_is_refused() {
    let text = "schema: {type: string}";
    for value in ["%zz", "%", "%4", "a%00b", "%ff", "%c3%28", "%C0%AF"] {
        query(text, &format!("q={value}"), &["query q encoding"]);
        query(text, &format!("q=x&other={value}"), &[]);
    }
    query(text, "q=%C3%A9+%25zz", &[]);
}

#[test]
fn a_parameter_may_be_a_text_of_json() {
    let json = "content: {application/json: {schema: {type: object, required: [a]}}}";
    query(json, "q=%7B%22a%22:1%7D", &[]);
    query(json, "q=%7B%7D", &["query q required"]);
    query(json, "q=%7B", &["query q json"]);
    query(json, "q=%7B%22a%22:1,%22a%22:2%7D", &["query q duplicate"]);
    query(json, "q=1&q=2", &["query q once"]);
    query("content: {text/plain: {schema: {type: integer}}}", "q=x", &[]);
}

#[test]
fn what_is_not_the_callers_to_send_is_not_asked_for() {
    for name in ["Accept", "Content-Type", "Authorization", "X-Request-Id", "X-Added"] {
        let parameter =
            format!("{{name: {name}, in: header, required: true, schema: {{type: integer}}}}");
        check("3.0.0", &parameter, Text::default(), &[]);
    }
}

#[test]
fn all_problems_are_told_together_and_not_more_than_that() {
    let parameters = "[{name: p, in: path, required: true, schema: {type: integer}}, {name: a, in: query, required: true}, \
                      {name: b, in: query, schema: {type: number, maximum: 1}}, {name: h, in: header, required: true}]";
    let head = Text { path: "x", query: "b=2", headers: &[] };
    let found = checks("3.0.3", parameters).head(&head);
    let found: Vec<_> = found.iter().map(|misfit| (&*misfit.name, misfit.problem.rule)).collect();
    assert_eq!(found, [("p", "type"), ("a", "required"), ("b", "maximum"), ("h", "required")]);
    let many: Vec<String> =
        (0..100).map(|n| format!("{{name: n{n}, in: query, required: true}}")).collect();
    let found = checks("3.0.3", &format!("[{}]", many.join(", "))).head(&Text::default());
    assert_eq!(found.len(), crate::schema::PROBLEMS_MAX);
}

#[test]
fn a_contract_that_contradicts_itself_refuses_nobody() {
    for schema in
        ["type: integer, enum: ['1 (Plan)']", "type: array, items: {type: string}, enum: [a, b]"]
    {
        let parameters = format!("[{{name: q, in: query, required: true, schema: {{{schema}}}}}]");
        let (checks, findings) = compiled("3.0.0", &parameters);
        assert!(
            findings.len() == 1 && findings[0].message.contains("parameter `q`"),
            "{findings:?}"
        );
        let problems = |query| checks.head(&Text { query, ..Text::default() }).len();
        assert_eq!((problems("q=1"), problems("")), (0, 1));
    }
}
