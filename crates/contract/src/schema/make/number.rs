//! Numbers within bounds, and whole multiples.

use serde_json::Number;

use super::super::number::{is_integer, is_multiple, order};
use super::facts::Facts;
use super::whole;

/// The number of that turn; some number that keeps the bounds if that one does not.
pub(super) fn make(facts: &Facts<'_>, is_whole: bool, turn: usize) -> Option<Number> {
    let low = edge(&facts.least, true);
    let high = edge(&facts.most, false);
    let step = common_step(facts, is_whole);
    let consider = |number: Option<Number>| number.filter(|number| keeps(facts, number, is_whole));
    #[allow(clippy::cast_precision_loss, reason = "a small count")]
    let places = [turn as f64, 0.0, 1.0, 2.0, 3.0];
    for place in places {
        for number in candidates(low, high, step, is_whole, place) {
            if let Some(number) = consider(number) {
                return Some(number);
            }
        }
    }
    // The bounds as they are written, which a double may not hold.
    let edges = facts.least.iter().chain(&facts.most).map(|(bound, _)| (*bound).clone());
    for edge in edges {
        let near = [Some(edge.clone()), beside(&edge, 1), beside(&edge, -1)];
        for number in near {
            if let Some(number) = consider(number) {
                return Some(number);
            }
        }
    }
    None
}

/// The narrowest bound of one side.
fn edge(bounds: &[(&Number, bool)], is_low: bool) -> Option<f64> {
    let all = bounds.iter().filter_map(|(bound, _)| bound.as_f64());
    all.reduce(|left, right| if is_low { left.max(right) } else { left.min(right) })
}

fn beside(number: &Number, distance: i128) -> Option<Number> {
    let number = number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from))?;
    whole(number + distance)
}

/// What every number is to be a multiple of, as far as that is easily found.
fn common_step(facts: &Facts<'_>, is_whole: bool) -> Option<f64> {
    let mut step: Option<f64> = is_whole.then_some(1.0);
    for next in facts.steps.iter().filter_map(|step| step.as_f64()) {
        if next <= 0.0 {
            continue;
        }
        step = Some(match step {
            None => next,
            Some(step) => common_multiple(step, next),
        });
    }
    step
}

/// Of a few multiples of the larger one, the first that the smaller one divides; their product if none.
fn common_multiple(left: f64, right: f64) -> f64 {
    let (small, large) = if left < right { (left, right) } else { (right, left) };
    let is_near_whole =
        |number: f64| (number - number.round()).abs() < 1e-9 * number.abs().max(1.0);
    (1..=1_000_u32)
        .map(|times| large * f64::from(times))
        .find(|multiple| is_near_whole(multiple / small))
        .unwrap_or(left * right)
}

fn candidates(
    low: Option<f64>,
    high: Option<f64>,
    step: Option<f64>,
    is_whole: bool,
    place: f64,
) -> [Option<Number>; 4] {
    let stride = step.unwrap_or(1.0);
    let nice = if is_whole || step.is_some() { stride } else { 1.5 };
    let free = nice + place * stride;
    let number = |value: f64| {
        let value = match step {
            // Away from what binary fractions cannot say.
            Some(step) => rounded((value / step).round() * step),
            None => rounded(value),
        };
        to_number(value)
    };
    let up = low.map(|low| (low / stride).ceil() * stride + place * stride);
    let down = high.map(|high| (high / stride).floor() * stride - place * stride);
    let between = low
        .zip(high)
        .filter(|_| step.is_none())
        .map(|(low, high)| low + (high - low) * ((place + 1.0) / (place + 2.0)));
    [number(free), up.and_then(number), between.and_then(number), down.and_then(number)]
}

/// To twelve digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.11e}").parse().unwrap_or(value)
}

fn to_number(value: f64) -> Option<Number> {
    // Whole numbers without a fraction, as long as a double holds them exactly.
    if value.fract() == 0.0 && value.abs() < 9e15 {
        #[allow(clippy::cast_possible_truncation, reason = "a whole number below 2^53")]
        return Some(Number::from(value as i64));
    }
    Number::from_f64(value)
}

fn keeps(facts: &Facts<'_>, number: &Number, is_whole: bool) -> bool {
    let least = facts.least.iter().all(|(bound, exclusive)| {
        let order = order(number, bound);
        order.is_gt() || (order.is_eq() && !exclusive)
    });
    let most = facts.most.iter().all(|(bound, exclusive)| {
        let order = order(number, bound);
        order.is_lt() || (order.is_eq() && !exclusive)
    });
    least
        && most
        && (!is_whole || is_integer(number))
        && facts.steps.iter().all(|step| is_multiple(number, step))
}
