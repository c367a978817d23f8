//! Refusals in the words of Tencent Cloud API Gateway, for clients that read those: `{"message":"…"}`.
//!
//! The texts of signatures, limits and failures are that product's, with its spelling. What it has no text for keeps the
//! title of the problem. Two things are not followed: an id that is not known is answered like a wrong signature, where
//! the product tells them apart; and statuses of its own (481) do not occur.

use portway_policy::{Detail, Reason, Refusal, SignatureFault};

use crate::failure::Fault;

/// The status of a refusal: the product knows no 403 for an app that may not call.
pub(super) fn status(reason: Reason) -> u16 {
    match reason {
        Reason::AppNotAllowed => 401,
        other => other.status(),
    }
}

/// The body for a refusal.
pub(super) fn refusal(refusal: &Refusal) -> Vec<u8> {
    if let Detail::Signature(fault) = &refusal.detail {
        return signature(fault);
    }
    message(match refusal.reason {
        Reason::AppNotAllowed => "HMAC apikey is invalid for API.",
        Reason::RateLimited => "API rate limit exceeded.",
        Reason::QuotaExhausted => "API quota exceeded.",
        other => other.title(),
    })
}

/// The body for a failure.
pub(super) fn failure(fault: Fault) -> Vec<u8> {
    message(match fault.status() {
        502 => "Bad Gateway.",
        504 => "Gateway Time-out.",
        500 => "Internal Server Error.",
        _ => fault.title(),
    })
}

fn signature(fault: &SignatureFault) -> Vec<u8> {
    const UNVERIFIED: &str = "HMAC signature cannot be verified,";
    let text = match fault {
        SignatureFault::Missing => {
            format!("{UNVERIFIED} a validate authorization header is required")
        }
        SignatureFault::Format => "HMAC authorization format error.".to_owned(),
        SignatureFault::FieldsMissing => "HMAC authorization headers is invalidate.".to_owned(),
        SignatureFault::IdOrSignatureMissing => "HMAC id or signature missing.".to_owned(),
        SignatureFault::Algorithm(name) => format!("HMAC algorithm {name} not supported."),
        SignatureFault::Repeated => "HMAC do not support multiple HTTP header.".to_owned(),
        SignatureFault::HeaderMissing(name) => {
            format!("{UNVERIFIED} a valid {name} header is required.")
        }
        SignatureFault::DateInvalid => {
            format!("{UNVERIFIED} a valid x-date header is required for HMAC Authentication.")
        }
        SignatureFault::NoDate => {
            format!("{UNVERIFIED} a valid date or x-date header is required.")
        }
        SignatureFault::OutOfDate => {
            format!("{UNVERIFIED} the x-date header is out of date for HMAC Authentication.")
        }
        // Of signatures that the product does not know.
        SignatureFault::InputInvalid
        | SignatureFault::ComponentUnknown(_)
        | SignatureFault::NotCovered(_)
        | SignatureFault::NotInTime
        | SignatureFault::Digest
        | SignatureFault::NonceMissing => fault.sentence().to_owned(),
        SignatureFault::TooManyParameters => format!("{UNVERIFIED} there are too many parameters."),
        SignatureFault::NonceInvalid => {
            format!("{UNVERIFIED} a valid x-apigw-nonce header is required.")
        }
        SignatureFault::NonceUsed => {
            format!("{UNVERIFIED} the nonce was used before.")
        }
        SignatureFault::Mismatch { signed: None } => "HMAC signature does not match.".to_owned(),
        SignatureFault::Mismatch { signed: Some(signed) } => format!(
            "HMAC signature does not match, Server StringToSign:{}",
            String::from_utf8_lossy(signed).replace('\n', "#")
        ),
    };
    message(&text)
}

/// Slashes are escaped, as the product does; what could disturb is, too.
fn message(text: &str) -> Vec<u8> {
    let mut body = String::with_capacity(text.len() + 32);
    body.push_str("{\"message\":\"");
    for c in text.chars() {
        match c {
            '"' | '\\' | '/' => {
                body.push('\\');
                body.push(c);
            }
            c if c.is_control() => {
                body.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => body.push(c),
        }
    }
    body.push_str("\"}");
    body.into_bytes()
}

#[cfg(test)]
mod tests;
