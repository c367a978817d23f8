//! A service: a contract or a set of path patterns, where its calls go, and its policies.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, SeqAccessDeserializer};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::text::{Malformed, is_disturbing, is_token, quoted, written_as_text};
use crate::{
    Answers, Backend, ByteSize, CheckBounds, Duration, Learn, Limit, Name, Requests, shape,
};

/// One service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "service")]
pub struct Service {
    /// File of the OpenAPI contract, relative to the document. Its operations are the routes. Either this or `routes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "portway-file"))]
    pub contract: Option<String>,
    /// Routes of an application that has no contract: `METHOD /path/{parameter}`, one a line. `*` is any method; a last segment `{rest+}` takes all that follows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<RoutePattern>,
    /// Public prefix. It is removed before the call goes to the backend. Default `/`.
    #[serde(default = "root_path")]
    #[schemars(extend("format" = "portway-prefix"))]
    pub path: String,
    /// Public host names; `*.example.com` takes every name below. Default: every host.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "string", "format": "portway-host" }))]
    pub hosts: Vec<String>,
    /// Where its calls go.
    #[schemars(extend("x-portway-missing" = "write for example \"backend: http://10.0.0.7:8000\""))]
    pub backend: Backend,
    /// How callers prove who they are: a list of which any one suffices, or `public`. There is no default.
    #[schemars(extend("x-portway-missing" = "write \"auth: [key]\", or \"auth: public\" if everybody may call"))]
    pub auth: Auth,
    /// Limits that all calls of the service share or that count per caller.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// The most calls of this service that may be under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub concurrency: Option<u32>,
    /// Longest time from the call's head to the answer's head. Default 1m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// The most bytes of a request body. Default: the gateway's `bounds.body_bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_bytes: Option<ByteSize>,
    /// What becomes of calls that do not keep the contract or the rules of `requests`. Default `enforce`; without either there is nothing to check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// What a body may be before a schema of the contract is asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_bounds: Option<CheckBounds>,
    /// Calls from pages of other origins. Default: none, so that no CORS headers are sent and preflights are not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors: Option<Cors>,
    /// How the gateway writes its own refusals. Default `problem`.
    #[serde(default, skip_serializing_if = "shape::is_default")]
    pub errors: ErrorForm,
    /// What callers get to see of the application's answers. Default: everything, as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answers>,
    /// What calls must be like, with a contract or without; `check` says what becomes of others. Default: no rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Requests>,
    /// Watches calls and proposes a contract from them, for somebody to review. Default: nothing is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub learn: Option<Learn>,
    /// Policies of single operations, by `operationId` (or, without a contract, by the route as written).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub operations: BTreeMap<String, OperationPolicy>,
}

fn root_path() -> String {
    "/".to_owned()
}

/// What one operation has differently from its service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "operation")]
pub struct OperationPolicy {
    /// Replaces the service's `auth`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<Auth>,
    /// Limits in addition to the service's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub limits: Vec<Limit>,
    /// The most calls of this operation that may be under way at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub concurrency: Option<u32>,
    /// Replaces the service's `timeout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Replaces the service's `body_bytes`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_bytes: Option<ByteSize>,
    /// Replaces the service's `check`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<Check>,
    /// Replaces those of the service's `check_bounds` that stand in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_bounds: Option<CheckBounds>,
    /// Replaces the service's `backend`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend: Option<Backend>,
    /// Says that repeating the call does no harm, so that it may be retried whatever its method. Default: by the method (RFC 9110 section 9.2.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotent: Option<bool>,
    /// Replaces the service's `requests`, all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests: Option<Requests>,
    /// `true` takes the operation out of the public API: it answers as if it did not exist. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

/// What becomes of calls that are not what the contract describes, or break a rule of `requests`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "check")]
pub enum Check {
    /// Nothing is checked.
    Off,
    /// They are counted and logged, and go to the backend all the same.
    Report,
    /// They are refused.
    #[default]
    Enforce,
}

/// How callers prove who they are. Written `public`, or as a list of kinds: `[key]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Auth {
    /// Everybody, said aloud.
    Public,
    /// Any one of these, never empty.
    AnyOf(Vec<AuthKind>),
}

/// One kind of credential. Written as its name, or as a map from its name to its details.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", rename_all = "snake_case", deny_unknown_fields)]
#[schemars(transform = auth_kind_forms)]
#[schemars(title = "kind of auth")]
pub enum AuthKind {
    /// An API key.
    Key(KeyAuth),
    /// A signature with a shared secret, as clients of Tencent Cloud API Gateway write it.
    Hmac(HmacAuth),
    /// An HTTP Message Signature (RFC 9421).
    Signature(SignatureAuth),
    /// A client certificate (`apps.NAME.certificates`), where a listener asks for one (`gateway.listen[].tls.clients`).
    Mtls(MtlsAuth),
}

