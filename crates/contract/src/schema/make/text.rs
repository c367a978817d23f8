//! Texts: by pattern, by format, or plain, and of the length that is asked.

use super::facts::Facts;
use super::{BYTES_MAX, Maker, TEXT_BYTES, pattern};

impl<'s> Maker<'s> {
    pub(super) fn text(&mut self, facts: &Facts<'s>, turn: usize) -> Option<String> {
        let least = usize::try_from(facts.text_least).unwrap_or(usize::MAX);
        let most = usize::try_from(facts.text_most).unwrap_or(usize::MAX);
        if least > TEXT_BYTES || self.bytes > BYTES_MAX {
            return self.give_up();
        }
        if least > most {
            return None;
        }
        let made = self.of_formats(facts, turn, (least, most)).or_else(|| {
            if facts.patterns.is_empty() {
                return Some(plain(least, most, turn));
            }
            self.of_patterns(facts, turn, (least, most))
        })?;
        self.bytes += made.len();
        self.pay(1 + made.len() / 8).then_some(made)
    }

    fn of_formats(
        &mut self,
        facts: &Facts<'s>,
        turn: usize,
        (least, most): (usize, usize),
    ) -> Option<String> {
        facts
            .formats
            .iter()
            .filter_map(|format| formatted(format, turn))
            .find(|text| is_right(facts, text, (least, most)))
    }

    fn of_patterns(
        &mut self,
        facts: &Facts<'s>,
        turn: usize,
        (least, most): (usize, usize),
    ) -> Option<String> {
        for regex in &facts.patterns {
            for (length, turn) in
                [(least, turn), (0, turn), (most.min(least + 8), turn), (least, turn + 1)]
            {
                if !self.pay(100 + length) {
                    return self.give_up();
                }
                let Some(text) = pattern::text(regex.as_str(), length, turn) else { continue };
                if is_right(facts, &text, (least, most)) {
                    return Some(text);
                }
            }
        }
        // A pattern of a part, and a text that is long enough.
        let text = plain(least, most, turn);
        is_right(facts, &text, (least, most)).then_some(text)
    }
}

fn is_right(facts: &Facts<'_>, text: &str, (least, most): (usize, usize)) -> bool {
    let count = text.chars().count();
    count >= least && count <= most && facts.patterns.iter().all(|regex| regex.is_match(text))
}

/// A text that says nothing, of a length within bounds.
fn plain(least: usize, most: usize, turn: usize) -> String {
    let mut text = if turn == 0 { "string".to_owned() } else { format!("string{}", turn + 1) };
    while text.len() < least {
        text.push_str("string");
    }
    if text.len() > most.max(least).min(TEXT_BYTES) || text.len() > least.max(16) {
        text.truncate(least.max(most.min(16)));
    }
    if turn > 0 && text.len() < 7 {
        // The number is what tells it from others.
        let number = format!("{turn:x}");
        let kept = number.len().min(text.len());
        let at = text.len() - kept;
        text.replace_range(at.., &number[number.len() - kept..]);
    }
    text
}

/// An example of a format (JSON Schema 2020-12 validation, section 7.3, and the formats of OpenAPI).
fn formatted(format: &str, turn: usize) -> Option<String> {
    let day = 15 + turn % 14;
    let number = turn + 1;
    Some(match format {
        "date-time" | "datetime" | "date_time" | "iso8601" => {
            format!("2025-01-{day}T09:30:00Z")
        }
        "date" | "full-date" => format!("2025-01-{day}"),
        "time" | "partial-time" => format!("09:30:{:02}Z", turn % 60),
        "duration" => format!("P{number}D"),
        "email" | "idn-email" => format!("user{number}@example.com"),
        "hostname" | "idn-hostname" => format!("host{number}.example.com"),
        "ipv4" | "ip" => format!("192.0.2.{}", number % 256),
        "ipv6" => format!("2001:db8::{number:x}"),
        "uri" | "url" | "iri" => format!("https://example.com/{number}"),
        "uri-reference" | "iri-reference" | "uriref" => format!("/example/{number}"),
        "uri-template" => format!("https://example.com/{number}/{{name}}"),
        "uuid" | "guid" => {
            format!("3fa85f64-5717-4562-b3fc-{:012x}", 0x2c96_3f66_afa5_u64 + turn as u64)
        }
        "json-pointer" => format!("/example/{number}"),
        "relative-json-pointer" => format!("{number}"),
        "regex" => format!("^[a-z]{{{number}}}$"),
        // `example` in base64.
        "byte" | "base64" => "ZXhhbXBsZQ==".to_owned(),
        _ => return None,
    })
}
