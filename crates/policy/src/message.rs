//! Who is calling, by an HTTP Message Signature (RFC 9421), with the digest of a body (RFC 9530).
//!
//! A caller says in `Signature-Input` which parts of its request it signed and when, and gives the signature in
//! `Signature`. The parts are written down again (§2.5) and the signature is verified with the key that the caller names.
//! **What must be covered is for the service to say**, not for the caller: a signature that leaves out a part that the
//! service wants is refused, however right it is. Which algorithm counts is for the key to say.
//!
//! A request has one signature. Parameters of components (`sf`, `key`, `bs`, `req`, `tr`) and `@query-param` are not
//! understood, so that a signature that has them is refused. `@path` and `@target-uri` have the path in its canonical form.
//!
//! Everything but the digest is judged by the head; a body is asked for when the signature over its digest is right.

use std::fmt::Write;
use std::sync::Arc;

use aws_lc_rs::digest::{self, digest};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey};
use aws_lc_rs::{constant_time, hmac};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use portway_model as model;
use portway_model::{NonceUse, SigningAlgorithm};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use sfv::{BareItem, Dictionary, FieldType, InnerList, ListEntry, Parser};

use crate::call::Body;
use crate::hmac::Judged;
use crate::rules::nonce_rule;
use crate::signing::TextToSign;
use crate::{App, Call, LimitRule, Refusal, Scheme, SignatureFault, Value, Want, World};

/// How far `created` may lie ahead of the gateway's clock, in seconds.
pub const AHEAD_S: i64 = 60;
/// How old a signature may be unless told otherwise, in seconds.
const MAX_AGE_S: i64 = 300;
/// The most bytes of a body that is held, unless told otherwise.
const HELD_BYTES: u64 = 1 << 20;
/// The most components of a signature.
const COMPONENTS_MAX: usize = 32;
/// The most bytes of a nonce.
const NONCE_BYTES_MAX: usize = 128;
/// What must be covered unless told otherwise.
const COMPONENTS: [&str; 5] = ["@method", "@authority", "@path", "@query", "content-digest"];
/// Where the signature stands.
pub const HEADERS: [&str; 2] = ["signature-input", "signature"];

/// How signatures of messages are judged, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What must be covered; `content-digest` where there is a body.
    pub components: Box<[Box<str>]>,
    /// How old a signature may be, in seconds.
    pub max_age_s: i64,
    /// Whether nonces are looked at.
    pub nonce: NonceUse,
    /// The most bytes of a body that is held.
    pub held_bytes: u64,
    nonce_rule: LimitRule,
}

/// An app, and one of the keys that it signs with.
#[derive(Debug)]
pub struct Verifier {
    /// Whose it is.
    pub app: Arc<App>,
    key: Key,
}

enum Key {
    Shared(Box<hmac::Key>),
    Public(&'static str, ParsedPublicKey),
}

impl std::fmt::Debug for Key {
    /// Never the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.algorithm())
    }
}

impl Key {
    /// As §6.2.2 names it.
    fn algorithm(&self) -> &'static str {
        match self {
            Self::Shared(_) => "hmac-sha256",
            Self::Public(name, _) => name,
        }
    }

    fn verifies(&self, base: &[u8], signature: &[u8]) -> bool {
        match self {
            Self::Shared(key) => hmac::verify(key, base, signature).is_ok(),
            Self::Public(_, key) => key.verify_sig(base, signature).is_ok(),
        }
    }
}

