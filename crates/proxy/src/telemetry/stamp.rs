//! Times as text: RFC 3339 in UTC with milliseconds, the part up to the second kept from call to call.

/// Bytes of `2026-11-24T08:22:34.123Z`.
pub const STAMP_BYTES: usize = 24;

/// Writes times; remembers the last second, so that most calls only write three digits.
#[derive(Debug, Clone)]
pub struct Stamp {
    second: u64,
    text: [u8; STAMP_BYTES],
}

impl Default for Stamp {
    fn default() -> Self {
        let mut stamp = Self { second: 0, text: *b"1970-01-01T00:00:00.000Z" };
        stamp.set_second(0);
        stamp
    }
}

/// The last second that four digits of year can hold (9999-12-31T23:59:59Z).
const LAST_SECOND: u64 = 253_402_300_799;

impl Stamp {
    /// The text of a time given in milliseconds since 1970. Times after the year 9999 read as its end.
    pub fn at(&mut self, unix_ms: u64) -> &[u8; STAMP_BYTES] {
        let second = (unix_ms / 1000).min(LAST_SECOND);
        if second != self.second {
            self.set_second(second);
        }
        put(&mut self.text[20..23], unix_ms % 1000);
        &self.text
    }

    fn set_second(&mut self, second: u64) {
        self.second = second;
        let (year, month, day) = civil(second / 86_400);
        let in_day = second % 86_400;
        put(&mut self.text[0..4], year);
        put(&mut self.text[5..7], month);
        put(&mut self.text[8..10], day);
        put(&mut self.text[11..13], in_day / 3600);
        put(&mut self.text[14..16], in_day / 60 % 60);
        put(&mut self.text[17..19], in_day % 60);
    }
}

/// Writes a number with leading zeros over the whole of `out`.
fn put(out: &mut [u8], mut number: u64) {
    for digit in out.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

/// Year, month and day of a day counted from 1970-01-01. Years are counted from March, so that the
/// leap day is the last of one, and in eras of 400 years, which all have the same number of days.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = days / 146_097 * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests;
