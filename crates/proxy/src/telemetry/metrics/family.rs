//! The metric families: name, kind, labels and help of each. `docs/metrics.md` is compared with this.

/// Kind of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Cumulative buckets, sum and count.
    Histogram,
}

impl Kind {
    /// The word of the `# TYPE` line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric family.
#[derive(Debug)]
pub struct Family {
    /// Name, unit and `_total` included.
    pub name: &'static str,
    /// Kind.
    pub kind: Kind,
    /// Names of its labels (`le` of histograms aside).
    pub labels: &'static [&'static str],
    /// One sentence.
    pub help: &'static str,
}

macro_rules! families {
    ($($id:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(pub(super) static $id: Family = Family {
            name: $name, kind: Kind::$kind, labels: &[$($label),*], help: $help,
        };)*
        /// Every family, in the order in which they are written.
        pub static FAMILIES: &[&Family] = &[$(&$id),*];
    };
}

families! {
    BUILD_INFO = Gauge "portway_build_info" ["version"] "Always 1; the version stands in the label.";
    START_TIME = Gauge "portway_start_time_seconds" [] "When the process started, seconds since 1970.";
    WORKERS = Gauge "portway_workers" [] "Threads that carry calls.";

    CALLS = Counter "portway_calls_total" ["service", "class"] "Finished calls by service and class of status.";
    DURATION = Histogram "portway_call_duration_seconds" ["service"] "From the first byte of the request to the last of the answer.";
    RECEIVED = Counter "portway_received_bytes_total" ["service"] "Bytes of request bodies.";
    SENT = Counter "portway_sent_bytes_total" ["service"] "Bytes of answer bodies.";
    OPERATION_CALLS = Counter "portway_operation_calls_total" ["service", "operation", "class"] "Finished calls by operation and class of status.";
    OPERATION_SECONDS = Counter "portway_operation_seconds_total" ["service", "operation"] "Durations of the calls of an operation, added up.";
    OPERATION_BREACHES = Counter "portway_operation_breaches_total" ["service", "operation", "action"] "Calls that do not keep their contract, by operation: refused, or reported and let through.";
    ANSWERS_CHECKED = Counter "portway_answers_checked_total" ["service", "operation", "result"] "Answers that were checked against the contract: kept, broken, of a status that is not described, or not to be checked (too large, or encoded).";
    OUTCOMES = Counter "portway_outcomes_total" ["outcome"] "Finished calls by outcome: ok, the word of a refusal, or of a fault.";
    CALLS_IN_FLIGHT = Gauge "portway_calls_in_flight" [] "Calls under way.";

    ACCEPTED = Counter "portway_connections_accepted_total" ["listener"] "Connections of callers that came in.";
    CONNECTIONS = Gauge "portway_connections" ["listener", "protocol"] "Connections of callers that are open.";
    HANDSHAKES = Counter "portway_tls_handshakes_total" ["listener", "result"] "TLS handshakes with callers.";
    ACCEPT_FAILURES = Counter "portway_accept_failures_total" [] "Connections that could not be accepted.";
    PROXY_HEADERS_INVALID = Counter "portway_proxy_headers_invalid_total" [] "Connections closed for a missing or wrong PROXY protocol header.";
    HTTP2_RESETS = Counter "portway_http2_resets_total" ["by"] "HTTP/2 streams of callers that were reset.";
    BOUNDS_REACHED = Counter "portway_bounds_reached_total" ["bound"] "How often a bound was reached; the names are those of gateway.bounds, and http2.frames: HTTP/2 frames that belong to no call.";

    RETRIES = Counter "portway_retries_total" ["result"] "Attempts after the first: made (also those that cost nothing of the budget), or denied by it.";
    HEDGES = Counter "portway_hedges_total" ["result"] "Second attempts while the first was under way: made, and of these won, whose answers came first.";
    POOL_USES = Counter "portway_pool_uses_total" ["connection"] "Attempts by the connection they took: opened, reused, or failed to open.";
    HELD_BYTES = Gauge "portway_held_bytes" [] "Bytes of bodies that are held.";
    POOL_IDLE = Gauge "portway_pool_idle_connections" [] "Connections to backends that carry no call and are kept for the next.";
    LOOKUPS = Counter "portway_lookups_total" ["result"] "Look-ups of names of targets.";
    CHECKS = Counter "portway_checks_total" ["result"] "Active checks of targets.";
    EJECTIONS = Counter "portway_ejections_total" [] "Targets taken out after failures of calls.";
    BODIES_UNCHECKED = Counter "portway_contract_bodies_unchecked_total" [] "Bodies that were let through because they could not be checked: too large, or encoded.";
    BREACHES = Counter "portway_contract_breaches_total" ["action"] "Calls that do not keep their contract: refused, or reported and let through.";
    MOCKS = Counter "portway_mock_answers_total" ["result"] "Calls answered from their contract by a mock, and those it could make no answer for.";
    RULE_BREACHES = Counter "portway_rule_breaches_total" ["action"] "Calls that break a rule for requests: refused, or reported and let through.";
    LEARN_SKIPPED = Counter "portway_learn_skipped_total" [] "Calls of services that are learned that were not looked at, because too many waited.";
    LEARNED = Counter "portway_learned_total" ["result"] "Proposals of contracts: written, or failed to be.";
    BREAKER_OPENINGS = Counter "portway_breaker_openings_total" [] "Breakers of targets that opened.";
    BACKEND_IN_FLIGHT = Gauge "portway_backend_calls_in_flight" ["backend"] "Calls under way at a backend.";
    BACKEND_QUEUE = Gauge "portway_backend_queue" ["backend"] "Calls that wait for a place at a backend.";
    BACKEND_AWAITING = Gauge "portway_backend_calls_awaiting" ["backend"] "Calls at a backend whose answers have not begun.";
    BACKEND_LIMIT = Gauge "portway_backend_calls_awaiting_limit" ["backend"] "The most calls whose answers have not begun that a backend gets at once, as it is now.";
    BACKEND_LIMITED = Gauge "portway_backend_overloaded" ["backend"] "1 while a backend gets fewer calls at once because it cannot keep up with more.";
    BACKEND_REFUSED = Counter "portway_backend_refused_total" ["backend", "priority"] "Calls that were refused because a backend had no place for them, by priority.";
    ENDPOINT_UP = Gauge "portway_endpoint_up" ["backend", "endpoint"] "1: the endpoint takes calls; 0: it is out.";
    ENDPOINT_BREAKER = Gauge "portway_endpoint_breaker" ["backend", "endpoint"] "Breaker of the endpoint: 0 closed, 1 half open, 2 open.";
    ENDPOINT_IN_FLIGHT = Gauge "portway_endpoint_calls_in_flight" ["backend", "endpoint"] "Calls under way at an endpoint.";
    VIEWS_OMITTED = Gauge "portway_metrics_endpoints_omitted" [] "Endpoints and backends beyond the ceiling that are not shown.";

    SNAPSHOT_INFO = Gauge "portway_snapshot_info" ["hash"] "Always 1; hash of the snapshot that serves.";
    SNAPSHOT_PUBLISHED = Gauge "portway_snapshot_published_seconds" [] "When the snapshot was published, seconds since 1970.";
    SNAPSHOT_AGE = Gauge "portway_snapshot_age_seconds" [] "How long the snapshot has been serving.";
    SNAPSHOT_FAULTY = Gauge "portway_snapshot_last_load_failed" [] "1: the documents on disk do not compile, an older snapshot serves.";
    SNAPSHOT_LOADS = Counter "portway_snapshot_loads_total" ["result"] "Documents read after a change: published, or rejected.";
    CERTIFICATE_LOADS = Counter "portway_certificate_loads_total" ["result"] "Certificates read again.";

    LOG_LINES = Counter "portway_log_lines_total" ["result"] "Lines of the call log: written, or dropped.";
    LOG_ERRORS = Counter "portway_log_errors_total" [] "Writes of the call log that failed.";
    TRACE_SPANS = Counter "portway_trace_spans_total" ["result"] "Spans for the collector: sent, dropped for want of room or patience, or refused by it.";
    TRACE_REQUESTS = Counter "portway_trace_requests_total" ["result"] "Requests to the collector: ok, or failed.";
    PANICS = Counter "portway_panics_total" [] "Tasks that panicked and were fenced.";
    SERIES = Gauge "portway_metrics_names" ["kind"] "Services and operations that have series of their own.";
    SERIES_CEILING = Gauge "portway_metrics_names_ceiling" ["kind"] "How many may have; further ones are counted as _other.";
}
