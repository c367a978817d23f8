//! Traces: where spans are sent, and of which calls.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::SecretRef;
use crate::text::{Malformed, written_as_text};

/// Spans of calls, sent as OTLP over HTTP (protobuf). Nothing is sent, and nothing costs anything, without `to`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "settings of traces")]
pub struct Traces {
    /// The collector, `http://` or `https://`; without a path, spans go to `/v1/traces` of it. Default: none, and no spans. Changing anything here needs a restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "portway-collector", "examples" = ["http://127.0.0.1:4318"]))]
    pub to: Option<String>,
    /// Which share of the traces that begin here is sampled, such as `1%` or `0.05%`. Default 1%.
    #[serde(skip_serializing_if = "crate::shape::is_default")]
    pub sample: Share,
    /// Which calls are sent although they are not sampled: none (`off`), those that end with 5xx (`failures`), or also those that are refused or broken off (`all`). Default `failures`.
    #[serde(skip_serializing_if = "crate::shape::is_default")]
    pub errors: TraceErrors,
    /// Whose decision, the `sampled` flag of `traceparent`, is followed: that of `proxies` (`gateway.trusted_proxies`), of `everyone`, or of `nobody`. Default `proxies`: any other caller could have all of its calls sent.
    #[serde(skip_serializing_if = "crate::shape::is_default")]
    pub follow: FollowedParent,
    /// Header fields for the collector, such as a token; values are references to secrets.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, SecretRef>,
    /// Attributes of the resource that the spans come from, such as `deployment.environment.name`. `service.name` is `portway` unless it is given here.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub resource: BTreeMap<String, String>,
    /// PEM file of the authorities to trust for an `https` collector in place of the system's, relative to the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "portway-file"))]
    pub ca: Option<String>,
}

/// Which calls are sent although they are not sampled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "calls that are always sent")]
pub enum TraceErrors {
    /// None.
    Off,
    /// Those that end with 5xx.
    #[default]
    Failures,
    /// Those that end with 5xx, and every other whose outcome is not `ok`.
    All,
}

/// Whose decision about sampling is followed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(title = "callers whose sampling is followed")]
pub enum FollowedParent {
    /// That of trusted proxies.
    #[default]
    Proxies,
    /// That of every caller.
    Everyone,
    /// Nobody's: Portway decides for each call.
    Nobody,
}

/// A share of all: `1%`, in millionths. 0–100%.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    millionths: u32,
}

/// All, in millionths.
const WHOLE: u32 = 1_000_000;

impl Share {
    /// From millionths of the whole; more than the whole is the whole.
    pub const fn from_millionths(millionths: u32) -> Self {
        Self { millionths: if millionths > WHOLE { WHOLE } else { millionths } }
    }

    /// Millionths of the whole, 0–1,000,000.
    pub const fn millionths(self) -> u32 {
        self.millionths
    }
}

impl Default for Share {
    fn default() -> Self {
        Self { millionths: WHOLE / 100 }
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (whole, part) = (self.millionths / 10_000, self.millionths % 10_000);
        if part == 0 {
            return write!(f, "{whole}%");
        }
        write!(f, "{whole}.{}%", format!("{part:04}").trim_end_matches('0'))
    }
}

impl std::str::FromStr for Share {
    type Err = Malformed;

    /// # Errors
    /// When it is not a number of per cent from 0 to 100 with at most four decimals.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong =
            |why: &str| Malformed::new(text, "a share", why, "write for example 1% or 0.05%");
        let number = text.strip_suffix('%').ok_or_else(|| wrong("it has no % at its end"))?;
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str, most: usize| {
            (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !digits(whole, 3) || !digits(part, 4) {
            return Err(wrong("it is not a number with at most four decimals"));
        }
        let whole: u32 = whole.parse().map_err(|_| wrong("it is not a number"))?;
        let part: u32 = format!("{part:0<4}").parse().map_err(|_| wrong("it is not a number"))?;
        let millionths = whole * 10_000 + part;
        if millionths > WHOLE {
            return Err(wrong("it is more than 100%"));
        }
        Ok(Self { millionths })
    }
}

written_as_text!(Share,
    format: "portway-share",
    pattern: r"^[0-9]{1,3}(\.[0-9]{1,4})?%$",
    description: "A share of all, in per cent.",
    examples: ["1%", "0.05%"],
);

#[cfg(test)]
mod tests;
