//! Values of JSON put in one order, in which those are equal that JSON Schema calls equal: `1` and `1.0`, and
//! objects whatever the order of their members.

use std::cmp::Ordering;

use super::{Value, number};

/// Whether two values are equal.
pub(super) fn same(left: &Value<'_>, right: &Value<'_>) -> bool {
    match (left, right) {
        (Value::String(left), Value::String(right)) => left == right,
        (Value::Array(left), Value::Array(right)) if left.len() != right.len() => false,
        (Value::Object(left), Value::Object(right)) if left.len() != right.len() => false,
        _ => order(left, right) == Ordering::Equal,
    }
}

/// Their order. Recurses as deep as the values, whose depth is bounded where they are read.
pub(super) fn order(left: &Value<'_>, right: &Value<'_>) -> Ordering {
    match (left, right) {
        (Value::Bool(left), Value::Bool(right)) => left.cmp(right),
        (Value::Number(left), Value::Number(right)) => number::order(left, right),
        (Value::String(left), Value::String(right)) => left.cmp(right),
        (Value::Array(left), Value::Array(right)) => left.len().cmp(&right.len()).then_with(|| {
            let pairs = left.iter().zip(right);
            pairs
                .map(|(left, right)| order(left, right))
                .find(|o| o.is_ne())
                .unwrap_or(Ordering::Equal)
        }),
        (Value::Object(left), Value::Object(right)) => {
            // Maps without a stated order are sorted by name.
            left.len().cmp(&right.len()).then_with(|| {
                let pairs = left.iter().zip(right.iter());
                pairs
                    .map(|((a, left), (b, right))| a.cmp(b).then_with(|| order(left, right)))
                    .find(|o| o.is_ne())
                    .unwrap_or(Ordering::Equal)
            })
        }
        _ => rank(left).cmp(&rank(right)),
    }
}

fn rank(value: &Value<'_>) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}
