//! Numbers with a unit: `3s`, `64KiB`.
//!
//! Always whole numbers: `1500ms`, not `1.5s`, so that what is written is exactly what holds.

use std::fmt;
use std::str::FromStr;

use crate::text::{Malformed, whole_number, written_as_text};

/// A length of time, at least 1 ms and at most 366 days. Written as a number with `ms`, `s`, `m`, `h` or `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(u64);

/// Milliseconds of 366 days.
const DURATION_MS_MAX: u64 = 366 * DAY_MS;
const DAY_MS: u64 = 86_400_000;

/// The units of time with their milliseconds, the longest first.
const TIME_UNITS: [(&str, u64); 5] =
    [("d", DAY_MS), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl Duration {
    /// From milliseconds.
    pub const fn from_ms(ms: u64) -> Self {
        Self(ms)
    }

    /// In milliseconds.
    pub const fn as_ms(self) -> u64 {
        self.0
    }
}

impl From<Duration> for std::time::Duration {
    fn from(duration: Duration) -> Self {
        Self::from_millis(duration.0)
    }
}

impl FromStr for Duration {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = |why: &str, fix: &str| Malformed::new(text, "a length of time", why, fix);
        let (digits, unit) = split_number(text);
        if digits.is_empty() || unit.starts_with(['.', ',']) {
            return Err(wrong(
                "it is a whole number with one of the units ms, s, m, h, d",
                "write for example 1500ms, 30s or 10m",
            ));
        }
        if has_leading_zero(digits) {
            return Err(wrong(LEADING_ZERO, &format!("write {}{unit}", without_zeros(digits))));
        }
        if unit.is_empty() {
            return Err(wrong(
                "it has no unit",
                &format!("write {digits}s if seconds are meant, {digits}ms if milliseconds"),
            ));
        }
        let Some((_, unit_ms)) = TIME_UNITS.iter().find(|(name, _)| *name == unit) else {
            let fix = time_unit_meant(unit)
                .map_or(String::new(), |meant| format!("write {digits}{meant}"));
            return Err(wrong("the unit is one of ms, s, m, h, d", &fix));
        };
        let ms = whole_number(digits).and_then(|number| number.checked_mul(*unit_ms));
        match ms {
            Some(0) => Err(wrong("it is at least 1ms", "")),
            Some(ms) if ms <= DURATION_MS_MAX => Ok(Self(ms)),
            _ => Err(wrong("it is at most 366d", "")),
        }
    }
}

/// The unit that a longer word for it means.
fn time_unit_meant(unit: &str) -> Option<&'static str> {
    Some(match unit.trim().to_ascii_lowercase().as_str() {
        "msec" | "millis" | "milliseconds" | "millisecond" | "ms" => "ms",
        "sec" | "secs" | "second" | "seconds" | "s" => "s",
        "min" | "mins" | "minute" | "minutes" | "m" => "m",
        "hour" | "hours" | "hr" | "h" => "h",
        "day" | "days" | "d" => "d",
        _ => return None,
    })
}

/// Some readers take `010` for eight.
const LEADING_ZERO: &str = "a number does not begin with 0";

fn has_leading_zero(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0')
}

fn without_zeros(digits: &str) -> &str {
    match digits.trim_start_matches('0') {
        "" => "0",
        rest => rest,
    }
}

/// Digits at the beginning, and the rest.
fn split_number(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, unit_ms) = TIME_UNITS
            .iter()
            .find(|(_, unit_ms)| self.0 >= *unit_ms && self.0.is_multiple_of(*unit_ms))
            .unwrap_or(&("ms", 1));
        write!(f, "{}{unit}", self.0 / unit_ms)
    }
}

written_as_text!(Duration,
    format: "portway-duration",
    pattern: "^[1-9][0-9]*(ms|s|m|h|d)$",
    description: "A length of time: a whole number with `ms`, `s`, `m`, `h` or `d`; at least 1ms, at most 366d.",
    examples: ["3s", "1500ms", "10m"],
);

/// A number of bytes, at most 1 PiB. Written as a number, alone or with `B`, `KB`, `MB`, `GB` (thousands) or
/// `KiB`, `MiB`, `GiB` (1024s).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ByteSize(u64);

