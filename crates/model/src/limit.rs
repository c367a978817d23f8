//! How often something may be called: `20/s per app`, `1000000/month`.
//!
//! The grammar is `COUNT/PERIOD [per WHAT]`. Reading it stands here; counting does not.

use std::fmt;
use std::str::FromStr;

use crate::text::{Malformed, is_disturbing, is_token, quoted, whole_number, written_as_text};

/// A rate limit: at most `count` calls in any stretch of time as long as `period`, for each value of `by`.
/// Written `COUNT/s|m|h|d [per app|ip|header:NAME|query:NAME|path:NAME]`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Limit {
    /// Calls, 1 to 1,000,000,000.
    pub count: u32,
    /// In this time.
    pub period: Period,
    /// For each what.
    pub by: LimitBy,
}

/// The stretch of time of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Period {
    /// `s`
    Second,
    /// `m`
    Minute,
    /// `h`
    Hour,
    /// `d`, 24 hours
    Day,
}

/// What a limit counts for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LimitBy {
    /// All calls together.
    Total,
    /// Each app. Calls without an app count together.
    App,
    /// Each caller's address (IPv6: each /64).
    Ip,
    /// Each value of a header.
    Header(String),
    /// Each value of a query parameter.
    Query(String),
    /// Each value of a path parameter.
    Path(String),
}

/// The most calls that a limit can name.
const LIMIT_COUNT_MAX: u64 = 1_000_000_000;
/// The most characters of the name of a header or parameter in a limit.
const LIMIT_NAME_CHARS_MAX: usize = 128;

const A_LIMIT: &str = "a limit";
const LIMIT_EXAMPLE: &str = "write for example 20/s or \"20/s per app\"";

impl Period {
    /// All periods.
    pub const ALL: [Self; 4] = [Self::Second, Self::Minute, Self::Hour, Self::Day];

    /// How long it is, in milliseconds.
    pub const fn as_ms(self) -> u64 {
        match self {
            Self::Second => 1_000,
            Self::Minute => 60_000,
            Self::Hour => 3_600_000,
            Self::Day => 86_400_000,
        }
    }

    /// The letter that stands for it in a limit.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Second => "s",
            Self::Minute => "m",
            Self::Hour => "h",
            Self::Day => "d",
        }
    }

    /// The period that a longer word for it means.
    fn meant(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "s" | "sec" | "second" | "seconds" => Self::Second,
            "m" | "min" | "minute" | "minutes" => Self::Minute,
            "h" | "hr" | "hour" | "hours" => Self::Hour,
            "d" | "day" | "days" => Self::Day,
            _ => return None,
        })
    }
}

impl FromStr for Period {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::ALL.into_iter().find(|period| period.as_str() == text).ok_or_else(|| {
            let fix = Self::meant(text).map_or(String::new(), |meant| format!("write {meant}"));
            Malformed::new(text, "a period", "it is one of s, m, h, d", fix)
        })
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for LimitBy {
    type Err = Malformed;

    /// Reads what stands after `per`. [`LimitBy::Total`] is written by leaving `per` out.
    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = |why: &str, fix: String| {
            Malformed::new(text, "something that a limit can count per", why, fix)
        };
        let (kind, name) =
            text.split_once(':').map_or((text, None), |(kind, name)| (kind, Some(name)));
        let read: fn(String) -> Self = match (kind, name) {
            ("app", None) => return Ok(Self::App),
            ("ip", None) => return Ok(Self::Ip),
            ("header", _) => Self::Header,
            ("query", _) => Self::Query,
            ("path", _) => Self::Path,
            _ => {
                let meant = crate::suggest::closest(kind, ["app", "ip", "header", "query", "path"]);
                let fix = meant.map_or(String::new(), |meant| format!("did you mean \"{meant}\"?"));
                return Err(wrong("it is one of app, ip, header:NAME, query:NAME, path:NAME", fix));
            }
        };
        let name = name.filter(|name| !name.is_empty());
        let Some(name) = name else {
            return Err(wrong("its name is missing", format!("write {kind}:NAME")));
        };
        if name.chars().count() > LIMIT_NAME_CHARS_MAX {
            return Err(wrong("its name has more than 128 characters", String::new()));
        }
        let fits = if kind == "header" { is_token(name) } else { is_parameter_name(name) };
        if !fits {
            return Err(wrong(
                "its name has a character that such a name cannot have",
                String::new(),
            ));
        }
        Ok(read(name.to_owned()))
    }
}

fn is_parameter_name(name: &str) -> bool {
    !name.chars().any(|c| c.is_whitespace() || is_disturbing(c))
}

impl fmt::Display for LimitBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Total => f.write_str("total"),
            Self::App => f.write_str("app"),
            Self::Ip => f.write_str("ip"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Path(name) => write!(f, "path:{name}"),
        }
    }
}

