//! Dates as HTTP writes them (RFC 9110 §5.6.7, `IMF-fixdate`), a little more leniently than they have to be written.
//!
//! Clients that sign do not always use a library for dates: a day of one digit and `Sept` are understood. The name of
//! the weekday says nothing and is not compared. Other zones than GMT are not understood.

/// Seconds since 1970 of `Thu, 11 Mar 2021 08:29:58 GMT`; nothing for what is no such date.
pub(crate) fn parse(text: &[u8]) -> Option<i64> {
    const TEXT_BYTES_MAX: usize = 64;
    let text = std::str::from_utf8(text.get(..text.len().min(TEXT_BYTES_MAX + 1))?).ok()?;
    if text.len() > TEXT_BYTES_MAX {
        return None;
    }
    let (weekday, rest) = text.split_once(", ")?;
    if weekday.len() < 3 || !weekday.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return None;
    }
    let mut parts = rest.split(' ');
    let mut part = || parts.next();
    let (day, month, year, time, zone) = (part()?, part()?, part()?, part()?, part()?);
    if parts.next().is_some() || zone != "GMT" {
        return None;
    }
    let (day, month, year) = (number(day, 1, 2)?, month_of(month)?, number(year, 4, 4)?);
    let mut clock = time.split(':').map(|digits| number(digits, 2, 2));
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    // A leap second may be written.
    if clock.next().is_some() || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    if day < 1 || day > days_of(month, year) {
        return None;
    }
    Some(days_since_1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn number(digits: &str, least: usize, most: usize) -> Option<i64> {
    let fits = (least..=most).contains(&digits.len());
    if !fits || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok()
}

fn month_of(name: &str) -> Option<i64> {
    const NAMES: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let name = if name == "Sept" { "Sep" } else { name };
    let index = NAMES.iter().position(|known| *known == name)?;
    i64::try_from(index).ok().map(|index| index + 1)
}

fn days_of(month: i64, year: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days in the Gregorian calendar, counted in years that begin with March, so that a leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    const DAYS_TO_1970: i64 = 719_468;
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let day_of_year = (153 * month + 2) / 5 + day - 1;
    year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - DAYS_TO_1970
}

#[cfg(test)]
mod tests;
