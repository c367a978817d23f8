//! Templates as data: what parses to what, what is refused, what matches.

use super::*;
use proptest::prelude::*;

fn check(path: &str, shown: &str) {
    let parsed = PathTemplate::parse(path);
    let got = match &parsed {
        Ok(template) => {
            template
                .segments
                .iter()
                .map(|segment| {
                    segment
                        .iter()
                        .map(|piece| match piece {
                            Piece::Literal(text) => text.clone(),
                            Piece::Parameter(name) => format!("<{name}>"),
                        })
                        .collect::<Vec<_>>()
                        .join("+")
                })
                .collect::<Vec<_>>()
                .join(" | ")
                + if template.tail { " **" } else { "" }
        }
        Err(fault) => format!("{fault:?}"),
    };
    assert_eq!(got, shown, "{path}");
}

#[test]
fn paths_split_into_pieces() {
    check("/", "");
    check("/a", "a");
    check("/a/", "a | ");
    check("//a", " | a");
    check("/orders/{orderId}", "orders | <orderId>");
    check("/{id}.json", "<id>+.json");
    check("/a:{b}", "a:+<b>");
    check("/{a}-{b}", "<a>+-+<b>");
    check("/{a}{b}", "<a>+<b>");
    check("/v1/{name}:cancel", "v1 | <name>+:cancel");
    check("/x('{id}')", "x('+<id>+')");
    check("/{a}.{b}.{c}", "<a>+.+<b>+.+<c>");
}

#[test]
fn tails_stand_last() {
    check("/files/{+path}", "files | <path> **");
    check("/files/{path*}", "files | <path> **");
    check("/files/{*path}", "files | <path> **");
    check("/files/{**path}", "files | <path> **");
    check("/{proxy+}", "<proxy> **");
    check("/v1/{name=**}", "v1 | <name> **");
    check("/{+path}/edit", "TailNotLast(1)");
    check("/x{+path}", "TailNotLast(2)");
}

#[test]
fn constraints_are_split_off() {
    check("/orders/{id:[0-9]+}", "orders | <id>");
    check("/orders/{id:[0-9]{2,4}}/x", "orders | <id> | x");
    check("/{id:int}", "<id>");
    check("/{date:\\d{4}/\\d{2}}/x", "<date> | x");
}

#[test]
fn literals_take_one_percent_form() {
    check("/a%2fb", "a%2Fb");
    check("/%41%2D", "A-");
    check("/caf\u{e9}", "caf%C3%A9");
    check("/a b", "a%20b");
    check("/a\"<>", "a%22%3C%3E");
    check("/a%", "BadCharacter(2)");
    check("/a%zz", "BadCharacter(2)");
    check("/a\u{7}", "BadCharacter(2)");
}

#[test]
fn faults_say_where() {
    check("", "NoLeadingSlash");
    check("a/b", "NoLeadingSlash");
    check("/a/{id", "Unclosed(3)");
    check("/a/{id/b", "Unclosed(3)");
    check("/a/id}", "Unopened(5)");
    check("/a/{}", "NoName(3)");
    check("/a/{ }", "NoName(3)");
    check("/a/../b", "DotSegment(3)");
    check("/a/%2e/b", "DotSegment(3)");
    check("/a?b=c", "NotOnlyAPath(2)");
    check("/a#b", "NotOnlyAPath(2)");
    check(&"/{a}".repeat(65), "TooManyParameters");
    check(&format!("/{}", "a".repeat(9000)), "TooLong");
}

fn check_match(template: &str, path: &str, expected: Option<&[(&str, &str)]>) {
    let template = PathTemplate::parse(template).expect("a good template");
    assert_eq!(template.captures(path).as_deref(), expected, "{template} against {path}");
}

#[test]
fn templates_match_paths() {
    check_match("/", "/", Some(&[]));
    check_match("/a", "/a/", None);
    check_match("/a/", "/a/", Some(&[]));
    check_match("/{x}", "/", None);
    check_match("/{x}.json", "/a.b.json", Some(&[("x", "a.b")]));
    check_match("/{x}.json", "/.json", None);
    check_match("/{a}-{b}", "/x-y-z", Some(&[("a", "x"), ("b", "y-z")]));
    check_match("/{a}{b}", "/xyz", Some(&[("a", "x"), ("b", "yz")]));
    check_match("/f/{+p}", "/f/a/b/", Some(&[("p", "a/b/")]));
    check_match("/f/{+p}", "/f/", None);
    check_match("/f/{+p}", "/f", None);
    check_match("/v1/{n}:run", "/v1/a:run:run", Some(&[("n", "a:run")]));
}

proptest! {
    #[test]
    fn parsing_never_panics(path in "\\PC{0,60}") {
        let _ = PathTemplate::parse(&path);
        let _ = PathTemplate::parse(&format!("/{path}"));
    }

    #[test]
    fn printing_and_parsing_agree(path in "(/(([a-z%~]|%2[0-9A-F]|\\{[a-z]{1,3}\\}){0,4})){1,5}") {
        if let Ok(template) = PathTemplate::parse(&path) {
            let again = PathTemplate::parse(&template.to_string());
            prop_assert_eq!(again.as_ref(), Ok(&template));
            prop_assert_eq!(template.shape(), again.expect("checked").shape());
        }
    }

    #[test]
    fn whatever_parses_prints_to_itself(path in "/[/{}a+*?:=. %2F#-]{0,16}") {
        if let Ok(template) = PathTemplate::parse(&path) {
            prop_assert_eq!(PathTemplate::parse(&template.to_string()), Ok(template));
        }
    }

    #[test]
    fn a_filled_template_is_matched(
        path in "(/([a-z]{0,3}\\{[a-z]{1,3}\\})?[a-z]{0,3}){1,5}",
        value in "[a-z0-9.]{1,8}",
    ) {
        let template = PathTemplate::parse(&path).expect("made of good parts");
        let mut filled = String::new();
        for segment in &template.segments {
            filled.push('/');
            for piece in segment {
                filled.push_str(match piece { Piece::Literal(text) => text, Piece::Parameter(_) => &value });
            }
        }
        let captures = template.captures(&filled);
        prop_assert!(captures.is_some(), "{} against {}", template, filled);
        for (_, text) in captures.expect("checked") {
            prop_assert_eq!(text, value.as_str());
        }
    }
}