impl Verifier {
    /// From an app and what its document refers to: a public key as PEM, or a shared secret as Base64.
    ///
    /// # Errors
    /// Why it is no such key, without showing it.
    pub fn new(
        app: Arc<App>,
        algorithm: SigningAlgorithm,
        text: &str,
    ) -> Result<Self, &'static str> {
        const SECRET_BYTES_MIN: usize = 16;
        const NO_KEY: &str =
            "it is not a public key of this algorithm in PEM (-----BEGIN PUBLIC KEY-----)";
        let public = |name, verification| {
            let der =
                SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes()).map_err(|_| NO_KEY)?;
            let key = ParsedPublicKey::new(verification, &der).map_err(|_| NO_KEY)?;
            Ok::<_, &'static str>(Key::Public(name, key))
        };
        let key = match algorithm {
            SigningAlgorithm::Ed25519 => public("ed25519", &ED25519)?,
            SigningAlgorithm::EcdsaP256Sha256 => {
                public("ecdsa-p256-sha256", &ECDSA_P256_SHA256_FIXED)?
            }
            SigningAlgorithm::HmacSha256 => {
                let secret =
                    BASE64_STANDARD.decode(text.trim_ascii()).map_err(|_| "it is not Base64")?;
                if secret.len() < SECRET_BYTES_MIN {
                    return Err("it has fewer than 16 bytes");
                }
                Key::Shared(Box::new(hmac::Key::new(hmac::HMAC_SHA256, &secret)))
            }
        };
        Ok(Self { app, key })
    }
}

/// What a caller says of its signature.
struct Said<'a> {
    list: &'a InnerList,
    signature: &'a [u8],
    created: i64,
    expires: Option<i64>,
    key_id: &'a str,
    algorithm: Option<&'a str>,
    nonce: Option<&'a str>,
}

impl Message {
    /// From the document.
    pub fn compile(document: &model::SignatureAuth) -> Self {
        let components = match &document.components {
            Some(names) => names.iter().map(|name| name.to_ascii_lowercase().into()).collect(),
            None => COMPONENTS.map(Box::from).into(),
        };
        let max_age_s = document
            .max_age
            .map_or(MAX_AGE_S, |age| i64::try_from(age.as_ms() / 1_000).unwrap_or(MAX_AGE_S));
        Self {
            components,
            max_age_s,
            nonce: document.nonce,
            held_bytes: document.held_bytes.map_or(HELD_BYTES, model::ByteSize::as_bytes),
            nonce_rule: nonce_rule(),
        }
    }

    /// Whether a call shows a signature.
    pub(crate) fn is_shown(call: &Call<'_>) -> bool {
        HEADERS.iter().any(|name| call.headers.first(name).is_some())
    }

    /// Finds out who signed.
    pub(crate) fn judge(&self, call: &Call<'_>, world: &World<'_>) -> Result<Judged, Refusal> {
        let input = dictionary(call, HEADERS[0])?;
        let signatures = dictionary(call, HEADERS[1])?;
        let said = Said::read(&input, &signatures)?;
        self.check_time(&said, world)?;
        let names = names(said.list)?;
        self.check_coverage(&names, call)?;
        let base = base(call, &names, said.list)?;
        let verifier = world.keys.verifier(said.key_id);
        let verifier = verifier
            .filter(|verifier| {
                said.algorithm.is_none_or(|name| name == verifier.key.algorithm())
                    && verifier.key.verifies(base.as_bytes(), said.signature)
            })
            .ok_or(SignatureFault::Mismatch { signed: None })?;
        if names.contains(&"content-digest") {
            let body = match call.body {
                Body::None => &b""[..],
                Body::Unread => return Ok(Judged::HoldBody),
                Body::Held(body) => body,
            };
            check_digest(call, body)?;
        }
        self.use_nonce(said.nonce, &verifier.app, world)?;
        Ok(Judged::App(Arc::clone(&verifier.app)))
    }

    /// What would have to be signed: for telling, not for judging.
    pub(crate) fn text_to_sign(&self, call: &Call<'_>) -> Result<TextToSign, SignatureFault> {
        let input = dictionary(call, HEADERS[0])?;
        let signatures = dictionary(call, HEADERS[1])?;
        let said = Said::read(&input, &signatures)?;
        let names = names(said.list)?;
        Ok(TextToSign {
            kind: "signature",
            id: said.key_id.to_owned(),
            algorithm: said.algorithm.unwrap_or_default().to_owned(),
            covered: names.join(" "),
            date: Some(said.created.to_string()),
            signed_at_s: Some(said.created),
            ahead_s: AHEAD_S,
            age_s: self.max_age_s,
            text: base(call, &names, said.list)?.into_bytes(),
        })
    }

