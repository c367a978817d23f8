//! What keeps rules and what breaks them, as data.

use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use portway_model as model;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::Body;
use crate::test_call::{Fields, call};

fn rules(document: serde_json::Value) -> Requests {
    let document: model::Requests = serde_json::from_value(document).expect("a document");
    Requests::compile(&document).expect("rules")
}

fn lines(breaches: &[Breach]) -> Vec<String> {
    breaches.iter().map(|b| format!("{} {} {}", b.place, b.name, b.rule)).collect()
}

fn judge(rules: &Requests, fields: &[(&'static str, &str)], query: &str) -> Vec<String> {
    let fields = Fields::of(fields);
    let call = Call { body: Body::Unread, ..call(&fields, query) };
    let all = fields.0.iter().map(|(name, value)| (name.as_bytes(), value.as_slice()));
    lines(&rules.head(&call, all, &["key"]))
}

#[test]
fn parameters_of_the_query() {
    let rules = rules(json!({ "query": {
        "rules": {
            "id": { "pattern": "[0-9]{1,9}", "required": true },
            "q": { "pattern": r"[\p{L}\p{N} ,.-]*", "max_length": 20 },
            "tag": { "repeated": "allow", "max_length": 3 },
            "page.no": {},
        },
        "denied": ["debug"],
    } }));
    for (query, expected) in [
        ("id=7", &[][..]),
        ("id=7&q=blue%20shirt&other=%3Cscript%3E", &[]),
        ("id=7&q=d%C3%BCnn+a", &[]),
        ("id=7&tag=a&tag=b", &[]),
        ("&id=7&&", &[]),
        ("%69d=7", &[]),
        ("", &["query id required"]),
        ("id", &["query id pattern"]),
        ("id=", &["query id pattern"]),
        ("id=7&tag=a&tag=abcd", &["query tag max_length"]),
        ("id=7&id=8", &["query id repeated"]),
        ("id=7%00", &["query id encoding", "query id required"]),
        // What attackers send.
        ("id=7%20OR%201=1", &["query id pattern"]),
        ("id=7'--", &["query id pattern"]),
        ("id=7%0a8", &["query id pattern"]),
        ("id=7%0a", &["query id pattern"]),
        ("id=1&q='%20UNION%20SELECT%20x", &["query q pattern"]),
        ("id=1&q=../../etc/passwd", &["query q pattern"]),
        ("id=1&q=%3Cscript%3E", &["query q pattern"]),
        ("id=1&q=%27", &["query q pattern"]),
        // Encoded twice, wrongly, or not as text.
        ("id=1&q=%2527", &["query q pattern"]),
        ("id=%2537", &["query id pattern"]),
        ("id=1&q=%", &["query q encoding"]),
        ("id=1&q=%2", &["query q encoding"]),
        ("id=1&q=%zz", &["query q encoding"]),
        ("id=1&q=%u0027", &["query q encoding"]),
        ("id=1&q=%C0%A7", &["query q encoding"]),
        ("id=1&q=%FF", &["query q encoding"]),
        ("id=1&%FF=1", &["query  encoding"]),
        // Other readings of the same name.
        ("id=1&ID=x", &["query ID spelling"]),
        ("id=1&id[]=x", &["query id[] spelling"]),
        ("id=1&id%5B0%5D=x", &["query id[0] spelling"]),
        ("id=1&+id=x", &["query  id spelling"]),
        ("id=1&id%01=x", &["query id\u{1} spelling"]),
        ("id=1&page_no=x", &["query page_no spelling"]),
        ("id=1;id=x", &["query  separator", "query id pattern"]),
        ("id=1&debug", &["query debug denied"]),
        ("id=1&Debug=1", &["query Debug denied"]),
    ] {
        assert_eq!(judge(&rules, &[], query), expected, "{query}");
    }
    let closed = Requests::compile(
        &serde_json::from_value(json!({ "query": { "rules": { "a": {} }, "unknown": "deny" } }))
            .expect("a document"),
    )
    .expect("rules");
    for (query, expected) in [
        ("a=%27", &[][..]),
        ("a=1&key=secret", &[]),
        ("b=1", &["query b unknown"]),
        ("a=1&key[]=1", &["query key[] unknown"]),
    ] {
        assert_eq!(judge(&closed, &[], query), expected, "{query}");
    }
}

#[test]
fn sizes_and_numbers() {
    let rules = rules(json!({ "query_bytes": 8, "query_parameters": 2, "header_bytes": "5B" }));
    for (fields, query, expected) in [
        (&[("X-A", "12345")][..], "a=1&b=2&", &[][..]),
        (&[("X-A", "123456")], "", &["header X-A header_bytes"]),
        (&[], "a=1&b=2&c", &["query  query_bytes", "query  query_parameters"]),
    ] {
        assert_eq!(judge(&rules, fields, query), expected, "{query}");
    }
}

#[test]
fn header_fields_and_cookies() {
    let rules = rules(json!({
        "headers": {
            "rules": { "X-Tenant": { "pattern": "[a-z]+", "required": true } },
            "denied": ["X-Debug"],
        },
        "cookies": { "rules": { "sid": { "pattern": "[0-9a-f]{4}" } }, "denied": ["admin"] },
    }));
    for (fields, expected) in [
        (&[("x-tenant", "acme"), ("Cookie", "sid=00ff; theme=d'ark")][..], &[][..]),
        (&[], &["header X-Tenant required"]),
        (&[("X-Tenant", "a' OR 1")], &["header X-Tenant pattern"]),
        (&[("X-Tenant", "a"), ("X-Tenant", "b")], &["header X-Tenant repeated"]),
        (&[("X-Tenant", "a"), ("X_Tenant", "b")], &["header X-Tenant spelling"]),
        (&[("X-Tenant", "a"), ("x_debug", "1")], &["header X-Debug denied"]),
        (&[("X-Tenant", "a"), ("Cookie", "sid=00fg")], &["cookie sid pattern"]),
        (&[("X-Tenant", "a"), ("Cookie", "sid=00ff; sid=00ff")], &["cookie sid repeated"]),
        (
            &[("X-Tenant", "a"), ("Cookie", "sid=00ff"), ("Cookie", "sid=00ff")],
            &["cookie sid repeated"],
        ),
        (&[("X-Tenant", "a"), ("Cookie", "SID=1")], &["cookie SID spelling"]),
        (&[("X-Tenant", "a"), ("Cookie", "x=1;admin=1")], &["cookie admin denied"]),
    ] {
        assert_eq!(judge(&rules, fields, ""), expected, "{fields:?}");
    }
}

/// Some applications part cookies at a comma, too.
#[test]
fn a_comma_hides_no_cookie() {
    let rules = rules(json!({ "cookies": { "rules": { "sid": { "pattern": "[0-9a-f]{4}" } } } }));
    for (fields, is_taken) in [
        (&["a=1; sid=00ff"][..], true),
        (&["a=\"1,2\"; sid=00ff"], true),
        (&["a=\"1\"; b=\"2, 3\""], true),
        (&["a={\"b\":1}"], true),
        (&["a=1,sid=evil"], false),
        (&["a=1, SID=evil"], false),
        (&["a,sid=evil"], false),
        (&["a=\"1\",sid=\"evil\""], false),
        (&["a=\"1\\\",sid=evil\""], false),
        (&["a=\"1;b=\",sid=evil\""], false),
        (&["a=\"1", "b=\",sid=evil\""], false),
    ] {
        let fields: Vec<_> = fields.iter().map(|field| ("Cookie", *field)).collect();
        let expected: &[&str] = if is_taken { &[] } else { &["cookie  separator"] };
        assert_eq!(judge(&rules, &fields, ""), expected, "{fields:?}");
    }
}

/// Of several values that are one list, each must pass (class C9 of the attacks).
#[test]
fn one_good_value_lets_no_other_through() {
    let rules = rules(json!({
        "headers": { "rules": { "X-Group": { "pattern": "[a-z]+", "repeated": "allow" } } },
        "cookies": { "rules": { "g": { "pattern": "[a-z]+", "repeated": "allow" } } },
        "query": { "rules": { "g": { "pattern": "[a-z]+", "repeated": "allow" } } },
    }));
    assert_eq!(judge(&rules, &[("X-Group", "a"), ("X-Group", "b")], "g=a&g=b"), [""; 0]);
    for values in [["a", "b'"], ["b'", "a"], ["a,b'", "a"], ["a", ""]] {
        let [first, second] = values;
        let fields = [("X-Group", first), ("X-Group", second)];
        assert!(judge(&rules, &fields, "").contains(&"header X-Group pattern".to_owned()));
        let cookie = format!("g={first}; g={second}");
        assert!(judge(&rules, &[("Cookie", &cookie)], "").contains(&"cookie g pattern".to_owned()));
        let query = format!("g={first}&g={second}");
        assert!(judge(&rules, &[], &query).contains(&"query g pattern".to_owned()));
    }
}

#[test]
fn other_methods_and_paths_are_not_asked_for() {
    let by_default = rules(json!({}));
    let allowed = rules(json!({ "overrides": "allow" }));
    for (fields, query, expected) in [
        (
            &[("X-HTTP-Method-Override", "DELETE")][..],
            "",
            "header X-HTTP-Method-Override overrides",
        ),
        (&[("x_http_method_override", "PUT")], "", "header X-HTTP-Method-Override overrides"),
        (&[("X-Original-URL", "/admin")], "", "header X-Original-URL overrides"),
        (&[], "a=1&_method=DELETE", "query _method overrides"),
        (&[], "a=1;%5FMethod=DELETE", "query _method overrides"),
        (&[], ".method=DELETE", "query _method overrides"),
        (&[], "_method[]=DELETE", "query _method overrides"),
        (&[], "%5Bmethod=DELETE", "query _method overrides"),
        (&[], "a=1&-method%5B0%5D=DELETE", "query _method overrides"),
        (&[], "+_method%00=DELETE", "query _method overrides"),
        (&[], "_method%5b%ff=DELETE", "query _method overrides"),
    ] {
        assert_eq!(judge(&by_default, fields, query), [expected]);
        assert_eq!(judge(&allowed, fields, query), [""; 0]);
    }
    for query in ["method=a", "_methods=a", "a=_method", "a_method=a", "%2B_method=a"] {
        assert_eq!(judge(&by_default, &[], query), [""; 0], "{query}");
    }
}

#[test]
fn media_types_and_codings() {
    let strict = rules(json!({}));
    let rules = rules(json!({
        "content_types": ["application/json", "image/*"],
        "compression": { "codings": ["gzip"] },
    }));
    let plain = [("Content-Type", "application/json")];
    assert_eq!(judge(&rules, &plain, ""), [""; 0]);
    for (value, expected) in [
        ("Application/JSON; charset=\"UTF-8\"", ""),
        ("image/png", ""),
        ("text/plain", "header Content-Type content_types"),
        ("application/jsonx", "header Content-Type content_types"),
        ("", "header Content-Type content_types"),
        ("application/json; charset=utf-16", "header Content-Type charset"),
        ("application/json; charset=ibm037", "header Content-Type charset"),
        ("application/json; charset=utf-8; charset=ibm037", "header Content-Type charset"),
    ] {
        let found = judge(&rules, &[("Content-Type", value)], "");
        assert_eq!(found.join(","), expected, "{value}");
    }
    assert_eq!(judge(&rules, &[], ""), ["header Content-Type content_types"]);
    let two = [plain[0], plain[0]];
    assert_eq!(judge(&rules, &two, ""), ["header Content-Type repeated"]);
    for (value, is_taken) in [
        ("gzip", true),
        ("GZIP", true),
        ("identity", true),
        ("", true),
        ("deflate", false),
        ("br", false),
        ("x-gzip", false),
        ("gzip, gzip", false),
        ("gzip, identity, deflate", false),
    ] {
        let found = judge(&rules, &[plain[0], ("Content-Encoding", value)], "");
        assert_eq!(found.is_empty(), is_taken, "{value}: {found:?}");
    }
    let fields = Fields::default();
    assert!(rules.head(&call(&fields, ""), std::iter::empty(), &[""; 0]).is_empty());
    assert_eq!(
        judge(&strict, &[("Content-Encoding", "gzip")], ""),
        ["header Content-Encoding coding"]
    );
}

/// A type that is read in two ways would switch the rules for uploads off, whether types have rules or not.
#[test]
fn a_media_type_is_one_and_clear() {
    let uploads = rules(json!({ "uploads": { "extensions": ["png"] } }));
    let typed = rules(json!({ "content_types": ["text/*", "multipart/form-data", "video/webm"] }));
    const UNCLEAR: &str = "header Content-Type media_type";
    for (value, expected) in [
        ("text/plain", ""),
        ("multipart/form-data; boundary=xyz", ""),
        ("multipart/form-data;boundary=----=_Part_1;", ""),
        ("multipart/form-data ; boundary=\"a,b: c\"", ""),
        ("video/webm; codecs=\"vp8, opus\"", ""),
        ("text/plain, multipart/form-data; boundary=xyz", UNCLEAR),
        ("text/plain; a=b, multipart/form-data; boundary=xyz", UNCLEAR),
        ("text/plain; a=b,multipart/form-data; boundary=xyz", UNCLEAR),
        ("text/plain;,multipart/form-data; boundary=xyz", UNCLEAR),
        ("text/plain;a=\"\",multipart/form-data;boundary=xyz", UNCLEAR),
        ("text/plain multipart/form-data", UNCLEAR),
        ("text/plain; boundary", UNCLEAR),
        ("text/plain; a=b c", UNCLEAR),
        ("text/plain; a=\u{e9}", UNCLEAR),
        ("text/", UNCLEAR),
    ] {
        assert_eq!(judge(&uploads, &[("Content-Type", value)], "").join(","), expected, "{value}");
        let found = judge(&typed, &[("Content-Type", value)], "").join(",");
        assert_eq!(found.is_empty(), expected.is_empty(), "{value}: {found}");
    }
    for value in ["", "text", "/plain", ", multipart/form-data", "multi\tpart/form-data"] {
        assert_eq!(judge(&uploads, &[("Content-Type", value)], ""), [UNCLEAR], "{value}");
    }
    let two = [("Content-Type", "text/plain"), FORM];
    for rules in [&uploads, &typed, &rules(json!({}))] {
        assert_eq!(judge(rules, &two, ""), ["header Content-Type repeated"]);
    }
    assert_eq!(judge(&uploads, &[], ""), [""; 0]);
}

#[test]
fn bad_patterns_are_told_with_their_place() {
    for (pattern, why) in [
        ("(", "unclosed group"),
        ("a)|(b", "unopened group"),
        (r"(?=a)", "look-around"),
        (r"(a)\1", "backreferences"),
        (r"(\w{1000}){1000}", "too large"),
    ] {
        let document = json!({ "query": { "rules": { "id": { "pattern": pattern } } } });
        let document: model::Requests = serde_json::from_value(document).expect("a document");
        let faults = Requests::compile(&document).expect_err("no pattern");
        assert_eq!(faults[0].path, ["query", "rules", "id", "pattern"]);
        assert!(faults[0].message.contains(why), "{}", faults[0].message);
    }
}

/// What is found in a body, whatever pieces it comes in.
fn watch(rules: &Requests, fields: &[(&'static str, &str)], body: &[u8]) -> String {
    let mut all = watch_pieces(rules, fields, body);
    all.dedup();
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

fn watch_pieces(rules: &Requests, fields: &[(&'static str, &str)], body: &[u8]) -> Vec<String> {
    let fields = Fields::of(fields);
    let call = Call { body: Body::Unread, ..call(&fields, "") };
    [1, 2, 7, 1000, usize::MAX >> 1]
        .into_iter()
        .map(|size| {
            let mut watch = rules.watch(&call, 1 << 20).expect("a watch");
            let taken = body.chunks(size).try_for_each(|piece| watch.take(piece));
            match taken.and_then(|()| watch.end()) {
                Ok(()) => String::new(),
                Err(breach) => format!("{} {} {}", breach.place, breach.name, breach.rule),
            }
        })
        .collect()
}

const FORM: (&str, &str) = ("Content-Type", "multipart/form-data; boundary=\"xyz\"");

fn file(name: &str) -> String {
    format!(
        "Content-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\nContent-Type: image/png\r\n\r\nabc"
    )
}

#[test]
fn uploads() {
    let rules = rules(json!({ "uploads": {
        "parts": 2, "files": 1, "part_bytes": 10,
        "extensions": ["png", "PDF"], "content_types": ["image/*"],
    } }));
    let field = |value: &str| format!("Content-Disposition: form-data; name=\"a\"\r\n\r\n{value}");
    let body = |parts: &[String]| {
        let mut text: String = parts.iter().map(|part| format!("--xyz\r\n{part}\r\n")).collect();
        text.push_str("--xyz--\r\n");
        text
    };
    for (parts, expected) in [
        (vec![field("1"), file("cat.png")], ""),
        (vec![field("")], ""),
        (vec![file("Cat Photo.2.PNG")], ""),
        (vec![field("0123456789")], ""),
        (vec![field("\r\n-xyz\r\n--")], ""),
        (vec![field("0123456789a")], "part a part_bytes"),
        (vec![field("1"), field("2"), field("3")], "body  parts"),
        (vec![file("a.png"), file("b.png")], "body  files"),
        (vec![file("a.php")], "part f extensions"),
        (vec![file("a")], "part f extensions"),
        (vec![file("a.php.png")], "part f extensions"),
        (vec![file("a.png.")], "part f file_name"),
        (vec![file("../a.png")], "part f file_name"),
        (vec![file(".htaccess.png")], "part f file_name"),
        (vec![file("a.php;.png")], "part f file_name"),
        (vec![file("a.php%00.png")], "part f file_name"),
        (vec![file("a.php\0.png")], "body  multipart"),
        (vec![file("a\\\".php")], "body  multipart"),
        (vec![file("a.png\"; filename=\"a.php")], "body  multipart"),
        (vec![file("a.png\"; filename*=\"utf-8''a.php")], "body  multipart"),
        (vec![file("a.png").replace("image/png", "text/html")], "part f content_types"),
        (vec![file("").replace("abc", "")], ""),
        (vec![file("")], "part f part_bytes"),
        (vec![field("1").replace("form-data", "attachment")], "body  multipart"),
        (vec![field("1").replace("; name=\"a\"", "")], "body  multipart"),
        (vec![field("1").replace("\r\n\r\n", "\r\n folded\r\n\r\n")], "body  multipart"),
        (vec![field("1").replace("\r\n\r\n", "\n\n")], "body  multipart"),
        (vec!["Content-Transfer-Encoding: base64\r\n".to_owned() + &field("1")], "body  multipart"),
        (vec!["A: b\r\n".repeat(1000) + &field("1")], "body  multipart"),
        (vec![field("1\n--xyz")], "body  multipart"),
        (vec![field("1\r\n--xyzz")], "body  multipart"),
        (vec![field("--xyz")], "body  multipart"),
    ] {
        let text = body(&parts);
        assert_eq!(watch(&rules, &[FORM], text.as_bytes()), expected, "{text}");
    }
    let good = body(&[field("1")]);
    for (text, expected) in [
        (format!("text\r\n{good}"), "body  multipart"),
        (format!("{good}more"), "body  multipart"),
        (good.replace("--xyz--\r\n", ""), "body  multipart"),
        (good.replace("--xyz--", "--xyz-"), "body  multipart"),
        (String::new(), "body  multipart"),
        ("--xyz--\r\n".to_owned(), "body  multipart"),
    ] {
        assert_eq!(watch(&rules, &[FORM], text.as_bytes()), expected, "{text}");
    }
    for content_type in ["", "; boundary=", "; boundary=\"a b\"", "; boundary=a; boundary=b"] {
        let content_type = format!("multipart/form-data{content_type}");
        let fields = [("Content-Type", content_type.as_str())];
        assert_eq!(watch(&rules, &fields, good.as_bytes()), "body  boundary", "{content_type}");
    }
}

/// Bytes that cannot be compressed (xorshift).
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 56) as u8
    };
    (0..count).map(next).collect()
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).expect("memory");
    encoder.finish().expect("memory")
}

#[test]
fn compressed_bodies() {
    let rules = rules(json!({
        "compression": { "codings": ["gzip", "deflate"], "inflated_bytes": "200KiB", "ratio": 10 },
        "uploads": { "extensions": ["png"] },
    }));
    let zeros = |count: usize| gzip(&vec![0; count]);
    let noise = noise(200 << 10);
    let deflate = |data: &[u8]| {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    };
    let raw = |data: &[u8]| {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(data).expect("memory");
        encoder.finish().expect("memory")
    };
    let mut named = vec![0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3];
    named.extend_from_slice(b"name\0");
    named.extend_from_slice(&gzip(b"hi")[10..]);
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() - 1].to_vec();
    let mut wrong_sum = gzip(b"hello");
    let at = wrong_sum.len() - 8;
    wrong_sum[at] ^= 1;
    for (coding, body, expected) in [
        ("gzip", gzip(b"hello"), ""),
        ("gzip", gzip(b""), ""),
        ("gzip", named, ""),
        ("gzip", zeros(64 << 10), ""),
        ("gzip", gzip(&noise), ""),
        ("deflate", deflate(b"hello"), ""),
        ("gzip", zeros((64 << 10) + 1), "body  ratio"),
        ("gzip", zeros(64 << 20), "body  ratio"),
        ("gzip", gzip(&[&noise[..], b"x"].concat()), "body  inflated_bytes"),
        ("deflate", deflate(&vec![0; 1 << 20]), "body  ratio"),
        ("gzip", cut(gzip(b"hello")), "body  coding"),
        ("gzip", wrong_sum, "body  coding"),
        ("gzip", [gzip(b"a"), gzip(b"b")].concat(), "body  coding"),
        ("gzip", [gzip(b"a"), vec![0]].concat(), "body  coding"),
        ("gzip", deflate(b"hello"), "body  coding"),
        ("gzip", b"hello".to_vec(), "body  coding"),
        ("gzip", Vec::new(), "body  coding"),
        ("deflate", raw(b"hello"), "body  coding"),
        ("deflate", gzip(b"hello"), "body  coding"),
        (
            "gzip",
            [&[0x1f, 0x8b, 8, 8, 0, 0, 0, 0, 0, 3][..], &[b'x'; 2000]].concat(),
            "body  coding",
        ),
    ] {
        let fields = [("Content-Encoding", coding)];
        assert_eq!(watch(&rules, &fields, &body), expected, "{coding} {} bytes", body.len());
    }
    // What is inside is judged as if it had come so.
    let inside = format!("--xyz\r\n{}\r\n--xyz--", file("a.php"));
    let fields = [FORM, ("Content-Encoding", "gzip")];
    assert_eq!(watch(&rules, &fields, &gzip(inside.as_bytes())), "part f extensions");
}

proptest! {
    /// Nothing panics, and whether a body is taken does not depend on how it is cut into pieces. Of several things that
    /// are wrong the one that is told may.
    #[test]
    fn pieces_do_not_matter(parts in proptest::collection::vec(0_usize..10, 0..40), compress: bool) {
        const PARTS: [&str; 10] = [
            "--xyz", "\r\n", "--", "\n", "\r", "-", "x",
            "Content-Disposition: form-data; name=\"a\"", "; filename=\"a.png\"", "\r\n\r\n",
        ];
        let rules = rules(json!({
            "compression": { "codings": ["gzip"] },
            "uploads": { "part_bytes": 8, "extensions": ["png"] },
        }));
        let text: String = parts.iter().map(|part| PARTS[*part]).collect();
        let text = format!("--xyz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n{text}");
        let found = if compress {
            let mut body = gzip(text.as_bytes());
            if let Some(byte) = parts.first().and_then(|at| body.get_mut(at * 5)) {
                *byte ^= 1;
            }
            watch_pieces(&rules, &[FORM, ("Content-Encoding", "gzip")], &body)
        } else {
            watch_pieces(&rules, &[FORM], text.as_bytes())
        };
        let taken = found.iter().filter(|breach| breach.is_empty()).count();
        prop_assert!(taken == 0 || taken == found.len(), "{found:?}");
    }
}

#[test]
fn a_watch_is_small() {
    assert!(size_of::<BodyWatch>() < 512, "{}", size_of::<BodyWatch>());
}
