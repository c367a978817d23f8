//! Where a call goes: targets, how one is chosen, how long it may take, what happens when it fails.
//!
//! A backend is written as one address, as a list of addresses, or as a map with details.

use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::text::{Malformed, written_as_text};
use crate::{ByteSize, Duration, Mock, SecretRef, shape};

/// Where the calls of a service go. Written as one address, as a list of addresses that answer alike, as a map
/// with details, or as `mock`: then answers are made from the contract.
///
// The derived code is that of the map form only (`remote = "Self"` makes it inherent functions); the
// short forms are added by hand below, so that each form has errors of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schemars(transform = backend_forms)]
#[schemars(title = "backend", extend("x-portway-either" = ["targets", "mock"]))]
pub struct Backend {
    /// Addresses that answer alike: one, or a list. At least one, but for a mock, which has none.
    #[serde(
        default,
        deserialize_with = "one_or_more",
        serialize_with = "one_or_list",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(schema_with = "targets_schema")]
    pub targets: Vec<Target>,
    /// How a target is chosen. Default `round_robin`.
    #[serde(default, skip_serializing_if = "shape::is_default")]
    pub balance: Balance,
    /// Protocol towards the targets. Default `http1`.
    #[serde(default, skip_serializing_if = "shape::is_default")]
    pub protocol: Protocol,
    /// What `Host` the backend sees. Default `target`.
    #[serde(default, skip_serializing_if = "shape::is_default")]
    pub host: HostHeader,
    /// TLS towards `https` targets.
    #[serde(default, skip_serializing_if = "shape::is_default")]
    pub tls: BackendTls,
    /// Time limits.
    #[serde(default, skip_serializing_if = "shape::is_default")]
    pub timeouts: Timeouts,
    /// Attempts after the first.
    #[serde(default, skip_serializing_if = "shape::is_default")]
    pub retries: Retries,
    /// Checks made from time to time. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<Active>,
    /// What is learnt from calls that failed.
    #[serde(default, skip_serializing_if = "shape::is_default")]
    pub passive: Passive,
    /// When a target is given a rest.
    #[serde(default, skip_serializing_if = "shape::is_default")]
    pub breaker: Breaker,
    /// A target that was added or came back gets its full share only after this time. Default: at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slow_start: Option<Duration>,
    /// How many calls at once.
    #[serde(default, skip_serializing_if = "shape::is_default")]
    pub concurrency: Concurrency,
    /// What the gateway shows the backend to prove itself. The caller's own credentials never go there.
    #[serde(default, skip_serializing_if = "shape::is_default")]
    #[schemars(extend("x-portway-hidden" = true))]
    pub credentials: Vec<Credentials>,
    /// The most bytes of an answer's head. Default 64KiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_bytes: Option<ByteSize>,
    /// Answers are made from the contract instead; nothing else is said beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mock: Option<Mock>,
    /// Name of a header in which the backend is told how many milliseconds the call has left. A caller may send a smaller number in it.
    /// Default: none. The `grpc-timeout` of a gRPC call is always handed on with what is left of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "portway-header"))]
    pub deadline_header: Option<String>,
    /// Whether a second target is asked when the first is slow. Default: no.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hedge: Option<Hedge>,
}

/// A second attempt while the first is under way. Only for calls without a body that may be repeated, and within the budget of
/// `retries`; not while the backend cannot keep up. The answer that begins first counts, and the other attempt is given up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "hedge")]
pub struct Hedge {
    /// How long the first attempt may take until the second begins.
    pub after: Duration,
}

/// One address. Written as a URL, or as a map `{ url, weight }`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schemars(transform = target_forms)]
#[schemars(title = "target")]
pub struct Target {
    /// `http://` or `https://`, host, optional port, optional base path that is put before every path.
    /// `http+srv://_http._tcp.shop.internal` asks DNS for SRV records.
    #[schemars(extend("format" = "portway-url", "examples" = ["http://10.0.0.7:8000"]))]
    pub url: String,
    /// Share of the traffic in relation to the others, 0–1000. 0 takes none. Default 1.
    #[serde(default = "Target::default_weight")]
    #[schemars(range(max = 1000))]
    pub weight: u32,
}

/// How a target is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(title = "way of balancing")]
pub enum Balance {
    /// In turn, by weight.
    #[default]
    RoundRobin,
    /// Of two drawn at random, the one with fewer calls under way for its weight.
    LeastRequest,
    /// The same key always meets the same target, as long as it is well.
    Hash(HashOn),
}