/// A client certificate has no details: what counts is said where it is asked for, and with the app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "kind \"mtls\" of auth")]
pub struct MtlsAuth {}

/// Where an API key is looked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "kind \"key\" of auth")]
pub struct KeyAuth {
    /// Name of the header that carries the key; `null` for none. Default `X-Api-Key`.
    #[serde(default = "KeyAuth::default_header")]
    #[schemars(extend("format" = "portway-header"))]
    pub header: Option<String>,
    /// Name of the query parameter that carries the key. Default: none, since addresses end up in logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "portway-parameter"))]
    pub query: Option<String>,
    /// Whether `Authorization: Bearer KEY` is taken too. Default true.
    #[serde(default = "KeyAuth::default_bearer")]
    pub bearer: bool,
}

impl KeyAuth {
    fn default_header() -> Option<String> {
        Some("X-Api-Key".to_owned())
    }

    fn default_bearer() -> bool {
        true
    }
}

impl Default for KeyAuth {
    fn default() -> Self {
        Self { header: Self::default_header(), query: None, bearer: Self::default_bearer() }
    }
}

/// How calls are signed with a shared secret. The apps that may sign have `hmac` key pairs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "kind \"hmac\" of auth")]
pub struct HmacAuth {
    /// What is signed. Default `app`.
    #[serde(default, skip_serializing_if = "shape::is_default")]
    pub form: HmacForm,
    /// Whether a call can be sent a second time by somebody who saw it. Default `off`.
    #[serde(default, skip_serializing_if = "shape::is_default")]
    pub nonce: NonceUse,
    /// First segments of a path that callers leave out of what they sign (form `app`). Default `release`, `test` and `prepub`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environments: Option<Vec<Name>>,
    /// The most bytes of a body that is held until its signature was checked (form `app`). Default 1MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_bytes: Option<ByteSize>,
}

/// How HTTP Message Signatures are judged. The apps that may sign have `signing_keys`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "kind \"signature\" of auth")]
pub struct SignatureAuth {
    /// What must be signed: `@method`, `@authority`, `@scheme`, `@path`, `@query`, `@target-uri`, `@request-target`, or names of headers. `content-digest` is asked for where there is a body. Default `@method`, `@authority`, `@path`, `@query` and `content-digest`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("items" = { "type": "string", "format": "portway-component" }))]
    #[schemars(length(min = 1))]
    pub components: Option<Vec<String>>,
    /// How old a signature may be, by its parameter `created`. At most 30m. Default 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
    /// Whether a call can be sent a second time by somebody who saw it. Default `optional`.
    #[serde(default = "SignatureAuth::default_nonce")]
    pub nonce: NonceUse,
    /// The most bytes of a body that is held until its digest was checked. Default 1MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_bytes: Option<ByteSize>,
}

impl SignatureAuth {
    fn default_nonce() -> NonceUse {
        NonceUse::Optional
    }
}

impl Default for SignatureAuth {
    fn default() -> Self {
        Self { components: None, max_age: None, nonce: Self::default_nonce(), held_bytes: None }
    }
}

/// What a signature with a shared secret covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "form of a signature")]
pub enum HmacForm {
    /// The headers that the caller lists, method, `Accept`, `Content-Type`, `Content-MD5`, path, query and form parameters (Tencent's application authentication).
    #[default]
    App,
    /// Only the headers that the caller lists: neither method nor path nor body (Tencent's key pair authentication). With `Date` in place of `X-Date` not even the time. For clients that cannot be changed.
    KeyPair,
}

/// Whether a call can be sent a second time by somebody who saw it: a value that the app used before is refused. Of `hmac` it is the header `X-Apigw-Nonce`, which must be signed together with `X-Date`; of `signature` it is the parameter `nonce`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "way to treat nonces")]
pub enum NonceUse {
    /// It is not looked at: while its signature is good, a call can be repeated by whoever saw it.
    #[default]
    Off,
    /// A call that has one is taken once. Calls without one are taken, too.
    Optional,
    /// Every call must have one.
    Required,
}

/// How refusals are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "form of errors")]
pub enum ErrorForm {
    /// Problem details (RFC 9457).
    #[default]
    Problem,
    /// `{"message":"…"}` with the texts of Tencent Cloud API Gateway, for clients that read those.
    Tencent,
}

