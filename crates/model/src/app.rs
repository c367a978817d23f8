//! A caller: an app, its keys, its plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{AppCertificate, Name, SecretRef};

/// One app.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "app", extend("x-portway-hidden" = true))]
pub struct App {
    /// Its API keys. Several may be valid at once, so that they can be changed without a gap.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-portway-secret" = true))]
    pub keys: Vec<AppKey>,
    /// Its key pairs for services with `auth: [hmac]`. Several may be valid at once, too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hmac: Vec<HmacKey>,
    /// Its keys for services with `auth: [signature]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signing_keys: Vec<SigningKey>,
    /// Its client certificates for services with `auth: [mtls]`, any one of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<AppCertificate>,
    /// Its usage plan. Default: none, so that only the limits of the services hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Name>,
    /// The services that it may call. Default: all that take keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<Vec<Name>>,
    /// `true` refuses all its keys and certificates. Default false.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disabled: bool,
}

/// A key pair with which an app signs its calls: an id that goes with every call, and a secret that never does.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "key pair of an app")]
pub struct HmacKey {
    /// The id, as callers write it into `Authorization` (`AKID…` or `APID…` of a cloud product, for example). No secret.
    #[schemars(extend("format" = "portway-key-id", "pattern" = "^[A-Za-z0-9._-]{1,128}$"))]
    pub id: String,
    /// The secret. A reference, never a hash: the gateway must sign as the caller does, to compare.
    pub secret: SecretRef,
}

/// A key with which an app signs by RFC 9421.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "signing key of an app")]
pub struct SigningKey {
    /// What callers write as `keyid`.
    #[schemars(extend("format" = "portway-key-id", "pattern" = "^[A-Za-z0-9._-]{1,128}$"))]
    pub id: String,
    /// How it signs. What a caller says of that does not count.
    pub algorithm: SigningAlgorithm,
    /// The key: a public key as PEM (`-----BEGIN PUBLIC KEY-----`), or a shared secret of 16 bytes or more as Base64.
    pub key: SecretRef,
}

/// How a key signs (RFC 9421 section 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "algorithm of a signing key")]
pub enum SigningAlgorithm {
    /// Ed25519. Public key.
    Ed25519,
    /// ECDSA on the curve P-256 with SHA-256. Public key.
    #[serde(rename = "ecdsa_p256_sha256")]
    EcdsaP256Sha256,
    /// HMAC with SHA-256. Shared secret.
    HmacSha256,
}

/// An API key: where to find it, or its SHA-256. The key itself never stands in a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[schemars(extend("x-portway-secret" = true))]
#[schemars(title = "key of an app")]
pub enum AppKey {
    /// Name of the environment variable that holds the key.
    Env(
        #[schemars(extend("format" = "portway-variable", "pattern" = "^[A-Za-z_][A-Za-z0-9_]*$"))]
        String,
    ),
    /// File that holds the key (white space at its end is cut off), relative to the document.
    File(#[schemars(extend("format" = "portway-file"))] String),
    /// SHA-256 of the key, 64 hexadecimal digits: `printf %s KEY | sha256sum`.
    Sha256(
        #[schemars(extend("format" = "portway-sha256", "pattern" = "^[0-9a-fA-F]{64}$"))] String,
    ),
}