/// What the hash is made of.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(title = "part to hash")]
pub enum HashOn {
    /// Value of a request header.
    Header(#[schemars(extend("format" = "portway-header"))] String),
    /// Value of a cookie.
    Cookie(#[schemars(extend("format" = "portway-header"))] String),
    /// The caller's address.
    Address,
    /// A parameter of the path, or else of the query.
    Parameter(#[schemars(extend("format" = "portway-parameter"))] String),
}

/// Protocol towards the targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "protocol")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http1,
    /// HTTP/2: by ALPN on `https`, by prior knowledge on `http`. gRPC needs this.
    Http2,
}

/// What `Host` (`:authority`) the backend sees. Written `target`, `caller`, or a name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum HostHeader {
    /// The host of the target's URL.
    #[default]
    Target,
    /// The host that the caller asked for.
    Caller,
    /// This name.
    Name(String),
}

/// TLS towards `https` targets. Certificates are always verified.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "TLS of a backend")]
pub struct BackendTls {
    /// PEM file with the authorities to trust instead of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "portway-file"))]
    pub ca: Option<String>,
    /// Name to ask for and to verify. Default: the host of the target's URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "portway-sni"))]
    pub sni: Option<String>,
    /// Certificate (PEM file) that the gateway shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "portway-file"))]
    pub cert: Option<String>,
    /// Key (PEM file) of that certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "portway-file"))]
    pub key: Option<String>,
}

/// Time limits towards a backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "timeouts of a backend")]
pub struct Timeouts {
    /// Until a connection stands, TLS included. Default 3s.
    pub connect: Duration,
    /// From the request's last byte to the answer's first. Default 30s.
    pub first_byte: Duration,
    /// Between two bytes of a body; also between two events of a stream, and two messages of a WebSocket: where nothing
    /// moves for so long, the call ends. Default 1m.
    pub idle: Duration,
    /// How long an unused connection is kept. Default 1m.
    pub keep_alive: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_ms(3_000),
            first_byte: Duration::from_ms(30_000),
            idle: Duration::from_ms(60_000),
            keep_alive: Duration::from_ms(60_000),
        }
    }
}

/// Attempts after the first. Only calls of which nothing was sent, or that may be repeated, are tried again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "retries of a backend")]
pub struct Retries {
    /// The most attempts of one call in all, 1–3. Default 3.
    #[schemars(range(min = 1, max = 3))]
    pub attempts: u32,
    /// The most extra attempts for 100 calls, counted from the start. What is not spent is saved, up to 100 attempts. Free
    /// are attempts in place of those that reached nobody: a refused connection, if there is another target, and a
    /// kept one that turns out closed. Default 20.
    #[schemars(range(max = 100))]
    pub budget_percent: u32,
    /// Answers that count as failed and are tried again, for calls that may be repeated. Default `[502, 503, 504]`.
    #[schemars(inner(range(min = 400, max = 599)))]
    pub on_status: Vec<u16>,
}

impl Default for Retries {
    fn default() -> Self {
        Self { attempts: 3, budget_percent: 20, on_status: vec![502, 503, 504] }
    }
}

/// Checks made from time to time whether anybody calls or not.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "active check")]
pub struct Active {
    /// What is asked.
    pub probe: Probe,
    /// From check to check. Default 5s.
    #[serde(default = "Active::default_interval")]
    pub interval: Duration,
    /// When a check has failed for taking too long. Default 2s.
    #[serde(default = "Active::default_timeout")]
    pub timeout: Duration,
    /// Failures in a row until a target is out. Default 3.
    #[serde(default = "Active::default_unhealthy_after")]
    #[schemars(range(min = 1, max = 1000))]
    pub unhealthy_after: u32,
    /// Successes in a row until it is back. Default 2.
    #[serde(default = "Active::default_healthy_after")]
    #[schemars(range(min = 1, max = 1000))]
    pub healthy_after: u32,
}

impl Active {
    fn default_interval() -> Duration {
        Duration::from_ms(5_000)
    }
    fn default_timeout() -> Duration {
        Duration::from_ms(2_000)
    }
    fn default_unhealthy_after() -> u32 {
        3
    }
    fn default_healthy_after() -> u32 {
        2
    }
}

