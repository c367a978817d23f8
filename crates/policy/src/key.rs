//! Who is calling, by API key; or by signature, which `hmac` judges.
//!
//! A key is looked for at the places that the service names. What is found is hashed, and its SHA-256 is
//! looked up: there is no comparison of secrets that could be timed, and no table of keys in memory.
//! Everything doubtful is refused: a place that is filled twice, two places with different keys, an empty or
//! overlong key. A lone key that is unknown is answered exactly like those.

use std::sync::Arc;

use aws_lc_rs::digest;
use portway_model::{Auth, AuthKind, KeyAuth};

use crate::certificate;
use crate::hmac::{self, Hmac, Judged};
use crate::message::Message;
use crate::permit::Credential;
use crate::{App, Call, Keys, Reason, Refusal, SignatureFault, World, query};

/// The most bytes of a key.
pub const KEY_BYTES_MAX: usize = 512;

/// How a caller is identified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identify {
    /// Not at all.
    Public,
    /// By a key at any one of these places.
    Key(Box<[KeyPlace]>),
    /// By a signature or a certificate.
    Signed(Box<Signed>),
}

/// By a signature or the certificate of the connection; or by a key at any one of these places, of which there may be none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// Where a key may stand.
    pub places: Box<[KeyPlace]>,
    /// How a signature in `Authorization` is judged.
    pub hmac: Option<Hmac>,
    /// How a signature of the message is judged.
    pub message: Option<Message>,
    /// Whether the certificate of the connection counts.
    pub certificate: bool,
}

/// What came of asking who is calling.
#[derive(Debug)]
pub enum Identified {
    /// This app, or nobody where everybody may.
    Caller(Option<Arc<App>>, Credential),
    /// A body of at most so many bytes is needed to tell.
    HoldBody(u64),
}

/// Where a key may stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// In a header of this name.
    Header(Box<str>),
    /// In `Authorization: Bearer …` (RFC 6750 §2.1).
    Bearer,
    /// In a query parameter of this name, percent-encoded.
    Query(Box<str>),
}

impl Identify {
    /// From the document.
    pub fn compile(auth: &Auth) -> Self {
        let Auth::AnyOf(kinds) = auth else { return Self::Public };
        let (mut places, mut hmac, mut message, mut certificate) = (Vec::new(), None, None, false);
        for kind in kinds {
            match kind {
                AuthKind::Key(key) => add_places(&mut places, key),
                AuthKind::Hmac(document) => hmac = Some(Hmac::compile(document)),
                AuthKind::Signature(document) => message = Some(Message::compile(document)),
                AuthKind::Mtls(_) => certificate = true,
            }
        }
        let places = places.into_boxed_slice();
        match (&hmac, &message, certificate) {
            (None, None, false) => Self::Key(places),
            _ => Self::Signed(Box::new(Signed { places, hmac, message, certificate })),
        }
    }

    /// Headers that carry a signature, or could be taken for the certificate of the caller.
    pub fn signature_headers(&self) -> impl Iterator<Item = &'static str> {
        let (hmac, message, certificate) = match self {
            Self::Signed(signed) => {
                (signed.hmac.is_some(), signed.message.is_some(), signed.certificate)
            }
            Self::Public | Self::Key(_) => (false, false, false),
        };
        let of_certificate = if certificate { certificate::HEADERS } else { &[] };
        let of_hmac = hmac.then_some("Authorization");
        of_hmac
            .into_iter()
            .chain(message.then_some(["Signature", "Signature-Input"]).into_iter().flatten())
            .chain(of_certificate.iter().copied())
    }

    /// What an answer with status 401 asks for (RFC 9110 §11.6.1).
    pub fn challenge(&self) -> &'static str {
        match self {
            Self::Signed(signed) if signed.certificate => signed.challenge_with_certificate(),
            Self::Signed(signed) => {
                match (signed.places.is_empty(), signed.hmac.is_some(), signed.message.is_some()) {
                    (true, true, false) => "hmac realm=\"portway\"",
                    (true, false, _) => "Signature realm=\"portway\"",
                    (true, true, true) => "hmac realm=\"portway\", Signature realm=\"portway\"",
                    (false, true, false) => "Bearer realm=\"portway\", hmac realm=\"portway\"",
                    (false, false, _) => "Bearer realm=\"portway\", Signature realm=\"portway\"",
                    (false, true, true) => {
                        "Bearer realm=\"portway\", hmac realm=\"portway\", Signature realm=\"portway\""
                    }
                }
            }
            Self::Public | Self::Key(_) => "Bearer realm=\"portway\"",
        }
    }

    /// The places that are looked at.
    pub fn places(&self) -> &[KeyPlace] {
        match self {
            Self::Public => &[],
            Self::Key(places) => places,
            Self::Signed(signed) => &signed.places,
        }
    }

    /// Finds out who is calling.
    ///
    /// # Errors
    /// [`Reason::CredentialsMissing`] or [`Reason::CredentialsInvalid`].
    pub fn identify(&self, call: &Call<'_>, world: &World<'_>) -> Result<Identified, Refusal> {
        match self {
            Self::Public => Ok(Identified::Caller(None, Credential::None)),
            Self::Key(places) => Ok(by_key(places, call, world.keys)?),
            Self::Signed(signed) => signed.identify(call, world),
        }
    }
}

