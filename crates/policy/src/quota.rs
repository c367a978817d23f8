//! Calendar days and months in UTC, for quotas.
//!
//! Counts start anew at midnight, or at the first of a month. The clock that is asked may be set. A step back
//! over such a border does not open the old window again: the count goes on in the later one until time has
//! caught up. A step forward over a border opens the next window, as waiting would; what was counted in the old
//! one may then be forgotten, also if the clock is set back later.

use portway_model::QuotaPeriod;

/// Milliseconds of a day. UTC as computers count it has no leap seconds.
const DAY_MS: u64 = 86_400_000;
/// The last day that is told apart: 9999-12-31. Later times count as that day.
const DAY_MAX: u64 = 2_932_896;

/// One calendar day or month.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Number of the window; a later one has a higher number.
    pub index: u32,
    /// Its beginning, in milliseconds since 1970.
    pub start_ms: u64,
    /// The beginning of the next one.
    pub end_ms: u64,
}

impl Span {
    /// The one in which a moment lies.
    pub fn of(period: QuotaPeriod, unix_ms: u64) -> Self {
        let day = (unix_ms / DAY_MS).min(DAY_MAX);
        match period {
            QuotaPeriod::Day => {
                Self { index: small(day), start_ms: day * DAY_MS, end_ms: (day + 1) * DAY_MS }
            }
            QuotaPeriod::Month => {
                let (year, month) = month_of(day);
                let (next_year, next_month) =
                    if month == 12 { (year + 1, 1) } else { (year, month + 1) };
                Self {
                    index: small(year * 12 + month),
                    start_ms: first_day(year, month) * DAY_MS,
                    end_ms: first_day(next_year, next_month) * DAY_MS,
                }
            }
        }
    }

    /// Its length in seconds.
    pub fn seconds(&self) -> u32 {
        small((self.end_ms - self.start_ms) / 1_000)
    }

    /// Seconds from a moment to its end, rounded up, at least 1.
    pub fn seconds_left(&self, unix_ms: u64) -> u32 {
        small(self.end_ms.saturating_sub(unix_ms).div_ceil(1_000)).max(1)
    }
}

/// The count of a quota for one app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// Number of the window that is counted.
    pub index: u32,
    /// Calls in it.
    pub calls: u64,
}

impl Used {
    /// Counts one more if fewer than `count` were in this window. Says how many remain; nothing, when it was
    /// not counted.
    pub fn take(&mut self, span: &Span, count: u64) -> Option<u64> {
        self.forget(span);
        let remaining = count.checked_sub(self.calls)?.checked_sub(1)?;
        self.calls += 1;
        Some(remaining)
    }

    /// Calls that would be admitted.
    pub fn remaining(&mut self, span: &Span, count: u64) -> u64 {
        self.forget(span);
        count.saturating_sub(self.calls)
    }

    /// Takes one back, if its window is still the one counted.
    pub fn give_back(&mut self, span: &Span) {
        if self.index <= span.index {
            self.calls = self.calls.saturating_sub(1);
        }
    }

    /// Whether nothing is left to remember.
    pub fn is_idle(&self, span: &Span) -> bool {
        self.calls == 0 || self.index < span.index
    }

    fn forget(&mut self, span: &Span) {
        if self.index < span.index {
            *self = Self { index: span.index, calls: 0 };
        }
    }
}

/// Days from 1970-01-01 to the first of a month. Years count from March here, so that the leap day is a
/// year's last one.
fn first_day(year: u64, month: u64) -> u64 {
    let (year, from_march) = if month <= 2 { (year - 1, month + 9) } else { (year, month - 3) };
    let days_of_years = year * 365 + year / 4 - year / 100 + year / 400;
    // 153 days are five months from March on or from August on: 31, 30, 31, 30, 31.
    let days_of_months = (153 * from_march + 2) / 5;
    days_of_years + days_of_months - EPOCH
}

/// Days from the first of March in the year 0 to 1970-01-01.
const EPOCH: u64 = 719_468;

/// Year and month of a day counted from 1970-01-01: guesses the month and corrects the guess.
fn month_of(day: u64) -> (u64, u64) {
    // Slightly too long a month (30.4369 days on average), so that the guess is never late.
    let mut months = day * 10_000 / 304_400;
    while first_day(1970 + (months + 1) / 12, (months + 1) % 12 + 1) <= day {
        months += 1;
    }
    (1970 + months / 12, months % 12 + 1)
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
