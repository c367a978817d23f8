//! Numbers of JSON compared and divided as the decimal numbers that they are.
//!
//! Integers up to 64 bits are exact. What has a fraction or an exponent is a double, taken for the shortest
//! decimal number that reads as it.

use std::cmp::Ordering;

use serde_json::Number;

/// The order of two numbers, `1` and `1.0` being equal.
pub(super) fn order(left: &Number, right: &Number) -> Ordering {
    match (whole(left), whole(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(left), None) => order_mixed(left, double(right)),
        (None, Some(right)) => order_mixed(right, double(left)).reverse(),
        (None, None) => double(left).total_cmp(&double(right)),
    }
}

/// The number as an integer, if it was kept as one.
fn whole(number: &Number) -> Option<i128> {
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))
}

fn double(number: &Number) -> f64 {
    number.as_f64().unwrap_or(f64::NAN)
}

/// Exact also where the integer has more digits than a double.
fn order_mixed(left: i128, right: f64) -> Ordering {
    // Beyond what 64 bits hold; a double converts to `i128` exactly below this.
    const FAR: f64 = 1e30;
    if right >= FAR {
        return Ordering::Less;
    }
    if right <= -FAR {
        return Ordering::Greater;
    }
    let floor = right.floor();
    #[allow(clippy::cast_possible_truncation, reason = "a whole number below 1e30")]
    let order = left.cmp(&(floor as i128));
    if order == Ordering::Equal && right > floor { Ordering::Less } else { order }
}

/// Whether a number is whole, however written (JSON Schema 2020-12 validation 6.1.1).
pub(super) fn is_integer(number: &Number) -> bool {
    number.is_i64() || number.is_u64() || double(number).fract() == 0.0
}

/// Whether `number` is a whole multiple of `step`, exactly, as decimal numbers.
pub(super) fn is_multiple(number: &Number, step: &Number) -> bool {
    let (Some((of, of_exponent)), Some((by, by_exponent))) = (decimal(number), decimal(step))
    else {
        return false;
    };
    if of == 0 {
        return true;
    }
    if by == 0 {
        return false;
    }
    let scale = of_exponent - by_exponent;
    if scale >= 0 {
        let mut power = 1_u128 % by;
        let (mut base, mut left) = (10 % by, scale);
        while left > 0 {
            if left & 1 == 1 {
                power = product(power, base, by);
            }
            base = product(base, base, by);
            left >>= 1;
        }
        return product(of % by, power, by) == 0;
    }
    // A step so much longer cannot divide what has no more than twenty digits.
    10_u128
        .checked_pow(scale.unsigned_abs())
        .and_then(|power| power.checked_mul(by))
        .is_some_and(|by| of.is_multiple_of(by))
}

/// Factors have at most twenty digits, so the product fits.
fn product(left: u128, right: u128, modulus: u128) -> u128 {
    left.wrapping_mul(right) % modulus
}

/// The digits without their sign, at most twenty, and the exponent of ten.
fn decimal(number: &Number) -> Option<(u128, i32)> {
    if let Some(whole) = whole(number) {
        return u64::try_from(whole.unsigned_abs()).ok().map(|digits| (u128::from(digits), 0));
    }
    let text = format!("{:e}", double(number).abs());
    let (digits, exponent) = text.split_once('e')?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction_digits = i32::try_from(fraction.len()).ok()?;
    let digits: u64 = format!("{whole}{fraction}").parse().ok()?;
    Some((u128::from(digits), exponent.parse::<i32>().ok()? - fraction_digits))
}

#[cfg(test)]
mod tests;