    fn check_time(&self, said: &Said<'_>, world: &World<'_>) -> Result<(), SignatureFault> {
        let now_s = i64::try_from(world.clock.unix_ms() / 1_000).unwrap_or(i64::MAX);
        let is_early = said.created > now_s.saturating_add(AHEAD_S);
        let is_late = said.created < now_s.saturating_sub(self.max_age_s)
            || said.expires.is_some_and(|expires| expires <= now_s);
        if is_early || is_late { Err(SignatureFault::NotInTime) } else { Ok(()) }
    }

    /// `@target-uri` covers what it is made of.
    fn check_coverage(&self, names: &[&str], call: &Call<'_>) -> Result<(), SignatureFault> {
        for wanted in &self.components {
            let is_part = matches!(&**wanted, "@scheme" | "@authority" | "@path" | "@query");
            let is_covered = names.contains(&&**wanted)
                || (is_part && names.contains(&"@target-uri"))
                || (&**wanted == "content-digest" && matches!(call.body, Body::None));
            if !is_covered {
                return Err(SignatureFault::NotCovered(wanted.clone()));
            }
        }
        Ok(())
    }

    fn use_nonce(
        &self,
        nonce: Option<&str>,
        app: &App,
        world: &World<'_>,
    ) -> Result<(), SignatureFault> {
        let nonce = match (self.nonce, nonce) {
            (NonceUse::Off, _) | (NonceUse::Optional, None) => return Ok(()),
            (NonceUse::Required, None) => return Err(SignatureFault::NonceMissing),
            (_, Some(nonce)) => nonce,
        };
        if !(1..=NONCE_BYTES_MAX).contains(&nonce.len()) {
            return Err(SignatureFault::NonceMissing);
        }
        let value = Value::Text(nonce.as_bytes());
        let want = Want { rule: &self.nonce_rule, app: Some(app.name.as_str()), value };
        match world.counters.take(&[want], world.clock.now_us(), 0) {
            Ok(_) => Ok(()),
            Err(_) => Err(SignatureFault::NonceUsed),
        }
    }
}

impl<'a> Said<'a> {
    fn read(input: &'a Dictionary, signatures: &'a Dictionary) -> Result<Self, SignatureFault> {
        const FAULT: SignatureFault = SignatureFault::InputInvalid;
        let mut labels = input.iter();
        let (Some((label, ListEntry::InnerList(list))), None) = (labels.next(), labels.next())
        else {
            return Err(FAULT);
        };
        let Some(ListEntry::Item(signature)) = signatures.get(label) else { return Err(FAULT) };
        let Some(signature) = signature.bare_item.as_byte_sequence() else { return Err(FAULT) };
        if signatures.len() != 1 {
            return Err(FAULT);
        }
        let number = |name| match list.params.get(name) {
            None => Ok(None),
            Some(BareItem::Integer(number)) => Ok(Some(i64::from(*number))),
            Some(_) => Err(FAULT),
        };
        let text = |name| match list.params.get(name) {
            None => Ok(None),
            Some(BareItem::String(text)) => Ok(Some(text.as_str())),
            Some(_) => Err(FAULT),
        };
        Ok(Self {
            list,
            signature,
            created: number("created")?.ok_or(FAULT)?,
            expires: number("expires")?,
            key_id: text("keyid")?.ok_or(FAULT)?,
            algorithm: text("alg")?,
            nonce: text("nonce")?,
        })
    }
}

/// All fields of a name as one dictionary.
fn dictionary(call: &Call<'_>, name: &str) -> Result<Dictionary, SignatureFault> {
    let value = joined(call, name).ok_or(SignatureFault::InputInvalid)?;
    Parser::new(value.as_bytes()).parse().map_err(|_| SignatureFault::InputInvalid)
}

/// The values of all fields of a name (§2.1), which must be visible ASCII with blanks in between.
fn joined(call: &Call<'_>, name: &str) -> Option<String> {
    let mut value: Option<String> = None;
    let mut is_text = true;
    call.headers.each(name, &mut |bytes| {
        let bytes = bytes.trim_ascii();
        is_text &= bytes.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'));
        let text = std::str::from_utf8(bytes).unwrap_or_default();
        match &mut value {
            None => value = Some(text.to_owned()),
            Some(value) => {
                value.push_str(", ");
                value.push_str(text);
            }
        }
    });
    value.filter(|_| is_text)
}

