//! Who is calling, by a signature with a shared secret, in the two forms of Tencent Cloud API Gateway.
//!
//! In the form `key_pair` headers are signed and nothing else; in the form `app` also method, path, parameters, and by
//! `Content-MD5` a body. The text that was signed is built again from the request, signed with the secret of the app
//! that the caller names, and compared in constant time. A name that no app has is signed for with a key of its own,
//! so that it costs the same and is answered alike.
//!
//! **The body.** Everything that can be judged by the head is. Where the signature covers the body, [`Judged::HoldBody`]
//! asks for it, and the same is judged again with it; so a wrong signature over a body's `Content-MD5` is refused before
//! any of the body is read. Parameters of a form are part of what is signed, so that a form is always needed.
//!
//! **What the forms do not say** is stated here once: a value that was signed decoded can be written in several ways
//! (`a=1%26b=2` and `a=1&b=2` are signed alike), which is inherent in them. The path is taken in its canonical form,
//! encoded as it is, so that no `?` can hide in it.

pub mod authorization;
mod parameters;

use std::sync::Arc;

use aws_lc_rs::{constant_time, hmac};
use md5::{Digest, Md5};
use portway_model as model;
use portway_model::{HmacForm, NonceUse};

use crate::base64::base64;
use crate::call::Body;
use crate::key::the_only;
use crate::rules::nonce_rule;
use crate::signature_fault::SignatureFault;
use crate::signing::TextToSign;
use crate::{App, Call, Keys, LimitRule, Refusal, Value, Want, World, http_date};
use authorization::Authorization;

/// The furthest that `X-Date` may be from the gateway's clock, in seconds.
pub const SKEW_S: i64 = 900;
/// The header of a nonce.
pub const NONCE_HEADER: &str = "x-apigw-nonce";
/// The most bytes of a body that is held, unless told otherwise.
const HELD_BYTES: u64 = 1 << 20;
/// The most headers in the list of those that are signed.
const HEADERS_MAX: usize = 32;
/// The most bytes of a nonce.
const NONCE_BYTES_MAX: usize = 128;
/// The most bytes of a text to sign that is told to a caller.
const TOLD_BYTES_MAX: usize = 2_048;
const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// How signatures are judged, compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hmac {
    /// What is signed.
    pub form: HmacForm,
    /// Whether nonces are looked at.
    pub nonce: NonceUse,
    /// First segments of paths that are not signed.
    pub environments: Box<[Box<str>]>,
    /// The most bytes of a body that is held.
    pub held_bytes: u64,
    nonce_rule: LimitRule,
}

/// An app, and the secret of one of its key pairs.
pub struct Signer {
    /// Whose it is.
    pub app: Arc<App>,
    secret: Box<[u8]>,
}

impl Signer {
    /// From an app and a secret.
    pub fn new(app: Arc<App>, secret: &str) -> Self {
        Self { app, secret: secret.as_bytes().into() }
    }
}

impl std::fmt::Debug for Signer {
    /// Never the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer").field("app", &self.app.name).finish_non_exhaustive()
    }
}

/// What comes of a look at a signature.
#[derive(Debug)]
pub(crate) enum Judged {
    /// This app signed the call.
    App(Arc<App>),
    /// The body is needed to tell.
    HoldBody,
}

/// What is signed, apart from the body: the text before `Content-MD5`, and the one behind it.
struct Text {
    before: Vec<u8>,
    behind: Vec<u8>,
}

impl Hmac {
    /// From the document.
    pub fn compile(document: &model::HmacAuth) -> Self {
        let environments = match &document.environments {
            Some(names) => names.iter().map(|name| name.as_str().into()).collect(),
            None => ["release", "test", "prepub"].map(Box::from).into(),
        };
        Self {
            form: document.form,
            nonce: document.nonce,
            environments,
            held_bytes: document.held_bytes.map_or(HELD_BYTES, model::ByteSize::as_bytes),
            nonce_rule: nonce_rule(),
        }
    }