impl Signed {
    fn identify(&self, call: &Call<'_>, world: &World<'_>) -> Result<Identified, Refusal> {
        if !self.certificate {
            return self.without_certificate(call, world);
        }
        let takes_signatures = self.hmac.is_some() || self.message.is_some();
        let others = if takes_signatures {
            Some(self.without_certificate(call, world))
        } else if self.places.is_empty() {
            None
        } else {
            Some(by_key(&self.places, call, world.keys).map_err(Refusal::from))
        };
        certificate::identify(call, world.keys, others)
    }

    /// There is no registered scheme that says "show a certificate"; so that an answer 401 has a challenge all the same
    /// (RFC 9110 §15.5.2), it names one that no client takes for another.
    fn challenge_with_certificate(&self) -> &'static str {
        match (self.places.is_empty(), self.hmac.is_some(), self.message.is_some()) {
            (true, false, false) => "Certificate realm=\"portway\"",
            (true, true, false) => "hmac realm=\"portway\", Certificate realm=\"portway\"",
            (true, false, true) => "Signature realm=\"portway\", Certificate realm=\"portway\"",
            (true, true, true) => {
                "hmac realm=\"portway\", Signature realm=\"portway\", Certificate realm=\"portway\""
            }
            (false, false, false) => "Bearer realm=\"portway\", Certificate realm=\"portway\"",
            (false, true, false) => {
                "Bearer realm=\"portway\", hmac realm=\"portway\", Certificate realm=\"portway\""
            }
            (false, false, true) => {
                "Bearer realm=\"portway\", Signature realm=\"portway\", Certificate realm=\"portway\""
            }
            (false, true, true) => {
                "Bearer realm=\"portway\", hmac realm=\"portway\", Signature realm=\"portway\", Certificate realm=\"portway\""
            }
        }
    }

    fn without_certificate(
        &self,
        call: &Call<'_>,
        world: &World<'_>,
    ) -> Result<Identified, Refusal> {
        let authorization =
            the_only(call, "authorization").map_err(|_| SignatureFault::Repeated)?;
        let hmac = self.hmac.as_ref().zip(authorization.and_then(hmac::authorization::parameters));
        let message = self.message.as_ref().filter(|_| Message::is_shown(call));
        if hmac.is_none() && message.is_none() {
            return self.without_signature(call, authorization.is_some(), world);
        }
        // A signature and a key, or two kinds of signatures, say two things, and only one of them can be meant.
        let mut found = Found::default();
        for (index, place) in self.places.iter().enumerate() {
            look_at(place, index, call, &mut found)?;
        }
        let (judged, held_bytes) = match (hmac, message) {
            _ if found.key.is_some() => return Err(Reason::CredentialsInvalid.into()),
            (Some((hmac, parameters)), None) => {
                (hmac.judge(call, parameters, world)?, hmac.held_bytes)
            }
            (None, Some(message)) => (message.judge(call, world)?, message.held_bytes),
            _ => return Err(Reason::CredentialsInvalid.into()),
        };
        match judged {
            Judged::App(app) => Ok(Identified::Caller(Some(app), Credential::Signature)),
            Judged::HoldBody => Ok(Identified::HoldBody(held_bytes)),
        }
    }

    fn without_signature(
        &self,
        call: &Call<'_>,
        is_authorized: bool,
        world: &World<'_>,
    ) -> Result<Identified, Refusal> {
        match by_key(&self.places, call, world.keys) {
            Err(Reason::CredentialsMissing) if is_authorized && self.hmac.is_some() => {
                Err(SignatureFault::Format.into())
            }
            Err(Reason::CredentialsMissing) => Err(SignatureFault::Missing.into()),
            identified => Ok(identified?),
        }
    }
}

