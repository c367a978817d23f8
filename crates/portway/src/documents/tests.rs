//! Which files are read, and what is said when they cannot be.

use super::*;
use crate::secrets::AbsentSecrets;

const SERVICE: &str = "  NAME: { routes: [\"GET /NAME\"], path: /NAME, backend: \"http://127.0.0.1:1\", auth: public }\n";

fn service(name: &str) -> String {
    format!("portway: 1\nservices:\n{}", SERVICE.replace("NAME", name))
}

/// Writes files, compiles the first, and says what came of it: names of services, or codes with places.
fn outcome(files: &[(&str, &str)]) -> Result<Vec<String>, Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let asked = cli::Documents { paths: vec![directory.path().join(files[0].0).into()] };
    let library = Library::find(&asked).unwrap();
    let reading = library.compile(&[], &AbsentSecrets, Looked::All, None);
    match reading.compiled {
        Some(compiled) => {
            Ok(compiled.snapshot.services.iter().map(|service| service.name.to_string()).collect())
        }
        None => Err(reading
            .diagnostics
            .iter()
            .map(|found| {
                let file = found.location.file.rsplit('/').next().unwrap_or_default();
                format!("{file}:{} {}", found.location.line, found.code)
            })
            .collect()),
    }
}

fn check(files: &[(&str, &str)], expected: Result<&[&str], &[&str]>) {
    let found = outcome(files);
    let found = found.as_ref().map(|names| names.iter().map(String::as_str).collect::<Vec<_>>());
    let found = found.map_err(|codes| codes.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(found.as_deref().map_err(Vec::as_slice), expected, "{files:?}");
}

#[test]
fn includes_add_files_once_each() {
    let (a, b, c) = (service("a"), service("b"), service("c"));
    let root = "portway: 1\ninclude: [\"services/*.yaml\", services/b.yaml, more.yaml]\n";
    check(
        &[
            ("portway.yaml", root),
            ("services/a.yaml", &a),
            ("services/b.yaml", &b),
            ("services/.hidden.yaml", "nonsense"),
            ("services/README.md", "nonsense"),
            ("more.yaml", &format!("{c}include: [portway.yaml, more.yaml]\n")),
        ],
        Ok(&["a", "b", "c"]),
    );
}

#[test]
fn names_in_a_document_are_relative_to_it() {
    let contract = r#"{"openapi":"3.0.3","info":{"title":"t","version":"1"},"paths":{"/x":{"get":{"responses":{}}}}}"#;
    let service = "portway: 1\nservices:\n  s: { contract: ../contracts/s.json, path: /s, backend: \"http://127.0.0.1:1\", auth: public }\n";
    check(
        &[
            ("portway.yaml", "portway: 1\ninclude: [services/s.yaml]\n"),
            ("services/s.yaml", service),
            ("contracts/s.json", contract),
        ],
        Ok(&["s"]),
    );
}

#[test]
fn what_cannot_be_included() {
    check(
        &[("portway.yaml", "portway: 1\ninclude: [absent.yaml]\n")],
        Err(&["portway.yaml:2 document-unreadable"]),
    );
    check(
        &[("portway.yaml", "portway: 1\ninclude: [../x.yaml]\n")],
        Err(&["portway.yaml:2 include-out-of-reach"]),
    );
    check(
        &[("portway.yaml", "portway: 1\ninclude: [\"*/x.yaml\"]\n")],
        Err(&["portway.yaml:2 include-pattern"]),
    );
    // The mistakes of every file are told, not only those of the first.
    let (twice, broken) = (service("a"), "portway: 1\nservices: [\n");
    let all = outcome(&[
        ("portway.yaml", &format!("{}include: [a.yaml, b.yaml, c.yaml]\n", service("a"))),
        ("a.yaml", &twice),
        ("b.yaml", broken),
    ])
    .unwrap_err();
    for expected in ["a.yaml:3 in-two-files", "portway.yaml:3 in-two-files"] {
        assert!(all.iter().any(|found| found == expected), "{all:?}");
    }
    for (file, code) in [("b.yaml", "syntax"), ("portway.yaml", "document-unreadable")] {
        assert!(
            all.iter().any(|found| found.starts_with(file) && found.ends_with(code)),
            "{all:?}"
        );
    }
}

#[test]
fn what_the_command_line_names() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name).into_os_string();
    for name in ["conf/portway.yaml", "conf/other.yaml", "elsewhere/x.yaml"] {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "portway: 1\n").unwrap();
    }
    std::fs::create_dir(directory.path().join("empty")).unwrap();
    let find = |paths: &[&str]| {
        let asked = cli::Documents { paths: paths.iter().map(|name| path(name)).collect() };
        Library::find(&asked)
            .map(|library| library.named.into_iter().map(|(below, _)| below).collect::<Vec<_>>())
    };
    assert_eq!(find(&["conf"]).unwrap(), ["portway.yaml"]);
    assert_eq!(find(&["conf/other.yaml", "conf"]).unwrap(), ["other.yaml", "portway.yaml"]);
    assert!(
        find(&["conf", "elsewhere/x.yaml"]).unwrap_err().what.contains("not below the directory")
    );
    assert!(find(&["empty"]).unwrap_err().what.contains("no portway.yaml"));
    assert!(find(&["absent.yaml"]).is_err());
}

#[test]
fn certificates_are_looked_for_beside_the_document_that_names_them() {
    let with_ca = |name: &str| {
        format!(
            "portway: 1\nservices:\n  a:\n    routes: [\"GET /\"]\n    auth: public\n    backend:\n      targets: [\"https://127.0.0.1:1\"]\n      tls: {{ ca: {name} }}\n"
        )
    };
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let root = "portway: 1\ninclude: [\"services/*.yaml\"]\n";
    let found = |name: &str, expected: Result<&[&str], &[&str]>| {
        let service = with_ca(name);
        let files = [
            ("portway.yaml", root),
            ("services/a.yaml", service.as_str()),
            ("services/ca.pem", certificate),
            ("services/text.pem", "nothing of the kind"),
        ];
        check(&files, expected);
    };
    found("ca.pem", Ok(&["a"]));
    found("text.pem", Err(&["a.yaml:8 unusable-file"]));
    found("services/ca.pem", Err(&["a.yaml:8 unusable-file"]));
}
