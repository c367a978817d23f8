//! What can be counted beside calls: closed lists, so that their number of series is fixed.

use portway_policy::Reason;

use super::family::{self, Family};
use crate::failure::Fault;

/// A bound of the settings that was reached. The words are those of `gateway.bounds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Bound {
    /// Bytes of a request's head.
    HeadBytes,
    /// Header fields of a request.
    HeadFields,
    /// Bytes of a request's target.
    TargetBytes,
    /// Bytes of a request's body.
    BodyBytes,
    /// Bytes of all bodies held.
    HeldBytes,
    /// Time for a head.
    HeadTimeout,
    /// Time between two parts of a body.
    BodyTimeout,
    /// Time for a caller to take what is sent to it.
    WriteTimeout,
    /// Time between two calls on a connection.
    IdleTimeout,
    /// Time for a call.
    CallTimeout,
    /// Connections in all.
    Connections,
    /// Connections of one address.
    ConnectionsPerAddress,
    /// HTTP/2 streams of one connection.
    Http2Streams,
    /// HTTP/2 streams that a caller reset.
    Http2Resets,
    /// HTTP/2 frames that belong to no call; the one bound without a setting.
    Http2Frames,
    /// Bytes of all heads of one HTTP/2 connection.
    Http2ConnectionHeadBytes,
    /// Time for an HTTP/2 stream that does not move.
    Http2StallTimeout,
    /// How long a call may wait for its turn.
    Lag,
}

impl Bound {
    /// All of them, in order.
    pub const ALL: &'static [Self] = &[
        Self::HeadBytes,
        Self::HeadFields,
        Self::TargetBytes,
        Self::BodyBytes,
        Self::HeldBytes,
        Self::HeadTimeout,
        Self::BodyTimeout,
        Self::WriteTimeout,
        Self::IdleTimeout,
        Self::CallTimeout,
        Self::Connections,
        Self::ConnectionsPerAddress,
        Self::Http2Streams,
        Self::Http2Resets,
        Self::Http2Frames,
        Self::Http2ConnectionHeadBytes,
        Self::Http2StallTimeout,
        Self::Lag,
    ];

    /// The name of the setting.
    pub const fn word(self) -> &'static str {
        match self {
            Self::HeadBytes => "head_bytes",
            Self::HeadFields => "head_fields",
            Self::TargetBytes => "target_bytes",
            Self::BodyBytes => "body_bytes",
            Self::HeldBytes => "held_bytes",
            Self::HeadTimeout => "head_timeout",
            Self::BodyTimeout => "body_timeout",
            Self::WriteTimeout => "write_timeout",
            Self::IdleTimeout => "idle_timeout",
            Self::CallTimeout => "call_timeout",
            Self::Connections => "connections",
            Self::ConnectionsPerAddress => "connections_per_address",
            Self::Http2Streams => "http2.streams",
            Self::Http2Resets => "http2.resets",
            Self::Http2Frames => "http2.frames",
            Self::Http2ConnectionHeadBytes => "http2.connection_head_bytes",
            Self::Http2StallTimeout => "http2.stall_timeout",
            Self::Lag => "lag",
        }
    }
}

