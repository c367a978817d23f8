//! Why a message is refused: a closed list, each with a word for logs and metrics, a status and a
//! sentence that may be shown to the peer.
//!
//! A message is refused as a whole; after a refusal the connection cannot be used any further,
//! because it is no longer known where the next message begins.

use std::fmt;

/// The reason a message was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Reject {
    /// The request line is not `method SP target SP version CRLF`.
    RequestLine,
    /// The status line is not `version SP 3DIGIT [SP reason] CRLF`.
    StatusLine,
    /// A status outside 100–599.
    Status,
    /// Neither HTTP/1.0 nor HTTP/1.1.
    Version,
    /// A line ends in a bare LF, or a CR stands anywhere but before LF.
    LineEnd,
    /// A header line continued on the next one (obs-fold).
    Folded,
    /// A field name that is empty, not a token, or followed by white space or no colon.
    FieldName,
    /// A control byte in a field value.
    FieldValue,
    /// More bytes than a head may have.
    HeadTooLarge,
    /// More fields than a head may have.
    TooManyFields,
    /// A target longer than allowed.
    TargetTooLong,
    /// A target with a forbidden byte, a fragment, or in no form that the method allows.
    Target,
    /// No `Host` in an HTTP/1.1 request.
    HostMissing,
    /// More than one `Host`.
    HostRepeated,
    /// A `Host`, or an authority in the target, that is not a plausible host and port.
    HostInvalid,
    /// A target whose authority is not the one in `Host`.
    HostDisagrees,
    /// Both `Content-Length` and `Transfer-Encoding`.
    LengthAndCoding,
    /// More than one `Content-Length`.
    LengthRepeated,
    /// A `Content-Length` that is not 1 to 19 digits.
    LengthInvalid,
    /// A transfer coding other than exactly `chunked`, once.
    TransferCoding,
    /// `Transfer-Encoding` in an HTTP/1.0 message.
    CodingInHttp10,
    /// A `Connection` field with something in it that is not a token, or with too many names.
    Connection,
    /// An `Expect` other than `100-continue`.
    Expectation,
    /// A 101 that nobody asked for, or one that does not say to what it switches.
    UnaskedUpgrade,
    /// A body announced on a status that has none (1xx, 204).
    BodyOnEmptyStatus,
    /// A chunk size that is not 1 to 16 hexadecimal digits.
    ChunkSize,
    /// A chunk's line is malformed or too long, or all extensions together are.
    ChunkLine,
    /// A chunk's data is not followed by CRLF.
    ChunkEnd,
    /// More trailer bytes or fields than allowed.
    TrailersTooLarge,
    /// A body larger than allowed.
    BodyTooLarge,
    /// The peer closed in the middle of a message.
    Truncated,
}

impl Reject {
    /// Every reason, for catalogues and for metrics that want all their series from the start.
    pub const ALL: [Reject; 31] = [
        Reject::RequestLine,
        Reject::StatusLine,
        Reject::Status,
        Reject::Version,
        Reject::LineEnd,
        Reject::Folded,
        Reject::FieldName,
        Reject::FieldValue,
        Reject::HeadTooLarge,
        Reject::TooManyFields,
        Reject::TargetTooLong,
        Reject::Target,
        Reject::HostMissing,
        Reject::HostRepeated,
        Reject::HostInvalid,
        Reject::HostDisagrees,
        Reject::LengthAndCoding,
        Reject::LengthRepeated,
        Reject::LengthInvalid,
        Reject::TransferCoding,
        Reject::CodingInHttp10,
        Reject::Connection,
        Reject::Expectation,
        Reject::UnaskedUpgrade,
        Reject::BodyOnEmptyStatus,
        Reject::ChunkSize,
        Reject::ChunkLine,
        Reject::ChunkEnd,
        Reject::TrailersTooLarge,
        Reject::BodyTooLarge,
        Reject::Truncated,
    ];

