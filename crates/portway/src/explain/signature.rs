//! The text that was to be signed beside the one that a client says it signed, and where they first differ.

use portway_policy::{SignatureFault, TextToSign};
use serde::{Deserialize, Serialize};

use crate::status;

/// How much is shown on either side of a difference, in characters.
const AROUND_CHARS: usize = 24;

/// What is known of a signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// `hmac key_pair`, `hmac app` or `signature`; empty where it could not be told.
    pub kind: String,
    /// The id that the caller names.
    pub id: String,
    /// Whether an app has that id.
    pub id_known: bool,
    /// The algorithm that the caller names.
    pub algorithm: String,
    /// The headers or components that the caller says it signed.
    pub covered: String,
    /// When it was signed, by what clock, and whether that fits; absent where no time was signed.
    pub clock: Option<String>,
    /// The text that has to be signed, as the gateway has it.
    pub to_sign: Option<String>,
    /// Where the client's text differs from that; absent where none was given.
    pub compared: Option<Compared>,
    /// Why there is no text to sign.
    pub fault: Option<String>,
}

/// Two texts compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// Whether they are the same.
    pub same: bool,
    /// Where they first differ, counted in bytes from 0.
    pub byte: usize,
    /// The line of that, from 1.
    pub line: usize,
    /// The byte in that line, from 1.
    pub column: usize,
    /// Ours from shortly before there.
    pub ours: String,
    /// The client's from shortly before there.
    pub yours: String,
}

/// What there is to say of the signature of a call.
pub fn describe(
    signing: &Result<TextToSign, SignatureFault>,
    unknown_ids: &[String],
    unix_ms: u64,
    yours: Option<&[u8]>,
) -> Signature {
    match signing {
        Ok(text) => Signature {
            kind: text.kind.to_owned(),
            id: text.id.clone(),
            id_known: !unknown_ids.contains(&text.id),
            algorithm: text.algorithm.clone(),
            covered: text.covered.clone(),
            clock: clock(text, unix_ms),
            to_sign: Some(shown(&text.text)),
            compared: yours.map(|yours| compare(&text.text, yours)),
            fault: None,
        },
        Err(fault) => Signature {
            kind: String::new(),
            id: String::new(),
            id_known: false,
            algorithm: String::new(),
            covered: String::new(),
            clock: None,
            to_sign: None,
            compared: None,
            fault: Some(sentence(fault)),
        },
    }
}

/// A fault with the name that it is about.
pub fn sentence(fault: &SignatureFault) -> String {
    // The sentences are made for JSON.
    let sentence = fault.sentence().replace("\\\"", "\"");
    match fault {
        SignatureFault::HeaderMissing(name)
        | SignatureFault::NotCovered(name)
        | SignatureFault::ComponentUnknown(name)
        | SignatureFault::Algorithm(name) => format!("{sentence} It is `{name}`."),
        _ => sentence,
    }
}

fn clock(text: &TextToSign, unix_ms: u64) -> Option<String> {
    let date = text.date.as_ref()?;
    let now_s = i64::try_from(unix_ms / 1_000).unwrap_or(i64::MAX);
    let now = status::rfc3339(std::time::UNIX_EPOCH + std::time::Duration::from_millis(unix_ms));
    let Some(signed_s) = text.signed_at_s else {
        return Some(format!("the call says \"{date}\", which is no date"));
    };
    let off = match now_s.saturating_sub(signed_s) {
        0 => "the same second".to_owned(),
        behind if behind > 0 => format!("{behind} s before it (at most {} s)", text.age_s),
        ahead => format!("{} s ahead of it (at most {} s)", ahead.unsigned_abs(), text.ahead_s),
    };
    Some(format!("the call says {date}; the gateway's clock says {now}: signed {off}"))
}

/// Where two texts first differ.
pub fn compare(ours: &[u8], yours: &[u8]) -> Compared {
    let byte = ours.iter().zip(yours).take_while(|(a, b)| a == b).count();
    let before = &ours[..byte];
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    Compared {
        same: ours == yours,
        byte,
        line: before.iter().filter(|byte| **byte == b'\n').count() + 1,
        column: byte - line_start + 1,
        ours: around(ours, byte),
        yours: around(yours, byte),
    }
}

fn around(text: &[u8], at: usize) -> String {
    let (start, end) = (at.saturating_sub(AROUND_CHARS), (at + AROUND_CHARS).min(text.len()));
    let mut shown = String::new();
    if start > 0 {
        shown.push('…');
    }
    for byte in &text[start..end] {
        match byte {
            b'\n' => shown.push_str("\\n"),
            b'\r' => shown.push_str("\\r"),
            b'\t' => shown.push_str("\\t"),
            b' '..=b'~' => shown.push(char::from(*byte)),
            _ => shown.push_str(&format!("\\x{byte:02x}")),
        }
    }
    shown.push_str(if end < text.len() { "…" } else { "⏹" });
    shown
}

fn shown(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

#[cfg(test)]
mod tests;
