//! The text that a caller has to sign, for telling people who look for the difference.
//!
//! It is written by the code that judges signatures. Nothing here judges, and no secret is looked at.

use crate::hmac::authorization;
use crate::key::the_only;
use crate::{Call, Identify, Message, SignatureFault};

/// What a call's signature has to be made over, and what the caller says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextToSign {
    /// `hmac key_pair`, `hmac app` or `signature`.
    pub kind: &'static str,
    /// The id that the caller names.
    pub id: String,
    /// The algorithm that the caller names; may be empty.
    pub algorithm: String,
    /// The headers or components that the caller says it signed.
    pub covered: String,
    /// When the caller says it signed, as written.
    pub date: Option<String>,
    /// The same in seconds since 1970, where it is a date.
    pub signed_at_s: Option<i64>,
    /// How far that may lie ahead of the gateway's clock, in seconds.
    pub ahead_s: i64,
    /// How far that may lie behind it, in seconds.
    pub age_s: i64,
    /// The text.
    pub text: Vec<u8>,
}

/// The text of the signature that a call shows; `None` where it shows none that the operation looks at.
pub fn text_to_sign(
    identify: &Identify,
    call: &Call<'_>,
) -> Option<Result<TextToSign, SignatureFault>> {
    let Identify::Signed(signed) = identify else { return None };
    let authorization = match the_only(call, "authorization") {
        Ok(authorization) => authorization,
        Err(_) => return Some(Err(SignatureFault::Repeated)),
    };
    let parameters = authorization.and_then(authorization::parameters);
    if let Some((hmac, parameters)) = signed.hmac.as_ref().zip(parameters) {
        return Some(hmac.text_to_sign(call, parameters));
    }
    let message = signed.message.as_ref().filter(|_| Message::is_shown(call))?;
    Some(message.text_to_sign(call))
}

#[cfg(test)]
mod tests;
