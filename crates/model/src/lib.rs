//! The nouns of Portway as documents: what somebody wrote.
//!
//! A document serialises and never acts. It assumes nothing about where its text came from: reading
//! files belongs to the binary, meaning belongs to the `snapshot` room. What this room does know is
//! where in the text each thing stands, so that every later mistake can be told with file, line and
//! column.

pub mod answers;
pub mod app;
pub mod backend;
pub mod cases;
pub mod certificates;
mod check;
pub mod check_bounds;
mod conform;
pub mod diagnostic;
pub mod document;
mod finding;
mod format;
pub mod gateway;
pub mod learn;
pub mod limit;
pub mod log_fields;
pub mod mock;
pub mod name;
mod path;
mod place;
pub mod plan;
pub mod privacy;
pub mod read;
pub mod reference;
pub mod requests;
pub mod schema;
pub mod secret;
pub mod service;
pub mod settings;
mod shape;
pub mod share;
pub mod sources;
mod suggest;
pub mod syntax;
pub mod text;
pub mod traces;
pub mod units;

pub use answers::{Answers, Cookies, HideErrors, Mask, SameSite, Secure, SecurityHeaders};
pub use app::{App, AppKey, HmacKey, SigningAlgorithm, SigningKey};
pub use backend::{
    Active, Backend, BackendTls, Balance, Breaker, Concurrency, Credentials, HashOn, HostHeader,
    Passive, Probe, Protocol, Retries, Target, Timeouts,
};
pub use cases::{
    Case, CaseRequest, CaseText, Cases, Expected, ExpectedField, ExpectedRequest, ReadCases,
    read_cases,
};
pub use certificates::{AppCertificate, ClientCertificates, CrlStale};
pub use check_bounds::CheckBounds;
pub use diagnostic::{Diagnostic, Location, Severity, summary};
pub use document::Document;
pub use gateway::{
    Bounds, Certificate, Gateway, Http2Bounds, ListenerDocument, LogFormat, Logging, TlsDocument,
};
pub use learn::Learn;
pub use limit::{Limit, LimitBy, Period, Quota, QuotaPeriod};
pub use log_fields::{LOG_FIELDS, LogField};
pub use mock::Mock;
pub use name::Name;
pub use plan::{Plan, Priority};
pub use privacy::{AppShown, ClientShown, PathShown, Privacy, TextShown};
pub use read::{Documents, Include, Remembered, SourceFile, includes, read, read_again};
pub use reference::reference_markdown;
pub use requests::{
    Coding, Compression, HeaderRules, PairRules, Permission, Requests, Uploads, ValueRule,
};
pub use schema::{cases_json_schema, json_schema};
pub use secret::SecretRef;
pub use service::{
    Auth, AuthKind, Check, Cors, ErrorForm, HmacAuth, HmacForm, KeyAuth, MtlsAuth, NonceUse,
    OperationPolicy, RoutePattern, Service, SignatureAuth,
};
pub use settings::{Override, Setting, settings};
pub use share::Share;
pub use sources::Sources;
pub use suggest::closest;
pub use syntax::Format;
pub use text::Malformed;
pub use traces::{FollowedParent, TraceErrors, Traces};
pub use units::{ByteSize, Duration};
