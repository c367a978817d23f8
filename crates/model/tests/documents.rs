//! Documents as users write them, and what is said about them.
//!
//! Each folder of `tests/data/mistakes` holds one or several documents (a single file stands for a folder
//! of its own) and, in `expected`, the diagnostics as a terminal shows them. `UPDATE_EXPECTED=1` writes
//! them anew; read the difference before you commit it.

use std::fs;
use std::path::{Path, PathBuf};

use portway_model::{Format, Override, SourceFile, read, summary};

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