/// A route of an application without a contract: a method (`*`: any) and a path pattern.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoutePattern {
    /// Upper-case method, or `*`.
    pub method: String,
    /// Path with `{parameters}`, beginning with `/`.
    pub path: String,
}

/// Calls from pages of other origins (CORS, section 3.2 of the WHATWG Fetch standard).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "policy for other origins")]
pub struct Cors {
    /// Origins that may call: exact (`https://shop.example`), `https://*.example`, or `*`.
    #[schemars(extend("items" = { "type": "string", "format": "portway-origin" }))]
    #[schemars(length(min = 1))]
    pub origins: Vec<String>,
    /// Methods that a preflight allows. Default: the methods of the path asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("items" = { "type": "string", "format": "portway-method" }))]
    pub methods: Option<Vec<String>>,
    /// Request headers that a preflight allows. Default: those asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("items" = { "type": "string", "format": "portway-header" }))]
    pub headers: Option<Vec<String>>,
    /// Answer headers that a page may read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("items" = { "type": "string", "format": "portway-header" }))]
    pub expose: Vec<String>,
    /// Whether cookies and credentials may be sent. Cannot stand with the origin `*`. Default false.
    #[serde(default)]
    pub credentials: bool,
    /// How long a browser may remember a preflight. Default 10m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Duration>,
}

/// The kinds of auth there are, as they are written.
pub(crate) const AUTH_KINDS: &[&str] = &["key", "hmac", "signature", "mtls"];

impl Serialize for Auth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Public => serializer.serialize_str("public"),
            Self::AnyOf(kinds) => kinds.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Auth {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;
        impl<'de> Visitor<'de> for Forms {
            type Value = Auth;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("\"public\", or a list of kinds such as [key]")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Auth, E> {
                if text == "public" {
                    Ok(Auth::Public)
                } else {
                    Err(E::invalid_value(serde::de::Unexpected::Str(text), &self))
                }
            }
            fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<Auth, A::Error> {
                let kinds = Vec::deserialize(SeqAccessDeserializer::new(list))?;
                if kinds.is_empty() {
                    return Err(serde::de::Error::invalid_length(
                        0,
                        &"at least one kind; write \"public\" if everybody may call",
                    ));
                }
                Ok(Auth::AnyOf(kinds))
            }
        }
        deserializer.deserialize_any(Forms)
    }
}

impl JsonSchema for Auth {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Auth".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "How callers prove who they are: `public` (everybody, said aloud), or a list of kinds of which any one suffices.",
            "anyOf": [
                {
                    "description": "Everybody may call.",
                    "type": "string",
                    "const": "public",
                    "x-portway-hints": {
                        "key": "write \"auth: [key]\": it is a list, of which any one suffices",
                        "hmac": "write \"auth: [hmac]\": it is a list, of which any one suffices",
                        "signature": "write \"auth: [signature]\": it is a list, of which any one suffices",
                        "mtls": "write \"auth: [mtls]\": it is a list, of which any one suffices",
                        "none": "write \"auth: public\" if everybody may call",
                    },
                },
                {
                    "description": "Any one of these suffices.",
                    "type": "array",
                    "items": generator.subschema_for::<AuthKind>(),
                    "minItems": 1,
                    "x-portway-empty": "write \"auth: public\" if everybody may call",
                },
            ],
            "examples": ["public", ["key"]],
        })
    }
}

impl Serialize for AuthKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Key(details) if *details == KeyAuth::default() => serializer.serialize_str("key"),
            Self::Hmac(details) if *details == HmacAuth::default() => {
                serializer.serialize_str("hmac")
            }
            Self::Signature(details) if *details == SignatureAuth::default() => {
                serializer.serialize_str("signature")
            }
            Self::Mtls(MtlsAuth {}) => serializer.serialize_str("mtls"),
            Self::Key(_) | Self::Hmac(_) | Self::Signature(_) => Self::serialize(self, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for AuthKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;
        impl<'de> Visitor<'de> for Forms {
            type Value = AuthKind;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a kind, or a map from its name to its details")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<AuthKind, E> {
                match text {
                    "key" => Ok(AuthKind::Key(KeyAuth::default())),
                    "hmac" => Ok(AuthKind::Hmac(HmacAuth::default())),
                    "signature" => Ok(AuthKind::Signature(SignatureAuth::default())),
                    "mtls" => Ok(AuthKind::Mtls(MtlsAuth {})),
                    _ => Err(E::unknown_variant(text, AUTH_KINDS)),
                }
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<AuthKind, A::Error> {
                AuthKind::deserialize(MapAccessDeserializer::new(map))
            }
        }
        deserializer.deserialize_any(Forms)
    }
}