/// 1 PiB: far above anything sensible, and low enough that sums of several cannot overflow.
const BYTES_MAX: u64 = 1 << 50;

/// The units of size with their bytes, in the order in which the normal form prefers them.
const SIZE_UNITS: [(&str, u64); 7] = [
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

impl ByteSize {
    /// From bytes.
    pub const fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// In bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for ByteSize {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = |why: &str, fix: &str| Malformed::new(text, "a size", why, fix);
        let (digits, unit) = split_number(text);
        if digits.is_empty() || unit.starts_with(['.', ',']) {
            return Err(wrong(
                "it is a whole number of bytes, alone or with one of B, KB, MB, GB, KiB, MiB, GiB",
                "write for example 64KiB or 16MiB",
            ));
        }
        if has_leading_zero(digits) {
            return Err(wrong(LEADING_ZERO, &format!("write {}{unit}", without_zeros(digits))));
        }
        let unit_bytes = match SIZE_UNITS.iter().find(|(name, _)| *name == unit) {
            Some((_, unit_bytes)) => *unit_bytes,
            None if unit.is_empty() => 1,
            None => {
                let fix = size_unit_meant(unit)
                    .map_or(String::new(), |meant| format!("write {digits}{meant}"));
                return Err(wrong("the unit is one of B, KB, MB, GB, KiB, MiB, GiB", &fix));
            }
        };
        match whole_number(digits).and_then(|number| number.checked_mul(unit_bytes)) {
            Some(bytes) if bytes <= BYTES_MAX => Ok(Self(bytes)),
            _ => Err(wrong("it is at most 1048576GiB (1 PiB)", "")),
        }
    }
}

/// The unit that another spelling of it means.
fn size_unit_meant(unit: &str) -> Option<&'static str> {
    Some(match unit.trim().to_ascii_lowercase().as_str() {
        "b" | "byte" | "bytes" => "B",
        "k" | "ki" | "kib" => "KiB",
        "m" | "mi" | "mib" => "MiB",
        "g" | "gi" | "gib" => "GiB",
        "kb" => "KB",
        "mb" => "MB",
        "gb" => "GB",
        _ => return None,
    })
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, unit_bytes): &&(&str, u64)| {
            *unit_bytes > 1 && self.0 >= *unit_bytes && self.0.is_multiple_of(*unit_bytes)
        };
        match SIZE_UNITS.iter().find(fits) {
            Some((unit, unit_bytes)) => write!(f, "{}{unit}", self.0 / unit_bytes),
            None => write!(f, "{}", self.0),
        }
    }
}

impl serde::Serialize for ByteSize {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for ByteSize {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct SizeVisitor;
        impl serde::de::Visitor<'_> for SizeVisitor {
            type Value = ByteSize;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as \"64KiB\" or a whole number of bytes")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ByteSize, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_u64<E: serde::de::Error>(self, bytes: u64) -> Result<ByteSize, E> {
                if bytes <= BYTES_MAX {
                    Ok(ByteSize(bytes))
                } else {
                    Err(E::custom("a size is at most 1 PiB"))
                }
            }
            fn visit_i64<E: serde::de::Error>(self, bytes: i64) -> Result<ByteSize, E> {
                self.visit_u64(
                    u64::try_from(bytes).map_err(|_| E::custom("a size is not below 0"))?,
                )
            }
        }
        deserializer.deserialize_any(SizeVisitor)
    }
}

impl schemars::JsonSchema for ByteSize {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ByteSize".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "A number of bytes: a whole number, alone or with `B`, `KB`, `MB`, `GB` (thousands) or `KiB`, `MiB`, `GiB` (1024s); at most 1 PiB.",
            "anyOf": [
                {
                    "type": "string",
                    "format": "portway-size",
                    "pattern": "^(0|[1-9][0-9]*)(B|KB|MB|GB|KiB|MiB|GiB)?$",
                },
                { "type": "integer", "minimum": 0, "maximum": BYTES_MAX },
            ],
            "examples": ["64KiB", "16MiB", 4096],
        })
    }
}

#[cfg(test)]
mod tests;
