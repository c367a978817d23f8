//! The tree against a naive matcher: every template tried, each match summed up in a value that is ordered
//! as the header of `router.rs` says, the smallest taken.

use std::cmp::Reverse;

use portway_contract::{PathTemplate, Piece};
use proptest::prelude::*;

use super::{Captures, Entry, Router};

/// What one segment of a template is; smaller wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Literal,
    Mixed(Reverse<usize>, usize, Vec<Option<String>>),
    Parameter,
    Tail,
}

fn summary(template: &PathTemplate) -> Vec<Kind> {
    let last = template.segments.len() - 1;
    let kind = |(index, segment): (usize, &Vec<Piece>)| match segment.as_slice() {
        [Piece::Parameter(_)] if template.tail && index == last => Kind::Tail,
        [Piece::Parameter(_)] => Kind::Parameter,
        [] | [Piece::Literal(_)] => Kind::Literal,
        pieces => {
            let shape: Vec<Option<String>> = pieces
                .iter()
                .map(|piece| match piece {
                    Piece::Literal(text) => Some(text.clone()),
                    Piece::Parameter(_) => None,
                })
                .collect();
            let bytes = shape.iter().flatten().map(String::len).sum();
            Kind::Mixed(Reverse(bytes), shape.iter().filter(|piece| piece.is_none()).count(), shape)
        }
    };
    template.segments.iter().enumerate().map(kind).collect()
}

fn naive<'p>(templates: &[PathTemplate], path: &'p str) -> Option<(usize, Vec<&'p str>)> {
    let (index, captures) = templates
        .iter()
        .enumerate()
        .filter_map(|(index, template)| Some((index, template.captures(path)?)))
        .min_by_key(|(index, _)| summary(&templates[*index]))?;
    Some((index, captures.into_iter().map(|(_, text)| text).collect()))
}

fn build(templates: &[PathTemplate]) -> Router {
    Router::build(
        templates
            .iter()
            .enumerate()
            .map(|(index, template)| Entry {
                template,
                method: "GET",
                operation: Some(index as u32),
                conditions: Vec::new(),
            })
            .collect(),
    )
}

fn routed<'p>(router: &Router, path: &'p str, from: usize) -> Option<(usize, Vec<&'p str>)> {
    let mut captures = Captures::new();
    let found = router.find(path, from, &mut captures)?;
    let operation = router.candidates(found.leaf, "GET").unwrap()[0].operation().unwrap();
    let texts =
        captures.as_slice().iter().map(|(start, end)| &path[*start as usize..*end as usize]);
    Some((operation, texts.collect()))
}

fn templates(paths: &[&str]) -> Vec<PathTemplate> {
    paths.iter().map(|path| PathTemplate::parse(path).unwrap()).collect()
}

fn check(paths: &[&str], path: &str, expected: Option<(&str, &[&str])>) {
    let templates = templates(paths);
    let found = routed(&build(&templates), path, 0);
    let found = found.as_ref().map(|(index, captures)| (paths[*index], captures.as_slice()));
    assert_eq!(found, expected, "{path} among {paths:?}");
}

#[test]
fn the_most_specific_wins() {
    let paths = [
        "/",
        "/{rest+}",
        "/a",
        "/a/",
        "/a/{x}",
        "/a/b",
        "/a/{x}.json",
        "/a/v{x}.json",
        "/{x}/b/c",
        "/a/{rest+}",
    ];
    check(&paths, "/", Some(("/", &[])));
    check(&paths, "/a", Some(("/a", &[])));
    check(&paths, "/a/", Some(("/a/", &[])));
    check(&paths, "/a/b", Some(("/a/b", &[])));
    check(&paths, "/a/z", Some(("/a/{x}", &["z"])));
    check(&paths, "/a/1.json", Some(("/a/{x}.json", &["1"])));
    check(&paths, "/a/v1.json", Some(("/a/v{x}.json", &["1"])));
    check(&paths, "/a/v.json", Some(("/a/{x}.json", &["v"])));
    check(&paths, "/a/.json", Some(("/a/{x}", &[".json"])));
    check(&paths, "/a/b/c", Some(("/a/{rest+}", &["b/c"])));
    check(&paths, "/z/b/c", Some(("/{x}/b/c", &["z"])));
    check(&paths, "/z/b/", Some(("/{rest+}", &["z/b/"])));
}

