//! Everything known of one call, as plain borrowed data.
//!
//! The engine fills it on the way and hands it over once, when the body has ended or was dropped. It
//! holds nothing that may be secret: no query, no header value but the user agent, no key. The one body that it can
//! hold a piece of is a page of an error, where a service asks for that.

use std::net::{IpAddr, SocketAddr};

use super::privacy::Client;

/// How many phases are timed.
pub const PHASES: usize = 8;

/// The timed phases, in the order of [`CallRecord::phases_us`]. `accept` belongs to the connection and
/// `record` is what writes the line, so neither stands here.
pub const PHASE_WORDS: [&str; PHASES] =
    ["route", "identify", "permit", "admit", "check", "shape", "dispatch", "reshape"];

/// What the caller speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.0 or 1.1.
    Http1,
    /// HTTP/2.
    Http2,
}

impl Protocol {
    /// The word in the log.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Http1 => "http/1",
            Self::Http2 => "http/2",
        }
    }
}

/// Whose doing the outcome is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answerer {
    /// The caller ended the call.
    Caller,
    /// The backend answered, or failed.
    Backend,
    /// Portway answered by itself: a refusal, a preflight, a mock, a fault of its own.
    Gateway,
}

impl Answerer {
    /// The word in the log.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Backend => "backend",
            Self::Gateway => "gateway",
        }
    }
}

impl From<crate::failure::Source> for Answerer {
    fn from(source: crate::failure::Source) -> Self {
        match source {
            crate::failure::Source::Caller => Self::Caller,
            crate::failure::Source::Backend => Self::Backend,
            crate::failure::Source::Gateway => Self::Gateway,
        }
    }
}

/// The tightest limit that the call was counted against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitShown<'a> {
    /// The limit as it is named towards callers.
    pub name: &'a str,
    /// Calls left in the window.
    pub remaining: u64,
    /// Seconds until there are more.
    pub reset_s: u32,
}

/// Everything known of one call. Empty text means unknown and is not written.
#[derive(Debug, Clone)]
pub struct CallRecord<'a> {
    /// When the call's first byte came, milliseconds since 1970.
    pub unix_ms: u64,
    /// The id that callers and backends see as `X-Request-Id`.
    pub request_id: &'a [u8],
    /// W3C trace id, 32 hex digits.
    pub trace_id: &'a [u8],
    /// W3C id of the span between the gateway and the backend, 16 hex digits.
    pub span_id: &'a [u8],
    /// Who called, after trusted proxies, as far as it is shown.
    pub client: Client,
    /// What the caller speaks.
    pub protocol: Protocol,
    /// Whether the caller came over TLS.
    pub tls: bool,
    /// Method, as it came.
    pub method: &'a [u8],
    /// Host, as it came, without the port.
    pub host: &'a [u8],
    /// Path without the query: canonical, or as it came where it could not be made so.
    pub path: &'a [u8],
    /// Name of the service.
    pub service: &'a str,
    /// Id of the operation.
    pub operation: &'a str,
    /// Public path template of the operation.
    pub route: &'a str,
    /// Name of the app.
    pub app: &'a str,
    /// Name of the app's plan.
    pub plan: &'a str,
    /// Status of the answer; where none was begun, that of the fault.
    pub status: u16,
    /// `ok`, or the word of the refusal or fault.
    pub outcome: &'a str,
    /// Whose doing the outcome is.
    pub source: Answerer,
    /// Bytes of the request's body.
    pub bytes_in: u64,
    /// Bytes of the answer's body.
    pub bytes_out: u64,
    /// Microseconds from the first byte of the request to the last of the answer.
    pub total_us: u64,
    /// Microseconds of each phase, as in [`PHASE_WORDS`]; `dispatch` ends with the first byte of the
    /// backend's answer.
    pub phases_us: [u32; PHASES],
    /// Attempts at a backend.
    pub tries: u8,
    /// The target of the last attempt.
    pub target: Option<SocketAddr>,
    /// A mock answered instead of a target.
    pub mocked: bool,
    /// Whether the last attempt went over a connection that was open already.
    pub reused: bool,
    /// The tightest limit.
    pub limit: Option<LimitShown<'a>>,
    /// What of the contract the call does not keep.
    pub misfits: &'a str,
    /// What of the contract its answer does not keep, if that was checked.
    pub answer_misfits: &'a str,
    /// `User-Agent` of the caller.
    pub user_agent: &'a [u8],
    /// How the application's page of an error began, where the service asks for it.
    pub error_page: &'a [u8],
    /// The headers and parameters that the fields of the log ask for, in their order; empty ones are not there.
    pub gathered: &'a [&'a [u8]],
}

impl CallRecord<'_> {
    /// A record of which only the time and the caller are known.
    pub const fn new(unix_ms: u64, client: IpAddr) -> Self {
        Self {
            unix_ms,
            request_id: b"",
            trace_id: b"",
            span_id: b"",
            client: Client::Address(client),
            protocol: Protocol::Http1,
            tls: false,
            method: b"",
            host: b"",
            path: b"",
            service: "",
            operation: "",
            route: "",
            app: "",
            plan: "",
            status: 0,
            outcome: "ok",
            source: Answerer::Backend,
            bytes_in: 0,
            bytes_out: 0,
            total_us: 0,
            phases_us: [0; PHASES],
            tries: 0,
            target: None,
            mocked: false,
            reused: false,
            limit: None,
            misfits: "",
            answer_misfits: "",
            user_agent: b"",
            error_page: b"",
            gathered: &[],
        }
    }
}
