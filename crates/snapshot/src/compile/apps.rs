//! Apps, their keys and their plans.
//!
//! Assumes that the plans and services that apps name exist, which was checked when the documents were read.

use std::collections::BTreeMap;
use std::sync::Arc;

use portway_model::{Auth, AuthKind, Document, Location, Name};
use portway_policy::{App, MemoryKeys, Plan};

use super::finding::Findings;
use super::{Secrets, place};

/// The table of keys.
pub(super) fn compile(
    document: &Document,
    locate: &dyn Fn(&str) -> Location,
    secrets: &dyn Secrets,
    findings: &mut Findings,
) -> MemoryKeys {
    let plans: BTreeMap<&Name, Arc<Plan>> = document
        .plans
        .iter()
        .map(|(name, plan)| (name, Arc::new(Plan::compile(name, plan))))
        .collect();
    let mut keys: BTreeMap<[u8; 32], (Arc<App>, String)> = BTreeMap::new();
    for (name, app) in &document.apps {
        let base = place::member("/apps", name.as_str());
        if app.disabled {
            continue;
        }
        let plan = app.plan.as_ref().and_then(|plan| plans.get(plan)).cloned();
        let compiled = Arc::new(App::new(name.clone(), app, plan));
        for (index, key) in app.keys.iter().enumerate() {
            let pointer = place::list(&place::member(&base, "keys"), index);
            let sha256 = match secrets.key_sha256(key) {
                Ok(sha256) => sha256,
                Err(why) => {
                    findings.error(
                        "unresolvable-key",
                        pointer,
                        format!("a key of the app `{name}` cannot be had: {why}"),
                        "set the variable or file that is named, or correct its name",
                    );
                    continue;
                }
            };
            if let Some(why) = secrets.weakness(key) {
                findings.warning(
                    "weak-key",
                    pointer.clone(),
                    format!("a key of the app `{name}` {why}"),
                    "make one with `openssl rand -hex 24`",
                );
            }
            match keys.get(&sha256) {
                None => {
                    keys.insert(sha256, (Arc::clone(&compiled), pointer));
                }
                Some((other, at)) => same_key(name, other, &locate(at), pointer, findings),
            }
        }
    }
    unused_plans(document, findings);
    unused_apps(document, findings);
    MemoryKeys::new(keys.into_iter().map(|(sha256, (app, _))| (sha256, app)))
}

/// Neither the key nor its hash is shown.
fn same_key(name: &Name, other: &App, at: &Location, pointer: String, findings: &mut Findings) {
    if other.name == *name {
        findings.warning(
            "shared-key",
            pointer,
            format!("the app `{name}` has this key twice ({at})"),
            "remove one of them",
        );
    } else {
        findings.error(
            "shared-key",
            pointer,
            format!("the apps `{name}` and `{}` ({at}) have the same key, so it would not be clear who calls", other.name),
            "give one of them another key",
        );
    }
}

fn unused_plans(document: &Document, findings: &mut Findings) {
    for name in document.plans.keys() {
        if !document.apps.values().any(|app| app.plan.as_ref() == Some(name)) {
            findings.warning(
                "unused-plan",
                place::member("/plans", name.as_str()),
                format!("no app has the plan `{name}`"),
                "give it to an app, or remove it",
            );
        }
    }
}

/// Apps are for services that ask for keys.
fn unused_apps(document: &Document, findings: &mut Findings) {
    let asks = |auth: &Auth| matches!(auth, Auth::AnyOf(kinds) if kinds.iter().any(|AuthKind::Key(_)| true));
    let any_asks = document.services.values().any(|service| {
        asks(&service.auth)
            || service.operations.values().any(|policy| policy.auth.as_ref().is_some_and(asks))
    });
    if !any_asks && let Some(name) = document.apps.keys().next() {
        findings.warning(
            "unused-apps",
            place::member("/apps", name.as_str()),
            "there are apps, but every service is public, so no key is ever asked for",
            "write `auth: [key]` for services that only apps may call",
        );
    }
}
