//! A call declined: why, and what its caller is told.
//!
//! [`Reason`] is the one word for the metric label, the log field and the problem type (RFC 9457). The
//! catalogue page in the documents is made from [`Reason::ALL`]. Nothing here ever carries text from a secret, and
//! of the caller's only what [`SignatureFault`] bounds.

use crate::{CertificateFault, LimitState, SignatureFault};

/// Why a call was declined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Reason {
    /// Not HTTP as it should be.
    BadRequest,
    /// The path cannot be made canonical safely.
    BadPath,
    /// Too many bytes before the body.
    HeadTooLarge,
    /// Target too long.
    TargetTooLong,
    /// Too many header fields.
    TooManyFields,
    /// Not HTTP/1.0, 1.1 or 2.
    VersionUnsupported,
    /// `Expect` with something else than `100-continue`.
    ExpectationFailed,
    /// `CONNECT`.
    ConnectRefused,
    /// The head did not arrive in time.
    HeadTimeout,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body is larger than allowed.
    BodyTooLarge,
    /// The host is not one of this connection's certificate.
    Misdirected,
    /// No such route.
    NotFound,
    /// The route has other methods.
    MethodNotAllowed,
    /// A preflight from an origin that may not call.
    OriginNotAllowed,
    /// No credentials.
    CredentialsMissing,
    /// Credentials that do not count.
    CredentialsInvalid,
    /// The app may not call this service.
    AppNotAllowed,
    /// More calls than a limit allows.
    RateLimited,
    /// More calls than a quota allows.
    QuotaExhausted,
    /// Too many calls under way.
    TooManyConcurrent,
    /// The gateway itself has too much to do.
    Overloaded,
    /// A call that does not keep the contract.
    ContractBroken,
    /// A body in a form that the contract does not describe.
    MediaTypeUnsupported,
    /// A body would have to be held, and too much is held already.
    TooMuchHeld,
    /// A mock was asked for a status or an example that the contract does not have.
    PreferenceUnknown,
    /// A mock has none of the media types that the caller accepts.
    NotAcceptable,
    /// A call that breaks a rule for requests.
    RuleBroken,
    /// A body in a content coding that is not taken.
    CodingUnsupported,
    /// The gateway is stopping.
    Draining,
}

/// What the catalogue says of one reason.
struct Entry {
    word: &'static str,
    status: u16,
    title: &'static str,
    explanation: &'static str,
}

impl Reason {
    /// All, in the order of the catalogue.
    pub const ALL: &[Self] = &[
        Self::BadRequest,
        Self::BadPath,
        Self::HeadTooLarge,
        Self::TargetTooLong,
        Self::TooManyFields,
        Self::VersionUnsupported,
        Self::ExpectationFailed,
        Self::ConnectRefused,
        Self::HeadTimeout,
        Self::BodyTimeout,
        Self::BodyTooLarge,
        Self::Misdirected,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::OriginNotAllowed,
        Self::CredentialsMissing,
        Self::CredentialsInvalid,
        Self::AppNotAllowed,
        Self::RateLimited,
        Self::QuotaExhausted,
        Self::TooManyConcurrent,
        Self::Overloaded,
        Self::ContractBroken,
        Self::MediaTypeUnsupported,
        Self::TooMuchHeld,
        Self::PreferenceUnknown,
        Self::NotAcceptable,
        Self::RuleBroken,
        Self::CodingUnsupported,
        Self::Draining,
    ];

