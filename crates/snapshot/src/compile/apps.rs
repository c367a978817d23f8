//! Apps, their keys and their plans.
//!
//! Assumes that the plans and services that apps name exist, which was checked when the documents were read.

use std::collections::BTreeMap;
use std::sync::Arc;

use portway_model::{AppKey, Auth, Document, HmacKey, Location, Name, SigningKey};
use portway_policy::{App, MemoryKeys, Plan, Signer, Verifier, certificate};

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
    let mut table = Table { locate, secrets, findings, keys: BTreeMap::new() };
    let (mut signers, mut verifiers, mut marks) = (Vec::new(), Vec::new(), Vec::new());
    for (name, app) in document.apps.iter().filter(|(_, app)| !app.disabled) {
        let base = place::member("/apps", name.as_str());
        let plan = app.plan.as_ref().and_then(|plan| plans.get(plan)).cloned();
        let compiled = Arc::new(App::new(name.clone(), app, plan));
        table.add_keys(&compiled, &app.keys, &base);
        signers.extend(table.signers(&compiled, &app.hmac, &base));
        verifiers.extend(table.verifiers(&compiled, &app.signing_keys, &base));
        // Which belong to one app, each: that was checked when the documents were read.
        let of_app = app.certificates.iter().filter_map(certificate::mark);
        marks.extend(of_app.map(|mark| (mark, Arc::clone(&compiled))));
    }
    let keys = table.keys;
    unused_plans(document, findings);
    unused_apps(document, findings);
    MemoryKeys::new(keys.into_iter().map(|(sha256, (app, _))| (sha256, app)))
        .with_signers(signers)
        .with_verifiers(verifiers)
        .with_certificates(marks)
}

/// The keys of all apps, as far as they were read.
struct Table<'a> {
    locate: &'a dyn Fn(&str) -> Location,
    secrets: &'a dyn Secrets,
    findings: &'a mut Findings,
    /// By hash: whose it is, and where it stands.
    keys: BTreeMap<[u8; 32], (Arc<App>, String)>,
}

impl Table<'_> {
    fn add_keys(&mut self, app: &Arc<App>, keys: &[AppKey], base: &str) {
        for (index, key) in keys.iter().enumerate() {
            let pointer = place::list(&place::member(base, "keys"), index);
            let sha256 = match self.secrets.key_sha256(key) {
                Ok(sha256) => sha256,
                Err(why) => {
                    self.unresolvable(
                        pointer,
                        format!("a key of the app `{}` cannot be had: {why}", app.name),
                    );
                    continue;
                }
            };
            if let Some(why) = self.secrets.weakness(key) {
                self.findings.warning(
                    "weak-key",
                    pointer.clone(),
                    format!("a key of the app `{}` {why}", app.name),
                    "make one with `openssl rand -hex 24`",
                );
            }
            match self.keys.get(&sha256) {
                None => {
                    self.keys.insert(sha256, (Arc::clone(app), pointer));
                }
                Some((other, at)) => {
                    same_key(&app.name, other, &(self.locate)(at), pointer, self.findings);
                }
            }
        }
    }

    fn signers(
        &mut self,
        app: &Arc<App>,
        pairs: &[HmacKey],
        base: &str,
    ) -> Vec<(Box<str>, Signer)> {
        let mut signers = Vec::new();
        for (index, pair) in pairs.iter().enumerate() {
            match self.secrets.signing_secret(&pair.secret) {
                Ok(secret) => {
                    signers.push((pair.id.as_str().into(), Signer::new(Arc::clone(app), &secret)));
                }
                Err(why) => {
                    let pair = place::list(&place::member(base, "hmac"), index);
                    self.unresolvable(
                        place::member(&pair, "secret"),
                        format!(
                            "the secret of a key pair of the app `{}` cannot be had: {why}",
                            app.name
                        ),
                    );
                }
            }
        }
        signers
    }

    fn verifiers(
        &mut self,
        app: &Arc<App>,
        keys: &[SigningKey],
        base: &str,
    ) -> Vec<(Box<str>, Verifier)> {
        let mut verifiers = Vec::new();
        for (index, key) in keys.iter().enumerate() {
            // No text: secrets are not looked for here.
            let verifier = self.secrets.key_text(&key.key).and_then(|text| {
                let verify = |text: String| Verifier::new(Arc::clone(app), key.algorithm, &text);
                text.map(verify).transpose().map_err(str::to_owned)
            });
            match verifier {
                Ok(found) => verifiers.extend(found.map(|found| (key.id.as_str().into(), found))),
                Err(why) => {
                    let key = place::list(&place::member(base, "signing_keys"), index);
                    self.findings.error(
                        "unresolvable-key",
                        place::member(&key, "key"),
                        format!("a signing key of the app `{}` cannot be had: {why}", app.name),
                        "set the variable or file that is named to a key of this algorithm",
                    );
                }
            }
        }
        verifiers
    }

    fn unresolvable(&mut self, pointer: String, message: String) {
        self.findings.error(
            "unresolvable-key",
            pointer,
            message,
            "set the variable or file that is named, or correct its name",
        );
    }
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
