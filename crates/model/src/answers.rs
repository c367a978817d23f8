//! What callers get to see of an application's answers: how they are masked, and what is added to them.

use std::collections::BTreeMap;
use std::fmt;

use schemars::{JsonSchema, Schema, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::{ByteSize, Share, shape};

/// What callers get to see of the answers of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "policy for answers")]
pub struct Answers {
    /// Hides what the application and its hosts are called. `on`, or a map with details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<Mask>,
    /// Gives cookies the attributes that they lack (RFC 6265bis). `on`, or a map with details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookies: Option<Cookies>,
    /// Adds the header fields by which browsers guard a page. `on`, or a map with details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_headers: Option<SecurityHeaders>,
    /// Answers a status of 5xx with a problem document in place of the application's own page, which often shows stack traces. `on`, or a map with details.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hide_errors: Option<HideErrors>,
    /// The share of the application's answers that are checked against the contract while they pass: what is wrong is counted and logged, and nothing changes for callers. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Share>,
}

impl Answers {
    /// Whether callers get to see anything else than the application says.
    #[must_use]
    pub fn changes_something(&self) -> bool {
        let Self { mask, cookies, security_headers, hide_errors, check: _ } = self;
        mask.is_some() || cookies.is_some() || security_headers.is_some() || hide_errors.is_some()
    }
}

/// Which fields and hosts are hidden.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[schemars(transform = on_or_map)]
#[schemars(title = "mask of answers")]
pub struct Mask {
    /// Header fields that are dropped, in place of the default list; `X-Envoy-*` is every name that begins so. Default: those that tell of products, versions and hosts, as the guide lists them.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("items" = { "type": "string", "format": "portway-header" }))]
    pub headers: Option<Vec<String>>,
    /// Header fields that are dropped in addition.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "string", "format": "portway-header" }))]
    pub more_headers: Vec<String>,
    /// Internal hosts in addition to the backend's targets: names, `*.corp.example`, addresses, networks such as `10.0.0.0/8`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "string", "format": "portway-internal-host" }))]
    pub hosts: Vec<String>,
}

impl Mask {
    /// Header fields that are dropped where a document does not say which. A star at the end takes all that follows.
    pub const HEADERS: &'static [&'static str] = &[
        "Server",
        "Via",
        "X-Powered-By",
        "X-Powered-CMS",
        "X-AspNet-Version",
        "X-AspNetMvc-Version",
        "X-SourceFiles",
        "MicrosoftSharePointTeamServices",
        "X-FEServer",
        "X-BEServer",
        "X-CalculatedBETarget",
        "X-DiagInfo",
        "X-OWA-Version",
        "X-Runtime",
        "X-Version",
        "X-Application-Context",
        "X-Debug-*",
        "X-Generator",
        "X-Redirect-By",
        "X-Drupal-*",
        "X-Varnish*",
        "X-Backend*",
        "X-Server*",
        "X-Served-By",
        "X-Host",
        "X-Hostname",
        "X-Node",
        "X-Upstream*",
        "X-Envoy-*",
        "X-Kong-*",
        "X-Mod-Pagespeed",
        "X-Page-Speed",
        "X-LiteSpeed-*",
        "X-Turbo-Charged-By",
        "X-Jenkins*",
        "X-Hudson*",
        "Liferay-Portal",
        "Product",
    ];
}

/// How cookies are hardened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[schemars(transform = on_or_map)]
#[schemars(title = "policy for cookies")]
pub struct Cookies {
    /// When a cookie gets `Secure`: if the caller came over TLS (`tls`), `always`, or `never`. Default `tls`.
    pub secure: Secure,
    /// Whether a cookie gets `HttpOnly`. Default true.
    pub http_only: bool,
    /// What a cookie without `SameSite` gets. Default `lax`.
    pub same_site: SameSite,
    /// Names of cookies that scripts of the page read: they do not get `HttpOnly`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "string", "format": "portway-cookie" }))]
    pub readable: Vec<String>,
    /// Names of cookies that get nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "string", "format": "portway-cookie" }))]
    pub except: Vec<String>,
}