/// Something that happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Event {
    /// A call was tried again.
    Retry,
    /// A call could have been tried again, but the budget for it was spent.
    RetryDenied,
    /// A second target was asked because the first was slow.
    HedgeMade,
    /// And its answer came first.
    HedgeWon,
    /// A connection to a backend was opened.
    PoolOpened,
    /// A call went over a connection that was open already.
    PoolReused,
    /// A connection to a backend could not be opened.
    PoolFailed,
    /// A caller reset an HTTP/2 stream.
    Http2ResetByCaller,
    /// Portway reset an HTTP/2 stream of a caller.
    Http2ResetByGateway,
    /// A connection could not be accepted (no more file descriptors, for example).
    AcceptFailed,
    /// A PROXY protocol header was missing or wrong.
    ProxyHeaderInvalid,
    /// A name was looked up.
    LookupOk,
    /// A name could not be looked up.
    LookupFailed,
    /// A check of a target succeeded.
    CheckOk,
    /// A check of a target failed.
    CheckFailed,
    /// A target was taken out after failures of calls.
    Ejected,
    /// A breaker opened.
    BreakerOpened,
    /// A call that does not keep its contract was let through and reported.
    BreachReported,
    /// A call that does not keep its contract was refused.
    BreachRefused,
    /// A body was let through that could not be checked.
    BodyUnchecked,
    /// A call was answered from the contract.
    MockAnswered,
    /// No answer could be made from the contract.
    MockUnmade,
    /// A call that breaks a rule for requests was let through and reported.
    RuleReported,
    /// A call that breaks a rule for requests was refused.
    RuleRefused,
    /// A call of a service that is learned was not looked at, because too many waited.
    LearnSkipped,
    /// A proposal was written.
    LearnedWritten,
    /// A proposal could not be written.
    LearnedFailed,
    /// A snapshot was published.
    SnapshotPublished,
    /// Documents did not compile; the running snapshot stayed.
    SnapshotRejected,
    /// A certificate was read again.
    CertificateReloaded,
    /// A certificate could not be read again; the old one stayed.
    CertificateRejected,
    /// A task panicked and was fenced.
    Panicked,
}

/// A label and its value.
pub(super) type Label = (&'static str, &'static str);

impl Event {
    /// All of them, in order; those of one family stand together.
    pub const ALL: &'static [Self] = &[
        Self::Retry,
        Self::RetryDenied,
        Self::HedgeMade,
        Self::HedgeWon,
        Self::PoolOpened,
        Self::PoolReused,
        Self::PoolFailed,
        Self::Http2ResetByCaller,
        Self::Http2ResetByGateway,
        Self::AcceptFailed,
        Self::ProxyHeaderInvalid,
        Self::LookupOk,
        Self::LookupFailed,
        Self::CheckOk,
        Self::CheckFailed,
        Self::Ejected,
        Self::BreakerOpened,
        Self::BreachReported,
        Self::BreachRefused,
        Self::BodyUnchecked,
        Self::MockAnswered,
        Self::MockUnmade,
        Self::RuleReported,
        Self::RuleRefused,
        Self::LearnSkipped,
        Self::LearnedWritten,
        Self::LearnedFailed,
        Self::SnapshotPublished,
        Self::SnapshotRejected,
        Self::CertificateReloaded,
        Self::CertificateRejected,
        Self::Panicked,
    ];

    pub(super) const fn series(self) -> (&'static Family, Option<Label>) {
        match self {
            Self::Retry => (&family::RETRIES, Some(("result", "made"))),
            Self::RetryDenied => (&family::RETRIES, Some(("result", "denied"))),
            Self::HedgeMade => (&family::HEDGES, Some(("result", "made"))),
            Self::HedgeWon => (&family::HEDGES, Some(("result", "won"))),
            Self::PoolOpened => (&family::POOL_USES, Some(("connection", "opened"))),
            Self::PoolReused => (&family::POOL_USES, Some(("connection", "reused"))),
            Self::PoolFailed => (&family::POOL_USES, Some(("connection", "failed"))),
            Self::Http2ResetByCaller => (&family::HTTP2_RESETS, Some(("by", "caller"))),
            Self::Http2ResetByGateway => (&family::HTTP2_RESETS, Some(("by", "gateway"))),
            Self::AcceptFailed => (&family::ACCEPT_FAILURES, None),
            Self::ProxyHeaderInvalid => (&family::PROXY_HEADERS_INVALID, None),
            Self::LookupOk => (&family::LOOKUPS, Some(("result", "ok"))),
            Self::LookupFailed => (&family::LOOKUPS, Some(("result", "failed"))),
            Self::CheckOk => (&family::CHECKS, Some(("result", "ok"))),
            Self::CheckFailed => (&family::CHECKS, Some(("result", "failed"))),
            Self::Ejected => (&family::EJECTIONS, None),
            Self::BreakerOpened => (&family::BREAKER_OPENINGS, None),
            Self::BreachReported => (&family::BREACHES, Some(("action", "reported"))),
            Self::BreachRefused => (&family::BREACHES, Some(("action", "refused"))),
            Self::BodyUnchecked => (&family::BODIES_UNCHECKED, None),
            Self::MockAnswered => (&family::MOCKS, Some(("result", "made"))),
            Self::MockUnmade => (&family::MOCKS, Some(("result", "failed"))),
            Self::RuleReported => (&family::RULE_BREACHES, Some(("action", "reported"))),
            Self::RuleRefused => (&family::RULE_BREACHES, Some(("action", "refused"))),
            Self::LearnSkipped => (&family::LEARN_SKIPPED, None),
            Self::LearnedWritten => (&family::LEARNED, Some(("result", "written"))),
            Self::LearnedFailed => (&family::LEARNED, Some(("result", "failed"))),
            Self::SnapshotPublished => (&family::SNAPSHOT_LOADS, Some(("result", "published"))),
            Self::SnapshotRejected => (&family::SNAPSHOT_LOADS, Some(("result", "rejected"))),
            Self::CertificateReloaded => (&family::CERTIFICATE_LOADS, Some(("result", "ok"))),
            Self::CertificateRejected => (&family::CERTIFICATE_LOADS, Some(("result", "failed"))),
            Self::Panicked => (&family::PANICS, None),
        }
    }
}