#[test]
fn a_way_that_fails_is_left_for_the_next() {
    let paths = ["/a/{x}/c", "/{y}/b/d"];
    check(&paths, "/a/b/d", Some(("/{y}/b/d", &["a"])));
    check(&paths, "/a/b/c", Some(("/a/{x}/c", &["b"])));
    check(&paths, "/a/b/e", None);
}

#[test]
fn segments_of_several_pieces() {
    let paths = ["/{a}-{b}", "/{a}:{b}", "/x{a}y{b}z"];
    check(&paths, "/1-2", Some(("/{a}-{b}", &["1", "2"])));
    check(&paths, "/1-2-3", Some(("/{a}-{b}", &["1", "2-3"])));
    check(&paths, "/--", None);
    check(&paths, "/---", Some(("/{a}-{b}", &["-", "-"])));
    check(&paths, "/op:run", Some(("/{a}:{b}", &["op", "run"])));
    check(&paths, "/x1y2z", Some(("/x{a}y{b}z", &["1", "2"])));
    check(&paths, "/xyz", None);
}

#[test]
fn a_parameter_is_never_empty() {
    check(&["/a/{x}"], "/a/", None);
    check(&["/a/{x+}"], "/a/", None);
    check(&["/a/{x}/b"], "/a//b", None);
}

#[test]
fn methods() {
    let template = PathTemplate::parse("/a").unwrap();
    let wild = PathTemplate::parse("/w").unwrap();
    let gone = PathTemplate::parse("/h").unwrap();
    let entry =
        |template, method, operation| Entry { template, method, operation, conditions: Vec::new() };
    let router = Router::build(vec![
        entry(&template, "GET", Some(0)),
        entry(&template, "POST", Some(1)),
        entry(&template, "DELETE", None),
        entry(&wild, "*", Some(2)),
        entry(&wild, "PUT", Some(3)),
        entry(&gone, "GET", None),
    ]);
    let leaf = |path| router.find(path, 0, &mut Captures::new()).unwrap().leaf;
    let operation =
        |path, method| router.candidates(leaf(path), method).map(|found| found[0].operation());
    assert_eq!(router.allow(leaf("/a")), "GET, HEAD, OPTIONS, POST");
    assert_eq!(operation("/a", "GET"), Some(Some(0)));
    assert_eq!(operation("/a", "HEAD"), Some(Some(0)));
    assert_eq!(operation("/a", "POST"), Some(Some(1)));
    assert_eq!(operation("/a", "DELETE"), Some(None));
    assert_eq!(operation("/a", "PUT"), None);
    assert_eq!(operation("/a", "get"), None);
    assert_eq!(operation("/w", "PUT"), Some(Some(3)));
    assert_eq!(operation("/w", "PROPFIND"), Some(Some(2)));
    assert_eq!(operation("/w", "TRACE"), None, "an echo would show the backend's credentials");
    assert_eq!(router.allow(leaf("/w")), "DELETE, GET, HEAD, OPTIONS, PATCH, POST, PUT");
    assert_eq!(router.allow(leaf("/h")), "");
}

#[test]
fn prefixes_are_skipped() {
    let templates = templates(&["/", "/a/{x}"]);
    let router = build(&templates);
    assert_eq!(routed(&router, "/shop", 5), Some((0, vec![])));
    assert_eq!(routed(&router, "/shop/", 5), Some((0, vec![])));
    assert_eq!(routed(&router, "/shop/a/7", 5), Some((1, vec!["7"])));
}