    /// Finds out who signed. `parameters` are what `Authorization` has behind its scheme.
    pub(crate) fn judge(
        &self,
        call: &Call<'_>,
        parameters: &[u8],
        world: &World<'_>,
    ) -> Result<Judged, Refusal> {
        let said = authorization::parse(parameters)?;
        let algorithm =
            algorithm(said.algorithm).ok_or_else(|| SignatureFault::algorithm(said.algorithm))?;
        let signed = Signed::read(call, said.headers)?;
        self.check_date(&signed, world)?;
        let nonce = self.nonce_of(call, &signed)?;
        let claim = Claim::new(world.keys, &said, algorithm);
        let app = match self.form {
            HmacForm::KeyPair => {
                if !claim.holds(&[signed.text.strip_suffix(b"\n").unwrap_or_default()]) {
                    return Err(SignatureFault::Mismatch { signed: None }.into());
                }
                claim.app()?
            }
            HmacForm::App => match self.judge_app(call, signed.text, &claim)? {
                Judged::App(app) => app,
                Judged::HoldBody => return Ok(Judged::HoldBody),
            },
        };
        if let Some(nonce) = nonce {
            self.use_nonce(nonce, &app, world)?;
        }
        Ok(Judged::App(app))
    }

    fn check_date(&self, signed: &Signed<'_>, world: &World<'_>) -> Result<(), SignatureFault> {
        let Some(date) = signed.x_date else {
            return match self.form {
                HmacForm::App => Err(SignatureFault::DateInvalid),
                HmacForm::KeyPair if signed.has_date => Ok(()),
                HmacForm::KeyPair => Err(SignatureFault::NoDate),
            };
        };
        let date = http_date::parse(date).ok_or(SignatureFault::DateInvalid)?;
        let now_s = i64::try_from(world.clock.unix_ms() / 1_000).unwrap_or(i64::MAX);
        if now_s.abs_diff(date) > SKEW_S.unsigned_abs() {
            return Err(SignatureFault::OutOfDate);
        }
        Ok(())
    }

