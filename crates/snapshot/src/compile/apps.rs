//! Apps, their keys and their plans.
//!
//! Assumes that the plans and services that apps name exist, which was checked when the documents were read.

use std::collections::BTreeMap;
use std::sync::Arc;

use portway_model::{Auth, Document, Location, Name};
use portway_policy::{App, MemoryKeys, Plan, Signer, Verifier};

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
    let mut compiled_apps: BTreeMap<&Name, Arc<App>> = BTreeMap::new();
    let mut signers: Vec<(Box<str>, Signer)> = Vec::new();
    let mut verifiers: Vec<(Box<str>, Verifier)> = Vec::new();
    for (name, app) in &document.apps {
        let base = place::member("/apps", name.as_str());
        if app.disabled {
            continue;
        }
        let plan = app.plan.as_ref().and_then(|plan| plans.get(plan)).cloned();
        let compiled = Arc::new(App::new(name.clone(), app, plan));
        compiled_apps.insert(name, Arc::clone(&compiled));
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
        for (index, pair) in app.hmac.iter().enumerate() {
            match secrets.resolve(&pair.secret) {
                Ok(secret) => {
                    signers.push((
                        pair.id.as_str().into(),
                        Signer::new(Arc::clone(&compiled), &secret),
                    ));
                }
                Err(why) => findings.error(
                    "unresolvable-key",
                    place::member(&place::list(&place::member(&base, "hmac"), index), "secret"),
                    format!("the secret of a key pair of the app `{name}` cannot be had: {why}"),
                    "set the variable or file that is named, or correct its name",
                ),
            }
        }
    }
    for (name, app) in document.apps.iter().filter(|(_, app)| !app.disabled) {
        let compiled = compiled_apps.get(name);
        for (index, key) in app.signing_keys.iter().enumerate() {
            let verifier = secrets.key_text(&key.key).and_then(|text| match (text, compiled) {
                (Some(text), Some(app)) => Verifier::new(Arc::clone(app), key.algorithm, &text)
                    .map(Some)
                    .map_err(str::to_owned),
                _ => Ok(None),
            });
            match verifier {
                Ok(verifier) => {
                    verifiers.extend(verifier.map(|found| (key.id.as_str().into(), found)))
                }
                Err(why) => {
                    let base = place::member("/apps", name.as_str());
                    findings.error(
                        "unresolvable-key",
                        place::member(
                            &place::list(&place::member(&base, "signing_keys"), index),
                            "key",
                        ),
                        format!("a signing key of the app `{name}` cannot be had: {why}"),
                        "set the variable or file that is named to a key of this algorithm",
                    );
                }
            }
        }
    }
    unused_plans(document, findings);
    unused_apps(document, findings);
    MemoryKeys::new(keys.into_iter().map(|(sha256, (app, _))| (sha256, app)))
        .with_signers(signers)
        .with_verifiers(verifiers)
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
    let asks = |auth: &Auth| matches!(auth, Auth::AnyOf(_));
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