fn by_key(places: &[KeyPlace], call: &Call<'_>, keys: &dyn Keys) -> Result<Identified, Reason> {
    let mut found = Found::default();
    for (index, place) in places.iter().enumerate() {
        look_at(place, index, call, &mut found)?;
    }
    let Some((index, sha256)) = found.key else { return Err(Reason::CredentialsMissing) };
    let app = keys.find(&sha256).ok_or(Reason::CredentialsInvalid)?;
    Ok(Identified::Caller(Some(app), Credential::at(&places[index])))
}

/// SHA-256 of some bytes.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    out
}

fn add_places(places: &mut Vec<KeyPlace>, key: &KeyAuth) {
    let header = key.header.as_deref().map(|name| KeyPlace::Header(name.into()));
    let bearer = key.bearer.then_some(KeyPlace::Bearer);
    let query = key.query.as_deref().map(|name| KeyPlace::Query(name.into()));
    for place in header.into_iter().chain(bearer).chain(query) {
        if !places.iter().any(|known| same_place(known, &place)) {
            places.push(place);
        }
    }
}

fn same_place(a: &KeyPlace, b: &KeyPlace) -> bool {
    match (a, b) {
        (KeyPlace::Header(a), KeyPlace::Header(b)) => a.eq_ignore_ascii_case(b),
        (a, b) => a == b,
    }
}

/// The key found so far: at which place, and its hash.
#[derive(Default)]
struct Found {
    key: Option<(usize, [u8; 32])>,
}

impl Found {
    fn add(&mut self, index: usize, key: &[u8]) -> Result<(), Reason> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(Reason::CredentialsInvalid);
        }
        let sha256 = sha256(key);
        match self.key {
            None => self.key = Some((index, sha256)),
            // The same key twice says one thing; two keys say two, and only one of them can be meant.
            Some((_, known)) if known != sha256 => return Err(Reason::CredentialsInvalid),
            Some(_) => {}
        }
        Ok(())
    }
}

fn look_at(
    place: &KeyPlace,
    index: usize,
    call: &Call<'_>,
    found: &mut Found,
) -> Result<(), Reason> {
    match place {
        KeyPlace::Header(name) => match the_only(call, name)? {
            Some(key) => found.add(index, key),
            None => Ok(()),
        },
        KeyPlace::Bearer => match the_only(call, "authorization")?.and_then(bearer) {
            Some(key) => found.add(index, key),
            None => Ok(()),
        },
        KeyPlace::Query(name) => look_at_query(name, index, call, found),
    }
}

fn look_at_query(
    name: &str,
    index: usize,
    call: &Call<'_>,
    found: &mut Found,
) -> Result<(), Reason> {
    let mut values = query::values(call.query, name);
    let Some(value) = values.next() else { return Ok(()) };
    if values.next().is_some() {
        return Err(Reason::CredentialsInvalid);
    }
    let mut decoded = [0; KEY_BYTES_MAX];
    let key =
        query::decode_into(value.as_bytes(), &mut decoded).ok_or(Reason::CredentialsInvalid)?;
    found.add(index, key)
}

/// The value of a field that may stand once.
pub(crate) fn the_only<'a>(call: &Call<'a>, name: &str) -> Result<Option<&'a [u8]>, Reason> {
    let mut fields = 0_u32;
    call.headers.each(name, &mut |_| fields = fields.saturating_add(1));
    match fields {
        0 => Ok(None),
        1 => Ok(call.headers.first(name).map(<[u8]>::trim_ascii)),
        _ => Err(Reason::CredentialsInvalid),
    }
}

/// The token of `Bearer TOKEN`; nothing for another scheme. The scheme has no case (RFC 9110 §11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    const SCHEME: &[u8] = b"bearer";
    let scheme = value.get(..SCHEME.len())?;
    let rest = &value[SCHEME.len()..];
    let ends = rest.first().is_none_or(|byte| *byte == b' ');
    (ends && scheme.eq_ignore_ascii_case(SCHEME)).then(|| rest.trim_ascii())
}

#[cfg(test)]
mod tests;
