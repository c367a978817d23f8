//! What is wrong with a signature, as finely as a client needs it to be mended.
//!
//! Three things are told apart by nobody: an id that no app has, a secret that is another one, and a call that is not
//! the one that was signed. All are [`SignatureFault::Mismatch`].

use crate::{Detail, Reason, Refusal};

/// The most characters of a name of the caller's that are kept.
const NAME_CHARS_MAX: usize = 64;

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignatureFault {
    /// There is no `Authorization`.
    Missing,
    /// `Authorization` is not in the form of a signature.
    Format,
    /// It has no algorithm or no list of headers.
    FieldsMissing,
    /// It has no id or no signature.
    IdOrSignatureMissing,
    /// There is no such algorithm. The name has visible ASCII characters only, and is bounded.
    Algorithm(Box<str>),
    /// A header that counts stands there more than once.
    Repeated,
    /// A header is in the list and not in the request. A name in small letters, bounded.
    HeaderMissing(Box<str>),
    /// `X-Date` is not signed, or is no date.
    DateInvalid,
    /// Neither `Date` nor `X-Date` is signed.
    NoDate,
    /// `X-Date` is too far from the clock of the gateway.
    OutOfDate,
    /// There are more parameters than are put in order.
    TooManyParameters,
    /// `Signature-Input` and `Signature` are not one signature with what it needs.
    InputInvalid,
    /// A component of a signature that is not understood. Visible ASCII, bounded.
    ComponentUnknown(Box<str>),
    /// A component that the service wants signed, and that is not.
    NotCovered(Box<str>),
    /// `created` or `expires` do not fit the clock of the gateway.
    NotInTime,
    /// `Content-Digest` is not that of the body.
    Digest,
    /// There is no parameter `nonce`, or it is empty or too long.
    NonceMissing,
    /// There is no nonce, or it is not signed together with `X-Date`.
    NonceInvalid,
    /// The nonce was used before.
    NonceUsed,
    /// The signature is another one.
    Mismatch {
        /// What would have had to be signed, where that is more than headers. It is made of the caller's own request, of
        /// any bytes, and bounded.
        signed: Option<Box<[u8]>>,
    },
}

impl SignatureFault {
    /// The reason that it stands for.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::Missing => Reason::CredentialsMissing,
            _ => Reason::CredentialsInvalid,
        }
    }

    /// A sentence for the caller, of our own words.
    pub const fn sentence(&self) -> &'static str {
        match self {
            Self::Missing => "There is no signature in the request.",
            Self::Format => {
                "The Authorization header is not of the form: hmac id=\\\"…\\\", algorithm=\\\"…\\\", headers=\\\"…\\\", \
                 signature=\\\"…\\\"."
            }
            Self::FieldsMissing => {
                "The Authorization header names no algorithm or no signed headers."
            }
            Self::IdOrSignatureMissing => "The Authorization header has no id or no signature.",
            Self::Algorithm(_) => {
                "The algorithm is none of hmac-sha1, hmac-sha256, hmac-sha384 and hmac-sha512."
            }
            Self::Repeated => {
                "A header that counts for the signature stands in the request more than once."
            }
            Self::HeaderMissing(_) => "A header is listed as signed and is not in the request.",
            Self::DateInvalid => {
                "X-Date must be among the signed headers, and be a date such as Thu, 11 Mar 2021 08:29:58 GMT."
            }
            Self::NoDate => "Date or X-Date must be among the signed headers.",
            Self::OutOfDate => "X-Date is more than 15 minutes away from the gateway's clock.",
            Self::TooManyParameters => "The request has more parameters than can be signed.",
            Self::InputInvalid => {
                "Signature-Input and Signature must have one and the same label, a list of components, and the parameters \
                 created and keyid (RFC 9421)."
            }
            Self::ComponentUnknown(_) => "A component of the signature is not understood here.",
            Self::NotCovered(_) => {
                "The signature does not cover everything that has to be signed; the API's documentation says what."
            }
            Self::NotInTime => "The signature is too old, has expired, or lies in the future.",
            Self::Digest => "Content-Digest is not the SHA-256 or SHA-512 of the body.",
            Self::NonceMissing => {
                "The signature must have a parameter nonce of 1 to 128 characters."
            }
            Self::NonceInvalid => {
                "X-Apigw-Nonce must have 1 to 128 characters and be among the signed headers, together with X-Date."
            }
            Self::NonceUsed => "A call with this nonce was taken before.",
            Self::Mismatch { .. } => {
                "The signature is not the one of this request, or its id is not known."
            }
        }
    }

    /// For an algorithm that is not known.
    pub(crate) fn algorithm(name: &[u8]) -> Self {
        Self::Algorithm(bounded(name))
    }

    /// For a component that is not understood.
    pub(crate) fn component(name: &str) -> Self {
        Self::ComponentUnknown(bounded(name.as_bytes()))
    }

    /// For a header that is not there.
    pub(crate) fn header_missing(name: &[u8]) -> Self {
        Self::HeaderMissing(bounded(&name.to_ascii_lowercase()))
    }
}

fn bounded(name: &[u8]) -> Box<str> {
    let shown = name.iter().take(NAME_CHARS_MAX).filter(|byte| byte.is_ascii_graphic());
    shown.map(|byte| char::from(*byte)).collect::<String>().into()
}

impl From<SignatureFault> for Refusal {
    fn from(fault: SignatureFault) -> Self {
        Self { reason: fault.reason(), detail: Detail::Signature(Box::new(fault)) }
    }
}
