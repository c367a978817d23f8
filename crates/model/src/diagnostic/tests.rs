//! How a terminal shows a mistake.

use super::{Diagnostic, Location, Severity, summary};

fn sample(line: u32, column: u32) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "unknown-field",
        location: Location { file: "shop.yaml".to_owned(), line, column },
        pointer: "/services/shop/limts".to_owned(),
        message: "services.shop.limts is not a field of a service".to_owned(),
        fix: "did you mean \"limits\"?".to_owned(),
    }
}

#[test]
fn plain() {
    let expected = "\
error[unknown-field]: services.shop.limts is not a field of a service
 --> shop.yaml:7:5
  |
7 |     limts: [ 1 ]
  |     ^^^^^
  = fix: did you mean \"limits\"?
";
    assert_eq!(sample(7, 5).render(Some("    limts: [ 1 ]"), false), expected);
}

#[test]
fn coloured_text_is_the_plain_text_with_colours() {
    let coloured = sample(7, 5).render(Some("    limts: [ 1 ]"), true);
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, sample(7, 5).render(Some("    limts: [ 1 ]"), false));
}

#[test]
fn odd_lines() {
    // Columns beyond the end, very long lines, control characters: shown, bounded, harmless.
    for (line, column) in [
        ("", 0),
        ("", 99),
        ("ab", 3),
        ("\u{1b}[31m\t\u{202e}x", 6),
        (&*"x".repeat(1 << 20), 500_000),
    ] {
        let shown = sample(1, column).render(Some(line), false);
        assert!(shown.len() < 1_500, "{}", shown.len());
        assert!(!shown.contains(['\u{1b}', '\u{202e}', '\t']));
    }
}

#[test]
fn summaries() {
    let warning = Diagnostic { severity: Severity::Warning, ..sample(1, 1) };
    let outside = Diagnostic {
        location: Location { file: "flag --admin".to_owned(), line: 0, column: 0 },
        ..sample(0, 0)
    };
    assert_eq!(summary(&[]), "");
    assert_eq!(summary(&[sample(1, 1)]), "1 error in 1 file");
    assert_eq!(summary(&[sample(1, 1), sample(2, 1), warning]), "2 errors, 1 warning in 1 file");
    assert_eq!(summary(&[outside]), "1 error");
}
