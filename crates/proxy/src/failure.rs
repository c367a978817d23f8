//! Something broke on the way of a call: whose fault, what kind, may it be tried again.
//!
//! A refusal (saying no) is not a failure; those live in the `policy` room. This file knows no HTTP
//! beyond the status each kind answers with; writing the answer belongs to `respond`.

/// What broke. One word for it in answers, metrics and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Fault {
    /// The backend's name has no address, and never had one.
    DnsFailed,
    /// Every target is out: checks, ejection or open breakers.
    NoTarget,
    /// The backend has as many calls as it may have, and the queue is full.
    QueueFull,
    /// The call waited for a place at the backend as long as it may.
    QueueTimeout,
    /// The target did not accept the connection.
    ConnectFailed,
    /// The target did not accept the connection in time.
    ConnectTimeout,
    /// TLS with the target failed: certificate, name or protocol.
    TlsFailed,
    /// The target closed or reset the connection before its answer's head was whole.
    BackendClosed,
    /// What the target sent is not HTTP that can be passed on safely.
    BackendInvalid,
    /// The head of the target's answer is larger than allowed.
    BackendHeadTooLarge,
    /// The target did not begin its answer in time.
    FirstByteTimeout,
    /// The call took longer than its `timeout` before an answer began.
    CallTimeout,
    /// The target stopped in the middle of its answer's body.
    BackendBodyBroken,
    /// The target paused too long in the middle of its answer's body.
    BackendBodyTimeout,
    /// The application answered with an error whose page is hidden.
    BackendError,
    /// A mock could make no answer from the contract.
    NoExample,
    /// The caller went away.
    CallerGone,
    /// The caller did not take what was sent to it in time.
    CallerTooSlow,
    /// A fault of Portway itself.
    Internal,
}

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The caller.
    Caller,
    /// The backend, or the way to it.
    Backend,
    /// Portway.
    Gateway,
}

/// Whether the call may be tried again elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retry {
    /// No: an answer has begun, or trying again cannot help.
    Never,
    /// Only if repeating the call does no harm: the target may have begun to work on it.
    IfIdempotent,
    /// Yes: nothing of the call has been sent.
    Yes,
}

/// One failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// What broke.
    pub fault: Fault,
    /// May it be tried again.
    pub retry: Retry,
}

impl Failure {
    /// A failure after which nothing is tried again.
    pub const fn last(fault: Fault) -> Self {
        Self { fault, retry: Retry::Never }
    }

    /// A failure before anything of the call was sent.
    pub const fn unsent(fault: Fault) -> Self {
        Self { fault, retry: Retry::Yes }
    }

    /// A failure after (part of) the call was sent.
    pub const fn sent(fault: Fault) -> Self {
        Self { fault, retry: Retry::IfIdempotent }
    }
}