    /// Its word, in kebab-case.
    pub const fn word(self) -> &'static str {
        self.entry().word
    }

    /// HTTP status of the answer.
    pub const fn status(self) -> u16 {
        self.entry().status
    }

    /// Title of the problem: one short sentence, the same for every call.
    pub const fn title(self) -> &'static str {
        self.entry().title
    }

    /// When it happens and what the caller can do.
    pub const fn explanation(self) -> &'static str {
        self.entry().explanation
    }

    const fn entry(self) -> Entry {
        match self {
            Self::BadRequest => Entry {
                word: "bad-request",
                status: 400,
                title: "The request is not valid HTTP.",
                explanation: "The request breaks the HTTP grammar or can be read in two ways: a length given twice, a \
                              length together with a transfer coding, a bare line feed, a folded header, a missing \
                              or doubled Host. The connection is closed, since it is unknown where the next request \
                              would begin. Correct the client or the proxy in front of the gateway; the same bytes \
                              will be refused again.",
            },
            Self::BadPath => Entry {
                word: "bad-path",
                status: 400,
                title: "The path is not acceptable.",
                explanation: "The path has a spelling that two servers could understand differently, such as an \
                              encoded slash or NUL, a broken percent sign, a backslash, or dots that climb above the \
                              root. Send the plain path; encode with %XX only what is not a letter, a digit, or one \
                              of - . _ ~.",
            },
            Self::HeadTooLarge => Entry {
                word: "head-too-large",
                status: 431,
                title: "The request's header section is too large.",
                explanation: "Request line and header fields together have more bytes than the gateway takes \
                              (bounds.head_bytes). Cookies that have grown are the usual cause. Send fewer or \
                              shorter fields.",
            },
            Self::TargetTooLong => Entry {
                word: "target-too-long",
                status: 414,
                title: "The request target is too long.",
                explanation: "Path and query together have more bytes than the gateway takes (bounds.target_bytes). \
                              Send long parameters in a body.",
            },
            Self::TooManyFields => Entry {
                word: "too-many-fields",
                status: 431,
                title: "The request has too many header fields.",
                explanation: "There are more header fields than the gateway takes (bounds.head_fields). Send fewer.",
            },
            Self::VersionUnsupported => Entry {
                word: "version-unsupported",
                status: 505,
                title: "This version of HTTP is not supported.",
                explanation: "The gateway speaks HTTP/1.0, HTTP/1.1 and HTTP/2. Use one of them.",
            },
            Self::ExpectationFailed => Entry {
                word: "expectation-failed",
                status: 417,
                title: "The expectation cannot be met.",
                explanation: "The Expect field asks for something else than 100-continue. Leave it out.",
            },
            Self::ConnectRefused => Entry {
                word: "connect-refused",
                status: 405,
                title: "CONNECT is not available.",
                explanation: "The gateway is not a forward proxy and opens no tunnels to places that a caller names. \
                              Call the API by its address. WebSocket works through Upgrade.",
            },
            Self::HeadTimeout => Entry {
                word: "head-timeout",
                status: 408,
                title: "The request's head did not arrive in time.",
                explanation: "Request line and header fields were not complete within the time that the gateway waits \
                              (bounds.head_timeout). Send them at once; the request may be repeated on a new \
                              connection.",
            },
            Self::BodyTimeout => Entry {
                word: "body-timeout",
                status: 408,
                title: "The request's body did not arrive in time.",
                explanation: "No byte of the announced body came for longer than the gateway waits \
                              (bounds.body_timeout; once the answer has begun, timeouts.idle of the backend, and the \
                              connection is cut). The backend may have received the first part of it. Check whether \
                              the length announced is right and the connection steady.",
            },
            Self::BodyTooLarge => Entry {
                word: "body-too-large",
                status: 413,
                title: "The request's body is too large.",
                explanation: "The body has, or announces, more bytes than this operation takes (body_bytes); or a \
                              compressed body becomes more than the service takes, or a part of an upload is larger, \
                              as the member errors then says. Send less, or in parts if the API has a way for that.",
            },
            Self::Misdirected => Entry {
                word: "misdirected",
                status: 421,
                title: "This connection is not for that host.",
                explanation: "The host asked for is not the one that the TLS connection was opened for. Repeat the \
                              call on a new connection to that host; HTTP/2 clients do so by themselves.",
            },
            Self::NotFound => Entry {
                word: "not-found",
                status: 404,
                title: "There is no such resource.",
                explanation: "No public operation has this host and path. Compare both with the API's documentation: \
                              the prefix of the service, a final slash, upper and lower case.",
            },
            Self::MethodNotAllowed => Entry {
                word: "method-not-allowed",
                status: 405,
                title: "This method is not available here.",
                explanation: "The path exists, but not with this method. The Allow field lists those it has.",
            },
            Self::OriginNotAllowed => Entry {
                word: "origin-not-allowed",
                status: 403,
                title: "Pages from this origin may not call.",
                explanation: "A browser asked in advance (CORS preflight) whether a page may call, and the page's \
                              origin is not among those that the service allows (cors.origins). Whoever runs the API \
                              can add the origin; scheme and port count.",
            },
            Self::CredentialsMissing => Entry {
                word: "credentials-missing",
                status: 401,
                title: "Valid credentials are required.",
                explanation: "The operation wants to know who is calling, and the request shows no credentials at a \
                              place where it looks for them. Send the API key in the header named by the API's \
                              documentation, by default X-Api-Key, or as Authorization: Bearer; or sign the request, where the \
                              API takes signatures; or connect with a client certificate, where it takes those.",
            },
            Self::CredentialsInvalid => Entry {
                word: "credentials-invalid",
                status: 401,
                title: "Valid credentials are required.",
                explanation: "The request shows credentials, and they do not count. Unknown, mistyped, withdrawn and \
                              disabled keys are answered alike, so that nobody learns which keys exist. Credentials \
                              given twice with different values never count, even if one of them is right. Check \
                              the key, and that exactly one is sent. For a signature the problem says more in \
                              `detail`; that its id is unknown and that it is the wrong one is the same there, too. So it does for a client \
                              certificate that is no app's, or that has expired or was revoked since the connection was made.",
            },
            Self::AppNotAllowed => Entry {
                word: "app-not-allowed",
                status: 403,
                title: "This app may not call this service.",
                explanation: "The key is right, but the app that it belongs to has a list of services and this one is \
                              not on it. Whoever runs the API can add it (apps.NAME.services).",
            },
            Self::RateLimited => Entry {
                word: "rate-limited",
                status: 429,
                title: "Too many calls in a short time.",
                explanation: "A limit that applies to this call is used up. RateLimit-Policy says how many calls it \
                              allows in how many seconds, Retry-After after how many seconds a call fits again. Wait \
                              that long, and spread calls evenly.",
            },
            Self::QuotaExhausted => Entry {
                word: "quota-exhausted",
                status: 429,
                title: "The quota is used up.",
                explanation: "The app has made all the calls that its plan allows in this calendar day or month \
                              (UTC). Retry-After says in how many seconds the next one begins. A larger plan gives \
                              more.",
            },
            Self::TooManyConcurrent => Entry {
                word: "too-many-concurrent",
                status: 503,
                title: "Too many calls are under way.",
                explanation: "As many calls of this app, operation or service are being answered as may be at once. \
                              Nothing was sent to the backend, so the call may be repeated, after a short and \
                              growing pause.",
            },
            Self::Overloaded => Entry {
                word: "overloaded",
                status: 503,
                title: "The gateway has too much to do.",
                explanation: "More calls come in than the gateway has the processor time for, so that they wait for their turn \
                              (bounds.lag), and those of the lowest priorities are refused (plans.NAME.priority). Nothing was \
                              sent to the backend, so the call may be repeated after Retry-After.",
            },
            Self::ContractBroken => Entry {
                word: "contract-broken",
                status: 400,
                title: "The request is not what the contract describes.",
                explanation: "A parameter in the path, the query, a header or a cookie, or the body, is missing or is not what \
                              the API's contract says. The member errors of the answer lists what is wrong: in which part \
                              (in, name), where in its value (pointer), the rule that is broken (rule, a keyword of the \
                              contract) and what it asks (detail); at most 32 of them. Nothing was sent to the backend. \
                              Correct the call; the same one will be refused again.",
            },
            Self::MediaTypeUnsupported => Entry {
                word: "media-type-unsupported",
                status: 415,
                title: "The body is not of a media type that is taken here.",
                explanation: "The operation takes bodies, but none of the media type that Content-Type names, or the body is \
                              compressed and nobody can look into it. The Accept field lists the media types that the \
                              API's contract describes, Accept-Encoding what the body may be encoded with. A body \
                              without one Content-Type is taken for none of them.",
            },
            Self::TooMuchHeld => Entry {
                word: "too-much-held",
                status: 503,
                title: "Too many bodies are being checked.",
                explanation: "A body that is to be checked is held until it was read, and all bodies held together have \
                              as many bytes as they may (bounds.held_bytes). Nothing was sent to the backend, so the \
                              call may be repeated, after a short and growing pause.",
            },
            Self::PreferenceUnknown => Entry {
                word: "preference-unknown",
                status: 400,
                title: "The contract has no such answer.",
                explanation: "The operation is answered by a mock, and the Prefer field asks for a status (code) or an \
                              example (example) that the contract does not describe for it. The member errors of the \
                              answer says what there is. Ask for one of those, or add it to the contract.",
            },
            Self::NotAcceptable => Entry {
                word: "not-acceptable",
                status: 406,
                title: "The answer is not to be had in an accepted media type.",
                explanation: "The operation is answered by a mock, and none of the media types that it can answer in is \
                              accepted by the Accept field. The member errors of the answer says in which it can. XML and \
                              other formats that no schema describes are answered only where the contract gives an \
                              example of them.",
            },
            Self::RuleBroken => Entry {
                word: "rule-broken",
                status: 400,
                title: "The request breaks a rule of this service.",
                explanation: "The service has rules for what calls must be like (requests), and this one breaks some: \
                              a parameter, header or cookie that must match a pattern, may not be there or stands \
                              there twice; a part of an upload that is not taken. The member errors of the answer lists \
                              what is wrong: in which part (in, name), the rule (rule) and what it asks (detail); at \
                              most 32 of them. Where the head is wrong, nothing was sent to the backend; where the body \
                              is, the backend got its beginning only, and its connection was closed. Correct the call.",
            },
            Self::CodingUnsupported => Entry {
                word: "coding-unsupported",
                status: 415,
                title: "A body in this content coding is not taken.",
                explanation: "The request's body is compressed (Content-Encoding) in a way that the service does not take \
                              (requests.compression), or more than once. Send it as it is.",
            },
            Self::Draining => Entry {
                word: "draining",
                status: 503,
                title: "The gateway is stopping.",
                explanation: "The process was told to stop, and the call had not ended when the time for that was over \
                              (drain_timeout): it was cut. Only the log shows this; the caller sees a connection that \
                              ends. Calls that come while it stops are answered, on connections that end with them.",
            },
        }
    }
}

/// What belongs to a refusal beside its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Detail {
    /// Nothing.
    None,
    /// The limit that refused, for `RateLimit` and `Retry-After`.
    Limit(LimitState),
    /// Value of `Allow`.
    Allow(Box<str>),
    /// What is wrong with a signature.
    Signature(Box<SignatureFault>),
    /// What is wrong with a client certificate.
    Certificate(CertificateFault),
    /// What is wrong, by the contract or a rule: a list of JSON.
    Errors(Box<str>),
    /// Media types that are taken: value of `Accept`.
    Accept(Box<str>),
    /// Bodies are taken without a coding.
    Identity,
}

/// A call declined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: Reason,
    /// What else is to be said.
    pub detail: Detail,
}

impl Refusal {
    /// With its reason alone.
    pub const fn new(reason: Reason) -> Self {
        Self { reason, detail: Detail::None }
    }
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

#[cfg(test)]
mod tests;
