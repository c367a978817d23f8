//! A share of many: `1%`.

use std::fmt;
use std::str::FromStr;

use crate::text::{Malformed, written_as_text};

/// A share, above 0% and at most 100%, in steps of a thousandth of a percent. Written `1%` or `0.05%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

/// Steps in a whole.
const WHOLE: u32 = 100_000;

impl Share {
    /// Whether one of many is of the share, by a number drawn at random for it.
    #[must_use]
    pub const fn takes(self, random: u64) -> bool {
        // 32 bits are enough for steps of a thousandth of a percent.
        ((random >> 32) * WHOLE as u64) >> 32 < self.0 as u64
    }
}

impl FromStr for Share {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong =
            |why: &str| Malformed::new(text, "a share", why, "write for example 1% or 0.05%");
        let Some(number) = text.strip_suffix('%') else {
            return Err(wrong("it is a number of percent"));
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
        let is_written = !whole.is_empty() && is_number(whole) && is_number(part);
        let is_plain = whole == "0" || !whole.starts_with('0');
        if !is_written || !is_plain || number.ends_with('.') {
            return Err(wrong("it is a number such as 1 or 0.05 with a percent sign"));
        }
        if part.len() > 3 {
            return Err(wrong("it is in steps of 0.001%"));
        }
        let whole: Option<u32> = whole.parse().ok().filter(|percent| *percent <= 100);
        let part: u32 = format!("{part:0<3}").parse().unwrap_or(0);
        match whole.map(|percent| percent * 1_000 + part) {
            Some(0) => Err(wrong("it is above 0%; leave it out for none")),
            Some(steps) if steps <= WHOLE => Ok(Self(steps)),
            _ => Err(wrong("it is at most 100%")),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000, format!("{:03}", self.0 % 1_000));
        match part.trim_end_matches('0') {
            "" => write!(f, "{whole}%"),
            part => write!(f, "{whole}.{part}%"),
        }
    }
}

written_as_text!(Share,
    format: "portway-share",
    pattern: r"^(100(\.0{1,3})?|[1-9]?[0-9](\.[0-9]{1,3})?)%$",
    description: "A share of many: a number of percent, above 0% and at most 100%, in steps of 0.001%.",
    examples: ["1%", "0.05%"],
);

#[cfg(test)]
mod tests;