    /// The nonce that counts, if one does. One that is not signed could be changed by whoever repeats a call; without a
    /// signed time it would have to be remembered for ever.
    fn nonce_of<'a>(
        &self,
        call: &Call<'a>,
        signed: &Signed<'a>,
    ) -> Result<Option<&'a [u8]>, SignatureFault> {
        let is_given = || call.headers.first(NONCE_HEADER).is_some();
        match self.nonce {
            NonceUse::Off => return Ok(None),
            NonceUse::Optional if !is_given() => return Ok(None),
            NonceUse::Optional | NonceUse::Required => {}
        }
        let nonce = signed.nonce.filter(|nonce| {
            signed.x_date.is_some() && (1..=NONCE_BYTES_MAX).contains(&nonce.len())
        });
        nonce.map(Some).ok_or(SignatureFault::NonceInvalid)
    }

    /// Remembers it for an hour, which is longer than twice the skew: a call signed ahead of time is taken that long.
    fn use_nonce(&self, nonce: &[u8], app: &App, world: &World<'_>) -> Result<(), SignatureFault> {
        let want = Want {
            rule: &self.nonce_rule,
            app: Some(app.name.as_str()),
            value: Value::Text(nonce),
        };
        match world.counters.take(&[want], world.clock.now_us(), 0) {
            Ok(_) => Ok(()),
            Err(_) => Err(SignatureFault::NonceUsed),
        }
    }

    /// The form `app`. `headers` are the signed headers as lines.
    fn judge_app(
        &self,
        call: &Call<'_>,
        headers: Vec<u8>,
        claim: &Claim<'_>,
    ) -> Result<Judged, SignatureFault> {
        let Some(parts) = self.app_parts(call, headers)? else { return Ok(Judged::HoldBody) };
        let AppParts { text, sent_md5, body, is_form, is_unread } = parts;
        match sent_md5 {
            Some(md5) if !claim.holds(&[&text.before, md5, &text.behind]) => {
                Err(text.mismatch(md5))
            }
            Some(_) if is_unread => Ok(Judged::HoldBody),
            Some(md5) if !is_digest_of(md5, body) => {
                Err(text.mismatch(hex_digest(body).as_bytes()))
            }
            // A body that is not signed is what the signer chose.
            Some(_) => claim.app().map(Judged::App),
            None if claim.holds(&[&text.before, &text.behind]) => claim.app().map(Judged::App),
            None if is_unread => Ok(Judged::HoldBody),
            None if is_form || body.is_empty() => Err(text.mismatch(b"")),
            None => {
                let hex = hex_digest(body);
                let holds = |md5: &str| claim.holds(&[&text.before, md5.as_bytes(), &text.behind]);
                if holds(&hex) || holds(&raw_digest(body)) {
                    return claim.app().map(Judged::App);
                }
                Err(text.mismatch(hex.as_bytes()))
            }
        }
    }

    /// What the form `app` signs of a call; nothing where its parameters are in a body that was not read.
    fn app_parts<'a>(
        &self,
        call: &Call<'a>,
        headers: Vec<u8>,
    ) -> Result<Option<AppParts<'a>>, SignatureFault> {
        let accept = once(call, "accept")?.unwrap_or_default();
        let content_type = once(call, "content-type")?.unwrap_or_default();
        let sent_md5 = once(call, "content-md5")?.filter(|value| !value.is_empty());
        let is_form = is_form(content_type);
        let body = match call.body {
            Body::None => &b""[..],
            Body::Held(body) => body,
            Body::Unread if is_form => return Ok(None),
            Body::Unread => &b""[..],
        };
        let is_unread = matches!(call.body, Body::Unread);
        let mut before = headers;
        for field in [call.method.as_bytes(), accept, content_type] {
            before.extend_from_slice(field);
            before.push(b'\n');
        }
        let mut behind = vec![b'\n'];
        let path = parameters::without_environment(call.path, &self.environments);
        let form = if is_form { body } else { b"" };
        parameters::write(path, call.query.as_bytes(), form, &mut behind)?;
        Ok(Some(AppParts { text: Text { before, behind }, sent_md5, body, is_form, is_unread }))
    }

    /// What would have to be signed: for telling, not for judging.
    pub(crate) fn text_to_sign(
        &self,
        call: &Call<'_>,
        parameters: &[u8],
    ) -> Result<TextToSign, SignatureFault> {
        let said = authorization::parse(parameters)?;
        let signed = Signed::read(call, said.headers)?;
        let date = signed.x_date.map(lossy);
        let signed_at_s = signed.x_date.and_then(http_date::parse);
        let (kind, text) = match self.form {
            HmacForm::KeyPair => {
                ("hmac key_pair", signed.text.strip_suffix(b"\n").unwrap_or_default().to_vec())
            }
            HmacForm::App => {
                let call = match call.body {
                    Body::Unread => Call { body: Body::Held(b""), ..*call },
                    Body::None | Body::Held(_) => *call,
                };
                let parts = self.app_parts(&call, signed.text)?.ok_or(SignatureFault::Format)?;
                let md5 = match parts.sent_md5 {
                    Some(md5) => md5.to_vec(),
                    None if parts.is_form || parts.body.is_empty() => Vec::new(),
                    None => hex_digest(parts.body).into_bytes(),
                };
                ("hmac app", [&parts.text.before[..], &md5, &parts.text.behind].concat())
            }
        };
        Ok(TextToSign {
            kind,
            id: lossy(said.id),
            algorithm: lossy(said.algorithm),
            covered: lossy(said.headers),
            date,
            signed_at_s,
            ahead_s: SKEW_S,
            age_s: SKEW_S,
            text,
        })
    }
}

/// What the form `app` signs.
struct AppParts<'a> {
    text: Text,
    sent_md5: Option<&'a [u8]>,
    body: &'a [u8],
    is_form: bool,
    is_unread: bool,
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Text {
    fn mismatch(&self, md5: &[u8]) -> SignatureFault {
        let mut signed = [&self.before, md5, &self.behind].concat();
        signed.truncate(TOLD_BYTES_MAX);
        SignatureFault::Mismatch { signed: Some(signed.into()) }
    }
}

/// The headers that are signed.
struct Signed<'a> {
    /// `name: value` and a line feed each, in the order of the list.
    text: Vec<u8>,
    has_date: bool,
    x_date: Option<&'a [u8]>,
    nonce: Option<&'a [u8]>,
}

