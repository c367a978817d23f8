//! `Prefer` (RFC 7240): what a caller would like of a mock.
//!
//! `code`, `example` and `wait` are understood, whatever else is there is passed over, as the RFC asks. Of one that
//! stands there twice the first counts.

use super::accept::split;

/// Preferences that are read; those beyond do not count.
const PREFERENCES_MAX: usize = 64;
/// The longest wait that is granted, in milliseconds.
pub const WAIT_MS_MAX: u64 = 30_000;

/// What was asked for.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Prefer {
    /// The status to answer with, as written.
    pub code: Option<String>,
    /// The example to answer with.
    pub example: Option<String>,
    /// How long to wait first, in milliseconds, at most [`WAIT_MS_MAX`]. What is no number is no wish.
    pub wait_ms: Option<u64>,
}

impl Prefer {
    /// Reads one field; called for each, in order.
    pub fn read(&mut self, field: &str) {
        for item in split(field, b',').take(PREFERENCES_MAX) {
            // Parameters of a preference mean nothing here.
            let own = split(item, b';').next().unwrap_or_default();
            let Some((name, value)) = own.split_once('=') else { continue };
            let Some(value) = word(value.trim()) else { continue };
            match name.trim().to_ascii_lowercase().as_str() {
                "code" => _ = self.code.get_or_insert(value),
                "example" => _ = self.example.get_or_insert(value),
                "wait" if self.wait_ms.is_none() => self.wait_ms = wait_ms(&value),
                _ => {}
            }
        }
    }
}

/// A token, or a text in quotes; nothing for what is empty or neither.
fn word(written: &str) -> Option<String> {
    let Some(inner) = written.strip_prefix('"') else {
        let is_token = !written.is_empty()
            && written.bytes().all(|byte| byte.is_ascii_graphic() && !b"\",;=".contains(&byte));
        return is_token.then(|| written.to_owned());
    };
    let inner = inner.strip_suffix('"')?;
    let mut value = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => value.push(characters.next()?),
            '"' => return None,
            other => value.push(other),
        }
    }
    (!value.is_empty()).then_some(value)
}

/// Seconds, with a fraction if need be.
fn wait_ms(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let thousandths: u64 = format!("{:0<3}", &fraction[..fraction.len().min(3)]).parse().ok()?;
    let seconds = whole.parse::<u64>().unwrap_or(u64::MAX);
    Some(seconds.saturating_mul(1_000).saturating_add(thousandths).min(WAIT_MS_MAX))
}
