//! Settings of the process: where it listens, whom it trusts, its bounds, its log.
//!
//! Each of these can be overridden by an environment variable and by a flag; the binary does that
//! before the document is checked.

use std::fmt;

use schemars::{JsonSchema, Schema, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::{ByteSize, ClientCertificates, Duration, Privacy, Traces, shape};

/// Settings of the process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "gateway")]
pub struct Gateway {
    /// Where callers come in. Default `[127.0.0.1:8080]`. Changing it needs a restart.
    #[schemars(length(min = 1))]
    pub listen: Vec<ListenerDocument>,
    /// Where the gateway is watched (`/live`, `/ready`, `/snapshot`, `/metrics`) and asked why (`/explain`, `/calls/ID`), or `off`. Default `127.0.0.1:9901`. Changing it needs a restart.
    #[schemars(extend("format" = "portway-admin"))]
    pub admin: String,
    /// Threads that carry calls. Default: one per core. Changing it needs a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1024))]
    pub workers: Option<u32>,
    /// Addresses of proxies in front of Portway whose `X-Forwarded-*`, `Forwarded` and PROXY protocol are believed. Default: none.
    #[schemars(extend("items" = { "type": "string", "format": "portway-network" }))]
    pub trusted_proxies: Vec<String>,
    /// Everything that a caller could make grow.
    pub bounds: Bounds,
    /// One line per call.
    pub log: Logging,
    /// What the log and traces show of callers.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub privacy: Privacy,
    /// Spans of calls, for a collector.
    #[serde(skip_serializing_if = "shape::is_default")]
    pub traces: Traces,
    /// How long calls under way may take to end when the gateway stops. Default 30s.
    pub drain_timeout: Duration,
    /// A unix socket over which a new process takes over the listening sockets of this one, so that no connection is refused when it restarts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "portway-file"))]
    pub handover: Option<String>,
}

impl Default for Gateway {
    fn default() -> Self {
        Self {
            listen: vec![ListenerDocument {
                address: "127.0.0.1:8080".to_owned(),
                tls: None,
                proxy_protocol: false,
            }],
            admin: "127.0.0.1:9901".to_owned(),
            workers: None,
            trusted_proxies: Vec::new(),
            bounds: Bounds::default(),
            log: Logging::default(),
            privacy: Privacy::default(),
            traces: Traces::default(),
            drain_timeout: Duration::from_ms(30_000),
            handover: None,
        }
    }
}

/// One listening address. Written `0.0.0.0:8080`, or as a map with details.
/// Plain listeners speak HTTP/1.1 and HTTP/2 by prior knowledge; TLS listeners both by ALPN.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields)]
#[schemars(transform = listener_forms)]
#[schemars(title = "listener")]
pub struct ListenerDocument {
    /// IP address and port.
    #[schemars(extend("format" = "portway-address", "examples" = ["0.0.0.0:8080"]))]
    pub address: String,
    /// Certificates; absent: plain.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<TlsDocument>,
    /// Whether every connection from a trusted proxy begins with a PROXY protocol header (v1 or v2). Default false.
    #[serde(default, skip_serializing_if = "shape::is_default")]
    pub proxy_protocol: bool,
}

/// TLS of a listener.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "TLS of a listener")]
pub struct TlsDocument {
    /// Certificates; the one whose names fit the SNI is shown, else the first. A
    /// call whose SNI disagrees with its `Host` is then answered with 421. Files are read again when they change.
    #[schemars(length(min = 1))]
    pub certificates: Vec<Certificate>,
    /// Lowest version, `1.2` or `1.3`. Default `1.2`.
    #[serde(default = "TlsDocument::default_min_version")]
    #[schemars(extend("enum" = ["1.2", "1.3"]))]
    pub min_version: String,
    /// Asks callers for a certificate, for services with `auth: [mtls]`. Default: nobody is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clients: Option<ClientCertificates>,
}

impl TlsDocument {
    fn default_min_version() -> String {
        "1.2".to_owned()
    }
}

/// A certificate chain and its key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "certificate")]
pub struct Certificate {
    /// PEM file of the chain, relative to the document.
    #[schemars(extend("format" = "portway-file"))]
    pub cert: String,
    /// PEM file of the key, relative to the document.
    #[schemars(extend("format" = "portway-file"))]
    pub key: String,
}

/// Everything that a caller could make grow, with the answer when it is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "bounds")]
pub struct Bounds {
    /// Bytes of a request's head (431). Default 32KiB.
    pub head_bytes: ByteSize,
    /// Header fields of a request (431). Default 100.
    #[schemars(range(min = 1))]
    pub head_fields: u32,
    /// Bytes of a request's target (414). Default 8KiB.
    pub target_bytes: ByteSize,
    /// Bytes of a request's body (413). Default 16MiB.
    pub body_bytes: ByteSize,
    /// Bytes of all bodies that are held at once until they were checked, or their signatures were (503). Default 128MiB.
    pub held_bytes: ByteSize,
    /// From a connection's or a request's first byte to the end of its head, TLS and PROXY header included (408, or the connection closes). Default 10s.
    pub head_timeout: Duration,
    /// Between two parts of a request's body (408). Default 30s.
    pub body_timeout: Duration,
    /// How long a caller may not take what is sent to it (the connection closes). Default 30s.
    pub write_timeout: Duration,
    /// How long a connection may do nothing between two calls. Default 75s.
    pub idle_timeout: Duration,
    /// The longest call, streams and WebSockets included (the connection closes). Default 1h.
    pub call_timeout: Duration,
    /// Connections in all (further ones are closed at once). Default 32768, less where the system allows fewer files.
    #[schemars(range(min = 1))]
    pub connections: u32,
    /// Connections of one address that is not a trusted proxy; IPv6 counts by /64. Default 16384.
    #[schemars(range(min = 1))]
    pub connections_per_address: u32,
    /// HTTP/2.
    pub http2: Http2Bounds,
    /// How long a call may have to wait for its turn on a thread that has too much to do, before calls are refused (503): those of the lowest priority first, and more of them as long as it goes on. `0s` refuses none. Default 250ms.
    pub lag: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            head_bytes: ByteSize::from_bytes(32 << 10),
            head_fields: 100,
            target_bytes: ByteSize::from_bytes(8 << 10),
            body_bytes: ByteSize::from_bytes(16 << 20),
            held_bytes: ByteSize::from_bytes(128 << 20),
            head_timeout: Duration::from_ms(10_000),
            body_timeout: Duration::from_ms(30_000),
            write_timeout: Duration::from_ms(30_000),
            idle_timeout: Duration::from_ms(75_000),
            call_timeout: Duration::from_ms(3_600_000),
            connections: 32_768,
            connections_per_address: 16_384,
            http2: Http2Bounds::default(),
            lag: Duration::from_ms(250),
        }
    }
}