fn auth_kind_forms(schema: &mut Schema) {
    let names = json_schema!({
        "description": "A kind with its defaults.",
        "type": "string",
        "enum": AUTH_KINDS,
        "x-portway-hints": { "public": "write \"auth: public\", without a list, if everybody may call" },
    });
    shape::also(schema, vec![names]);
}

impl FromStr for RoutePattern {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = |why: String, fix: &str| Malformed::new(text, "a route", why, fix);
        let mut words = text.split_ascii_whitespace();
        let (method, path) = match (words.next(), words.next(), words.next()) {
            (Some(method), Some(path), None) => (method, path),
            (Some(path), None, None) if path.starts_with('/') => {
                let fix = format!("write \"GET {path}\", or \"* {path}\" for any method");
                return Err(wrong("its method is missing".to_owned(), &fix));
            }
            _ => {
                return Err(wrong(
                    "it is written METHOD /path".to_owned(),
                    "write for example \"GET /orders/{id}\"",
                ));
            }
        };
        if method != "*" && !is_token(method) {
            return Err(wrong(
                format!("{} is not a method", quoted(method)),
                "write for example GET, or * for any",
            ));
        }
        if method != method.to_ascii_uppercase() {
            let fix = format!("write {}", method.to_ascii_uppercase());
            return Err(wrong("methods are written in upper case".to_owned(), &fix));
        }
        match path_fault(path) {
            Some(why) => Err(wrong(why, "")),
            None => Ok(Self { method: method.to_owned(), path: path.to_owned() }),
        }
    }
}

/// The most bytes of a path pattern: what a request's target may have by default.
const PATH_BYTES_MAX: usize = 8 << 10;

/// Why a text is not a path pattern, if it is not. What a pattern matches is not judged here.
fn path_fault(path: &str) -> Option<String> {
    if !path.starts_with('/') {
        return Some("its path does not begin with \"/\"".to_owned());
    }
    if path.len() > PATH_BYTES_MAX {
        return Some(format!("its path has more than {PATH_BYTES_MAX} bytes"));
    }
    if let Some(c) = path.chars().find(|c| matches!(c, '?' | '#' | '\\') || is_disturbing(*c)) {
        return Some(format!("a path cannot have {:?}", c));
    }
    let mut names: Vec<&str> = Vec::new();
    let segments: Vec<&str> = path[1..].split('/').collect();
    for (index, segment) in segments.iter().enumerate() {
        let is_last = index + 1 == segments.len();
        if matches!(*segment, "." | "..") || (segment.is_empty() && !is_last) {
            return Some(format!("the segment {} can never be asked for", quoted(segment)));
        }
        if let Err(why) = segment_names(segment, is_last, &mut names) {
            return Some(why);
        }
    }
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    (names.len() < count).then(|| "it names a parameter twice".to_owned())
}

/// Collects the parameters of one segment, or says what is wrong with it.
fn segment_names<'a>(
    segment: &'a str,
    is_last: bool,
    names: &mut Vec<&'a str>,
) -> Result<(), String> {
    let mut rest = segment;
    while let Some(at) = rest.find(['{', '}']) {
        let Some(inner) = rest[at..].strip_prefix('{') else {
            return Err("a \"}\" has no \"{\" before it".to_owned());
        };
        let Some((name, after)) = inner.split_once('}') else {
            return Err("a \"{\" has no \"}\" after it".to_owned());
        };
        let (name, is_tail) = name.strip_suffix('+').map_or((name, false), |name| (name, true));
        if name.is_empty() || name.contains(['{', '+', '*']) {
            return Err(format!("{} is not the name of a parameter", quoted(name)));
        }
        if is_tail && !(is_last && at == 0 && after.is_empty() && rest.len() == segment.len()) {
            return Err(format!(
                "{{{name}+}} takes all that follows, so it can only be the whole last segment"
            ));
        }
        if after.starts_with('{') {
            return Err(
                "two parameters stand side by side, so nobody can tell where one ends".to_owned()
            );
        }
        names.push(name);
        rest = after;
    }
    Ok(())
}

impl fmt::Display for RoutePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

written_as_text!(RoutePattern,
    format: "portway-route",
    pattern: r"^\s*(\*|[A-Z!#$%&'*+.^_`|~0-9-]+)\s+/\S*\s*$",
    description: "A route: `METHOD /path/{parameter}`. `*` is any method; a last segment `{rest+}` takes all that follows.",
    examples: ["GET /orders/{id}", "* /files/{rest+}"],
);

#[cfg(test)]
mod tests;