    /// The stable word in logs and metrics.
    pub fn word(self) -> &'static str {
        match self {
            Reject::RequestLine => "request_line",
            Reject::StatusLine => "status_line",
            Reject::Status => "status",
            Reject::Version => "version",
            Reject::LineEnd => "line_end",
            Reject::Folded => "folded",
            Reject::FieldName => "field_name",
            Reject::FieldValue => "field_value",
            Reject::HeadTooLarge => "head_too_large",
            Reject::TooManyFields => "too_many_fields",
            Reject::TargetTooLong => "target_too_long",
            Reject::Target => "target",
            Reject::HostMissing => "host_missing",
            Reject::HostRepeated => "host_repeated",
            Reject::HostInvalid => "host_invalid",
            Reject::HostDisagrees => "host_disagrees",
            Reject::LengthAndCoding => "length_and_coding",
            Reject::LengthRepeated => "length_repeated",
            Reject::LengthInvalid => "length_invalid",
            Reject::TransferCoding => "transfer_coding",
            Reject::CodingInHttp10 => "coding_in_http10",
            Reject::Connection => "connection",
            Reject::Expectation => "expectation",
            Reject::UnaskedUpgrade => "unasked_upgrade",
            Reject::BodyOnEmptyStatus => "body_on_empty_status",
            Reject::ChunkSize => "chunk_size",
            Reject::ChunkLine => "chunk_line",
            Reject::ChunkEnd => "chunk_end",
            Reject::TrailersTooLarge => "trailers_too_large",
            Reject::BodyTooLarge => "body_too_large",
            Reject::Truncated => "truncated",
        }
    }

    /// The status with which a server answers a request refused for this reason. For a response
    /// it says nothing: there the gateway answers its own caller with a 502.
    pub fn status(self) -> u16 {
        match self {
            Reject::Version => 505,
            Reject::HeadTooLarge | Reject::TooManyFields | Reject::TrailersTooLarge => 431,
            Reject::TargetTooLong => 414,
            Reject::TransferCoding => 501,
            Reject::Expectation => 417,
            Reject::BodyTooLarge => 413,
            Reject::RequestLine
            | Reject::StatusLine
            | Reject::Status
            | Reject::LineEnd
            | Reject::Folded
            | Reject::FieldName
            | Reject::FieldValue
            | Reject::Target
            | Reject::HostMissing
            | Reject::HostRepeated
            | Reject::HostInvalid
            | Reject::HostDisagrees
            | Reject::LengthAndCoding
            | Reject::LengthRepeated
            | Reject::LengthInvalid
            | Reject::CodingInHttp10
            | Reject::Connection
            | Reject::UnaskedUpgrade
            | Reject::BodyOnEmptyStatus
            | Reject::ChunkSize
            | Reject::ChunkLine
            | Reject::ChunkEnd
            | Reject::Truncated => 400,
        }
    }

    /// One sentence that may be shown to anybody: it repeats nothing of the message.
    pub fn sentence(self) -> &'static str {
        match self {
            Reject::RequestLine => {
                "the request line must be a method, a target and a version, with one space between them"
            }
            Reject::StatusLine => "the status line must be a version, a status and a reason",
            Reject::Status => "the status must be a number from 100 to 599",
            Reject::Version => "only HTTP/1.0 and HTTP/1.1 are spoken here",
            Reject::LineEnd => {
                "every line of a head must end in CR LF, and neither may stand alone"
            }
            Reject::Folded => "a header must not be continued on a second line",
            Reject::FieldName => "a header name must be a token with a colon directly after it",
            Reject::FieldValue => "a header value must not contain control characters",
            Reject::HeadTooLarge => "the head of the message is too large",
            Reject::TooManyFields => "the message has too many headers",
            Reject::TargetTooLong => "the request target is too long",
            Reject::Target => "the request target is malformed or not allowed for this method",
            Reject::HostMissing => "an HTTP/1.1 request must have a Host header",
            Reject::HostRepeated => "a request must have one Host header only",
            Reject::HostInvalid => "the host must be a name or an address, with a port or without",
            Reject::HostDisagrees => "the Host header and the request target name different hosts",
            Reject::LengthAndCoding => {
                "a message must not have both Content-Length and Transfer-Encoding"
            }
            Reject::LengthRepeated => "a message must have one Content-Length only",
            Reject::LengthInvalid => "Content-Length must be a plain decimal number",
            Reject::TransferCoding => "the only transfer coding understood here is chunked",
            Reject::CodingInHttp10 => "an HTTP/1.0 message must not have Transfer-Encoding",
            Reject::Connection => "the Connection header must be a list of a few names",
            Reject::Expectation => "the only expectation understood here is 100-continue",
            Reject::UnaskedUpgrade => "the protocol was switched without having been asked",
            Reject::BodyOnEmptyStatus => "a body is announced on a status that has none",
            Reject::ChunkSize => "a chunk size must be a plain hexadecimal number",
            Reject::ChunkLine => "the line before a chunk is malformed or too long",
            Reject::ChunkEnd => "a chunk must end where its size says, in CR LF",
            Reject::TrailersTooLarge => "the trailers are too large",
            Reject::BodyTooLarge => "the body is too large",
            Reject::Truncated => "the connection was closed in the middle of a message",
        }
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

impl std::error::Error for Reject {}