/// Bounds of HTTP/2 connections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "HTTP/2 bounds")]
pub struct Http2Bounds {
    /// Streams open at once on one connection. Default 100.
    #[schemars(range(min = 1))]
    pub streams: u32,
    /// Streams that a caller may reset within a minute before they are answered, until the connection is closed (GOAWAY, ENHANCE_YOUR_CALM). Default 100.
    #[schemars(range(min = 1))]
    pub resets: u32,
    /// Bytes of all request heads held by one connection at once. Default 256KiB.
    pub connection_head_bytes: ByteSize,
    /// How long a stream may not move in either direction before it is reset. Default 30s.
    pub stall_timeout: Duration,
}

impl Default for Http2Bounds {
    fn default() -> Self {
        Self {
            streams: 100,
            resets: 100,
            connection_head_bytes: ByteSize::from_bytes(256 << 10),
            stall_timeout: Duration::from_ms(30_000),
        }
    }
}

/// The log of calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "settings of the log")]
pub struct Logging {
    /// `json` writes one line per call; `off` none. Default `json`.
    pub calls: LogFormat,
    /// Where to: `stdout`, or a file that is appended to. Default `stdout`.
    pub to: String,
    /// The fields of a line, in this order: those of the log's page, and headers of the request (`header:NAME`), query parameters (`query:NAME`) and headers of the backend's answer (`answer:NAME`), of each the first, at most 256 bytes. Names that may carry credentials are refused. Default: all but headers and parameters.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<String>,
}

impl Default for Logging {
    fn default() -> Self {
        Self { calls: LogFormat::Json, to: "stdout".to_owned(), fields: Vec::new() }
    }
}

/// Form of the call log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "form of the log")]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// Nothing.
    Off,
}

impl ListenerDocument {
    /// A plain listener.
    pub fn new(address: impl Into<String>) -> Self {
        Self { address: address.into(), tls: None, proxy_protocol: false }
    }
}

impl Serialize for ListenerDocument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.tls.is_none() && !self.proxy_protocol {
            serializer.serialize_str(&self.address)
        } else {
            Self::serialize(self, serializer)
        }
    }
}

impl<'de> Deserialize<'de> for ListenerDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;
        impl<'de> Visitor<'de> for Forms {
            type Value = ListenerDocument;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an address such as \"0.0.0.0:8080\", or a map with \"address\"")
            }
            fn visit_str<E: serde::de::Error>(self, address: &str) -> Result<ListenerDocument, E> {
                Ok(ListenerDocument::new(address))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ListenerDocument, A::Error> {
                ListenerDocument::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(Forms)
    }
}

fn listener_forms(schema: &mut Schema) {
    let address = json_schema!({
        "description": "IP address and port of a plain listener.",
        "type": "string",
        "format": "portway-address",
        "examples": ["0.0.0.0:8080", "[::]:8080"],
    });
    shape::also(schema, vec![address]);
}