impl<'a> Signed<'a> {
    fn read(call: &Call<'a>, list: &[u8]) -> Result<Self, SignatureFault> {
        let mut signed = Self { text: Vec::new(), has_date: false, x_date: None, nonce: None };
        let mut names: Vec<String> = Vec::new();
        for name in list.split(|byte| *byte == b' ').filter(|name| !name.is_empty()) {
            let name = std::str::from_utf8(name).map_err(|_| SignatureFault::Format)?;
            let name = name.to_ascii_lowercase();
            // A name that stands there twice says nothing, and no client writes it.
            if names.len() == HEADERS_MAX || !crate::shape::is_token(&name) || names.contains(&name)
            {
                return Err(SignatureFault::Format);
            }
            let value = match once(call, &name)? {
                Some(value) => value,
                // Over HTTP/2 it is `:authority`.
                None if name == "host" && !call.authority.is_empty() => call.authority,
                None => return Err(SignatureFault::header_missing(name.as_bytes())),
            };
            match &*name {
                "date" => signed.has_date = true,
                "x-date" => signed.x_date = Some(value),
                NONCE_HEADER => signed.nonce = Some(value),
                _ => {}
            }
            signed.text.extend_from_slice(name.as_bytes());
            signed.text.extend_from_slice(b": ");
            signed.text.extend_from_slice(value);
            signed.text.push(b'\n');
            names.push(name);
        }
        Ok(signed)
    }
}

/// A signature, and the key that it is said to be made with.
struct Claim<'a> {
    signer: Option<Arc<Signer>>,
    key: hmac::Key,
    signature: &'a [u8],
}

impl<'a> Claim<'a> {
    fn new(keys: &dyn Keys, said: &Authorization<'a>, algorithm: hmac::Algorithm) -> Self {
        let signer = std::str::from_utf8(said.id).ok().and_then(|id| keys.signer(id));
        // Nobody's key: what it signs is not looked at.
        let secret = signer
            .as_ref()
            .map_or(&b"0123456789abcdef0123456789abcdef"[..], |signer| &signer.secret);
        let key = hmac::Key::new(algorithm, secret);
        Self { signer, key, signature: said.signature }
    }

    /// Whether it is the signature of these parts, and somebody's.
    fn holds(&self, parts: &[&[u8]]) -> bool {
        let mut context = hmac::Context::with_key(&self.key);
        parts.iter().for_each(|part| context.update(part));
        let right = base64(context.sign().as_ref());
        let is_right =
            constant_time::verify_slices_are_equal(right.as_bytes(), self.signature).is_ok();
        is_right && self.signer.is_some()
    }

    fn app(&self) -> Result<Arc<App>, SignatureFault> {
        let signer = self.signer.as_ref().ok_or(SignatureFault::Mismatch { signed: None })?;
        Ok(Arc::clone(&signer.app))
    }
}

fn algorithm(name: &[u8]) -> Option<hmac::Algorithm> {
    match name {
        b"hmac-sha1" => Some(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
        b"hmac-sha256" => Some(hmac::HMAC_SHA256),
        b"hmac-sha384" => Some(hmac::HMAC_SHA384),
        b"hmac-sha512" => Some(hmac::HMAC_SHA512),
        _ => None,
    }
}

/// The value of a header that may stand once.
fn once<'a>(call: &Call<'a>, name: &str) -> Result<Option<&'a [u8]>, SignatureFault> {
    the_only(call, name).map_err(|_| SignatureFault::Repeated)
}

fn is_form(content_type: &[u8]) -> bool {
    let media_type = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
    media_type.trim_ascii().eq_ignore_ascii_case(FORM)
}

/// Both readings: of the digest, and of its hexadecimal digits. The published client in Java writes the digits as a
/// number, without the zeros in front: one body in sixteen.
fn is_digest_of(md5: &[u8], body: &[u8]) -> bool {
    let digits = hex_digits(body);
    md5 == base64(digits.as_bytes()).as_bytes()
        || md5 == raw_digest(body).as_bytes()
        || md5 == base64(digits.trim_start_matches('0').as_bytes()).as_bytes()
}

fn raw_digest(body: &[u8]) -> String {
    base64(&Md5::digest(body))
}

fn hex_digest(body: &[u8]) -> String {
    base64(hex_digits(body).as_bytes())
}

fn hex_digits(body: &[u8]) -> String {
    let digest = Md5::digest(body);
    let mut hex = String::with_capacity(2 * digest.len());
    for digit in digest.iter().flat_map(|byte| [byte >> 4, byte & 15]) {
        hex.push(char::from_digit(u32::from(digit), 16).expect("four bits are a digit"));
    }
    hex
}

#[cfg(test)]
mod tests;