/// What came of the check of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum AnswerResult {
    /// It keeps the contract, as far as that says something of it.
    Kept,
    /// It does not.
    Broken,
    /// The contract does not describe its status.
    Undescribed,
    /// It could not be checked: too large, or encoded.
    Unchecked,
}

impl AnswerResult {
    /// All of them, in order.
    pub const ALL: &'static [Self] =
        &[Self::Kept, Self::Broken, Self::Undescribed, Self::Unchecked];

    /// The value of the label.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Broken => "broken",
            Self::Undescribed => "undescribed",
            Self::Unchecked => "unchecked",
        }
    }
}

/// Something of which there are more or fewer at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Gauge {
    /// Calls under way.
    CallsInFlight,
    /// Connections to backends that wait for a call.
    PoolIdle,
    /// Bytes of bodies that are held.
    HeldBytes,
}

impl Gauge {
    /// All of them, in order; those of one family stand together.
    pub const ALL: &'static [Self] = &[Self::CallsInFlight, Self::PoolIdle, Self::HeldBytes];

    pub(super) const fn series(self) -> (&'static Family, Option<Label>) {
        match self {
            Self::CallsInFlight => (&family::CALLS_IN_FLIGHT, None),
            Self::PoolIdle => (&family::POOL_IDLE, None),
            Self::HeldBytes => (&family::HELD_BYTES, None),
        }
    }
}

/// What a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Wire {
    /// Not known yet.
    Unknown,
    /// HTTP/1.
    Http1,
    /// HTTP/2.
    Http2,
    /// Whatever was upgraded to (WebSocket, for example).
    Upgraded,
}

impl Wire {
    /// All of them, in order.
    pub const ALL: &'static [Self] = &[Self::Unknown, Self::Http1, Self::Http2, Self::Upgraded];

    /// The value of the label.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Http1 => "http/1",
            Self::Http2 => "http/2",
            Self::Upgraded => "upgraded",
        }
    }
}

/// How a call ended: well, with a refusal, or with a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutcomeId(u8);

impl OutcomeId {
    /// How many there are.
    pub const COUNT: usize = 1 + Reason::ALL.len() + Fault::ALL.len();

    /// The call got the answer of its backend.
    pub const OK: Self = Self(0);

    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }

    /// Its word in the log and in metrics.
    pub fn word(self) -> &'static str {
        match self.index() {
            0 => "ok",
            index if index <= Reason::ALL.len() => Reason::ALL[index - 1].word(),
            index => Fault::ALL[index - 1 - Reason::ALL.len()].word(),
        }
    }

    /// The word of each, by index.
    pub fn words() -> impl Iterator<Item = &'static str> {
        std::iter::once("ok")
            .chain(Reason::ALL.iter().map(|reason| reason.word()))
            .chain(Fault::ALL.iter().map(|fault| fault.word()))
    }
}

impl From<Reason> for OutcomeId {
    fn from(reason: Reason) -> Self {
        Self(1 + reason as u8)
    }
}

impl From<Fault> for OutcomeId {
    fn from(fault: Fault) -> Self {
        Self(1 + Reason::ALL.len() as u8 + fault as u8)
    }
}
