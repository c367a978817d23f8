//! How diagnostics look.

use portway_model::{Location, Severity};

use super::*;

fn written(diagnostics: &[Diagnostic]) -> String {
    let mut out = anstream::StripStream::new(Vec::new());
    write_diagnostics(&mut out, diagnostics, &|found| {
        (found.location.line == 7).then(|| "  a:\tb".to_owned())
    })
    .unwrap();
    String::from_utf8(out.into_inner()).unwrap()
}

fn diagnostic(severity: Severity, line: u32, message: &str, fix: &str) -> Diagnostic {
    Diagnostic {
        severity,
        code: "unknown-field",
        location: Location { file: "a.yaml".into(), line, column: if line == 0 { 0 } else { 5 } },
        pointer: String::new(),
        message: message.into(),
        fix: fix.into(),
    }
}

#[test]
fn a_diagnostic_is_a_sentence_a_place_and_a_fix() {
    let list = [
        diagnostic(Severity::Error, 3, "unknown field \"limts\"", "did you mean \"limits\"?"),
        diagnostic(Severity::Warning, 0, "nothing is served", ""),
    ];
    let text = written(&list);
    for part in [
        "error[unknown-field]: unknown field",
        "--> a.yaml:3:5\n",
        "fix: did you mean",
        "warning[",
        "--> a.yaml\n",
    ] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    assert_eq!(tally(&list), "1 error, 1 warning in 1 file");
    assert_eq!(tally(&[]), "no mistakes");
}

#[test]
fn text_from_outside_cannot_move_the_cursor() {
    let list = [diagnostic(Severity::Error, 1, "a\u{1b}[2Jb\r\nc\u{202e}d", "")];
    let text = written(&list);
    assert_eq!(text.lines().count(), 2);
    assert!(
        !text.contains('\u{1b}') && !text.contains('\r') && !text.contains('\u{202e}'),
        "{text:?}"
    );
}