#[test]
fn near_paths_are_noticed() {
    let paths = ["/admin", "/{rest+}", "/old/", "/x{id}.PDF/q", "/a/{b}"];
    let templates = templates(&paths);
    let router = build(&templates);
    let near = |path: &str| {
        let found = router.find(path, 0, &mut Captures::new()).unwrap();
        let loosely = router.find_loosely(path, 0).unwrap();
        assert!(found.near || loosely == found.leaf, "{path}: read loosely and not noticed");
        (loosely != found.leaf)
            .then(|| paths[router.candidates(loosely, "GET").unwrap()[0].operation().unwrap()])
    };
    for path in [
        "/Admin",
        "/ADMIN",
        "/admin/",
        "/admin;x",
        "/admin%3Bx",
        "/admin.",
        "/admin%20",
        "/%2561dmin",
        "/admin.json",
        "/admin%23x",
        "/admin%3Fx/y",
        "/admin/%20",
        "/admin/%23x",
    ] {
        assert_eq!(near(path), Some("/admin"), "{path}");
    }
    assert_eq!(near("/old"), Some("/old/"));
    assert_eq!(near("/x7.pdf/q"), Some("/x{id}.PDF/q"));
    for path in ["/admins", "/admin/x", "/b/admin", "/admin.css"] {
        assert_eq!(near(path), None, "{path}");
    }
}

#[test]
fn a_hostile_path_costs_no_more_than_the_tree() {
    // Sixteen levels with two ways each: 2^16 ways through a tree that shared its branches.
    let mut paths: Vec<String> = (0..256_u32)
        .map(|bits| {
            let way = (0..8).map(|level| if bits >> level & 1 == 0 { "/a" } else { "/{x}" });
            format!("{}/end", way.collect::<String>())
        })
        .collect();
    paths.dedup();
    let templates: Vec<PathTemplate> =
        paths.iter().map(|path| PathTemplate::parse(path).unwrap()).collect();
    let router = build(&templates);
    let path = format!("{}/miss", "/a".repeat(8));
    let mut walk = super::Walk {
        router: &router,
        path: &path,
        captures: &mut Captures::new(),
        near: false,
        own_loose: true,
        loosely: false,
    };
    assert_eq!(walk.begin(0), None);
    assert!(
        router.nodes.len() <= 1_024,
        "each node is visited once at most, and there are {}",
        router.nodes.len()
    );
}

fn segment() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => "[ab]",
        4 => Just("{p}".to_owned()),
        1 => Just("{p}.a".to_owned()),
        1 => Just("a{p}".to_owned()),
        1 => Just("{p}-{q}".to_owned()),
        1 => Just("a{p}b{q}a".to_owned()),
        1 => "[A-B]%20[ab]",
    ]
}

fn template() -> impl Strategy<Value = String> {
    let tail = prop_oneof![6 => Just(""), 1 => Just("/"), 1 => Just("/{rest+}")];
    (prop::collection::vec(segment(), 1..4), tail)
        .prop_map(|(segments, tail)| format!("/{}{tail}", segments.join("/")))
}

fn path() -> impl Strategy<Value = String> {
    let segment = prop_oneof!["[ab]{1,2}", "[ab.-]{1,4}", Just("A%20b".to_owned()), "a[ab]b[ab]a"];
    (prop::collection::vec(segment, 1..5), any::<bool>()).prop_map(|(segments, slash)| {
        format!("/{}{}", segments.join("/"), if slash { "/" } else { "" })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2048))]

    #[test]
    fn agrees_with_the_naive_matcher(
        paths in prop::collection::vec(template(), 1..24),
        asked in prop::collection::vec(path(), 1..16),
    ) {
        let mut templates: Vec<PathTemplate> = paths.iter().map(|path| PathTemplate::parse(path).unwrap()).collect();
        templates.sort_by_key(PathTemplate::shape);
        templates.dedup_by_key(|template| template.shape());
        let router = build(&templates);
        for path in &asked {
            prop_assert_eq!(routed(&router, path, 0), naive(&templates, path), "{} among {:?}", path, paths);
        }
    }

    #[test]
    fn a_loose_reading_is_always_noticed(
        paths in prop::collection::vec(template(), 1..24),
        asked in prop::collection::vec(path(), 1..8),
    ) {
        let templates: Vec<PathTemplate> = paths.iter().map(|path| PathTemplate::parse(path).unwrap()).collect();
        let router = build(&templates);
        for path in asked.iter().flat_map(|path| [path.clone(), path.to_uppercase(), format!("{path};a"), path.replace('b', "%2562")]) {
            if let Some(found) = router.find(&path, 0, &mut Captures::new()) {
                let loosely = router.find_loosely(&path, 0);
                prop_assert!(found.near || loosely == Some(found.leaf), "{} among {:?}", path, paths);
            }
        }
    }
}