impl Default for Cookies {
    fn default() -> Self {
        Self {
            secure: Secure::Tls,
            http_only: true,
            same_site: SameSite::Lax,
            readable: Vec::new(),
            except: Vec::new(),
        }
    }
}

/// When a cookie gets `Secure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "time for \"Secure\"")]
pub enum Secure {
    /// If the caller came over TLS, to Portway or to a trusted proxy before it.
    Tls,
    /// Always: something before Portway ends TLS and does not say so.
    Always,
    /// Never.
    Never,
}

/// What a cookie without `SameSite` gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "kind of \"SameSite\"")]
pub enum SameSite {
    /// `SameSite=Lax`.
    Lax,
    /// `SameSite=Strict`.
    Strict,
    /// Nothing.
    Off,
}

/// Header fields by which browsers guard a page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[schemars(transform = on_or_map)]
#[schemars(title = "policy for security headers")]
pub struct SecurityHeaders {
    /// Fields with values of your own, by name; `off` leaves one out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("additionalProperties" = { "type": "string", "format": "portway-header-value", "x-portway-key": "portway-header" }))]
    pub set: BTreeMap<String, String>,
    /// Whether these take the place of what the application sets itself. Default false.
    #[serde(rename = "override", skip_serializing_if = "shape::is_default")]
    pub overrides: bool,
}

impl SecurityHeaders {
    /// The field that is sent to callers over TLS only (RFC 6797 section 7.2).
    pub const OVER_TLS: &'static str = "Strict-Transport-Security";

    /// Fields and values where a document does not say others: those that harm no page of its own.
    pub const DEFAULTS: &'static [(&'static str, &'static str)] = &[
        (Self::OVER_TLS, "max-age=31536000"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "SAMEORIGIN"),
        ("Content-Security-Policy", "frame-ancestors 'self'"),
        ("Referrer-Policy", "strict-origin-when-cross-origin"),
        ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
        ("Cross-Origin-Opener-Policy", "same-origin-allow-popups"),
        ("Cross-Origin-Resource-Policy", "same-site"),
    ];
}

/// How pages of errors are hidden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields, default)]
#[schemars(transform = on_or_map)]
#[schemars(title = "hiding of errors")]
pub struct HideErrors {
    /// The first bytes of a hidden page that the log line of the call shows, at most 4KiB. Default 0.
    pub log_bytes: ByteSize,
}

impl Default for HideErrors {
    fn default() -> Self {
        Self { log_bytes: ByteSize::from_bytes(0) }
    }
}

impl HideErrors {
    /// The most bytes of a page that a log line can show.
    pub const LOG_BYTES_MAX: u64 = 4 << 10;
}

/// A thing with defaults that is written `on`, or as a map.
macro_rules! written_on {
    ($type:ident) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if shape::is_default(self) {
                    serializer.serialize_str("on")
                } else {
                    Self::serialize(self, serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Forms;
                impl<'de> Visitor<'de> for Forms {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("\"on\", or a map with details")
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        match text {
                            "on" => Ok($type::default()),
                            _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                        }
                    }
                    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<$type, A::Error> {
                        $type::deserialize(MapAccessDeserializer::new(map))
                    }
                }
                deserializer.deserialize_any(Forms)
            }
        }
    };
}

written_on!(Mask);
written_on!(Cookies);
written_on!(SecurityHeaders);
written_on!(HideErrors);

fn on_or_map(schema: &mut Schema) {
    let on = json_schema!({
        "description": "With the defaults.",
        "type": "string",
        "const": "on",
        "x-portway-hints": { "off": "leave it out: it is off unless it is written", "yes": "write on" },
    });
    shape::also(schema, vec![on]);
}
