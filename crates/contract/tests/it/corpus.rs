//! Documents that real companies wrote, and documents written to be right, wrong or malicious.

use std::path::Path;
use std::time::{Duration, Instant};

use portway_contract::{Limits, Outcome, Severity, read_within};

use crate::{Folder, corpus, files};

fn read_file(path: &Path, root: &Path) -> Outcome {
    let bytes = std::fs::read(path).expect("a readable file");
    let below = path
        .strip_prefix(root)
        .expect("a file below the root")
        .to_string_lossy()
        .replace('\\', "/");
    read_within(&below, &below, &bytes, &Folder(root.to_owned()), &Limits::default())
}

#[test]
fn real_documents_are_wholly_routable() {
    let Some(root) = corpus("openapi") else { return };
    let documents = files(&root, &[".json"]);
    assert!(documents.len() >= 150);
    for path in documents {
        let outcome = read_file(&path, &root);
        let contract = outcome
            .contract
            .unwrap_or_else(|| panic!("{}: {:?}", path.display(), outcome.diagnostics));
        let lost: Vec<_> =
            contract.operations.iter().filter(|operation| !operation.routable).collect();
        assert!(lost.is_empty(), "{}: {lost:?}", path.display());
        let in_routes: usize = contract.routes.iter().map(|route| route.candidates.len()).sum();
        assert_eq!(in_routes, contract.operations.len(), "{}", path.display());
        let ids: std::collections::HashSet<_> =
            contract.operations.iter().map(|operation| &operation.id).collect();
        assert_eq!(ids.len(), contract.operations.len(), "{}", path.display());
        assert!(
            contract.operations.iter().all(|operation| operation.line > 0),
            "{}",
            path.display()
        );
    }
}

#[test]
fn wrong_documents_have_findings_with_places() {
    let Some(root) = corpus("openapi-fixtures") else { return };
    for path in files(&root, &[".yaml", ".json"]) {
        if !path.components().any(|part| part.as_os_str() == "fail") {
            continue;
        }
        let outcome = read_file(&path, &root);
        // A missing operationId is not what is wrong with any of them.
        let said =
            outcome.diagnostics.iter().find(|finding| finding.code != "operation-id-missing");
        let said = said.unwrap_or_else(|| panic!("{}: nothing found", path.display()));
        assert!(
            said.line > 0 && said.column > 0 && !said.fix.is_empty(),
            "{}: {said:?}",
            path.display()
        );
    }
}

#[test]
fn right_documents_have_no_errors() {
    let Some(root) = corpus("openapi-fixtures") else { return };
    for path in files(&root, &[".yaml", ".json"]) {
        let is_pass = path.components().any(|part| part.as_os_str() == "pass");
        // Some are empty, and some are parts that others refer to.
        let is_part = path.components().any(|part| part.as_os_str() == "subdir1");
        if !is_pass || is_part || std::fs::metadata(&path).is_ok_and(|data| data.len() == 0) {
            continue;
        }
        let outcome = read_file(&path, &root);
        let errors: Vec<_> = outcome
            .diagnostics
            .iter()
            .filter(|finding| finding.severity == Severity::Error)
            .collect();
        assert!(errors.is_empty() && outcome.contract.is_some(), "{}: {errors:?}", path.display());
    }
}

#[test]
fn malicious_documents_are_harmless() {
    let Some(root) = corpus("openapi-fixtures") else { return };
    for path in files(&root, &[""]) {
        let start = Instant::now();
        let _ = read_file(&path, &root);
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "{} took {:?}",
            path.display(),
            start.elapsed()
        );
    }
}

/// A head that has one pair in its query and nothing else.
struct OnePair(String);

impl portway_contract::request::Head for OnePair {
    fn path(&self, _: usize) -> Option<&str> {
        None
    }

    fn query(&self) -> &str {
        &self.0
    }

    fn header(&self, _: &str, _: &mut dyn FnMut(&[u8])) {}
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// What real contracts give as the default of a query parameter, or as one of its allowed values, is a value of it.
#[test]
fn real_parameters_take_their_own_values() {
    use portway_contract::Location;
    use portway_contract::request::Place;
    let Some(root) = corpus("openapi") else { return };
    let (mut tried, mut wrong, mut said) = (0, Vec::new(), 0);
    for path in files(&root, &[".json"]) {
        let Some(contract) = read_file(&path, &root).contract else { continue };
        let (all, findings) = portway_contract::request::compile(&contract, |_| {
            Some(portway_contract::request::Wanted::default())
        });
        said += findings.len();
        for (operation, checks) in contract.operations.iter().zip(&all) {
            let checks = checks.as_ref().expect("wanted");
            for parameter in operation.parameters.iter().filter(|p| p.location == Location::Query) {
                let schema =
                    parameter.schema.as_ref().and_then(|schema| contract.resolve(schema).ok());
                let Some((_, schema)) = schema else { continue };
                let own = schema
                    .get("default")
                    .into_iter()
                    .chain(schema.get("enum").and_then(|list| list.get(0)));
                for value in own {
                    let text = match value {
                        serde_json::Value::String(text) => text.clone(),
                        serde_json::Value::Number(_) | serde_json::Value::Bool(_) => {
                            value.to_string()
                        }
                        _ => continue,
                    };
                    tried += 1;
                    let head = OnePair(format!("{}={}", encoded(&parameter.name), encoded(&text)));
                    let misfits = checks.head(&head);
                    let own = misfits.iter().find(|misfit| {
                        *misfit.name == *parameter.name
                            && misfit.place == Place::Parameter(Location::Query)
                    });
                    if let Some(misfit) = own {
                        wrong.push(format!(
                            "{}: {} {}={text}: {:?}",
                            path.display(),
                            operation.id,
                            parameter.name,
                            misfit.problem
                        ));
                    }
                }
            }
        }
    }
    eprintln!("{tried} values, {} wrong, {said} findings", wrong.len());
    // Some contracts have a default that is none of the values they allow: 0 for a boolean, two values in one.
    assert!(
        tried > 1_000 && wrong.len() * 100 <= 2 * tried,
        "{} of {tried}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
