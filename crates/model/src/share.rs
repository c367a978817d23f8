//! A share of all: `1%`.

use crate::text::{Malformed, written_as_text};

/// A share of all: `1%`, in millionths. 0–100%.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

    /// Whether one of many is of the share, by a number drawn at random for it.
    #[must_use]
    pub const fn takes(self, random: u64) -> bool {
        // 32 bits are enough for steps of a millionth.
        ((random >> 32) * WHOLE as u64) >> 32 < self.millionths as u64
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
