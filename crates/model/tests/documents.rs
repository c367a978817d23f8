//! Documents as users write them, and what is said about them.
//!
//! Each folder of `tests/data/mistakes` holds one or several documents (a single file stands for a folder
//! of its own) and, in `expected`, the diagnostics as a terminal shows them. `UPDATE_EXPECTED=1` writes
//! them anew; read the difference before you commit it.
#![expect(clippy::unwrap_used, reason = "a test may fail")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use portway_model::{
    Auth, AuthKind, Backend, Document, Duration, Format, KeyAuth, Override, Remembered, SourceFile,
    Target, includes, read, read_again, summary,
};

fn data(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(folder)
}

fn source(path: &Path) -> SourceFile {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    SourceFile { format: Format::of_file(&name), text: fs::read_to_string(path).unwrap(), name }
}

/// The documents of a case: a file, or all of a folder.
fn documents(path: &Path) -> Vec<SourceFile> {
    if path.is_file() {
        return vec![source(path)];
    }
    let mut paths: Vec<PathBuf> =
        fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| {
        ["yaml", "json", "toml"].iter().any(|end| path.extension().is_some_and(|is| is == *end))
    });
    paths.sort();
    paths.iter().map(|path| source(path)).collect()
}

/// What a terminal would show, without colours.
fn rendered(files: &[SourceFile], overrides: &[Override]) -> String {
    let (documents, diagnostics) = read(files, overrides);
    let mut out = String::new();
    for diagnostic in &diagnostics {
        let line = documents.sources.line_text(&diagnostic.location);
        out.push_str(&diagnostic.render(line.as_deref(), false));
        out.push('\n');
    }
    out.push_str(&summary(&diagnostics));
    out.push('\n');
    out
}

fn compare(expected: &Path, actual: &str) -> Result<(), String> {
    if std::env::var_os("UPDATE_EXPECTED").is_some() {
        fs::write(expected, actual).unwrap();
        return Ok(());
    }
    let wanted = fs::read_to_string(expected).unwrap_or_default();
    if wanted == actual {
        Ok(())
    } else {
        Err(format!("{}:\n{actual}\ninstead of\n{wanted}", expected.display()))
    }
}

#[test]
fn mistakes() {
    let mut cases: Vec<PathBuf> =
        fs::read_dir(data("mistakes")).unwrap().map(|entry| entry.unwrap().path()).collect();
    cases.retain(|path| path.extension().is_none_or(|end| end != "expected"));
    cases.sort();
    assert!(cases.len() >= 20, "the test data are missing");
    let compared = cases.iter().map(|case| {
        let expected = PathBuf::from(format!("{}.expected", case.with_extension("").display()));
        compare(&expected, &rendered(&documents(case), &[]))
    });
    let differences: Vec<String> = compared.filter_map(Result::err).collect();
    assert!(differences.is_empty(), "{}", differences.join("\n\n"));
}

#[track_caller]
fn read_well(files: &[SourceFile]) -> Document {
    let (documents, diagnostics) = read(files, &[]);
    assert_eq!(diagnostics, [], "{}", rendered(files, &[]));
    documents.document
}

fn text(name: &str, text: impl Into<String>) -> SourceFile {
    SourceFile { name: name.to_owned(), text: text.into(), format: Format::of_file(name) }
}

#[test]
fn good_documents_are_read_without_a_word() {
    for entry in fs::read_dir(data("good")).unwrap() {
        read_well(&documents(&entry.unwrap().path()));
    }
}

#[test]
fn the_first_day() {
    let document = read_well(&[source(&data("good/sample.yaml"))]);
    let shop = &document.services["shop"];
    assert_eq!(shop.backend, Backend::new(vec![Target::new("http://10.0.0.7:8000")]));
    assert_eq!(shop.auth, Auth::AnyOf(vec![AuthKind::Key(KeyAuth::default())]));
    assert_eq!(
        shop.limits.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["200/s", "20/s per app", "5/s per ip"]
    );
    assert_eq!(shop.operations["createOrder"].timeout, Some(Duration::from_ms(3_000)));
    assert_eq!(document.apps["phone"].plan.as_ref().unwrap(), &"gold");
}

