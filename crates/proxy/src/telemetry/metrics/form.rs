//! The forms in which metrics are written, and which of them a scraper wants.

/// A form of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricsForm {
    /// Prometheus' text, version 0.0.4.
    Plain,
    /// OpenMetrics 1.0.0, which has exemplars.
    OpenMetrics,
}

/// Ranges of an `Accept` that are looked at.
const RANGES_MAX: usize = 32;

impl MetricsForm {
    /// What an `Accept` asks for (RFC 9110 §12.5.1): OpenMetrics where it is named and wanted at least as much as
    /// plain text, else plain text.
    pub fn accepted(accept: &str) -> Self {
        let weight_of = |media: &str| {
            let ranges = accept.split(',').take(RANGES_MAX);
            ranges.filter_map(|range| weight(range, media)).max()
        };
        match weight_of("application/openmetrics-text") {
            Some(open) if open > 0 && open >= weight_of("text/plain").unwrap_or(0) => {
                Self::OpenMetrics
            }
            _ => Self::Plain,
        }
    }

    /// The `Content-Type`.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Plain => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

/// The weight that a range gives to a media type, in thousandths, if it is about it and about a version that there is.
fn weight(range: &str, media: &str) -> Option<u32> {
    let mut parts = range.split(';').map(str::trim);
    if !parts.next()?.eq_ignore_ascii_case(media) {
        return None;
    }
    let mut weight = 1_000;
    for part in parts {
        let (name, value) = part.split_once('=')?;
        let value = value.trim().trim_matches('"');
        match name.trim().to_ascii_lowercase().as_str() {
            "version" if !matches!(value, "1.0.0" | "0.0.1" | "0.0.4") => return None,
            "q" => weight = thousandths(value)?,
            _ => {}
        }
    }
    Some(weight)
}

/// A weight (RFC 9110 §12.4.2): 0–1 with at most three decimals.
fn thousandths(text: &str) -> Option<u32> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = part.len() <= 3 && part.bytes().all(|byte| byte.is_ascii_digit());
    let part: u32 = is_digits.then(|| format!("{part:0<3}"))?.parse().ok()?;
    match whole {
        "0" => Some(part),
        "1" if part == 0 => Some(1_000),
        _ => None,
    }
}