impl Fault {
    /// All of them, in the order of the catalogue.
    pub const ALL: &'static [Self] = &[
        Self::DnsFailed,
        Self::NoTarget,
        Self::QueueFull,
        Self::QueueTimeout,
        Self::ConnectFailed,
        Self::ConnectTimeout,
        Self::TlsFailed,
        Self::BackendClosed,
        Self::BackendInvalid,
        Self::BackendHeadTooLarge,
        Self::FirstByteTimeout,
        Self::CallTimeout,
        Self::BackendBodyBroken,
        Self::BackendBodyTimeout,
        Self::BackendError,
        Self::NoExample,
        Self::CallerGone,
        Self::CallerTooSlow,
        Self::Internal,
    ];

    /// The word for it in answers, metrics and logs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::DnsFailed => "dns-failed",
            Self::NoTarget => "no-target",
            Self::QueueFull => "queue-full",
            Self::QueueTimeout => "queue-timeout",
            Self::ConnectFailed => "connect-failed",
            Self::ConnectTimeout => "connect-timeout",
            Self::TlsFailed => "tls-failed",
            Self::BackendClosed => "backend-closed",
            Self::BackendInvalid => "backend-invalid",
            Self::BackendHeadTooLarge => "backend-head-too-large",
            Self::FirstByteTimeout => "first-byte-timeout",
            Self::CallTimeout => "call-timeout",
            Self::BackendBodyBroken => "backend-body-broken",
            Self::BackendBodyTimeout => "backend-body-timeout",
            Self::BackendError => "backend-error",
            Self::NoExample => "no-example",
            Self::CallerGone => "caller-gone",
            Self::CallerTooSlow => "caller-too-slow",
            Self::Internal => "internal",
        }
    }

    /// The status of the answer. Faults after the answer began have none to give: theirs stands in the
    /// log only (499 and 504 as the field has them).
    pub const fn status(self) -> u16 {
        match self {
            Self::NoTarget | Self::QueueFull | Self::QueueTimeout => 503,
            Self::DnsFailed
            | Self::ConnectFailed
            | Self::TlsFailed
            | Self::BackendClosed
            | Self::BackendInvalid
            | Self::BackendHeadTooLarge
            | Self::BackendBodyBroken
            | Self::BackendError => 502,
            Self::ConnectTimeout
            | Self::FirstByteTimeout
            | Self::CallTimeout
            | Self::BackendBodyTimeout => 504,
            Self::CallerGone | Self::CallerTooSlow => 499,
            Self::NoExample => 501,
            Self::Internal => 500,
        }
    }

    /// Title of the answer.
    pub const fn title(self) -> &'static str {
        match self {
            Self::NoTarget | Self::QueueFull | Self::QueueTimeout => {
                "The service is busy or unwell"
            }
            Self::DnsFailed | Self::ConnectFailed | Self::TlsFailed => {
                "The service cannot be reached"
            }
            Self::BackendClosed
            | Self::BackendInvalid
            | Self::BackendHeadTooLarge
            | Self::BackendBodyBroken => "The service gave no proper answer",
            Self::ConnectTimeout
            | Self::FirstByteTimeout
            | Self::CallTimeout
            | Self::BackendBodyTimeout => "The service did not answer in time",
            Self::BackendError => "The service failed",
            Self::NoExample => "The contract gives no example of this answer",
            Self::CallerGone | Self::CallerTooSlow => "The caller went away",
            Self::Internal => "Something went wrong in the gateway",
        }
    }

    /// For the catalogue: when it happens, and what can be done.
    pub const fn explanation(self) -> &'static str {
        match self {
            Self::DnsFailed => {
                "The name of the backend has no address and never had one. The operator looks at the name in `backend` and at the resolver."
            }
            Self::NoTarget => {
                "Every target of the backend is out: its checks fail, it was ejected after failures in a row, or its breaker is open. The call may be repeated after `Retry-After`."
            }
            Self::QueueFull => {
                "The backend has as many calls under way as `concurrency.max` allows, or as it can keep up with, and the queue is full or a call of higher priority took the place. The call may be repeated after `Retry-After`."
            }
            Self::QueueTimeout => {
                "The call waited for a place at the backend for `concurrency.queue_timeout`, or, while the backend cannot keep up, as long as an answer takes. It may be repeated after `Retry-After`."
            }
            Self::ConnectFailed => {
                "The target refused the connection or could not be reached. Nothing was sent to it."
            }
            Self::ConnectTimeout => {
                "The target did not accept the connection within `timeouts.connect`. Nothing was sent to it."
            }
            Self::TlsFailed => {
                "The TLS handshake with the target failed: its certificate is not trusted, is for another name, or the protocols do not meet. Nothing was sent to it."
            }
            Self::BackendClosed => {
                "The target closed the connection, or gave the call up, before it answered. It may have worked on the call; calls that may be repeated were, within the budget."
            }
            Self::BackendInvalid => {
                "What the target sent is not valid HTTP, or cannot be passed on without doubt about where the answer ends."
            }
            Self::BackendHeadTooLarge => {
                "The head of the target's answer is larger than `head_bytes` of the backend."
            }
            Self::FirstByteTimeout => {
                "The target did not begin its answer within `timeouts.first_byte`."
            }
            Self::CallTimeout => {
                "The call did not get an answer within its `timeout`, all attempts included. Or it was not over within `bounds.call_timeout`, whoever was slow, a stream or a WebSocket included: then the connection to the caller was cut, and only the log shows this."
            }
            Self::BackendBodyBroken => {
                "The target stopped in the middle of the body. The answer had begun, so the connection to the caller was cut: a cut answer is never passed off as a whole one."
            }
            Self::BackendBodyTimeout => {
                "The target paused in the middle of the body for `timeouts.idle`, or on a WebSocket nothing moved for so long. The connection to the caller was cut."
            }
            Self::BackendError => {
                "The application answered with a status of 5xx, and `answers.hide_errors` of the service hides its page. The answer has the application's own status, which 502 stands for here, and its `Retry-After`. With `log_bytes`, the log line shows how the page began."
            }
            Self::NoExample => {
                "The operation is answered by a mock, and no answer can be made: the contract gives no example, and its schema contradicts itself, asks for more than is ever made, or describes a format that is made from examples only (XML, say). The member `errors` of the answer says which. Add an example to the contract."
            }
            Self::CallerGone => {
                "The caller closed the connection before the answer was whole. Only the log shows this."
            }
            Self::CallerTooSlow => {
                "The caller did not take what was sent to it for `bounds.write_timeout`, over HTTP/2 for `bounds.http2.stall_timeout` if that is shorter. Only the log shows this."
            }
            Self::Internal => {
                "A fault of Portway itself: the task of the call panicked, and the connection was cut. Only the log shows this, with the request id; please report it."
            }
        }
    }

    /// Whose fault it is.
    pub const fn source(self) -> Source {
        match self {
            Self::CallerGone | Self::CallerTooSlow => Source::Caller,
            Self::NoExample | Self::Internal => Source::Gateway,
            Self::DnsFailed
            | Self::NoTarget
            | Self::QueueFull
            | Self::QueueTimeout
            | Self::ConnectFailed
            | Self::ConnectTimeout
            | Self::TlsFailed
            | Self::BackendClosed
            | Self::BackendInvalid
            | Self::BackendHeadTooLarge
            | Self::FirstByteTimeout
            | Self::CallTimeout
            | Self::BackendBodyBroken
            | Self::BackendBodyTimeout
            | Self::BackendError => Source::Backend,
        }
    }
}
