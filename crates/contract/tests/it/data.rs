//! Documents written by hand to be tricky, each with what should come of it in a file beside it.
//!
//! `UPDATE_EXPECTED=1 cargo test -p portway-contract` writes the expectations anew; read the difference.

use std::fmt::Write;
use std::path::Path;

use portway_contract::{Contract, Limits, Outcome, Parameter, read};

use crate::{Folder, files};

#[test]
fn documents_come_out_as_expected() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let mut wrong = Vec::new();
    for path in files(&folder, &[".yaml", ".json"]) {
        if path.components().any(|part| part.as_os_str() == "parts") {
            continue;
        }
        let bytes = std::fs::read(&path).expect("a readable file");
        let name = path.file_name().expect("a file").to_string_lossy().into_owned();
        let loader = Folder(path.parent().expect("a folder").to_owned());
        let shown = show(&read(&name, &bytes, &loader, &Limits::default()));
        let expected_path = path.with_extension("expected");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(&expected_path, &shown).expect("a writable folder");
        }
        let expected = std::fs::read_to_string(&expected_path).unwrap_or_default();
        if shown != expected {
            wrong.push(format!("{}:\n{shown}", path.display()));
        }
    }
    assert!(wrong.is_empty(), "not as expected:\n{}", wrong.join("\n"));
}

fn show(outcome: &Outcome) -> String {
    let mut text = String::new();
    match &outcome.contract {
        Some(contract) => show_contract(contract, &mut text),
        None => text.push_str("no contract\n"),
    }
    for finding in &outcome.diagnostics {
        let _ = writeln!(text, "{finding}");
    }
    text
}

fn show_contract(contract: &Contract, text: &mut String) {
    let _ = writeln!(
        text,
        "{} ({}) {:?} {:?}",
        contract.version, contract.version_written, contract.title, contract.info_version
    );
    for server in &contract.servers {
        let _ = writeln!(text, "server {} base {:?}", server.url, server.base_path);
    }
    for scheme in &contract.security_schemes {
        let _ = writeln!(text, "scheme {} {:?}", scheme.name, scheme.kind);
    }
    if contract.webhooks > 0 {
        let _ = writeln!(text, "webhooks {}", contract.webhooks);
    }
    for operation in &contract.operations {
        let file = contract.documents[operation.document].file();
        let _ = writeln!(
            text,
            "{} {} as {} id {} name {} at {file}:{}{}",
            operation.method,
            operation.path,
            operation.template,
            operation.id,
            operation.name,
            operation.line,
            if operation.routable { "" } else { " NOT ROUTABLE" },
        );
        for dispatch in &operation.dispatch {
            let _ = writeln!(text, "  if {dispatch}");
        }
        if let Some(other) = operation.same_as {
            let _ = writeln!(text, "  same as {}", contract.operations[other].id);
        }
        for parameter in &operation.parameters {
            let _ = writeln!(text, "  {}", show_parameter(parameter));
        }
        if let Some(body) = &operation.request_body {
            let types: Vec<&str> =
                body.content.iter().map(|content| content.media_type.as_str()).collect();
            let fields: Vec<&str> = body.form.iter().map(|field| field.name.as_str()).collect();
            let _ = writeln!(text, "  body required={} {types:?} {fields:?}", body.required);
        }
        for (status, response) in &operation.responses {
            let types: Vec<&str> =
                response.content.iter().map(|content| content.media_type.as_str()).collect();
            let _ = writeln!(text, "  {status} {:?} {types:?}", response.description);
        }
        if let Some(security) = &operation.security {
            let shown: Vec<String> =
                security.iter().map(|one| format!("{:?}", one.schemes)).collect();
            let _ = writeln!(text, "  security {}", shown.join(" or "));
        }
        for server in &operation.servers {
            let _ = writeln!(text, "  server {}", server.url);
        }
        for (name, value) in &operation.extensions {
            let _ = writeln!(text, "  {name} = {value}");
        }
    }
    for route in contract.routes.iter().filter(|route| route.candidates.len() > 1) {
        let ids: Vec<&str> =
            route.candidates.iter().map(|index| contract.operations[*index].id.as_str()).collect();
        let _ = writeln!(text, "route {} {} tries {ids:?}", route.method, route.shape);
    }
}

fn show_parameter(parameter: &Parameter) -> String {
    format!(
        "{} {}{} {:?}{}{}",
        parameter.location.word(),
        parameter.name,
        if parameter.required { "!" } else { "" },
        parameter.style,
        if parameter.explode { " explode" } else { "" },
        if parameter.declared.is_none() { " undeclared" } else { "" },
    )
}

#[test]
fn every_unroutable_operation_has_a_reason() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    for path in files(&folder, &[".yaml", ".json"]) {
        let bytes = std::fs::read(&path).expect("a readable file");
        let outcome = read("x", &bytes, &portway_contract::NoFiles, &Limits::default());
        for operation in outcome
            .contract
            .iter()
            .flat_map(|contract| &contract.operations)
            .filter(|one| !one.routable)
        {
            let has_reason = outcome.diagnostics.iter().any(|finding| {
                finding.code.ends_with("unroutable")
                    && operation.pointer.starts_with(&finding.pointer)
            });
            assert!(has_reason, "{} in {}", operation.id, path.display());
        }
    }
}
