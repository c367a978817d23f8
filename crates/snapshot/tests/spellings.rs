//! Spellings of `/admin` by the hundred, before origins of many habits: no origin may read `/admin` in what is
//! forwarded unless the call was judged as `/admin`.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a test reads files and may fail"
)]

#[path = "common/shared.rs"]
mod common;

use std::collections::BTreeSet;

use common::{List, Table, compiled};
use portway_policy::ParamSpans;
use portway_snapshot::{Routed, Snapshot, canonical_path};

const DOCUMENT: &str = r#"
portway: 1
services:
  old:
    path: PREFIX
    routes: [ "* /", "* /{rest+}", "GET /admin", "GET /public/{page}", "GET /pages/{page}" ]
    backend: http://10.0.0.1
    auth: public
    operations:
      "GET /admin": { auth: [key] }
apps:
  boss: { keys: [ { env: SET_KEY } ] }
"#;

/// What an origin takes a path for, as it would stand in its route table; `None` if it refuses.
type Origin = (&'static str, fn(&str) -> Option<String>);

const ORIGINS: &[Origin] = &[
    ("as it is", |path| Some(path.to_owned())),
    ("decodes", |path| Some(decode(path))),
    ("decodes twice", |path| Some(decode(&decode(path)))),
    ("decodes until nothing is left", |path| {
        Some((0..6).fold(path.to_owned(), |path, _| decode(&path)))
    }),
    ("resolves dots", |path| resolve(path)),
    ("decodes, then resolves dots", |path| resolve(&decode(path))),
    ("resolves dots, then decodes", |path| resolve(path).map(|path| decode(&path))),
    ("decodes twice, then resolves dots", |path| resolve(&decode(&decode(path)))),
    ("merges slashes", |path| Some(merge(path))),
    ("decodes, merges slashes, resolves dots", |path| resolve(&merge(&decode(path)))),
    ("cuts off path parameters", |path| Some(cut_parameters(path))),
    ("cuts off path parameters, merges, resolves, decodes", |path| {
        resolve(&merge(&cut_parameters(path))).map(|path| decode(&path))
    }),
    ("decodes, cuts off path parameters, merges, resolves", |path| {
        resolve(&merge(&cut_parameters(&decode(path))))
    }),
    ("folds case", |path| Some(path.to_lowercase())),
    ("decodes and folds case", |path| Some(decode(path).to_lowercase())),
    ("a slash at the end means nothing", |path| Some(without_last_slash(path))),
    ("decodes, folds case, a slash at the end means nothing", |path| {
        Some(without_last_slash(&decode(path).to_lowercase()))
    }),
    ("backslashes are slashes", |path| resolve(&decode(path).replace('\\', "/"))),
    ("cuts at NUL", |path| decode(path).split('\0').next().map(str::to_owned)),
    ("decodes before it looks for the query", |path| {
        decode(path).split('?').next().map(str::to_owned)
    }),
    ("decodes before it looks for the fragment", |path| {
        decode(path).split('#').next().map(str::to_owned)
    }),
    ("trims dots and spaces at the end", |path| {
        Some(decode(path).trim_end_matches([' ', '.']).to_owned())
    }),
    ("trims spaces around", |path| {
        Some(
            path.split('/')
                .map(|part| decode(part).trim().to_owned())
                .collect::<Vec<_>>()
                .join("/"),
        )
    }),
    ("takes `.json` for the form of the answer", |path| {
        Some(path.strip_suffix(".json").unwrap_or(path).to_owned())
    }),
    ("plus is a space", |path| Some(decode(&path.replace('+', " ")).trim_end().to_owned())),
    ("folds full-width characters", |path| {
        Some(decode(path).chars().map(half_width).collect::<String>().to_lowercase())
    }),
];

fn decode(path: &str) -> String {
    let bytes: Vec<u8> = portway_policy::query::decoded(path.as_bytes()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn resolve(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    Some(format!("/{}", parts.join("/")))
}

fn merge(path: &str) -> String {
    let mut path = path.to_owned();
    while path.contains("//") {
        path = path.replace("//", "/");
    }
    path
}

fn cut_parameters(path: &str) -> String {
    path.split('/')
        .map(|part| part.split(';').next().unwrap_or_default())
        .collect::<Vec<_>>()
        .join("/")
}

fn without_last_slash(path: &str) -> String {
    if path.len() > 1 { path.strip_suffix('/').unwrap_or(path).to_owned() } else { path.to_owned() }
}

fn half_width(c: char) -> char {
    match u32::from(c) {
        wide @ 0xff01..=0xff5e => char::from_u32(wide - 0xfee0).unwrap(),
        _ => c,
    }
}

/// Spellings: every way to write the name, put at every place, with everything that readers skip around it.
fn spellings() -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        ["admin", "Admin", "ADMIN", "aDmIn"].into_iter().map(str::to_owned).collect();
    for at in 0..5 {
        let (head, tail) = "admin".split_at(at);
        let code = format!("{:02x}", tail.as_bytes()[0]);
        let rest = &tail[1..];
        for escape in [
            format!("%{code}"),
            format!("%{}", code.to_uppercase()),
            format!("%25{code}"),
            format!("%2525{code}"),
        ] {
            names.insert(format!("{head}{escape}{rest}"));
        }
        names.insert(format!("{head}%25%3{}%3{}{rest}", code.as_bytes()[0] - b'0', &code[1..]));
        let wide = u32::from(tail.as_bytes()[0]) + 0xfee0;
        let wide: String = char::from_u32(wide)
            .unwrap()
            .to_string()
            .bytes()
            .map(|byte| format!("%{byte:02X}"))
            .collect();
        names.insert(format!("{head}{wide}{rest}"));
    }
    let before = [
        "",
        "/",
        "//",
        "/.",
        "/./",
        "/x/..",
        "/x/../",
        "/%2e",
        "/%2e/",
        "/x/%2e%2e",
        "/x/..;",
        "/x/..;a=b",
        "/x/%2e%2e;",
        "/.;",
        "/;",
        "/;x=1",
        "/x%2f..",
        "/x%2f%2e%2e%2f",
        "\\",
        "/\\",
        "/x\\..",
        "/%5c",
        "/x%5c..%5c",
        "/%2f",
        "/%252e%252e",
        "/x/%252e%252e",
        "/x/.%2e",
        "/public/..",
        "/public/%2e.",
        "/public/..%00",
        "/public/..%20",
        "/public/...",
        "/%20",
        "/x/%EF%BC%8E%EF%BC%8E",
        "/x/%c0%ae%c0%ae",
        "/public/..%23",
        "/public/..%3f",
        "/public/.%2e;",
        "/public/..%3b",
    ];
    let after = [
        "",
        "/",
        "//",
        "/.",
        "/./",
        "/..",
        "/x/..",
        "/%2e",
        "/;",
        ";",
        ";x=1",
        ";/",
        "%3b",
        "%3Bx",
        "%253b",
        "%00",
        "%00x",
        "%20",
        "%2520",
        "+",
        ".",
        "..",
        "%2e",
        "%252e",
        ".json",
        ".html",
        "%23",
        "%23x",
        "%2523x",
        "%3f",
        "%3fx",
        "%253fx",
        "%3fx/y",
        "%23/y",
        "/%20",
        "/%3fx",
        "/%23",
        "%2f",
        "%5c",
        "%252f",
        "\\",
        "%09",
        "%0a",
        "%0d%0a",
        "%7f",
        "%2f..%2fadmin",
        "/..;/admin",
        "\u{e9}",
        "%ff",
        "%u002f",
        "%",
        "%4",
        "?",
        "#",
    ];
    let mut all = BTreeSet::new();
    for name in &names {
        for before in before {
            all.insert(format!("{before}/{name}"));
            all.insert(format!("{before}{name}"));
        }
        for after in after {
            all.insert(format!("/{name}{after}"));
        }
    }
    for before in before {
        for after in after {
            all.insert(format!("{before}/admin{after}"));
        }
    }
    all
}

fn check(snapshot: &Snapshot, prefix: &str, spelling: &str) -> bool {
    let raw = format!("{prefix}{spelling}");
    let mut out = String::new();
    let Ok(path) = canonical_path(raw.as_bytes(), &mut out) else { return false };
    let path = path.as_str();
    let Routed::Operation { service, operation, .. } =
        snapshot.route("any", path, "", "GET", &List::default(), &mut ParamSpans::default())
    else {
        return false;
    };
    let forwarded = service.inner_path(path);
    if operation.id.as_ref() == "GET /admin" {
        assert_eq!(forwarded, "/admin", "{raw:?} was taken for /admin");
        return true;
    }
    for (habit, read) in ORIGINS {
        let seen = read(forwarded);
        assert!(
            seen.as_deref() != Some("/admin"),
            "{raw:?} goes to {} as {forwarded:?}, and an origin reads /admin in it: {habit}",
            operation.id
        );
    }
    true
}

#[test]
fn no_origin_reads_admin_in_what_was_judged_otherwise() {
    let spellings = spellings();
    assert!(spellings.len() >= 400, "{}", spellings.len());
    for prefix in ["", "/shop"] {
        let document = DOCUMENT.replace("PREFIX", if prefix.is_empty() { "/" } else { prefix });
        let snapshot = compiled(&document, &Table::default(), None).snapshot;
        let passed = spellings.iter().filter(|spelling| check(&snapshot, prefix, spelling)).count();
        assert!(check(&snapshot, prefix, "/admin") && check(&snapshot, prefix, "/%61dmin"));
        assert!(check(&snapshot, prefix, "/admins") && check(&snapshot, prefix, "/admin/users"));
        println!(
            "{} spellings, {passed} of them let through, {} origins",
            spellings.len(),
            ORIGINS.len()
        );
    }
}