/// What a check asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(title = "probe")]
pub enum Probe {
    /// `GET` of this path; 200–399 is well.
    Http(#[schemars(extend("format" = "portway-path"))] String),
    /// A connection is accepted.
    Tcp,
}

/// What is learnt from calls: a target that fails several times in a row is out for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "passive check")]
pub struct Passive {
    /// Connection failures and time-outs in a row until a target is out; 0 switches it off. Default 5.
    pub failures: u32,
    /// How long it is out the first time; each further time it is longer, at most ten times this. Default 10s.
    pub eject: Duration,
    /// Never more than this part of the targets is out for this reason. Default 50.
    #[schemars(range(max = 100))]
    pub max_percent: u32,
}

impl Default for Passive {
    fn default() -> Self {
        Self { failures: 5, eject: Duration::from_ms(10_000), max_percent: 50 }
    }
}

/// Breaker per target: too many failed calls among the latest open it; after a rest single calls probe it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "breaker")]
pub struct Breaker {
    /// Opens when this part of the calls of the last ten seconds failed (no answer, time-out, or, while there is another target, 502–504); 0 switches it off. Default 50.
    #[schemars(range(max = 100))]
    pub failure_percent: u32,
    /// Fewer calls than this never open it. Default 20.
    #[schemars(range(min = 1))]
    pub min_calls: u32,
    /// How long it stays open before calls probe it, one at a time. Default 5s.
    pub open: Duration,
    /// Probes in a row that must succeed to close it. Default 3.
    #[schemars(range(min = 1))]
    pub probes: u32,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failure_percent: 50, min_calls: 20, open: Duration::from_ms(5_000), probes: 3 }
    }
}

/// How many calls a backend gets at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "concurrency of a backend")]
pub struct Concurrency {
    /// Calls under way in all, over all targets; those whose answers are still on their way to the caller among them. Default 1024.
    #[schemars(range(min = 1))]
    pub max: u32,
    /// Calls that may wait for a place. While `adaptive` lets fewer in than `max`, those more may wait. Default 256.
    pub queue: u32,
    /// How long one waits at most. Default 1s.
    pub queue_timeout: Duration,
    /// Whether fewer than `max` are sent at once when the backend cannot keep up: when its answers take longer, and it is found
    /// that fewer at once would be answered sooner and in the same number. Default true.
    pub adaptive: bool,
}

impl Default for Concurrency {
    fn default() -> Self {
        Self { max: 1_024, queue: 256, queue_timeout: Duration::from_ms(1_000), adaptive: true }
    }
}

/// A credential that the gateway adds to each call of the backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(title = "credential", extend("x-portway-hidden" = true))]
pub enum Credentials {
    /// A header with this name and value.
    Header {
        /// Name of the header.
        #[schemars(extend("format" = "portway-header"))]
        name: String,
        /// Its value.
        value: SecretRef,
    },
    /// A query parameter with this name and value.
    Query {
        /// Name of the parameter.
        #[schemars(extend("format" = "portway-parameter"))]
        name: String,
        /// Its value.
        value: SecretRef,
    },
    /// `Authorization: Basic …` (RFC 7617).
    Basic {
        /// User name.
        user: String,
        /// Password.
        password: SecretRef,
    },
    /// `Authorization: Bearer …` (RFC 6750).
    Bearer(SecretRef),
}

/// The word for a backend whose answers are made from the contract.
const MOCK: &str = "mock";

impl Backend {
    /// A backend with these targets and the default of everything else.
    pub fn new(targets: Vec<Target>) -> Self {
        Self {
            targets,
            balance: Balance::default(),
            protocol: Protocol::default(),
            host: HostHeader::default(),
            tls: BackendTls::default(),
            timeouts: Timeouts::default(),
            retries: Retries::default(),
            active: None,
            passive: Passive::default(),
            breaker: Breaker::default(),
            slow_start: None,
            concurrency: Concurrency::default(),
            credentials: Vec::new(),
            head_bytes: None,
            mock: None,
            deadline_header: None,
            hedge: None,
        }
    }

    /// A backend whose answers are made from the contract.
    pub fn of_mock(mock: Mock) -> Self {
        Self { mock: Some(mock), ..Self::new(Vec::new()) }
    }

    /// Whether only its targets differ from the defaults, so that the short form says everything.
    fn is_only_targets(&self) -> bool {
        *self == Self::new(self.targets.clone())
    }
}