#[test]
fn the_same_in_three_formats() {
    for name in ["good/sample.yaml", "good/all.yaml"] {
        let yaml = read_well(&[source(&data(name))]);
        let json = serde_json::to_string_pretty(&yaml).unwrap();
        assert_eq!(read_well(&[text("a.json", json)]), yaml);
        let toml = toml::to_string(&yaml).unwrap();
        assert_eq!(read_well(&[text("a.toml", toml)]), yaml);
        let again = serde_saphyr::to_string(&yaml).unwrap();
        assert_eq!(read_well(&[text("a.yaml", again)]), yaml);
    }
}

#[test]
fn everything_can_be_located_in_the_merged_document() {
    let files = [
        text(
            "a.yaml",
            "portway: 1\ninclude: [ b.yaml ]\nservices:\n  a: { routes: [ 'GET /a' ], backend: http://a, auth: public }\n",
        ),
        text(
            "b.yaml",
            "portway: 1\ninclude:\n  - c.yaml\n  - d.yaml\napps:\n  x/y: {}\nservices:\n  b:\n    routes: [ 'GET /b' ]\n    backend:\n      targets: [ http://a, http://b ]\n    auth: public\n",
        ),
        text("c.toml", "portway = 1\n[plans.gold]\nlimits = ['1/s']\n"),
    ];
    let (documents, _) = read(&files, &[]);
    for (pointer, place) in [
        ("/services/a/backend", "a.yaml:4:39"),
        ("/services/b", "b.yaml:8:3"),
        ("/services/b/backend", "b.yaml:10:5"),
        ("/services/b/backend/targets/1", "b.yaml:11:28"),
        ("/services/b/backend/balance/hash", "b.yaml:10:5"),
        ("/services/nobody", "a.yaml:3:1"),
        ("/plans/gold/limits/0", "c.toml:3:11"),
        ("/include/0", "a.yaml:2:12"),
        ("/include/2", "b.yaml:4:5"),
        ("/portway", "a.yaml:1:10"),
        ("", "a.yaml:1:1"),
        ("/gateway/admin", "a.yaml:1:1"),
    ] {
        assert_eq!(documents.sources.locate(pointer).to_string(), place, "{pointer}");
    }
    assert_eq!(documents.sources.locate_key("/services/b/auth").to_string(), "b.yaml:12:5");
    let line = documents.sources.line_text(&documents.sources.locate("/services/b"));
    assert_eq!(line.as_deref(), Some("  b:"));
    assert_eq!(documents.document.include, ["b.yaml", "c.yaml", "d.yaml"]);
}

#[test]
fn includes_are_known_before_anything_else_is_right() {
    let file = text(
        "a.yaml",
        "portway: 1\ninclude: [ 'services/*.yaml', 3, apps.toml ]\nservices: what\n",
    );
    let found: Vec<String> = includes(&file)
        .iter()
        .map(|include| format!("{} {}", include.pattern, include.location))
        .collect();
    assert_eq!(found, ["services/*.yaml a.yaml:2:12", "apps.toml a.yaml:2:34"]);
    assert_eq!(includes(&text("a.yaml", "include: [")), []);
    assert_eq!(includes(&text("a.yaml", "portway: 1")), []);
}

/// Nothing that is told or shown about the documents of `secrets.yaml` has any of their secrets in it.
#[test]
fn no_secret_is_ever_shown() {
    for name in [
        "mistakes/secrets.yaml",
        "mistakes/syntax-quote.yaml",
        "mistakes/secrets-json.json",
        "mistakes/secrets-lines.yaml",
    ] {
        let files = [source(&data(name))];
        assert!(files[0].text.contains("hunter2"));
        let shown = rendered(&files, &[]);
        assert!(!shown.contains("hunter2"), "{shown}");
        let (documents, diagnostics) = read(&files, &[]);
        assert!(!format!("{documents:?}{diagnostics:?}").contains("hunter2"));
        assert!(!serde_json::to_string(&diagnostics).unwrap().contains("hunter2"));
    }
}

#[test]
fn a_document_full_of_mistakes_ends() {
    let mut many = "portway: 1\nservices:\n".to_owned();
    for index in 0..20_000 {
        many.push_str(&format!("  s{index}: {{ colour: red }}\n"));
    }
    let (_, diagnostics) = read(&[text("many.yaml", many)], &[]);
    assert_eq!(diagnostics.len(), 1_001);
    assert_eq!(diagnostics.last().unwrap().code, "too-many");
}