/// The names of the components, each once and without parameters.
fn names(list: &InnerList) -> Result<Vec<&str>, SignatureFault> {
    let mut names = Vec::with_capacity(list.items.len().min(COMPONENTS_MAX));
    for item in &list.items {
        let name = item.bare_item.as_string().ok_or(SignatureFault::InputInvalid)?.as_str();
        if names.len() == COMPONENTS_MAX || names.contains(&name) {
            return Err(SignatureFault::InputInvalid);
        }
        if !item.params.is_empty() {
            return Err(SignatureFault::component(name));
        }
        names.push(name);
    }
    Ok(names)
}

/// What is signed (§2.5).
fn base(call: &Call<'_>, names: &[&str], list: &InnerList) -> Result<String, SignatureFault> {
    let mut base = String::new();
    for name in names {
        let value = match name.strip_prefix('@') {
            Some(_) => derived(call, name)?,
            None if !is_field_name(name) => return Err(SignatureFault::InputInvalid),
            // Over HTTP/2 it is `:authority`.
            None if *name == "host" && call.headers.first("host").is_none() => authority(call),
            None => {
                joined(call, name).ok_or_else(|| SignatureFault::header_missing(name.as_bytes()))?
            }
        };
        let _ = writeln!(base, "\"{name}\": {value}");
    }
    let written = vec![ListEntry::InnerList(list.clone())].serialize();
    base.push_str("\"@signature-params\": ");
    base.push_str(&written.ok_or(SignatureFault::InputInvalid)?);
    Ok(base)
}

fn is_field_name(name: &str) -> bool {
    crate::shape::is_token(name) && !name.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// The value of a derived component (§2.2).
fn derived(call: &Call<'_>, name: &str) -> Result<String, SignatureFault> {
    let scheme = match call.scheme {
        Scheme::Http => "http",
        Scheme::Https => "https",
    };
    let mark = if call.query.is_empty() { "" } else { "?" };
    Ok(match name {
        "@method" => call.method.to_owned(),
        "@authority" => authority(call),
        "@scheme" => scheme.to_owned(),
        "@path" => call.path.to_owned(),
        "@query" => format!("?{}", call.query),
        "@request-target" => format!("{}{mark}{}", call.path, call.query),
        "@target-uri" => {
            format!("{scheme}://{}{}{mark}{}", authority(call), call.path, call.query)
        }
        other => return Err(SignatureFault::component(other)),
    })
}

/// Host and port in small letters, without the port that the scheme has anyway (§2.2.3).
fn authority(call: &Call<'_>) -> String {
    let text = String::from_utf8_lossy(call.authority).to_ascii_lowercase();
    let usual = match call.scheme {
        Scheme::Http => ":80",
        Scheme::Https => ":443",
    };
    text.strip_suffix(usual).unwrap_or(&text).to_owned()
}

/// `Content-Digest` (RFC 9530 §2): at least one digest that is known, and all that are known right.
fn check_digest(call: &Call<'_>, body: &[u8]) -> Result<(), SignatureFault> {
    let digests = dictionary(call, "content-digest").map_err(|_| SignatureFault::Digest)?;
    let mut is_known = false;
    for (name, entry) in &digests {
        let algorithm = match name.as_str() {
            "sha-256" => &digest::SHA256,
            "sha-512" => &digest::SHA512,
            _ => continue,
        };
        let ListEntry::Item(item) = entry else { return Err(SignatureFault::Digest) };
        let said = item.bare_item.as_byte_sequence().ok_or(SignatureFault::Digest)?;
        constant_time::verify_slices_are_equal(digest(algorithm, body).as_ref(), said)
            .map_err(|_| SignatureFault::Digest)?;
        is_known = true;
    }
    if is_known { Ok(()) } else { Err(SignatureFault::Digest) }
}

#[cfg(test)]
mod tests;