impl Target {
    /// A target with the default weight.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), weight: Self::default_weight() }
    }

    fn default_weight() -> u32 {
        1
    }
}

impl Serialize for Backend {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if *self == Self::of_mock(Mock::default()) {
            serializer.serialize_str(MOCK)
        } else if self.is_only_targets() {
            one_or_list(&self.targets, serializer)
        } else {
            Self::serialize(self, serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Backend {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;
        impl<'de> Visitor<'de> for Forms {
            type Value = Backend;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address, a list of addresses, \"mock\", or a map with \"targets\"")
            }
            fn visit_str<E: serde::de::Error>(self, url: &str) -> Result<Backend, E> {
                if url == MOCK {
                    return Ok(Backend::of_mock(Mock::default()));
                }
                Ok(Backend::new(vec![Target::new(url)]))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Backend, A::Error> {
                one_or_more(SeqAccessDeserializer::new(list)).map(Backend::new)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Backend, A::Error> {
                Backend::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(Forms)
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.weight == Self::default_weight() {
            serializer.serialize_str(&self.url)
        } else {
            Self::serialize(self, serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;
        impl<'de> Visitor<'de> for Forms {
            type Value = Target;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address, or a map with \"url\" and \"weight\"")
            }
            fn visit_str<E: serde::de::Error>(self, url: &str) -> Result<Target, E> {
                Ok(Target::new(url))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Target, A::Error> {
                Target::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(Forms)
    }
}

/// Reads one target, or a list that is not empty.
fn one_or_more<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Target>, D::Error> {
    struct Forms;
    impl<'de> Visitor<'de> for Forms {
        type Value = Vec<Target>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an address, or a list of addresses")
        }
        fn visit_str<E: serde::de::Error>(self, url: &str) -> Result<Vec<Target>, E> {
            Ok(vec![Target::new(url)])
        }
        fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Vec<Target>, A::Error> {
            let targets = Vec::deserialize(SeqAccessDeserializer::new(list))?;
            if targets.is_empty() {
                Err(serde::de::Error::invalid_length(0, &"at least one address"))
            } else {
                Ok(targets)
            }
        }
    }
    deserializer.deserialize_any(Forms)
}

fn one_or_list<S: Serializer>(targets: &[Target], serializer: S) -> Result<S::Ok, S::Error> {
    match targets {
        [only] if only.weight == Target::default_weight() => serializer.serialize_str(&only.url),
        _ => targets.serialize(serializer),
    }
}

/// Schema of a target in its short form.
fn address_schema() -> Schema {
    json_schema!({
        "description": "An address: `http://` or `https://`, host, optional port, optional base path.",
        "type": "string",
        "format": "portway-url",
        "examples": ["http://10.0.0.7:8000"],
    })
}

fn target_list_schema(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "description": "Several addresses that answer alike.",
        "type": "array",
        "items": generator.subschema_for::<Target>(),
        "minItems": 1,
    })
}

fn targets_schema(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [address_schema(), target_list_schema(generator)] })
}

fn target_forms(schema: &mut Schema) {
    shape::also(schema, vec![address_schema()]);
}

fn backend_forms(schema: &mut Schema) {
    let list = schema.pointer("/properties/targets/anyOf/1").cloned().unwrap_or_default();
    let mock = json_schema!({
        "description": "Answers are made from the contract.",
        "type": "string",
        "const": MOCK,
    });
    shape::also(schema, vec![address_schema(), list.try_into().unwrap_or_default(), mock]);
}

impl FromStr for HostHeader {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        match text {
            "target" => Ok(Self::Target),
            "caller" => Ok(Self::Caller),
            name if crate::format::is_authority(name) => Ok(Self::Name(name.to_owned())),
            _ => Err(Malformed::new(
                text,
                "a host",
                "it is \"target\" (the host of the target's URL), \"caller\" (the host that was asked for), or a host name, with a port if need be",
                "",
            )),
        }
    }
}

impl fmt::Display for HostHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Target => "target",
            Self::Caller => "caller",
            Self::Name(name) => name,
        })
    }
}

written_as_text!(HostHeader,
    format: "portway-host-header",
    pattern: r"^[A-Za-z0-9._:\[\]-]+$",
    description: "What `Host` the backend sees: `target` (the host of the target's URL), `caller` (the host that the caller asked for), or a name.",
    examples: ["target", "caller", "shop.internal"],
);