impl FromStr for Limit {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut words = text.split_ascii_whitespace();
        let rate = words.next().unwrap_or_default();
        let by = match (words.next(), words.next(), words.next()) {
            (None, ..) => LimitBy::Total,
            (Some("per"), Some(by), None) => {
                LimitBy::from_str(by).map_err(|inner| in_limit(text, inner))?
            }
            (Some("per"), None, _) => {
                return Err(Malformed::new(
                    text,
                    A_LIMIT,
                    "what it counts per is missing",
                    "write for example \"per app\"",
                ));
            }
            (Some(_), ..) => {
                let why = "after COUNT/PERIOD there can only stand \"per\" and one of app, ip, header:NAME, query:NAME, path:NAME";
                return Err(Malformed::new(text, A_LIMIT, why, LIMIT_EXAMPLE));
            }
        };
        let Some((count, period)) = rate.split_once('/') else {
            return Err(Malformed::new(
                text,
                A_LIMIT,
                "it is written COUNT/PERIOD [per WHAT]",
                LIMIT_EXAMPLE,
            ));
        };
        let count = limit_count(text, count)?;
        let period =
            Period::ALL.into_iter().find(|known| known.as_str() == period).ok_or_else(|| {
                let fix = Period::meant(period)
                    .map_or(String::new(), |meant| format!("write {count}/{meant}"));
                let fix = if fix.is_empty() && period == "month" {
                    "a month is for quotas, not for limits".to_owned()
                } else {
                    fix
                };
                Malformed::new(text, A_LIMIT, "the period is one of s, m, h, d", fix)
            })?;
        Ok(Self { count, period, by })
    }
}

fn limit_count(text: &str, count: &str) -> Result<u32, Malformed> {
    let number = whole_number(count).filter(|number| (1..=LIMIT_COUNT_MAX).contains(number));
    number.and_then(|number| u32::try_from(number).ok()).ok_or_else(|| {
        let why = format!("{} is not a whole number from 1 to 1000000000", quoted(count));
        Malformed::new(text, A_LIMIT, why, if count.is_empty() { LIMIT_EXAMPLE } else { "" })
    })
}

/// A mistake in the part after `per`, told of the whole limit.
fn in_limit(text: &str, inner: Malformed) -> Malformed {
    Malformed::new(text, A_LIMIT, inner.message, inner.fix)
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.period)?;
        match &self.by {
            LimitBy::Total => Ok(()),
            by => write!(f, " per {by}"),
        }
    }
}

written_as_text!(Limit,
    format: "portway-limit",
    pattern: r"^\s*[0-9]+/(s|m|h|d)(\s+per\s+(app|ip|header:[!#$%&'*+.^_`|~0-9A-Za-z-]+|query:\S+|path:\S+))?\s*$",
    description: "A rate limit: `COUNT/PERIOD [per WHAT]`. The period is `s`, `m`, `h` or `d`; WHAT is `app`, `ip`, `header:NAME`, `query:NAME` or `path:NAME`. Without `per`, all calls count together.",
    examples: ["200/s", "20/s per app", "5/s per ip", "100/m per header:X-Tenant"],
);

/// A quota: calls in a calendar day or month, in UTC. Written `COUNT/day` or `COUNT/month`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Quota {
    /// Calls, at least 1.
    pub count: u64,
    /// In this time.
    pub period: QuotaPeriod,
}

/// The calendar period of a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QuotaPeriod {
    /// From midnight to midnight.
    Day,
    /// From the first to the last day of a month.
    Month,
}

/// The most calls that a quota can name: whole numbers of this size are exact in every JSON reader.
const QUOTA_COUNT_MAX: u64 = (1 << 53) - 1;

impl QuotaPeriod {
    /// The word that stands for it in a quota.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
        }
    }
}

impl fmt::Display for QuotaPeriod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Quota {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = |why: String, fix: String| Malformed::new(text, "a quota", why, fix);
        let Some((count, period)) = text.split_once('/') else {
            let fix = "write for example 1000000/month".to_owned();
            return Err(wrong("it is written COUNT/day or COUNT/month".to_owned(), fix));
        };
        let period = match period {
            "day" => QuotaPeriod::Day,
            "month" => QuotaPeriod::Month,
            other => {
                let meant = match other.to_ascii_lowercase().as_str() {
                    "d" | "days" | "day" => {
                        format!("write {}/day", quoted(count).trim_matches('"'))
                    }
                    "months" | "month" | "mon" | "mo" => {
                        format!("write {}/month", quoted(count).trim_matches('"'))
                    }
                    "s" | "m" | "h" => "shorter periods are for limits, not for quotas".to_owned(),
                    _ => String::new(),
                };
                return Err(wrong("the period is day or month".to_owned(), meant));
            }
        };
        match whole_number(count).filter(|number| (1..=QUOTA_COUNT_MAX).contains(number)) {
            Some(count) => Ok(Self { count, period }),
            None => Err(wrong(
                format!("{} is not a whole number from 1 to {QUOTA_COUNT_MAX}", quoted(count)),
                String::new(),
            )),
        }
    }
}

impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, self.period)
    }
}

written_as_text!(Quota,
    format: "portway-quota",
    pattern: "^[0-9]+/(day|month)$",
    description: "A quota: `COUNT/day` or `COUNT/month`. Days and months are those of the calendar, in UTC.",
    examples: ["1000000/month", "5000/day"],
);

#[cfg(test)]
mod tests;
