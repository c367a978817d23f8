//! Apps and plans: names that must exist, keys that must be theirs alone.

use std::collections::HashMap;

use super::Declared;
use crate::finding::Finding;
use crate::path::{child, dotted, item};
use crate::{App, AppCertificate, AppKey, Document, LimitBy};

/// The plan and the services that an app names exist.
pub(super) fn references(document: &Document, declared: &Declared, findings: &mut Vec<Finding>) {
    for (name, app) in &document.apps {
        let pointer = child("/apps", name.as_str());
        if let Some(plan) = app.plan.as_ref().filter(|plan| !declared.plans.contains(plan.as_str()))
        {
            let message =
                format!("{}: there is no plan \"{plan}\"", dotted(&format!("{pointer}/plan")));
            let known = declared.plans.iter().map(String::as_str);
            findings.push(
                Finding::error("unknown-plan", format!("{pointer}/plan"), message)
                    .did_you_mean(plan.as_str(), known),
            );
        }
        for (index, service) in app.services.iter().flatten().enumerate() {
            if !declared.services.contains(service.as_str()) {
                let pointer = item(&format!("{pointer}/services"), index);
                let message = format!("{}: there is no service \"{service}\"", dotted(&pointer));
                let known = declared.services.iter().map(String::as_str);
                findings.push(
                    Finding::error("unknown-service", pointer, message)
                        .did_you_mean(service.as_str(), known),
                );
            }
        }
    }
}

/// A key belongs to one app, or nobody could tell who is calling.
pub(super) fn keys(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    let mut owners: HashMap<AppKey, String> = HashMap::new();
    for (name, app) in &document.apps {
        let pointer = format!("{}/keys", child("/apps", name.as_str()));
        if app.keys.is_empty()
            && app.hmac.is_empty()
            && app.signing_keys.is_empty()
            && app.certificates.is_empty()
            && !app.disabled
        {
            let message = format!("the app \"{name}\" has no key, so nobody can call as it");
            findings.push(
                Finding::warning("no-keys", child("/apps", name.as_str()), message)
                    .fix("add \"keys: [ { env: NAME } ]\""),
            );
        }
        for (index, key) in app.keys.iter().enumerate() {
            let pointer = item(&pointer, index);
            let key = match key {
                AppKey::Sha256(hash) => AppKey::Sha256(hash.to_ascii_lowercase()),
                other => other.clone(),
            };
            if let Some(first) = owners.get(&key) {
                let message = format!("{} is the same key as {}", dotted(&pointer), dotted(first));
                findings.push(
                    Finding::error("shared-key", pointer, message)
                        .fix("give each app a key of its own"),
                );
            } else {
                owners.insert(key, pointer);
            }
        }
    }
}

/// The id of a key tells whose it is, so it stands for one key of one app.
pub(super) fn ids(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    let pairs = |app: &App| app.hmac.iter().map(|pair| pair.id.clone()).collect();
    one_owner(document, "hmac", &pairs, findings);
    let keys = |app: &App| app.signing_keys.iter().map(|key| key.id.clone()).collect();
    one_owner(document, "signing_keys", &keys, findings);
}

fn one_owner(
    document: &Document,
    list: &str,
    ids: &dyn Fn(&App) -> Vec<String>,
    findings: &mut Vec<Finding>,
) {
    let mut owners: HashMap<String, String> = HashMap::new();
    for (name, app) in &document.apps {
        let list = format!("{}/{list}", child("/apps", name.as_str()));
        for (index, id) in ids(app).into_iter().enumerate() {
            let pointer = format!("{}/id", item(&list, index));
            if let Some(first) = owners.get(&id) {
                let message = format!("{} is the same id as {}", dotted(&pointer), dotted(first));
                findings.push(
                    Finding::error("shared-key", pointer, message)
                        .fix("give each key an id of its own"),
                );
            } else {
                owners.insert(id, pointer);
            }
        }
    }
}

/// A certificate stands for one app.
pub(super) fn certificates(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    let mut owners: HashMap<AppCertificate, String> = HashMap::new();
    for (name, app) in &document.apps {
        let list = format!("{}/certificates", child("/apps", name.as_str()));
        for (index, certificate) in app.certificates.iter().enumerate() {
            let Some(canonical) = certificate.canonical() else { continue };
            let pointer = item(&list, index);
            if let Some(first) = owners.get(&canonical) {
                let message =
                    format!("{} is the same certificate as {}", dotted(&pointer), dotted(first));
                findings.push(
                    Finding::error("shared-certificate", pointer, message)
                        .fix("give each app a certificate of its own"),
                );
            } else {
                owners.insert(canonical, pointer);
            }
        }
    }
}

/// Limits of a plan count for each app already.
pub(super) fn plans(document: &Document, _: &Declared, findings: &mut Vec<Finding>) {
    for (name, plan) in &document.plans {
        let pointer = format!("{}/limits", child("/plans", name.as_str()));
        super::service::repeated_limits(&plan.limits, &pointer, findings);
        for (index, limit) in plan.limits.iter().enumerate() {
            if let LimitBy::Path(_) = limit.by {
                let pointer = item(&pointer, index);
                let message = format!(
                    "{}: a plan counts over all services, which have different path parameters",
                    dotted(&pointer)
                );
                findings.push(
                    Finding::error("limit-in-plan", pointer, message)
                        .fix("put this limit into the service"),
                );
            }
        }
    }
}