/// How long a large file takes. The bound is for debug builds on a busy machine; the figure is printed.
#[test]
fn a_large_document() {
    let services = if cfg!(debug_assertions) { 4_000 } else { 20_000 };
    let mut large = "portway: 1\nservices:\n".to_owned();
    for index in 0..services {
        large.push_str(&format!(
            "  s{index}:\n    contract: contracts/s{index}.yaml\n    path: /s{index}\n    backend: http://10.0.0.7:8000\n    auth: [key]\n    limits: [ \"200/s\", \"20/s per app\" ]\n    operations:\n      createOrder: {{ limits: [ \"2/s per app\" ], timeout: 3s }}\n"
        ));
    }
    let files = [text("large.yaml", large)];
    let start = Instant::now();
    let document = read_well(&files);
    let right = start.elapsed();
    assert_eq!(document.services.len(), services);
    let broken = [text("large.yaml", files[0].text.replacen("timeout: 3s", "timeout: 3", 1))];
    let start = Instant::now();
    assert_eq!(read(&broken, &[]).1.len(), 1);
    println!(
        "{services} services, {} KiB: {right:?} when right, {:?} with a mistake",
        files[0].text.len() >> 10,
        start.elapsed()
    );
    assert!(right.as_secs() < 60);
}

/// What the fuzz target does, over its corpus and over damaged forms of it.
#[test]
fn the_corpus_of_the_fuzz_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/document");
    let mut seeds = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let Ok(seed) = String::from_utf8(bytes) else { continue };
        seeds += 1;
        let Some(format) = seed.chars().next() else { continue };
        let format = match format {
            'J' => Format::Json,
            'T' => Format::Toml,
            _ => Format::Yaml,
        };
        let text = &seed[1..];
        for cut in (0..=text.len()).step_by(23).filter(|cut| text.is_char_boundary(*cut)) {
            let (before, after) = text.split_at(cut);
            for text in
                [before.to_owned(), format!("{before}\t{after}"), format!("{before}\n- {after}")]
            {
                rendered(&[SourceFile { name: "fuzz".to_owned(), text, format }], &[]);
            }
        }
    }
    assert!(seeds >= 10);
}

/// Reading again what was remembered tells the same as reading for the first time, whatever has changed.
#[test]
fn what_is_remembered_changes_nothing() {
    let file = |name: &str, text: &str| SourceFile {
        name: name.to_owned(),
        text: text.to_owned(),
        format: Format::Yaml,
    };
    let service = |name: &str, auth: &str| {
        format!(
            "portway: 1\nservices:\n  {name}: {{ routes: [\"GET /\"], path: /{name}, backend: \"http://a\", auth: {auth} }}\n"
        )
    };
    let (a, b) = (service("a", "public"), service("b", "public"));
    let versions = [
        vec![file("a.yaml", &a), file("b.yaml", &b)],
        vec![file("a.yaml", &a), file("b.yaml", &b)],
        vec![file("a.yaml", &service("a", "pubic")), file("b.yaml", &b)],
        vec![file("a.yaml", "portway: [\n"), file("b.yaml", &b)],
        vec![file("b.yaml", &b)],
        vec![file("a.yaml", &format!("{a}gateway: {{ workers: 2 }}\n")), file("b.yaml", &b)],
        vec![file("b.yaml", &a), file("a.yaml", &format!("{b}portway: 1\n"))],
        vec![file("a.yaml", &a), file("b.yaml", &b)],
    ];
    let workers = |value: &str| {
        let (pointer, origin) = ("/gateway/workers".to_owned(), "flag --workers".to_owned());
        vec![Override { pointer, value: value.to_owned(), origin }]
    };
    let mut remembered = Remembered::default();
    for files in versions {
        for overrides in [vec![], workers("3"), workers("many"), vec![]] {
            let (again, told_again) = read_again(&files, &overrides, &mut remembered);
            let (first, told) = read(&files, &overrides);
            assert_eq!((again.document, told_again), (first.document, told));
        }
    }
}
